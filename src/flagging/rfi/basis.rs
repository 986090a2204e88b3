//! Smooth functions of time and frequency: products of orthonormal polynomials.
//!
//! After a source has been made to stand still, the rest of the field lies within a few turns of delay and of fringe rate over a
//! part of a plane: baselines and the field of view are bounded. Such levels are sums of few polynomials, whatever the number of
//! sources, and of all terms only those that stand out of the noise are kept.

/// Most polynomials along time and along frequency.
pub(super) const MOST: (usize, usize) = (7, 10);

/// Orthonormal polynomials on the numbers 0..n, (degree, number).
#[derive(Default)]
pub(super) struct Polynomials {
    pub n: usize,
    pub count: usize,
    pub values: Vec<f32>,
}

impl Polynomials {
    /// As many as `most`, or one for every third number.
    pub(super) fn prepare(&mut self, n: usize, most: usize) {
        if self.n == n && self.count > 0 {
            return;
        }
        let count = most.min(n / 3).max(1);
        let mut all: Vec<Vec<f64>> = Vec::with_capacity(count);
        let place = |k: usize| if n < 2 { 0.0 } else { 2.0 * k as f64 / (n - 1) as f64 - 1.0 };
        for degree in 0..count {
            let mut next: Vec<f64> = match all.last() {
                None => vec![1.0; n],
                Some(last) => last.iter().enumerate().map(|(k, y)| place(k) * y).collect(),
            };
            // Twice: what the first pass leaves by rounding is taken off too.
            for _ in 0..if degree == 0 { 0 } else { 2 } {
                for other in &all {
                    let along: f64 = other.iter().zip(&next).map(|(a, b)| a * b).sum();
                    next.iter_mut().zip(other).for_each(|(a, b)| *a -= along * b);
                }
            }
            let norm = next.iter().map(|y| y * y).sum::<f64>().sqrt();
            next.iter_mut().for_each(|y| *y /= norm);
            all.push(next);
        }
        (self.n, self.count) = (n, count);
        self.values = all.into_iter().flatten().map(|y| y as f32).collect();
    }

    /// The polynomial of a degree.
    #[inline(always)]
    pub(super) fn of(&self, degree: usize) -> &[f32] {
        &self.values[degree * self.n..(degree + 1) * self.n]
    }
}

/// Buffers of the sums along time.
#[derive(Default)]
pub(super) struct Lanes {
    lanes: Vec<f32>,
}

impl Lanes {
    /// Sums over time of weights times two polynomials, channel by channel.
    #[inline(always)]
    pub(super) fn of_products(&mut self, weight: &[f32], (a, b): (&[f32], &[f32]), nf: usize) -> &[f32] {
        self.lanes.clear();
        self.lanes.resize(nf, 0.0);
        for ((line, x), y) in weight.chunks_exact(nf).zip(a).zip(b) {
            let (lane, y) = (&mut self.lanes[..nf], x * y);
            for f in 0..nf {
                lane[f] += y * line[f];
            }
        }
        &self.lanes
    }
}

/// Coefficients of the first `count` polynomials of samples (time-major): `out` is (of time, of frequency).
#[inline(always)]
pub(super) fn project(
    samples: &[f32],
    (time, freq): (&Polynomials, &Polynomials),
    count: (usize, usize),
    lanes: &mut Lanes,
    out: &mut [f32],
) {
    let nf = freq.n;
    lanes.lanes.clear();
    lanes.lanes.resize(count.0 * nf, 0.0);
    for (t, line) in samples.chunks_exact(nf).enumerate() {
        for (k, lane) in lanes.lanes.chunks_exact_mut(nf).enumerate() {
            let y = time.values[k * time.n + t];
            let line = &line[..lane.len()];
            for f in 0..lane.len() {
                lane[f] += y * line[f];
            }
        }
    }
    for (k, lane) in lanes.lanes.chunks_exact(nf).enumerate() {
        for j in 0..count.1 {
            out[k * count.1 + j] = dot(lane, freq.of(j));
        }
    }
}

/// Sum of products in eight lanes, which a loop over one sum would not be.
#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a, rest_a) = a.as_chunks::<8>();
    let (b, rest_b) = b.as_chunks::<8>();
    let mut sums = [0.0f32; 8];
    for (x, y) in a.iter().zip(b) {
        for k in 0..8 {
            sums[k] += x[k] * y[k];
        }
    }
    sums.iter().sum::<f32>() + rest_a.iter().zip(rest_b).map(|(x, y)| x * y).sum::<f32>()
}

/// Values of a sum of polynomials.
#[inline(always)]
pub(super) fn evaluate(
    coefficients: &[f32],
    (time, freq): (&Polynomials, &Polynomials),
    count: (usize, usize),
    lanes: &mut Lanes,
    out: &mut [f32],
) {
    let nf = freq.n;
    lanes.lanes.clear();
    lanes.lanes.resize(count.0 * nf, 0.0);
    for (k, lane) in lanes.lanes.chunks_exact_mut(nf).enumerate() {
        for j in 0..count.1 {
            let (c, line) = (coefficients[k * count.1 + j], &freq.of(j)[..lane.len()]);
            if c != 0.0 {
                for f in 0..lane.len() {
                    lane[f] += c * line[f];
                }
            }
        }
    }
    for (t, line) in out.chunks_exact_mut(nf).enumerate() {
        line.fill(0.0);
        for (k, lane) in lanes.lanes.chunks_exact(nf).enumerate() {
            let y = time.values[k * time.n + t];
            let line = &mut line[..lane.len()];
            for f in 0..lane.len() {
                line[f] += y * lane[f];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polynomials_are_orthonormal_and_come_back() {
        let (mut time, mut freq) = (Polynomials::default(), Polynomials::default());
        time.prepare(24, MOST.0);
        freq.prepare(48, MOST.1);
        assert_eq!((time.count, freq.count), MOST);
        let count = MOST;
        let coefficients: Vec<f32> = (0..count.0 * count.1).map(|k| (k as f32 * 0.7).sin()).collect();
        let (mut samples, mut back) = (vec![0.0; 24 * 48], vec![0.0; coefficients.len()]);
        evaluate(&coefficients, (&time, &freq), count, &mut Lanes::default(), &mut samples);
        project(&samples, (&time, &freq), count, &mut Lanes::default(), &mut back);
        // Single precision, sums of 1152.
        assert!(coefficients.iter().zip(&back).all(|(a, b)| (a - b).abs() < 1e-5), "{back:?}");
        // A straight line in both has degrees 0 and 1 only.
        for (k, y) in samples.iter_mut().enumerate() {
            *y = 2.0 + 0.1 * (k / 48) as f32 - 0.3 * (k % 48) as f32;
        }
        project(&samples, (&time, &freq), count, &mut Lanes::default(), &mut back);
        for (k, y) in back.iter().enumerate() {
            assert!((k / count.1) + (k % count.1) < 2 || y.abs() < 1e-3, "{k}: {y}");
        }
    }
}
