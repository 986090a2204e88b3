//! Where a stage gets its visibilities from: a Measurement Set on disk, or a group in memory that looks like one.

use std::ops::Range;

use crate::error::Error;
use crate::ms::{Meta, MsReader, ReadRequest};
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
}
