//! Weights by the density of visibilities on the image's uv cells.

use std::borrow::Cow;

use ndarray::{ArrayView2, ArrayViewMut2, Axis};
use rayon::prelude::*;

use super::track::{in_range, monotonic, padded, sum_of, Cells, OUTSIDE};
use super::Taper;
use crate::constants::SPEED_OF_LIGHT_M_S;
use crate::control::Control;
use crate::gridding::Error;
use crate::kind::BadArgument;

/// How weights follow the density of visibilities.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Weighting {
    /// As given: the lowest noise.
    Natural,
    /// Divided by the sum of weights in the cell.
    Uniform,
    /// Divided by the sum over a square of `2 * cells + 1` cells a side.
    SuperUniform {
        /// Cells beyond the central one on each side.
        cells: usize,
    },
    /// Divided by `1 + W_k f^2`, `f^2 = (5 10^-R)^2 / (sum_k W_k^2 / sum_i w_i)` (Briggs 1995; CASA's definition).
    Briggs {
        /// `R`, from -2 (nearly uniform) to 2 (nearly natural).
        robust: f64,
    },
}

/// The image whose uv cells count, and what is done on them.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightParams {
    /// Pixels along `l`.
    pub nx: usize,
    /// Pixels along `m`.
    pub ny: usize,
    /// Pixel along `l` \[rad\].
    pub cell_x_rad: f64,
    /// Pixel along `m` \[rad\].
    pub cell_y_rad: f64,
    /// The scheme.
    pub weighting: Weighting,
    /// Tapers, multiplied.
    pub tapers: Vec<Taper>,
    /// Shortest and longest `sqrt(u^2 + v^2)` used \[wavelengths\].
    pub uv_range: (f64, f64),
    /// The cells are those of an image this many times as wide: 1.2 as WSClean's (its `-padding`), 1 as CASA's.
    pub padding: f64,
}

impl WeightParams {
    /// Without tapers, over the whole uv range.
    pub fn new(nx: usize, ny: usize, cell_x_rad: f64, cell_y_rad: f64, weighting: Weighting) -> Self {
        Self {
            nx,
            ny,
            cell_x_rad,
            cell_y_rad,
            weighting,
            tapers: Vec::new(),
            uv_range: (0.0, f64::INFINITY),
            padding: 1.2,
        }
    }

    fn check(&self) -> Result<(), Error> {
        let pixels = |n: usize| (2..=1 << 17).contains(&n);
        if !(pixels(self.nx) && pixels(self.ny)) {
            let found = format!("{} x {}", self.nx, self.ny);
            return Err(BadArgument::new("nx, ny", "2 to 131072 pixels", found).into());
        }
        let positive = |x: f64| x.is_finite() && x > 0.0;
        if !(positive(self.cell_x_rad) && positive(self.cell_y_rad)) {
            let found = format!("{}, {}", self.cell_x_rad, self.cell_y_rad);
            return Err(BadArgument::new("cell", "positive pixel sizes in radians", found).into());
        }
        if let Weighting::Briggs { robust } = self.weighting {
            if !robust.is_finite() {
                return Err(BadArgument::new("robust", "a finite number, usually -2 to 2", robust).into());
            }
        }
        if !(1.0..=4.0).contains(&self.padding) {
            return Err(BadArgument::new("padding", "1 to 4", self.padding).into());
        }
        let (low, high) = self.uv_range;
        if !(low >= 0.0 && high > low) {
            return Err(
                BadArgument::new("uv_range", "0 <= shortest < longest", format!("{low} to {high}")).into()
            );
        }
        self.tapers.iter().try_for_each(|t| t.check())
    }
}

/// Sums of weights on the image's uv cells, gathered block by block.
#[derive(Debug)]
pub struct WeightGrid {
    params: WeightParams,
    cells: Cells,
    density: Vec<f64>,
    sum: f64,
}

