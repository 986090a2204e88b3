#![allow(clippy::unwrap_used, clippy::expect_used)]
use num_complex::Complex64;

use super::*;
use crate::coords::RaDec;
use crate::gains::{Antenna, GainTable, Observation, Slot, Target, Term, WindowGains};
use crate::kind::{ErrorKind, Kind};

fn table(term: Term) -> GainTable {
    let nf = if term == Term::B { 3 } else { 1 };
    // Window 2 lies below window 0: the order of frequency is not that of numbers.
    let windows = [(2usize, 1.3e9), (0, 1.4e9)].map(|(spw, start)| {
        let freq: Vec<f64> = (0..nf).map(|k| start + 1e6 * k as f64).collect();
        let slots = [5e9, 5e9 + 60.0]
            .map(|t| Slot { time_mjd_s: t, interval_s: 60.0, field: 1, scan: 3, refant: 2 })
            .to_vec();
        let mut w = WindowGains::flagged(term, spw, freq, vec![1e6; nf], slots, 4, 2);
        for ((t, a, f, r), v) in w.value_tafr.indexed_iter_mut() {
            let x = (t + 2 * a + 3 * f + 5 * r + spw) as f64;
            *v = if term == Term::K {
                Complex64::new(x, 0.0)
            } else {
                Complex64::from_polar(1.0 + x, 0.1 * x)
            };
        }
        w.flag_tafr.fill(false);
        w.snr_tafr.fill(12.0);
        w.error_tafr.fill(0.25);
        // A flagged solution holds the neutral value.
        w.flag_tafr[[1, 3, 0, 1]] = true;
        w.value_tafr[[1, 3, 0, 1]] =
            if term == Term::K { Complex64::new(0.0, 0.0) } else { Complex64::new(1.0, 0.0) };
        w
    });
    GainTable {
        term,
        name: String::new(),
        antennas: (0..4)
            .map(|k| Antenna {
                name: format!("{}", 101 + k),
                station: "S".into(),
                position_m: [k as f64, 1.0, 2.0],
                dish_diameter_m: 4.65,
                mount: "alt-az".into(),
            })
            .collect(),
        fields: vec![
            Target { name: "a".into(), centre: RaDec::from_deg(359.9, 89.0), time_mjd_s: 5e9 },
            Target { name: "b".into(), centre: RaDec::from_deg(0.1, -20.0), time_mjd_s: 5e9 },
        ],
        observation: Observation {
            telescope: "DSA_110".into(),
            time_range_mjd_s: [5e9, 5e9 + 100.0],
            ms_name: "x.ms".into(),
        },
        windows: windows.to_vec(),
        history: vec!["solved by a test".into()],
    }
}

#[test]
fn tables_survive_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    for term in [Term::K, Term::B, Term::G] {
        let path = dir.path().join(format!("t.{term:?}"));
        let before = table(term);
        write(&path, &before, false).unwrap();
        assert_eq!(check(&path).unwrap(), term);
        let after = read(&path).unwrap();
        assert_eq!(
            (&after.antennas, &after.fields, &after.observation),
            (&before.antennas, &before.fields, &before.observation)
        );
        assert_eq!(after.windows.iter().map(|w| w.spw).collect::<Vec<_>>(), [2, 0]);
        for (a, b) in after.windows.iter().zip(&before.windows) {
            assert_eq!(
                (&a.freq_hz, &a.slots, &a.flag_tafr, &a.snr_tafr, &a.error_tafr),
                (&b.freq_hz, &b.slots, &b.flag_tafr, &b.snr_tafr, &b.error_tafr)
            );
            for (x, y) in a.value_tafr.iter().zip(&b.value_tafr) {
                // Single precision on disk.
                assert!((x - y).norm() < 1e-6 * (1.0 + y.norm()));
            }
        }
    }
    let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "{left:?}");
}

#[test]
fn only_calibration_tables_are_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("g");
    write(&path, &table(Term::G), false).unwrap();
    assert_eq!(write(&path, &table(Term::G), false).unwrap_err().kind(), ErrorKind::Argument);
    write(&path, &table(Term::K), true).unwrap();
    assert_eq!(check(&path).unwrap(), Term::K);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    let file = dir.path().join("notes.txt");
    std::fs::write(&file, "keep me").unwrap();
    assert!(write(&file, &table(Term::G), true).is_err() && file.is_file());
    // A subtable is a casacore table, but no calibration table.
    assert!(write(&path.join("ANTENNA"), &table(Term::G), true).is_err());
    assert!(write(&dir.path().join("no/such/dir"), &table(Term::G), false).is_err());
}

#[test]
fn damage_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("b");
    let text = |e: Error| e.to_string();
    assert!(text(read(&path).unwrap_err()).contains("found nothing"));
    write(&path, &table(Term::B), false).unwrap();
    assert!(text(read(&path.join("ANTENNA")).unwrap_err()).contains("VisCal"));
    std::fs::remove_dir_all(path.join("SPECTRAL_WINDOW")).unwrap();
    let error = read(&path).unwrap_err();
    assert!(text(error).contains("SPECTRAL_WINDOW"));
    let data = path.join("table.dat");
    let bytes = std::fs::read(&data).unwrap();
    std::fs::write(&data, &bytes[..bytes.len() / 2]).unwrap();
    assert!(read(&path).is_err());
}
