//! The gain of each epoch as a function of position in the beam and of frequency, told by its references.
//!
//! `ln g = c0 + c1 x + c2 y + c3 x^2 + c4 x y + c5 y^2 + d_f + e (x^2 + y^2) ln(nu / nu0)`, with `x, y` the offset from the beam's centre
//! over its radius; `d_f` and `e` only where there are several frequencies. The parameters carry Gaussian priors of zero mean, so that
//! few references give a constant, many a field, and a place far from all of them an error that says so.

use ndarray::{Array2, Array3, ArrayView2, ArrayView3};
use rayon::prelude::*;

use super::gain_epoch::{fit_epoch, Basis, EpochFit, Row};
use super::scale::{fractional_floor, Floor};
use super::Error;
use crate::control::Control;
use crate::kind::BadArgument;
use crate::math::robust::{clip, median};

/// Options of [`gain_field`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GainFieldParams {
    /// Radius that offsets are measured in \[degrees\].
    pub radius_deg: f64,
    /// Epochs, the first in time, over which the mean gain is one.
    pub baseline_epochs: usize,
    /// Fewest references of an epoch.
    pub min_references: usize,
    /// Prior widths of the common gain, of each field term and of each frequency's own gain \[1\].
    pub prior: [f64; 3],
    /// Huber's constant \[sigma\].
    pub huber: f64,
    /// Fractional noise given to every reference before it is measured \[1\].
    pub floor: f64,
    /// Reduced chi-square above which a reference is dropped, when it also stands out from the others.
    pub max_chi2: f64,
    /// Turns of gains and baselines between which references may be dropped.
    pub passes: usize,
}

impl Default for GainFieldParams {
    fn default() -> Self {
        Self {
            radius_deg: 1.5,
            baseline_epochs: 10,
            min_references: 3,
            prior: [1.0, 0.1, 0.1],
            huber: 2.0,
            floor: 0.005,
            max_chi2: 2.0,
            passes: 4,
        }
    }
}

/// Fluxes of all sources in all epochs (in order of time) at all frequencies.
#[derive(Clone, Copy, Debug)]
pub struct Campaign<'a> {
    /// Flux density \[Jy\]; NaN where there is none.
    pub flux_sef: ArrayView3<'a, f64>,
    /// Its error \[Jy\].
    pub err_sef: ArrayView3<'a, f64>,
    /// Offset from the beam's centre \[degrees\].
    pub x_se: ArrayView2<'a, f64>,
    /// The other offset \[degrees\].
    pub y_se: ArrayView2<'a, f64>,
    /// Frequencies \[Hz\].
    pub freq_hz: &'a [f64],
    /// Which sources may serve as references.
    pub reference: &'a [bool],
}

/// The gain of one epoch.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct EpochGain {
    /// Parameters in the order of the equation above; empty without enough references.
    pub params: Vec<f64>,
    /// Their covariance, row-major.
    pub covariance: Vec<f64>,
    /// References used.
    pub n_references: usize,
    /// Robust scatter of the references about the field that the others tell \[1\].
    pub residual_rms: f64,
    /// Fractional noise of the references beyond rms and gain error.
    pub floor: Option<Floor>,
}

/// Normalised fluxes and what normalised them.
#[derive(Clone, Debug)]
pub struct GainField {
    /// Flux over gain \[Jy\].
    pub norm_sef: Array3<f64>,
    /// Error, that of the gain included \[Jy\].
    pub norm_err_sef: Array3<f64>,
    /// Gain at each source; of a reference, as the others tell it.
    pub gain_sef: Array3<f64>,
    /// Its fractional error.
    pub gain_err_sef: Array3<f64>,
    /// Distance to the nearest other reference of the epoch \[degrees\].
    pub reference_sep_se: Array2<f64>,
    /// References that stayed.
    pub reference: Vec<bool>,
    /// One an epoch.
    pub epochs: Vec<EpochGain>,
}

