//! The restoring beam: a Gaussian fitted to the psf's main lobe.

use ndarray::Array2;

use super::Error;
use crate::image::RestoringBeam;

/// Pixels of the main lobe above this level take part (CASA's default).
const CUTOFF: f32 = 0.35;
const TURNS: usize = 60;

/// Least-squares fit of `exp(-(a l^2 + b l m + c m^2))` to the connected pixels of the main lobe above 0.35 of the peak,
/// which lies at `(nx/2, ny/2)`. `increment_rad` is the step `[x, y]` along l and m, signed. The fit is Gauss-Newton with
/// damping, started from the log of the same pixels.
///
/// # Errors
/// [`Error::Beam`] when the lobe is not a hill with a curvature in every direction (coarser than the pixels, or blank).
pub fn fit_beam(psf_yx: &Array2<f32>, increment_rad: [f64; 2]) -> Result<RestoringBeam, Error> {
    let samples = lobe(psf_yx);
    let no_beam = |found: String| Error::Beam { found };
    if samples.len() < 5 {
        return Err(no_beam(format!(
            "{} pixels above {CUTOFF} of the peak (cell too coarse for the beam)",
            samples.len()
        )));
    }
    let mut shape = log_start(&samples).ok_or_else(|| no_beam("no curvature at the peak".into()))?;
    let mut cost = squares(&samples, shape);
    let mut damping = 1e-3;
    for _ in 0..TURNS {
        let Some(next) = step(&samples, shape, damping) else { break };
        let next_cost = squares(&samples, next);
        if next_cost < cost && positive(next) {
            let small = (cost - next_cost) <= 1e-13 * cost;
            (shape, cost, damping) = (next, next_cost, damping * 0.3);
            if small {
                break;
            }
        } else {
            damping *= 10.0;
        }
    }
    if !positive(shape) {
        return Err(no_beam(format!("a main lobe that is no hill: exponents {shape:?}")));
    }
    Ok(axes(shape, increment_rad))
}

/// `(dx, dy, value)` of the pixels connected to the peak and above the cut, the peak itself left out.
fn lobe(psf_yx: &Array2<f32>) -> Vec<[f64; 3]> {
    let (ny, nx) = psf_yx.dim();
    let (cy, cx) = (ny / 2, nx / 2);
    let mut seen = Array2::from_elem((ny, nx), false);
    let mut stack = vec![(cy, cx)];
    let mut samples = Vec::new();
    while let Some((y, x)) = stack.pop() {
        if y >= ny || x >= nx || seen[[y, x]] {
            continue;
        }
        seen[[y, x]] = true;
        let value = psf_yx[[y, x]];
        if value > CUTOFF {
            if (y, x) != (cy, cx) {
                samples.push([x as f64 - cx as f64, y as f64 - cy as f64, f64::from(value)]);
            }
            stack.extend([(y.wrapping_sub(1), x), (y + 1, x), (y, x.wrapping_sub(1)), (y, x + 1)]);
        }
    }
    samples
}

type Shape = [f64; 3];

fn basis(dx: f64, dy: f64) -> Shape {
    [dx * dx, dx * dy, dy * dy]
}

fn model(shape: Shape, dx: f64, dy: f64) -> f64 {
    let b = basis(dx, dy);
    (-(shape[0] * b[0] + shape[1] * b[1] + shape[2] * b[2])).exp()
}

fn positive(s: Shape) -> bool {
    s.iter().all(|v| v.is_finite()) && s[0] > 0.0 && s[2] > 0.0 && 4.0 * s[0] * s[2] > s[1] * s[1]
}

fn squares(samples: &[[f64; 3]], shape: Shape) -> f64 {
    samples.iter().map(|[x, y, v]| (v - model(shape, *x, *y)).powi(2)).sum()
}

/// Linear fit of `-ln(value)`, weighted by `value^2` so that noise counts as in the fit itself.
fn log_start(samples: &[[f64; 3]]) -> Option<Shape> {
    let mut normal = [[0.0; 4]; 3];
    for [x, y, v] in samples {
        accumulate(&mut normal, basis(*x, *y), -v.ln(), v * v);
    }
    solve(normal).filter(|s| positive(*s))
}

fn step(samples: &[[f64; 3]], shape: Shape, damping: f64) -> Option<Shape> {
    let mut normal = [[0.0; 4]; 3];
    for [x, y, v] in samples {
        let m = model(shape, *x, *y);
        let gradient = basis(*x, *y).map(|b| -b * m);
        accumulate(&mut normal, gradient, v - m, 1.0);
    }
    for i in 0..3 {
        normal[i][i] *= 1.0 + damping;
    }
    solve(normal).map(|d| std::array::from_fn(|i| shape[i] + d[i]))
}

