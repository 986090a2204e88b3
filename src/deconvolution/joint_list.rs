//! The compact list of a joint minor cycle: bright pixels of one scale, with a value and a component for each spectral term.

use ndarray::Array2;

use super::joint::{Terms, MAX_TERMS};
use super::peak::Sign;

/// What the sub-minor loop needs to know of a scale.
pub(super) struct ScaleView<'a> {
    /// Twice smoothed psfs of the moments 0 to 2 n - 2.
    pub(super) psf_yx: &'a [Array2<f32>],
    /// Inverse of their values at the centre.
    pub(super) inverse: &'a [Terms; MAX_TERMS],
}

/// Limits of a sub-minor loop.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) gain: f32,
    pub(super) stop: f32,
    pub(super) max_iterations: usize,
    pub(super) sign: Sign,
}

/// Bright pixels of one scale.
pub(super) struct JointList {
    place_yx: Vec<(i32, i32)>,
    /// Smoothed residuals by term.
    value: Vec<Vec<f32>>,
    component: Vec<Terms>,
}

impl JointList {
    /// Pixels of the first plane above `limit`, at most `most` of them; the list and the limit used.
    pub(super) fn above(
        planes_yx: &[Array2<f32>],
        mask_yx: Option<&Array2<bool>>,
        sign: Sign,
        limit: f32,
        most: usize,
    ) -> (Self, f32) {
        let mut found: Vec<((i32, i32), f32)> = planes_yx[0]
            .indexed_iter()
            .filter(|((y, x), v)| sign.measure(**v) > limit && mask_yx.is_none_or(|m| m[[*y, *x]]))
            .map(|((y, x), v)| ((y as i32, x as i32), sign.measure(*v)))
            .collect();
        let mut used = limit;
        if found.len() > most {
            let mut sizes: Vec<f32> = found.iter().map(|(_, v)| *v).collect();
            used = *sizes.select_nth_unstable_by(most, |a, b| b.total_cmp(a)).1;
            found.retain(|(_, v)| *v > used);
        }
        let place_yx: Vec<(i32, i32)> = found.into_iter().map(|(at, _)| at).collect();
        let of =
            |plane: &Array2<f32>| place_yx.iter().map(|(y, x)| plane[[*y as usize, *x as usize]]).collect();
        let value = planes_yx.iter().map(of).collect();
        let component = vec![[0.0; MAX_TERMS]; place_yx.len()];
        (Self { place_yx, value, component }, used)
    }

    /// Take flux from the brightest until it is at the stop or iterations are used up; iterations and brightest left.
    pub(super) fn clean(&mut self, view: &ScaleView<'_>, limits: &Limits) -> (usize, f32) {
        let mut best = self.brightest(limits.sign);
        let mut iterations = 0;
        while let Some(i) = best {
            let peak = limits.sign.measure(self.value[0][i]);
            if peak <= limits.stop || iterations == limits.max_iterations {
                break;
            }
            let flux = self.solve(i, view, limits);
            for (sum, f) in self.component[i].iter_mut().zip(flux) {
                *sum += f;
            }
            self.subtract(view.psf_yx, self.place_yx[i], flux);
            best = self.brightest(limits.sign);
            iterations += 1;
        }
        (iterations, best.map_or(0.0, |i| limits.sign.measure(self.value[0][i])))
    }

    /// A share of the least-squares spectrum of one pixel (Rau & Cornwell 2011, eq. 24).
    fn solve(&self, i: usize, view: &ScaleView<'_>, limits: &Limits) -> Terms {
        let mut flux = [0.0; MAX_TERMS];
        for (row, f) in view.inverse.iter().zip(flux.iter_mut()) {
            *f = limits.gain * row.iter().zip(&self.value).map(|(h, v)| h * v[i]).sum::<f32>();
        }
        // A spectrum fitted to noise must not turn the sign of what is taken.
        let first = self.value[0][i];
        if flux[0] * first <= 0.0 {
            flux = [0.0; MAX_TERMS];
            flux[0] = limits.gain * first / view.psf_yx[0][centre(&view.psf_yx[0])];
        }
        flux
    }

    fn brightest(&self, sign: Sign) -> Option<usize> {
        let (mut best, mut at) = (f32::NEG_INFINITY, None);
        for (i, v) in self.value[0].iter().enumerate() {
            let m = sign.measure(*v);
            if m > best {
                (best, at) = (m, Some(i));
            }
        }
        at
    }

    fn subtract(&mut self, psf_yx: &[Array2<f32>], at: (i32, i32), flux: Terms) {
        let (ny, nx) = (psf_yx[0].nrows() as i32, psf_yx[0].ncols() as i32);
        let (oy, ox) = (ny / 2 - at.0, nx / 2 - at.1);
        let terms = self.value.len();
        for (t, values) in self.value.iter_mut().enumerate() {
            for q in 0..terms {
                let Some(psf) = psf_yx[t + q].as_slice() else { return };
                let f = flux[q];
                for ((y, x), value) in self.place_yx.iter().zip(values.iter_mut()) {
                    let (py, px) = (y + oy, x + ox);
                    // As unsigned numbers, negative offsets are too large: one comparison a side.
                    if (py as u32) < ny as u32 && (px as u32) < nx as u32 {
                        *value -= f * psf[py as usize * nx as usize + px as usize];
                    }
                }
            }
        }
    }

    /// `(y, x)` and flux by term of all components that are not zero.
    pub(super) fn components(&self) -> Vec<(usize, usize, Terms)> {
        let both = self.place_yx.iter().zip(&self.component);
        both.filter(|(_, f)| f.iter().any(|v| *v != 0.0))
            .map(|((y, x), f)| (*y as usize, *x as usize, *f))
            .collect()
    }
}

fn centre(psf_yx: &Array2<f32>) -> [usize; 2] {
    [psf_yx.nrows() / 2, psf_yx.ncols() / 2]
}
