//! An open table: columns in, columns out.

use std::collections::HashSet;
use std::ffi::c_void;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::element::{DataType, Element};
use super::error::Error;
use super::ffi::{self, c_text, call, push_text, CtTable};

/// What a column holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnInfo {
    /// Element type.
    pub data_type: DataType,
    /// Whether cells are scalars.
    pub scalar: bool,
    /// Number of axes of a cell, when known.
    pub ndim: Option<usize>,
    /// Shape of every cell (C order), when all have one.
    pub shape: Option<Vec<usize>>,
}

/// Tables of this process that are open for writing: POSIX locks do not keep threads of one process apart.
static WRITERS: LazyLock<Mutex<HashSet<PathBuf>>> = LazyLock::new(|| Mutex::new(HashSet::new()));

/// The right to write one table, given back on drop.
#[derive(Debug)]
pub(super) struct WriteTicket(PathBuf);

impl WriteTicket {
    pub(super) fn take(path: &Path, deadline: Instant) -> Result<Self, Error> {
        let key = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        let started = Instant::now();
        loop {
            if WRITERS.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone()) {
                return Ok(Self(key));
            }
            if Instant::now() >= deadline {
                return Err(locked(path, "thread of this process", started));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for WriteTicket {
    fn drop(&mut self) {
        WRITERS.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

fn locked(path: &Path, holder: &'static str, started: Instant) -> Error {
    Error::Locked { path: path.to_path_buf(), holder, waited_s: started.elapsed().as_secs_f64() }
}

/// An open casacore table. Reading takes no lock; writing takes casacore's write lock and a lock among threads.
#[derive(Debug)]
pub struct Table {
    pub(super) raw: *mut CtTable,
    pub(super) path: PathBuf,
    pub(super) ticket: Option<WriteTicket>,
}

// SAFETY: the glue is only entered under the mutex of `ffi::call`, so a handle may move between and be shared by threads.
unsafe impl Send for Table {}
// SAFETY: as above.
unsafe impl Sync for Table {}

impl Table {
    /// Open for reading, without any lock.
    ///
    /// # Errors
    /// [`Error::NotATable`], [`Error::Read`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::open_mode(path.as_ref(), None)
    }

    /// Open for writing; waits up to `wait` for the write lock.
    ///
    /// # Errors
    /// [`Error::NotATable`], [`Error::Locked`], [`Error::Read`].
    pub fn open_rw(path: impl AsRef<Path>, wait: Duration) -> Result<Self, Error> {
        Self::open_mode(path.as_ref(), Some(wait))
    }

    fn open_mode(path: &Path, wait: Option<Duration>) -> Result<Self, Error> {
        check_is_table(path)?;
        let started = Instant::now();
        let deadline = started + wait.unwrap_or_default();
        let ticket = if wait.is_some() { Some(WriteTicket::take(path, deadline)?) } else { None };
        let name = c_text(&path.to_string_lossy());
        let mut raw = std::ptr::null_mut();
        let (rw, lock) = if wait.is_some() { (1, 1) } else { (0, 0) };
        // SAFETY: `name` and `raw` outlive the call.
        call(|err| unsafe { ffi::ct_open(name.as_ptr(), rw, lock, &mut raw, err) })
            .map_err(|message| Error::Read { path: path.to_path_buf(), doing: "open".into(), message })?;
        let table = Self { raw, path: path.to_path_buf(), ticket };
        if wait.is_some() {
            table.wait_for_lock(started, deadline)?;
        }
        Ok(table)
    }

    fn wait_for_lock(&self, started: Instant, deadline: Instant) -> Result<(), Error> {
        let mut told = false;
        loop {
            let mut got = 0;
            // SAFETY: the handle is open.
            call(|err| unsafe { ffi::ct_lock(self.raw, 1, 1, &mut got, err) })
                .map_err(|m| self.write_error("lock", m))?;
            if got != 0 {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(locked(&self.path, "process", started));
            }
            if !told {
                log::info!("{}: waiting for the write lock of another process", self.path.display());
                told = true;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Flush and close, with the errors that dropping would hide.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn close(mut self) -> Result<(), Error> {
        let raw = std::mem::replace(&mut self.raw, std::ptr::null_mut());
        // SAFETY: the handle was open and is not used again.
        call(|err| unsafe { ffi::ct_close(raw, err) }).map_err(|m| self.write_error("close", m))
    }

    /// Write what casacore buffers to the files (without fsync).
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn flush(&mut self) -> Result<(), Error> {
        // SAFETY: the handle is open.
        call(|err| unsafe { ffi::ct_flush(self.raw, err) }).map_err(|m| self.write_error("flush", m))
    }

    /// Directory of the table.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the table was opened for writing.
    pub fn is_writable(&self) -> bool {
        self.ticket.is_some()
    }

    /// Number of rows.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn n_rows(&self) -> Result<u64, Error> {
        let mut rows = 0;
        // SAFETY: the handle is open.
        call(|err| unsafe { ffi::ct_nrow(self.raw, &mut rows, err) })
            .map_err(|m| self.read_error("count rows", m))?;
        Ok(rows)
    }

    /// Append `n` undefined rows.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn add_rows(&mut self, n: u64) -> Result<(), Error> {
        // SAFETY: the handle is open.
        call(|err| unsafe { ffi::ct_add_rows(self.raw, n, err) }).map_err(|m| self.write_error("add rows", m))
    }

    /// Type of the table (`table.info`), for example `Measurement Set` or `Calibration`.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn info_type(&self) -> Result<String, Error> {
        let mut texts: Vec<String> = Vec::new();
        // SAFETY: the handle is open and `texts` outlives the call.
        call(|err| unsafe { ffi::ct_info_type(self.raw, ctx(&mut texts), push_text, err) })
            .map_err(|m| self.read_error("read table.info", m))?;
        Ok(texts.pop().unwrap_or_default())
    }

    /// Set the type and subtype of the table.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn set_info(&mut self, kind: &str, subtype: &str) -> Result<(), Error> {
        let (kind, subtype) = (c_text(kind), c_text(subtype));
        // SAFETY: the handle is open.
        call(|err| unsafe { ffi::ct_info(self.raw, kind.as_ptr(), subtype.as_ptr(), err) })
            .map_err(|m| self.write_error("write table.info", m))?;
        // casacore writes this one file through a stream whose failure it does not look at.
        let path = self.path.join("table.info");
        let found = std::fs::read_to_string(&path).map_err(|e| Error::os(&path, "read back", e))?;
        let said =
            |key: &str| found.lines().find_map(|l| l.strip_prefix(key)).map(str::trim).map(str::to_owned);
        if said("Type =").as_deref() == kind.to_str().ok()
            && said("SubType =").as_deref() == subtype.to_str().ok()
        {
            return Ok(());
        }
        Err(self.write_error("write table.info", "it was not written whole".into()))
    }

    /// Names of all columns.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn columns(&self) -> Result<Vec<String>, Error> {
        let mut names: Vec<String> = Vec::new();
        // SAFETY: the handle is open and `names` outlives the call.
        call(|err| unsafe { ffi::ct_columns(self.raw, ctx(&mut names), push_text, err) })
            .map_err(|m| self.read_error("list columns", m))?;
        Ok(names)
    }

    /// Whether a column is there.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn has_column(&self, name: &str) -> Result<bool, Error> {
        Ok(self.columns()?.iter().any(|c| c == name))
    }

    /// Type and shape of a column.
    ///
    /// # Errors
    /// [`Error::NoColumn`], [`Error::Content`] for a type that tables of ours do not use.
    pub fn column(&self, name: &str) -> Result<ColumnInfo, Error> {
        let columns = self.columns()?;
        if !columns.iter().any(|c| c == name) {
            return Err(Error::NoColumn {
                path: self.path.clone(),
                column: name.to_owned(),
                found: columns.join(", "),
            });
        }
        let mut raw = ffi::CtColumn::default();
        let text = c_text(name);
        // SAFETY: the handle is open.
        call(|err| unsafe { ffi::ct_column(self.raw, text.as_ptr(), &mut raw, err) })
            .map_err(|m| self.read_error(&format!("describe {name}"), m))?;
        let data_type = DataType::from_code(raw.data_type)
            .ok_or_else(|| Error::content(&self.path, name, "a column of a supported type", raw.data_type))?;
        let ndim = usize::try_from(raw.ndim).ok();
        let shape =
            (raw.fixed != 0).then(|| raw.shape[..ndim.unwrap_or(0)].iter().map(|n| *n as usize).collect());
        Ok(ColumnInfo { data_type, scalar: raw.scalar != 0, ndim, shape })
    }

    /// Shape of one cell (C order; empty for a scalar), or `None` when it is undefined.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn cell_shape(&self, name: &str, row: u64) -> Result<Option<Vec<usize>>, Error> {
        let (mut ndim, mut shape) = (0, [0_u64; 8]);
        let text = c_text(name);
        // SAFETY: the handle is open; `shape` holds the 8 axes that the glue allows.
        call(|err| unsafe {
            ffi::ct_cell_shape(self.raw, text.as_ptr(), row, &mut ndim, shape.as_mut_ptr(), err)
        })
        .map_err(|m| self.read_error(&format!("find the shape of {name} at row {row}"), m))?;
        Ok(usize::try_from(ndim).ok().map(|n| shape[..n].iter().map(|v| *v as usize).collect()))
    }