/// Fit the gains of all epochs and normalise.
///
/// Gains and baselines are found in turn: a baseline is the clipped mean of a reference's normalised flux over all epochs, a gain the
/// robust (Huber) fit of `ln(flux / baseline)` of the epoch's references. The mean parameters over the first `baseline_epochs` are
/// zero by definition. After each turn references whose normalised flux varies (each judged by the field of the others) are dropped,
/// while half remain. A reference's own gain never has its own flux in it.
///
/// # Errors
/// Shapes that differ; cancelled.
pub fn gain_field(
    campaign: Campaign<'_>,
    params: &GainFieldParams,
    control: &Control,
) -> Result<GainField, Error> {
    check(campaign, params)?;
    let (ns, ne, _) = campaign.flux_sef.dim();
    let basis = Basis::new(campaign.freq_hz, params);
    let mut reference = campaign.reference.to_vec();
    let fewest = (reference.iter().filter(|r| **r).count() / 2).max(params.min_references);
    let mut baseline_sf = first_baselines(campaign, &reference, params);
    control.expect((params.passes * 3 + 1) as u64);
    let mut fits: Vec<Option<EpochFit>> = Vec::new();
    for _ in 0..params.passes.max(1) {
        for _ in 0..3 {
            fits = fit_all(campaign, &basis, &reference, &baseline_sf, params, control)?;
            anchor(&mut fits, params.baseline_epochs);
            baselines(campaign, &basis, &fits, &reference, &mut baseline_sf);
            control.advance(1);
        }
        if drop_variable(campaign, &basis, &fits, &mut reference, fewest, params) == 0 {
            break;
        }
    }
    fits = fit_all(campaign, &basis, &reference, &baseline_sf, params, control)?;
    anchor(&mut fits, params.baseline_epochs);
    baselines(campaign, &basis, &fits, &reference, &mut baseline_sf);
    let columns: Vec<Vec<[f64; 5]>> =
        (0..ne).into_par_iter().map(|e| normalise_epoch(campaign, &basis, fits[e].as_ref(), e)).collect();
    let nf = campaign.freq_hz.len();
    let cube = |k: usize| Array3::from_shape_fn((ns, ne, nf), |(s, e, f)| columns[e][s * nf + f][k]);
    let (norm_sef, gain_err_sef) = (cube(0), cube(3));
    let epochs = fits
        .iter()
        .enumerate()
        .map(|(e, fit)| {
            describe(campaign, &norm_sef, &gain_err_sef, &baseline_sf, fit.as_ref(), &reference, e)
        })
        .collect();
    Ok(GainField {
        norm_err_sef: cube(1),
        gain_sef: cube(2),
        reference_sep_se: Array2::from_shape_fn((ns, ne), |(s, e)| columns[e][s * nf][4]),
        norm_sef,
        gain_err_sef,
        reference,
        epochs,
    })
}

fn check(c: Campaign<'_>, params: &GainFieldParams) -> Result<(), Error> {
    let (ns, ne, nf) = c.flux_sef.dim();
    let fits = c.err_sef.dim() == (ns, ne, nf)
        && c.x_se.dim() == (ns, ne)
        && c.y_se.dim() == (ns, ne)
        && c.freq_hz.len() == nf
        && c.reference.len() == ns;
    if !fits {
        let found = format!(
            "errors {:?}, offsets {:?} and {:?}, {} frequencies, {} references",
            c.err_sef.dim(),
            c.x_se.dim(),
            c.y_se.dim(),
            c.freq_hz.len(),
            c.reference.len()
        );
        return Err(BadArgument::new(
            "campaign",
            format!("{ns} sources, {ne} epochs, {nf} frequencies"),
            found,
        )
        .into());
    }
    let positive = [params.radius_deg, params.huber, params.max_chi2, params.floor];
    let sane = positive.iter().chain(&params.prior).all(|v| *v > 0.0 && v.is_finite());
    let frequencies = c.freq_hz.iter().all(|f| *f > 0.0 && f.is_finite());
    if !(sane && frequencies) {
        return Err(BadArgument::new(
            "gain field",
            "positive options and frequencies",
            format!("{params:?}"),
        )
        .into());
    }
    Ok(())
}

/// Medians of the first epochs.
fn first_baselines(c: Campaign<'_>, reference: &[bool], params: &GainFieldParams) -> Array2<f64> {
    let (ns, _, nf) = c.flux_sef.dim();
    Array2::from_shape_fn((ns, nf), |(s, f)| {
        if !reference[s] {
            return f64::NAN;
        }
        let lane = c.flux_sef.slice(ndarray::s![s, .., f]);
        let mut first: Vec<f64> =
            lane.iter().copied().filter(|v| v.is_finite()).take(params.baseline_epochs.max(1)).collect();
        median(&mut first)
    })
}

