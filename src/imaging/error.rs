//! What can go wrong in `imaging`.

use crate::control::Cancelled;
use crate::kind::{BadArgument, ErrorKind, Kind};

/// An error of the `imaging` room: what was expected, what was found, where.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value outside what the call accepts.
    #[error(transparent)]
    Argument(#[from] BadArgument),
    /// The call was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// From room `coords`.
    #[error(transparent)]
    Coords(#[from] crate::coords::Error),
    /// From room `beam`.
    #[error(transparent)]
    PrimaryBeam(#[from] crate::beam::Error),
    /// From room `predict`.
    #[error(transparent)]
    Predict(#[from] crate::predict::Error),
    /// From room `gridding`.
    #[error(transparent)]
    Gridding(#[from] crate::gridding::Error),
    /// From room `deconvolution`.
    #[error(transparent)]
    Deconvolution(#[from] crate::deconvolution::Error),
    /// The psf has no main lobe that a Gaussian describes.
    #[error("restoring beam: expected a main lobe of at least five pixels, found {found}")]
    Beam {
        /// What the psf looks like.
        found: String,
    },
    /// Nothing to image.
    #[error("visibilities: expected unflagged cross-correlations with positive weights, found {found}")]
    NoData {
        /// What there is instead.
        found: String,
    },
    /// uvw that do not belong to the antennas and times.
    #[error(
        "uvw of row with antennas {antenna1} and {antenna2} at MJD {mjd}: expected w = {expected:.3} m from the antenna \
         positions and the field's centre, found {found:.3} m"
    )]
    ForeignUvw {
        /// First antenna.
        antenna1: u32,
        /// Second antenna.
        antenna2: u32,
        /// Time \[d\].
        mjd: f64,
        /// w recomputed \[m\].
        expected: f64,
        /// w in the data \[m\].
        found: f64,
    },
    /// Cancelled in a major cycle: what there is of the model.
    #[error("cancelled in major cycle {}", .0.cycles + 1)]
    Interrupted(Box<Partial>),
    /// Not enough memory allowed for what was asked.
    #[error("memory: {needed_gb:.3} GB are needed for {what}, {allowed_gb:.3} GB are allowed")]
    Memory {
        /// What needs it.
        what: String,
        /// Estimate \[GB\].
        needed_gb: f64,
        /// Limit \[GB\].
        allowed_gb: f64,
    },
}

/// The model of a run that was cancelled.
#[derive(Clone, Debug)]
pub struct Partial {
    /// Components of the best cycle \[Jy/pixel\], without the sources fitted to the visibilities: they are found again.
    pub model_yx: ndarray::Array2<f32>,
    /// World coordinates.
    pub wcs: crate::image::Wcs,
    /// Restoring beam.
    pub beam: crate::image::RestoringBeam,
    /// Mid frequency and bandwidth \[Hz\].
    pub freq_hz: [f64; 2],
    /// Major cycles done.
    pub cycles: usize,
}

impl Kind for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Argument(e) => e.kind(),
            Self::Cancelled(e) => e.kind(),
            Self::Coords(e) => e.kind(),
            Self::PrimaryBeam(e) => e.kind(),
            Self::Predict(e) => e.kind(),
            Self::Gridding(e) => e.kind(),
            Self::Deconvolution(e) => e.kind(),
            Self::Interrupted(_) => ErrorKind::Cancelled,
            Self::Memory { .. } => ErrorKind::Argument,
            Self::Beam { .. } | Self::NoData { .. } | Self::ForeignUvw { .. } => ErrorKind::Data,
        }
    }
}