impl WeightGrid {
    /// An empty grid.
    ///
    /// # Errors
    /// [`Error::Argument`] for a size, a cell, a taper or a range that cannot be.
    pub fn new(params: WeightParams) -> Result<Self, Error> {
        params.check()?;
        let (nx, ny) = (padded(params.nx, params.padding), padded(params.ny, params.padding));
        let cells = Cells {
            nx,
            rows: ny / 2,
            scale_u: params.cell_x_rad * nx as f64 / SPEED_OF_LIGHT_M_S,
            scale_v: params.cell_y_rad * ny as f64 / SPEED_OF_LIGHT_M_S,
        };
        let density = if params.weighting == Weighting::Natural {
            Vec::new()
        } else {
            vec![0.0; cells.nx * cells.rows]
        };
        Ok(Self { params, cells, density, sum: 0.0 })
    }

    /// Add the weights (r, f) of baselines (r, 3) \[m\] at channels \[Hz\].
    ///
    /// # Errors
    /// [`Error::Argument`] for shapes that do not fit and weights that are negative or not finite; [`Error::Cancelled`].
    pub fn add(
        &mut self,
        uvw_m: ArrayView2<'_, f64>,
        freq_hz: &[f64],
        weight_rf: ArrayView2<'_, f32>,
        control: &Control,
    ) -> Result<(), Error> {
        check_shapes(uvw_m, freq_hz, weight_rf.dim())?;
        let good = weight_rf
            .axis_iter(Axis(0))
            .into_par_iter()
            .all(|row| row.iter().fold(true, |good, w| good & (*w >= 0.0) & (*w < f32::INFINITY)));
        if !good {
            let bad = weight_rf.indexed_iter().find(|(_, w)| !(w.is_finite() && **w >= 0.0));
            let found = bad.map_or(String::new(), |((r, f), w)| format!("{w} at row {r}, channel {f}"));
            return Err(BadArgument::new("weight", "finite, not negative", found).into());
        }
        if self.params.weighting == Weighting::Natural {
            return Ok(());
        }
        let (cells, range, monotonic) = (self.cells, self.params.uv_range, monotonic(freq_hz));
        for first in (0..uvw_m.nrows()).step_by(8192) {
            control.check()?;
            let rows: Vec<usize> = (first..(first + 8192).min(uvw_m.nrows())).collect();
            // Runs of channels in one cell, summed in parallel; added in the order of rows.
            let runs: Vec<Vec<(usize, f64)>> = rows
                .par_chunks(256)
                .map(|rows| {
                    let mut runs = Vec::new();
                    for &r in rows {
                        let (uvw, weight) = (uvw_m.row(r), weight_rf.row(r));
                        let weight = weight.as_slice().map_or_else(|| weight.to_vec().into(), Cow::from);
                        let track = cells.track(uvw[0], uvw[1], freq_hz, range);
                        track.runs(monotonic, |channels, cell| {
                            let sum = sum_of(&weight[channels]);
                            if cell != OUTSIDE && sum > 0.0 {
                                runs.push((cell, sum));
                            }
                        });
                    }
                    runs
                })
                .collect();
            for &(cell, weight) in runs.iter().flatten() {
                self.density[cell] += weight;
                self.sum += weight;
            }
        }
        Ok(())
    }

    /// Turn sums into factors.
    pub fn finish(mut self) -> ImagingWeights {
        let rule = match self.params.weighting {
            Weighting::Natural => Rule::One,
            Weighting::Uniform => Rule::Reciprocal,
            Weighting::SuperUniform { cells } => {
                self.density = self.boxed(cells);
                Rule::Reciprocal
            }
            Weighting::Briggs { robust } => Rule::Briggs(self.briggs_f2(robust)),
        };
        ImagingWeights { params: self.params, cells: self.cells, density: self.density, rule }
    }

    fn briggs_f2(&self, robust: f64) -> f64 {
        // Parts of a fixed size, added in their order: the sum does not depend on the number of threads.
        let parts: Vec<f64> =
            self.density.par_chunks(1 << 16).map(|part| part.iter().map(|d| d * d).sum()).collect();
        let mean = parts.iter().sum::<f64>() / self.sum;
        if mean > 0.0 {
            (5.0 * 10f64.powf(-robust)).powi(2) / mean
        } else {
            0.0
        }
    }

