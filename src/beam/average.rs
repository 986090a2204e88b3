//! The beam of a drifting tile.

use rayon::prelude::*;

use super::airy::cubic;
use super::model::sin2_in_front;
use super::{Airy, Beam, Error};
use crate::control::Control;
use crate::coords::RaDec;
use crate::kind::BadArgument;

/// Where the dishes pointed while the data were taken and how much each part weighs.
#[derive(Clone, Copy, Debug)]
pub struct Pointings<'a> {
    /// One direction an integration, in the frame of the directions that are asked for.
    pub directions: &'a [RaDec],
    /// Summed visibility weight of each integration; any common factor.
    pub weights: &'a [f64],
    /// Channel centres \[Hz\].
    pub freq_hz: &'a [f64],
    /// Summed visibility weight of each channel; any common factor.
    pub freq_weights: &'a [f64],
}

/// Weighted mean of the beam's power over pointings and frequencies, ready to be asked for many directions.
///
/// The frequency average is tabulated against `sin^2(theta)` once, so a direction costs one four-point interpolation a
/// pointing. Weights of time and frequency are taken as separable. Accuracy 1e-7 for Airy.
#[derive(Clone, Debug)]
pub struct AverageBeam {
    pointings: Vec<([f64; 3], f64)>,
    /// Frequency-averaged power at `(i - 1) / per_unit` in `sin^2`.
    table: Vec<f64>,
    per_unit: f64,
}

/// Nodes in `sin^2(theta)`: 1/16 in `x^2` of a 4.65 m dish at 1.5 GHz, 22 degrees reach in 12,000 nodes.
const NODES_PER_UNIT: f64 = 86_000.0;
const REACH_SIN2: f64 = 0.14;

impl AverageBeam {
    /// # Errors
    /// Lengths that differ, weights that are negative or not finite, or sum to zero.
    pub fn new(beam: &Beam, pointings: Pointings<'_>) -> Result<Self, Error> {
        let weights = normalised("weights", pointings.weights, pointings.directions.len())?;
        let freq_weights = normalised("freq_weights", pointings.freq_weights, pointings.freq_hz.len())?;
        if let Some(bad) = pointings.freq_hz.iter().find(|f| !(f.is_finite() && **f > 0.0)) {
            return Err(BadArgument::new("freq_hz", "positive frequencies", bad).into());
        }
        let nodes = (REACH_SIN2 * NODES_PER_UNIT) as usize + 4;
        let few = match beam {
            Beam::Airy(airy) => fewer(airy, pointings.freq_hz, &freq_weights),
            // A user's table need not be smooth in frequency.
            _ => None,
        };
        let (freq_hz, freq_weights) = few.unwrap_or_else(|| (pointings.freq_hz.to_vec(), freq_weights));
        let mean = |sin2: f64| -> f64 {
            freq_hz.iter().zip(&freq_weights).map(|(f, w)| w * beam.power(sin2, *f)).sum()
        };
        let mut table: Vec<f64> =
            (0..nodes).into_par_iter().map(|i| mean((i as f64 - 1.0).max(0.0) / NODES_PER_UNIT)).collect();
        // The node before zero continues the parabola through the next three; the beam is even in theta.
        table[0] = 3.0 * (table[1] - table[2]) + table[3];
        let unit = |p: &RaDec| p.unit();
        let pointings = pointings.directions.iter().map(unit).zip(weights).filter(|p| p.1 > 0.0).collect();
        Ok(Self { pointings, table, per_unit: NODES_PER_UNIT })
    }

    /// Mean power towards a unit vector; zero beyond 22 degrees from a pointing.
    pub fn power_towards(&self, direction: [f64; 3]) -> f64 {
        let end = (self.table.len() - 3) as f64;
        let mut sum = 0.0;
        for (pointing, weight) in &self.pointings {
            if let Some(sin2) = sin2_in_front(direction, *pointing) {
                let position = sin2 * self.per_unit + 1.0;
                if position < end {
                    sum += weight * cubic(&self.table, position);
                }
            }
        }
        sum
    }
}

