//! Fluxes of points as a matched filter sees them, neighbours told apart by the psf.
//!
//! Where no other source is near, the value of a matched image at a source is its flux: residual and components seen with the psf, see
//! `imaging`. What others within the same reach add is their flux times the psf at their distance, and all sources of an image are
//! one sparse system of equations, symmetric and positive as psfs are; conjugate gradients solve it in some ten steps.

use std::collections::HashMap;

use ndarray::ArrayView2;
use rayon::prelude::*;

use super::Error;
use crate::control::Control;
use crate::image::sinc;

/// A matched image, the psf that components and residual are seen with, and how far they are.
#[derive(Clone, Copy, Debug)]
pub struct Matched<'a> {
    /// Flux of a point at each pixel \[Jy\].
    pub image_yx: ArrayView2<'a, f32>,
    /// Unit peak at `(ny/2, nx/2)`, on the same pixels.
    pub psf_yx: ArrayView2<'a, f32>,
    /// Components and sources further off than this do not count \[pixels\].
    pub reach_px: f64,
}

/// Sources closer than this are one place with two names \[pixels\].
const SAME_PX: f64 = 0.1;
/// Error of the solution relative to the values, and steps at most: without close pairs ten do.
const TOLERANCE: f64 = 1e-6;
const STEPS: usize = 200;

/// Fluxes of points at `pixel_xy` \[zero-based pixels\], `None` where the image has no value; `background` is taken off the values.
///
/// # Errors
/// Cancelled.
pub fn matched_fluxes(
    matched: Matched<'_>,
    background_yx: Option<ArrayView2<'_, f32>>,
    pixel_xy: &[[f64; 2]],
    control: &Control,
) -> Result<Vec<Option<f64>>, Error> {
    let value = |xy: &[f64; 2]| {
        let level = background_yx.map_or(Some(0.0), |b| sinc::value(b, *xy))?;
        Some(sinc::value(matched.image_yx, *xy)? - level)
    };
    let values: Vec<Option<f64>> = pixel_xy.par_iter().map(value).collect();
    control.check()?;
    let near = neighbours(pixel_xy, |i| values[i].is_some(), matched.reach_px);
    // The first name of a place stands for all of them.
    let first: Vec<usize> = (0..pixel_xy.len())
        .map(|i| near[i].iter().find(|(j, d)| *j < i && *d < SAME_PX).map_or(i, |(j, _)| *j))
        .collect();
    let alone = |i: usize| first[i] == i;
    let (ny, nx) = matched.psf_yx.dim();
    let share = |i: usize, j: usize| {
        let place = |axis: usize, n: usize| pixel_xy[i][axis] - pixel_xy[j][axis] + (n / 2) as f64;
        sinc::value(matched.psf_yx, [place(0, nx), place(1, ny)]).unwrap_or(0.0)
    };
    let rows: Vec<Vec<(usize, f64)>> = (0..pixel_xy.len())
        .into_par_iter()
        .map(|i| {
            let others = near[i].iter().filter(|(j, _)| alone(i) && alone(*j));
            // Half of both ways: symmetric whatever interpolation does.
            others.map(|(j, _)| (*j, 0.5 * (share(i, *j) + share(*j, i)))).collect()
        })
        .collect();
    control.check()?;
    let right: Vec<f64> = (0..values.len()).map(|i| values[i].filter(|_| alone(i)).unwrap_or(0.0)).collect();
    let flux = solve(&rows, &right);
    Ok((0..values.len()).map(|i| values[i].map(|_| flux[representative(&first, i)])).collect())
}

fn representative(first: &[usize], mut i: usize) -> usize {
    while first[i] != i {
        i = first[i];
    }
    i
}

