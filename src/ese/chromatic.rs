//! Is a dip deeper at longer wavelengths, as a plasma lens makes it?

use super::noise::log_sum_exp;
use super::series::Series;
use crate::math::linear::Cholesky;
use crate::math::robust::median;

/// One band of a receiver, as relative flux.
pub(super) struct Narrow {
    /// Frequency over the mean of its receiver.
    pub ratio: f64,
    pub series: Series,
}

/// Factors between a band and the mean of its receiver at an epoch: `(mjd, frequency ratio)` to a factor.
type Law<'a> = &'a dyn Fn(f64, f64) -> f64;

/// Colours further than this from their neighbours' have their errors raised \[sigma\].
const SOFT: f64 = 3.0;

/// Exponents of wavelength with which ln flux of other variation may go, from, to and step, where they are usual and how much rarer they
/// are elsewhere: refractive scintillation 0.57 (Rickett 1990, doi:10.1146/annurev.aa.28.090190.003021) and less near the transition to
/// weak scattering; flares either way, and often more at higher frequencies (Hughes, Aller & Aller 1985, doi:10.1086/163611).
const EXPONENTS: (f64, f64, f64) = (-2.0, 0.5, 0.05);
const USUAL: f64 = -0.5;
const RARER: f64 = 0.2;
/// Scatter of the delay of a change over ln wavelength, in halves of the event's length, and of its stretch.
const LATE: f64 = 0.7;
/// Colour that other variation may have besides, over the logarithm of its flux: bands of one receiver scintillate almost alike.
const LOOSE: f64 = 0.15;
/// Departures from the fitted lens's colour [ln flux over ln wavelength], and by how many nodes over the event they are described.
const FLOWS: [(f64, usize); 4] = [(0.3, 8), (1.0, 8), (0.3, 16), (1.0, 16)];
/// Prior probability of such departures, and of what is loose or late among the rest.
const UNUSUAL: f64 = 0.2;
/// Colour is not asked of epochs with less than this of the quiet flux.
const FAINTEST: f64 = 0.05;

/// What the bands say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Colours {
    /// ln Bayes factor of a lens over a dip that is the same in all bands.
    pub lens: f64,
    /// The same of variation whose amplitude goes as a power of the wavelength, see [`EXPONENTS`].
    pub other: f64,
    /// The same of that or of a flare that comes later, or lasts longer, at lower frequencies.
    pub late: f64,
}