    /// Values of a column over a range of rows; array cells (all of one shape) follow one another in C order.
    ///
    /// # Errors
    /// [`Error::NoColumn`], [`Error::Content`] for another type or cells of several shapes, [`Error::Read`].
    pub fn get<T: Element>(&self, name: &str, rows: Range<u64>) -> Result<Vec<T>, Error> {
        let count = self.count(name, rows.start, rows.end.saturating_sub(rows.start))?;
        let mut out = vec![T::ZERO; count];
        self.get_into(name, rows, &mut out)?;
        Ok(out)
    }

    /// Like [`Table::get`], into a buffer of the caller.
    ///
    /// # Errors
    /// As [`Table::get`].
    pub fn get_into<T: Element>(&self, name: &str, rows: Range<u64>, out: &mut [T]) -> Result<(), Error> {
        self.check_type::<T>(name)?;
        let n = rows.end.saturating_sub(rows.start);
        let text = c_text(name);
        let (data, count) = (out.as_mut_ptr().cast::<c_void>(), out.len() as u64);
        // SAFETY: the handle is open; the glue checks that cells of type T fill exactly `count` elements.
        call(|err| unsafe {
            ffi::ct_get(self.raw, text.as_ptr(), rows.start, n, T::TYPE as i32, data, count, err)
        })
        .map_err(|m| self.read_error(&format!("read {name}, rows {} to {}", rows.start, rows.end), m))
    }

