//! Bright point sources, found in the image, fitted to the visibilities and subtracted from them exactly.
//!
//! A source above some hundred sigma is not a pixel: it lies between pixels, its spectrum and the beam that drifts over it
//! change it by tens of per cent within a tile, and gridding it to a tenth of the noise would need an epsilon of 1e-6. So each
//! is a position, a flux and a spectral index, found by matching pursuit: the brightest peaks of the residual image join the list, all of
//! the list is fitted at once by Gauss-Newton on the compressed residual visibilities, and its model is taken out of them before
//! the next image. In the end the exact model of those above a thousand sigma (apparent direction and beam per integration and channel, the
//! correlator's averaging) is subtracted from the visibilities; the compressed ones hold the others to a tenth of the noise.
//!
//! What is no source must not be chased: an error of the gains leaves a share of every source about it, as deep below zero as
//! above. Peaks are taken only above the depth of the holes, steps need to be no smaller than those holes allow, and the hunt
//! ends when it no longer lowers the energy of the residual image, which is chi-square as far as the image sees it.

use ndarray::Array2;
use num_complex::Complex32;

use super::bright_fit::{fit_step, Data, Step};
use super::bright_layers::{changes, nodes, Layers};
use super::bright_peaks::{energy, hole};
use super::exact::View;
use super::grid::Compact;
use super::outliers::Coarse;
use super::response::Response;
use super::smear::Smearing;
use super::timing::Stopwatch;
use super::weigh::Weights;
use super::{Error, Grid, Visibilities};
use crate::control::Control;
use crate::coords::{Lmn, RaDec};
use crate::deconvolution::PsfFacts;
use crate::image::{RestoringBeam, Wcs};
use crate::source::{SkySource, Spectrum};

/// Which sources are taken out before cleaning.
#[derive(Clone, Debug)]
pub struct BrightParams {
    /// Brighter than this many times the thermal noise; `None` takes none out.
    pub sigma: Option<f64>,
    /// Most sources.
    pub most: usize,
    /// Sources outside the image that are fitted too, ICRS.
    pub outliers: Vec<RaDec>,
    /// Look for more of them in a coarse image of the main beam and its first sidelobe.
    pub search_outside: bool,
}

impl Default for BrightParams {
    fn default() -> Self {
        Self { sigma: Some(300.0), most: 64, outliers: Vec::new(), search_outside: true }
    }
}

/// A source that was taken out of the visibilities.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct BrightSource {
    /// Position, ICRS.
    pub position: RaDec,
    /// Flux before the beam at `freq_hz` \[Jy\].
    pub flux_jy: f64,
    /// Spectral index before the beam.
    pub alpha: f64,
    /// Reference frequency \[Hz\].
    pub freq_hz: f64,
    /// Peak in the image: behind beam and averaging \[Jy/beam\].
    pub apparent_jy: f64,
    /// The same without the correlator's averaging \[Jy/beam\].
    pub unsmeared_jy: f64,
}

impl BrightSource {
    /// Peak among some channels over that among all, both before averaging.
    pub(super) fn ratio_in(&self, view: View<'_>, part: &Weights) -> f64 {
        if self.unsmeared_jy == 0.0 {
            return 0.0;
        }
        apparent(self, view, part) / self.unsmeared_jy
    }

    pub(super) fn sky_source(&self, number: usize, sign: f64) -> SkySource {
        SkySource {
            name: format!("bright{number}"),
            position: self.position,
            spectrum: Spectrum {
                flux_jy: sign * self.flux_jy,
                reference_hz: self.freq_hz,
                coefficients: vec![self.alpha],
            },
            shape: None,
        }
    }
}

/// What stays the same while bright sources are looked for.
pub(super) struct Hunt<'a> {
    pub grid: &'a Grid,
    /// The same image less accurately, to look for peaks.
    pub rough: &'a Grid,
    pub weights: &'a Weights,
    pub view: View<'a>,
    pub beam: RestoringBeam,
    pub facts: PsfFacts,
    /// Depth of the psf's deepest hole.
    pub psf_hole: f64,
    pub smearing: &'a Smearing,
    /// Thermal noise \[Jy/beam\].
    pub sigma_jy: f64,
    pub params: &'a BrightParams,
    /// What the drift of the beam makes of CLEAN's components.
    pub response: Option<&'a Response<'a>>,
}

