//! Bright point sources, found in the image, fitted to the visibilities and subtracted from them exactly.
//!
//! A source above some hundred sigma is not a pixel: it lies between pixels, its spectrum and the beam that drifts over it
//! change it by tens of per cent within a tile, and gridding it to a tenth of the noise would need an epsilon of 1e-6. So each
//! is a position, a flux and a spectral index, found by matching pursuit: the brightest peaks of the residual image join the list, all of
//! the list is fitted at once by Gauss-Newton on the residual visibilities, and the exact model (apparent direction and
//! beam per integration and channel, the correlator's averaging) is subtracted before the next image.

use ndarray::Array2;

use super::bright_fit::{fit_step, Data, Step};
use super::exact::{subtract, View};
use super::grid::Compact;
use super::outliers::Coarse;
use super::smear::Smearing;
use super::weigh::Weights;
use super::{Error, Grid, Visibilities};
use crate::control::Control;
use crate::coords::{Lmn, RaDec};
use crate::deconvolution::PsfFacts;
use crate::image::{RestoringBeam, Wcs};
use crate::source::{SkyModel, SkySource, Spectrum};

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
    pub weights: &'a Weights,
    pub view: View<'a>,
    pub beam: RestoringBeam,
    pub facts: PsfFacts,
    pub smearing: &'a Smearing,
    /// Thermal noise \[Jy/beam\].
    pub sigma_jy: f64,
    pub params: &'a BrightParams,
}

/// Rounds at most: each finds peaks down to a share of the brightest.
const ROUNDS: usize = 12;
/// Looks at the coarse field, and what counts in it: sidelobes of sources in the image are still there.
const OUTSIDE_ROUNDS: usize = 4;
const OUTSIDE_SIGMA: f64 = 12.0;
/// Steps below this are too small for another round.
const SETTLED_SIGMA: f64 = 0.5;
/// And below these a source stays as it is.
const UNCHANGED_SIGMA: f64 = 0.1;
/// A source nearer to a known one than this many beams is left to CLEAN.
const APART_BEAMS: f64 = 0.6;
/// A source whose subtraction leaves more than this share of it is no point: CLEAN gets it.
const LEFT_OVER: f32 = 0.2;
/// Below this beam power intrinsic fluxes make no sense.
const LEAST_POWER: f64 = 1e-4;

