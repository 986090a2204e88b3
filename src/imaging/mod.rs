//! From gathered visibilities to images: weighting, psf and dirty image, Cotton-Schwab CLEAN, restored image, beams.
//!
//! The image grid is ICRS: [`Gatherer`] takes differential aberration out of the baselines. A tile's plane of w is taken out
//! by the gridder, so images are slant SIN projections (`PV2_1`, `PV2_2`), and [`crate::image::Wcs`] knows it.

mod beam_fit;
mod bright;
mod bright_fit;
mod bright_layers;
mod bright_model;
mod bright_peaks;
mod clean;
mod clean_report;
mod combine;
mod deconvolve;
mod dirty;
mod dynspec;
mod error;
mod exact;
mod gather;
mod grid;
mod matched;
mod outliers;
mod pointing;
mod primary;
mod response;
mod restore;
mod run;
mod scatter;
mod smear;
mod spectrum;
mod stokes;
mod subbands;
mod surroundings;
mod terms;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_sky;
mod timing;
mod weigh;

pub use beam_fit::fit_beam;
pub use bright::{BrightParams, BrightSource};
pub use clean::{clean, clean_jointly, Psf};
pub use clean_report::{Care, CleanParams, CleanReport, Cleaned, Cycle, Planes};
pub use dynspec::{dynamic_spectrum, DynamicSpectrum};
pub use error::{Error, Partial};
pub use exact::{subtract, View};
pub use gather::{Gatherer, Site, TimeBin, UvRange, Visibilities, Window};
pub use grid::{fitted_slant, Compact, Grid, GridOptions};
pub use pointing::drift_pointings;
pub use primary::{correct, primary_beam};
pub use restore::{components, restore, restore_points};
pub use run::{image, Images, ImagingParams, JointParams, Noise, Outputs};
pub use smear::Smearing;
pub use spectrum::SpectralImages;
pub use stokes::Stokes;
pub use subbands::Subband;
pub use timing::{Stopwatch, Timing};
pub use weigh::{thermal_rms, Weights};
