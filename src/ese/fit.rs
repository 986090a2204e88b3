//! The lens template bank against the series of all receivers.

use super::models::log_likelihood;
use super::noise::{log_sum_exp, Bank};
use super::refine::{Params, Problem, Refined, LEAST_FRACTION};
use super::series::Series;
use super::template::{alpha_of, sigma_of, Form, Lens, Table, Template, ALPHAS, SIGMAS};

/// Shortest time to cross one lens width \[days\], the ratio between steps, and their number.
const FIRST_CROSSING: f64 = 2.0;
const CROSSING_RATIO: f64 = 1.35;
const CROSSINGS: i32 = 15;
/// Step of the time of closest approach \[crossing times\].
const CENTRE_STEP: f64 = 0.25;
/// Points of a series averaged for the search, so that a crossing time has this many.
const POINTS_PER_CROSSING: f64 = 8.0;
/// Every so many strengths and source sizes of the table are searched; what lies between is the refinement's.
const ALPHA_STRIDE: usize = 3;
const SIGMA_STRIDE: usize = 5;
/// Impact parameters at which round lenses are searched.
const IMPACTS: [f64; 2] = [0.0, 0.9];
/// Starts that are refined under measurement errors, and those of them that are refined again under the best noise.
const STARTS: usize = 14;
const FINALISTS: usize = 3;

/// A lens and how well it is known: the best fit, with errors from the curvature.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct LensFit {
    /// ln evidence.
    pub log_evidence: f64,
    /// Form of the best fit.
    pub form: Form,
    /// Strength at the mean frequency of the receiver with the most weight.
    pub alpha: f64,
    /// Standard deviation of its natural logarithm.
    pub alpha_ln_err: f64,
    /// Time to cross one lens width \[days\].
    pub crossing_days: f64,
    /// Its standard deviation \[days\].
    pub crossing_err_days: f64,
    /// Time of closest approach \[MJD\].
    pub mjd: f64,
    /// Its standard deviation \[days\].
    pub mjd_err_days: f64,
    /// Source size (standard deviation) in lens widths.
    pub source_sigma: f64,
    /// Standard deviation of its natural logarithm.
    pub source_ln_err: f64,
    /// Fraction of the flux in the part of the source that is lensed.
    pub fraction: f64,
    /// Distance from the centre of a round lens at closest approach \[lens widths\].
    pub impact: f64,
    /// Depth at the deepest observed point, a fraction of the unlensed flux.
    pub depth: f64,
    /// Fraction of the epochs at which the flux is within 5 % of the unlensed: without any the baseline is a guess.
    pub unlensed: f64,
    /// ln likelihood ratio of lensing that goes as the wavelength squared over the same dip in every band; none when that was
    /// not tested: one band, or unknown frequencies.
    pub chromatic: Option<f64>,
}

/// What the fit looks at.
pub(super) struct Search<'a> {
    pub banks: &'a [Bank],
    /// Strength in each receiver over that in the reference.
    pub scale: Vec<f64>,
    /// First and last time of the dip \[MJD\].
    pub window: (f64, f64),
    /// First and last time of all series \[MJD\].
    pub span: (f64, f64),
}

/// A template of the bank with its likelihood.
#[derive(Clone, Copy)]
struct Start {
    log_likelihood: f64,
    form: Form,
    sigma: usize,
    at: Params,
}

