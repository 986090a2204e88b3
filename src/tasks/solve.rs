//! Stage "solve": one calibration term from a Measurement Set and a model into a CASA table.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::input::Input;
use super::selection::{
    fields, lock_wait, lock_wait_s, ranked_antennas, windows_and_channels, LoadedTables, TableUse,
};
use super::sky::{ModelSky, Predictor};
use super::solve_refusal::flagged_fields;
use crate::calibration::bandpass::Smoothing;
use crate::calibration::{
    self, solve, Combine, Corruption, Intervals, Mode, Robust, RowKey, RowSet, Solint, SolveParams,
    SolveReport, Sums, Wanted, WindowSums,
};
use crate::caltable;
use crate::control::Control;
use crate::error::Error;
use crate::gains::{Antenna, GainTable, Observation, RefAntMode, Target, Term};
use crate::kind::BadArgument;
use crate::ms::{Column, MsReader, ReadRequest, WindowFiles};
use crate::vis::{Product, UvRange};

/// One solve, in CASA's vocabulary.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SolveRequest {
    /// The Measurement Set; not looked at when the visibilities are in memory.
    #[serde(default)]
    pub ms: PathBuf,
    /// The table to write.
    pub output: PathBuf,
    /// K, B or G.
    pub term: Term,
    /// `ap`, `p` or `a`.
    #[serde(default = "ap")]
    pub calmode: String,
    /// `inf`, `int` or a time.
    #[serde(default = "inf")]
    pub solint: String,
    /// Comma list of `scan`, `field`, `spw`.
    #[serde(default)]
    pub combine: String,
    /// Fields.
    #[serde(default)]
    pub field: String,
    /// Spectral windows, and channels of them (`0:5~42`): solutions of the other channels are flagged.
    #[serde(default)]
    pub spw: String,
    /// Projected baseline lengths.
    #[serde(default)]
    pub uvrange: String,
    /// Ranked names; a list of which none is there is refused.
    #[serde(default)]
    pub refant: String,
    /// Names behind them, in their order, of which a Measurement Set need not have all.
    #[serde(default)]
    pub refant_chain: String,
    /// `flex` or `strict`.
    #[serde(default = "flex")]
    pub refantmode: String,
    /// Least SNR.
    #[serde(default = "three")]
    pub minsnr: f64,
    /// Least baselines an antenna.
    #[serde(default = "four")]
    pub minblperant: usize,
    /// Normalise amplitudes.
    #[serde(default)]
    pub solnorm: bool,
    /// Gap to fill \[channels\].
    #[serde(default)]
    pub fillgaps: usize,
    /// Channels that share a bandpass solution; 0 and 1 are every channel.
    #[serde(default)]
    pub chanbin: usize,
    /// `none`, `hanning`, `boxcar`, `gaussian`, `polynomial`.
    #[serde(default)]
    pub smooth_type: String,
    /// Its width \[channels\] or degree.
    #[serde(default)]
    pub smooth_window: Option<f64>,
    /// `off`, `huber`, `student`.
    #[serde(default)]
    pub robust: String,
    /// Tables applied before the solve.
    #[serde(default)]
    pub gaintable: Vec<TableUse>,
    /// A sky model; without one MODEL_DATA is read.
    #[serde(default)]
    pub model: Option<ModelSky>,
    /// Replace an existing calibration table.
    #[serde(default)]
    pub overwrite: bool,
    /// Add the solutions to an existing calibration table of the same kind.
    #[serde(default)]
    pub append: bool,
    /// Longest wait for another step on the same Measurement Set \[s\].
    #[serde(default = "lock_wait_s")]
    pub lock_wait_s: f64,
}

fn ap() -> String {
    "ap".into()
}
fn inf() -> String {
    "inf".into()
}
fn flex() -> String {
    "flex".into()
}
fn three() -> f64 {
    3.0
}
fn four() -> usize {
    4
}

/// What came out.
#[derive(Clone, Debug, serde::Serialize)]
pub struct SolveOutcome {
    /// The table written.
    pub table: PathBuf,
    /// Names of the fields used.
    pub fields: Vec<String>,
    /// Times of the solutions, UTC \[MJD s\].
    pub times_mjd_s: Vec<f64>,
    /// The solver's own report.
    #[serde(flatten)]
    pub report: SolveReport,
}

/// Solve and write the table.
///
/// # Errors
/// A bad parameter, nothing to solve (saying what removed it), a zero model, no solution, a table that cannot be written.
pub fn run(request: &SolveRequest, control: &Control) -> Result<SolveOutcome, Error> {
    let wait = lock_wait(request.lock_wait_s)?;
    run_on(&MsReader::open_alone(&request.ms, wait, control)?, request, control)
}

