//! Baseline, bad points, and the runs of points that dip below or rise above the baseline.

use super::verdict::JudgeParams;

/// Points of one band, cleaned, in order of time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// Times \[MJD days\].
    pub mjd: Vec<f64>,
    /// Fluxes, any one unit.
    pub flux: Vec<f64>,
    /// Errors, same unit.
    pub err: Vec<f64>,
    /// Points left out because they are not finite or have no positive error.
    pub n_blank: usize,
    /// Points left out because they stand alone, see [`Curve::despiked`].
    pub n_spikes: usize,
}

impl Curve {
    /// Keep finite points with positive errors, sorted by time.
    pub fn new(mjd: &[f64], flux: &[f64], err: &[f64]) -> Self {
        let n = mjd.len().min(flux.len()).min(err.len());
        let mut order: Vec<usize> = (0..n)
            .filter(|&i| mjd[i].is_finite() && flux[i].is_finite() && err[i].is_finite() && err[i] > 0.0)
            .collect();
        order.sort_by(|&a, &b| mjd[a].total_cmp(&mjd[b]).then(a.cmp(&b)));
        let take = |v: &[f64]| order.iter().map(|&i| v[i]).collect::<Vec<f64>>();
        Self { mjd: take(mjd), flux: take(flux), err: take(err), n_blank: n - order.len(), n_spikes: 0 }
    }

    /// Number of points.
    pub fn len(&self) -> usize {
        self.flux.len()
    }

    /// Whether no point is left.
    pub fn is_empty(&self) -> bool {
        self.flux.is_empty()
    }

    /// Without the points that stand alone: more than `n_sigma` from the line through the neighbours on both sides, while
    /// these agree with each other. A point of bad data (zero, -1, a spike) goes; a dip of two points or more stays.
    pub fn despiked(&self, n_sigma: f64) -> Self {
        let n = self.len();
        let alone = |i: usize| -> bool {
            if n < 5 {
                return false;
            }
            // The two nearest on each side; at an end the four nearest.
            let first = i.saturating_sub(2).min(n - 5);
            let near: Vec<usize> = (first..first + 5).filter(|&j| j != i).collect();
            let mut around: Vec<f64> = near.iter().map(|&j| self.flux[j]).collect();
            around.sort_by(f64::total_cmp);
            let level = 0.5 * (around[1] + around[2]);
            // A step or slope spreads the neighbours themselves; the inner two tell most of it.
            let spread = (around[2] - around[1]).max(0.5 * (around[3] - around[0]));
            let noise = near.iter().map(|&j| self.err[j] * self.err[j]).sum::<f64>() / 16.0;
            let sigma = (self.err[i] * self.err[i] + noise + spread * spread).sqrt();
            (self.flux[i] - level).abs() > n_sigma * sigma
        };
        let keep: Vec<usize> = (0..n).filter(|&i| !alone(i)).collect();
        let take = |v: &[f64]| keep.iter().map(|&i| v[i]).collect::<Vec<f64>>();
        Self {
            mjd: take(&self.mjd),
            flux: take(&self.flux),
            err: take(&self.err),
            n_blank: self.n_blank,
            n_spikes: self.n_spikes + n - keep.len(),
        }
    }

    /// The level at which the source spends its time: the mean of the shortest interval that holds half of the
    /// points (the "shorth"), which an event in less than half of them does not move. NaN without points.
    pub fn baseline(&self) -> f64 {
        let n = self.len();
        if n == 0 {
            return f64::NAN;
        }
        let mut sorted = self.flux.clone();
        sorted.sort_by(f64::total_cmp);
        let half = n / 2 + 1;
        let width = |i: usize| sorted[i + half - 1] - sorted[i];
        let shortest = (0..=n - half).map(width).fold(f64::INFINITY, f64::min);
        // Of equally short intervals the mean, so that the level does not depend on rounding.
        let starts: Vec<usize> = (0..=n - half).filter(|&i| width(i) <= shortest * (1.0 + 1e-12)).collect();
        let mean = |i: usize| sorted[i..i + half].iter().sum::<f64>() / half as f64;
        starts.iter().map(|&i| mean(i)).sum::<f64>() / starts.len() as f64
    }
}

