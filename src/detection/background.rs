//! Maps of background and noise from clipped medians on a mesh of boxes.

use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;

use super::Error;
use crate::control::Control;
use crate::kind::BadArgument;
use crate::math::robust::{median_f32, SIGMA_PER_MAD};

/// Options of [`background`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BackgroundParams {
    /// Side of the boxes \[pixels\]; some twenty beams or more, so that sources cover little of a box.
    pub box_px: usize,
    /// Distance between box centres \[pixels\].
    pub step_px: usize,
    /// Pixels further than this from a box's median are left out \[sigma\].
    pub clip_sigma: f64,
    /// Most pixels looked at along a side of a box: neighbours within a beam tell the same.
    pub samples: usize,
}

impl Default for BackgroundParams {
    fn default() -> Self {
        Self { box_px: 128, step_px: 64, clip_sigma: 3.0, samples: 48 }
    }
}

/// Background and noise of each pixel, in the unit of the image; NaN where the image is blank.
#[derive(Clone, Debug)]
pub struct Background {
    /// Clipped median.
    pub level_yx: Array2<f32>,
    /// Standard deviation of the noise (scaled MAD of the clipped pixels, corrected for the clipping).
    pub rms_yx: Array2<f32>,
}

/// Clipped median and scaled MAD in boxes on a mesh, linear in between.
///
/// Boxes with fewer than a quarter of valid pixels take the mean of their neighbours.
///
/// # Errors
/// An empty image, boxes or steps of less than 2 pixels; an image without a valid pixel; cancelled.
pub fn background(
    image_yx: ArrayView2<'_, f32>,
    params: &BackgroundParams,
    control: &Control,
) -> Result<Background, Error> {
    let (ny, nx) = image_yx.dim();
    if ny == 0 || nx == 0 {
        return Err(BadArgument::new("image_yx", "at least one pixel", format!("{ny} x {nx}")).into());
    }
    if params.box_px < 2
        || params.step_px < 1
        || params.samples < 2
        || params.clip_sigma.is_nan()
        || params.clip_sigma <= 0.0
    {
        return Err(BadArgument::new(
            "background",
            "box >= 2, step >= 1, samples >= 2, clip > 0",
            format!("{params:?}"),
        )
        .into());
    }
    let (ys, xs) = (nodes(ny, params.step_px), nodes(nx, params.step_px));
    control.expect((ys.len() + ny.div_ceil(64)) as u64);
    let rows: Result<Vec<Vec<[f32; 2]>>, Error> = ys
        .par_iter()
        .map_init(Vec::new, |work, &y| {
            control.check()?;
            let row = xs.iter().map(|&x| box_statistics(image_yx, (y, x), params, work)).collect();
            control.advance(1);
            Ok(row)
        })
        .collect();
    let mut mesh = rows?;
    fill_holes(&mut mesh)?;
    interpolate(image_yx, (&ys, &xs), &mesh, control)
}

/// Box centres: every `step`, first and last at the edges' inside.
fn nodes(n: usize, step: usize) -> Vec<f64> {
    let count = ((n as f64 / step as f64).round() as usize).max(1);
    let spacing = n as f64 / count as f64;
    (0..count).map(|i| (i as f64 + 0.5) * spacing - 0.5).collect()
}

/// `[median, sigma]` of a box; NaN with too few valid pixels.
fn box_statistics(
    image_yx: ArrayView2<'_, f32>,
    (y, x): (f64, f64),
    params: &BackgroundParams,
    work: &mut Vec<f32>,
) -> [f32; 2] {
    let (ny, nx) = image_yx.dim();
    let half = 0.5 * params.box_px as f64;
    // At the image's edge the box moves inwards, so that every box is whole.
    let range = |c: f64, n: usize| {
        let first = (c - half).ceil().min(n as f64 - params.box_px as f64).max(0.0) as usize;
        (first, (first + params.box_px).min(n) - 1)
    };
    let ((y0, y1), (x0, x1)) = (range(y, ny), range(x, nx));
    let stride = params.box_px.div_ceil(params.samples).max(1);
    work.clear();
    let mut looked = 0usize;
    for (k, yy) in (y0..=y1).step_by(stride).enumerate() {
        // Staggered rows, so that a pattern of the grid's own period is not sampled in phase.
        for xx in (x0 + (k * 7) % stride..=x1).step_by(stride) {
            looked += 1;
            let value = image_yx[[yy, xx]];
            if value.is_finite() {
                work.push(value);
            }
        }
    }
    if work.len() < 4 || work.len() * 4 < looked {
        return [f32::NAN; 2];
    }
    clipped(work, params.clip_sigma)
}

/// Clipped median and sigma. Two passes; the loss of a Gaussian's tails at `clip_sigma` is made good in the second.
fn clipped(work: &mut Vec<f32>, clip_sigma: f64) -> [f32; 2] {
    let mut deviation: Vec<f32> = Vec::with_capacity(work.len());
    let mut state = [0.0f32; 2];
    for pass in 0..3 {
        let centre = median_f32(work);
        deviation.clear();
        deviation.extend(work.iter().map(|v| (v - centre).abs()));
        let sigma = SIGMA_PER_MAD as f32 * median_f32(&mut deviation);
        state = [centre, sigma];
        if pass == 2 || sigma <= 0.0 {
            break;
        }
        let before = work.len();
        work.retain(|v| (v - centre).abs() <= clip_sigma as f32 * sigma);
        if work.len() == before {
            break;
        }
    }
    state
}

