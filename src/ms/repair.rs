//! The mark of columns that are being rewritten, and its refusal by readers.
//!
//! Columns are rewritten in place (a copy would cost 1.4 GB and its sync). Before the first byte changes, a small file in the
//! Measurement Set says which columns are in work and by what step; it goes when the last byte is on the disk. Whoever opens a
//! Measurement Set that bears the mark is told to run that step again.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::Error;
use crate::casatable::{sync_directory, sync_file};

/// Name of the mark inside a Measurement Set.
const MARK: &str = "contimg_writing.json";
/// Copy of the table's description while a column is added to it.
const BACKUP: &str = "contimg_table.dat.backup";

/// What the mark says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    /// Columns in work.
    pub(super) columns: Vec<String>,
    /// The step that works on them.
    pub(super) step: String,
}

/// # Errors
/// [`Error::Interrupted`] when the mark is there.
pub(super) fn refuse_interrupted(ms: &Path) -> Result<(), Error> {
    match find(ms)? {
        None => Ok(()),
        Some(mark) => Err(Error::Interrupted {
            path: ms.to_path_buf(),
            column: mark.columns.join(", "),
            step: mark.step,
        }),
    }
}

/// Columns whose writing by `step` was interrupted.
///
/// # Errors
/// The mark cannot be read.
pub fn interrupted_by(ms: &Path, step: &str) -> Result<Vec<String>, Error> {
    Ok(find(ms)?.filter(|mark| mark.step == step).map(|mark| mark.columns).unwrap_or_default())
}

/// casacore writes `table.info` through a stream whose failure it does not look at, and not in one step.
pub(super) fn restore_info(ms: &Path) -> Result<(), Error> {
    let path = ms.join("table.info");
    let found = fs::read(&path).map_err(|e| Error::os(&path, "read", e))?;
    if found.starts_with(b"Type = Measurement Set\n") {
        return Ok(());
    }
    write_durably(ms, "table.info", b"Type = Measurement Set\nSubType = \n\n")
}

/// The mark, when there is one.
pub(super) fn find(ms: &Path) -> Result<Option<Mark>, Error> {
    let path = ms.join(MARK);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(
            serde_json::from_str(&text)
                .unwrap_or(Mark { columns: vec!["a column".into()], step: "unknown".into() }),
        )),
        // A file where a directory should be is for the opening of the table to refuse.
        Err(e) if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(e) => Err(Error::os(&path, "read", e)),
    }
}

/// Set the mark; it is on the disk when this returns.
pub(super) fn set(ms: &Path, mark: &Mark) -> Result<(), Error> {
    let text = serde_json::to_string(mark).unwrap_or_default();
    write_durably(ms, MARK, text.as_bytes())
}

/// Take the mark away; everything it spoke of must be on the disk.
pub(super) fn clear(ms: &Path) -> Result<(), Error> {
    for name in [MARK, BACKUP] {
        let path = ms.join(name);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(Error::os(&path, "remove", e)),
            _ => {}
        }
    }
    Ok(sync_directory(ms)?)
}

/// Keep a copy of the table's description, which casacore is about to rewrite in place.
pub(super) fn back_up_description(ms: &Path) -> Result<(), Error> {
    let path = ms.join("table.dat");
    let bytes = fs::read(&path).map_err(|e| Error::os(&path, "read", e))?;
    write_durably(ms, BACKUP, &bytes)
}

/// Bring the description back that an interrupted addition of a column may have torn.
pub(super) fn restore_description(ms: &Path) -> Result<(), Error> {
    let backup = ms.join(BACKUP);
    if !backup.is_file() {
        return Ok(());
    }
    fs::rename(&backup, ms.join("table.dat"))
        .map_err(|e| Error::os(&backup, "restore the description from", e))?;
    Ok(sync_directory(ms)?)
}

/// The addition is complete: sync the description and drop its copy.
pub(super) fn forget_description(ms: &Path) -> Result<(), Error> {
    sync_file(&ms.join("table.dat"))?;
    let backup = ms.join(BACKUP);
    fs::remove_file(&backup).map_err(|e| Error::os(&backup, "remove", e))?;
    Ok(sync_directory(ms)?)
}

/// Write a small file of a Measurement Set: aside, synced, renamed.
///
/// # Errors
/// A failure to write; nothing is left behind then.
pub fn write_durably(ms: &Path, name: &str, bytes: &[u8]) -> Result<(), Error> {
    let aside: PathBuf = ms.join(format!(".{name}.{}.part", std::process::id()));
    let written = File::create(&aside).and_then(|mut f| f.write_all(bytes).and_then(|()| f.sync_all()));
    let outcome = written
        .map_err(|e| Error::os(&aside, "write", e))
        .and_then(|()| fs::rename(&aside, ms.join(name)).map_err(|e| Error::os(&aside, "rename", e)))
        .and_then(|()| Ok(sync_directory(ms)?));
    if outcome.is_err() {
        let _ = fs::remove_file(&aside);
    }
    outcome
}