/// As [`run`], on visibilities from anywhere.
pub(super) fn run_on(
    reader: &dyn Input,
    request: &SolveRequest,
    control: &Control,
) -> Result<SolveOutcome, Error> {
    let params = params(request, reader)?;
    if request.append && request.output.symlink_metadata().is_err() {
        return Err(bad("append", "an existing table to add to", request.output.display().to_string()));
    }
    if !request.overwrite && !request.append && request.output.symlink_metadata().is_ok() {
        return Err(bad(
            "output",
            "a path where nothing is (or permission to overwrite)",
            request.output.display().to_string(),
        ));
    }
    let (windows, channels_of) = windows_and_channels(reader, &request.spw)?;
    let job = Job {
        chosen_fields: fields(reader, &request.field)?,
        windows,
        channels_of,
        uvrange: UvRange::parse(&request.uvrange)?,
        tables: LoadedTables::load(&request.gaintable, reader)?,
        predictor: request.model.as_ref().map(|m| Predictor::new(m, reader.meta())).transpose()?,
        params,
        chanbin: request.chanbin,
        reader,
    };
    let (mut table, report) = job.solve(control)?;
    if let Some(first) = job.params.refant.first().map(|a| &reader.meta().antennas[*a].name) {
        if *first != report.refant && !report.refant.is_empty() {
            let ms = reader.meta().path.display();
            log::warn!(
                "{ms}: reference antenna '{first}' has too few solutions; '{}' is used",
                report.refant
            );
        }
    }
    table.history = vec![format!(
        "contimg solve: term {:?}, solint {}, combine '{}', field '{}', spw '{}', uvrange '{}', refant '{}', minsnr {}",
        request.term, request.solint, request.combine, request.field, request.spw, request.uvrange, request.refant, request.minsnr
    )];
    if request.append {
        let mut whole = caltable::read(&request.output)?;
        whole.append(table.clone())?;
        caltable::write(&request.output, &whole, true)?;
    } else {
        caltable::write(&request.output, &table, request.overwrite)?;
    }
    let names = job.chosen_fields.as_ref().map_or_else(
        || reader.meta().fields.iter().map(|f| f.name.clone()).collect(),
        |f| f.iter().map(|k| reader.meta().fields[*k as usize].name.clone()).collect(),
    );
    let times_mjd_s =
        table.windows.first().map(|w| w.slots.iter().map(|s| s.time_mjd_s).collect()).unwrap_or_default();
    Ok(SolveOutcome { table: request.output.clone(), fields: names, times_mjd_s, report })
}

fn bad(what: &str, expected: &str, found: impl Into<String>) -> Error {
    crate::calibration::Error::from(BadArgument::new(what, expected, found.into())).into()
}

fn params(request: &SolveRequest, reader: &dyn Input) -> Result<SolveParams, Error> {
    let quoted = |s: &str| format!("'{s}'");
    let mode = Mode::parse(&request.calmode)
        .ok_or_else(|| bad("calmode", "'ap', 'p' or 'a'", quoted(&request.calmode)))?;
    let combine = Combine::parse(&request.combine)
        .ok_or_else(|| bad("combine", "a comma list of 'scan', 'field', 'spw'", quoted(&request.combine)))?;
    let smoothing = Smoothing::parse(&request.smooth_type, request.smooth_window).ok_or_else(|| {
        bad(
            "smoothing",
            "'none', 'hanning', 'boxcar' or 'gaussian' and a width from 1 channel, or 'polynomial' and a degree from 0 to 15",
            quoted(&request.smooth_type),
        )
    })?;
    let robust = Robust::parse(&request.robust)
        .ok_or_else(|| bad("robust", "'off', 'huber' or 'student'", quoted(&request.robust)))?;
    let refant_mode = match request.refantmode.as_str() {
        "flex" | "" => RefAntMode::Flex,
        "strict" => RefAntMode::Strict,
        other => return Err(bad("refantmode", "'flex' or 'strict'", quoted(other))),
    };
    if !(request.minsnr >= 0.0) {
        return Err(bad("minsnr", "a number from 0", request.minsnr.to_string()));
    }
    Ok(SolveParams {
        mode,
        solint: Solint::parse(&request.solint)?,
        combine,
        minblperant: request.minblperant,
        minsnr: request.minsnr,
        refant: ranked_antennas(reader, &request.refant, &request.refant_chain)?,
        refant_mode,
        solnorm: request.solnorm,
        fillgaps: request.fillgaps,
        smoothing,
        robust,
        ..SolveParams::new(request.term)
    })
}

