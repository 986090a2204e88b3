//! Columns of one spectral window straight from their tile files, any rows at a time, into buffers that are used again.
//!
//! What [`MsReader::read`] does for a block, without allocating: for kernels that go through a window piece by piece on all cores.

use std::ops::Range;

use num_complex::Complex32;

use super::error::Error;
use super::reader::MsReader;
use super::request::{Column, ReadRequest};
use super::update::MsUpdate;
use crate::casatable::{Element, Tiles};
use crate::vis::{Channels, Product, Rows, Samples};

/// The tile files of one window's DATA (or another column), weights, flags and model.
pub struct WindowFiles {
    runs: Vec<Range<u64>>,
    rows: Rows,
    scan: Vec<i32>,
    flag_row: Vec<bool>,
    /// Channels, ascending.
    pub channels: Channels,
    /// Products.
    pub products: Vec<Product>,
    vis: Tiles,
    model: Option<Tiles>,
    weight: Tiles,
    /// Weights of DATA, where an application has kept them.
    sigma: Option<Tiles>,
    flag: Tiles,
}

/// What [`WindowFiles::read`] found beside the samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// All weights of DATA are kept in SIGMA_SPECTRUM.
    pub weights_kept: bool,
    /// Flags are not those of FLAG alone: FLAG_ROW, or samples that are no numbers.
    pub flags_differ: bool,
}

impl MsReader {
    /// The files of a window, or `None` where its layout needs [`MsReader::read`]: columns that only casacore can read, channels
    /// in descending order, rows with antenna1 > antenna2, no WEIGHT_SPECTRUM.
    ///
    /// # Errors
    /// As [`MsReader::read`].
    pub fn window_files(
        &self,
        spw: usize,
        column: Column,
        with_model: bool,
    ) -> Result<Option<WindowFiles>, Error> {
        let request = ReadRequest::new(spw, column);
        let id = self.description(&request)?;
        if self.meta().descending[spw] || !self.meta().has_column("WEIGHT_SPECTRUM") {
            return Ok(None);
        }
        let channels = self.meta().spws[spw].clone();
        let products = self.meta().data_descriptions[id].products.clone();
        let shape = [channels.freq_hz.len(), products.len()];
        let open = |name: &str| -> Result<Option<Tiles>, Error> {
            if !self.meta().has_column(name) {
                return Ok(None);
            }
            Ok(Tiles::open(&self.main, name, false)?.filter(|t| t.cell() == shape))
        };
        let (Some(vis), Some(weight), Some(flag)) =
            (open(column.name())?, open("WEIGHT_SPECTRUM")?, open("FLAG")?)
        else {
            return Ok(None);
        };
        let model = if with_model { open(Column::Model.name())? } else { None };
        if with_model && model.is_none() {
            return Ok(None);
        }
        let runs = self.main_rows(&request)?;
        let rows = self.rows(&runs)?;
        if rows.antenna1.iter().zip(&rows.antenna2).any(|(a, b)| a > b) {
            return Ok(None);
        }
        let scan = if self.meta().has_column("SCAN_NUMBER") {
            self.column("SCAN_NUMBER", &runs, 1)?
        } else {
            vec![1; rows.len()]
        };
        let flag_row = if self.meta().has_column("FLAG_ROW") {
            self.column("FLAG_ROW", &runs, 1)?
        } else {
            vec![false; rows.len()]
        };
        let sigma = if column == Column::Corrected { None } else { open("SIGMA_SPECTRUM")? };
        Ok(Some(WindowFiles {
            runs,
            rows,
            scan,
            flag_row,
            channels,
            products,
            vis,
            model,
            weight,
            sigma,
            flag,
        }))
    }
}

impl WindowFiles {
    /// Metadata of all rows of the window.
    pub fn rows(&self) -> &Rows {
        &self.rows
    }

    /// Scan of every row.
    pub fn scan(&self) -> &[i32] {
        &self.scan
    }

    /// Rows of MAIN behind rows of the window.
    pub fn main_rows(&self, rows: &Range<usize>) -> Vec<Range<u64>> {
        let (mut out, mut before) = (Vec::new(), 0);
        for run in &self.runs {
            let n = (run.end - run.start) as usize;
            let (a, b) = (rows.start.max(before), rows.end.min(before + n));
            if a < b {
                out.push(run.start + (a - before) as u64..run.start + (b - before) as u64);
            }
            before += n;
        }
        out
    }

