//! Visibilities of many windows and fields, gathered as Stokes I about one centre.

use std::collections::HashMap;

use ndarray::parallel::prelude::*;
use ndarray::{s, Array2, ArrayView2, ArrayViewMut1, Axis};
use num_complex::{Complex32, Complex64};

use super::stokes::{Combination, Stokes};
use super::Error;
use crate::constants::{SECONDS_PER_DAY, SPEED_OF_LIGHT_M_S};
use crate::control::Control;
use crate::coords::{ApparentFrame, Observatory, RaDec, UvwBasis};
use crate::kind::BadArgument;
use crate::time::EarthOrientation;
use crate::vis::VisBlock;

/// A w that differs from the antennas' by more than this, a part in the baseline's length and a part for all, belongs to
/// something else: 40 arcsec allow for an Earth orientation that the writer did not know (a second of UT1 is 15 arcsec).
const FOREIGN_W: f64 = 2e-4;
const FOREIGN_W_M: f64 = 0.05;

/// What a block's indices mean.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// Antenna positions by antenna number, ITRF \[m\].
    pub antenna_itrf_m: &'a [[f64; 3]],
    /// The array's place.
    pub observatory: Observatory,
    /// Phase centres by field number, ICRS.
    pub field_centre: &'a [RaDec],
}

/// One integration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimeBin {
    /// Bin centre, UTC \[MJD s\].
    pub time_mjd_s: f64,
    /// Integration time \[s\].
    pub interval_s: f64,
    /// Phase centre of the data, ICRS.
    pub field_centre: RaDec,
}

/// Visibilities of one Stokes parameter about one phase centre, ready to be gridded.
#[derive(Clone, Debug, Default)]
pub struct Visibilities {
    /// Baselines \[m\], scaled so that an image on them has ICRS direction cosines (see [`Gatherer`]).
    pub uvw_m: Vec<[f64; 3]>,
    /// Channels, ascending \[Hz\].
    pub freq_hz: Vec<f64>,
    /// Channel widths \[Hz\].
    pub width_hz: Vec<f64>,
    /// Of the Stokes parameter \[Jy\]; zero where the weight is.
    pub vis_rf: Array2<Complex32>,
    /// Weight of one real component; zero is flagged.
    pub weight_rf: Array2<f32>,
    /// Integrations.
    pub times: Vec<TimeBin>,
    /// Integration of each row.
    pub time_of_row: Vec<u32>,
    /// Antennas of each row, places in `antenna_itrf_m`.
    pub pairs: Vec<[u32; 2]>,
    /// Antenna positions, ITRF \[m\].
    pub antenna_itrf_m: Vec<[f64; 3]>,
    /// Apparent directions at each integration.
    pub frames: Vec<ApparentFrame>,
}

/// Which baselines take part.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UvRange {
    /// Shortest `sqrt(u^2 + v^2)` \[wavelengths\].
    pub min: f64,
    /// Longest.
    pub max: f64,
}

impl Default for UvRange {
    fn default() -> Self {
        Self { min: 0.0, max: f64::INFINITY }
    }
}

/// Gathers blocks: makes Stokes I of the parallel hands, or another parameter of its two products (both unflagged,
/// `w = 4 w1 w2 / (w1 + w2)`), drops autocorrelations, recomputes uvw for one centre from antenna positions and times, and
/// rotates the phases by the difference in w between that centre and the field's.
///
/// An interferometer sees *apparent* directions, whose offsets from the centre differ from the ICRS ones by differential
/// aberration, up to 1e-4 of the offset. The rows' `(u, v)` are multiplied by the transposed Jacobian of apparent by ICRS
/// `(l, m)` at the row's time and `w` by its determinant, so that pixels of the image are ICRS offsets.
pub struct Gatherer {
    centre: RaDec,
    uv_range: UvRange,
    stokes: Stokes,
    earth: EarthOrientation,
    out: Visibilities,
    rows: HashMap<(u64, u32, u32), usize>,
    frames: HashMap<u64, Frame>,
    unflagged: usize,
    nonzero: usize,
}

#[derive(Clone)]
struct Frame {
    number: u32,
    basis: UvwBasis,
    field_basis: HashMap<u32, UvwBasis>,
    apparent: ApparentFrame,
    jacobian: [[f64; 2]; 2],
}