/// Mean power of the tile towards each of `directions` (see [`AverageBeam`]); NaN directions give NaN.
///
/// # Errors
/// As [`AverageBeam::new`]; cancellation.
pub fn average_power(
    beam: &Beam,
    pointings: Pointings<'_>,
    directions: &[RaDec],
    control: &Control,
) -> Result<Vec<f64>, Error> {
    let average = AverageBeam::new(beam, pointings)?;
    let mut power = vec![0.0; directions.len()];
    power.par_chunks_mut(4096).zip(directions.par_chunks(4096)).try_for_each(|(out, directions)| {
        control.check()?;
        for (value, direction) in out.iter_mut().zip(directions) {
            let finite = direction.ra_rad.is_finite() && direction.dec_rad.is_finite();
            *value = if finite { average.power_towards(direction.unit()) } else { f64::NAN };
        }
        Ok::<(), Error>(())
    })?;
    Ok(power)
}

/// Chebyshev nodes over the band that stand for many frequencies, with the weights that the interpolation between them gives.
/// The power varies with frequency as a wave of at most `2 x` does (`x = pi D f sin(theta) / c`), so `n` nodes leave an error
/// of `(h / 2)^n / n!`, `h` the half range of that phase; 1e-10 is asked for. `None` when that takes as many as there are.
fn fewer(airy: &Airy, freq_hz: &[f64], weights: &[f64]) -> Option<(Vec<f64>, Vec<f64>)> {
    let (low, high) = freq_hz.iter().fold((f64::INFINITY, 0.0f64), |(a, b), f| (a.min(*f), b.max(*f)));
    let (middle, half) = (0.5 * (low + high), 0.5 * (high - low));
    let phase = 2.0 * (airy.scale(half) * REACH_SIN2).sqrt();
    let (mut nodes, mut error) = (0, 1.0);
    while error > 1e-10 || nodes < 2 {
        nodes += 1;
        error *= 0.5 * phase / nodes as f64;
    }
    if nodes >= freq_hz.len() || !(half > 0.0) {
        return None;
    }
    let angle = |p: usize| std::f64::consts::PI * (p as f64 + 0.5) / nodes as f64;
    let at: Vec<f64> = (0..nodes).map(|p| angle(p).cos()).collect();
    let mut sums = vec![0.0; nodes];
    for (f, w) in freq_hz.iter().zip(weights) {
        let t = (f - middle) / half;
        if let Some(exact) = at.iter().position(|node| (t - node).abs() < 1e-14) {
            sums[exact] += w;
            continue;
        }
        // Lagrange's polynomials in their barycentric form.
        let sign = |p: usize| if p.is_multiple_of(2) { 1.0 } else { -1.0 };
        let term: Vec<f64> = (0..nodes).map(|p| sign(p) * angle(p).sin() / (t - at[p])).collect();
        let all: f64 = term.iter().sum();
        sums.iter_mut().zip(term).for_each(|(sum, term)| *sum += w * term / all);
    }
    Some((at.iter().map(|t| middle + half * t).collect(), sums))
}

