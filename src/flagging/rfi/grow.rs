//! Growth of a mask by the scale-invariant rank operator, where samples look like interference themselves.

use super::rank;

/// Evidence that a sample must have by itself: noise of two products has it in 0.3 % of the cases.
const LEAST: f32 = 4.0;

/// Flag what the operator adds along time and along frequency, where the sample's own evidence is enough.
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
    let lines = (0..nt).map(|t| (t * nf, 1, nf)).chain((0..nf).map(|f| (f, nf, nt)));
    // Few samples that are not flagged look like it, and most lines have none.
    let may = |at: usize| !found[at] & (evidence[at] > LEAST);
    for (start, stride, n) in lines {
        if !(0..n).fold(false, |any, k| any | may(start + k * stride)) {
            continue;
        }
        line.clear();
        line.extend((0..n).map(|k| found[start + k * stride]));
        rank(line, eta);
        for (k, m) in line.iter().enumerate() {
            let at = start + k * stride;
            mask[at] |= *m && evidence[at] > LEAST;
        }
    }
}
