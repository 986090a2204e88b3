//! What else than a lens makes a light curve: nothing, a gain error, a flare, a drift, scintillation.
//!
//! Every alternative but the constant may flicker as well: [`super::noise`] marginalises that. A model with parameters that are
//! not linear is averaged over a grid of them: all of it under measurement errors alone, and the grid's best points under
//! every noise; what is left out can only lower the evidence by less than the logarithm of their number.

use super::noise::{log_sum_exp, Bank, Column};
use super::series::Series;

/// Points of a grid that are judged under every noise.
const MOST: usize = 24;

/// Logarithms of the evidences of the alternatives.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Alternatives {
    /// Nothing happens.
    pub constant: f64,
    /// The gain is off for a while, or from some time on: a flat step or box, equal in all bands.
    pub gain: f64,
    /// A rise with an exponential rise and fall.
    pub flare: f64,
    /// A slow polynomial drift.
    pub drift: f64,
    /// A random process with a time scale: refractive scintillation or the source's own flicker.
    pub scintillation: f64,
}

impl Alternatives {
    /// The most likely one and its evidence.
    pub fn best(&self) -> (&'static str, f64) {
        [
            ("a constant source", self.constant),
            ("a gain step", self.gain),
            ("a flare", self.flare),
            ("a slow drift", self.drift),
            ("scintillation", self.scintillation),
        ]
        .into_iter()
        .fold(("", f64::NEG_INFINITY), |a, b| if b.1 > a.1 { b } else { a })
    }

    /// The largest evidence among those that do not brighten first at higher frequencies.
    pub(super) fn besides_a_flare(&self) -> f64 {
        self.constant.max(self.gain).max(self.drift).max(self.scintillation)
    }
}

/// Evidences of all alternatives.
pub(super) fn alternatives(bank: &Bank) -> Alternatives {
    let s = &bank.series;
    let random: Vec<f64> =
        (1..bank.noises.len()).map(|k| bank.noises[k].ln_prior + bank.log_evidence(k, &[level(s)])).collect();
    Alternatives {
        constant: bank.log_evidence(0, &[level(s)]),
        gain: gain(bank),
        flare: flare(bank),
        drift: drift(bank),
        // Of the noises other than none, which share half the prior.
        scintillation: log_sum_exp(&random) - 0.5f64.ln(),
    }
}

/// The source's level, as a column.
pub(super) fn level(s: &Series) -> Column {
    Column { values: vec![1.0; s.len()], prior: f64::INFINITY }
}

/// `ln L` of `y = c M` under measurement errors, `c` integrated out: `-chi^2/2 - ln(sum w M^2)/2` from `sum w y^2`,
/// `sum w y M`, `sum w M^2`.
pub(super) fn log_likelihood(wyy: f64, wym: f64, wmm: f64) -> f64 {
    // A level that is not positive is no source.
    let explained = if wym > 0.0 { wym * wym / wmm } else { 0.0 };
    -0.5 * (wyy - explained) - 0.5 * wmm.ln()
}

fn totals(s: &Series) -> (f64, f64, f64) {
    s.y.iter().zip(&s.w).fold((0.0, 0.0, 0.0), |t, (y, w)| (t.0 + w * y * y, t.1 + w * y, t.2 + w))
}

/// `ln Z` of `y = c + A F` under measurement errors, `c` flat and `A` normal about 0 with scatter `prior`.
fn log_linear(wyy: f64, (wy, w): (f64, f64), (wyf, wf, wff): (f64, f64, f64), prior: f64) -> f64 {
    let d = wff + 1.0 / (prior * prior);
    let determinant = w * d - wf * wf;
    let explained = (wy * wy * d - 2.0 * wy * wyf * wf + wyf * wyf * w) / determinant;
    -0.5 * (wyy - explained) - 0.5 * determinant.ln() - prior.ln()
}

