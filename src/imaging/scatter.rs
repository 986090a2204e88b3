//! Noise of the visibilities by their own scatter between neighbouring channels.
//!
//! What the weights and an SEFD predict holds for calibrated data in Jy of the array as it should be. Thresholds that count from a
//! noise that is too low let CLEAN eat noise, from one that is too high they leave sources; so the data are asked as well.
//! Over one channel the sky changes little on short baselines and its squared difference grows with the square of the
//! step, so that `(4 V(1) - V(2)) / 3` of the mean squared differences over one and two channels holds no sky to the next order.

use super::Visibilities;
use crate::constants::SPEED_OF_LIGHT_M_S;
use crate::math::robust::median;

/// Baselines on which a source at the edge of the field turns by less than this over one channel \[rad\].
const TURN: f64 = 0.3;
/// The edge of the field \[rad\].
const FIELD_RAD: f64 = 0.03;
/// Rows looked at: a few times 1e4 differences are plenty, since a predicted noise that is off by some per cent is not off.
const ROWS: usize = 4096;
/// The shortest rows taken when hardly any baseline is short.
const LEAST_ROWS: usize = 256;
/// Fewer differences than this say nothing.
const LEAST_PAIRS: f64 = 200.0;

/// The part of the differences that has to be noise for a noise to be told from them.
const LEAST_NOISE: f64 = 0.3;

/// Noise of the visibilities over that of antennas of some SEFD.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scatter {
    /// It is this.
    Noise(f64),
    /// The sky changes too much to tell more: it is at most this.
    AtMost(f64),
}

/// Standard deviation of the visibilities over that of antennas of `sefd_jy`; none when too few channels are neighbours.
pub(super) fn scatter(vis: &Visibilities, sefd_jy: f64) -> Option<Scatter> {
    let channels = vis.freq_hz.len();
    let width = vis.width_hz.iter().fold(0.0f64, |a, w| a.max(*w));
    if channels < 3 || !(sefd_jy > 0.0 && width > 0.0) {
        return None;
    }
    let longest_m = TURN * SPEED_OF_LIGHT_M_S / (std::f64::consts::TAU * width * FIELD_RAD);
    let length = |r: &usize| vis.uvw_m[*r].iter().map(|x| x * x).sum::<f64>();
    let usable = |r: &usize| vis.weight_rf.row(*r).iter().any(|w| *w > 0.0);
    let mut rows: Vec<usize> =
        (0..vis.uvw_m.len()).filter(|r| length(r) < longest_m * longest_m && usable(r)).collect();
    if rows.len() < LEAST_ROWS {
        rows = (0..vis.uvw_m.len()).filter(usable).collect();
        rows.sort_by(|a, b| length(a).total_cmp(&length(b)));
        rows.truncate(LEAST_ROWS);
    }
    let step = rows.len().div_ceil(ROWS).max(1);
    let mut pairs = 0.0;
    let (mut ratios, mut bounds) = (Vec::with_capacity(ROWS), Vec::with_capacity(ROWS));
    for r in rows.into_iter().step_by(step) {
        let expected = |lag: usize| differences(vis, r, lag);
        let ((one, count), (two, more)) = (expected(1), expected(2));
        if count >= 2.0 && more >= 1.0 {
            pairs += count;
            ratios.push((4.0 * one / count - two / more) / 3.0);
            bounds.push(one / count);
        }
    }
    if pairs < LEAST_PAIRS {
        return None;
    }
    let interval_s = vis.times.first().map_or(f64::NAN, |t| t.interval_s);
    let variance = sefd_jy * sefd_jy / (4.0 * width * interval_s);
    // Interference stays in some rows: the middle of them, not their mean.
    let (noise, bound) = (median(&mut ratios) / variance, median(&mut bounds) / variance);
    if !(bound.is_finite() && noise.is_finite()) {
        return None;
    }
    Some(if noise > LEAST_NOISE * bound {
        Scatter::Noise(noise.sqrt())
    } else {
        Scatter::AtMost(bound.sqrt())
    })
}

