//! What can go wrong in `ms`.

use std::path::{Path, PathBuf};

use crate::casatable;
use crate::control::Cancelled;
use crate::kind::{BadArgument, ErrorKind, Kind};

/// An error of the `ms` room: what was expected, what was found, where.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value outside what the call accepts.
    #[error(transparent)]
    Argument(#[from] BadArgument),
    /// The call was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// From the tables below.
    #[error(transparent)]
    Table(#[from] casatable::Error),
    /// A Measurement Set whose contents do not fit.
    #[error("{path}: {what}: expected {expected}, found {found}")]
    Content {
        /// The Measurement Set.
        path: PathBuf,
        /// Table, column or row.
        what: String,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A column whose rewriting was interrupted.
    #[error(
        "{path}: writing {column} was interrupted ({step}); run that step again on this Measurement Set to repair it"
    )]
    Interrupted {
        /// The Measurement Set.
        path: PathBuf,
        /// The column that is half old and half new.
        column: String,
        /// What was being done.
        step: String,
    },
    /// Another step works on it.
    #[error(
        "{path}: expected to be alone on this Measurement Set, found it in use by {holder} after waiting {waited_s:.0} s; try again when that has finished"
    )]
    Busy {
        /// The Measurement Set.
        path: PathBuf,
        /// Who has the lock.
        holder: String,
        /// How long this call waited \[s\].
        waited_s: f64,
    },
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

impl Error {
    /// Contents that do not fit.
    pub(crate) fn content(
        path: &Path,
        what: impl Into<String>,
        expected: impl Into<String>,
        found: impl ToString,
    ) -> Self {
        Self::Content {
            path: path.to_path_buf(),
            what: what.into(),
            expected: expected.into(),
            found: found.to_string(),
        }
    }

    /// An operating-system error at a path.
    pub(crate) fn os(path: &Path, doing: &'static str, source: std::io::Error) -> Self {
        Self::Os { path: path.to_path_buf(), doing, source }
    }
}

impl Kind for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Argument(e) => e.kind(),
            Self::Cancelled(e) => e.kind(),
            Self::Table(e) => e.kind(),
            Self::Content { .. } | Self::Interrupted { .. } => ErrorKind::Data,
            Self::Busy { .. } => ErrorKind::Io,
            Self::Os { source, .. } => Kind::kind(source),
        }
    }
}
