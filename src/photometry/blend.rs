//! Sources closer than a beam or so, fitted together.

use std::collections::HashMap;

use rayon::prelude::*;

use super::forced::{Maps, PixelFit};
use super::shape::Shapes;
use super::window::Window;
use super::Error;
use crate::control::Control;
use crate::math::linear::Cholesky;
use crate::source::Measurement;

/// Largest group solved as one; members of a larger one are each solved with their nearest neighbours.
const WHOLE_GROUP: usize = 24;
/// Neighbours taken along in a group that is too large.
const NEIGHBOURS: usize = 10;

/// Groups of positions linked by distances below `limit_px` (friends of friends); only groups of two and more.
pub(super) fn groups(
    pixel_xy: &[[f64; 2]],
    usable: impl Fn(usize) -> bool,
    limit_px: f64,
) -> Vec<Vec<usize>> {
    let cell = |xy: [f64; 2]| ((xy[0] / limit_px).floor() as i64, (xy[1] / limit_px).floor() as i64);
    let mut grid: HashMap<(i64, i64), Vec<usize>> = HashMap::new();
    for (i, xy) in pixel_xy.iter().enumerate().filter(|(i, _)| usable(*i)) {
        grid.entry(cell(*xy)).or_default().push(i);
    }
    let mut parent: Vec<usize> = (0..pixel_xy.len()).collect();
    fn root(parent: &mut [usize], mut i: usize) -> usize {
        while parent[i] != i {
            parent[i] = parent[parent[i]];
            i = parent[i];
        }
        i
    }
    for (&(cx, cy), members) in &grid {
        for (dx, dy) in [(0, 0), (1, -1), (1, 0), (1, 1), (0, 1)] {
            let Some(others) = grid.get(&(cx + dx, cy + dy)) else { continue };
            for &i in members {
                for &j in others {
                    if i != j && distance(pixel_xy[i], pixel_xy[j]) < limit_px {
                        let (a, b) = (root(&mut parent, i), root(&mut parent, j));
                        // The smaller index leads, so that numbering does not depend on the order of visits.
                        parent[a.max(b)] = a.min(b);
                    }
                }
            }
        }
    }
    let mut by_root: HashMap<usize, Vec<usize>> = HashMap::new();
    for i in (0..pixel_xy.len()).filter(|i| usable(*i)) {
        by_root.entry(root(&mut parent, i)).or_default().push(i);
    }
    let mut found: Vec<Vec<usize>> = by_root.into_values().filter(|g| g.len() > 1).collect();
    found.sort();
    found
}

fn distance(a: [f64; 2], b: [f64; 2]) -> f64 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

/// Replace the fluxes of blended sources by those of joint fits of fixed shapes. The error grows by the ratio of the joint to
/// the single formal error. Positions that coincide cannot be told apart: they keep their single fits, flagged.
pub(super) fn refit(
    maps: Maps<'_>,
    shapes: Shapes<'_>,
    pixel_xy: &[[f64; 2]],
    (limit_px, half): (f64, usize),
    fits: &mut [PixelFit],
    control: &Control,
) -> Result<(), Error> {
    let groups = groups(pixel_xy, |i| fits[i].flags & Measurement::OUTSIDE == 0, limit_px);
    let single: &[PixelFit] = fits;
    let updates: Result<Vec<Vec<(usize, PixelFit)>>, Error> = groups
        .par_iter()
        .enumerate()
        .map(|(number, group)| {
            control.check()?;
            Ok(solve_group(maps, shapes, pixel_xy, half, group, single)
                .into_iter()
                .map(|(i, fit)| {
                    (i, PixelFit { cluster: Some(number), flags: fit.flags | Measurement::BLEND, ..fit })
                })
                .collect())
        })
        .collect();
    for (i, fit) in updates?.into_iter().flatten() {
        fits[i] = fit;
    }
    Ok(())
}