    /// Read rows (counted within the window), in the conventions of [`MsReader::read`].
    ///
    /// # Errors
    /// [`Error::Os`] below.
    pub fn read(&self, rows: &[Range<usize>], samples: &mut Samples) -> Result<Found, Error> {
        let cell = self.channels.freq_hz.len() * self.products.len();
        let n: usize = rows.iter().map(Range::len).sum();
        fill(&self.vis, self, rows, cell, &mut samples.vis)?;
        fill(&self.flag, self, rows, cell, &mut samples.flag)?;
        match &self.model {
            Some(model) => fill(model, self, rows, cell, &mut samples.model)?,
            None => samples.model.clear(),
        }
        let weights_kept = self.weights(rows, cell, &mut samples.weight)?;
        let mut flags_differ = false;
        let all = rows.iter().cloned().flatten();
        for (k, row) in all.enumerate().take(n) {
            let span = k * cell..(k + 1) * cell;
            let (vis, flag) = (&mut samples.vis[span.clone()], &mut samples.flag[span.clone()]);
            if self.flag_row[row] {
                flags_differ |= flag.contains(&false);
                flag.fill(true);
            }
            flags_differ |= clean(vis, &mut samples.weight[span], flag);
        }
        Ok(Found { weights_kept, flags_differ })
    }

    /// Whether all came from SIGMA_SPECTRUM.
    fn weights(&self, rows: &[Range<usize>], cell: usize, weight: &mut Vec<f32>) -> Result<bool, Error> {
        let Some(sigma) = &self.sigma else {
            fill(&self.weight, self, rows, cell, weight)?;
            return Ok(false);
        };
        fill(sigma, self, rows, cell, weight)?;
        if weight.iter().all(|s| *s > 0.0) {
            weight.iter_mut().for_each(|s| *s = 1.0 / (*s * *s));
            return Ok(true);
        }
        let mut kept = Vec::new();
        fill(&self.weight, self, rows, cell, &mut kept)?;
        weight.iter_mut().zip(kept).for_each(|(s, w)| *s = if *s > 0.0 { 1.0 / (*s * *s) } else { w });
        Ok(false)
    }
}

fn fill<T: Element>(
    tiles: &Tiles,
    files: &WindowFiles,
    rows: &[Range<usize>],
    cell: usize,
    out: &mut Vec<T>,
) -> Result<(), Error> {
    let n: usize = rows.iter().map(Range::len).sum();
    out.resize(n * cell, T::ZERO);
    let mut rest = out.as_mut_slice();
    for range in rows {
        for run in files.main_rows(range) {
            let (part, tail) = rest.split_at_mut((run.end - run.start) as usize * cell);
            tiles.read(run, part)?;
            rest = tail;
        }
    }
    Ok(())
}

/// Visibilities that are not finite become zero and flagged, weights that make no sense zero and flagged.
fn clean(vis: &mut [Complex32], weight: &mut [f32], flag: &mut [bool]) -> bool {
    // All bits of the exponent are set in what is no finite number; one pass of integers tells whether there is anything to do.
    let strange = |x: f32| u32::from(x.to_bits() & 0x7f80_0000 == 0x7f80_0000);
    let visibilities = vis.iter().fold(0, |any, v| any | strange(v.re) | strange(v.im));
    let weights = weight.iter().fold(0, |any, w| any | strange(*w) | u32::from(*w < 0.0));
    if visibilities | weights == 0 {
        return false;
    }
    for ((v, w), f) in vis.iter_mut().zip(weight).zip(flag) {
        if !(v.re.is_finite() && v.im.is_finite()) {
            *v = Complex32::new(0.0, 0.0);
            *f = true;
        }
        if !w.is_finite() || *w < 0.0 {
            *w = 0.0;
            *f = true;
        }
    }
    true
}

impl MsUpdate<'_> {
    /// The tile file of a column, to be written by many threads; `None` where only casacore can write it.
    ///
    /// # Errors
    /// From the table.
    pub fn tiles(&mut self, name: &str, shape: [usize; 2]) -> Result<Option<Tiles>, Error> {
        self.set_mark()?;
        let tiles = Tiles::open(&self.main, name, true)?;
        Ok(tiles.filter(|t| t.cell() == shape && t.tile_channels() == shape[0] && t.rows_are_apart()))
    }

    /// Hand a written tile file back, to be synced by [`MsUpdate::finish`].
    pub fn written(&mut self, name: &str, tiles: Tiles) {
        self.tiles.insert(name.to_owned(), Some(tiles));
    }
}