/// Rounds at most: each finds peaks down to a share of the brightest.
const ROUNDS: usize = 12;
/// Times that the coarse field is gone to, and looks at it each time, the last of which only fit.
const OUTSIDE_ROUNDS: usize = 4;
const BEYOND_LOOKS: usize = 6;
/// The least peak there in units of the noise: CLEAN cannot take what the image does not show.
pub(super) const OUTSIDE_LEAST: f64 = 20.0;
/// A round without new sources must lower the energy of the residual image to this share; two that do not end the hunt, and
/// any that raises it by a few per cent is undone.
const USEFUL: f64 = 0.99;
const IDLE: usize = 2;
const HARMFUL: f64 = 1.02;
/// Sources above these are taken out of the visibilities themselves: those of which the compression's error, this share of epsilon at most,
/// is more than this share of the noise, and those whose drifting beam over the band is not the parabola that it is at the nodes.
const EXACT_SIGMA: f64 = 1000.0;
const EXACT_ERROR: f64 = 0.1;
const COMPRESSION_SHARE: f64 = 0.2;
/// The deepest hole in noise alone, as many sigma as an image of some 1e5 beams has.
const HOLE_SIGMA: f64 = 6.0;
/// Steps below this are too small for another round.
const SETTLED_SIGMA: f64 = 0.5;
/// And below these a source stays as it is.
const UNCHANGED_SIGMA: f64 = 0.1;
/// A source whose subtraction leaves more than this share of it is no point: CLEAN gets it.
const LEFT_OVER: f32 = 0.2;

