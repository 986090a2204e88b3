//! Imaging weights, and the noise they give.

use ndarray::parallel::prelude::*;
use ndarray::{Array2, Axis};

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
}

impl Weights {
    /// Sum `vis.weight_rf`.
    pub fn of(vis: &Visibilities) -> Self {
        let channels = vis.freq_hz.len();
        let empty = || (vec![0.0; vis.times.len()], vec![0.0; channels], 0usize);
        let rows: Vec<_> = vis.weight_rf.axis_iter(Axis(0)).zip(&vis.time_of_row).collect();
        let (by_time, by_channel, count) = rows
            .into_par_iter()
            .fold(empty, |(mut time, mut channel, mut count), (row, t)| {
                let mut sum = 0.0;
                for (c, w) in channel.iter_mut().zip(row) {
                    *c += f64::from(*w);
                    sum += f64::from(*w);
                    count += usize::from(*w > 0.0);
                }
                time[*t as usize] += sum;
                (time, channel, count)
            })
            .reduce(empty, |a, b| {
                let add = |x: Vec<f64>, y: Vec<f64>| x.iter().zip(y).map(|(p, q)| p + q).collect();
                (add(a.0, b.0), add(a.1, b.1), a.2 + b.2)
            });
        let sum: f64 = by_time.iter().sum();
        let by_freq: f64 = vis.freq_hz.iter().zip(&by_channel).map(|(f, w)| f * w).sum();
        let mean_freq_hz = if sum > 0.0 { by_freq / sum } else { f64::NAN };
        Self { sum, by_time, by_channel, freq_hz: vis.freq_hz.clone(), mean_freq_hz, count }
    }
}

/// Noise \[Jy/beam\] of an image with these weights from antennas of system equivalent flux density `sefd_jy`, two
/// polarisations: `sqrt(sum w^2 s^2) / sum w` with `s = sefd / sqrt(4 dnu dt)` for Stokes I.
pub fn thermal_rms(weight_rf: &Array2<f32>, vis: &Visibilities, sefd_jy: f64) -> f64 {
    let per_channel: Vec<f64> = vis.width_hz.iter().map(|dnu| sefd_jy * sefd_jy / (4.0 * dnu)).collect();
    let rows: Vec<_> = weight_rf.axis_iter(Axis(0)).zip(&vis.time_of_row).collect();
    let (square, sum) = rows
        .into_par_iter()
        .map(|(row, t)| {
            let (mut square, mut sum) = (0.0, 0.0);
            for (w, v) in row.iter().zip(&per_channel) {
                let w = f64::from(*w);
                square += w * w * v;
                sum += w;
            }
            (square / vis.times[*t as usize].interval_s, sum)
        })
        .reduce(|| (0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1));
    square.sqrt() / sum
}
