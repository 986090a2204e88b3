//! Minor cycles over scales and spectral terms at once.
//!
//! The sky is a sum of components, each a shape (a point or a Gaussian, Cornwell 2008, doi:10.1109/JSTSP.2008.2006388) times a
//! polynomial in `x = (f - f0) / f0` (Rau & Cornwell 2011, doi:10.1051/0004-6361/201117104). The residual image of term `t` is
//! the image of the visibilities times `x^t`, and a component of term `q` is seen in it through the psf of moment `t + q`.
//! One scale at a time is cleaned on a compact list (Offringa & Smirnov 2017, doi:10.1093/mnras/stx1547): the one whose
//! brightest pixel stands highest above its own noise. For noise that is white in the visibilities a residual smoothed by a
//! shape `K` has the variance `(psf * K * K)(0)` times that of the image, so values are divided by its root: thresholds
//! in Jy/beam then mean the same number of sigma on every scale.

use std::sync::OnceLock;

use ndarray::parallel::prelude::*;
use ndarray::{s, Array2, Axis};
use num_complex::Complex32;

use super::convolve::{backward, forward, good_size};
use super::joint_list::{JointList, Limits, ScaleView};
use super::peak::{peak_in, Sign};
use super::scale::Shape;
use super::{Error, MinorParams, MinorReport, MinorStop, PsfFacts};
use crate::control::Control;
use crate::kind::BadArgument;

/// Most terms of a spectrum.
pub const MAX_TERMS: usize = 3;
/// Fluxes by term.
pub(super) type Terms = [f32; MAX_TERMS];

/// A sub-minor loop takes the scale's peak down to this share before all scales are compared again.
const SHARE: f32 = 0.7;

/// Psfs of the moments of frequency, ready for all scales.
pub struct JointPsf {
    shape: (usize, usize),
    size: [usize; 2],
    terms: usize,
    /// Transforms of the psfs of moments 0 to 2 n - 2, transposed.
    spectra: Vec<Array2<Complex32>>,
    scales: Vec<Scale>,
    quiet: Vec<f32>,
}

struct Scale {
    width_px: f64,
    shape: Shape,
    /// Root of the twice smoothed psf's centre: noise of the smoothed residual over that of the image.
    noise: f32,
    bias: f32,
    inverse: [Terms; MAX_TERMS],
    /// Twice smoothed psfs, made when first used.
    psf_yx: OnceLock<Vec<Array2<f32>>>,
    /// Largest magnitude of the first of them outside its main lobe, in units of the centre.
    sidelobe: OnceLock<f32>,
}

/// A residual as one scale sees it.
pub struct ScalePlane<'a> {
    /// Smoothed and divided by its noise's share \[Jy/beam\].
    pub image_yx: &'a Array2<f32>,
    /// Full width at half maximum of the scale \[pixels\].
    pub width_px: f64,
    /// Highest sidelobe of a source of this scale.
    pub max_sidelobe: f32,
}

/// The scale to be cleaned next.
#[derive(Clone, Copy, Debug)]
struct Brightest {
    scale: usize,
    /// Its brightest pixel \[Jy/beam\], comparable between scales.
    value: f32,
    /// Largest value of any scale over that scale's share of the noise.
    height: f32,
}

