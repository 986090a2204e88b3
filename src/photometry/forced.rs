//! Forced fits: the flux of a beam-shaped source at a known position.

use ndarray::ArrayView2;
use rayon::prelude::*;

use super::annulus::ring_rms;
use super::blend;
use super::kernel::PixelKernel;
use super::leftover;
use super::shape::Shapes;
use super::window::{nearest_pixel, Noise, Scratch, Sums, Window};
use super::Error;
use crate::control::Control;
use crate::kind::BadArgument;
use crate::source::Measurement;

/// Least part of the kernel's `sum K^2` that must fall on valid pixels for a flux to be given.
const LEAST_COVERAGE: f64 = 0.25;

/// Least radii of the ring \[major axes\].
const RING_BEAMS: [f64; 2] = [1.1, 1.8];

/// Options of [`measure`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ForcedParams {
    /// Full width of the fit window in major axes of the beam.
    pub nbeam: f64,
    /// Inner and outer radius of the ring that gives the noise when there is no map \[pixels\]; at least 1.1 and 1.8 major axes of
    /// the beam, or fine pixels would put the ring on the source.
    pub annulus_px: [f64; 2],
    /// Side of the box of the peak search when the image has no beam \[pixels\].
    pub box_px: usize,
    /// Sources closer than this many major axes are fitted together; `None` fits each alone.
    pub cluster_beams: Option<f64>,
    /// Factor from the local rms to the error of the fit, see [`super::blank_sky`]; 1 is the plain
    /// formula, whose error is the noise per beam.
    pub error_factor: f64,
    /// One noise for the whole image \[Jy/beam\], instead of rings; a noise map wins over it.
    pub rms_jy: Option<f64>,
}

impl Default for ForcedParams {
    fn default() -> Self {
        Self {
            nbeam: 3.0,
            annulus_px: [12.0, 20.0],
            box_px: 5,
            cluster_beams: Some(1.5),
            error_factor: 1.0,
            rms_jy: None,
        }
    }
}

impl ForcedParams {
    /// The same with a ring that a source of that width does not fill.
    fn ring_about(self, major_px: f64) -> Self {
        let [inner, outer] = self.annulus_px;
        let [near, far] = RING_BEAMS.map(|beams| beams * major_px);
        Self { annulus_px: [inner.max(near), outer.max(far)], ..self }
    }

    fn check(&self) -> Result<(), BadArgument> {
        let [inner, outer] = self.annulus_px;
        if !(inner >= 0.0 && outer > inner && outer <= 4096.0) {
            return Err(BadArgument::new(
                "annulus_px",
                "0 <= inner < outer <= 4096",
                format!("{:?}", self.annulus_px),
            ));
        }
        if self.cluster_beams.is_some_and(|c| !(c > 0.0 && c.is_finite())) {
            return Err(BadArgument::new(
                "cluster_beams",
                "a positive number",
                format!("{:?}", self.cluster_beams),
            ));
        }
        if self.rms_jy.is_some_and(|rms| !(rms > 0.0 && rms.is_finite())) {
            return Err(BadArgument::new("rms_jy", "a positive number", format!("{:?}", self.rms_jy)));
        }
        if !(self.error_factor > 0.0 && self.error_factor.is_finite()) {
            return Err(BadArgument::new("error_factor", "a positive number", self.error_factor));
        }
        Ok(())
    }
}

/// The image to measure on. Blank pixels are NaN; maps have the image's shape.
#[derive(Clone, Copy, Debug)]
pub struct Maps<'a> {
    /// Flux density \[Jy/beam\].
    pub image_yx: ArrayView2<'a, f32>,
    /// Local rms \[Jy/beam\]; pixels that are not positive are left out of the fits. Without it the ring around each source tells.
    pub noise_yx: Option<ArrayView2<'a, f32>>,
    /// Background to take off \[Jy/beam\].
    pub background_yx: Option<ArrayView2<'a, f32>>,
    /// What CLEAN left, in the image as well \[Jy/beam\]: it counts by its value at the source, not by the fit of a beam that it was not
    /// seen with.
    pub left_yx: Option<ArrayView2<'a, f32>>,
}

impl Maps<'_> {
    fn check(&self) -> Result<(), BadArgument> {
        let shape = self.image_yx.dim();
        let others =
            [("noise_yx", self.noise_yx), ("background_yx", self.background_yx), ("left_yx", self.left_yx)];
        for (what, map) in others {
            if let Some(map) = map.filter(|m| m.dim() != shape) {
                return Err(BadArgument::new(
                    what,
                    format!("the image's shape {shape:?}"),
                    format!("{:?}", map.dim()),
                ));
            }
        }
        if !self.image_yx.is_standard_layout() {
            return Err(BadArgument::new("image_yx", "C order", "another order"));
        }
        Ok(())
    }
}

