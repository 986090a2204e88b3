//! Laws of mosaics: a tile on its own grid is itself, sources keep place and flux, weights are inverse variances.

use ndarray::Array2;

use super::*;
use crate::control::Control;
use crate::coords::{Lmn, RaDec};
use crate::image::{RestoringBeam, Wcs};
use crate::kind::{ErrorKind, Kind};

const CELL: f64 = 2e-5;

/// A tile about `centre` with Gaussian sources (fluxes on the sky) seen through a Gaussian beam.
fn tile(centre: RaDec, n: usize, slant: [f64; 2], sources: &[(RaDec, f64)], sigma_jy: f64) -> Tile {
    let mut wcs = Wcs::centred(centre, n, n, CELL);
    wcs.slant = slant;
    let width = 0.35 * n as f64 * CELL;
    let pb = |p: RaDec| (-(p.separation_rad(centre) / width).powi(2)).exp();
    let pb_yx = Array2::from_shape_fn((n, n), |(y, x)| pb(wcs.pixel_to_sky([x as f64, y as f64])) as f32);
    let fwhm = 5.0 * CELL;
    let image_yx = Array2::from_shape_fn((n, n), |(y, x)| {
        let here = wcs.pixel_to_sky([x as f64, y as f64]);
        let one = |(p, flux): &(RaDec, f64)| {
            pb(*p) * flux * (-4.0 * std::f64::consts::LN_2 * (here.separation_rad(*p) / fwhm).powi(2)).exp()
        };
        sources.iter().map(one).sum::<f64>() as f32
    });
    Tile { image_yx, pb_yx, wcs, sigma_jy }
}

fn rim(tile: &Tile) -> Vec<RaDec> {
    let n = (tile.image_yx.ncols() - 1) as f64;
    [[0.0, 0.0], [n, 0.0], [0.0, n], [n, n]].iter().map(|p| tile.wcs.pixel_to_sky(*p)).collect()
}

#[test]
fn sources_keep_place_and_flux_across_ra_zero_and_near_the_pole() {
    for (ra, dec) in [(0.001, 54.0), (10.0, -30.0), (200.0, 89.2)] {
        let middle = RaDec::from_deg(ra, dec);
        let at = |l: f64, m: f64| Lmn::from_lm(l, m).direction(middle);
        let sources = [(at(3.3e-4, -4.1e-4), 1.0), (at(-1.2e-3, 8e-4), 2.0)];
        let tiles = [
            tile(at(1e-3, 0.0), 200, [0.1, 0.3], &sources, 1e-3),
            tile(at(-1e-3, 2e-4), 200, [0.0, 0.25], &sources, 2e-3),
        ];
        let rims: Vec<_> = tiles.iter().map(rim).collect();
        let (wcs, size) = common_grid(&rims, CELL, 8192).unwrap();
        assert!(size[0] > 200 && size[0] < 320 && size[1] < 320, "{size:?}");
        let m = coadd(&tiles, &wcs, size, &CoaddParams::default(), &Control::new()).unwrap();
        let (matched, linear) = (Sampler::new(Interpolation::Matched), Sampler::new(Interpolation::Bilinear));
        for (p, flux) in sources {
            let [x, y] = wcs.sky_to_pixel(p).unwrap();
            let value = matched.at(&m.image_yx.view(), [x, y]);
            // Twice interpolated, 0.05 % each for a beam of five pixels; the beam between its pixels 0.1 %.
            assert!((f64::from(value) / flux - 1.0).abs() < 2.5e-3, "{value} for {flux} at {ra} {dec}");
        }
        // Where only the better tile weighs, and at a pixel of both: sum of pb^2 / sigma^2.
        let p = at(0.0, 0.0);
        let [x, y] = wcs.sky_to_pixel(p).unwrap().map(f64::round);
        let sky = wcs.pixel_to_sky([x, y]);
        let expected: f64 = tiles
            .iter()
            .map(|t| {
                let pb = linear.at(&t.pb_yx.view(), t.wcs.sky_to_pixel(sky).unwrap());
                (f64::from(pb) / t.sigma_jy).powi(2)
            })
            .sum();
        let weight = f64::from(m.weight_yx[[y as usize, x as usize]]);
        assert!((weight / expected - 1.0).abs() < 1e-3, "{weight} {expected}");
        assert!(m.image_yx[[0, 0]].is_nan() && m.weight_yx[[0, 0]] == 0.0);
    }
}