/// The best lens, with `ln Z` (noise marginalised); `None` without a series.
pub(super) fn fit(search: &Search<'_>) -> Option<(Refined, f64)> {
    let table = Table::get();
    let problem = |form, whole| Problem {
        table,
        whole,
        banks: search.banks,
        scale: &search.scale,
        form,
        first_mjd: search.span.0,
        last_mjd: search.span.1,
    };
    let alone = vec![0; search.banks.len()];
    let mut refined: Vec<(Form, Params, f64)> = starts(search, table)
        .into_iter()
        .map(|s| problem(s.form, false).refine(&alone, s.at, 12))
        .map(|r| (r.form, r.at, r.log_likelihood))
        .collect();
    refined.sort_by(|a, b| b.2.total_cmp(&a.2));
    // One of each form at least: the noise may turn the order round.
    let mut finalists: Vec<(Form, Params, f64)> = refined.iter().take(FINALISTS).copied().collect();
    finalists.extend(
        Form::ALL
            .into_iter()
            .filter(|form| finalists.iter().all(|f| f.0 != *form))
            .filter_map(|form| refined.iter().find(|r| r.0 == form).copied())
            .collect::<Vec<_>>(),
    );
    // All of the flux is lensed, or an unknown part of it.
    let judged: Vec<(Refined, f64, bool)> = finalists
        .into_iter()
        .flat_map(|(form, at, _)| {
            let whole = [at[0], at[1], at[2], at[3], 1.0, at[5]];
            // With less of the flux lensed a lens looks stronger and narrower: the other end of that valley.
            let weaker = [at[0] - 0.4, at[1] - 0.1, at[2] + 0.15, at[3], 1.0, at[5]];
            [(form, at, false), (form, whole, true), (form, weaker, true)]
        })
        .map(|(form, at, whole)| {
            let p = problem(form, whole);
            let (_, noise) = p.marginal(&at);
            let better = p.refine(&noise, at, if whole { 40 } else { 20 });
            let (marginal, _) = p.marginal(&better.at);
            // Two forms share the prior, and so do the two cases of each.
            (better, marginal + better.log_occam - 4f64.ln(), whole)
        })
        .collect();
    let best = judged.iter().copied().reduce(|a, b| if b.1 > a.1 { b } else { a })?;
    // The evidence of each form and case counts; starts of one kind may have met in one optimum.
    let kinds = Form::ALL.into_iter().flat_map(|form| [(form, false), (form, true)]);
    let evidence: Vec<f64> = kinds
        .map(|(form, whole)| {
            let same = judged.iter().filter(|j| j.0.form == form && j.2 == whole);
            same.map(|j| j.1).fold(f64::NEG_INFINITY, f64::max)
        })
        .collect();
    Some((spread(best.0, &judged), log_sum_exp(&evidence)))
}

/// The best fit, its errors widened by the others of its form in proportion to their evidence: strength, size and fraction trade against
/// each other along a valley that is longer than its curvature at one end says.
fn spread(best: Refined, judged: &[(Refined, f64, bool)]) -> Refined {
    let same: Vec<_> = judged.iter().filter(|j| j.0.form == best.form).collect();
    let top = same.iter().map(|j| j.1).fold(f64::NEG_INFINITY, f64::max);
    let (mut total, mut variance) = (0.0, [0.0; 4]);
    for (fit, evidence, _) in same {
        let weight = (evidence - top).exp();
        total += weight;
        for (k, v) in variance.iter_mut().enumerate() {
            *v += weight * (fit.err[k].powi(2) + (fit.at[k] - best.at[k]).powi(2));
        }
    }
    Refined { err: variance.map(|v| (v / total).sqrt()), ..best }
}

/// The lens of a fit at a receiver.
pub(super) fn lens_of(at: &Params, form: Form, scale: f64) -> Lens<'static> {
    Table::get().lens(form, at[0].exp() * scale, at[1].exp(), at[5])
}

/// The best templates, of as many source sizes and forms as there are.
fn starts(search: &Search<'_>, table: &Table) -> Vec<Start> {
    let mut best: Vec<Start> = Vec::new();
    for k in 0..CROSSINGS {
        let crossing = FIRST_CROSSING * CROSSING_RATIO.powi(k);
        // Longer than this, the light curve sees no more than a slope.
        if k > 0 && crossing > search.span.1 - search.span.0 {
            break;
        }
        let cell = crossing / POINTS_PER_CROSSING;
        let sums: Vec<Sums> = search
            .banks
            .iter()
            .map(|b| {
                Sums::new(if cell > 1.5 * b.series.spacing() {
                    b.series.binned(cell)
                } else {
                    b.series.clone()
                })
            })
            .collect();
        for (form, impact) in
            [(Form::Sheet, 0.0)].into_iter().chain(IMPACTS.iter().map(|b| (Form::Round, *b)))
        {
            for sigma in (3..SIGMAS).step_by(SIGMA_STRIDE) {
                for alpha in (2..ALPHAS).step_by(ALPHA_STRIDE) {
                    let shape = (form, alpha_of(alpha), sigma_of(sigma), impact);
                    if let Some(found) = scan(search, table, &sums, shape, crossing) {
                        keep(&mut best, Start { sigma, ..found });
                    }
                }
            }
        }
    }
    best.sort_by(|a, b| b.log_likelihood.total_cmp(&a.log_likelihood));
    best.truncate(STARTS);
    best
}

