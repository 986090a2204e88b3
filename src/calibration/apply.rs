//! Application of gains: `V_corrected = V / (g_i conj(g_j))`.

use num_complex::{Complex32, Complex64};
use rayon::prelude::*;

use super::{Corruption, Error};
use crate::control::Control;
use crate::kind::BadArgument;
use crate::vis::VisBlock;

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

/// Reciprocal gains in single precision, and flags, laid out (t, a, f, r).
struct Inverse {
    gain: Vec<Complex32>,
    flag: Vec<bool>,
    shape: (usize, usize, usize, usize),
}

impl Inverse {
    fn new(c: Corruption<'_>) -> Self {
        let gain = c.grid.gain_tafr.iter().map(reciprocal).collect();
        let zero = |g: &Complex64| g.norm_sqr() == 0.0 || !g.re.is_finite() || !g.im.is_finite();
        let flag = c.grid.flag_tafr.iter().zip(&c.grid.gain_tafr).map(|(f, g)| *f || zero(g)).collect();
        Self { gain, flag, shape: c.grid.gain_tafr.dim() }
    }

    /// Gains and flags of one antenna at one time, (f, r).
    fn of(&self, t: usize, a: usize) -> (&[Complex32], &[bool]) {
        let (_, na, nf, nr) = self.shape;
        let start = (t * na + a) * nf * nr;
        (&self.gain[start..start + nf * nr], &self.flag[start..start + nf * nr])
    }
}

fn reciprocal(g: &Complex64) -> Complex32 {
    let power = g.norm_sqr();
    if power > 0.0 && power.is_finite() {
        let inverse = g.conj() / power;
        Complex32::new(inverse.re as f32, inverse.im as f32)
    } else {
        Complex32::new(1.0, 0.0)
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
    let (nt, na, gf, nr) = gains.grid.gain_tafr.dim();
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
    let inverse = Inverse::new(gains);
    let hands: Vec<(usize, usize)> =
        block.products.iter().map(|p| p.receptors()).map(|(a, b)| (a.min(nr - 1), b.min(nr - 1))).collect();
    let row_size = nf * np;
    let (antenna1, antenna2) = (&block.rows.antenna1, &block.rows.antenna2);
    let layout = || Error::from(BadArgument::new("block", "arrays in C order", "another layout"));
    let vis = block.vis_rfp.as_slice_mut().ok_or_else(layout)?;
    let weight = block.weight_rfp.as_slice_mut().ok_or_else(layout)?;
    let flag = block.flag_rfp.as_slice_mut().ok_or_else(layout)?;
    vis.par_chunks_mut(row_size)
        .zip(weight.par_chunks_mut(row_size))
        .zip(flag.par_chunks_mut(row_size))
        .enumerate()
        .with_min_len(64)
        .map(|(row, ((vis, weight), flag))| {
            if row % 256 == 0 {
                control.check()?;
            }
            let t = gains.time_of_row[row];
            let first = inverse.of(t, antenna1[row] as usize);
            let second = inverse.of(t, antenna2[row] as usize);
            Ok(correct_row((vis, weight, flag), first, second, (&hands, nr), options))
        })
        .try_reduce(ApplyStats::default, |a, b| Ok(a.plus(b)))
}

fn correct_row(
    row: (&mut [Complex32], &mut [f32], &mut [bool]),
    first: (&[Complex32], &[bool]),
    second: (&[Complex32], &[bool]),
    (hands, nr): (&[(usize, usize)], usize),
    options: ApplyOptions,
) -> ApplyStats {
    let (vis, weight, flag) = row;
    let np = hands.len();
    let mut stats = ApplyStats { samples: vis.len() as u64, ..ApplyStats::default() };
    let samples = vis.chunks_exact_mut(np).zip(weight.chunks_exact_mut(np)).zip(flag.chunks_exact_mut(np));
    for (f, ((vis, weight), flag)) in samples.enumerate() {
        for (p, (ra, rb)) in hands.iter().enumerate() {
            let (i, j) = (f * nr + ra, f * nr + rb);
            let missing = first.1[i] || second.1[j];
            stats.flagged_before += u64::from(flag[p]);
            stats.without_solution += u64::from(missing && !flag[p]);
            if missing {
                flag[p] |= options.flag;
                continue;
            }
            if options.correct {
                let factor = first.0[i] * second.0[j].conj();
                vis[p] *= factor;
                if options.calwt {
                    weight[p] /= factor.norm_sqr();
                }
            }
        }
    }
    stats
}
