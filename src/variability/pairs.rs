//! Two-epoch statistics Vs and m, and their extremes over all pairs without making the pairs.
//!
//! A pair gains, in Vs and in |m| at once, when its upper point is replaced by one that is no fainter and has no larger error,
//! and when its lower point is replaced by one that is no brighter and has no larger error. So the extremes lie among the
//! points that no other point beats in both (two Pareto fronts, about ln N points each unless errors grow with flux), and
//! only these are paired.

use super::error::{check_errors, Undefined};

/// Smallest |Vs| of a pair that counts for [`m_max`] (Mooley et al. 2016).
pub const VS_OF_M: f64 = 4.3;

/// `Vs = (f_a - f_b) / sqrt(sigma_a^2 + sigma_b^2)`, unit 1 (Mooley et al. 2016, doi:10.3847/0004-637X/818/2/105).
///
/// # Errors
/// A flux or error that is not finite; errors both zero, or negative.
pub fn vs(flux_a: f64, flux_b: f64, err_a: f64, err_b: f64) -> Result<f64, Undefined> {
    const NAME: &str = "Vs";
    let err = err_a.hypot(err_b);
    let value = (flux_a - flux_b) / err;
    if !(value.is_finite() && err_a >= 0.0 && err_b >= 0.0) {
        let found = if err > 0.0 { flux_a - flux_b } else { err };
        return Err(Undefined::BadPoint { statistic: NAME, index: 0, found });
    }
    Ok(value)
}

/// `m = 2 (f_a - f_b) / (f_a + f_b)`, unit 1, between -2 and 2 (Mooley et al. 2016, doi:10.3847/0004-637X/818/2/105).
///
/// # Errors
/// A flux that is not finite; fluxes of opposite sign; both zero.
pub fn m(flux_a: f64, flux_b: f64) -> Result<f64, Undefined> {
    const NAME: &str = "m";
    if !(flux_a.is_finite() && flux_b.is_finite()) {
        let found = if flux_a.is_finite() { flux_b } else { flux_a };
        return Err(Undefined::BadPoint { statistic: NAME, index: 0, found });
    }
    if flux_a * flux_b < 0.0 {
        return Err(Undefined::OppositeSigns { statistic: NAME, a: flux_a, b: flux_b });
    }
    let sum = flux_a + flux_b;
    if sum == 0.0 {
        return Err(Undefined::Level { statistic: NAME, found: 0.0 });
    }
    Ok(2.0 * (flux_a - flux_b) / sum)
}

/// The pair with an extreme statistic; `first < second` in the order given, and the value is that of (first, second).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairExtreme {
    /// The signed statistic.
    pub value: f64,
    /// Index of the earlier point.
    pub first: usize,
    /// Index of the later point.
    pub second: usize,
}

/// The pair of largest |Vs|.
///
/// # Errors
/// Fewer than two points; a flux or error that is not finite; an error that is not positive.
pub fn vs_max(flux: &[f64], err: &[f64]) -> Result<PairExtreme, Undefined> {
    check_errors("Vs", 2, flux, err)?;
    let high = front(flux.len(), |i| flux[i], err);
    let low = front(flux.len(), |i| -flux[i], err);
    Ok(vs_of_fronts(flux, err, &high, &low))
}

/// Signed values of [`vs_max`] and [`m_max`] of points known to be usable, NaN where there is none. Fluxes of one sign share
/// the fronts.
pub(super) fn extremes(flux: &[f64], err: &[f64], vs_min: f64) -> (f64, f64) {
    if flux.len() < 2 {
        return (f64::NAN, f64::NAN);
    }
    let high = front(flux.len(), |i| flux[i], err);
    let low = front(flux.len(), |i| -flux[i], err);
    let vs = vs_of_fronts(flux, err, &high, &low).value;
    if vs.abs() < vs_min {
        return (vs, f64::NAN);
    }
    // The lowest flux is on its front.
    let of_one_sign = low.iter().all(|&i| flux[i] >= 0.0);
    let m = if of_one_sign {
        m_of_fronts(flux, err, (&high, &low), vs_min)
    } else {
        m_max(flux, err, vs_min).ok().flatten()
    };
    (vs, m.map_or(f64::NAN, |p| signed_m(flux, p).value))
}

