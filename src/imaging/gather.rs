//! Visibilities of many windows and fields, gathered as Stokes I about one centre.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use ndarray::parallel::prelude::*;
use ndarray::{s, Array2, ArrayViewMut1, Axis};
use num_complex::Complex32;

use super::combine::{Combiner, Found, RowSamples};
use super::stokes::Stokes;
use super::Error;
use crate::constants::{SECONDS_PER_DAY, SPEED_OF_LIGHT_M_S};
use crate::control::Control;
use crate::coords::{ApparentFrame, Observatory, RaDec, UvwBasis};
use crate::gridding::Real;
use crate::kind::BadArgument;
use crate::time::EarthOrientation;
use crate::vis::{Channels, Product, Rows, Samples, VisBlock};

/// A w that differs from the antennas' by more than this, a part in the baseline's length and a part for all, belongs to
/// something else: 40 arcsec allow for an Earth orientation that the writer did not know (a second of UT1 is 15 arcsec).
const FOREIGN_W: f64 = 2e-4;
const FOREIGN_W_M: f64 = 0.05;

/// Rows of one task.
const STRIP: usize = 256;

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
    found: Found,
    last: Option<LastPlan>,
}

/// A window whose samples are read piece by piece.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a> {
    /// All rows.
    pub rows: &'a Rows,
    /// Channels, ascending.
    pub channels: &'a Channels,
    /// Products.
    pub products: &'a [Product],
}

