//! Flux scale of an image against a catalogue, and the fractional noise beyond the thermal one.

use super::Error;
use crate::kind::BadArgument;
use crate::math::linear::least_squares;

/// `S = slope * S_catalogue + offset`.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct FluxScale {
    /// Slope \[1\].
    pub slope: f64,
    /// Its error.
    pub slope_err: f64,
    /// Offset \[Jy\].
    pub offset_jy: f64,
    /// Its error \[Jy\].
    pub offset_err_jy: f64,
    /// Fractional scatter about the line, robust \[1\].
    pub scatter: f64,
    /// Sources kept.
    pub n: usize,
}

/// Options of [`flux_scale`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScaleParams {
    /// Fractional scatter of true fluxes about the catalogue's: variability and other resolution \[1\].
    pub catalog_scatter: f64,
    /// Huber's constant \[sigma\].
    pub huber: f64,
    /// Sources further from the line take no part \[sigma\].
    pub clip_sigma: f64,
    /// Fewest sources.
    pub min_sources: usize,
}

impl Default for ScaleParams {
    fn default() -> Self {
        Self { catalog_scatter: 0.1, huber: 1.345, clip_sigma: 5.0, min_sources: 3 }
    }
}

/// Fit a line with Huber weights (Huber 1964, doi:10.1214/aoms/1177703732), iterated, after which what lies beyond `clip_sigma` is
/// left out. Errors are of the weighted fit, larger where the scatter asks for it.
///
/// # Errors
/// Lengths that differ; fewer than `min_sources` usable pairs.
pub fn flux_scale(
    flux_jy: &[f64],
    err_jy: &[f64],
    catalog_jy: &[f64],
    params: &ScaleParams,
) -> Result<FluxScale, Error> {
    if flux_jy.len() != err_jy.len() || flux_jy.len() != catalog_jy.len() {
        let found = format!("{}, {}, {}", flux_jy.len(), err_jy.len(), catalog_jy.len());
        return Err(BadArgument::new("flux_jy, err_jy, catalog_jy", "equal lengths", found).into());
    }
    let usable = (0..flux_jy.len()).filter(|&i| {
        flux_jy[i].is_finite() && err_jy[i] > 0.0 && err_jy[i].is_finite() && catalog_jy[i] > 0.0
    });
    let rows: Vec<usize> = usable.collect();
    let needed = params.min_sources.max(2);
    if rows.len() < needed {
        return Err(Error::TooFewReferences { needed, found: rows.len() });
    }
    let y: Vec<f64> = rows.iter().map(|&i| flux_jy[i]).collect();
    let x: Vec<f64> = rows.iter().map(|&i| catalog_jy[i]).collect();
    let design: Vec<f64> = x.iter().flat_map(|x| [*x, 1.0]).collect();
    let ratio = crate::math::robust::median_mad(&x.iter().zip(&y).map(|(x, y)| y / x).collect::<Vec<_>>());
    let (mut slope, mut offset) = (ratio.median, 0.0);
    let mut fit = None;
    let mut z = vec![0.0; y.len()];
    for pass in 0..30 {
        let weight: Vec<f64> = (0..y.len())
            .map(|i| {
                let sigma = err_jy[rows[i]].hypot(params.catalog_scatter * slope.abs().max(1e-3) * x[i]);
                z[i] = (y[i] - slope * x[i] - offset) / sigma;
                let far = pass >= 10 && z[i].abs() > params.clip_sigma;
                let huber = if z[i].abs() > params.huber { params.huber / z[i].abs() } else { 1.0 };
                if far {
                    0.0
                } else {
                    huber / (sigma * sigma)
                }
            })
            .collect();
        let found = least_squares(&design, &y, &weight, 2)?;
        let change = (found.params[0] - slope).abs() / slope.abs().max(1e-12);
        (slope, offset) = (found.params[0], found.params[1]);
        fit = Some(found);
        if pass > 10 && change < 1e-10 {
            break;
        }
    }
    let covariance = fit.map_or_else(|| vec![f64::NAN; 4], |f| f.covariance);
    let kept: Vec<usize> = (0..y.len()).filter(|&i| z[i].abs() <= params.clip_sigma).collect();
    let spread = |value: fn(f64, f64) -> f64| {
        crate::math::robust::median_mad(&kept.iter().map(|&i| value(z[i], y[i])).collect::<Vec<_>>()).sigma
    };
    let excess = spread(|z, _| z).max(1.0);
    let residual: Vec<f64> = kept.iter().map(|&i| (y[i] - offset) / (slope * x[i])).collect();
    Ok(FluxScale {
        slope,
        slope_err: covariance[0].sqrt() * excess,
        offset_jy: offset,
        offset_err_jy: covariance[3].sqrt() * excess,
        scatter: crate::math::robust::median_mad(&residual).sigma,
        n: kept.len(),
    })
}

/// The fraction `f` of `sigma^2 = sigma_known^2 + f^2` with its 68 % interval.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Floor {
    /// Most likely fraction \[1\].
    pub value: f64,
    /// Lower end, where the log likelihood is half a unit below its maximum; 0 when it never is.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Values used.
    pub n: usize,
}

