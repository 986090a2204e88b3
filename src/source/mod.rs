//! Sky models, measurements and light curves as plain data: no matching, no statistics.

mod error;
mod light_curve;
mod measurement;
mod sky;

pub use error::Error;
pub use light_curve::{LightCurve, LightCurvePoint};
pub use measurement::Measurement;
pub use sky::{GaussianShape, SkyModel, SkySource, Spectrum};
