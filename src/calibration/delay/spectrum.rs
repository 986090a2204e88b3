//! The cross-spectrum of one baseline: its delay by Fourier transform, and the slope that is left.

use std::f64::consts::TAU;

use num_complex::Complex64;
use rustfft::FftPlanner;

/// `sum w V conj(M)` and `sum w |M|^2` against frequency.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    freq_hz: Vec<f64>,
    num: Vec<Complex64>,
    den: Vec<f64>,
}

/// What is left of a baseline after a delay was removed.
pub(super) struct Slope {
    /// Delay still in the data \[s\].
    pub delay_s: f64,
    /// `1 / variance` of that delay in units of the weights.
    pub information: f64,
    /// `|sum num|^2 / sum den`.
    pub coherent: f64,
    /// Misfit of one amplitude and phase.
    pub chi2: f64,
}

impl Line {
    pub fn push(&mut self, freq_hz: f64, num: Complex64, den: f64) {
        self.freq_hz.push(freq_hz);
        self.num.push(num);
        self.den.push(den);
    }

    pub fn len(&self) -> usize {
        self.den.len()
    }

    pub fn total(&self) -> f64 {
        self.den.iter().sum()
    }

    /// Linearised fit of amplitude, phase and delay after `delay_s` is taken out.
    pub fn slope(&self, delay_s: f64) -> Slope {
        let total = self.total();
        let centre = self.freq_hz.iter().zip(&self.den).map(|(f, d)| f * d).sum::<f64>() / total;
        let turned: Vec<Complex64> = self
            .num
            .iter()
            .zip(&self.freq_hz)
            .map(|(z, f)| z * Complex64::cis(-TAU * (f - centre) * delay_s))
            .collect();
        let sum: Complex64 = turned.iter().sum();
        let amp = sum.norm() / total;
        let direction = if sum.norm() > 0.0 { sum / sum.norm() } else { Complex64::new(1.0, 0.0) };
        let (mut moment, mut spread, mut chi2) = (0.0, 0.0, 0.0);
        for ((z, f), d) in turned.iter().zip(&self.freq_hz).zip(&self.den) {
            let offset = f - centre;
            moment += offset * (z * direction.conj()).im;
            spread += d * offset * offset;
            chi2 += (z / d - direction * amp).norm_sqr() * d;
        }
        let information = (TAU * amp).powi(2) * spread;
        let delay_s = if information > 0.0 { TAU * amp * moment / information } else { 0.0 };
        Slope { delay_s, information, coherent: sum.norm_sqr() / total, chi2 }
    }
}

/// Delay at the peak of the transform \[s\], to a quarter of its resolution or better.
pub(super) fn peak_delay_s(line: &Line) -> f64 {
    let low = line.freq_hz.iter().copied().fold(f64::INFINITY, f64::min);
    let high = line.freq_hz.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sorted = line.freq_hz.clone();
    sorted.sort_by(f64::total_cmp);
    let step = sorted.windows(2).map(|w| w[1] - w[0]).filter(|d| *d > 0.0).fold(f64::INFINITY, f64::min);
    let span = high - low;
    // No more than 2^20 bins, whatever gaps the band has.
    if !(step.is_finite() && span > 0.0 && span / step < (1 << 17) as f64) {
        return 0.0;
    }
    let size = (((span / step).round() as usize + 1) * 4).next_power_of_two();
    let mut grid = vec![Complex64::default(); size];
    for (z, f) in line.num.iter().zip(&line.freq_hz) {
        grid[((f - low) / step).round() as usize] += z;
    }
    FftPlanner::new().plan_fft_forward(size).process(&mut grid);
    let peak = (0..size).max_by(|a, b| grid[*a].norm_sqr().total_cmp(&grid[*b].norm_sqr())).unwrap_or(0);
    let signed = if peak > size / 2 { peak as f64 - size as f64 } else { peak as f64 };
    signed / (size as f64 * step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_signs_are_found() {
        for delay in [-37e-9, 0.0, 5.3e-9, 812e-9] {
            let mut line = Line::default();
            for k in 0..48 {
                let f = 1.311e9 + 244_140.625 * k as f64;
                line.push(f, Complex64::cis(TAU * f * delay + 0.7) * 3.0, 2.0);
            }
            let first = peak_delay_s(&line);
            // A resolution element is 1 / (48 x 244 kHz) = 85 ns.
            assert!((first - delay).abs() < 12e-9, "{delay} {first}");
            let mut found = first;
            for _ in 0..20 {
                found += line.slope(found).delay_s;
            }
            assert!((found - delay).abs() < 1e-14, "{delay} {found}");
        }
    }
}
