//! Which samples are interference, given their evidence and that of their neighbours.
//!
//! Along a line, interference begins and ends rarely: with two states and the odds of a change, the best explanation of the samples
//! before one tells `clamp(sum, -bound, bound)` of it, a sum that never goes beyond the cost of a change (max-product messages of a
//! hidden Markov chain, or Page's cumulative sum bounded on both sides). Both directions along time and along frequency are looked at,
//! and the axis that says more counts: lines, bursts and patches are runs along one of them at least.

use super::transpose::transpose;

/// Part of the other axis's say.
const OTHER: f32 = 0.3;
/// Interference next to interference along one axis alone has this odds' logarithm against it.
const AGAINST: f32 = 2.7;

/// Buffers.
#[derive(Default)]
pub(super) struct Scratch {
    along_time: Vec<f32>,
    along_freq: Vec<f32>,
    turned: Vec<f32>,
}

/// The cost of a change for which noise is flagged in less than `false_alarm` of the samples: a likelihood ratio exceeds $e^x$ in less
/// than $e^{-x}$ of the cases, and a lone sample must pay for two changes.
pub(super) fn cost(false_alarm: f64) -> f32 {
    (-0.5 * false_alarm.ln()) as f32
}

/// Fill `mask` from the evidence (time-major) of `nt` by `nf` samples.
#[inline(always)]
pub(super) fn mark(
    evidence: &[f32],
    (nt, nf): (usize, usize),
    bound: f32,
    mask: &mut [bool],
    scratch: &mut Scratch,
) {
    if nt == 0 || nf == 0 {
        return;
    }
    runs(evidence, (nt, nf), bound, &mut scratch.along_time);
    transpose(evidence, (nt, nf), &mut scratch.turned);
    runs(&scratch.turned, (nf, nt), bound, &mut scratch.along_freq);
    transpose(&scratch.along_freq, (nf, nt), &mut scratch.turned);
    let said = scratch.along_time.iter().zip(&scratch.turned);
    for ((m, e), (a, b)) in mask.iter_mut().zip(evidence).zip(said) {
        let (most, least) = (a.max(*b), a.min(*b));
        *m = e + most + OTHER * least > AGAINST;
    }
}

/// Lanes whose sums are kept in registers.
const LANES: usize = 24;

/// What the samples before and after say, along the first axis of (n, lanes).
#[inline(always)]
fn runs(evidence: &[f32], (n, lanes): (usize, usize), bound: f32, said: &mut Vec<f32>) {
    said.resize(n * lanes, 0.0);
    let mut from = 0;
    while from + LANES <= lanes {
        some::<LANES>(evidence, (n, lanes), from, bound, said);
        from += LANES;
    }
    while from + 8 <= lanes {
        some::<8>(evidence, (n, lanes), from, bound, said);
        from += 8;
    }
    for lane in from..lanes {
        some::<1>(evidence, (n, lanes), lane, bound, said);
    }
}

/// The same of `N` lanes.
#[inline(always)]
fn some<const N: usize>(
    evidence: &[f32],
    (n, lanes): (usize, usize),
    from: usize,
    bound: f32,
    said: &mut [f32],
) {
    // Before the first sample: a little less likely interference than not. A line that is all edge says nothing for it.
    let edge = if n < 4 { -bound } else { -0.5 * bound };
    let step = |sum: f32, e: f32| {
        let next = sum + e;
        let next = if next > -bound { next } else { -bound };
        if next < bound {
            next
        } else {
            bound
        }
    };
    // Lanes are copied before they are written: what may lie in one place would be taken one by one.
    let lanes_of = |values: &[f32], at: usize| -> [f32; N] {
        let mut out = [0.0; N];
        out.copy_from_slice(&values[at..at + N]);
        out
    };
    let mut sums = [edge; N];
    for k in 0..n {
        let at = k * lanes + from;
        let e = lanes_of(evidence, at);
        said[at..at + N].copy_from_slice(&sums);
        for f in 0..N {
            sums[f] = step(sums[f], e[f]);
        }
    }
    let mut sums = [edge; N];
    for k in (0..n).rev() {
        let at = k * lanes + from;
        let (e, mut out) = (lanes_of(evidence, at), lanes_of(said, at));
        for f in 0..N {
            out[f] += sums[f];
            sums[f] = step(sums[f], e[f]);
        }
        said[at..at + N].copy_from_slice(&out);
    }
}
