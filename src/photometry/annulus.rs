//! The noise around a position, from the pixels of a ring.

use ndarray::ArrayView2;

use crate::math::robust::{median_f32, SIGMA_PER_MAD};

/// Standard deviation of the pixels at `inner <= r <= outer` \[pixels\] of `xy` that lie within three scaled MADs of their
/// median; NaN when fewer than three valid pixels remain. `work` is scratch.
pub(super) fn ring_rms(
    image_yx: ArrayView2<'_, f32>,
    xy: [f64; 2],
    radii_px: [f64; 2],
    work: &mut Vec<f32>,
) -> f64 {
    let (ny, nx) = image_yx.dim();
    let [inner, outer] = radii_px;
    work.clear();
    let clamp = |v: f64, n: usize| v.max(0.0).min(n as f64 - 1.0) as usize;
    if !(xy[0].is_finite() && xy[1].is_finite()) || nx == 0 || ny == 0 {
        return f64::NAN;
    }
    for y in clamp((xy[1] - outer).ceil(), ny)..=clamp((xy[1] + outer).floor(), ny) {
        let dy2 = (y as f64 - xy[1]).powi(2);
        if dy2 > outer * outer {
            continue;
        }
        let reach = (outer * outer - dy2).sqrt();
        for x in clamp((xy[0] - reach).ceil(), nx)..=clamp((xy[0] + reach).floor(), nx) {
            let r2 = (x as f64 - xy[0]).powi(2) + dy2;
            let value = image_yx[[y, x]];
            if r2 >= inner * inner && r2 <= outer * outer && value.is_finite() {
                work.push(value);
            }
        }
    }
    clipped_std(work)
}

/// Standard deviation (ddof 0) of the values within three scaled MADs of the median.
fn clipped_std(values: &mut [f32]) -> f64 {
    if values.len() < 3 {
        return f64::NAN;
    }
    let centre = median_f32(values);
    let mut deviation: Vec<f32> = values.iter().map(|v| (v - centre).abs()).collect();
    let spread = 3.0 * SIGMA_PER_MAD * f64::from(median_f32(&mut deviation));
    // More than half of the pixels equal (an image without noise): nothing to clip by.
    let limit = if spread > 0.0 { spread } else { f64::INFINITY };
    let (mut n, mut sum, mut squares) = (0u32, 0.0, 0.0);
    for &v in values.iter() {
        let d = f64::from(v - centre);
        if d.abs() < limit {
            n += 1;
            sum += d;
            squares += d * d;
        }
    }
    if n < 3 {
        return f64::NAN;
    }
    let mean = sum / f64::from(n);
    (squares / f64::from(n) - mean * mean).max(0.0).sqrt()
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    #[test]
    fn a_source_in_the_middle_and_one_in_the_ring_do_not_count() {
        // A ramp of 0 to 10 along x + y (mod 11): uniform, standard deviation sqrt(10).
        let mut image = Array2::from_shape_fn((64, 64), |(y, x)| ((x + 3 * y) % 11) as f32);
        image[[32, 32]] = 1e6;
        image[[32, 46]] = 1e6;
        image[[20, 32]] = f32::NAN;
        let rms = ring_rms(image.view(), [32.0, 32.0], [12.0, 20.0], &mut Vec::new());
        assert!((rms / 10f64.sqrt() - 1.0).abs() < 0.01, "{rms}");
    }

    #[test]
    fn off_the_image_is_nan() {
        let image = Array2::<f32>::zeros((8, 8));
        assert!(ring_rms(image.view(), [500.0, 2.0], [12.0, 20.0], &mut Vec::new()).is_nan());
        assert!(ring_rms(image.view(), [f64::NAN, 2.0], [1.0, 2.0], &mut Vec::new()).is_nan());
    }
}