struct Job<'a> {
    reader: &'a dyn Input,
    params: SolveParams,
    chosen_fields: Option<Vec<u32>>,
    windows: Vec<usize>,
    /// Channels of the windows of which not all are used.
    channels_of: BTreeMap<usize, Vec<bool>>,
    uvrange: UvRange,
    tables: LoadedTables,
    predictor: Option<Predictor>,
    chanbin: usize,
}

impl Job<'_> {
    fn request(&self, spw: usize) -> ReadRequest {
        ReadRequest {
            fields: self.chosen_fields.clone(),
            with_model: self.predictor.is_none(),
            without_autos: true,
            ..ReadRequest::new(spw, Column::Data)
        }
    }

    fn solve(&self, control: &Control) -> Result<(GainTable, SolveReport), Error> {
        let files: Vec<Option<WindowFiles>> =
            self.windows.iter().map(|spw| self.files(*spw)).collect::<Result<_, _>>()?;
        let selected: Vec<Vec<Option<RowKey>>> =
            files.iter().map(|f| f.as_ref().map_or_else(Vec::new, |f| self.selected(f))).collect();
        let mut keys: Vec<RowKey> = selected.iter().flatten().flatten().copied().collect();
        for (spw, _) in self.windows.iter().zip(&files).filter(|(_, f)| f.is_none()) {
            keys.extend(self.reader.keys(&self.request(*spw))?);
        }
        if keys.is_empty() {
            let where_ = where_(&self.reader.meta().path, self.chosen_fields.as_deref());
            let reason = "the selection has no cross-correlations (a single antenna, or no rows)".to_owned();
            return Err(calibration::Error::NoData { where_, reason }.into());
        }
        let intervals = Intervals::new(keys, self.params.solint, self.params.combine)?;
        let merge = self.params.combine.spw && self.params.term != Term::K;
        control.expect(self.windows.len() as u64);
        let mut sums: Vec<Sums> = Vec::new();
        for ((spw, files), keys) in self.windows.iter().zip(files).zip(selected) {
            let window = match &files {
                Some(files) => {
                    self.sums_of_files(*spw, files, &intervals, &intervals.of_rows(&keys), control)?
                }
                None => self.sums_of_blocks(*spw, &intervals, control)?,
            };
            match sums.first_mut() {
                Some(first) if merge => first.merge(&window)?,
                _ => sums.push(window),
            }
            control.advance(1);
        }
        let windows: Vec<WindowSums<'_>> = self
            .windows
            .iter()
            .enumerate()
            .map(|(k, spw)| {
                let (freq_hz, width_hz) = self.channels(*spw);
                WindowSums { spw: *spw, freq_hz, width_hz, sums: &sums[if merge { 0 } else { k }] }
            })
            .collect();
        match solve(self.shell(), &windows, &intervals, &self.params, control) {
            Err(calibration::Error::NoData { where_, reason }) => {
                let fields = flagged_fields(self.reader, self.chosen_fields.as_deref(), &self.windows)?;
                let reason = if fields.is_empty() { reason } else { format!("{reason}; {fields}") };
                Err(calibration::Error::NoData { where_, reason }.into())
            }
            other => Ok(other?),
        }
    }

    /// Solution channels of a window and their widths: its own (in bins), or its middle for a gain.
    fn channels(&self, spw: usize) -> (Vec<f64>, Vec<f64>) {
        let c = &self.reader.meta().spws[spw];
        let n = c.freq_hz.len().max(1);
        let bin = match self.params.term {
            Term::G => n,
            Term::K => 1,
            // As many bins as the sums make of them: the last may be narrower.
            Term::B => n.div_ceil(n.div_ceil(self.chanbin.clamp(1, n))),
        };
        let mean = |f: &[f64]| f.iter().sum::<f64>() / f.len() as f64;
        (c.freq_hz.chunks(bin).map(mean).collect(), c.width_hz.chunks(bin).map(|w| w.iter().sum()).collect())
    }

    /// The window's files, where its layout and a model in MODEL_DATA allow to go through them piece by piece.
    fn files(&self, spw: usize) -> Result<Option<WindowFiles>, Error> {
        if self.predictor.is_some() {
            return Ok(None);
        }
        self.reader.window_files(spw, Column::Data, true)
    }

    /// What decides the interval of every row of a window; `None` for rows that are not selected.
    fn selected(&self, files: &WindowFiles) -> Vec<Option<RowKey>> {
        let chosen = |field: u32| self.chosen_fields.as_ref().is_none_or(|f| f.contains(&field));
        let rows = files.rows();
        (0..rows.len())
            .map(|k| {
                let used = rows.antenna1[k] != rows.antenna2[k] && chosen(rows.field[k]);
                used.then(|| RowKey {
                    time_mjd_s: rows.time_mjd_s[k],
                    interval_s: rows.interval_s[k],
                    field: rows.field[k] as i32,
                    scan: files.scan()[k],
                })
            })
            .collect()
    }

    fn empty_sums(&self, spw: usize, products: &[Product], intervals: &Intervals) -> Result<Sums, Error> {
        let parallel = products.iter().filter(|p| p.is_parallel());
        let receptors = parallel.map(|p| p.receptors().0 + 1).max().unwrap_or(1);
        let na = self.reader.meta().antennas.len();
        Ok(Sums::new(na, intervals.len(), self.channels(spw).0.len(), receptors)?)
    }

    fn sums_of_files(
        &self,
        spw: usize,
        files: &WindowFiles,
        intervals: &Intervals,
        of_row: &[Option<usize>],
        control: &Control,
    ) -> Result<Sums, Error> {
        let mut sums = self.empty_sums(spw, &files.products, intervals)?;
        let rows = files.rows();
        let gains = if self.tables.is_empty() || rows.is_empty() {
            None
        } else {
            let na = self.reader.meta().antennas.len();
            Some(self.tables.at_times(&files.channels, &files.products, &rows.time_mjd_s, na)?)
        };
        let corruption = gains.as_ref().map(|(grid, time_of_row)| Corruption { grid, time_of_row });
        let set = RowSet {
            rows,
            channels: &files.channels,
            products: &files.products,
            interval_of_row: of_row,
            wanted: self.wanted(spw),
        };
        sums.add_from(set, corruption, control, |ranges, samples| -> Result<(), Error> {
            files.read(ranges, samples)?;
            Ok(())
        })?;
        Ok(sums)
    }

    fn sums_of_blocks(&self, spw: usize, intervals: &Intervals, control: &Control) -> Result<Sums, Error> {
        let na = self.reader.meta().antennas.len();
        let mut sums: Option<Sums> = None;
        for rows in self.reader.row_blocks(spw) {
            control.check()?;
            let request = self.request(spw).rows(rows);
            let mut block = self.reader.read(&request)?;
            let sums = match &mut sums {
                Some(s) => s,
                empty => empty.insert(self.empty_sums(spw, &block.products, intervals)?),
            };
            if block.rows.is_empty() {
                continue;
            }
            if let Some(predictor) = &self.predictor {
                predictor.fill(&mut block, self.reader, control)?;
            }
            let keys: Vec<Option<RowKey>> = self.reader.keys(&request)?.into_iter().map(Some).collect();
            let of_row = intervals.of_rows(&keys);
            if self.tables.is_empty() {
                sums.add(&block, &of_row, self.wanted(spw), None, control)?;
            } else {
                let (grid, time_of_row) = self.tables.at(&block, na)?;
                let corruption = Corruption { grid: &grid, time_of_row: &time_of_row };
                sums.add(&block, &of_row, self.wanted(spw), Some(corruption), control)?;
            }
        }
        sums.ok_or_else(|| {
            crate::calibration::Error::NoData {
                where_: format!("spectral window {spw}"),
                reason: "it has no rows".into(),
            }
            .into()
        })
    }

    fn wanted(&self, spw: usize) -> Wanted<'_> {
        Wanted { uvrange: self.uvrange, channels: self.channels_of.get(&spw).map(Vec::as_slice) }
    }

    fn shell(&self) -> GainTable {
        let meta = self.reader.meta();
        let antennas = meta
            .antennas
            .iter()
            .map(|a| Antenna {
                name: a.name.clone(),
                station: a.station.clone(),
                position_m: a.itrf_m,
                dish_diameter_m: a.diameter_m,
                mount: a.mount.clone(),
            })
            .collect();
        let fields = meta
            .fields
            .iter()
            .map(|f| Target { name: f.name.clone(), centre: f.centre, time_mjd_s: f.time_mjd_s })
            .collect();
        let name = meta.path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        GainTable {
            term: self.params.term,
            name: where_(&meta.path, self.chosen_fields.as_deref()),
            antennas,
            fields,
            observation: Observation {
                telescope: meta.telescope.clone(),
                time_range_mjd_s: meta.time_range_mjd_s,
                ms_name: name,
            },
            windows: Vec::new(),
            history: Vec::new(),
        }
    }
}

/// Name of the data in messages.
fn where_(path: &Path, fields: Option<&[u32]>) -> String {
    match fields {
        None => path.display().to_string(),
        Some(f) => format!(
            "{} (fields {})",
            path.display(),
            f.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
        ),
    }
}
