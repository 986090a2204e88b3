//! The ESE score of the original system, each part clipped to 0..1.

/// What the score is made of; NaN parts count zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreInput {
    /// Reduced chi-square about the mean.
    pub chi2_nu: f64,
    /// Fractional standard deviation.
    pub v: f64,
    /// `|tau_rise - tau_fall| / (tau_rise + tau_fall)`.
    pub asymmetry: f64,
    /// First zero crossing of the autocorrelation \[days\].
    pub timescale_days: f64,
    /// `(max - min) / median`.
    pub amplitude: f64,
}

/// The parts of the score and their weighted sum, all 0..1.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Score {
    /// `(chi2_nu - 1) / 4`.
    pub statistical: f64,
    /// `V / 0.3`.
    pub fractional: f64,
    /// `asymmetry / 0.5`.
    pub asymmetry: f64,
    /// 1 for a time scale between 14 and 180 days.
    pub timescale: f64,
    /// 1 for an amplitude between 0.1 and 3.
    pub amplitude: f64,
    /// `0.3 statistical + 0.3 fractional + 0.2 asymmetry + 0.1 timescale + 0.1 amplitude`.
    pub total: f64,
}

/// Score above which a light curve is flagged, when it also dips.
pub const FLAG_SCORE: f64 = 0.6;

/// The score. Kept for compatibility: it knows nothing of plasma lenses, see [`super::judge`].
pub fn ese_score(input: &ScoreInput) -> Score {
    let part = |x: f64| if x.is_nan() { 0.0 } else { x.clamp(0.0, 1.0) };
    let within = |x: f64, low: f64, high: f64| f64::from(u8::from(x > low && x < high));
    let statistical = part((input.chi2_nu - 1.0) / 4.0);
    let fractional = part(input.v / 0.3);
    let asymmetry = part(input.asymmetry / 0.5);
    let timescale = within(input.timescale_days, 14.0, 180.0);
    let amplitude = within(input.amplitude, 0.1, 3.0);
    let total = 0.3 * statistical + 0.3 * fractional + 0.2 * asymmetry + 0.1 * timescale + 0.1 * amplitude;
    Score { statistical, fractional, asymmetry, timescale, amplitude, total }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand_and_clipped() {
        let s = ese_score(&ScoreInput {
            chi2_nu: 3.0,
            v: 0.15,
            asymmetry: 0.25,
            timescale_days: 30.0,
            amplitude: 0.5,
        });
        assert!((s.total - (0.15 + 0.15 + 0.1 + 0.1 + 0.1)).abs() < 1e-15);
        let s = ese_score(&ScoreInput {
            chi2_nu: 1e9,
            v: 50.0,
            asymmetry: 1.0,
            timescale_days: 30.0,
            amplitude: 1.0,
        });
        assert!((s.total - 1.0).abs() < 1e-15);
    }

    #[test]
    fn nothing_known_scores_nothing() {
        let nan = f64::NAN;
        let s = ese_score(&ScoreInput {
            chi2_nu: nan,
            v: nan,
            asymmetry: nan,
            timescale_days: nan,
            amplitude: nan,
        });
        assert_eq!(s.total, 0.0);
        assert_eq!(
            ese_score(&ScoreInput {
                chi2_nu: 0.2,
                v: 0.0,
                asymmetry: 0.0,
                timescale_days: 5.0,
                amplitude: 0.0
            })
            .total,
            0.0
        );
    }
}
