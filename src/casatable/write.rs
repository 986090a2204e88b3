//! Writing cells, adding and removing columns.

use std::ffi::{c_char, c_void, CString};

use super::create::{ColumnSpec, RawSpec};
use super::element::Element;
use super::error::Error;
use super::ffi::{self, c_text, call};
use super::table::Table;

impl Table {
    /// Write consecutive rows of a column, cells of `shape` (C order, empty for scalars) one after the other.
    ///
    /// # Errors
    /// [`Error::Content`] when the number of values does not fit, [`Error::Write`].
    pub fn put<T: Element>(
        &mut self,
        name: &str,
        start: u64,
        shape: &[usize],
        values: &[T],
    ) -> Result<(), Error> {
        self.check_type::<T>(name)?;
        let (n, dims) = self.check_values(name, shape, values.len())?;
        let key = c_text(name);
        let (ndim, data) = (dims.len() as i32, values.as_ptr().cast::<c_void>());
        // SAFETY: `values` holds n cells of the given shape and type.
        call(|err| unsafe {
            ffi::ct_put(self.raw, key.as_ptr(), start, n, T::TYPE as i32, ndim, dims.as_ptr(), data, err)
        })
        .map_err(|m| self.write_error(&format!("write {name}"), m))
    }

    /// Write the given rows of a column.
    ///
    /// # Errors
    /// As [`Table::put`].
    pub fn put_rows<T: Element>(
        &mut self,
        name: &str,
        rows: &[u64],
        shape: &[usize],
        values: &[T],
    ) -> Result<(), Error> {
        self.check_type::<T>(name)?;
        let (n, dims) = self.check_values(name, shape, values.len())?;
        if n != rows.len() as u64 {
            return Err(Error::content(
                &self.path,
                name,
                format!("values for {} rows", rows.len()),
                format!("{n} cells"),
            ));
        }
        let key = c_text(name);
        let (ndim, data) = (dims.len() as i32, values.as_ptr().cast::<c_void>());
        // SAFETY: as in `put`.
        call(|err| unsafe {
            ffi::ct_put_rows(
                self.raw,
                key.as_ptr(),
                rows.as_ptr(),
                n,
                T::TYPE as i32,
                ndim,
                dims.as_ptr(),
                data,
                err,
            )
        })
        .map_err(|m| self.write_error(&format!("write {name}"), m))
    }

    /// Write one value into every row.
    ///
    /// # Errors
    /// As [`Table::put`].
    pub fn fill<T: Element>(&mut self, name: &str, shape: &[usize], cell: &[T]) -> Result<(), Error> {
        let rows = self.n_rows()? as usize;
        let values: Vec<T> = cell.iter().copied().cycle().take(cell.len() * rows).collect();
        self.put(name, 0, shape, &values)
    }

    /// Write one text.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn put_text(&mut self, name: &str, row: u64, text: &str) -> Result<(), Error> {
        self.put_text_cell(name, row, &[], &[text])
    }

    /// Write a vector of texts into one cell.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn put_texts(&mut self, name: &str, row: u64, texts: &[&str]) -> Result<(), Error> {
        self.put_text_cell(name, row, &[texts.len() as u64], texts)
    }

    fn put_text_cell(&mut self, name: &str, row: u64, shape: &[u64], texts: &[&str]) -> Result<(), Error> {
        let owned: Vec<CString> = texts.iter().map(|t| c_text(t)).collect();
        let pointers: Vec<*const c_char> = owned.iter().map(|t| t.as_ptr()).collect();
        let key = c_text(name);
        // SAFETY: `owned` outlives the call.
        call(|err| unsafe {
            ffi::ct_put_text(
                self.raw,
                key.as_ptr(),
                row,
                shape.len() as i32,
                shape.as_ptr(),
                pointers.as_ptr(),
                err,
            )
        })
        .map_err(|m| self.write_error(&format!("write {name}, row {row}"), m))
    }

    /// Add a column (with its own storage manager when the spec names one).
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn add_column(&mut self, spec: &ColumnSpec) -> Result<(), Error> {
        let raw = RawSpec::new(&self.path, std::slice::from_ref(spec))?;
        // SAFETY: both handles are open.
        call(|err| unsafe { ffi::ct_add_column(self.raw, raw.0, err) })
            .map_err(|m| self.write_error(&format!("add column {}", spec.name), m))
    }

    /// Remove a column.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn remove_column(&mut self, name: &str) -> Result<(), Error> {
        let key = c_text(name);
        // SAFETY: the handle is open.
        call(|err| unsafe { ffi::ct_remove_column(self.raw, key.as_ptr(), err) })
            .map_err(|m| self.write_error(&format!("remove column {name}"), m))
    }

    /// Rename a column.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn rename_column(&mut self, from: &str, to: &str) -> Result<(), Error> {
        let (a, b) = (c_text(from), c_text(to));
        // SAFETY: the handle is open.
        call(|err| unsafe { ffi::ct_rename_column(self.raw, a.as_ptr(), b.as_ptr(), err) })
            .map_err(|m| self.write_error(&format!("rename column {from} to {to}"), m))
    }

    fn check_values(&self, name: &str, shape: &[usize], len: usize) -> Result<(u64, Vec<u64>), Error> {
        let cell: usize = shape.iter().product();
        if cell == 0 || len % cell != 0 {
            return Err(Error::content(
                &self.path,
                name,
                format!("whole cells of shape {shape:?}"),
                format!("{len} values"),
            ));
        }
        Ok(((len / cell) as u64, shape.iter().map(|n| *n as u64).collect()))
    }
}
