//! Antenna gains: a bandpass with a delay, stable over days, and a gain that changes from day to day and drifts within one.

use ndarray::Array3;
use num_complex::{Complex32, Complex64};
use rand_chacha::rand_core::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal, Uniform};

use super::Error;
use crate::kind::BadArgument;

/// How gains scatter. Two receptors of one antenna are independent; a station's gains do not depend on which other
/// stations are simulated.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GainParams {
    /// Scatter of the amplitude from day to day.
    pub amp_rms: f64,
    /// Scatter of the phase from day to day \[degrees\]; 360 or more is uniform over the circle.
    pub phase_rms_deg: f64,
    /// Scatter of the phase that is the same on all days \[degrees\]; 360 or more is uniform over the circle.
    pub static_phase_deg: f64,
    /// Delays are uniform between plus and minus this \[ns\]; the same on all days.
    pub max_delay_ns: f64,
    /// Ripple of the bandpass, in amplitude and (radians) phase; the same on all days.
    pub bandpass_rms: f64,
    /// Part of the bandpass that is new every day, as a fraction of `bandpass_rms`.
    pub bandpass_daily: f64,
    /// Peak of the slow phase drift within a day \[degrees\] (periods of one to three hours).
    pub drift_phase_deg: f64,
    /// Peak of the slow amplitude drift within a day.
    pub drift_amp: f64,
}

impl Default for GainParams {
    fn default() -> Self {
        Self {
            amp_rms: 0.1,
            phase_rms_deg: 360.0,
            static_phase_deg: 0.0,
            max_delay_ns: 15.0,
            bandpass_rms: 0.05,
            bandpass_daily: 0.05,
            drift_phase_deg: 10.0,
            drift_amp: 0.01,
        }
    }
}

impl GainParams {
    /// # Errors
    /// A scatter that is negative or not finite, or so large that amplitudes would vanish.
    pub fn check(&self) -> Result<(), Error> {
        for (what, value, most) in [
            ("gains.amp_rms", self.amp_rms, 0.3),
            ("gains.phase_rms_deg", self.phase_rms_deg, f64::MAX),
            ("gains.static_phase_deg", self.static_phase_deg, f64::MAX),
            ("gains.max_delay_ns", self.max_delay_ns, 1e6),
            ("gains.bandpass_rms", self.bandpass_rms, 0.3),
            ("gains.bandpass_daily", self.bandpass_daily, 1.0),
            ("gains.drift_phase_deg", self.drift_phase_deg, f64::MAX),
            ("gains.drift_amp", self.drift_amp, 0.5),
        ] {
            if !(0.0..=most).contains(&value) {
                return Err(BadArgument::new(what, format!("a number in 0..{most}"), value).into());
            }
        }
        Ok(())
    }
}

/// Gains of every antenna (a), receptor (p), channel (f, ascending) and time (t): `g = bandpass_apf gain_apt`, and
/// `V_ij = g_i M_ij conj(g_j)` in the crate's and CASA's convention.
#[derive(Clone, Debug, PartialEq)]
pub struct Gains {
    /// Bandpass, delay included.
    pub bandpass_apf: Array3<Complex64>,
    /// Gain against time.
    pub gain_apt: Array3<Complex64>,
    /// Delays \[ns\], `(a, p)` flattened; for the truth.
    pub delay_ns: Vec<[f64; 2]>,
}

/// Terms of the ripple across the band.
const RIPPLES: usize = 6;