fn accumulate(normal: &mut [[f64; 4]; 3], row: Shape, value: f64, weight: f64) {
    for i in 0..3 {
        for j in 0..3 {
            normal[i][j] += weight * row[i] * row[j];
        }
        normal[i][3] += weight * row[i] * value;
    }
}

/// Three equations by elimination with pivots.
fn solve(mut m: [[f64; 4]; 3]) -> Option<Shape> {
    for k in 0..3 {
        let pivot = (k..3).max_by(|a, b| m[*a][k].abs().total_cmp(&m[*b][k].abs()))?;
        m.swap(k, pivot);
        if m[k][k].abs() < f64::MIN_POSITIVE {
            return None;
        }
        for i in k + 1..3 {
            let f = m[i][k] / m[k][k];
            for j in k..4 {
                m[i][j] -= f * m[k][j];
            }
        }
    }
    let z = m[2][3] / m[2][2];
    let y = (m[1][3] - m[1][2] * z) / m[1][1];
    let x = (m[0][3] - m[0][1] * y - m[0][2] * z) / m[0][0];
    [x, y, z].iter().all(|v| v.is_finite()).then_some([x, y, z])
}

/// Axes and position angle of exponents per pixel.
fn axes(shape: Shape, increment_rad: [f64; 2]) -> RestoringBeam {
    let [ix, iy] = increment_rad;
    let (a, b, c) = (shape[0] / (ix * ix), shape[1] / (ix * iy), shape[2] / (iy * iy));
    // The major axis is the eigenvector of the smaller eigenvalue of [[a, b/2], [b/2, c]].
    let (mean, half) = (0.5 * (a + c), 0.5 * (a - c));
    let spread = half.hypot(0.5 * b);
    let k = 4.0 * std::f64::consts::LN_2;
    // (l, m) = (sin pa, cos pa) along it: the form is mean - half cos 2pa + b/2 sin 2pa, least where this points:
    let pa_rad = 0.5 * (-0.5 * b).atan2(half);
    RestoringBeam { major_rad: (k / (mean - spread)).sqrt(), minor_rad: (k / (mean + spread)).sqrt(), pa_rad }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn psf_of(beam: &RestoringBeam, n: usize, increment: [f64; 2]) -> Array2<f32> {
        let [a, b, c] = beam.exponent();
        Array2::from_shape_fn((n, n), |(y, x)| {
            let l = (x as f64 - (n / 2) as f64) * increment[0];
            let m = (y as f64 - (n / 2) as f64) * increment[1];
            (-(a * l * l + b * l * m + c * m * m)).exp() as f32
        })
    }

    #[test]
    fn a_gaussian_is_found_again() {
        let cell = 1e-5;
        for pa_deg in [-80.0f64, -30.0, 0.0, 20.0, 45.0, 89.0] {
            let beam =
                RestoringBeam { major_rad: 9.3 * cell, minor_rad: 4.1 * cell, pa_rad: pa_deg.to_radians() };
            let fit = fit_beam(&psf_of(&beam, 64, [-cell, cell]), [-cell, cell]).unwrap();
            // Single-precision pixels.
            assert!((fit.major_rad / beam.major_rad - 1.0).abs() < 1e-5, "{fit:?}");
            assert!((fit.minor_rad / beam.minor_rad - 1.0).abs() < 1e-5, "{fit:?}");
            assert!((fit.pa_rad - beam.pa_rad).sin().abs() < 1e-5, "{} {pa_deg}", fit.pa_rad.to_degrees());
        }
    }

    #[test]
    fn sidelobes_and_plateau_do_not_take_part() {
        let cell = 1e-5;
        let beam = RestoringBeam { major_rad: 8.0 * cell, minor_rad: 6.0 * cell, pa_rad: 0.4 };
        let mut psf = psf_of(&beam, 64, [-cell, cell]);
        psf[[5, 5]] = 0.9;
        for v in psf.iter_mut().filter(|v| **v < 0.2) {
            *v -= 0.15;
        }
        let fit = fit_beam(&psf, [-cell, cell]).unwrap();
        assert!((fit.major_rad / beam.major_rad - 1.0).abs() < 1e-5);
    }

    #[test]
    fn no_hill_is_an_error() {
        let mut psf = Array2::zeros((16, 16));
        psf[[8, 8]] = 1.0;
        assert!(fit_beam(&psf, [-1.0, 1.0]).unwrap_err().to_string().contains("cell too coarse"));
        assert!(fit_beam(&Array2::from_elem((16, 16), 1.0), [-1.0, 1.0]).is_err());
        assert!(fit_beam(&Array2::from_elem((16, 16), f32::NAN), [-1.0, 1.0]).is_err());
    }
}
