//! Alternating least squares for one interval, channel and receptor.
//!
//! Salvini & Wijnholds 2014 (A&A 571, A97, doi:10.1051/0004-6361/201424487): with all other gains held, each gain has the
//! closed form `g_i = sum_j num_ij g_j / sum_j den_ij |g_j|^2`; every second iteration is averaged with the one before.

use num_complex::Complex64;

use super::accumulate::wide;
use super::Mode;

/// Normal equations of `n` antennas, full and Hermitian: `num[i][j] = conj(num[j][i])`.
#[derive(Clone, Debug, Default)]
pub struct Normal {
    /// Antennas.
    pub n: usize,
    /// Real part of `sum w V conj(M)`, n x n.
    pub num_re: Vec<f64>,
    /// Imaginary part.
    pub num_im: Vec<f64>,
    /// `sum w |M|^2`, symmetric; 0 where there are no data.
    pub den: Vec<f64>,
}

impl Normal {
    /// No data for `n` antennas.
    pub fn new(n: usize) -> Self {
        Self { n, num_re: vec![0.0; n * n], num_im: vec![0.0; n * n], den: vec![0.0; n * n] }
    }

    /// Set baseline (i, j) and its mirror.
    pub fn set(&mut self, i: usize, j: usize, num: Complex64, den: f64) {
        for (a, b, im) in [(i, j, num.im), (j, i, -num.im)] {
            self.num_re[a * self.n + b] = num.re;
            self.num_im[a * self.n + b] = im;
            self.den[a * self.n + b] = den;
        }
    }

    /// `num` of baseline (i, j).
    pub fn num(&self, i: usize, j: usize) -> Complex64 {
        Complex64::new(self.num_re[i * self.n + j], self.num_im[i * self.n + j])
    }

    /// First guess: amplitude from the mean, phases from the antenna with the greatest total weight.
    fn guess(&self, mode: Mode) -> Vec<Complex64> {
        let n = self.n;
        let (mut amp, mut total) = (0.0, 0.0);
        for k in 0..n * n {
            amp += (self.num_re[k] * self.num_re[k] + self.num_im[k] * self.num_im[k]).sqrt();
            total += self.den[k];
        }
        let amp = if mode == Mode::Phase || total <= 0.0 || amp <= 0.0 { 1.0 } else { (amp / total).sqrt() };
        let row = |i: usize| self.den[i * n..(i + 1) * n].iter().sum::<f64>();
        let hub = (0..n).max_by(|a, b| row(*a).total_cmp(&row(*b))).unwrap_or(0);
        (0..n)
            .map(|i| {
                let z = self.num(i, hub);
                if i == hub || z.norm() == 0.0 {
                    Complex64::new(amp, 0.0)
                } else {
                    z / z.norm() * amp
                }
            })
            .collect()
    }

    /// A guess that few outlying baselines do not touch: `|g_i|` is the median over j of `|num_ij / den_ij| / |g_j|`.
    pub(super) fn median_guess(&self, mode: Mode) -> Vec<Complex64> {
        let mut g = self.guess(mode);
        if mode == Mode::Phase {
            return g;
        }
        for _ in 0..5 {
            let next: Vec<Complex64> = (0..self.n)
                .map(|i| {
                    let mut ratios: Vec<f64> = (0..self.n)
                        .filter(|j| self.den[i * self.n + j] > 0.0 && g[*j].norm() > 0.0)
                        .map(|j| self.num(i, j).norm() / self.den[i * self.n + j] / g[j].norm())
                        .collect();
                    let size = g[i].norm();
                    if ratios.is_empty() || size == 0.0 {
                        return g[i];
                    }
                    let middle = ratios.len() / 2;
                    let median = *ratios.select_nth_unstable_by(middle, f64::total_cmp).1;
                    // The mean of old and new damps the see-saw of the common scale.
                    g[i] / size * (median * size).sqrt()
                })
                .collect();
            g = next;
        }
        g
    }

