//! SumThreshold in two dimensions: rectangles whose sum exceeds the limit of noise.

use super::limits::Window;
use super::order::nth;

/// Buffers of a scan.
#[derive(Default)]
pub(super) struct Scratch {
    sum: [Vec<f32>; 2],
    values: Vec<f32>,
    found: Vec<bool>,
}

/// An edge of a rectangle whose mean is below this fraction of the whole mean is cut off.
const QUIET: f32 = 0.5;

/// Flag rectangles of `excess` (time-major, units of its noise, 0 where there is nothing) in `mask`. Samples that smaller ones flagged do
/// not count in larger ones, so that a peak does not smear: they become 0. A rectangle whose mean is below `faintest` is left alone.
#[inline(always)]
pub(super) fn scan(
    excess: &mut [f32],
    (nt, nf): (usize, usize),
    (windows, faintest): (&[Window], f32),
    mask: &mut [bool],
    scratch: &mut Scratch,
) {
    let mut at = 0;
    while at < windows.len() {
        let height = windows[at].nt;
        let group = &windows[at..at + windows[at..].iter().take_while(|w| w.nt == height).count()];
        at += group.len();
        let (mut width, mut most) = (0, f32::NEG_INFINITY);
        for window in group {
            if width == 0 {
                most = pile(excess, (nt, nf), height, scratch);
                width = 1;
            }
            // Twice as wide each time.
            while width < window.nf {
                most = widen((nt + 1 - height, nf), width, scratch);
                width *= 2;
            }
            if !(most > window.limit) {
                continue;
            }
            if collect(excess, (nt, nf), (window, faintest), scratch) {
                for ((m, f), x) in mask.iter_mut().zip(&scratch.found).zip(excess.iter_mut()) {
                    *m |= *f;
                    *x = if *f { 0.0 } else { *x };
                }
                width = 0;
            }
        }
    }
}

/// Sums over `height` times; row t holds times t..t + height. Returns the greatest.
#[inline(always)]
fn pile(excess: &[f32], (nt, nf): (usize, usize), height: usize, scratch: &mut Scratch) -> f32 {
    let out = &mut scratch.sum[0];
    out.clear();
    out.extend_from_slice(excess);
    if height.is_power_of_two() {
        let mut done = 1;
        while done < height {
            // Rows past the end are not complete and not used.
            for t in 0..nt - done {
                let (head, tail) = out.split_at_mut((t + done) * nf);
                add(&mut head[t * nf..(t + 1) * nf], &tail[..nf]);
            }
            done *= 2;
        }
    } else {
        for t in 0..=nt - height {
            for row in t + 1..t + height {
                add(&mut out[t * nf..(t + 1) * nf], &excess[row * nf..(row + 1) * nf]);
            }
        }
    }
    greatest(&out[..(nt + 1 - height) * nf])
}

#[inline(always)]
fn add(to: &mut [f32], values: &[f32]) {
    for (a, b) in to.iter_mut().zip(values) {
        *a += *b;
    }
}

/// From sums over `width` channels to sums over twice as many; those that reach over the end are infinitely small. Returns the
/// greatest.
#[inline(always)]
fn widen((rows, nf): (usize, usize), width: usize, scratch: &mut Scratch) -> f32 {
    let [from, to] = &mut scratch.sum;
    to.resize(from.len(), 0.0);
    // Over the ends of the rows too: one long loop. What is added there belongs to another time, and is overwritten.
    let n = (rows * nf).saturating_sub(width);
    for ((o, a), b) in to[..n].iter_mut().zip(&from[..n]).zip(&from[width..]) {
        *o = a + b;
    }
    for line in to[..rows * nf].chunks_exact_mut(nf) {
        line[nf.saturating_sub(width)..].fill(f32::NEG_INFINITY);
    }
    scratch.sum.swap(0, 1);
    greatest(&scratch.sum[0][..rows * nf])
}

/// The greatest of the values.
#[inline(always)]
fn greatest(values: &[f32]) -> f32 {
    const LANES: usize = 32;
    let mut most = [f32::NEG_INFINITY; LANES];
    let (blocks, rest) = values.as_chunks::<LANES>();
    for block in blocks {
        for k in 0..LANES {
            most[k] = if block[k] > most[k] { block[k] } else { most[k] };
        }
    }
    most.iter().chain(rest).fold(f32::NEG_INFINITY, |most, x| if *x > most { *x } else { most })
}

/// Sums of the window's rectangles that begin in row `t`.
fn corners<'a>(nf: usize, window: &Window, sums: &'a [f32], t: usize) -> &'a [f32] {
    &sums[t * nf..t * nf + nf + 1 - window.nf]
}

