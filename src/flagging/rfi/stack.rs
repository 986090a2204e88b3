//! What baselines of like length show together is prior knowledge for each: interference is common to them.

use super::evidence::{MEAN, SIGMA};
use super::limits::Window;
use super::scan::{scan, Scratch};
use super::Plane;

/// Bounds of prior odds' logarithms: a baseline that stands alone is believed nearly as well as before.
const PRIOR: (f32, f32) = (-0.5, 4.0);
/// What faint interference, which only the stack shows, adds.
const FAINT: f32 = 2.5;
/// Bounds of what one baseline may add to a stack \[sigma of noise\].
const BOUNDS: (f32, f32) = (-2.0, 4.0);
/// Excess of a sample, in sigma of its noise, below which a stack is not believed: bandpasses differ by that much.
const LEAST: f32 = 0.15;
/// Fewer baselines than this are no stack for faint interference.
const FEWEST: usize = 8;

/// What some baselines show together.
pub(super) struct Stack {
    baselines: usize,
    /// What is added to the evidence of a baseline that flags a sample itself, and of one that does not.
    flags: Vec<f32>,
    does_not: Vec<f32>,
}

impl Stack {
    /// Of planes of one shape and their masks.
    pub(super) fn new<'a>(
        members: impl Iterator<Item = (&'a Plane, &'a [bool])> + Clone,
        windows: &[Window],
        scratch: &mut Scratch,
    ) -> Self {
        let baselines = members.clone().count();
        let size = members.clone().next().map_or(0, |(plane, _)| plane.evidence.len());
        let mut flagged = vec![0u16; size];
        for (_, mask) in members.clone() {
            for (n, m) in flagged.iter_mut().zip(mask) {
                *n += u16::from(*m);
            }
        }
        let odds: Vec<f32> = (0..=baselines)
            .map(|n| {
                let others = (baselines - 1) as f32;
                let odds = (n as f32 + 0.5) / (others - n as f32 + 0.5).max(0.5);
                if others > 0.0 {
                    odds.ln().clamp(PRIOR.0, PRIOR.1)
                } else {
                    0.0
                }
            })
            .collect();
        let faint = if baselines < FEWEST { None } else { faint(members, size, windows, scratch) };
        let rest = |k: usize| faint.as_ref().map_or(0.0, |faint| if faint[k] { FAINT } else { 0.0 });
        // Odds by the number of the others that flag a sample.
        let added = |own: u16| {
            (0..size).map(|k| odds[usize::from(flagged[k].saturating_sub(own))] + rest(k)).collect()
        };
        Self { baselines, flags: added(1), does_not: added(0) }
    }

    /// Evidence of a member with what the others show added.
    pub(super) fn inform(&self, plane: &Plane, mask: &[bool], out: &mut Vec<f32>) {
        out.clear();
        if self.baselines < 2 {
            out.extend_from_slice(&plane.either);
            return;
        }
        out.resize(mask.len(), 0.0);
        with_prior((&plane.either, &plane.count), mask, (&self.flags, &self.does_not), out);
    }
}

/// Evidence with the prior odds of flagged and of unflagged samples; samples without data have none.
#[inline(always)]
fn with_prior_body(
    (evidence, count): (&[f32], &[u8]),
    mask: &[bool],
    (flagged, unflagged): (&[f32], &[f32]),
    out: &mut [f32],
) {
    let n = out.len();
    let (evidence, count, mask) = (&evidence[..n], &count[..n], &mask[..n]);
    let (flagged, unflagged) = (&flagged[..n], &unflagged[..n]);
    for k in 0..n {
        let prior = if mask[k] { flagged[k] } else { unflagged[k] };
        out[k] = if count[k] > 0 { evidence[k] + prior } else { 0.0 };
    }
}

super::vectorized! {
    fn with_prior = with_prior_body;
    (of: (&[f32], &[u8]), mask: &[bool], odds: (&[f32], &[f32]), out: &mut [f32])
}

/// Add what is unflagged of a plane, in sigma of its noise and bounded, to the sums and numbers of a stack.
#[inline(always)]
fn pile_up_body(plane: &Plane, mask: &[bool], sum: &mut [f32], number: &mut [f32]) {
    let n = sum.len();
    let (evidence, count, mask) = (&plane.evidence[..n], &plane.count[..n], &mask[..n]);
    let number = &mut number[..n];
    for k in 0..n {
        let products = if mask[k] { 0.0 } else { f32::from(count[k]) };
        let x = (evidence[k] - products * MEAN) * (1.0 / SIGMA);
        // Without products both bounds are 0.
        sum[k] += x.max(BOUNDS.0 * products).min(BOUNDS.1 * products);
        number[k] += products;
    }
}

super::vectorized! {
    fn pile_up = pile_up_body;
    (plane: &Plane, mask: &[bool], sum: &mut [f32], number: &mut [f32])
}

fn faint<'a>(
    members: impl Iterator<Item = (&'a Plane, &'a [bool])>,
    size: usize,
    windows: &[Window],
    scratch: &mut Scratch,
) -> Option<Vec<bool>> {
    let (mut sum, mut count) = (vec![0.0f32; size], vec![0.0f32; size]);
    let mut shape = (0, 0);
    for (plane, mask) in members {
        shape = (plane.nt, plane.nf);
        pile_up(plane, mask, &mut sum, &mut count);
    }
    for (s, c) in sum.iter_mut().zip(&count) {
        // In units of its noise, less what differences of bandpasses make.
        *s = if *c > 0.0 { (*s - LEAST * *c) / c.sqrt() } else { 0.0 };
    }
    let mut mask = vec![false; size];
    scan(&mut sum, shape, (windows, 0.0), &mut mask, scratch);
    mask.iter().any(|m| *m).then_some(mask)
}
