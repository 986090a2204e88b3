//! What can go wrong in `simulate`.

use crate::control::Cancelled;
use crate::kind::{BadArgument, ErrorKind, Kind};

/// An error of the `simulate` room: what was expected, what was found, where.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value outside what the call accepts.
    #[error(transparent)]
    Argument(#[from] BadArgument),
    /// From the sky's geometry.
    #[error(transparent)]
    Coords(#[from] crate::coords::Error),
    /// From the antenna table.
    #[error(transparent)]
    Array(#[from] crate::array::Error),
    /// From the prediction.
    #[error(transparent)]
    Predict(#[from] crate::predict::Error),
    /// From the lens model.
    #[error(transparent)]
    Ese(#[from] crate::ese::Error),
    /// From the beam.
    #[error(transparent)]
    Beam(#[from] crate::beam::Error),
    /// A file that cannot be written.
    #[error("{}: {action} failed: {source}", path.display())]
    Io {
        /// The file.
        path: std::path::PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The call was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl Kind for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Argument(e) => e.kind(),
            Self::Io { source, .. } => Kind::kind(source),
            Self::Coords(e) => e.kind(),
            Self::Array(e) => e.kind(),
            Self::Predict(e) => e.kind(),
            Self::Ese(e) => e.kind(),
            Self::Beam(e) => e.kind(),
            Self::Cancelled(e) => e.kind(),
        }
    }
}