    /// Sums over squares of cells; the half plane is continued by its mirror image.
    fn boxed(&self, cells: usize) -> Vec<f64> {
        let (nx, rows) = (self.cells.nx, self.cells.rows);
        let across: Vec<f64> = self
            .density
            .par_chunks(nx)
            .flat_map_iter(|row| {
                (0..nx).map(|c| row[c.saturating_sub(cells)..(c + cells + 1).min(nx)].iter().sum::<f64>())
            })
            .collect();
        let at = |row: isize, column: usize| -> f64 {
            if row >= 0 {
                return across[row as usize * nx + column];
            }
            across[(-1 - row) as usize * nx + self.cells.mirror(column)]
        };
        (0..nx * rows)
            .into_par_iter()
            .map(|i| {
                let (row, column) = ((i / nx) as isize, i % nx);
                let reach = cells as isize;
                ((row - reach).max(-(rows as isize))..=(row + reach).min(rows as isize - 1))
                    .map(|r| at(r, column))
                    .sum()
            })
            .collect()
    }
}

/// From the density of a cell to the factor of its weights.
#[derive(Clone, Copy, Debug)]
enum Rule {
    One,
    Reciprocal,
    /// With `f^2`.
    Briggs(f64),
}

impl Rule {
    fn factor(self, density: f64) -> f64 {
        match self {
            Self::One => 1.0,
            Self::Reciprocal if density > 0.0 => 1.0 / density,
            Self::Reciprocal => 0.0,
            Self::Briggs(f2) => 1.0 / (1.0 + density * f2),
        }
    }
}

fn check_shapes(uvw_m: ArrayView2<'_, f64>, freq_hz: &[f64], found: (usize, usize)) -> Result<(), Error> {
    if uvw_m.ncols() != 3 {
        return Err(BadArgument::new("uvw", "shape (rows, 3)", format!("{:?}", uvw_m.dim())).into());
    }
    let expected = (uvw_m.nrows(), freq_hz.len());
    if found != expected {
        return Err(BadArgument::new("weight", format!("shape {expected:?}"), format!("{found:?}")).into());
    }
    Ok(())
}

/// Factors that turn weights into imaging weights.
#[derive(Debug)]
pub struct ImagingWeights {
    params: WeightParams,
    cells: Cells,
    density: Vec<f64>,
    rule: Rule,
}