fn solve_group(
    maps: Maps<'_>,
    shapes: Shapes<'_>,
    pixel_xy: &[[f64; 2]],
    half: usize,
    group: &[usize],
    single: &[PixelFit],
) -> Vec<(usize, PixelFit)> {
    if group.len() <= WHOLE_GROUP {
        let fits = joint(maps, shapes, pixel_xy, half, group, single);
        return group.iter().copied().zip(fits).collect();
    }
    group
        .iter()
        .map(|&i| {
            let mut near: Vec<usize> = group.iter().copied().filter(|&j| j != i).collect();
            near.sort_by(|&a, &b| {
                distance(pixel_xy[i], pixel_xy[a])
                    .total_cmp(&distance(pixel_xy[i], pixel_xy[b]))
                    .then(a.cmp(&b))
            });
            near.truncate(NEIGHBOURS);
            near.insert(0, i);
            (i, joint(maps, shapes, pixel_xy, half, &near, single)[0])
        })
        .collect()
}

/// Amplitudes of `group`, over the union of its members' windows, weighted by the local noise.
fn joint(
    maps: Maps<'_>,
    shapes: Shapes<'_>,
    pixel_xy: &[[f64; 2]],
    half: usize,
    group: &[usize],
    single: &[PixelFit],
) -> Vec<PixelFit> {
    let unsolved = || group.iter().map(|&i| single[i]).collect::<Vec<_>>();
    let n = group.len();
    let shape = maps.image_yx.dim();
    let windows: Vec<Window> = group.iter().filter_map(|&i| Window::new(shape, pixel_xy[i], half)).collect();
    let fold =
        |f: fn(&Window) -> usize, g: fn(usize, usize) -> usize| windows.iter().map(f).reduce(g).unwrap_or(0);
    let (y0, y1) = (fold(|w| w.y0, usize::min), fold(|w| w.y1, usize::max));
    let (x0, x1) = (fold(|w| w.x0, usize::min), fold(|w| w.x1, usize::max));
    let level = group.iter().map(|&i| single[i].local_rms_jy).fold(0.0, f64::max);
    let (mut normal, mut right, mut row) = (vec![0.0; n * n], vec![0.0; n], vec![0.0; n]);
    let (mut dd, mut pixels) = (0.0, 0usize);
    for y in y0..=y1 {
        for x in x0..=x1 {
            let inside = windows.iter().any(|w| (w.x0..=w.x1).contains(&x) && (w.y0..=w.y1).contains(&y));
            let d =
                f64::from(maps.image_yx[[y, x]]) - maps.background_yx.map_or(0.0, |b| f64::from(b[[y, x]]));
            let noise = maps.noise_yx.map_or(level, |m| f64::from(m[[y, x]]));
            if !(inside && d.is_finite() && noise > 0.0 && noise.is_finite()) {
                continue;
            }
            let w = 1.0 / (noise * noise);
            for (k, &i) in row.iter_mut().zip(group) {
                *k = shapes.of(i).at(x as f64 - pixel_xy[i][0], y as f64 - pixel_xy[i][1]);
            }
            for i in 0..n {
                right[i] += w * d * row[i];
                for j in 0..=i {
                    normal[i * n + j] += w * row[i] * row[j];
                }
            }
            dd += w * d * d;
            pixels += 1;
        }
    }
    let Ok(factor) = Cholesky::new(&normal, n) else { return unsolved() };
    let mut flux = right.clone();
    factor.solve(&mut flux);
    let covariance = factor.inverse();
    let explained: f64 = flux.iter().zip(&right).map(|(f, r)| f * r).sum();
    group
        .iter()
        .enumerate()
        .map(|(k, &i)| PixelFit {
            flux_jy: flux[k],
            flux_err_jy: single[i].flux_err_jy * (covariance[k * n + k] * normal[k * n + k]).max(1.0).sqrt(),
            chi2: (dd - explained).max(0.0),
            dof: pixels.saturating_sub(n),
            ..single[i]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn friends_of_friends_across_cells() {
        let xy = [[0.9, 0.0], [1.1, 0.0], [2.0, 0.1], [50.0, 50.0], [-0.2, -0.3], [51.5, 50.0]];
        assert_eq!(groups(&xy, |_| true, 1.0), vec![vec![0, 1, 2]]);
        assert_eq!(groups(&xy, |i| i != 1, 1.0).len(), 0);
        assert_eq!(groups(&xy, |_| true, 2.0), vec![vec![0, 1, 2, 4], vec![3, 5]]);
    }
}
