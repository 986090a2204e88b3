//! What the beam makes of components: their flux changes from integration to integration, and over the band.
//!
//! CLEAN knows the mean over the tile. A source a degree off in the direction of the drift is seen through 0.4 to 1.2 times
//! the mean beam, and a model of constant flux leaves up to 0.14 % of it all over the image: a third of sigma of a source of 250. So the
//! model's visibilities are those of `M(x) R(t, x)` with `R = pb(t, x) / pb(x) = 1 + sum_k a_k(t) B_k(x)`: `a_k`
//! orthonormal polynomials in time under the imaging weights, `B_k` what the beam has of each, so that the mean of `R` stays one.
//!
//! Over the band a source at a beam of 0.3 changes by a sixth either way, which leaves as much. One more term is linear in frequency:
//! the beam's slope. Sources' own spectra are not guessed; images with spectral terms fit both themselves.

use ndarray::Array2;
use num_complex::Complex32;

use super::bright_peaks::LEAST_POWER;
use super::run::Run;
use super::{Error, Grid, Visibilities};
use crate::control::Control;
use crate::image::Wcs;

/// Polynomials besides the mean: what is left after two is below 2 % within the beam's first null.
const TERMS: usize = 2;
/// Changes smaller than this are none.
const LEAST_CHANGE: f64 = 1e-3;

/// The beam's changes over a tile.
pub(super) struct Response<'a> {
    run: &'a Run<'a>,
    wcs: Wcs,
    /// Mean by weight.
    freq_hz: f64,
    /// Ends of the band, unless spectra are fitted.
    ends_hz: Option<[f64; 2]>,
    /// Share of the weights of each integration.
    share_t: Vec<f64>,
    /// Polynomials by integration.
    basis_kt: Vec<Vec<f64>>,
    time_of_row: Vec<u32>,
}

impl<'a> Response<'a> {
    /// `None` when the beam stands still over the image.
    pub fn new(run: &'a Run<'a>, vis: &Visibilities, wcs: Wcs) -> Option<Self> {
        let total: f64 = run.weights.by_time.iter().sum();
        let share_t: Vec<f64> = run.weights.by_time.iter().map(|w| w / total).collect();
        let times: Vec<f64> = vis.times.iter().map(|t| t.time_mjd_s).collect();
        let basis_kt = polynomials(&times, &share_t);
        let freq_hz = run.weights.mean_freq_hz;
        let ends = vis.freq_hz.iter().fold([f64::INFINITY, 0.0f64], |[a, b], f| [a.min(*f), b.max(*f)]);
        let ends_hz = (run.params.joint.nterms == 1 && ends[1] > ends[0]).then_some(ends);
        let out =
            Self { run, wcs, freq_hz, ends_hz, share_t, basis_kt, time_of_row: vis.time_of_row.clone() };
        let grid = &run.params.grid;
        let quarters = [0.1, 0.3, 0.5, 0.7, 0.9];
        let mut places = quarters.iter().flat_map(|y| quarters.iter().map(move |x| [*x, *y]));
        let changes = |[x, y]: [f64; 2]| {
            let Terms { by_time, slope } = out.terms_at(x * grid.nx as f64, y * grid.ny as f64);
            by_time.into_iter().chain([slope.unwrap_or(0.0)]).any(|b| b.abs() > LEAST_CHANGE)
        };
        let moves = places.any(changes);
        moves.then_some(out)
    }

    /// At a pixel; nothing where there is no beam.
    fn terms_at(&self, x: f64, y: f64) -> Terms {
        let mut out = Terms::default();
        let sky = self.wcs.pixel_to_sky([x, y]);
        if !sky.ra_rad.is_finite() {
            return out;
        }
        let p = self.run.params;
        let power = |freq_hz: f64| -> Vec<f64> {
            p.pointings.iter().map(|at| p.beam.power_towards(sky, *at, freq_hz)).collect()
        };
        let mean = |power: &[f64]| power.iter().zip(&self.share_t).map(|(b, w)| b * w).sum::<f64>();
        let middle = power(self.freq_hz);
        let over = mean(&middle);
        if over > LEAST_POWER {
            for (value, basis) in out.by_time.iter_mut().zip(&self.basis_kt) {
                let sum =
                    middle.iter().zip(&self.share_t).zip(basis).map(|((b, w), a)| a * w * b).sum::<f64>();
                *value = sum / over;
            }
            out.slope = self.ends_hz.map(|ends| {
                let [low, high] = ends.map(|f| mean(&power(f)));
                (high - low) / over * self.freq_hz / (ends[1] - ends[0])
            });
        }
        out
    }

    /// What a model \[Jy/pixel\] changes by for a doubled frequency, linearly, and the frequency that the model is of; none with
    /// fitted spectra.
    pub fn slope_of(&self, model_yx: &Array2<f32>) -> Option<(Array2<f32>, f64)> {
        self.ends_hz?;
        let mut out_yx = Array2::zeros(model_yx.dim());
        for ((y, x), value) in model_yx.indexed_iter().filter(|(_, v)| **v != 0.0) {
            if let Some(slope) = self.terms_at(x as f64, y as f64).slope {
                out_yx[[y, x]] = (f64::from(*value) * slope) as f32;
            }
        }
        Some((out_yx, self.freq_hz))
    }

