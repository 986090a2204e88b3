//! The uvw axes of a phase centre in ITRF, and baselines in them.

use super::vector::{apply, cross, dot, sub, unit, Vector};
use super::{Lmn, Observatory};

/// Unit vectors u (east), v (north) and w (to the centre), each in ITRF axes; right-handed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UvwBasis {
    /// Rows u, v, w.
    pub rows: [[f64; 3]; 3],
}

impl UvwBasis {
    /// From the direction of the centre and a vector that points north of it; what of `north` lies along `centre` is left out.
    pub(super) fn new(centre: Vector, north: Vector) -> Self {
        let w = unit(centre);
        let along = dot(north, w);
        let v = unit([north[0] - along * w[0], north[1] - along * w[1], north[2] - along * w[2]]);
        Self { rows: [cross(v, w), v, w] }
    }

    /// The frame of the correlator's fringe-stopping: the direction at hour angle 0 and declination `dec_rad` of a longitude,
    /// v towards the Earth's (ITRF) pole. A matter of the Earth alone: no time, no polar motion, no aberration. Its direction
    /// in ICRS is [`super::ApparentFrame::meridian_icrs`].
    pub fn meridian(longitude_rad: f64, dec_rad: f64) -> Self {
        let at = Observatory { longitude_rad, latitude_rad: dec_rad, height_m: 0.0 };
        // East, north and up of a place whose zenith is that direction.
        Self { rows: at.enu_basis() }
    }

    /// uvw \[m\] of an ITRF vector: a position, or `position(antenna1) - position(antenna2)` for a baseline of this crate.
    pub fn uvw_m(&self, itrf_m: [f64; 3]) -> [f64; 3] {
        apply(&self.rows, itrf_m)
    }

    /// uvw \[m\] of the baseline from antenna positions: `position(antenna1) - position(antenna2)`.
    pub fn baseline_uvw_m(&self, antenna1_itrf_m: [f64; 3], antenna2_itrf_m: [f64; 3]) -> [f64; 3] {
        self.uvw_m(sub(antenna1_itrf_m, antenna2_itrf_m))
    }

    /// w \[m\] of an ITRF vector.
    pub fn w_m(&self, itrf_m: [f64; 3]) -> f64 {
        dot(self.rows[2], itrf_m)
    }

    /// Direction cosines about the centre of a unit vector in ITRF axes.
    pub fn lmn(&self, direction: [f64; 3]) -> Lmn {
        // The difference keeps the digits of a small offset; u and v are at right angles to the centre.
        let offset = sub(direction, self.rows[2]);
        Lmn {
            l: dot(self.rows[0], offset),
            m: dot(self.rows[1], offset),
            n_minus_1: -0.5 * dot(offset, offset),
        }
    }
}
