use super::vector::{dot, sub};
use super::*;
use crate::time::EarthOrientation;

const T: f64 = 61_065.934_8 * 86_400.0;

fn frame(time_mjd_s: f64) -> ApparentFrame {
    ApparentFrame::new(time_mjd_s, &Observatory::dsa110(), &EarthOrientation::builtin().unwrap()).unwrap()
}

const GRID: [(f64, f64); 8] = [
    (0.0, -30.0),
    (359.99, 0.0),
    (0.0, 16.0),
    (123.0, 33.0),
    (359.99, 54.0),
    (77.0, 89.0),
    (0.0, 89.9),
    (200.0, 90.0),
];

#[test]
fn hour_angle_there_and_back() {
    let frame = frame(T);
    for (ra, dec) in GRID {
        let there = RaDec::from_deg(ra, dec);
        // 1e-13 rad is 0.02 microarcseconds.
        assert!(there.separation_rad(frame.hadec_to_icrs(frame.icrs_to_hadec(there))) < 1e-13);
    }
}

#[test]
fn meridian_is_at_hour_angle_zero() {
    for k in 0..24 {
        let frame = frame(T + 3600.0 * f64::from(k));
        for dec in [-30.0_f64, 16.15, 54.0, 89.9] {
            let centre = frame.meridian_icrs(dec.to_radians());
            let hadec = frame.icrs_to_hadec(centre);
            assert!(hadec.ha_rad.abs() * hadec.dec_rad.cos() < 1e-13);
            let basis = UvwBasis::meridian(Observatory::dsa110().longitude_rad, dec.to_radians());
            let off = sub(basis.rows[2], frame.direction(centre));
            assert!(dot(off, off).sqrt() < 1e-13);
        }
    }
}

#[test]
fn basis_is_right_handed_and_orthonormal() {
    let frame = frame(T);
    for (ra, dec) in GRID {
        let [u, v, w] = frame.uvw_basis(RaDec::from_deg(ra, dec)).rows;
        let east_north_out = super::vector::cross(u, v);
        assert!(dot(sub(east_north_out, w), sub(east_north_out, w)) < 1e-28);
        assert!(
            (dot(u, u) - 1.0).abs() < 1e-14 && (dot(v, v) - 1.0).abs() < 1e-14 && dot(u, v).abs() < 1e-14
        );
    }
}

#[test]
fn apparent_offsets_are_icrs_offsets_stretched_by_aberration() {
    let frame = frame(T);
    for (ra, dec) in GRID {
        let centre = RaDec::from_deg(ra, dec);
        let j = frame.apparent_jacobian(centre);
        // First order of aberration stretches alike in all directions by at most v/c = 1e-4; shear comes from its second
        // order (1e-8) and from the Sun's light deflection (1e-7 at 50 degrees from it).
        assert!((j[0][0] - 1.0).abs() < 1.1e-4 && (j[0][0] - j[1][1]).abs() < 3e-7, "{j:?}");
        assert!(j[0][1].abs() < 3e-7 && j[1][0].abs() < 3e-7, "{j:?}");
        let (l, m) = (0.02, -0.01);
        let seen = frame.apparent_lmn(centre, Lmn::from_lm(l, m).direction(centre));
        // What is left is curvature: aberration times offset squared.
        assert!((seen.l - (j[0][0] * l + j[0][1] * m)).abs() < 1e-4 * 5e-4);
        assert!((seen.m - (j[1][0] * l + j[1][1] * m)).abs() < 1e-4 * 5e-4);
        assert!((seen.n_minus_1 - Lmn::from_lm(seen.l, seen.m).n_minus_1).abs() < 1e-15);
    }
}

#[test]
fn stretch_is_that_of_the_velocity_towards_the_source() {
    // Moving towards a source shrinks the field around it; v.s changes sign on the other side of the sky.
    let frame = frame(T);
    let a = RaDec::from_deg(30.0, 10.0);
    let b = RaDec::from_deg(210.0, -10.0);
    let sum = frame.apparent_jacobian(a)[0][0] + frame.apparent_jacobian(b)[0][0] - 2.0;
    assert!(sum.abs() < 3e-7, "{sum}");
}

#[test]
fn transit_is_where_lst_is_the_right_ascension() {
    let (site, earth) = (Observatory::dsa110(), EarthOrientation::builtin().unwrap());
    for ra in [0.0, 1e-9, 2.0, 6.28] {
        let crossing = Crossing::SiderealTime(ra);
        let next = crossing.next(T, 3, &site, &earth).unwrap();
        let previous = crossing.previous(T, 3, &site, &earth).unwrap();
        assert!(next[0] >= T && next[0] < T + 86_400.0 && previous[0] <= T && previous[0] > T - 86_400.0);
        for pair in next.windows(2).chain(previous.windows(2)) {
            assert!(((pair[1] - pair[0]).abs() - 86_164.09).abs() < 0.1);
        }
        let lst = crate::time::last_rad(next[0], site.longitude_rad, &earth).unwrap();
        let off = (lst - ra + 3.0).rem_euclid(std::f64::consts::TAU) - 3.0;
        assert!(off.abs() < 1e-9, "{off}");
        // A transit is its own next and previous one.
        assert!((crossing.next(next[1], 1, &site, &earth).unwrap()[0] - next[1]).abs() < 2e-6);
        assert!((crossing.previous(next[1], 1, &site, &earth).unwrap()[0] - next[1]).abs() < 2e-6);
    }
    let icrs = RaDec::from_deg(343.3, 16.0);
    let time = Crossing::Direction(icrs).nearest(T, &site, &earth).unwrap();
    assert!(frame(time).icrs_to_hadec(icrs).ha_rad.abs() < 1e-9);
    assert!(Crossing::SiderealTime(f64::NAN).next(T, 1, &site, &earth).is_err());
}

#[test]
fn lst_of_the_frame_is_that_of_the_clock() {
    let (site, earth) = (Observatory::dsa110(), EarthOrientation::builtin().unwrap());
    let lst = crate::time::last_rad(T, site.longitude_rad, &earth).unwrap();
    // They differ by polar motion squared.
    assert!((lst - frame(T).lst_rad()).abs() < 1e-11);
}

// Pointing of a group made by an independent simulator (astropy HADec, HA 0 and Dec 16.15 of date at the site,
// JD 2461066.435227485): ICRS 343.3216437662666, 16.011191836161622 degrees. A JD in one f64 is good to 40 microseconds, 0.6 mas.
#[test]
fn meridian_of_an_independent_simulator() {
    let time = crate::time::mjd_s_from_jd(2_461_066.435_227_485);
    let ours = frame(time).meridian_icrs(16.15_f64.to_radians());
    let theirs = RaDec::from_deg(343.321_643_766_266_6, 16.011_191_836_161_622);
    let mas = ours.separation_rad(theirs).to_degrees() * 3.6e6;
    assert!(mas < 1.5, "{mas}");
}

#[test]
fn times_and_places_that_cannot_be_are_refused() {
    let earth = EarthOrientation::builtin().unwrap();
    assert!(ApparentFrame::new(f64::NAN, &Observatory::dsa110(), &earth).is_err());
    assert!(ApparentFrame::new(T, &Observatory::from_deg(f64::NAN, 0.0, 0.0), &earth).is_err());
}
