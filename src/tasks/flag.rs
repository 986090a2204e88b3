//! Stage "flag": a list of flagging steps over a Measurement Set, window by window.

use std::collections::btree_map::Entry;
use std::collections::BTreeMap;
use std::path::PathBuf;

use ndarray::{Array3, ArrayView2};

use super::flag_selection::Chosen;
use super::input::Input;
use super::selection::{fields, windows, LOCK_WAIT};
use crate::control::Control;
use crate::coords::{ApparentFrame, Observatory};
use crate::error::Error;
use crate::flagging::rfi::RfiParams;
use crate::flagging::{run_recorded, Context, Layout, Manual, QuackMode, Step, StepReport};
use crate::kind::BadArgument;
use crate::ms::{Column, MsReader, MsUpdate, ReadRequest};
use crate::time::EarthOrientation;
use crate::vis::{UvRange, VisBlock};

/// What to flag.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlagParams {
    /// The Measurement Set.
    pub ms: PathBuf,
    /// Steps in their order.
    pub steps: Vec<StepRequest>,
    /// Forget all flags first (of the selected fields and windows).
    #[serde(default)]
    pub reset: bool,
    /// Fields, in CASA's words.
    #[serde(default)]
    pub field: String,
    /// Spectral windows, in CASA's words.
    #[serde(default)]
    pub spw: String,
    /// Visibilities to look at: `data` or `corrected`.
    #[serde(default = "data")]
    pub column: String,
    /// Count only.
    #[serde(default)]
    pub trial: bool,
    /// Count by time and channel as well.
    #[serde(default)]
    pub waterfall: bool,
    /// Directory for the record of which step flagged each sample: `bits.spwNN.npy`, u16, (row, channel, product); bits as in the
    /// report, bit 0 is what was flagged before.
    #[serde(default)]
    pub provenance: Option<PathBuf>,
}

fn data() -> String {
    "data".into()
}

/// A step by name with its parameters; those left out have the step's defaults.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(tag = "step", rename_all = "lowercase", deny_unknown_fields)]
pub enum StepRequest {
    /// [`Step::Zeros`].
    Zeros {},
    /// [`Step::Autos`].
    Autos {},
    /// [`Step::Clip`].
    Clip {
        /// Least amplitude.
        min: f64,
        /// Greatest amplitude.
        max: f64,
        /// Outside (default) or inside.
        outside: Option<bool>,
    },
    /// [`Step::DeadAntennas`].
    Dead {
        /// Fraction, 0.95.
        fraction: Option<f64>,
    },
    /// [`Step::BadChannels`].
    Channels {
        /// Fraction, 0.5.
        fraction: Option<f64>,
    },
    /// [`Step::Shadow`].
    Shadow {
        /// Tolerance, 0 \[m\].
        tolerance_m: Option<f64>,
    },
    /// [`Step::Quack`].
    Quack {
        /// Length, 2 \[s\].
        interval_s: Option<f64>,
        /// `beg`, `end`, `tail`, `endb`.
        mode: Option<String>,
    },
    /// [`Step::Elevation`].
    Elevation {
        /// Least \[deg\].
        lower_deg: Option<f64>,
        /// Greatest \[deg\].
        upper_deg: Option<f64>,
    },
    /// [`Step::UvRange`].
    Uvrange {
        /// In CASA's words.
        uvrange: String,
    },
    /// [`Step::Manual`].
    Manual {
        /// Antenna names; CASA's baselines (`24&103`) and all but some (`!24`) as well.
        antenna: Option<String>,
        /// Pairs of names, `24&103`, comma-separated.
        baseline: Option<String>,
        /// Windows and channels, `3:10~20;30`, comma-separated.
        spw: Option<String>,
        /// From, to, UTC \[MJD s\].
        time_range_mjd_s: Option<[f64; 2]>,
        /// Fields.
        field: Option<String>,
        /// Projected baseline lengths, in CASA's words.
        uvrange: Option<String>,
    },
    /// [`Step::Rfi`].
    Rfi {
        /// Fraction of noise that may be flagged, 2e-4.
        false_alarm: Option<f64>,
    },
    /// [`Step::Residual`].
    Residual {
        /// Sigma, 7.
        sigma: Option<f64>,
    },
    /// [`Step::Extend`].
    Extend {
        /// Fraction of times, 0 (off).
        grow_time: Option<f64>,
        /// Fraction of channels, 0 (off).
        grow_freq: Option<f64>,
        /// All products, true.
        products: Option<bool>,
    },
}

