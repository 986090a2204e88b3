//! The primary beam of a stage: the telescope's, a dish's, or a user's file.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::beam::{Airy, Beam, Radial};
use crate::beamfile::{self, BeamTable};
use crate::kind::BadArgument;
use crate::Error;

/// The beam: of `file` when there is one, of a dish of `diameter_m` when that is given, else of the telescope by its name.
///
/// # Errors
/// Both a file and a diameter; an unknown telescope with neither; a file that is no beam.
pub(super) fn choose(telescope: &str, diameter_m: Option<f64>, file: Option<&Path>) -> Result<Beam, Error> {
    match (file, diameter_m) {
        (Some(path), Some(diameter)) => {
            let found = format!("{} and {diameter} m", path.display());
            let one = BadArgument::new("beam", "a file or dish_diameter_m, not both", found);
            Err(crate::beam::Error::from(one).into())
        }
        (Some(path), None) => from_file(path),
        (None, Some(diameter)) => Ok(Beam::Airy(Airy::new(diameter)?)),
        (None, None) => Ok(Beam::for_telescope(telescope)?),
    }
}

/// The beam of a file.
///
/// # Errors
/// As [`beamfile::read`].
pub(super) fn from_file(path: &Path) -> Result<Beam, Error> {
    radial(beamfile::read(path)?).map(Beam::Radial)
}

fn radial(table: BeamTable) -> Result<Radial, Error> {
    Ok(Radial::new(table.freq_hz, table.radius_rad, table.power_fs)?)
}

/// What a file of a beam holds.
#[derive(Clone, Debug, Serialize)]
pub struct BeamFileReport {
    /// The file.
    pub path: PathBuf,
    /// Frequencies of the file \[Hz\].
    pub freq_hz: Vec<f64>,
    /// Full width at half power, of each \[degrees\]; none when the beam does not fall to a half.
    pub fwhm_deg: Vec<Option<f64>>,
    /// Diameter of the uniform dish with that width \[m\].
    pub airy_diameter_m: Vec<Option<f64>>,
    /// Largest angle of the file \[degrees\].
    pub reach_deg: f64,
    /// Largest departure from the average round the axis where that is above 0.1.
    pub asymmetry: f64,
    /// Angles from the axis \[degrees\], at most 181 of them.
    pub radius_deg: Vec<f64>,
    /// Power there: a row a frequency.
    pub power_fs: Vec<Vec<f64>>,
}

/// Read a beam and describe it.
///
/// # Errors
/// As [`beamfile::read`].
pub fn describe(path: &Path) -> Result<BeamFileReport, Error> {
    let table = beamfile::read(path)?;
    let reach_rad = table.radius_rad.last().copied().unwrap_or(0.0);
    let (freq_hz, asymmetry) = (table.freq_hz.clone(), table.asymmetry);
    let beam = radial(table)?;
    let half: Vec<Option<f64>> = freq_hz.iter().map(|f| half_width(&beam, *f, reach_rad)).collect();
    let diameter = |(half, f): (&Option<f64>, &f64)| half.map(|h| Airy::diameter_m_of(2.0 * h, *f));
    let shown: Vec<f64> = (0..=180).map(|i| reach_rad * f64::from(i) / 180.0).collect();
    let row = |f: &f64| shown.iter().map(|r| beam.power(r.sin().powi(2), *f)).collect();
    Ok(BeamFileReport {
        path: path.to_owned(),
        fwhm_deg: half.iter().map(|h| h.map(|h| 2.0 * h.to_degrees())).collect(),
        airy_diameter_m: half.iter().zip(&freq_hz).map(diameter).collect(),
        reach_deg: reach_rad.to_degrees(),
        asymmetry,
        power_fs: freq_hz.iter().map(row).collect(),
        radius_deg: shown.iter().map(|r| r.to_degrees()).collect(),
        freq_hz,
    })
}

/// First angle at which the power is a half \[radians\].
fn half_width(beam: &Radial, freq_hz: f64, reach_rad: f64) -> Option<f64> {
    let power = |r: f64| beam.power(r.sin().powi(2), freq_hz);
    let steps = 2000;
    let at = |i: i32| reach_rad * f64::from(i) / f64::from(steps);
    let first = (1..=steps).find(|i| power(at(*i)) < 0.5)?;
    let (mut low, mut high) = (at(first - 1), at(first));
    for _ in 0..40 {
        let middle = 0.5 * (low + high);
        if power(middle) < 0.5 {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(0.5 * (low + high))
}
