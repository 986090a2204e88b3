//! The value of an image between its pixels.

use ndarray::ArrayView2;

/// How to read between pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interpolation {
    /// The nearest pixel.
    Nearest,
    /// Two by two pixels; lowers the peak of a beam of five pixels by up to 12 %.
    Bilinear,
    /// Eight by eight pixels, windowed sinc that keeps polynomials to degree 4: peaks of beams of five pixels to 0.2 %.
    Lanczos,
    /// Eight by eight pixels, the least squares for Gaussian beams of three pixels and more (a Gaussian process of that
    /// correlation with noise of 1e-4, weights made to sum to one): peaks to 0.05 % from four pixels up.
    Matched,
}

/// Taps of the two wide kernels.
const TAPS: usize = 8;
/// Positions between two pixels at which their weights are tabulated.
const PHASES: usize = 256;

/// An interpolation with its table of weights.
#[derive(Clone, Debug)]
pub struct Sampler {
    kind: Interpolation,
    /// Weights of pixels -3 .. 4 about a point `phase / PHASES` beyond pixel 0.
    weights: Vec<[f32; TAPS]>,
    vector: bool,
}

impl Sampler {
    /// The table of one interpolation.
    pub fn new(kind: Interpolation) -> Self {
        let weights = match kind {
            Interpolation::Lanczos => table(lanczos),
            Interpolation::Matched => table(matched),
            _ => Vec::new(),
        };
        Self { kind, weights, vector: has_vectors() }
    }

    /// Value at `[x, y]`; NaN outside the image, for the wide kernels within three pixels of its border (a narrower kernel there
    /// would lower the peaks of sources by per cents), and where a pixel that counts is blank. Beside blank pixels the wide
    /// kernels give way to the bilinear one.
    #[inline]
    pub fn at(&self, image_yx: &ArrayView2<'_, f32>, [x, y]: [f64; 2]) -> f32 {
        let (ny, nx) = image_yx.dim();
        if !(x >= 0.0 && y >= 0.0 && x <= (nx - 1) as f64 && y <= (ny - 1) as f64) {
            return f32::NAN;
        }
        let (x0, y0) = (x as usize, y as usize);
        match self.kind {
            Interpolation::Nearest => return image_yx[[y.round() as usize, x.round() as usize]],
            Interpolation::Bilinear => return bilinear(image_yx, x, y),
            _ if x0 < 3 || y0 < 3 || x0 + 4 >= nx || y0 + 4 >= ny => return f32::NAN,
            _ => {}
        }
        if let Some(pixels) = image_yx.as_slice() {
            let value = self.patch(pixels, nx, (x0, y0), ((x - x0 as f64) as f32, (y - y0 as f64) as f32));
            if value.is_finite() {
                return value;
            }
        }
        bilinear(image_yx, x, y)
    }

    /// Whether eight by eight pixels take part.
    pub(super) fn is_wide(&self) -> bool {
        !self.weights.is_empty()
    }

    fn patch(&self, pixels: &[f32], nx: usize, pixel: (usize, usize), place: (f32, f32)) -> f32 {
        #[cfg(target_arch = "x86_64")]
        if self.vector {
            // SAFETY: `vector` is set only after the features were detected.
            return unsafe { self.patch_vector(pixels, nx, pixel, place) };
        }
        self.patch_body(pixels, nx, pixel, place)
    }

