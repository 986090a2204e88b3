//! A random sky with NVSS-like counts.

use rand_distr::{Distribution, StandardNormal, Uniform};

use super::gains::generator;
use super::{Error, SimSource};
use crate::coords::{Lmn, RaDec};
use crate::kind::BadArgument;

/// A field of sources drawn at random.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Population {
    /// Sources.
    pub count: usize,
    /// Centre of the field, ICRS \[degrees\].
    pub ra_deg: f64,
    /// Centre of the field, ICRS \[degrees\].
    pub dec_deg: f64,
    /// Radius of the field \[degrees\].
    pub radius_deg: f64,
    /// Faintest flux at 1.4 GHz \[Jy\].
    pub min_flux_jy: f64,
    /// Brightest flux \[Jy\].
    pub max_flux_jy: f64,
    /// Differential counts `dN/dS ~ S^-slope`; NVSS between 10 mJy and 1 Jy has about 1.8.
    pub slope: f64,
    /// Mean spectral index.
    pub alpha_mean: f64,
    /// Scatter of the spectral index.
    pub alpha_rms: f64,
    /// No two sources are closer than this \[arcmin\].
    pub min_separation_arcmin: f64,
    /// Seed.
    pub seed: u64,
}

impl Default for Population {
    fn default() -> Self {
        Self {
            count: 20,
            ra_deg: 0.0,
            dec_deg: 16.0,
            radius_deg: 1.5,
            min_flux_jy: 0.01,
            max_flux_jy: 2.0,
            slope: 1.8,
            alpha_mean: -0.7,
            alpha_rms: 0.25,
            min_separation_arcmin: 0.0,
            seed: 0,
        }
    }
}

/// Tries to place one source before giving up on the separation.
const TRIES: usize = 2000;
/// Most sources: what a quadratic search of neighbours bears.
const MOST: usize = 100_000;

/// Draw the sources, uniform over the field.
///
/// # Errors
/// Values that make no sense; a separation that leaves no room.
pub fn random_sky(params: &Population) -> Result<Vec<SimSource>, Error> {
    check(params)?;
    let mut rng = generator(params.seed, u64::MAX, 0);
    let mut uniform = move || Uniform::new(0.0, 1.0).map_or(0.5, |u: Uniform<f64>| u.sample(&mut rng));
    let mut normals = generator(params.seed, u64::MAX, 1);
    let centre = RaDec::from_deg(params.ra_deg, params.dec_deg);
    let separation = (params.min_separation_arcmin / 60.0).to_radians();
    let mut positions: Vec<RaDec> = Vec::with_capacity(params.count);
    let mut sources = Vec::with_capacity(params.count);
    for k in 0..params.count {
        let place = (0..TRIES).find_map(|_| {
            // Uniform over the spherical cap: 1 - cos(theta) is uniform, so sin^2(theta / 2) is.
            let half = (0.5 * params.radius_deg.to_radians()).sin();
            let sin_half = half * uniform().sqrt();
            let theta = 2.0 * sin_half.asin();
            let (sin, cos) = (std::f64::consts::TAU * uniform()).sin_cos();
            let p = Lmn { l: theta.sin() * sin, m: theta.sin() * cos, n_minus_1: -2.0 * sin_half * sin_half }
                .direction(centre);
            positions.iter().all(|q| q.separation_rad(p) >= separation).then_some(p)
        });
        let Some(position) = place else {
            let text = format!("room for {} sources", params.count);
            return Err(
                BadArgument::new("min_separation_arcmin", text, format!("none left after {k}")).into()
            );
        };
        positions.push(position);
        let scatter: f64 = StandardNormal.sample(&mut normals);
        sources.push(SimSource {
            name: format!("S{k:04}"),
            ra_deg: position.ra_deg(),
            dec_deg: position.dec_deg(),
            flux_jy: flux(params, uniform()),
            alpha: params.alpha_mean + params.alpha_rms * scatter,
            ..SimSource::default()
        });
    }
    Ok(sources)
}

/// Inverse of the cumulative counts between the limits.
fn flux(params: &Population, u: f64) -> f64 {
    let k = 1.0 - params.slope;
    if k.abs() < 1e-9 {
        return params.min_flux_jy * (params.max_flux_jy / params.min_flux_jy).powf(u);
    }
    let (low, high) = (params.min_flux_jy.powf(k), params.max_flux_jy.powf(k));
    (low + u * (high - low)).powf(1.0 / k)
}

fn check(p: &Population) -> Result<(), Error> {
    let bad = |what: &str, expected: &str, found: f64| -> Result<(), Error> {
        Err(BadArgument::new(what, expected, found).into())
    };
    if p.count > MOST {
        return bad("count", "at most 100000 sources", p.count as f64);
    }
    if !p.ra_deg.is_finite() || !(-90.0..=90.0).contains(&p.dec_deg) {
        return bad("dec_deg", "a centre on the sky", p.dec_deg);
    }
    if !(p.radius_deg > 0.0 && p.radius_deg <= 90.0) {
        return bad("radius_deg", "a radius in (0, 90]", p.radius_deg);
    }
    if !(p.min_flux_jy > 0.0 && p.max_flux_jy >= p.min_flux_jy && p.max_flux_jy.is_finite()) {
        return bad("min_flux_jy", "0 < min_flux_jy <= max_flux_jy", p.min_flux_jy);
    }
    if ![p.slope, p.alpha_mean, p.alpha_rms, p.min_separation_arcmin].iter().all(|x| x.is_finite()) {
        return bad("slope", "finite numbers", f64::NAN);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_follow_the_power_law_and_the_field_its_radius() {
        let params =
            Population { count: 4000, ra_deg: 359.9, dec_deg: 80.0, seed: 3, ..Population::default() };
        let sky = random_sky(&params).unwrap();
        let centre = RaDec::from_deg(359.9, 80.0);
        let far =
            sky.iter().map(|s| RaDec::from_deg(s.ra_deg, s.dec_deg).separation_rad(centre).to_degrees());
        let inside = far.clone().filter(|r| *r < 0.75).count() as f64 / 4000.0;
        assert!(far.fold(0.0, f64::max) <= 1.5 + 1e-9);
        // A quarter of the area; binomial scatter 0.7 %, 5 sigma.
        assert!((inside - 0.25).abs() < 0.035, "{inside}");
        let median = {
            let mut f: Vec<f64> = sky.iter().map(|s| s.flux_jy).collect();
            f.sort_by(f64::total_cmp);
            assert!(f[0] >= 0.01 && f[3999] <= 2.0);
            f[2000]
        };
        // Median where the cumulative counts are one half: flux(0.5); its scatter is 2 %.
        assert!((median / flux(&params, 0.5) - 1.0).abs() < 0.1);
    }

    #[test]
    fn separation_is_kept_or_refused() {
        let sky = random_sky(&Population { count: 60, min_separation_arcmin: 8.0, ..Population::default() })
            .unwrap();
        for (i, a) in sky.iter().enumerate() {
            for b in &sky[..i] {
                let d =
                    RaDec::from_deg(a.ra_deg, a.dec_deg).separation_rad(RaDec::from_deg(b.ra_deg, b.dec_deg));
                assert!(d.to_degrees() * 60.0 >= 8.0);
            }
        }
        assert!(random_sky(&Population { count: 500, min_separation_arcmin: 20.0, ..Population::default() })
            .is_err());
        assert!(random_sky(&Population { min_flux_jy: 0.0, ..Population::default() }).is_err());
        assert!(random_sky(&Population { count: 0, ..Population::default() }).unwrap().is_empty());
    }
}