impl Hunt<'_> {
    /// Find, fit and subtract. `dirty_yx` is the image of `compact` and becomes that of what is left. Those that the compression holds to a
    /// tenth of the noise are taken out of `compact` only: with the list come their samples, still in `vis`.
    pub fn run(
        &self,
        vis: &mut Visibilities,
        compact: &mut Compact,
        dirty_yx: &mut Array2<f32>,
        control: &Control,
    ) -> Result<(Vec<BrightSource>, Vec<Complex32>), Error> {
        let Some(sigma) = self.params.sigma else { return Ok(Default::default()) };
        let mut watch = Stopwatch::new();
        let mut layers = Layers::new(vis, compact, self.grid, self.view, self.beam.minor_rad);
        let sources = self.pursue(&mut layers, dirty_yx, sigma * self.sigma_jy, control)?;
        watch.lap("rounds");
        let kept: Vec<_> = sources.iter().filter(|s| !self.is_no_point(s, dirty_yx)).cloned().collect();
        if kept.len() < sources.len() {
            log::debug!("{} bright sources are not points: left to CLEAN", sources.len() - kept.len());
            layers.exchange(&kept, |s| self.inside(s.position), control)?;
        }
        let epsilon = self.grid.options().epsilon;
        let limit = EXACT_SIGMA.min(EXACT_ERROR / (COMPRESSION_SHARE * epsilon)) * self.sigma_jy;
        let samples = layers.settle(|s| !self.inside(s.position) || s.apparent_jy > limit, control)?;
        if !sources.is_empty() {
            *dirty_yx = self.grid.dirty_of(compact.samples(), self.weights.sum, control)?;
        }
        watch.lap("subtraction and image");
        log::debug!("{} bright sources: {}", kept.len(), watch.summary());
        Ok((kept, samples))
    }

    /// Rounds of finding and fitting; `limit` is the least peak \[Jy/beam\].
    fn pursue(
        &self,
        layers: &mut Layers<'_>,
        dirty_yx: &mut Array2<f32>,
        limit: f64,
        control: &Control,
    ) -> Result<Vec<BrightSource>, Error> {
        let mut sources: Vec<BrightSource> = Vec::new();
        let (mut outside, mut idle, mut settled) = (0, 0, false);
        let mut lowest = energy(dirty_yx);
        let mut watch = Stopwatch::new();
        for round in 0..ROUNDS {
            control.check()?;
            let depth = hole(dirty_yx, self.psf_hole, HOLE_SIGMA * self.sigma_jy);
            let new = self.peaks(&self.grid.wcs(), dirty_yx, limit, depth, &sources, self.params.most);
            let before = sources.clone();
            let named = if round == 0 { self.named_outside() } else { Vec::new() };
            let mut beyond = 0;
            if !named.is_empty() || (new.is_empty() && self.params.search_outside && outside < OUTSIDE_ROUNDS)
            {
                beyond = self.beyond(layers, &mut sources, named, control)?;
                watch.lap("beyond");
                outside = if beyond == 0 { OUTSIDE_ROUNDS } else { outside + 1 };
            }
            let fresh = new.len() + beyond;
            if fresh == 0 && (settled || sources.is_empty()) {
                break;
            }
            // What the others answer to those beyond is seen when these are out.
            let mut largest = f64::INFINITY;
            if beyond == 0 {
                sources.extend(new);
                if sources.iter().any(|s| !self.inside(s.position)) {
                    layers.widen(&before, control)?;
                }
                let steps = self.steps(layers, &sources);
                watch.lap("fit");
                largest = self.apply(&mut sources, &steps, fresh);
                self.prune(&mut sources, limit);
            }
            layers.exchange(&sources, |s| self.inside(s.position), control)?;
            watch.lap("exchange");
            *dirty_yx = self.rough.dirty_of(layers.compact.samples(), self.weights.sum, control)?;
            let now = energy(dirty_yx);
            watch.lap("image");
            log::debug!(
                "bright round {round}: {} sources, {fresh} new, largest step {largest:.2} sigma, energy {:.4} of the lowest, \
                 holes of {:.1} sigma; so far {}",
                sources.len(),
                now / lowest,
                depth / self.sigma_jy,
                watch.summary()
            );
            if now > HARMFUL * lowest && round > 0 {
                layers.exchange(&before, |s| self.inside(s.position), control)?;
                *dirty_yx = self.rough.dirty_of(layers.compact.samples(), self.weights.sum, control)?;
                return Ok(before);
            }
            // With holes that nothing explains, one round that gains little says enough.
            idle += usize::from(fresh == 0 && now > USEFUL * lowest) * if depth > 0.0 { IDLE } else { 1 };
            lowest = lowest.min(now);
            settled = idle >= IDLE || largest < SETTLED_SIGMA;
        }
        Ok(sources)
    }

    /// Sources beyond the image, found and fitted in the coarse field alone until they settle; how many join `sources`.
    fn beyond(
        &self,
        layers: &mut Layers<'_>,
        sources: &mut Vec<BrightSource>,
        named: Vec<BrightSource>,
        control: &Control,
    ) -> Result<usize, Error> {
        let (near, known): (Vec<_>, Vec<_>) = sources.drain(..).partition(|s| self.inside(s.position));
        let all = |far: &[BrightSource]| [near.as_slice(), far].concat();
        let mut far = known.clone();
        if layers.widen(&all(&far), control)? {
            let (mut new, mut before, mut lowest) = (named, far.clone(), f64::INFINITY);
            let around_yx = layers.coarse.as_ref().map(|field| self.around(field)).unwrap_or_default();
            for look in 0..BEYOND_LOOKS {
                let Some(field) = &layers.coarse else { break };
                let mut image = field.dirty(control)?;
                let mut highest = 0f32;
                for (value, _) in image.iter_mut().zip(&around_yx).filter(|(_, around)| !**around) {
                    highest = highest.max(value.abs());
                    *value = 0.0;
                }
                let now = energy(&image);
                // What the last look added was no source.
                if now > HARMFUL * lowest {
                    far = before;
                    break;
                }
                lowest = lowest.min(now);
                if new.is_empty() && self.params.search_outside {
                    new = self.outside(field, (&image, highest), &far);
                }
                let fresh = new.len();
                before.clone_from(&far);
                far.append(&mut new);
                if far.is_empty() {
                    break;
                }
                let steps = fit_step(self.view, &field.data(), &far.iter().collect::<Vec<_>>());
                let largest = self.apply(&mut far, &steps, fresh);
                self.prune(&mut far, 0.0);
                log::debug!(
                    "beyond the image, look {look}: {} sources, {fresh} new, largest step {largest:.2} sigma, energy {:.4} of the lowest",
                    far.len(),
                    now / lowest
                );
                if fresh == 0 && largest < SETTLED_SIGMA {
                    break;
                }
                layers.widen(&all(&far), control)?;
            }
        }
        let joined = far.len().saturating_sub(known.len());
        *sources = all(if joined > 0 { &far } else { &known });
        Ok(joined)
    }

    /// Steps of all sources: those of the image on its own data, the others on the coarse field's.
    fn steps(&self, layers: &Layers<'_>, sources: &[BrightSource]) -> Vec<Step> {
        let (inside, beyond): (Vec<_>, Vec<_>) = sources.iter().partition(|s| self.inside(s.position));
        let (vis, compact) = (&*layers.vis, &*layers.compact);
        let data = Data { grid: self.grid, vis, unit: compact.unit_samples(), left: compact.samples() };
        let mut own = fit_step(self.view, &data, &inside).into_iter();
        let field = layers.coarse.as_ref().map_or(data, Coarse::data);
        let mut others = fit_step(self.view, &field, &beyond).into_iter();
        let step = |s: &BrightSource| if self.inside(s.position) { own.next() } else { others.next() };
        sources.iter().map(step).map(Option::unwrap_or_default).collect()
    }

    /// One more step on what CLEAN left: `left` are packed residuals, without CLEAN's model. The samples that came out of `compact`, if
    /// anything moved.
    pub fn refine(
        &self,
        vis: &Visibilities,
        compact: &mut Compact,
        left: &[Complex32],
        sources: &mut [BrightSource],
    ) -> Option<Vec<Complex32>> {
        let before = sources.to_vec();
        let data = Data { grid: self.grid, vis, unit: compact.unit_samples(), left };
        let inside: Vec<&BrightSource> = sources.iter().filter(|s| self.inside(s.position)).collect();
        let mut found = fit_step(self.view, &data, &inside).into_iter();
        let own = |s: &BrightSource| if self.inside(s.position) { found.next() } else { None };
        let steps: Vec<Step> = sources.iter().map(own).map(Option::unwrap_or_default).collect();
        let largest = self.apply(sources, &steps, 0);
        log::debug!("bright sources on what CLEAN left: largest step {largest:.2} sigma");
        if largest < SETTLED_SIGMA {
            sources.clone_from_slice(&before);
            return None;
        }
        let samples = nodes(self.view, vis, self.grid, &changes(&before, sources));
        compact.take(self.grid, &samples);
        Some(samples)
    }

    /// Named sources that the image does not show; those inside are found without being named.
    fn named_outside(&self) -> Vec<BrightSource> {
        let outside = self.params.outliers.iter().filter(|p| !self.inside(**p));
        outside.filter_map(|p| self.candidate(*p, self.sigma_jy)).collect()
    }

    /// Add the steps; the largest change, in units of the noise. What hardly changes stays as it is: it need not be predicted again.
    fn apply(&self, sources: &mut [BrightSource], steps: &[Step], fresh: usize) -> f64 {
        let known = sources.len() - fresh;
        let mut largest = 0f64;
        for (k, (source, step)) in sources.iter_mut().zip(steps).enumerate() {
            let start = if k < known { source.flux_jy } else { 0.0 };
            let (next, change) = self.stepped(source, step, start);
            largest = largest.max(change);
            if k >= known || change > UNCHANGED_SIGMA {
                *source = next;
            }
        }
        largest
    }

    /// A source after a step from a flux of `start`, and how large the step is in units of the noise.
    fn stepped(&self, source: &BrightSource, step: &Step, start: f64) -> (BrightSource, f64) {
        let flux_jy = start + step.flux_jy;
        let safe = if flux_jy.abs() > 0.3 * source.flux_jy { flux_jy } else { source.flux_jy };
        // The slope and the shifts come as products with the flux.
        let alpha_step = (step.slope_jy / safe).clamp(-1.5, 1.5);
        let reach = 0.5 * self.beam.minor_rad;
        let shift = [step.l_jy / safe, step.m_jy / safe].map(|x| x.clamp(-reach, reach));
        let at = Lmn::of(source.position, self.view.centre);
        let position = Lmn::from_lm(at.l + shift[0], at.m + shift[1]).direction(self.view.centre);
        let mut next = BrightSource { position, flux_jy, alpha: source.alpha + alpha_step, ..source.clone() };
        next.unsmeared_jy = apparent(&next, self.view, self.weights);
        next.apparent_jy = next.unsmeared_jy * self.smearing.response(position);
        let power = self.power(position, next.freq_hz);
        let moved = shift[0].hypot(shift[1]) / self.beam.minor_rad * next.apparent_jy;
        let turned = 0.05 * alpha_step * next.apparent_jy;
        let change = (step.flux_jy * power).abs().max(moved.abs()).max(turned.abs()) / self.sigma_jy;
        (next, change)
    }

    /// Fits that make no sense, and what is not bright after all.
    fn prune(&self, sources: &mut Vec<BrightSource>, limit: f64) {
        sources.retain(|s| {
            let least =
                if self.inside(s.position) { 0.5 * limit } else { 0.5 * OUTSIDE_LEAST * self.sigma_jy };
            s.flux_jy.is_finite() && s.alpha.abs() < 6.0 && s.apparent_jy > least
        });
    }

    /// Whether what is left about a source is too much for a point.
    fn is_no_point(&self, source: &BrightSource, dirty_yx: &Array2<f32>) -> bool {
        let wcs = self.grid.wcs();
        let place = wcs.sky_to_pixel(source.position).filter(|_| self.inside(source.position));
        let Some([x, y]) = place else { return false };
        let reach = self.beam.major_rad / wcs.increment_rad[1].abs();
        let (ny, nx) = dirty_yx.dim();
        let span = |c: f64, n: usize| {
            ((c - reach).max(0.0) as usize).min(n)..((c + reach + 1.0).max(0.0) as usize).min(n)
        };
        let rows = span(y, ny);
        let largest = rows
            .flat_map(|y| span(x, nx).map(move |x| (y, x)))
            .fold(0f32, |best, at| best.max(dirty_yx[at].abs()));
        largest > LEFT_OVER * source.apparent_jy as f32
    }

    /// Mean beam power of the tile at one frequency.
    pub(super) fn power(&self, position: RaDec, freq_hz: f64) -> f64 {
        let both = self.view.pointings.iter().zip(&self.weights.by_time);
        let (sum, total) = both.fold((0.0, 0.0), |(s, t), (p, w)| {
            (s + w * self.view.beam.power_towards(position, *p, freq_hz), t + w)
        });
        sum / total
    }
}

