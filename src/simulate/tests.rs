//! Laws of whole groups.

use ndarray::{Array3, Axis};
use num_complex::{Complex32, Complex64};

use super::{GainParams, Gains, Group, GroupParams, RfiEvent, RfiKind, RfiParams, SimSource, Variability};
use crate::array::AntennaTable;
use crate::control::Control;
use crate::coords::{ApparentFrame, Observatory, UvwBasis};
use crate::time::EarthOrientation;

fn small() -> GroupParams {
    GroupParams {
        stations: Some(vec![1, 20, 51, 75, 102, 108, 116]),
        integrations: 3,
        subbands: vec![3, 9],
        channels: 6,
        sources: vec![
            SimSource {
                name: "A".into(),
                ra_deg: 343.6,
                dec_deg: 16.3,
                flux_jy: 2.0,
                alpha: -0.7,
                ..SimSource::default()
            },
            SimSource {
                name: "B".into(),
                ra_deg: 342.9,
                dec_deg: 15.6,
                flux_jy: 0.5,
                alpha: 0.3,
                ..SimSource::default()
            },
        ],
        ..GroupParams::default()
    }
}

fn visibilities(params: GroupParams, subband: usize) -> Array3<Complex32> {
    Group::new(params, &AntennaTable::dsa110().unwrap(), None)
        .unwrap()
        .subband(subband, &Control::new())
        .unwrap()
}

fn worst(a: &Array3<Complex32>, b: &Array3<Complex32>) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).norm()).fold(0.0, f32::max)
}

#[test]
fn visibilities_are_the_sum_in_the_fringe_stopped_frame() {
    let params = GroupParams { smear: false, ..small() };
    let table = AntennaTable::dsa110().unwrap();
    let group = Group::new(params.clone(), &table, None).unwrap();
    let vis = group.subband(9, &Control::new()).unwrap();
    let (rows, channels) = (group.rows(), group.channels(9));
    let (site, earth) = (Observatory::dsa110(), EarthOrientation::builtin().unwrap());
    let basis = UvwBasis::meridian(site.longitude_rad, params.dec_deg.to_radians());
    for row in 0..rows.len() {
        let frame = ApparentFrame::new(rows.time_mjd_s[row], &site, &earth).unwrap();
        for (k, f) in channels.freq_hz.iter().enumerate() {
            let mut want = Complex64::new(0.0, 0.0);
            for source in &params.sources {
                let model = source.to_source();
                let lmn = basis.lmn(frame.direction(model.position));
                let [u, v, w] = rows.uvw_m[row];
                let turns = (u * lmn.l + v * lmn.m + w * lmn.n_minus_1) * f / 299_792_458.0;
                let x = std::f64::consts::PI * 4.65 * lmn.l.hypot(lmn.m) * f / 299_792_458.0;
                let power = (2.0 * crate::beam::j1(x) / x).powi(2);
                want += Complex64::from_polar(
                    model.spectrum.flux_at_jy(*f) * power,
                    std::f64::consts::TAU * turns,
                );
            }
            let got = vis[(row, k, 0)];
            // f32: 2.5 Jy times 1e-6.
            assert!(
                (Complex64::new(got.re.into(), got.im.into()) - want).norm() < 3e-6,
                "{row} {k}: {got} {want}"
            );
            assert_eq!(vis[(row, k, 0)], vis[(row, k, 1)]);
        }
    }
}

#[test]
fn channels_are_the_correlators() {
    let group = |channels| {
        Group::new(GroupParams { channels, ..small() }, &AntennaTable::dsa110().unwrap(), None).unwrap()
    };
    let full = group(48).channels(15);
    assert_eq!((full.freq_hz[0], full.width_hz[0]), (1_311_387_329.101_562_5, 244_140.625));
    let coarse = group(12).channels(15);
    let mean = full.freq_hz[..4].iter().sum::<f64>() / 4.0;
    assert!((coarse.freq_hz[0] - mean).abs() < 1e-3 && coarse.width_hz[0] == 976_562.5);
    let all = group(12).freq_hz();
    assert!(all.windows(2).all(|w| w[0] < w[1]) && all.len() == 24);
}

#[test]
fn linear_in_flux_and_the_sum_of_its_parts() {
    let both = visibilities(small(), 3);
    let part =
        |s: usize| visibilities(GroupParams { sources: vec![small().sources[s].clone()], ..small() }, 3);
    // f32 sums of 2.5 Jy, and smearing to 1e-5 of it on either side.
    assert!(worst(&both, &(part(0) + part(1))) < 6e-5);
    let mut double = small();
    double.sources.iter_mut().for_each(|s| s.flux_jy *= 2.0);
    assert!(worst(&(both * Complex32::new(2.0, 0.0)), &visibilities(double, 3)) < 1e-6);
}

