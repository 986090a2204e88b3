//! Channel runs sorted into tiles of the grid, so that every tile can be filled in a private buffer.

use rayon::prelude::*;

use super::frame::Frame;

/// Most samples of a run.
pub(super) const RUN: usize = 4096;

/// Baselines that share tables of frequencies: a block as given, or its compressed form.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub uvw_m: Vec<[f64; 3]>,
    /// Frequencies of a row's samples.
    pub tables: Vec<Vec<f64>>,
    /// Table and first sample of every row; empty when all rows have table 0 and lie one after another.
    pub rows: Vec<(u32, u64)>,
}

impl Block {
    pub fn plain(uvw_m: Vec<[f64; 3]>, freq_hz: Vec<f64>) -> Self {
        Self { uvw_m, tables: vec![freq_hz], rows: Vec::new() }
    }

    /// Frequencies and first sample of a row.
    #[inline(always)]
    pub fn row(&self, row: usize) -> (&[f64], usize) {
        match self.rows.get(row) {
            Some(&(table, offset)) => (&self.tables[table as usize], offset as usize),
            None => (&self.tables[0], row * self.tables[0].len()),
        }
    }

    /// Number of samples.
    pub fn samples(&self) -> usize {
        match self.rows.last() {
            Some(&(table, offset)) => offset as usize + self.tables[table as usize].len(),
            None => self.uvw_m.len() * self.tables.first().map_or(0, Vec::len),
        }
    }
}

/// Consecutive samples of one row that start in one tile.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Run {
    pub row: u32,
    pub start: u32,
    pub block: u16,
    pub count: u16,
}

/// All runs, tile by tile, in the order of blocks and rows inside a tile.
#[derive(Clone, Debug, Default)]
pub(super) struct Buckets {
    pub runs: Vec<Run>,
    /// Occupied tiles: index, and its range of runs.
    pub tiles: Vec<(usize, std::ops::Range<usize>)>,
}

impl Buckets {
    pub fn new(frame: &Frame, blocks: &[Block]) -> Self {
        const ROWS: usize = 512;
        let parts: Vec<(u16, usize)> = blocks
            .iter()
            .enumerate()
            .flat_map(|(b, block)| (0..block.uvw_m.len()).step_by(ROWS).map(move |first| (b as u16, first)))
            .collect();
        let found: Vec<Vec<(u32, Run)>> = parts
            .par_iter()
            .map(|&(b, first)| {
                let block = &blocks[b as usize];
                let mut out = Vec::new();
                for row in first..(first + ROWS).min(block.uvw_m.len()) {
                    runs_of_row(frame, block, b, row, &mut out);
                }
                out
            })
            .collect();
        sorted(frame, &found)
    }

    /// One past the last row of tiles in use.
    pub fn tile_rows(&self, frame: &Frame) -> usize {
        self.tiles.last().map_or(0, |(tile, _)| tile / frame.tiles_u + 1)
    }
}

fn sorted(frame: &Frame, found: &[Vec<(u32, Run)>]) -> Buckets {
    let tiles = frame.rows().div_ceil(frame.tile) * frame.tiles_u;
    let mut next = vec![0usize; tiles + 1];
    for &(tile, _) in found.iter().flatten() {
        next[tile as usize + 1] += 1;
    }
    for tile in 0..tiles {
        next[tile + 1] += next[tile];
    }
    let occupied = (0..tiles).filter(|&t| next[t + 1] > next[t]).map(|t| (t, next[t]..next[t + 1])).collect();
    let mut runs = vec![Run::default(); next[tiles]];
    for &(tile, run) in found.iter().flatten() {
        let place = &mut next[tile as usize];
        runs[*place] = run;
        *place += 1;
    }
    Buckets { runs, tiles: occupied }
}

fn runs_of_row(frame: &Frame, block: &Block, b: u16, row: usize, out: &mut Vec<(u32, Run)>) {
    let (freq, _) = block.row(row);
    let ray = frame.ray(block.uvw_m[row]);
    let mut start = 0;
    while start < freq.len() {
        let first = frame.locate(&ray, freq[start]);
        let tile = frame.tile_of(&first);
        let with_first = |i: usize| {
            let spot = frame.locate(&ray, freq[i]);
            frame.tile_of(&spot) == tile
                && spot.conjugate == first.conjugate
                && frame.straight(&ray, freq[start], freq[i])
        };
        let mut last = (start + RUN).min(freq.len()) - 1;
        if !with_first(last) {
            // Frequencies ascend or descend, so the samples of this tile are a prefix.
            let (mut inside, mut outside) = (start, last);
            while outside - inside > 1 {
                let middle = (inside + outside) / 2;
                if with_first(middle) {
                    inside = middle;
                } else {
                    outside = middle;
                }
            }
            last = inside;
        }
        let run = Run { row: row as u32, start: start as u32, block: b, count: (last + 1 - start) as u16 };
        out.push((tile as u32, run));
        start = last + 1;
    }
}
