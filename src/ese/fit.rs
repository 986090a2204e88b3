//! The lens template bank against a light curve.

use super::models::log_likelihood;
use super::refine::refine;
use super::series::{log_mean_exp, Series};
use super::template::{lookup, Table, SIGMAS};

/// Shortest and longest time to cross one lens width \[days\], and the ratio between steps.
const FIRST_CROSSING: f64 = 3.0;
const CROSSING_RATIO: f64 = 1.3;
const CROSSINGS: i32 = 15;
/// Step of the time of closest approach \[lens widths\].
const CENTRE_STEP: f64 = 0.25;
/// Templates less likely than the best by this much are dropped from the posterior.
const KEPT: f64 = 15.0;
/// Most templates kept, and most of them refined (of different source sizes).
const MOST_KEPT: usize = 400;
const STARTS: usize = 3;

/// A lens and how well it is known: the best fit, with errors from the curvature.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct LensFit {
    /// ln evidence over the bank.
    pub log_evidence: f64,
    /// Strength at the mean frequency, and the scatter of its natural logarithm.
    pub alpha: f64,
    /// See `alpha`.
    pub alpha_ln_err: f64,
    /// Time to cross one lens width \[days\].
    pub crossing_days: f64,
    /// Its scatter \[days\].
    pub crossing_err_days: f64,
    /// Time of closest approach \[MJD\].
    pub mjd: f64,
    /// Its scatter \[days\].
    pub mjd_err_days: f64,
    /// Source size (standard deviation) in lens widths, of the best fit.
    pub source_sigma: f64,
    /// Depth of the best fit at its deepest observed point, a fraction of the unlensed flux.
    pub depth: f64,
    /// ln likelihood ratio of lensing that goes as the wavelength squared over the same dip in every band; none with one band.
    pub chromatic: Option<f64>,
}

/// One template of the bank, with its likelihood.
#[derive(Clone, Copy)]
struct Candidate {
    log_weight: f64,
    alpha: usize,
    sigma: usize,
    crossing: f64,
    centre: f64,
}

/// Fit the bank to a series; `None` when the series is shorter than one template.
pub(super) fn fit(series: &Series, bands: &[(f64, Series)]) -> Option<LensFit> {
    let table = Table::get();
    let (first, last) = (*series.mjd.first()?, *series.mjd.last()?);
    let prefix = Prefix::new(series);
    let mut evidences = Vec::new();
    let mut kept: Vec<Candidate> = Vec::new();
    let mut best = f64::NEG_INFINITY;
    for k in 0..CROSSINGS {
        let crossing = FIRST_CROSSING * CROSSING_RATIO.powi(k);
        // Longer than this, the light curve sees no more than a slope.
        if crossing > last - first {
            break;
        }
        // Centres from before the first to after the last point: egress and ingress alone are fitted too.
        let steps = ((last - first) / (CENTRE_STEP * crossing)) as usize + (2.0 / CENTRE_STEP) as usize;
        // Every second strength and size: what lies between is the refinement's.
        for alpha in (0..table.alphas.len()).step_by(2) {
            for sigma in (0..SIGMAS.len()).step_by(2) {
                let mut values = Vec::with_capacity(steps + 1);
                for c in 0..=steps {
                    let centre = first - crossing + CENTRE_STEP * crossing * c as f64;
                    let value = prefix.log_likelihood(series, table, (alpha, sigma), crossing, centre);
                    values.push(value);
                    if value > best - KEPT {
                        best = best.max(value);
                        kept.push(Candidate {
                            log_weight: value - (steps as f64).ln(),
                            alpha,
                            sigma,
                            crossing,
                            centre,
                        });
                    }
                }
                evidences.push(log_mean_exp(&values));
            }
        }
    }
    if evidences.is_empty() {
        return None;
    }
    kept.sort_by(|a, b| b.log_weight.total_cmp(&a.log_weight));
    kept.truncate(MOST_KEPT);
    let mut starts: Vec<Candidate> = Vec::new();
    for c in &kept {
        if starts.len() < STARTS && starts.iter().all(|s| s.sigma != c.sigma) {
            starts.push(*c);
        }
    }
    let refined = starts
        .iter()
        .map(|c| {
            let start = [table.alphas[c.alpha].ln(), SIGMAS[c.sigma].ln(), c.crossing.ln(), c.centre];
            refine(series, table, start, last - first)
        })
        .max_by(|a, b| a.log_likelihood.total_cmp(&b.log_likelihood))?;
    let [ln_alpha, ln_sigma, ln_crossing, centre] = refined.at;
    let lens = table.lens(ln_alpha.exp(), ln_sigma.exp());
    let crossing = ln_crossing.exp();
    let deepest = series.mjd.iter().map(|t| lens.at((t - centre) / crossing)).fold(1.0, f64::min);
    Some(LensFit {
        // The grid misses sharp peaks, the refinement knows one peak only.
        log_evidence: refined.log_evidence.max(log_mean_exp(&evidences)),
        alpha: ln_alpha.exp(),
        alpha_ln_err: refined.err[0],
        crossing_days: crossing,
        crossing_err_days: refined.err[2] * crossing,
        mjd: centre,
        mjd_err_days: refined.err[3],
        source_sigma: ln_sigma.exp(),
        depth: 1.0 - deepest,
        chromatic: chromatic(refined.at, table, bands),
    })
}

