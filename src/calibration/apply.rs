//! Application of gains: `V_corrected = V / (g_i conj(g_j))`.

use num_complex::{Complex32, Complex64};
use rayon::prelude::*;

use super::accumulate::wide;
use super::{Corruption, Error};
use crate::control::Control;
use crate::gains::GainGrid;
use crate::kind::BadArgument;
use crate::vis::{Product, VisBlock};

/// How to apply.
#[derive(Clone, Copy, Debug)]
pub struct ApplyOptions {
    /// Divide visibilities.
    pub correct: bool,
    /// Flag what has no solution; otherwise such data stay as they are.
    pub flag: bool,
    /// Scale weights by `|g_i|^2 |g_j|^2` (CASA's `calwt`).
    pub calwt: bool,
}

impl Default for ApplyOptions {
    fn default() -> Self {
        Self { correct: true, flag: true, calwt: true }
    }
}

impl ApplyOptions {
    /// CASA's `applymode`: `calflag` (or empty), `calonly`, `flagonly`, `trial` (counts alone).
    pub fn parse(mode: &str, calwt: bool) -> Option<Self> {
        match mode.trim() {
            "" | "calflag" => Some(Self { correct: true, flag: true, calwt }),
            "calonly" => Some(Self { correct: true, flag: false, calwt }),
            "flagonly" => Some(Self { correct: false, flag: true, calwt: false }),
            "trial" => Some(Self { correct: false, flag: false, calwt: false }),
            _ => None,
        }
    }
}

/// Counts of samples of one application.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct ApplyStats {
    /// All samples.
    pub samples: u64,
    /// Flagged before.
    pub flagged_before: u64,
    /// Without a solution (among those not flagged before).
    pub without_solution: u64,
}

impl ApplyStats {
    /// Sum of two.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            samples: self.samples + other.samples,
            flagged_before: self.flagged_before + other.flagged_before,
            without_solution: self.without_solution + other.without_solution,
        }
    }
}

/// Gains ready to be divided out: reciprocals in single precision by (time, antenna), each (channel, product).
#[derive(Clone, Debug)]
pub struct Inverse {
    /// Of the first and of the second antenna's receptor of every product.
    first: Vec<Side>,
    second: Vec<Side>,
    antennas: usize,
    times: usize,
}

/// One antenna at one time.
#[derive(Clone, Debug, Default)]
struct Side {
    re: Vec<f32>,
    im: Vec<f32>,
    /// `|g|^2`.
    power: Vec<f32>,
    /// No solution.
    missing: Vec<bool>,
    any_missing: bool,
}

impl Inverse {
    /// From gains at the times and channels of some rows with these products.
    pub fn new(grid: &GainGrid, products: &[Product]) -> Self {
        let (times, antennas, channels, receptors) = grid.gain_tafr.dim();
        let side = |of: fn(Product) -> usize| {
            (0..times * antennas)
                .into_par_iter()
                .map(|k| {
                    let mut side = Side::default();
                    for f in 0..channels {
                        for p in products {
                            let at = [k / antennas, k % antennas, f, of(*p).min(receptors - 1)];
                            side.push(grid.gain_tafr[at], grid.flag_tafr[at]);
                        }
                    }
                    side
                })
                .collect()
        };
        Self { first: side(|p| p.receptors().0), second: side(|p| p.receptors().1), antennas, times }
    }

    /// Times and antennas.
    pub fn dim(&self) -> (usize, usize) {
        (self.times, self.antennas)
    }

    /// Correct one row of samples (channel, product), of two antennas at one time of the grid.
    pub fn correct(
        &self,
        (time, i, j): (usize, usize, usize),
        (vis, weight, flag): (&mut [Complex32], &mut [f32], &mut [bool]),
        options: ApplyOptions,
    ) -> ApplyStats {
        let (a, b) = (&self.first[time * self.antennas + i], &self.second[time * self.antennas + j]);
        let mut stats = ApplyStats { samples: vis.len() as u64, ..ApplyStats::default() };
        stats.flagged_before = flag.iter().filter(|f| **f).count() as u64;
        if a.any_missing || b.any_missing {
            for ((f, x), y) in flag.iter_mut().zip(&a.missing).zip(&b.missing) {
                let missing = *x || *y;
                stats.without_solution += u64::from(missing && !*f);
                *f |= missing && options.flag;
            }
        }
        if options.correct {
            // What has no solution is divided by one.
            divide_wide(vis, a, b);
            if options.calwt {
                weight.iter_mut().zip(a.power.iter().zip(&b.power)).for_each(|(w, (p, q))| *w *= p * q);
            }
        }
        stats
    }
}

