//! A run of steps over a block.

use ndarray::{Array3, Zip};
use rayon::prelude::*;

use super::{antennas, extend, residual, rfi, samples, selection, Context, Error, Step};
use crate::control::Control;
use crate::kind::BadArgument;
use crate::vis::VisBlock;

/// What a step did.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct StepReport {
    /// Name of the step.
    pub step: String,
    /// Its bit in the record of provenance.
    pub bit: u16,
    /// Its parameters.
    pub parameters: serde_json::Value,
    /// Samples in the block.
    pub samples: u64,
    /// Flagged before.
    pub before: u64,
    /// Flagged by this step and not before.
    pub added: u64,
}

impl StepReport {
    /// Add the counts of another block.
    pub fn add(&mut self, other: &Self) {
        self.samples += other.samples;
        self.before += other.before;
        self.added += other.added;
    }
}

/// Flag a block in place, step by step.
///
/// # Errors
/// Arrays that do not fit, parameters out of range, a step without what it needs, cancellation.
pub fn run(
    block: &mut VisBlock,
    steps: &[Step],
    context: Context<'_>,
    control: &Control,
) -> Result<Vec<StepReport>, Error> {
    run_recorded(block, steps, context, None, control)
}

/// [`run`], and note in `bits_rfp` which step flagged each sample ([`Step::bit`]; bit 0: flagged before).
///
/// # Errors
/// As [`run`]; a record of another shape.
pub fn run_recorded(
    block: &mut VisBlock,
    steps: &[Step],
    context: Context<'_>,
    mut bits_rfp: Option<&mut Array3<u16>>,
    control: &Control,
) -> Result<Vec<StepReport>, Error> {
    let shape = block.vis_rfp.dim();
    if block.flag_rfp.dim() != shape
        || block.rows.len() != shape.0
        || block.products.len() != shape.2
        || block.channels.freq_hz.len() != shape.1
        || bits_rfp.as_ref().is_some_and(|bits| bits.dim() != shape)
    {
        let found = format!("flags {:?}, {} rows", block.flag_rfp.dim(), block.rows.len());
        return Err(BadArgument::new("block", format!("arrays that share the axes {shape:?}"), found).into());
    }
    if let Some(bits) = &mut bits_rfp {
        note(bits, block, 1);
    }
    let mut reports = Vec::new();
    let mut before = count(block);
    for step in steps {
        control.check()?;
        one(block, step, context, control)?;
        if let Some(bits) = &mut bits_rfp {
            note(bits, block, step.bit());
        }
        let after = count(block);
        reports.push(StepReport {
            step: step.name().to_owned(),
            bit: step.bit(),
            parameters: step.parameters(),
            samples: block.flag_rfp.len() as u64,
            before,
            added: after - before,
        });
        before = after;
    }
    Ok(reports)
}

/// Flagged samples without a bit get this one.
fn note(bits_rfp: &mut Array3<u16>, block: &VisBlock, bit: u16) {
    Zip::from(bits_rfp).and(&block.flag_rfp).for_each(|bits, flag| {
        if *flag && *bits == 0 {
            *bits = bit;
        }
    });
}

fn count(block: &VisBlock) -> u64 {
    /// Samples whose sum fits narrow lanes.
    const PART: usize = 1 << 12;
    let part = |flags: &[bool]| u64::from(flags.iter().map(|f| u16::from(*f)).sum::<u16>());
    match block.flag_rfp.as_slice() {
        Some(flags) => flags.par_chunks(64 * PART).map(|c| c.chunks(PART).map(part).sum::<u64>()).sum(),
        None => block.flag_rfp.iter().map(|f| u64::from(*f)).sum(),
    }
}

fn one(block: &mut VisBlock, step: &Step, context: Context<'_>, control: &Control) -> Result<(), Error> {
    match step {
        Step::Zeros => samples::zeros(block),
        Step::Autos => selection::rows(block, |rows, k| rows.antenna1[k] == rows.antenna2[k]),
        Step::Clip { min, max, outside } => {
            if !(min <= max) {
                return Err(BadArgument::new("clip", "min <= max", format!("{min}, {max}")).into());
            }
            samples::clip(block, *min as f32, *max as f32, *outside);
        }
        Step::DeadAntennas { fraction } => {
            antennas::dead(block, checked_fraction("dead antennas", *fraction)?)
        }
        Step::BadChannels { fraction } => antennas::channels(block, checked_fraction("channels", *fraction)?),
        Step::Shadow { tolerance_m, diameter_m } => {
            antennas::shadow(block, *tolerance_m, *diameter_m, context.layout);
        }
        Step::Quack { interval_s, mode } => {
            if !(*interval_s > 0.0) {
                return Err(BadArgument::new("quack", "a length above 0 s", interval_s).into());
            }
            selection::quack(block, *interval_s, *mode, context.time_range_mjd_s)
        }
        Step::Elevation { lower_deg, upper_deg } => {
            if !(lower_deg <= upper_deg) {
                let found = format!("{lower_deg}, {upper_deg}");
                return Err(BadArgument::new("elevation", "lower <= upper [deg]", found).into());
            }
            let Some(elevation) = context.elevation_deg.filter(|e| e.len() == block.rows.len()) else {
                return Err(BadArgument::new("elevation", "an elevation for every row", "none").into());
            };
            selection::rows(block, |_, k| !(elevation[k] >= *lower_deg && elevation[k] <= *upper_deg));
        }
        Step::UvRange(range) => selection::uvrange(block, *range),
        Step::Manual(manual) => selection::manual(block, manual)?,
        Step::Rfi(params) => rfi::flag(block, params, control)?,
        Step::Residual { sigma } if !(*sigma > 0.0) => {
            return Err(BadArgument::new("residual", "a limit above 0 sigma", sigma).into());
        }
        Step::Residual { sigma } => residual::clip(block, *sigma),
        Step::Extend { grow_time, grow_freq, products } => {
            extend::extend(
                block,
                (checked_fraction("grow_time", *grow_time)?, checked_fraction("grow_freq", *grow_freq)?),
                *products,
            );
        }
    }
    Ok(())
}

fn checked_fraction(what: &str, value: f64) -> Result<f64, Error> {
    if (0.0..=1.0).contains(&value) {
        Ok(value)
    } else {
        Err(BadArgument::new(what, "a fraction from 0 to 1", value).into())
    }
}