    /// # Safety
    /// The machine has AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn patch_vector(
        &self,
        pixels: &[f32],
        nx: usize,
        pixel: (usize, usize),
        place: (f32, f32),
    ) -> f32 {
        self.patch_body(pixels, nx, pixel, place)
    }

    /// The value at `(f, g)` beyond `pixel`, which has three pixels before it and four after it both ways.
    #[inline(always)]
    pub(super) fn patch_body(
        &self,
        pixels: &[f32],
        nx: usize,
        (x0, y0): (usize, usize),
        (f, g): (f32, f32),
    ) -> f32 {
        let (wx, wy) = (self.between(f), self.between(g));
        let mut sum = [0.0f32; TAPS];
        for (r, wy) in wy.iter().enumerate() {
            let start = (y0 + r - 3) * nx + x0 - 3;
            if let Some(row) = pixels[start..].first_chunk::<TAPS>() {
                for (s, v) in sum.iter_mut().zip(row) {
                    *s += wy * v;
                }
            }
        }
        sum.iter().zip(wx).map(|(s, w)| s * w).sum()
    }

    /// Weights at `f`, linear between those tabulated.
    #[inline(always)]
    fn between(&self, f: f32) -> [f32; TAPS] {
        let at = f * PHASES as f32;
        let phase = (at as usize).min(PHASES - 1);
        let part = at - phase as f32;
        let (a, b) = (&self.weights[phase], &self.weights[phase + 1]);
        std::array::from_fn(|k| a[k] + part * (b[k] - a[k]))
    }
}

pub(super) fn has_vectors() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

#[inline(always)]
pub(super) fn bilinear(image: &ArrayView2<'_, f32>, x: f64, y: f64) -> f32 {
    let (ny, nx) = image.dim();
    let (x0, y0) = (x.floor() as usize, y.floor() as usize);
    let (x1, y1) = ((x0 + 1).min(nx - 1), (y0 + 1).min(ny - 1));
    let (f, g) = ((x - x0 as f64) as f32, (y - y0 as f64) as f32);
    let low = image[[y0, x0]] * (1.0 - f) + image[[y0, x1]] * f;
    let high = image[[y1, x0]] * (1.0 - f) + image[[y1, x1]] * f;
    low * (1.0 - g) + high * g
}

fn table(weights: impl Fn(f64) -> [f64; TAPS]) -> Vec<[f32; TAPS]> {
    (0..=PHASES).map(|p| weights(p as f64 / PHASES as f64).map(|w| w as f32)).collect()
}

/// Distances of the taps from a point `f` beyond pixel 0.
fn distances(f: f64) -> [f64; TAPS] {
    std::array::from_fn(|k| k as f64 - (TAPS / 2 - 1) as f64 - f)
}

fn sinc(x: f64) -> f64 {
    let a = std::f64::consts::PI * x;
    if a.abs() < 1e-9 {
        1.0
    } else {
        a.sin() / a
    }
}

/// `sinc(d) sinc(d / 4)`, plus the window times the polynomial that makes moments 0 to 4 those of a point.
fn lanczos(f: f64) -> [f64; TAPS] {
    const DEGREE: usize = 4;
    let d = distances(f);
    let window = d.map(|d| sinc(d / (TAPS / 2) as f64).abs() + 1e-9);
    let plain: [f64; TAPS] = std::array::from_fn(|k| sinc(d[k]) * window[k]);
    let moment = |w: &[f64; TAPS], power: usize| -> f64 {
        w.iter().zip(&d).map(|(w, d)| w * d.powi(power as i32)).sum()
    };
    let matrix: Vec<Vec<f64>> =
        (0..=DEGREE).map(|i| (0..=DEGREE).map(|j| moment(&window, i + j)).collect()).collect();
    let wanted: Vec<f64> = (0..=DEGREE).map(|i| f64::from(i == 0) - moment(&plain, i)).collect();
    let polynomial = solved(matrix, wanted);
    std::array::from_fn(|k| plain[k] + window[k] * polynomial.iter().rev().fold(0.0, |s, c| s * d[k] + c))
}

/// Weights of least mean square error for a Gaussian correlation.
fn matched(f: f64) -> [f64; TAPS] {
    const FWHM: f64 = 3.0;
    const NOISE: f64 = 1e-4;
    let d = distances(f);
    // The correlation of a beam of width s has width s sqrt(2).
    let correlation = |d: f64| (-2.0 * std::f64::consts::LN_2 * (d / FWHM).powi(2)).exp();
    let matrix = || -> Vec<Vec<f64>> {
        let entry = |i: usize, j: usize| correlation(d[i] - d[j]) + if i == j { NOISE } else { 0.0 };
        (0..TAPS).map(|i| (0..TAPS).map(|j| entry(i, j)).collect()).collect()
    };
    let weights = solved(matrix(), d.iter().map(|d| correlation(*d)).collect());
    let level = solved(matrix(), vec![1.0; TAPS]);
    let lack = (1.0 - weights.iter().sum::<f64>()) / level.iter().sum::<f64>();
    std::array::from_fn(|k| weights[k] + lack * level[k])
}

