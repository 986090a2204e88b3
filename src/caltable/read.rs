//! Reading of calibration tables, ours and CASA's.

use std::path::Path;

use num_complex::{Complex32, Complex64};

use super::Error;
use crate::casatable::Table;
use crate::coords::RaDec;
use crate::gains::{Antenna, GainTable, Observation, Slot, Target, Term, WindowGains};

/// Slots closer than this are one \[s\].
const SAME_TIME_S: f64 = 1e-3;

fn wrong(path: &Path, expected: impl Into<String>, found: impl Into<String>) -> Error {
    Error::NotACalTable { path: path.to_path_buf(), expected: expected.into(), found: found.into() }
}

/// Open a table and see that it is a calibration table of a known term with rows; cheap.
///
/// # Errors
/// Anything else, saying what is there.
pub fn check(path: &Path) -> Result<Term, Error> {
    let table = open(path)?;
    let term = term(path, &table)?;
    match table.n_rows()? {
        0 => Err(wrong(path, "solutions", "an empty table")),
        _ => Ok(term),
    }
}

fn open(path: &Path) -> Result<Table, Error> {
    if !path.is_dir() {
        let found = if path.exists() { "a file" } else { "nothing" };
        return Err(wrong(path, "a calibration table (a directory)", found));
    }
    Ok(Table::open(path)?)
}

fn term(path: &Path, table: &Table) -> Result<Term, Error> {
    let name = table.keyword_text("", "VisCal")?.and_then(|t| t.into_iter().next()).unwrap_or_default();
    Term::from_casa_name(&name).ok_or_else(|| {
        let found = if name.is_empty() { "no keyword VisCal".to_owned() } else { format!("'{name}'") };
        wrong(path, "VisCal 'K Jones', 'B Jones' or 'G Jones'", found)
    })
}

/// Read a table. Channels are put into ascending order and windows too; what is not finite is flagged.
///
/// # Errors
/// No calibration table, another term, columns that are missing or do not fit one another.
pub fn read(path: &Path) -> Result<GainTable, Error> {
    read_whole(path).map_err(|error| match error {
        // What casacore says of a file that is too short does not name the reason.
        Error::Table(e) if path.is_dir() => {
            wrong(path, "a whole table", format!("one that is damaged or truncated ({e})"))
        }
        other => other,
    })
}

fn read_whole(path: &Path) -> Result<GainTable, Error> {
    let table = open(path)?;
    let term = term(path, &table)?;
    let antennas = antennas(&table)?;
    let rows = MainRows::new(&table)?;
    if rows.time.is_empty() {
        return Err(wrong(path, "solutions", "an empty table"));
    }
    if let Some(bad) = rows.antenna.iter().find(|a| **a < 0 || **a as usize >= antennas.len()) {
        return Err(wrong(
            path,
            format!("ANTENNA1 from 0 to {}", antennas.len() as i64 - 1),
            bad.to_string(),
        ));
    }
    let spectral = table.subtable("SPECTRAL_WINDOW")?;
    let mut spws: Vec<i32> = rows.spw.clone();
    spws.sort_unstable();
    spws.dedup();
    let mut windows = Vec::new();
    for spw in spws {
        if spw < 0 || spw as u64 >= spectral.n_rows()? {
            return Err(wrong(path, "SPECTRAL_WINDOW_ID of a row of SPECTRAL_WINDOW", spw.to_string()));
        }
        let freq: Vec<f64> = spectral.cell("CHAN_FREQ", spw as u64)?;
        let width: Vec<f64> = spectral.cell("CHAN_WIDTH", spw as u64)?;
        windows.push(window(path, &table, &rows, term, spw, (freq, width), antennas.len())?);
    }
    windows.sort_by(|a, b| a.edges_hz()[0].total_cmp(&b.edges_hz()[0]));
    Ok(GainTable {
        term,
        name: path.display().to_string(),
        antennas,
        fields: fields(&table)?,
        observation: observation(&table)?,
        windows,
        history: Vec::new(),
    })
}

struct MainRows {
    time: Vec<f64>,
    interval: Vec<f64>,
    spw: Vec<i32>,
    antenna: Vec<i32>,
    refant: Vec<i32>,
    field: Vec<i32>,
    scan: Vec<i32>,
}

impl MainRows {
    fn new(table: &Table) -> Result<Self, Error> {
        Ok(Self {
            time: table.get_all("TIME")?,
            interval: table.get_all("INTERVAL")?,
            spw: table.get_all("SPECTRAL_WINDOW_ID")?,
            antenna: table.get_all("ANTENNA1")?,
            refant: table.get_all("ANTENNA2")?,
            field: table.get_all("FIELD_ID")?,
            scan: table.get_all("SCAN_NUMBER")?,
        })
    }

    /// Rows of a window, and its slots (ascending in time).
    fn of(&self, spw: i32) -> (Vec<u64>, Vec<Slot>) {
        let mut rows: Vec<u64> =
            (0..self.spw.len() as u64).filter(|k| self.spw[*k as usize] == spw).collect();
        rows.sort_by(|a, b| self.time[*a as usize].total_cmp(&self.time[*b as usize]));
        let mut slots: Vec<Slot> = Vec::new();
        for k in &rows {
            let k = *k as usize;
            if slots.last().is_none_or(|s| self.time[k] - s.time_mjd_s > SAME_TIME_S) {
                slots.push(Slot {
                    time_mjd_s: self.time[k],
                    interval_s: self.interval[k],
                    field: self.field[k],
                    scan: self.scan[k],
                    refant: self.refant[k],
                });
            }
        }
        (rows, slots)
    }
}