impl Gatherer {
    /// Channels are `(centre, width)` \[Hz\] of all windows in any order; `rows` is how many rows to make room for.
    ///
    /// # Errors
    /// No channels, or channels that are not positive or appear twice.
    pub fn new(
        centre: RaDec,
        channels: &[(f64, f64)],
        rows: usize,
        uv_range: UvRange,
        earth: EarthOrientation,
    ) -> Result<Self, Error> {
        let mut sorted = channels.to_vec();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        let good = |c: &(f64, f64)| c.0.is_finite() && c.0 > 0.0 && c.1.is_finite() && c.1 > 0.0;
        if sorted.is_empty() || !sorted.iter().all(good) {
            return Err(BadArgument::new(
                "channels",
                "positive frequencies and widths",
                format!("{channels:?}"),
            )
            .into());
        }
        if let Some(twice) = sorted.windows(2).find(|p| p[1].0 - p[0].0 < 1e-3 * p[0].1) {
            return Err(BadArgument::new(
                "channels",
                "every frequency once",
                format!("{} Hz twice", twice[0].0),
            )
            .into());
        }
        let (freq_hz, width_hz): (Vec<f64>, Vec<f64>) = sorted.into_iter().unzip();
        let shape = (rows, freq_hz.len());
        let out = Visibilities {
            freq_hz,
            width_hz,
            // Zeroed pages cost nothing until they are written.
            vis_rf: Array2::zeros(shape),
            weight_rf: Array2::zeros(shape),
            ..Visibilities::default()
        };
        let (rows, frames) = (HashMap::new(), HashMap::new());
        Ok(Self { centre, uv_range, stokes: Stokes::I, earth, out, rows, frames, unflagged: 0, nonzero: 0 })
    }

    /// Make another Stokes parameter.
    pub fn with_stokes(self, stokes: Stokes) -> Self {
        Self { stokes, ..self }
    }

    /// Take a block in.
    ///
    /// # Errors
    /// A block whose antennas, fields or channels are unknown, without parallel hands, with uvw of another array; more rows
    /// than there is room for; cancellation.
    pub fn add(&mut self, block: &VisBlock, site: &Site<'_>, control: &Control) -> Result<(), Error> {
        let hands = self.stokes.of(&block.products)?;
        let first = self.first_channel(&block.channels.freq_hz)?;
        let plan = self.plan_rows(block, site)?;
        let Some((low, high)) = plan.iter().map(|p| p.row).fold(None, |span: Option<(usize, usize)>, r| {
            Some(span.map_or((r, r), |(a, b)| (a.min(r), b.max(r))))
        }) else {
            return Ok(());
        };
        let mut source: Vec<Option<&RowPlan>> = vec![None; high + 1 - low];
        for p in &plan {
            source[p.row - low] = Some(p);
        }
        let channels = first..first + block.channels.freq_hz.len();
        let turns = Turns::of(&block.channels.freq_hz);
        let uv_range = self.uv_range;
        let mut vis = self.out.vis_rf.slice_mut(s![low..=high, channels.clone()]);
        let mut weight = self.out.weight_rf.slice_mut(s![low..=high, channels]);
        let targets: Vec<_> = vis.outer_iter_mut().zip(weight.outer_iter_mut()).zip(source).collect();
        let (unflagged, nonzero) = targets
            .into_par_iter()
            .with_min_len(64)
            .map(|((mut vis, mut weight), plan)| {
                let Some(plan) = plan else { return Ok((0, 0)) };
                control.check()?;
                let counted = combine(block, plan.source, &hands, &mut vis, &mut weight);
                turns.rotate(&mut vis, plan.shift_m);
                uv_range.apply(&mut weight, plan.uv_m, &block.channels.freq_hz);
                Ok(counted)
            })
            .try_reduce(|| (0, 0), |a, b| Ok::<_, crate::control::Cancelled>((a.0 + b.0, a.1 + b.1)))?;
        self.unflagged += unflagged;
        self.nonzero += nonzero;
        Ok(())
    }

    /// The visibilities. `column` is named when there is nothing in them.
    ///
    /// # Errors
    /// [`Error::NoData`]: no cross-correlations, all flagged, all zero, or all outside the uv range.
    pub fn finish(mut self, column: &str) -> Result<Visibilities, Error> {
        let none = |found: String| Err(Error::NoData { found });
        if self.rows.is_empty() {
            return none("no cross-correlation rows".into());
        }
        if self.unflagged == 0 {
            return none(format!("all data flagged or of zero weight in {} rows", self.rows.len()));
        }
        if self.nonzero == 0 {
            return none(format!(
                "only zeros in {column} (apply the calibration first, or name another column)"
            ));
        }
        let rows = self.rows.len();
        self.out.vis_rf.slice_collapse(s![..rows, ..]);
        self.out.weight_rf.slice_collapse(s![..rows, ..]);
        let inside =
            self.out.weight_rf.axis_iter(Axis(0)).into_par_iter().any(|row| row.iter().any(|w| *w > 0.0));
        if !inside {
            return none(format!("none within the uv range {:?} wavelengths", self.uv_range));
        }
        Ok(self.out)
    }