/// Rows of the references of one epoch: `ln(flux / baseline)` with its relative error.
fn rows(
    c: Campaign<'_>,
    basis: &Basis,
    reference: &[bool],
    baseline_sf: &Array2<f64>,
    e: usize,
    params: &GainFieldParams,
) -> Vec<Row> {
    let (ns, _, nf) = c.flux_sef.dim();
    let mut out = Vec::new();
    for s in (0..ns).filter(|s| reference[*s]) {
        for f in 0..nf {
            let (flux, err, base) = (c.flux_sef[[s, e, f]], c.err_sef[[s, e, f]], baseline_sf[[s, f]]);
            let relative = err / flux;
            let usable = flux > 0.0 && base > 0.0 && relative > 0.0 && relative < 0.3;
            let terms = basis.terms(c.x_se[[s, e]], c.y_se[[s, e]], f);
            if usable && flux.is_finite() && terms.iter().all(|t| t.is_finite()) {
                let sigma = relative.hypot(params.floor);
                // The mean of the logarithm lies below the logarithm of the mean.
                let value = (flux / base).ln() + 0.5 * relative * relative;
                out.push(Row { source: s, terms, value, sigma });
            }
        }
    }
    out
}

fn fit_all(
    c: Campaign<'_>,
    basis: &Basis,
    reference: &[bool],
    baseline_sf: &Array2<f64>,
    params: &GainFieldParams,
    control: &Control,
) -> Result<Vec<Option<EpochFit>>, Error> {
    (0..c.flux_sef.dim().1)
        .into_par_iter()
        .map(|e| {
            control.check()?;
            let rows = rows(c, basis, reference, baseline_sf, e, params);
            Ok(fit_epoch(rows, basis, params))
        })
        .collect()
}

/// Take the mean parameters of the first epochs off all.
fn anchor(fits: &mut [Option<EpochFit>], epochs: usize) {
    let first: Vec<&EpochFit> = fits.iter().flatten().take(epochs.max(1)).collect();
    let Some(n) = first.first().map(|f| f.params.len()) else { return };
    let mean: Vec<f64> =
        (0..n).map(|k| first.iter().map(|f| f.params[k]).sum::<f64>() / first.len() as f64).collect();
    for fit in fits.iter_mut().flatten() {
        fit.shift(&mean);
    }
}

/// Clipped mean of each reference's normalised flux.
fn baselines(
    c: Campaign<'_>,
    basis: &Basis,
    fits: &[Option<EpochFit>],
    reference: &[bool],
    baseline_sf: &mut Array2<f64>,
) {
    let (ns, ne, nf) = c.flux_sef.dim();
    for s in (0..ns).filter(|s| reference[*s]) {
        for f in 0..nf {
            let norm: Vec<f64> = (0..ne)
                .filter_map(|e| {
                    let terms = basis.terms(c.x_se[[s, e]], c.y_se[[s, e]], f);
                    fits[e].as_ref().map(|fit| c.flux_sef[[s, e, f]] / fit.ln_gain(&terms).exp())
                })
                .collect();
            let kept = clip(&norm, 3.0, 5);
            let sum: f64 = norm.iter().zip(&kept.kept).filter(|(_, k)| **k).map(|(v, _)| v).sum();
            if kept.n > 0 && sum > 0.0 {
                baseline_sf[[s, f]] = sum / kept.n as f64;
            }
        }
    }
}