/// ln Bayes factors of the bands under each of `laws` and departures from them (averaged), and under other coloured variation, over a
/// dip that is the same in all of them. `event` is when the lens acts, first and last \[MJD\].
///
/// The signal that the bands have in common is free at every epoch, and so is the level of every band: what a gain error, a
/// scintillation or a wrong template does to all bands alike does not enter. What is left of an epoch is its colour `k`, the slope of
/// ln flux over ln wavelength.
///
/// A lens of unknown profile still moves light about and makes none: with the strength `a` of a lens the flux `m` at the observer
/// changes as `dm/da = -d(m v)/dx`, `v` the mean displacement of the rays that arrive there, and `a` goes as the wavelength squared, so
/// that `k = (1/m) dF/dt` with a flow `F` that is smooth and vanishes before and after the event. `F` is that of each law plus bumps of
/// unknown height. What is no lens has a colour of the order of its own change of flux.
///
/// `None` with fewer than two bands.
pub(super) fn ratio(
    bands: &[Narrow],
    epoch_days: f64,
    laws: &[Law<'_>],
    event: (f64, f64),
) -> Option<Colours> {
    if bands.len() < 2 || bands.iter().any(|b| !b.ratio.is_finite()) {
        return None;
    }
    let epochs = epochs(bands, epoch_days);
    let flat = colours(bands, &epochs, &|_, _| 1.0);
    // The quiet level is the median: what varies is what is not it.
    let level = median(&mut flat.iter().map(|c| c.common).collect::<Vec<f64>>()).max(1e-9);
    let seen: Vec<usize> =
        (0..flat.len()).filter(|&e| flat[e].common > FAINTEST * level && flat[e].weight > 0.0).collect();
    let pick =
        |of: &[Colour], what: fn(&Colour) -> f64| seen.iter().map(|&e| what(&of[e])).collect::<Vec<f64>>();
    // Slopes over the band that single epochs have from elsewhere raise the errors of all, and outliers their own.
    let series =
        Series { mjd: pick(&flat, |c| c.mjd), y: pick(&flat, |c| c.slope), w: pick(&flat, |c| c.weight) };
    let excess = series.excess_scatter();
    let series = series.inflated(excess).softened(SOFT);
    let relative: Vec<f64> =
        pick(&flat, |c| c.common).iter().map(|s| (s / level).clamp(FAINTEST, 20.0)).collect();
    let with = |slopes: &[f64], columns: &[(f64, Vec<f64>)]| log_evidence(slopes, &series.w, columns);

    let nothing = with(&series.y, &[]);
    let mut of_laws = Vec::new();
    let flows: Vec<(f64, Vec<Vec<f64>>)> = FLOWS
        .iter()
        .map(|&(size, nodes)| (size, bumps(event, nodes, |d| -d, &series.mjd, |i| 1.0 / relative[i])))
        .collect();
    for law in laws {
        let slopes = pick(&colours(bands, &epochs, law), |c| c.slope);
        of_laws.push(with(&slopes, &[]) + (1.0 - UNUSUAL).ln());
        of_laws.extend(flows.iter().map(|(size, flow)| {
            let columns: Vec<_> = flow.iter().map(|f| (*size, f.clone())).collect();
            with(&slopes, &columns) + (UNUSUAL / FLOWS.len() as f64).ln()
        }));
    }
    let power: Vec<f64> = relative.iter().map(|r| r.ln()).collect();
    let loose = bumps(event, FLOWS[0].1, |_| 1.0, &series.mjd, |i| power[i]);
    let late = delays(event, &series.mjd, &power);
    // Averaged over the exponent.
    let powers = |columns: Vec<(f64, Vec<f64>)>| {
        let (first, last, step) = EXPONENTS;
        let (mut values, mut total) = (Vec::new(), 0.0);
        for k in 0..=((last - first) / step).round() as usize {
            let exponent = first + step * k as f64;
            let slopes: Vec<f64> = series.y.iter().zip(&power).map(|(y, l)| y - exponent * l).collect();
            let chance: f64 = if exponent < USUAL - 1e-9 { RARER } else { 1.0 };
            values.push(with(&slopes, &columns) + chance.ln());
            total += chance;
        }
        log_sum_exp(&values) - total.ln()
    };
    let either =
        |usual: f64, unusual: f64| log_sum_exp(&[usual + (1.0 - UNUSUAL).ln(), unusual + UNUSUAL.ln()]);
    let other = either(powers(Vec::new()), powers(loose.into_iter().map(|c| (LOOSE, c)).collect()));
    let late = either(other, powers(late.into_iter().map(|c| (LATE, c)).collect()));
    let lens = log_sum_exp(&of_laws) - (laws.len() as f64).ln();
    let found = Colours { lens: lens - nothing, other: other - nothing, late: late - nothing };
    (found.lens.is_finite() && found.other.is_finite() && found.late.is_finite()).then_some(found)
}

/// Columns `shape(d) exp(-d^2 / 2) scale(point)` of `nodes` bumps over the event, `d` in distances between them.
fn bumps(
    event: (f64, f64),
    nodes: usize,
    shape: fn(f64) -> f64,
    mjd: &[f64],
    scale: impl Fn(usize) -> f64,
) -> Vec<Vec<f64>> {
    let step = ((event.1 - event.0) / (nodes - 1) as f64).max(1e-3);
    (0..nodes)
        .map(|j| {
            let at = event.0 + step * j as f64;
            let value = |(i, t): (usize, &f64)| {
                let d = (t - at) / step;
                if d.abs() < 5.0 {
                    shape(d) * (-0.5 * d * d).exp() * scale(i)
                } else {
                    0.0
                }
            };
            mjd.iter().enumerate().map(value).collect()
        })
        .collect()
}

/// Colours of a change that comes later, or lasts longer, the longer the wavelength: the slope of its ln flux over time, in halves of the
/// event, and the same times the time from the event's middle. Flares of expanding clouds do (van der Laan 1966, doi:10.1038/2111131a0).
fn delays(event: (f64, f64), mjd: &[f64], ln_flux: &[f64]) -> [Vec<f64>; 2] {
    let half = (0.5 * (event.1 - event.0)).max(1e-3);
    let (middle, width) = (event.0 + half, half / 16.0);
    // Local slopes, weighted by a Gaussian of a thirty-second part of the event.
    let slope = |t: f64| {
        let low = mjd.partition_point(|u| *u < t - 3.0 * width);
        let high = mjd.partition_point(|u| *u <= t + 3.0 * width);
        let (mut w0, mut wx, mut wxx, mut wy, mut wxy) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for i in low..high {
            let x = (mjd[i] - t) / half;
            let w = (-0.5 * ((mjd[i] - t) / width).powi(2)).exp();
            w0 += w;
            wx += w * x;
            wxx += w * x * x;
            wy += w * ln_flux[i];
            wxy += w * x * ln_flux[i];
        }
        let spread = w0 * wxx - wx * wx;
        if spread > 1e-9 * w0 * w0 {
            (w0 * wxy - wx * wy) / spread
        } else {
            0.0
        }
    };
    let near = |t: f64| (t - middle).abs() < 2.0 * half;
    let later: Vec<f64> = mjd.iter().map(|&t| if near(t) { slope(t) } else { 0.0 }).collect();
    let longer = mjd.iter().zip(&later).map(|(t, s)| s * (t - middle) / half).collect();
    [later, longer]
}

/// `ln Z` of slopes with weights: a level with a flat prior, and columns whose coefficients have normal priors about 0 of the given
/// scatter.
fn log_evidence(slopes: &[f64], weight: &[f64], columns: &[(f64, Vec<f64>)]) -> f64 {
    let n = columns.len() + 1;
    let ones = vec![1.0; slopes.len()];
    let all: Vec<&[f64]> = std::iter::once(&ones[..]).chain(columns.iter().map(|c| &c.1[..])).collect();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).zip(weight).map(|((a, b), w)| w * a * b).sum::<f64>();
    let right: Vec<f64> = all.iter().map(|c| dot(c, slopes)).collect();
    let mut normal = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            normal[i * n + j] = dot(all[i], all[j]);
            normal[j * n + i] = normal[i * n + j];
        }
        if i > 0 {
            normal[i * n + i] += columns[i - 1].0.powi(-2);
        }
    }
    let Ok(factor) = Cholesky::new(&normal, n) else { return f64::NEG_INFINITY };
    let mut solution = right.clone();
    factor.solve(&mut solution);
    let explained: f64 = solution.iter().zip(&right).map(|(a, b)| a * b).sum();
    let priors: f64 = columns.iter().map(|c| c.0.ln()).sum();
    -0.5 * (dot(slopes, slopes) - explained + factor.log_determinant()) - priors
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

