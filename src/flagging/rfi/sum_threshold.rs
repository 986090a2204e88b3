//! SumThreshold: runs of length 1, 2, 4, ... whose mean stands above a threshold that falls with the length.

use super::Plane;

/// Threshold of a run: `chi_1 / 1.5^log2(length)`.
fn threshold(first: f32, length: usize) -> f32 {
    first / 1.5f32.powf((length as f32).log2())
}

/// Flag runs along frequency and time in `plane.mask`; `excess` is amplitude less background, `first` the threshold of one
/// sample in the same unit.
pub(super) fn sum_threshold(
    plane: &mut Plane,
    excess: &[f32],
    first: f32,
    longest: (usize, usize),
    scratch: &mut Vec<bool>,
) {
    let (nt, nf) = (plane.nt, plane.nf);
    let mut length = 1;
    while length <= longest.0.max(longest.1) {
        let limit = threshold(first, length);
        scratch.clear();
        scratch.extend_from_slice(&plane.mask);
        if length <= longest.0.min(nf) {
            for t in 0..nt {
                let line = t * nf;
                runs(
                    &excess[line..line + nf],
                    &plane.mask[line..line + nf],
                    &mut scratch[line..line + nf],
                    length,
                    limit,
                );
            }
        }
        if length > 1 && length <= longest.1.min(nt) {
            columns(plane, excess, scratch, length, limit);
        }
        std::mem::swap(&mut plane.mask, scratch);
        length *= 2;
    }
}

/// One line: samples flagged by shorter runs do not count in longer ones, so that a peak does not smear.
fn runs(excess: &[f32], mask: &[bool], out: &mut [bool], length: usize, limit: f32) {
    if length == 1 {
        for (o, x) in out.iter_mut().zip(excess) {
            *o |= *x > limit;
        }
        return;
    }
    let (mut sum, mut count) = (0.0f32, 0.0f32);
    let value = |k: usize| if mask[k] { (0.0, 0.0) } else { (excess[k], 1.0) };
    for end in 0..excess.len() {
        let (x, c) = value(end);
        sum += x;
        count += c;
        if end + 1 > length {
            let (x, c) = value(end - length);
            sum -= x;
            count -= c;
        }
        if end + 1 >= length && sum > limit * count && count > 0.0 {
            let (from, to) =
                trim(end + 1 - length, end + 1, limit, |k| if mask[k] { 0.0 } else { excess[k] });
            out[from..to].fill(true);
        }
    }
}

/// The run without ends that do not stand out by half the threshold: a run that reaches over the edge of the interference
/// must not take quiet samples with it.
fn trim(mut from: usize, mut to: usize, limit: f32, excess: impl Fn(usize) -> f32) -> (usize, usize) {
    while from < to && excess(from) < 0.5 * limit {
        from += 1;
    }
    while to > from && excess(to - 1) < 0.5 * limit {
        to -= 1;
    }
    (from, to)
}

/// All lines along time at once, channel by channel side by side.
fn columns(plane: &Plane, excess: &[f32], out: &mut [bool], length: usize, limit: f32) {
    let (nt, nf) = (plane.nt, plane.nf);
    let mut sum = vec![0.0f32; nf];
    let mut count = vec![0.0f32; nf];
    for end in 0..nt {
        let add = end * nf;
        for f in 0..nf {
            let keep = f32::from(u8::from(!plane.mask[add + f]));
            sum[f] += keep * excess[add + f];
            count[f] += keep;
        }
        if end + 1 > length {
            let drop = (end - length) * nf;
            for f in 0..nf {
                let keep = f32::from(u8::from(!plane.mask[drop + f]));
                sum[f] -= keep * excess[drop + f];
                count[f] -= keep;
            }
        }
        if end + 1 < length {
            continue;
        }
        for f in 0..nf {
            if sum[f] > limit * count[f] && count[f] > 0.0 {
                let (from, to) = trim(end + 1 - length, end + 1, limit, |t| {
                    if plane.mask[t * nf + f] {
                        0.0
                    } else {
                        excess[t * nf + f]
                    }
                });
                for t in from..to {
                    out[t * nf + f] = true;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_faint_long_line_is_found_and_nothing_beside_it() {
        let (nt, nf) = (8, 64);
        let mut excess = vec![0.0; nt * nf];
        for t in 0..nt {
            for f in 20..28 {
                excess[t * nf + f] = 2.5;
            }
        }
        excess[5] = 7.0;
        let mut plane = Plane { nt, nf, amp: Vec::new(), mask: vec![false; nt * nf] };
        sum_threshold(&mut plane, &excess, 6.0, (32, 1), &mut Vec::new());
        for t in 0..nt {
            for f in 0..nf {
                let expected = (20..28).contains(&f) || (t, f) == (0, 5);
                assert_eq!(plane.mask[t * nf + f], expected, "{t} {f}");
            }
        }
        let mut time = Plane { nt, nf, amp: Vec::new(), mask: vec![false; nt * nf] };
        sum_threshold(&mut time, &excess, 6.0, (1, 8), &mut Vec::new());
        assert!((0..nt)
            .all(|t| (0..nf).all(|f| time.mask[t * nf + f] == ((20..28).contains(&f) || (t, f) == (0, 5)))));
    }
}