impl JointPsf {
    /// From the psfs of moments `0..2 n - 1` and the widths of the scales \[pixels\], 0 being points; a scale's values are
    /// multiplied by `bias` once for every doubling from the first that is not 0, and once for not being a point.
    ///
    /// # Errors
    /// An even number of psfs or more than five, shapes that differ, no scales, scales that are not finite or too wide.
    pub fn new(psf_yx: &[Array2<f32>], widths_px: &[f64], bias: f32) -> Result<Self, Error> {
        let terms = psf_yx.len().div_ceil(2);
        if psf_yx.len() % 2 == 0 || terms > MAX_TERMS {
            return Err(BadArgument::new("psf", "moments 0 to 2 n - 2, n 1 to 3", psf_yx.len()).into());
        }
        let shape = psf_yx[0].dim();
        if let Some(other) = psf_yx.iter().find(|p| p.dim() != shape || p.as_slice().is_none()) {
            let found = format!("{:?}", other.dim());
            return Err(BadArgument::new("psf", format!("planes of shape {shape:?}"), found).into());
        }
        let widest = 0.25 * shape.0.min(shape.1) as f64;
        if widths_px.is_empty() || !widths_px.iter().all(|w| *w >= 0.0 && *w <= widest) {
            let expected = format!("0 (points) to {widest:.0} pixels, a quarter of the image");
            return Err(BadArgument::new("scales", expected, format!("{widths_px:?}")).into());
        }
        if !(bias > 0.0 && bias <= 1.0) {
            return Err(BadArgument::new("scale_bias", "a number in (0, 1]", bias).into());
        }
        let (ny, nx) = shape;
        let size = [good_size(ny + ny.div_ceil(2)), good_size(nx + nx.div_ceil(2))];
        let spectra: Vec<_> = psf_yx.iter().map(|p| spectrum_of_psf(p, size)).collect();
        let first = widths_px.iter().copied().filter(|w| *w > 0.0).fold(f64::INFINITY, f64::min);
        let mut out = Self { shape, size, terms, spectra, scales: Vec::new(), quiet: Vec::new() };
        for width in widths_px {
            let steps = if *width > 0.0 { 1.0 + (width / first).log2() } else { 0.0 };
            let scale = out.scale(*width, bias.powf(steps as f32))?;
            out.scales.extend(scale);
        }
        if out.scales.is_empty() {
            return Err(BadArgument::new("scales", "one that the baselines can see", "none").into());
        }
        Ok(out)
    }

    /// Learn the noise of the scales from the image of the squared weights, the covariance of noise between pixels.
    pub fn with_noise(mut self, covariance_yx: &Array2<f32>) -> Self {
        let spectrum = spectrum_of_psf(covariance_yx, self.size);
        let power = |shape: &Shape| -> f64 {
            let of = |((kx, ky), p): ((usize, usize), &Complex32)| {
                f64::from(p.re) * f64::from(shape.at(kx, ky)).powi(2)
            };
            spectrum.indexed_iter().map(of).sum()
        };
        let whole = power(&Shape::new(0.0, self.size));
        let quiet = |s: &Scale| ((power(&s.shape).max(0.0) / whole).sqrt() as f32 / s.noise).clamp(0.02, 1.0);
        self.quiet = self.scales.iter().map(quiet).collect();
        self
    }

    /// Noise of each scale's view over that of the image; empty when it is not known.
    pub fn quiet(&self) -> &[f32] {
        &self.quiet
    }

    /// Number of spectral terms.
    pub fn terms(&self) -> usize {
        self.terms
    }

    /// Number of scales.
    pub fn scales(&self) -> usize {
        self.scales.len()
    }

    /// A scale with the matrix of its psfs at the centre; none when no baseline sees it.
    fn scale(&self, width_px: f64, bias: f32) -> Result<Option<Scale>, Error> {
        let shape = Shape::new(width_px, self.size);
        let count = (self.size[0] * self.size[1]) as f64;
        let centre = |spectrum: &Array2<Complex32>| -> f64 {
            let sum: f64 = spectrum
                .indexed_iter()
                .map(|((kx, ky), p)| f64::from(p.re) * f64::from(shape.at(kx, ky)).powi(2))
                .sum();
            sum / count
        };
        let moments: Vec<f64> = self.spectra.iter().map(centre).collect();
        if !(moments[0] > 1e-5) {
            return Ok(None);
        }
        let inverse = inverse_of(&moments, self.terms).ok_or_else(|| {
            BadArgument::new("nterms", "a band that tells the terms apart", format!("moments {moments:?}"))
        })?;
        let noise = moments[0].sqrt() as f32;
        let (psf_yx, sidelobe) = (OnceLock::new(), OnceLock::new());
        Ok(Some(Scale { width_px, shape, noise, bias, inverse, psf_yx, sidelobe }))
    }