#[test]
fn smearing_lowers_long_baselines_and_no_others() {
    let point =
        |smear| visibilities(GroupParams { smear, sources: vec![small().sources[0].clone()], ..small() }, 3);
    let (with, without) = (point(true), point(false));
    let ratio: Vec<f32> = with.iter().zip(&without).map(|(a, b)| a.norm() / b.norm()).collect();
    assert!(
        ratio.iter().all(|r| *r < 1.0 + 2e-5) && ratio.iter().any(|r| *r < 0.999),
        "{:?}",
        ratio.iter().copied().fold(1.0, f32::min)
    );
    // Autocorrelations do not smear.
    assert!((ratio[0] - 1.0).abs() < 1e-5);
}

#[test]
fn gains_stand_as_g_i_conj_g_j() {
    let table = AntennaTable::dsa110().unwrap();
    let params = GroupParams { gains: Some(GainParams::default()), units_per_jy: 0.25, ..small() };
    let group = Group::new(params.clone(), &table, None).unwrap();
    let vis = group.subband(3, &Control::new()).unwrap();
    let clean = visibilities(GroupParams { gains: None, units_per_jy: 1.0, ..params }, 3);
    let gains = group.gains();
    let pairs = 28;
    for row in 0..vis.dim().0 {
        let [i, j] = group.pairs_for_tests()[row % pairs];
        for f in 0..6 {
            for p in 0..2 {
                // Subband 3 is the higher of the two: its channels come last.
                let g = |a: u32| {
                    gains.bandpass_apf[(a as usize, p, 6 + f)] * gains.gain_apt[(a as usize, p, row / pairs)]
                };
                let factor = g(i) * g(j).conj() * 0.25;
                let sky = clean[(row, f, p)];
                let want = Complex64::new(sky.re.into(), sky.im.into()) * factor;
                let got = vis[(row, f, p)];
                assert!((Complex64::new(got.re.into(), got.im.into()) - want).norm() < 2e-6);
            }
        }
    }
}

#[test]
fn gains_given_must_fit() {
    let table = AntennaTable::dsa110().unwrap();
    assert!(Group::new(small(), &table, Some(Gains::unity(7, 12, 3))).is_ok());
    let error = Group::new(small(), &table, Some(Gains::unity(7, 6, 3))).err().unwrap().to_string();
    assert!(error.contains("12") && error.contains('6'), "{error}");
}

#[test]
fn noise_has_the_variance_of_the_radiometer() {
    let params = GroupParams {
        sources: vec![],
        sefd_jy: 6500.0,
        integrations: 24,
        channels: 48,
        subbands: vec![0],
        ..small()
    };
    let group = Group::new(params.clone(), &AntennaTable::dsa110().unwrap(), None).unwrap();
    // Facts 15: sqrt(2 dnu dt) = 2508.
    let sigma = group.noise_sigma_jy();
    assert!((sigma - 6500.0 / 2508.0).abs() < 0.001, "{sigma}");
    let vis = group.subband(0, &Control::new()).unwrap();
    let pairs = group.pairs_for_tests();
    let (mut n, mut sum, mut square, mut autos, mut auto_square) =
        (0.0, Complex64::new(0.0, 0.0), [0.0; 2], vec![], 0.0);
    for (row, values) in vis.axis_iter(Axis(0)).enumerate() {
        let [i, j] = pairs[row % pairs.len()];
        for v in values {
            if i == j {
                assert_eq!(v.im, 0.0);
                autos.push(f64::from(v.re));
            } else {
                n += 1.0;
                sum += Complex64::new(v.re.into(), v.im.into());
                square[0] += f64::from(v.re).powi(2);
                square[1] += f64::from(v.im).powi(2);
            }
        }
    }
    // 48,384 draws: mean to sigma / sqrt(n), variance to sqrt(2 / n) = 0.64 %; limits at five of these.
    let n: f64 = n;
    assert!(sum.norm() / n < 5.0 * sigma * (2.0 / n).sqrt());
    for s in square {
        assert!((s / n / sigma.powi(2) - 1.0).abs() < 5.0 * (2.0 / n).sqrt());
    }
    let mean = autos.iter().sum::<f64>() / autos.len() as f64;
    autos.iter().for_each(|a| auto_square += (a - mean).powi(2));
    let m = autos.len() as f64;
    assert!((mean - 6500.0).abs() < 5.0 * sigma * (2.0 / m).sqrt());
    assert!((auto_square / m / (2.0 * sigma * sigma) - 1.0).abs() < 5.0 * (2.0 / m).sqrt());
    // Another epoch, another subband and another start have other noise; the same has the same.
    let again = |p: GroupParams, s| visibilities(p, s);
    assert_eq!(again(params.clone(), 0), vis);
    assert_ne!(again(GroupParams { epoch: 1, ..params.clone() }, 0), vis);
    assert_ne!(again(GroupParams { subbands: vec![1], ..params.clone() }, 1), vis);
    assert_ne!(again(GroupParams { start_mjd_s: params.start_mjd_s + 310.0, ..params }, 0), vis);
}

#[test]
fn threads_do_not_matter() {
    let params = GroupParams { sefd_jy: 6500.0, gains: Some(GainParams::default()), ..small() };
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| visibilities(params.clone(), 9))
    };
    assert_eq!(run(1), run(3));
}