    /// Values of a column at the given rows.
    ///
    /// # Errors
    /// As [`Table::get`].
    pub fn get_rows<T: Element>(&self, name: &str, rows: &[u64]) -> Result<Vec<T>, Error> {
        let Some(first) = rows.first() else { return Ok(Vec::new()) };
        self.check_type::<T>(name)?;
        let count = self.count(name, *first, rows.len() as u64)?;
        let mut out = vec![T::ZERO; count];
        let text = c_text(name);
        let (data, n) = (out.as_mut_ptr().cast::<c_void>(), rows.len() as u64);
        // SAFETY: as in `get_into`.
        call(|err| unsafe {
            ffi::ct_get_rows(
                self.raw,
                text.as_ptr(),
                rows.as_ptr(),
                n,
                T::TYPE as i32,
                data,
                count as u64,
                err,
            )
        })
        .map_err(|m| self.read_error(&format!("read {name} at {n} rows"), m))?;
        Ok(out)
    }

    /// All rows of a column.
    ///
    /// # Errors
    /// As [`Table::get`].
    pub fn get_all<T: Element>(&self, name: &str) -> Result<Vec<T>, Error> {
        let rows = self.n_rows()?;
        self.get(name, 0..rows)
    }

    /// One cell.
    ///
    /// # Errors
    /// As [`Table::get`].
    pub fn cell<T: Element>(&self, name: &str, row: u64) -> Result<Vec<T>, Error> {
        self.get(name, row..row + 1)
    }

