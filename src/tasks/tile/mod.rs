//! The fast path: stages 2 to 6 and the photometry of one group in memory, from UVH5 files to images and forced fluxes.
//!
//! The same kernels run in the same order as on the staged path (convert, flag, solve, apply, image, measure), on a group that
//! looks like a Measurement Set ([`Source`]), so that the images are the same, bit for bit, for the same options and number of
//! threads. What is saved is the way to the disk and back: about 6 GB written and 8 GB read for a full tile. The Measurement
//! Set can be archived meanwhile.

mod fluxes;
mod source;

use std::path::PathBuf;
use std::sync::mpsc;

use serde::{Deserialize, Serialize};

pub use self::fluxes::PhotometryParams;
use self::source::{Source, Tally};
use super::convert::{self, ConvertParams, OpenGroup};
use super::flag::{Flagger, StepRequest};
use super::image::{self, ImageParams, ImageReport};
use super::input::Input;
use super::measure::MeasureReport;
use super::selection::{LoadedTables, TableUse};
use super::solve::{self, SolveOutcome, SolveRequest};
use crate::calibration::{ApplyOptions, ApplyStats};
use crate::constants::SUBBANDS;
use crate::control::Control;
use crate::flagging::StepReport;
use crate::imaging::{Outputs, Stopwatch, Timing};
use crate::kind::BadArgument;
use crate::Error;

/// One group and what is wanted of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TileParams {
    /// The files of the group, in any order.
    pub files: Vec<PathBuf>,
    /// What the caller knows about fringe-stopping, above what the files say.
    pub fringe_stopped: Option<bool>,
    /// Station list (CSV) instead of the one shipped with the package.
    pub antennas: Option<PathBuf>,
    /// Subbands of a complete group.
    pub expected_subbands: usize,
    /// Flagging steps.
    pub flag: Vec<StepRequest>,
    /// Forget the flags of the files first.
    pub reset_flags: bool,
    /// Calibration tables, in the order of the signal path.
    pub gaintable: Vec<TableUse>,
    /// No table is meant: the data are calibrated already.
    pub uncalibrated: bool,
    /// A gain of the group's own, solved on a sky model after the other tables and applied last.
    pub own_gain: Option<SolveRequest>,
    /// Scale weights by the gains.
    pub calwt: bool,
    /// `calflag`, `calonly` or `flagonly`.
    pub applymode: String,
    /// Tables further than this from the data in time are refused \[days\].
    pub max_age_days: f64,
    /// Tables further than this from the data in declination are refused \[degrees\].
    pub max_dec_deg: f64,
    /// The image; its `ms` and `datacolumn` are not looked at.
    pub image: ImageParams,
    /// The positions measured.
    pub photometry: PhotometryParams,
    /// Where to archive the Measurement Set (DATA as converted), written while the tile is imaged.
    pub archive: Option<PathBuf>,
    /// Replace an existing archive.
    pub overwrite: bool,
}

impl Default for TileParams {
    fn default() -> Self {
        Self {
            files: Vec::new(),
            fringe_stopped: None,
            antennas: None,
            expected_subbands: SUBBANDS,
            flag: vec![StepRequest::Zeros {}, StepRequest::Autos {}, StepRequest::Dead { fraction: None }],
            reset_flags: false,
            gaintable: Vec::new(),
            uncalibrated: false,
            own_gain: None,
            calwt: true,
            applymode: String::new(),
            max_age_days: 1.0,
            max_dec_deg: 5.0,
            image: ImageParams { nsigma: 5.0, subbands: SUBBANDS, ..ImageParams::default() },
            photometry: PhotometryParams::default(),
            archive: None,
            overwrite: false,
        }
    }
}

/// What was flagged.
#[derive(Clone, Debug, Serialize)]
pub struct TileFlags {
    /// One line a step.
    pub steps: Vec<StepReport>,
    /// Flagged fraction in the files.
    pub before: f64,
    /// Flagged fraction of all samples after the steps.
    pub after: f64,
}

