//! Light curves of Gaussian plasma lenses, tabulated once.

use std::sync::OnceLock;

/// Resolution of the table along the observer's plane \[lens widths\].
const STEP: f64 = 0.05;
/// The table ends here \[lens widths\]; beyond, the flux is unlensed.
const REACH: f64 = 16.0;
/// Strengths: the first, and the ratio from one to the next.
const FIRST_ALPHA: f64 = 0.05;
const ALPHA_RATIO: f64 = 1.18;
const ALPHAS: usize = 36;
/// Source sizes (standard deviations) in lens widths.
pub(super) const SIGMAS: [f64; 7] = [0.1, 0.173, 0.3, 0.52, 0.9, 1.56, 2.7];
/// Ratio of neighbouring sizes, `sqrt 3`.
const SIGMA_RATIO: f64 = 1.732_050_807_568_877_2;

/// Magnification against offset for a grid of strengths and source sizes (Clegg, Fey & Lazio 1998, doi:10.1086/305344): the lens
/// of [`super::PlasmaLens`], made by shooting rays so that flux is conserved exactly and caustics are averaged over a bin.
pub(super) struct Table {
    /// Strengths.
    pub alphas: Vec<f64>,
    /// `[sigma][alpha][offset]`, flattened.
    values: Vec<f64>,
    points: usize,
}

impl Table {
    /// The one table of the process.
    pub fn get() -> &'static Self {
        static TABLE: OnceLock<Table> = OnceLock::new();
        TABLE.get_or_init(Self::build)
    }

    fn build() -> Self {
        let alphas: Vec<f64> = (0..ALPHAS).map(|k| FIRST_ALPHA * ALPHA_RATIO.powi(k as i32)).collect();
        let points = (REACH / STEP) as usize + 2;
        let mut values = vec![1.0; SIGMAS.len() * ALPHAS * points];
        for (a, &alpha) in alphas.iter().enumerate() {
            let rays = shoot(alpha);
            for (s, &sigma) in SIGMAS.iter().enumerate() {
                let start = (s * ALPHAS + a) * points;
                smooth(&rays, sigma / STEP, &mut values[start..start + points]);
            }
        }
        Self { alphas, values, points }
    }

    /// One template: magnification at offsets `0, STEP, 2 STEP..`.
    pub fn row(&self, alpha: usize, sigma: usize) -> &[f64] {
        let start = (sigma * ALPHAS + alpha) * self.points;
        &self.values[start..start + self.points]
    }

    /// Offset beyond which a template is unlensed to about 1e-3 \[lens widths\].
    pub fn reach(&self, alpha: usize, sigma: usize) -> f64 {
        (3.0 + 0.5 * self.alphas[alpha] + 3.0 * SIGMAS[sigma]).min(REACH - STEP)
    }

    /// A lens between those of the table: linear in the logarithms of strength and size, towards no lens below the first
    /// strength; beyond the others the last.
    pub fn lens(&self, alpha: f64, sigma: f64) -> Lens<'_> {
        let place = (alpha / FIRST_ALPHA).ln() / ALPHA_RATIO.ln();
        let (low, fraction, fade) = if place <= 0.0 {
            (0, 0.0, alpha / FIRST_ALPHA)
        } else {
            let low = (place as usize).min(ALPHAS - 2);
            (low, (place - low as f64).min(1.0), 1.0)
        };
        let size = ((sigma / SIGMAS[0]).ln() / SIGMA_RATIO.ln()).clamp(0.0, (SIGMAS.len() - 1) as f64);
        let s = (size as usize).min(SIGMAS.len() - 2);
        let across = size - s as f64;
        let rows = [self.row(low, s), self.row(low + 1, s), self.row(low, s + 1), self.row(low + 1, s + 1)];
        let weights = [
            (1.0 - fraction) * (1.0 - across),
            fraction * (1.0 - across),
            (1.0 - fraction) * across,
            fraction * across,
        ];
        Lens { rows, weights: weights.map(|w| w * fade), rest: 1.0 - fade }
    }
}

/// One lens, interpolated between four of the table.
pub(super) struct Lens<'a> {
    rows: [&'a [f64]; 4],
    weights: [f64; 4],
    rest: f64,
}

impl Lens<'_> {
    /// Magnification at an offset \[lens widths\].
    pub fn at(&self, offset: f64) -> f64 {
        let place = offset.abs() / STEP;
        let low = place as usize;
        if low + 1 >= self.rows[0].len() {
            return 1.0;
        }
        let fraction = place - low as f64;
        let sum: f64 = (0..4)
            .map(|k| {
                self.weights[k] * (self.rows[k][low] + fraction * (self.rows[k][low + 1] - self.rows[k][low]))
            })
            .sum();
        sum + self.rest
    }
}

