//! What can go wrong in `beam`.

use crate::control::Cancelled;
use crate::kind::{BadArgument, ErrorKind, Kind};

/// An error of the `beam` room: what was expected, what was found, where.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value outside what the call accepts.
    #[error(transparent)]
    Argument(#[from] BadArgument),
    /// A telescope whose beam nobody gave.
    #[error("telescope {found:?}: expected one with a built-in beam ({known}) or a beam given by its file or its dish's diameter, found neither")]
    UnknownTelescope {
        /// Name in the data.
        found: String,
        /// Names that are known.
        known: String,
    },
    /// The call was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl Kind for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Argument(e) => e.kind(),
            Self::UnknownTelescope { .. } => ErrorKind::Argument,
            Self::Cancelled(e) => e.kind(),
        }
    }
}
