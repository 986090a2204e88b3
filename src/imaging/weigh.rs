//! Imaging weights, and the noise they give.

use std::ops::Range;

use ndarray::parallel::prelude::*;
use ndarray::{s, Array2, ArrayView1, ArrayView2, Axis};

use super::Visibilities;

/// Sums of the imaging weights.
#[derive(Clone, Debug)]
pub struct Weights {
    /// Over everything.
    pub sum: f64,
    /// By integration.
    pub by_time: Vec<f64>,
    /// By channel.
    pub by_channel: Vec<f64>,
    /// Channels \[Hz\].
    pub freq_hz: Vec<f64>,
    /// Mean frequency by weight \[Hz\].
    pub mean_freq_hz: f64,
    /// Visibilities of positive weight.
    pub count: usize,
    /// `sum w^2 / (4 dnu dt)` \[s\].
    pub square: f64,
}

impl Weights {
    /// Sum `vis.weight_rf`.
    pub fn of(vis: &Visibilities) -> Self {
        Self::of_channels(vis, 0..vis.freq_hz.len())
    }

    /// The same of some of the channels.
    pub fn of_channels(vis: &Visibilities, channels: Range<usize>) -> Self {
        let variance = &variances(vis)[channels.clone()];
        let freq_hz = vis.freq_hz[channels.clone()].to_vec();
        let (mut by_time, mut by_channel) = (vec![0.0; vis.times.len()], vec![0.0; channels.len()]);
        let mut sums = Sums::default();
        for part in parts(vis.weight_rf.slice(s![.., channels]), vis, |rows| {
            let (mut time, mut channel, mut all) = (by_time.clone(), by_channel.clone(), Sums::default());
            for (row, t) in rows {
                let own = Sums::of(row, variance, &mut channel);
                time[*t as usize] += own.sum;
                all.add(own, 1.0 / vis.times[*t as usize].interval_s);
            }
            (time, channel, all)
        }) {
            by_time.iter_mut().zip(part.0).for_each(|(sum, own)| *sum += own);
            by_channel.iter_mut().zip(part.1).for_each(|(sum, own)| *sum += own);
            sums.add(part.2, 1.0);
        }
        let sum: f64 = by_time.iter().sum();
        let by_freq: f64 = freq_hz.iter().zip(&by_channel).map(|(f, w)| f * w).sum();
        let mean_freq_hz = if sum > 0.0 { by_freq / sum } else { f64::NAN };
        let (count, square) = (sums.count, sums.square);
        Self { sum, by_time, by_channel, freq_hz, mean_freq_hz, count, square }
    }

    /// Noise of an image with these weights, see [`thermal_rms`].
    pub fn thermal_rms(&self, sefd_jy: f64) -> f64 {
        sefd_jy * self.square.sqrt() / self.sum
    }
}

/// Noise \[Jy/beam\] of an image with these weights from antennas of system equivalent flux density `sefd_jy`, two
/// polarisations: `sqrt(sum w^2 s^2) / sum w` with `s = sefd / sqrt(4 dnu dt)` for Stokes I.
pub fn thermal_rms(weight_rf: &Array2<f32>, vis: &Visibilities, sefd_jy: f64) -> f64 {
    let variance = variances(vis);
    let mut sums = Sums::default();
    for part in parts(weight_rf.view(), vis, |rows| {
        let (mut all, mut channel) = (Sums::default(), vec![0.0; variance.len()]);
        for (row, t) in rows {
            all.add(Sums::of(row, &variance, &mut channel), 1.0 / vis.times[*t as usize].interval_s);
        }
        all
    }) {
        sums.add(part, 1.0);
    }
    sefd_jy * sums.square.sqrt() / sums.sum
}