/// Linear interpolation in a template; 1 beyond its end.
pub(super) fn lookup(row: &[f64], offset: f64) -> f64 {
    let place = offset.abs() / STEP;
    let low = place as usize;
    if low + 1 >= row.len() {
        return 1.0;
    }
    let fraction = place - low as f64;
    row[low] + fraction * (row[low + 1] - row[low])
}

/// Rays per bin of a point source, bins of [`STEP`] centred on `k STEP` for `|k| <= n`; 1 without a lens.
fn shoot(alpha: f64) -> Vec<f64> {
    const DU: f64 = 1e-3;
    // Room for the widest source beyond the end of the table.
    let n = ((REACH + 5.0 * SIGMAS[SIGMAS.len() - 1]) / STEP) as i64;
    let mut bins = vec![0.0; (2 * n + 1) as usize];
    let edge = |u: f64| (u * (1.0 + alpha * (-u * u).exp()) / STEP) + n as f64 + 0.5;
    let rays = (2.0 * (n as f64 + 1.0) * STEP / DU) as i64;
    let first = -(n as f64 + 1.0) * STEP;
    let mut before = edge(first);
    for k in 1..=rays {
        let now = edge(first + k as f64 * DU);
        spread(&mut bins, before.min(now), before.max(now), DU / STEP);
        before = now;
    }
    bins
}

/// Share `weight` over the bins between two edges.
fn spread(bins: &mut [f64], low: f64, high: f64, weight: f64) {
    let last = bins.len() as f64;
    let (a, b) = (low.clamp(0.0, last), high.clamp(0.0, last));
    if b <= a {
        return;
    }
    let density = weight / (high - low);
    for (bin, value) in bins.iter_mut().enumerate().take((b.ceil()) as usize).skip(a as usize) {
        let overlap = (b.min(bin as f64 + 1.0) - a.max(bin as f64)).max(0.0);
        *value += density * overlap;
    }
}

/// Average over a Gaussian source of `sigma` bins, for offsets from 0 on.
fn smooth(bins: &[f64], sigma: f64, out: &mut [f64]) {
    let middle = bins.len() / 2;
    let reach = (5.0 * sigma).ceil() as usize;
    let weights: Vec<f64> = (0..=reach).map(|k| (-0.5 * (k as f64 / sigma).powi(2)).exp()).collect();
    let norm = weights[0] + 2.0 * weights[1..].iter().sum::<f64>();
    for (k, value) in out.iter_mut().enumerate() {
        let centre = middle + k;
        let mut sum = weights[0] * bins[centre];
        for (d, w) in weights.iter().enumerate().skip(1) {
            sum += w * (bins[centre - d] + bins.get(centre + d).copied().unwrap_or(1.0));
        }
        *value = sum / norm;
    }
}

#[cfg(test)]
mod tests {
    use super::super::PlasmaLens;
    use super::*;

    #[test]
    fn agrees_with_the_integral() {
        let table = Table::get();
        for (a, s) in [(0, 0), (16, 0), (16, 1), (24, 2), (35, 6)] {
            let lens = PlasmaLens::new(table.alphas[a], 1.4e9, SIGMAS[s]).unwrap();
            for k in 0..60 {
                let offset = 0.25 * f64::from(k);
                let (ours, exact) = (lookup(table.row(a, s), offset), lens.magnification(offset, 1.4e9));
                // Bins of half the smallest source, and linear interpolation between them.
                assert!((ours - exact).abs() < 0.02 * exact.max(1.0), "{a} {s} {offset}: {ours} {exact}");
            }
        }
    }

    #[test]
    fn lenses_between_are_close_to_the_integral_and_none_is_none() {
        let table = Table::get();
        for (alpha, sigma) in [(0.31, 0.13), (0.77, 0.4), (1.9, 0.7), (0.02, 0.2)] {
            let (ours, exact) = (table.lens(alpha, sigma), PlasmaLens::new(alpha, 1.4e9, sigma).unwrap());
            for k in 0..40 {
                let offset = 0.2 * f64::from(k);
                let (found, wanted) = (ours.at(offset), exact.magnification(offset, 1.4e9));
                // Linear between rows of the table in strength and size; on the axis of a strong lens it bends most.
                assert!((found - wanted).abs() < 0.04, "{alpha} {sigma} {offset}: {found} {wanted}");
            }
        }
        assert!((table.lens(1e-9, 0.1).at(0.0) - 1.0).abs() < 1e-7);
        assert_eq!(table.lens(1.0, 0.1).at(1e3), 1.0);
    }
}