    /// Where the block's channels begin among all.
    fn first_channel(&self, freq_hz: &[f64]) -> Result<usize, Error> {
        let all = &self.out.freq_hz;
        let near = |a: f64, b: f64| (a - b).abs() < 1e-6 * a;
        let start =
            freq_hz.first().and_then(|f| all.iter().position(|g| (f - g).abs() < 1e-3 * 2e5 && near(*f, *g)));
        let found = start.filter(|s| {
            let there = all.get(*s..*s + freq_hz.len());
            there.is_some_and(|t| t.iter().zip(freq_hz).all(|(a, b)| (a - b).abs() < 1e-9 * b))
        });
        found.ok_or_else(|| {
            let span = format!("{:?} .. {:?} Hz", freq_hz.first(), freq_hz.last());
            BadArgument::new("channels of a block", "ascending channels among those announced", span).into()
        })
    }

    fn plan_rows(&mut self, block: &VisBlock, site: &Site<'_>) -> Result<Vec<RowPlan>, Error> {
        let rows = &block.rows;
        let room = self.out.vis_rf.nrows();
        let offset = self.antennas_of(site);
        let mut plan = Vec::with_capacity(rows.len());
        for r in 0..rows.len() {
            let (a1, a2, field) = (rows.antenna1[r], rows.antenna2[r], rows.field[r]);
            if a1 == a2 {
                continue;
            }
            let antenna = |a: u32| {
                let found = site.antenna_itrf_m.get(a as usize).copied();
                found.ok_or_else(|| {
                    BadArgument::new("antenna", format!("below {}", site.antenna_itrf_m.len()), a)
                })
            };
            let (p1, p2) = (antenna(a1)?, antenna(a2)?);
            let key = rows.time_mjd_s[r].to_bits();
            let numbers = [a1 + offset, a2 + offset];
            let frame = self.frame(key, rows.time_mjd_s[r], rows.interval_s[r], field, site)?;
            let baseline = [p1[0] - p2[0], p1[1] - p2[1], p1[2] - p2[2]];
            let uvw = frame.basis.uvw_m(baseline);
            let w_old = rows.uvw_m[r][2];
            let expected = frame.field_basis[&field].w_m(baseline);
            let length = baseline.iter().map(|x| x * x).sum::<f64>().sqrt();
            let allowed = FOREIGN_W * length + FOREIGN_W_M;
            if (w_old - expected).abs() > allowed || !w_old.is_finite() {
                let mjd = rows.time_mjd_s[r] / SECONDS_PER_DAY;
                return Err(Error::ForeignUvw { antenna1: a1, antenna2: a2, mjd, expected, found: w_old });
            }
            let j = frame.jacobian;
            let scaled = [
                j[0][0] * uvw[0] + j[1][0] * uvw[1],
                j[0][1] * uvw[0] + j[1][1] * uvw[1],
                (j[0][0] * j[1][1] - j[0][1] * j[1][0]) * uvw[2],
            ];
            let number = frame.number;
            let next = self.rows.len();
            let row = *self.rows.entry((key, a1, a2)).or_insert(next);
            if row == next {
                if row == room {
                    return Err(BadArgument::new("rows", format!("room for all: {room}"), "more").into());
                }
                self.out.uvw_m.push(scaled);
                self.out.time_of_row.push(number);
                self.out.pairs.push(numbers);
            }
            let uv_m = uvw[0].hypot(uvw[1]);
            // From the field's centre as we compute it, not as the table's w has it: visibilities that were phased, calibrated or
            // predicted with a w of slightly another Earth orientation keep their sky where every other program sees it.
            plan.push(RowPlan { source: r, row, shift_m: uvw[2] - expected, uv_m });
        }
        Ok(plan)
    }

    /// Where the site's antennas begin among all; those of another site come after.
    fn antennas_of(&mut self, site: &Site<'_>) -> u32 {
        let (all, own) = (&mut self.out.antenna_itrf_m, site.antenna_itrf_m);
        let known =
            (0..all.len()).step_by(own.len().max(1)).find(|at| all.get(*at..at + own.len()) == Some(own));
        let at = known.unwrap_or(all.len());
        if known.is_none() {
            all.extend_from_slice(own);
        }
        at as u32
    }

    fn frame(
        &mut self,
        key: u64,
        time: f64,
        interval_s: f64,
        field: u32,
        site: &Site<'_>,
    ) -> Result<&Frame, Error> {
        let field_centre =
            site.field_centre.get(field as usize).copied().ok_or_else(|| {
                BadArgument::new("field", format!("below {}", site.field_centre.len()), field)
            })?;
        if !self.frames.contains_key(&key) {
            let apparent = ApparentFrame::new(time, &site.observatory, &self.earth)?;
            let basis = apparent.uvw_basis(self.centre);
            let jacobian = apparent.apparent_jacobian(self.centre);
            let number = self.out.times.len() as u32;
            self.out.times.push(TimeBin { time_mjd_s: time, interval_s, field_centre });
            self.out.frames.push(apparent.clone());
            self.frames.insert(key, Frame { number, basis, field_basis: HashMap::new(), apparent, jacobian });
        }
        let missing = || Error::from(BadArgument::new("time", "a time", time));
        let frame = self.frames.get_mut(&key).ok_or_else(missing)?;
        if !frame.field_basis.contains_key(&field) {
            let basis = frame.apparent.uvw_basis(field_centre);
            frame.field_basis.insert(field, basis);
        }
        Ok(frame)
    }
}

