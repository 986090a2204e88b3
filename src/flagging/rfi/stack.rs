//! Interference that is too faint on one baseline, in stacks of baselines of like length.

use super::limits::Window;
use super::scan::{scan, Scratch};
use super::Plane;

/// Excess of a sample, in sigma of its noise, below which a stack is not believed: bandpasses differ by that much.
const LEAST: f32 = 0.15;
/// Bounds of what one baseline may add.
const BOUNDS: (f32, f32) = (-2.0, 4.0);
/// Fewer baselines than this are no stack.
const FEWEST: usize = 8;

/// Samples that stand out in the mean of some planes of one shape; `None` when there are too few.
pub(super) fn candidates(planes: &[&Plane], windows: &[Window], scratch: &mut Scratch) -> Option<Vec<bool>> {
    let first = planes.first().filter(|_| planes.len() >= FEWEST)?;
    let mut mean = Plane { nt: first.nt, nf: first.nf, ..Plane::default() };
    mean.sum.resize(first.sum.len(), 0.0);
    mean.count.resize(first.sum.len(), 0.0);
    for plane in planes {
        let samples = plane.sum.iter().zip(&plane.count);
        for ((s, c), (x, n)) in mean.sum.iter_mut().zip(&mut mean.count).zip(samples) {
            *s += x.clamp(BOUNDS.0 * n, BOUNDS.1 * n);
            *c += n;
        }
    }
    for (s, c) in mean.sum.iter_mut().zip(&mut mean.count) {
        if *c > 0.0 {
            // In units of its noise, less what differences of bandpasses make.
            *s = (*s - LEAST * *c) / c.sqrt();
            *c = 1.0;
        }
    }
    let mut mask = vec![false; mean.sum.len()];
    scan(&mean, windows, &mut mask, scratch);
    mask.iter().any(|m| *m).then_some(mask)
}
