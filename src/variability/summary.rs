//! All statistics of a light curve at once, and of many light curves on all cores.

use rayon::prelude::*;

use super::moments::Moments;
use super::pairs::extremes;
use super::{excursion, timescale, Error, VS_OF_M};
use crate::control::Control;
use crate::kind::BadArgument;
use crate::math::robust::median;

/// How much to compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Closed-form statistics; `timescale_days`, `asymmetry` stay NaN.
    ClosedForm,
    /// Also those that need a correlation or a fit.
    Shape,
}

/// Statistics of one light curve; NaN where one is undefined. Fluxes keep their unit.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Summary {
    /// Points used: finite time and flux, finite positive error.
    pub n: usize,
    /// Points left out.
    pub n_bad: usize,
    /// Plain mean.
    pub mean: f64,
    /// Mean with weights `1/sigma^2`.
    pub weighted_mean: f64,
    /// Median.
    pub median: f64,
    /// Sample standard deviation (ddof 1).
    pub std: f64,
    /// Smallest flux.
    pub min: f64,
    /// Largest flux.
    pub max: f64,
    /// See [`super::eta()`].
    pub eta: f64,
    /// See [`super::fractional()`].
    pub v: f64,
    /// Signed Vs of the pair of largest |Vs|, see [`super::vs_max`].
    pub vs_max: f64,
    /// Signed m of the pair of largest |m| with |Vs| >= 4.3, see [`super::m_max()`].
    pub m_max: f64,
    /// See [`super::chi2_nu()`].
    pub chi2_nu: f64,
    /// Of eta, see [`super::significance`]; 0 below one half chance.
    pub significance: f64,
    /// See [`super::modulation_index()`].
    pub modulation_index: f64,
    /// See [`super::von_neumann()`].
    pub von_neumann: f64,
    /// See [`super::amplitude()`].
    pub amplitude: f64,
    /// See [`super::sigma_deviation()`].
    pub sigma_deviation: f64,
    /// See [`timescale`]; only with [`Depth::Shape`].
    pub timescale_days: f64,
    /// See [`super::asymmetry`]; only with [`Depth::Shape`].
    pub asymmetry: f64,
    /// Signed height of the largest excursion over the median; only with [`Depth::Shape`].
    pub excursion: f64,
}

/// Many light curves in three flat arrays; source `s` owns the points `offsets[s]..offsets[s + 1]`, in order of time.
#[derive(Clone, Copy, Debug)]
pub struct Ragged<'a> {
    /// `sources + 1` indices, rising, from 0 to the number of points.
    pub offsets: &'a [usize],
    /// Times \[MJD days\].
    pub mjd: &'a [f64],
    /// Fluxes, one unit a source.
    pub flux: &'a [f64],
    /// Errors, same unit.
    pub err: &'a [f64],
}

impl Ragged<'_> {
    /// Number of light curves.
    pub fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Whether there is no light curve.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Check that the arrays run in step.
    ///
    /// # Errors
    /// What was expected and found.
    pub fn check(&self) -> Result<(), BadArgument> {
        let n = self.flux.len();
        for (what, found) in [("mjd", self.mjd.len()), ("err", self.err.len())] {
            if found != n {
                return Err(BadArgument::new(what, format!("{n} values, as many as fluxes"), found));
            }
        }
        let rising = self.offsets.windows(2).all(|w| w[0] <= w[1]);
        if !rising || self.offsets.first() != Some(&0) || self.offsets.last() != Some(&n) {
            return Err(BadArgument::new(
                "offsets",
                format!("rising indices from 0 to {n}"),
                format!("{:?} .. {:?}", self.offsets.first(), self.offsets.last()),
            ));
        }
        Ok(())
    }
}

/// Statistics of one light curve. Points that are not finite or whose error is not positive are left out and counted;
/// points need not be sorted.
pub fn summarise(mjd: &[f64], flux: &[f64], err: &[f64], depth: Depth) -> Summary {
    let mut usable = Usable::default();
    usable.fill(mjd, flux, err);
    usable.summary(depth)
}

