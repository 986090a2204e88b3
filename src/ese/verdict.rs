//! What is said of a light curve, and why, in words.

use rayon::prelude::*;

use super::event::{strongest, Curve, Excursion, Side};
use super::score::{ese_score, Score, ScoreInput, FLAG_SCORE};
use super::Error;
use crate::control::Control;
use crate::variability::{summarise, Depth, Ragged, Summary};

/// The machine's judgement of one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Too few points to say.
    Insufficient,
    /// Nothing beyond the errors.
    Steady,
    /// Changes, but not as a lens would make it.
    Variable,
    /// An extreme scattering event is likely enough for a person to look.
    Candidate,
}

impl Verdict {
    /// The word used in reports and databases.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Insufficient => "insufficient",
            Self::Steady => "steady",
            Self::Variable => "variable",
            Self::Candidate => "candidate",
        }
    }
}

/// Thresholds of [`judge`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JudgeParams {
    /// Score above which a curve that dips is a candidate.
    pub min_score: f64,
    /// Fewest usable epochs for a nomination.
    pub min_epochs: usize,
    /// Fewest consecutive epochs of a dip.
    pub min_dip_epochs: usize,
    /// Least signal-to-noise ratio of the dip \[sigma\].
    pub min_dip_snr: f64,
    /// Least depth of the dip, as a fraction of the baseline.
    pub min_depth: f64,
    /// Reduced chi-square above which a source is variable.
    pub variable_chi2_nu: f64,
    /// Fractional standard deviation above which a source is variable, when the change is significant at 5 sigma.
    pub variable_v: f64,
    /// Single points further than this from all their neighbours are left out \[sigma\].
    pub spike_sigma: f64,
}

impl Default for JudgeParams {
    fn default() -> Self {
        Self {
            min_score: FLAG_SCORE,
            min_epochs: 20,
            min_dip_epochs: 3,
            min_dip_snr: 5.0,
            min_depth: 0.05,
            variable_chi2_nu: 3.0,
            variable_v: 0.05,
            spike_sigma: 5.0,
        }
    }
}

/// Everything found out about one light curve.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// The score of the original system.
    pub score: Score,
    /// Statistics of the points without spikes.
    pub summary: Summary,
    /// Level from which dips and rises are counted, in the unit of the fluxes.
    pub baseline: f64,
    /// The most significant dip, if it passes the thresholds.
    pub dip: Option<Excursion>,
    /// The most significant rise of at least as many points.
    pub rise: Option<Excursion>,
    /// Single bad points left out.
    pub n_spikes: usize,
    /// Why, in words.
    pub reasons: Vec<String>,
}

/// Judge one light curve of one band by its shape and score.
///
/// A candidate needs `score > min_score` and a net dip: a run below the baseline that is long, deep and significant enough. A
/// rise alone is variable, whatever its score. Points that are not finite or have no error, and single points far from all their
/// neighbours, are left out first.
pub fn judge(mjd: &[f64], flux: &[f64], err: &[f64], params: &JudgeParams) -> Judgement {
    let raw = Curve::new(mjd, flux, err);
    let curve = raw.despiked(params.spike_sigma);
    let summary = summarise(&curve.mjd, &curve.flux, &curve.err, Depth::Shape);
    let score = ese_score(&ScoreInput {
        chi2_nu: summary.chi2_nu,
        v: summary.v,
        asymmetry: summary.asymmetry,
        timescale_days: summary.timescale_days,
        amplitude: summary.amplitude,
    });
    let baseline = curve.baseline();
    let strong = |e: &Excursion| e.snr >= params.min_dip_snr && e.depth >= params.min_depth;
    let dip =
        strongest(&curve, baseline, Side::Dip, params.min_dip_epochs).filter(|e| baseline > 0.0 && strong(e));
    let rise = strongest(&curve, baseline, Side::Rise, params.min_dip_epochs)
        .filter(|e| baseline > 0.0 && strong(e));
    let varies = summary.chi2_nu > params.variable_chi2_nu
        || (summary.v > params.variable_v && summary.significance > 5.0);
    let verdict = if curve.len() < params.min_epochs {
        Verdict::Insufficient
    } else if score.total > params.min_score && dip.is_some() {
        Verdict::Candidate
    } else if varies {
        Verdict::Variable
    } else {
        Verdict::Steady
    };
    let mut judgement = Judgement {
        verdict,
        score,
        summary,
        baseline,
        dip,
        rise,
        n_spikes: curve.n_spikes,
        reasons: Vec::new(),
    };
    judgement.reasons = reasons(&judgement, &curve, params);
    judgement
}

/// Judge many light curves of one band each, on all cores.
///
/// # Errors
/// Arrays that do not run in step; cancelled.
pub fn judge_many(
    curves: Ragged<'_>,
    params: &JudgeParams,
    control: &Control,
) -> Result<Vec<Judgement>, Error> {
    curves.check()?;
    control.expect(curves.len() as u64);
    (0..curves.len())
        .into_par_iter()
        .map(|s| {
            control.check()?;
            let range = curves.offsets[s]..curves.offsets[s + 1];
            let judged =
                judge(&curves.mjd[range.clone()], &curves.flux[range.clone()], &curves.err[range], params);
            control.advance(1);
            Ok(judged)
        })
        .collect()
}

