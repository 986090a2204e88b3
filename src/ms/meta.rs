//! What a Measurement Set says about itself: its subtables.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::error::Error;
use crate::casatable::Table;
use crate::coords::RaDec;
use crate::vis::{Channels, Field, Product};

/// One row of ANTENNA.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct MsAntenna {
    /// NAME, for DSA-110 the station number ("103").
    pub name: String,
    /// STATION.
    pub station: String,
    /// MOUNT.
    pub mount: String,
    /// POSITION, ITRF \[m\].
    pub itrf_m: [f64; 3],
    /// DISH_DIAMETER \[m\].
    pub diameter_m: f64,
}

/// One row of DATA_DESCRIPTION: a spectral window with its polarisation products.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct DataDescription {
    /// Row of SPECTRAL_WINDOW.
    pub spw: usize,
    /// Row of POLARIZATION.
    pub polarization: usize,
    /// Products in the order of the data's last axis.
    pub products: Vec<Product>,
    /// Rows of MAIN with this description.
    pub n_rows: u64,
}

/// What a Measurement Set says about itself.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Meta {
    /// Its directory.
    pub path: PathBuf,
    /// ANTENNA.
    pub antennas: Vec<MsAntenna>,
    /// FIELD; the index is FIELD_ID.
    pub fields: Vec<Field>,
    /// SPECTRAL_WINDOW, channels put into ascending order; the index is the row.
    pub spws: Vec<Channels>,
    /// Whether the channels of a window are stored in descending order.
    pub descending: Vec<bool>,
    /// DATA_DESCRIPTION.
    pub data_descriptions: Vec<DataDescription>,
    /// TELESCOPE_NAME of the first observation.
    pub telescope: String,
    /// First and last TIME, UTC \[MJD s\]; zeros without rows.
    pub time_range_mjd_s: [f64; 2],
    /// Columns of MAIN.
    pub columns: Vec<String>,
    /// Rows of MAIN.
    pub n_rows: u64,
    /// The provenance record, when this package wrote the Measurement Set.
    pub provenance: Option<serde_json::Value>,
}

/// Name of the provenance record inside a Measurement Set.
pub const PROVENANCE_FILE: &str = "contimg_provenance.json";

impl Meta {
    /// Whether MAIN has a column.
    pub fn has_column(&self, name: &str) -> bool {
        self.columns.iter().any(|c| c == name)
    }

    /// Whether the telescope is one that the primary-beam models and CASA or WSClean know under this name.
    pub fn telescope_is_known(&self) -> bool {
        matches!(self.telescope.as_str(), "DSA_110" | "OVRO_MMA")
    }

    /// Row of ANTENNA by NAME (or by STATION when no name matches).
    pub fn antenna_index(&self, name: &str) -> Option<usize> {
        let by = |f: fn(&MsAntenna) -> &str| self.antennas.iter().position(|a| f(a) == name);
        by(|a| &a.name).or_else(|| by(|a| &a.station))
    }
}

pub(super) fn antennas(main: &Table) -> Result<Vec<MsAntenna>, Error> {
    let table = main.subtable("ANTENNA")?;
    let n = table.n_rows()?;
    let names = table.text("NAME", 0..n)?;
    let stations = table.text("STATION", 0..n)?;
    let mounts = table.text("MOUNT", 0..n)?;
    let positions: Vec<f64> = if n == 0 { Vec::new() } else { table.get("POSITION", 0..n)? };
    let diameters: Vec<f64> = table.get("DISH_DIAMETER", 0..n)?;
    Ok((0..n as usize)
        .map(|i| MsAntenna {
            name: names[i].trim().to_owned(),
            station: stations[i].trim().to_owned(),
            mount: mounts[i].clone(),
            itrf_m: [positions[3 * i], positions[3 * i + 1], positions[3 * i + 2]],
            diameter_m: diameters[i],
        })
        .collect())
}

pub(super) fn fields(main: &Table) -> Result<Vec<Field>, Error> {
    let table = main.subtable("FIELD")?;
    let n = table.n_rows()?;
    let names = table.text("NAME", 0..n)?;
    let times: Vec<f64> = table.get("TIME", 0..n)?;
    let frame = direction_frame(&table, "PHASE_DIR")?;
    if !matches!(frame.as_str(), "J2000" | "ICRS" | "FK5") {
        return Err(Error::content(table.path(), "PHASE_DIR", "directions in ICRS or J2000", frame));
    }
    (0..n)
        .map(|row| {
            Ok(Field {
                name: names[row as usize].clone(),
                centre: phase_centre(&table, row)?,
                time_mjd_s: times[row as usize],
            })
        })
        .collect()
}