/// The windows of a Measurement Set have the same rows: where they go is found once.
struct LastPlan {
    rows: Rows,
    antenna_itrf_m: Vec<[f64; 3]>,
    field_centre: Vec<RaDec>,
    plan: Arc<Vec<RowPlan>>,
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
            // Zeroed pages cost nothing until they are written, and `Array2::zeros` of complex numbers writes them all.
            vis_rf: Array2::from_shape_vec(shape, f32::zeros(shape.0 * shape.1)).unwrap_or_default(),
            weight_rf: Array2::zeros(shape),
            ..Visibilities::default()
        };
        let (rows, frames) = (HashMap::new(), HashMap::new());
        Ok(Self {
            centre,
            uv_range,
            stokes: Stokes::I,
            earth,
            out,
            rows,
            frames,
            found: Found::default(),
            last: None,
        })
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
        let window = Window { rows: &block.rows, channels: &block.channels, products: &block.products };
        let (vis, weight) = (block.vis_rfp.as_standard_layout(), block.weight_rfp.as_standard_layout());
        let flag = block.flag_rfp.as_standard_layout();
        let samples = RowSamples {
            vis: vis.as_slice().unwrap_or(&[]),
            weight: weight.as_slice().unwrap_or(&[]),
            flag: flag.as_slice().unwrap_or(&[]),
        };
        let cell = block.channels.freq_hz.len() * block.products.len();
        self.strips(&window, site, control, |_: &mut (), sources, combine| {
            for (k, plan) in sources.iter().enumerate() {
                if let Some(plan) = plan {
                    combine(k, plan, samples.row(plan.source, cell));
                }
            }
            Ok(())
        })
    }

    /// Take a window in, which `read` reads rows of into buffers that are used again: nothing of the window's size is made.
    ///
    /// # Errors
    /// As [`Gatherer::add`], and those of `read`.
    pub fn add_pieces<E>(
        &mut self,
        window: &Window<'_>,
        site: &Site<'_>,
        read: impl Fn(&[Range<usize>], &mut Samples) -> Result<(), E> + Sync,
        control: &Control,
    ) -> Result<(), E>
    where
        E: From<Error> + Send,
    {
        let cell = window.channels.freq_hz.len() * window.products.len();
        self.strips(window, site, control, |buffers: &mut Samples, sources, combine| {
            let (ranges, places) = runs_of(sources);
            read(&ranges, buffers)?;
            let samples = RowSamples { vis: &buffers.vis, weight: &buffers.weight, flag: &buffers.flag };
            for (k, (plan, place)) in sources.iter().zip(places).enumerate() {
                if let Some(plan) = plan {
                    combine(k, plan, samples.row(place, cell));
                }
            }
            Ok(())
        })
    }

    /// Fill rows of a window, a strip of consecutive ones at a time: `fill` is given a strip's plans and calls back with the
    /// samples of each.
    fn strips<E, B>(
        &mut self,
        window: &Window<'_>,
        site: &Site<'_>,
        control: &Control,
        fill: impl Fn(&mut B, &[Option<&RowPlan>], &mut dyn FnMut(usize, &RowPlan, RowSamples<'_>)) -> Result<(), E>
            + Sync,
    ) -> Result<(), E>
    where
        E: From<Error> + Send,
        B: Default + Send,
    {
        let freq_hz = &window.channels.freq_hz;
        let combiner = Combiner::new(self.stokes.of(window.products)?, window.products.len(), freq_hz);
        let first = self.first_channel(freq_hz)?;
        let plan = self.plan(window.rows, site)?;
        let (Some(low), Some(high)) = (plan.iter().map(|p| p.row).min(), plan.iter().map(|p| p.row).max())
        else {
            return Ok(());
        };
        let mut source: Vec<Option<&RowPlan>> = vec![None; high + 1 - low];
        for p in plan.iter() {
            source[p.row - low] = Some(p);
        }
        let channels = first..first + freq_hz.len();
        let uv_range = self.uv_range;
        let mut vis = self.out.vis_rf.slice_mut(s![low..=high, channels.clone()]);
        let mut weight = self.out.weight_rf.slice_mut(s![low..=high, channels]);
        let strips: Vec<_> = vis
            .axis_chunks_iter_mut(Axis(0), STRIP)
            .zip(weight.axis_chunks_iter_mut(Axis(0), STRIP))
            .zip(source.chunks(STRIP))
            .collect();
        // As many buffers as strips are ever filled at once.
        let idle: Mutex<Vec<B>> = Mutex::new(Vec::new());
        let pool = || idle.lock().unwrap_or_else(PoisonError::into_inner);
        let found = strips
            .into_par_iter()
            .map(|((mut vis, mut weight), sources)| {
                control.check().map_err(Error::from)?;
                let mut buffers = pool().pop().unwrap_or_default();
                let mut found = Found::default();
                fill(&mut buffers, sources, &mut |k, plan, samples| {
                    let (mut vis, mut weight) = (vis.row_mut(k), weight.row_mut(k));
                    // Channels are the last axis of arrays made here.
                    if let (Some(vis), Some(weight)) = (vis.as_slice_mut(), weight.as_slice_mut()) {
                        found = found.plus(combiner.row(samples, plan.shift_m, vis, weight));
                    }
                    uv_range.apply(&mut weight, plan.uv_m, freq_hz);
                })?;
                pool().push(buffers);
                Ok(found)
            })
            .try_reduce(Found::default, |a, b| Ok::<_, E>(a.plus(b)))?;
        self.found = self.found.plus(found);
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
        if self.found.unflagged == 0 {
            return none(format!("all data flagged or of zero weight in {} rows", self.rows.len()));
        }
        if !self.found.nonzero {
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
            let UvRange { min, max } = self.uv_range;
            return none(format!("none within the uv range of {min:.0} to {max:.0} wavelengths"));
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

    /// Where a window's rows go.
    fn plan(&mut self, rows: &Rows, site: &Site<'_>) -> Result<Arc<Vec<RowPlan>>, Error> {
        let same = |last: &&LastPlan| {
            last.antenna_itrf_m == site.antenna_itrf_m
                && last.field_centre == site.field_centre
                && last.rows == *rows
        };
        if let Some(last) = self.last.as_ref().filter(same) {
            return Ok(Arc::clone(&last.plan));
        }
        let plan = Arc::new(self.plan_rows(rows, site)?);
        self.last = Some(LastPlan {
            rows: rows.clone(),
            antenna_itrf_m: site.antenna_itrf_m.to_vec(),
            field_centre: site.field_centre.to_vec(),
            plan: Arc::clone(&plan),
        });
        Ok(plan)
    }

    fn plan_rows(&mut self, rows: &Rows, site: &Site<'_>) -> Result<Vec<RowPlan>, Error> {
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

impl<'a> RowSamples<'a> {
    /// Of row `row`, with `cell` samples a row.
    fn row(self, row: usize, cell: usize) -> Self {
        let span = row * cell..(row + 1) * cell;
        Self { vis: &self.vis[span.clone()], weight: &self.weight[span.clone()], flag: &self.flag[span] }
    }
}

/// Rows of a window to be read for a strip, in runs that may hold a few rows too many (autocorrelations), and each plan's place
/// among them.
fn runs_of(sources: &[Option<&RowPlan>]) -> (Vec<Range<usize>>, Vec<usize>) {
    const GAP: usize = 4;
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let (mut places, mut before) = (Vec::with_capacity(sources.len()), 0);
    for source in sources {
        let Some(plan) = source else {
            places.push(0);
            continue;
        };
        match ranges.last_mut() {
            Some(last) if plan.source >= last.end && plan.source <= last.end + GAP => {
                last.end = plan.source + 1;
            }
            last => {
                before += last.map_or(0, |r| r.len());
                ranges.push(plan.source..plan.source + 1);
            }
        }
        let start = ranges.last().map_or(0, |r| r.start);
        places.push(before + plan.source - start);
    }
    (ranges, places)
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