impl Hunt<'_> {
    /// Find, fit and subtract. `dirty_yx` is the image of `compact` and becomes that of what is left.
    pub fn run(
        &self,
        vis: &mut Visibilities,
        compact: &mut Compact,
        dirty_yx: &mut Array2<f32>,
        control: &Control,
    ) -> Result<Vec<BrightSource>, Error> {
        let Some(sigma) = self.params.sigma else { return Ok(Vec::new()) };
        let limit = sigma * self.sigma_jy;
        let mut sources: Vec<BrightSource> = Vec::new();
        let mut excluded: Vec<RaDec> = Vec::new();
        let (mut outside, mut coarse): (usize, Option<Coarse>) = (0, None);
        for round in 0..ROUNDS {
            control.check()?;
            let mut new = self.peaks(&self.grid.wcs(), dirty_yx, limit, &sources, &excluded);
            if round == 0 {
                new.extend(self.named_outside());
                if !self.params.outliers.is_empty() {
                    coarse = Coarse::new(vis, self.view.centre, control)?;
                }
            }
            if new.is_empty() && self.params.search_outside && outside < OUTSIDE_ROUNDS {
                outside += 1;
                new = self.outside(vis, &mut coarse, &sources, 0.6 * limit, control)?;
                outside = if new.is_empty() { OUTSIDE_ROUNDS } else { outside };
            }
            if sources.is_empty() && new.is_empty() {
                break;
            }
            let before = sources.clone();
            let fresh = new.len();
            sources.extend(new);
            let steps = self.steps(vis, compact, coarse.as_ref(), &sources)?;
            let largest = self.apply(&mut sources, &steps, fresh);
            self.prune(&mut sources, limit);
            self.exchange(vis, compact, &before, &sources, control)?;
            if let Some(coarse) = &mut coarse {
                coarse.update(vis, control)?;
            }
            *dirty_yx = self.grid.dirty_of(compact.samples(), self.weights.sum, control)?;
            log::debug!(
                "bright round {round}: {} sources, {fresh} new, largest step {largest:.2} sigma",
                sources.len()
            );
            if fresh == 0 && largest < SETTLED_SIGMA {
                break;
            }
        }
        let (kept, dropped): (Vec<_>, Vec<_>) =
            sources.iter().cloned().partition(|s| !self.is_no_point(s, dirty_yx));
        if !dropped.is_empty() {
            excluded.extend(dropped.iter().map(|s| s.position));
            log::debug!("{} bright sources are not points: left to CLEAN", dropped.len());
            self.exchange(vis, compact, &sources, &kept, control)?;
            *dirty_yx = self.grid.dirty_of(compact.samples(), self.weights.sum, control)?;
        }
        Ok(kept)
    }

    /// Steps of all sources: those of the image on its own data, the others on the coarse field's.
    fn steps(
        &self,
        vis: &Visibilities,
        compact: &Compact,
        coarse: Option<&Coarse>,
        sources: &[BrightSource],
    ) -> Result<Vec<Step>, Error> {
        let (inside, beyond): (Vec<_>, Vec<_>) = sources.iter().partition(|s| self.inside(s.position));
        let data = Data { grid: self.grid, vis, unit: compact.unit_samples(), left: compact.samples() };
        let mut own = fit_step(self.view, &data, &inside)?.into_iter();
        let mut others = match coarse {
            Some(field) => fit_step(self.view, &field.data(vis), &beyond)?,
            None => fit_step(self.view, &data, &beyond)?,
        }
        .into_iter();
        let step = |s: &BrightSource| if self.inside(s.position) { own.next() } else { others.next() };
        Ok(sources.iter().map(step).map(Option::unwrap_or_default).collect())
    }

    /// One more step on what CLEAN left: `left` are packed residuals, without CLEAN's model.
    pub fn refine(
        &self,
        vis: &mut Visibilities,
        compact: &mut Compact,
        left: &[num_complex::Complex32],
        sources: &mut [BrightSource],
        control: &Control,
    ) -> Result<(), Error> {
        let before = sources.to_vec();
        let data = Data { grid: self.grid, vis, unit: compact.unit_samples(), left };
        let inside: Vec<&BrightSource> = sources.iter().filter(|s| self.inside(s.position)).collect();
        let mut found = fit_step(self.view, &data, &inside)?.into_iter();
        let own = |s: &BrightSource| if self.inside(s.position) { found.next() } else { None };
        let steps: Vec<Step> = sources.iter().map(own).map(Option::unwrap_or_default).collect();
        self.apply(sources, &steps, 0);
        self.exchange(vis, compact, &before, sources, control)
    }

    /// Named sources that the image does not show; those inside are found without being named.
    fn named_outside(&self) -> Vec<BrightSource> {
        let outside = self.params.outliers.iter().filter(|p| !self.inside(**p));
        outside.filter_map(|p| self.candidate(*p, self.sigma_jy)).collect()
    }

    /// Put the old model back and take the new one out.
    fn exchange(
        &self,
        vis: &mut Visibilities,
        compact: &mut Compact,
        old: &[BrightSource],
        new: &[BrightSource],
        control: &Control,
    ) -> Result<(), Error> {
        let changed = |a: &BrightSource, list: &[BrightSource]| !list.contains(a);
        let mut change = SkyModel::default();
        change.sources.extend(
            old.iter().enumerate().filter(|(_, s)| changed(s, new)).map(|(k, s)| s.sky_source(k, -1.0)),
        );
        change.sources.extend(
            new.iter().enumerate().filter(|(_, s)| changed(s, old)).map(|(k, s)| s.sky_source(k, 1.0)),
        );
        if change.sources.is_empty() {
            return Ok(());
        }
        subtract(vis, &change, &self.view, control)?;
        compact.repack(self.grid, vis, vis.weight_rf.view(), control)
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
            let least = if self.inside(s.position) { 0.5 * limit } else { 20.0 * self.sigma_jy };
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

    /// Peaks of the coarse field that the image does not show.
    fn outside(
        &self,
        vis: &Visibilities,
        coarse: &mut Option<Coarse>,
        known: &[BrightSource],
        least: f64,
        control: &Control,
    ) -> Result<Vec<BrightSource>, Error> {
        if coarse.is_none() {
            *coarse = Coarse::new(vis, self.view.centre, control)?;
        }
        let Some(field) = coarse else { return Ok(Vec::new()) };
        let mut image = field.dirty(control)?;
        let wcs = field.grid.wcs();
        for ((y, x), value) in image.indexed_iter_mut() {
            let sky = wcs.pixel_to_sky([x as f64, y as f64]);
            if !sky.ra_rad.is_finite() || self.inside(sky) {
                *value = 0.0;
            }
        }
        let noise = f64::from(crate::deconvolution::mad_rms(image.iter())).max(self.sigma_jy);
        let limit = (OUTSIDE_SIGMA * noise).max(least);
        Ok(self.peaks(&wcs, &image, limit, known, &[]))
    }

    /// Whether CLEAN may find a source here.
    fn inside(&self, position: RaDec) -> bool {
        let options = self.grid.options();
        let within = |p: f64, n: usize| {
            let rim = (n / 50).max(2) as f64;
            p >= rim && p < n as f64 - rim
        };
        let pixel = self.grid.wcs().sky_to_pixel(position);
        pixel.is_some_and(|[x, y]| within(x, options.nx) && within(y, options.ny))
    }

    /// Local maxima above a share of the highest, away from known sources.
    fn peaks(
        &self,
        wcs: &Wcs,
        image: &Array2<f32>,
        limit: f64,
        known: &[BrightSource],
        excluded: &[RaDec],
    ) -> Vec<BrightSource> {
        let (ny, nx) = image.dim();
        let rim = |n: usize| (n / 50).max(2);
        let inner = || (rim(ny)..ny - rim(ny)).flat_map(|y| (rim(nx)..nx - rim(nx)).map(move |x| (y, x)));
        let highest = inner().fold(0f32, |best, at| best.max(image[at]));
        let share = (1.5 * self.facts.far_sidelobe).clamp(0.25, 0.8);
        let floor = (limit as f32).max(share * highest);
        let mut found: Vec<(f32, usize, usize)> = inner()
            .filter(|&(y, x)| image[[y, x]] > floor && is_top(image, y, x))
            .map(|(y, x)| (image[[y, x]], y, x))
            .collect();
        found.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut out: Vec<BrightSource> = Vec::new();
        let room = self.params.most.saturating_sub(known.len());
        let apart = |a: RaDec, b: RaDec| a.separation_rad(b) > APART_BEAMS * self.beam.major_rad;
        for (value, y, x) in found {
            if out.len() == room {
                break;
            }
            let place = wcs.pixel_to_sky(top(image, y, x));
            // Near-in sidelobes of a brighter new one are not sources of the same round.
            let near = |s: &BrightSource| {
                place.separation_rad(s.position) < 3.0 * self.beam.major_rad
                    && f64::from(value) < 1.2 * f64::from(self.facts.max_sidelobe) * s.apparent_jy
            };
            if out.iter().any(near) {
                continue;
            }
            let free = known.iter().chain(&out).all(|s| apart(place, s.position))
                && excluded.iter().all(|p| apart(place, *p));
            if free {
                out.extend(self.candidate(place, f64::from(value)));
            }
        }
        out
    }

    fn candidate(&self, position: RaDec, apparent_jy: f64) -> Option<BrightSource> {
        let freq_hz = self.weights.mean_freq_hz;
        let power = self.power(position, freq_hz);
        let flux_jy = apparent_jy / power.max(LEAST_POWER);
        (power > LEAST_POWER).then_some(BrightSource {
            position,
            flux_jy,
            alpha: 0.0,
            freq_hz,
            apparent_jy,
            unsmeared_jy: apparent_jy,
        })
    }

    /// Mean beam power of the tile at one frequency.
    fn power(&self, position: RaDec, freq_hz: f64) -> f64 {
        let both = self.view.pointings.iter().zip(&self.weights.by_time);
        let (sum, total) = both.fold((0.0, 0.0), |(s, t), (p, w)| {
            (s + w * self.view.beam.power_towards(position, *p, freq_hz), t + w)
        });
        sum / total
    }
}

