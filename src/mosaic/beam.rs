//! One beam for all tiles: the smallest ellipse that holds all of theirs, and images brought to it.

use std::f64::consts::PI;

use ndarray::parallel::prelude::*;
use ndarray::{Array2, Axis};
use rustfft::num_complex::Complex32;
use rustfft::FftPlanner;

use super::Error;
use crate::control::Control;
use crate::image::RestoringBeam;
use crate::kind::BadArgument;

/// A symmetric matrix `[xx, xy, yy]`: covariance of a beam in (east, north) \[rad^2\].
type Symmetric = [f64; 3];

/// FWHM of a Gaussian of unit width.
fn fwhm() -> f64 {
    (8.0 * std::f64::consts::LN_2).sqrt()
}

fn covariance(beam: &RestoringBeam) -> Symmetric {
    let (s, c) = beam.pa_rad.sin_cos();
    let (a, b) = ((beam.major_rad / fwhm()).powi(2), (beam.minor_rad / fwhm()).powi(2));
    [a * s * s + b * c * c, (a - b) * s * c, a * c * c + b * s * s]
}

/// Eigenvalues, the larger first.
fn eigenvalues([xx, xy, yy]: Symmetric) -> (f64, f64) {
    let (mean, half) = (0.5 * (xx + yy), (0.25 * (xx - yy).powi(2) + xy * xy).sqrt());
    (mean + half, mean - half)
}

fn beam_of(c: Symmetric) -> RestoringBeam {
    let (large, small) = eigenvalues(c);
    let pa_rad = 0.5 * (2.0 * c[1]).atan2(c[2] - c[0]);
    RestoringBeam {
        major_rad: large.sqrt() * fwhm(),
        minor_rad: small.max(0.0).sqrt() * fwhm(),
        pa_rad: pa_rad.rem_euclid(PI),
    }
}

/// `x^T A^-1 x`.
fn form([xx, xy, yy]: Symmetric, [x, y]: [f64; 2]) -> f64 {
    (yy * x * x - 2.0 * xy * x * y + xx * y * y) / (xx * yy - xy * xy)
}

/// The beam of least area to which all of `beams` can be convolved: the least ellipse about their centre that holds their
/// half-power ellipses (Khachiyan's iteration on points of their rims, then scaled to hold them all exactly).
pub fn common_beam(beams: &[RestoringBeam]) -> Option<RestoringBeam> {
    const RIM: usize = 48;
    let first = *beams.first()?;
    if beams.iter().all(|b| same(b, &first)) {
        return Some(first);
    }
    let points: Vec<[f64; 2]> = beams
        .iter()
        .flat_map(|b| {
            let (s, c) = b.pa_rad.sin_cos();
            (0..RIM).map(move |k| {
                let (y, x) = (PI * k as f64 / RIM as f64).sin_cos();
                let (major, minor) = (x * b.major_rad / fwhm(), y * b.minor_rad / fwhm());
                [major * s + minor * c, major * c - minor * s]
            })
        })
        .collect();
    let mut share = vec![1.0 / points.len() as f64; points.len()];
    let scatter = |share: &[f64]| {
        let sum = points.iter().zip(share).fold([0.0; 3], |m, (p, u)| {
            [m[0] + u * p[0] * p[0], m[1] + u * p[0] * p[1], m[2] + u * p[1] * p[1]]
        });
        sum.map(|v| 2.0 * v)
    };
    for _ in 0..4000 {
        let ellipse = scatter(&share);
        let worst = points.iter().map(|p| form(ellipse, *p)).fold(0.0, f64::max);
        // Multiplicative weights: those outside gain, those inside lose; their mean is one.
        for (u, p) in share.iter_mut().zip(&points) {
            *u *= form(ellipse, *p);
        }
        if worst < 1.0 + 1e-7 {
            break;
        }
    }
    let ellipse = scatter(&share);
    let most = beams.iter().map(|b| largest_ratio(covariance(b), ellipse)).fold(0.0, f64::max);
    Some(beam_of(ellipse.map(|v| v * most * (1.0 + 1e-9))))
}