impl StepRequest {
    fn step(&self, reader: &dyn Input) -> Result<Step, Error> {
        Ok(match self {
            Self::Zeros {} => Step::Zeros,
            Self::Autos {} => Step::Autos,
            Self::Clip { min, max, outside } => {
                Step::Clip { min: *min, max: *max, outside: outside.unwrap_or(true) }
            }
            Self::Dead { fraction } => Step::DeadAntennas { fraction: fraction.unwrap_or(0.95) },
            Self::Channels { fraction } => Step::BadChannels { fraction: fraction.unwrap_or(0.5) },
            Self::Shadow { tolerance_m } => {
                let diameter_m = reader.meta().antennas.iter().map(|a| a.diameter_m).fold(0.0, f64::max);
                Step::Shadow { tolerance_m: tolerance_m.unwrap_or(0.0), diameter_m }
            }
            Self::Quack { interval_s, mode } => {
                let mode = match mode.as_deref().unwrap_or("beg") {
                    "beg" => QuackMode::Beg,
                    "end" => QuackMode::End,
                    "tail" => QuackMode::Tail,
                    "endb" => QuackMode::Endb,
                    other => return Err(bad("quackmode", "'beg', 'end', 'tail' or 'endb'", other)),
                };
                Step::Quack { interval_s: interval_s.unwrap_or(2.0), mode }
            }
            Self::Elevation { lower_deg, upper_deg } => Step::Elevation {
                lower_deg: lower_deg.unwrap_or(-90.0),
                upper_deg: upper_deg.unwrap_or(90.0),
            },
            Self::Uvrange { uvrange } => Step::UvRange(UvRange::parse(uvrange)?),
            Self::Manual { antenna, baseline, spw, time_range_mjd_s, field, uvrange } => {
                let chosen = Chosen {
                    antenna: antenna.as_deref().unwrap_or(""),
                    baseline: baseline.as_deref().unwrap_or(""),
                    spw: spw.as_deref().unwrap_or(""),
                    field: field.as_deref().unwrap_or(""),
                    uvrange: uvrange.as_deref().unwrap_or(""),
                };
                Step::Manual(Manual { time_range_mjd_s: *time_range_mjd_s, ..chosen.manual(reader)? })
            }
            Self::Rfi { false_alarm } => {
                let default = RfiParams::default();
                Step::Rfi(RfiParams { false_alarm: false_alarm.unwrap_or(default.false_alarm), ..default })
            }
            Self::Residual { sigma } => Step::Residual { sigma: sigma.unwrap_or(7.0) },
            Self::Extend { grow_time, grow_freq, products } => Step::Extend {
                grow_time: grow_time.unwrap_or(0.0),
                grow_freq: grow_freq.unwrap_or(0.0),
                products: products.unwrap_or(true),
            },
        })
    }
}

pub(super) fn bad(what: &str, expected: &str, found: &str) -> Error {
    crate::flagging::Error::from(BadArgument::new(what, expected, format!("'{found}'"))).into()
}

