//! Minor cycles of CLEAN on a residual image and its point spread function: no visibilities here.
//!
//! The search is Clark's: a sub-minor loop on a compact list of the brightest pixels, but with the exact psf rather than
//! a patch of it, and with the whole image corrected by convolution between two lists, so that the result is that
//! of Högbom (1974, A&AS 15, 417) on the whole image. How deep one minor cycle may go is Schwab's rule
//! (1984, doi:10.1086/113605): not below the highest sidelobe of the present peak, see [`PsfFacts::depth`].
//! [`joint_minor_cycle`] does the same for components of several widths with a polynomial spectrum.

mod candidates;
mod convolve;
mod error;
mod islands;
mod joint;
mod joint_list;
#[cfg(test)]
mod joint_tests;
mod mask;
mod minor;
mod noise;
mod peak;
mod psf;
mod scale;
#[cfg(test)]
mod tests;
mod watch;

pub use convolve::Convolver;
pub use error::Error;
pub use joint::{joint_minor_cycle, JointPsf, ScalePlane, MAX_TERMS};
pub use mask::{grow_mask, MaskParams};
pub use minor::{minor_cycle, MinorParams, MinorReport, MinorStop};
pub use noise::{mad_rms, LocalRms};
pub use peak::{peak_in, Peak, Sign};
pub use psf::PsfFacts;
pub use watch::{Outcome, Seen, Watch};
