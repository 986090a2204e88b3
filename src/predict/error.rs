//! What can go wrong in `predict`.

use crate::control::Cancelled;
use crate::kind::{BadArgument, ErrorKind, Kind};

/// An error of the `predict` room: what was expected, what was found, where.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value outside what the call accepts.
    #[error(transparent)]
    Argument(#[from] BadArgument),
    /// Positions or times that the sky cannot be computed for.
    #[error(transparent)]
    Coords(#[from] crate::coords::Error),
    /// The call was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl Kind for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Argument(e) => e.kind(),
            Self::Coords(e) => e.kind(),
            Self::Cancelled(e) => e.kind(),
        }
    }
}
