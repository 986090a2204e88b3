//! Reduction of visibilities to the sums a solve needs.

use num_complex::{Complex32, Complex64};
use rayon::prelude::*;

use super::Error;
use crate::control::Control;
use crate::gains::GainGrid;
use crate::kind::BadArgument;
use crate::vis::{UvRange, VisBlock};

/// Sums of one baseline, interval, channel and receptor.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cell {
    /// `sum w V conj(M)`.
    pub num: Complex64,
    /// `sum w |M|^2`.
    pub den: f64,
    /// `sum w |V|^2`.
    pub power: f64,
    /// Visibilities.
    pub count: f64,
}

impl Cell {
    fn add(&mut self, other: &Self) {
        self.num += other.num;
        self.den += other.den;
        self.power += other.power;
        self.count += other.count;
    }
}

/// Gains already known: the model is corrupted by them before the sums are taken.
#[derive(Clone, Copy)]
pub struct Corruption<'a> {
    /// Gains at the distinct times of the block.
    pub grid: &'a GainGrid,
    /// For each row its time in the grid.
    pub time_of_row: &'a [usize],
}

/// Samples left out, by reason; and what was left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Excluded {
    /// All samples of parallel hands of cross-correlations.
    pub seen: u64,
    /// Flagged in the data.
    pub flagged: u64,
    /// Without weight, or not a finite number.
    pub weightless: u64,
    /// Outside the uv range.
    pub uvrange: u64,
    /// Without a solution in a pre-applied table.
    pub precalibration: u64,
    /// With a model of zero.
    pub zero_model: u64,
    /// Used.
    pub used: u64,
}

impl Excluded {
    /// Sum of two.
    #[must_use]
    pub fn plus(mut self, o: Self) -> Self {
        self.seen += o.seen;
        self.flagged += o.flagged;
        self.weightless += o.weightless;
        self.uvrange += o.uvrange;
        self.precalibration += o.precalibration;
        self.zero_model += o.zero_model;
        self.used += o.used;
        self
    }

    /// Refuse to go on with nothing, saying what removed it.
    ///
    /// # Errors
    /// [`Error::ZeroModel`] when only the model is missing, else [`Error::NoData`].
    pub fn check(&self, where_: &str) -> Result<(), Error> {
        if self.used > 0 {
            return Ok(());
        }
        if self.zero_model > 0 {
            return Err(Error::ZeroModel { where_: where_.to_owned() });
        }
        let n = self.seen.max(1) as f64 / 100.0;
        let reason = if self.seen == 0 {
            "the selection has no cross-correlation of parallel hands".to_owned()
        } else {
            format!(
                "of {} samples {:.1} % are flagged, {:.1} % have no weight or are not finite, {:.1} % are outside the uv range, {:.1} % have no pre-applied solution",
                self.seen,
                self.flagged as f64 / n,
                self.weightless as f64 / n,
                self.uvrange as f64 / n,
                self.precalibration as f64 / n
            )
        };
        Err(Error::NoData { where_: where_.to_owned(), reason })
    }
}

/// Sums over solution intervals of one spectral window, axes (baseline, interval, solution channel, receptor).
#[derive(Clone, Debug)]
pub struct Sums {
    pub(super) antennas: usize,
    pub(super) intervals: usize,
    pub(super) channels: usize,
    pub(super) receptors: usize,
    cells: Vec<Cell>,
    excluded: Excluded,
    /// `(sum of times relative to the first, rows)` of each interval, over rows with any unflagged sample.
    times: Vec<(f64, f64)>,
    time_zero: f64,
}

/// Index of baseline (i, j), i < j, of `n` antennas.
fn baseline(i: usize, j: usize, n: usize) -> usize {
    i * (2 * n - i - 1) / 2 + (j - i - 1)
}