/// Most likely fractional noise beyond the known one: the maximum of
/// `sum -ln(sigma_i^2 + f^2) / 2 - r_i^2 / (2 (sigma_i^2 + f^2))` over `f >= 0`, for relative residuals `r` with known relative errors
/// `sigma`; residuals beyond four of the robust spread are left out. `None` with fewer than four.
pub fn fractional_floor(residual: &[f64], sigma: &[f64]) -> Option<Floor> {
    let pairs: Vec<(f64, f64)> = residual
        .iter()
        .zip(sigma)
        .filter(|(r, s)| r.is_finite() && s.is_finite() && **s >= 0.0)
        .map(|(r, s)| (*r, *s))
        .collect();
    let spread = crate::math::robust::median_mad(&pairs.iter().map(|p| p.0).collect::<Vec<_>>()).sigma;
    let far = |r: f64, s: f64| r.abs() > 4.0 * spread.max(s);
    let kept: Vec<(f64, f64)> = pairs.into_iter().filter(|(r, s)| !far(*r, *s)).collect();
    if kept.len() < 4 {
        return None;
    }
    let likelihood = |f: f64| -> f64 {
        kept.iter()
            .map(|(r, s)| {
                let v = (s * s + f * f).max(1e-24);
                -0.5 * (v.ln() + r * r / v)
            })
            .sum()
    };
    let top = 10.0 * kept.iter().map(|(r, _)| r.abs()).fold(1e-6, f64::max);
    // A grid in f, dense near zero, then a golden section about the best.
    let grid: Vec<f64> = (0..=400).map(|i| top * (i as f64 / 400.0).powi(3)).collect();
    let best = (0..grid.len()).max_by(|&a, &b| likelihood(grid[a]).total_cmp(&likelihood(grid[b])))?;
    let (low, high) = (grid[best.saturating_sub(1)], grid[(best + 1).min(grid.len() - 1)]);
    let value = maximum(&likelihood, low, high);
    let level = likelihood(value) - 0.5;
    let below = if likelihood(0.0) >= level { 0.0 } else { crossing(&likelihood, level, 0.0, value) };
    let above = crossing(&likelihood, level, top, value);
    Some(Floor { value, low: below, high: above, n: kept.len() })
}

fn maximum(f: &impl Fn(f64) -> f64, mut a: f64, mut b: f64) -> f64 {
    const RATIO: f64 = 0.618_033_988_749_895;
    for _ in 0..60 {
        let (c, d) = (b - RATIO * (b - a), a + RATIO * (b - a));
        if f(c) >= f(d) {
            b = d;
        } else {
            a = c;
        }
    }
    0.5 * (a + b)
}

/// Where `f` crosses `level` between `outside` (below it) and `inside` (above it).
fn crossing(f: &impl Fn(f64) -> f64, level: f64, mut outside: f64, mut inside: f64) -> f64 {
    for _ in 0..60 {
        let middle = 0.5 * (outside + inside);
        if f(middle) >= level {
            inside = middle;
        } else {
            outside = middle;
        }
    }
    0.5 * (outside + inside)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_distr::{Distribution, StandardNormal};

    use super::*;

    fn normal(seed: u64) -> impl FnMut() -> f64 {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        move || StandardNormal.sample(&mut rng)
    }

    #[test]
    fn a_line_is_found_among_variables() {
        let mut z = normal(3);
        let catalog: Vec<f64> = (0..200).map(|i| 0.01 * 1.02f64.powi(i)).collect();
        let err = vec![5e-4; 200];
        let flux: Vec<f64> = catalog
            .iter()
            .enumerate()
            .map(
                |(i, s)| if i % 20 == 0 { 3.0 * s } else { 0.9 * s * (1.0 + 0.05 * z()) + 1e-3 + 5e-4 * z() },
            )
            .collect();
        let scale = flux_scale(&flux, &err, &catalog, &ScaleParams::default()).unwrap();
        // 190 sources of 5 to 10 %: the slope is good to 1 %, pulled a little by the 5 % that have tripled.
        assert!((scale.slope - 0.9).abs() < 4.0 * scale.slope_err.max(0.008), "{scale:?}");
        assert!((scale.offset_jy - 1e-3).abs() < 4.0 * scale.offset_err_jy.max(1e-4), "{scale:?}");
        assert!(scale.scatter > 0.03 && scale.scatter < 0.08 && scale.n >= 180);
        assert!(flux_scale(&flux[..2], &err[..2], &catalog[..2], &ScaleParams::default()).is_err());
    }

    #[test]
    fn the_floor_is_recovered_with_its_interval() {
        let mut covered = 0;
        for seed in 0..60 {
            let mut z = normal(seed);
            let sigma: Vec<f64> = (0..100).map(|i| 0.002 + 0.0002 * f64::from(i)).collect();
            let residual: Vec<f64> = sigma.iter().map(|s| s * z() + 0.01 * z()).collect();
            let floor = fractional_floor(&residual, &sigma).unwrap();
            covered += usize::from(floor.low <= 0.01 && 0.01 <= floor.high);
            assert!(floor.low <= floor.value && floor.value <= floor.high && floor.high < 0.03);
        }
        // 68 % of 60, give or take four sigma of a binomial.
        assert!((27..=55).contains(&covered), "{covered}");
        let quiet = fractional_floor(&[0.001, -0.001, 0.0, 0.0005, -0.0005], &[0.01; 5]).unwrap();
        assert_eq!(quiet.low, 0.0);
        assert!(quiet.value < 1e-4 && quiet.high > 0.0);
        assert!(fractional_floor(&[0.1, f64::NAN], &[0.1, 0.1]).is_none());
    }
}
