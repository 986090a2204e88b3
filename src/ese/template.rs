//! Light curves of Gaussian plasma lenses, tabulated once.

use std::sync::OnceLock;

use rayon::prelude::*;

/// The table ends here \[lens widths\]; beyond, the flux is unlensed.
const REACH: f64 = 16.0;
/// Strengths: the first, and the ratio from one to the next; the last is 21.
const FIRST_ALPHA: f64 = 0.03;
const ALPHA_RATIO: f64 = 1.14;
pub(super) const ALPHAS: usize = 51;
/// Source sizes (standard deviations, lens widths): the first, and the ratio from one to the next; the last is 3.0.
const FIRST_SIGMA: f64 = 0.04;
const SIGMA_RATIO: f64 = 1.18;
pub(super) const SIGMAS: usize = 27;
/// Points of a template for one source sigma: between them the flux is linear to 0.5 % of its features.
const POINTS_PER_SIGMA: f64 = 5.0;
/// A source's profile ends here \[sigma\].
const PROFILE: f64 = 4.5;

/// The form of a lens in the plane of the sky.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// Long across the source's path: one dimension (Clegg, Fey & Lazio 1998, doi:10.1086/305344).
    Sheet,
    /// Round: the column is a Gaussian of the distance from the centre (Er & Rogers 2018, doi:10.1093/mnras/stx3290).
    Round,
}

impl Form {
    pub(super) const ALL: [Self; 2] = [Self::Sheet, Self::Round];
}

/// Magnification against offset for a grid of strengths and source sizes, made by shooting rays so that flux is conserved
/// and caustics are averaged over a bin.
pub(super) struct Table {
    /// `[form][sigma]` of all strengths.
    rows: [Vec<Rows>; 2],
}

/// Templates of one form and source size: `[alpha][offset]`, flattened.
struct Rows {
    step: f64,
    points: usize,
    values: Vec<f32>,
}

/// Strength of a row.
pub(super) fn alpha_of(index: usize) -> f64 {
    FIRST_ALPHA * ALPHA_RATIO.powi(index as i32)
}

/// Source size of a row.
pub(super) fn sigma_of(index: usize) -> f64 {
    FIRST_SIGMA * SIGMA_RATIO.powi(index as i32)
}

impl Table {
    /// The one table of the process.
    pub fn get() -> &'static Self {
        static TABLE: OnceLock<Table> = OnceLock::new();
        TABLE.get_or_init(|| Self {
            rows: Form::ALL
                .map(|form| (0..SIGMAS).into_par_iter().map(|s| Rows::build(form, sigma_of(s))).collect()),
        })
    }

    /// Offset beyond which a lens is no lens to about 1e-3 \[lens widths\].
    pub fn reach(alpha: f64, sigma: f64) -> f64 {
        (2.6 + 0.5 * alpha + 3.0 * sigma).min(REACH)
    }

    /// The template nearest to a lens: for the search, which needs speed.
    pub fn nearest(&self, form: Form, alpha: f64, sigma: f64, impact: f64) -> Template<'_> {
        let place = |value: f64, first: f64, ratio: f64, n: usize| {
            ((value / first).ln() / ratio.ln()).round().clamp(0.0, (n - 1) as f64) as usize
        };
        let rows = &self.rows[form as usize][place(sigma, FIRST_SIGMA, SIGMA_RATIO, SIGMAS)];
        let row = rows.row(place(alpha, FIRST_ALPHA, ALPHA_RATIO, ALPHAS));
        Template { rate: 1.0 / rows.step, row, impact2: impact * impact }
    }

    /// A lens between those of the table: linear in the logarithms of strength and size, towards no lens below the first
    /// strength; beyond the other ends the last. `impact` is how far from the centre a round lens is passed.
    pub fn lens(&self, form: Form, alpha: f64, sigma: f64, impact: f64) -> Lens<'_> {
        let place = (alpha / FIRST_ALPHA).ln() / ALPHA_RATIO.ln();
        let (low, fraction, fade) = if place <= 0.0 {
            (0, 0.0, alpha / FIRST_ALPHA)
        } else {
            let low = (place as usize).min(ALPHAS - 2);
            (low, (place - low as f64).min(1.0), 1.0)
        };
        let size = ((sigma / FIRST_SIGMA).ln() / SIGMA_RATIO.ln()).clamp(0.0, (SIGMAS - 1) as f64);
        let s = (size as usize).min(SIGMAS - 2);
        let across = size - s as f64;
        let side = |k: usize, weight: f64| {
            let rows = &self.rows[form as usize][s + k];
            let weights = [weight * (1.0 - fraction) * fade, weight * fraction * fade];
            (1.0 / rows.step, rows.row(low), rows.row(low + 1), weights)
        };
        let sides = [side(0, 1.0 - across), side(1, across)];
        let impact = if form == Form::Round { impact } else { 0.0 };
        Lens { sides, rest: 1.0 - fade, impact2: impact * impact }
    }
}

/// One lens, interpolated between four of the table.
pub(super) struct Lens<'a> {
    sides: [(f64, &'a [f32], &'a [f32], [f64; 2]); 2],
    rest: f64,
    impact2: f64,
}

