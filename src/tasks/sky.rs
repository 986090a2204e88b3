//! Model visibilities for a stage: from MODEL_DATA, or predicted from a sky model on the fly.

use std::path::Path;

use super::beam;
use super::input::Input;
use crate::beam::{Airy, Beam};
use crate::control::Control;
use crate::coords::{ApparentFrame, Observatory};
use crate::error::Error;
use crate::kind::BadArgument;
use crate::ms::Meta;
use crate::predict::{fill_model, Pointing, PredictParams};
use crate::source::SkyModel;
use crate::time::EarthOrientation;
use crate::vis::VisBlock;

/// A sky model and how it reaches the visibilities.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSky {
    /// The sources.
    pub sky: SkyModel,
    /// `airy` (the 4.65 m dish), `none` (fluxes are apparent already) or the path of a beam file, HDF5 or FITS.
    #[serde(default = "airy")]
    pub beam: String,
    /// Average over integration and channel, as the correlator did.
    #[serde(default = "yes")]
    pub smear: bool,
}

fn airy() -> String {
    "airy".into()
}

fn yes() -> bool {
    true
}

/// A sky model ready for one Measurement Set.
pub(super) struct Predictor {
    sky: SkyModel,
    params: PredictParams,
}

impl Predictor {
    /// The array's place comes from its antennas, the pointing from the fields: one centre per integration is where the dishes
    /// pointed; a single centre of a drift scan gives the declination alone.
    pub fn new(model: &ModelSky, meta: &Meta) -> Result<Self, Error> {
        let argument = |e: BadArgument| Error::from(crate::vis::Error::from(e));
        if model.sky.sources.is_empty() {
            return Err(argument(BadArgument::new("sky model", "at least one source", "none")));
        }
        let beam = match model.beam.as_str() {
            "airy" => Beam::Airy(Airy::dsa110()),
            "none" => Beam::Unit,
            other if Path::new(other).is_file() => beam::from_file(Path::new(other))?,
            other => {
                let expected = "'airy', 'none' or a file of a beam";
                return Err(argument(BadArgument::new("beam", expected, format!("'{other}'"))));
            }
        };
        let dsa = meta.telescope_is_known();
        let observatory = if dsa { Observatory::dsa110() } else { Observatory::from_itrf(middle(meta))? };
        let pointing = match meta.fields.first() {
            Some(field) if dsa && meta.fields.len() == 1 => {
                let earth = EarthOrientation::current().map_err(crate::coords::Error::from)?;
                let time = 0.5 * (meta.time_range_mjd_s[0] + meta.time_range_mjd_s[1]);
                let frame = ApparentFrame::new(time, &observatory, &earth)?;
                Pointing::Meridian { dec_rad: frame.icrs_to_hadec(field.centre).dec_rad }
            }
            _ => Pointing::PhaseCentre,
        };
        let params = PredictParams { beam, pointing, smear: model.smear, accuracy: 1e-4, observatory };
        Ok(Self { sky: model.sky.clone(), params })
    }

    /// Fill `block.model_rfp`.
    pub fn fill(&self, block: &mut VisBlock, reader: &dyn Input, control: &Control) -> Result<(), Error> {
        Ok(fill_model(&self.sky, block, &reader.meta().fields, &self.params, control)?)
    }
}

fn middle(meta: &Meta) -> [f64; 3] {
    let n = meta.antennas.len().max(1) as f64;
    [0, 1, 2].map(|k| meta.antennas.iter().map(|a| a.itrf_m[k]).sum::<f64>() / n)
}
