//! Interference with known extent.

use num_complex::Complex32;
use rand_distr::{Distribution, Uniform};

use super::gains::generator;
use super::Error;
use crate::kind::BadArgument;

/// Kinds of interference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RfiKind {
    /// Few channels, long.
    Line,
    /// All channels of its range, short.
    Burst,
    /// A few channels that move through its range with time.
    Chirp,
}

/// One event: `strength_jy` on every affected visibility, with a phase of its own on each baseline.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RfiEvent {
    /// Kind.
    pub kind: RfiKind,
    /// Integrations `[first, last)`.
    pub times: [usize; 2],
    /// Channels `[first, last)` of the simulated band, ascending in frequency.
    pub channels: [usize; 2],
    /// Amplitude \[Jy\].
    pub strength_jy: f64,
    /// Only baselines up to this length \[m\]; `None` is all.
    #[serde(default)]
    pub max_baseline_m: Option<f64>,
}

/// Width of a chirp \[channels\].
const CHIRP_CHANNELS: usize = 3;

impl RfiEvent {
    /// Channels `[first, last)` hit at integration `time`; empty when it is not on.
    pub fn channels_at(&self, time: usize) -> std::ops::Range<usize> {
        let [first, last] = self.channels;
        if time < self.times[0] || time >= self.times[1] {
            return first..first;
        }
        if self.kind != RfiKind::Chirp {
            return first..last;
        }
        let steps = (self.times[1] - self.times[0]).max(2) - 1;
        let room = (last - first).saturating_sub(CHIRP_CHANNELS);
        let at = first + room * (time - self.times[0]) / steps;
        at..(at + CHIRP_CHANNELS).min(last)
    }

    /// Whether a baseline of this length is hit.
    pub fn reaches(&self, length_m: f64) -> bool {
        self.max_baseline_m.is_none_or(|most| length_m <= most)
    }
}

/// Interference asked for: events by hand, and some at random.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RfiParams {
    /// Events by hand.
    pub events: Vec<RfiEvent>,
    /// Number of random events.
    pub random: usize,
    /// Amplitudes of random events, log-uniform between these \[Jy\].
    pub strength_jy: [f64; 2],
}

impl RfiParams {
    /// # Errors
    /// Strengths that are negative or not finite, ranges that run backwards.
    pub fn check(&self) -> Result<(), Error> {
        let bad = |expected: &str, found: String| -> Result<(), Error> {
            Err(BadArgument::new("rfi", expected, found).into())
        };
        for event in &self.events {
            if event.times[0] > event.times[1] || event.channels[0] > event.channels[1] {
                return bad("ranges [first, last)", format!("{event:?}"));
            }
            if !(event.strength_jy.is_finite() && event.strength_jy >= 0.0) {
                return bad("a strength >= 0", event.strength_jy.to_string());
            }
        }
        let [low, high] = self.strength_jy;
        if self.random > 0 && !(low > 0.0 && high >= low && high.is_finite()) {
            return bad(
                "strength_jy = [low, high] with 0 < low <= high for random events",
                format!("{:?}", self.strength_jy),
            );
        }
        Ok(())
    }

    /// All events of an epoch.
    pub fn draw(&self, seed: u64, epoch: u64, times: usize, channels: usize) -> Vec<RfiEvent> {
        let mut events = self.events.clone();
        let mut rng = generator(seed, epoch + 1, u64::MAX);
        let mut uniform = || Uniform::new(0.0, 1.0).map_or(0.5, |u: Uniform<f64>| u.sample(&mut rng));
        for k in 0..self.random {
            let kind = [RfiKind::Line, RfiKind::Burst, RfiKind::Chirp][k % 3];
            let mut range = |length: usize, most: usize| {
                let length = length.clamp(1, most);
                let first = (uniform() * (most - length + 1) as f64) as usize;
                [first, first + length]
            };
            let (times, channels) = match kind {
                RfiKind::Line => ([0, times], range(1 + k % 4, channels)),
                RfiKind::Burst => (range(1 + k % 2, times), range(channels / 4, channels)),
                RfiKind::Chirp => (range(times / 2, times), range(channels / 8, channels)),
            };
            let [low, high] = self.strength_jy;
            let strength_jy = low * (high / low).powf(uniform());
            let max_baseline_m = (uniform() < 0.3).then_some(200.0);
            events.push(RfiEvent { kind, times, channels, strength_jy, max_baseline_m });
        }
        events
    }
}

/// Phase factor of an event on a baseline at a time: fixed at random per baseline, turning with time at a random rate.
pub(super) fn phasor(event: usize, baseline: usize, time: usize) -> Complex32 {
    let hash = |n: u64| {
        let mut x = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((x ^ (x >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    };
    let key = ((event as u64 + 1) << 32) + baseline as u64;
    let turns = hash(key) + (hash(!key) - 0.5) * 0.4 * time as f64;
    let (sin, cos) = (std::f64::consts::TAU * turns).sin_cos();
    Complex32::new(cos as f32, sin as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chirps_move_and_stay_inside() {
        let chirp = RfiEvent {
            kind: RfiKind::Chirp,
            times: [2, 8],
            channels: [10, 40],
            strength_jy: 1.0,
            max_baseline_m: None,
        };
        assert!(chirp.channels_at(1).is_empty() && chirp.channels_at(8).is_empty());
        assert_eq!((chirp.channels_at(2), chirp.channels_at(7)), (10..13, 37..40));
    }

    #[test]
    fn random_events_fit_the_data_and_repeat_by_seed() {
        let params = RfiParams { random: 30, strength_jy: [1.0, 100.0], ..RfiParams::default() };
        params.check().unwrap();
        for (times, channels) in [(1, 1), (24, 768), (4, 3)] {
            let events = params.draw(7, 2, times, channels);
            assert_eq!(events, params.draw(7, 2, times, channels));
            for e in &events {
                assert!(e.times[1] <= times && e.channels[1] <= channels && e.times[0] < e.times[1], "{e:?}");
                assert!((1.0..=100.0).contains(&e.strength_jy));
            }
        }
        assert_ne!(params.draw(7, 2, 24, 768), params.draw(7, 3, 24, 768));
        assert!(RfiParams { random: 1, ..RfiParams::default() }.check().is_err());
    }
}
