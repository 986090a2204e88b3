//! Stage "apply": calibration tables onto DATA, into CORRECTED_DATA, FLAG and WEIGHT_SPECTRUM.
//!
//! Weights: WEIGHT_SPECTRUM belongs to CORRECTED_DATA and SIGMA_SPECTRUM to DATA, as CASA has it. The first application keeps the
//! raw weights in SIGMA_SPECTRUM, so that applying again starts from them.

use std::path::PathBuf;

use ndarray::Array3;

use super::selection::{fields, windows, LoadedTables, TableUse, LOCK_WAIT};
use crate::calibration::{apply, ApplyOptions, ApplyStats, Corruption};
use crate::casatable::{DataType, Table};
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
    let reader = MsReader::open_for_repair(&params.ms)?;
    let options = ApplyOptions::parse(&params.applymode, params.calwt).ok_or_else(|| {
        bad(BadArgument::new(
            "applymode",
            "'calflag', 'calonly', 'flagonly' or 'trial'",
            format!("'{}'", params.applymode),
        ))
    })?;
    if params.gaintable.is_empty() {
        return Err(bad(BadArgument::new("gaintable", "at least one table", "none")));
    }
    let tables = LoadedTables::load(&params.gaintable, &reader)?;
    let chosen_fields = fields(&reader, &params.field)?;
    let blocks: Vec<ReadRequest> = windows(&reader, &params.spw)?
        .into_iter()
        .flat_map(|spw| {
            reader.row_blocks(spw).into_iter().map(move |rows| ReadRequest::new(spw, Column::Data).rows(rows))
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
    let mut writer = Writer::begin(&reader, options)?;
    let mut totals = Totals::default();
    for request in &blocks {
        control.check()?;
        let mut block = reader.read(request)?;
        if block.rows.is_empty() {
            continue;
        }
        if let Some(writer) = &mut writer {
            writer.restore_weights(request, &mut block.weight_rfp)?;
        }
        let (grid, time_of_row) = tables.at(&block, reader.meta().antennas.len())?;
        let stats =
            apply(&mut block, Corruption { grid: &grid, time_of_row: &time_of_row }, options, control)?;
        totals.add(stats, &block);
        if let Some(writer) = &mut writer {
            writer.write(request, &block)?;
        }
        control.advance(1);
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

#[derive(Default)]
struct Totals {
    stats: ApplyStats,
    flagged: u64,
    amplitude: f64,
    count: u64,
}

impl Totals {
    fn add(&mut self, stats: ApplyStats, block: &crate::vis::VisBlock) {
        self.stats = self.stats.plus(stats);
        for row in 0..block.rows.len() {
            let cross = block.rows.antenna1[row] != block.rows.antenna2[row];
            let at = ndarray::Axis(0);
            for (v, bad) in block.vis_rfp.index_axis(at, row).iter().zip(block.flag_rfp.index_axis(at, row)) {
                self.flagged += u64::from(*bad);
                if cross && !*bad {
                    self.amplitude += f64::from(v.norm());
                    self.count += 1;
                }
            }
        }
    }
}

struct Writer<'a> {
    update: MsUpdate<'a>,
    reader: &'a MsReader,
    options: ApplyOptions,
    /// Raw weights are in SIGMA_SPECTRUM already.
    sigma: Option<Table>,
    has_weight_spectrum: bool,
}

impl<'a> Writer<'a> {
    /// `None` for a trial, which writes nothing.
    fn begin(reader: &'a MsReader, options: ApplyOptions) -> Result<Option<Self>, Error> {
        if !options.correct && !options.flag {
            return Ok(None);
        }
        let has_weight_spectrum = reader.meta().has_column("WEIGHT_SPECTRUM");
        let sigma = (options.calwt && reader.meta().has_column("SIGMA_SPECTRUM"))
            .then(|| Table::open(&reader.meta().path))
            .transpose()?;
        let mut columns = vec!["FLAG"];
        if options.correct {
            columns.push("CORRECTED_DATA");
        }
        if options.calwt && has_weight_spectrum {
            columns.push("WEIGHT_SPECTRUM");
        }
        let mut update = MsUpdate::begin(reader, &columns, "contimg apply", LOCK_WAIT)?;
        if options.correct && update.ensure_column("CORRECTED_DATA", DataType::Complex)? {
            copy_all(&mut update, reader, |u, request, block| {
                u.put_visibilities(Column::Corrected, request, &block.vis_rfp)
            })?;
        }
        if options.calwt && has_weight_spectrum && update.ensure_column("SIGMA_SPECTRUM", DataType::Float)? {
            copy_all(&mut update, reader, |u, request, block| {
                u.put_reals(
                    "SIGMA_SPECTRUM",
                    request,
                    &block.weight_rfp.mapv(|w| if w > 0.0 { 1.0 / w.sqrt() } else { 0.0 }),
                )
            })?;
        }
        Ok(Some(Self { update, reader, options, sigma, has_weight_spectrum }))
    }

    /// Weights of DATA, from SIGMA_SPECTRUM when an earlier application has scaled WEIGHT_SPECTRUM.
    fn restore_weights(&mut self, request: &ReadRequest, weight_rfp: &mut Array3<f32>) -> Result<(), Error> {
        let Some(sigma) = &self.sigma else { return Ok(()) };
        let mut values: Vec<f32> = Vec::with_capacity(weight_rfp.len());
        for run in self.reader.main_rows(request)? {
            values.extend(sigma.get::<f32>("SIGMA_SPECTRUM", run)?);
        }
        let Ok(mut sigma_rfp) = Array3::from_shape_vec(weight_rfp.dim(), values) else { return Ok(()) };
        if self.reader.meta().descending[request.spw] {
            sigma_rfp.invert_axis(ndarray::Axis(1));
        }
        weight_rfp.zip_mut_with(&sigma_rfp, |w, s| *w = if *s > 0.0 { 1.0 / (s * s) } else { 0.0 });
        Ok(())
    }

    fn write(&mut self, request: &ReadRequest, block: &crate::vis::VisBlock) -> Result<(), Error> {
        if self.options.correct {
            self.update.put_visibilities(Column::Corrected, request, &block.vis_rfp)?;
        }
        if self.options.flag {
            self.update.put_flags(request, &block.flag_rfp)?;
        }
        if self.options.calwt && self.has_weight_spectrum {
            self.update.put_reals("WEIGHT_SPECTRUM", request, &block.weight_rfp)?;
        }
        Ok(())
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
