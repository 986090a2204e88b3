//! Growth of a mask by the scale-invariant rank operator, where samples look like interference themselves.

use super::rank;

/// Evidence that a sample must have by itself: noise of two products has it in 0.3 % of the cases.
const LEAST: f32 = 4.0;

/// Flag what the operator adds along time and along frequency, where the sample's own evidence is enough.
#[inline(always)]
pub(super) fn grow(
    evidence: &[f32],
    (nt, nf): (usize, usize),
    eta: f32,
    mask: &mut [bool],
    (found, line): (&mut Vec<bool>, &mut Vec<bool>),
) {
    if eta <= 0.0 || !mask.iter().any(|m| *m) {
        return;
    }
    found.clear();
    found.extend_from_slice(mask);
    // Few samples that are not flagged look like it, and most lines have none.
    let mut of_freq = vec![false; nf];
    let of_time: Vec<bool> = (0..nt)
        .map(|t| {
            let (found, evidence) = (&found[t * nf..(t + 1) * nf], &evidence[t * nf..(t + 1) * nf]);
            let mut any = false;
            for f in 0..nf {
                let may = !found[f] & (evidence[f] > LEAST);
                of_freq[f] |= may;
                any |= may;
            }
            any
        })
        .collect();
    let times = (0..nt).filter(|t| of_time[*t]).map(|t| (t * nf, 1, nf));
    let freqs = (0..nf).filter(|f| of_freq[*f]).map(|f| (f, nf, nt));
    for (start, stride, n) in times.chain(freqs) {
        line.clear();
        line.extend((0..n).map(|k| found[start + k * stride]));
        rank(line, eta);
        for (k, m) in line.iter().enumerate() {
            let at = start + k * stride;
            mask[at] |= *m && evidence[at] > LEAST;
        }
    }
}