/// Whether two beams are the same to a millionth of their area.
pub fn same(a: &RestoringBeam, b: &RestoringBeam) -> bool {
    let (p, q) = (covariance(a), covariance(b));
    (0..3).all(|k| (p[k] - q[k]).abs() <= 1e-6 * (p[0] + p[2]))
}

/// Largest eigenvalue of `B^-1 A`.
fn largest_ratio(a: Symmetric, b: Symmetric) -> f64 {
    let determinant = b[0] * b[2] - b[1] * b[1];
    let trace = (b[2] * a[0] - 2.0 * b[1] * a[1] + b[0] * a[2]) / determinant;
    let product = (a[0] * a[2] - a[1] * a[1]) / determinant;
    0.5 * (trace + (trace * trace - 4.0 * product).max(0.0).sqrt())
}

/// An image \[Jy/beam\] of beam `from` as seen with the larger beam `to`, its sources' peaks kept, and the factor by which white
/// noise per beam of the image changes. Blank pixels count as empty and stay blank.
///
/// # Errors
/// A beam `to` that does not hold `from`; cancellation.
pub fn to_beam(
    image_yx: &Array2<f32>,
    increment_rad: [f64; 2],
    (from, to): (&RestoringBeam, &RestoringBeam),
    control: &Control,
) -> Result<(Array2<f32>, f64), Error> {
    if same(from, to) {
        return Ok((image_yx.clone(), 1.0));
    }
    let (a, b) = (covariance(from), covariance(to));
    let lack = [b[0] - a[0], b[1] - a[1], b[2] - a[2]];
    if eigenvalues(lack).1 < -1e-6 * eigenvalues(b).0 {
        let text = |b: &RestoringBeam| {
            let arcsec = |x: f64| x.to_degrees() * 3600.0;
            format!("{:.2} x {:.2} arcsec", arcsec(b.major_rad), arcsec(b.minor_rad))
        };
        let expected = format!("a beam that holds {}", text(from));
        return Err(BadArgument::new("beam", expected, text(to)).into());
    }
    let scale = (to.area_sr() / from.area_sr()) as f32;
    let pixels = |v: Symmetric| {
        let [dx, dy] = increment_rad;
        [v[0] / (dx * dx), v[1] / (dx * dy), v[2] / (dy * dy)]
    };
    // Noise with the beam's correlation: its power after the filter, over that before.
    let (old, extra) = (pixels(a), pixels(lack));
    let wider = [old[0] + extra[0], old[1] + extra[1], old[2] + extra[2]];
    let area = |v: Symmetric| (v[0] * v[2] - v[1] * v[1]).max(0.0).sqrt();
    let noise = f64::from(scale) * (area(old) / area(wider)).sqrt();
    let mut out = filtered(image_yx, extra, scale, control)?;
    ndarray::Zip::from(&mut out).and(image_yx).for_each(|o, i| {
        if i.is_nan() {
            *o = f32::NAN;
        }
    });
    Ok((out, noise))
}

/// Times `scale exp(-2 pi^2 k^T C k)` in the plane of spatial frequencies, `C` in pixels^2.
fn filtered(
    image_yx: &Array2<f32>,
    c: Symmetric,
    scale: f32,
    control: &Control,
) -> Result<Array2<f32>, Error> {
    let (ny, nx) = image_yx.dim();
    let margin = (4.0 * eigenvalues(c).0.max(0.0).sqrt()).ceil() as usize + 1;
    let (py, px) = (good_size(ny + margin), good_size(nx + margin));
    let mut plane = Array2::<Complex32>::zeros((py, px));
    ndarray::Zip::from(plane.slice_mut(ndarray::s![..ny, ..nx])).and(image_yx).for_each(|p, v| {
        p.re = if v.is_finite() { *v } else { 0.0 };
    });
    lines(&mut plane, true, control)?;
    let mut turned = plane.t().as_standard_layout().into_owned();
    lines(&mut turned, true, control)?;
    let wave = |k: usize, n: usize| (if 2 * k > n { k as f64 - n as f64 } else { k as f64 }) / n as f64;
    let norm = f64::from(scale) / (px * py) as f64;
    turned.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(i, mut row)| {
        let u = wave(i, px);
        for (j, value) in row.iter_mut().enumerate() {
            let v = wave(j, py);
            let power = c[0] * u * u + 2.0 * c[1] * u * v + c[2] * v * v;
            *value *= (norm * (-2.0 * PI * PI * power).exp()) as f32;
        }
    });
    lines(&mut turned, false, control)?;
    let mut plane = turned.t().as_standard_layout().into_owned();
    lines(&mut plane, false, control)?;
    Ok(plane.slice(ndarray::s![..ny, ..nx]).map(|p| p.re))
}