    /// Texts of a column over a range of rows; the elements of array cells follow one another.
    ///
    /// # Errors
    /// [`Error::NoColumn`], [`Error::Content`], [`Error::Read`].
    pub fn text(&self, name: &str, rows: Range<u64>) -> Result<Vec<String>, Error> {
        let info = self.column(name)?;
        if info.data_type != DataType::String {
            return Err(Error::content(
                &self.path,
                name,
                "a column of texts",
                format!("{:?}", info.data_type),
            ));
        }
        let mut texts: Vec<String> = Vec::new();
        let key = c_text(name);
        let n = rows.end.saturating_sub(rows.start);
        // SAFETY: the handle is open and `texts` outlives the call.
        call(|err| unsafe {
            ffi::ct_get_text(self.raw, key.as_ptr(), rows.start, n, ctx(&mut texts), push_text, err)
        })
        .map_err(|m| self.read_error(&format!("read {name}"), m))?;
        Ok(texts)
    }

    fn count(&self, name: &str, first: u64, rows: u64) -> Result<usize, Error> {
        let info = self.column(name)?;
        let cell = match (&info.shape, info.scalar, rows) {
            (_, true, _) | (_, _, 0) => 1,
            (Some(shape), ..) => shape.iter().product(),
            _ => self
                .cell_shape(name, first)?
                .ok_or_else(|| {
                    Error::content(&self.path, format!("{name}, row {first}"), "an array", "nothing")
                })?
                .iter()
                .product(),
        };
        usize::try_from(rows).ok().and_then(|n| n.checked_mul(cell)).ok_or_else(|| {
            Error::content(&self.path, name, "cells that fit in memory", format!("{rows} rows"))
        })
    }

    pub(super) fn check_type<T: Element>(&self, name: &str) -> Result<(), Error> {
        let info = self.column(name)?;
        if info.data_type == T::TYPE {
            return Ok(());
        }
        Err(Error::content(
            &self.path,
            name,
            format!("elements of type {:?}", T::TYPE),
            format!("{:?}", info.data_type),
        ))
    }

    pub(super) fn read_error(&self, doing: &str, message: String) -> Error {
        Error::Read { path: self.path.clone(), doing: doing.to_owned(), message }
    }

    pub(super) fn write_error(&self, doing: &str, message: String) -> Error {
        Error::Write { path: self.path.clone(), doing: doing.to_owned(), message }
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        if self.raw.is_null() {
            return;
        }
        let raw = self.raw;
        // SAFETY: the handle is open and is not used again.
        if let Err(message) = call(|err| unsafe { ffi::ct_close(raw, err) }) {
            log::warn!("{}: closing failed: {message}", self.path.display());
        }
    }
}

/// A pointer for the callbacks of the glue.
pub(super) fn ctx<T>(value: &mut T) -> *mut c_void {
    std::ptr::from_mut(value).cast()
}

fn check_is_table(path: &Path) -> Result<(), Error> {
    let found = match std::fs::symlink_metadata(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => "nothing".to_owned(),
        Err(e) => return Err(Error::os(path, "look at it", e)),
        Ok(_) if !path.is_dir() => "a file".to_owned(),
        Ok(_) if !path.join("table.dat").is_file() => "a directory without table.dat".to_owned(),
        Ok(_) => return Ok(()),
    };
    Err(Error::NotATable { path: path.to_path_buf(), found })
}