    /// Add to the samples of a model what its changes make of them. The second grid is a rougher one: what changes is some tenths of the model,
    /// so that its error counts only where that is bright.
    pub fn add(
        &self,
        samples: &mut [Complex32],
        [fine, rough]: [&Grid; 2],
        model_yx: &Array2<f32>,
        control: &Control,
    ) -> Result<(), Error> {
        let lit: Vec<((usize, usize), Terms)> = model_yx
            .indexed_iter()
            .filter(|(_, v)| **v != 0.0)
            .map(|(at, _)| (at, self.terms_at(at.1 as f64, at.0 as f64)))
            .collect();
        for (k, basis) in self.basis_kt.iter().enumerate() {
            let mut part_yx = Array2::zeros(model_yx.dim());
            for (at, terms) in &lit {
                part_yx[*at] = (f64::from(model_yx[*at]) * terms.by_time[k]) as f32;
            }
            let part = self.grid_for(&part_yx, [fine, rough]).samples_of(&part_yx, control)?;
            self.add_part(samples, &part, fine, |time, _| basis[time] as f32);
        }
        if let Some((slope_yx, freq_hz)) = self.slope_of(model_yx) {
            let part = self.grid_for(&slope_yx, [fine, rough]).samples_of(&slope_yx, control)?;
            self.add_part(samples, &part, fine, |_, f| (f / freq_hz - 1.0) as f32);
        }
        Ok(())
    }

    /// The rough grid where its error of the brightest component is a twentieth of the noise at most.
    fn grid_for<'b>(&self, part_yx: &Array2<f32>, [fine, rough]: [&'b Grid; 2]) -> &'b Grid {
        let brightest = part_yx.iter().fold(0f32, |most, v| most.max(v.abs()));
        let error_jy = rough.options().epsilon * f64::from(brightest);
        if error_jy < 0.05 * self.run.sigma_jy {
            rough
        } else {
            fine
        }
    }

    fn add_part(
        &self,
        samples: &mut [Complex32],
        part: &[Complex32],
        grid: &Grid,
        factor: impl Fn(usize, f64) -> f32,
    ) {
        for (row, time) in self.time_of_row.iter().enumerate() {
            let at = grid.packed_row(row);
            let own = at.first..at.first + at.freq_hz.len();
            let both = samples[own.clone()].iter_mut().zip(&part[own]);
            for ((s, p), f) in both.zip(at.freq_hz) {
                *s += p * factor(*time as usize, *f);
            }
        }
    }
}

/// What the beam does to a pixel.
#[derive(Clone, Copy, Debug, Default)]
struct Terms {
    /// `B_k`.
    by_time: [f64; TERMS],
    /// Its change for a doubled frequency, linearly.
    slope: Option<f64>,
}

/// Orthonormal polynomials in time from the first degree on, under weights that sum to one; as many as the times tell apart.
fn polynomials(times: &[f64], share: &[f64]) -> Vec<Vec<f64>> {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).zip(share).map(|((x, y), w)| x * y * w).sum::<f64>();
    let ones = vec![1.0; times.len()];
    let middle = dot(times, &ones);
    let spread = times.iter().map(|t| (t - middle).abs()).fold(0.0, f64::max);
    let mut all = vec![ones];
    for degree in 1..=TERMS as i32 {
        let mut next: Vec<f64> = times
            .iter()
            .map(|t| if spread > 0.0 { ((t - middle) / spread).powi(degree) } else { 0.0 })
            .collect();
        for known in &all {
            let along = dot(&next, known);
            next.iter_mut().zip(known).for_each(|(n, k)| *n -= along * k);
        }
        let norm = dot(&next, &next).sqrt();
        // Two integrations know no square.
        if !(norm > 1e-6) {
            break;
        }
        next.iter_mut().for_each(|n| *n /= norm);
        all.push(next);
    }
    all.split_off(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polynomials_are_orthonormal_and_no_more_than_the_times_tell() {
        let times: Vec<f64> = (0..24).map(|i| 5e9 + 12.9 * f64::from(i)).collect();
        let share: Vec<f64> = (0..24).map(|i| (1.0 + 0.3 * f64::from(i % 5)) / 38.1).collect();
        let total: f64 = share.iter().sum();
        let share: Vec<f64> = share.into_iter().map(|s| s / total).collect();
        let basis = polynomials(&times, &share);
        assert_eq!(basis.len(), TERMS);
        let dot =
            |a: &[f64], b: &[f64]| a.iter().zip(b).zip(&share).map(|((x, y), w)| x * y * w).sum::<f64>();
        let ones = vec![1.0; 24];
        for (k, a) in basis.iter().enumerate() {
            // Rounding of times of 5e9 s.
            assert!(dot(a, &ones).abs() < 1e-6);
            for (l, b) in basis.iter().enumerate() {
                assert!((dot(a, b) - f64::from(u8::from(k == l))).abs() < 1e-6);
            }
        }
        assert_eq!(polynomials(&times[..2], &[0.5, 0.5]).len(), 1);
        assert!(polynomials(&times[..1], &[1.0]).is_empty());
    }
}
