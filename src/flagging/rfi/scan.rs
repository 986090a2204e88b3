//! SumThreshold in two dimensions: rectangles whose sum exceeds the limit of noise.

use super::limits::Window;
use super::Plane;

/// Buffers of a scan.
#[derive(Default)]
pub(super) struct Scratch {
    sum: [Vec<f32>; 2],
    count: [Vec<f32>; 2],
    /// Number of products where all samples have it and none is flagged; `count` is then left empty.
    uniform: Option<f32>,
    found: Vec<bool>,
    values: Vec<f32>,
}

/// An edge of a rectangle whose mean is below this fraction of the whole mean is cut off.
const QUIET: f32 = 0.5;

/// Flag rectangles in `mask`. Samples that smaller ones flagged do not count in larger ones, so that a peak does not smear.
pub(super) fn scan(plane: &Plane, windows: &[Window], mask: &mut [bool], scratch: &mut Scratch) {
    let mut at = 0;
    while at < windows.len() {
        let height = windows[at].nt;
        let group = &windows[at..at + windows[at..].iter().take_while(|w| w.nt == height).count()];
        rows(plane, group, mask, scratch);
        at += group.len();
    }
}

/// All widths of one height.
fn rows(plane: &Plane, group: &[Window], mask: &mut [bool], scratch: &mut Scratch) {
    let mut width = 0;
    for window in group {
        if width == 0 {
            columns(plane, window.nt, mask, scratch);
            width = 1;
        }
        widen(plane, window, &mut width, scratch);
        if !exceeds(plane, window, scratch) {
            continue;
        }
        if let Some(n) = scratch.uniform {
            scratch.count[0].resize(mask.len(), n * (window.nt * window.nf) as f32);
        }
        let scale = spread(plane, window, scratch);
        scratch.found.clear();
        scratch.found.resize(mask.len(), false);
        if collect(plane, window, scale, mask, scratch) {
            for (m, f) in mask.iter_mut().zip(&scratch.found) {
                *m |= *f;
            }
            // What was found must not count in the next.
            width = 0;
        } else if scratch.uniform.is_some() {
            scratch.count[0].clear();
        }
    }
}

/// Sums over `height` times; row t holds times t..t + height.
fn columns(plane: &Plane, height: usize, mask: &[bool], scratch: &mut Scratch) {
    let first = plane.count.first().copied().unwrap_or(0.0);
    let same = !mask.iter().any(|m| *m) && plane.count.iter().all(|n| *n == first) && first > 0.0;
    scratch.uniform = same.then_some(first);
    for (pair, values) in [(&mut scratch.sum, &plane.sum), (&mut scratch.count, &plane.count)] {
        let [out, _] = pair;
        out.clear();
        if same && std::ptr::eq(values, &plane.count) {
            continue;
        }
        out.extend(values.iter().zip(mask).map(|(x, m)| if *m { 0.0 } else { *x }));
        pile(pair, (plane.nt, plane.nf), height);
    }
}

fn pile([out, single]: &mut [Vec<f32>; 2], (nt, nf): (usize, usize), height: usize) {
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
        return;
    }
    single.clear();
    single.extend_from_slice(out);
    for t in 0..=nt - height {
        for row in t + 1..t + height {
            add(&mut out[t * nf..(t + 1) * nf], &single[row * nf..(row + 1) * nf]);
        }
    }
}

fn add(to: &mut [f32], values: &[f32]) {
    for (a, b) in to.iter_mut().zip(values) {
        *a += *b;
    }
}

/// From sums over `width` channels to the window's width.
fn widen(plane: &Plane, window: &Window, width: &mut usize, scratch: &mut Scratch) {
    while *width < window.nf {
        let step = (*width).min(window.nf - *width);
        for pair in [&mut scratch.sum, &mut scratch.count] {
            let [from, to] = pair;
            if from.is_empty() {
                continue;
            }
            to.clear();
            to.resize(from.len(), 0.0);
            for t in 0..plane.nt {
                let line = &from[t * plane.nf..(t + 1) * plane.nf];
                let n = plane.nf - step;
                let out = &mut to[t * plane.nf..t * plane.nf + n];
                for ((o, a), b) in out.iter_mut().zip(&line[..n]).zip(&line[step..]) {
                    *o = a + b;
                }
            }
            pair.swap(0, 1);
        }
        *width += step;
    }
}