/// One forced measurement, in pixels; positions on the sky are the caller's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PixelFit {
    /// Peak flux density, signed \[Jy/beam\]; NaN off the image.
    pub flux_jy: f64,
    /// 1-sigma error \[Jy/beam\].
    pub flux_err_jy: f64,
    /// Local noise \[Jy/beam\].
    pub local_rms_jy: f64,
    /// `sum ((d - K flux) / n)^2` over the valid pixels.
    pub chi2: f64,
    /// Valid pixels less fitted amplitudes.
    pub dof: usize,
    /// Number of the group that the source was fitted with.
    pub cluster: Option<usize>,
    /// Bits of [`Measurement`].
    pub flags: u32,
}

impl PixelFit {
    pub(super) const OUTSIDE: Self = Self {
        flux_jy: f64::NAN,
        flux_err_jy: f64::NAN,
        local_rms_jy: f64::NAN,
        chi2: f64::NAN,
        dof: 0,
        cluster: None,
        flags: Measurement::OUTSIDE,
    };
}

/// Measure every position `[x, y]` \[zero-based pixels\], on all cores.
///
/// With a kernel: `flux = sum(d K / n^2) / sum(K^2 / n^2)` and `flux_err = sum(n K / n^2) / sum(K / n^2)` times
/// `error_factor`, over the valid pixels of the window of `nbeam` beams, with `d` the image less the background and `n` the noise
/// (Condon 1997, doi:10.1086/133871, for a position and shape that are known). Sources closer than `cluster_beams` are solved
/// together. Without a kernel: the largest pixel of a box.
///
/// With `left_yx` the flux is the fit to the image without it, plus its value at the position; errors and chi-square stay those of the
/// image.
///
/// A position off the image, or with less than a quarter of its kernel on valid pixels, gives NaN and
/// [`Measurement::OUTSIDE`]; a window that is cut gives [`Measurement::EDGE`].
///
/// # Errors
/// Options or shapes that make no sense; cancelled.
pub fn measure(
    maps: Maps<'_>,
    kernel: Option<&PixelKernel>,
    pixel_xy: &[[f64; 2]],
    params: &ForcedParams,
    control: &Control,
) -> Result<Vec<PixelFit>, Error> {
    measure_shapes(maps, kernel.map(Shapes::from), pixel_xy, params, control)
}

/// As [`measure`], with kernels of their own for sources that are resolved or smeared: the flux is the peak of that kernel.
///
/// # Errors
/// As [`measure`]; more kernels than positions.
pub fn measure_shapes(
    maps: Maps<'_>,
    shapes: Option<Shapes<'_>>,
    pixel_xy: &[[f64; 2]],
    params: &ForcedParams,
    control: &Control,
) -> Result<Vec<PixelFit>, Error> {
    params.check()?;
    maps.check()?;
    control.expect(pixel_xy.len() as u64);
    let half = shapes.map(|s| s.beam.half_window(params.nbeam)).transpose()?;
    let own = shapes.map_or(&[] as &[_], |s| s.own);
    if own.len() > pixel_xy.len() {
        let expected = format!("at most {} kernels, one a position", pixel_xy.len());
        return Err(BadArgument::new("shapes", expected, own.len()).into());
    }
    for kernel in own.iter().flatten() {
        kernel.half_window(params.nbeam)?;
    }
    let one = |scratch: &mut Scratch, i: usize| match (shapes, half) {
        (Some(shapes), Some(half)) => {
            let kernel = shapes.of(i);
            // Checked above: a kernel of its own is wider than the beam, its window wider too.
            let half = kernel.half_window(params.nbeam).unwrap_or(half);
            fit_one(maps, kernel, pixel_xy[i], half, params, scratch)
        }
        _ => peak_in_box(maps, pixel_xy[i], params, scratch),
    };
    let parts: Result<Vec<Vec<PixelFit>>, Error> = (0..pixel_xy.len().div_ceil(64))
        .into_par_iter()
        .map_init(Scratch::default, |scratch, part| {
            control.check()?;
            let range = 64 * part..(64 * part + 64).min(pixel_xy.len());
            let done = range.len() as u64;
            let fits = range.map(|i| one(scratch, i)).collect();
            control.advance(done);
            Ok(fits)
        })
        .collect();
    let mut fits = parts?.concat();
    if let (Some(shapes), Some(beams), Some(half)) = (shapes, params.cluster_beams, half) {
        blend::refit(maps, shapes, pixel_xy, (beams * shapes.beam.major_px, half), &mut fits, control)?;
    }
    if let (Some(left_yx), Some(shapes)) = (maps.left_yx, shapes) {
        let alone = Maps { image_yx: left_yx, left_yx: None, ..maps };
        let left = measure_shapes(alone, Some(shapes), pixel_xy, params, &Control::new())?;
        leftover::by_value(maps, left_yx, shapes, pixel_xy, &left, &mut fits);
    }
    Ok(fits)
}

