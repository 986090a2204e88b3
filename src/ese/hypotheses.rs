//! A lens against everything else that makes a light curve, over all receivers.

use super::chromatic::{self, Colours};
use super::fit::{fit, lens_of, LensFit, Search};
use super::models::{alternatives, Alternatives};
use super::noise::{log_sum_exp, Bank};
use super::receiver::{Receiver, EPOCH_DAYS};
use super::refine::Refined;

/// ln prior odds of a lens over an achromatic dip that has the very shape of a lens's: gain errors of all bands at once have edges, or
/// are taken out with the reference sources.
const FLAT_ODDS: f64 = 4.0;
/// Receivers with fewer epochs have no say.
const LEAST_EPOCHS: usize = 5;
/// A lens acts where it changes the flux by more than this fraction, and a margin of the event's length to each side.
const ACTS: f64 = 0.03;
const MARGIN: f64 = 0.15;

/// The outcome.
pub(super) struct Weighed {
    pub lens: LensFit,
    pub alternatives: Alternatives,
    /// ln Bayes factor of a lens over the likeliest alternative.
    pub log_bf: f64,
    /// The part of it that the colour alone gives, where that was tested.
    pub decisive: Option<f64>,
}

/// Weigh the hypotheses for a dip in `window` \[MJD\]; `None` when no receiver has enough epochs.
pub(super) fn weigh(receivers: &[Receiver], window: (f64, f64)) -> Option<Weighed> {
    let chosen: Vec<&Receiver> = receivers.iter().filter(|r| r.combined.len() >= LEAST_EPOCHS).collect();
    let reference = chosen.iter().copied().reduce(|a, b| if b.weight > a.weight { b } else { a })?;
    let banks: Vec<Bank> = chosen.iter().map(|r| Bank::new(r.combined.clone())).collect();
    let first = banks.iter().map(|b| b.series.mjd[0]).fold(f64::INFINITY, f64::min);
    let last = banks.iter().map(|b| b.series.mjd[b.series.len() - 1]).fold(f64::NEG_INFINITY, f64::max);
    let search = |exponent: f64| Search {
        banks: &banks,
        scale: chosen.iter().map(|r| strength(reference, r, exponent)).collect(),
        window,
        span: (first, last),
    };
    let lensing = search(2.0);
    let (lens, log_z) = fit(&lensing)?;
    // The same in every receiver: with one of them that is the same fit.
    let known = chosen.iter().all(|r| r.freq_hz.is_finite());
    let several = banks.len() > 1 && known;
    let log_z_flat = if several { fit(&search(0.0)).map_or(log_z, |f| f.1) } else { log_z };
    let within: Vec<Option<Colours>> =
        chosen.iter().zip(&lensing.scale).map(|(r, scale)| chromaticity(r, &lens, *scale, window)).collect();
    let tested = several || within.iter().any(Option::is_some);
    let inside = |of: fn(&Colours) -> f64| within.iter().flatten().map(of).sum::<f64>();
    let chromatic = tested.then(|| log_z - log_z_flat + inside(|c| c.lens));
    let each: Vec<Alternatives> = banks.iter().map(alternatives).collect();
    let alternatives = sum(&each);
    // In units of the achromatic dip's evidence: what the bands tell is on the lens's side of the balance, and on its rivals'.
    let (log_bf, decisive) = match chromatic {
        None => (log_z - each.iter().map(|a| a.best().1).sum::<f64>(), None),
        Some(c) => {
            let (other, late) = (inside(|c| c.other), inside(|c| c.late));
            let flare: f64 = each.iter().map(|a| a.flare).sum();
            let rest: f64 = each.iter().map(|a| a.besides_a_flare()).sum();
            let rivals = log_sum_exp(&[rest + other, flare + late, log_z_flat - FLAT_ODDS + other]);
            (log_z_flat + c - rivals, Some(c - other.max(late)))
        }
    };
    let place = chosen.iter().position(|r| std::ptr::eq(*r, reference)).unwrap_or(0);
    Some(Weighed { lens: described(&lens, log_z, &banks[place], chromatic), alternatives, decisive, log_bf })
}