/// Sum over the pairs of channels `lag` apart of the squared difference for the widest channel's width, by real component and
/// visibility, and the number of pairs.
fn differences(vis: &Visibilities, row: usize, lag: usize) -> (f64, f64) {
    let (value, weight) = (vis.vis_rf.row(row), vis.weight_rf.row(row));
    let width = vis.width_hz.iter().fold(0.0f64, |a, w| a.max(*w));
    let (mut sum, mut count) = (0.0, 0.0);
    for c in lag..vis.freq_hz.len() {
        let apart = vis.freq_hz[c] - vis.freq_hz[c - lag];
        if !(weight[c] > 0.0 && weight[c - lag] > 0.0) || apart > (lag as f64 + 0.5) * width {
            continue;
        }
        // Two complex numbers, two components each.
        sum += f64::from((value[c] - value[c - lag]).norm_sqr()) * vis.width_hz[c] / (4.0 * width);
        count += 1.0;
    }
    (sum, count)
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use num_complex::Complex32;

    use super::*;
    use crate::constants::{CHANNEL_WIDTH_HZ, INTEGRATION_S};
    use crate::coords::RaDec;
    use crate::imaging::TimeBin;

    /// Rows of baselines to 500 m, noise of `sigma` a component and a source of `flux` 1.7 degrees out.
    fn data(sigma: f64, flux: f64) -> Visibilities {
        let (rows, channels) = (600, 48);
        let mut seed = 7u64;
        let mut normal = || {
            (0..12)
                .map(|_| {
                    seed =
                        seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    (seed >> 11) as f64 / (1u64 << 53) as f64
                })
                .sum::<f64>()
                - 6.0
        };
        let freq_hz: Vec<f64> = (0..channels).map(|c| 1.4e9 + CHANNEL_WIDTH_HZ * c as f64).collect();
        let uvw_m: Vec<[f64; 3]> =
            (0..rows).map(|r| [500.0 * (r as f64 + 0.5) / rows as f64, 0.0, 0.0]).collect();
        let vis_rf = Array2::from_shape_fn((rows, channels), |(r, c)| {
            let turn = std::f64::consts::TAU * uvw_m[r][0] * 0.03 * freq_hz[c] / SPEED_OF_LIGHT_M_S;
            let (s, k) = turn.sin_cos();
            Complex32::new((flux * k + sigma * normal()) as f32, (flux * s + sigma * normal()) as f32)
        });
        let centre = RaDec::from_deg(10.0, 20.0);
        Visibilities {
            uvw_m,
            width_hz: vec![CHANNEL_WIDTH_HZ; channels],
            weight_rf: Array2::from_elem((rows, channels), 3.0),
            times: vec![TimeBin { time_mjd_s: 0.0, interval_s: INTEGRATION_S, field_centre: centre }],
            time_of_row: vec![0; rows],
            freq_hz,
            vis_rf,
            ..Visibilities::default()
        }
    }

    #[test]
    fn the_noise_is_found_below_a_bright_source_and_under_interference() {
        let sefd = 6500.0;
        let sigma = sefd / (4.0 * CHANNEL_WIDTH_HZ * INTEGRATION_S).sqrt();
        // 28,000 differences, the middle of 600 rows: under 1 % of scatter; a tenth and half of the noise asked for.
        for (factor, flux) in [(1.0, 0.0), (1.0, 20.0), (0.5, 0.0), (1e-3, 0.01)] {
            let mut vis = data(factor * sigma, flux);
            for r in (0..600).step_by(7) {
                vis.vis_rf[[r, 20]] += Complex32::new(3000.0, 0.0);
            }
            let found = scatter(&vis, sefd).unwrap();
            let Scatter::Noise(ratio) = found else { panic!("{found:?} for {factor} with {flux} Jy") };
            assert!((ratio / factor - 1.0).abs() < 0.03, "{ratio} for {factor} with {flux} Jy");
        }
        // Without noise there is a bound only: the change of the source over a channel, on the middle baseline 0.04 of it.
        let Some(Scatter::AtMost(bound)) = scatter(&data(0.0, 20.0), sefd) else { panic!() };
        assert!(bound > 0.0 && bound < 1.0, "{bound}");
    }

    #[test]
    fn too_little_says_nothing() {
        let mut vis = data(1.0, 0.0);
        vis.weight_rf.fill(0.0);
        assert_eq!(scatter(&vis, 6500.0), None);
        assert_eq!(scatter(&data(1.0, 0.0), f64::NAN), None);
        // Windows of one channel each have no neighbours.
        let mut vis = data(1.0, 0.0);
        vis.freq_hz.iter_mut().enumerate().for_each(|(c, f)| *f += 1e7 * c as f64);
        assert_eq!(scatter(&vis, 6500.0), None);
    }
}