/// What was made of the group.
#[derive(Clone, Debug, Serialize)]
pub struct TileReport {
    /// Images.
    pub image: ImageReport,
    /// Flags.
    pub flags: TileFlags,
    /// Tables applied.
    pub tables: Vec<PathBuf>,
    /// Counts of the application.
    pub applied: ApplyStats,
    /// The group's own gain.
    pub own_gain: Option<SolveOutcome>,
    /// Fluxes: the band, then the subbands ascending in frequency.
    #[serde(skip)]
    pub fluxes: Vec<MeasureReport>,
    /// Positions measured.
    pub positions: usize,
    /// Bytes of the files.
    pub input_bytes: u64,
    /// What a person should know.
    pub warnings: Vec<String>,
    /// Wall and CPU time of the stages, in their order, until the fluxes are there.
    pub stages: Vec<Timing>,
    /// From the call to the fluxes \[s\].
    pub latency_s: f64,
    /// The archived Measurement Set.
    pub archive: Option<PathBuf>,
    /// Why there is none although it was asked for; the images and fluxes are good.
    pub archive_error: Option<String>,
}

/// Take one group to images and fluxes.
///
/// # Errors
/// As the stages': damaged files, a table that is missing, of another array, band, date or declination, all data flagged, a
/// zero model, an image that makes no sense, a full disk, cancellation. No product is left then.
pub fn run(params: &TileParams, control: &Control) -> Result<TileReport, Error> {
    let begun = std::time::Instant::now();
    check(params)?;
    let (start, ready) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let archiving = params.archive.as_ref().map(|path| {
            let mut request = convert_params(params);
            request.output.clone_from(path);
            request.overwrite = params.overwrite;
            // Waits for the last window to be read: then the files are in the page cache and the imager has begun.
            scope.spawn(move || match ready.recv() {
                Ok(()) => Some(convert::run(&request, control)),
                Err(_) => None,
            })
        });
        let mut report = tile(params, start, control)?;
        report.latency_s = begun.elapsed().as_secs_f64();
        match archiving.map(std::thread::ScopedJoinHandle::join) {
            None | Some(Ok(None)) => {}
            Some(Ok(Some(Ok(made)))) => report.archive = Some(made.output),
            Some(Ok(Some(Err(error)))) => {
                control.check()?;
                report.archive_error = Some(error.to_string());
            }
            Some(Err(panic)) => std::panic::resume_unwind(panic),
        }
        Ok(report)
    })
}

fn check(params: &TileParams) -> Result<(), Error> {
    let bad = |what: &str, expected: &str, found: String| -> Result<(), Error> {
        Err(crate::calibration::Error::from(BadArgument::new(what, expected, found)).into())
    };
    if params.gaintable.is_empty() && params.own_gain.is_none() && !params.uncalibrated {
        return bad("gaintable", "at least one table (or `uncalibrated`)", "none".into());
    }
    for (what, value) in [("max_age_days", params.max_age_days), ("max_dec_deg", params.max_dec_deg)] {
        if !(value >= 0.0) {
            return bad(what, "a number from 0", value.to_string());
        }
    }
    let archived = params.archive.as_ref().filter(|p| !params.overwrite && p.symlink_metadata().is_ok());
    match archived {
        Some(path) => bad("archive", "a path where nothing is (or `overwrite`)", path.display().to_string()),
        None => Ok(()),
    }
}

fn convert_params(params: &TileParams) -> ConvertParams {
    ConvertParams {
        fringe_stopped: params.fringe_stopped,
        antennas: params.antennas.clone(),
        expected_subbands: params.expected_subbands,
        ..ConvertParams::new(params.files.clone(), PathBuf::new())
    }
}

