//! The primary beam on the image's pixels.

use ndarray::{Array2, Axis};
use rayon::prelude::*;

use super::Error;
use crate::beam::AverageBeam;
use crate::control::Control;
use crate::image::Wcs;

/// Pixels between the points where the beam is computed; bilinear in between. At 3 arcsec cells and a beam of 2.7
/// degrees this is right to 5e-6.
const STEP: usize = 8;

/// Average primary-beam power at every pixel, 1 at a fixed pointing's centre; NaN beyond the horizon.
///
/// # Errors
/// Cancellation.
pub fn primary_beam(
    beam: &AverageBeam,
    wcs: &Wcs,
    shape_yx: [usize; 2],
    control: &Control,
) -> Result<Array2<f32>, Error> {
    let [ny, nx] = shape_yx;
    let (gy, gx) = (ny.div_ceil(STEP) + 1, nx.div_ceil(STEP) + 1);
    let at = |i: usize| {
        let sky = wcs.pixel_to_sky([(i % gx * STEP) as f64, (i / gx * STEP) as f64]);
        let finite = sky.ra_rad.is_finite() && sky.dec_rad.is_finite();
        Ok(if finite { beam.power_towards(sky.unit()) as f32 } else { f32::NAN })
    };
    let grid = (0..gy * gx)
        .into_par_iter()
        .map(|i| if i % gx == 0 { control.check().and_then(|()| at(i)) } else { at(i) })
        .collect::<Result<Vec<f32>, _>>()?;
    let mut out = Array2::zeros((ny, nx));
    let rows: Vec<_> = out.axis_iter_mut(Axis(0)).collect();
    rows.into_par_iter().enumerate().for_each(|(y, mut row)| {
        let (low, f) = (y / STEP * gx, (y % STEP) as f32 / STEP as f32);
        for (x, value) in row.iter_mut().enumerate() {
            let (i, g) = (low + x / STEP, (x % STEP) as f32 / STEP as f32);
            let near = grid[i] * (1.0 - g) + grid[i + 1] * g;
            let far = grid[i + gx] * (1.0 - g) + grid[i + gx + 1] * g;
            *value = near * (1.0 - f) + far * f;
        }
    });
    Ok(out)
}

/// `image / (pb smear)` where the beam is at least `limit`, NaN elsewhere.
pub fn correct(
    image_yx: &Array2<f32>,
    pb_yx: &Array2<f32>,
    smear_yx: &Array2<f32>,
    limit: f32,
) -> Array2<f32> {
    let mut out = image_yx.clone();
    ndarray::Zip::from(&mut out)
        .and(pb_yx)
        .and(smear_yx)
        .for_each(|v, pb, smear| *v = if *pb >= limit { *v / (*pb * *smear) } else { f32::NAN });
    out
}