/// A run of points to one side of the baseline.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Excursion {
    /// First and last point.
    pub points: (usize, usize),
    /// Time of the first point \[MJD\].
    pub mjd_start: f64,
    /// Time of the last point \[MJD\].
    pub mjd_end: f64,
    /// Largest departure from the baseline as a fraction of it, of the running median of three; positive for a dip and for a rise.
    pub depth: f64,
    /// `|sum w (f - baseline)| / sqrt(sum w)` over the run, `w = 1/sigma^2` \[sigma\].
    pub snr: f64,
}

/// Which side of the baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Below.
    Dip,
    /// Above.
    Rise,
}

/// Every significant dip, in order of time: the strongest, and those in what it leaves on its two sides, as long as they pass the
/// thresholds.
pub(super) fn dips(curve: &Curve, p: &JudgeParams) -> Vec<Excursion> {
    const MOST: usize = 12;
    let baseline = curve.baseline();
    let mut parts = vec![(0, curve.len())];
    let mut found: Vec<Excursion> = Vec::new();
    while let (Some((first, end)), true) = (parts.pop(), baseline > 0.0 && found.len() < MOST) {
        let part = Curve {
            mjd: curve.mjd[first..end].to_vec(),
            flux: curve.flux[first..end].to_vec(),
            err: curve.err[first..end].to_vec(),
            ..Curve::default()
        };
        let dip = strongest(&part, baseline, Side::Dip, p.min_dip_epochs)
            .filter(|e| e.snr >= p.min_dip_snr && e.depth >= p.min_depth);
        if let Some(e) = dip {
            let (a, b) = around_deepest(&part, baseline, &e);
            let points = (a + first, b + first);
            parts.extend([(first, points.0), (points.1 + 1, end)]);
            found.push(Excursion { points, mjd_start: part.mjd[a], mjd_end: part.mjd[b], ..e });
        }
    }
    found.sort_by_key(|e| e.points.0);
    merged(found)
}

/// The part of a run about its deepest point in which the curve stays below the baseline: two dips with a quiet stretch between
/// may make one run.
fn around_deepest(curve: &Curve, baseline: f64, e: &Excursion) -> (usize, usize) {
    /// Below this fraction of the depth, averaged over five points, the curve is back.
    const BACK: f64 = 0.1;
    let (first, last) = e.points;
    let departure = |i: usize| {
        let near = i.saturating_sub(2).max(first)..=(i + 2).min(last);
        let n = near.clone().count() as f64;
        near.map(|j| baseline - curve.flux[j]).sum::<f64>() / n
    };
    let deepest = (first..=last).fold(first, |a, b| if departure(b) > departure(a) { b } else { a });
    let back = |i: &usize| departure(*i) < BACK * e.depth * baseline;
    let start = (first..deepest).rev().find(back).map_or(first, |i| i + 1);
    let end = (deepest + 1..=last).find(back).map_or(last, |i| i - 1);
    (start, end)
}

/// Dips that touch are one: the strongest run holds the deep part of a dip, those beside it its shoulders.
fn merged(found: Vec<Excursion>) -> Vec<Excursion> {
    /// Points between two parts of one dip, at most.
    const APART: usize = 2;
    let mut out: Vec<Excursion> = Vec::new();
    for e in found {
        match out.last_mut() {
            Some(last) if e.points.0 <= last.points.1 + 1 + APART => {
                last.points.1 = e.points.1;
                last.mjd_end = e.mjd_end;
                last.depth = last.depth.max(e.depth);
                last.snr = last.snr.hypot(e.snr);
            }
            _ => out.push(e),
        }
    }
    out
}

