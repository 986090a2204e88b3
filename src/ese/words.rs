//! Why a source was judged as it was, in words.

use super::bands::{BandsJudgement, BandsParams};
use super::event::Curve;
use super::fit::LensFit;
use super::receiver::Receiver;
use super::template::Form;
use super::verdict::Verdict;

pub(super) fn reasons(
    j: &BandsJudgement,
    params: &BandsParams,
    curves: &[(f64, Curve)],
    receiver: &Receiver,
    epochs: usize,
    undetected: Option<f64>,
) -> Vec<String> {
    let mut out = Vec::new();
    let s = &j.summary;
    if j.verdict == Verdict::Insufficient {
        out.push(format!("{epochs} usable epochs, a nomination needs {}", params.judge.min_epochs));
    }
    if let Some(sigma) = undetected {
        out.push(format!(
            "not detected: the mean over all points is {sigma:.1} sigma, and of no flux no relative change can be given"
        ));
    }
    if j.trigger {
        out.push("look now: a lensing event is likely and in progress".to_owned());
    }
    if s.n >= 2 {
        out.push(format!(
            "chi2_nu {:.2}, V {:.3} over {} epochs; ESE score {:.2}",
            s.chi2_nu, s.v, s.n, j.score.total
        ));
    }
    dips(j, &mut out);
    if let Some(l) = &j.lens {
        weighing(j, l, params, receiver.bands.len(), &mut out);
    }
    if receiver.scatter > 1.2 {
        out.push(format!(
            "errors were raised by {:.2}: neighbouring points scatter more than they say",
            receiver.scatter
        ));
    }
    let (spikes, blanks) = curves.iter().fold((0, 0), |t, (_, c)| (t.0 + c.n_spikes, t.1 + c.n_blank));
    if spikes > 0 {
        out.push(format!("{spikes} single points far from all their neighbours were left out"));
    }
    if receiver.n_odd > 0 {
        out.push(format!("{} points far from the other bands at their epoch were left out", receiver.n_odd));
    }
    if blanks > 0 {
        out.push(format!("{blanks} points without a finite flux and a positive error were left out"));
    }
    out
}

fn dips(j: &BandsJudgement, out: &mut Vec<String>) {
    let strongest = j.events.iter().copied().reduce(|a, b| if b.snr > a.snr { b } else { a });
    let Some(d) = strongest else {
        out.push("no significant dip below the baseline".to_owned());
        return;
    };
    out.push(format!(
        "dips {:.0} % below the baseline from MJD {:.1} to {:.1} ({:.1} sigma){}",
        100.0 * d.depth,
        d.mjd_start,
        d.mjd_end,
        d.snr,
        if j.in_progress { ", still in progress" } else { "" }
    ));
    if j.events.len() > 1 {
        out.push(format!("{} other significant dips", j.events.len() - 1));
    }
}

fn weighing(j: &BandsJudgement, l: &LensFit, params: &BandsParams, bands: usize, out: &mut Vec<String>) {
    if let (Some(a), Some(bf)) = (&j.alternatives, j.log_bf_lens) {
        let flat = l.chromatic.is_some_and(|c| c < -2.0) && l.log_evidence > a.best().1;
        let rival = if flat { "a dip that is the same in all bands" } else { a.best().0 };
        let than = if params.likely(j) {
            "more likely than"
        } else if bf > 0.0 {
            "not enough more likely than"
        } else {
            "less likely than"
        };
        let needed = params.min_log_bf;
        let also = if params.by_score(j) { " or, with the score and one band, " } else { "" };
        let less =
            if also.is_empty() { String::new() } else { format!("{also}{:.1}", params.min_log_bf_scored) };
        out.push(format!(
            "a plasma lens is {than} {rival} (ln Bayes factor {bf:.1}, needed {needed:.1}{less})"
        ));
    }
    if j.verdict == Verdict::Candidate || j.trigger {
        let form = if l.form == Form::Round { "round" } else { "long" };
        out.push(format!(
            "{form} lens of strength {:.2} (factor {:.1}), crossed in {:.1} +- {:.1} days a width, closest at MJD {:.1} +- {:.1}, \
             source {:.2} (factor {:.1}) lens widths, {:.0} % of the flux lensed, depth {:.0} %",
            l.alpha,
            l.alpha_ln_err.min(5.0).exp(),
            l.crossing_days,
            l.crossing_err_days,
            l.mjd,
            l.mjd_err_days,
            l.source_sigma,
            l.source_ln_err.min(5.0).exp(),
            100.0 * l.fraction,
            100.0 * l.depth
        ));
    }
    out.push(match l.chromatic {
        None if bands > 1 => "chromaticity not tested: frequencies unknown".to_owned(),
        None => "chromaticity not tested: one band".to_owned(),
        Some(c) if c > 3.0 => {
            format!("coloured as by a plasma lens, stronger at longer wavelengths (ln Bayes factor {c:.1} over no colour)")
        }
        Some(c) if c < -2.0 => {
            format!("the dip is the same in all bands, unlike a plasma lens's (ln Bayes factor {c:.1})")
        }
        Some(c) => format!("the bands do not tell chromatic from achromatic (ln Bayes factor {c:.1})"),
    });
}
