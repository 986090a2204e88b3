//! New tables: columns and their storage managers.

use std::path::Path;
use std::time::Instant;

use super::element::DataType;
use super::error::Error;
use super::ffi::{self, c_text, call, CtSpec};
use super::table::{Table, WriteTicket};

/// How the cells of a column are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storage {
    /// casacore's standard storage manager (the default of unnamed columns).
    Standard,
    /// Values that repeat from row to row cost nothing.
    Incremental,
    /// Tiles of the given shape (rows first, then the axes of a cell) over cells of one shape.
    Tiled(Vec<usize>),
    /// Tiles, cells may differ in shape.
    TiledShape(Vec<usize>),
}

/// One column of a new table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnSpec {
    /// Name.
    pub name: String,
    /// Element type.
    pub data_type: DataType,
    /// `None`: scalar; `Some(shape)`: arrays of that shape (C order).
    pub shape: Option<Vec<usize>>,
    /// Number of axes of arrays without a common shape.
    pub free_ndim: Option<i32>,
    /// Storage manager.
    pub storage: Storage,
    /// Name of the storage manager; columns with one name share it.
    pub manager: String,
    /// Comment in the table description.
    pub comment: String,
}

impl ColumnSpec {
    /// A scalar column in the standard storage manager.
    pub fn scalar(name: &str, data_type: DataType) -> Self {
        Self {
            name: name.into(),
            data_type,
            shape: None,
            free_ndim: None,
            storage: Storage::Standard,
            manager: "StandardStMan".into(),
            comment: String::new(),
        }
    }

    /// Arrays of one shape (C order).
    pub fn array(name: &str, data_type: DataType, shape: &[usize]) -> Self {
        Self { shape: Some(shape.to_vec()), ..Self::scalar(name, data_type) }
    }

    /// Arrays of `ndim` axes whose shape may differ from row to row (-1: any number of axes).
    pub fn free_array(name: &str, data_type: DataType, ndim: i32) -> Self {
        Self { free_ndim: Some(ndim), ..Self::scalar(name, data_type) }
    }

    /// In the incremental storage manager of the given name.
    #[must_use]
    pub fn incremental(self, manager: &str) -> Self {
        Self { storage: Storage::Incremental, manager: manager.into(), ..self }
    }

    /// In tiles of its own.
    #[must_use]
    pub fn tiled(self, manager: &str, tile: &[usize]) -> Self {
        let storage = if self.shape.is_some() {
            Storage::Tiled(tile.to_vec())
        } else {
            Storage::TiledShape(tile.to_vec())
        };
        Self { storage, manager: manager.into(), ..self }
    }

    /// With a comment.
    #[must_use]
    pub fn comment(self, comment: &str) -> Self {
        Self { comment: comment.into(), ..self }
    }
}

/// Owned description in the glue.
pub(super) struct RawSpec(pub(super) *mut CtSpec);

impl Drop for RawSpec {
    fn drop(&mut self) {
        // SAFETY: made by `ct_spec_new`, freed once.
        unsafe { ffi::ct_spec_free(self.0) };
    }
}

impl RawSpec {
    pub(super) fn new(path: &Path, columns: &[ColumnSpec]) -> Result<Self, Error> {
        // SAFETY: allocation only.
        let spec = Self(unsafe { ffi::ct_spec_new() });
        for column in columns {
            spec.add(column).map_err(|message| Error::Write {
                path: path.to_path_buf(),
                doing: format!("describe column {}", column.name),
                message,
            })?;
        }
        Ok(spec)
    }

    fn add(&self, column: &ColumnSpec) -> Result<(), String> {
        let (name, comment, manager) =
            (c_text(&column.name), c_text(&column.comment), c_text(&column.manager));
        let shape: Option<Vec<u64>> = column.shape.as_ref().map(|s| s.iter().map(|n| *n as u64).collect());
        let ndim = match (&shape, column.free_ndim) {
            (Some(s), _) => s.len() as i32,
            (None, Some(n)) => n,
            (None, None) => 0,
        };
        let dims = shape.as_ref().map_or(std::ptr::null(), |s| s.as_ptr());
        // Small arrays of one shape live in the bucket of their row instead of in a file of their own.
        let direct = i32::from(column.storage == Storage::Standard && shape.is_some());
        // SAFETY: all pointers outlive the call.
        call(|err| unsafe {
            ffi::ct_spec_column(
                self.0,
                name.as_ptr(),
                comment.as_ptr(),
                column.data_type as i32,
                ndim,
                dims,
                direct,
                err,
            )
        })?;
        let (kind, tile): (i32, &[usize]) = match &column.storage {
            Storage::Standard => (0, &[]),
            Storage::Incremental => (1, &[]),
            Storage::Tiled(tile) => (2, tile),
            Storage::TiledShape(tile) => (3, tile),
        };
        let tile: Vec<u64> = tile.iter().map(|n| *n as u64).collect();
        let axes = tile.len().saturating_sub(1) as i32;
        // SAFETY: `tile` holds axes + 1 lengths for the tiled kinds and is not read for the others.
        call(|err| unsafe {
            ffi::ct_spec_bind(self.0, name.as_ptr(), kind, manager.as_ptr(), axes, tile.as_ptr(), err)
        })
    }
}

impl Table {
    /// A new table of `rows` rows. Rows of [`Storage::Tiled`] columns that are never written are holes in the file and
    /// read as zeros.
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::Write`].
    pub fn create(path: impl AsRef<Path>, columns: &[ColumnSpec], rows: u64) -> Result<Self, Error> {
        let path = path.as_ref();
        if path.symlink_metadata().is_ok() {
            return Err(Error::Exists { path: path.to_path_buf(), found: "file or directory".into() });
        }
        let spec = RawSpec::new(path, columns)?;
        let ticket = WriteTicket::take(path, Instant::now())?;
        let name = c_text(&path.to_string_lossy());
        let mut raw = std::ptr::null_mut();
        // SAFETY: all pointers outlive the call.
        call(|err| unsafe { ffi::ct_create(name.as_ptr(), spec.0, rows, &mut raw, err) }).map_err(
            |message| Error::Write { path: path.to_path_buf(), doing: "create the table".into(), message },
        )?;
        Ok(Self { raw, path: path.to_path_buf(), ticket: Some(ticket) })
    }
}
