//! A mask that grows by itself: only what stands out from the noise of its place and from the sidelobes of the
//! brightest residual may be cleaned (the idea of CASA's auto-multithresh, Kepley et al. 2020,
//! doi:10.1088/1538-3873/ab5e14).

use ndarray::Array2;

use super::LocalRms;

/// What is taken into the mask.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaskParams {
    /// A seed stands this many times above the noise of its place.
    pub seed_sigma: f32,
    /// A seed stands above this share of the brightest residual (a factor times the highest sidelobe).
    pub sidelobe_fraction: f32,
    /// Seeds are widened by this radius \[pixels\].
    pub radius_px: f64,
    /// Only positive seeds.
    pub positive_only: bool,
}

/// Add to `mask_yx` what stands out of `residual_yx`; how many seeds lay outside the mask before.
/// `allowed_yx` (true is allowed) bounds it.
pub fn grow_mask(
    mask_yx: &mut Array2<bool>,
    residual_yx: &Array2<f32>,
    allowed_yx: Option<&Array2<bool>>,
    noise: &LocalRms,
    params: &MaskParams,
) -> usize {
    let brightest = super::peak_in(residual_yx, allowed_yx, super::Sign::Both);
    let peak = brightest.map_or(0.0, |p| p.value.abs());
    let floor = params.sidelobe_fraction * peak;
    let overall = (params.seed_sigma * 0.5 * noise.overall).max(floor);
    let measure = |v: f32| if params.positive_only { v } else { v.abs() };
    let mut seeds = Vec::new();
    for ((y, x), value) in residual_yx.indexed_iter() {
        let v = measure(*value);
        // The cheap test first: the noise of a place is at least half of the image's.
        if v > overall && !mask_yx[[y, x]] && v > params.seed_sigma * noise.at(y, x) {
            seeds.push((y, x));
        }
    }
    let disc = disc(params.radius_px);
    let (ny, nx) = mask_yx.dim();
    for &(y, x) in &seeds {
        for (dy, dx) in &disc {
            let (py, px) = (y as i64 + dy, x as i64 + dx);
            if (0..ny as i64).contains(&py) && (0..nx as i64).contains(&px) {
                let at = [py as usize, px as usize];
                mask_yx[at] = mask_yx[at] || allowed_yx.is_none_or(|a| a[at]);
            }
        }
    }
    seeds.len()
}

fn disc(radius_px: f64) -> Vec<(i64, i64)> {
    let r = radius_px.max(0.0).floor() as i64;
    let inside = |(dy, dx): &(i64, i64)| ((dy * dy + dx * dx) as f64) <= radius_px.max(0.0).powi(2) + 1e-9;
    (-r..=r).flat_map(|dy| (-r..=r).map(move |dx| (dy, dx))).filter(inside).collect()
}
