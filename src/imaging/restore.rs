//! The restored image: the model seen with the restoring beam, plus what is left.

use ndarray::parallel::prelude::*;
use ndarray::{s, Array2, Axis};

use crate::control::{Cancelled, Control};
use crate::image::RestoringBeam;

/// Gaussian below this level is left out: 1e-6 of a component.
const REACH_IN_FWHM: f64 = 2.25;

/// `residual + model * beam`, where `model_yx` is in Jy/pixel and the beam has unit peak, so the result is in Jy/beam.
///
/// # Errors
/// Cancellation.
pub fn restore(
    residual_yx: &Array2<f32>,
    model_yx: &Array2<f32>,
    beam: &RestoringBeam,
    increment_rad: [f64; 2],
    control: &Control,
) -> Result<Array2<f32>, Cancelled> {
    let mut out = residual_yx.clone();
    add_components(&mut out, model_yx, beam, increment_rad, control)?;
    Ok(out)
}

/// The model alone, seen with the restoring beam \[Jy/beam\].
///
/// # Errors
/// Cancellation.
pub fn components(
    model_yx: &Array2<f32>,
    beam: &RestoringBeam,
    increment_rad: [f64; 2],
    control: &Control,
) -> Result<Array2<f32>, Cancelled> {
    let mut out = Array2::zeros(model_yx.dim());
    add_components(&mut out, model_yx, beam, increment_rad, control)?;
    Ok(out)
}

/// Add the model seen with the restoring beam to an image.
pub(super) fn add_components(
    out: &mut Array2<f32>,
    model_yx: &Array2<f32>,
    beam: &RestoringBeam,
    increment_rad: [f64; 2],
    control: &Control,
) -> Result<(), Cancelled> {
    add_patches(out, model_yx, &patch(beam, increment_rad), control)
}

/// Add components seen with `patch`, odd in size, peak in the middle.
pub(super) fn add_patches(
    out: &mut Array2<f32>,
    model_yx: &Array2<f32>,
    patch: &Array2<f32>,
    control: &Control,
) -> Result<(), Cancelled> {
    let half = (patch.nrows() / 2) as i64;
    let nx = model_yx.ncols() as i64;
    // Components by row, so that each output row finds its own.
    let rows: Vec<Vec<(usize, f32)>> = model_yx
        .axis_iter(Axis(0))
        .map(|row| row.iter().enumerate().filter(|(_, f)| **f != 0.0).map(|(x, f)| (x, *f)).collect())
        .collect();
    out.axis_iter_mut(Axis(0)).into_par_iter().enumerate().try_for_each(|(y, mut row)| {
        control.check()?;
        let y = y as i64;
        let near = (y - half).max(0) as usize..((y + half + 1).min(rows.len() as i64)) as usize;
        for cy in near {
            let patch_row = patch.row((y - cy as i64 + half) as usize);
            for &(cx, flux) in &rows[cy] {
                let shift = cx as i64 - half;
                let from = shift.max(0);
                let to = (shift + 2 * half + 1).min(nx);
                let piece = patch_row.slice(s![(from - shift) as usize..(to - shift) as usize]);
                row.slice_mut(s![from as usize..to as usize]).scaled_add(flux, &piece);
            }
        }
        Ok::<(), Cancelled>(())
    })
}

/// Add points between pixels, `([x, y], Jy/beam)`, seen with the restoring beam.
pub fn restore_points(
    image_yx: &mut Array2<f32>,
    points: &[([f64; 2], f64)],
    beam: &RestoringBeam,
    increment_rad: [f64; 2],
) {
    let [a, b, c] = beam.exponent();
    let reach = REACH_IN_FWHM * beam.major_rad / increment_rad[0].abs().min(increment_rad[1].abs());
    let (ny, nx) = image_yx.dim();
    let span = |centre: f64, n: usize| {
        let low = (centre - reach).ceil().max(0.0);
        let high = (centre + reach).floor().min(n as f64 - 1.0);
        if high >= low {
            low as usize..high as usize + 1
        } else {
            0..0
        }
    };
    for &([px, py], flux) in points {
        for y in span(py, ny) {
            for x in span(px, nx) {
                let l = (x as f64 - px) * increment_rad[0];
                let m = (y as f64 - py) * increment_rad[1];
                image_yx[[y, x]] += (flux * (-(a * l * l + b * l * m + c * m * m)).exp()) as f32;
            }
        }
    }
}

/// The beam on pixels, odd in size, peak in the middle.
fn patch(beam: &RestoringBeam, increment_rad: [f64; 2]) -> Array2<f32> {
    let step = increment_rad[0].abs().min(increment_rad[1].abs());
    let half = (REACH_IN_FWHM * beam.major_rad / step).ceil().clamp(1.0, 4096.0) as usize;
    let [a, b, c] = beam.exponent();
    Array2::from_shape_fn((2 * half + 1, 2 * half + 1), |(y, x)| {
        let l = (x as f64 - half as f64) * increment_rad[0];
        let m = (y as f64 - half as f64) * increment_rad[1];
        (-(a * l * l + b * l * m + c * m * m)).exp() as f32
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_becomes_the_beam_and_edges_hold() {
        let cell = 1e-5;
        let beam = RestoringBeam { major_rad: 6.0 * cell, minor_rad: 3.0 * cell, pa_rad: 0.7 };
        let mut model = Array2::zeros((40, 50));
        model[[0, 0]] = 1.0;
        model[[20, 30]] = 2.0;
        model[[39, 49]] = -1.0;
        let residual = Array2::from_elem((40, 50), 0.25f32);
        let out = restore(&residual, &model, &beam, [-cell, cell], &Control::new()).unwrap();
        assert!((out[[20, 30]] - 2.25).abs() < 1e-6 && (out[[0, 0]] - 1.25).abs() < 1e-6);
        // Half power half a major axis away: east is towards smaller x.
        let (s, c) = beam.pa_rad.sin_cos();
        let [a, b, cc] = beam.exponent();
        let (dx, dy) = (-(2.0 * s).round(), (2.0 * c).round());
        let (l, m) = (-dx * cell, dy * cell);
        let expected = 2.0 * (-(a * l * l + b * l * m + cc * m * m)).exp() + 0.25;
        let got = f64::from(out[[(20.0 + dy) as usize, (30.0 + dx) as usize]]);
        assert!((got - expected).abs() < 1e-6, "{got} {expected}");
        // Flux: the sum over pixels is the beam's area times the flux; truncation leaves out 1e-6.
        let sum = f64::from(out.sum()) - 0.25 * 2000.0;
        let inside: f64 = beam.area_sr() / (cell * cell) * 2.0;
        assert!(sum.is_finite() && (sum - inside).abs() < inside, "{sum} {inside}");
    }
}
