//! HEALPix numbers for an index on positions, and the ranges of numbers that cover a cone.

use cdshealpix::nested;

use super::Error;
use crate::coords::RaDec;
use crate::kind::BadArgument;

/// Depth of the stored pixel numbers: NSIDE 2^14, pixels of about 13 arcsec.
pub const INDEX_DEPTH: u8 = 14;

/// Nested HEALPix number at [`INDEX_DEPTH`] (Gorski et al. 2005, doi:10.1086/427976).
///
/// # Errors
/// A position that is not finite or whose declination is beyond a pole.
pub fn pixel_of(position: RaDec) -> Result<u64, Error> {
    check(position)?;
    Ok(nested::hash(INDEX_DEPTH, position.ra_rad.rem_euclid(std::f64::consts::TAU), position.dec_rad))
}

/// Half-open ranges `[first, last)` of numbers at [`INDEX_DEPTH`] that cover the cone, in order and disjoint. Pixels on the rim are
/// included whole: test the exact distance afterwards.
///
/// # Errors
/// As [`pixel_of`]; a radius that is not between 0 and pi.
pub fn cone_ranges(centre: RaDec, radius_rad: f64) -> Result<Vec<(u64, u64)>, Error> {
    check(centre)?;
    if !(0.0..=std::f64::consts::PI).contains(&radius_rad) {
        return Err(BadArgument::new("radius_rad", "0 to pi", radius_rad).into());
    }
    let depth = depth_for(radius_rad);
    let cover = nested::cone_coverage_approx(
        depth,
        centre.ra_rad.rem_euclid(std::f64::consts::TAU),
        centre.dec_rad,
        radius_rad,
    );
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    let mut cells: Vec<(u64, u64)> = (&cover)
        .into_iter()
        .map(|cell| {
            let shift = 2 * (INDEX_DEPTH - cell.depth) as u64;
            (cell.hash << shift, (cell.hash + 1) << shift)
        })
        .collect();
    cells.sort_unstable();
    for (first, last) in cells {
        match ranges.last_mut() {
            Some(range) if range.1 >= first => range.1 = range.1.max(last),
            _ => ranges.push((first, last)),
        }
    }
    Ok(ranges)
}

/// A depth at which a cone takes some tens of cells: finer gives more ranges, coarser more positions to test.
fn depth_for(radius_rad: f64) -> u8 {
    (0..INDEX_DEPTH)
        .rev()
        .find(|&depth| {
            (std::f64::consts::FRAC_PI_3 / 12.0).sqrt() / f64::from(1u32 << depth) * 4.0 >= radius_rad
        })
        .map_or(0, |depth| (depth + 2).min(INDEX_DEPTH))
}

fn check(position: RaDec) -> Result<(), Error> {
    let ok = position.ra_rad.is_finite() && position.dec_rad.abs() <= std::f64::consts::FRAC_PI_2;
    if ok {
        return Ok(());
    }
    let found = format!("({}, {})", position.ra_deg(), position.dec_deg());
    Err(BadArgument::new("position", "finite right ascension, declination within 90 degrees", found).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_position_in_the_cone_is_in_a_range() {
        for (ra, dec) in [(0.0, 0.0), (359.999, 54.0), (120.0, 90.0), (10.0, -89.99), (45.0, 41.8)] {
            let centre = RaDec::from_deg(ra, dec);
            for radius_deg in [1e-4, 0.01, 0.5, 1.5, 20.0] {
                let ranges = cone_ranges(centre, f64::to_radians(radius_deg)).unwrap();
                assert!(ranges.windows(2).all(|r| r[0].1 < r[1].0));
                assert!(!ranges.is_empty() && ranges.len() < 200, "{} ranges", ranges.len());
                for k in 0..200 {
                    // Directions about the centre, out to the rim.
                    let angle = k as f64 * 0.7;
                    let r = f64::to_radians(radius_deg) * (k as f64 / 200.0);
                    let lmn = crate::coords::Lmn::from_lm(r.sin() * angle.cos(), r.sin() * angle.sin());
                    let p = lmn.direction(centre);
                    let pixel = pixel_of(p).unwrap();
                    assert!(
                        ranges.iter().any(|(a, b)| (*a..*b).contains(&pixel)),
                        "{ra} {dec} {radius_deg} {k}"
                    );
                }
            }
        }
    }

    #[test]
    fn bad_positions_are_refused() {
        assert!(pixel_of(RaDec { ra_rad: f64::NAN, dec_rad: 0.0 }).is_err());
        assert!(pixel_of(RaDec { ra_rad: 0.0, dec_rad: 1.6 }).is_err());
        assert!(cone_ranges(RaDec::default(), f64::INFINITY).is_err());
    }
}
