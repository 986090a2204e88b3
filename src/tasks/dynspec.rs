//! Stage `dynspec`: the dynamic spectrum of one direction.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::beam;
use super::image::{visibilities_about, ImageParams};
use super::input::Input;
use crate::beam::Beam;
use crate::control::Control;
use crate::coords::RaDec;
use crate::imaging::{dynamic_spectrum, subtract, DynamicSpectrum, View};
use crate::kind::BadArgument;
use crate::ms::MsReader;
use crate::source::SkyModel;
use crate::Error;

/// What to measure.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DynspecParams {
    /// The Measurement Set.
    pub ms: PathBuf,
    /// Right ascension, ICRS \[degrees\].
    pub ra_deg: f64,
    /// Declination, ICRS \[degrees\].
    pub dec_deg: f64,
    /// `auto`, `corrected`, `data` or `model`.
    #[serde(default = "auto")]
    pub datacolumn: String,
    /// Shortest and longest baseline \[wavelengths\].
    #[serde(default)]
    pub uvrange: Option<[f64; 2]>,
    /// Channels averaged together.
    #[serde(default = "one")]
    pub average: usize,
    /// A file of the primary beam in place of the telescope's.
    #[serde(default)]
    pub beam: Option<PathBuf>,
    /// Sky to subtract exactly first.
    #[serde(default)]
    pub subtract: SkyModel,
    /// The fluxes of that sky are apparent, not before the beam: subtracted as they are.
    #[serde(default)]
    pub subtract_apparent: bool,
    /// Leave sources of the sky nearer than this to the direction alone \[arcsec\].
    #[serde(default = "near")]
    pub keep_arcsec: f64,
}

fn auto() -> String {
    "auto".into()
}

fn one() -> usize {
    1
}

fn near() -> f64 {
    30.0
}

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct DynspecReport {
    /// The Measurement Set.
    pub ms: PathBuf,
    /// Column used.
    pub datacolumn: &'static str,
    /// Sources subtracted.
    pub subtracted: usize,
    /// Spectrum and mean flux.
    #[serde(flatten)]
    pub spectrum: DynamicSpectrum,
}

/// Dynamic spectrum towards a direction.
///
/// # Errors
/// A direction that makes no sense, data that cannot be read or hold nothing, an unknown telescope.
pub fn run(params: &DynspecParams, control: &Control) -> Result<DynspecReport, Error> {
    if !(params.ra_deg.is_finite() && params.dec_deg.abs() <= 90.0) {
        let found = format!("{}, {}", params.ra_deg, params.dec_deg);
        return Err(
            crate::imaging::Error::from(BadArgument::new("ra_deg, dec_deg", "a direction", found)).into()
        );
    }
    let position = RaDec::from_deg(params.ra_deg, params.dec_deg);
    let reader = MsReader::open(&params.ms)?;
    let request = ImageParams {
        centre_deg: Some([params.ra_deg, params.dec_deg]),
        datacolumn: params.datacolumn.clone(),
        uvrange: params.uvrange,
        cell_arcsec: Some(3.0),
        // Not imaged: only how far a field may lie from its centre.
        imsize: Some([2048, 2048]),
        max_memory_gb: 8.0,
        ..ImageParams::default()
    };
    let (mut vis, pointings, column) = visibilities_about(&[&reader as &dyn Input], &request, control)?;
    let beam = beam::choose(&reader.meta().telescope, None, params.beam.as_deref())?;
    let keep = (params.keep_arcsec / 3600.0).to_radians();
    let mut sky = params.subtract.clone();
    sky.sources.retain(|s| s.position.separation_rad(position) > keep);
    let seen_through = if params.subtract_apparent { &Beam::Unit } else { &beam };
    let view = View { beam: seen_through, pointings: &pointings, centre: position, accuracy: 1e-5 };
    subtract(&mut vis, &sky, &view, control)?;
    let spectrum = dynamic_spectrum(&vis, position, &pointings, &beam, params.average);
    Ok(DynspecReport { ms: params.ms.clone(), datacolumn: column, subtracted: sky.sources.len(), spectrum })
}