/// Mean over integrations and channels of flux times beam, weighted \[Jy\].
fn apparent(source: &BrightSource, view: View<'_>, weights: &Weights) -> f64 {
    let step = (weights.freq_hz.len() / 24).max(1);
    let spectrum = source.sky_source(0, 1.0).spectrum;
    let (mut sum, mut total) = (0.0, 0.0);
    // Groups of channels by all their weights: single channels would not do, flagged ones and missing windows leave gaps.
    for (own_hz, own) in weights.freq_hz.chunks(step).zip(weights.by_channel.chunks(step)) {
        let weight: f64 = own.iter().sum();
        if !(weight > 0.0) {
            continue;
        }
        let f = own_hz.iter().zip(own).map(|(f, w)| f * w).sum::<f64>() / weight;
        let flux = spectrum.flux_at_jy(f);
        for (pointing, w) in view.pointings.iter().zip(&weights.by_time) {
            let w = w * weight;
            sum += w * flux * view.beam.power_towards(source.position, *pointing, f);
            total += w;
        }
    }
    if total > 0.0 {
        sum / total
    } else {
        0.0
    }
}

/// Places and peaks on the pixels of an image.
pub(super) fn on_pixels(sources: &[BrightSource], wcs: &Wcs) -> Vec<([f64; 2], f64)> {
    sources.iter().filter_map(|s| wcs.sky_to_pixel(s.position).map(|xy| (xy, s.apparent_jy))).collect()
}
