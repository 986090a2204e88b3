//! What can go wrong in `fits`.

use std::path::PathBuf;

use crate::control::Cancelled;
use crate::kind::{BadArgument, ErrorKind, Kind};

/// An error of the `fits` room: what was expected, what was found, where.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value outside what the call accepts.
    #[error(transparent)]
    Argument(#[from] BadArgument),
    /// The call was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// The operating system refused.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried, for example `write`.
        action: &'static str,
        /// Why not.
        source: std::io::Error,
    },
    /// Not a FITS image this room understands.
    #[error("{}: expected {expected}, found {found}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: String,
        /// What it holds.
        found: String,
    },
    /// The FITS library refused.
    #[error("FITS library: {doing}: {text} (status {status})")]
    Library {
        /// What was being done, with the place.
        doing: String,
        /// The library's words.
        text: String,
        /// The library's number.
        status: i32,
    },
}

impl Kind for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Argument(e) => e.kind(),
            Self::Cancelled(e) => e.kind(),
            Self::Io { source, .. } => Kind::kind(source),
            Self::Foreign { .. } | Self::Library { .. } => ErrorKind::Data,
        }
    }
}
