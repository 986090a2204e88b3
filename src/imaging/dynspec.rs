//! The visibilities of one direction, by time and frequency.

use ndarray::parallel::prelude::*;
use ndarray::{Array2, Axis};

use super::{Smearing, Visibilities};
use crate::beam::Beam;
use crate::coords::RaDec;

/// Flux towards the phase centre, by integration and channel.
#[derive(Clone, Debug, serde::Serialize)]
pub struct DynamicSpectrum {
    /// Bin centres, UTC \[MJD s\].
    pub time_mjd_s: Vec<f64>,
    /// Channels, or middles of averaged ones \[Hz\].
    pub freq_hz: Vec<f64>,
    /// Weighted mean of the real parts behind the beam (t, f) \[Jy\]; NaN where nothing is unflagged.
    pub flux_tf_jy: Vec<Vec<f64>>,
    /// Its error, from the scatter of the imaginary parts (t, f) \[Jy\].
    pub error_tf_jy: Vec<Vec<f64>>,
    /// Beam power (t, f).
    pub power_tf: Vec<Vec<f64>>,
    /// Share of a point's flux that the correlator's averaging leaves in `flux_tf_jy`.
    pub smearing: f64,
    /// Weighted mean over everything, divided by the beam's and by `smearing` \[Jy\].
    pub flux_jy: f64,
    /// Its error \[Jy\].
    pub flux_error_jy: f64,
}

/// Sums of one integration: weight, weighted real part, squared weighted imaginary part, by group of channels.
type Sums = Array2<f64>;

/// The dynamic spectrum at the phase centre of `vis`, `average` channels at a time.
pub fn dynamic_spectrum(
    vis: &Visibilities,
    position: RaDec,
    pointings: &[RaDec],
    beam: &Beam,
    average: usize,
) -> DynamicSpectrum {
    let average = average.max(1);
    let channels = vis.freq_hz.len();
    let groups = channels.div_ceil(average);
    let freq_hz: Vec<f64> = (0..groups)
        .map(|g| {
            let own = &vis.freq_hz[g * average..((g + 1) * average).min(channels)];
            own.iter().sum::<f64>() / own.len() as f64
        })
        .collect();
    let sums: Vec<Sums> =
        (0..vis.times.len()).into_par_iter().map(|t| sums_of(vis, t, groups, average)).collect();
    let cell = |f: &dyn Fn(usize, usize) -> f64| -> Vec<Vec<f64>> {
        (0..sums.len()).map(|t| (0..groups).map(|g| f(t, g)).collect()).collect()
    };
    let power_tf = cell(&|t, g| beam.power_towards(position, pointings[t], freq_hz[g]));
    let (mut flux, mut square, mut power) = (0.0, 0.0, 0.0);
    for (t, s) in sums.iter().enumerate() {
        for g in 0..groups {
            // Least squares of one flux behind the beam.
            flux += s[[1, g]] * power_tf[t][g];
            square += s[[2, g]] * power_tf[t][g].powi(2);
            power += s[[0, g]] * power_tf[t][g].powi(2);
        }
    }
    let smearing = Smearing::of(vis, pointings).response(position);
    DynamicSpectrum {
        time_mjd_s: vis.times.iter().map(|t| t.time_mjd_s).collect(),
        flux_tf_jy: cell(&|t, g| sums[t][[1, g]] / sums[t][[0, g]]),
        error_tf_jy: cell(&|t, g| sums[t][[2, g]].sqrt() / sums[t][[0, g]]),
        power_tf,
        freq_hz,
        smearing,
        flux_jy: flux / power / smearing,
        flux_error_jy: square.sqrt() / power / smearing,
    }
}

fn sums_of(vis: &Visibilities, time: usize, groups: usize, average: usize) -> Sums {
    let mut sums = Array2::zeros((3, groups));
    let rows = vis.vis_rf.axis_iter(Axis(0)).zip(vis.weight_rf.axis_iter(Axis(0))).zip(&vis.time_of_row);
    for ((row, weights), _) in rows.filter(|(_, t)| **t as usize == time) {
        for (c, (v, w)) in row.iter().zip(weights).enumerate().filter(|(_, (_, w))| **w > 0.0) {
            let (g, w) = (c / average, f64::from(*w));
            sums[[0, g]] += w;
            sums[[1, g]] += w * f64::from(v.re);
            sums[[2, g]] += (w * f64::from(v.im)).powi(2);
        }
    }
    sums
}

impl Visibilities {
    /// Those of one integration.
    pub fn integration(&self, time: usize) -> Self {
        let rows: Vec<usize> =
            (0..self.time_of_row.len()).filter(|r| self.time_of_row[*r] as usize == time).collect();
        Self {
            uvw_m: rows.iter().map(|r| self.uvw_m[*r]).collect(),
            freq_hz: self.freq_hz.clone(),
            width_hz: self.width_hz.clone(),
            vis_rf: self.vis_rf.select(Axis(0), &rows),
            weight_rf: self.weight_rf.select(Axis(0), &rows),
            times: vec![self.times[time]],
            time_of_row: vec![0; rows.len()],
            pairs: rows.iter().map(|r| self.pairs[*r]).collect(),
            antenna_itrf_m: self.antenna_itrf_m.clone(),
            frames: vec![self.frames[time].clone()],
        }
    }
}
