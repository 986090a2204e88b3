//! Normalisation of an epoch by a reference ensemble.
//!
//! The named default method: the baseline of a reference is the median of its first ten epochs, the correction of an epoch is
//! the median ratio of the references to their baselines after one pass of three-sigma clipping.

use super::Error;
use crate::kind::BadArgument;
use crate::math::robust::{clip, median_mad, MedianMad};

/// Options of the ensemble method.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EnsembleParams {
    /// Epochs that make a baseline, the first in time.
    pub baseline_epochs: usize,
    /// Fewest epochs of a baseline.
    pub min_baseline_epochs: usize,
    /// Clipping limit on the ratios \[sigma\].
    pub clip_sigma: f64,
    /// Fewest references of a correction.
    pub min_references: usize,
}

impl Default for EnsembleParams {
    fn default() -> Self {
        Self { baseline_epochs: 10, min_baseline_epochs: 3, clip_sigma: 3.0, min_references: 3 }
    }
}

/// Level of a source before anything is judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Baseline {
    /// Median of the baseline epochs \[Jy\].
    pub flux_jy: f64,
    /// Scaled MAD of them \[Jy\].
    pub rms_jy: f64,
    /// Number of them.
    pub n: usize,
}

/// The baseline of one source: median and scaled MAD of its first epochs by time; `None` with fewer than
/// `min_baseline_epochs` finite points. Points need not be sorted.
pub fn baseline(mjd: &[f64], flux_jy: &[f64], params: &EnsembleParams) -> Option<Baseline> {
    let mut order: Vec<usize> =
        (0..mjd.len().min(flux_jy.len())).filter(|&i| mjd[i].is_finite() && flux_jy[i].is_finite()).collect();
    order.sort_by(|&a, &b| mjd[a].total_cmp(&mjd[b]).then(a.cmp(&b)));
    order.truncate(params.baseline_epochs);
    if order.len() < params.min_baseline_epochs.max(1) {
        return None;
    }
    let first: Vec<f64> = order.iter().map(|&i| flux_jy[i]).collect();
    let MedianMad { median, sigma } = median_mad(&first);
    Some(Baseline { flux_jy: median, rms_jy: sigma, n: first.len() })
}

/// The gain of one epoch as its references see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Correction {
    /// Median ratio of the kept references: fluxes are divided by it \[1\].
    pub factor: f64,
    /// Scaled MAD of the kept ratios \[1\].
    pub rms: f64,
    /// Error of the median, `1.2533 rms / sqrt(n)` \[1\].
    pub err: f64,
    /// Which references took part.
    pub used: Vec<bool>,
}

/// The correction of one epoch from the fluxes of its references and their baselines.
///
/// Ratios that are not finite and positive are left out; ratios that deviate by `clip_sigma` scaled MADs or more are rejected
/// once, if enough remain.
///
/// # Errors
/// Lengths that differ; fewer than `min_references` usable ratios.
pub fn correction(
    flux_jy: &[f64],
    baseline_jy: &[f64],
    params: &EnsembleParams,
) -> Result<Correction, Error> {
    if flux_jy.len() != baseline_jy.len() {
        let found = format!("{} and {}", flux_jy.len(), baseline_jy.len());
        return Err(BadArgument::new("flux_jy, baseline_jy", "as many fluxes as baselines", found).into());
    }
    let ratio: Vec<f64> = flux_jy
        .iter()
        .zip(baseline_jy)
        .map(|(f, b)| if *f > 0.0 && *b > 0.0 { f / b } else { f64::NAN })
        .collect();
    let usable: Vec<bool> = ratio.iter().map(|r| r.is_finite()).collect();
    let found = usable.iter().filter(|u| **u).count();
    let needed = params.min_references.max(1);
    if found < needed {
        return Err(Error::TooFewReferences { needed, found });
    }
    let clipped = clip(&ratio, params.clip_sigma, 1);
    let (used, MedianMad { median, sigma }) =
        if clipped.n >= needed { (clipped.kept, clipped.stats) } else { (usable, median_mad(&ratio)) };
    let n = used.iter().filter(|u| **u).count() as f64;
    // The median of a Gaussian sample is sqrt(pi / 2) less certain than its mean.
    let err = (std::f64::consts::FRAC_PI_2 / n).sqrt() * sigma;
    Ok(Correction { factor: median, rms: sigma, err, used })
}

