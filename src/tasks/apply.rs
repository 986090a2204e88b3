//! Stage "apply": calibration tables onto DATA, into CORRECTED_DATA, FLAG and WEIGHT_SPECTRUM.
//!
//! Weights: WEIGHT_SPECTRUM belongs to CORRECTED_DATA and SIGMA_SPECTRUM to DATA, as CASA has it. The first application keeps the
//! raw weights in SIGMA_SPECTRUM, so that applying again starts from them.

use std::path::PathBuf;

use ndarray::Array3;
use num_complex::Complex32;

use super::apply_direct::Direct;
use super::selection::{
    fields, lock_wait, lock_wait_s, max_age_days, max_dec_deg, windows, LoadedTables, TableUse, LOCK_WAIT,
};
use crate::calibration::{apply, ApplyOptions, ApplyStats, Corruption};
use crate::casatable::DataType;
use crate::control::Control;
use crate::error::Error;
use crate::kind::BadArgument;
use crate::ms::{Column, MsReader, MsUpdate, ReadRequest};

/// What to apply to what.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplyParams {
    /// The Measurement Set.
    pub ms: PathBuf,
    /// Tables, in the order of the signal path.
    pub gaintable: Vec<TableUse>,
    /// No tables: CORRECTED_DATA becomes DATA (CASA's `clearcal`).
    #[serde(default)]
    pub clear: bool,
    /// Fields, in CASA's words.
    #[serde(default)]
    pub field: String,
    /// Spectral windows, in CASA's words.
    #[serde(default)]
    pub spw: String,
    /// Scale weights by the gains.
    #[serde(default = "yes")]
    pub calwt: bool,
    /// `calflag`, `calonly`, `flagonly` or `trial`.
    #[serde(default)]
    pub applymode: String,
    /// Furthest that a table's solutions may be from the data in time \[days\].
    #[serde(default = "max_age_days")]
    pub max_age_days: f64,
    /// Furthest that a table's fields may be from the data's in declination \[degrees\].
    #[serde(default = "max_dec_deg")]
    pub max_dec_deg: f64,
    /// Longest wait for another step on the same Measurement Set \[s\].
    #[serde(default = "lock_wait_s")]
    pub lock_wait_s: f64,
}

fn yes() -> bool {
    true
}

/// What was done.
#[derive(Clone, Debug, serde::Serialize)]
pub struct ApplyReport {
    /// The Measurement Set.
    pub ms: PathBuf,
    /// Tables applied.
    pub tables: Vec<PathBuf>,
    /// Counts.
    #[serde(flatten)]
    pub stats: ApplyStats,
    /// Flagged fraction afterwards.
    pub flagged_fraction: f64,
    /// Mean amplitude of unflagged corrected cross-correlations.
    pub mean_amplitude: f64,
}

