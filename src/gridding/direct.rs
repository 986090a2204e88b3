//! The direct sums, slow and obvious: what an image's accuracy is measured against.

use ndarray::{Array2, ArrayView2};
use num_complex::{Complex, Complex64};
use rayon::prelude::*;

use crate::constants::SPEED_OF_LIGHT_M_S;
use crate::control::Control;
use crate::kind::BadArgument;

use super::params::{GridParams, WPlane};
use super::plan::Baselines;
use super::real::Real;
use super::sky::{Sky, Slant};
use super::Error;

/// Dirty image at the pixels `(x, y)` by the direct sum in double precision. [`WPlane::Fit`] is not known here: give the plan's
/// slant as [`WPlane::Given`].
///
/// # Errors
/// [`Error::Argument`] for pixels outside the image, or beyond the horizon of a slanted grid; [`Error::Cancelled`].
pub fn direct_dirty<T: Real>(
    baselines: Baselines<'_>,
    vis_rf: ArrayView2<'_, Complex<T>>,
    weight_rf: Option<ArrayView2<'_, T>>,
    params: &GridParams,
    pixels: &[(usize, usize)],
    control: &Control,
) -> Result<Vec<f64>, Error> {
    let sky = sky_of(params)?;
    if let Some(pixel) = pixels.iter().find(|p| p.0 >= params.nx || p.1 >= params.ny) {
        return Err(BadArgument::new("pixels", "pixels of the image", format!("{pixel:?}")).into());
    }
    pixels
        .par_iter()
        .map(|&(x, y)| {
            control.check()?;
            let (l, m, z) = (sky.l(x), sky.m(y), z_of(params, &sky, x, y));
            let mut sum = 0.0;
            for (r, row) in baselines.uvw_m.outer_iter().enumerate() {
                let per_hz = turns_per_hz([row[0], row[1], row[2]], sky.slant, params.do_w, [l, m, z]);
                for (f, freq) in baselines.freq_hz.iter().enumerate() {
                    let weight = weight_rf.map_or(1.0, |w| w[[r, f]].wide());
                    if weight != 0.0 {
                        let (sin, cos) = (std::f64::consts::TAU * (per_hz * freq)).sin_cos();
                        let vis = vis_rf[[r, f]];
                        sum += weight * (vis.re.wide() * cos + vis.im.wide() * sin);
                    }
                }
            }
            Ok(if params.divide_by_n { sum * sky.per_n(x, y) } else { sum })
        })
        .collect()
}

/// Visibilities of the given `(row, channel)` pairs by the direct sum over the image in double precision.
///
/// # Errors
/// As [`direct_dirty`].
pub fn direct_vis<T: Real>(
    baselines: Baselines<'_>,
    image_xy: ArrayView2<'_, T>,
    params: &GridParams,
    samples: &[(usize, usize)],
    control: &Control,
) -> Result<Vec<Complex64>, Error> {
    let sky = sky_of(params)?;
    if image_xy.dim() != (params.nx, params.ny) {
        let expected = format!("shape {:?}", (params.nx, params.ny));
        return Err(BadArgument::new("image", expected, format!("{:?}", image_xy.dim())).into());
    }
    let z = Array2::from_shape_fn(image_xy.dim(), |(x, y)| z_of(params, &sky, x, y));
    samples
        .par_iter()
        .map(|&(r, f)| {
            control.check()?;
            let row = baselines.uvw_m.row(r);
            let mut sum = Complex64::default();
            for ((x, y), value) in image_xy.indexed_iter() {
                if *value == T::of(0.0) {
                    continue;
                }
                let direction = [sky.l(x), sky.m(y), z[[x, y]]];
                let per_hz = turns_per_hz([row[0], row[1], row[2]], sky.slant, params.do_w, direction);
                let (sin, cos) = (std::f64::consts::TAU * (per_hz * baselines.freq_hz[f])).sin_cos();
                let scale = if params.divide_by_n { sky.per_n(x, y) } else { 1.0 };
                sum += Complex64::new(cos, sin) * value.wide() * scale;
            }
            Ok(sum)
        })
        .collect()
}

fn sky_of(params: &GridParams) -> Result<Sky, Error> {
    params.check()?;
    let slant = match params.w_plane {
        WPlane::Given(slant) => slant,
        WPlane::Keep => Slant::default(),
        WPlane::Fit => return Err(BadArgument::new("w_plane", "Keep or Given", "Fit").into()),
    };
    Sky::new(params, slant)
}

fn z_of(params: &GridParams, sky: &Sky, x: usize, y: usize) -> f64 {
    if params.do_w || params.divide_by_n {
        sky.z(x, y)
    } else {
        0.0
    }
}

fn turns_per_hz(uvw_m: [f64; 3], slant: Slant, do_w: bool, [l, m, z]: [f64; 3]) -> f64 {
    let [u, v, w] = uvw_m;
    let w = if do_w { w - slant.a * u - slant.b * v } else { 0.0 };
    (u * l + v * m + w * z) / SPEED_OF_LIGHT_M_S
}
