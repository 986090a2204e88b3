//! Spectral terms: the visibilities times powers of `x = (f - f0) / f0` (Rau & Cornwell 2011, doi:10.1051/0004-6361/201117104).
//!
//! A sky `sum_q x^q M_q` has the residual images `G (C W x^t V - sum_q C W x^(t+q) C' M_q)`, `t` below the number of terms: the
//! compressed form of one term with other weights, and no further approximation.

use ndarray::{Array2, Axis};
use num_complex::Complex32;

use super::clean::Planes;
use super::grid::Compact;
use super::response::Response;
use super::{Error, Grid, Visibilities};
use crate::control::Control;

/// Compressed visibilities of the moments from the first on; the one of moment 0 belongs to the caller.
pub(super) struct TaylorTerms<'a> {
    grid: &'a Grid,
    sum: f64,
    terms: usize,
    x_f: Vec<f64>,
    higher: Vec<Compact>,
    /// Changes of the beam that models are seen through.
    response: Option<&'a Response<'a>>,
}

impl<'a> TaylorTerms<'a> {
    /// Pack the moments 1 to 2 n - 2; `sum` is the sum of the weights.
    pub(super) fn new(
        grid: &'a Grid,
        vis: &Visibilities,
        terms: usize,
        reference_hz: f64,
        sum: f64,
        response: Option<&'a Response<'a>>,
        control: &Control,
    ) -> Result<Self, Error> {
        let x_f: Vec<f64> = vis.freq_hz.iter().map(|f| (f - reference_hz) / reference_hz).collect();
        let mut out = Self { grid, sum, terms, x_f, higher: Vec::new(), response };
        for moment in 1..2 * terms.max(1) - 1 {
            out.higher.push(grid.pack_with(vis, out.weights(vis, moment).view(), control)?);
        }
        Ok(out)
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

    /// Packed residuals of each term; `exactly`: the models are seen through the beam of each integration.
    pub(super) fn less(
        &self,
        first: &Compact,
        models_yx: &[Array2<f32>],
        exactly: bool,
        control: &Control,
    ) -> Result<Vec<Vec<Complex32>>, Error> {
        let mut left: Vec<Vec<Complex32>> =
            (0..self.terms).map(|t| self.moment(first, t).samples().to_vec()).collect();
        for (q, model) in models_yx.iter().enumerate().filter(|(_, m)| m.iter().any(|v| *v != 0.0)) {
            let mut samples = self.grid.samples_of(model, control)?;
            if let Some(response) = self.response.filter(|_| exactly) {
                response.add(&mut samples, self.grid, model, control)?;
            }
            for (t, left) in left.iter_mut().enumerate() {
                *left = self.grid.less_from(self.moment(first, t + q), left, &samples);
            }
        }
        Ok(left)
    }

    /// Residual images of each term.
    pub(super) fn residuals(
        &self,
        first: &Compact,
        models_yx: &[Array2<f32>],
        exactly: bool,
        control: &Control,
    ) -> Result<Planes, Error> {
        let left = self.less(first, models_yx, exactly, control)?;
        left.iter().map(|samples| self.grid.dirty_of(samples, self.sum, control)).collect()
    }
}

/// Add to a model's samples those of its terms from the second on. A power of frequency is as smooth between the nodes as the
/// visibilities themselves, so their products need no finer nodes.
pub(super) fn add_terms(
    samples: &mut [Complex32],
    grid: &Grid,
    rows: usize,
    more_models_yx: &[Array2<f32>],
    reference_hz: f64,
    response: Option<&Response<'_>>,
    control: &Control,
) -> Result<(), Error> {
    for (model, power) in more_models_yx.iter().zip(1..) {
        let mut term = grid.samples_of(model, control)?;
        if let Some(response) = response {
            response.add(&mut term, grid, model, control)?;
        }
        for row in 0..rows {
            let at = grid.packed_row(row);
            for (k, f) in at.freq_hz.iter().enumerate() {
                samples[at.first + k] += term[at.first + k] * (f / reference_hz - 1.0).powi(power) as f32;
            }
        }
    }
    Ok(())
}