#[test]
fn a_tile_on_its_own_grid_is_itself_and_methods_differ_in_noise_only() {
    let centre = RaDec::from_deg(359.9999, 20.0);
    let source = [(Lmn::from_lm(2e-4, 1e-4).direction(centre), 1.0)];
    let one = tile(centre, 100, [0.0, 0.0], &source, 1e-3);
    use Interpolation::{Bilinear, Lanczos, Matched, Nearest};
    for interpolation in [Nearest, Bilinear, Lanczos, Matched] {
        let params = CoaddParams { method: Method::Mean, interpolation, ..CoaddParams::default() };
        let m = coadd(std::slice::from_ref(&one), &one.wcs, [100, 100], &params, &Control::new()).unwrap();
        for (v, (i, pb)) in m.image_yx.iter().zip(one.image_yx.iter().zip(&one.pb_yx)) {
            // The map between grids is linear over 16 pixels: 1e-3 of a pixel on the slope of a source.
            assert!(v.is_nan() || (v - i / pb).abs() < 2e-3, "{v} {}", i / pb);
        }
    }
    let two = [one.clone(), Tile { sigma_jy: 3e-3, ..one }];
    let best = |method| {
        let params = CoaddParams { method, ..CoaddParams::default() };
        let m = coadd(&two, &two[0].wcs, [100, 100], &params, &Control::new());
        m.unwrap().weight_yx[[50, 50]]
    };
    let (pb, plain, mean) = (best(Method::PbWeighted), best(Method::Weighted), best(Method::Mean));
    assert!((pb / plain - 1.0).abs() < 1e-5 && mean < 0.5 * pb, "{pb} {plain} {mean}");
}

/// Along evenly spaced pieces of a row, and place by place (taken for a beam that is not in the order of rows).
#[test]
fn pieces_of_rows_are_the_single_places() {
    let centre = RaDec::from_deg(100.0, 40.0);
    let at = |l: f64, m: f64| Lmn::from_lm(l, m).direction(centre);
    let mut one = tile(at(1e-3, 0.0), 200, [0.1, 0.3], &[(at(3e-4, -4e-4), 1.0)], 1e-3);
    one.image_yx[[90, 80]] = f32::NAN;
    one.pb_yx.slice_mut(ndarray::s![.., 150..]).fill(0.05);
    let turned = |a: &Array2<f32>| a.t().as_standard_layout().into_owned().reversed_axes();
    let other = Tile { pb_yx: turned(&one.pb_yx), ..one.clone() };
    assert!(other.pb_yx.as_slice().is_none());
    let (wcs, size) = common_grid(&[rim(&one)], CELL, 8192).unwrap();
    let add = |t: &Tile| {
        coadd(std::slice::from_ref(t), &wcs, size, &CoaddParams::default(), &Control::new()).unwrap()
    };
    let (fast, slow) = (add(&one), add(&other));
    let mut seen = 0;
    for (a, b) in fast.image_yx.iter().zip(&slow.image_yx).chain(fast.weight_yx.iter().zip(&slow.weight_yx)) {
        assert_eq!(a.is_nan(), b.is_nan());
        seen += usize::from(*a > 0.0);
        // Positions of a piece are steps from its first; a place differs in the last bits.
        assert!(a.is_nan() || (a - b).abs() <= 2e-5 * b.abs().max(1e-3), "{a} {b}");
    }
    assert!(seen > 20_000, "{seen}");
}

#[test]
fn verdicts_and_bad_tiles() {
    let centre = RaDec::from_deg(10.0, 20.0);
    let good = tile(centre, 60, [0.0, 0.0], &[(centre, 1.0)], 1e-3);
    let noisy = Tile { sigma_jy: 0.5, ..good.clone() };
    let beam =
        |s: f64| Some(RestoringBeam { major_rad: 5.0 * CELL * s, minor_rad: 4.0 * CELL * s, pa_rad: 0.0 });
    let all = |v: &[Verdict]| v.iter().all(|v| v.passed);
    let three = [good.clone(), good.clone(), good.clone()];
    let judged = |tiles: &[Tile], beams: &[Option<RestoringBeam>]| {
        let judged: Vec<Judged<'_>> = tiles
            .iter()
            .zip(beams)
            .map(|(tile, beam)| Judged {
                tile,
                beam: *beam,
                freq_hz: 1.4e9,
                correction: None,
                flux_scale: 1.0,
                calibration: "",
            })
            .collect();
        validate(&judged)
    };
    assert!(all(&judged(&three, &[beam(1.0), beam(1.1), beam(1.0)])));
    let failed = |tiles: &[Tile], beams: &[Option<RestoringBeam>]| -> Vec<String> {
        judged(tiles, beams).into_iter().filter(|v| !v.passed).map(|v| v.name).collect()
    };
    assert_eq!(failed(&three, &[beam(1.0), beam(1.5), beam(1.0)]), ["beam"]);
    assert_eq!(failed(&three, &[beam(1.0), None, beam(1.0)]), ["beam"]);
    let with_noisy = [good.clone(), good.clone(), noisy];
    assert_eq!(failed(&with_noisy, &[beam(1.0); 3]), ["dynamic_range", "noise"]);
    let wcs = good.wcs;
    let run = |tiles: &[Tile]| {
        coadd(tiles, &wcs, [60, 60], &CoaddParams::default(), &Control::new()).unwrap_err().kind()
    };
    assert_eq!(run(&[]), ErrorKind::Argument);
    assert_eq!(run(&[Tile { sigma_jy: f64::NAN, ..good.clone() }]), ErrorKind::Argument);
    assert_eq!(run(&[Tile { pb_yx: Array2::zeros((3, 3)), ..good }]), ErrorKind::Argument);
    assert!(common_grid(&[], CELL, 100).is_err());
}