    /// `sum_j num_ij g_j` and `sum_j den_ij |g_j|^2` of row i.
    #[inline(always)]
    fn row(&self, i: usize, g: &Split) -> (f64, f64, f64) {
        const LANES: usize = 4;
        let span = i * self.n..(i + 1) * self.n;
        let (nr, ni, d) = (&self.num_re[span.clone()], &self.num_im[span.clone()], &self.den[span]);
        let (mut re, mut im, mut den) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
        let whole = self.n / LANES * LANES;
        // Independent lanes let the compiler use vector registers without re-ordering a sum.
        for k in (0..whole).step_by(LANES) {
            for l in 0..LANES {
                let j = k + l;
                re[l] += nr[j] * g.re[j] - ni[j] * g.im[j];
                im[l] += nr[j] * g.im[j] + ni[j] * g.re[j];
                den[l] += d[j] * g.power[j];
            }
        }
        for j in whole..self.n {
            re[0] += nr[j] * g.re[j] - ni[j] * g.im[j];
            im[0] += nr[j] * g.im[j] + ni[j] * g.re[j];
            den[0] += d[j] * g.power[j];
        }
        (re.iter().sum(), im.iter().sum(), den.iter().sum())
    }

    /// `sum_j den_ij |g_j|^2`: the information on gain i in units of the weights.
    pub fn information(&self, g: &[Complex64]) -> Vec<f64> {
        let split = Split::new(g);
        (0..self.n).map(|i| self.row(i, &split).2).collect()
    }
}

struct Split {
    re: Vec<f64>,
    im: Vec<f64>,
    power: Vec<f64>,
}

impl Split {
    fn new(g: &[Complex64]) -> Self {
        Self {
            re: g.iter().map(|z| z.re).collect(),
            im: g.iter().map(|z| z.im).collect(),
            power: g.iter().map(Complex64::norm_sqr).collect(),
        }
    }
}

/// How a solve ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Convergence {
    /// Iterations done.
    pub iterations: usize,
    /// Relative change at the last one.
    pub change: f64,
}

/// Gains that minimise `sum w |V - g_i M conj(g_j)|^2`, from `start` or a first guess.
///
/// Iterates until the relative change falls below `tolerance`, or `max_iterations`. Antennas without data keep the guess.
pub fn stefcal(
    normal: &Normal,
    mode: Mode,
    start: Option<&[Complex64]>,
    tolerance: f64,
    max_iterations: usize,
) -> (Vec<Complex64>, Convergence) {
    iterate_wide(normal, mode, start, tolerance, max_iterations)
}

wide!(iterate_wide, iterate, (
    normal: &Normal, mode: Mode, start: Option<&[Complex64]>, tolerance: f64, max_iterations: usize
) -> (Vec<Complex64>, Convergence));

#[inline(always)]
fn iterate(
    normal: &Normal,
    mode: Mode,
    start: Option<&[Complex64]>,
    tolerance: f64,
    max_iterations: usize,
) -> (Vec<Complex64>, Convergence) {
    let n = normal.n;
    let mut g = start.filter(|s| s.len() == n).map_or_else(|| normal.guess(mode), <[Complex64]>::to_vec);
    let mut change = f64::INFINITY;
    for iteration in 1..=max_iterations {
        let split = Split::new(&g);
        let (mut moved, mut size) = (0.0, 0.0);
        // A loop, not an iterator: it is compiled into the function with the wide instructions.
        let mut next = Vec::with_capacity(n);
        for (i, old) in g.iter().enumerate() {
            let (re, im, den) = normal.row(i, &split);
            let mut new = match mode {
                Mode::Phase => unit(Complex64::new(re, im)).unwrap_or(*old),
                _ if den > 0.0 => Complex64::new(re / den, im / den),
                _ => *old,
            };
            if iteration % 2 == 0 {
                new = (new + old) * 0.5;
                if mode == Mode::Phase {
                    new = unit(new).unwrap_or(*old);
                }
            }
            moved += (new - old).norm_sqr();
            size += new.norm_sqr();
            next.push(new);
        }
        g = next;
        change = if size > 0.0 { (moved / size).sqrt() } else { f64::INFINITY };
        if !change.is_finite() {
            return (g, Convergence { iterations: iteration, change: f64::INFINITY });
        }
        if change < tolerance {
            return (g, Convergence { iterations: iteration, change });
        }
    }
    (g, Convergence { iterations: max_iterations, change })
}

fn unit(z: Complex64) -> Option<Complex64> {
    let norm = z.norm();
    (norm > 0.0).then(|| z / norm)
}
