//! What every file of a beam becomes.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use ndarray::{s, Array2};

use super::{efields, pattern, Error};

/// Angles per angle of the file: cubic between the file's, so that a table may be read linearly.
const FINER: usize = 8;
/// A response this much above the one on the axis is not a power that is 1 there.
const HIGHEST: f64 = 1.1;
/// Where the beam still counts when its roundness is judged.
const COUNTS: f64 = 0.1;

/// A primary beam averaged round its axis.
#[derive(Clone, Debug, PartialEq)]
pub struct BeamTable {
    /// Ascending \[Hz\].
    pub freq_hz: Vec<f64>,
    /// Ascending from 0 \[radians\].
    pub radius_rad: Vec<f64>,
    /// Power, 1 on the axis.
    pub power_fs: Array2<f64>,
    /// Largest departure from the average round the axis, where that is above 0.1 (power, 1 on the axis).
    pub asymmetry: f64,
}

/// Rings about the axis: one row of samples an angle from the axis.
pub(super) struct Rings {
    pub(super) freq_hz: Vec<f64>,
    pub(super) radius_rad: Vec<f64>,
    /// Mean round the axis, least and largest: `(frequency, radius)`.
    pub(super) mean_fs: Array2<f64>,
    pub(super) least_fs: Array2<f64>,
    pub(super) most_fs: Array2<f64>,
}

/// Read a beam: HDF5 or FITS, by the first bytes of the file.
///
/// # Errors
/// `Io` from the system; `Foreign` (or `Fits`) for a file of another kind, missing datasets, axes without order or a plain unit,
/// a response that is not finite or is not a power of 1 on the axis.
pub fn read(path: &Path) -> Result<BeamTable, Error> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(io)?;
    if !file.metadata().map_err(io)?.is_file() {
        return Err(Error::foreign(path, "file", "a regular file", "a directory or a special file"));
    }
    let mut start = Vec::new();
    file.by_ref().take(9).read_to_end(&mut start).map_err(io)?;
    let rings = match &start[..] {
        bytes if bytes.starts_with(b"\x89HDF") => efields::read(path)?,
        b"SIMPLE  =" => pattern::read(path)?,
        _ => return Err(Error::foreign(path, "file", "HDF5 or FITS", "the first bytes of something else")),
    };
    table(path, rings)
}

fn table(path: &Path, mut rings: Rings) -> Result<BeamTable, Error> {
    ascending(path, &mut rings)?;
    for k in 0..rings.freq_hz.len() {
        let axis = rings.mean_fs[(k, 0)];
        let item = format!("power at {:.4} GHz", rings.freq_hz[k] / 1e9);
        if !(axis.is_finite() && axis > 0.0) {
            return Err(Error::foreign(path, &item, "a positive response on the axis", axis));
        }
        for part in [&mut rings.mean_fs, &mut rings.least_fs, &mut rings.most_fs] {
            part.row_mut(k).mapv_inplace(|p| p / axis);
        }
        if let Some(bad) = rings.mean_fs.row(k).iter().find(|p| !p.is_finite() || **p < 0.0 || **p > HIGHEST)
        {
            let expected =
                format!("powers from 0 to {HIGHEST} times the one on the axis (not dB, not amplitude)");
            return Err(Error::foreign(path, &item, expected, bad));
        }
    }
    let spread = (&rings.most_fs - &rings.mean_fs)
        .iter()
        .zip(&rings.mean_fs - &rings.least_fs)
        .map(|(up, down)| up.max(down))
        .zip(&rings.mean_fs)
        .filter(|(_, mean)| **mean > COUNTS)
        .map(|(spread, _)| spread)
        .fold(0.0, f64::max);
    let (radius_rad, power_fs) = finer(&rings.radius_rad, &rings.mean_fs);
    Ok(BeamTable { freq_hz: rings.freq_hz, radius_rad, power_fs, asymmetry: spread })
}

/// Frequencies may run either way in a file; two equal ones are refused with the unordered.
fn ascending(path: &Path, rings: &mut Rings) -> Result<(), Error> {
    let freq = &rings.freq_hz;
    if freq.len() > 1 && freq[0] > freq[freq.len() - 1] {
        rings.freq_hz.reverse();
        for part in [&mut rings.mean_fs, &mut rings.least_fs, &mut rings.most_fs] {
            *part = part.slice(s![..;-1, ..]).to_owned();
        }
    }
    let ordered = rings.freq_hz.windows(2).all(|w| w[0] < w[1]);
    if rings.freq_hz.is_empty() || !ordered || !rings.freq_hz.iter().all(|f| f.is_finite() && *f > 1e6) {
        let found = format!("{} values from {:?}", rings.freq_hz.len(), rings.freq_hz.first());
        return Err(Error::foreign(path, "frequencies", "ordered ones above 1 MHz", found));
    }
    let radius = &rings.radius_rad;
    if radius.len() < 4 || radius[0] != 0.0 || radius.windows(2).any(|w| w[0] >= w[1]) {
        let found = format!("{} values from {:?}", radius.len(), radius.first());
        return Err(Error::foreign(path, "angles from the axis", "four or more, ascending from 0", found));
    }
    Ok(())
}

/// Cubic interpolation onto a grid [`FINER`] times as fine; the beam is even about its axis.
fn finer(radius_rad: &[f64], power_fs: &Array2<f64>) -> (Vec<f64>, Array2<f64>) {
    let n = radius_rad.len() as isize;
    // The node before the first is the mirror image of the second.
    let radius = |i: isize| if i < 0 { -radius_rad[i.unsigned_abs()] } else { radius_rad[i as usize] };
    let mut fine = Vec::with_capacity(radius_rad.len() * FINER);
    let mut weights: Vec<([usize; 4], [f64; 4])> = Vec::with_capacity(fine.capacity());
    for i in 0..n - 1 {
        let nodes: [isize; 4] = std::array::from_fn(|j| (i - 1 + j as isize).min(n - 4 + j as isize));
        let at: [f64; 4] = nodes.map(radius);
        for part in 0..FINER {
            let r = radius(i) + (radius(i + 1) - radius(i)) * part as f64 / FINER as f64;
            fine.push(r);
            weights.push((nodes.map(isize::unsigned_abs), lagrange(at, r)));
        }
    }
    fine.push(radius(n - 1));
    weights.push(([radius_rad.len() - 1; 4], [1.0, 0.0, 0.0, 0.0]));
    let power = Array2::from_shape_fn((power_fs.nrows(), fine.len()), |(k, i)| {
        let (nodes, w) = &weights[i];
        (0..4).map(|j| w[j] * power_fs[(k, nodes[j])]).sum::<f64>().max(0.0)
    });
    (fine, power)
}

fn lagrange(at: [f64; 4], r: f64) -> [f64; 4] {
    std::array::from_fn(|j| (0..4).filter(|k| *k != j).map(|k| (r - at[k]) / (at[j] - at[k])).product())
}