fn fit_one(
    maps: Maps<'_>,
    kernel: &PixelKernel,
    xy: [f64; 2],
    half: usize,
    params: &ForcedParams,
    scratch: &mut Scratch,
) -> PixelFit {
    let shape = maps.image_yx.dim();
    let (Some(window), Some((x, y))) = (Window::new(shape, xy, half), nearest_pixel(shape, xy)) else {
        return PixelFit::OUTSIDE;
    };
    let (sums, rms) = match maps.noise_yx {
        None => {
            let rms = local_rms(maps, xy, params.ring_about(kernel.major_px), scratch);
            match maps.background_yx {
                None => (scaled(scratch.plain(maps.image_yx, kernel, window, xy), rms), rms),
                Some(_) => (
                    scratch.mapped(
                        (maps.image_yx, Noise::Constant(rms), maps.background_yx),
                        kernel,
                        window,
                        xy,
                    ),
                    rms,
                ),
            }
        }
        Some(noise) => {
            let map = (maps.image_yx, Noise::Map(noise), maps.background_yx);
            (scratch.mapped(map, kernel, window, xy), f64::from(noise[[y, x]]))
        }
    };
    let coverage = sums.kk / kernel.sum_of_squares();
    if sums.n == 0 || coverage < LEAST_COVERAGE {
        return PixelFit { local_rms_jy: rms, ..PixelFit::OUTSIDE };
    }
    let flux = sums.wdk / sums.wkk;
    let cut = sums.n < window.full;
    // A cut kernel holds less of the source: the error grows as the square root of what is left.
    let lost = if cut { coverage.min(1.0).sqrt().recip() } else { 1.0 };
    PixelFit {
        flux_jy: flux,
        flux_err_jy: sums.wnk / sums.wk * params.error_factor * lost,
        local_rms_jy: rms,
        chi2: (sums.wdd - flux * sums.wdk).max(0.0),
        dof: sums.n.saturating_sub(1),
        cluster: None,
        flags: if cut { Measurement::EDGE } else { 0 },
    }
}

fn local_rms(maps: Maps<'_>, xy: [f64; 2], params: ForcedParams, scratch: &mut Scratch) -> f64 {
    params.rms_jy.unwrap_or_else(|| ring_rms(maps.image_yx, xy, params.annulus_px, &mut scratch.annulus))
}

/// Sums of unit noise, weighted for a noise of `rms`. With a noise that is unknown or zero the flux is still right; the
/// error and chi-square say that nothing is known.
fn scaled(sums: Sums, rms: f64) -> Sums {
    let w = 1.0 / (rms * rms);
    if !(w > 0.0 && w.is_finite()) {
        return Sums { wnk: f64::NAN, wdd: f64::NAN, ..sums };
    }
    Sums {
        wdk: w * sums.wdk,
        wkk: w * sums.wkk,
        wdd: w * sums.wdd,
        wk: w * sums.wk,
        wnk: sums.wk / rms,
        kk: sums.kk,
        n: sums.n,
    }
}

/// The largest pixel of a box about the position, for an image without a beam; its error is the noise of the ring or the map.
fn peak_in_box(maps: Maps<'_>, xy: [f64; 2], params: &ForcedParams, scratch: &mut Scratch) -> PixelFit {
    let shape = maps.image_yx.dim();
    let half = (params.box_px / 2).max(1);
    let (Some(window), Some((x, y))) = (Window::new(shape, xy, half), nearest_pixel(shape, xy)) else {
        return PixelFit::OUTSIDE;
    };
    let rms = match maps.noise_yx {
        Some(noise) => f64::from(noise[[y, x]]),
        None => local_rms(maps, xy, *params, scratch),
    };
    let (mut peak, mut n) = (f64::NEG_INFINITY, 0);
    for y in window.y0..=window.y1 {
        for x in window.x0..=window.x1 {
            let value =
                f64::from(maps.image_yx[[y, x]]) - maps.background_yx.map_or(0.0, |b| f64::from(b[[y, x]]));
            if value.is_finite() {
                n += 1;
                peak = peak.max(value);
            }
        }
    }
    if n == 0 {
        return PixelFit { local_rms_jy: rms, ..PixelFit::OUTSIDE };
    }
    PixelFit {
        flux_jy: peak,
        flux_err_jy: rms,
        local_rms_jy: rms,
        chi2: f64::NAN,
        dof: 0,
        cluster: None,
        flags: Measurement::PEAK_IN_BOX | if n < window.full { Measurement::EDGE } else { 0 },
    }
}