/// The run of at least `min_points` points with the largest signal-to-noise ratio on one side; `None` when no run is on that side.
pub fn strongest(curve: &Curve, baseline: f64, side: Side, min_points: usize) -> Option<Excursion> {
    let n = curve.len();
    let sign = if side == Side::Dip { -1.0 } else { 1.0 };
    let (mut sums, mut weights) = (vec![0.0; n + 1], vec![0.0; n + 1]);
    for i in 0..n {
        let w = 1.0 / (curve.err[i] * curve.err[i]);
        sums[i + 1] = sums[i] + w * sign * (curve.flux[i] - baseline);
        weights[i + 1] = weights[i] + w;
    }
    let mut best: Option<(f64, usize, usize)> = None;
    for i in 0..n {
        for j in i + min_points.max(1)..=n {
            let sum = sums[j] - sums[i];
            if sum > 0.0 {
                let snr2 = sum * sum / (weights[j] - weights[i]);
                if best.is_none_or(|b| snr2 > b.0) {
                    best = Some((snr2, i, j - 1));
                }
            }
        }
    }
    let (snr2, first, last) = best?;
    let smooth = |i: usize| {
        let (a, b, c) = (curve.flux[i.max(first + 1) - 1], curve.flux[i], curve.flux[(i + 1).min(last)]);
        a.max(b).min(a.min(b).max(c))
    };
    let peak = (first..=last).map(|i| sign * (smooth(i) - baseline)).fold(f64::NEG_INFINITY, f64::max);
    Some(Excursion {
        points: (first, last),
        mjd_start: curve.mjd[first],
        mjd_end: curve.mjd[last],
        depth: peak / baseline.abs(),
        snr: snr2.sqrt(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dip() -> Curve {
        let mjd: Vec<f64> = (0..40).map(|i| f64::from(i) * 2.0).collect();
        let flux: Vec<f64> = (0..40).map(|i| if (10..20).contains(&i) { 0.6 } else { 1.0 }).collect();
        Curve::new(&mjd, &flux, &[0.02; 40])
    }

    #[test]
    fn a_box_is_found_whole() {
        let curve = dip();
        assert!((curve.baseline() - 1.0).abs() < 1e-12);
        let e = strongest(&curve, 1.0, Side::Dip, 3).unwrap();
        assert_eq!((e.points, e.mjd_start, e.mjd_end), ((10, 19), 20.0, 38.0));
        assert!((e.depth - 0.4).abs() < 1e-12 && (e.snr - 20.0 * 10f64.sqrt()).abs() < 1e-9);
        assert!(strongest(&curve, 1.0, Side::Rise, 3).is_none());
    }

    #[test]
    fn a_dip_and_its_shoulders_are_one_and_two_dips_are_two() {
        let mjd: Vec<f64> = (0..120).map(f64::from).collect();
        let dip = |t: f64, t0: f64| 0.5 * (-0.5 * ((t - t0) / 6.0).powi(2)).exp();
        let flux: Vec<f64> = mjd.iter().map(|t| 1.0 - dip(*t, 30.0) - dip(*t, 90.0)).collect();
        let found = dips(&Curve::new(&mjd, &flux, &[0.01; 120]), &JudgeParams::default());
        assert_eq!(found.len(), 2, "{found:?}");
        for (e, t0) in found.iter().zip([30.0, 90.0]) {
            // To 1 % of the baseline the dip is 2.8 widths to each side.
            assert!(
                (e.mjd_start - (t0 - 14.0)).abs() < 4.0 && (e.mjd_end - (t0 + 14.0)).abs() < 4.0,
                "{e:?}"
            );
            // The running median of three takes the very tip.
            assert!((e.depth - 0.5).abs() < 0.02);
        }
    }

    #[test]
    fn single_bad_points_go_and_the_dip_stays() {
        let mut curve = dip();
        for (i, bad) in [(3, 0.0), (14, -1.0), (25, 50.0), (0, 9.0), (39, 0.0)] {
            curve.flux[i] = bad;
        }
        let clean = curve.despiked(5.0);
        assert_eq!(clean.n_spikes, 5);
        assert_eq!(clean.flux.iter().filter(|f| (**f - 0.6).abs() < 1e-9).count(), 9);
    }

    #[test]
    fn steps_and_slopes_are_kept() {
        let mjd: Vec<f64> = (0..30).map(f64::from).collect();
        let flux: Vec<f64> =
            (0..30).map(|i| if i < 15 { 1.0 } else { 2.0 } + 0.3 * f64::from(i % 2)).collect();
        assert_eq!(Curve::new(&mjd, &flux, &[0.05; 30]).despiked(5.0).n_spikes, 0);
        let ramp: Vec<f64> = (0..30).map(|i| f64::from(i * i)).collect();
        assert_eq!(Curve::new(&mjd, &ramp, &[0.5; 30]).despiked(5.0).n_spikes, 0);
    }

    #[test]
    fn blanks_are_counted_and_order_does_not_matter() {
        let c = Curve::new(&[3.0, 1.0, 2.0, 4.0], &[30.0, 10.0, f64::NAN, 40.0], &[1.0, 1.0, 1.0, 0.0]);
        assert_eq!((c.mjd.clone(), c.n_blank), (vec![1.0, 3.0], 2));
        assert!(Curve::default().baseline().is_nan());
    }
}
