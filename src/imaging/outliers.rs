//! Bright sources beyond the image: the sidelobes of the primary beam reach far, and so do theirs.
//!
//! A coarse image of the short baselines covers the main beam and the first sidelobe; what stands out of it outside of
//! the image is handed to the fit of bright sources, which needs no facet.

use ndarray::{Array2, Zip};

use super::bright_fit::Data;
use super::grid::Compact;
use super::timing::Stopwatch;
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

/// The coarse field: short baselines only.
pub(super) struct Coarse {
    pub grid: Grid,
    /// Rows of the short baselines, without their visibilities.
    rows: Visibilities,
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
        let mut watch = Stopwatch::new();
        let mut short = short_rows(vis);
        watch.lap("rows");
        let sum: f64 = short.weight_rf.rows().into_iter().map(|row| f64::from(row.sum())).sum();
        if sum <= 0.0 {
            return Ok(None);
        }
        let grid = Grid::new(&short, 0..vis.freq_hz.len(), centre, options)?;
        watch.lap("plan");
        let compact = grid.pack(&short, control)?;
        watch.lap("compress");
        (short.vis_rf, short.weight_rf) = Default::default();
        let psf_yx = grid.dirty_of(compact.unit_samples(), sum, control)?;
        // A psf that is none shows no source either.
        let sidelobe = PsfFacts::of(&psf_yx).map_or(1.0, |facts| f64::from(facts.far_sidelobe));
        watch.lap("psf");
        log::debug!("coarse field: {} rows, {}; {:?}", short.uvw_m.len(), watch.summary(), grid.summary());
        Ok(Some(Self { grid, rows: short, sum, compact, sidelobe }))
    }

    /// The rows that [`Self::grid`] is of.
    pub fn rows(&self) -> &Visibilities {
        &self.rows
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
    pub fn data(&self) -> Data<'_> {
        Data {
            grid: &self.grid,
            vis: &self.rows,
            unit: self.compact.unit_samples(),
            left: self.compact.samples(),
        }
    }
}

/// Rows with channels short of what the coarse pixel can hold, the others' weights zero.
fn short_rows(vis: &Visibilities) -> Visibilities {
    let longest = SHARE / (2.0 * CELL_RAD);
    let lowest_hz = vis.freq_hz.iter().copied().fold(f64::INFINITY, f64::min);
    let length = |r: usize| vis.uvw_m[r][0].hypot(vis.uvw_m[r][1]) / SPEED_OF_LIGHT_M_S;
    let rows: Vec<usize> = (0..vis.uvw_m.len()).filter(|r| length(*r) * lowest_hz <= longest).collect();
    let shape = (rows.len(), vis.freq_hz.len());
    let mut out = Visibilities {
        uvw_m: rows.iter().map(|r| vis.uvw_m[*r]).collect(),
        time_of_row: rows.iter().map(|r| vis.time_of_row[*r]).collect(),
        pairs: rows.iter().map(|r| vis.pairs[*r]).collect(),
        freq_hz: vis.freq_hz.clone(),
        width_hz: vis.width_hz.clone(),
        times: vis.times.clone(),
        antenna_itrf_m: vis.antenna_itrf_m.clone(),
        frames: vis.frames.clone(),
        vis_rf: Array2::zeros(shape),
        weight_rf: Array2::zeros(shape),
    };
    Zip::from(out.vis_rf.rows_mut()).and(out.weight_rf.rows_mut()).and(&rows).par_for_each(
        |mut own, mut weight, r| {
            own.assign(&vis.vis_rf.row(*r));
            let longest_hz = longest / length(*r);
            weight
                .iter_mut()
                .zip(vis.weight_rf.row(*r))
                .zip(&vis.freq_hz)
                .filter(|(_, f)| **f <= longest_hz)
                .for_each(|((w, from), _)| *w = *from);
        },
    );
    out
}