fn vs_of_fronts(flux: &[f64], err: &[f64], high: &[usize], low: &[usize]) -> PairExtreme {
    let mut best = (0.0, 0, 1);
    for &a in high {
        for &b in low {
            let difference = flux[a] - flux[b];
            let ratio = difference * difference / (err[a] * err[a] + err[b] * err[b]);
            if difference > 0.0 && ratio > best.0 {
                best = (ratio, a, b);
            }
        }
    }
    let (first, second) = (best.1.min(best.2), best.1.max(best.2));
    let value = (flux[first] - flux[second]) / err[first].hypot(err[second]);
    PairExtreme { value, first, second }
}

/// The pair of largest m between two fronts of levels that are not negative; its value is not signed yet.
fn m_of_fronts(
    level: &[f64],
    sigma: &[f64],
    (high, low): (&[usize], &[usize]),
    vs_min: f64,
) -> Option<PairExtreme> {
    let mut best: Option<PairExtreme> = None;
    for &a in high {
        for &b in low {
            let difference = level[a] - level[b];
            let sum = level[a] + level[b];
            if a == b || sum <= 0.0 || difference < vs_min * sigma[a].hypot(sigma[b]) {
                continue;
            }
            let value = 2.0 * difference / sum;
            if best.is_none_or(|p| value > p.value) {
                best = Some(PairExtreme { value, first: a, second: b });
            }
        }
    }
    best
}

/// The pair in the order given, with the sign that has.
fn signed_m(flux: &[f64], p: PairExtreme) -> PairExtreme {
    let (first, second) = (p.first.min(p.second), p.first.max(p.second));
    PairExtreme { value: 2.0 * (flux[first] - flux[second]) / (flux[first] + flux[second]), first, second }
}

/// The pair of largest |m| among pairs of one sign with `|Vs| >= vs_min` ([`VS_OF_M`]); `None` when there is none.
///
/// # Errors
/// Fewer than two points; a flux or error that is not finite; an error that is not positive.
pub fn m_max(flux: &[f64], err: &[f64], vs_min: f64) -> Result<Option<PairExtreme>, Undefined> {
    check_errors("m", 2, flux, err)?;
    let mut best: Option<PairExtreme> = None;
    for sign in [1.0, -1.0] {
        let of_sign: Vec<usize> = (0..flux.len()).filter(|&i| flux[i] * sign >= 0.0).collect();
        if of_sign.len() < 2 {
            continue;
        }
        let level: Vec<f64> = of_sign.iter().map(|&i| flux[i] * sign).collect();
        let sigma: Vec<f64> = of_sign.iter().map(|&i| err[i]).collect();
        let high = front(level.len(), |i| level[i], &sigma);
        let low = front(level.len(), |i| -level[i], &sigma);
        if let Some(p) = m_of_fronts(&level, &sigma, (&high, &low), vs_min) {
            if best.is_none_or(|b| p.value > b.value) {
                best =
                    Some(PairExtreme { value: p.value, first: of_sign[p.first], second: of_sign[p.second] });
            }
        }
    }
    Ok(best.map(|p| signed_m(flux, p)))
}

