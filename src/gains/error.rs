//! What can go wrong in `gains`.

use crate::control::Cancelled;
use crate::kind::{BadArgument, ErrorKind, Kind};

/// An error of the `gains` room: what was expected, what was found, where.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value outside what the call accepts.
    #[error(transparent)]
    Argument(#[from] BadArgument),
    /// A table that cannot calibrate the data it is asked to.
    #[error("calibration table {table}: expected {expected}, found {found}")]
    Mismatch {
        /// The table, by path or name.
        table: String,
        /// What the data need.
        expected: String,
        /// What the table holds.
        found: String,
    },
    /// The call was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl Kind for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Argument(e) => e.kind(),
            Self::Mismatch { .. } => ErrorKind::Data,
            Self::Cancelled(e) => e.kind(),
        }
    }
}
