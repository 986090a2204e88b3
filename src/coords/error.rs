//! What can go wrong in `coords`.

use crate::control::Cancelled;
use crate::kind::{BadArgument, ErrorKind, Kind};

/// An error of the `coords` room: what was expected, what was found, where.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value outside what the call accepts.
    #[error(transparent)]
    Argument(#[from] BadArgument),
    /// The call was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// From the clock or the Earth's orientation.
    #[error(transparent)]
    Time(#[from] crate::time::Error),
}

impl Kind for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Argument(e) => e.kind(),
            Self::Cancelled(e) => e.kind(),
            Self::Time(e) => e.kind(),
        }
    }
}
