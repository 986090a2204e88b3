//! Smoothing along frequency.

use num_complex::Complex64;

use super::polynomial::{fit_polynomials, MOST_DEGREE};
use crate::gains::WindowGains;

/// Shape of the smoothing window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Smoothing {
    /// None.
    #[default]
    None,
    /// Weights 1/4, 1/2, 1/4.
    Hanning,
    /// Equal weights over this odd number of channels.
    Boxcar(usize),
    /// A Gaussian of this full width at half maximum \[channels\].
    Gaussian(f64),
    /// A polynomial of this degree across the window: real and imaginary parts, about the mean delay.
    Polynomial(usize),
}

impl Smoothing {
    /// `none`, `hanning`, `boxcar` or `gaussian`, with a width in channels; `polynomial` with a degree (3).
    pub fn parse(kind: &str, width: Option<f64>) -> Option<Self> {
        if kind.trim() == "polynomial" {
            let degree = width.unwrap_or(3.0);
            let good = degree.fract() == 0.0 && (0.0..=MOST_DEGREE as f64).contains(&degree);
            return good.then_some(Self::Polynomial(degree as usize));
        }
        let width = width.unwrap_or(3.0);
        if !(width.is_finite() && (1.0..=10_000.0).contains(&width)) {
            return None;
        }
        match kind.trim() {
            "" | "none" => Some(Self::None),
            "hanning" => Some(Self::Hanning),
            "boxcar" => Some(Self::Boxcar(width.round() as usize | 1)),
            "gaussian" => Some(Self::Gaussian(width)),
            _ => None,
        }
    }

    /// Weights of channels 0, 1, 2, ... away.
    fn weights(self) -> Vec<f64> {
        match self {
            Self::None | Self::Polynomial(_) => vec![1.0],
            Self::Hanning => vec![0.5, 0.25],
            Self::Boxcar(width) => vec![1.0; width / 2 + 1],
            Self::Gaussian(fwhm) => {
                let sigma = fwhm / (8.0 * std::f64::consts::LN_2).sqrt();
                (0..=(3.0 * sigma).ceil() as usize)
                    .map(|k| (-0.5 * (k as f64 / sigma).powi(2)).exp())
                    .collect()
            }
        }
    }
}

/// Weighted mean over unflagged neighbours, amplitude and phase apart; flagged channels stay flagged.
///
/// Near an edge or a gap the window is cut symmetrically, so that a slope is not biased.
pub fn smooth(window: &mut WindowGains, smoothing: Smoothing) {
    if let Smoothing::Polynomial(degree) = smoothing {
        return fit_polynomials(window, degree);
    }
    let weights = smoothing.weights();
    if weights.len() < 2 {
        return;
    }
    let (nt, na, nf, nr) = window.value_tafr.dim();
    for t in 0..nt {
        for a in 0..na {
            for r in 0..nr {
                let spectrum: Vec<Option<Complex64>> = (0..nf)
                    .map(|f| [t, a, f, r])
                    .map(|at| (!window.flag_tafr[at]).then(|| window.value_tafr[at]))
                    .collect();
                for f in 0..nf {
                    if let Some(centre) = spectrum[f] {
                        window.value_tafr[[t, a, f, r]] = mean(&spectrum, f, centre, &weights);
                    }
                }
            }
        }
    }
}

fn mean(spectrum: &[Option<Complex64>], f: usize, centre: Complex64, weights: &[f64]) -> Complex64 {
    let (mut amp, mut phase, mut total) = (weights[0] * centre.norm(), 0.0, weights[0]);
    for (k, w) in weights.iter().enumerate().skip(1) {
        let (Some(below), Some(above)) =
            (f.checked_sub(k).and_then(|g| spectrum[g]), spectrum.get(f + k).copied().flatten())
        else {
            continue;
        };
        for z in [below, above] {
            amp += w * z.norm();
            phase += w * (z * centre.conj()).arg();
            total += w;
        }
    }
    Complex64::from_polar(amp / total, centre.arg() + phase / total)
}
