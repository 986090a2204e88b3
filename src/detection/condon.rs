//! Errors of a free elliptical Gaussian fit in correlated noise: Condon 1997 (doi:10.1086/133871), in full.

use crate::image::RestoringBeam;

/// 1-sigma errors of a fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CondonErrors {
    /// Peak, relative.
    pub peak: f64,
    /// Integrated flux density, relative.
    pub integrated: f64,
    /// Major axis \[rad\].
    pub major_rad: f64,
    /// Minor axis \[rad\].
    pub minor_rad: f64,
    /// Position angle \[rad\]; pi for a circle.
    pub pa_rad: f64,
    /// Position along right ascension (great circle) \[rad\].
    pub east_rad: f64,
    /// Position along declination \[rad\].
    pub north_rad: f64,
}

/// `rho^2 = theta_M theta_m / (4 B_M B_m) [1 + (B_M / theta_M)^2]^aM [1 + (B_m / theta_m)^2]^am (A / mu)^2` (equation 41, the noise beam
/// an ellipse), with exponents 3/2, 3/2 for the peak, 5/2, 1/2 for the major axis and what lies along it, 1/2, 5/2 for the minor; and
/// `2 / rho^2 = (dA / A)^2 = (d theta / theta)^2 = 8 ln 2 (dx / theta)^2 = (dphi)^2 / 2 ((theta_M^2 - theta_m^2) / (theta_M theta_m))^2`
/// (equation 21). The integrated flux by equation 42: `(dA/A)^2 + B_M B_m / (theta_M theta_m) [(dM / M)^2 + (dm / m)^2]`.
pub fn condon_errors(fitted: RestoringBeam, beam: RestoringBeam, snr: f64) -> CondonErrors {
    let (major, minor) = (fitted.major_rad, fitted.minor_rad);
    let areas = major * minor / (beam.major_rad * beam.minor_rad);
    let rho2 = |a: f64, b: f64| {
        let along = (1.0 + (beam.major_rad / major).powi(2)).powf(a);
        let across = (1.0 + (beam.minor_rad / minor).powi(2)).powf(b);
        0.25 * areas * along * across * snr * snr
    };
    let [peak, along, across] = [rho2(1.5, 1.5), rho2(2.5, 0.5), rho2(0.5, 2.5)].map(|r| (2.0 / r).sqrt());
    let integrated = (peak * peak + (along * along + across * across) / areas).sqrt();
    let width = (8.0 * std::f64::consts::LN_2).sqrt();
    let (dx, dy) = (along * major / width, across * minor / width);
    let (s, c) = fitted.pa_rad.sin_cos();
    let round = (major * major - minor * minor) / (major * minor);
    let pa = if round > 0.0 {
        (across * 2f64.sqrt() / round).min(std::f64::consts::PI)
    } else {
        std::f64::consts::PI
    };
    CondonErrors {
        peak,
        integrated,
        major_rad: along * major,
        minor_rad: across * minor,
        pa_rad: pa,
        east_rad: (dx * s).hypot(dy * c),
        north_rad: (dx * c).hypot(dy * s),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_source_has_the_noise_as_its_peak_error() {
        let beam = RestoringBeam { major_rad: 2.0, minor_rad: 1.0, pa_rad: 0.0 };
        let e = condon_errors(beam, beam, 100.0);
        // rho^2 = (A / mu)^2 / 4 * 8: dA / A = mu / A, and positions theta / (snr sqrt(8 ln 2)).
        assert!((e.peak - 0.01).abs() < 1e-12);
        assert!((e.north_rad - 0.02 / (8.0 * 2f64.ln()).sqrt()).abs() < 1e-12);
        assert!((e.east_rad - 0.01 / (8.0 * 2f64.ln()).sqrt()).abs() < 1e-12);
        assert!((e.integrated - 0.01 * 3f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn a_source_far_larger_than_the_beam_is_fitted_on_many_beams() {
        let beam = RestoringBeam { major_rad: 1.0, minor_rad: 1.0, pa_rad: 0.0 };
        let large = RestoringBeam { major_rad: 40.0, minor_rad: 40.0, pa_rad: 0.0 };
        let e = condon_errors(large, beam, 10.0);
        // rho^2 -> theta^2 / 4 snr^2
        assert!((e.peak / (2f64.sqrt() / (20.0 * 10.0)) - 1.0).abs() < 0.01);
        assert_eq!(e.pa_rad, std::f64::consts::PI);
    }
}
