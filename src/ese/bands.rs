//! Judging one source from all its bands: dips, competing models, the lens, and the words.

use rayon::prelude::*;

use super::event::{dips, Curve, Excursion};
use super::fit::LensFit;
use super::models::Alternatives;
use super::receiver::Receiver;
use super::score::Score;
use super::verdict::{JudgeParams, Verdict};
use super::{hypotheses, words, Error};
use crate::control::Control;
use crate::kind::BadArgument;
use crate::variability::{Ragged, Summary};

/// Fewest epochs of which a lens can be told from anything else.
const LEAST_EPOCHS: usize = 8;
/// Fraction of the epochs that must show the unlensed flux: the template's, or the baseline where the colour alone decides, as a lens that
/// no template fits has no unlensed flux of its own.
const LEAST_UNLENSED: f64 = 0.03;

/// Least signal-to-noise ratio of the mean flux for a verdict on changes relative to it \[sigma\].
const LEAST_DETECTION: f64 = 3.0;

/// One band of one source.
#[derive(Clone, Copy, Debug)]
pub struct Band<'a> {
    /// Frequency \[Hz\]; bands without one are told apart by order.
    pub freq_hz: f64,
    /// Times \[MJD days\].
    pub mjd: &'a [f64],
    /// Fluxes, any one unit.
    pub flux: &'a [f64],
    /// Errors, same unit.
    pub err: &'a [f64],
}

impl<'a> Band<'a> {
    /// The bands of many sources from flat arrays: source `s` owns bands `first_band[s]..first_band[s + 1]`, band `b` is light
    /// curve `b` of `curves` at `freq_hz[b]`.
    ///
    /// # Errors
    /// Arrays that do not run in step.
    pub fn of_sources(
        first_band: &[usize],
        freq_hz: &[f64],
        curves: Ragged<'a>,
    ) -> Result<Vec<Vec<Band<'a>>>, BadArgument> {
        curves.check()?;
        let n = freq_hz.len();
        let rising = first_band.windows(2).all(|w| w[0] <= w[1]);
        if curves.len() != n || !rising || first_band.first() != Some(&0) || first_band.last() != Some(&n) {
            let found = format!("{} light curves, {n} frequencies, {first_band:.3?}", curves.len());
            return Err(BadArgument::new(
                "first_band",
                "rising indices from 0 to the number of bands",
                found,
            ));
        }
        let band = |b: usize| {
            let range = curves.offsets[b]..curves.offsets[b + 1];
            let (mjd, flux, err) =
                (&curves.mjd[range.clone()], &curves.flux[range.clone()], &curves.err[range]);
            Band { freq_hz: freq_hz[b], mjd, flux, err }
        };
        Ok(first_band.windows(2).map(|w| (w[0]..w[1]).map(band).collect()).collect())
    }
}

/// Everything found out about one source from all its bands.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct BandsJudgement {
    /// The verdict.
    pub verdict: Verdict,
    /// The score of the original system, of the receiver whose dip is the most significant.
    pub score: Score,
    /// Statistics of its epochs, relative to the baseline.
    pub summary: Summary,
    /// Significant dips, in order of time.
    pub events: Vec<Excursion>,
    /// The lens, when it was fitted.
    pub lens: Option<LensFit>,
    /// Evidences of the alternatives, when they were fitted; summed over receivers.
    pub alternatives: Option<Alternatives>,
    /// ln Bayes factor of a lens over the most likely alternative, chromaticity included; none when nothing dips.
    pub log_bf_lens: Option<f64>,
    /// Whether the strongest dip reaches the last epoch.
    pub in_progress: bool,
    /// Whether to look now: a lens is likely enough and its dip is in progress, however few the epochs.
    pub trigger: bool,
    /// Why, in words.
    pub reasons: Vec<String>,
}

/// ln Bayes factor of a lens from which a source is a candidate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BandsParams {
    /// Thresholds of dips and variability.
    pub judge: JudgeParams,
    /// Least ln Bayes factor over every alternative.
    pub min_log_bf: f64,
    /// The same where the colour of the dip could not be tested and the score is above `judge.min_score`: then shape and score decide.
    pub min_log_bf_scored: f64,
}

