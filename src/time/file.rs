//! The user's renewed table: where it lives, reading it, replacing it.

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::{Error, OrientationTable};

/// Environment variable that names a table to use whatever its age.
const ENVIRONMENT: &str = "CONTIMG_IERS_FILE";
/// No table of the IERS is larger \[bytes\].
const MAX_BYTES: u64 = 64 << 20;
/// The table begins here when it is renewed: nothing of the array is older \[MJD of 2015-01-01\].
const KEEP_FROM_MJD: f64 = 57_023.0;

/// The renewed table's path and whether it was demanded by the environment: `CONTIMG_IERS_FILE`, else `iers.csv` in the
/// user's data directory (`XDG_DATA_HOME`, `~/.local/share`, on macOS `~/Library/Application Support`).
pub fn user_file() -> Option<(PathBuf, bool)> {
    if let Some(path) = set(ENVIRONMENT) {
        return Some((path.into(), true));
    }
    let data = if cfg!(target_os = "macos") {
        PathBuf::from(set("HOME")?).join("Library/Application Support")
    } else {
        set("XDG_DATA_HOME")
            .map(PathBuf::from)
            .or_else(|| Some(PathBuf::from(set("HOME")?).join(".local/share")))?
    };
    Some((data.join("dsa110_contimg").join("iers.csv"), false))
}

fn set(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Read a table of any layout.
pub(super) fn read(path: &Path) -> Result<OrientationTable, Error> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    let size = fs::metadata(path).map_err(io)?.len();
    if size > MAX_BYTES {
        return Err(Error::Table {
            origin: path.display().to_string(),
            expected: format!("an IERS table of at most {MAX_BYTES} bytes"),
            found: format!("{size} bytes"),
        });
    }
    let bytes = fs::read(path).map_err(io)?;
    OrientationTable::parse(&String::from_utf8_lossy(&bytes), &path.display().to_string())
}

/// Renew `destination` (by default [`user_file`]) from an IERS file; the old table stays until the new one is complete and valid.
///
/// # Errors
/// A source that is no table, or is older than the table in place; a destination that cannot be written.
pub fn update(source: &Path, destination: Option<&Path>) -> Result<(PathBuf, OrientationTable), Error> {
    let mut table = read(source)?;
    table.days.retain(|day| day.mjd >= KEEP_FROM_MJD);
    let destination = match destination {
        Some(path) => path.to_owned(),
        None => user_file().map(|(path, _)| path).ok_or_else(|| {
            crate::kind::BadArgument::new(
                "destination",
                format!("HOME or {ENVIRONMENT} to be set"),
                "neither",
            )
        })?,
    };
    // Parsed again from its own text: what is written is what will be read.
    let text = table.to_csv();
    let table = OrientationTable::parse(&text, &destination.display().to_string())?;
    // A table in place that cannot be read is no reason to keep it.
    if let Some(old) = read(&destination).ok().filter(|old| old.last_measured_mjd > table.last_measured_mjd) {
        return Err(Error::Table {
            origin: source.display().to_string(),
            expected: format!(
                "values measured up to MJD {} as in {} (delete that file to go back)",
                old.last_measured_mjd,
                destination.display()
            ),
            found: format!("MJD {}", table.last_measured_mjd),
        });
    }
    write_whole(&destination, &text).map_err(|source| Error::Io { path: destination.clone(), source })?;
    Ok((destination, table))
}

/// Write aside, sync, rename.
fn write_whole(path: &Path, text: &str) -> std::io::Result<()> {
    let directory = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(directory)?;
    let aside = directory.join(format!(".iers.{}.tmp", std::process::id()));
    let written = fs::File::create(&aside).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    let outcome =
        written.and_then(|()| fs::rename(&aside, path)).and_then(|()| fs::File::open(directory)?.sync_all());
    if outcome.is_err() {
        // The error itself is what matters; a leftover temporary is only litter.
        let _ = fs::remove_file(&aside);
    }
    outcome
}
