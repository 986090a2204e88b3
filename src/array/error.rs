//! What can go wrong in `array`.

use std::path::PathBuf;

use crate::control::Cancelled;
use crate::kind::{BadArgument, ErrorKind, Kind};

/// An error of the `array` room: what was expected, what was found, where.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value outside what the call accepts.
    #[error(transparent)]
    Argument(#[from] BadArgument),
    /// The call was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// A place that is none.
    #[error(transparent)]
    Coords(#[from] crate::coords::Error),
    /// An antenna table that is none, or is damaged.
    #[error("{origin}: expected {expected}, found {found}")]
    Table {
        /// The file, with the line where there is one.
        origin: String,
        /// What it should have held.
        expected: String,
        /// What it held.
        found: String,
    },
    /// The disk did not do its part.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's word.
        source: std::io::Error,
    },
}

impl Kind for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Argument(e) => e.kind(),
            Self::Cancelled(e) => e.kind(),
            Self::Coords(e) => e.kind(),
            Self::Table { .. } => ErrorKind::Data,
            Self::Io { source, .. } => Kind::kind(source),
        }
    }
}
