//! What one task of a reduction does: rows of some baselines into their sums.

use num_complex::{Complex32, Complex64};
use rayon::prelude::*;

use super::accumulate::{Accumulator, Corrupting, RowSamples, CELL};
use super::excluded::Excluded;
use super::lanes::{Lanes, Row, LANES};
use super::sums::{Corruption, RowSet};
use crate::gains::GainGrid;

/// What one task found beside the sums.
pub(super) struct Part {
    pub excluded: Excluded,
    pub times: Vec<(f64, f64)>,
}

impl Part {
    pub fn new(task: &Task<'_>) -> Self {
        Self { excluded: Excluded::default(), times: vec![(0.0, 0.0); task.intervals] }
    }
}

/// Samples of rows in C order.
#[derive(Clone, Copy)]
pub(super) struct Slices<'a> {
    pub vis: &'a [num_complex::Complex32],
    pub model: &'a [num_complex::Complex32],
    pub weight: &'a [f32],
    pub flag: &'a [bool],
}

pub(super) struct Task<'a> {
    set: RowSet<'a>,
    time_of_row: &'a [usize],
    /// Gains of (time, antenna), and the number of antennas.
    gains: Option<(Vec<Corrupting>, usize)>,
    /// Receptor and product of each parallel hand.
    receptors_of: Vec<usize>,
    products_of: Option<Vec<usize>>,
    pub nf: usize,
    pub np: usize,
    channels: usize,
    /// Data channels of one solution.
    bin: usize,
    receptors: usize,
    intervals: usize,
    time_zero: f64,
}

impl<'a> Task<'a> {
    pub fn new(
        set: RowSet<'a>,
        corruption: Option<Corruption<'a>>,
        (channels, receptors, intervals): (usize, usize, usize),
        time_zero: f64,
    ) -> Self {
        let hands: Vec<(usize, usize)> = set
            .products
            .iter()
            .enumerate()
            .filter(|(_, p)| p.is_parallel())
            .map(|(k, p)| (k, p.receptors().0.min(receptors - 1)))
            .collect();
        let receptors_of: Vec<usize> = hands.iter().map(|(_, r)| *r).collect();
        let (nf, np) = (set.channels.freq_hz.len(), set.products.len());
        // All products in order: the row is taken as it lies in memory.
        let products_of = (hands.len() != np).then(|| hands.iter().map(|(p, _)| *p).collect());
        let gains = corruption.map(|c| corrupting(c.grid, &receptors_of));
        let time_of_row = corruption.map_or(&[][..], |c| c.time_of_row);
        Self {
            set,
            time_of_row,
            gains,
            receptors_of,
            products_of,
            nf,
            np,
            channels,
            bin: nf.div_ceil(channels).max(1),
            receptors,
            intervals,
            time_zero,
        }
    }

    pub fn add_baselines(
        &self,
        rows_of: &[Vec<usize>],
        cells: &mut [f64],
        slices: Slices<'_>,
        position: impl Fn(usize) -> usize,
        part: &mut Part,
    ) {
        let size = self.channels * self.receptors * CELL;
        let n = self.nf * self.receptors_of.len();
        let mut acc = Accumulator::new(n);
        let mut lanes = self.in_lanes().then(Lanes::default);
        let samples_of = |row: usize| {
            let at = position(row) * self.nf * self.np;
            let span = at..at + self.nf * self.np;
            RowSamples {
                vis: &slices.vis[span.clone()],
                model: &slices.model[span.clone()],
                weight: &slices.weight[span.clone()],
                flag: &slices.flag[span],
            }
        };
        for (rows, cells) in rows_of.iter().zip(cells.chunks_exact_mut(self.intervals * size)) {
            // Rows of one interval follow one another.
            for run in rows.chunk_by(|a, b| self.set.interval_of_row[*a] == self.set.interval_of_row[*b]) {
                let Some(interval) = run.first().and_then(|row| self.set.interval_of_row[*row]) else {
                    continue;
                };
                let cells = &mut cells[interval * size..(interval + 1) * size];
                let wide = lanes.as_mut().is_some_and(|lanes| {
                    self.add_in_lanes((run, interval), &samples_of, (&mut *lanes, &mut acc), cells, part)
                });
                if wide {
                    continue;
                }
                for row in run {
                    if self.add_row(*row, samples_of(*row), &mut acc, &mut part.excluded) {
                        part.times[interval].0 += self.set.rows.time_mjd_s[*row] - self.time_zero;
                        part.times[interval].1 += 1.0;
                    }
                }
                acc.flush(cells, &self.receptors_of, self.bin, self.receptors);
            }
        }
    }

    /// Whether rows can be summed by [`Lanes`].
    fn in_lanes(&self) -> bool {
        let hands = self.receptors_of.len();
        self.products_of.is_none()
            && self.set.wanted.uvrange.is_all()
            && self.set.wanted.channels.is_none()
            && Lanes::fit(self.nf * hands, hands)
    }

