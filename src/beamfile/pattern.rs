//! Beams in FITS: power over angles from a reference pixel that is the axis of the dish.

use std::path::Path;

use ndarray::{Array2, ArrayView2};

use super::table::Rings;
use super::Error;
use crate::fits::read_cube;

/// Samples round the axis.
const AROUND: usize = 72;

pub(super) fn read(path: &Path) -> Result<Rings, Error> {
    let cube = read_cube(path)?;
    let Some(freq_hz) = cube.freq_hz else {
        return Err(Error::foreign(path, "header", "a FREQ axis, RESTFRQ or FREQ", "no frequency"));
    };
    let (planes, ny, nx) = cube.data_fyx.dim();
    let [x, y] = cube.reference;
    // The circle that the image holds whole; a fold of its edge is the end of the table.
    let reach = |at: f64, n: usize, pixel: f64| at.min(n as f64 - 1.0 - at) * pixel;
    let radius = reach(x, nx, cube.pixel_rad[0]).min(reach(y, ny, cube.pixel_rad[1]));
    let step = cube.pixel_rad[0].min(cube.pixel_rad[1]);
    let count = (radius / step).floor();
    if !(4.0..1e5).contains(&count) || radius > std::f64::consts::FRAC_PI_2 {
        let found = format!("reference pixel ({:.1}, {:.1}) of {nx} x {ny}", x + 1.0, y + 1.0);
        return Err(Error::foreign(path, "CRPIX", "the axis of the dish well inside the image", found));
    }
    let radius_rad: Vec<f64> = (0..=count as usize).map(|i| i as f64 * step).collect();
    let empty = || Array2::<f64>::zeros((planes, radius_rad.len()));
    let (mut mean_fs, mut least_fs, mut most_fs) = (empty(), empty(), empty());
    for k in 0..planes {
        let plane = cube.data_fyx.index_axis(ndarray::Axis(0), k);
        for (i, r) in radius_rad.iter().enumerate() {
            let ring = (0..AROUND).map(|a| {
                let (sin, cos) = (std::f64::consts::TAU * a as f64 / AROUND as f64).sin_cos();
                cubic(plane, x + r * cos / cube.pixel_rad[0], y + r * sin / cube.pixel_rad[1])
            });
            let (mut sum, mut least, mut most) = (0.0, f64::INFINITY, f64::NEG_INFINITY);
            for value in ring {
                sum += value;
                least = least.min(value);
                most = most.max(value);
            }
            mean_fs[(k, i)] = sum / AROUND as f64;
            least_fs[(k, i)] = least;
            most_fs[(k, i)] = most;
        }
    }
    Ok(Rings { freq_hz, radius_rad, mean_fs, least_fs, most_fs })
}

/// Catmull-Rom interpolation, the edge repeated.
fn cubic(plane: ArrayView2<'_, f32>, x: f64, y: f64) -> f64 {
    let (ny, nx) = plane.dim();
    let (x0, y0) = (x.floor(), y.floor());
    let (wx, wy) = (weights(x - x0), weights(y - y0));
    let at = |n: usize, i: f64| i.clamp(0.0, n as f64 - 1.0) as usize;
    (0..4)
        .map(|j| {
            let row = at(ny, y0 + j as f64 - 1.0);
            wy[j] * (0..4).map(|i| wx[i] * f64::from(plane[(row, at(nx, x0 + i as f64 - 1.0))])).sum::<f64>()
        })
        .sum()
}

fn weights(t: f64) -> [f64; 4] {
    let (t2, t3) = (t * t, t * t * t);
    [-0.5 * t + t2 - 0.5 * t3, 1.0 - 2.5 * t2 + 1.5 * t3, 0.5 * t + 2.0 * t2 - 1.5 * t3, -0.5 * t2 + 0.5 * t3]
}