impl Sums {
    /// Zero sums. `channels` is 1 for a gain and the number of data channels for a bandpass or a delay.
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
        let Some(size) = size else {
            let found = format!(
                "{antennas} antennas, {intervals} intervals, {channels} channels, {receptors} receptors"
            );
            return Err(BadArgument::new(
                "size of the solve",
                "at least two antennas, one of each, and fewer than 2^32 sums",
                found,
            )
            .into());
        };
        let times = vec![(0.0, 0.0); intervals];
        Ok(Self {
            antennas,
            intervals,
            channels,
            receptors,
            cells: vec![Cell::default(); size],
            excluded: Excluded::default(),
            times,
            time_zero: f64::NAN,
        })
    }

    /// Samples left out so far.
    pub fn excluded(&self) -> Excluded {
        self.excluded
    }

    pub(super) fn cell(&self, ij: (usize, usize), t: usize, f: usize, r: usize) -> &Cell {
        let b = baseline(ij.0, ij.1, self.antennas);
        &self.cells[((b * self.intervals + t) * self.channels + f) * self.receptors + r]
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
    pub fn add(
        &mut self,
        block: &VisBlock,
        interval_of_row: &[Option<usize>],
        uvrange: UvRange,
        corruption: Option<Corruption<'_>>,
        control: &Control,
    ) -> Result<(), Error> {
        self.check_block(block, interval_of_row)?;
        if block.model_rfp.is_none() {
            return Err(BadArgument::new("block", "model visibilities", "none").into());
        }
        let Some(data) = Slices::new(block) else {
            return Err(BadArgument::new("block", "arrays in C order", "another layout").into());
        };
        if corruption.is_some_and(|c| !self.fits(&c, block)) {
            return Err(BadArgument::new(
                "corruption",
                "gains of the block's antennas, channels and receptors",
                "another shape",
            )
            .into());
        }
        let rows_of = self.rows_by_baseline(block, interval_of_row);
        let stride = self.intervals * self.channels * self.receptors;
        let hands: Vec<(usize, usize)> = block
            .products
            .iter()
            .enumerate()
            .filter(|(_, p)| p.is_parallel())
            .map(|(k, p)| (k, p.receptors().0.min(self.receptors - 1)))
            .collect();
        let task = Task {
            block,
            data,
            interval_of_row,
            uvrange,
            corruption,
            hands: &hands,
            shape: (self.channels, self.receptors),
        };
        let parts: Result<Vec<(Excluded, Vec<usize>)>, Error> = self
            .cells
            .par_chunks_mut(stride)
            .zip(rows_of.par_iter())
            .map(|(cells, rows)| {
                control.check()?;
                let mut excluded = Excluded::default();
                let mut used_rows = Vec::new();
                for row in rows {
                    let before = excluded.used;
                    task.add_row(*row, cells, &mut excluded);
                    if excluded.used > before {
                        used_rows.push(*row);
                    }
                }
                Ok((excluded, used_rows))
            })
            .collect();
        for (excluded, rows) in parts? {
            self.excluded = self.excluded.plus(excluded);
            for row in rows {
                self.add_time(block.rows.time_mjd_s[row], interval_of_row[row]);
            }
        }
        Ok(())
    }

    fn fits(&self, c: &Corruption<'_>, block: &VisBlock) -> bool {
        let (nt, na, nf, nr) = c.grid.gain_tafr.dim();
        let axes = na == self.antennas && nf == block.channels.freq_hz.len() && nr == self.receptors;
        axes && c.time_of_row.len() == block.rows.len() && c.time_of_row.iter().all(|t| *t < nt)
    }

    fn add_time(&mut self, time: f64, interval: Option<usize>) {
        if self.time_zero.is_nan() {
            self.time_zero = time;
        }
        if let Some(k) = interval {
            self.times[k].0 += time - self.time_zero;
            self.times[k].1 += 1.0;
        }
    }

    fn rows_by_baseline(&self, block: &VisBlock, interval_of_row: &[Option<usize>]) -> Vec<Vec<usize>> {
        let n = self.antennas;
        let mut rows_of = vec![Vec::new(); n * (n - 1) / 2];
        for row in 0..block.rows.len() {
            let (i, j) = (block.rows.antenna1[row] as usize, block.rows.antenna2[row] as usize);
            if i < j && interval_of_row[row].is_some() {
                rows_of[baseline(i, j, n)].push(row);
            }
        }
        rows_of
    }

    fn check_block(&self, block: &VisBlock, interval_of_row: &[Option<usize>]) -> Result<(), Error> {
        let (nr, nf, np) = block.vis_rfp.dim();
        let fits = block.weight_rfp.dim() == (nr, nf, np)
            && block.flag_rfp.dim() == (nr, nf, np)
            && block.model_rfp.as_ref().is_none_or(|m| m.dim() == (nr, nf, np))
            && block.rows.len() == nr
            && interval_of_row.len() == nr
            && block.products.len() == np
            && block.channels.freq_hz.len() == nf;
        if !fits {
            return Err(BadArgument::new(
                "block",
                "arrays that share their axes (rfp)",
                format!("{:?} visibilities, {} rows", (nr, nf, np), block.rows.len()),
            )
            .into());
        }
        if self.channels != 1 && self.channels != nf {
            return Err(BadArgument::new("block", format!("{} channels", self.channels), nf).into());
        }
        let highest =
            block.rows.antenna2.iter().chain(&block.rows.antenna1).copied().max().unwrap_or(0) as usize;
        if highest >= self.antennas {
            return Err(BadArgument::new(
                "ANTENNA1, ANTENNA2",
                format!("antenna numbers below {}", self.antennas),
                highest,
            )
            .into());
        }
        if let Some(k) = interval_of_row.iter().flatten().find(|k| **k >= self.intervals) {
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
        for (cell, more) in self.cells.iter_mut().zip(&other.cells) {
            cell.add(more);
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

struct Task<'a> {
    block: &'a VisBlock,
    data: Slices<'a>,
    interval_of_row: &'a [Option<usize>],
    uvrange: UvRange,
    corruption: Option<Corruption<'a>>,
    hands: &'a [(usize, usize)],
    shape: (usize, usize),
}

/// The arrays of a block in C order.
struct Slices<'a> {
    vis: &'a [Complex32],
    model: &'a [Complex32],
    weight: &'a [f32],
    flag: &'a [bool],
}

impl<'a> Slices<'a> {
    fn new(block: &'a VisBlock) -> Option<Self> {
        Some(Self {
            vis: block.vis_rfp.as_slice()?,
            model: block.model_rfp.as_ref()?.as_slice()?,
            weight: block.weight_rfp.as_slice()?,
            flag: block.flag_rfp.as_slice()?,
        })
    }
}

/// Gains and flags (f, r) of one antenna at one time.
fn of_antenna(grid: &GainGrid, t: usize, a: usize) -> Option<(&[Complex64], &[bool])> {
    let (_, na, nf, nr) = grid.gain_tafr.dim();
    let span = (t * na + a) * nf * nr..(t * na + a + 1) * nf * nr;
    Some((grid.gain_tafr.as_slice()?.get(span.clone())?, grid.flag_tafr.as_slice()?.get(span)?))
}

impl Task<'_> {
    fn add_row(&self, row: usize, cells: &mut [Cell], excluded: &mut Excluded) {
        let Some(interval) = self.interval_of_row[row] else { return };
        let (channels, receptors) = self.shape;
        let block = self.block;
        let (nf, np) = (block.channels.freq_hz.len(), block.products.len());
        let gains = self.corruption.and_then(|c| {
            let t = c.time_of_row[row];
            let first = of_antenna(c.grid, t, block.rows.antenna1[row] as usize)?;
            Some((first, of_antenna(c.grid, t, block.rows.antenna2[row] as usize)?))
        });
        let all = self.uvrange.is_all();
        for f in 0..nf {
            let outside = !all && !self.uvrange.contains(block.rows.uvw_m[row], block.channels.freq_hz[f]);
            excluded.seen += self.hands.len() as u64;
            if outside {
                excluded.uvrange += self.hands.len() as u64;
                continue;
            }
            let sf = if channels == 1 { 0 } else { f };
            for (p, r) in self.hands {
                let at = (row * nf + f) * np + p;
                if self.data.flag[at] {
                    excluded.flagged += 1;
                    continue;
                }
                let weight = f64::from(self.data.weight[at]);
                let (vis, mut model) = (widen(self.data.vis[at]), widen(self.data.model[at]));
                if let Some(((gi, bad_i), (gj, bad_j))) = gains {
                    let k = f * receptors + r;
                    if bad_i[k] || bad_j[k] {
                        excluded.precalibration += 1;
                        continue;
                    }
                    model *= gi[k] * gj[k].conj();
                }
                let (power, size) = (model.norm_sqr(), vis.norm_sqr());
                if !(weight > 0.0 && weight.is_finite() && size.is_finite() && power.is_finite()) {
                    excluded.weightless += 1;
                    continue;
                }
                if power == 0.0 {
                    excluded.zero_model += 1;
                    continue;
                }
                excluded.used += 1;
                let cell = &mut cells[(interval * channels + sf) * receptors + r];
                cell.num += vis * model.conj() * weight;
                cell.den += weight * power;
                cell.power += weight * size;
                cell.count += 1.0;
            }
        }
    }
}

fn widen(z: Complex32) -> Complex64 {
    Complex64::new(f64::from(z.re), f64::from(z.im))
}
