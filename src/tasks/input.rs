//! Where a stage gets its visibilities from: a Measurement Set on disk, or a group in memory that looks like one.

use std::ops::Range;

use crate::calibration::RowKey;
use crate::casatable::Table;
use crate::error::Error;
use crate::ms::{Column, Meta, MsReader, ReadRequest, WindowFiles};
use crate::vis::VisBlock;

/// Visibilities by spectral window, with what is known of them. A stage that takes an `Input` does not know whether a
/// Measurement Set was ever written.
pub(super) trait Input {
    /// Antennas, fields, windows, telescope.
    fn meta(&self) -> &Meta;

    /// Spectral windows that have rows, ascending in frequency.
    fn windows(&self) -> Vec<usize>;

    /// Rows of a window.
    fn n_rows(&self, spw: usize) -> u64;

    /// Row ranges for [`ReadRequest::rows`] that keep a block in bounds.
    fn row_blocks(&self, spw: usize) -> Vec<Range<u64>>;

    /// Read a selection, in the conventions of [`MsReader::read`].
    ///
    /// # Errors
    /// Data that cannot be read; a selection outside of them.
    fn read(&self, request: &ReadRequest) -> Result<VisBlock, Error>;

    /// Time, field and scan of the rows of a selection, in the order of the block's rows.
    ///
    /// # Errors
    /// As [`Input::read`].
    fn keys(&self, request: &ReadRequest) -> Result<Vec<RowKey>, Error>;

    /// The files of a window, where there are files and their layout lets kernels go through them piece by piece.
    ///
    /// # Errors
    /// As [`Input::read`].
    fn window_files(
        &self,
        _spw: usize,
        _column: Column,
        _with_model: bool,
    ) -> Result<Option<WindowFiles>, Error> {
        Ok(None)
    }
}

impl Input for MsReader {
    fn meta(&self) -> &Meta {
        self.meta()
    }

    fn windows(&self) -> Vec<usize> {
        self.windows()
    }

    fn n_rows(&self, spw: usize) -> u64 {
        self.n_rows(spw)
    }

    fn row_blocks(&self, spw: usize) -> Vec<Range<u64>> {
        self.row_blocks(spw)
    }

    fn read(&self, request: &ReadRequest) -> Result<VisBlock, Error> {
        Ok(self.read(request)?)
    }

    fn window_files(
        &self,
        spw: usize,
        column: Column,
        with_model: bool,
    ) -> Result<Option<WindowFiles>, Error> {
        Ok(self.window_files(spw, column, with_model)?)
    }

    fn keys(&self, request: &ReadRequest) -> Result<Vec<RowKey>, Error> {
        let runs = self.main_rows(request)?;
        let (Some(first), Some(last)) = (runs.first(), runs.last()) else { return Ok(Vec::new()) };
        let span = first.start..last.end;
        let main = Table::open(&self.meta().path)?;
        let time: Vec<f64> = main.get("TIME", span.clone())?;
        let interval: Vec<f64> = main.get("INTERVAL", span.clone())?;
        let field: Vec<i32> = main.get("FIELD_ID", span.clone())?;
        let scan: Vec<i32> = if self.meta().has_column("SCAN_NUMBER") {
            main.get("SCAN_NUMBER", span.clone())?
        } else {
            vec![1; time.len()]
        };
        let key = |row: u64| {
            let k = (row - span.start) as usize;
            RowKey { time_mjd_s: time[k], interval_s: interval[k], field: field[k], scan: scan[k] }
        };
        Ok(runs.into_iter().flatten().map(key).collect())
    }
}