fn window(
    path: &Path,
    table: &Table,
    main: &MainRows,
    term: Term,
    spw: i32,
    (freq, width): (Vec<f64>, Vec<f64>),
    na: usize,
) -> Result<WindowGains, Error> {
    let (rows, slots) = main.of(spw);
    let column = if term == Term::K { "FPARAM" } else { "CPARAM" };
    let first = rows.first().copied().unwrap_or(0);
    let shape = table.cell_shape(column, first)?.unwrap_or_default();
    let [nf, nr] = shape[..] else {
        return Err(wrong(
            path,
            format!("{column} with axes (channel, receptor)"),
            format!("shape {shape:?}"),
        ));
    };
    // Older CASA gave gains the channels of the data; then the window's middle is theirs.
    let (freq, width) = if freq.len() == nf {
        (freq, width)
    } else if nf == 1 && !freq.is_empty() {
        (vec![freq.iter().sum::<f64>() / freq.len() as f64], vec![width.iter().map(|w| w.abs()).sum()])
    } else {
        return Err(wrong(
            path,
            format!("{} channels in spectral window {spw}", freq.len()),
            format!("solutions of {nf}"),
        ));
    };
    let values: Vec<Complex64> = if term == Term::K {
        table.get_rows::<f32>(column, &rows)?.iter().map(|v| Complex64::new(f64::from(*v), 0.0)).collect()
    } else {
        table
            .get_rows::<Complex32>(column, &rows)?
            .iter()
            .map(|v| Complex64::new(f64::from(v.re), f64::from(v.im)))
            .collect()
    };
    let flags: Vec<bool> = table.get_rows("FLAG", &rows)?;
    let snr: Vec<f32> = table.get_rows("SNR", &rows)?;
    let error: Vec<f32> = table.get_rows("PARAMERR", &rows)?;
    let cell = nf * nr;
    if [values.len(), flags.len(), snr.len(), error.len()].iter().any(|n| *n != rows.len() * cell) {
        return Err(wrong(
            path,
            format!("{} values in {column}, FLAG, SNR and PARAMERR", rows.len() * cell),
            format!("{} and {}", values.len(), flags.len()),
        ));
    }
    let mut order: Vec<usize> = (0..nf).collect();
    order.sort_by(|a, b| freq[*a].total_cmp(&freq[*b]));
    let sorted = |v: &[f64]| order.iter().map(|k| v[*k]).collect::<Vec<_>>();
    let widths = sorted(&width).iter().map(|w| w.abs()).collect();
    let mut out = WindowGains::flagged(term, spw as usize, sorted(&freq), widths, slots, na, nr);
    for (k, row) in rows.iter().enumerate() {
        let a = main.antenna[*row as usize] as usize;
        let time = main.time[*row as usize];
        let t = out.slots.partition_point(|s| s.time_mjd_s <= time).saturating_sub(1);
        for (f, stored) in order.iter().enumerate() {
            for r in 0..nr {
                let from = k * cell + stored * nr + r;
                let value = values[from];
                let at = [t, a, f, r];
                out.snr_tafr[at] = if snr[from].is_finite() { snr[from] } else { 0.0 };
                out.error_tafr[at] = if error[from].is_finite() { error[from] } else { 0.0 };
                let usable = !flags[from]
                    && value.re.is_finite()
                    && value.im.is_finite()
                    && (term == Term::K || value.norm() > 0.0);
                if usable {
                    out.value_tafr[at] = value;
                    out.flag_tafr[at] = false;
                }
            }
        }
    }
    Ok(out)
}

fn antennas(table: &Table) -> Result<Vec<Antenna>, Error> {
    let sub = table.subtable("ANTENNA")?;
    let n = sub.n_rows()?;
    let positions: Vec<f64> = sub.get_all("POSITION")?;
    let diameters: Vec<f64> = sub.get_all("DISH_DIAMETER")?;
    let (names, stations, mounts) =
        (sub.text("NAME", 0..n)?, sub.text("STATION", 0..n)?, sub.text("MOUNT", 0..n)?);
    Ok((0..n as usize)
        .map(|k| Antenna {
            name: names[k].clone(),
            station: stations[k].clone(),
            mount: mounts[k].clone(),
            position_m: [positions[3 * k], positions[3 * k + 1], positions[3 * k + 2]],
            dish_diameter_m: diameters[k],
        })
        .collect())
}

fn fields(table: &Table) -> Result<Vec<Target>, Error> {
    let sub = table.subtable("FIELD")?;
    let n = sub.n_rows()?;
    let names = sub.text("NAME", 0..n)?;
    let times: Vec<f64> = sub.get_all("TIME")?;
    let mut out = Vec::new();
    for row in 0..n {
        let direction: Vec<f64> = sub.cell("PHASE_DIR", row)?;
        let centre = RaDec::from_rad(
            direction.first().copied().unwrap_or(0.0),
            direction.get(1).copied().unwrap_or(0.0),
        );
        out.push(Target { name: names[row as usize].clone(), centre, time_mjd_s: times[row as usize] });
    }
    Ok(out)
}

fn observation(table: &Table) -> Result<Observation, Error> {
    let ms_name = table.keyword_text("", "MSName")?.and_then(|t| t.into_iter().next()).unwrap_or_default();
    let sub = table.subtable("OBSERVATION")?;
    if sub.n_rows()? == 0 {
        return Ok(Observation { ms_name, ..Observation::default() });
    }
    let range: Vec<f64> = sub.cell("TIME_RANGE", 0)?;
    Ok(Observation {
        telescope: sub.text("TELESCOPE_NAME", 0..1)?.pop().unwrap_or_default(),
        time_range_mjd_s: [range.first().copied().unwrap_or(0.0), range.get(1).copied().unwrap_or(0.0)],
        ms_name,
    })
}
