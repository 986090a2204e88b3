//! Validation of a Measurement Set: verdicts with value, limit and reason.

use std::path::PathBuf;

use serde::Serialize;

use crate::array::{AntennaTable, DEFAULT_REFERENCE};
use crate::control::Control;
use crate::coords::RaDec;
use crate::ms::{Column, Meta, MsReader, ReadRequest};
use crate::Error;

/// Distance of an antenna from its station \[m\].
const POSITION_LIMIT_M: f64 = 0.05;
/// Difference between the length of uvw and of the baseline \[m\].
const UVW_LIMIT_M: f64 = 1e-3;
/// Distance of consecutive phase centres from the Earth's turn \[arcsec\].
const CENTRE_LIMIT_ARCSEC: f64 = 2.0;
/// Sidereal rate \[rad/s of UTC\].
const SIDEREAL_RAD_S: f64 = 7.292_115_855e-5;
const ROWS_LOOKED_AT: u64 = 20_000;

/// What to verify.
#[derive(Clone, Debug)]
pub struct VerifyParams {
    /// The Measurement Set.
    pub path: PathBuf,
    /// Also demand MODEL_DATA, CORRECTED_DATA and WEIGHT_SPECTRUM.
    pub imaging_columns: bool,
}

impl VerifyParams {
    /// With imaging columns.
    pub fn new(path: PathBuf) -> Self {
        Self { path, imaging_columns: true }
    }
}

/// One check.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// Its name.
    pub name: &'static str,
    /// What was measured.
    pub value: f64,
    /// What it must not exceed.
    pub limit: f64,
    /// Whether it passed.
    pub ok: bool,
    /// In words.
    pub reason: String,
}

impl Verdict {
    fn new(name: &'static str, value: f64, limit: f64, reason: impl Into<String>) -> Self {
        Self { name, value, limit, ok: value <= limit, reason: reason.into() }
    }
}

/// All checks.
#[derive(Clone, Debug, Serialize)]
pub struct VerifyReport {
    /// The Measurement Set.
    pub path: PathBuf,
    /// Whether all passed.
    pub ok: bool,
    /// One by one.
    pub verdicts: Vec<Verdict>,
}

/// Verify a Measurement Set.
///
/// # Errors
/// One that cannot be opened or read.
pub fn run(params: &VerifyParams, control: &Control) -> Result<VerifyReport, Error> {
    let reader = MsReader::open(&params.path)?;
    let meta = reader.meta();
    control.check()?;
    let mut verdicts =
        vec![columns(meta, params.imaging_columns), rows(meta), frequencies(meta), centres(meta)];
    verdicts.extend(positions(meta)?);
    verdicts.push(telescope(meta));
    if meta.n_rows > 0 {
        verdicts.extend(sample(&reader, control)?);
    }
    Ok(VerifyReport { path: params.path.clone(), ok: verdicts.iter().all(|v| v.ok), verdicts })
}

fn columns(meta: &Meta, imaging: bool) -> Verdict {
    let mut wanted = vec!["DATA", "FLAG", "WEIGHT", "SIGMA", "UVW"];
    if imaging {
        wanted.extend(["MODEL_DATA", "CORRECTED_DATA", "WEIGHT_SPECTRUM"]);
    }
    let absent: Vec<&str> = wanted.into_iter().filter(|c| !meta.has_column(c)).collect();
    let reason = if absent.is_empty() {
        "all columns are there".into()
    } else {
        format!("absent: {}", absent.join(", "))
    };
    Verdict::new("columns", absent.len() as f64, 0.0, reason)
}

fn rows(meta: &Meta) -> Verdict {
    let empty = f64::from(u8::from(meta.n_rows == 0));
    Verdict::new("rows", empty, 0.0, format!("{} rows", meta.n_rows))
}

fn frequencies(meta: &Meta) -> Verdict {
    let starts: Vec<f64> = meta.spws.iter().filter_map(|s| s.freq_hz.first().copied()).collect();
    let wrong =
        starts.windows(2).filter(|w| w[1] <= w[0]).count() + meta.descending.iter().filter(|d| **d).count();
    Verdict::new(
        "frequency_order",
        wrong as f64,
        0.0,
        format!("{wrong} spectral windows out of ascending order"),
    )
}