    /// Least-squares spectra at every pixel, from residual images by term: `H^-1 r` for points.
    pub fn principal(&self, residual_yx: &[Array2<f32>]) -> Vec<Array2<f32>> {
        let moments: Vec<f64> = self
            .spectra
            .iter()
            .map(|p| p.iter().map(|v| f64::from(v.re)).sum::<f64>() / (self.size[0] * self.size[1]) as f64)
            .collect();
        let Some(inverse) = inverse_of(&moments, self.terms) else { return residual_yx.to_vec() };
        (0..self.terms)
            .map(|t| {
                let mut out = Array2::zeros(self.shape);
                for (residual, h) in residual_yx.iter().zip(inverse[t]) {
                    out.scaled_add(h, residual);
                }
                out
            })
            .collect()
    }

    /// Show each scale's view of a residual to `look`.
    ///
    /// # Errors
    /// Cancellation.
    pub fn survey(
        &self,
        residual_yx: &Array2<f32>,
        mut look: impl FnMut(&ScalePlane<'_>),
        control: &Control,
    ) -> Result<(), Error> {
        let spectrum = self.spectrum(&[residual_yx]);
        for scale in &self.scales {
            control.check()?;
            let (width_px, max_sidelobe) = (scale.width_px, self.max_sidelobe(scale));
            if scale.shape.is_point() {
                look(&ScalePlane { image_yx: residual_yx, width_px, max_sidelobe });
                continue;
            }
            let mut plane = self.smoothed(&spectrum, &scale.shape, 1).pop().unwrap_or_default();
            let factor = scale.bias / scale.noise;
            plane.mapv_inplace(|v| v * factor);
            look(&ScalePlane { image_yx: &plane, width_px, max_sidelobe });
        }
        Ok(())
    }

    fn max_sidelobe(&self, scale: &Scale) -> f32 {
        *scale.sidelobe.get_or_init(|| {
            let psf = &scale.psf_yx.get_or_init(|| self.psfs(scale))[0];
            let centre = psf[[self.shape.0 / 2, self.shape.1 / 2]];
            PsfFacts::of(&psf.mapv(|v| v / centre)).map_or(1.0, |f| f.max_sidelobe)
        })
    }

    /// Of the scales whose brightest pixel exceeds `stop` times their `quiet`, the one that explains most of the data; the
    /// loudest when none does.
    fn brightest(
        &self,
        residual_yx: &Array2<f32>,
        search: &Search<'_>,
        control: &Control,
    ) -> Result<Option<Brightest>, Error> {
        let mut peaks: Vec<f32> = Vec::with_capacity(self.scales.len());
        let look = |plane: &ScalePlane<'_>| {
            let peak = peak_in(plane.image_yx, search.mask_of(peaks.len()), search.sign);
            peaks.push(peak.map_or(f32::NEG_INFINITY, |p| search.sign.measure(p.value)));
        };
        self.survey(residual_yx, look, control)?;
        let quiet = |k: usize| search.quiet.get(k).copied().unwrap_or(1.0);
        let height = peaks.iter().enumerate().map(|(k, p)| p / quiet(k)).fold(f32::NEG_INFINITY, f32::max);
        let open = |k: &usize| peaks[*k] > search.stop * quiet(*k);
        let by_value = |a: &usize, b: &usize| peaks[*a].total_cmp(&peaks[*b]);
        let all = 0..peaks.len();
        let chosen = all.clone().filter(open).max_by(by_value).or_else(|| all.max_by(by_value));
        Ok(chosen.filter(|k| peaks[*k] > f32::NEG_INFINITY).map(|scale| Brightest {
            scale,
            value: peaks[scale],
            height,
        }))
    }

    /// Transform of one plane, or of two as real and imaginary part.
    fn spectrum(&self, planes_yx: &[&Array2<f32>]) -> Array2<Complex32> {
        let mut plane = Array2::zeros(self.size);
        let (ny, nx) = self.shape;
        let mut part = plane.slice_mut(s![..ny, ..nx]);
        match planes_yx {
            [a, b, ..] => {
                ndarray::Zip::from(&mut part).and(*a).and(*b).for_each(|p, a, b| *p = Complex32::new(*a, *b))
            }
            [a] => part.zip_mut_with(a, |p, a| p.re = *a),
            [] => {}
        }
        forward(plane)
    }

