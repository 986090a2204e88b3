//! What can go wrong in `math`.

use crate::control::Cancelled;
use crate::kind::{BadArgument, ErrorKind, Kind};

/// An error of the `math` room: what was expected, what was found, where.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value outside what the call accepts.
    #[error(transparent)]
    Argument(#[from] BadArgument),
    /// A system of equations without a single solution.
    #[error("singular matrix: column {column} of {n} depends on the ones before it or is empty")]
    Singular {
        /// First column that adds nothing.
        column: usize,
        /// Number of columns.
        n: usize,
    },
    /// The call was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl Kind for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Argument(e) => e.kind(),
            Self::Singular { .. } => ErrorKind::Data,
            Self::Cancelled(e) => e.kind(),
        }
    }
}