/// The average over a grid of `count` points, the likelier of them given as `(ln Z under measurement errors, point)`, noise
/// marginalised for the best.
fn average<P: Copy>(bank: &Bank, mut grid: Vec<(f64, P)>, count: f64, column: impl Fn(P) -> Column) -> f64 {
    let alone = log_sum_exp(&grid.iter().map(|g| g.0).collect::<Vec<f64>>());
    grid.sort_by(|a, b| b.0.total_cmp(&a.0));
    let marginal: Vec<f64> =
        grid.iter().take(MOST).map(|(_, p)| bank.marginal(&[level(&bank.series), column(*p)]).0).collect();
    alone.max(log_sum_exp(&marginal)) - count.ln()
}

/// Boxes `[i, j)` by prefix sums; a box that reaches the end is a step.
fn gain(bank: &Bank) -> f64 {
    const PRIOR: f64 = 0.2;
    const MOST_EDGES: usize = 600;
    let s = &bank.series;
    let n = s.len();
    let (wyy, wy, w) = totals(s);
    let mut prefix = vec![(0.0, 0.0)];
    for (y, w) in s.y.iter().zip(&s.w) {
        let last = prefix[prefix.len() - 1];
        prefix.push((last.0 + w * y, last.1 + w));
    }
    let value = |i: usize, j: usize| {
        let (by, bw) = (prefix[j].0 - prefix[i].0, prefix[j].1 - prefix[i].1);
        (log_linear(wyy, (wy, w), (by, bw, bw), PRIOR), (i, j))
    };
    // A box over the whole curve is the level itself.
    let is_box = |i: usize, j: usize| i < j && j <= n && (i > 0 || j < n);
    let stride = n.div_ceil(MOST_EDGES).max(1);
    let edges: Vec<usize> = (0..n).step_by(stride).chain([n]).collect();
    let mut grid = Vec::with_capacity(edges.len() * edges.len() / 2);
    for (k, &i) in edges.iter().enumerate() {
        grid.extend(edges[k + 1..].iter().filter(|j| is_box(i, **j)).map(|&j| value(i, j)));
    }
    if stride > 1 {
        // A long curve is searched by strides, and about the best boxes point by point.
        grid.sort_by(|a, b| b.0.total_cmp(&a.0));
        grid.truncate(MOST);
        let near = |k: usize| k.saturating_sub(stride)..=(k + stride).min(n);
        let mut fine: Vec<(usize, usize)> = grid
            .iter()
            .flat_map(|(_, (i, j))| near(*i).flat_map(move |a| near(*j).map(move |b| (a, b))))
            .collect();
        fine.sort_unstable();
        fine.dedup();
        grid = fine.into_iter().filter(|(i, j)| is_box(*i, *j)).map(|(i, j)| value(i, j)).collect();
    }
    let count = 0.5 * (n * n) as f64;
    average(bank, grid, count, |(i, j)| Column {
        values: (0..n).map(|k| if (i..j).contains(&k) { 1.0 } else { 0.0 }).collect(),
        prior: PRIOR,
    })
}

/// Shape of a flare `d` days after its peak; one that explodes instead rises from nothing as `exp(-1 / x^2)` and falls as `1 / x`, `x` its
/// age, as free-free absorbed supernovae do (Chevalier 1982, doi:10.1086/160167), with 1 at the peak.
fn flare_shape(d: f64, rise: f64, fall: f64) -> f64 {
    if rise <= 0.0 {
        // The peak of exp(-1 / x^2) / x is at x = sqrt(2), where it is 0.4289.
        let x = d / fall + std::f64::consts::SQRT_2;
        return if x > 0.2 { (-1.0 / (x * x)).exp() / x / 0.428_88 } else { 0.0 };
    }
    let x = if d < 0.0 { d / rise } else { -d / fall };
    if x > -8.0 {
        x.exp()
    } else {
        0.0
    }
}