impl Lens<'_> {
    /// Magnification at an offset along the path \[lens widths\].
    pub fn at(&self, offset: f64) -> f64 {
        let r = (offset * offset + self.impact2).sqrt();
        let mut sum = self.rest;
        for (rate, weak, strong, weights) in &self.sides {
            let place = r * rate;
            let low = place as usize;
            sum += if low + 1 >= weak.len() {
                weights[0] + weights[1]
            } else {
                let t = place - low as f64;
                let between = |row: &[f32]| {
                    let (a, b) = (f64::from(row[low]), f64::from(row[low + 1]));
                    a + t * (b - a)
                };
                weights[0] * between(weak) + weights[1] * between(strong)
            };
        }
        sum
    }
}

/// One row of the table.
pub(super) struct Template<'a> {
    rate: f64,
    row: &'a [f32],
    impact2: f64,
}

impl Template<'_> {
    /// Magnification at an offset along the path \[lens widths\].
    #[inline]
    pub fn at(&self, offset: f64) -> f64 {
        let place = (offset * offset + self.impact2).sqrt() * self.rate;
        let low = place as usize;
        match self.row.get(low..low + 2) {
            Some(&[a, b]) => f64::from(a) + (place - low as f64) * f64::from(b - a),
            _ => 1.0,
        }
    }
}

impl Rows {
    fn row(&self, alpha: usize) -> &[f32] {
        &self.values[alpha * self.points..(alpha + 1) * self.points]
    }

    fn build(form: Form, sigma: f64) -> Self {
        let step = sigma / POINTS_PER_SIGMA;
        let points = (REACH / step) as usize + 2;
        let taps = (PROFILE * POINTS_PER_SIGMA).ceil() as usize;
        // Room for the source beyond the end of the table.
        let bins = points + taps + 1;
        let kernel = match form {
            Form::Sheet => vec![line(taps)],
            Form::Round => (0..points).map(|k| disc(k, taps)).collect(),
        };
        let mut values = Vec::with_capacity(points * ALPHAS);
        for a in 0..ALPHAS {
            let rays = shoot(form, alpha_of(a), step, bins);
            for k in 0..points {
                let weights = &kernel[k.min(kernel.len() - 1)];
                let sum: f64 = weights
                    .iter()
                    .enumerate()
                    .map(|(t, w)| w * rays[(k as i64 + t as i64 - taps as i64).unsigned_abs() as usize])
                    .sum();
                values.push(sum as f32);
            }
        }
        Self { step, points, values }
    }
}

/// Normalised Gaussian profile at `-taps..=taps` steps.
fn line(taps: usize) -> Vec<f64> {
    let at = |k: usize| (-0.5 * ((k as f64 - taps as f64) / POINTS_PER_SIGMA).powi(2)).exp();
    let sum: f64 = (0..=2 * taps).map(at).sum();
    (0..=2 * taps).map(|k| at(k) / sum).collect()
}

/// Weights of the annuli `k - taps..=k + taps` (negative ones zero) in a round Gaussian source at `k` steps from the centre:
/// `r' exp(-(r^2 + r'^2) / 2 s^2) I0(r r' / s^2)`, normalised.
fn disc(k: usize, taps: usize) -> Vec<f64> {
    let s2 = POINTS_PER_SIGMA * POINTS_PER_SIGMA;
    let r = k as f64;
    let at = |t: usize| {
        let annulus = k as f64 + t as f64 - taps as f64;
        if annulus < 0.0 {
            return 0.0;
        }
        // The innermost bin is a disc of half a step.
        let area = if annulus == 0.0 { 0.125 } else { annulus };
        area * (-0.5 * (r - annulus).powi(2) / s2).exp() * scaled_bessel_i0(r * annulus / s2)
    };
    let sum: f64 = (0..=2 * taps).map(at).sum();
    (0..=2 * taps).map(|t| at(t) / sum).collect()
}

/// `exp(-x) I0(x)`, `x >= 0`, to 2e-7 (Abramowitz & Stegun 9.8.1, 9.8.2).
fn scaled_bessel_i0(x: f64) -> f64 {
    const SMALL: [f64; 7] =
        [1.0, 3.515_622_9, 3.089_942_4, 1.206_749_2, 0.265_973_2, 0.036_076_8, 0.004_581_3];
    const LARGE: [f64; 9] = [
        0.398_942_28,
        0.013_285_92,
        0.002_253_19,
        -0.001_575_65,
        0.009_162_81,
        -0.020_577_06,
        0.026_355_37,
        -0.016_476_33,
        0.003_923_77,
    ];
    let series = |c: &[f64], t: f64| c.iter().rev().fold(0.0, |sum, c| sum * t + c);
    if x < 3.75 {
        (-x).exp() * series(&SMALL, (x / 3.75).powi(2))
    } else {
        series(&LARGE, 3.75 / x) / x.sqrt()
    }
}