/// Strength in a receiver over that in the reference, as a power of the wavelength; 1 where a frequency is not known.
fn strength(reference: &Receiver, receiver: &Receiver, exponent: f64) -> f64 {
    let ratio = reference.freq_hz / receiver.freq_hz;
    if ratio.is_finite() {
        ratio.powf(exponent)
    } else {
        1.0
    }
}

/// ln likelihood ratio within one receiver: the lens's own law, and the plain one that the depth goes as the wavelength
/// squared (which holds for a weak lens of any form), over a dip that is the same in all bands.
fn chromaticity(receiver: &Receiver, lens: &Refined, scale: f64, dip: (f64, f64)) -> Option<Colours> {
    let (crossing, centre) = (lens.at[2].exp(), lens.at[3]);
    let mean = lens_of(&lens.at, lens.form, scale);
    let narrow: Vec<_> = receiver
        .bands
        .iter()
        .map(|b| (b.ratio, lens_of(&lens.at, lens.form, scale / (b.ratio * b.ratio))))
        .collect();
    let seen = |m: f64| 1.0 + lens.at[4] * (m - 1.0);
    let law = |t: f64, ratio: f64| {
        let x = (t - centre) / crossing;
        let band = narrow.iter().find(|n| n.0 == ratio).map_or(1.0, |n| seen(n.1.at(x)));
        band / seen(mean.at(x)).max(1e-3)
    };
    let plain = |t: f64, ratio: f64| {
        let m = seen(mean.at((t - centre) / crossing)).clamp(0.05, 2.0);
        ((1.0 - (1.0 - m) / (ratio * ratio)) / m).max(0.05)
    };
    let acts = |t: &&f64| (seen(mean.at((**t - centre) / crossing)) - 1.0).abs() > ACTS;
    let times = &receiver.combined.mjd;
    let first = times.iter().find(acts).map_or(dip.0, |t| t.min(dip.0));
    let last = times.iter().rev().find(acts).map_or(dip.1, |t| t.max(dip.1));
    let margin = MARGIN * (last - first);
    chromatic::ratio(&receiver.bands, EPOCH_DAYS, &[&law, &plain], (first - margin, last + margin))
}

fn described(lens: &Refined, log_evidence: f64, bank: &Bank, chromatic: Option<f64>) -> LensFit {
    let crossing = lens.at[2].exp();
    let shape = lens_of(&lens.at, lens.form, 1.0);
    let seen: Vec<f64> = bank
        .series
        .mjd
        .iter()
        .map(|t| 1.0 + lens.at[4] * (shape.at((t - lens.at[3]) / crossing) - 1.0))
        .collect();
    let deepest = seen.iter().copied().fold(1.0, f64::min);
    let unlensed = seen.iter().filter(|m| (**m - 1.0).abs() < 0.05).count();
    LensFit {
        log_evidence,
        form: lens.form,
        alpha: lens.at[0].exp(),
        alpha_ln_err: lens.err[0],
        crossing_days: crossing,
        crossing_err_days: lens.err[2] * crossing,
        mjd: lens.at[3],
        mjd_err_days: lens.err[3],
        source_sigma: lens.at[1].exp(),
        source_ln_err: lens.err[1],
        fraction: lens.at[4],
        impact: lens.at[5],
        depth: 1.0 - deepest,
        unlensed: unlensed as f64 / seen.len().max(1) as f64,
        chromatic,
    }
}

/// Each alternative's evidence over all receivers.
fn sum(each: &[Alternatives]) -> Alternatives {
    each.iter().fold(Alternatives::default(), |t, a| Alternatives {
        constant: t.constant + a.constant,
        gain: t.gain + a.gain,
        flare: t.flare + a.flare,
        drift: t.drift + a.drift,
        scintillation: t.scintillation + a.scintillation,
    })
}
