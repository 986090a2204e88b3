//! Neighbouring bands as one receiver.

use super::chromatic::Narrow;
use super::event::{Curve, Excursion};
use super::score::{ese_score, Score, ScoreInput};
use super::series::Series;
use crate::math::robust::median;
use crate::variability::{summarise, Depth, Summary};

/// Points of different bands within this time belong to one epoch \[days\].
pub(super) const EPOCH_DAYS: f64 = 0.3;
/// Highest over lowest frequency of what is averaged: a lens's strength differs by less than 60 % across it.
const WIDEST: f64 = 1.25;
/// Relative error that every epoch has besides its own: what normalisation and templates leave.
const FLOOR: f64 = 0.004;
/// Points further than this from their neighbours have their errors raised \[sigma\].
const SOFT: f64 = 3.0;

/// Bands near each other, relative to their baselines.
#[derive(Default)]
pub(super) struct Receiver {
    /// Mean frequency by weight \[Hz\]; NaN when it is not known.
    pub freq_hz: f64,
    /// Sum of the bands' weights.
    pub weight: f64,
    pub bands: Vec<Narrow>,
    /// The bands averaged over each epoch, with errors that fit their scatter.
    pub combined: Series,
    /// By how much the errors were raised for that.
    pub scatter: f64,
    /// Points left out because they are far from those of the other bands at their epoch.
    pub n_odd: usize,
}

/// Leave out points that differ from the median of the bands at their epoch by more than [`ODD`] of it and [`ODD_SIGMA`] errors, where
/// three bands or more have seen it: bad data of one band (zeros, -1, interference), of which runs survive despiking. No lens changes the
/// flux so much over one receiver. Returns how many.
fn agreed(bands: &mut [Series]) -> usize {
    const ODD: f64 = 0.6;
    const ODD_SIGMA: f64 = 6.0;
    let mut points: Vec<(f64, usize, usize)> = bands
        .iter()
        .enumerate()
        .flat_map(|(b, s)| s.mjd.iter().enumerate().map(move |(i, t)| (*t, b, i)))
        .collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut odd = vec![Vec::new(); bands.len()];
    let mut start = 0;
    while start < points.len() {
        let end = start + points[start..].iter().take_while(|p| p.0 - points[start].0 <= EPOCH_DAYS).count();
        let group = &points[start..end];
        start = end;
        if group.len() < 3 {
            continue;
        }
        let middle = median(&mut group.iter().map(|&(_, b, i)| bands[b].y[i]).collect::<Vec<f64>>());
        for &(_, b, i) in group {
            let away = (bands[b].y[i] - middle).abs();
            if away > ODD * middle.abs() && away * bands[b].w[i].sqrt() > ODD_SIGMA {
                odd[b].push(i);
            }
        }
    }
    for (series, odd) in bands.iter_mut().zip(&mut odd) {
        odd.sort_unstable();
        let keep = |i: &usize| odd.binary_search(i).is_err();
        let kept: Vec<usize> = (0..series.len()).filter(keep).collect();
        let take = |v: &[f64]| kept.iter().map(|&i| v[i]).collect::<Vec<f64>>();
        *series = Series { mjd: take(&series.mjd), y: take(&series.y), w: take(&series.w) };
    }
    odd.iter().map(Vec::len).sum()
}

impl Receiver {
    /// Receivers of all bands, by frequency; bands of unknown frequency are one. Bands without a positive baseline are left out.
    pub fn of_bands(curves: &[(f64, Curve)]) -> Vec<Self> {
        let mut bands: Vec<(f64, Series)> =
            curves.iter().filter_map(|(f, c)| Series::relative(c).map(|s| (*f, s))).collect();
        bands.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut groups: Vec<Vec<(f64, Series)>> = Vec::new();
        for (freq, series) in bands {
            let near = |g: &Vec<(f64, Series)>| freq <= WIDEST * g[0].0 || (freq.is_nan() && g[0].0.is_nan());
            match groups.last_mut() {
                Some(group) if near(group) => group.push((freq, series)),
                _ => groups.push(vec![(freq, series)]),
            }
        }
        groups.into_iter().map(Self::new).collect()
    }

    fn new(bands: Vec<(f64, Series)>) -> Self {
        let weights: Vec<f64> = bands.iter().map(|(_, s)| s.w.iter().sum()).collect();
        let weight: f64 = weights.iter().sum();
        let freq_hz = bands.iter().zip(&weights).map(|((f, _), w)| f * w).sum::<f64>() / weight;
        let frequencies: Vec<f64> = bands.iter().map(|b| b.0).collect();
        let mut all: Vec<Series> = bands.into_iter().map(|(_, s)| s).collect();
        let n_odd = agreed(&mut all);
        let combined = Series::combined(&all, EPOCH_DAYS).floored(FLOOR);
        let scatter = combined.excess_scatter();
        let combined = combined.inflated(scatter).softened(SOFT);
        let bands = frequencies
            .into_iter()
            .zip(all)
            .map(|(f, series)| Narrow { ratio: f / freq_hz, series })
            .collect();
        Self { freq_hz, weight, bands, combined, scatter, n_odd }
    }

    /// The combined points as a light curve.
    pub fn curve(&self) -> Curve {
        let err: Vec<f64> = self.combined.w.iter().map(|w| 1.0 / w.sqrt()).collect();
        Curve::new(&self.combined.mjd, &self.combined.y, &err)
    }

    /// Fraction of the epochs that are outside all dips and within 5 % of the baseline.
    pub fn at_baseline(&self, dips: &[Excursion]) -> f64 {
        let baseline = self.curve().baseline();
        let outside = |i: usize| dips.iter().all(|d| i < d.points.0 || i > d.points.1);
        let y = &self.combined.y;
        let quiet = (0..y.len()).filter(|&i| outside(i) && (y[i] / baseline - 1.0).abs() < 0.05).count();
        quiet as f64 / y.len().max(1) as f64
    }

    /// Statistics and score of the combined points.
    pub fn statistics(&self) -> (Summary, Score) {
        let curve = self.curve();
        let summary = summarise(&curve.mjd, &curve.flux, &curve.err, Depth::Shape);
        let score = ese_score(&ScoreInput {
            chi2_nu: summary.chi2_nu,
            v: summary.v,
            asymmetry: summary.asymmetry,
            timescale_days: summary.timescale_days,
            amplitude: summary.amplitude,
        });
        (summary, score)
    }
}
