//! One time of an array: where its antennas are, where the sources are, which pairs are asked for.

use num_complex::Complex32;

use super::kernel;
use super::Error;
use crate::control::Control;
use crate::kind::BadArgument;

/// Array and sky at one time, everything in one set of Earth-fixed axes (ITRF).
#[derive(Clone, Copy, Debug)]
pub struct Snapshot<'a> {
    /// Antenna positions \[m\]; any common origin.
    pub antenna_m: &'a [[f64; 3]],
    /// Antenna pairs of the rows, indices into `antenna_m`.
    pub pairs: &'a [[u32; 2]],
    /// Apparent direction of the phase centre, unit vector.
    pub centre: [f64; 3],
    /// Apparent direction in which the correlator stopped the fringes within its integrations, unit vector.
    pub pointing: [f64; 3],
    /// Apparent directions of the sources, unit vectors.
    pub directions: &'a [[f64; 3]],
    /// Gaussian sources: index of the source, full widths at half maximum times unit vectors along the axes \[rad\].
    pub gaussians: &'a [(usize, [[f64; 3]; 2])],
    /// Stokes I of each source and channel, attenuated by the beam \[Jy\], source-major.
    pub flux_sf_jy: &'a [f32],
}

/// Channels and the correlator's averaging.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a> {
    /// Channel centres \[Hz\].
    pub freq_hz: &'a [f64],
    /// Average over an integration of this length \[s\]; `None` samples its centre.
    pub smear_s: Option<f64>,
    /// Average over a channel of this width \[Hz\]; `None` samples its centre.
    pub smear_hz: Option<f64>,
    /// Largest error of the averages, as a fraction of the summed apparent flux of the sources.
    pub accuracy: f64,
}

/// Visibilities of a snapshot, `out_rf[row * channels + channel]` \[Jy\]:
/// `V_ij = sum S A exp(+2 pi i f (r_i - r_j) . (s - s_centre) / c)`, averaged over time and channel when asked for.
///
/// # Errors
/// Lengths that do not match; an antenna or source out of range; cancellation.
pub fn predict_snapshot(
    snapshot: &Snapshot<'_>,
    window: &Window<'_>,
    out_rf: &mut [Complex32],
    control: &Control,
) -> Result<(), Error> {
    let channels = window.freq_hz.len();
    let length = |what: &str, expected: usize, found: usize| -> Result<(), Error> {
        if expected == found {
            return Ok(());
        }
        Err(BadArgument::new(what, format!("{expected} values"), found).into())
    };
    length("out_rf", snapshot.pairs.len() * channels, out_rf.len())?;
    length("flux_sf_jy", snapshot.directions.len() * channels, snapshot.flux_sf_jy.len())?;
    let antennas = snapshot.antenna_m.len();
    if let Some(pair) = snapshot.pairs.iter().find(|p| p.iter().any(|a| *a as usize >= antennas)) {
        return Err(
            BadArgument::new("pairs", format!("antennas below {antennas}"), format!("{pair:?}")).into()
        );
    }
    if let Some(g) = snapshot.gaussians.iter().find(|g| g.0 >= snapshot.directions.len()) {
        return Err(BadArgument::new(
            "gaussians",
            format!("sources below {}", snapshot.directions.len()),
            g.0,
        )
        .into());
    }
    if window.accuracy.is_nan() || window.accuracy <= 0.0 {
        return Err(BadArgument::new("accuracy", "a positive fraction", window.accuracy).into());
    }
    if out_rf.is_empty() {
        return Ok(());
    }
    kernel::run(snapshot, window, out_rf, control)
}
