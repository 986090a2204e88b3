//! The compact list of bright pixels and the sub-minor loop on it.

use ndarray::Array2;

use super::peak::Sign;

/// Bright pixels in memory order, and the components found on them.
pub(super) struct Candidates {
    place_yx: Vec<(i32, i32)>,
    value: Vec<f32>,
    /// Flux taken from each \[Jy\].
    pub(super) component: Vec<f32>,
    /// Neighbours along rows: the psf under them is a piece of its row.
    runs: Vec<Run>,
}

/// Pixels of the list that lie side by side.
#[derive(Clone, Copy, Debug)]
struct Run {
    y: i32,
    x: i32,
    first: usize,
    len: usize,
}

/// How a sub-minor loop ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct SubMinor {
    pub(super) iterations: usize,
    pub(super) peak: f32,
}

/// What a sub-minor loop may do.
#[derive(Clone, Copy, Debug)]
pub(super) struct SubMinorParams {
    pub(super) gain: f32,
    pub(super) stop: f32,
    pub(super) max_iterations: usize,
    pub(super) sign: Sign,
}

impl Candidates {
    /// Pixels whose measure exceeds `limit`, at most `most` of them: the limit is raised when there are more.
    /// Returns the list and the limit used.
    pub(super) fn above(
        residual_yx: &Array2<f32>,
        mask_yx: Option<&Array2<bool>>,
        sign: Sign,
        limit: f32,
        most: usize,
    ) -> (Self, f32) {
        let mut found: Vec<((i32, i32), f32)> = residual_yx
            .indexed_iter()
            .filter(|((y, x), v)| sign.measure(**v) > limit && mask_yx.is_none_or(|m| m[[*y, *x]]))
            .map(|((y, x), v)| ((y as i32, x as i32), *v))
            .collect();
        let mut used = limit;
        if found.len() > most {
            let mut sizes: Vec<f32> = found.iter().map(|(_, v)| sign.measure(*v)).collect();
            used = *sizes.select_nth_unstable_by(most, |a, b| b.total_cmp(a)).1;
            found.retain(|(_, v)| sign.measure(*v) > used);
        }
        let (place_yx, value) = found.into_iter().unzip();
        (Self::of(place_yx, value), used)
    }

    /// Some pixels and their values.
    pub(super) fn of(place_yx: Vec<(i32, i32)>, value: Vec<f32>) -> Self {
        let component = vec![0.0; value.len()];
        let mut runs: Vec<Run> = Vec::new();
        for (first, &(y, x)) in place_yx.iter().enumerate() {
            match runs.last_mut() {
                Some(run) if run.y == y && run.x + run.len as i32 == x => run.len += 1,
                _ => runs.push(Run { y, x, first, len: 1 }),
            }
        }
        Self { place_yx, value, component, runs }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.value.is_empty()
    }

    /// Högbom's loop on the list: until the brightest is at `stop`, or out of iterations.
    pub(super) fn clean(&mut self, psf_yx: &Array2<f32>, params: &SubMinorParams) -> SubMinor {
        let mut best = self.brightest(params.sign);
        let mut iterations = 0;
        while let Some(i) = best {
            let peak = self.value[i];
            if params.sign.measure(peak) <= params.stop || iterations == params.max_iterations {
                break;
            }
            let flux = params.gain * peak;
            self.component[i] += flux;
            best = self.subtract(psf_yx, self.place_yx[i], flux, params.sign);
            iterations += 1;
        }
        // Pixels, but no brightest: what grew beyond all numbers is none.
        let none = if self.value.is_empty() { 0.0 } else { f32::NAN };
        SubMinor { iterations, peak: best.map_or(none, |i| params.sign.measure(self.value[i])) }
    }