    /// One or two planes of a spectrum, smoothed by a shape.
    fn smoothed(&self, spectrum: &Array2<Complex32>, shape: &Shape, planes: usize) -> Vec<Array2<f32>> {
        let product = times(spectrum, |kx, ky| Complex32::new(shape.at(kx, ky), 0.0));
        self.planes(product, planes)
    }

    /// Back to the sky: the real part, and the imaginary one.
    fn planes(&self, spectrum: Array2<Complex32>, planes: usize) -> Vec<Array2<f32>> {
        let plane = backward(spectrum);
        let scale = 1.0 / (self.size[0] * self.size[1]) as f32;
        let (ny, nx) = self.shape;
        let part = plane.slice(s![..ny, ..nx]);
        let mut out = vec![part.mapv(|v| v.re * scale)];
        if planes > 1 {
            out.push(part.mapv(|v| v.im * scale));
        }
        out
    }

    /// Residuals of all terms, smoothed.
    fn smoothed_terms(&self, residual_yx: &[Array2<f32>], shape: &Shape) -> Vec<Array2<f32>> {
        if shape.is_point() {
            return residual_yx.to_vec();
        }
        let pairs = residual_yx.chunks(2).map(|pair| {
            let planes: Vec<_> = pair.iter().collect();
            self.smoothed(&self.spectrum(&planes), shape, planes.len())
        });
        pairs.flatten().collect()
    }

    /// Psfs smoothed twice, centred.
    fn psfs(&self, scale: &Scale) -> Vec<Array2<f32>> {
        let (ny, nx) = self.shape;
        let one = |spectrum: &Array2<Complex32>| {
            let plane =
                backward(times(spectrum, |kx, ky| Complex32::new(scale.shape.at(kx, ky).powi(2), 0.0)));
            let factor = 1.0 / (self.size[0] * self.size[1]) as f32;
            let wrap = |p: usize, n: usize, size: usize| (p + size - n / 2) % size;
            Array2::from_shape_fn((ny, nx), |(y, x)| {
                plane[[wrap(y, ny, self.size[0]), wrap(x, nx, self.size[1])]].re * factor
            })
        };
        self.spectra.iter().map(one).collect()
    }

    /// Subtract components of a scale from the residuals, times `sign`.
    fn subtract(
        &self,
        residual_yx: &mut [Array2<f32>],
        scale: &Scale,
        components: &[(usize, usize, Terms)],
        sign: f32,
        control: &Control,
    ) -> Result<(), Error> {
        let spectra: Vec<Array2<Complex32>> = (0..self.terms)
            .map(|q| {
                let mut plane: Array2<Complex32> = Array2::zeros(self.size);
                for (y, x, flux) in components {
                    plane[[*y, *x]].re += flux[q] * sign;
                }
                forward(plane)
            })
            .collect();
        control.check()?;
        for first in (0..self.terms).step_by(2) {
            let both = first + 1 < self.terms;
            let mut product = Array2::zeros(spectra[0].dim());
            for (q, component) in spectra.iter().enumerate() {
                let (a, b) = (&self.spectra[first + q], both.then(|| &self.spectra[first + 1 + q]));
                accumulate(&mut product, component, a, b, &scale.shape);
            }
            control.check()?;
            let planes = self.planes(product, 1 + usize::from(both));
            for (residual, plane) in residual_yx[first..].iter_mut().zip(planes) {
                *residual -= &plane;
            }
        }
        Ok(())
    }
}

/// Where components are looked for.
#[derive(Clone, Copy)]
struct Search<'a> {
    masks_yx: &'a [Array2<bool>],
    sign: Sign,
    stop: f32,
    quiet: &'a [f32],
}

impl<'a> Search<'a> {
    fn mask_of(&self, scale: usize) -> Option<&'a Array2<bool>> {
        self.masks_yx.get(scale).or(self.masks_yx.first())
    }
}

