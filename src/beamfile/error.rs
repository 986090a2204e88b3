//! What can go wrong in `beamfile`.

use std::path::{Path, PathBuf};

use crate::kind::{BadArgument, ErrorKind, Kind};

/// An error of the `beamfile` room: what was expected, what was found, where.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value outside what the call accepts.
    #[error(transparent)]
    Argument(#[from] BadArgument),
    /// The FITS file cannot be read.
    #[error(transparent)]
    Fits(#[from] crate::fits::Error),
    /// The operating system refused.
    #[error("{}: cannot read: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Not a beam that this room understands.
    #[error("{}: {item}: expected {expected}, found {found}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Where in it.
        item: String,
        /// What it should hold.
        expected: String,
        /// What it holds.
        found: String,
    },
}

impl Error {
    pub(super) fn foreign(
        path: &Path,
        item: &str,
        expected: impl Into<String>,
        found: impl std::fmt::Display,
    ) -> Self {
        Self::Foreign {
            path: path.to_owned(),
            item: item.to_owned(),
            expected: expected.into(),
            found: found.to_string(),
        }
    }
}

impl Kind for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Argument(e) => e.kind(),
            Self::Fits(e) => e.kind(),
            Self::Io { source, .. } => Kind::kind(source),
            Self::Foreign { .. } => ErrorKind::Data,
        }
    }
}