/// What was flagged.
#[derive(Clone, Debug, serde::Serialize)]
pub struct FlagReport {
    /// The Measurement Set.
    pub ms: PathBuf,
    /// One line a step.
    pub steps: Vec<StepReport>,
    /// Samples looked at.
    pub samples: u64,
    /// Flagged fraction before (and before a reset).
    pub before: f64,
    /// Flagged fraction of all samples after.
    pub after: f64,
    /// Flagged fraction of cross-correlations after.
    pub after_cross: f64,
    /// Flagged fraction of cross-correlations of each antenna with data.
    pub antennas: Vec<(String, f64)>,
    /// Flagged fraction of cross-correlations of each window.
    pub windows: Vec<(usize, f64)>,
    /// Flagged fraction of cross-correlations of each channel, window by window as in `windows`, channels ascending.
    pub channels: Vec<Vec<f64>>,
    /// Times \[UTC MJD s\] and the flagged fraction of their cross-correlations.
    pub times: Vec<(f64, f64)>,
    /// Flagged fraction of cross-correlations of each window, time (those of the window, ascending) and channel; empty unless asked for.
    pub waterfall: Vec<Vec<Vec<f64>>>,
    /// Lengths of baselines \[m\] (upper ends of steps of a factor 1.5) and the flagged fraction of their cross-correlations.
    pub lengths: Vec<(f64, f64)>,
}

/// Run the steps and write FLAG.
///
/// # Errors
/// A step that makes no sense, a selection without data, a lock, cancellation.
pub fn run(params: &FlagParams, control: &Control) -> Result<FlagReport, Error> {
    let reader = MsReader::open_to_write(&params.ms, LOCK_WAIT, control)?;
    let column = Column::from_name(&params.column)
        .ok_or_else(|| bad("column", "'data' or 'corrected'", &params.column))?;
    if column == Column::Corrected {
        reader.require_filled(column, control)?;
    }
    let flagger = Flagger::new(&params.steps, params.reset, &reader)?;
    let chosen_fields = fields(&reader, &params.field)?;
    let chosen = windows(&reader, &params.spw)?;
    control.expect(chosen.len() as u64);
    let mut update = if params.trial {
        None
    } else {
        Some(MsUpdate::begin(&reader, &["FLAG"], "contimg flag", LOCK_WAIT)?)
    };
    let mut tally = Tally::new(reader.meta().antennas.len());
    for spw in chosen {
        control.check()?;
        let request = ReadRequest {
            fields: chosen_fields.clone(),
            without_weights: true,
            ..ReadRequest::new(spw, column)
        };
        let mut block = reader.read(&request)?;
        tally.before(&block);
        let mut bits = params.provenance.is_some().then(|| Array3::zeros(block.flag_rfp.dim()));
        let reports = flagger.run(&mut block, &reader, bits.as_mut(), control)?;
        if let (Some(directory), Some(bits)) = (&params.provenance, &bits) {
            super::flag_bits::write(directory, spw, bits)?;
        }
        tally.after(&block, reports);
        if let Some(update) = &mut update {
            update.put_flags(&request, &block.flag_rfp)?;
        }
        control.advance(1);
    }
    if let Some(update) = update {
        super::flag_record::add(params, &tally.steps)?;
        update.finish()?;
    }
    Ok(tally.report(params, &reader))
}

/// Steps understood for one input, for block after block.
pub(super) struct Flagger {
    steps: Vec<Step>,
    reset: bool,
    needs_elevation: bool,
    needs_layout: bool,
}

impl Flagger {
    /// Steps by name become steps with numbers: antennas, fields and windows of `input`.
    pub(super) fn new(requests: &[StepRequest], reset: bool, input: &dyn Input) -> Result<Self, Error> {
        let steps: Vec<Step> = requests.iter().map(|s| s.step(input)).collect::<Result<_, _>>()?;
        let needs_elevation = steps.iter().any(|s| matches!(s, Step::Elevation { .. }));
        let needs_layout = steps.iter().any(|s| matches!(s, Step::Shadow { .. }));
        Ok(Self { steps, reset, needs_elevation, needs_layout })
    }

