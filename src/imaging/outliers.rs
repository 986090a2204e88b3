//! Bright sources beyond the image: the sidelobes of the primary beam reach far, and so do theirs.
//!
//! A coarse image of the short baselines covers the main beam and the first sidelobe; what stands out of it outside of
//! the image is handed to the fit of bright sources, which needs no facet.

use ndarray::{Array2, Zip};

use super::bright_fit::Data;
use super::grid::Compact;
use super::{Error, Grid, GridOptions, Visibilities};
use crate::constants::SPEED_OF_LIGHT_M_S;
use crate::control::Control;
use crate::coords::RaDec;
use crate::deconvolution::PsfFacts;

/// Radius of the coarse field \[rad\]: past the first sidelobe of the 4.65 m dish (5.5 degrees at 1.4 GHz).
const REACH_RAD: f64 = 0.1;
/// Its pixel \[rad\]: a third of the core's beam.
const CELL_RAD: f64 = 1.5e-4;
/// Share of the pixel's Nyquist limit that baselines may reach.
const SHARE: f64 = 0.9;

/// The coarse field and its weights: those of the visibilities, short baselines only.
pub(super) struct Coarse {
    pub grid: Grid,
    weight_rf: Array2<f32>,
    sum: f64,
    compact: Compact,
    /// Highest sidelobe of its psf away from the main lobe.
    pub sidelobe: f64,
}

impl Coarse {
    /// `None` when no baseline is short enough.
    pub fn new(vis: &Visibilities, centre: RaDec, control: &Control) -> Result<Option<Self>, Error> {
        let n = ((2.0 * REACH_RAD / CELL_RAD) as usize).next_multiple_of(64);
        let options = GridOptions {
            nx: n,
            ny: n,
            cell_rad: CELL_RAD,
            epsilon: 1e-3,
            slant: None,
            field_rad: 0.0,
            max_memory_bytes: None,
        };
        let longest = SHARE / (2.0 * CELL_RAD);
        let mut weight_rf = vis.weight_rf.clone();
        Zip::from(weight_rf.rows_mut()).and(&vis.uvw_m).par_for_each(|mut row, [u, v, _]| {
            let per_hz = u.hypot(*v) / SPEED_OF_LIGHT_M_S;
            row.iter_mut()
                .zip(&vis.freq_hz)
                .filter(|(_, f)| per_hz * **f > longest)
                .for_each(|(w, _)| *w = 0.0);
        });
        let sum: f64 = weight_rf.rows().into_iter().map(|row| f64::from(row.sum())).sum();
        if sum <= 0.0 {
            return Ok(None);
        }
        // Rows without weight are not worth nodes of their own.
        let rows = vis.uvw_m.iter().zip(weight_rf.rows());
        let uvw_m = rows.map(|(b, w)| if w.iter().any(|w| *w > 0.0) { *b } else { [0.0; 3] }).collect();
        let short = Visibilities { uvw_m, freq_hz: vis.freq_hz.clone(), ..Visibilities::default() };
        let grid = Grid::new(&short, 0..vis.freq_hz.len(), centre, options)?;
        let compact = grid.pack_with(vis, weight_rf.view(), control)?;
        let psf_yx = grid.dirty_of(compact.unit_samples(), sum, control)?;
        // A psf that is none shows no source either.
        let sidelobe = PsfFacts::of(&psf_yx).map_or(1.0, |facts| f64::from(facts.far_sidelobe));
        Ok(Some(Self { grid, weight_rf, sum, compact, sidelobe }))
    }

    /// Take in visibilities that changed.
    pub fn update(&mut self, vis: &Visibilities, control: &Control) -> Result<(), Error> {
        self.compact.repack(&self.grid, vis, self.weight_rf.view(), control)
    }

    /// Take samples of a model out.
    pub fn take(&mut self, model: &[num_complex::Complex32]) {
        self.compact.take(&self.grid, model);
    }

    /// Image \[Jy/beam\].
    pub fn dirty(&self, control: &Control) -> Result<Array2<f32>, Error> {
        self.grid.dirty_of(self.compact.samples(), self.sum, control)
    }

    /// What sources far out are fitted on: the image's own compression is not made for them.
    pub fn data<'a>(&'a self, vis: &'a Visibilities) -> Data<'a> {
        Data { grid: &self.grid, vis, unit: self.compact.unit_samples(), left: self.compact.samples() }
    }
}