    /// Add the rows of one interval with wide instructions; `false` when that cannot be, and nothing was added.
    fn add_in_lanes<'s>(
        &self,
        (run, interval): (&[usize], usize),
        samples_of: &impl Fn(usize) -> RowSamples<'s>,
        (lanes, acc): (&mut Lanes, &mut Accumulator),
        cells: &mut [f64],
        part: &mut Part,
    ) -> bool {
        let hands = self.receptors_of.len();
        let n = self.nf * hands;
        let rows: Vec<Row<'_>> = run
            .iter()
            .map(|row| Row {
                samples: samples_of(*row),
                gains: self.gains_of(*row).map(|(a, b)| (&a.narrow[..], &b.narrow[..])),
            })
            .collect();
        let whole = self.bin * hands >= n;
        if !lanes.add(&rows, n, whole) {
            return false;
        }
        for (k, sums) in lanes.sums.chunks_exact(CELL).enumerate() {
            let (f, h) = if whole { (0, k % LANES % hands) } else { (k / hands / self.bin, k % hands) };
            let cell = &mut cells[(f * self.receptors + self.receptors_of[h]) * CELL..][..CELL];
            cell.iter_mut().zip(sums).for_each(|(x, y)| *x += y);
        }
        for ((row, used), of) in run.iter().zip(&lanes.used).zip(&rows) {
            let used = *used as usize;
            part.excluded.seen += n as u64;
            part.excluded.used += used as u64;
            if used > 0 {
                part.times[interval].0 += self.set.rows.time_mjd_s[*row] - self.time_zero;
                part.times[interval].1 += 1.0;
            }
            if used < n {
                // Flags are the reason as a rule.
                let flagged = of.samples.flag.iter().map(|f| usize::from(*f)).sum::<usize>();
                if used + flagged == n {
                    part.excluded.flagged += flagged as u64;
                } else {
                    let gains = self.gains_of(*row);
                    acc.weigh(of.samples, self.np, gains);
                    self.explain(*row, of.samples, acc, gains, &mut part.excluded);
                }
            }
        }
        true
    }

    fn gains_of(&self, row: usize) -> Option<(&Corrupting, &Corrupting)> {
        let rows = self.set.rows;
        self.gains.as_ref().map(|(gains, na)| {
            let t = self.time_of_row[row] * na;
            (&gains[t + rows.antenna1[row] as usize], &gains[t + rows.antenna2[row] as usize])
        })
    }

    /// Add one row; whether anything of it was used.
    fn add_row(
        &self,
        row: usize,
        samples: RowSamples<'_>,
        acc: &mut Accumulator,
        excluded: &mut Excluded,
    ) -> bool {
        let hands = self.receptors_of.len();
        acc.load(samples, self.np, self.products_of.as_deref());
        let wanted = self.set.wanted;
        if !wanted.uvrange.is_all() || wanted.channels.is_some() {
            for f in 0..self.nf {
                if !self.chosen(f) || self.outside(row, f) {
                    acc.weight[f * hands..(f + 1) * hands].fill(0.0);
                }
            }
        }
        let gains = self.gains_of(row);
        let used = acc.add(gains);
        let all = hands * wanted.channels.map_or(self.nf, |c| c.iter().filter(|used| **used).count());
        excluded.seen += all as u64;
        excluded.used += used as u64;
        if used < all {
            self.explain(row, samples, acc, gains, excluded);
        }
        used > 0
    }

    /// Whether the channel belongs to the selection.
    fn chosen(&self, f: usize) -> bool {
        self.set.wanted.channels.is_none_or(|channels| channels[f])
    }

    fn outside(&self, row: usize, f: usize) -> bool {
        !self.set.wanted.uvrange.contains(self.set.rows.uvw_m[row], self.set.channels.freq_hz[f])
    }

    /// Count why samples were left out.
    fn explain(
        &self,
        row: usize,
        samples: RowSamples<'_>,
        acc: &Accumulator,
        gains: Option<(&Corrupting, &Corrupting)>,
        excluded: &mut Excluded,
    ) {
        let hands = self.receptors_of.len();
        let any = self.set.wanted.uvrange.is_all();
        let missing = |g: &Corrupting, k: usize| g.re[k] == 0.0 && g.im[k] == 0.0;
        for (k, w) in acc.weight.iter().enumerate() {
            let (f, h) = (k / hands, k % hands);
            if *w > 0.0 || !self.chosen(f) {
                continue;
            }
            let at = f * self.np + self.products_of.as_ref().map_or(h, |p| p[h]);
            let (v, m, w) = (samples.vis[at], samples.model[at], samples.weight[at]);
            if !any && self.outside(row, f) {
                excluded.uvrange += 1;
            } else if samples.flag[at] {
                excluded.flagged += 1;
            } else if gains.is_some_and(|(a, b)| missing(a, k) || missing(b, k)) {
                excluded.precalibration += 1;
            } else if !(m.norm_sqr() < f32::INFINITY) && w > 0.0 {
                excluded.no_model += 1;
            } else if m.norm_sqr() == 0.0 && w > 0.0 && v.norm_sqr() < f32::INFINITY {
                excluded.zero_model += 1;
            } else {
                excluded.weightless += 1;
            }
        }
    }
}

/// Gains of every (time, antenna) by (channel, hand); zero where there is none.
fn corrupting(grid: &GainGrid, receptors_of: &[usize]) -> (Vec<Corrupting>, usize) {
    let (nt, na, nf, nr) = grid.gain_tafr.dim();
    let gains = (0..nt * na)
        .into_par_iter()
        .map(|k| {
            let mut out = Corrupting::default();
            for f in 0..nf {
                for r in receptors_of {
                    let at = [k / na, k % na, f, (*r).min(nr - 1)];
                    let g = if grid.flag_tafr[at] { Complex64::default() } else { grid.gain_tafr[at] };
                    out.narrow.push(Complex32::new(g.re as f32, g.im as f32));
                    out.re.push(g.re);
                    out.im.push(g.im);
                }
            }
            out
        })
        .collect();
    (gains, na)
}