/// How much wider than noise the sums are spread, at least 1: beats of sources and ripples of the bandpass widen them. Taken
/// between their quantiles 0.10 and 0.35, which interference reaches last.
#[inline(always)]
fn spread((nt, nf): (usize, usize), window: &Window, scratch: &mut Scratch) -> f32 {
    let values = &mut scratch.values;
    values.clear();
    let total = (nt + 1 - window.nt) * (nf + 1 - window.nf);
    let stride = (total / 300).max(1) | 1;
    let mut next = 0;
    for t in 0..=nt - window.nt {
        let sums = corners(nf, window, &scratch.sum[0], t);
        while next < sums.len() {
            // What is flagged has no spread.
            if sums[next] != 0.0 {
                values.push(sums[next]);
            }
            next += stride;
        }
        next -= sums.len();
    }
    let n = values.len();
    if n < 20 {
        return 1.0;
    }
    let (middle, low) = (nth(values, n * 35 / 100), nth(values, n / 10));
    // Distance of these quantiles of the unit normal.
    ((middle - low) / (0.896_2 * ((window.nt * window.nf) as f32).sqrt())).max(1.0)
}

/// Put the rectangles above the limit into `found`, without edges that do not stand out.
#[inline(always)]
fn collect(
    excess: &[f32],
    (nt, nf): (usize, usize),
    (window, faintest): (&Window, f32),
    scratch: &mut Scratch,
) -> bool {
    let least = faintest * (window.nt * window.nf) as f32;
    let limit = least.max(window.limit * spread((nt, nf), window, scratch));
    let mut found = std::mem::take(&mut scratch.found);
    found.clear();
    found.resize(excess.len(), false);
    let mut any = false;
    for t in 0..=nt - window.nt {
        for (f, sum) in corners(nf, window, &scratch.sum[0], t).iter().enumerate() {
            if *sum > limit {
                any = true;
                let least = QUIET * sum / (window.nt * window.nf) as f32;
                fill(excess, nf, ([t, t + window.nt], [f, f + window.nf]), least, &mut found);
            }
        }
    }
    scratch.found = found;
    any
}

/// Flag a rectangle less the edges whose mean is below `least`: one that reaches over the rim of the interference must not take
/// quiet samples with it.
fn fill(
    excess: &[f32],
    nf: usize,
    ([mut t0, mut t1], [mut f0, mut f1]): ([usize; 2], [usize; 2]),
    least: f32,
    found: &mut [bool],
) {
    let quiet = |ts: std::ops::Range<usize>, fs: std::ops::Range<usize>| {
        let count = (ts.len() * fs.len()) as f32;
        let sum: f32 = ts.map(|t| excess[t * nf + fs.start..t * nf + fs.end].iter().sum::<f32>()).sum();
        sum <= least * count
    };
    while t0 + 1 < t1 && quiet(t0..t0 + 1, f0..f1) {
        t0 += 1;
    }
    while t0 + 1 < t1 && quiet(t1 - 1..t1, f0..f1) {
        t1 -= 1;
    }
    while f0 + 1 < f1 && quiet(t0..t1, f0..f0 + 1) {
        f0 += 1;
    }
    while f0 + 1 < f1 && quiet(t0..t1, f1 - 1..f1) {
        f1 -= 1;
    }
    for t in t0..t1 {
        found[t * nf + f0..t * nf + f1].fill(true);
    }
}

#[cfg(test)]
mod tests {
    use super::super::limits::windows;
    use super::*;

    #[test]
    fn faint_shapes_are_found_and_nothing_beside_them() {
        let (nt, nf) = (24, 48);
        let shapes: [fn(usize, usize) -> bool; 4] = [
            |_, f| f == 7,
            |t, _| t == 3,
            |t, f| (4..12).contains(&t) && (20..28).contains(&f),
            |t, f| (2..3).contains(&t) && (40..48).contains(&f),
        ];
        for (k, shape) in shapes.iter().enumerate() {
            let inside = |i: usize| shape(i / nf, i % nf);
            let mut excess: Vec<f32> = (0..nt * nf).map(|i| if inside(i) { 3.0 } else { 0.0 }).collect();
            let mut mask = vec![false; nt * nf];
            let windows = windows((nt, nf), (32, 32), 2, 1e-4);
            scan(&mut excess, (nt, nf), (&windows, 0.0), &mut mask, &mut Scratch::default());
            for (i, m) in mask.iter().enumerate() {
                assert_eq!(*m, inside(i), "shape {k} at {} {}", i / nf, i % nf);
            }
        }
    }
}
