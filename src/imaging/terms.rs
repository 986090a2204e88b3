//! Spectral terms: the visibilities times powers of `x = (f - f0) / f0` (Rau & Cornwell 2011, doi:10.1051/0004-6361/201117104).
//!
//! A sky `sum_q x^q M_q` has the residual images `G (C W x^t V - sum_q C W x^(t+q) C' M_q)`, `t` below the number of terms: the
//! compressed form of one term with other weights, and no further approximation.

use std::cell::RefCell;

use ndarray::{Array2, Axis};
use num_complex::Complex32;

use super::clean_report::{Care, Planes};
use super::grid::Compact;
use super::response::Response;
use super::{Error, Grid, Visibilities};
use crate::control::Control;

/// A model whose flux differs by less than this share from one that was seen through the beam of each integration: the difference is
/// not, which leaves the same share of what the drift makes of the whole.
const SMALL_CHANGE: f64 = 0.1;
/// One that differs by more than this share has nothing to gain from it: a deep end that went wrong may be many times the model.
const OTHER_MODEL: f64 = 0.5;

/// Models by term, and their samples through the beam of each integration.
struct Seen {
    models_yx: Planes,
    samples: Vec<Vec<Complex32>>,
}

/// Compressed visibilities of the moments from the first on; the one of moment 0 belongs to the caller.
pub(super) struct TaylorTerms<'a> {
    grid: &'a Grid,
    sum: f64,
    terms: usize,
    x_f: Vec<f64>,
    higher: Vec<Compact>,
    /// The same image less accurately, for [`Care::Rough`] and for what is small.
    rough: &'a Grid,
    /// Changes of the beam that models are seen through.
    response: Option<&'a Response<'a>>,
    /// What was last computed exactly: later models are this and a difference, which costs one degridding where all costs three.
    seen: RefCell<Option<Seen>>,
}