/// Apply tables.
///
/// # Errors
/// A table that does not fit the data, a lock, a selection without data, cancellation (the columns then bear the mark of an
/// interrupted write, and the same call repairs them).
pub fn run(params: &ApplyParams, control: &Control) -> Result<ApplyReport, Error> {
    let bad = |e: BadArgument| Error::from(crate::calibration::Error::from(e));
    let reader = MsReader::open_to_write(&params.ms, lock_wait(params.lock_wait_s)?, control)?;
    let options = ApplyOptions::parse(&params.applymode, params.calwt).ok_or_else(|| {
        bad(BadArgument::new(
            "applymode",
            "'calflag', 'calonly', 'flagonly' or 'trial'",
            format!("'{}'", params.applymode),
        ))
    })?;
    if params.gaintable.is_empty() != params.clear {
        let expected = if params.clear { "no table beside clear" } else { "at least one table" };
        let found = format!("{} tables", params.gaintable.len());
        return Err(bad(BadArgument::new("gaintable", expected, found)));
    }
    let tables = LoadedTables::load(&params.gaintable, &reader)?;
    for (what, value) in [("max_age_days", params.max_age_days), ("max_dec_deg", params.max_dec_deg)] {
        if !(value >= 0.0) {
            return Err(bad(BadArgument::new(what, "a number from 0", value)));
        }
    }
    tables.require_near(&reader, params.max_age_days, params.max_dec_deg)?;
    let chosen_fields = fields(&reader, &params.field)?;
    let chosen = windows(&reader, &params.spw)?;
    let blocks: Vec<ReadRequest> = chosen
        .iter()
        .flat_map(|spw| {
            reader.row_blocks(*spw).into_iter().map(|rows| ReadRequest::new(*spw, Column::Data).rows(rows))
        })
        .map(|request| ReadRequest { fields: chosen_fields.clone(), ..request })
        .collect();
    // A table of another band must fail before the first column is touched.
    for request in &blocks {
        let probe = reader.read(&ReadRequest {
            rows: request.rows.clone().map(|r| r.start..(r.start + 1).min(r.end)),
            ..request.clone()
        })?;
        tables.at(&probe, reader.meta().antennas.len())?;
    }
    control.expect(blocks.len() as u64);
    let whole = chosen_fields.is_none();
    let mut writer = Writer::begin(&reader, options, whole && chosen.len() == reader.windows().len())?;
    let mut totals = Totals::default();
    for spw in &chosen {
        let steps = blocks.iter().filter(|b| b.spw == *spw);
        if let (true, Some(writer)) = (whole, &mut writer) {
            if let Some(files) = reader.window_files(*spw, Column::Data, false)? {
                if let Some(direct) = Direct::new(writer, &files)? {
                    let (grid, time_of_row) = tables.at_times(
                        &files.channels,
                        &files.products,
                        &files.rows().time_mjd_s,
                        reader.meta().antennas.len(),
                    )?;
                    direct.run(writer, (&grid, &time_of_row), &mut totals, control)?;
                    control.advance(steps.count() as u64);
                    continue;
                }
            }
        }
        for request in steps {
            control.check()?;
            let mut block = reader.read(request)?;
            if block.rows.is_empty() {
                continue;
            }
            let (grid, time_of_row) = tables.at(&block, reader.meta().antennas.len())?;
            let raw = block.weight_rfp.clone();
            let corruption = Corruption { grid: &grid, time_of_row: &time_of_row };
            let stats = apply(&mut block, corruption, options, control)?;
            totals.add(stats, &block);
            if let Some(writer) = &mut writer {
                writer.write(request, &block, &raw)?;
            }
            control.advance(1);
        }
    }
    if let Some(writer) = writer {
        writer.update.finish()?;
    }
    Ok(ApplyReport {
        ms: params.ms.clone(),
        tables: params.gaintable.iter().map(|t| t.path.clone()).collect(),
        stats: totals.stats,
        flagged_fraction: totals.flagged as f64 / totals.stats.samples.max(1) as f64,
        mean_amplitude: if totals.count > 0 { totals.amplitude / totals.count as f64 } else { 0.0 },
    })
}

#[derive(Clone, Copy, Default)]
pub(super) struct Totals {
    pub stats: ApplyStats,
    flagged: u64,
    amplitude: f64,
    count: u64,
}

impl Totals {
    /// Add a row of cross-correlations or, for its flags alone, of autocorrelations.
    pub fn add_row(&mut self, vis: &[Complex32], flag: &[bool], cross: bool) {
        let bad = flag.iter().filter(|f| **f).count() as u64;
        self.flagged += bad;
        if cross {
            let sum: f32 =
                vis.iter().zip(flag).map(|(v, f)| if *f { 0.0 } else { v.norm_sqr().sqrt() }).sum();
            self.amplitude += f64::from(sum);
            self.count += flag.len() as u64 - bad;
        }
    }

    /// Sum of two.
    pub fn plus(mut self, other: &Self) -> Self {
        self.stats = self.stats.plus(other.stats);
        self.flagged += other.flagged;
        self.amplitude += other.amplitude;
        self.count += other.count;
        self
    }

