//! Robust noise of an image, whole and by place.

use ndarray::{s, Array2};
use rayon::prelude::*;

/// Standard deviation of a normal distribution over its median absolute deviation.
const MAD_TO_SIGMA: f32 = 1.482_602_2;
/// Enough samples for 1 % (the MAD's own scatter is 1.17 / sqrt(2 n)).
const ENOUGH: usize = 1 << 17;
/// For one box of a map.
const ENOUGH_LOCALLY: usize = 1 << 14;

/// `1.4826 * MAD` of the finite values about their median; of a large set every k-th one is used. NaN when there is none.
pub fn mad_rms<'a>(values: impl ExactSizeIterator<Item = &'a f32>) -> f32 {
    mad_of(values, ENOUGH)
}

fn mad_of<'a>(values: impl ExactSizeIterator<Item = &'a f32>, enough: usize) -> f32 {
    let step = (values.len() / enough).max(1);
    // An odd step does not fall into step with the rows of an even image.
    let step = if step > 1 { step | 1 } else { 1 };
    let mut sample: Vec<f32> = values.step_by(step).copied().filter(|v| v.is_finite()).collect();
    let Some(median) = median_in_place(&mut sample) else { return f32::NAN };
    for v in &mut sample {
        *v = (*v - median).abs();
    }
    median_in_place(&mut sample).map_or(f32::NAN, |mad| mad * MAD_TO_SIGMA)
}

fn median_in_place(sample: &mut [f32]) -> Option<f32> {
    if sample.is_empty() {
        return None;
    }
    let middle = sample.len() / 2;
    Some(*sample.select_nth_unstable_by(middle, f32::total_cmp).1)
}

/// Noise by place: MADs of square boxes that overlap by half, bilinear in between, never below half of the image's.
#[derive(Clone, Debug)]
pub struct LocalRms {
    grid_yx: Array2<f32>,
    step: f64,
    /// No place has less.
    floor: f32,
    /// Noise of the whole image.
    pub overall: f32,
}

impl LocalRms {
    /// Measure in boxes of `box_px` pixels.
    pub fn of(image_yx: &Array2<f32>, box_px: usize) -> Self {
        let (ny, nx) = image_yx.dim();
        let overall = mad_rms(image_yx.iter());
        let step = (box_px / 2).max(4);
        let (gy, gx) = (ny.div_ceil(step).max(1), nx.div_ceil(step).max(1));
        let values: Vec<f32> = (0..gy * gx)
            .into_par_iter()
            .map(|i| {
                let centre = |g: usize, n: usize| {
                    let c = g * step + step / 2;
                    (c.saturating_sub(step), (c + step).min(n))
                };
                let ((y0, y1), (x0, x1)) = (centre(i / gx, ny), centre(i % gx, nx));
                let local = mad_of(image_yx.slice(s![y0.min(y1)..y1, x0.min(x1)..x1]).iter(), ENOUGH_LOCALLY);
                if local.is_finite() {
                    local.max(0.5 * overall)
                } else {
                    overall
                }
            })
            .collect();
        let grid_yx =
            Array2::from_shape_vec((gy, gx), values).unwrap_or_else(|_| Array2::from_elem((1, 1), overall));
        Self { grid_yx, step: step as f64, floor: 0.0, overall }
    }

    /// Nowhere less than `floor`: a noise that is known from elsewhere. What was cleaned too deep then does not invite more.
    pub fn at_least(self, floor: f32) -> Self {
        Self { floor: floor.max(0.0), ..self }
    }

    /// Noise at a pixel.
    pub fn at(&self, y: usize, x: usize) -> f32 {
        let place = |p: usize, n: usize| {
            let g = ((p as f64 + 0.5) / self.step - 0.5).clamp(0.0, (n - 1) as f64);
            let low = g.floor() as usize;
            (low, (low + 1).min(n - 1), (g - g.floor()) as f32)
        };
        let (gy, gx) = self.grid_yx.dim();
        let ((y0, y1, fy), (x0, x1, fx)) = (place(y, gy), place(x, gx));
        let g = &self.grid_yx;
        let low = g[[y0, x0]] * (1.0 - fx) + g[[y0, x1]] * fx;
        let high = g[[y1, x0]] * (1.0 - fx) + g[[y1, x1]] * fx;
        (low * (1.0 - fy) + high * fy).max(self.floor)
    }
}