/// What `sum` makes of parts of the rows and their integrations, in their order: sums do not depend on the number of threads.
fn parts<R: Send>(
    weight_rf: ArrayView2<'_, f32>,
    vis: &Visibilities,
    sum: impl Fn(Vec<(ArrayView1<'_, f32>, &u32)>) -> R + Sync,
) -> Vec<R> {
    const ROWS: usize = 2048;
    let strips: Vec<_> =
        weight_rf.axis_chunks_iter(Axis(0), ROWS).zip(vis.time_of_row.chunks(ROWS)).collect();
    strips.into_par_iter().map(|(strip, times)| sum(strip.outer_iter().zip(times).collect())).collect()
}

/// `1 / (4 dnu)` of every channel \[s\].
fn variances(vis: &Visibilities) -> Vec<f64> {
    vis.width_hz.iter().map(|dnu| 1.0 / (4.0 * dnu)).collect()
}

/// Weights, their squares times the channels' variances, and how many are positive.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    sum: f64,
    square: f64,
    count: usize,
}

impl Sums {
    /// Of one row, whose weights are also added to `channel`. Four sums that do not wait for each other.
    fn of(row: ArrayView1<'_, f32>, variance: &[f64], channel: &mut [f64]) -> Self {
        let whole;
        let row = match row.as_slice() {
            Some(row) => row,
            None => {
                whole = row.to_vec();
                &whole
            }
        };
        let (mut sum, mut square, mut count) = ([0.0; 4], [0.0; 4], [0u32; 4]);
        let ((weights, w_rest), (variances, v_rest)) = (row.as_chunks::<4>(), variance.as_chunks::<4>());
        let (channels, c_rest) = channel.as_chunks_mut::<4>();
        for ((c, w), v) in channels.iter_mut().zip(weights).zip(variances) {
            for k in 0..4 {
                let weight = f64::from(w[k]);
                c[k] += weight;
                sum[k] += weight;
                square[k] += weight * weight * v[k];
                count[k] += u32::from(w[k] > 0.0);
            }
        }
        for (k, ((c, w), v)) in c_rest.iter_mut().zip(w_rest).zip(v_rest).enumerate() {
            let weight = f64::from(*w);
            *c += weight;
            sum[k] += weight;
            square[k] += weight * weight * v;
            count[k] += u32::from(*w > 0.0);
        }
        Self { sum: sum.iter().sum(), square: square.iter().sum(), count: count.iter().sum::<u32>() as usize }
    }

    /// Add another's, its squares times `factor`.
    fn add(&mut self, other: Self, factor: f64) {
        self.sum += other.sum;
        self.square += other.square * factor;
        self.count += other.count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coords::RaDec;
    use crate::imaging::TimeBin;

    #[test]
    fn sums_are_the_plain_ones_and_the_noise_is_the_formula() {
        let bin =
            |interval_s| TimeBin { time_mjd_s: 0.0, interval_s, field_centre: RaDec::from_deg(0.0, 0.0) };
        let weight_rf = Array2::from_shape_fn((5, 7), |(r, f)| ((3 * r + f) % 4) as f32);
        let vis = Visibilities {
            freq_hz: (0..7).map(|f| 1.4e9 + 1e6 * f64::from(f)).collect(),
            width_hz: (0..7).map(|f| 1e5 * f64::from(f + 1)).collect(),
            weight_rf: weight_rf.clone(),
            times: vec![bin(10.0), bin(20.0)],
            time_of_row: vec![0, 1, 1, 0, 1],
            ..Visibilities::default()
        };
        let weights = Weights::of(&vis);
        let plain = |keep: &dyn Fn(usize, usize) -> bool| -> f64 {
            let cells = weight_rf.indexed_iter().filter(|((r, f), _)| keep(*r, *f));
            cells.map(|(_, w)| f64::from(*w)).sum()
        };
        assert_eq!(weights.sum, plain(&|_, _| true));
        assert_eq!(weights.by_time, [plain(&|r, _| r % 3 == 0), plain(&|r, _| r % 3 != 0)]);
        assert!((0..7).all(|k| weights.by_channel[k] == plain(&|_, f| f == k)));
        assert_eq!(weights.count, weight_rf.iter().filter(|w| **w > 0.0).count());
        let square: f64 = weight_rf
            .indexed_iter()
            .map(|((r, f), w)| {
                let time = vis.times[vis.time_of_row[r] as usize].interval_s;
                f64::from(*w).powi(2) * 100.0 * 100.0 / (4.0 * vis.width_hz[f] * time)
            })
            .sum();
        let expected = square.sqrt() / weights.sum;
        assert!((weights.thermal_rms(100.0) / expected - 1.0).abs() < 1e-12);
        assert!((thermal_rms(&vis.weight_rf, &vis, 100.0) / expected - 1.0).abs() < 1e-12);
    }
}
