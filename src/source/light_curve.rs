//! The flux of one source against time.

/// One epoch of one source in one band.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LightCurvePoint {
    /// Mid time of the epoch, UTC \[MJD days\].
    pub mjd: f64,
    /// Flux density, signed \[Jy\].
    pub flux_jy: f64,
    /// 1-sigma error \[Jy\].
    pub flux_err_jy: f64,
}

/// Points of one source, sorted by time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LightCurve {
    /// Epochs in order of `mjd`.
    pub points: Vec<LightCurvePoint>,
}

impl LightCurve {
    /// Sort by time and keep the points.
    pub fn from_points(mut points: Vec<LightCurvePoint>) -> Self {
        points.sort_by(|a, b| a.mjd.total_cmp(&b.mjd));
        Self { points }
    }

    /// Fluxes \[Jy\] in order of time.
    pub fn flux_jy(&self) -> Vec<f64> {
        self.points.iter().map(|p| p.flux_jy).collect()
    }

    /// Errors \[Jy\] in order of time.
    pub fn flux_err_jy(&self) -> Vec<f64> {
        self.points.iter().map(|p| p.flux_err_jy).collect()
    }

    /// Times \[MJD days\].
    pub fn mjd(&self) -> Vec<f64> {
        self.points.iter().map(|p| p.mjd).collect()
    }
}
