//! Reduction of visibilities to the sums a solve needs.

use std::ops::Range;

use num_complex::Complex64;
use rayon::prelude::*;

use super::accumulate::{Cell, CELL};
use super::excluded::Excluded;
use super::ranges::Ranges;
use super::rows::{Part, Slices, Task};
use super::Error;
use crate::control::Control;
use crate::gains::GainGrid;
use crate::kind::BadArgument;
use crate::vis::{Channels, Product, Rows, Samples, UvRange, VisBlock};

/// Gains already known: the model is corrupted by them before the sums are taken.
#[derive(Clone, Copy)]
pub struct Corruption<'a> {
    /// Gains at the distinct times of the block.
    pub grid: &'a GainGrid,
    /// For each row its time in the grid.
    pub time_of_row: &'a [usize],
}

/// Sums over solution intervals of one spectral window, axes (baseline, interval, solution channel, receptor).
#[derive(Clone, Debug)]
pub struct Sums {
    pub(super) antennas: usize,
    pub(super) intervals: usize,
    pub(super) channels: usize,
    pub(super) receptors: usize,
    /// Place of each baseline in `cells`, in the order in which they were met; `ABSENT` without data.
    slots: Vec<u32>,
    /// Antennas of each place.
    pairs: Vec<(u32, u32)>,
    cells: Vec<f64>,
    excluded: Excluded,
    /// `(sum of times relative to the first, rows)` of each interval, over rows with any unflagged sample.
    times: Vec<(f64, f64)>,
    time_zero: f64,
}

const ABSENT: u32 = u32::MAX;
/// Samples that one task reads at a time: with model and weights about 3 MB, to stay in the cache.
const TASK_SAMPLES: usize = 150_000;

/// Index of baseline (i, j), i < j, of `n` antennas.
fn baseline(i: usize, j: usize, n: usize) -> usize {
    i * (2 * n - i - 1) / 2 + (j - i - 1)
}

/// Rows to add: what they are, and where each belongs.
#[derive(Clone, Copy)]
pub struct RowSet<'a> {
    /// Their metadata.
    pub rows: &'a Rows,
    /// Their channels.
    pub channels: &'a Channels,
    /// Their products.
    pub products: &'a [Product],
    /// Interval of each row; `None` leaves it out.
    pub interval_of_row: &'a [Option<usize>],
    /// Which of their samples.
    pub wanted: Wanted<'a>,
}

/// Samples of a row to use.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// Projected baseline lengths.
    pub uvrange: UvRange,
    /// Whether each channel is used; `None` is all.
    pub channels: Option<&'a [bool]>,
}

impl From<UvRange> for Wanted<'_> {
    fn from(uvrange: UvRange) -> Self {
        Self { uvrange, channels: None }
    }
}

impl Sums {
    /// Zero sums. `channels` is 1 for a gain, the number of data channels for a bandpass or a delay, or fewer: then
    /// `data channels / channels`, rounded up, neighbours share a solution.
    ///
    /// # Errors
    /// Fewer than two antennas, or a size beyond what memory should hold (2^32 cells).
    pub fn new(antennas: usize, intervals: usize, channels: usize, receptors: usize) -> Result<Self, Error> {
        let size = antennas
            .checked_mul(antennas.saturating_sub(1))
            .and_then(|n| (n / 2).checked_mul(intervals))
            .and_then(|n| n.checked_mul(channels))
            .and_then(|n| n.checked_mul(receptors))
            .filter(|n| *n > 0 && *n < 1 << 32);
        if size.is_none() {
            let found = format!(
                "{antennas} antennas, {intervals} intervals, {channels} channels, {receptors} receptors"
            );
            return Err(BadArgument::new(
                "size of the solve",
                "at least two antennas, one of each, and fewer than 2^32 sums",
                found,
            )
            .into());
        }
        Ok(Self {
            antennas,
            intervals,
            channels,
            receptors,
            slots: vec![ABSENT; antennas * (antennas - 1) / 2],
            pairs: Vec::new(),
            cells: Vec::new(),
            excluded: Excluded::default(),
            times: vec![(0.0, 0.0); intervals],
            time_zero: f64::NAN,
        })
    }

    /// Samples left out so far.
    pub fn excluded(&self) -> Excluded {
        self.excluded
    }

    /// Numbers of one baseline.
    fn stride(&self) -> usize {
        self.intervals * self.channels * self.receptors * CELL
    }

    pub(super) fn cell(&self, ij: (usize, usize), t: usize, f: usize, r: usize) -> Cell {
        let slot = self.slots[baseline(ij.0, ij.1, self.antennas)];
        if slot == ABSENT {
            return Cell::default();
        }
        self.cells_of(slot as usize, t, f * self.receptors + r, 1)[0]
    }

    /// Antennas of the baselines with rows.
    pub(super) fn pairs(&self) -> &[(u32, u32)] {
        &self.pairs
    }