#[test]
fn dead_antennas_are_zeros_and_interference_is_where_the_truth_says() {
    let event = RfiEvent {
        kind: RfiKind::Line,
        times: [1, 2],
        channels: [7, 9],
        strength_jy: 50.0,
        max_baseline_m: Some(1000.0),
    };
    let quiet = GroupParams { dead: vec![51], ..small() };
    let loud = GroupParams {
        rfi: RfiParams { events: vec![event.clone()], ..RfiParams::default() },
        ..quiet.clone()
    };
    let group = Group::new(loud.clone(), &AntennaTable::dsa110().unwrap(), None).unwrap();
    let pairs = group.pairs_for_tests().to_vec();
    let (rows, truth) = (group.rows(), group.truth());
    assert_eq!(truth.rfi, [event]);
    for (subband, first) in [(9, 0), (3, 6)] {
        let (with, without) = (visibilities(loud.clone(), subband), visibilities(quiet.clone(), subband));
        for ((row, f, p), v) in with.indexed_iter() {
            let [i, j] = pairs[row % pairs.len()];
            let dead = i == 2 || j == 2;
            let length = rows.uvw_m[row].iter().map(|x| x * x).sum::<f64>().sqrt();
            let hit = !dead && row / pairs.len() == 1 && (7..9).contains(&(first + f)) && length <= 1000.0;
            let change = (v - without[(row, f, p)]).norm();
            assert!(if hit { (change - 50.0).abs() < 1e-3 } else { change == 0.0 }, "{row} {f}: {change}");
            assert_eq!(dead, *v == Complex32::default());
        }
    }
}

#[test]
fn light_curves_scale_the_source() {
    let mid = small().start_mjd_s / 86_400.0 + 1.5 * small().interval_s / 86_400.0;
    let mut params = small();
    params.sources[0].variability = Some(Variability::Dip { t0_mjd: mid, fwhm_days: 35.0, depth: 0.4 });
    let mut dimmed = small();
    dimmed.sources[0].flux_jy *= 0.6;
    assert!(worst(&visibilities(params.clone(), 3), &visibilities(dimmed, 3)) < 6e-5);
    let truth = Group::new(params, &AntennaTable::dsa110().unwrap(), None).unwrap().truth();
    assert!((truth.sources[0].factor - 0.6).abs() < 1e-9 && truth.sources[1].factor == 1.0);
    assert!((truth.sources[0].flux_1400_jy - 1.2).abs() < 1e-9 && truth.sources[0].beam > 0.9);
}

#[test]
fn any_right_ascension_and_declination() {
    // Fields on RA 0 h and next to the pole: amplitude of a source at the pointing is its flux on every baseline.
    for (dec_deg, start_hour) in [(33.0, 1.6), (89.5, 10.0), (-30.0, 20.0)] {
        let mut params = GroupParams { dec_deg, smear: true, ..small() };
        params.start_mjd_s = 61_065.0 * 86_400.0 + 3600.0 * start_hour;
        params.sources.truncate(1);
        let table = AntennaTable::dsa110().unwrap();
        let truth = Group::new(params.clone(), &table, None).unwrap().truth();
        (params.sources[0].ra_deg, params.sources[0].dec_deg) =
            (truth.pointing_ra_deg, truth.pointing_dec_deg);
        let vis = visibilities(params, 3);
        let flux = 2.0 * (1.457_f32 / 1.4).powf(-0.7);
        // The middle integration: at the centre of the beam, phase zero; 0.3 % of spectral slope within the subband.
        for v in vis.axis_iter(Axis(0)).skip(28).take(28).flatten() {
            assert!((v - Complex32::new(flux, 0.0)).norm() < 0.01, "dec {dec_deg}: {v}");
        }
    }
}

#[test]
fn nonsense_is_refused_by_name() {
    let table = AntennaTable::dsa110().unwrap();
    let cases: Vec<(&str, GroupParams)> = vec![
        ("dec_deg", GroupParams { dec_deg: f64::NAN, ..small() }),
        ("integrations", GroupParams { integrations: 0, ..small() }),
        ("subbands", GroupParams { subbands: vec![16], ..small() }),
        ("subbands", GroupParams { subbands: vec![1, 1], ..small() }),
        ("channels", GroupParams { channels: 7, ..small() }),
        ("sefd_jy", GroupParams { sefd_jy: -1.0, ..small() }),
        ("station", GroupParams { stations: Some(vec![1, 400]), ..small() }),
        ("dead", GroupParams { dead: vec![2], ..small() }),
        ("time", GroupParams { start_mjd_s: -1.0, ..small() }),
    ];
    for (word, params) in cases {
        let error = Group::new(params, &table, None).err().unwrap().to_string();
        assert!(error.contains(word), "{word}: {error}");
    }
    let mut bad = small();
    bad.sources[0].dec_deg = 99.0;
    assert!(Group::new(bad, &table, None).is_err());
    let text = r#"{"integration": 3}"#;
    assert!(serde_json::from_str::<GroupParams>(text).unwrap_err().to_string().contains("integration"));
}
