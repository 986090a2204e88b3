//! Compression of channel runs before gridding: cost follows the information, not the number of channels.
//!
//! Over a run of channels the phase of every pixel is linear in frequency and spans at most `2 x` radians, `x` from the
//! baseline and the image's farthest corner. `exp(i x t)` on `[-1, 1]` is then interpolated from its values at `P` nodes, little more than
//! `2 x / pi` of them ([`super::prolate`]), so the run's visibilities are replaced by `P` samples at
//! the nodes' frequencies, `V'_p = sum_c L_p(t_c) w_c V_c`. Nothing is averaged away: every pixel of the dirty image comes out
//! within epsilon of `sum |w V|`, wherever the sources lie, and degridding interpolates back with the same matrix (its adjoint).

use ndarray::ArrayView2;
use num_complex::Complex;
use rayon::prelude::*;

use crate::constants::SPEED_OF_LIGHT_M_S;
use crate::control::Control;

use super::interpolate::{Table, ToNodes, MOST_NODES};
use super::prolate::reaches;
use super::real::Real;
use super::runs::Block;
use super::sky::Sky;
use super::spread::{not_finite, Values};
use super::Error;

/// Nanoseconds of one core, for the choice of tables: a sample on the grid; per channel, and per channel and eight nodes.
const NODE_NS: f64 = 30.0;
const CHANNEL_NS: f64 = 0.6;
const LANES_NS: f64 = 0.35;
/// Rows treated by one task.
const ROWS: usize = 64;

/// Tables of one block, and each row's.
#[derive(Debug)]
struct Packing {
    tables: Vec<Table>,
    /// Table and first sample.
    rows: Vec<(u32, u64)>,
    channels: usize,
    samples: usize,
}

/// How the rows of every block are compressed.
#[derive(Debug)]
pub(super) struct Compression {
    packings: Vec<Packing>,
}

impl Compression {
    /// Tables for blocks of plain rows; `None` when nothing is gained.
    /// `around_rad`: what lies this far from the phase centre is to be held as well.
    pub fn new(blocks: &[Block], sky: &Sky, epsilon: f64, around_rad: f64) -> Option<Self> {
        let reach = reaches(MOST_NODES, epsilon);
        let packings: Vec<_> = blocks.iter().map(|block| packing(block, sky, &reach, around_rad)).collect();
        let plain: usize = blocks.iter().map(Block::samples).sum();
        let packed: usize = packings.iter().map(|p| p.samples).sum();
        (packed * 4 < plain * 3).then_some(Self { packings })
    }

    /// Tables of a plan of one block.
    pub fn tables(&self) -> Vec<&Table> {
        self.packings.first().map_or_else(Vec::new, |p| p.tables.iter().collect())
    }

    /// Which of the tables a row of a plan of one block has.
    pub fn table_number(&self, row: usize) -> usize {
        self.packings.first().and_then(|p| p.rows.get(row)).map_or(0, |r| r.0 as usize)
    }

    /// A row's table.
    pub fn table(&self, row: usize) -> Option<&Table> {
        self.packings.first().and_then(|p| p.tables.get(self.table_number(row)))
    }

    /// The compressed form of the plan's blocks.
    pub fn blocks(&self, plain: &[Block]) -> Vec<Block> {
        let packed = |(block, packing): (&Block, &Packing)| Block {
            uvw_m: block.uvw_m.clone(),
            tables: packing.tables.iter().map(|t| t.freq_hz.clone()).collect(),
            rows: packing.rows.clone(),
        };
        plain.iter().zip(&self.packings).map(packed).collect()
    }

