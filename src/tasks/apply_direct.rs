//! Application straight from tile file to tile file, on all cores: each piece of rows is read, corrected and written once.

use std::ops::Range;

use rayon::prelude::*;

use super::apply::{sigma, Totals, Writer};
use crate::calibration::{ApplyOptions, Inverse};
use crate::casatable::Tiles;
use crate::control::Control;
use crate::error::Error;
use crate::gains::GainGrid;
use crate::ms::WindowFiles;
use crate::vis::Samples;

/// Rows of a piece: a multiple of eight, so that no byte of flags is shared, and enough for its weights to be written past the
/// page cache.
const PIECE_ROWS: usize = 4096;

/// The files of one window and where its results go.
pub(super) struct Direct<'a> {
    files: &'a WindowFiles,
    options: ApplyOptions,
    corrected: Option<Tiles>,
    weight: Option<Tiles>,
    sigma: Option<Tiles>,
    flag: Option<Tiles>,
}

impl<'a> Direct<'a> {
    /// `None` where a column's layout needs casacore.
    pub fn new(writer: &mut Writer<'_>, files: &'a WindowFiles) -> Result<Option<Self>, Error> {
        let shape = [files.channels.freq_hz.len(), files.products.len()];
        let mut missing = false;
        let (options, scale) = (writer.options, writer.scale);
        let mut open = |wanted: bool, name: &str| -> Result<Option<Tiles>, Error> {
            let tiles = if wanted { writer.update.tiles(name, shape)? } else { None };
            missing |= wanted && tiles.is_none();
            Ok(tiles)
        };
        let this = Self {
            corrected: open(options.correct, "CORRECTED_DATA")?,
            weight: open(scale, "WEIGHT_SPECTRUM")?,
            sigma: open(scale, "SIGMA_SPECTRUM")?,
            flag: open(options.flag, "FLAG")?,
            files,
            options,
        };
        Ok((!missing).then_some(this))
    }

    /// Correct all rows of the window with gains on a grid, given each row's time in it.
    pub fn run(
        self,
        writer: &mut Writer<'_>,
        (grid, time_of_row): (&GainGrid, &[usize]),
        totals: &mut Totals,
        control: &Control,
    ) -> Result<(), Error> {
        let inverse = Inverse::new(grid, &self.files.products);
        let n = self.files.rows().len();
        let pieces: Vec<Range<usize>> =
            (0..n).step_by(PIECE_ROWS).map(|a| a..(a + PIECE_ROWS).min(n)).collect();
        let done: Vec<(Totals, Vec<bool>)> = pieces
            .par_iter()
            .map(|rows| {
                control.check()?;
                self.piece(rows.clone(), &inverse, time_of_row)
            })
            .collect::<Result<_, Error>>()?;
        let mut whole = Vec::with_capacity(n);
        for (one, flags) in done {
            *totals = totals.plus(&one);
            whole.extend(flags);
        }
        if self.options.flag {
            writer.update.put_flag_rows(&self.files.main_rows(&(0..n)), &whole)?;
        }
        let columns = [
            ("CORRECTED_DATA", self.corrected),
            ("WEIGHT_SPECTRUM", self.weight),
            ("SIGMA_SPECTRUM", self.sigma),
            ("FLAG", self.flag),
        ];
        for (name, tiles) in columns {
            if let Some(tiles) = tiles {
                writer.update.written(name, tiles);
            }
        }
        Ok(())
    }

    fn piece(
        &self,
        rows: Range<usize>,
        inverse: &Inverse,
        time_of_row: &[usize],
    ) -> Result<(Totals, Vec<bool>), Error> {
        thread_local! {
            static SAMPLES: std::cell::Cell<(Samples, Vec<f32>)> = std::cell::Cell::default();
        }
        let (mut samples, mut sigmas) = SAMPLES.take();
        let meta = self.files.rows();
        let found = self.files.read(std::slice::from_ref(&rows), &mut samples)?;
        let keep = !found.weights_kept && self.sigma.is_some();
        sigmas.clear();
        if keep {
            sigmas.extend(samples.weight.iter().map(|w| sigma(*w)));
        }
        let (mut totals, mut changed) = (Totals::default(), found.flags_differ);
        let mut whole = Vec::with_capacity(rows.len());
        let cell = samples.vis.len() / rows.len().max(1);
        let lines = samples
            .vis
            .chunks_exact_mut(cell)
            .zip(samples.weight.chunks_exact_mut(cell))
            .zip(samples.flag.chunks_exact_mut(cell));
        for (row, ((vis, weight), flag)) in rows.clone().zip(lines) {
            let (i, j) = (meta.antenna1[row] as usize, meta.antenna2[row] as usize);
            let stats =
                inverse.correct((time_of_row[row], i, j), (&mut *vis, weight, &mut *flag), self.options);
            changed |= stats.without_solution > 0;
            totals.stats = totals.stats.plus(stats);
            totals.add_row(vis, flag, i != j);
            whole.push(flag.iter().all(|f| *f));
        }
        self.write(&rows, &samples, &sigmas, changed)?;
        SAMPLES.set((samples, sigmas));
        Ok((totals, whole))
    }

    fn write(
        &self,
        rows: &Range<usize>,
        samples: &Samples,
        sigmas: &[f32],
        changed: bool,
    ) -> Result<(), Error> {
        let cell = samples.vis.len() / rows.len().max(1);
        let mut at = 0;
        for run in self.files.main_rows(rows) {
            let span = at..at + (run.end - run.start) as usize * cell;
            at = span.end;
            if let Some(tiles) = &self.corrected {
                tiles.write(run.clone(), 0, &samples.vis[span.clone()])?;
            }
            // The weights of DATA are kept before those of CORRECTED_DATA take their place.
            if let Some(tiles) = self.sigma.as_ref().filter(|_| !sigmas.is_empty()) {
                tiles.write(run.clone(), 0, &sigmas[span.clone()])?;
            }
            if let Some(tiles) = &self.weight {
                tiles.write(run.clone(), 0, &samples.weight[span.clone()])?;
            }
            if let Some(tiles) = self.flag.as_ref().filter(|_| changed) {
                tiles.write_bits(run, &samples.flag[span])?;
            }
        }
        Ok(())
    }
}
