//! Beams in HDF5: the array's electric-field file, and a plain table.
//!
//! The simulation of the array's dish holds, for each of two feeds, complex fields along theta and phi against frequency, angle
//! from the axis and angle round it: `X_pol_Efields/{etheta,ephi}`, `Y-pol_Efields/{etheta,ephi}` (f, theta, phi), `theta_pts`,
//! `phi_pts`, `freq_Hz`. For unpolarised light the power of a feed is `|E_theta|^2 + |E_phi|^2`; Stokes I is the mean of the feeds,
//! each scaled to 1 on the axis, as the calibration scales them. A plain table holds `freq_hz`, `radius_rad` and `power_fs`.

use std::path::Path;

use hdf5::{Dataset, Group};
use ndarray::{s, Array2, Array3, Axis};

use super::table::Rings;
use super::Error;

/// Largest dataset that is read \[elements\].
const LARGEST: usize = 1 << 28;
/// Names of the feeds' groups as they are met.
const FEEDS: [&[&str]; 2] = [&["X_pol_Efields", "X-pol_Efields"], &["Y-pol_Efields", "Y_pol_Efields"]];

#[derive(Clone, Copy, hdf5::H5Type)]
#[repr(C)]
struct Complex {
    r: f64,
    i: f64,
}

pub(super) fn read(path: &Path) -> Result<Rings, Error> {
    crate::uvh5::refuse_plugins();
    let bad = |item: &str, e: &hdf5::Error| {
        let text = e.to_string();
        Error::foreign(path, item, "readable HDF5", text.lines().next().unwrap_or_default().to_owned())
    };
    let file = hdf5::File::open(path).map_err(|e| bad("file", &e))?;
    let root = file.group("/").map_err(|e| bad("/", &e))?;
    let here = Here { path, root };
    if here.root.link_exists("power_fs") {
        return here.table();
    }
    here.fields()
}

struct Here<'a> {
    path: &'a Path,
    root: Group,
}