    /// Weighted visibilities to samples.
    pub fn pack<T: Real>(
        &self,
        values: &[Values<'_, T>],
        control: &Control,
    ) -> Result<Vec<Vec<Complex<T>>>, Error> {
        self.packings.iter().zip(values).map(|(packing, values)| packing.pack(values, control)).collect()
    }

    /// Weighted visibilities (r, f) of a plan of one block to samples; rows may lie apart, the channels of one side by side.
    pub fn pack_rows<T: Real>(
        &self,
        vis_rf: ArrayView2<'_, Complex<T>>,
        weight_rf: ArrayView2<'_, T>,
        control: &Control,
    ) -> Result<Vec<Complex<T>>, Error> {
        let Some(packing) = self.packings.first() else { return Ok(Vec::new()) };
        packing.fill(control, |matrix, row, target| {
            let (vis, weight) = (vis_rf.row(row).to_slice(), weight_rf.row(row).to_slice());
            vis.zip(weight).is_some_and(|(vis, weight)| matrix.apply(vis, Some(weight), target))
        })
    }

    /// The weights of a plan of one block to samples: [`Self::pack_rows`] of visibilities of one.
    pub fn pack_weights<T: Real>(
        &self,
        weight_rf: ArrayView2<'_, T>,
        control: &Control,
    ) -> Result<Vec<Complex<T>>, Error> {
        let Some(packing) = self.packings.first() else { return Ok(Vec::new()) };
        packing.fill(control, |matrix, row, target| {
            weight_rf.row(row).to_slice().is_some_and(|weight| matrix.apply_weights(weight, target))
        })
    }

    /// Samples to visibilities: the transpose of [`Self::pack`] with unit weights.
    pub fn unpack<T: Real>(
        &self,
        samples: &[Vec<Complex<T>>],
        control: &Control,
    ) -> Result<Vec<Vec<Complex<T>>>, Error> {
        self.packings.iter().zip(samples).map(|(packing, samples)| packing.unpack(samples, control)).collect()
    }
}

/// Numbers of equal parts of the band that are considered.
fn parts(channels: usize) -> Vec<usize> {
    (1..=channels.div_ceil(2))
        .filter(|n| {
            let odd = n >> n.trailing_zeros();
            odd == 1 || odd == 3
        })
        .collect()
}

fn packing(block: &Block, sky: &Sky, reach: &[f64], around_rad: f64) -> Packing {
    let freq = &block.tables[0];
    let channels = freq.len();
    // Half width of the widest part, for every division.
    let divisions: Vec<(usize, f64)> = parts(channels)
        .into_iter()
        .map(|n| {
            let width = |i: usize| (freq[(i + 1) * channels / n - 1] - freq[i * channels / n]).abs();
            (n, 0.5 * (0..n).map(width).fold(0.0, f64::max))
        })
        .collect();
    let corners = sky.corners();
    let z_most = sky.z_range.0.abs().max(sky.z_range.1.abs()).max(sky.z_within(around_rad));
    let mut known: Vec<((usize, usize), u32)> = Vec::new();
    let (mut tables, mut rows, mut samples) = (Vec::new(), Vec::with_capacity(block.uvw_m.len()), 0usize);
    for [u, v, w] in &block.uvw_m {
        let corner = corners.iter().map(|(l, m)| (u * l + v * m).abs()).fold(0.0, f64::max);
        let path = corner.max(u.hypot(*v) * around_rad) + w.abs() * z_most;
        let turn = std::f64::consts::TAU * path / SPEED_OF_LIGHT_M_S;
        let key = cheapest(channels, turn, &divisions, reach);
        let table = known.iter().find(|(k, _)| *k == key).map(|(_, table)| *table).unwrap_or_else(|| {
            tables.push(Table::new(freq, key.0, key.1, reach[key.1 - 1]));
            known.push((key, tables.len() as u32 - 1));
            tables.len() as u32 - 1
        });
        rows.push((table, samples as u64));
        samples += tables[table as usize].freq_hz.len();
    }
    Packing { tables, rows, channels, samples }
}

/// Number of parts and of nodes in each; as many parts as channels with one node each is no compression.
fn cheapest(channels: usize, turn: f64, divisions: &[(usize, f64)], reach: &[f64]) -> (usize, usize) {
    let mut best = ((channels, 1), channels as f64 * NODE_NS);
    for &(parts, half) in divisions {
        let phase = turn * half;
        let Some(nodes) = reach.iter().position(|&x| x >= phase).map(|i| i + 1) else { continue };
        if nodes * parts >= channels {
            continue;
        }
        let lanes = nodes.div_ceil(8) as f64;
        let cost = (parts * nodes) as f64 * NODE_NS + channels as f64 * (CHANNEL_NS + LANES_NS * lanes);
        if cost < best.1 {
            best = ((parts, nodes), cost);
        }
    }
    best.0
}

impl Packing {
    /// First sample after row `row - 1`.
    fn offset(&self, row: usize) -> usize {
        self.rows.get(row).map_or(self.samples, |r| r.1 as usize)
    }

    fn pack<T: Real>(&self, values: &Values<'_, T>, control: &Control) -> Result<Vec<Complex<T>>, Error> {
        self.fill(control, |matrix, row, target| {
            let range = row * self.channels..(row + 1) * self.channels;
            let weight = values.weight.map(|w| &w[range.clone()]);
            matrix.apply(&values.vis[range], weight, target)
        })
    }

    /// Samples of all rows: `apply` makes those of a row by its number; false when a value is not finite.
    fn fill<T: Real>(
        &self,
        control: &Control,
        apply: impl Fn(&ToNodes<T>, usize, &mut [Complex<T>]) -> bool + Sync,
    ) -> Result<Vec<Complex<T>>, Error> {
        let mut out = T::zeros(self.samples);
        let matrices: Vec<_> = self.tables.iter().map(Table::to_nodes::<T>).collect();
        let mut tasks = Vec::new();
        let mut rest = out.as_mut_slice();
        for first in (0..self.rows.len()).step_by(ROWS) {
            let (part, after) = rest.split_at_mut(self.offset(first + ROWS) - self.offset(first));
            tasks.push((first, part));
            rest = after;
        }
        tasks.into_par_iter().try_for_each(|(first, part)| {
            control.check()?;
            for row in first..(first + ROWS).min(self.rows.len()) {
                let from = self.offset(row) - self.offset(first);
                let target = &mut part[from..self.offset(row + 1) - self.offset(first)];
                let matrix = &matrices[self.rows[row].0 as usize];
                if !apply(matrix, row, target) {
                    return Err(not_finite(row));
                }
            }
            Ok(())
        })?;
        Ok(out)
    }

    fn unpack<T: Real>(&self, samples: &[Complex<T>], control: &Control) -> Result<Vec<Complex<T>>, Error> {
        let mut out = T::zeros(self.rows.len() * self.channels);
        let matrices: Vec<_> = self.tables.iter().map(Table::to_channels::<T>).collect();
        out.par_chunks_mut(ROWS * self.channels.max(1)).enumerate().try_for_each(|(task, part)| {
            control.check()?;
            for (i, target) in part.chunks_mut(self.channels.max(1)).enumerate() {
                let row = task * ROWS + i;
                let source = &samples[self.offset(row)..self.offset(row + 1)];
                matrices[self.rows[row].0 as usize].apply(source, target);
            }
            Ok::<(), Error>(())
        })?;
        Ok(out)
    }
}
