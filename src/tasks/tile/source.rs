//! The group as an input of the stages: read, flagged and calibrated on demand, never written.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{mpsc, Mutex, PoisonError};

use ndarray::Array3;

use crate::calibration::{apply, ApplyOptions, ApplyStats, Corruption, RowKey};
use crate::control::Control;
use crate::flagging::StepReport;
use crate::imaging::{Stopwatch, Timing};
use crate::kind::BadArgument;
use crate::ms::{Column, Meta, ReadRequest};
use crate::tasks::convert::OpenGroup;
use crate::tasks::flag::Flagger;
use crate::tasks::input::Input;
use crate::tasks::selection::LoadedTables;
use crate::vis::{Rows, VisBlock};
use crate::Error;

/// Windows of a group; `DATA` is flagged, `CORRECTED_DATA` calibrated too.
pub(super) struct Source<'a> {
    pub(super) group: &'a OpenGroup,
    pub(super) flagger: Option<Flagger>,
    pub(super) tables: Option<LoadedTables>,
    pub(super) options: ApplyOptions,
    pub(super) control: &'a Control,
    tally: Mutex<Tally>,
    /// Flags of the windows after the steps, a bit each: a group is read for its own gain and for the image, and interference is
    /// looked for once.
    flags: Mutex<BTreeMap<usize, Vec<u64>>>,
    /// Told when the last window of the imager's pass has been read.
    read: Mutex<Option<mpsc::Sender<()>>>,
}

/// What happened to the windows, the first time that each was read.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) steps: Vec<StepReport>,
    pub(super) samples: u64,
    pub(super) flagged_before: u64,
    pub(super) flagged: u64,
    pub(super) applied: ApplyStats,
    pub(super) timings: Vec<Timing>,
    flagged_windows: Vec<usize>,
    applied_windows: Vec<usize>,
}

impl<'a> Source<'a> {
    pub(super) fn new(group: &'a OpenGroup, options: ApplyOptions, control: &'a Control) -> Self {
        Self {
            group,
            flagger: None,
            tables: None,
            options,
            control,
            tally: Mutex::default(),
            flags: Mutex::default(),
            read: Mutex::new(None),
        }
    }

    /// The imager begins: forget what earlier passes took, and tell `read` when the last window has been read.
    pub(super) fn begin_counting(&self, read: mpsc::Sender<()>) {
        self.note(|tally| tally.timings.clear());
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = Some(read);
    }

    pub(super) fn into_tally(self) -> Tally {
        self.tally.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, update: impl FnOnce(&mut Tally)) {
        update(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// One whole window.
    fn window(&self, spw: usize, corrected: bool) -> Result<VisBlock, Error> {
        let mut watch = Stopwatch::new();
        let mut block = self.group.read(spw, self.control)?;
        watch.lap("read");
        if let Some(flagger) = &self.flagger {
            if !self.recall(spw, &mut block) {
                self.flag(flagger, spw, &mut block)?;
                self.keep(spw, &block);
            }
            watch.lap("flag");
        }
        if let Some(tables) = self.tables.as_ref().filter(|_| corrected) {
            let (grid, time_of_row) = tables.at(&block, self.meta().antennas.len())?;
            let gains = Corruption { grid: &grid, time_of_row: &time_of_row };
            let stats = apply(&mut block, gains, self.options, self.control)?;
            self.note(|tally| {
                if !tally.applied_windows.contains(&spw) {
                    tally.applied_windows.push(spw);
                    tally.applied = tally.applied.plus(stats);
                }
            });
            watch.lap("apply");
        }
        self.note(|tally| tally.timings.extend(watch.parts));
        if spw + 1 == self.meta().spws.len() {
            if let Some(read) = self.read.lock().unwrap_or_else(PoisonError::into_inner).take() {
                // Nobody may be waiting.
                let _ = read.send(());
            }
        }
        Ok(block)
    }

    fn keep(&self, spw: usize, block: &VisBlock) {
        let bits = block.flag_rfp.as_slice().map(|flags| {
            let word = |part: &[bool]| part.iter().rev().fold(0u64, |word, f| word << 1 | u64::from(*f));
            flags.chunks(64).map(word).collect()
        });
        if let Some(bits) = bits {
            self.flags.lock().unwrap_or_else(PoisonError::into_inner).insert(spw, bits);
        }
    }

    /// Put the flags back that a window had after the steps; returns whether there were any.
    fn recall(&self, spw: usize, block: &mut VisBlock) -> bool {
        let flags = self.flags.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(bits), Some(flags)) = (flags.get(&spw), block.flag_rfp.as_slice_mut()) else {
            return false;
        };
        for (part, word) in flags.chunks_mut(64).zip(bits) {
            for (k, flag) in part.iter_mut().enumerate() {
                *flag = word >> k & 1 == 1;
            }
        }
        true
    }

    fn flag(&self, flagger: &Flagger, spw: usize, block: &mut VisBlock) -> Result<(), Error> {
        let count = |block: &VisBlock| block.flag_rfp.iter().filter(|f| **f).count() as u64;
        let before = count(block);
        let steps = flagger.run(block, self, None, self.control)?;
        if self.group.is_absent(spw) {
            // FLAG_ROW of a window without a file outlasts a reset.
            block.flag_rfp.fill(true);
        }
        let after = count(block);
        self.note(|tally| {
            if tally.flagged_windows.contains(&spw) {
                return;
            }
            tally.flagged_windows.push(spw);
            tally.samples += block.flag_rfp.len() as u64;
            tally.flagged_before += before;
            tally.flagged += after;
            if tally.steps.is_empty() {
                tally.steps = steps;
            } else {
                tally.steps.iter_mut().zip(&steps).for_each(|(sum, step)| sum.add(step));
            }
        });
        Ok(())
    }

    /// Rows of a selection, counted within the window; `None` is all.
    fn kept(&self, request: &ReadRequest, rows: &Rows) -> Result<Option<Vec<usize>>, Error> {
        let n = rows.len();
        let wanted = request.rows.clone().unwrap_or(0..n as u64);
        if wanted.start > wanted.end || wanted.end > n as u64 {
            let expected = format!("a range within the {n} rows of window {}", request.spw);
            return Err(argument(BadArgument::new("rows", expected, format!("{wanted:?}"))));
        }
        let all = wanted == (0..n as u64);
        if all && request.fields.is_none() && request.time_range_mjd_s.is_none() && !request.without_autos {
            return Ok(None);
        }
        let keep = |r: &usize| {
            let field = request.fields.as_ref().is_none_or(|f| f.contains(&rows.field[*r]));
            let time = request
                .time_range_mjd_s
                .is_none_or(|[a, b]| rows.time_mjd_s[*r] >= a && rows.time_mjd_s[*r] <= b);
            field && time && !(request.without_autos && rows.antenna1[*r] == rows.antenna2[*r])
        };
        Ok(Some((wanted.start as usize..wanted.end as usize).filter(keep).collect()))
    }
}

fn argument(error: BadArgument) -> Error {
    crate::ms::Error::from(error).into()
}

impl Input for Source<'_> {
    fn meta(&self) -> &Meta {
        self.group.meta()
    }

