//! What can go wrong in `uvh5`.

use std::path::{Path, PathBuf};

use crate::control::Cancelled;
use crate::kind::{BadArgument, ErrorKind, Kind};

/// An error of the `uvh5` room: what was expected, what was found, where.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value outside what the call accepts.
    #[error(transparent)]
    Argument(#[from] BadArgument),
    /// The call was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// The file is damaged, foreign or inconsistent.
    #[error("{}: {item}: expected {expected}, found {found}", path.display())]
    Data {
        /// The file.
        path: PathBuf,
        /// Dataset, group or `file`.
        item: String,
        /// What it should have been.
        expected: String,
        /// What it was.
        found: String,
    },
    /// The machine did not do its part.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was attempted.
        action: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The HDF5 library refused to write.
    #[error("{}: cannot {action}: HDF5: {text}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What was attempted.
        action: String,
        /// HDF5's own words.
        text: String,
    },
}

impl Error {
    pub(super) fn data(
        path: &Path,
        item: impl Into<String>,
        expected: impl Into<String>,
        found: impl ToString,
    ) -> Self {
        Self::Data {
            path: path.to_path_buf(),
            item: item.into(),
            expected: expected.into(),
            found: found.to_string(),
        }
    }

    pub(super) fn io(path: &Path, action: &'static str, source: std::io::Error) -> Self {
        Self::Io { path: path.to_path_buf(), action, source }
    }
}

impl Kind for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Argument(e) => e.kind(),
            Self::Cancelled(e) => e.kind(),
            Self::Data { .. } => ErrorKind::Data,
            Self::Io { source, .. } => Kind::kind(source),
            Self::Write { .. } => ErrorKind::Io,
        }
    }
}
