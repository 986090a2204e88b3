//! Is a dip deeper at longer wavelengths, as a plasma lens makes it?

use super::series::Series;
use crate::math::robust::median;

/// One band of a receiver, as relative flux.
pub(super) struct Narrow {
    /// Frequency over the mean of its receiver.
    pub ratio: f64,
    pub series: Series,
}

/// Factors between a band and the mean of its receiver at an epoch: `(mjd, frequency ratio)` to a factor.
type Law<'a> = &'a dyn Fn(f64, f64) -> f64;

/// Exponents of frequency with which other variation may go: refractive scintillation 0.57 (Rickett 1990,
/// doi:10.1146/annurev.aa.28.090190.003021) and less near the transition to weak scattering, evolving flares either way.
const EXPONENTS: [f64; 5] = [-0.5, -0.25, 0.0, 0.25, 0.5];

/// What the bands say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Colours {
    /// ln likelihood ratio of the lens's laws over a dip that is the same in all bands.
    pub lens: f64,
    /// The same of variation whose amplitude goes as one of [`EXPONENTS`] of the frequency (averaged).
    pub other: f64,
}

/// ln likelihood ratios of the bands under each of `laws` (averaged), and under other coloured variation, over a dip that is the same
/// in all of them.
///
/// The signal that the bands have in common is free at every epoch, and so is the level of every band: what a gain error, a
/// scintillation or a wrong template does to all bands alike does not enter. `None` with fewer than two bands.
pub(super) fn ratio(bands: &[Narrow], epoch_days: f64, laws: &[Law<'_>]) -> Option<Colours> {
    if bands.len() < 2 || bands.iter().any(|b| !b.ratio.is_finite()) {
        return None;
    }
    let epochs = epochs(bands, epoch_days);
    let (flat, common) = log_likelihood(bands, &epochs, &|_, _, _| 1.0);
    let mean = |values: &[f64]| super::noise::log_sum_exp(values) - (values.len() as f64).ln();
    let of_laws: Vec<f64> = laws
        .iter()
        .map(|law| log_likelihood(bands, &epochs, &|_, t, ratio| law(t, ratio)).0 - flat)
        .collect();
    // The quiet level is the median: what varies is what is not it.
    let level = median(&mut common.clone()).max(1e-9);
    let of_exponents: Vec<f64> = EXPONENTS
        .iter()
        .map(|p| {
            let law = |e: usize, _: f64, ratio: f64| {
                let relative = (common[e] / level).clamp(0.05, 20.0);
                relative.powf(ratio.powf(*p) - 1.0)
            };
            log_likelihood(bands, &epochs, &law).0 - flat
        })
        .collect();
    let found = Colours { lens: mean(&of_laws), other: mean(&of_exponents) };
    (found.lens.is_finite() && found.other.is_finite()).then_some(found)
}

/// `(band, point)` of every epoch that two bands or more have seen.
fn epochs(bands: &[Narrow], epoch_days: f64) -> Vec<Vec<(usize, usize)>> {
    let mut points: Vec<(f64, usize, usize)> = bands
        .iter()
        .enumerate()
        .flat_map(|(b, band)| band.series.mjd.iter().enumerate().map(move |(i, t)| (*t, b, i)))
        .collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut out: Vec<Vec<(usize, usize)>> = Vec::new();
    let mut start = f64::NEG_INFINITY;
    for (t, b, i) in points {
        match out.last_mut() {
            Some(group) if t - start <= epoch_days => group.push((b, i)),
            _ => {
                start = t;
                out.push(vec![(b, i)]);
            }
        }
    }
    out.retain(|group| group.iter().any(|p| p.0 != group[0].0));
    out
}

/// `-chi^2 / 2` of `y_b(t) = c_b S(t) law(epoch, t, nu_b)` with the best `S(t)` and `c_b`, found by turns; and `S`.
fn log_likelihood(
    bands: &[Narrow],
    epochs: &[Vec<(usize, usize)>],
    law: &dyn Fn(usize, f64, f64) -> f64,
) -> (f64, Vec<f64>) {
    const TURNS: usize = 6;
    let mut level = vec![1.0; bands.len()];
    let mut chi2 = 0.0;
    let mut signal = vec![1.0; epochs.len()];
    for _ in 0..TURNS {
        let mut sums = vec![(0.0, 0.0); bands.len()];
        chi2 = 0.0;
        for (e, group) in epochs.iter().enumerate() {
            let part = |b: usize, i: usize| {
                let s = &bands[b].series;
                (s.y[i], s.w[i], law(e, s.mjd[i], bands[b].ratio))
            };
            let (mut wyy, mut wym, mut wmm) = (0.0, 0.0, 0.0);
            for &(b, i) in group {
                let (y, w, m) = part(b, i);
                let m = m * level[b];
                wyy += w * y * y;
                wym += w * y * m;
                wmm += w * m * m;
            }
            let common = wym / wmm;
            signal[e] = common;
            chi2 += wyy - wym * common;
            for &(b, i) in group {
                let (y, w, m) = part(b, i);
                sums[b].0 += w * y * common * m;
                sums[b].1 += w * (common * m).powi(2);
            }
        }
        for (l, (top, bottom)) in level.iter_mut().zip(sums) {
            if bottom > 0.0 {
                *l = top / bottom;
            }
        }
    }
    (-0.5 * chi2, signal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bands(law: impl Fn(f64, f64) -> f64) -> Vec<Narrow> {
        [0.95, 0.98, 1.02, 1.05]
            .into_iter()
            .enumerate()
            .map(|(b, ratio)| {
                let mjd: Vec<f64> = (0..100).map(f64::from).collect();
                let ripple = |i: usize| 0.02 * ((((i + 37 * b) * 7919) % 101) as f64 - 50.0) / 29.2;
                // A flare that all bands share, and levels of their own.
                let y = mjd
                    .iter()
                    .enumerate()
                    .map(|(i, t)| {
                        (1.0 + 0.1 * b as f64) * (1.0 + 0.5 * (-t / 9.0).exp()) * (law(*t, ratio) + ripple(i))
                    })
                    .collect();
                Narrow { ratio, series: Series { mjd, y, w: vec![2500.0; 100] } }
            })
            .collect()
    }

    fn dip(t: f64, depth: f64) -> f64 {
        1.0 - depth * (-0.5 * ((t - 55.0) / 12.0).powi(2)).exp()
    }

    #[test]
    fn the_law_that_made_the_bands_wins() {
        let law = |t: f64, ratio: f64| dip(t, 0.3 / (ratio * ratio)) / dip(t, 0.3);
        let lens = ratio(&bands(|t, r| dip(t, 0.3 / (r * r))), 0.3, &[&law]).unwrap();
        let flat = ratio(&bands(|t, _| dip(t, 0.3)), 0.3, &[&law]).unwrap();
        assert!(lens.lens > 8.0 && flat.lens < -8.0, "{lens:?} {flat:?}");
        let other = ratio(&bands(|t, r| dip(t, 0.3 * r * r)), 0.3, &[&law]).unwrap();
        assert!(other.lens < flat.lens - 8.0, "{other:?}");
        // Variation that goes as another power of the frequency is told from both; a flat one from neither.
        let weak = ratio(&bands(|t, r| dip(t, 0.3).powf(r.powf(-0.5))), 0.3, &[&law]).unwrap();
        assert!(weak.other > weak.lens, "{weak:?}");
        assert!(flat.other < 1.0 && lens.lens > lens.other, "{flat:?} {lens:?}");
    }

    #[test]
    fn one_band_and_unknown_frequencies_are_not_tested() {
        let mut two = bands(|_, _| 1.0);
        two.truncate(1);
        assert!(ratio(&two, 0.3, &[&|_, _| 1.0]).is_none());
        let mut unknown = bands(|_, _| 1.0);
        unknown[0].ratio = f64::NAN;
        assert!(ratio(&unknown, 0.3, &[&|_, _| 1.0]).is_none());
    }
}
