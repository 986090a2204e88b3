//! Plan and run in one call.

use ndarray::{Array2, ArrayView2};
use num_complex::Complex;

use crate::control::Control;

use super::params::GridParams;
use super::plan::{Baselines, Plan};
use super::real::Real;
use super::Error;

/// Dirty image \[x, y\] of visibilities (r, f); see [`Plan::vis2dirty`].
///
/// # Errors
/// As [`Plan::new`] and [`Plan::vis2dirty`].
pub fn vis2dirty<T: Real>(
    baselines: Baselines<'_>,
    vis_rf: ArrayView2<'_, Complex<T>>,
    weight_rf: Option<ArrayView2<'_, T>>,
    params: &GridParams,
    control: &Control,
) -> Result<Array2<T>, Error> {
    Plan::for_blocks(&[baselines], params)?.vis2dirty(vis_rf, weight_rf, control)
}

/// Visibilities (r, f) of an image \[x, y\]; see [`Plan::dirty2vis`].
///
/// # Errors
/// As [`Plan::new`] and [`Plan::dirty2vis`].
pub fn dirty2vis<T: Real>(
    baselines: Baselines<'_>,
    image_xy: ArrayView2<'_, T>,
    weight_rf: Option<ArrayView2<'_, T>>,
    params: &GridParams,
    control: &Control,
) -> Result<Array2<Complex<T>>, Error> {
    Plan::for_blocks(&[baselines], params)?.dirty2vis(image_xy, weight_rf, control)
}
