//! Weights by the density of the uv plane: uniform and Briggs' robust (Briggs 1995, PhD thesis, New Mexico Tech), as CASA
//! defines them: cells of one over the field of view, baselines counted with their conjugates.

use ndarray::parallel::prelude::*;
use ndarray::{Array2, Axis};

use super::{Error, Visibilities};
use crate::constants::SPEED_OF_LIGHT_M_S;
use crate::control::Control;

/// How visibilities are weighted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Weighting {
    /// By their noise: the lowest noise.
    Natural,
    /// Every uv cell the same: the finest beam.
    Uniform,
    /// In between, -2 (uniform) to 2 (natural).
    Briggs {
        /// Robustness.
        robust: f64,
    },
}

/// Cells of the uv plane, upper half.
struct Cells {
    nx: usize,
    half_y: usize,
    /// Cells per wavelength along u and v.
    scale: [f64; 2],
}

impl Cells {
    fn of(&self, u: f64, v: f64) -> Option<usize> {
        let sign = if v < 0.0 { -1.0 } else { 1.0 };
        let x = (sign * u * self.scale[0]).round() + (self.nx / 2) as f64;
        let y = (sign * v * self.scale[1]).round();
        let inside = x >= 0.0 && x < self.nx as f64 && y <= self.half_y as f64;
        inside.then(|| y as usize * self.nx + x as usize)
    }

    fn len(&self) -> usize {
        self.nx * (self.half_y + 1)
    }
}

/// Turn natural weights into imaging weights, in place. `field_rad` is the image's width and height; cells beyond the grid
/// of the image (baselines finer than its pixels) get no weight.
///
/// # Errors
/// Cancellation.
pub fn apply_weighting(
    vis: &mut Visibilities,
    weighting: Weighting,
    imsize: [usize; 2],
    cell_rad: f64,
    control: &Control,
) -> Result<(), Error> {
    if weighting == Weighting::Natural {
        return Ok(());
    }
    let [nx, ny] = imsize;
    let cells =
        Cells { nx, half_y: ny / 2, scale: [nx as f64 * cell_rad, ny as f64 * cell_rad] };
    let density = density(vis, &cells, control)?;
    let factor = match weighting {
        Weighting::Briggs { robust } => {
            // Each baseline also stands at its conjugate, so both sums are over twice the half plane.
            let squares: f64 = density.iter().map(|w| f64::from(*w) * f64::from(*w)).sum();
            let sum: f64 = density.iter().map(|w| f64::from(*w)).sum();
            (5.0 * 10f64.powf(-robust)).powi(2) * sum / squares.max(f64::MIN_POSITIVE)
        }
        _ => f64::INFINITY,
    };
    let freq = vis.freq_hz.clone();
    let rows: Vec<_> = vis.weight_rf.axis_iter_mut(Axis(0)).zip(&vis.uvw_m).collect();
    rows.into_par_iter().with_min_len(64).try_for_each(|(mut row, [u, v, _])| {
        control.check()?;
        for (w, f) in row.iter_mut().zip(&freq) {
            let k = f / SPEED_OF_LIGHT_M_S;
            let here = cells.of(u * k, v * k).map_or(0.0, |c| f64::from(density[c]));
            *w = match (here > 0.0, factor.is_finite()) {
                (false, _) => 0.0,
                (true, true) => (f64::from(*w) / (1.0 + here * factor)) as f32,
                (true, false) => (f64::from(*w) / here) as f32,
            };
        }
        Ok::<(), Error>(())
    })
}

fn density(vis: &Visibilities, cells: &Cells, control: &Control) -> Result<Vec<f32>, Error> {
    let rows = vis.weight_rf.nrows();
    let parts = rayon::current_num_threads().clamp(1, 8);
    let chunk = rows.div_ceil(parts).max(1);
    let pieces: Vec<(usize, usize)> =
        (0..parts).map(|p| (p * chunk, ((p + 1) * chunk).min(rows))).filter(|(a, b)| a < b).collect();
    let grids = pieces
        .into_par_iter()
        .map(|(from, to)| {
            let mut grid = vec![0f32; cells.len()];
            for r in from..to {
                if r % 256 == 0 {
                    control.check()?;
                }
                add_row(&mut grid, &vis.weight_rf, vis.uvw_m[r], &vis.freq_hz, cells, r);
            }
            Ok(grid)
        })
        .collect::<Result<Vec<_>, Error>>()?;
    let mut grids = grids.into_iter();
    let mut sum = grids.next().unwrap_or_else(|| vec![0.0; cells.len()]);
    for grid in grids {
        sum.iter_mut().zip(grid).for_each(|(a, b)| *a += b);
    }
    Ok(sum)
}

fn add_row(grid: &mut [f32], weight: &Array2<f32>, uvw: [f64; 3], freq: &[f64], cells: &Cells, r: usize) {
    let [u, v, _] = uvw;
    for (w, f) in weight.row(r).iter().zip(freq) {
        let k = f / SPEED_OF_LIGHT_M_S;
        if let Some(c) = cells.of(u * k, v * k) {
            grid[c] += *w;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::constants::SPEED_OF_LIGHT_M_S as C;

    /// Three visibilities in one cell, one alone, at 1 wavelength a metre.
    fn vis() -> Visibilities {
        let uvw_m = vec![[10.0, 5.0, 0.0], [-10.1, -5.1, 3.0], [10.2, 4.9, 0.0], [-40.0, 20.0, 0.0]];
        let weight_rf = Array2::from_shape_vec((4, 1), vec![1.0, 2.0, 3.0, 4.0]).unwrap();
        Visibilities { uvw_m, weight_rf, freq_hz: vec![C], width_hz: vec![1.0], ..Visibilities::default() }
    }

    fn weighed(weighting: Weighting) -> Vec<f32> {
        let mut v = vis();
        // A field of 1 rad: cells of one wavelength.
        apply_weighting(&mut v, weighting, [128, 128], 1.0 / 128.0, &Control::new()).unwrap();
        v.weight_rf.into_raw_vec_and_offset().0
    }

    #[test]
    fn uniform_gives_each_cell_the_same_and_briggs_lies_between() {
        assert_eq!(weighed(Weighting::Natural), vec![1.0, 2.0, 3.0, 4.0]);
        let uniform = weighed(Weighting::Uniform);
        // The conjugate falls into the same cell: 6 in one, 4 in the other.
        assert!((uniform[0] - 1.0 / 6.0).abs() < 1e-7 && (uniform[3] - 1.0).abs() < 1e-7);
        let robust = weighed(Weighting::Briggs { robust: 0.5 });
        let f2 = (5.0 * 10f64.powf(-0.5)).powi(2) * 10.0 / 52.0;
        assert!((f64::from(robust[1]) - 2.0 / (1.0 + 6.0 * f2)).abs() < 1e-7);
        let natural = weighed(Weighting::Briggs { robust: 6.0 });
        assert!((natural[3] / natural[0] - 4.0).abs() < 1e-3);
    }
}
