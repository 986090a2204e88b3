//! What can go wrong in `caltable`.

use std::path::PathBuf;

use crate::control::Cancelled;
use crate::kind::{BadArgument, ErrorKind, Kind};

/// An error of the `caltable` room: what was expected, what was found, where.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value outside what the call accepts.
    #[error(transparent)]
    Argument(#[from] BadArgument),
    /// The call was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// No calibration table, or one that is damaged or of another kind.
    #[error("calibration table {path}: expected {expected}, found {found}")]
    NotACalTable {
        /// The path.
        path: PathBuf,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// casacore failed.
    #[error(transparent)]
    Table(#[from] crate::casatable::Error),
    /// The operating system failed.
    #[error("{path}: cannot {doing}: {source}")]
    Os {
        /// The path.
        path: PathBuf,
        /// The operation.
        doing: &'static str,
        /// The system's error.
        source: std::io::Error,
    },
}

impl Kind for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Argument(e) => e.kind(),
            Self::Cancelled(e) => e.kind(),
            Self::NotACalTable { .. } => ErrorKind::Data,
            Self::Table(e) => e.kind(),
            Self::Os { source, .. } => Kind::kind(source),
        }
    }
}
