//! What can go wrong in `casatable`.

use std::path::{Path, PathBuf};

use crate::control::Cancelled;
use crate::kind::{BadArgument, ErrorKind, Kind};

/// An error of the `casatable` room: what was expected, what was found, where.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value outside what the call accepts.
    #[error(transparent)]
    Argument(#[from] BadArgument),
    /// The call was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// The path holds no casacore table.
    #[error("{path}: expected a casacore table (a directory with table.dat), found {found}")]
    NotATable {
        /// The path.
        path: PathBuf,
        /// What is there instead.
        found: String,
    },
    /// A column that is not there.
    #[error("{path}: expected a column {column}, found {found}")]
    NoColumn {
        /// The table.
        path: PathBuf,
        /// The column asked for.
        column: String,
        /// The columns there are.
        found: String,
    },
    /// Contents that do not fit what was asked.
    #[error("{path}: {what}: expected {expected}, found {found}")]
    Content {
        /// The table.
        path: PathBuf,
        /// Column, keyword or cell.
        what: String,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// casacore failed while reading.
    #[error("{path}: cannot {doing}: {message}")]
    Read {
        /// The table.
        path: PathBuf,
        /// The operation.
        doing: String,
        /// casacore's message.
        message: String,
    },
    /// casacore failed while writing.
    #[error("{path}: cannot {doing}: {message}")]
    Write {
        /// The table.
        path: PathBuf,
        /// The operation.
        doing: String,
        /// casacore's message.
        message: String,
    },
    /// Another process or thread holds the write lock.
    #[error("{path}: locked for writing by another {holder} for more than {waited_s:.0} s; try again when it has finished")]
    Locked {
        /// The table.
        path: PathBuf,
        /// `process` or `thread of this process`.
        holder: &'static str,
        /// How long this call waited.
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
    /// The destination is already there.
    #[error("{path}: expected nothing there, found an existing {found}; remove it, or allow overwriting")]
    Exists {
        /// The path.
        path: PathBuf,
        /// What is there.
        found: String,
    },
}

impl Error {
    /// An operating-system error at a path.
    pub fn os(path: &Path, doing: &'static str, source: std::io::Error) -> Self {
        Self::Os { path: path.to_path_buf(), doing, source }
    }

    /// Contents that do not fit.
    pub fn content(
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
}

impl Kind for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Argument(e) => e.kind(),
            Self::Cancelled(e) => e.kind(),
            Self::NotATable { .. } | Self::NoColumn { .. } | Self::Content { .. } | Self::Read { .. } => {
                ErrorKind::Data
            }
            Self::Write { .. } | Self::Locked { .. } => ErrorKind::Io,
            Self::Os { source, .. } => Kind::kind(source),
            Self::Exists { .. } => ErrorKind::Argument,
        }
    }
}
