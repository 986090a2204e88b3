//! What can go wrong in `variability`.

use crate::control::Cancelled;
use crate::kind::{BadArgument, ErrorKind, Kind};

/// An error of the `variability` room: what was expected, what was found, where.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value outside what the call accepts.
    #[error(transparent)]
    Argument(#[from] BadArgument),
    /// The statistic has no value for these points.
    #[error(transparent)]
    Undefined(#[from] Undefined),
    /// The call was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl Kind for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Argument(e) => e.kind(),
            Self::Undefined(e) => e.kind(),
            Self::Cancelled(e) => e.kind(),
        }
    }
}

/// Why a statistic has no value for a light curve.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Undefined {
    /// Too few points.
    #[error("{statistic}: expected at least {needed} points, found {found}")]
    TooFew {
        /// Which statistic.
        statistic: &'static str,
        /// Points it needs.
        needed: usize,
        /// Points there are.
        found: usize,
    },
    /// Arrays that should run in step do not.
    #[error("{statistic}: expected {expected} values in every array, found {found}")]
    Lengths {
        /// Which statistic.
        statistic: &'static str,
        /// Length of the fluxes.
        expected: usize,
        /// Length of the other array.
        found: usize,
    },
    /// A flux or time that is not finite, or an error that is not finite and positive.
    #[error(
        "{statistic}: expected finite fluxes and times and positive errors, found {found} at point {index}"
    )]
    BadPoint {
        /// Which statistic.
        statistic: &'static str,
        /// First such point.
        index: usize,
        /// Its value.
        found: f64,
    },
    /// A division by a mean (or median, or sum) of zero or of the wrong sign.
    #[error("{statistic}: expected a positive mean flux, found {found}")]
    Level {
        /// Which statistic.
        statistic: &'static str,
        /// The mean.
        found: f64,
    },
    /// Fluxes of opposite sign have no modulation index.
    #[error("{statistic}: expected fluxes of one sign, found {a} and {b}")]
    OppositeSigns {
        /// Which statistic.
        statistic: &'static str,
        /// One flux.
        a: f64,
        /// The other.
        b: f64,
    },
    /// All fluxes are equal, so that there is nothing to divide by or to time.
    #[error("{statistic}: expected fluxes that differ, found all equal")]
    Constant {
        /// Which statistic.
        statistic: &'static str,
    },
    /// All times are equal.
    #[error("{statistic}: expected times that differ, found all equal")]
    EqualTimes {
        /// Which statistic.
        statistic: &'static str,
    },
    /// Times out of order.
    #[error("{statistic}: expected times in order, found a step back at point {index}")]
    Unsorted {
        /// Which statistic.
        statistic: &'static str,
        /// First point earlier than the one before it.
        index: usize,
    },
    /// The light curve ends before the quantity is reached.
    #[error("{statistic}: not reached within the light curve")]
    NotReached {
        /// Which statistic.
        statistic: &'static str,
    },
}

impl Kind for Undefined {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Lengths { .. } | Self::Unsorted { .. } => ErrorKind::Argument,
            _ => ErrorKind::Data,
        }
    }
}

/// Check that there are at least `needed` finite fluxes.
pub(super) fn check_flux(statistic: &'static str, needed: usize, flux: &[f64]) -> Result<(), Undefined> {
    if flux.len() < needed {
        return Err(Undefined::TooFew { statistic, needed, found: flux.len() });
    }
    match flux.iter().position(|f| !f.is_finite()) {
        Some(index) => Err(Undefined::BadPoint { statistic, index, found: flux[index] }),
        None => Ok(()),
    }
}

/// Check fluxes and their errors.
pub(super) fn check_errors(
    statistic: &'static str,
    needed: usize,
    flux: &[f64],
    err: &[f64],
) -> Result<(), Undefined> {
    if flux.len() != err.len() {
        return Err(Undefined::Lengths { statistic, expected: flux.len(), found: err.len() });
    }
    check_flux(statistic, needed, flux)?;
    match err.iter().position(|e| !(e.is_finite() && *e > 0.0)) {
        Some(index) => Err(Undefined::BadPoint { statistic, index, found: err[index] }),
        None => Ok(()),
    }
}

/// Check fluxes and times: in order, and not all the same.
pub(super) fn check_times(
    statistic: &'static str,
    needed: usize,
    mjd: &[f64],
    flux: &[f64],
) -> Result<(), Undefined> {
    if flux.len() != mjd.len() {
        return Err(Undefined::Lengths { statistic, expected: flux.len(), found: mjd.len() });
    }
    check_flux(statistic, needed, flux)?;
    if let Some(index) = mjd.iter().position(|t| !t.is_finite()) {
        return Err(Undefined::BadPoint { statistic, index, found: mjd[index] });
    }
    if let Some(index) = (1..mjd.len()).find(|&i| mjd[i] < mjd[i - 1]) {
        return Err(Undefined::Unsorted { statistic, index });
    }
    if mjd.first() == mjd.last() {
        return Err(Undefined::EqualTimes { statistic });
    }
    Ok(())
}

impl Undefined {
    /// The same reason, told of another statistic.
    pub(super) fn renamed(mut self, name: &'static str) -> Self {
        match &mut self {
            Self::TooFew { statistic, .. }
            | Self::Lengths { statistic, .. }
            | Self::BadPoint { statistic, .. }
            | Self::Level { statistic, .. }
            | Self::OppositeSigns { statistic, .. }
            | Self::Constant { statistic }
            | Self::EqualTimes { statistic }
            | Self::Unsorted { statistic, .. }
            | Self::NotReached { statistic } => *statistic = name,
        }
        self
    }
}