    fn brightest(&self, sign: Sign) -> Option<usize> {
        let sized = self.value.iter().enumerate().map(|(i, v)| (i, sign.measure(*v)));
        sized.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(i, _)| i)
    }

    /// Subtract `flux` times the psf about `centre` from the list; the brightest of what is left.
    fn subtract(&mut self, psf_yx: &Array2<f32>, centre: (i32, i32), flux: f32, sign: Sign) -> Option<usize> {
        let (ny, nx) = (psf_yx.nrows() as i32, psf_yx.ncols() as i32);
        let (oy, ox) = (ny / 2 - centre.0, nx / 2 - centre.1);
        let psf = psf_yx.as_slice()?;
        let (mut best, mut at) = (f32::NEG_INFINITY, None);
        for run in &self.runs {
            let values = &mut self.value[run.first..run.first + run.len];
            let (py, px) = (run.y + oy, run.x + ox);
            let (from, to) = ((-px).max(0), (nx - px).min(run.len as i32));
            if (0..ny).contains(&py) && from < to {
                let row = &psf[py as usize * nx as usize..][..nx as usize];
                let under = &row[(px + from) as usize..(px + to) as usize];
                values[from as usize..to as usize].iter_mut().zip(under).for_each(|(v, p)| *v -= flux * p);
            }
            let m = highest(values, sign);
            if m > best {
                best = m;
                at = Some(run);
            }
        }
        let run = at?;
        let values = &self.value[run.first..run.first + run.len];
        values.iter().position(|v| sign.measure(*v) == best).map(|k| run.first + k)
    }

    /// `(y, x, flux)` of all components that are not zero.
    pub(super) fn components(&self) -> Vec<(usize, usize, f32)> {
        let both = self.place_yx.iter().zip(&self.component);
        both.filter(|(_, f)| **f != 0.0).map(|((y, x), f)| (*y as usize, *x as usize, *f)).collect()
    }
}

/// Highest measure, four lanes side by side; what is no number does not count.
fn highest(values: &[f32], sign: Sign) -> f32 {
    const LANES: usize = 4;
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let mut parts = values.chunks_exact(LANES);
    for part in parts.by_ref() {
        for (lane, v) in lanes.iter_mut().zip(part) {
            let m = sign.measure(*v);
            *lane = if m > *lane { m } else { *lane };
        }
    }
    parts.remainder().iter().map(|v| sign.measure(*v)).chain(lanes).fold(f32::NEG_INFINITY, f32::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The loop over runs is the loop over pixels, at the edges of the psf as well.
    #[test]
    fn runs_subtract_what_single_pixels_do() {
        let n = 24usize;
        let psf = Array2::from_shape_fn((n, n), |(y, x)| ((y * 7 + x * 13) % 17) as f32 / 17.0 - 0.4);
        let places: Vec<(i32, i32)> = (0..n as i32)
            .flat_map(|y| (0..n as i32).map(move |x| (y, x)))
            .filter(|(y, x)| (y * 5 + x * 3) % 7 > 1 || (y + x) % 5 == 0)
            .collect();
        let values: Vec<f32> = places.iter().map(|(y, x)| ((y * 31 + x * 57) % 23) as f32 - 11.0).collect();
        for sign in [Sign::Both, Sign::Positive] {
            for centre in [(0, 0), (12, 12), (23, 1), (5, 23)] {
                let mut list = Candidates::of(places.clone(), values.clone());
                let found = list.subtract(&psf, centre, 0.3, sign);
                let mut expected = values.clone();
                for (v, (y, x)) in expected.iter_mut().zip(&places) {
                    let at = [y + 12 - centre.0, x + 12 - centre.1];
                    if at.iter().all(|p| (0..n as i32).contains(p)) {
                        *v -= 0.3 * psf[at.map(|p| p as usize)];
                    }
                }
                assert_eq!(list.value, expected);
                let most = expected.iter().map(|v| sign.measure(*v)).fold(f32::NEG_INFINITY, f32::max);
                assert_eq!(found, expected.iter().position(|v| sign.measure(*v) == most));
            }
        }
    }
}
