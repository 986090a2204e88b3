//! The compact list of bright pixels and the sub-minor loop on it.

use ndarray::Array2;

use super::peak::Sign;

/// Bright pixels in memory order, and the components found on them.
pub(super) struct Candidates {
    place_yx: Vec<(i32, i32)>,
    value: Vec<f32>,
    /// Flux taken from each \[Jy\].
    pub(super) component: Vec<f32>,
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
        let component = vec![0.0; found.len()];
        let (place_yx, value) = found.into_iter().unzip();
        (Self { place_yx, value, component }, used)
    }

    /// Some pixels and their values.
    pub(super) fn of(place_yx: Vec<(i32, i32)>, value: Vec<f32>) -> Self {
        let component = vec![0.0; value.len()];
        Self { place_yx, value, component }
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
        SubMinor { iterations, peak: best.map_or(0.0, |i| params.sign.measure(self.value[i])) }
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
        for (i, ((y, x), value)) in self.place_yx.iter().zip(&mut self.value).enumerate() {
            let (py, px) = (y + oy, x + ox);
            // As unsigned numbers, negative offsets are too large: one comparison a side.
            if (py as u32) < ny as u32 && (px as u32) < nx as u32 {
                *value -= flux * psf[py as usize * nx as usize + px as usize];
            }
            let m = sign.measure(*value);
            if m > best {
                best = m;
                at = Some(i);
            }
        }
        at
    }

    /// `(y, x, flux)` of all components that are not zero.
    pub(super) fn components(&self) -> Vec<(usize, usize, f32)> {
        let both = self.place_yx.iter().zip(&self.component);
        both.filter(|(_, f)| **f != 0.0).map(|((y, x), f)| (*y as usize, *x as usize, *f)).collect()
    }
}
