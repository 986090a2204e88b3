//! Gains at any time and frequency, from one or several tables.

use ndarray::Array4;
use num_complex::Complex64;
use rayon::prelude::*;

use super::table::edges;
use super::{Error, GainTable, Term, WindowGains};
use crate::kind::BadArgument;

/// Interpolation between solution slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeInterpolation {
    /// The nearest slot; no solution where that is flagged.
    Nearest,
    /// Amplitude and phase linear between neighbouring slots, held constant outside; no solution where either is flagged.
    #[default]
    Linear,
}

/// Interpolation between solution channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FreqInterpolation {
    /// The nearest channel.
    Nearest,
    /// Amplitude and phase linear between the two neighbours.
    #[default]
    Linear,
}

/// A table and how it is to be used.
#[derive(Clone, Debug)]
pub struct Applied<'a> {
    /// The solutions.
    pub table: &'a GainTable,
    /// In time.
    pub time: TimeInterpolation,
    /// In frequency.
    pub freq: FreqInterpolation,
    /// Bridge flagged solution channels from the good ones (CASA's `nearest` and `linear`); otherwise they flag the data
    /// (`nearestflag`, `linearflag`).
    pub fill: bool,
    /// Entry `s` is the table's window for the data's window `s` (CASA's `spwmap`). Empty: the window of the
    /// table that covers the data's frequencies, so that tables with windows in another order still fit.
    pub spwmap: Vec<usize>,
}

impl<'a> Applied<'a> {
    /// Linear in time and frequency, windows matched by frequency.
    pub fn new(table: &'a GainTable) -> Self {
        let (time, freq) = (TimeInterpolation::Linear, FreqInterpolation::Linear);
        Self { table, time, freq, fill: false, spwmap: Vec::new() }
    }

    /// Parse CASA's `interp`: `"linear"`, `"nearest"`, `"nearest,linear"` (time, frequency); empty is linear, and flagged
    /// channels flag the data.
    ///
    /// # Errors
    /// An unknown word.
    pub fn with_interp(mut self, interp: &str) -> Result<Self, Error> {
        let mut words = interp.split(',').map(str::trim);
        self.time = match words.next().unwrap_or("") {
            "" | "linear" | "linearPD" => TimeInterpolation::Linear,
            "nearest" => TimeInterpolation::Nearest,
            other => return Err(bad_interp(other)),
        };
        (self.freq, self.fill) = match words.next().unwrap_or("") {
            "" | "linearflag" => (FreqInterpolation::Linear, false),
            "linear" => (FreqInterpolation::Linear, true),
            "nearestflag" => (FreqInterpolation::Nearest, false),
            "nearest" => (FreqInterpolation::Nearest, true),
            other => return Err(bad_interp(other)),
        };
        Ok(self)
    }

    /// The table's window for data of window `spw` with these channels.
    fn window(&self, spw: usize, freq_hz: &[f64]) -> Result<&'a WindowGains, Error> {
        let table = self.table;
        let mismatch =
            |expected: String, found: String| Error::Mismatch { table: table.name.clone(), expected, found };
        let listed = || table.windows.iter().map(|w| w.spw.to_string()).collect::<Vec<_>>().join(", ");
        if !self.spwmap.is_empty() {
            let wanted = self.spwmap.get(spw).copied().ok_or_else(|| {
                Error::from(BadArgument::new(
                    "spwmap",
                    format!("an entry for spectral window {spw}"),
                    format!("{} entries", self.spwmap.len()),
                ))
            })?;
            return table.windows.iter().find(|w| w.spw == wanted).ok_or_else(|| {
                mismatch(
                    format!("spectral window {wanted} (spwmap of {spw})"),
                    format!("windows {}", listed()),
                )
            });
        }
        let [low, high] = edges(freq_hz, &[]);
        let middle = 0.5 * (low + high);
        let covers = |w: &&WindowGains| {
            let [a, b] = w.edges_hz();
            middle >= a && middle <= b
        };
        let same_number = table.windows.iter().find(|w| w.spw == spw).filter(covers);
        same_number.or_else(|| table.windows.iter().find(covers)).ok_or_else(|| {
            let spans = table
                .windows
                .iter()
                .map(WindowGains::edges_hz)
                .fold([f64::INFINITY, f64::NEG_INFINITY], |s, e| [s[0].min(e[0]), s[1].max(e[1])]);
            mismatch(
                format!("a window at {:.3} MHz (spectral window {spw} of the data)", middle / 1e6),
                format!(
                    "windows {} within {:.3} to {:.3} MHz; a table solved in one window needs spwmap",
                    listed(),
                    spans[0] / 1e6,
                    spans[1] / 1e6
                ),
            )
        })
    }
}