fn direction_frame(table: &Table, column: &str) -> Result<String, Error> {
    if table.keyword_text(column, "MEASINFO.VarRefCol")?.is_some() {
        return Ok("a frame that varies from row to row".into());
    }
    let texts = table.keyword_text(column, "MEASINFO.Ref")?;
    Ok(texts.and_then(|t| t.into_iter().next()).unwrap_or_else(|| "J2000".into()))
}

/// The constant term of a direction polynomial: cells of shape (n, 2), or (2,) and (2, 1) as some writers leave them.
fn phase_centre(table: &Table, row: u64) -> Result<RaDec, Error> {
    let shape = table.cell_shape("PHASE_DIR", row)?.unwrap_or_default();
    let pair = match shape.as_slice() {
        [2] | [2, 1] => true,
        [n, 2] => *n >= 1,
        _ => false,
    };
    let what = format!("PHASE_DIR, row {row}");
    if !pair {
        return Err(Error::content(table.path(), what, "an array of shape (1, 2)", format!("{shape:?}")));
    }
    let v: Vec<f64> = table.cell("PHASE_DIR", row)?;
    if !v[0].is_finite() || !v[1].is_finite() {
        return Err(Error::content(table.path(), what, "a finite direction", format!("{:?}", &v[..2])));
    }
    Ok(RaDec::from_rad(v[0], v[1]))
}

/// Channels in ascending order, and whether they are stored the other way round.
pub(super) fn spectral_windows(main: &Table) -> Result<(Vec<Channels>, Vec<bool>), Error> {
    let table = main.subtable("SPECTRAL_WINDOW")?;
    let mut windows = Vec::new();
    let mut descending = Vec::new();
    for row in 0..table.n_rows()? {
        let mut freq_hz: Vec<f64> = table.cell("CHAN_FREQ", row)?;
        let mut width_hz: Vec<f64> =
            table.cell::<f64>("CHAN_WIDTH", row)?.into_iter().map(f64::abs).collect();
        let down = freq_hz.len() > 1 && freq_hz[1] < freq_hz[0];
        if down {
            freq_hz.reverse();
            width_hz.reverse();
        }
        let sound = freq_hz.len() == width_hz.len()
            && freq_hz.iter().all(|f| f.is_finite())
            && freq_hz.windows(2).all(|w| w[0] < w[1]);
        if !sound {
            let what = format!("CHAN_FREQ, row {row}");
            return Err(Error::content(
                table.path(),
                what,
                "frequencies in order",
                "frequencies out of order",
            ));
        }
        windows.push(Channels { spw: row as usize, freq_hz, width_hz });
        descending.push(down);
    }
    Ok((windows, descending))
}

pub(super) fn data_descriptions(
    main: &Table,
    counts: &HashMap<i32, u64>,
) -> Result<Vec<DataDescription>, Error> {
    let table = main.subtable("DATA_DESCRIPTION")?;
    let n = table.n_rows()?;
    let spws: Vec<i32> = table.get("SPECTRAL_WINDOW_ID", 0..n)?;
    let pols: Vec<i32> = table.get("POLARIZATION_ID", 0..n)?;
    let polarization = main.subtable("POLARIZATION")?;
    let setups = polarization.n_rows()?;
    (0..n as usize)
        .map(|i| {
            let row = u64::try_from(pols[i]).ok().filter(|r| *r < setups).ok_or_else(|| {
                Error::content(table.path(), "POLARIZATION_ID", format!("below {setups}"), pols[i])
            })?;
            let codes: Vec<i32> = polarization.cell("CORR_TYPE", row)?;
            let products = codes
                .iter()
                .map(|c| {
                    Product::from_casa_code(*c).ok_or_else(|| {
                        Error::content(
                            polarization.path(),
                            "CORR_TYPE",
                            "linear or circular products (5..12)",
                            c,
                        )
                    })
                })
                .collect::<Result<_, _>>()?;
            let spw = usize::try_from(spws[i])
                .map_err(|_| Error::content(table.path(), "SPECTRAL_WINDOW_ID", "not negative", spws[i]))?;
            let n_rows = counts.get(&(i as i32)).copied().unwrap_or(0);
            Ok(DataDescription { spw, polarization: row as usize, products, n_rows })
        })
        .collect()
}

pub(super) fn telescope(main: &Table) -> Result<String, Error> {
    let table = main.subtable("OBSERVATION")?;
    let n = table.n_rows()?;
    Ok(table.text("TELESCOPE_NAME", 0..n.min(1))?.into_iter().next().unwrap_or_default())
}

pub(super) fn provenance(path: &Path) -> Option<serde_json::Value> {
    let text = std::fs::read_to_string(path.join(PROVENANCE_FILE)).ok()?;
    serde_json::from_str(&text).ok()
}