impl Side {
    fn push(&mut self, g: Complex64, flagged: bool) {
        let power = g.norm_sqr();
        let missing = flagged || !(power > 0.0 && power.is_finite());
        let inverse = if missing { Complex64::new(1.0, 0.0) } else { g.conj() / power };
        self.re.push(inverse.re as f32);
        self.im.push(inverse.im as f32);
        self.power.push(if missing { 1.0 } else { power as f32 });
        self.missing.push(missing);
        self.any_missing |= missing;
    }
}

wide!(divide_wide, divide, (vis: &mut [Complex32], a: &Side, b: &Side));

#[inline(always)]
fn divide(vis: &mut [Complex32], a: &Side, b: &Side) {
    let n = vis.len();
    let (ar, ai, br, bi) = (&a.re[..n], &a.im[..n], &b.re[..n], &b.im[..n]);
    let (am, bm) = (&a.missing[..n], &b.missing[..n]);
    for k in 0..n {
        let (re, im) = (ar[k] * br[k] + ai[k] * bi[k], ai[k] * br[k] - ar[k] * bi[k]);
        let none = am[k] | bm[k];
        let (re, im) = (if none { 1.0 } else { re }, if none { 0.0 } else { im });
        vis[k] = Complex32::new(vis[k].re * re - vis[k].im * im, vis[k].re * im + vis[k].im * re);
    }
}

/// Correct a block in place with gains evaluated at its times and channels.
///
/// # Errors
/// Axes that do not fit; a cancelled call.
pub fn apply(
    block: &mut VisBlock,
    gains: Corruption<'_>,
    options: ApplyOptions,
    control: &Control,
) -> Result<ApplyStats, Error> {
    let (rows, nf, np) = block.vis_rfp.dim();
    let (nt, na, gf, _) = gains.grid.gain_tafr.dim();
    let highest = block.rows.antenna1.iter().chain(&block.rows.antenna2).copied().max().unwrap_or(0) as usize;
    let fits =
        gf == nf && block.products.len() == np && gains.time_of_row.len() == rows && block.rows.len() == rows;
    if !fits || (rows > 0 && highest >= na) || gains.time_of_row.iter().any(|t| *t >= nt) {
        let found = format!("a grid of {nt} times, {na} antennas, {gf} channels");
        return Err(BadArgument::new(
            "gains",
            format!("{rows} rows with antennas to {highest}, {nf} channels"),
            found,
        )
        .into());
    }
    let inverse = Inverse::new(gains.grid, &block.products);
    let row_size = nf * np;
    let (antenna1, antenna2) = (&block.rows.antenna1, &block.rows.antenna2);
    let layout = || Error::from(BadArgument::new("block", "arrays in C order", "another layout"));
    let vis = block.vis_rfp.as_slice_mut().ok_or_else(layout)?;
    let weight = block.weight_rfp.as_slice_mut().ok_or_else(layout)?;
    let flag = block.flag_rfp.as_slice_mut().ok_or_else(layout)?;
    vis.par_chunks_mut(row_size.max(1))
        .zip(weight.par_chunks_mut(row_size.max(1)))
        .zip(flag.par_chunks_mut(row_size.max(1)))
        .enumerate()
        .with_min_len(64)
        .map(|(row, ((vis, weight), flag))| {
            if row % 256 == 0 {
                control.check()?;
            }
            let at = (gains.time_of_row[row], antenna1[row] as usize, antenna2[row] as usize);
            Ok(inverse.correct(at, (vis, weight, flag), options))
        })
        .try_reduce(ApplyStats::default, |a, b| Ok(a.plus(b)))
}