    /// Run the steps over one block; `bits_rfp` takes the step that flagged each sample.
    pub(super) fn run(
        &self,
        block: &mut VisBlock,
        input: &dyn Input,
        bits_rfp: Option<&mut Array3<u16>>,
        control: &Control,
    ) -> Result<Vec<StepReport>, Error> {
        let flagged = if self.reset { block.flag_rfp.outer_iter().map(count).sum() } else { 0 };
        if self.reset {
            // What cannot be read as a number stays flagged: reading flags it again.
            block.flag_rfp.fill(false);
        }
        let elevation = if self.needs_elevation { Some(elevations(input, block)?) } else { None };
        let layout = if self.needs_layout { Some(layout(input, block)?) } else { None };
        let context = Context {
            time_range_mjd_s: Some(input.meta().time_range_mjd_s),
            elevation_deg: elevation.as_deref(),
            layout: layout.as_ref(),
        };
        let mut reports = run_recorded(block, &self.steps, context, bits_rfp, control)?;
        if self.reset {
            reports.insert(0, cleared(block, flagged));
        }
        Ok(reports)
    }
}

/// The report's line of a reset: all flags there were are gone.
fn cleared(block: &VisBlock, before: u64) -> StepReport {
    StepReport {
        step: "reset".into(),
        bit: 0,
        parameters: serde_json::json!({}),
        samples: block.flag_rfp.len() as u64,
        before,
        added: 0,
    }
}

fn observatory(reader: &dyn Input) -> Result<Observatory, Error> {
    let meta = reader.meta();
    Ok(match meta.antennas.first() {
        Some(a) if !meta.telescope_is_known() => Observatory::from_itrf(a.itrf_m)?,
        _ => Observatory::dsa110(),
    })
}

/// Elevation of every row's phase centre \[deg\].
fn elevations(reader: &dyn Input, block: &VisBlock) -> Result<Vec<f64>, Error> {
    let earth = EarthOrientation::current().map_err(crate::coords::Error::from)?;
    let meta = reader.meta();
    let observatory = observatory(reader)?;
    let mut out: Vec<f64> = Vec::with_capacity(block.rows.len());
    let mut last = (f64::NAN, u32::MAX, 0.0);
    for k in 0..block.rows.len() {
        let (time, field) = (block.rows.time_mjd_s[k], block.rows.field[k]);
        if (last.0, last.1) != (time, field) {
            let frame = ApparentFrame::new(time, &observatory, &earth)?;
            last = (time, field, frame.icrs_to_azel(meta.fields[field as usize].centre).el_rad.to_degrees());
        }
        out.push(last.2);
    }
    Ok(out)
}

/// All antennas as the phase centres of the block see them.
fn layout(reader: &dyn Input, block: &VisBlock) -> Result<Layout, Error> {
    let earth = EarthOrientation::current().map_err(crate::coords::Error::from)?;
    let meta = reader.meta();
    let observatory = observatory(reader)?;
    let mut out =
        Layout { diameter_m: meta.antennas.iter().map(|a| a.diameter_m).collect(), ..Layout::default() };
    for (time, field) in block.rows.time_mjd_s.iter().zip(&block.rows.field) {
        if let Entry::Vacant(place) = out.uvw_m.entry((time.to_bits(), *field)) {
            let frame = ApparentFrame::new(*time, &observatory, &earth)?;
            let basis = frame.uvw_basis(meta.fields[*field as usize].centre);
            place.insert(meta.antennas.iter().map(|a| basis.uvw_m(a.itrf_m)).collect());
        }
    }
    Ok(out)
}

/// Ratio of the ends of a step of lengths.
const LENGTH_STEP: f64 = 1.5;

struct Tally {
    steps: Vec<StepReport>,
    samples: u64,
    before: u64,
    after: u64,
    cross: [u64; 2],
    antennas: Vec<[u64; 2]>,
    windows: Vec<(usize, f64)>,
    channels: Vec<Vec<f64>>,
    times: BTreeMap<u64, [u64; 2]>,
    waterfall: Vec<Vec<Vec<f64>>>,
    lengths: BTreeMap<i32, [u64; 2]>,
}

impl Tally {
    fn new(antennas: usize) -> Self {
        Self {
            steps: Vec::new(),
            samples: 0,
            before: 0,
            after: 0,
            cross: [0; 2],
            antennas: vec![[0; 2]; antennas],
            windows: Vec::new(),
            channels: Vec::new(),
            times: BTreeMap::new(),
            waterfall: Vec::new(),
            lengths: BTreeMap::new(),
        }
    }

