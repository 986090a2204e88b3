//! Candidates of one baseline: kept where their neighbourhood stands out.

use super::{rank, Plane};

/// Times and channels on either side that are looked at.
const REACH: (usize, usize) = (4, 4);
/// Gaps are closed in runs of which at least one less this fraction is flagged.
const CLOSE: f32 = 0.5;
/// Noise confirms a candidate with this many sigma in 1 % of cases.
const SIGMAS: f32 = 2.33;
/// One sample says no more than this.
const MOST: f32 = 8.0;

/// Flag candidates whose neighbours among the candidates stand out together.
pub(super) fn confirm(plane: &Plane, candidates: &[bool], mask: &mut [bool], scratch: &mut Vec<[f32; 2]>) {
    let (nt, nf) = (plane.nt, plane.nf);
    if !candidates.iter().zip(mask.iter()).any(|(c, m)| *c && !*m) {
        return;
    }
    // Sums along frequency first, then along time where they are asked for.
    scratch.clear();
    scratch.resize(nt * nf, [0.0; 2]);
    for t in 0..nt {
        let line = t * nf;
        // What is flagged already may be another event that crosses this one.
        for f in (0..nf).filter(|f| candidates[line + f] && !mask[line + f]) {
            let value = [plane.sum[line + f].min(MOST * plane.count[line + f]), plane.count[line + f]];
            let near = line + f.saturating_sub(REACH.1)..line + (f + REACH.1 + 1).min(nf);
            for s in &mut scratch[near] {
                *s = [s[0] + value[0], s[1] + value[1]];
            }
        }
    }
    for t in 0..nt {
        for f in (0..nf).filter(|f| candidates[t * nf + f]) {
            let (mut sum, mut count) = (0.0, 0.0);
            for near in t.saturating_sub(REACH.0)..(t + REACH.0 + 1).min(nt) {
                let s = scratch[near * nf + f];
                sum += s[0];
                count += s[1];
            }
            // Interference above 3 sigma leaves hardly a sample below the mean of noise; half of the noise is.
            if sum > SIGMAS * count.sqrt() && count > 0.0 && plane.sum[t * nf + f] > 0.0 {
                mask[t * nf + f] = true;
            }
        }
    }
}

/// Close gaps between flagged samples by the rank operator, and grow by it where the rim stands out.
pub(super) fn grow(
    plane: &Plane,
    eta: f32,
    mask: &mut [bool],
    rim: &mut Vec<bool>,
    scratch: &mut Vec<[f32; 2]>,
) {
    let (nt, nf) = (plane.nt, plane.nf);
    if eta <= 0.0 || !mask.iter().any(|m| *m) {
        return;
    }
    rim.clear();
    rim.resize(nt * nf, false);
    let found = mask.to_vec();
    let mut line = Vec::new();
    for t in 0..nt {
        close_and_grow(&found, (t * nf, 1, nf), eta, &mut line, mask, rim);
    }
    for f in 0..nf {
        close_and_grow(&found, (f, nf, nt), eta, &mut line, mask, rim);
    }
    for (r, m) in rim.iter_mut().zip(mask.iter()) {
        *r &= !*m;
    }
    confirm(plane, rim, mask, scratch);
}

/// One line, `(start, stride, length)`.
fn close_and_grow(
    found: &[bool],
    (start, stride, n): (usize, usize, usize),
    eta: f32,
    line: &mut Vec<bool>,
    mask: &mut [bool],
    rim: &mut [bool],
) {
    let at = |k: usize| start + k * stride;
    if !(0..n).any(|k| found[at(k)]) {
        return;
    }
    line.clear();
    line.extend((0..n).map(|k| found[at(k)]));
    rank(line, eta);
    for k in 0..n {
        rim[at(k)] |= line[k];
    }
    for (k, m) in line.iter_mut().enumerate() {
        *m = found[at(k)];
    }
    rank(line, CLOSE);
    let mut k = 0;
    while k < n {
        let run = k + line[k..].iter().take_while(|m| **m).count();
        let first = (k..run).find(|j| found[at(*j)]).unwrap_or(run);
        let last = (k..run).rev().find(|j| found[at(*j)]).unwrap_or(k);
        for j in first..run.min(last + 1) {
            mask[at(j)] = true;
        }
        k = run + 1;
    }
}
