//! What the point spread function says about how deep a minor cycle may go.

use ndarray::Array2;

use super::Error;

/// Centre, main lobe and sidelobes of a point spread function.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct PsfFacts {
    /// Column of the peak.
    pub x: usize,
    /// Row of the peak.
    pub y: usize,
    /// Radius of the main lobe \[pixels\]: farthest pixel connected to the peak above a tenth of it.
    pub main_lobe_px: f64,
    /// Largest magnitude outside the main lobe, in units of the peak.
    pub max_sidelobe: f32,
    /// The same beyond twice the radius of the main lobe: near-in shoulders do not count.
    pub far_sidelobe: f32,
}

impl PsfFacts {
    /// Measure a psf whose peak of 1 is at `(nx/2, ny/2)`.
    ///
    /// # Errors
    /// [`Error::Psf`] when it is not.
    pub fn of(psf_yx: &Array2<f32>) -> Result<Self, Error> {
        let (ny, nx) = psf_yx.dim();
        let (x, y) = (nx / 2, ny / 2);
        let found = psf_yx.get([y, x]).copied().unwrap_or(f32::NAN);
        // Single precision gridding keeps 1e-3 with ease.
        if (found - 1.0).abs().is_nan() || (found - 1.0).abs() > 1e-2 {
            return Err(Error::Psf { x, y, found });
        }
        let lobe = main_lobe(psf_yx, x, y);
        let mut radius2 = 0f64;
        let mut max_sidelobe = 0f32;
        for ((py, px), inside) in lobe.indexed_iter() {
            if *inside {
                let (dy, dx) = (py as f64 - y as f64, px as f64 - x as f64);
                radius2 = radius2.max(dx * dx + dy * dy);
            } else {
                max_sidelobe = max_sidelobe.max(psf_yx[[py, px]].abs());
            }
        }
        let far = 4.0 * radius2.max(4.0);
        let beyond =
            |(py, px): (usize, usize)| (px as f64 - x as f64).powi(2) + (py as f64 - y as f64).powi(2) > far;
        let outer = psf_yx.indexed_iter().filter(|(at, _)| beyond(*at));
        let far_sidelobe = outer.fold(0f32, |best, (_, v)| best.max(v.abs()));
        Ok(Self { x, y, main_lobe_px: radius2.sqrt(), max_sidelobe, far_sidelobe })
    }

    /// Level \[Jy/beam\] to which a minor cycle may go that starts from `peak_jy`: `factor * max_sidelobe` of the peak,
    /// between a twentieth and `max_fraction` of it.
    pub fn depth(&self, peak_jy: f32, factor: f32, max_fraction: f32) -> f32 {
        peak_jy.abs() * (factor * self.max_sidelobe).clamp(0.05, max_fraction.max(0.05))
    }
}

/// Pixels connected to the peak that descend from it: neighbours are added while they are above 0.1 and not higher than
/// the pixel they are reached from, so that a sidelobe behind a saddle stays outside.
fn main_lobe(psf_yx: &Array2<f32>, x: usize, y: usize) -> Array2<bool> {
    const LIMIT: f32 = 0.1;
    let (ny, nx) = psf_yx.dim();
    let mut inside = Array2::from_elem((ny, nx), false);
    let mut stack = vec![(y, x)];
    inside[[y, x]] = true;
    while let Some((py, px)) = stack.pop() {
        let here = psf_yx[[py, px]];
        for (qy, qx) in [(py.wrapping_sub(1), px), (py + 1, px), (py, px.wrapping_sub(1)), (py, px + 1)] {
            if qy < ny && qx < nx && !inside[[qy, qx]] {
                let there = psf_yx[[qy, qx]];
                if there > LIMIT && there <= here {
                    inside[[qy, qx]] = true;
                    stack.push((qy, qx));
                }
            }
        }
    }
    inside
}
