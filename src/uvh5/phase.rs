//! Where the file says its visibilities are phased, and whether the correlator already stopped their fringes.

use super::header::Header;
use super::Error;

/// One entry of `phase_center_catalog`.
#[derive(Clone, Debug, PartialEq)]
pub struct CatalogueEntry {
    /// Name of the source.
    pub name: String,
    /// `unprojected`, `sidereal`, `ephem` or `driftscan`.
    pub kind: String,
    /// Longitude in the entry's frame \[rad\].
    pub lon_rad: Option<f64>,
    /// Latitude in the entry's frame \[rad\].
    pub lat_rad: Option<f64>,
    /// Frame, for example `icrs`.
    pub frame: Option<String>,
}

/// What the header says about phasing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Phase {
    /// `phase_type` of the old layout: `drift` or `phased`.
    pub kind: Option<String>,
    /// The catalogue of the new layout.
    pub catalogue: Vec<CatalogueEntry>,
    /// `ha_phase_center` \[rad\]; its unit in the file is guessed from its size.
    pub ha_rad: Option<f64>,
    /// Declination of the phase centre, of date \[rad\].
    pub dec_rad: Option<f64>,
    /// `HADEC`, or the epoch 2000 of older files.
    pub epoch: Option<String>,
}

/// Whether the visibilities are already fringe-stopped to HA = 0 at the header's longitude and the pointing's declination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FringeStopped {
    /// They are.
    Yes,
    /// They are raw drift data.
    No,
    /// The header contradicts itself or does not say.
    Ambiguous(String),
}

impl Phase {
    /// An angle whose unit the files never wrote: radians, else hours, else degrees.
    pub(super) fn guess_hour_angle(value: f64) -> f64 {
        use std::f64::consts::{PI, TAU};
        match value.abs() {
            x if x <= TAU => value,
            x if x <= 24.0 => value * PI / 12.0,
            _ => value.to_radians(),
        }
    }

    fn catalogue_kind(&self) -> Option<&str> {
        let first = self.catalogue.first()?.kind.as_str();
        self.catalogue.iter().all(|entry| entry.kind == first).then_some(first)
    }
}

impl Header {
    /// What the file itself says: see [`FringeStopped`].
    pub fn fringe_stopped(&self) -> FringeStopped {
        let phase = &self.phase;
        let correlator = self.instrument.eq_ignore_ascii_case("DSA");
        let (drift, phased) = match (phase.catalogue.is_empty(), phase.kind.as_deref()) {
            (false, _) => {
                (phase.catalogue_kind() == Some("unprojected"), phase.catalogue_kind() != Some("unprojected"))
            }
            (true, Some(kind)) => (kind.eq_ignore_ascii_case("drift"), !kind.eq_ignore_ascii_case("drift")),
            (true, None) => (false, false),
        };
        if phased {
            let kind = phase.catalogue_kind().or(phase.kind.as_deref()).unwrap_or("of several kinds");
            return FringeStopped::Ambiguous(format!(
                "the phase centre is '{kind}', neither drift nor meridian"
            ));
        }
        match phase.ha_rad {
            Some(ha_rad) if ha_rad.abs() > 1e-9 => {
                FringeStopped::Ambiguous(format!("ha_phase_center is {ha_rad} rad, not the meridian"))
            }
            Some(_) => FringeStopped::Yes,
            None if correlator && !phase.catalogue.is_empty() => FringeStopped::Ambiguous(
                "the instrument is DSA but the phase centre is 'unprojected' and ha_phase_center is missing"
                    .to_owned(),
            ),
            None if correlator => FringeStopped::Yes,
            None if drift => FringeStopped::No,
            None => FringeStopped::Ambiguous(
                "no phase_type, no phase_center_catalog and no ha_phase_center".to_owned(),
            ),
        }
    }

    /// The decision, with the caller's word above the file's.
    ///
    /// # Errors
    /// [`Error::Data`] when the file is ambiguous and the caller says nothing, or when fringe-stopped data name no declination.
    pub fn require_fringe_stopped(&self, said: Option<bool>) -> Result<bool, Error> {
        let stopped = match (said, self.fringe_stopped()) {
            (Some(said), _) => said,
            (None, FringeStopped::Yes) => true,
            (None, FringeStopped::No) => false,
            (None, FringeStopped::Ambiguous(why)) => {
                let expected =
                    "a header that says whether the fringes are stopped (or say so: fringe_stopped yes|no)";
                return Err(Error::data(&self.path, "Header", expected, why));
            }
        };
        if stopped && self.phase.dec_rad.is_none() {
            let expected = "the declination of the phase centre of fringe-stopped data";
            return Err(Error::data(
                &self.path,
                "Header/extra_keywords/phase_center_dec",
                expected,
                "nothing (missing)",
            ));
        }
        Ok(stopped)
    }
}