impl BandsParams {
    /// Whether the score has a say.
    pub(super) fn by_score(&self, j: &BandsJudgement) -> bool {
        j.lens.is_some_and(|l| l.chromatic.is_none()) && j.score.total > self.judge.min_score
    }

    /// Whether the Bayes factor is large enough.
    pub(super) fn likely(&self, j: &BandsJudgement) -> bool {
        let needed =
            if self.by_score(j) { self.min_log_bf_scored.min(self.min_log_bf) } else { self.min_log_bf };
        j.log_bf_lens.is_some_and(|b| b >= needed)
    }
}

impl Default for BandsParams {
    fn default() -> Self {
        Self { judge: JudgeParams::default(), min_log_bf: 7.0, min_log_bf_scored: 5.0 }
    }
}

/// Judge many sources, on all cores.
///
/// # Errors
/// Cancelled.
pub fn judge_bands_many(
    sources: &[Vec<Band<'_>>],
    params: &BandsParams,
    control: &Control,
) -> Result<Vec<BandsJudgement>, Error> {
    control.expect(sources.len() as u64);
    sources
        .par_iter()
        .map(|bands| {
            control.check()?;
            let judged = judge_bands(bands, params);
            control.advance(1);
            Ok(judged)
        })
        .collect()
}

/// Judge one source from all its bands.
///
/// Neighbouring bands are one receiver: divided by their baselines and averaged over each epoch. A candidate needs a dip below
/// the baseline, a lens that beats constant, gain step, flare, drift and scintillation by `min_log_bf` (chromaticity counted for
/// or against it where there is more than one band), and `min_epochs` epochs. Without a dip of `min_dip_snr` and `min_depth`
/// no candidate is possible, and nothing is fitted.
pub fn judge_bands(bands: &[Band<'_>], params: &BandsParams) -> BandsJudgement {
    let p = &params.judge;
    let curves: Vec<(f64, Curve)> =
        bands.iter().map(|b| (b.freq_hz, Curve::new(b.mjd, b.flux, b.err).despiked(p.spike_sigma))).collect();
    let receivers = Receiver::of_bands(&curves);
    let nothing = Receiver::default();
    let found: Vec<Vec<Excursion>> = receivers.iter().map(|r| dips(&r.curve(), p)).collect();
    let snr = |g: &usize| found[*g].iter().map(|e| e.snr).fold(0.0, f64::max);
    let order = |a: &usize, b: &usize| {
        snr(a).total_cmp(&snr(b)).then(receivers[*a].combined.len().cmp(&receivers[*b].combined.len()))
    };
    let primary = (0..receivers.len()).max_by(order);
    let receiver = primary.map_or(&nothing, |g| &receivers[g]);
    let events = primary.map_or_else(Vec::new, |g| found[g].clone());
    let strongest = events.iter().copied().reduce(|a, b| if b.snr > a.snr { b } else { a });
    let epochs = receiver.combined.len();
    let (summary, score) = receiver.statistics();
    let mut judged = BandsJudgement {
        verdict: Verdict::Steady,
        score,
        summary,
        events,
        lens: None,
        alternatives: None,
        log_bf_lens: None,
        in_progress: strongest.is_some_and(|d| d.points.1 + 1 == epochs),
        trigger: false,
        reasons: Vec::new(),
    };
    let mut decisive = false;
    if let (Some(dip), true) = (strongest, epochs >= LEAST_EPOCHS) {
        if let Some(weighed) = hypotheses::weigh(&receivers, (dip.mjd_start, dip.mjd_end)) {
            judged.log_bf_lens = Some(weighed.log_bf);
            judged.lens = Some(weighed.lens);
            decisive = weighed.decisive.is_some_and(|c| c >= params.min_log_bf);
            judged.alternatives = Some(weighed.alternatives);
        }
    }
    let fitted = judged.lens.is_some_and(|l| l.depth >= p.min_depth && l.unlensed >= LEAST_UNLENSED);
    let coloured = decisive && receiver.at_baseline(&judged.events) >= LEAST_UNLENSED;
    let lens = params.likely(&judged) && (fitted || coloured);
    judged.trigger = lens && judged.in_progress;
    let others = receivers.iter().enumerate().filter(|(g, _)| Some(*g) != primary).map(|(_, r)| r);
    let varies = varies(&judged.summary, p) || others.map(Receiver::statistics).any(|(s, _)| varies(&s, p));
    let most = receivers.iter().map(|r| r.combined.len()).max().unwrap_or(0);
    judged.verdict = match (most < p.min_epochs, lens, varies) {
        (true, _, _) => Verdict::Insufficient,
        (_, true, _) => Verdict::Candidate,
        (_, _, true) => Verdict::Variable,
        _ => Verdict::Steady,
    };
    let undetected = Some(detection(&curves)).filter(|s| *s < LEAST_DETECTION && !varies && !lens);
    if undetected.is_some() {
        judged.verdict = Verdict::Insufficient;
    }
    judged.reasons = words::reasons(&judged, params, &curves, receiver, epochs, undetected);
    judged
}

/// Weighted mean flux of all points over its error; infinite without points.
fn detection(curves: &[(f64, Curve)]) -> f64 {
    let points = curves.iter().flat_map(|(_, c)| c.flux.iter().zip(&c.err));
    let (mut sum, mut weight) = (0.0, 0.0);
    for (f, e) in points {
        sum += f / (e * e);
        weight += 1.0 / (e * e);
    }
    if weight > 0.0 {
        sum / weight.sqrt()
    } else {
        f64::INFINITY
    }
}

fn varies(s: &Summary, p: &JudgeParams) -> bool {
    s.chi2_nu > p.variable_chi2_nu || (s.v > p.variable_v && s.significance > 5.0)
}

#[cfg(test)]
mod tests {
    use super::super::PlasmaLens;
    use super::*;

    const BANDS: [f64; 4] = [1.34e9, 1.38e9, 1.43e9, 1.47e9];

    /// Four bands, 150 days, errors of 2 %, a fixed ripple of that size.
    fn observe(flux: impl Fn(f64, f64) -> f64) -> Vec<(Vec<f64>, Vec<f64>, Vec<f64>)> {
        BANDS
            .iter()
            .enumerate()
            .map(|(b, &freq)| {
                let mjd: Vec<f64> = (0..150).map(|d| 60_000.0 + f64::from(d) + 0.001 * b as f64).collect();
                let ripple = |i: usize| 0.02 * ((((i + 37 * b) * 7919) % 101) as f64 - 50.0) / 29.2;
                let y = mjd
                    .iter()
                    .enumerate()
                    .map(|(i, t)| (2.0 - 0.1 * b as f64) * (flux(*t, freq) + ripple(i)))
                    .collect();
                (mjd, y, vec![0.04; 150])
            })
            .collect()
    }

    fn judged(data: &[(Vec<f64>, Vec<f64>, Vec<f64>)]) -> BandsJudgement {
        let bands: Vec<Band<'_>> = data
            .iter()
            .zip(BANDS)
            .map(|(d, freq_hz)| Band { freq_hz, mjd: &d.0, flux: &d.1, err: &d.2 })
            .collect();
        judge_bands(&bands, &BandsParams::default())
    }

    fn event(t: f64, freq: f64) -> f64 {
        PlasmaLens::new(0.6, 1.4e9, 0.3).unwrap().magnification((t - 60_070.0) / 18.0, freq)
    }

    #[test]
    fn a_lens_is_a_candidate_with_its_parameters() {
        let j = judged(&observe(event));
        assert_eq!(j.verdict, Verdict::Candidate, "{:?}", j.reasons);
        let l = j.lens.unwrap();
        // The grid's ratio is 1.4 in strength and 1.3 in time, and size trades against strength.
        assert!((l.alpha / 0.6).ln().abs() < 0.5 && (l.crossing_days / 18.0).ln().abs() < 0.35, "{l:?}");
        assert!((l.mjd - 60_070.0).abs() < 3.0 && l.chromatic.unwrap() > 0.0, "{l:?}");
    }

    #[test]
    fn the_same_dip_in_every_band_is_less_likely_a_lens() {
        let chromatic = judged(&observe(event));
        let flat = judged(&observe(|t, _| event(t, 1.4e9)));
        assert!(flat.lens.unwrap().chromatic.unwrap() < 0.0, "{:?}", flat.lens);
        assert!(flat.log_bf_lens.unwrap() < chromatic.log_bf_lens.unwrap());
    }

    #[test]
    fn steps_flares_drifts_and_flicker_are_not_nominated() {
        let cases: [fn(f64, f64) -> f64; 5] = [
            |_, _| 1.0,
            |t, _| if t > 60_060.0 && t < 60_090.0 { 0.75 } else { 1.0 },
            |t, _| 1.0 + if t > 60_050.0 { 0.6 * (-(t - 60_050.0) / 20.0).exp() } else { 0.0 },
            |t, _| 1.2 - 0.003 * (t - 60_000.0),
            |t, _| 1.0 + 0.12 * ((t - 60_000.0) / 6.3).sin() + 0.1 * (t / 9.1).cos(),
        ];
        for (k, case) in cases.into_iter().enumerate() {
            let j = judged(&observe(case));
            assert_ne!(j.verdict, Verdict::Candidate, "case {k}: {:?}", j.reasons);
        }
        assert_eq!(judged(&observe(|_, _| 1.0)).verdict, Verdict::Steady);
    }

    #[test]
    fn what_was_never_detected_is_insufficient_and_said_to_be() {
        let below = judged(&observe(|_, _| -1.0));
        let none = judged(&observe(|_, _| 0.0));
        for j in [below, none] {
            assert_eq!(j.verdict, Verdict::Insufficient, "{:?}", j.reasons);
            assert!(j.reasons.iter().any(|r| r.starts_with("not detected")), "{:?}", j.reasons);
        }
    }

    #[test]
    fn bad_points_of_single_bands_that_survive_despiking_make_no_event() {
        let mut data = observe(|_, _| 1.0);
        // Runs of two and three bad points, in another band each time.
        for (k, start) in (5..140).step_by(9).enumerate() {
            let bad = [-1.0, 0.0, 5.0][k % 3];
            data[k % 4].1[start..start + 2 + k % 2].fill(bad);
        }
        let j = judged(&data);
        assert_eq!(j.verdict, Verdict::Steady, "{:?}", j.reasons);
        assert!(j.reasons.iter().any(|r| r.contains("far from the other bands")), "{:?}", j.reasons);
    }

    #[test]
    fn a_supernova_in_one_band_is_no_lens_that_came_before() {
        // Free-free absorbed rise and a fall as 1/t (Chevalier 1982, doi:10.1086/160167).
        let flux = |t: f64, freq: f64| {
            let age = ((t - 60_030.0) / 25.0).max(0.04);
            0.05 + 3.0 * (-(freq / 1.4e9).powf(-2.1) / (age * age)).exp() / age
        };
        let data = observe(flux);
        let one = Band { freq_hz: 1.4e9, mjd: &data[1].0, flux: &data[1].1, err: &data[1].2 };
        let j = judge_bands(&[one], &BandsParams::default());
        assert_eq!(j.verdict, Verdict::Variable, "{:?}", j.reasons);
    }

    #[test]
    fn nothing_one_point_and_one_band_do_not_panic() {
        assert_eq!(judge_bands(&[], &BandsParams::default()).verdict, Verdict::Insufficient);
        let band = Band { freq_hz: f64::NAN, mjd: &[1.0], flux: &[1.0], err: &[0.1] };
        assert_eq!(judge_bands(&[band], &BandsParams::default()).verdict, Verdict::Insufficient);
        let data = observe(event);
        let one = Band { freq_hz: 1.4e9, mjd: &data[0].0, flux: &data[0].1, err: &data[0].2 };
        let j = judge_bands(&[one], &BandsParams::default());
        assert!(j.lens.unwrap().chromatic.is_none());
        assert!(j.reasons.iter().any(|r| r.contains("chromaticity not tested")));
        let same = Band { freq_hz: 1.4e9, mjd: &[5.0; 30], flux: &[1.0; 30], err: &[0.1; 30] };
        judge_bands(&[same], &BandsParams::default());
    }
}