/// The phase centres stand still, or go with the sidereal time.
fn centres(meta: &Meta) -> Verdict {
    let tracking = |shift_rad: f64, a: &RaDec, t: f64| RaDec::from_rad(a.ra_rad + shift_rad * t, a.dec_rad);
    let mut worst: f64 = 0.0;
    let mut moving = false;
    for pair in meta.fields.windows(2) {
        let (a, b) = (&pair[0], &pair[1]);
        let dt = b.time_mjd_s - a.time_mjd_s;
        let still = a.centre.separation_rad(b.centre);
        let moved = tracking(SIDEREAL_RAD_S, &a.centre, dt).separation_rad(b.centre);
        moving |= moved < still;
        worst = worst.max(still.min(moved).to_degrees() * 3600.0);
    }
    let how = if moving { "follow the sidereal time" } else { "are one" };
    Verdict::new(
        "phase_centres",
        worst,
        CENTRE_LIMIT_ARCSEC,
        format!("{} phase centres {how}", meta.fields.len()),
    )
}

fn positions(meta: &Meta) -> Result<Option<Verdict>, Error> {
    if !meta.telescope_is_known() {
        return Ok(None);
    }
    let table = AntennaTable::dsa110()?;
    let mut worst = (0.0_f64, String::new());
    for antenna in &meta.antennas {
        let station =
            antenna.name.parse().ok().and_then(|s: u32| table.index_of(s)).map(|i| &table.antennas()[i]);
        let off = station.map_or(f64::INFINITY, |s| {
            (0..3).map(|k| (s.itrf_m[k] - antenna.itrf_m[k]).powi(2)).sum::<f64>().sqrt()
        });
        if off > worst.0 {
            worst = (off, antenna.name.clone());
        }
    }
    let reason = if worst.1.is_empty() {
        "all at their stations".into()
    } else {
        format!("antenna {} is farthest off", worst.1)
    };
    Ok(Some(Verdict::new("antenna_positions", worst.0, POSITION_LIMIT_M, reason)))
}

fn telescope(meta: &Meta) -> Verdict {
    let empty = f64::from(u8::from(meta.telescope.is_empty()));
    Verdict::new("telescope", empty, 0.0, format!("TELESCOPE_NAME '{}'", meta.telescope))
}

/// Checks on some rows of the middle window.
fn sample(reader: &MsReader, control: &Control) -> Result<Vec<Verdict>, Error> {
    let meta = reader.meta();
    let windows = reader.windows();
    let Some(&spw) = windows.get(windows.len() / 2) else { return Ok(Vec::new()) };
    let n = reader.n_rows(spw).min(ROWS_LOOKED_AT);
    let block = reader.read(&ReadRequest::new(spw, Column::Data).rows(0..n))?;
    control.check()?;
    let length = |v: [f64; 3]| (v[0] * v[0] + v[1] * v[1] + v[2] * v[2]).sqrt();
    let mut worst: f64 = 0.0;
    let mut longest: f64 = 0.0;
    for r in 0..block.rows.len() {
        let (a, b) = (block.rows.antenna1[r] as usize, block.rows.antenna2[r] as usize);
        let d = [0, 1, 2].map(|k| meta.antennas[a].itrf_m[k] - meta.antennas[b].itrf_m[k]);
        worst = worst.max((length(d) - length(block.rows.uvw_m[r])).abs());
        longest = longest.max(length(block.rows.uvw_m[r]));
    }
    let mut out = vec![Verdict::new("uvw", worst, UVW_LIMIT_M, format!("longest uvw {longest:.1} m"))];
    let reference = meta.antenna_index(&DEFAULT_REFERENCE.to_string()).map(|i| i as u32);
    let rows: Vec<usize> = (0..block.rows.len())
        .filter(|r| reference.is_some_and(|a| block.rows.antenna1[*r] == a || block.rows.antenna2[*r] == a))
        .collect();
    if meta.telescope_is_known() && !rows.is_empty() {
        let good = rows.iter().any(|r| {
            let row = block.vis_rfp.index_axis(ndarray::Axis(0), *r);
            let flags = block.flag_rfp.index_axis(ndarray::Axis(0), *r);
            row.iter().zip(flags).any(|(v, f)| !f && v.norm_sqr() > 0.0)
        });
        let words = if good { "has data" } else { "has no unflagged data" };
        let bad = f64::from(u8::from(!good));
        out.push(Verdict::new(
            "reference_antenna",
            bad,
            0.0,
            format!("reference antenna {DEFAULT_REFERENCE} {words}"),
        ));
    }
    let total = block.flag_rfp.len().max(1) as f64;
    let flagged = block.flag_rfp.iter().filter(|f| **f).count() as f64 / total;
    // All flagged is a fact worth knowing, but a group whose middle subband is missing is sound.
    out.push(Verdict::new(
        "flagged_fraction",
        flagged,
        1.0,
        format!("of the {} first rows of window {spw}", block.rows.len()),
    ));
    Ok(out)
}