fn tile(params: &TileParams, start: mpsc::Sender<()>, control: &Control) -> Result<TileReport, Error> {
    let mut watch = Stopwatch::new();
    let positions = params.photometry.positions()?;
    let options = ApplyOptions::parse(&params.applymode, params.calwt).ok_or_else(|| {
        let found = format!("'{}'", params.applymode);
        crate::calibration::Error::from(BadArgument::new(
            "applymode",
            "'calflag', 'calonly' or 'flagonly'",
            found,
        ))
    })?;
    let group = OpenGroup::open(&convert_params(params))?;
    let mut source = Source::new(&group, options, control);
    source.flagger = Some(Flagger::new(&params.flag, params.reset_flags, &source)?);
    let mut tables = params.gaintable.clone();
    LoadedTables::load(&tables, &source)?.require_near(&source, params.max_age_days, params.max_dec_deg)?;
    watch.lap("open");
    let own_gain = own_gain(params, &source, control)?;
    if let Some(own) = &own_gain {
        tables.push(TableUse { path: own.table.clone(), ..TableUse::default() });
        watch.lap("solve");
    }
    let column = if tables.is_empty() { "data" } else { "corrected" };
    source.tables = (!tables.is_empty()).then(|| LoadedTables::load(&tables, &source)).transpose()?;
    source.begin_counting(start);
    let imaging = ImageParams { ms: Vec::new(), datacolumn: column.into(), ..params.image.clone() };
    let made = image::make(&[&source as &dyn Input], &imaging, Outputs::default(), control)?;
    let tally = source.into_tally();
    watch.lap("image");
    let fluxes = fluxes::measure_all(made.images, made.middle_mjd_s, params, &positions, control)?;
    watch.lap("measure");
    let stages = stages(&watch.parts, &tally, &made.report.timings);
    Ok(TileReport {
        image: made.report,
        flags: TileFlags {
            before: tally.flagged_before as f64 / tally.samples.max(1) as f64,
            after: tally.flagged as f64 / tally.samples.max(1) as f64,
            steps: tally.steps,
        },
        tables: tables.into_iter().map(|t| t.path).collect(),
        applied: tally.applied,
        own_gain,
        fluxes,
        positions: positions.len(),
        input_bytes: group.bytes(),
        warnings: group.warnings().to_vec(),
        stages,
        latency_s: 0.0,
        archive: None,
        archive_error: None,
    })
}

fn own_gain(
    params: &TileParams,
    source: &Source<'_>,
    control: &Control,
) -> Result<Option<SolveOutcome>, Error> {
    let Some(request) = &params.own_gain else { return Ok(None) };
    let mut request = request.clone();
    if request.gaintable.is_empty() {
        request.gaintable.clone_from(&params.gaintable);
    }
    Ok(Some(solve::run_on(source, &request, control)?))
}

/// The imager's "read" is taken apart into what the source did and the gathering that is left.
fn stages(outer: &[Timing], tally: &Tally, imaging: &[Timing]) -> Vec<Timing> {
    let sum = |name: &str, parts: &[Timing]| {
        let of = parts.iter().filter(|t| t.name == name);
        let (wall_s, cpu_s) = of.fold((0.0, 0.0), |s, t| (s.0 + t.wall_s, s.1 + t.cpu_s));
        Timing { name: name.to_owned(), wall_s, cpu_s }
    };
    let mut stages: Vec<Timing> =
        outer.iter().filter(|t| t.name == "open" || t.name == "solve").cloned().collect();
    let mut gather = Timing { name: "gather".into(), ..sum("read", imaging) };
    for name in ["read", "flag", "apply"] {
        let part = sum(name, &tally.timings);
        gather.wall_s = (gather.wall_s - part.wall_s).max(0.0);
        gather.cpu_s = (gather.cpu_s - part.cpu_s).max(0.0);
        stages.push(part);
    }
    stages.push(gather);
    stages.extend(imaging.iter().filter(|t| t.name != "read").cloned());
    stages.push(sum("measure", outer));
    stages
}