impl ImagingWeights {
    /// Multiply the weights (r, f) by density factor, tapers and uv range. Visibilities beyond the uv grid get zero,
    /// except with natural weighting.
    ///
    /// # Errors
    /// [`Error::Argument`] for shapes that do not fit; [`Error::Cancelled`].
    pub fn apply(
        &self,
        uvw_m: ArrayView2<'_, f64>,
        freq_hz: &[f64],
        mut weight_rf: ArrayViewMut2<'_, f32>,
        control: &Control,
    ) -> Result<(), Error> {
        check_shapes(uvw_m, freq_hz, weight_rf.dim())?;
        let natural = self.params.weighting == Weighting::Natural;
        let plain = natural && self.params.tapers.is_empty() && self.params.uv_range == (0.0, f64::INFINITY);
        if plain {
            return Ok(());
        }
        let monotonic = monotonic(freq_hz);
        weight_rf.axis_iter_mut(Axis(0)).into_par_iter().zip(uvw_m.axis_iter(Axis(0))).try_for_each(
            |(mut row, uvw)| {
                control.check()?;
                let (u_m, v_m) = (uvw[0], uvw[1]);
                let length_m = u_m.hypot(v_m);
                if natural {
                    for (w, &f) in row.iter_mut().zip(freq_hz) {
                        *w *= f32::from(u8::from(in_range(length_m, f, self.params.uv_range)));
                    }
                } else {
                    let track = self.cells.track(u_m, v_m, freq_hz, self.params.uv_range);
                    track.runs(monotonic, |channels, cell| {
                        let factor = self.density.get(cell).map_or(0.0, |d| self.rule.factor(*d)) as f32;
                        row.slice_mut(ndarray::s![channels]).map_inplace(|w| *w *= factor);
                    });
                }
                for taper in &self.params.tapers {
                    for (w, &f) in row.iter_mut().zip(freq_hz) {
                        *w *= taper.at(length_m * f / SPEED_OF_LIGHT_M_S) as f32;
                    }
                }
                Ok(())
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{array, Array2};

    const FREQ: [f64; 1] = [SPEED_OF_LIGHT_M_S];

    fn params(weighting: Weighting) -> WeightParams {
        // Cells of one wavelength.
        WeightParams { padding: 1.0, ..WeightParams::new(64, 64, 1.0 / 64.0, 1.0 / 64.0, weighting) }
    }

    fn weighted(params: WeightParams, uvw: &Array2<f64>, weight: &Array2<f32>) -> Array2<f32> {
        let control = Control::new();
        let mut grid = WeightGrid::new(params).unwrap();
        grid.add(uvw.view(), &FREQ, weight.view(), &control).unwrap();
        let mut out = weight.clone();
        grid.finish().apply(uvw.view(), &FREQ, out.view_mut(), &control).unwrap();
        out
    }

    // Three visibilities share a cell, one of them from the other half plane; one is alone; one lies beyond the grid.
    fn coverage() -> (Array2<f64>, Array2<f32>) {
        (
            array![[3.0, 5.0, 0.0], [3.2, 5.8, 1.0], [-3.1, -5.1, 2.0], [-7.0, 2.0, 0.0], [50.0, 1.0, 0.0]],
            array![[1.0], [2.0], [3.0], [4.0], [1.0]],
        )
    }

    #[test]
    fn uniform_cells_have_unit_sums() {
        let (uvw, weight) = coverage();
        let out = weighted(params(Weighting::Uniform), &uvw, &weight);
        assert!((out[[0, 0]] + out[[1, 0]] + out[[2, 0]] - 1.0).abs() < 1e-6);
        assert_eq!((out[[3, 0]], out[[4, 0]]), (1.0, 0.0));
    }

    #[test]
    fn briggs_is_the_closed_form() {
        let (uvw, weight) = coverage();
        let robust = 0.5;
        let out = weighted(params(Weighting::Briggs { robust }), &uvw, &weight);
        let f2 = (5.0 * 10f64.powf(-robust)).powi(2) / ((36.0 + 16.0) / 10.0);
        assert!((f64::from(out[[1, 0]]) - 2.0 / (1.0 + 6.0 * f2)).abs() < 1e-6);
        assert!((f64::from(out[[3, 0]]) - 4.0 / (1.0 + 4.0 * f2)).abs() < 1e-6);
    }

    #[test]
    fn briggs_spans_natural_to_uniform() {
        let (uvw, weight) = coverage();
        let natural = weighted(params(Weighting::Briggs { robust: 6.0 }), &uvw, &weight);
        assert!((natural[[2, 0]] - 3.0).abs() < 1e-4);
        let uniform = weighted(params(Weighting::Briggs { robust: -6.0 }), &uvw, &weight);
        assert!((uniform[[2, 0]] / uniform[[3, 0]] - 0.5).abs() < 1e-5);
    }

    #[test]
    fn super_uniform_sums_over_squares_across_the_axis() {
        // The first two share a cell after mirroring.
        let uvw = array![
            [10.5, 0.5, 0.0],
            [-10.5, -0.5, 0.0],
            [11.5, 1.5, 0.0],
            [-9.5, 0.5, 0.0],
            [20.5, 20.5, 0.0]
        ];
        let weight = array![[1.0], [1.0], [1.0], [1.0], [1.0]];
        let out = weighted(params(Weighting::SuperUniform { cells: 1 }), &uvw, &weight);
        // (9.5, -0.5), the mirror image of (-9.5, 0.5), lies beside (10.5, 0.5).
        assert!((out[[0, 0]] - 0.25).abs() < 1e-6 && (out[[4, 0]] - 1.0).abs() < 1e-6, "{out}");
        // And its own square holds the first two as mirror images.
        assert!((out[[3, 0]] - 1.0 / 3.0).abs() < 1e-6, "{out}");
    }

    #[test]
    fn a_baseline_and_its_mirror_image_weigh_the_same() {
        let mut uvw = Array2::zeros((40, 3));
        let mut seed = 17u64;
        for value in uvw.iter_mut() {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *value = (seed >> 11) as f64 / (1u64 << 53) as f64 * 20.0 - 10.0;
        }
        let weight = Array2::from_elem((40, 1), 1.0);
        for weighting in
            [Weighting::Uniform, Weighting::SuperUniform { cells: 2 }, Weighting::Briggs { robust: 0.0 }]
        {
            let there = weighted(params(weighting), &uvw, &weight);
            let back = weighted(params(weighting), &uvw.mapv(|x| -x), &weight);
            assert_eq!(there, back);
        }
    }

    #[test]
    fn cells_are_those_of_the_padded_image() {
        // 64 pixels of 1/64 rad padded to 80: cells of 0.8 wavelengths; 3.1 and 3.3 lie in cells 3 and 4.
        let mut wide = params(Weighting::Uniform);
        wide.padding = 1.2;
        let (uvw, weight) = (array![[3.1, 5.0, 0.0], [3.3, 5.0, 0.0]], array![[1.0], [1.0]]);
        assert_eq!(weighted(wide, &uvw, &weight), weight);
        assert_eq!(weighted(params(Weighting::Uniform), &uvw, &weight), array![[0.5], [0.5]]);
        assert_eq!((padded(64, 1.2), padded(900, 1.2), padded(4096, 1.0)), (80, 1080, 4096));
    }

    /// Sums and factors by runs of channels against those of single channels, on baselines that cross no cell, one, or many.
    #[test]
    fn runs_of_channels_are_the_single_channels() {
        let freq: Vec<f64> = (0..97).map(|c| SPEED_OF_LIGHT_M_S * (1.0 + 0.002 * f64::from(c))).collect();
        let uvw = array![
            [0.2, 0.3, 0.0],
            [-29.9, 14.2, 3.0],
            [25.1, -27.7, 0.0],
            [31.0, 0.0, 0.0],
            [9.1, 40.0, 0.0]
        ];
        let weight = Array2::from_shape_fn((5, 97), |(r, f)| ((7 * r + 3 * f) % 5) as f32);
        let control = Control::new();
        for weighting in [Weighting::Uniform, Weighting::Briggs { robust: 0.5 }] {
            for uv_range in [(0.0, f64::INFINITY), (28.0, 35.0)] {
                let params = WeightParams { uv_range, ..params(weighting) };
                let mut whole = WeightGrid::new(params.clone()).unwrap();
                whole.add(uvw.view(), &freq, weight.view(), &control).unwrap();
                let mut single = WeightGrid::new(params).unwrap();
                for f in 0..97 {
                    let part = weight.slice(ndarray::s![.., f..=f]);
                    single.add(uvw.view(), &freq[f..=f], part, &control).unwrap();
                }
                // Whole numbers: sums are exact in any order.
                assert_eq!((whole.sum, &whole.density), (single.sum, &single.density));
                let (mut a, mut b) = (weight.clone(), weight.clone());
                whole.finish().apply(uvw.view(), &freq, a.view_mut(), &control).unwrap();
                let factors = single.finish();
                for f in 0..97 {
                    let part = b.slice_mut(ndarray::s![.., f..=f]);
                    factors.apply(uvw.view(), &freq[f..=f], part, &control).unwrap();
                }
                assert_eq!(a, b);
                assert!(a.iter().any(|w| *w > 0.0));
            }
        }
    }

    #[test]
    fn blocks_add_up_to_one_call_and_ranges_cut() {
        let (uvw, weight) = coverage();
        let control = Control::new();
        let mut cut = params(Weighting::Uniform);
        cut.uv_range = (5.5, 7.0);
        let one = weighted(cut.clone(), &uvw, &weight);
        let mut grid = WeightGrid::new(cut).unwrap();
        for r in 0..5 {
            let (uvw, weight) = (uvw.slice(ndarray::s![r..=r, ..]), weight.slice(ndarray::s![r..=r, ..]));
            grid.add(uvw, &FREQ, weight, &control).unwrap();
        }
        let mut out = weight.clone();
        grid.finish().apply(uvw.view(), &FREQ, out.view_mut(), &control).unwrap();
        assert_eq!(one, out);
        assert_eq!((out[[3, 0]], out[[4, 0]]), (0.0, 0.0));
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(WeightGrid::new(params(Weighting::Briggs { robust: f64::NAN })).is_err());
        let mut grid = WeightGrid::new(params(Weighting::Uniform)).unwrap();
        let control = Control::new();
        let (uvw, mut weight) = coverage();
        weight[[2, 0]] = -1.0;
        let error = grid.add(uvw.view(), &FREQ, weight.view(), &control).unwrap_err();
        assert!(error.to_string().contains("row 2"), "{error}");
        assert!(grid.add(uvw.view(), &[1e9, 2e9], weight.view(), &control).is_err());
    }
}
