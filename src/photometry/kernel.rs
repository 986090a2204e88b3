//! The beam as a kernel on pixels.

use super::Error;
use crate::image::{RestoringBeam, Wcs};
use crate::kind::BadArgument;

/// `K = exp(-(a dx^2 + b dx dy + c dy^2))` with unit peak, offsets in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PixelKernel {
    /// Coefficient of `dx^2` \[1/pixel^2\].
    pub a: f64,
    /// Coefficient of `dx dy` \[1/pixel^2\].
    pub b: f64,
    /// Coefficient of `dy^2` \[1/pixel^2\].
    pub c: f64,
    /// Major axis, full width at half maximum \[pixels\].
    pub major_px: f64,
}

/// Largest kernel that a fit is allowed, as half its window \[pixels\].
const MAX_HALF: f64 = 2000.0;

impl PixelKernel {
    /// The beam on the grid of `wcs`: pixels need not be square, right ascension may grow either way.
    ///
    /// # Errors
    /// A beam or grid that is not finite and positive.
    pub fn new(beam: RestoringBeam, wcs: &Wcs) -> Result<Self, Error> {
        let [ix, iy] = wcs.increment_rad;
        let cell = ix.abs().min(iy.abs());
        let major_px = beam.major_rad / cell;
        let ok = beam.minor_rad > 0.0
            && beam.major_rad >= beam.minor_rad
            && major_px.is_finite()
            && beam.pa_rad.is_finite();
        if !ok {
            let found = format!("{beam:?} on increments {:?} rad", wcs.increment_rad);
            return Err(
                BadArgument::new("beam", "axes major >= minor > 0 on pixels of finite size", found).into()
            );
        }
        let [a, b, c] = beam.exponent();
        Ok(Self { a: a * ix * ix, b: b * ix * iy, c: c * iy * iy, major_px })
    }

    /// A beam of axes in pixels on the usual grid (x to the west, y to the north).
    ///
    /// # Errors
    /// As [`PixelKernel::new`].
    pub fn in_pixels(major_px: f64, minor_px: f64, pa_rad: f64) -> Result<Self, Error> {
        let wcs = Wcs::centred(crate::coords::RaDec::default(), 2, 2, 1.0);
        Self::new(RestoringBeam { major_rad: major_px, minor_rad: minor_px, pa_rad }, &wcs)
    }

    /// Value at an offset \[pixels\].
    pub fn at(&self, dx: f64, dy: f64) -> f64 {
        (-(self.a * dx * dx + self.b * dx * dy + self.c * dy * dy)).exp()
    }

    /// Half-size of the fit window \[pixels\]: `round(nbeam / 2 * major)`, at least 1.
    ///
    /// # Errors
    /// `nbeam` not positive, or a window of more than 4001 pixels a side.
    pub fn half_window(&self, nbeam: f64) -> Result<usize, Error> {
        let half = (0.5 * nbeam * self.major_px).round();
        if !(nbeam > 0.0 && half <= MAX_HALF) {
            let found = format!("{nbeam} beams of {} pixels", self.major_px);
            return Err(BadArgument::new(
                "nbeam",
                format!("positive, window half-size at most {MAX_HALF} pixels"),
                found,
            )
            .into());
        }
        Ok((half as usize).max(1))
    }

    /// `sum K^2` over an endless grid, `pi / sqrt(4 (2a)(2c) - (2b)^2) * 2` \[pixels\]: half the beam's area in pixels.
    pub fn sum_of_squares(&self) -> f64 {
        std::f64::consts::PI / (4.0 * self.a * self.c - self.b * self.b).max(f64::MIN_POSITIVE).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coords::RaDec;

    #[test]
    fn major_axis_points_east_of_north() {
        let wcs = Wcs::centred(RaDec::from_deg(0.0, 0.0), 64, 64, 1e-5);
        let beam = RestoringBeam { major_rad: 8e-5, minor_rad: 4e-5, pa_rad: 30f64.to_radians() };
        let k = PixelKernel::new(beam, &wcs).unwrap();
        // East is at smaller x: half power half a major axis along (-sin pa, cos pa).
        let (s, c) = beam.pa_rad.sin_cos();
        assert!((k.at(-4.0 * s, 4.0 * c) - 0.5).abs() < 1e-12);
        assert!((k.at(2.0 * c, 2.0 * s) - 0.5).abs() < 1e-12);
        // The same by the formula with phi = BPA - 90 degrees.
        let phi = beam.pa_rad - std::f64::consts::FRAC_PI_2;
        let sigma = |fwhm: f64| fwhm / (2.0 * (2.0 * std::f64::consts::LN_2).sqrt());
        let (sx2, sy2) = (sigma(8.0).powi(2), sigma(4.0).powi(2));
        let b = 0.5 * (2.0 * phi).sin() * (1.0 / sx2 - 1.0 / sy2);
        assert!((k.b - b).abs() < 1e-12 && k.half_window(3.0).unwrap() == 12);
        let sum: f64 = (-40..=40)
            .flat_map(|y| (-40..=40).map(move |x| (x, y)))
            .map(|(x, y)| k.at(x as f64, y as f64).powi(2))
            .sum();
        assert!((sum / k.sum_of_squares() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn nonsense_beams_are_refused() {
        let wcs = Wcs::centred(RaDec::from_deg(0.0, 0.0), 64, 64, 1e-5);
        for (major_rad, minor_rad) in [(0.0, 0.0), (1e-5, 2e-5), (f64::NAN, 1e-5), (1.0, f64::INFINITY)] {
            assert!(PixelKernel::new(RestoringBeam { major_rad, minor_rad, pa_rad: 0.0 }, &wcs).is_err());
        }
    }
}