/// Rays per bin of a point source over those without a lens, bins of `step` centred on `k step`, `k` from 0.
fn shoot(form: Form, alpha: f64, step: f64, bins: usize) -> Vec<f64> {
    let mut flux = vec![0.0; bins];
    let end = (bins as f64 + 1.0) * step;
    let du = 0.25 * step.min(0.02);
    let rays = (end / du) as usize;
    let arrive = |u: f64| (u * (1.0 + alpha * (-u * u).exp())).abs() / step + 0.5;
    let mut before = arrive(0.0);
    for k in 0..rays {
        let (near, far) = (k as f64 * du, (k + 1) as f64 * du);
        let now = arrive(far);
        let weight = match form {
            Form::Sheet => du / step,
            Form::Round => 0.5 * (far * far - near * near) / (step * step),
        };
        spread(&mut flux, before.min(now), before.max(now), weight);
        before = now;
    }
    for (k, value) in flux.iter_mut().enumerate() {
        let whole = match (form, k) {
            // Half of the innermost bin is on the other side.
            (Form::Sheet, 0) => 0.5,
            (Form::Sheet, _) => 1.0,
            (Form::Round, 0) => 0.125,
            (Form::Round, k) => k as f64,
        };
        *value /= whole;
    }
    flux
}

/// Share `weight` over the bins between two edges.
fn spread(bins: &mut [f64], low: f64, high: f64, weight: f64) {
    let last = bins.len() as f64;
    let (a, b) = (low.clamp(0.0, last), high.clamp(0.0, last));
    if b <= a {
        return;
    }
    let density = weight / (high - low);
    for (bin, value) in bins.iter_mut().enumerate().take(b.ceil() as usize).skip(a as usize) {
        let overlap = (b.min(bin as f64 + 1.0) - a.max(bin as f64)).max(0.0);
        *value += density * overlap;
    }
}

#[cfg(test)]
mod tests {
    use super::super::PlasmaLens;
    use super::*;

    #[test]
    fn lenses_of_one_dimension_agree_with_the_integral() {
        let table = Table::get();
        for (alpha, sigma) in [(0.31, 0.13), (0.77, 0.4), (1.9, 0.7), (0.02, 0.2), (4.0, 1.0), (1.0, 0.05)] {
            let (ours, exact) =
                (table.lens(Form::Sheet, alpha, sigma, 0.0), PlasmaLens::new(alpha, 1.4e9, sigma).unwrap());
            for k in 0..80 {
                let offset = 0.1 * f64::from(k);
                let (found, wanted) = (ours.at(offset), exact.magnification(offset, 1.4e9));
                // Linear between rows 14 % apart in strength and 18 % in size: less than the errors of one epoch.
                assert!(
                    (found - wanted).abs() < 0.01 * wanted.max(1.0),
                    "{alpha} {sigma} {offset}: {found} {wanted}"
                );
            }
        }
        assert!((table.lens(Form::Sheet, 1e-9, 0.1, 0.0).at(0.0) - 1.0).abs() < 1e-6);
        assert!((table.lens(Form::Sheet, 1.0, 0.1, 0.0).at(1e3) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_round_lens_has_its_closed_form_on_the_axis_and_off_it() {
        let table = Table::get();
        let alpha = 0.4f64;
        for r in [0.0, 0.3, 0.9, 2.0] {
            // One image below the caustics: u from u (1 + alpha exp(-u^2)) = r by bisection.
            let arrive = |u: f64| u * (1.0 + alpha * (-u * u).exp());
            let (mut a, mut b) = (0.0, 8.0);
            for _ in 0..60 {
                let middle = 0.5 * (a + b);
                if arrive(middle) < r {
                    a = middle
                } else {
                    b = middle
                }
            }
            let g = alpha * (-a * a).exp();
            let exact = 1.0 / ((1.0 + g) * (1.0 + g * (1.0 - 2.0 * a * a)));
            // The smallest source of the table: smoothing over 0.04 and linear rows.
            for (offset, impact) in [(r, 0.0), (0.0, r), (0.6 * r, 0.8 * r)] {
                let found = table.lens(Form::Round, alpha, 0.04, impact).at(offset);
                assert!((found - exact).abs() < 0.01, "{r}: {found} {exact}");
            }
        }
    }

    #[test]
    fn a_round_source_conserves_flux() {
        let table = Table::get();
        for (alpha, sigma) in [(3.0, 0.3), (0.5, 1.0)] {
            let lens = table.lens(Form::Round, alpha, sigma, 0.0);
            let excess: f64 =
                (0..1500).map(|k| 0.01 * (f64::from(k) + 0.5)).map(|r| 0.01 * r * (lens.at(r) - 1.0)).sum();
            // Against the flux that the lens's core loses, about 1.
            assert!(excess.abs() < 0.03, "{alpha} {sigma}: {excess}");
        }
    }

    #[test]
    fn the_bessel_function() {
        // I0(1) = 1.2660658777520084, I0(5) = 27.239871823604442.
        assert!((scaled_bessel_i0(1.0) * 1f64.exp() - 1.266_065_877_752_008).abs() < 1e-6);
        assert!((scaled_bessel_i0(5.0) * 5f64.exp() / 27.239_871_823_604_44 - 1.0).abs() < 1e-6);
    }
}