/// Statistics of many light curves, in parallel.
///
/// # Errors
/// Arrays that do not run in step; cancelled.
pub fn summarise_many(curves: Ragged<'_>, depth: Depth, control: &Control) -> Result<Vec<Summary>, Error> {
    curves.check()?;
    control.expect(curves.len() as u64);
    let chunk = 256;
    let parts: Result<Vec<Vec<Summary>>, Error> = (0..curves.len().div_ceil(chunk))
        .into_par_iter()
        .map_init(Usable::default, |usable, part| {
            control.check()?;
            let last = ((part + 1) * chunk).min(curves.len());
            let mut out = Vec::with_capacity(chunk);
            for s in part * chunk..last {
                let range = curves.offsets[s]..curves.offsets[s + 1];
                usable.fill(&curves.mjd[range.clone()], &curves.flux[range.clone()], &curves.err[range]);
                out.push(usable.summary(depth));
            }
            control.advance((last - part * chunk) as u64);
            Ok(out)
        })
        .collect();
    Ok(parts?.concat())
}

/// Scratch that holds the usable points of one light curve, in order of time.
#[derive(Default)]
struct Usable {
    mjd: Vec<f64>,
    flux: Vec<f64>,
    err: Vec<f64>,
    work: Vec<f64>,
    n_bad: usize,
}

impl Usable {
    fn fill(&mut self, mjd: &[f64], flux: &[f64], err: &[f64]) {
        let n = mjd.len().min(flux.len()).min(err.len());
        for (to, from) in [(&mut self.mjd, mjd), (&mut self.flux, flux), (&mut self.err, err)] {
            to.clear();
            to.extend_from_slice(&from[..n]);
        }
        let good = |i: usize| mjd[i].is_finite() && flux[i].is_finite() && err[i].is_finite() && err[i] > 0.0;
        self.n_bad = (0..n).filter(|&i| !good(i)).count();
        if self.n_bad > 0 {
            for (to, from) in [(&mut self.mjd, mjd), (&mut self.flux, flux), (&mut self.err, err)] {
                to.clear();
                to.extend((0..n).filter(|&i| good(i)).map(|i| from[i]));
            }
        }
        if self.mjd.windows(2).any(|t| t[1] < t[0]) {
            let mut order: Vec<usize> = (0..self.mjd.len()).collect();
            order.sort_by(|&a, &b| self.mjd[a].total_cmp(&self.mjd[b]));
            for column in [&mut self.mjd, &mut self.flux, &mut self.err] {
                *column = order.iter().map(|&i| column[i]).collect();
            }
        }
    }

    fn summary(&mut self, depth: Depth) -> Summary {
        let (mjd, flux, err) = (&self.mjd, &self.flux, &self.err);
        let n = flux.len();
        let sums = Moments::of(flux, err, &mut self.work);
        let (vs_max, m_max) = extremes(flux, err, VS_OF_M);
        self.work.clear();
        self.work.extend_from_slice(flux);
        let median = median(&mut self.work);
        let shape = if depth == Depth::Shape { excursion(mjd, flux).ok() } else { None };
        Summary {
            n,
            n_bad: self.n_bad,
            mean: sums.mean,
            weighted_mean: sums.weighted_mean,
            median,
            std: sums.std,
            min: sums.min,
            max: sums.max,
            eta: sums.eta,
            v: sums.v,
            vs_max,
            m_max,
            chi2_nu: sums.chi2_nu,
            significance: sums.significance(n),
            modulation_index: sums.modulation_index,
            von_neumann: sums.von_neumann,
            amplitude: if n > 1 && median > 0.0 { (sums.max - sums.min) / median } else { f64::NAN },
            sigma_deviation: sums.sigma_deviation,
            timescale_days: if depth == Depth::Shape {
                timescale(mjd, flux).unwrap_or(f64::NAN)
            } else {
                f64::NAN
            },
            asymmetry: shape.map_or(f64::NAN, |e| e.asymmetry()),
            excursion: shape.map_or(f64::NAN, |e| e.height),
        }
    }
}