/// Points that no other beats in level and error at once: level falling, error falling strictly.
fn front(n: usize, level: impl Fn(usize) -> f64, err: &[f64]) -> Vec<usize> {
    /// Beyond this many points a sort is cheaper than one pass a member.
    const WALK: usize = 256;
    let mut members = Vec::with_capacity(8);
    let mut limit = f64::INFINITY;
    if n > WALK {
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_unstable_by(|&a, &b| level(b).total_cmp(&level(a)).then(err[a].total_cmp(&err[b])));
        for i in order {
            if err[i] < limit {
                limit = err[i];
                members.push(i);
            }
        }
        return members;
    }
    // Each member leaves only the points of smaller error, about half of them.
    let mut left = [0u16; WALK];
    let mut count = n;
    for (i, slot) in left.iter_mut().enumerate().take(n) {
        *slot = i as u16;
    }
    while count > 0 {
        let mut best = usize::from(left[0]);
        let mut best_level = level(best);
        for &i in &left[1..count] {
            let i = usize::from(i);
            let l = level(i);
            if l > best_level || (l == best_level && err[i] < err[best]) {
                (best, best_level) = (i, l);
            }
        }
        members.push(best);
        let limit = err[best];
        let mut kept = 0;
        for k in 0..count {
            let i = left[k];
            left[kept] = i;
            kept += usize::from(err[usize::from(i)] < limit);
        }
        count = kept;
    }
    members
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn by_hand() {
        assert_eq!(vs(5.0, 2.0, 3.0, 4.0), Ok(0.6));
        assert!(vs(1.0, 2.0, 0.0, 0.0).is_err());
        assert_eq!(m(3.0, 1.0), Ok(1.0));
        assert_eq!(m(-3.0, -1.0), Ok(1.0));
        assert!(matches!(m(1.0, -1.0), Err(Undefined::OppositeSigns { .. })));
        assert!(matches!(m(0.0, 0.0), Err(Undefined::Level { .. })));
    }

    #[test]
    fn largest_vs_need_not_have_the_largest_m() {
        // (0, 1) has the largest Vs; (0, 2) the larger m, and Vs 4.5 suffices.
        let (f, s) = ([10.0, 5.0, 1.0], [0.1, 0.1, 2.0]);
        let v = vs_max(&f, &s).unwrap();
        assert_eq!((v.first, v.second), (0, 1));
        let p = m_max(&f, &s, 4.3).unwrap().unwrap();
        assert_eq!((p.first, p.second), (0, 2));
        assert!(m_max(&f, &s, 100.0).unwrap().is_none());
    }

    #[test]
    fn a_steady_source_has_no_m() {
        assert_eq!(m_max(&[1.0, 1.1, 0.9], &[0.1; 3], VS_OF_M), Ok(None));
        assert_eq!(vs_max(&[2.0; 3], &[0.1; 3]).unwrap().value, 0.0);
    }

    fn all_pairs(f: &[f64], s: &[f64], vs_min: f64) -> (f64, Option<f64>) {
        let (mut v_best, mut m_best) = (0.0f64, None);
        for i in 0..f.len() {
            for j in i + 1..f.len() {
                let v = vs(f[i], f[j], s[i], s[j]).unwrap().abs();
                v_best = v_best.max(v);
                if let (true, Ok(value)) = (v >= vs_min, m(f[i], f[j])) {
                    m_best = Some(m_best.unwrap_or(0.0f64).max(value.abs()));
                }
            }
        }
        (v_best, m_best)
    }

    proptest! {
        #[test]
        fn fronts_find_what_all_pairs_find(
            points in prop::collection::vec((-5.0..20.0f64, 0.05..3.0f64), 2..60),
            repeat in 1usize..8,
        ) {
            // Repetition takes some cases past the length at which the front is found by sorting; rounding makes ties.
            let f: Vec<f64> = points.iter().map(|p| (p.0 * 8.0).round() / 8.0).cycle().take(points.len() * repeat).collect();
            let s: Vec<f64> = points.iter().map(|p| (p.1 * 8.0).ceil() / 8.0).cycle().take(points.len() * repeat).collect();
            let (v_all, m_all) = all_pairs(&f, &s, VS_OF_M);
            prop_assert!((vs_max(&f, &s).unwrap().value.abs() - v_all).abs() <= 1e-12 * v_all);
            match (m_max(&f, &s, VS_OF_M).unwrap(), m_all) {
                (None, None) => {}
                (Some(p), Some(value)) => prop_assert!((p.value.abs() - value).abs() <= 1e-12),
                other => prop_assert!(false, "{other:?}"),
            }
        }

        #[test]
        fn errors_that_grow_with_flux_keep_every_point_on_the_front(n in 2usize..200) {
            let f: Vec<f64> = (0..n).map(|i| 1.0 + i as f64).collect();
            let s: Vec<f64> = f.iter().map(|f| 0.1 * f).collect();
            let (v_all, _) = all_pairs(&f, &s, VS_OF_M);
            prop_assert!((vs_max(&f, &s).unwrap().value.abs() - v_all).abs() <= 1e-12 * v_all);
        }
    }
}
