//! Sources about the image, too faint to be fitted: what CLEAN left of the visibilities is imaged wider and coarser, and what stands
//! out of that beyond the image is taken out of them.
//!
//! The samples of compressed visibilities are made to hold a field to where the beam ends, so the wide image costs one gridding and
//! the subtraction a phasor a source and sample. Each source is seen through the beam of its integration and frequency, where
//! the beam is steepest. They come after CLEAN: the image's own sources would cover them.

use num_complex::Complex32;

use super::bright::{BrightSource, Hunt};
use super::bright_model::Model;
use super::bright_peaks::energy;
use super::grid::Compact;
use super::run::Run;
use super::{Error, Visibilities};
use crate::control::Control;
use crate::deconvolution::mad_rms;

/// Mean beam where the field ends: what is beyond is fainter by more, and the coarse search knows the sidelobe.
const FIELD_POWER: f64 = 0.07;
/// Peaks above this many times the noise are sources: three million pixels hold none by chance.
const SEED_SIGMA: f64 = 6.0;
/// Looks at the field, each down to a share of the brightest, and sources of one look.
const LOOKS: usize = 8;
const MOST: usize = 400;
/// Pixels across the minor axis of the beam.
const PIXELS: f64 = 4.0;
/// What is left holds nothing of many sigma but what is looked for, and that is looked for again: a per cent of it is no source.
const EPSILON: f64 = 3e-3;

/// Radius of the field about the image's centre \[rad\]: to where the beam has fallen, half the drift on top. None when the beam never
/// falls or the image ends beyond.
pub(super) fn field_radius(run: &Run<'_>) -> Option<f64> {
    let p = run.params;
    if !p.bright.search_outside || p.clean.niter == 0 {
        return None;
    }
    let freq_hz = run.weights.mean_freq_hz;
    let falls = |r: f64| p.beam.power(r.sin().powi(2), freq_hz) < FIELD_POWER;
    let beam_rad = (1..700).map(|i| 1e-4 * f64::from(i)).find(|r| falls(*r))?;
    let drift = p.pointings.iter().map(|at| at.separation_rad(p.centre)).fold(0.0, f64::max);
    let radius = beam_rad + 0.5 * drift;
    let half = 0.5 * p.grid.cell_rad * p.grid.nx.min(p.grid.ny) as f64;
    (radius > half).then_some(radius)
}

impl Hunt<'_> {
    /// Sources between the image and `radius`, and their samples; `left` are packed residuals less CLEAN's model.
    pub fn surroundings(
        &self,
        vis: &Visibilities,
        compact: &Compact,
        left: Vec<Complex32>,
        radius: f64,
        control: &Control,
    ) -> Result<(Vec<BrightSource>, Vec<Complex32>), Error> {
        let cell_rad = (self.beam.minor_rad / PIXELS).max(self.grid.options().cell_rad);
        let n = ((2.0 * radius / cell_rad) as usize).next_multiple_of(32);
        let field = self.grid.beside(n, cell_rad, EPSILON)?;
        let wcs = field.wcs();
        // Both images are of one projection: places differ by the size of their pixels only.
        let off = |p: usize| (p as f64 - (n / 2) as f64) * cell_rad;
        let beyond: Vec<bool> = (0..n * n)
            .map(|i| {
                let (l, m) = (off(i % n), off(i / n));
                l.hypot(m) < radius && !self.within(l, m)
            })
            .collect();
        let mut left = left;
        let (mut found, mut samples) = (Vec::new(), Vec::new());
        // What the last look found, until the next one shows that it was right.
        let mut pending: (Vec<BrightSource>, Vec<Complex32>) = (Vec::new(), Vec::new());
        let mut lowest = f64::INFINITY;
        for look in 0..LOOKS {
            let mut image_yx = field.dirty_of(&left, self.weights.sum, control)?;
            let outer: Vec<f32> =
                image_yx.iter().zip(&beyond).filter(|(_, b)| **b).map(|(v, _)| *v).collect();
            let noise = f64::from(mad_rms(outer.iter())).max(self.sigma_jy);
            image_yx.iter_mut().zip(&beyond).filter(|(_, b)| !**b).for_each(|(v, _)| *v = 0.0);
            // Sidelobes that were taken for sources make it worse.
            let now = energy(&image_yx);
            if now > lowest {
                log::debug!("surroundings: {} of the last look were no sources", pending.0.len());
                break;
            }
            lowest = now;
            settle(&mut found, &mut samples, &mut pending);
            let new = self.peaks(&wcs, &image_yx, SEED_SIGMA * noise, 0.0, &[], MOST);
            log::debug!(
                "surroundings, look {look}: {} sources above {:.2} mJy, noise {:.2} sigma",
                new.len(),
                1e3 * SEED_SIGMA * noise,
                noise / self.sigma_jy
            );
            if new.is_empty() {
                break;
            }
            let model = Model::new(self.view, vis, self.grid, &new.iter().collect::<Vec<_>>());
            let part = model.at_nodes(&new.iter().map(|s| s.flux_jy).collect::<Vec<_>>());
            left = self.grid.less_from(compact, &left, &part);
            pending = (new, part);
        }
        Ok((found, samples))
    }
}

/// What was found joins what is known.
fn settle(
    found: &mut Vec<BrightSource>,
    samples: &mut Vec<Complex32>,
    (new, part): &mut (Vec<BrightSource>, Vec<Complex32>),
) {
    if samples.is_empty() {
        *samples = std::mem::take(part);
    } else {
        samples.iter_mut().zip(part.iter()).for_each(|(s, p)| *s += p);
        part.clear();
    }
    found.append(new);
}
