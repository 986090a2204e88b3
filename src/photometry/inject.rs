//! Artificial sources, to test what a measurement gives back.

use ndarray::ArrayViewMut2;

use super::kernel::PixelKernel;
use super::window::Window;
use super::Error;

/// Add `flux_jy * K` at each position `[x, y]` \[zero-based pixels\] within a window of `nbeam` beams; positions off the image add nothing.
///
/// # Errors
/// `nbeam` that makes no sense.
pub fn inject(
    mut image_yx: ArrayViewMut2<'_, f32>,
    kernel: &PixelKernel,
    sources: &[([f64; 2], f64)],
    nbeam: f64,
) -> Result<(), Error> {
    let half = kernel.half_window(nbeam)?;
    for (xy, flux_jy) in sources {
        let Some(window) = Window::new(image_yx.dim(), *xy, half) else { continue };
        for y in window.y0..=window.y1 {
            for x in window.x0..=window.x1 {
                let value = flux_jy * kernel.at(x as f64 - xy[0], y as f64 - xy[1]);
                image_yx[[y, x]] += value as f32;
            }
        }
    }
    Ok(())
}
