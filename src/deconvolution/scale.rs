//! Shapes of components: a point, or a Gaussian of some width.

use std::f64::consts::{LN_2, TAU};

/// A Gaussian ends here \[full widths at half maximum\]: at 8e-4 of its top.
const REACH: f64 = 1.6;

/// A shape of unit flux, the same along both axes: `g(y) g(x)`, even, cut off and summing to 1.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    /// Values from the middle outwards; a point has one.
    taps: Vec<f32>,
    /// Its transform along an axis of the padded image, x and y; empty for a point, where it is 1.
    along: [Vec<f32>; 2],
}

impl Shape {
    /// A Gaussian of `fwhm_px`, a point where this is 0, for transforms of `size` points (y, x).
    pub(super) fn new(fwhm_px: f64, size: [usize; 2]) -> Self {
        if fwhm_px <= 0.0 {
            return Self { taps: vec![1.0], along: [Vec::new(), Vec::new()] };
        }
        let half = (REACH * fwhm_px).ceil() as usize;
        let raw: Vec<f64> = (0..=half).map(|i| (-4.0 * LN_2 * (i as f64 / fwhm_px).powi(2)).exp()).collect();
        let sum = 2.0 * raw.iter().sum::<f64>() - raw[0];
        let taps: Vec<f64> = raw.into_iter().map(|g| g / sum).collect();
        let transform = |n: usize| -> Vec<f32> {
            let at = |k: usize| {
                let turn = |i: usize| (TAU * ((k * i) % n) as f64 / n as f64).cos();
                (taps[0] + 2.0 * taps.iter().enumerate().skip(1).map(|(i, g)| g * turn(i)).sum::<f64>())
                    as f32
            };
            (0..n).map(at).collect()
        };
        let along = [transform(size[1]), transform(size[0])];
        Self { taps: taps.iter().map(|g| *g as f32).collect(), along }
    }

    pub(super) fn is_point(&self) -> bool {
        self.taps.len() == 1
    }

    /// Its transform at a place of a transposed spectrum.
    #[inline]
    pub(super) fn at(&self, kx: usize, ky: usize) -> f32 {
        if self.is_point() {
            1.0
        } else {
            self.along[0][kx] * self.along[1][ky]
        }
    }

    /// Add `flux` of it about `(y, x)`; what lies outside is lost.
    pub(super) fn paint(&self, image_yx: &mut ndarray::Array2<f32>, (y, x): (usize, usize), flux: f32) {
        let reach = self.taps.len() - 1;
        let (ny, nx) = image_yx.dim();
        for py in y.saturating_sub(reach)..(y + reach + 1).min(ny) {
            let part = flux * self.taps[py.abs_diff(y)];
            for px in x.saturating_sub(reach)..(x + reach + 1).min(nx) {
                image_yx[[py, px]] += part * self.taps[px.abs_diff(x)];
            }
        }
    }
}
