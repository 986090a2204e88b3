//! What can go wrong in `deconvolution`.

use crate::control::Cancelled;
use crate::kind::{BadArgument, ErrorKind, Kind};

/// An error of the `deconvolution` room: what was expected, what was found, where.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value outside what the call accepts.
    #[error(transparent)]
    Argument(#[from] BadArgument),
    /// The call was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// The point spread function is not one: its peak is not 1 at the centre.
    #[error("psf: expected a peak of 1 at pixel (x {x}, y {y}), found {found}")]
    Psf {
        /// Where the peak should be.
        x: usize,
        /// Where the peak should be.
        y: usize,
        /// The value there.
        found: f32,
    },
}

impl Kind for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Argument(e) => e.kind(),
            Self::Cancelled(e) => e.kind(),
            Self::Psf { .. } => ErrorKind::Data,
        }
    }
}
