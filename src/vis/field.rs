//! A field of a Measurement Set: a name and a phase centre.

use crate::coords::RaDec;

/// One entry of the FIELD table.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Field {
    /// Name, for example `meridian_icrs_t0`.
    pub name: String,
    /// Phase centre (PHASE_DIR = REFERENCE_DIR = DELAY_DIR), ICRS.
    pub centre: RaDec,
    /// Time of the centre, UTC \[MJD s\].
    pub time_mjd_s: f64,
}