/// For each place the others within `reach_px` and their distances.
fn neighbours(
    pixel_xy: &[[f64; 2]],
    usable: impl Fn(usize) -> bool,
    reach_px: f64,
) -> Vec<Vec<(usize, f64)>> {
    let cell = |xy: [f64; 2]| xy.map(|c| (c / reach_px).floor() as i64);
    let mut grid: HashMap<[i64; 2], Vec<usize>> = HashMap::new();
    for i in (0..pixel_xy.len()).filter(|i| usable(*i)) {
        grid.entry(cell(pixel_xy[i])).or_default().push(i);
    }
    let mut out = vec![Vec::new(); pixel_xy.len()];
    for i in (0..pixel_xy.len()).filter(|i| usable(*i)) {
        let [cx, cy] = cell(pixel_xy[i]);
        for at in (-1..=1).flat_map(|dy| (-1..=1).map(move |dx| [cx + dx, cy + dy])) {
            for &j in grid.get(&at).into_iter().flatten() {
                let d = (pixel_xy[i][0] - pixel_xy[j][0]).hypot(pixel_xy[i][1] - pixel_xy[j][1]);
                if j != i && d < reach_px {
                    out[i].push((j, d));
                }
            }
        }
        out[i].sort_unstable_by_key(|(j, _)| *j);
    }
    out
}

/// `(1 + rows) x = right` by conjugate gradients.
fn solve(rows: &[Vec<(usize, f64)>], right: &[f64]) -> Vec<f64> {
    let times = |x: &[f64]| -> Vec<f64> {
        let row = |i: usize| x[i] + rows[i].iter().map(|(j, a)| a * x[*j]).sum::<f64>();
        (0..x.len()).map(row).collect()
    };
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    // Values are a good beginning: psfs between most sources are small.
    let mut x = right.to_vec();
    let mut left: Vec<f64> = times(&x).iter().zip(right).map(|(a, b)| b - a).collect();
    let mut way = left.clone();
    let mut size = dot(&left, &left);
    let least = TOLERANCE * TOLERANCE * dot(right, right);
    for _ in 0..STEPS {
        if !(size > least) {
            break;
        }
        let turned = times(&way);
        let bend = dot(&way, &turned);
        // A cut psf may make a direction of no or negative weight: what there is must do.
        if !(bend > 0.0) {
            break;
        }
        let step = size / bend;
        x.iter_mut().zip(&way).for_each(|(x, w)| *x += step * w);
        left.iter_mut().zip(&turned).for_each(|(l, t)| *l -= step * t);
        let next = dot(&left, &left);
        way.iter_mut().zip(&left).for_each(|(w, l)| *w = l + next / size * *w);
        size = next;
    }
    x
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    fn psf_at(x: f64, y: f64) -> f64 {
        let r = x * x + 2.0 * y * y;
        0.6 * (-r / 12.0).exp() + 0.4 * (-r / 200.0).exp()
    }

    #[test]
    fn neighbours_are_told_apart_by_the_psf() {
        let n = 160;
        let reach_px = 60.0;
        let middle = (n / 2) as f64;
        let psf = Array2::from_shape_fn((n, n), |(y, x)| psf_at(x as f64 - middle, y as f64 - middle) as f32);
        let sources = [([50.3, 60.8], 1.0), ([57.9, 63.1], 0.3), ([60.0, 71.5], 0.05), ([100.7, 100.2], 0.5)];
        let image = Array2::from_shape_fn((n, n), |(y, x)| {
            let part = |(at, f): &([f64; 2], f64)| f * psf_at(x as f64 - at[0], y as f64 - at[1]);
            sources.iter().map(part).sum::<f64>() as f32
        });
        // The last three: one off the image, one where taps are missing, a second name.
        let mut places: Vec<[f64; 2]> = sources.iter().map(|s| s.0).collect();
        places.extend([[f64::NAN, 4.0], [3.0, 80.0], [100.72, 100.2]]);
        let matched = Matched { image_yx: image.view(), psf_yx: psf.view(), reach_px };
        let found = matched_fluxes(matched, None, &places, &Control::new()).unwrap();
        for (k, (_, flux)) in sources.iter().enumerate() {
            // Interpolation of a spike of 3.5 pixels: some 1e-4 of the brightest.
            assert!((found[k].unwrap() - flux).abs() < 1e-3, "{k}: {:?} for {flux}", found[k]);
        }
        assert_eq!(found[4..6], [None, None]);
        assert_eq!(found[6], found[3]);
        // A level comes off.
        let level = Array2::from_elem((n, n), 0.25f32);
        let lower = matched_fluxes(matched, Some(level.view()), &places[3..4], &Control::new()).unwrap();
        assert!((lower[0].unwrap() - 0.25).abs() < 1e-3);
        // Without the neighbours in the list they are in the flux.
        let lone = matched_fluxes(matched, None, &places[1..2], &Control::new()).unwrap();
        assert!(lone[0].unwrap() > 0.5);
    }
}