    fn before(&mut self, block: &VisBlock) {
        self.samples += block.flag_rfp.len() as u64;
        self.before += block.flag_rfp.outer_iter().map(count).sum::<u64>();
    }

    fn after(&mut self, block: &VisBlock, reports: Vec<StepReport>) {
        if self.steps.is_empty() {
            self.steps = reports;
        } else {
            for (mine, other) in self.steps.iter_mut().zip(&reports) {
                mine.add(other);
            }
        }
        let mut window = [0u64; 2];
        let (_, nf, np) = block.flag_rfp.dim();
        let mut channels = vec![[0u64; 2]; nf];
        // Flagged of each channel, and all of one channel.
        let mut at_time: BTreeMap<u64, (Vec<u64>, u64)> = BTreeMap::new();
        for (row, flags) in block.flag_rfp.outer_iter().enumerate() {
            let flagged = count(flags);
            self.after += flagged;
            let (i, j) = (block.rows.antenna1[row] as usize, block.rows.antenna2[row] as usize);
            if i != j {
                let size = flags.len() as u64;
                // Modified Julian seconds are positive: their bits sort as they do.
                let when = block.rows.time_mjd_s[row].to_bits();
                let here = at_time.entry(when).or_insert_with(|| (vec![0; nf], 0));
                here.1 += np as u64;
                if flagged > 0 {
                    for (sum, sample) in here.0.iter_mut().zip(flags.outer_iter()) {
                        *sum += sample.iter().map(|f| u64::from(*f)).sum::<u64>();
                    }
                }
                let time = self.times.entry(when).or_default();
                let length = block.rows.uvw_m[row].iter().map(|x| x * x).sum::<f64>().sqrt().max(1.0);
                let step = self.lengths.entry((length.ln() / LENGTH_STEP.ln()).ceil() as i32).or_default();
                for count in [&mut window, &mut self.antennas[i], time, step] {
                    count[0] += flagged;
                    count[1] += size;
                }
                self.antennas[j][0] += flagged;
                self.antennas[j][1] += size;
            }
        }
        self.cross[0] += window[0];
        self.cross[1] += window[1];
        self.windows.push((block.channels.spw, fraction(window)));
        for (here, all) in at_time.values() {
            for (sum, flagged) in channels.iter_mut().zip(here) {
                *sum = [sum[0] + flagged, sum[1] + all];
            }
        }
        self.channels.push(channels.into_iter().map(fraction).collect());
        let rows =
            at_time.into_values().map(|(here, all)| here.into_iter().map(|n| fraction([n, all])).collect());
        self.waterfall.push(rows.collect());
    }

    fn report(self, params: &FlagParams, reader: &MsReader) -> FlagReport {
        let named = self.antennas.iter().enumerate().filter(|(_, c)| c[1] > 0);
        FlagReport {
            ms: params.ms.clone(),
            samples: self.samples,
            before: fraction([self.before, self.samples]),
            after: fraction([self.after, self.samples]),
            after_cross: fraction(self.cross),
            antennas: named.map(|(k, c)| (reader.meta().antennas[k].name.clone(), fraction(*c))).collect(),
            windows: self.windows,
            channels: self.channels,
            waterfall: if params.waterfall { self.waterfall } else { Vec::new() },
            times: self.times.into_iter().map(|(t, c)| (f64::from_bits(t), fraction(c))).collect(),
            lengths: self.lengths.into_iter().map(|(k, c)| (LENGTH_STEP.powi(k), fraction(c))).collect(),
            steps: self.steps,
        }
    }
}

/// Flagged samples of a row.
fn count(flags: ArrayView2<'_, bool>) -> u64 {
    match flags.as_slice() {
        // A row has fewer samples than 32 bits hold, and narrow sums take several at once.
        Some(flags) => u64::from(flags.iter().map(|f| u32::from(*f)).sum::<u32>()),
        None => flags.iter().map(|f| u64::from(*f)).sum(),
    }
}

fn fraction([part, all]: [u64; 2]) -> f64 {
    part as f64 / all.max(1) as f64
}