fn bad_interp(word: &str) -> Error {
    BadArgument::new(
        "interp",
        "'nearest' or 'linear' for time, optionally ',nearest', ',linear', ',nearestflag' or ',linearflag' for frequency",
        format!("'{word}'"),
    )
    .into()
}

/// Gains on a grid of times and channels; the product over tables.
#[derive(Clone, Debug)]
pub struct GainGrid {
    /// Gains; 1 where flagged.
    pub gain_tafr: Array4<Complex64>,
    /// True where any table has no solution.
    pub flag_tafr: Array4<bool>,
}

/// The product of all tables at the given times and channels of window `spw`, for `na` antennas and `nr` receptors.
///
/// A flagged solution flags the data it would calibrate, in time as in frequency.
///
/// # Errors
/// A table with another number of antennas, or without a window for these frequencies.
pub fn evaluate(
    tables: &[Applied<'_>],
    spw: usize,
    freq_hz: &[f64],
    time_mjd_s: &[f64],
    na: usize,
    nr: usize,
) -> Result<GainGrid, Error> {
    let shape = (time_mjd_s.len(), na, freq_hz.len(), nr);
    let mut grid = GainGrid {
        gain_tafr: Array4::from_elem(shape, Complex64::new(1.0, 0.0)),
        flag_tafr: Array4::from_elem(shape, false),
    };
    for applied in tables {
        let window = applied.window(spw, freq_hz)?;
        let (nt, ta, _, tr) = window.value_tafr.dim();
        if ta != na || nt == 0 || !(tr == nr || tr == 1 || nr == 1) {
            return Err(Error::Mismatch {
                table: applied.table.name.clone(),
                expected: format!("{na} antennas, {nr} receptors and at least one slot"),
                found: format!("{ta} antennas, {tr} receptors, {nt} slots"),
            });
        }
        multiply(&mut grid, applied, window, freq_hz, time_mjd_s);
    }
    Ok(grid)
}

fn multiply(
    grid: &mut GainGrid,
    applied: &Applied<'_>,
    window: &WindowGains,
    freq_hz: &[f64],
    time_mjd_s: &[f64],
) {
    let (_, na, _, nr) = grid.gain_tafr.dim();
    let channels = channel_map(&window.freq_hz, freq_hz, applied.freq);
    // One antenna's block of one time is contiguous: work antenna by antenna into a buffer, in parallel.
    let columns: Vec<(Vec<Complex64>, Vec<bool>)> = (0..na)
        .into_par_iter()
        .map(|a| antenna_gains(applied, window, a, nr, &channels, freq_hz, time_mjd_s))
        .collect();
    for (a, (gain, flag)) in columns.into_iter().enumerate() {
        let mut k = 0;
        let mut gains = grid.gain_tafr.index_axis_mut(ndarray::Axis(1), a);
        let mut flags = grid.flag_tafr.index_axis_mut(ndarray::Axis(1), a);
        for (g, f) in gains.iter_mut().zip(flags.iter_mut()) {
            *f |= flag[k];
            *g = if *f { Complex64::new(1.0, 0.0) } else { *g * gain[k] };
            k += 1;
        }
    }
}

/// Gains and flags (t, f, r) of one antenna.
fn antenna_gains(
    applied: &Applied<'_>,
    window: &WindowGains,
    a: usize,
    nr: usize,
    channels: &[(usize, usize, f64)],
    freq_hz: &[f64],
    time_mjd_s: &[f64],
) -> (Vec<Complex64>, Vec<bool>) {
    let (_, _, sol_nf, sol_nr) = window.value_tafr.dim();
    let size = time_mjd_s.len() * freq_hz.len() * nr;
    let (mut gain, mut flag) = (vec![Complex64::new(1.0, 0.0); size], vec![true; size]);
    let is_delay = applied.table.term == Term::K;
    for r in 0..nr {
        let sr = r.min(sol_nr - 1);
        // [solution channel][time]; none where there is no solution.
        let in_time: Vec<Vec<Option<Complex64>>> =
            (0..sol_nf).map(|f| along_time(window, a, f, sr, applied.time, time_mjd_s, is_delay)).collect();
        for t in 0..time_mjd_s.len() {
            let good: Vec<usize> = (0..sol_nf).filter(|f| in_time[*f][t].is_some()).collect();
            let bridged = (applied.fill && good.len() < sol_nf)
                .then(|| bridge(&good, &window.freq_hz, freq_hz, applied.freq));
            for (f, (low, high, weight)) in bridged.as_deref().unwrap_or(channels).iter().enumerate() {
                let nearest = if *weight < 0.5 { *low } else { *high };
                let Some(at_nearest) = in_time[nearest][t] else { continue };
                let value = match (in_time[*low][t], in_time[*high][t]) {
                    (Some(p), Some(q)) if *weight > 0.0 && *weight < 1.0 => between(p, q, *weight),
                    _ => at_nearest,
                };
                let index = (t * freq_hz.len() + f) * nr + r;
                gain[index] = if is_delay {
                    Complex64::cis(std::f64::consts::TAU * value.re * 1e-9 * freq_hz[f])
                } else {
                    value
                };
                flag[index] = false;
            }
        }
    }
    (gain, flag)
}

/// The channel map over the solution channels that are good.
fn bridge(
    good: &[usize],
    solution_hz: &[f64],
    data_hz: &[f64],
    mode: FreqInterpolation,
) -> Vec<(usize, usize, f64)> {
    if good.is_empty() {
        return Vec::new();
    }
    let freq_hz: Vec<f64> = good.iter().map(|f| solution_hz[*f]).collect();
    let map = channel_map(&freq_hz, data_hz, mode);
    map.into_iter().map(|(low, high, weight)| (good[low], good[high], weight)).collect()
}

/// A data time this close to a slot takes its solution as it is: two steps of MJD seconds in double precision \[s\]. No wider: tables of
/// CASA whose slots are 1e-5 s off their data are interpolated by CASA, and so flagged by a flagged neighbour.
const SAME_TIME_S: f64 = 2e-6;

/// Values at the wanted times, as CASA has them: none where the slot that counts is flagged, or, between two slots, either is.
fn along_time(
    window: &WindowGains,
    a: usize,
    f: usize,
    r: usize,
    mode: TimeInterpolation,
    time_mjd_s: &[f64],
    is_delay: bool,
) -> Vec<Option<Complex64>> {
    let value = |k: usize| (!window.flag_tafr[[k, a, f, r]]).then(|| window.value_tafr[[k, a, f, r]]);
    let when = |k: usize| window.slots[k].time_mjd_s;
    let n = window.slots.len();
    let at = |time: &f64| {
        let after = window.slots.partition_point(|s| s.time_mjd_s < *time);
        if after == 0 || (after < n && when(after) - time < SAME_TIME_S) {
            return value(after);
        }
        if after == n || time - when(after - 1) < SAME_TIME_S {
            return value(after - 1);
        }
        let x = (time - when(after - 1)) / (when(after) - when(after - 1));
        match mode {
            TimeInterpolation::Nearest => value(if x < 0.5 { after - 1 } else { after }),
            TimeInterpolation::Linear => {
                let (p, q) = (value(after - 1)?, value(after)?);
                Some(if is_delay { p * (1.0 - x) + q * x } else { between(p, q, x) })
            }
        }
    };
    time_mjd_s.iter().map(at).collect()
}

/// Amplitude and phase linear between two gains, the phase along the shorter arc.
fn between(p: Complex64, q: Complex64, x: f64) -> Complex64 {
    let turn = (q * p.conj()).arg();
    Complex64::from_polar(p.norm() * (1.0 - x) + q.norm() * x, p.arg() + x * turn)
}

/// For each data channel the two solution channels and the weight of the second.
fn channel_map(solution_hz: &[f64], data_hz: &[f64], mode: FreqInterpolation) -> Vec<(usize, usize, f64)> {
    let last = solution_hz.len().saturating_sub(1);
    data_hz
        .iter()
        .map(|f| {
            let after = solution_hz.partition_point(|s| s < f);
            if after == 0 {
                return (0, 0, 0.0);
            }
            if after > last {
                return (last, last, 0.0);
            }
            let x = (f - solution_hz[after - 1]) / (solution_hz[after] - solution_hz[after - 1]);
            match mode {
                FreqInterpolation::Nearest => (after - 1, after, if x < 0.5 { 0.0 } else { 1.0 }),
                FreqInterpolation::Linear => (
                    after - 1,
                    after,
                    if x > 1.0 - 1e-6 {
                        1.0
                    } else if x < 1e-6 {
                        0.0
                    } else {
                        x
                    },
                ),
            }
        })
        .collect()
}