    fn add(&mut self, stats: ApplyStats, block: &crate::vis::VisBlock) {
        self.stats = self.stats.plus(stats);
        for row in 0..block.rows.len() {
            let cross = block.rows.antenna1[row] != block.rows.antenna2[row];
            let at = ndarray::Axis(0);
            let (vis, flag) = (block.vis_rfp.index_axis(at, row), block.flag_rfp.index_axis(at, row));
            if let (Some(vis), Some(flag)) = (vis.as_slice(), flag.as_slice()) {
                self.add_row(vis, flag, cross);
            }
        }
    }
}

pub(super) struct Writer<'a> {
    pub update: MsUpdate<'a>,
    pub options: ApplyOptions,
    /// Weights are scaled, and those of DATA kept in SIGMA_SPECTRUM.
    pub scale: bool,
}

impl<'a> Writer<'a> {
    /// `None` for a trial, which writes nothing. With `everything` all rows of all windows will be written.
    fn begin(reader: &'a MsReader, options: ApplyOptions, everything: bool) -> Result<Option<Self>, Error> {
        if !options.correct && !options.flag {
            return Ok(None);
        }
        let scale = options.correct && options.calwt && reader.meta().has_column("WEIGHT_SPECTRUM");
        let mut columns = vec!["FLAG"];
        if options.correct {
            columns.push("CORRECTED_DATA");
        }
        if scale {
            columns.extend(["WEIGHT_SPECTRUM", "SIGMA_SPECTRUM"]);
        }
        let mut update = MsUpdate::begin(reader, &columns, "contimg apply", LOCK_WAIT)?;
        // Rows that are not selected keep DATA and its weights.
        if options.correct && update.ensure_column("CORRECTED_DATA", DataType::Complex)? && !everything {
            copy_all(&mut update, reader, |u, request, block| {
                u.put_visibilities(Column::Corrected, request, &block.vis_rfp)
            })?;
        }
        if scale && update.ensure_column("SIGMA_SPECTRUM", DataType::Float)? && !everything {
            copy_all(&mut update, reader, |u, request, block| {
                u.put_reals("SIGMA_SPECTRUM", request, &block.weight_rfp.mapv(sigma))
            })?;
        }
        Ok(Some(Self { update, options, scale }))
    }

    fn write(
        &mut self,
        request: &ReadRequest,
        block: &crate::vis::VisBlock,
        raw: &Array3<f32>,
    ) -> Result<(), Error> {
        if self.options.correct {
            self.update.put_visibilities(Column::Corrected, request, &block.vis_rfp)?;
        }
        if self.options.flag {
            self.update.put_flags(request, &block.flag_rfp)?;
        }
        if self.scale {
            // The weights of DATA are safe before those of CORRECTED_DATA take their place: the former may be in casacore's
            // memory (a new column's cells have no place in its file yet), the latter go to theirs at once.
            self.update.put_reals("SIGMA_SPECTRUM", request, &raw.mapv(sigma))?;
            self.update.flush()?;
            self.update.put_reals("WEIGHT_SPECTRUM", request, &block.weight_rfp)?;
        }
        Ok(())
    }
}

/// The error of a weight; 0 stands for a weight of none.
pub(super) fn sigma(weight: f32) -> f32 {
    if weight > 0.0 {
        1.0 / weight.sqrt()
    } else {
        0.0
    }
}

fn copy_all(
    update: &mut MsUpdate<'_>,
    reader: &MsReader,
    mut put: impl FnMut(&mut MsUpdate<'_>, &ReadRequest, &crate::vis::VisBlock) -> Result<(), crate::ms::Error>,
) -> Result<(), Error> {
    for spw in reader.windows() {
        for rows in reader.row_blocks(spw) {
            let request = ReadRequest::new(spw, Column::Data).rows(rows);
            put(update, &request, &reader.read(&request)?)?;
        }
    }
    Ok(())
}
