//! Peak loss by the correlator's averaging over its integrations and channels.

use ndarray::parallel::prelude::*;
use ndarray::{Array2, Axis};

use super::{Error, Visibilities};
use crate::constants::SPEED_OF_LIGHT_M_S;
use crate::control::Control;
use crate::coords::RaDec;
use crate::image::Wcs;

/// Sidereal rotation \[rad/s of UT1\] (IERS Conventions 2010, table 1.2).
pub(super) const EARTH_ROTATION_RAD_S: f64 = 7.292_115_0e-5;
/// Rows and channels that stand for all: the loss is small, its scatter over baselines smaller than itself.
const ROWS: usize = 3000;
const CHANNELS: usize = 6;
/// Places of the coarse map along a side; the loss is almost quadratic.
const GRID: usize = 25;

/// A sample of baselines, their weights and what the correlator did.
#[derive(Clone, Debug)]
pub struct Smearing {
    rows: Vec<Row>,
    /// Frequency \[Hz\] and weight, row by row.
    samples: Vec<(f64, f64)>,
    width_hz: f64,
    frames: Vec<crate::coords::ApparentFrame>,
    pointings: Vec<[f64; 3]>,
}

#[derive(Clone, Debug)]
struct Row {
    baseline_m: [f64; 3],
    interval_s: f64,
    time: u32,
    samples: std::ops::Range<usize>,
}

impl Smearing {
    /// Of visibilities with their imaging weights; fringes were stopped towards `pointings`.
    pub fn of(vis: &Visibilities, pointings: &[RaDec]) -> Self {
        let row_step = (vis.pairs.len() / ROWS).max(1) | 1;
        let (mut rows, mut samples) = (Vec::new(), Vec::new());
        for r in (0..vis.pairs.len()).step_by(row_step) {
            let [p, q] = vis.pairs[r].map(|a| vis.antenna_itrf_m[a as usize]);
            let (time, first) = (vis.time_of_row[r], samples.len());
            // Of the channels that count: where windows are missing, a comb over all of them might meet none.
            let weights = vis.weight_rf.row(r);
            let counted = || vis.freq_hz.iter().zip(weights.iter()).filter(|(_, w)| **w > 0.0);
            let step = (counted().count() / CHANNELS).max(1);
            samples.extend(counted().skip(step / 2).step_by(step).map(|(f, w)| (*f, f64::from(*w))));
            rows.push(Row {
                baseline_m: [p[0] - q[0], p[1] - q[1], p[2] - q[2]],
                interval_s: vis.times[time as usize].interval_s,
                time,
                samples: first..samples.len(),
            });
        }
        let pointings = vis.frames.iter().zip(pointings).map(|(f, p)| f.direction(*p)).collect();
        let width_hz = vis.width_hz.iter().fold(0.0f64, |a, w| a.max(*w));
        Self { rows, samples, width_hz, frames: vis.frames.clone(), pointings }
    }

    /// Share of the peak that is left of a point source: 1 where the fringes were stopped.
    pub fn response(&self, position: RaDec) -> f64 {
        let offset: Vec<[f64; 3]> = self
            .frames
            .iter()
            .zip(&self.pointings)
            .map(|(frame, pointing)| {
                let s = frame.direction(position);
                std::array::from_fn(|k| s[k] - pointing[k])
            })
            .collect();
        let (mut sum, mut total) = (0.0, 0.0);
        for row in &self.rows {
            let (b, d) = (row.baseline_m, offset[row.time as usize]);
            let path = b[0] * d[0] + b[1] * d[1] + b[2] * d[2];
            let rate = EARTH_ROTATION_RAD_S * (b[0] * d[1] - b[1] * d[0]);
            let turns_in_channel = self.width_hz / SPEED_OF_LIGHT_M_S * path;
            let turns_in_time_hz = rate * row.interval_s / SPEED_OF_LIGHT_M_S;
            let mut own = 0.0;
            for (freq_hz, weight) in &self.samples[row.samples.clone()] {
                own += weight * sinc(turns_in_time_hz * freq_hz);
                total += weight;
            }
            sum += own * sinc(turns_in_channel);
        }
        if total > 0.0 {
            sum / total
        } else {
            1.0
        }
    }

    /// The response on the pixels of an image, bilinear between coarse places.
    ///
    /// # Errors
    /// Cancellation.
    pub fn map(&self, wcs: &Wcs, shape_yx: [usize; 2], control: &Control) -> Result<Array2<f32>, Error> {
        let [ny, nx] = shape_yx;
        let (sy, sx) = (ny as f64 / (GRID - 1) as f64, nx as f64 / (GRID - 1) as f64);
        let coarse = (0..GRID * GRID)
            .into_par_iter()
            .map(|i| {
                control.check()?;
                let sky = wcs.pixel_to_sky([(i % GRID) as f64 * sx, (i / GRID) as f64 * sy]);
                let finite = sky.ra_rad.is_finite() && sky.dec_rad.is_finite();
                Ok(if finite { self.response(sky) as f32 } else { f32::NAN })
            })
            .collect::<Result<Vec<f32>, Error>>()?;
        let mut out = Array2::zeros((ny, nx));
        let rows: Vec<_> = out.axis_iter_mut(Axis(0)).collect();
        rows.into_par_iter().enumerate().for_each(|(y, mut row)| {
            let (low, f) = split(y as f64 / sy);
            for (x, value) in row.iter_mut().enumerate() {
                let (left, g) = split(x as f64 / sx);
                let at = |dy: usize, dx: usize| coarse[(low + dy) * GRID + left + dx];
                let near = at(0, 0) * (1.0 - g) + at(0, 1) * g;
                let far = at(1, 0) * (1.0 - g) + at(1, 1) * g;
                *value = near * (1.0 - f) + far * f;
            }
        });
        Ok(out)
    }
}

fn split(place: f64) -> (usize, f32) {
    let low = (place.floor() as usize).min(GRID - 2);
    (low, (place - low as f64) as f32)
}

/// `sin(pi x) / (pi x)`: up to half a turn, where all but strange data are, its series, which is right to 5e-10.
fn sinc(x: f64) -> f64 {
    let a = std::f64::consts::PI * x;
    if a.abs() < std::f64::consts::FRAC_PI_2 {
        let s = a * a;
        let mut sum = 1.0;
        for k in (1..=6).rev() {
            sum = 1.0 - sum * s / f64::from(2 * k * (2 * k + 1));
        }
        sum
    } else {
        a.sin() / a
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_series_is_the_sine() {
        for k in -300..300 {
            let x = 0.003 * f64::from(k);
            let a = std::f64::consts::PI * x;
            let exact = if a == 0.0 { 1.0 } else { a.sin() / a };
            assert!((sinc(x) - exact).abs() < 1e-9, "{x}");
        }
    }
}