#[test]
fn a_tile_s_scale_and_offset_are_found_taken_out_and_seen_at_the_seam() {
    let centre = RaDec::from_deg(0.0, 33.0);
    let at = |l: f64, m: f64| Lmn::from_lm(l, m).direction(centre);
    let places = [(0.0, 0.0), (6e-4, 3e-4), (-4e-4, 6e-4), (-5e-4, -5e-4)];
    let sources: Vec<(RaDec, f64)> =
        places.iter().enumerate().map(|(k, p)| (at(p.0, p.1), 1.0 + k as f64)).collect();
    let catalogue: Vec<Reference> = sources
        .iter()
        .map(|(p, flux_jy)| Reference { ra_deg: p.ra_deg(), dec_deg: p.dec_deg(), flux_jy: *flux_jy })
        .collect();
    let good = tile(centre, 160, [0.0, 0.0], &sources, 1e-3);
    let beam = RestoringBeam { major_rad: 5.0 * CELL, minor_rad: 5.0 * CELL, pa_rad: 0.0 };
    let found = measure(&good, &beam, &catalogue).unwrap();
    // The primary beam's slope under a source moves its peak by a few hundredths of a pixel of 4 arcsec.
    assert!(found.sources == 4 && (found.flux_scale - 1.0).abs() < 3e-3, "{found:?}");
    assert!(found.east_arcsec.abs() < 0.1 && found.north_arcsec.abs() < 0.1, "{found:?}");
    let mut bad = good.clone();
    bad.image_yx.mapv_inplace(|v| 1.2 * v);
    bad.wcs.centre = at(1e-5, -2e-5);
    let found = measure(&bad, &beam, &catalogue).unwrap();
    assert!((found.flux_scale - 1.2).abs() < 4e-3, "{found:?}");
    assert!((found.east_arcsec - 2.063).abs() < 0.1 && (found.north_arcsec + 4.125).abs() < 0.1);
    let (ratio, count) = seam(&good, &bad);
    // 1.2, and 0.87 for a peak read 1.1 pixels beside.
    assert!(count == 4 && ratio > 1.03, "{ratio} {count}");
    apply(&mut bad, &found);
    let (ratio, _) = seam(&good, &bad);
    assert!((ratio - 1.0).abs() < 0.01, "{ratio}");
    assert!(measure(&good, &beam, &catalogue[..2]).is_none());
}

#[test]
fn fluxes_are_kept_on_coarser_pixels() {
    let centre = RaDec::from_deg(10.0, 20.0);
    let place = Lmn::from_lm(1.23e-4, -3.1e-5).direction(centre);
    let mut one = tile(centre, 120, [0.0, 0.0], &[(place, 1.0)], 1e-3);
    one.pb_yx.fill(1.0);
    let coarse = Wcs::centred(centre, 48, 48, 3.0 * CELL);
    let sum = |per_pixel: bool, flux_conserving: bool| {
        let params = CoaddParams { per_pixel, flux_conserving, ..CoaddParams::default() };
        let m = coadd(std::slice::from_ref(&one), &coarse, [48, 48], &params, &Control::new()).unwrap();
        m.image_yx.iter().filter(|v| v.is_finite()).sum::<f32>()
    };
    let before = one.image_yx.sum();
    // Per pixel the sum stays; per beam the sum times the pixel's area does. Three by three samples: 1e-3.
    assert!((sum(true, true) / before - 1.0).abs() < 2e-3, "{} {before}", sum(true, true));
    assert!((9.0 * sum(false, true) / before - 1.0).abs() < 2e-3);
}
