//! The obvious twin of the fast kernel: one source, one visibility at a time.

use num_complex::Complex64;

use super::components::{dot, sub};
use super::snapshot::Snapshot;
use crate::constants::SPEED_OF_LIGHT_M_S;

/// Visibilities of a snapshot in f64 without any averaging, row-major as [`super::predict_snapshot`] gives them.
pub fn direct_sum(snapshot: &Snapshot<'_>, freq_hz: &[f64]) -> Vec<Complex64> {
    let mut out = Vec::with_capacity(snapshot.pairs.len() * freq_hz.len());
    for [i, j] in snapshot.pairs {
        let baseline = sub(snapshot.antenna_m[*i as usize], snapshot.antenna_m[*j as usize]);
        for (k, f) in freq_hz.iter().enumerate() {
            let mut sum = Complex64::new(0.0, 0.0);
            for (s, direction) in snapshot.directions.iter().enumerate() {
                let turns = f / SPEED_OF_LIGHT_M_S * dot(baseline, sub(*direction, snapshot.centre));
                let flux = f64::from(snapshot.flux_sf_jy[s * freq_hz.len() + k]);
                let mut exponent = 0.0;
                for (_, axes) in snapshot.gaussians.iter().filter(|g| g.0 == s) {
                    for axis in axes {
                        exponent += (f / SPEED_OF_LIGHT_M_S * dot(baseline, *axis)).powi(2);
                    }
                }
                let amplitude =
                    (-exponent * std::f64::consts::PI.powi(2) / (4.0 * std::f64::consts::LN_2)).exp();
                sum += Complex64::from_polar(flux * amplitude, std::f64::consts::TAU * turns);
            }
            out.push(sum);
        }
    }
    out
}
