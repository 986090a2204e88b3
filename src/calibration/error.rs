//! What can go wrong in `calibration`.

use crate::control::Cancelled;
use crate::kind::{BadArgument, ErrorKind, Kind};

/// An error of the `calibration` room: what was expected, what was found, where.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value outside what the call accepts.
    #[error(transparent)]
    Argument(#[from] BadArgument),
    /// Every model visibility of the selection is zero.
    #[error(
        "the model of {where_} is zero everywhere: expected visibilities of a sky model in MODEL_DATA, found none; \
         write them with 'contimg model MS --sky CSV' or '--point RA,DEC,FLUX', or pass a sky model to the solve"
    )]
    ZeroModel {
        /// The data, by name.
        where_: String,
    },
    /// Some model visibilities of unflagged data are NaN or infinite.
    #[error(
        "the model of {where_} is not finite for {:.1} % of the unflagged data: expected numbers in MODEL_DATA, found NaN or infinities; \
         write it anew with 'contimg model MS --sky CSV' or '--point RA,DEC,FLUX', or pass a sky model to the solve",
        100.0 * fraction
    )]
    ModelNotFinite {
        /// The data, by name.
        where_: String,
        /// Share of the data that could otherwise be used.
        fraction: f64,
    },
    /// Nothing is left to solve with.
    #[error("nothing to solve in {where_}: {reason}")]
    NoData {
        /// The data, by name.
        where_: String,
        /// Which selection removed them.
        reason: String,
    },
    /// Data without solutions: no interval, channel or receptor reached convergence or `minsnr`.
    #[error("no solution of {where_} survived: {reason}")]
    NoSolution {
        /// The data, by name.
        where_: String,
        /// Counts of what happened.
        reason: String,
    },
    /// A table or a grid of gains that does not fit the data.
    #[error(transparent)]
    Gains(#[from] crate::gains::Error),
    /// The call was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl Kind for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Argument(e) => e.kind(),
            Self::ZeroModel { .. } | Self::ModelNotFinite { .. } | Self::NoData { .. } => ErrorKind::Data,
            Self::NoSolution { .. } => ErrorKind::Unconverged,
            Self::Gains(e) => e.kind(),
            Self::Cancelled(e) => e.kind(),
        }
    }
}