fn flare(bank: &Bank) -> f64 {
    // The last is an explosion's.
    const RISES: [f64; 6] = [0.5, 2.0, 6.0, 15.0, 40.0, 0.0];
    const FALLS: [f64; 6] = [3.0, 7.0, 15.0, 30.0, 60.0, 120.0];
    const PRIOR: f64 = 1.0;
    const MOST_STARTS: usize = 400;
    let s = &bank.series;
    let (wyy, wy, w) = totals(s);
    let nothing = bank.log_evidence(0, &[level(s)]);
    let stride = s.len().div_ceil(MOST_STARTS).max(1);
    let mut grid = Vec::new();
    for &peak in s.mjd.iter().step_by(stride) {
        for rise in RISES {
            for fall in FALLS {
                let (before, after) =
                    if rise > 0.0 { (8.0 * rise, 8.0 * fall) } else { (2.0 * fall, f64::INFINITY) };
                let low = s.mjd.partition_point(|t| *t < peak - before);
                let high = s.mjd.partition_point(|t| *t <= peak + after);
                let (mut wyf, mut wf, mut wff) = (0.0, 0.0, 0.0);
                for i in low..high {
                    let f = flare_shape(s.mjd[i] - peak, rise, fall);
                    wyf += s.w[i] * s.y[i] * f;
                    wf += s.w[i] * f;
                    wff += s.w[i] * f * f;
                }
                // A flare rises: where the best amplitude is negative the best flare is none.
                let rises = wyf * w > wy * wf;
                let value = if rises { log_linear(wyy, (wy, w), (wyf, wf, wff), PRIOR) } else { nothing };
                grid.push((value, (peak, rise, fall)));
            }
        }
    }
    let count = grid.len() as f64;
    average(bank, grid, count, |(peak, rise, fall)| Column {
        values: s.mjd.iter().map(|t| flare_shape(t - peak, rise, fall)).collect(),
        prior: PRIOR,
    })
}

/// Legendre polynomials of degree 1 to 3 over the span, coefficients with normal priors of 0.3.
fn drift(bank: &Bank) -> f64 {
    const PRIOR: f64 = 0.3;
    let s = &bank.series;
    let (first, last) = (s.mjd[0], s.mjd[s.len() - 1]);
    let half = (0.5 * (last - first)).max(1e-9);
    let column = |p: fn(f64) -> f64| Column {
        values: s.mjd.iter().map(|t| p((t - first) / half - 1.0)).collect(),
        prior: PRIOR,
    };
    let columns =
        [level(s), column(|x| x), column(|x| 1.5 * x * x - 0.5), column(|x| 2.5 * x * x * x - 1.5 * x)];
    bank.marginal(&columns).0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(f: impl Fn(f64) -> f64) -> Series {
        let mjd: Vec<f64> = (0..120).map(f64::from).collect();
        // A fixed ripple of 2 % rms without trend.
        let y = mjd
            .iter()
            .enumerate()
            .map(|(i, t)| f(*t) + 0.02 * (((i * 7919) % 13) as f64 - 6.0) / 3.742)
            .collect();
        Series { mjd, y, w: vec![2500.0; 120] }
    }

    #[test]
    fn each_alternative_wins_its_own_case() {
        let best = |s: Series| alternatives(&Bank::new(s)).best().0;
        assert_eq!(best(series(|_| 1.0)), "a constant source");
        assert_eq!(best(series(|t| if (40.0..70.0).contains(&t) { 0.8 } else { 1.0 })), "a gain step");
        assert_eq!(
            best(series(|t| 1.0 + if t > 50.0 { (-(t - 50.0) / 15.0).exp() } else { 0.0 })),
            "a flare"
        );
        // A slow random walk explains a ramp about as well; constant and step do not.
        let ramp = alternatives(&Bank::new(series(|t| 0.9 + 0.2 * t / 120.0)));
        assert!(
            ramp.drift > ramp.constant + 20.0 && ramp.drift > ramp.gain && ramp.drift > ramp.flare,
            "{ramp:?}"
        );
        let wiggle =
            |t: f64| 1.0 + 0.08 * (t / 5.3).sin() + 0.07 * (t / 8.1 + 1.0).cos() + 0.05 * (t / 3.1).sin();
        assert_eq!(best(series(wiggle)), "scintillation");
    }
}
