//! What a source looks like in an image: the beam, wider by the source's own size and by smearing.

use super::kernel::PixelKernel;
use crate::image::RestoringBeam;

/// The kernels of the sources of one image.
#[derive(Clone, Copy, Debug)]
pub struct Shapes<'a> {
    /// Kernel of a point source.
    pub beam: &'a PixelKernel,
    /// Kernels of single sources by index; a source beyond the end, or with `None`, is a point.
    pub own: &'a [Option<PixelKernel>],
}

impl Shapes<'_> {
    /// Kernel of source `i`.
    pub fn of(&self, i: usize) -> &PixelKernel {
        self.own.get(i).and_then(Option::as_ref).unwrap_or(self.beam)
    }
}

impl<'a> From<&'a PixelKernel> for Shapes<'a> {
    fn from(beam: &'a PixelKernel) -> Self {
        Self { beam, own: &[] }
    }
}

/// The beam convolved with Gaussians of second moments `[ll, lm, mm]` \[rad^2\], and its area over the beam's: the peak of a source
/// of that shape is its flux density over that ratio.
pub fn widened(beam: RestoringBeam, moments: &[[f64; 3]]) -> Option<(RestoringBeam, f64)> {
    let mut sum = beam.covariance();
    for m in moments {
        for (s, m) in sum.iter_mut().zip(m) {
            *s += m;
        }
    }
    let wide = RestoringBeam::from_covariance(sum)?;
    Some((wide, wide.area_sr() / beam.area_sr()))
}

/// What smears a source away from the phase centre.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Smearing {
    /// Time over which a visibility was averaged \[s\].
    pub integration_s: f64,
    /// Band over which a visibility was averaged \[Hz\].
    pub channel_hz: f64,
    /// Frequency \[Hz\].
    pub freq_hz: f64,
    /// Declination of the phase centre \[rad\].
    pub dec_rad: f64,
    /// Latitude of the array \[rad\].
    pub latitude_rad: f64,
}

/// Rotation of the Earth \[rad/s\].
const EARTH_RAD_S: f64 = 7.292_115_146_706_98e-5;

impl Smearing {
    /// Second moments `[ll, lm, mm]` that averaging adds at direction cosines `(l, m)` \[rad^2\].
    ///
    /// Averaging over a channel moves a source by `dnu / nu` along the radius; over an integration by the rate of the fringes that
    /// the tracking does not stop, `du/dt l + dv/dt m + dw/dt (n - 1)`, for a flat horizontal array near transit
    /// (`w = v tan(dec - latitude)`). Each is a box of that length, whose second moment is a twelfth of its square (Bridle & Schwab
    /// 1999, "Bandwidth and time-average smearing", section 3).
    pub fn moments(&self, l: f64, m: f64) -> [f64; 3] {
        let n_minus_1 = (1.0 - l * l - m * m).max(0.0).sqrt() - 1.0;
        let turn = EARTH_RAD_S * self.integration_s;
        let (sin, cos) = self.dec_rad.sin_cos();
        let slope = (self.dec_rad - self.latitude_rad).tan();
        let east = turn * (cos * n_minus_1 - sin * m);
        let north = turn * (sin - cos * slope) * l;
        let band = self.channel_hz / self.freq_hz;
        [
            (east * east + band * band * l * l) / 12.0,
            (east * north + band * band * l * m) / 12.0,
            (north * north + band * band * m * m) / 12.0,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_add_in_square() {
        let beam = RestoringBeam { major_rad: 4.0, minor_rad: 4.0, pa_rad: 0.0 };
        let own = RestoringBeam { major_rad: 3.0, minor_rad: 0.0, pa_rad: 0.5 };
        let (wide, ratio) = widened(beam, &[own.covariance()]).unwrap();
        assert!((wide.major_rad - 5.0).abs() < 1e-12 && (wide.minor_rad - 4.0).abs() < 1e-12);
        assert!((wide.pa_rad - 0.5).abs() < 1e-12 && (ratio - 1.25).abs() < 1e-12);
    }

    #[test]
    fn nothing_is_smeared_at_the_phase_centre_and_the_radius_sets_the_rest() {
        let s = Smearing {
            integration_s: 12.88,
            channel_hz: 244e3,
            freq_hz: 1.4e9,
            dec_rad: 0.95,
            latitude_rad: 0.65,
        };
        assert_eq!(s.moments(0.0, 0.0), [0.0; 3]);
        let [near, far] = [0.01, 0.02].map(|l| s.moments(l, 0.0)).map(|[ll, _, mm]| ll + mm);
        // The curvature of the sky, l / 2 against 1, squared.
        assert!((far / near - 4.0).abs() < 5e-3, "{far} {near}");
        // Bandwidth alone: a box of l dnu / nu along l.
        let band = Smearing { integration_s: 0.0, ..s }.moments(0.02, 0.0);
        assert!((band[0] - (0.02 * 244e3 / 1.4e9f64).powi(2) / 12.0).abs() < 1e-20 && band[2] == 0.0);
    }
}
