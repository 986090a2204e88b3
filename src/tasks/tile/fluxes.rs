//! Forced fluxes on the planes of a tile, in memory.

use ndarray::Array2;

use super::TileParams;
use crate::control::Control;
use crate::coords::RaDec;
use crate::image::Plane;
use crate::imaging::Images;
use crate::kind::BadArgument;
use crate::photometry::ForcedParams;
use crate::tasks::measure::{self, Beside, MeasureParams, MeasureReport, NoiseSource};
use crate::Error;

/// Options of the photometry of a tile.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PhotometryParams {
    /// Right ascensions of the positions, ICRS \[degrees\].
    pub ra_deg: Vec<f64>,
    /// Declinations, ICRS \[degrees\].
    pub dec_deg: Vec<f64>,
    /// Positions below this primary-beam response count as outside.
    pub min_pb: f64,
    /// Full width of the fit window in major axes of the beam.
    pub nbeam: f64,
    /// Sources closer than this many major axes are fitted together; `None` fits each alone.
    pub cluster_beams: Option<f64>,
    /// Noise from a map in boxes of so many beams instead of the ring around each source.
    pub mesh_beams: Option<f64>,
    /// Blank positions fitted to scale the errors.
    pub blank_fits: usize,
}

impl Default for PhotometryParams {
    fn default() -> Self {
        let forced = ForcedParams::default();
        Self {
            ra_deg: Vec::new(),
            dec_deg: Vec::new(),
            min_pb: 0.2,
            nbeam: forced.nbeam,
            cluster_beams: forced.cluster_beams,
            mesh_beams: None,
            blank_fits: 0,
        }
    }
}

impl PhotometryParams {
    /// Positions; right ascensions and declinations must pair up.
    pub(super) fn positions(&self) -> Result<Vec<RaDec>, Error> {
        let (n, m) = (self.ra_deg.len(), self.dec_deg.len());
        let bad = |expected: String, found: String| -> Error {
            crate::photometry::Error::from(BadArgument::new("positions", expected, found)).into()
        };
        if n != m {
            return Err(bad(format!("{n} declinations for {n} right ascensions"), m.to_string()));
        }
        let pairs = self.ra_deg.iter().zip(&self.dec_deg);
        if let Some((ra, dec)) = pairs.clone().find(|(ra, dec)| !(ra.is_finite() && dec.abs() <= 90.0)) {
            return Err(bad(
                "finite right ascensions and declinations in -90..90".into(),
                format!("{ra}, {dec}"),
            ));
        }
        Ok(pairs.map(|(ra, dec)| RaDec::from_deg(*ra, *dec)).collect())
    }

    fn request(&self, positions: &[RaDec]) -> MeasureParams {
        let mut request = MeasureParams::new("tile".into(), positions.to_vec());
        request.forced.nbeam = self.nbeam;
        request.forced.cluster_beams = self.cluster_beams;
        request.min_pb = self.min_pb;
        request.blank_fits = self.blank_fits;
        if let Some(box_beams) = self.mesh_beams {
            request.noise = NoiseSource::Mesh { box_beams };
        }
        request
    }
}

/// Measure all positions on the image of the band, then on that of every subband.
pub(super) fn measure_all(
    images: Images,
    middle_mjd_s: f64,
    params: &TileParams,
    positions: &[RaDec],
    control: &Control,
) -> Result<Vec<MeasureReport>, Error> {
    let request = params.photometry.request(positions);
    let (wcs, beam) = (images.wcs, images.beam);
    let plane = |data_yx: Array2<f32>, freq_hz: f64, bandwidth_hz: f64| Plane {
        data_yx,
        wcs,
        beam: Some(beam),
        unit: "JY/BEAM".into(),
        freq_hz,
        bandwidth_hz,
        time_mjd_s: middle_mjd_s,
    };
    let points = (!images.matched_yx.is_empty()).then_some([images.matched_yx, images.psf_yx]);
    let band =
        ([images.restored_yx, images.pb_yx, images.residual_yx], points, images.freq_hz, images.bandwidth_hz);
    let parts = images
        .subbands
        .into_iter()
        .map(|p| ([p.restored_yx, p.pb_yx, p.residual_yx], None, p.freq_hz, p.bandwidth_hz));
    std::iter::once(band)
        .chain(parts)
        .map(|(data, points, freq_hz, width_hz)| {
            control.check()?;
            let [image, pb, left] = data.map(|data_yx| plane(data_yx, freq_hz, width_hz));
            let points = points.map(|both| both.map(|data_yx| plane(data_yx, freq_hz, width_hz)));
            let beside = Beside { pb: Some(pb), left: Some(left), points };
            measure::on_planes(&image, beside, &request, control)
        })
        .collect()
}
