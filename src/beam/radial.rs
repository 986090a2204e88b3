//! A user's beam: power against radius and frequency, circularly symmetric.

use ndarray::Array2;

use super::Error;
use crate::kind::BadArgument;

/// Power on a table of frequencies and radii: linear between radii, zero beyond the last one. A row serves other frequencies as
/// diffraction scales it (`sin(theta)` times frequency is kept): between two rows both are scaled and blended, outside the
/// table's frequencies the nearest is. For an Airy beam this is exact.
#[derive(Clone, Debug, PartialEq)]
pub struct Radial {
    freq_hz: Vec<f64>,
    radius_rad: Vec<f64>,
    power_fs: Array2<f64>,
}

impl Radial {
    /// `power_fs`: a row a frequency, a column a radius; both axes ascending, the first radius zero, the power there 1.
    ///
    /// # Errors
    /// Axes that do not ascend or do not match the table, radii outside `[0, pi/2]`, powers that are not finite or
    /// negative, an axis value of a row that is not 1 within 1e-3.
    pub fn new(freq_hz: Vec<f64>, radius_rad: Vec<f64>, power_fs: Array2<f64>) -> Result<Self, Error> {
        let ascends = |v: &[f64]| v.iter().all(|x| x.is_finite()) && v.windows(2).all(|w| w[0] < w[1]);
        if freq_hz.is_empty() || !ascends(&freq_hz) || freq_hz[0] <= 0.0 {
            return Err(BadArgument::new(
                "freq_hz",
                "ascending positive frequencies",
                format!("{freq_hz:?}"),
            )
            .into());
        }
        let quarter = std::f64::consts::FRAC_PI_2 + 1e-9;
        if radius_rad.len() < 2
            || !ascends(&radius_rad)
            || radius_rad[0] != 0.0
            || radius_rad[radius_rad.len() - 1] > quarter
        {
            let text = format!(
                "{} values from {:?} to {:?}",
                radius_rad.len(),
                radius_rad.first(),
                radius_rad.last()
            );
            return Err(BadArgument::new("radius_rad", "ascending radii from 0 to at most pi/2", text).into());
        }
        if power_fs.dim() != (freq_hz.len(), radius_rad.len()) {
            let expected = format!("shape ({}, {})", freq_hz.len(), radius_rad.len());
            return Err(BadArgument::new("power_fs", expected, format!("{:?}", power_fs.dim())).into());
        }
        if let Some(bad) = power_fs.iter().find(|p| !(p.is_finite() && **p >= 0.0)) {
            return Err(BadArgument::new("power_fs", "finite powers >= 0", bad).into());
        }
        if let Some(bad) = power_fs.column(0).iter().find(|p| (**p - 1.0).abs() > 1e-3) {
            return Err(
                BadArgument::new("power_fs", "1 at radius 0 (power, not dB and not amplitude)", bad).into()
            );
        }
        Ok(Self { freq_hz, radius_rad, power_fs })
    }

    /// Power at `sin^2(theta)`.
    pub fn power(&self, sin2_theta: f64, freq_hz: f64) -> f64 {
        let sin = sin2_theta.max(0.0).sqrt();
        let scaled = |k: usize| self.row(k, (sin * freq_hz / self.freq_hz[k]).min(1.0).asin());
        let last = self.freq_hz.len() - 1;
        if freq_hz <= self.freq_hz[0] {
            return scaled(0);
        }
        if freq_hz >= self.freq_hz[last] {
            return scaled(last);
        }
        let k = self.freq_hz.partition_point(|f| *f <= freq_hz) - 1;
        let t = (freq_hz - self.freq_hz[k]) / (self.freq_hz[k + 1] - self.freq_hz[k]);
        (1.0 - t) * scaled(k) + t * scaled(k + 1)
    }

    fn row(&self, k: usize, theta: f64) -> f64 {
        let right = self.radius_rad.partition_point(|r| *r <= theta);
        if right == self.radius_rad.len() {
            return if theta <= self.radius_rad[right - 1] { self.power_fs[(k, right - 1)] } else { 0.0 };
        }
        let left = right - 1;
        let t = (theta - self.radius_rad[left]) / (self.radius_rad[right] - self.radius_rad[left]);
        (1.0 - t) * self.power_fs[(k, left)] + t * self.power_fs[(k, right)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::beam::Airy;

    #[test]
    fn a_table_of_the_airy_beam_is_the_airy_beam() {
        let airy = Airy::dsa110();
        let freqs = vec![1.3e9, 1.4e9, 1.5e9];
        let radii: Vec<f64> = (0..=2000).map(|i| f64::from(i) * 2.5e-5).collect();
        let table = Array2::from_shape_fn((3, radii.len()), |(k, i)| {
            airy.power_exact(radii[i].sin().powi(2), freqs[k])
        });
        let radial = Radial::new(freqs, radii, table).unwrap();
        for i in 0..50 {
            let s2 = (0.0009 * f64::from(i)).sin().powi(2);
            // Diffraction scaling is exact for Airy, within the table's band and outside; radii spaced 2.5e-5 give 1e-7.
            assert!((radial.power(s2, 1.37e9) - airy.power_exact(s2, 1.37e9)).abs() < 1e-6);
            assert!((radial.power(s2, 1.2e9) - airy.power_exact(s2, 1.2e9)).abs() < 1e-6);
        }
        assert_eq!(radial.power(0.3, 1.4e9), 0.0);
    }

    #[test]
    fn wrong_tables_are_refused() {
        let ok = || Array2::from_shape_vec((1, 2), vec![1.0, 0.5]).unwrap();
        assert!(Radial::new(vec![1e9], vec![0.0, 0.1], ok()).is_ok());
        assert!(Radial::new(vec![1e9], vec![0.1, 0.0], ok()).is_err());
        assert!(Radial::new(vec![1e9, 2e9], vec![0.0, 0.1], ok()).is_err());
        assert!(Radial::new(vec![-1e9], vec![0.0, 0.1], ok()).is_err());
        assert!(Radial::new(vec![1e9], vec![0.0, 0.1], -ok()).is_err());
        assert!(Radial::new(vec![1e9], vec![0.0, 0.1], ok() * 0.2).is_err());
    }
}