impl Gains {
    /// Gains of `stations` on `freq_hz` (ascending) and `time_mjd_s`.
    pub fn random(
        params: &GainParams,
        seed: u64,
        epoch: u64,
        stations: &[u32],
        freq_hz: &[f64],
        time_mjd_s: &[f64],
    ) -> Self {
        let mut bandpass_apf = Array3::zeros((stations.len(), 2, freq_hz.len()));
        let mut gain_apt = Array3::zeros((stations.len(), 2, time_mjd_s.len()));
        let mut delay_ns = vec![[0.0; 2]; stations.len()];
        for (a, station) in stations.iter().enumerate() {
            for p in 0..2 {
                let stream = u64::from(*station) * 2 + p as u64;
                let stable = &mut generator(seed, 0, stream);
                let daily = &mut generator(seed, epoch + 1, stream);
                delay_ns[a][p] = params.max_delay_ns * signed(stable);
                let turned = Complex64::from_polar(1.0, scattered(params.static_phase_deg, stable));
                let ripple = ripples(params, stable, daily);
                for (f, hz) in freq_hz.iter().enumerate() {
                    bandpass_apf[(a, p, f)] = turned * bandpass(*hz, delay_ns[a][p], &ripple);
                }
                let drift = Drift::draw(params, stable, daily);
                for (t, time) in time_mjd_s.iter().enumerate() {
                    gain_apt[(a, p, t)] = drift.at(*time);
                }
            }
        }
        Self { bandpass_apf, gain_apt, delay_ns }
    }

    /// Unit gains.
    pub fn unity(antennas: usize, channels: usize, times: usize) -> Self {
        Self {
            bandpass_apf: Array3::from_elem((antennas, 2, channels), Complex64::new(1.0, 0.0)),
            gain_apt: Array3::from_elem((antennas, 2, times), Complex64::new(1.0, 0.0)),
            delay_ns: vec![[0.0; 2]; antennas],
        }
    }

    /// Gains of channels `first..first + count` at one time, `[antenna][receptor][channel]` flattened, times `scale`.
    pub(super) fn at(&self, time: usize, first: usize, count: usize, scale: f64) -> Vec<Complex32> {
        let (antennas, receptors, _) = self.bandpass_apf.dim();
        let mut out = Vec::with_capacity(antennas * receptors * count);
        for a in 0..antennas {
            for p in 0..receptors {
                let gain = self.gain_apt[(a, p, time)] * scale;
                for f in first..first + count {
                    let g = self.bandpass_apf[(a, p, f)] * gain;
                    out.push(Complex32::new(g.re as f32, g.im as f32));
                }
            }
        }
        out
    }
}

/// Random numbers of one purpose: `part` and `stream` give independent sequences.
pub(super) fn generator(seed: u64, part: u64, stream: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ part.rotate_left(32));
    rng.set_stream(stream);
    rng
}

fn normal(rng: &mut ChaCha8Rng) -> f64 {
    StandardNormal.sample(rng)
}

/// Uniform on (-1, 1).
fn signed(rng: &mut ChaCha8Rng) -> f64 {
    Uniform::new(-1.0, 1.0).map_or(0.0, |u| u.sample(rng))
}

/// A phase \[rad\] with this scatter.
fn scattered(rms_deg: f64, rng: &mut ChaCha8Rng) -> f64 {
    if rms_deg >= 360.0 {
        std::f64::consts::PI * signed(rng)
    } else {
        rms_deg.to_radians() * normal(rng)
    }
}

/// Amplitude and phase ripple: coefficients of cosines of the band.
type Ripple = [[f64; 3]; 2 * RIPPLES];

fn ripples(params: &GainParams, stable: &mut ChaCha8Rng, daily: &mut ChaCha8Rng) -> Ripple {
    let each = params.bandpass_rms * (2.0 / RIPPLES as f64).sqrt();
    std::array::from_fn(|k| {
        let kept = each * normal(stable);
        let phase = std::f64::consts::PI * signed(stable);
        [kept + each * params.bandpass_daily * normal(daily), phase, (k % RIPPLES + 1) as f64]
    })
}

fn bandpass(freq_hz: f64, delay_ns: f64, ripple: &Ripple) -> Complex64 {
    // Cycles across the whole band of the correlator.
    let x = (freq_hz - 1.405e9) / 187.5e6;
    let wave = |r: &[f64; 3]| r[0] * (std::f64::consts::TAU * r[2] * x + r[1]).cos();
    let log_amp: f64 = ripple[..RIPPLES].iter().map(wave).sum();
    let phase: f64 = ripple[RIPPLES..].iter().map(wave).sum();
    Complex64::from_polar(
        log_amp.exp(),
        phase + std::f64::consts::TAU * (freq_hz - 1.405e9) * delay_ns * 1e-9,
    )
}