/// A minor cycle over all scales and terms: flux moves from `residual_yx` \[Jy/beam\] into `model_yx` \[Jy/pixel\], one plane a term
/// each, until no scale's brightest pixel exceeds `params.stop_jy` times the scale's `quiet`: its noise over that of the image where
/// imaging weights make it lower than natural ones would; 1 for scales that are not listed. `masks_yx`: where the components of each scale
/// may lie (true); the first counts for scales that have none, and without any they may lie everywhere.
///
/// # Errors
/// Another number of planes than the psf's terms, shapes that differ, cancellation.
pub fn joint_minor_cycle(
    residual_yx: &mut [Array2<f32>],
    model_yx: &mut [Array2<f32>],
    psf: &JointPsf,
    masks_yx: &[Array2<bool>],
    quiet: &[f32],
    params: &MinorParams,
    control: &Control,
) -> Result<MinorReport, Error> {
    check(residual_yx, model_yx, psf, masks_yx)?;
    let sign = if params.non_negative { Sign::Positive } else { Sign::Both };
    let search = Search { masks_yx, sign, stop: params.stop_jy, quiet };
    let start = psf.brightest(&residual_yx[0], &search, control)?;
    let mut report = MinorReport {
        iterations: 0,
        peak_before_jy: start.map_or(0.0, |b| b.height),
        peak_after_jy: start.map_or(0.0, |b| b.height),
        flux_jy: 0.0,
        stop: if start.is_some() { MinorStop::Reached } else { MinorStop::Empty },
    };
    let Some(mut best) = start else { return Ok(report) };
    let mut lowest = best.height;
    while best.height > params.stop_jy {
        control.check()?;
        if report.iterations >= params.max_iterations {
            report.stop = MinorStop::Iterations;
            break;
        }
        let scale = &psf.scales[best.scale];
        let left = params.max_iterations - report.iterations;
        let (iterations, components) = one_list(residual_yx, psf, best, &search, params, left, control)?;
        if components.is_empty() {
            break;
        }
        psf.subtract(residual_yx, scale, &components, 1.0, control)?;
        let Some(next) = psf.brightest(&residual_yx[0], &search, control)? else { break };
        if !next.height.is_finite() || next.height > 1.5 * lowest.max(params.stop_jy) {
            psf.subtract(residual_yx, scale, &components, -1.0, control)?;
            report.stop = MinorStop::Diverged;
            break;
        }
        for (y, x, flux) in &components {
            for (model, f) in model_yx.iter_mut().zip(flux) {
                scale.shape.paint(model, (*y, *x), *f);
            }
            report.flux_jy += f64::from(flux[0]);
        }
        report.iterations += iterations;
        report.peak_after_jy = next.height;
        lowest = lowest.min(next.height);
        best = next;
    }
    Ok(report)
}

/// The sub-minor loop on the list of one scale.
fn one_list(
    residual_yx: &[Array2<f32>],
    psf: &JointPsf,
    best: Brightest,
    search: &Search<'_>,
    params: &MinorParams,
    left: usize,
    control: &Control,
) -> Result<(usize, Vec<(usize, usize, Terms)>), Error> {
    let scale = &psf.scales[best.scale];
    let quiet = search.quiet.get(best.scale).copied().unwrap_or(1.0);
    // From comparable values to those of the smoothed residual.
    let unit = scale.noise / scale.bias;
    let stop = (search.stop * quiet).max(SHARE * best.value) * unit;
    let planes = psf.smoothed_terms(residual_yx, &scale.shape);
    // Pixels that sidelobes lift above the stop belong to the list too.
    let (mut list, used) =
        JointList::above(&planes, search.mask_of(best.scale), Sign::Both, 0.8 * stop, params.max_candidates);
    let psf_yx = scale.psf_yx.get_or_init(|| psf.psfs(scale));
    let view = ScaleView { psf_yx, inverse: &scale.inverse };
    let mut done = 0;
    loop {
        control.check()?;
        // Pieces short enough that a cancel is seen within 100 ms.
        let piece = (left - done).min(256);
        let limits =
            Limits { gain: params.gain, stop: stop.max(used), max_iterations: piece, sign: search.sign };
        let (iterations, peak) = list.clean(&view, &limits);
        done += iterations;
        if iterations < piece || peak <= limits.stop || done >= left {
            return Ok((done, list.components()));
        }
    }
}

