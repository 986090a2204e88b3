//! What can go wrong in `photometry`.

use crate::control::Cancelled;
use crate::kind::{BadArgument, ErrorKind, Kind};

/// An error of the `photometry` room: what was expected, what was found, where.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value outside what the call accepts.
    #[error(transparent)]
    Argument(#[from] BadArgument),
    /// Too few references for a correction.
    #[error("ensemble correction: expected at least {needed} references with a positive flux and baseline, found {found}")]
    TooFewReferences {
        /// References needed.
        needed: usize,
        /// References usable.
        found: usize,
    },
    /// A system of equations could not be solved.
    #[error(transparent)]
    Math(#[from] crate::math::Error),
    /// The call was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl Kind for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Argument(e) => e.kind(),
            Self::TooFewReferences { .. } => ErrorKind::Data,
            Self::Math(e) => e.kind(),
            Self::Cancelled(e) => e.kind(),
        }
    }
}
