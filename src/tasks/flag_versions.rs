//! Flag versions: copies of FLAG beside the Measurement Set, in the layout of CASA's flag manager
//! (`X.ms.flagversions/flags.NAME` and the list `FLAG_VERSION_LIST`).

use std::fs;
use std::path::{Path, PathBuf};

use super::selection::LOCK_WAIT;
use crate::casatable::{ColumnSpec, DataType, Table};
use crate::control::Control;
use crate::error::Error;
use crate::kind::BadArgument;
use crate::ms::{Column, MsReader, MsUpdate, ReadRequest};

const LIST: &str = "FLAG_VERSION_LIST";

/// One version.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FlagVersion {
    /// Name.
    pub name: String,
    /// Comment.
    pub comment: String,
}

fn directory(ms: &Path) -> PathBuf {
    let name = ms.file_name().unwrap_or_default().to_string_lossy().into_owned();
    ms.with_file_name(format!("{name}.flagversions"))
}

fn os(path: &Path, doing: &'static str) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_path_buf();
    move |source| crate::ms::Error::Os { path, doing, source }.into()
}

fn checked(name: &str) -> Result<&str, Error> {
    let fine = !name.is_empty()
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
        && !name.starts_with('.');
    if fine {
        return Ok(name);
    }
    let problem =
        BadArgument::new("flag version", "a name of letters, digits, '_', '-' and '.'", format!("'{name}'"));
    Err(crate::flagging::Error::from(problem).into())
}

/// Versions of a Measurement Set, in the order in which they were saved.
///
/// # Errors
/// A list that cannot be read.
pub fn list(ms: &Path) -> Result<Vec<FlagVersion>, Error> {
    let dir = directory(ms);
    let file = dir.join(LIST);
    if !file.exists() {
        return Ok(Vec::new());
    }
    let text = fs::read_to_string(&file).map_err(os(&file, "read"))?;
    let line = |l: &str| {
        let (name, comment) = l.split_once(':').unwrap_or((l, ""));
        FlagVersion { name: name.trim().to_owned(), comment: comment.trim().to_owned() }
    };
    Ok(text
        .lines()
        .filter(|l| !l.trim().is_empty())
        .map(line)
        .filter(|v| dir.join(format!("flags.{}", v.name)).is_dir())
        .collect())
}

/// Save FLAG under a name. A version of that name is replaced with `replace`; otherwise it is kept as `NAME.old.1` (2, ...), as by CASA.
///
/// # Errors
/// A name that cannot be a file name; any failure to read or write.
pub fn save(ms: &Path, name: &str, comment: &str, replace: bool, control: &Control) -> Result<(), Error> {
    let name = checked(name)?;
    let reader = MsReader::open(ms)?;
    let dir = directory(ms);
    fs::create_dir_all(&dir).map_err(os(&dir, "create"))?;
    let staged = dir.join(format!(".flags.{name}.{}.partial", std::process::id()));
    if staged.exists() {
        fs::remove_dir_all(&staged).map_err(os(&staged, "remove"))?;
    }
    let written = copy_out(&reader, &staged, control);
    if let Err(error) = written {
        // The half-written copy is of no use to anybody; the error says what happened.
        let _ = fs::remove_dir_all(&staged);
        return Err(error);
    }
    let place = dir.join(format!("flags.{name}"));
    let mut versions = list(ms)?;
    if place.exists() && !replace {
        let old = (1..).map(|k| format!("{name}.old.{k}")).find(|n| !dir.join(format!("flags.{n}")).exists());
        let old = old.unwrap_or_default();
        fs::rename(&place, dir.join(format!("flags.{old}"))).map_err(os(&place, "rename"))?;
        log::warn!("{}: the flag version '{name}' is kept as '{old}'", ms.display());
        versions.iter_mut().filter(|v| v.name == name).for_each(|v| v.name.clone_from(&old));
    } else if place.exists() {
        fs::remove_dir_all(&place).map_err(os(&place, "remove"))?;
    }
    fs::rename(&staged, &place).map_err(os(&place, "rename"))?;
    let mut lines: Vec<String> = versions
        .into_iter()
        .filter(|v| v.name != name)
        .map(|v| format!("{} : {}\n", v.name, v.comment))
        .collect();
    lines.push(format!("{name} : {}\n", comment.replace('\n', " ")));
    let file = dir.join(LIST);
    let partial = dir.join(format!(".{LIST}.partial"));
    fs::write(&partial, lines.concat()).map_err(os(&partial, "write"))?;
    fs::rename(&partial, &file).map_err(os(&file, "rename"))
}

fn copy_out(reader: &MsReader, to: &Path, control: &Control) -> Result<(), Error> {
    let main = Table::open(&reader.meta().path)?;
    let columns =
        [ColumnSpec::free_array("FLAG", DataType::Bool, 2), ColumnSpec::scalar("FLAG_ROW", DataType::Bool)];
    let n = main.n_rows()?;
    let mut copy = Table::create(to, &columns, n)?;
    for spw in reader.windows() {
        for request in requests(reader, spw) {
            control.check()?;
            for run in reader.main_rows(&request)? {
                let shape = main.cell_shape("FLAG", run.start)?.unwrap_or_default();
                copy.put("FLAG", run.start, &shape, &main.get::<bool>("FLAG", run)?)?;
            }
        }
    }
    copy.put("FLAG_ROW", 0, &[], &main.get_all::<bool>("FLAG_ROW")?)?;
    Ok(copy.close()?)
}

fn requests(reader: &MsReader, spw: usize) -> Vec<ReadRequest> {
    reader.row_blocks(spw).into_iter().map(|rows| ReadRequest::new(spw, Column::Data).rows(rows)).collect()
}

/// Put a saved version back into FLAG.
///
/// # Errors
/// A version that is not there (the text lists those that are), or of another number of rows.
pub fn restore(ms: &Path, name: &str, control: &Control) -> Result<(), Error> {
    let name = checked(name)?;
    let path = directory(ms).join(format!("flags.{name}"));
    if !path.is_dir() {
        let known = list(ms)?.into_iter().map(|v| v.name).collect::<Vec<_>>().join(", ");
        let problem = BadArgument::new("flag version", format!("one of: {known}"), format!("'{name}'"));
        return Err(crate::flagging::Error::from(problem).into());
    }
    let reader = MsReader::open_to_write(ms, LOCK_WAIT, control)?;
    let copy = Table::open(&path)?;
    if copy.n_rows()? != reader.meta().n_rows {
        let found = format!("{} rows", copy.n_rows()?);
        let problem =
            BadArgument::new(path.display().to_string(), format!("{} rows", reader.meta().n_rows), found);
        return Err(crate::flagging::Error::from(problem).into());
    }
    let mut update = MsUpdate::begin(&reader, &["FLAG"], "contimg flag --restore", LOCK_WAIT)?;
    for spw in reader.windows() {
        for request in requests(&reader, spw) {
            control.check()?;
            for run in reader.main_rows(&request)? {
                let shape = copy.cell_shape("FLAG", run.start)?.unwrap_or_default();
                update.put_raw("FLAG", run.clone(), &shape, &copy.get::<bool>("FLAG", run.clone())?)?;
                update.put_raw("FLAG_ROW", run.clone(), &[], &copy.get::<bool>("FLAG_ROW", run)?)?;
            }
        }
    }
    super::flag_record::restored(ms, name)?;
    Ok(update.finish()?)
}