fn normalised(what: &str, weights: &[f64], expected: usize) -> Result<Vec<f64>, Error> {
    if weights.len() != expected || expected == 0 {
        let text = format!("{} weights, one for each of at least one", expected.max(1));
        return Err(BadArgument::new(what, text, weights.len()).into());
    }
    if let Some(bad) = weights.iter().find(|w| !(w.is_finite() && **w >= 0.0)) {
        return Err(BadArgument::new(what, "finite weights >= 0", bad).into());
    }
    let sum: f64 = weights.iter().sum();
    if sum <= 0.0 {
        return Err(BadArgument::new(what, "a positive sum", sum).into());
    }
    Ok(weights.iter().map(|w| w / sum).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::beam::Airy;

    #[test]
    fn average_is_the_slow_sum() {
        let airy = Airy::dsa110();
        let pointings: Vec<RaDec> =
            (0..24).map(|i| RaDec::from_deg(359.6 + 0.05 * f64::from(i), 54.0)).collect();
        let weights: Vec<f64> = (0..24).map(|i| f64::from(i % 3)).collect();
        let freqs = [1.32e9, 1.4e9, 1.49e9];
        let freq_weights = [1.0, 0.0, 3.0];
        let directions: Vec<RaDec> = (0..40)
            .map(|i| RaDec::from_deg(358.0 + 0.1 * f64::from(i), 52.0 + 0.07 * f64::from(i)))
            .collect();
        let tile = Pointings {
            directions: &pointings,
            weights: &weights,
            freq_hz: &freqs,
            freq_weights: &freq_weights,
        };
        let fast = average_power(&Beam::Airy(airy), tile, &directions, &Control::new()).unwrap();
        for (direction, fast) in directions.iter().zip(fast) {
            let (mut sum, mut total) = (0.0, 0.0);
            for (pointing, w) in pointings.iter().zip(&weights) {
                for (freq, wf) in freqs.iter().zip(freq_weights) {
                    sum +=
                        w * wf * airy.power_exact(direction.separation_rad(*pointing).sin().powi(2), *freq);
                    total += w * wf;
                }
            }
            assert!((fast - sum / total).abs() < 1e-7, "{fast} {}", sum / total);
        }
    }

    /// 768 channels of uneven weight by their few nodes, out to the table's end, against the sum over all of them.
    #[test]
    fn few_frequencies_stand_for_a_band() {
        let airy = Airy::dsa110();
        let freq_hz: Vec<f64> = (0..768).map(|c| 1.311e9 + 2.44e5 * f64::from(c)).collect();
        let plain: Vec<f64> = (0..768).map(|c| f64::from((7 * c) % 11 * ((c / 50) % 3))).collect();
        let weights = normalised("weights", &plain, 768).unwrap();
        let (nodes_hz, sums) = fewer(&airy, &freq_hz, &weights).unwrap();
        assert!(nodes_hz.len() < 24, "{}", nodes_hz.len());
        for k in 0..50 {
            let sin2 = REACH_SIN2 * f64::from(k) / 50.0;
            let mean = |f: &[f64], w: &[f64]| -> f64 {
                f.iter().zip(w).map(|(f, w)| w * airy.power_exact(sin2, *f)).sum()
            };
            let (all, few) = (mean(&freq_hz, &weights), mean(&nodes_hz, &sums));
            // The exact power is right to 1e-10, and the nodes' weights sum to a few in absolute value.
            assert!((all - few).abs() < 1e-9, "{sin2}: {all} {few}");
        }
    }

    #[test]
    fn drift_lowers_and_widens_the_beam() {
        let beam = Beam::Airy(Airy::dsa110());
        let centre = RaDec::from_deg(0.0, 0.0);
        let drift: Vec<RaDec> = (-12..=12).map(|i| RaDec::from_deg(0.05 * f64::from(i), 0.0)).collect();
        let one = [1.0];
        let still = Pointings { directions: &[centre], weights: &one, freq_hz: &[1.4e9], freq_weights: &one };
        let moving =
            Pointings { directions: &drift, weights: &[1.0; 25], freq_hz: &[1.4e9], freq_weights: &one };
        let at =
            |tile, ra| average_power(&beam, tile, &[RaDec::from_deg(ra, 0.0)], &Control::new()).unwrap()[0];
        assert!((at(still, 0.0) - 1.0).abs() < 1e-9);
        assert!(at(moving, 0.0) < 0.99 && at(moving, 2.0) > at(still, 2.0));
        assert_eq!(at(still, 180.0), 0.0);
    }

    #[test]
    fn weights_must_make_sense() {
        let centre = [RaDec::from_deg(0.0, 0.0)];
        let make = |weights: &[f64], freq_weights: &[f64]| {
            AverageBeam::new(
                &Beam::Unit,
                Pointings { directions: &centre, weights, freq_hz: &[1.4e9], freq_weights },
            )
            .is_ok()
        };
        assert!(make(&[2.0], &[1.0]));
        assert!(
            !make(&[0.0], &[1.0])
                && !make(&[f64::NAN], &[1.0])
                && !make(&[1.0, 1.0], &[1.0])
                && !make(&[1.0], &[])
        );
    }
}