fn check(
    residual_yx: &[Array2<f32>],
    model_yx: &[Array2<f32>],
    psf: &JointPsf,
    masks_yx: &[Array2<bool>],
) -> Result<(), Error> {
    if residual_yx.len() != psf.terms || model_yx.len() != psf.terms {
        let found = format!("{} and {}", residual_yx.len(), model_yx.len());
        return Err(BadArgument::new("residual, model", format!("{} planes", psf.terms), found).into());
    }
    let mut shapes =
        residual_yx.iter().chain(model_yx).map(Array2::dim).chain(masks_yx.iter().map(Array2::dim));
    match shapes.find(|s| *s != psf.shape) {
        None => Ok(()),
        Some(found) => {
            let expected = format!("the psf's shape {:?} (y, x)", psf.shape);
            Err(BadArgument::new("residual, model, mask", expected, format!("{found:?}")).into())
        }
    }
}

fn spectrum_of_psf(psf_yx: &Array2<f32>, size: [usize; 2]) -> Array2<Complex32> {
    let (ny, nx) = psf_yx.dim();
    let mut plane = Array2::zeros(size);
    let wrap = |p: usize, n: usize, size: usize| (p + size - n / 2) % size;
    for ((y, x), v) in psf_yx.indexed_iter() {
        plane[[wrap(y, ny, size[0]), wrap(x, nx, size[1])]] = Complex32::new(*v, 0.0);
    }
    forward(plane)
}

/// A transposed spectrum times a function of place.
fn times(
    spectrum: &Array2<Complex32>,
    factor: impl Fn(usize, usize) -> Complex32 + Sync,
) -> Array2<Complex32> {
    let mut out = Array2::zeros(spectrum.dim());
    out.axis_iter_mut(Axis(0)).into_par_iter().zip(spectrum.axis_iter(Axis(0))).enumerate().for_each(
        |(kx, (mut out, row))| {
            for (ky, (o, v)) in out.iter_mut().zip(row).enumerate() {
                *o = v * factor(kx, ky);
            }
        },
    );
    out
}

/// `out += c K (a + i b)`.
fn accumulate(
    out: &mut Array2<Complex32>,
    component: &Array2<Complex32>,
    a: &Array2<Complex32>,
    b: Option<&Array2<Complex32>>,
    shape: &Shape,
) {
    out.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(kx, mut out)| {
        let (component, a) = (component.row(kx), a.row(kx));
        for (ky, o) in out.iter_mut().enumerate() {
            let second = b.map_or(Complex32::default(), |b| Complex32::i() * b[[kx, ky]]);
            *o += component[ky] * shape.at(kx, ky) * (a[ky] + second);
        }
    });
}

/// Inverse of the Hankel matrix of moments, none when it is singular to single precision.
fn inverse_of(moments: &[f64], terms: usize) -> Option<[Terms; MAX_TERMS]> {
    // Scaled to a unit diagonal, so that the test for singularity knows no units.
    let scale: Vec<f64> =
        (0..terms).map(|t| moments[2 * t]).map(|m| if m > 0.0 { m.sqrt() } else { 0.0 }).collect();
    if scale.contains(&0.0) {
        return None;
    }
    let mut left: Vec<Vec<f64>> =
        (0..terms).map(|t| (0..terms).map(|q| moments[t + q] / (scale[t] * scale[q])).collect()).collect();
    let mut right: Vec<Vec<f64>> =
        (0..terms).map(|t| (0..terms).map(|q| f64::from(u8::from(t == q))).collect()).collect();
    for k in 0..terms {
        let pivot = left[k][k];
        if !(pivot > 1e-4) {
            return None;
        }
        for q in 0..terms {
            left[k][q] /= pivot;
            right[k][q] /= pivot;
        }
        for t in (0..terms).filter(|t| *t != k) {
            let factor = left[t][k];
            for q in 0..terms {
                left[t][q] -= factor * left[k][q];
                right[t][q] -= factor * right[k][q];
            }
        }
    }
    let mut out = [[0.0; MAX_TERMS]; MAX_TERMS];
    for t in 0..terms {
        for q in 0..terms {
            out[t][q] = (right[t][q] / (scale[t] * scale[q])) as f32;
        }
    }
    Some(out)
}