impl<'a> TaylorTerms<'a> {
    /// Pack the moments 1 to 2 n - 2; `sum` is the sum of the weights.
    pub(super) fn new(
        [grid, rough]: [&'a Grid; 2],
        vis: &Visibilities,
        terms: usize,
        reference_hz: f64,
        sum: f64,
        response: Option<&'a Response<'a>>,
        control: &Control,
    ) -> Result<Self, Error> {
        let x_f: Vec<f64> = vis.freq_hz.iter().map(|f| (f - reference_hz) / reference_hz).collect();
        let (higher, seen) = (Vec::new(), RefCell::default());
        let mut out = Self { grid, sum, terms, x_f, higher, rough, response, seen };
        for moment in 1..2 * terms.max(1) - 1 {
            out.higher.push(grid.pack_with(vis, out.weights(vis, moment).view(), control)?);
        }
        Ok(out)
    }

    /// Error of rough residuals relative to the model.
    pub(super) fn rough_epsilon(&self) -> f64 {
        self.rough.options().epsilon
    }

    /// Visibilities changed under the same weights.
    pub(super) fn repack(&mut self, vis: &Visibilities, control: &Control) -> Result<(), Error> {
        for moment in 1..self.terms {
            let weight = self.weights(vis, moment);
            self.higher[moment - 1].repack(self.grid, vis, weight.view(), control)?;
        }
        Ok(())
    }

    fn weights(&self, vis: &Visibilities, moment: usize) -> Array2<f32> {
        let powers: Vec<f32> = self.x_f.iter().map(|x| x.powi(moment as i32) as f32).collect();
        let mut weight = vis.weight_rf.clone();
        ndarray::Zip::from(weight.axis_iter_mut(Axis(0))).par_for_each(|mut row| {
            row.iter_mut().zip(&powers).for_each(|(w, p)| *w *= p);
        });
        weight
    }

    fn moment<'b>(&'b self, first: &'b Compact, moment: usize) -> &'b Compact {
        if moment == 0 {
            first
        } else {
            &self.higher[moment - 1]
        }
    }

    /// Psfs of the moments from 1 on.
    pub(super) fn psfs(&self, control: &Control) -> Result<Planes, Error> {
        self.higher.iter().map(|c| self.grid.dirty_of(c.unit_samples(), self.sum, control)).collect()
    }

    /// Packed residuals of each term; of [`Care::Exact`] the models are seen through the beam of each integration.
    pub(super) fn less(
        &self,
        first: &Compact,
        models_yx: &[Array2<f32>],
        care: Care,
        control: &Control,
    ) -> Result<Vec<Vec<Complex32>>, Error> {
        let mut left: Vec<Vec<Complex32>> =
            (0..self.terms).map(|t| self.moment(first, t).samples().to_vec()).collect();
        for (q, samples) in self.samples(models_yx, care, control)?.iter().enumerate() {
            if samples.is_empty() {
                continue;
            }
            for (t, left) in left.iter_mut().enumerate() {
                *left = self.grid.less_from(self.moment(first, t + q), left, samples);
            }
        }
        Ok(left)
    }

    /// Samples of models by term, none of a model of zeros; of [`Care::Exact`] through the beam of each integration.
    pub(super) fn samples(
        &self,
        models_yx: &[Array2<f32>],
        care: Care,
        control: &Control,
    ) -> Result<Vec<Vec<Complex32>>, Error> {
        let exactly = care == Care::Exact;
        let grid = self.grid_for(care);
        let dark = |image: &Array2<f32>| image.iter().all(|v| *v == 0.0);
        let plain = |image: &Array2<f32>| {
            if dark(image) {
                Ok(Vec::new())
            } else {
                grid.samples_of(image, control)
            }
        };
        let Some(response) = self.response else { return models_yx.iter().map(plain).collect() };
        let size = |image: &Array2<f32>| image.iter().map(|v| f64::from(v.abs())).sum::<f64>();
        let alike = |b: &Seen| {
            let sizes = models_yx.iter().zip(&b.models_yx).map(|(new, old)| {
                let changed: f64 = new.iter().zip(old).map(|(a, b)| f64::from((a - b).abs())).sum();
                [changed, size(new)]
            });
            let [changed, all] = sizes.fold([0.0; 2], |[c, a], [changed, all]| [c + changed, a + all]);
            changed <= OTHER_MODEL * all
        };
        let base = self.seen.take().filter(alike);
        if base.is_none() && !exactly {
            return models_yx.iter().map(plain).collect();
        }
        let mut out = Vec::with_capacity(models_yx.len());
        for (q, model) in models_yx.iter().enumerate() {
            let known = base.as_ref().map(|b| (&b.models_yx[q], &b.samples[q]));
            let change = known.map_or_else(|| model.clone(), |(old, _)| model - old);
            let mut part = plain(&change)?;
            if exactly && !part.is_empty() && size(&change) > SMALL_CHANGE * size(model) {
                response.add(&mut part, [self.grid, self.rough], &change, control)?;
            }
            match known.map(|(_, old)| old).filter(|old| !old.is_empty()) {
                Some(old) if part.is_empty() => part.clone_from(old),
                Some(old) => part.iter_mut().zip(old).for_each(|(p, o)| *p += o),
                None => {}
            }
            out.push(part);
        }
        let next =
            if exactly { Some(Seen { models_yx: models_yx.to_vec(), samples: out.clone() }) } else { base };
        self.seen.replace(next);
        Ok(out)
    }

    /// Residual images of each term.
    pub(super) fn residuals(
        &self,
        first: &Compact,
        models_yx: &[Array2<f32>],
        care: Care,
        control: &Control,
    ) -> Result<Planes, Error> {
        let left = self.less(first, models_yx, care, control)?;
        let grid = self.grid_for(care);
        left.iter().map(|samples| grid.dirty_of(samples, self.sum, control)).collect()
    }

    fn grid_for(&self, care: Care) -> &Grid {
        if care == Care::Rough {
            self.rough
        } else {
            self.grid
        }
    }
}

/// Samples of all terms of a model as one. A power of frequency is as smooth between the nodes as the visibilities themselves, so
/// their products need no finer nodes.
pub(super) fn summed(
    mut by_term: Vec<Vec<Complex32>>,
    grid: &Grid,
    rows: usize,
    reference_hz: f64,
) -> Vec<Complex32> {
    let more = by_term.split_off(1);
    let mut sum = by_term.swap_remove(0);
    if sum.is_empty() {
        sum = vec![Complex32::default(); grid.samples()];
    }
    for (term, power) in more.iter().zip(1..).filter(|(term, _)| !term.is_empty()) {
        for row in 0..rows {
            let at = grid.packed_row(row);
            for (k, f) in at.freq_hz.iter().enumerate() {
                sum[at.first + k] += term[at.first + k] * (f / reference_hz - 1.0).powi(power) as f32;
            }
        }
    }
    sum
}