#[derive(Clone, Copy)]
struct RowPlan {
    source: usize,
    row: usize,
    shift_m: f64,
    uv_m: f64,
}

impl UvRange {
    fn apply(self, weight: &mut ArrayViewMut1<'_, f32>, uv_m: f64, freq_hz: &[f64]) {
        if self == Self::default() {
            return;
        }
        for (w, f) in weight.iter_mut().zip(freq_hz) {
            let uv = uv_m * f / SPEED_OF_LIGHT_M_S;
            if uv < self.min || uv > self.max {
                *w = 0.0;
            }
        }
    }
}

/// One row of a Stokes parameter and its weights; how many were unflagged, and how many of those not zero.
fn combine(
    block: &VisBlock,
    row: usize,
    how: &Combination,
    vis: &mut ArrayViewMut1<'_, Complex32>,
    weight: &mut ArrayViewMut1<'_, f32>,
) -> (usize, usize) {
    let v: ArrayView2<'_, Complex32> = block.vis_rfp.index_axis(Axis(0), row);
    let w: ArrayView2<'_, f32> = block.weight_rfp.index_axis(Axis(0), row);
    let flag: ArrayView2<'_, bool> = block.flag_rfp.index_axis(Axis(0), row);
    let ([first, second], [a, b]) = (how.places, how.factors);
    // Stokes I and Q need no complex products.
    let plain = a.im == 0.0 && b.im == 0.0;
    let (mut unflagged, mut nonzero) = (0, 0);
    for f in 0..vis.len() {
        let (p, q) = (v[[f, first]], v[[f, second]]);
        let (wa, wb) = (w[[f, first]], w[[f, second]]);
        let sum = if plain { p * a.re + q * b.re } else { p * a + q * b };
        let good = !flag[[f, first]] && !flag[[f, second]] && wa > 0.0 && wb > 0.0;
        let finite = sum.re.is_finite() && sum.im.is_finite() && wa.is_finite() && wb.is_finite();
        if good && finite {
            vis[f] = sum;
            weight[f] = if first == second { wa } else { 4.0 * wa * wb / (wa + wb) };
            unflagged += 1;
            nonzero += usize::from(p != Complex32::default() || q != Complex32::default());
        } else {
            vis[f] = Complex32::default();
            weight[f] = 0.0;
        }
    }
    (unflagged, nonzero)
}

/// Phase turns over the channels of a block.
enum Turns {
    /// First frequency and step \[Hz\]: one product a channel.
    Regular(f64, f64),
    /// Any frequencies \[Hz\].
    Listed(Vec<f64>),
}

impl Turns {
    fn of(freq_hz: &[f64]) -> Self {
        let (start, count) = (freq_hz[0], freq_hz.len());
        let step = if count > 1 { (freq_hz[count - 1] - start) / (count - 1) as f64 } else { 0.0 };
        // 0.01 Hz over 10 km is a phase of 2e-6.
        let regular = freq_hz.iter().enumerate().all(|(i, f)| (start + step * i as f64 - f).abs() < 0.01);
        if regular && count <= 4096 {
            Self::Regular(start, step)
        } else {
            Self::Listed(freq_hz.to_vec())
        }
    }

    /// Multiply by `exp(-2 pi i shift nu / c)`.
    fn rotate(&self, vis: &mut ArrayViewMut1<'_, Complex32>, shift_m: f64) {
        // A micrometre is a phase of 3e-5.
        if shift_m.abs() < 1e-7 {
            return;
        }
        let turn = |freq: f64| {
            let turns = shift_m * freq / SPEED_OF_LIGHT_M_S;
            Complex64::cis(-std::f64::consts::TAU * (turns - turns.round()))
        };
        let single = |z: Complex64| Complex32::new(z.re as f32, z.im as f32);
        match self {
            Self::Regular(start, step) => {
                let (mut phase, advance) = (turn(*start), turn(*step));
                for v in vis.iter_mut() {
                    *v *= single(phase);
                    phase *= advance;
                }
            }
            Self::Listed(freq_hz) => vis.iter_mut().zip(freq_hz).for_each(|(v, f)| *v *= single(turn(*f))),
        }
    }
}