/// Sums of the points before each index, so that the unlensed part of a series costs nothing.
struct Prefix {
    /// `sum w y`, `sum w`.
    sums: Vec<(f64, f64)>,
    wyy: f64,
}

impl Prefix {
    fn new(s: &Series) -> Self {
        let mut sums = vec![(0.0, 0.0)];
        let mut wyy = 0.0;
        for (y, w) in s.y.iter().zip(&s.w) {
            let last = sums[sums.len() - 1];
            sums.push((last.0 + w * y, last.1 + w));
            wyy += w * y * y;
        }
        Self { sums, wyy }
    }

    fn log_likelihood(
        &self,
        s: &Series,
        table: &Table,
        (alpha, sigma): (usize, usize),
        crossing: f64,
        centre: f64,
    ) -> f64 {
        let reach = table.reach(alpha, sigma) * crossing;
        let low = s.mjd.partition_point(|t| *t < centre - reach);
        let high = s.mjd.partition_point(|t| *t <= centre + reach);
        let total = self.sums[s.len()];
        let (mut wym, mut wmm) =
            (total.0 - self.sums[high].0 + self.sums[low].0, total.1 - self.sums[high].1 + self.sums[low].1);
        let row = table.row(alpha, sigma);
        let rate = 1.0 / crossing;
        for i in low..high {
            let m = lookup(row, (s.mjd[i] - centre) * rate);
            wym += s.w[i] * s.y[i] * m;
            wmm += s.w[i] * m * m;
        }
        log_likelihood(self.wyy, wym, wmm)
    }
}

/// The bands fitted with a strength that goes as the wavelength squared, over the same fitted with one strength; each band with a
/// level of its own, averaged over strengths near the best.
fn chromatic(at: [f64; 4], table: &Table, bands: &[(f64, Series)]) -> Option<f64> {
    const NEAR: [f64; 5] = [0.8, 0.9, 1.0, 1.1, 1.25];
    if bands.len() < 2 {
        return None;
    }
    let weight = |s: &Series| s.w.iter().sum::<f64>();
    let total: f64 = bands.iter().map(|(_, s)| weight(s)).sum();
    let mean_hz = bands.iter().map(|(f, s)| f * weight(s)).sum::<f64>() / total;
    let (crossing, centre) = (at[2].exp(), at[3]);
    let band = |alpha: f64, s: &Series| {
        let lens = table.lens(alpha, at[1].exp());
        let (mut wyy, mut wym, mut wmm) = (0.0, 0.0, 0.0);
        for ((t, y), w) in s.mjd.iter().zip(&s.y).zip(&s.w) {
            let m = lens.at((t - centre) / crossing);
            wyy += w * y * y;
            wym += w * y * m;
            wmm += w * m * m;
        }
        log_likelihood(wyy, wym, wmm)
    };
    let average = |exponent: f64| {
        let value = |near: &f64| -> f64 {
            let strength = at[0].exp() * near;
            bands.iter().map(|(f, s)| band(strength * (mean_hz / f).powf(exponent), s)).sum()
        };
        log_mean_exp(&NEAR.iter().map(value).collect::<Vec<f64>>())
    };
    let ratio = average(2.0) - average(0.0);
    // Bands whose frequencies are not known tell nothing.
    ratio.is_finite().then_some(ratio)
}
