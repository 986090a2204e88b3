//! Sources split into terms that factor into antennas: one term a quadrature node.

use super::quadrature::{centre, rule, Rule};
use super::snapshot::{Snapshot, Window};
use crate::constants::SPEED_OF_LIGHT_M_S;

/// Sidereal rotation \[rad/s of UT1\] (IERS Conventions 2010, table 1.2).
const EARTH_ROTATION_RAD_S: f64 = 7.292_115_0e-5;

/// One antenna-factored term: `weight * flux(source, f) * exp(2 pi i / c (f path_i + offset_i))` times the conjugate for
/// antenna j.
pub(super) struct Component {
    pub source: usize,
    pub weight: f64,
    /// Path of each antenna towards the source, less that towards the phase centre \[m\].
    pub path_m: Vec<f64>,
    /// Path times frequency offset of each antenna within the channel \[m Hz\].
    pub offset_m_hz: Vec<f64>,
}

/// Terms of every source, ordered as the sources are; `flux_scale_jy[s]` is the largest flux of source s in the band.
pub(super) fn components(
    snapshot: &Snapshot<'_>,
    window: &Window<'_>,
    flux_scale_jy: &[f64],
) -> Vec<Component> {
    let total: f64 = flux_scale_jy.iter().sum();
    let share = window.accuracy * total / flux_scale_jy.len().max(1) as f64;
    let mut out = Vec::new();
    for (source, flux) in flux_scale_jy.iter().enumerate() {
        if *flux > 0.0 {
            // Half the share for time, half for frequency.
            push(snapshot, window, source, 0.5 * share / flux, &mut out);
        }
    }
    out
}

fn push(
    snapshot: &Snapshot<'_>,
    window: &Window<'_>,
    source: usize,
    tolerance: f64,
    out: &mut Vec<Component>,
) {
    let s = snapshot.directions[source];
    let from_centre = sub(s, snapshot.centre);
    let from_pointing = sub(s, snapshot.pointing);
    let project = |d: [f64; 3]| -> Vec<f64> { snapshot.antenna_m.iter().map(|r| dot(*r, d)).collect() };
    let still = project(from_centre);
    let top_hz = window.freq_hz.iter().fold(0.0f64, |a, b| a.max(*b));
    let per_metre = std::f64::consts::PI / SPEED_OF_LIGHT_M_S;
    let times = match window.smear_s {
        Some(interval) => {
            let moved = project(sub(turned(from_pointing, EARTH_ROTATION_RAD_S * interval), from_pointing));
            rule(per_metre * top_hz * spread(&moved), tolerance)
        }
        None => centre(),
    };
    let channels: Rule = match window.smear_hz {
        Some(width) => rule(per_metre * width * spread(&project(from_pointing)), tolerance),
        None => centre(),
    };
    for (at, time_weight) in &times {
        let offset = turned(from_pointing, EARTH_ROTATION_RAD_S * at * window.smear_s.unwrap_or(0.0));
        let moved = project(sub(offset, from_pointing));
        let path_m: Vec<f64> = still.iter().zip(&moved).map(|(a, b)| a + b).collect();
        let delay = project(offset);
        for (shift, channel_weight) in &channels {
            let hz = shift * window.smear_hz.unwrap_or(0.0);
            let offset_m_hz = delay.iter().map(|d| d * hz).collect();
            out.push(Component {
                source,
                weight: time_weight * channel_weight,
                path_m: path_m.clone(),
                offset_m_hz,
            });
        }
    }
}

/// A vector fixed on the sky, seen from the Earth's axes after a turn of the Earth by `angle`.
fn turned(v: [f64; 3], angle: f64) -> [f64; 3] {
    let (sin, cos) = angle.sin_cos();
    [cos * v[0] + sin * v[1], cos * v[1] - sin * v[0], v[2]]
}

fn spread(x: &[f64]) -> f64 {
    let (low, high) = x.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), x| (a.min(*x), b.max(*x)));
    (high - low).max(0.0)
}

pub(super) fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub(super) fn sub(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}