/// The correction of each reference from all others, so that none is normalised by itself; `None` where too few others remain.
///
/// # Errors
/// Lengths that differ.
pub fn leave_one_out(
    flux_jy: &[f64],
    baseline_jy: &[f64],
    params: &EnsembleParams,
) -> Result<Vec<Option<Correction>>, Error> {
    let mut others = flux_jy.to_vec();
    let mut out = Vec::with_capacity(others.len());
    for i in 0..others.len() {
        let own = std::mem::replace(&mut others[i], f64::NAN);
        out.push(match correction(&others, baseline_jy, params) {
            Ok(c) => Some(c),
            Err(Error::TooFewReferences { .. }) => None,
            Err(e) => return Err(e),
        });
        others[i] = own;
    }
    Ok(out)
}

/// A flux on the scale of the baselines: `f / c`, with the error `sqrt((e / c)^2 + (f r / c^2)^2)` where `r` is the error that
/// the correction is given (`rms` in the original's formula, `err` for that of the median).
pub fn normalise(flux_jy: f64, flux_err_jy: f64, factor: f64, factor_err: f64) -> (f64, f64) {
    let scaled_err = flux_err_jy / factor;
    let gain_err = flux_jy * factor_err / (factor * factor);
    (flux_jy / factor, scaled_err.hypot(gain_err))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn worked_example() {
        // A source of 100 that fades by 30 % while the gain falls by 5 %.
        let baselines = [10.0, 20.0, 30.0, 40.0, 50.0];
        let fluxes: Vec<f64> = baselines.iter().map(|b| 0.95 * b).collect();
        let c = correction(&fluxes, &baselines, &EnsembleParams::default()).unwrap();
        assert!((c.factor - 0.95).abs() < 1e-15 && c.rms < 1e-15);
        let (f, e) = normalise(0.95 * 70.0, 1.9, c.factor, c.rms);
        assert!((f - 70.0).abs() < 1e-12 && (e - 2.0).abs() < 1e-12);
    }

    #[test]
    fn a_variable_reference_is_clipped() {
        let baselines = [1.0; 8];
        let fluxes = [1.01, 0.99, 1.0, 1.02, 0.98, 1.01, 0.99, 2.0];
        let c = correction(&fluxes, &baselines, &EnsembleParams::default()).unwrap();
        assert!(!c.used[7] && c.used[..7].iter().all(|u| *u));
        assert!((c.factor - 1.0).abs() < 1e-12);
    }

    #[test]
    fn too_few_references_are_an_error_with_their_number() {
        let e = correction(&[1.0, f64::NAN, -2.0, 1.0], &[1.0; 4], &EnsembleParams::default());
        assert!(matches!(e, Err(Error::TooFewReferences { needed: 3, found: 2 })));
    }

    #[test]
    fn baseline_is_the_median_of_the_first_ten_in_time() {
        let mjd: Vec<f64> = (0..20).rev().map(f64::from).collect();
        let flux: Vec<f64> = mjd.iter().map(|t| if *t < 10.0 { 1.0 + 0.01 * t } else { 99.0 }).collect();
        let b = baseline(&mjd, &flux, &EnsembleParams::default()).unwrap();
        assert!((b.flux_jy - 1.045).abs() < 1e-12 && b.n == 10);
        assert!(baseline(&mjd[..2], &flux[..2], &EnsembleParams::default()).is_none());
    }

    #[test]
    fn a_reference_does_not_normalise_itself() {
        let fluxes = [1.0, 1.0, 1.0, 0.5];
        let out = leave_one_out(&fluxes, &[1.0; 4], &EnsembleParams::default()).unwrap();
        assert_eq!(out[3].as_ref().unwrap().factor, 1.0);
        assert!(!out[3].as_ref().unwrap().used[3]);
        assert!(leave_one_out(&fluxes[..3], &[1.0; 3], &EnsembleParams::default()).unwrap()[0].is_none());
    }

    proptest! {
        // Whatever the gain of the epoch, the normalised flux is the same.
        #[test]
        fn gain_drops_out(gain in 0.2..5.0f64, fluxes in prop::collection::vec(0.5..2.0f64, 3..20)) {
            let baselines = vec![1.0; fluxes.len()];
            let params = EnsembleParams::default();
            let before = correction(&fluxes, &baselines, &params).unwrap();
            let after = correction(&fluxes.iter().map(|f| f * gain).collect::<Vec<_>>(), &baselines, &params).unwrap();
            let a = normalise(1.3, 0.1, before.factor, before.rms);
            let b = normalise(1.3 * gain, 0.1 * gain, after.factor, after.rms);
            prop_assert!((a.0 - b.0).abs() < 1e-9 && (a.1 - b.1).abs() < 1e-9);
        }
    }
}