/// First corners of the window's rectangles in row `t`.
fn corners<'a>(plane: &Plane, window: &Window, values: &'a [f32], t: usize) -> &'a [f32] {
    &values[t * plane.nf..t * plane.nf + plane.nf + 1 - window.nf]
}

fn exceeds(plane: &Plane, window: &Window, scratch: &Scratch) -> bool {
    if let Some(n) = scratch.uniform {
        let limit = window.limit(n * (window.nt * window.nf) as f32);
        return (0..=plane.nt - window.nt).any(|t| {
            let sums = corners(plane, window, &scratch.sum[0], t);
            sums.iter().fold(false, |any, s| any | (*s > limit))
        });
    }
    (0..=plane.nt - window.nt).any(|t| {
        let sums = corners(plane, window, &scratch.sum[0], t);
        let counts = corners(plane, window, &scratch.count[0], t);
        sums.iter().zip(counts).fold(false, |any, (s, c)| any | (*s > window.limit(*c)))
    })
}

/// How much wider than noise the sums are spread, at least 1: beats of sources and ripples of the bandpass widen them. Taken
/// between their quantiles 0.10 and 0.35, which interference reaches last.
fn spread(plane: &Plane, window: &Window, scratch: &mut Scratch) -> f32 {
    scratch.values.clear();
    let total = (plane.nt + 1 - window.nt) * (plane.nf + 1 - window.nf);
    let stride = (total / 300).max(1) | 1;
    let mut next = 0;
    for t in 0..=plane.nt - window.nt {
        let sums = corners(plane, window, &scratch.sum[0], t);
        let counts = corners(plane, window, &scratch.count[0], t);
        while next < sums.len() {
            if counts[next] > 0.5 {
                scratch.values.push(sums[next] / counts[next].sqrt());
            }
            next += stride;
        }
        next -= sums.len();
    }
    let n = scratch.values.len();
    if n < 20 {
        return 1.0;
    }
    let middle = *scratch.values.select_nth_unstable_by(n * 35 / 100, f32::total_cmp).1;
    let low = *scratch.values.select_nth_unstable_by(n / 10, f32::total_cmp).1;
    // Distance of these quantiles of the unit normal.
    ((middle - low) / 0.896_2).max(1.0)
}

/// Put the rectangles above the limit into `found`, without edges that do not stand out.
fn collect(plane: &Plane, window: &Window, scale: f32, mask: &[bool], scratch: &mut Scratch) -> bool {
    let mut any = false;
    for t in 0..=plane.nt - window.nt {
        for f in 0..=plane.nf - window.nf {
            let k = t * plane.nf + f;
            let (sum, count) = (scratch.sum[0][k], scratch.count[0][k]);
            if sum > window.limit(count) && sum > window.limit_of_spread(count, scale) {
                any = true;
                fill(plane, (t, f), window, QUIET * sum / count, mask, &mut scratch.found);
            }
        }
    }
    any
}

/// Flag a rectangle less the edges whose mean is below `least`: one that reaches over the rim of the interference must not take
/// quiet samples with it.
fn fill(
    plane: &Plane,
    (t, f): (usize, usize),
    window: &Window,
    least: f32,
    mask: &[bool],
    found: &mut [bool],
) {
    let nf = plane.nf;
    let (mut t0, mut t1, mut f0, mut f1) = (t, t + window.nt, f, f + window.nf);
    let quiet = |ts: std::ops::Range<usize>, fs: std::ops::Range<usize>| {
        let (mut sum, mut count) = (0.0, 0.0);
        for t in ts {
            for k in t * nf + fs.start..t * nf + fs.end {
                if !mask[k] {
                    sum += plane.sum[k];
                    count += plane.count[k];
                }
            }
        }
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
            let plane = Plane {
                nt,
                nf,
                sum: (0..nt * nf).map(|i| if inside(i) { 3.0 } else { 0.0 }).collect(),
                count: vec![1.0; nt * nf],
            };
            let mut mask = vec![false; nt * nf];
            scan(&plane, &windows((nt, nf), (32, 32), 1e-4), &mut mask, &mut Scratch::default());
            for (i, m) in mask.iter().enumerate() {
                assert_eq!(*m, inside(i), "shape {k} at {} {}", i / nf, i % nf);
            }
        }
    }
}