/// Drop references whose flux, normalised by the others, varies; returns how many.
fn drop_variable(
    c: Campaign<'_>,
    basis: &Basis,
    fits: &[Option<EpochFit>],
    reference: &mut [bool],
    fewest: usize,
    params: &GainFieldParams,
) -> usize {
    let (ns, ne, nf) = c.flux_sef.dim();
    let chosen: Vec<usize> = (0..ns).filter(|s| reference[*s]).collect();
    let chi2: Vec<f64> = chosen
        .par_iter()
        .map(|&s| {
            let mut worst = f64::NAN;
            for f in 0..nf {
                let points: Vec<[f64; 2]> = (0..ne)
                    .filter_map(|e| {
                        let terms = basis.terms(c.x_se[[s, e]], c.y_se[[s, e]], f);
                        let (ln_gain, variance) = fits[e].as_ref()?.without(s, &terms)?;
                        let norm = c.flux_sef[[s, e, f]] / ln_gain.exp();
                        let relative = c.err_sef[[s, e, f]] / c.flux_sef[[s, e, f]];
                        let sigma = (relative * relative + variance + params.floor * params.floor).sqrt();
                        (norm > 0.0 && sigma.is_finite()).then_some([norm, sigma])
                    })
                    .collect();
                if points.len() >= 5 {
                    worst = f64::max(worst, reduced_chi2(&points));
                }
            }
            worst
        })
        .collect();
    let mut known: Vec<f64> = chi2.iter().copied().filter(|v| v.is_finite()).collect();
    // Where errors are too small all references look unsteady: one must stand out from the others as well.
    let limit = (2.5 * median(&mut known)).max(params.max_chi2);
    let mut bad: Vec<(f64, usize)> =
        chi2.iter().zip(&chosen).filter(|(x, _)| **x > limit).map(|(x, s)| (*x, *s)).collect();
    bad.sort_by(|a, b| b.0.total_cmp(&a.0));
    bad.truncate(chosen.len().saturating_sub(fewest));
    for (_, s) in &bad {
        reference[*s] = false;
    }
    bad.len()
}

/// About the median, of points `[flux, relative error]`.
fn reduced_chi2(points: &[[f64; 2]]) -> f64 {
    let centre = median(&mut points.iter().map(|p| p[0]).collect::<Vec<_>>());
    let sum: f64 = points.iter().map(|p| ((p[0] / centre - 1.0) / p[1]).powi(2)).sum();
    sum / (points.len() - 1) as f64
}

/// `[norm, norm_err, gain, gain_err, reference_sep]` of every source and frequency.
fn normalise_epoch(c: Campaign<'_>, basis: &Basis, fit: Option<&EpochFit>, e: usize) -> Vec<[f64; 5]> {
    let (ns, _, nf) = c.flux_sef.dim();
    let mut out = Vec::with_capacity(ns * nf);
    for s in 0..ns {
        let (x, y) = (c.x_se[[s, e]], c.y_se[[s, e]]);
        let nearest = fit.map_or(f64::NAN, |fit| {
            fit.sources()
                .filter(|r| *r != s)
                .map(|r| (c.x_se[[r, e]] - x).hypot(c.y_se[[r, e]] - y))
                .fold(f64::INFINITY, f64::min)
        });
        for f in 0..nf {
            let (flux, err) = (c.flux_sef[[s, e, f]], c.err_sef[[s, e, f]]);
            let told = fit.and_then(|fit| fit.without(s, &basis.terms(x, y, f)));
            let Some((ln_gain, variance)) = told else {
                out.push([f64::NAN, f64::NAN, f64::NAN, f64::NAN, nearest]);
                continue;
            };
            let (gain, gain_err) = (ln_gain.exp(), variance.sqrt());
            let norm = flux / gain;
            out.push([norm, (err / gain).hypot(norm * gain_err), gain, gain_err, nearest]);
        }
    }
    out
}

fn describe(
    c: Campaign<'_>,
    norm_sef: &Array3<f64>,
    gain_err_sef: &Array3<f64>,
    baseline_sf: &Array2<f64>,
    fit: Option<&EpochFit>,
    reference: &[bool],
    e: usize,
) -> EpochGain {
    let Some(fit) = fit else {
        let (params, covariance) = (Vec::new(), Vec::new());
        return EpochGain { params, covariance, n_references: 0, residual_rms: f64::NAN, floor: None };
    };
    let (mut residual, mut sigma) = (Vec::new(), Vec::new());
    for s in (0..reference.len()).filter(|s| reference[*s]) {
        for f in 0..c.freq_hz.len() {
            let relative = c.err_sef[[s, e, f]] / c.flux_sef[[s, e, f]];
            residual.push(norm_sef[[s, e, f]] / baseline_sf[[s, f]] - 1.0);
            sigma.push(relative.hypot(gain_err_sef[[s, e, f]]));
        }
    }
    EpochGain {
        params: fit.params.clone(),
        covariance: fit.covariance.clone(),
        n_references: fit.sources().count(),
        residual_rms: crate::math::robust::median_mad(&residual).sigma,
        floor: fractional_floor(&residual, &sigma),
    }
}