    fn windows(&self) -> Vec<usize> {
        (0..self.meta().spws.len()).collect()
    }

    fn n_rows(&self, _spw: usize) -> u64 {
        self.group.n_rows() as u64
    }

    fn row_blocks(&self, _spw: usize) -> Vec<Range<u64>> {
        // A window of one group is a block.
        std::iter::once(0..self.group.n_rows() as u64).collect()
    }

    fn read(&self, request: &ReadRequest) -> Result<VisBlock, Error> {
        if request.spw >= self.meta().spws.len() {
            let expected = format!("below {}", self.meta().spws.len());
            return Err(argument(BadArgument::new("spw", expected, request.spw)));
        }
        if request.column == Column::Model || request.with_model {
            let found = "a group in memory, which has none";
            return Err(argument(BadArgument::new("column", "a Measurement Set with MODEL_DATA", found)));
        }
        let kept = self.kept(request, self.group.rows())?;
        let block = self.window(request.spw, request.column == Column::Corrected)?;
        Ok(match kept {
            Some(rows) => compact(block, &rows),
            None => block,
        })
    }

    fn keys(&self, request: &ReadRequest) -> Result<Vec<RowKey>, Error> {
        let rows = self.group.rows();
        let key = |r: usize| RowKey {
            time_mjd_s: rows.time_mjd_s[r],
            interval_s: rows.interval_s[r],
            field: rows.field[r] as i32,
            scan: 1,
        };
        Ok(match self.kept(request, rows)? {
            Some(kept) => kept.into_iter().map(key).collect(),
            None => (0..rows.len()).map(key).collect(),
        })
    }
}

/// The block with only these rows, ascending; in place, since the rest of a window is small.
fn compact(block: VisBlock, kept: &[usize]) -> VisBlock {
    let rows = &block.rows;
    VisBlock {
        rows: Rows {
            time_mjd_s: kept.iter().map(|r| rows.time_mjd_s[*r]).collect(),
            interval_s: kept.iter().map(|r| rows.interval_s[*r]).collect(),
            antenna1: kept.iter().map(|r| rows.antenna1[*r]).collect(),
            antenna2: kept.iter().map(|r| rows.antenna2[*r]).collect(),
            field: kept.iter().map(|r| rows.field[*r]).collect(),
            uvw_m: kept.iter().map(|r| rows.uvw_m[*r]).collect(),
        },
        vis_rfp: compact_cube(block.vis_rfp, kept),
        weight_rfp: compact_cube(block.weight_rfp, kept),
        flag_rfp: compact_cube(block.flag_rfp, kept),
        model_rfp: None,
        channels: block.channels,
        products: block.products,
    }
}

fn compact_cube<T: Copy + Default>(cube: Array3<T>, kept: &[usize]) -> Array3<T> {
    let (_, channels, products) = cube.dim();
    let size = channels * products;
    let (mut values, _) = cube.into_raw_vec_and_offset();
    for (to, from) in kept.iter().enumerate().filter(|(to, from)| to != *from) {
        values.copy_within(from * size..(from + 1) * size, to * size);
    }
    values.truncate(kept.len() * size);
    // The lengths agree by construction.
    Array3::from_shape_vec((kept.len(), channels, products), values).unwrap_or_default()
}