fn lines(plane: &mut Array2<Complex32>, forward: bool, control: &Control) -> Result<(), Error> {
    let mut planner = FftPlanner::new();
    let n = plane.ncols();
    let fft = if forward { planner.plan_fft_forward(n) } else { planner.plan_fft_inverse(n) };
    let make = || vec![Complex32::default(); fft.get_inplace_scratch_len()];
    plane.axis_iter_mut(Axis(0)).into_par_iter().try_for_each_init(make, |scratch, mut row| {
        control.check()?;
        if let Some(row) = row.as_slice_mut() {
            fft.process_with_scratch(row, scratch);
        }
        Ok(())
    })
}

/// The least size from `least` on without prime factors above 5.
fn good_size(least: usize) -> usize {
    let smooth = |n: &usize| {
        let mut rest = *n;
        for p in [2, 3, 5] {
            while rest.is_multiple_of(p) {
                rest /= p;
            }
        }
        rest == 1
    };
    (least..).find(smooth).unwrap_or(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CELL: f64 = 1e-5;

    fn beam(major: f64, minor: f64, pa_deg: f64) -> RestoringBeam {
        RestoringBeam { major_rad: major * CELL, minor_rad: minor * CELL, pa_rad: pa_deg.to_radians() }
    }

    #[test]
    fn the_common_beam_holds_all_and_is_small() {
        let found = common_beam(&[beam(9.0, 6.0, 20.0), beam(9.0, 6.0, 20.0)]).unwrap();
        assert!(same(&found, &beam(9.0, 6.0, 20.0)));
        // One inside the other.
        let found = common_beam(&[beam(12.0, 9.0, 70.0), beam(6.0, 5.0, 0.0)]).unwrap();
        assert!((found.major_rad / CELL - 12.0).abs() < 1e-2 && (found.minor_rad / CELL - 9.0).abs() < 1e-2);
        // Crossed: by symmetry a circle of the major axes.
        let found = common_beam(&[beam(10.0, 4.0, 0.0), beam(10.0, 4.0, 90.0)]).unwrap();
        assert!((found.major_rad / CELL - 10.0).abs() < 1e-2 && (found.minor_rad / CELL - 10.0).abs() < 1e-2);
        let three = [beam(10.0, 6.0, 10.0), beam(10.5, 6.2, 25.0), beam(9.0, 6.5, 170.0)];
        let found = common_beam(&three).unwrap();
        for b in &three {
            assert!(largest_ratio(covariance(b), covariance(&found)) <= 1.0);
        }
        assert!(found.area_sr() < 1.25 * three[1].area_sr());
        assert!(common_beam(&[]).is_none());
    }

    #[test]
    fn a_source_seen_with_a_larger_beam_is_that_beam() {
        let (from, to) = (beam(6.0, 4.0, 30.0), beam(9.0, 7.0, 100.0));
        let source = |b: &RestoringBeam| {
            let [p, q, r] = b.exponent();
            Array2::from_shape_fn((90, 101), |(y, x)| {
                let (l, m) = (-(x as f64 - 50.0) * CELL, (y as f64 - 40.0) * CELL);
                2.0 * (-(p * l * l + q * l * m + r * m * m)).exp() as f32
            })
        };
        let (seen, noise) = to_beam(&source(&from), [-CELL, CELL], (&from, &to), &Control::new()).unwrap();
        let expected = source(&to);
        // A Gaussian cut at its border by 1e-6, in single precision.
        let worst = seen.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-4, "{worst}");
        assert!(noise > 0.5 && noise < 2.0, "{noise}");
        assert!(to_beam(&source(&to), [-CELL, CELL], (&to, &from), &Control::new()).is_err());
    }
}
