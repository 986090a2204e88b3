//! Laws of the FITS door: what is written is read, what is foreign is refused, nothing partial stays.

use std::fs;

use ndarray::Array2;

use super::*;
use crate::coords::RaDec;
use crate::image::{Plane, RestoringBeam, Wcs};
use crate::kind::{ErrorKind, Kind};

fn plane() -> Plane {
    let mut wcs = Wcs::centred(RaDec::from_deg(359.99, 54.5), 6, 4, 1e-5);
    wcs.slant = [0.01, -0.2];
    let mut data_yx = Array2::from_shape_fn((4, 6), |(y, x)| (10 * y + x) as f32 - 7.25);
    data_yx[[1, 2]] = f32::NAN;
    Plane {
        data_yx,
        wcs,
        beam: Some(RestoringBeam { major_rad: 3e-4, minor_rad: 2e-4, pa_rad: -0.5 }),
        unit: "JY/BEAM".into(),
        freq_hz: 1.405e9,
        bandwidth_hz: 187.5e6,
        time_mjd_s: 61_065.934 * 86_400.0,
    }
}

#[test]
fn what_is_written_is_read() {
    let dir = tempfile::tempdir().unwrap();
    // A name that cfitsio's extended syntax would take apart.
    let path = dir.path().join("!a[1][col x]|b.fits");
    let mut cards = Cards::new();
    cards
        .push("TELESCOP", "DSA_110", "")
        .push("DATE-BEG", "2026-01-25T22:22:00.000", "")
        .history("made by a test");
    cards.push("DATE-END", "2026-01-25T22:28:00.000", "").push("PROVHASH", "f".repeat(120), "a long text");
    let written = plane();
    write_plane(&path, &written, &cards).unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    assert_eq!(fs::metadata(&path).unwrap().len() % 2880, 0);
    let (read, kept) = read_plane_with_cards(&path).unwrap();
    assert_eq!(read.data_yx.dim(), (4, 6));
    for (a, b) in read.data_yx.iter().zip(&written.data_yx) {
        assert!(a == b || (a.is_nan() && b.is_nan()));
    }
    let (a, b) = (read.wcs, written.wcs);
    // One unit in the last place of a degree is 1e-15 rad here.
    assert!(a.centre.separation_rad(b.centre) < 1e-14 && a.slant == b.slant);
    assert!((a.increment_rad[0] - b.increment_rad[0]).abs() < 1e-20);
    assert_eq!(a.reference_pixel, b.reference_pixel);
    assert!((read.beam.unwrap().pa_rad + 0.5).abs() < 1e-15);
    assert_eq!((read.unit.as_str(), read.freq_hz, read.bandwidth_hz), ("JY/BEAM", 1.405e9, 187.5e6));
    assert_eq!(iso_utc(read.time_mjd_s), "2026-01-25T22:25:00.000");
    assert_eq!(kept.text("TELESCOP"), Some("DSA_110"));
}

/// More pixels than are written at once, from a view that is not contiguous, a row of them no number.
#[test]
fn pixels_of_another_array_are_written_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.fits");
    let wide =
        Array2::from_shape_fn((601, 997), |(y, x)| if y == 5 { f32::NAN } else { (1000 * y + x) as f32 });
    for part in [wide.view(), wide.slice(ndarray::s![3..500, 10..700])] {
        let mut batch = Batch::new();
        batch.stage_pixels(&path, &plane(), part, &Cards::new()).unwrap();
        batch.commit().unwrap();
        let read = read_plane(&path).unwrap().data_yx;
        assert_eq!(read.dim(), part.dim());
        assert!(read.iter().zip(part).all(|(a, b)| a.to_bits() == b.to_bits()));
        assert_eq!(fs::metadata(&path).unwrap().len() % 2880, 0);
    }
}

#[test]
fn truncated_and_foreign_files_are_refused_with_a_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.fits");
    write_plane(&path, &plane(), &Cards::new()).unwrap();
    let bytes = fs::read(&path).unwrap();
    let other = dir.path().join("b.fits");
    let header = bytes.len() - 2880;
    for (cut, what) in [(header, "bytes"), (100, "FITS"), (0, "FITS")] {
        fs::write(&other, &bytes[..cut]).unwrap();
        let error = read_plane(&other).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data, "{error}");
        assert!(error.to_string().contains("b.fits") && error.to_string().contains(what), "{error}");
    }
    let replace = |from: &str, to: &str| {
        let at = bytes.windows(from.len()).position(|w| w == from.as_bytes()).unwrap();
        let mut changed = bytes.clone();
        changed[at..at + to.len()].copy_from_slice(to.as_bytes());
        fs::write(&other, changed).unwrap();
        read_plane(&other).unwrap_err().to_string()
    };
    assert!(replace("RA---SIN", "RA---TAN").contains("RA---TAN"));
    assert!(replace("NAXIS1  =                    6", "NAXIS1  =         999999999999").contains("bytes"));
    assert!(replace("'ICRS", "'FK4 ").contains("FK4"));
    fs::write(&other, b"not a FITS file").unwrap();
    assert!(read_plane(&other).unwrap_err().to_string().contains("not a FI"));
    assert_eq!(read_plane(&dir.path().join("none")).unwrap_err().kind(), ErrorKind::Io);
}

#[test]
fn a_failed_batch_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut batch = Batch::new();
    batch.stage(&dir.path().join("a.fits"), &plane(), &Cards::new()).unwrap();
    assert!(batch.stage(&dir.path().join("no/where/b.fits"), &plane(), &Cards::new()).is_err());
    drop(batch);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    let mut bad = Cards::new();
    bad.push("lower case", 1.0, "");
    let error = write_plane(&dir.path().join("c.fits"), &plane(), &bad).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Argument);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}
