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
    /// Number of baselines that flag a sample.
    flagged: Vec<u16>,
    /// Samples that stand out in the mean of what no baseline flags.
    faint: Option<Vec<bool>>,
    /// Prior odds by the number of others that flag a sample.
    odds: Vec<f32>,
}

impl Stack {
    /// Of planes of one shape and their masks.
    #[inline(always)]
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
        let odds = (0..=baselines)
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
        Self { baselines, flagged, faint, odds }
    }

    /// Evidence of a member with what the others show added.
    #[inline(always)]
    pub(super) fn inform(&self, plane: &Plane, mask: &[bool], out: &mut Vec<f32>) {
        out.clear();
        if self.baselines < 2 {
            out.extend_from_slice(&plane.evidence);
            return;
        }
        let own = plane.evidence.iter().zip(mask).zip(&plane.count);
        out.extend(own.zip(&self.flagged).map(|(((e, m), n), all)| {
            let others = usize::from(*all) - usize::from(*m);
            if *n > 0 {
                e + self.odds[others]
            } else {
                0.0
            }
        }));
        if let Some(faint) = &self.faint {
            for (e, f) in out.iter_mut().zip(faint) {
                *e += if *f { FAINT } else { 0.0 };
            }
        }
    }
}

#[inline(always)]
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
        let (evidence, counts, mask) = (&plane.evidence[..size], &plane.count[..size], &mask[..size]);
        let (sum, count) = (&mut sum[..size], &mut count[..size]);
        for k in 0..size {
            let n = f32::from(counts[k]) * f32::from(u8::from(!mask[k]));
            let x = (evidence[k] - n * MEAN) / SIGMA;
            // Not `clamp`, whose check of its bounds keeps samples apart.
            let x = if x < BOUNDS.0 * n { BOUNDS.0 * n } else { x };
            let x = if x > BOUNDS.1 * n { BOUNDS.1 * n } else { x };
            sum[k] += if n > 0.0 { x } else { 0.0 };
            count[k] += n;
        }
    }
    for (s, c) in sum.iter_mut().zip(&count) {
        // In units of its noise, less what differences of bandpasses make.
        *s = if *c > 0.0 { (*s - LEAST * *c) / c.sqrt() } else { 0.0 };
    }
    let mut mask = vec![false; size];
    scan(&mut sum, shape, (windows, 0.0), &mut mask, scratch);
    mask.iter().any(|m| *m).then_some(mask)
}
