//! A sky model at one time: directions, shapes and attenuated fluxes in Earth-fixed axes.

use super::Error;
use crate::beam::Beam;
use crate::coords::{ApparentFrame, RaDec};
use crate::kind::BadArgument;
use crate::source::SkyModel;

/// Intrinsic fluxes of a model on a set of channels, source-major, made once for many times.
pub struct SkyBand<'a> {
    sky: &'a SkyModel,
    freq_hz: &'a [f64],
    flux_sf_jy: Vec<f64>,
}

/// What one time sees of a [`SkyBand`].
#[derive(Clone, Debug, Default)]
pub struct SkyNow {
    /// Apparent directions, ITRF unit vectors.
    pub directions: Vec<[f64; 3]>,
    /// Gaussian sources, as [`super::Snapshot::gaussians`].
    pub gaussians: Vec<(usize, [[f64; 3]; 2])>,
    /// Fluxes times beam \[Jy\], source-major.
    pub flux_sf_jy: Vec<f32>,
}

impl<'a> SkyBand<'a> {
    /// # Errors
    /// A source whose position, flux, spectrum or shape is not finite or makes no sense, by its name; frequencies that are
    /// not positive.
    pub fn new(sky: &'a SkyModel, freq_hz: &'a [f64]) -> Result<Self, Error> {
        if let Some(bad) = freq_hz.iter().find(|f| !(f.is_finite() && **f > 0.0)) {
            return Err(BadArgument::new("freq_hz", "positive frequencies", bad).into());
        }
        let mut flux_sf_jy = Vec::with_capacity(sky.sources.len() * freq_hz.len());
        for source in &sky.sources {
            let wrong = |expected: &str, found: String| {
                BadArgument::new(format!("source {:?}", source.name), expected, found)
            };
            let RaDec { ra_rad, dec_rad } = source.position;
            if !(ra_rad.is_finite() && dec_rad.abs() <= std::f64::consts::FRAC_PI_2) {
                return Err(wrong("a position on the sky", format!("{:?}", source.position)).into());
            }
            if let Some(g) = source.shape {
                let axes = [g.major_rad, g.minor_rad, g.pa_rad];
                if axes.iter().any(|x| !x.is_finite()) || g.minor_rad < 0.0 || g.major_rad < 0.0 {
                    return Err(wrong("axes >= 0 and a finite position angle", format!("{g:?}")).into());
                }
            }
            for f in freq_hz {
                let flux = source.spectrum.flux_at_jy(*f);
                if !flux.is_finite() {
                    return Err(wrong("a finite flux in the band", format!("{flux} Jy at {f} Hz")).into());
                }
                flux_sf_jy.push(flux);
            }
        }
        Ok(Self { sky, freq_hz, flux_sf_jy })
    }

    /// Multiply the flux of one source by a factor of frequency: a lens, a flare.
    pub fn modulate(&mut self, source: usize, factor: impl Fn(f64) -> f64) {
        let channels = self.freq_hz.len();
        let row = self.flux_sf_jy.iter_mut().skip(source * channels).take(channels);
        row.zip(self.freq_hz).for_each(|(flux, f)| *flux *= factor(*f));
    }

    /// The sky seen through `beam`, which points at the ITRF unit vector `pointing`.
    pub fn at(&self, frame: &ApparentFrame, beam: &Beam, pointing: [f64; 3]) -> SkyNow {
        let mut now = SkyNow::default();
        for (s, source) in self.sky.sources.iter().enumerate() {
            let direction = frame.direction(source.position);
            if let Some(g) = source.shape.filter(|g| g.major_rad > 0.0 || g.minor_rad > 0.0) {
                let [east, north, _] = frame.uvw_basis(source.position).rows;
                let (sin, cos) = g.pa_rad.sin_cos();
                let along = std::array::from_fn(|k| g.major_rad * (sin * east[k] + cos * north[k]));
                let across = std::array::from_fn(|k| g.minor_rad * (cos * east[k] - sin * north[k]));
                now.gaussians.push((s, [along, across]));
            }
            let channels = self.freq_hz.len();
            let mut flux = self.flux_sf_jy[s * channels..(s + 1) * channels].to_vec();
            beam.attenuate(direction, pointing, self.freq_hz, &mut flux);
            now.flux_sf_jy.extend(flux.iter().map(|f| *f as f32));
            now.directions.push(direction);
        }
        now
    }
}
