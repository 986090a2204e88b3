//! Relative flux against time: one band, or the bands of one epoch combined.

use super::event::Curve;
use crate::math::robust::median_mad;

/// Relative flux (1 at the baseline) with weights, in order of time.
#[derive(Clone, Debug, Default)]
pub(super) struct Series {
    /// Times \[MJD days\].
    pub mjd: Vec<f64>,
    /// Flux over baseline.
    pub y: Vec<f64>,
    /// `1 / sigma^2`.
    pub w: Vec<f64>,
}

impl Series {
    /// A band divided by its baseline; `None` when that is not positive.
    pub fn relative(curve: &Curve) -> Option<Self> {
        let baseline = curve.baseline();
        (baseline > 0.0).then(|| Self {
            mjd: curve.mjd.clone(),
            y: curve.flux.iter().map(|f| f / baseline).collect(),
            w: curve.err.iter().map(|e| (baseline / e).powi(2)).collect(),
        })
    }

    /// Points of all bands averaged over each epoch of `epoch_days`.
    pub fn combined(bands: &[Series], epoch_days: f64) -> Self {
        let mut points: Vec<(f64, f64, f64)> = bands
            .iter()
            .flat_map(|b| b.mjd.iter().zip(&b.y).zip(&b.w).map(|((t, y), w)| (*t, *y, *w)))
            .collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut out = Self::default();
        let mut start = 0;
        while start < points.len() {
            let end =
                start + points[start..].iter().take_while(|p| p.0 - points[start].0 <= epoch_days).count();
            let group = &points[start..end];
            let w: f64 = group.iter().map(|p| p.2).sum();
            out.mjd.push(group.iter().map(|p| p.0 * p.2).sum::<f64>() / w);
            out.y.push(group.iter().map(|p| p.1 * p.2).sum::<f64>() / w);
            out.w.push(w);
            start = end;
        }
        out
    }

    /// Number of points.
    pub fn len(&self) -> usize {
        self.y.len()
    }

    /// By how much the point-to-point scatter exceeds the errors, at least 1: the robust spread of each point about the line
    /// through its neighbours. Slow changes do not enter.
    pub fn excess_scatter(&self) -> f64 {
        let n = self.len();
        if n < 8 {
            return 1.0;
        }
        let pulls: Vec<f64> = (1..n - 1)
            .filter_map(|i| {
                let (before, after) = (self.mjd[i] - self.mjd[i - 1], self.mjd[i + 1] - self.mjd[i]);
                let span = before + after;
                if span <= 0.0 {
                    return None;
                }
                let (a, b) = (after / span, before / span);
                let variance = 1.0 / self.w[i] + a * a / self.w[i - 1] + b * b / self.w[i + 1];
                Some((self.y[i] - a * self.y[i - 1] - b * self.y[i + 1]) / variance.sqrt())
            })
            .collect();
        let sigma = median_mad(&pulls).sigma;
        if sigma.is_finite() {
            sigma.max(1.0)
        } else {
            1.0
        }
    }

    /// Errors with `floor` added in quadrature.
    pub fn floored(mut self, floor: f64) -> Self {
        for w in &mut self.w {
            *w = 1.0 / (1.0 / *w + floor * floor);
        }
        self
    }

    /// Errors of points more than `n_sigma` from the median of their four neighbours raised until they are not: tails longer than a
    /// Gaussian's, of which despiking takes only the worst.
    pub fn softened(mut self, n_sigma: f64) -> Self {
        let n = self.len();
        if n < 8 {
            return self;
        }
        let raised: Vec<f64> = (0..n)
            .map(|i| {
                let first = i.saturating_sub(2).min(n - 5);
                let mut near: Vec<f64> = (first..first + 5).filter(|&j| j != i).map(|j| self.y[j]).collect();
                near.sort_by(f64::total_cmp);
                let (level, spread) = (0.5 * (near[1] + near[2]), near[3] - near[0]);
                // Neighbours that differ among themselves say less; the median of four has half the variance of one.
                let sigma = (1.5 / self.w[i] + 0.25 * spread * spread).sqrt();
                ((self.y[i] - level).abs() / (n_sigma * sigma)).max(1.0)
            })
            .collect();
        for (w, r) in self.w.iter_mut().zip(raised) {
            *w /= r * r;
        }
        self
    }

    /// Points averaged over cells of `width_days`, at their mean times.
    pub fn binned(&self, width_days: f64) -> Self {
        Self::combined(std::slice::from_ref(self), width_days)
    }

    /// Median distance of neighbouring points \[days\]; 0 with fewer than two.
    pub fn spacing(&self) -> f64 {
        let mut gaps: Vec<f64> = self.mjd.windows(2).map(|t| t[1] - t[0]).collect();
        if gaps.is_empty() {
            0.0
        } else {
            crate::math::robust::median(&mut gaps)
        }
    }

    /// Errors multiplied by `factor`.
    pub fn inflated(mut self, factor: f64) -> Self {
        for w in &mut self.w {
            *w /= factor * factor;
        }
        self
    }
}
