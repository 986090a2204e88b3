//! World coordinates of an image: (slant) orthographic projection, ICRS.

use crate::coords::{Lmn, RaDec};

/// FITS `SIN` projection with optional slant (`PV2_1`, `PV2_2`), Calabretta & Greisen 2002, section 5.1.5,
/// doi:10.1051/0004-6361:20021327. Pixel coordinates here are zero based; FITS cards add one.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Wcs {
    /// Sky position of the reference pixel, ICRS.
    pub centre: RaDec,
    /// Reference pixel `[x, y]`, zero based.
    pub reference_pixel: [f64; 2],
    /// Increment `[x, y]` \[rad/pixel\]; x is negative when right ascension grows to the left.
    pub increment_rad: [f64; 2],
    /// Slant parameters `[xi, eta]` (`PV2_1`, `PV2_2`); zero for the plain projection.
    pub slant: [f64; 2],
}

impl Wcs {
    /// The plain SIN grid of an `nx` by `ny` image, east to the left, reference pixel at `(nx/2, ny/2)`.
    pub fn centred(centre: RaDec, nx: usize, ny: usize, cell_rad: f64) -> Self {
        Self {
            centre,
            reference_pixel: [(nx / 2) as f64, (ny / 2) as f64],
            increment_rad: [-cell_rad, cell_rad],
            slant: [0.0, 0.0],
        }
    }

    /// Direction cosines of a pixel; NaN beyond the horizon.
    pub fn pixel_to_lmn(&self, pixel_xy: [f64; 2]) -> Lmn {
        let x = (pixel_xy[0] - self.reference_pixel[0]) * self.increment_rad[0];
        let y = (pixel_xy[1] - self.reference_pixel[1]) * self.increment_rad[1];
        let [xi, eta] = self.slant;
        if xi == 0.0 && eta == 0.0 {
            return Lmn::from_lm(x, y);
        }
        // x = l + xi (1 - n), y = m + eta (1 - n), and l^2 + m^2 + n^2 = 1 give with q = 1 - n
        // (1 + xi^2 + eta^2) q^2 - 2 (1 + xi x + eta y) q + x^2 + y^2 = 0.
        let a = 1.0 + xi * xi + eta * eta;
        let b = 1.0 + xi * x + eta * y;
        let r2 = x * x + y * y;
        let q = r2 / (b + (b * b - a * r2).sqrt());
        Lmn { l: x - xi * q, m: y - eta * q, n_minus_1: -q }
    }

    /// Pixel of direction cosines about [`Wcs::centre`].
    pub fn lmn_to_pixel(&self, lmn: Lmn) -> [f64; 2] {
        let x = lmn.l - self.slant[0] * lmn.n_minus_1;
        let y = lmn.m - self.slant[1] * lmn.n_minus_1;
        [
            self.reference_pixel[0] + x / self.increment_rad[0],
            self.reference_pixel[1] + y / self.increment_rad[1],
        ]
    }

    /// Sky position of a pixel.
    pub fn pixel_to_sky(&self, pixel_xy: [f64; 2]) -> RaDec {
        self.pixel_to_lmn(pixel_xy).direction(self.centre)
    }

    /// Pixel of a sky position; `None` on the far side of the sky, which the projection would fold onto this one.
    pub fn sky_to_pixel(&self, position: RaDec) -> Option<[f64; 2]> {
        let lmn = Lmn::of(position, self.centre);
        (lmn.n() > 0.0).then(|| self.lmn_to_pixel(lmn))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slant_there_and_back() {
        let mut wcs = Wcs::centred(RaDec::from_deg(359.999, 54.0), 512, 300, 1e-4);
        for slant in [[0.0, 0.0], [0.1, -0.3]] {
            wcs.slant = slant;
            for pixel in [[0.0, 0.0], [256.0, 150.0], [511.0, 12.5]] {
                let back = wcs.sky_to_pixel(wcs.pixel_to_sky(pixel)).unwrap();
                assert!((back[0] - pixel[0]).abs() < 1e-7 && (back[1] - pixel[1]).abs() < 1e-7, "{back:?}");
            }
        }
    }

    #[test]
    fn far_side_is_refused() {
        let wcs = Wcs::centred(RaDec::from_deg(0.0, 0.0), 64, 64, 1e-4);
        assert!(wcs.sky_to_pixel(RaDec::from_deg(180.0, 0.0)).is_none());
    }
}
