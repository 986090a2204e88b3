//! Files made here and read back; files that must be refused.

use std::path::{Path, PathBuf};

use ndarray::{Array2, Array3};

use super::*;

#[derive(Clone, Copy, hdf5::H5Type)]
#[repr(C)]
struct Complex {
    r: f64,
    i: f64,
}

fn scratch(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("contimg-beamfile-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder.join(name)
}

/// A Gaussian of full width 3.6 degrees at 1.4 GHz, out of round by `oval`.
fn field(theta_deg: f64, phi_deg: f64, freq_hz: f64, oval: f64) -> f64 {
    let width = 3.6 * 1.4e9 / freq_hz * (1.0 + oval * (2.0 * phi_deg.to_radians()).cos());
    (-2.0 * std::f64::consts::LN_2 * (theta_deg / width).powi(2)).exp()
}

fn write_fields(path: &Path, freq: &[f64], oval: f64, scale: f64) {
    let file = hdf5::File::create(path).unwrap();
    let theta: Vec<f64> = (0..=90).map(|i| f64::from(i) * 0.25).collect();
    let phi: Vec<f64> = (0..=24).map(|i| f64::from(i) * 15.0).collect();
    let put = |name: &str, values: &[f64]| {
        file.new_dataset_builder().with_data(values).create(name).unwrap();
    };
    put("freq_Hz", freq);
    put("theta_pts", &theta);
    put("phi_pts", &phi);
    for (group, gain) in [("X_pol_Efields", 2.0), ("Y-pol_Efields", 0.5)] {
        let group = file.create_group(group).unwrap();
        for (name, share) in [("etheta", 0.6), ("ephi", 0.8)] {
            let data = Array3::from_shape_fn((freq.len(), theta.len(), phi.len()), |(k, i, j)| {
                let e = gain * share * scale * field(theta[i], phi[j], freq[k] * 1e6, oval);
                Complex { r: 0.6 * e, i: 0.8 * e }
            });
            group.new_dataset_builder().with_data(&data).create(name).unwrap();
        }
    }
}

#[test]
fn electric_fields_become_power_scaled_to_the_axis() {
    let path = scratch("fields.h5");
    // In MHz under a name that says Hz, as the array's file is.
    write_fields(&path, &[1300.0, 1400.0, 1500.0], 0.0, 7.0);
    let table = read(&path).unwrap();
    assert_eq!(table.freq_hz, [1.3e9, 1.4e9, 1.5e9]);
    for (i, r) in table.radius_rad.iter().enumerate() {
        let truth = field(r.to_degrees(), 0.0, 1.4e9, 0.0).powi(2);
        // Cubic interpolation at 0.25 degrees of a Gaussian 3.6 wide: (3/128) h^4 f'''' = 5e-5.
        assert!((table.power_fs[(1, i)] - truth).abs() < 6e-5, "{i} {r} {} {truth}", table.power_fs[(1, i)]);
    }
    assert!(table.asymmetry < 1e-12);
    assert_eq!(table.power_fs[(1, 0)], 1.0);
}

#[test]
fn a_beam_out_of_round_says_so() {
    let path = scratch("oval.h5");
    write_fields(&path, &[1400.0], 0.1, 1.0);
    let table = read(&path).unwrap();
    // At half power the width changes by 10 %: d(power)/d(width) = ln 2 about, so some 0.07-0.1.
    assert!((0.04..0.12).contains(&table.asymmetry), "{}", table.asymmetry);
}

#[test]
fn a_plain_table_is_taken_as_it_is() {
    let path = scratch("table.h5");
    let file = hdf5::File::create(&path).unwrap();
    let radius: Vec<f64> = (0..200).map(|i| f64::from(i) * 5e-4).collect();
    let power = Array2::from_shape_fn((2, 200), |(_, i)| (-(radius[i] / 0.03).powi(2)).exp());
    file.new_dataset_builder().with_data(&[1.5e9, 1.3e9]).create("freq_hz").unwrap();
    file.new_dataset_builder().with_data(&radius).create("radius_rad").unwrap();
    file.new_dataset_builder().with_data(&power).create("power_fs").unwrap();
    file.close().unwrap();
    let table = read(&path).unwrap();
    assert_eq!(table.freq_hz, [1.3e9, 1.5e9]);
    for i in (0..table.radius_rad.len()).step_by(8) {
        assert!((table.power_fs[(0, i)] - power[(0, i / 8)]).abs() < 1e-15);
    }
}

#[test]
fn what_is_no_beam_is_refused() {
    let missing = scratch("nothing.h5");
    assert!(matches!(read(&missing), Err(Error::Io { .. })));
    let text = scratch("text.h5");
    std::fs::write(&text, "not a beam").unwrap();
    assert!(read(&text).unwrap_err().to_string().contains("HDF5 or FITS"));
    let empty = scratch("empty.h5");
    drop(hdf5::File::create(&empty).unwrap());
    assert!(read(&empty).unwrap_err().to_string().contains("freq_Hz"));
    let dark = scratch("dark.h5");
    write_fields(&dark, &[1400.0], 0.0, 0.0);
    assert!(read(&dark).unwrap_err().to_string().contains("axis"));
    let twice = scratch("twice.h5");
    write_fields(&twice, &[1400.0, 1400.0], 0.0, 1.0);
    assert!(read(&twice).unwrap_err().to_string().contains("frequencies"));
}
