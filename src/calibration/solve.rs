//! The solver loop shared by all terms.

use num_complex::Complex64;
use rayon::prelude::*;

use super::accumulate::Cell;
use super::report::Tally;
use super::stefcal::{stefcal, Normal};
use super::{bandpass, delay, gain, Error, Intervals, Mode, SolveParams, SolveReport, Sums};
use crate::control::Control;
use crate::gains::{reference, GainTable, Term, WindowGains};
use crate::kind::BadArgument;

/// One window's sums and the solution channels they belong to.
pub struct WindowSums<'a> {
    /// Spectral window.
    pub spw: usize,
    /// Solution channels \[Hz\].
    pub freq_hz: Vec<f64>,
    /// Their widths \[Hz\].
    pub width_hz: Vec<f64>,
    /// The sums.
    pub sums: &'a Sums,
}

/// Solve a term from the sums of its windows and reference, fill, smooth and normalise as asked.
///
/// `shell` is a table with antennas, fields and observation but no windows. With `combine spw` merge the sums first and
/// pass them for every window: each gets the common solution, so that no `spwmap` is needed to apply it.
///
/// # Errors
/// No data or a zero model (the reason says what removed it), no solution that survives, a bad parameter, cancellation.
pub fn solve(
    mut shell: GainTable,
    windows: &[WindowSums<'_>],
    intervals: &Intervals,
    params: &SolveParams,
    control: &Control,
) -> Result<(GainTable, SolveReport), Error> {
    check(params)?;
    // Merged sums hold the data of all windows.
    let merged = params.combine.spw && params.term != Term::K;
    let distinct = if merged { windows.len().min(1) } else { windows.len() };
    let excluded =
        windows[..distinct].iter().fold(super::Excluded::default(), |sum, w| sum.plus(w.sums.excluded()));
    excluded.check(&shell.name)?;
    let mut tally = Tally::default();
    shell.term = params.term;
    shell.windows = match params.term {
        Term::K => delay::solve(windows, intervals, params, &mut tally, control)?,
        Term::B | Term::G => {
            let mut solved = Vec::new();
            for window in &windows[..distinct] {
                solved.push(solve_window(window, intervals, params, &mut tally, control)?);
            }
            for window in &windows[distinct..] {
                let common = solved.first().cloned();
                solved.extend(common.map(|w| WindowGains {
                    spw: window.spw,
                    freq_hz: window.freq_hz.clone(),
                    width_hz: window.width_hz.clone(),
                    ..w
                }));
            }
            solved
        }
    };
    shell.windows.sort_by(|a, b| a.edges_hz()[0].total_cmp(&b.edges_hz()[0]));
    if shell.working_flagged_fraction().1 == 0 {
        let reason = format!("{}; {}", tally.reason(params), excluded.shares());
        return Err(Error::NoSolution { where_: shell.name.clone(), reason });
    }
    let ranked = if params.refant.is_empty() { vec![most_data(&shell)] } else { params.refant.clone() };
    if params.mode != Mode::Amp {
        reference(&mut shell, &ranked, params.refant_mode)?;
        if shell.working_flagged_fraction().1 == 0 {
            let names: Vec<&str> = ranked.iter().map(|a| shell.antennas[*a].name.as_str()).collect();
            let reason = format!(
                "no reference antenna of {} has a solution, and refantmode 'strict' takes no other",
                names.join(", ")
            );
            return Err(Error::NoSolution { where_: shell.name, reason });
        }
    }
    match params.term {
        Term::B => bandpass::finish(&mut shell, params),
        Term::G => gain::finish(&mut shell, params),
        Term::K => {}
    }
    let report = SolveReport::new(&shell, &tally, excluded);
    Ok((shell, report))
}

fn check(params: &SolveParams) -> Result<(), Error> {
    if params.tolerance <= 0.0 || params.acceptable < params.tolerance || params.max_iterations == 0 {
        let found = format!(
            "tolerance {}, acceptable {}, {} iterations",
            params.tolerance, params.acceptable, params.max_iterations
        );
        return Err(BadArgument::new(
            "convergence",
            "0 < tolerance <= acceptable and at least one iteration",
            found,
        )
        .into());
    }
    if params.minblperant < 1 {
        return Err(BadArgument::new("minblperant", "at least 1", params.minblperant).into());
    }
    Ok(())
}

/// Antenna with the greatest total SNR: the reference when none is named.
fn most_data(table: &GainTable) -> usize {
    let mut weight = vec![0.0f64; table.antennas.len()];
    for window in &table.windows {
        for ((t, a, f, r), snr) in window.snr_tafr.indexed_iter() {
            if !window.flag_tafr[[t, a, f, r]] {
                weight[a] += f64::from(*snr).min(1e3);
            }
        }
    }
    (0..weight.len()).max_by(|a, b| weight[*a].total_cmp(&weight[*b])).unwrap_or(0)
}

/// Solution of one (interval, channel, receptor), for all antennas.
pub(super) struct CellSolution {
    pub gain: Vec<Complex64>,
    pub flag: Vec<bool>,
    pub error: Vec<f64>,
    pub outcome: Outcome,
    pub iterations: usize,
    pub chi2_reduced: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Converged,
    Accepted,
    Failed,
    NoData,
}

/// A window with flagged solutions at the mean times of the data used.
pub(super) fn empty_window(
    term: Term,
    spw: usize,
    freq: (Vec<f64>, Vec<f64>),
    sums: &Sums,
    intervals: &Intervals,
) -> WindowGains {
    let slots = (0..sums.intervals)
        .map(|k| {
            let mut slot = intervals.slot(k);
            slot.time_mjd_s = sums.mean_time_mjd_s(k).unwrap_or(slot.time_mjd_s);
            slot
        })
        .collect();
    WindowGains::flagged(term, spw, freq.0, freq.1, slots, sums.antennas, sums.receptors)
}

fn solve_window(
    window: &WindowSums<'_>,
    intervals: &Intervals,
    params: &SolveParams,
    tally: &mut Tally,
    control: &Control,
) -> Result<WindowGains, Error> {
    let sums = window.sums;
    let mut out = empty_window(
        params.term,
        window.spw,
        (window.freq_hz.clone(), window.width_hz.clone()),
        sums,
        intervals,
    );
    let across = sums.channels * sums.receptors;
    // A few neighbours at a time: they lie in one line of memory.
    let groups: Vec<(usize, std::ops::Range<usize>)> = (0..sums.intervals)
        .flat_map(|t| (0..across).step_by(NEIGHBOURS).map(move |c| (t, c..(c + NEIGHBOURS).min(across))))
        .collect();
    control.expect((sums.intervals * across) as u64);
    let solved: Result<Vec<Vec<CellSolution>>, Error> = groups
        .par_iter()
        .map(|(t, cells)| {
            control.check()?;
            let mut out = Vec::with_capacity(cells.len());
            for baselines in gather(sums, *t, cells.clone()) {
                out.push(solve_cell(&baselines, sums.antennas, params));
                control.advance(1);
            }
            Ok(out)
        })
        .collect();
    let places = groups.into_iter().flat_map(|(t, cells)| cells.map(move |c| (t, c)));
    for ((t, c), cell) in places.zip(solved?.into_iter().flatten()) {
        let (f, r) = (c / sums.receptors, c % sums.receptors);
        tally.add(&cell);
        for a in 0..sums.antennas {
            let at = [t, a, f, r];
            // CASA's meaning of minsnr: over the error of the complex number, not of one component.
            let error = cell.error[a] * std::f64::consts::SQRT_2;
            let snr = if error > 0.0 { (cell.gain[a].norm() / error).min(1e8) } else { 0.0 };
            out.snr_tafr[at] = snr as f32;
            out.error_tafr[at] = cell.error[a] as f32;
            if cell.flag[a] {
                continue;
            }
            if snr < params.minsnr {
                tally.low_snr += 1;
                continue;
            }
            out.value_tafr[at] = cell.gain[a];
            out.flag_tafr[at] = false;
        }
    }
    Ok(out)
}

/// Cells solved by one task.
const NEIGHBOURS: usize = 4;

/// Cells of all baselines with data, for each of some neighbouring cells along (channel, receptor).
fn gather(sums: &Sums, t: usize, cells: std::ops::Range<usize>) -> Vec<Vec<(usize, usize, Cell)>> {
    let mut out = vec![Vec::with_capacity(sums.pairs().len()); cells.len()];
    for (slot, (i, j)) in sums.pairs().iter().enumerate() {
        for (list, cell) in out.iter_mut().zip(sums.cells_of(slot, t, cells.start, cells.len())) {
            if cell.den > 0.0 {
                list.push((*i as usize, *j as usize, cell));
            }
        }
    }
    out
}

/// Antennas that keep at least `minblperant` baselines to one another and hang together.
pub(super) fn working_antennas(
    n: usize,
    minblperant: usize,
    baselines: impl Iterator<Item = (usize, usize)>,
) -> Vec<usize> {
    let mut links = vec![Vec::new(); n];
    for (i, j) in baselines {
        links[i].push(j);
        links[j].push(i);
    }
    let mut alive: Vec<bool> = links.iter().map(|l| !l.is_empty()).collect();
    loop {
        let lost: Vec<usize> = (0..n)
            .filter(|i| alive[*i] && links[*i].iter().filter(|j| alive[**j]).count() < minblperant)
            .collect();
        if lost.is_empty() {
            break;
        }
        for i in lost {
            alive[i] = false;
        }
    }
    // The largest connected part: phases of another part would have no common reference.
    let mut part = vec![usize::MAX; n];
    let mut sizes = Vec::new();
    for start in 0..n {
        if !alive[start] || part[start] != usize::MAX {
            continue;
        }
        let (mut stack, mut size) = (vec![start], 0);
        part[start] = sizes.len();
        while let Some(i) = stack.pop() {
            size += 1;
            for j in &links[i] {
                if alive[*j] && part[*j] == usize::MAX {
                    part[*j] = sizes.len();
                    stack.push(*j);
                }
            }
        }
        sizes.push(size);
    }
    let Some(largest) = (0..sizes.len()).max_by_key(|k| (sizes[*k], usize::MAX - k)) else {
        return Vec::new();
    };
    (0..n).filter(|i| part[*i] == largest).collect()
}

/// Most rounds of robust reweighting; a handful is the rule, an outlier far above the rest takes tens.
const REWEIGHTINGS: usize = 40;

fn solve_cell(baselines: &[(usize, usize, Cell)], na: usize, params: &SolveParams) -> CellSolution {
    let mut out = CellSolution {
        gain: vec![Complex64::new(1.0, 0.0); na],
        flag: vec![true; na],
        error: vec![0.0; na],
        outcome: Outcome::NoData,
        iterations: 0,
        chi2_reduced: f64::NAN,
    };
    let working = working_antennas(na, params.minblperant, baselines.iter().map(|(i, j, _)| (*i, *j)));
    let n = working.len();
    if n == 0 {
        return out;
    }
    let mut place = vec![usize::MAX; na];
    working.iter().enumerate().for_each(|(p, a)| place[*a] = p);
    let mut normal = Normal::new(n);
    let mut misfit = Misfit::default();
    for (i, j, cell) in baselines {
        let (p, q) = (place[*i], place[*j]);
        if p != usize::MAX && q != usize::MAX {
            normal.set(p, q, cell.num, cell.den);
            misfit.add(cell.power, cell.count);
        }
    }
    let robust = params.robust != super::Robust::Off;
    let start = robust.then(|| normal.median_guess(params.mode));
    let (mut g, mut end) =
        stefcal(&normal, params.mode, start.as_deref(), params.tolerance, params.max_iterations);
    let mut iterations = end.iterations;
    if robust {
        let original = normal.clone();
        // Least squares may have followed the outliers: the medians have not.
        g = start.unwrap_or(g);
        for _ in 0..REWEIGHTINGS {
            reweight(&mut normal, &original, &g, params);
            let before = g.clone();
            (g, end) = stefcal(&normal, params.mode, Some(&g), params.tolerance, params.max_iterations);
            iterations += end.iterations;
            let moved: f64 = g.iter().zip(&before).map(|(a, b)| (a - b).norm_sqr()).sum();
            if moved < params.acceptable.powi(2) * g.iter().map(Complex64::norm_sqr).sum::<f64>() {
                break;
            }
        }
    }
    out.iterations = iterations;
    out.outcome = if end.change < params.tolerance {
        Outcome::Converged
    } else if end.change < params.acceptable {
        Outcome::Accepted
    } else {
        Outcome::Failed
    };
    if out.outcome == Outcome::Failed || g.iter().any(|z| !(z.re.is_finite() && z.im.is_finite())) {
        out.outcome = Outcome::Failed;
        return out;
    }
    let (scale, information) =
        if params.mode == Mode::Phase { misfit.of_phases(&normal, &g) } else { misfit.of_gains(&normal, &g) };
    out.chi2_reduced = scale;
    for (p, a) in working.iter().enumerate() {
        if g[p].norm() == 0.0 || information[p] <= 0.0 {
            continue;
        }
        out.gain[*a] = if params.mode == Mode::Amp { Complex64::new(g[p].norm(), 0.0) } else { g[p] };
        out.error[*a] = (scale / information[p]).sqrt();
        out.flag[*a] = false;
    }
    out
}

/// What is left of the data after the fit.
#[derive(Default)]
struct Misfit {
    power: f64,
    count: f64,
    baselines: f64,
}

impl Misfit {
    fn add(&mut self, power: f64, count: f64) {
        self.power += power;
        self.count += count;
        self.baselines += 1.0;
    }

    /// Reduced chi-square of complex gains (the variance of a real component at unit weight), and the information a gain.
    fn of_gains(&self, normal: &Normal, g: &[Complex64]) -> (f64, Vec<f64>) {
        let mut fit = 0.0;
        for i in 0..normal.n {
            for j in i + 1..normal.n {
                let den = normal.den[i * normal.n + j];
                if den > 0.0 {
                    fit += 2.0 * (normal.num(i, j) * g[i].conj() * g[j]).re - den * (g[i] * g[j]).norm_sqr();
                }
            }
        }
        let freedom = 2.0 * self.count - (2.0 * normal.n as f64 - 1.0);
        (self.scale(self.power - fit, freedom), normal.information(g))
    }

    /// The same for phases: scatter within the sums and across the phase direction; amplitudes are free.
    fn of_phases(&self, normal: &Normal, g: &[Complex64]) -> (f64, Vec<f64>) {
        let n = normal.n;
        let (mut within, mut across) = (self.power, 0.0);
        let mut information = vec![0.0; n];
        for i in 0..n {
            for j in i + 1..n {
                let den = normal.den[i * n + j];
                if den > 0.0 {
                    let num = normal.num(i, j);
                    within -= num.norm_sqr() / den;
                    let turned = num * g[i].conj() * g[j];
                    across += turned.im.powi(2) / den;
                    // Along the phase direction the amplitude counts as far as it is positive.
                    let power = turned.re.max(0.0).powi(2) / den;
                    information[i] += power;
                    information[j] += power;
                }
            }
        }
        let freedom = 2.0 * (self.count - self.baselines) + self.baselines - (n as f64 - 1.0);
        (self.scale(within + across, freedom), information)
    }

    /// Never exactly zero: f64 sums leave 1e-16 of the power.
    fn scale(&self, chi2: f64, freedom: f64) -> f64 {
        let floor = 1e-16 * self.power / (2.0 * self.count).max(1.0);
        if freedom > 0.0 {
            (chi2 / freedom).max(floor)
        } else {
            // As many parameters as data: the weights are taken at their word (1 / sigma^2).
            1.0
        }
    }
}

/// Weights of baselines by their residual, normalised by its median: `|e|^2 den / scale` of pure noise has median `2 ln 2`.
fn reweight(normal: &mut Normal, original: &Normal, g: &[Complex64], params: &SolveParams) {
    let n = original.n;
    let mut residuals = Vec::new();
    for i in 0..n {
        for j in i + 1..n {
            let den = original.den[i * n + j];
            if den > 0.0 {
                let model = g[i] * g[j].conj();
                residuals.push((i, j, (original.num(i, j) / den - model).norm_sqr() * den));
            }
        }
    }
    let mut sorted: Vec<f64> = residuals.iter().map(|r| r.2).collect();
    if sorted.is_empty() {
        return;
    }
    let middle = sorted.len() / 2;
    let median = *sorted.select_nth_unstable_by(middle, f64::total_cmp).1;
    let scale = (median / (2.0 * std::f64::consts::LN_2)).max(1e-300);
    for (i, j, chi2) in residuals {
        let w = params.robust.weight((chi2 / scale).sqrt());
        normal.set(i, j, original.num(i, j) * w, original.den[i * n + j] * w);
    }
}