    /// Up to four neighbouring cells along (channel, receptor) of the baseline at a place of [`Sums::pairs`], from the `c`th.
    pub(super) fn cells_of(&self, slot: usize, t: usize, c: usize, n: usize) -> [Cell; 4] {
        let at = slot * self.stride() + (t * self.channels * self.receptors + c) * CELL;
        let mut out = [Cell::default(); 4];
        for (cell, x) in out.iter_mut().zip(self.cells[at..at + n * CELL].chunks_exact(CELL)) {
            *cell = Cell { num: Complex64::new(x[0], x[1]), den: x[2], power: x[3], count: x[4] };
        }
        out
    }

    /// Mean time of the data used in an interval, `None` when there are none.
    pub fn mean_time_mjd_s(&self, interval: usize) -> Option<f64> {
        let (sum, n) = self.times[interval];
        (n > 0.0).then(|| self.time_zero + sum / n)
    }

    /// Add a block. `interval_of_row` gives each row's interval, or none to leave the row out.
    ///
    /// # Errors
    /// No model in the block, shapes or antenna numbers that do not fit, or a cancelled call.
    pub fn add<'a>(
        &mut self,
        block: &'a VisBlock,
        interval_of_row: &'a [Option<usize>],
        wanted: impl Into<Wanted<'a>>,
        corruption: Option<Corruption<'_>>,
        control: &Control,
    ) -> Result<(), Error> {
        check_block(block)?;
        if block.model_rfp.is_none() {
            return Err(BadArgument::new("block", "model visibilities", "none").into());
        }
        let slices = || {
            Some(Slices {
                vis: block.vis_rfp.as_slice()?,
                model: block.model_rfp.as_ref()?.as_slice()?,
                weight: block.weight_rfp.as_slice()?,
                flag: block.flag_rfp.as_slice()?,
            })
        };
        let Some(slices) = slices() else {
            return Err(BadArgument::new("block", "arrays in C order", "another layout").into());
        };
        let set = RowSet {
            rows: &block.rows,
            channels: &block.channels,
            products: &block.products,
            interval_of_row,
            wanted: wanted.into(),
        };
        self.add_groups(set, corruption, control, |task, rows, cells| {
            let mut tally = Part::new(task);
            task.add_baselines(rows, cells, slices, |row| row, &mut tally);
            Ok(tally)
        })
    }

    /// Add rows that `fetch` reads, piece by piece on all cores: it is given ranges of rows and fills the samples of them.
    ///
    /// # Errors
    /// As [`Sums::add`], and whatever `fetch` says.
    pub fn add_from<E: From<Error> + Send>(
        &mut self,
        set: RowSet<'_>,
        corruption: Option<Corruption<'_>>,
        control: &Control,
        fetch: impl Fn(&[Range<usize>], &mut Samples) -> Result<(), E> + Sync,
    ) -> Result<(), E> {
        self.add_groups(set, corruption, control, |task, rows, cells| {
            thread_local! {
                static SAMPLES: std::cell::Cell<Samples> = std::cell::Cell::default();
            }
            // Taken out, so that a task stolen while this one waits finds other buffers.
            let mut samples = SAMPLES.take();
            let ranges = Ranges::new(rows);
            fetch(&ranges.ranges, &mut samples)?;
            let mut tally = Part::new(task);
            let slices = Slices {
                vis: &samples.vis,
                model: &samples.model,
                weight: &samples.weight,
                flag: &samples.flag,
            };
            task.add_baselines(rows, cells, slices, |row| ranges.position(row), &mut tally);
            SAMPLES.set(samples);
            Ok(tally)
        })
    }

    fn add_groups<E: From<Error> + Send>(
        &mut self,
        set: RowSet<'_>,
        corruption: Option<Corruption<'_>>,
        control: &Control,
        work: impl Fn(&Task<'_>, &[Vec<usize>], &mut [f64]) -> Result<Part, E> + Sync,
    ) -> Result<(), E> {
        self.check(&set)?;
        if corruption.is_some_and(|c| !self.fits(&c, &set)) {
            let e = BadArgument::new(
                "corruption",
                "gains of the block's antennas, channels and receptors",
                "another shape",
            );
            return Err(Error::from(e).into());
        }
        let rows_of = self.rows_by_baseline(&set);
        let stride = self.stride();
        self.cells_for(rows_of.len() * stride);
        if self.time_zero.is_nan() {
            self.time_zero = set.rows.time_mjd_s.first().copied().unwrap_or(f64::NAN);
        }
        let task =
            Task::new(set, corruption, (self.channels, self.receptors, self.intervals), self.time_zero);
        let longest = rows_of.iter().map(Vec::len).max().unwrap_or(1).max(1);
        let group = (TASK_SAMPLES / (longest * task.nf * task.np).max(1)).max(1);
        let parts: Result<Vec<Part>, E> = self
            .cells
            .par_chunks_mut(stride * group)
            .zip(rows_of.par_chunks(group))
            .map(|(cells, rows)| {
                control.check().map_err(Error::from)?;
                work(&task, rows, cells)
            })
            .collect();
        for part in parts? {
            self.excluded = self.excluded.plus(part.excluded);
            for (mine, theirs) in self.times.iter_mut().zip(part.times) {
                mine.0 += theirs.0;
                mine.1 += theirs.1;
            }
        }
        Ok(())
    }

    /// Zeros come lazily from the system the first time; a longer list is copied.
    fn cells_for(&mut self, size: usize) {
        if self.cells.is_empty() {
            self.cells = vec![0.0; size];
        } else {
            self.cells.resize(size, 0.0);
        }
    }

    fn fits(&self, c: &Corruption<'_>, set: &RowSet<'_>) -> bool {
        let (nt, na, nf, nr) = c.grid.gain_tafr.dim();
        let axes = na == self.antennas && nf == set.channels.freq_hz.len() && nr == self.receptors;
        axes && c.time_of_row.len() == set.rows.len() && c.time_of_row.iter().all(|t| *t < nt)
    }

    /// Rows of each baseline, by place; baselines not met before get one.
    fn rows_by_baseline(&mut self, set: &RowSet<'_>) -> Vec<Vec<usize>> {
        let n = self.antennas;
        let mut rows_of = vec![Vec::new(); self.pairs.len()];
        for row in 0..set.rows.len() {
            let (i, j) = (set.rows.antenna1[row], set.rows.antenna2[row]);
            if i < j && set.interval_of_row[row].is_some() {
                let slot = &mut self.slots[baseline(i as usize, j as usize, n)];
                if *slot == ABSENT {
                    *slot = self.pairs.len() as u32;
                    self.pairs.push((i, j));
                    rows_of.push(Vec::with_capacity(self.intervals.max(24)));
                }
                rows_of[*slot as usize].push(row);
            }
        }
        rows_of
    }

    fn check(&self, set: &RowSet<'_>) -> Result<(), Error> {
        let nf = set.channels.freq_hz.len();
        if set.interval_of_row.len() != set.rows.len() {
            return Err(BadArgument::new(
                "block",
                format!("an interval for each of {} rows", set.rows.len()),
                set.interval_of_row.len(),
            )
            .into());
        }
        if self.channels == 0 || nf.div_ceil(nf.div_ceil(self.channels).max(1)) != self.channels {
            return Err(BadArgument::new("block", format!("{} channels", self.channels), nf).into());
        }
        if let Some(found) = set.wanted.channels.map(<[bool]>::len).filter(|n| *n != nf) {
            return Err(BadArgument::new("channels", format!("a choice for each of {nf}"), found).into());
        }
        let highest = set.rows.antenna2.iter().chain(&set.rows.antenna1).copied().max().unwrap_or(0) as usize;
        if highest >= self.antennas {
            return Err(BadArgument::new(
                "ANTENNA1, ANTENNA2",
                format!("antenna numbers below {}", self.antennas),
                highest,
            )
            .into());
        }
        if let Some(k) = set.interval_of_row.iter().flatten().find(|k| **k >= self.intervals) {
            return Err(BadArgument::new(
                "interval_of_row",
                format!("intervals below {}", self.intervals),
                k,
            )
            .into());
        }
        Ok(())
    }

    /// Add the sums of another window of the same shape (CASA's `combine='spw'`).
    ///
    /// # Errors
    /// Another shape.
    pub fn merge(&mut self, other: &Self) -> Result<(), Error> {
        let shape = |s: &Self| (s.antennas, s.intervals, s.channels, s.receptors);
        if shape(self) != shape(other) {
            return Err(BadArgument::new(
                "combine",
                format!("windows of one shape {:?}", shape(self)),
                format!("{:?}", shape(other)),
            )
            .into());
        }
        let stride = self.stride();
        for (theirs, (i, j)) in other.cells.chunks_exact(stride).zip(&other.pairs) {
            let slot = &mut self.slots[baseline(*i as usize, *j as usize, self.antennas)];
            if *slot == ABSENT {
                *slot = self.pairs.len() as u32;
                self.pairs.push((*i, *j));
                self.cells.extend_from_slice(theirs);
                continue;
            }
            let at = *slot as usize * stride;
            self.cells[at..at + stride].iter_mut().zip(theirs).for_each(|(a, b)| *a += b);
        }
        self.excluded = self.excluded.plus(other.excluded);
        if self.time_zero.is_nan() {
            self.time_zero = other.time_zero;
        }
        for (mine, theirs) in self.times.iter_mut().zip(&other.times) {
            if theirs.1 > 0.0 {
                mine.0 += theirs.0 + (other.time_zero - self.time_zero) * theirs.1;
                mine.1 += theirs.1;
            }
        }
        Ok(())
    }
}

fn check_block(block: &VisBlock) -> Result<(), Error> {
    let (nr, nf, np) = block.vis_rfp.dim();
    let fits = block.weight_rfp.dim() == (nr, nf, np)
        && block.flag_rfp.dim() == (nr, nf, np)
        && block.model_rfp.as_ref().is_none_or(|m| m.dim() == (nr, nf, np))
        && block.rows.len() == nr
        && block.products.len() == np
        && block.channels.freq_hz.len() == nf;
    if fits {
        return Ok(());
    }
    let found = format!("{:?} visibilities, {} rows", (nr, nf, np), block.rows.len());
    Err(BadArgument::new("block", "arrays that share their axes (rfp)", found).into())
}