/// Gauss's elimination with pivots, for the few equations of a table.
fn solved(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> Vec<f64> {
    let n = b.len();
    for i in 0..n {
        let pivot = (i..n).max_by(|p, q| a[*p][i].abs().total_cmp(&a[*q][i].abs())).unwrap_or(i);
        a.swap(i, pivot);
        b.swap(i, pivot);
        for j in i + 1..n {
            let factor = a[j][i] / a[i][i];
            for k in i..n {
                a[j][k] -= factor * a[i][k];
            }
            b[j] -= factor * b[i];
        }
    }
    for i in (0..n).rev() {
        let known: f64 = (i + 1..n).map(|k| a[i][k] * b[k]).sum();
        b[i] = (b[i] - known) / a[i][i];
    }
    b
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    fn worst(kind: Interpolation, fwhm: f64) -> f64 {
        let sampler = Sampler::new(kind);
        let k = 4.0 * std::f64::consts::LN_2 / (fwhm * fwhm);
        let mut worst = 0.0f64;
        for step in 0..7 {
            let (cx, cy) = (20.0 + f64::from(step) / 7.0, 20.3);
            let value = |x: f64, y: f64| (-k * ((x - cx).powi(2) + (y - cy).powi(2))).exp();
            let image = Array2::from_shape_fn((41, 41), |(y, x)| value(x as f64, y as f64) as f32);
            for (dx, dy) in [(0.0, 0.0), (1.4, 0.2), (-0.7, -2.1)] {
                let found = f64::from(sampler.at(&image.view(), [cx + dx, cy + dy]));
                worst = worst.max((found - value(cx + dx, cy + dy)).abs());
            }
        }
        worst
    }

    #[test]
    fn kernels_keep_the_beams_they_are_made_for() {
        // Of the peak; twice the one-dimensional error of each table.
        for (kind, fwhm, limit) in [
            (Interpolation::Matched, 3.0, 5e-3),
            (Interpolation::Matched, 4.0, 5e-4),
            (Interpolation::Matched, 5.0, 5e-4),
            (Interpolation::Matched, 15.0, 6e-4),
            (Interpolation::Lanczos, 4.0, 5e-3),
            (Interpolation::Lanczos, 5.0, 2e-3),
        ] {
            let error = worst(kind, fwhm);
            assert!(error < limit, "{kind:?} {fwhm}: {error}");
        }
        // What a table that interpolates nothing would show.
        assert!(worst(Interpolation::Nearest, 5.0) > 0.02);
    }

    #[test]
    fn blank_pixels_do_not_spread_and_borders_are_left_out() {
        let mut image = Array2::from_elem((20, 20), 2.0f32);
        image[[10, 14]] = f32::NAN;
        let sampler = Sampler::new(Interpolation::Matched);
        for place in [[11.5, 10.0], [3.0, 3.0], [15.9, 15.0], [3.5, 15.2]] {
            assert!((sampler.at(&image.view(), place) - 2.0).abs() < 1e-5, "{place:?}");
        }
        assert!(sampler.at(&image.view(), [13.5, 10.0]).is_nan());
        assert!(sampler.at(&image.view(), [19.5, 10.0]).is_nan());
        assert!(
            sampler.at(&image.view(), [2.9, 10.0]).is_nan()
                && sampler.at(&image.view(), [10.0, 16.0]).is_nan()
        );
        assert!(sampler.at(&image.view(), [f64::NAN, 10.0]).is_nan());
    }
}
