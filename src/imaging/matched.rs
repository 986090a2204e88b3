//! The image that fluxes of points are read from: what is left, plus what was taken out seen with the psf itself.
//!
//! A restored image shows components with a Gaussian. This array's psf is none: a spike of 20 arcsec on a plateau of a third of it, which
//! the fitted beam of 37 x 64 arcsec does not follow. The dozens of components that CLEAN makes of a source between pixels, and of the noise about
//! it, then do not add up to what was measured: fluxes fitted to a restored image scatter by half more than the noise and are 1 % high at
//! 100 sigma. Seen with the psf, components and residual add up to the dirty image again, whatever the components are, and the dirty image is a
//! matched filter. Components further off than [`RestoringBeam::matched_reach_px`] are left out, with their sidelobes: closer ones
//! are told apart by whoever knows where sources are (`photometry`).

use ndarray::{s, Array2};

use super::restore::add_patches;
use crate::control::{Cancelled, Control};
use crate::image::sinc;

/// `(residual + components * psf) / smear`: a pixel is the flux of a point there, behind the primary beam, when none other is within
/// `reach_px`. `points` are `([x, y], Jy/beam)` between pixels, `psf_yx` has its peak at `(ny/2, nx/2)`, `smear_yx` is what averaging leaves of
/// a peak.
pub(super) fn matched(
    residual_yx: &Array2<f32>,
    model_yx: &Array2<f32>,
    points: &[([f64; 2], f64)],
    [psf_yx, smear_yx]: [&Array2<f32>; 2],
    reach_px: f64,
    control: &Control,
) -> Result<Array2<f32>, Cancelled> {
    let mut out = residual_yx.clone();
    add_patches(&mut out, model_yx, &core(psf_yx, reach_px), control)?;
    for point in points {
        control.check()?;
        add_point(&mut out, *point, psf_yx, reach_px);
    }
    out.zip_mut_with(smear_yx, |v, smear| {
        if *smear > 0.0 {
            *v /= *smear;
        }
    });
    Ok(out)
}

/// The psf within a circle, odd in size, peak in the middle.
fn core(psf_yx: &Array2<f32>, reach_px: f64) -> Array2<f32> {
    let (ny, nx) = psf_yx.dim();
    let half = (reach_px as usize).min(nx.min(ny) / 2 - 1);
    let (y0, x0) = (ny / 2 - half, nx / 2 - half);
    let mut out = psf_yx.slice(s![y0..=y0 + 2 * half, x0..=x0 + 2 * half]).to_owned();
    let off = |p: usize| p as f64 - half as f64;
    for ((y, x), v) in out.indexed_iter_mut() {
        if off(x).hypot(off(y)) >= reach_px {
            *v = 0.0;
        }
    }
    out
}

/// One point between pixels. Its shift is the same fraction of a pixel everywhere: one set of weights.
fn add_point(image_yx: &mut Array2<f32>, (at, flux): ([f64; 2], f64), psf_yx: &Array2<f32>, reach_px: f64) {
    let (ny, nx) = image_yx.dim();
    let (py, px) = psf_yx.dim();
    // Pixel `p` sees the psf at `p - at`: whole pixels and a fraction in [0, 1).
    let split = |c: f64| (-c.ceil() as i64, c.ceil() - c);
    let ((ix, fx), (iy, fy)) = (split(at[0]), split(at[1]));
    let (wx, wy) = (sinc::weights(fx), sinc::weights(fy));
    let span = |c: f64, n: usize| {
        let (low, high) = ((c - reach_px).ceil().max(0.0), (c + reach_px).floor().min(n as f64 - 1.0));
        if high >= low {
            low as usize..high as usize + 1
        } else {
            0..0
        }
    };
    let first = |p: usize, shift: i64, n: usize| p as i64 + shift + (n / 2) as i64 + 1 - sinc::HALF as i64;
    for y in span(at[1], ny) {
        let y0 = first(y, iy, py);
        for x in span(at[0], nx) {
            let x0 = first(x, ix, px);
            let within = (x as f64 - at[0]).hypot(y as f64 - at[1]) < reach_px;
            let end = 2 * sinc::HALF as i64;
            if !within || x0 < 0 || y0 < 0 || x0 + end > px as i64 || y0 + end > py as i64 {
                continue;
            }
            let (x0, y0) = (x0 as usize, y0 as usize);
            let row = |j: usize| {
                wx.iter().enumerate().map(|(i, w)| w * f64::from(psf_yx[[y0 + j, x0 + i]])).sum::<f64>()
            };
            let seen: f64 = wy.iter().enumerate().map(|(j, w)| w * row(j)).sum();
            image_yx[[y, x]] += (flux * seen) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever components stand for a source, the sum is its dirty image.
    #[test]
    fn components_and_what_is_left_add_up_to_the_dirty_image() {
        let n = 128;
        // A spike on a plateau, band-limited.
        let psf_at = |x: f64, y: f64| {
            let r = x * x + 2.0 * y * y;
            0.6 * (-r / 12.0).exp() + 0.4 * (-r / 200.0).exp()
        };
        let middle = (n / 2) as f64;
        let psf = Array2::from_shape_fn((n, n), |(y, x)| psf_at(x as f64 - middle, y as f64 - middle) as f32);
        let (source, point) = ([50.4, 60.7], [70.3, 52.8]);
        let dirty = Array2::from_shape_fn((n, n), |(y, x)| {
            let part = |at: [f64; 2], f: f64| f * psf_at(x as f64 - at[0], y as f64 - at[1]);
            part(source, 1.0) + part(point, 3.0)
        });
        let mut model = Array2::<f32>::zeros((n, n));
        for (y, x, f) in [(60, 50, 0.3), (61, 50, 0.4), (61, 51, 0.5), (58, 47, -0.1)] {
            model[[y, x]] = f;
        }
        let mut residual = dirty.mapv(|v| v as f32);
        for ((y, x), f) in model.indexed_iter().filter(|(_, f)| **f != 0.0) {
            for ((v, u), r) in residual.indexed_iter_mut() {
                *r -= f * psf_at(u as f64 - x as f64, v as f64 - y as f64) as f32;
            }
        }
        for ((v, u), r) in residual.indexed_iter_mut() {
            *r -= 3.0 * psf_at(u as f64 - point[0], v as f64 - point[1]) as f32;
        }
        let smear = Array2::from_elem((n, n), 0.5f32);
        let reach = 40.0;
        let out =
            matched(&residual, &model, &[(point, 3.0)], [&psf, &smear], reach, &Control::new()).unwrap();
        // Interpolation of a spike of 3.5 pixels: 1e-3 of three.
        for (y, x) in [(60, 50), (61, 51), (53, 70), (52, 70), (70, 60)] {
            let found = f64::from(out[[y, x]]) / 2.0;
            assert!((found - dirty[[y, x]]).abs() < 3e-3, "{y} {x}: {found} for {}", dirty[[y, x]]);
        }
        // Beyond the reach nothing was added.
        assert_eq!(out[[5, 5]], residual[[5, 5]] / 0.5);
    }
}