/// Keep the two best of each form and source size, of crossing times that differ.
fn keep(best: &mut Vec<Start>, found: Start) {
    const EACH: usize = 2;
    let same = |s: &Start| s.form == found.form && s.sigma == found.sigma;
    if let Some(near) = best.iter_mut().find(|s| same(s) && (s.at[2] - found.at[2]).abs() < 0.2) {
        if found.log_likelihood > near.log_likelihood {
            *near = found;
        }
        return;
    }
    best.push(found);
    let of_kind: Vec<usize> = (0..best.len()).filter(|&i| same(&best[i])).collect();
    if of_kind.len() > EACH {
        let worst =
            of_kind
                .into_iter()
                .reduce(|a, b| if best[b].log_likelihood < best[a].log_likelihood { b } else { a });
        if let Some(worst) = worst {
            best.swap_remove(worst);
        }
    }
}

/// The best centre of one template, near the dip: ingress and egress alone have theirs outside the light curve.
fn scan(
    search: &Search<'_>,
    table: &Table,
    sums: &[Sums],
    (form, alpha, sigma, impact): (Form, f64, f64, f64),
    crossing: f64,
) -> Option<Start> {
    let first = (search.window.0 - crossing).max(search.span.0 - crossing);
    let last = (search.window.1 + crossing).min(search.span.1 + crossing);
    let steps = ((last - first) / (CENTRE_STEP * crossing)).ceil() as usize;
    let lenses: Vec<(Template<'_>, f64)> = search
        .scale
        .iter()
        .map(|s| (table.nearest(form, alpha * s, sigma, impact), Table::reach(alpha * s, sigma) * crossing))
        .collect();
    (0..=steps)
        .map(|c| {
            let centre = first + CENTRE_STEP * crossing * c as f64;
            let (mut value, mut fraction) = (0.0, 1.0f64);
            for (s, (lens, reach)) in sums.iter().zip(&lenses) {
                let found = s.log_likelihood(lens, *reach, crossing, centre);
                value += found.0;
                fraction = if sums.len() == 1 { found.1 } else { fraction.min(found.1) };
            }
            let at = [alpha.ln(), sigma.ln(), crossing.ln(), centre, fraction, impact];
            Start { log_likelihood: value, form, sigma: 0, at }
        })
        .reduce(|a, b| if b.log_likelihood > a.log_likelihood { b } else { a })
}

/// A series with its sums, so that its unlensed part costs nothing.
struct Sums {
    series: Series,
    wyy: f64,
    wy: f64,
    w: f64,
}

impl Sums {
    fn new(series: Series) -> Self {
        let (mut wyy, mut wy, mut sum) = (0.0, 0.0, 0.0);
        for (y, w) in series.y.iter().zip(&series.w) {
            wyy += w * y * y;
            wy += w * y;
            sum += w;
        }
        Self { series, wyy, wy, w: sum }
    }

    /// ln L, and the fraction of the flux that is lensed.
    fn log_likelihood(&self, lens: &Template<'_>, reach: f64, crossing: f64, centre: f64) -> (f64, f64) {
        let s = &self.series;
        let low = s.mjd.partition_point(|t| *t < centre - reach);
        let high = s.mjd.partition_point(|t| *t <= centre + reach);
        let rate = 1.0 / crossing;
        let (mut wyd, mut wd, mut wdd) = (0.0, 0.0, 0.0);
        for i in low..high {
            let d = lens.at((s.mjd[i] - centre) * rate) - 1.0;
            let w = s.w[i] * d;
            wyd += w * s.y[i];
            wd += w;
            wdd += w * d;
        }
        // The fraction of the flux that is lensed, by least squares for `c (1 + f d)`.
        let best = (wyd * self.w - self.wy * wd) / (self.wy * wdd - wyd * wd);
        let fraction = if best.is_finite() { best.clamp(LEAST_FRACTION, 1.0) } else { 1.0 };
        let (wym, wmm) = (self.wy + fraction * wyd, self.w + fraction * (2.0 * wd + fraction * wdd));
        (log_likelihood(self.wyy, wym, wmm), fraction)
    }
}