/// Mean over integrations and channels of flux times beam, weighted \[Jy\].
fn apparent(source: &BrightSource, view: View<'_>, weights: &Weights) -> f64 {
    let channels = weights.freq_hz.len();
    let step = (channels / 24).max(1);
    let spectrum = source.sky_source(0, 1.0).spectrum;
    let (mut sum, mut total) = (0.0, 0.0);
    for c in (step / 2..channels).step_by(step) {
        let f = weights.freq_hz[c];
        let flux = spectrum.flux_at_jy(f);
        for (pointing, w) in view.pointings.iter().zip(&weights.by_time) {
            let w = w * weights.by_channel[c];
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

fn is_top(image: &Array2<f32>, y: usize, x: usize) -> bool {
    let v = image[[y, x]];
    (y - 1..=y + 1).all(|q| (x - 1..=x + 1).all(|p| image[[q, p]] <= v))
}

/// Top of the paraboloid through a pixel and its neighbours, `[x, y]`.
fn top(image: &Array2<f32>, y: usize, x: usize) -> [f64; 2] {
    let at = |dy: usize, dx: usize| f64::from(image[[y + dy - 1, x + dx - 1]]);
    let step = |low: f64, here: f64, high: f64| {
        let bend = low + high - 2.0 * here;
        if bend < 0.0 {
            (0.5 * (low - high) / bend).clamp(-0.5, 0.5)
        } else {
            0.0
        }
    };
    [x as f64 + step(at(1, 0), at(1, 1), at(1, 2)), y as f64 + step(at(0, 1), at(1, 1), at(2, 1))]
}

/// Places and peaks on the pixels of an image.
pub(super) fn on_pixels(sources: &[BrightSource], wcs: &Wcs) -> Vec<([f64; 2], f64)> {
    sources.iter().filter_map(|s| wcs.sky_to_pixel(s.position).map(|xy| (xy, s.apparent_jy))).collect()
}