/// Nodes without statistics take the mean of their neighbours, ring after ring.
fn fill_holes(mesh: &mut [Vec<[f32; 2]>]) -> Result<(), Error> {
    loop {
        let (ny, nx) = (mesh.len(), mesh[0].len());
        let mut filled = Vec::new();
        let mut holes = 0;
        for y in 0..ny {
            for x in 0..nx {
                if !mesh[y][x][0].is_nan() {
                    continue;
                }
                holes += 1;
                let (mut sum, mut count) = ([0.0f32; 2], 0.0f32);
                for node in (y.saturating_sub(1)..=(y + 1).min(ny - 1))
                    .flat_map(|j| mesh[j][x.saturating_sub(1)..=(x + 1).min(nx - 1)].iter())
                {
                    if !node[0].is_nan() {
                        sum = [sum[0] + node[0], sum[1] + node[1]];
                        count += 1.0;
                    }
                }
                if count > 0.0 {
                    filled.push((y, x, [sum[0] / count, sum[1] / count]));
                }
            }
        }
        if holes == 0 {
            return Ok(());
        }
        if filled.is_empty() {
            return Err(Error::Blank);
        }
        for (y, x, value) in filled {
            mesh[y][x] = value;
        }
    }
}

/// Where a pixel lies between nodes: the lower node and the fraction on the way to the next.
fn between(nodes: &[f64], at: f64) -> (usize, f32) {
    if nodes.len() < 2 {
        return (0, 0.0);
    }
    let spacing = nodes[1] - nodes[0];
    let position = ((at - nodes[0]) / spacing).clamp(0.0, (nodes.len() - 1) as f64);
    let low = (position as usize).min(nodes.len() - 2);
    (low, (position - low as f64) as f32)
}

fn interpolate(
    image_yx: ArrayView2<'_, f32>,
    (ys, xs): (&[f64], &[f64]),
    mesh: &[Vec<[f32; 2]>],
    control: &Control,
) -> Result<Background, Error> {
    let (ny, nx) = image_yx.dim();
    let across: Vec<(usize, f32)> = (0..nx).map(|x| between(xs, x as f64)).collect();
    let (mut level_yx, mut rms_yx) = (Array2::zeros((ny, nx)), Array2::zeros((ny, nx)));
    let chunks = level_yx
        .axis_chunks_iter_mut(Axis(0), 64)
        .into_par_iter()
        .zip(rms_yx.axis_chunks_iter_mut(Axis(0), 64));
    chunks.enumerate().try_for_each(|(chunk, (mut level, mut rms))| {
        control.check()?;
        for (k, (mut level, mut rms)) in level.rows_mut().into_iter().zip(rms.rows_mut()).enumerate() {
            let y = chunk * 64 + k;
            let (low, f) = between(ys, y as f64);
            let (a, b) = (&mesh[low], &mesh[(low + 1).min(mesh.len() - 1)]);
            let line: Vec<[f32; 2]> =
                a.iter().zip(b).map(|(a, b)| [a[0] + f * (b[0] - a[0]), a[1] + f * (b[1] - a[1])]).collect();
            for (x, &(i, g)) in across.iter().enumerate() {
                let (p, q) = (line[i], line[(i + 1).min(line.len() - 1)]);
                let blank = if image_yx[[y, x]].is_finite() { 0.0 } else { f32::NAN };
                level[x] = p[0] + g * (q[0] - p[0]) + blank;
                rms[x] = p[1] + g * (q[1] - p[1]) + blank;
            }
        }
        control.advance(1);
        Ok::<(), Error>(())
    })?;
    Ok(Background { level_yx, rms_yx })
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_distr::{Distribution, StandardNormal};

    use super::*;

    fn noise(n: usize, seed: u64) -> Array2<f32> {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        Array2::from_shape_simple_fn((n, n), || StandardNormal.sample(&mut rng))
    }

    #[test]
    fn level_and_noise_of_a_slope_with_sources_and_a_hole() {
        let mut image = noise(512, 2);
        for ((y, x), v) in image.indexed_iter_mut() {
            *v = *v * (1.0 + x as f32 / 512.0) + 0.002 * y as f32;
            if y % 61 < 5 && x % 53 < 5 {
                *v += 500.0;
            }
        }
        image.slice_mut(ndarray::s![0..200, 300..512]).fill(f32::NAN);
        let b = background(image.view(), &BackgroundParams::default(), &Control::new()).unwrap();
        for (y, x) in [(100, 100), (400, 400), (256, 64)] {
            // About 2000 samples a box: the median is good to 3 % of the noise, the MAD to 3 %; sources (1 %) shift both a little.
            assert!((b.level_yx[[y, x]] - 0.002 * y as f32).abs() < 0.3, "{}", b.level_yx[[y, x]]);
            assert!((b.rms_yx[[y, x]] / (1.0 + x as f32 / 512.0) - 1.0).abs() < 0.15, "{}", b.rms_yx[[y, x]]);
        }
        assert!(b.rms_yx[[10, 400]].is_nan() && b.level_yx[[10, 400]].is_nan());
    }

    #[test]
    fn small_images_and_blank_images() {
        let b = background(noise(9, 1).view(), &BackgroundParams::default(), &Control::new()).unwrap();
        assert!(b.rms_yx.iter().all(|r| (0.5..1.6).contains(r)));
        let blank = Array2::from_elem((100, 100), f32::NAN);
        assert!(matches!(
            background(blank.view(), &BackgroundParams::default(), &Control::new()),
            Err(Error::Blank)
        ));
        assert!(
            background(Array2::zeros((0, 5)).view(), &BackgroundParams::default(), &Control::new()).is_err()
        );
    }
}