impl Here<'_> {
    fn dataset(&self, name: &str) -> Result<Dataset, Error> {
        let dataset =
            self.root.dataset(name).map_err(|_| Error::foreign(self.path, name, "a dataset", "nothing"))?;
        if dataset.size() > LARGEST {
            let expected = format!("at most {LARGEST} elements");
            return Err(Error::foreign(self.path, name, expected, dataset.size()));
        }
        Ok(dataset)
    }

    fn list(&self, name: &str) -> Result<Vec<f64>, Error> {
        let values = self.dataset(name)?.read_raw::<f64>().map_err(|e| self.unreadable(name, &e))?;
        if values.is_empty() || values.iter().any(|v| !v.is_finite()) {
            return Err(Error::foreign(
                self.path,
                name,
                "finite numbers",
                format!("{} values", values.len()),
            ));
        }
        Ok(values)
    }

    fn unreadable(&self, name: &str, e: &hdf5::Error) -> Error {
        let text = e.to_string();
        Error::foreign(
            self.path,
            name,
            "readable numbers",
            text.lines().next().unwrap_or_default().to_owned(),
        )
    }

    fn table(&self) -> Result<Rings, Error> {
        let (freq_hz, radius_rad) = (self.hertz("freq_hz")?, self.list("radius_rad")?);
        let mean_fs: Array2<f64> =
            self.dataset("power_fs")?.read().map_err(|e| self.unreadable("power_fs", &e))?;
        if mean_fs.dim() != (freq_hz.len(), radius_rad.len()) {
            let expected = format!("shape ({}, {})", freq_hz.len(), radius_rad.len());
            return Err(Error::foreign(self.path, "power_fs", expected, format!("{:?}", mean_fs.dim())));
        }
        Ok(Rings { freq_hz, radius_rad, least_fs: mean_fs.clone(), most_fs: mean_fs.clone(), mean_fs })
    }

    /// Frequencies in Hz: files label MHz and GHz as Hz, and a radio beam lies between 10 MHz and 1 THz.
    fn hertz(&self, name: &str) -> Result<Vec<f64>, Error> {
        let values = self.list(name)?;
        let largest = values.iter().copied().fold(0.0, f64::max);
        let scale = match largest {
            f if (1e7..1e12).contains(&f) => 1.0,
            f if (10.0..1e6).contains(&f) => 1e6,
            f if (0.01..10.0).contains(&f) => 1e9,
            f => return Err(Error::foreign(self.path, name, "frequencies in Hz, MHz or GHz", f)),
        };
        Ok(values.iter().map(|f| f * scale).collect())
    }

    /// Angles in radians when none exceeds `most_rad`, else in degrees.
    fn angles(&self, name: &str, most_rad: f64) -> Result<Vec<f64>, Error> {
        let values = self.list(name)?;
        let degrees = values.iter().any(|v| v.abs() > most_rad + 1e-6);
        Ok(values.iter().map(|v| if degrees { v.to_radians() } else { *v }).collect())
    }

    fn fields(&self) -> Result<Rings, Error> {
        let freq_hz = self.hertz("freq_Hz")?;
        let theta = self.angles("theta_pts", std::f64::consts::PI)?;
        let phi = self.angles("phi_pts", 2.0 * std::f64::consts::PI)?;
        // A full turn is given twice when both ends are there.
        let turn =
            phi.len() > 1 && ((phi[phi.len() - 1] - phi[0]).abs() - std::f64::consts::TAU).abs() < 1e-3;
        let around = phi.len() - usize::from(turn);
        let front = theta.iter().take_while(|t| **t <= std::f64::consts::FRAC_PI_2 + 1e-9).count();
        let shape = [freq_hz.len(), theta.len(), phi.len()];
        let parts = FEEDS.map(|names| {
            let group = names.iter().find(|n| self.root.link_exists(n)).unwrap_or(&names[0]);
            ["etheta", "ephi"].map(|part| format!("{group}/{part}"))
        });
        for name in parts.iter().flatten() {
            let found = self.dataset(name)?.shape();
            if found != shape {
                let expected = format!("axes (freq_Hz, theta_pts, phi_pts) {shape:?}");
                return Err(Error::foreign(self.path, name, expected, format!("{found:?}")));
            }
        }
        let empty = || Array2::<f64>::zeros((freq_hz.len(), front));
        let (mut mean_fs, mut least_fs, mut most_fs) = (empty(), empty(), empty());
        for k in 0..freq_hz.len() {
            let mut power = Array2::<f64>::zeros((front, around));
            for feed in &parts {
                let one = self.feed(feed, k)?;
                let axis = one.row(0).slice(s![..around]).mean().unwrap_or(f64::NAN);
                if !(axis.is_finite() && axis > 0.0) {
                    return Err(Error::foreign(self.path, &feed[0], "a field on the axis", axis));
                }
                power.scaled_add(0.5 / axis, &one.slice(s![..front, ..around]));
            }
            for (i, ring) in power.axis_iter(Axis(0)).enumerate() {
                mean_fs[(k, i)] = ring.mean().unwrap_or(f64::NAN);
                least_fs[(k, i)] = ring.iter().copied().fold(f64::INFINITY, f64::min);
                most_fs[(k, i)] = ring.iter().copied().fold(0.0, f64::max);
            }
        }
        Ok(Rings { freq_hz, radius_rad: theta[..front].to_vec(), mean_fs, least_fs, most_fs })
    }

    /// Power of one feed at one frequency: (theta, phi).
    fn feed(&self, parts: &[String; 2], k: usize) -> Result<Array2<f64>, Error> {
        let mut power: Option<Array2<f64>> = None;
        for name in parts {
            let field: Array3<Complex> = self
                .dataset(name)?
                .read_slice(s![k..k + 1, .., ..])
                .map_err(|e| self.unreadable(name, &e))?;
            let own = field.index_axis(Axis(0), 0).mapv(|e| e.r * e.r + e.i * e.i);
            power = Some(power.map_or(own.clone(), |sum| sum + own));
        }
        Ok(power.unwrap_or_default())
    }
}