fn reasons(j: &Judgement, curve: &Curve, params: &JudgeParams) -> Vec<String> {
    let mut out = Vec::new();
    let (n, s) = (curve.len(), &j.summary);
    if j.verdict == Verdict::Insufficient {
        out.push(format!("{n} usable epochs, a nomination needs {}", params.min_epochs));
    }
    if n >= 2 {
        out.push(format!(
            "chi2_nu {:.2}, V {:.3}, eta {:.2} ({:.1} sigma) over {n} epochs",
            s.chi2_nu, s.v, s.eta, s.significance
        ));
    }
    let over = if j.score.total > params.min_score { "above" } else { "not above" };
    out.push(format!("ESE score {:.2}, {over} {:.2}", j.score.total, params.min_score));
    match &j.dip {
        Some(d) => out.push(format!(
            "dips {:.0} % below the baseline from MJD {:.1} to {:.1} ({:.1} sigma)",
            100.0 * d.depth,
            d.mjd_start,
            d.mjd_end,
            d.snr
        )),
        None => out.push("no significant dip below the baseline".to_owned()),
    }
    if let Some(r) = j.rise {
        let alone = if j.dip.is_none() { "; a rise alone is no lensing event" } else { "" };
        out.push(format!("rises {:.0} % above the baseline ({:.1} sigma){alone}", 100.0 * r.depth, r.snr));
    }
    if j.verdict == Verdict::Candidate {
        out.push("chromaticity not tested: one band".to_owned());
    }
    if curve.n_spikes > 0 {
        out.push(format!("{} single points far from all their neighbours were left out", curve.n_spikes));
    }
    if curve.n_blank > 0 {
        out.push(format!(
            "{} points without a finite flux and a positive error were left out",
            curve.n_blank
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(n: usize, step: f64) -> Vec<f64> {
        (0..n).map(|i| 60_000.0 + step * i as f64).collect()
    }

    /// Noise of a fixed pattern: 1 % and no trend.
    fn ripple(i: usize) -> f64 {
        0.01 * ((i * 7919 % 13) as f64 - 6.0) / 3.7
    }

    fn bump(n: usize, step: f64, height: f64, width: f64) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
        let mjd = times(n, step);
        let middle = mjd[n / 2];
        let flux = mjd
            .iter()
            .enumerate()
            .map(|(i, t)| 1.0 + ripple(i) + height * (-0.5 * ((t - middle) / width).powi(2)).exp())
            .collect();
        (mjd, flux, vec![0.01; n])
    }

    #[test]
    fn a_dip_is_a_candidate_and_the_same_rise_is_not() {
        let (mjd, flux, err) = bump(40, 4.0, -0.5, 15.0);
        let j = judge(&mjd, &flux, &err, &JudgeParams::default());
        assert_eq!(j.verdict, Verdict::Candidate, "{j:?}");
        let d = j.dip.unwrap();
        assert!((d.depth - 0.5).abs() < 0.05 && (d.mjd_start..d.mjd_end).contains(&mjd[20]));
        assert!(j.reasons.iter().any(|r| r.contains("chromaticity not tested")));
        let (mjd, flux, err) = bump(40, 4.0, 0.5, 15.0);
        let j = judge(&mjd, &flux, &err, &JudgeParams::default());
        assert_eq!(j.verdict, Verdict::Variable, "{j:?}");
    }

    #[test]
    fn quiet_is_steady_and_bad_points_do_not_change_that() {
        let (mjd, mut flux, err) = bump(60, 1.0, 0.0, 1.0);
        assert_eq!(judge(&mjd, &flux, &err, &JudgeParams::default()).verdict, Verdict::Steady);
        flux[7] = 0.0;
        flux[20] = -1.0;
        flux[33] = 40.0;
        flux[50] = f64::NAN;
        let j = judge(&mjd, &flux, &err, &JudgeParams::default());
        assert_eq!((j.verdict, j.n_spikes, j.summary.n), (Verdict::Steady, 3, 56));
    }

    #[test]
    fn few_epochs_are_insufficient_and_nothing_panics() {
        for n in 0..20 {
            let (mjd, flux, err) = bump(n.max(1), 4.0, -0.5, 15.0);
            let j = judge(&mjd[..n], &flux[..n], &err[..n], &JudgeParams::default());
            assert_eq!(j.verdict, Verdict::Insufficient);
        }
        let j = judge(&[5.0; 30], &[1.0; 30], &[0.1; 30], &JudgeParams::default());
        assert_eq!(j.verdict, Verdict::Steady);
        assert_eq!(
            judge(&times(30, 1.0), &[f64::NAN; 30], &[1.0; 30], &JudgeParams::default()).verdict,
            Verdict::Insufficient
        );
    }
}