/// What an epoch shows.
struct Colour {
    mjd: f64,
    /// Flux common to the bands.
    common: f64,
    /// Slope of ln flux over ln wavelength that is left under a law, and `1 / sigma^2` of it.
    slope: f64,
    weight: f64,
}

/// Of `y_b(t) = c_b S(t) law(t, nu_b)` the best `S(t)` and `c_b`, found by turns, and the slope over the bands of what they leave.
fn colours(bands: &[Narrow], epochs: &[Vec<(usize, usize)>], law: Law<'_>) -> Vec<Colour> {
    const TURNS: usize = 6;
    let mut level = vec![1.0; bands.len()];
    // `(band, y, w, law, ln wavelength)` of every point, by epoch.
    let points: Vec<Vec<(usize, f64, f64, f64, f64)>> = epochs
        .iter()
        .map(|group| {
            let of = |&(b, i): &(usize, usize)| {
                let (s, ratio) = (&bands[b].series, bands[b].ratio);
                (b, s.y[i], s.w[i], law(s.mjd[i], ratio), -ratio.ln())
            };
            group.iter().map(of).collect()
        })
        .collect();
    let mut signal = vec![1.0; epochs.len()];
    for _ in 0..TURNS {
        let mut sums = vec![(0.0, 0.0); bands.len()];
        for (common, group) in signal.iter_mut().zip(&points) {
            let (mut wym, mut wmm) = (0.0, 0.0);
            for &(b, y, w, m, _) in group {
                let m = m * level[b];
                wym += w * y * m;
                wmm += w * m * m;
            }
            *common = wym / wmm;
            for &(b, y, w, m, _) in group {
                sums[b].0 += w * y * *common * m;
                sums[b].1 += w * (*common * m).powi(2);
            }
        }
        for (l, (top, bottom)) in level.iter_mut().zip(sums) {
            if bottom > 0.0 {
                *l = top / bottom;
            }
        }
    }
    epochs
        .iter()
        .zip(&points)
        .zip(signal)
        .map(|((group, points), common)| {
            let (mut w0, mut wx, mut wxx, mut wr, mut wxr) = (0.0, 0.0, 0.0, 0.0, 0.0);
            for &(b, y, w, m, x) in points {
                let model = level[b] * common * m;
                let (w, r) = (w * model * model, y / model - 1.0);
                if r.is_finite() {
                    w0 += w;
                    wx += w * x;
                    wxx += w * x * x;
                    wr += w * r;
                    wxr += w * x * r;
                }
            }
            let weight = wxx - wx * wx / w0;
            let mjd = group.iter().map(|&(b, i)| bands[b].series.mjd[i]).sum::<f64>() / group.len() as f64;
            Colour { mjd, common, slope: (wxr - wx * wr / w0) / weight, weight }
        })
        .collect()
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
        let lens = ratio(&bands(|t, r| dip(t, 0.3 / (r * r))), 0.3, &[&law], (20.0, 90.0)).unwrap();
        let flat = ratio(&bands(|t, _| dip(t, 0.3)), 0.3, &[&law], (20.0, 90.0)).unwrap();
        assert!(lens.lens > 8.0 && flat.lens < -8.0, "{lens:?} {flat:?}");
        let other = ratio(&bands(|t, r| dip(t, 0.3 * r * r)), 0.3, &[&law], (20.0, 90.0)).unwrap();
        assert!(other.lens < other.other - 5.0, "{other:?}");
        // Variation that goes as another power of the frequency is told from both; a flat one from neither.
        let weak = ratio(&bands(|t, r| dip(t, 0.3).powf(r.powf(-0.5))), 0.3, &[&law], (20.0, 90.0)).unwrap();
        assert!(weak.other > weak.lens, "{weak:?}");
        assert!(flat.other < 1.0 && lens.lens > lens.other, "{flat:?} {lens:?}");
    }

    #[test]
    fn a_lens_of_another_profile_is_told_from_the_same_dip_in_all_bands() {
        // Light that flows from the middle to one side: the colour is that of a sheet of unknown profile, and fits neither law.
        let flow = |t: f64| -15.0 * (-0.5 * ((t - 60.0) / 7.0).powi(2)).exp();
        let colour = |t: f64| (flow(t + 0.01) - flow(t - 0.01)) / 0.02 / dip(t, 0.3);
        let symmetric = |t: f64, ratio: f64| dip(t, 0.3 / (ratio * ratio)) / dip(t, 0.3);
        let seen = bands(|t, r| dip(t, 0.3) * (-colour(t) * r.ln()).exp());
        let found = ratio(&seen, 0.3, &[&symmetric], (20.0, 90.0)).unwrap();
        assert!(found.lens > 20.0 && found.lens > found.other + 20.0, "{found:?}");
        // A change that comes later at lower frequencies has such a colour as well, and a flare's may: no proof of a lens.
        let later = bands(|t, r| dip(t + 25.0 * r.ln(), 0.3));
        let found = ratio(&later, 0.3, &[&symmetric], (20.0, 90.0)).unwrap();
        assert!(found.late > found.lens - 2.0 && found.late > found.other + 8.0, "{found:?}");
    }

    #[test]
    fn one_band_and_unknown_frequencies_are_not_tested() {
        let mut two = bands(|_, _| 1.0);
        two.truncate(1);
        assert!(ratio(&two, 0.3, &[&|_, _| 1.0], (0.0, 1.0)).is_none());
        let mut unknown = bands(|_, _| 1.0);
        unknown[0].ratio = f64::NAN;
        assert!(ratio(&unknown, 0.3, &[&|_, _| 1.0], (0.0, 1.0)).is_none());
    }
}
