//! Plan and run in one call.

use ndarray::{Array2, ArrayView2};
use num_complex::Complex;

use crate::control::Control;
use crate::kind::BadArgument;

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
    control.expect(2);
    let plan = Plan::for_blocks(&[baselines], params)?;
    control.advance(1);
    let image = plan.vis2dirty(vis_rf, weight_rf, control)?;
    control.advance(1);
    Ok(image)
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
    control.expect(2);
    let plan = Plan::for_blocks(&[baselines], params)?;
    control.advance(1);
    let vis = plan.dirty2vis(image_xy, weight_rf, control)?;
    control.advance(1);
    Ok(vis)
}

/// Weights with zeros where `mask` is zero; `None` when there is no mask.
///
/// # Errors
/// [`Error::Argument`] when the shapes differ.
pub fn masked<T: Real>(
    weight_rf: Option<ArrayView2<'_, T>>,
    mask_rf: Option<ArrayView2<'_, u8>>,
) -> Result<Option<Array2<T>>, Error> {
    let Some(mask) = mask_rf else { return Ok(None) };
    if let Some(weight) = weight_rf.filter(|w| w.dim() != mask.dim()) {
        return Err(BadArgument::new(
            "mask",
            format!("shape {:?}, as the weights", weight.dim()),
            format!("{:?}", mask.dim()),
        )
        .into());
    }
    let mut out = weight_rf.map_or_else(|| Array2::from_elem(mask.dim(), T::of(1.0)), |w| w.to_owned());
    ndarray::Zip::from(&mut out).and(&mask).par_for_each(|w, &m| {
        if m == 0 {
            *w = T::of(0.0);
        }
    });
    Ok(Some(out))
}

/// Run `work` on a pool of its own with `threads` threads; zero, or the size of the present pool: on the present one.
///
/// # Errors
/// Those of `work`, and [`Error::Argument`] when the threads cannot be made.
pub fn on_threads<R: Send>(
    threads: usize,
    work: impl FnOnce() -> Result<R, Error> + Send,
) -> Result<R, Error> {
    if threads == 0 || threads == rayon::current_num_threads() {
        return work();
    }
    match rayon::ThreadPoolBuilder::new().num_threads(threads).build() {
        Ok(pool) => pool.install(work),
        Err(error) => {
            Err(BadArgument::new("nthreads", "a number of threads that can be started", error).into())
        }
    }
}