struct Drift {
    amp: f64,
    phase: f64,
    amp_wave: [f64; 3],
    phase_wave: [f64; 3],
}

impl Drift {
    fn draw(params: &GainParams, stable: &mut ChaCha8Rng, daily: &mut ChaCha8Rng) -> Self {
        let phase = scattered(params.phase_rms_deg, daily);
        let mut wave =
            |peak: f64| [peak, std::f64::consts::PI * signed(daily), 3600.0 * (2.0 + signed(stable))];
        let amp_wave = wave(params.drift_amp);
        let phase_wave = wave(params.drift_phase_deg.to_radians());
        Self { amp: (params.amp_rms * normal(daily)).exp(), phase, amp_wave, phase_wave }
    }

    fn at(&self, time_mjd_s: f64) -> Complex64 {
        let wave = |w: &[f64; 3]| w[0] * (std::f64::consts::TAU * time_mjd_s / w[2] + w[1]).sin();
        Complex64::from_polar(self.amp * (1.0 + wave(&self.amp_wave)), self.phase + wave(&self.phase_wave))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FREQS: [f64; 3] = [1.32e9, 1.4e9, 1.49e9];

    #[test]
    fn a_station_keeps_its_gains_in_any_subset_and_its_bandpass_over_days() {
        let params = GainParams { bandpass_daily: 0.0, ..GainParams::default() };
        let make =
            |epoch, stations: &[u32]| Gains::random(&params, 5, epoch, stations, &FREQS, &[5e9, 5e9 + 60.0]);
        let (all, one) = (make(3, &[1, 7, 103]), make(3, &[7]));
        assert_eq!(all.bandpass_apf[(1, 1, 2)], one.bandpass_apf[(0, 1, 2)]);
        assert_eq!(all.gain_apt[(1, 0, 1)], one.gain_apt[(0, 0, 1)]);
        let other = make(4, &[7]);
        assert_eq!(one.bandpass_apf, other.bandpass_apf);
        assert_ne!(one.gain_apt, other.gain_apt);
        assert_ne!(all.bandpass_apf[(0, 0, 0)], all.bandpass_apf[(0, 1, 0)]);
    }

    #[test]
    fn scatter_is_what_was_asked() {
        let params =
            GainParams { drift_amp: 0.0, drift_phase_deg: 0.0, phase_rms_deg: 10.0, ..GainParams::default() };
        let stations: Vec<u32> = (1..=2000).collect();
        let gains = Gains::random(&params, 1, 0, &stations, &FREQS, &[5e9]);
        let rms = |x: &mut dyn Iterator<Item = f64>| {
            let v: Vec<f64> = x.collect();
            (v.iter().map(|x| x * x).sum::<f64>() / v.len() as f64).sqrt()
        };
        // 4000 draws: the rms is good to 1.1 %; 5 sigma.
        assert!((rms(&mut gains.gain_apt.iter().map(|g| g.norm().ln())) / 0.1 - 1.0).abs() < 0.06);
        assert!((rms(&mut gains.gain_apt.iter().map(|g| g.arg().to_degrees())) / 10.0 - 1.0).abs() < 0.06);
        assert!((rms(&mut gains.bandpass_apf.iter().map(|g| g.norm().ln())) / 0.05 - 1.0).abs() < 0.06);
    }

    #[test]
    fn nothing_asked_is_unity() {
        let none = GainParams {
            amp_rms: 0.0,
            phase_rms_deg: 0.0,
            static_phase_deg: 0.0,
            max_delay_ns: 0.0,
            bandpass_rms: 0.0,
            bandpass_daily: 0.0,
            drift_phase_deg: 0.0,
            drift_amp: 0.0,
        };
        assert_eq!(Gains::random(&none, 9, 1, &[3, 4], &FREQS, &[5e9]), Gains::unity(2, 3, 1));
        assert!(GainParams { amp_rms: -0.1, ..none.clone() }.check().is_err());
        assert!(GainParams { drift_amp: f64::NAN, ..none }.check().is_err());
    }
}
