//! Rows of a Measurement Set as a [`VisBlock`] in the conventions of this crate.

use std::ops::Range;

use ndarray::{Array3, Axis};
use num_complex::Complex32;
use rayon::prelude::*;

use super::error::Error;
use super::reader::MsReader;
use super::request::{Column, ReadRequest};
use crate::casatable::{Element, Tiles};
use crate::vis::{Product, Rows, VisBlock};

/// Mean length of a run of rows from which on the tile files are read directly.
const LEAST_RUN: u64 = 32;

impl MsReader {
    /// Read a selection: channels ascending, `antenna1 <= antenna2`, FLAG_ROW folded into the flags, weights from
    /// WEIGHT_SPECTRUM when it is there, else from WEIGHT, else from SIGMA; those of DATA from SIGMA_SPECTRUM where an
    /// application of gains has kept them there. Visibilities that are not finite are flagged and set to zero.
    ///
    /// # Errors
    /// A column that is absent, cells of an unexpected shape, a selection outside the Measurement Set.
    pub fn read(&self, request: &ReadRequest) -> Result<VisBlock, Error> {
        let id = self.description(request)?;
        let products = self.meta().data_descriptions[id].products.clone();
        let channels = self.meta().spws[request.spw].clone();
        let runs = self.select(request)?;
        let shape = [channels.freq_hz.len(), products.len()];
        let vis = self.visibilities(request.column, &runs, shape)?;
        let model =
            if request.with_model { Some(self.visibilities(Column::Model, &runs, shape)?) } else { None };
        let mut block = VisBlock {
            rows: self.rows(&runs)?,
            channels,
            weight_rfp: if request.without_weights {
                // Pages of zeros that nobody touches cost nothing.
                Array3::zeros((vis.dim().0, shape[0], shape[1]))
            } else {
                self.weights(request.column, &runs, shape)?
            },
            flag_rfp: self.flags(&runs, shape)?,
            vis_rfp: vis,
            model_rfp: model,
            products,
        };
        if self.meta().descending[request.spw] {
            reverse_channels(&mut block);
        }
        order_antennas(&mut block, self)?;
        flag_not_finite(&mut block, !request.without_weights);
        Ok(block)
    }

    /// The rows of MAIN behind a request, in the order of the block's rows.
    ///
    /// # Errors
    /// A selection outside the Measurement Set.
    pub fn main_rows(&self, request: &ReadRequest) -> Result<Vec<Range<u64>>, Error> {
        self.select(request)
    }

    pub(super) fn rows(&self, runs: &[Range<u64>]) -> Result<Rows, Error> {
        let id = |name: &str| -> Result<Vec<u32>, Error> {
            let values: Vec<i32> = self.column(name, runs, 1)?;
            let limit =
                if name == "FIELD_ID" { self.meta().fields.len() } else { self.meta().antennas.len() };
            values
                .into_iter()
                .map(|v| u32::try_from(v).ok().filter(|u| (*u as usize) < limit).ok_or(v))
                .collect::<Result<_, _>>()
                .map_err(|v| Error::content(&self.meta().path, name, format!("0 to {}", limit as i64 - 1), v))
        };
        let uvw: Vec<f64> = self.column("UVW", runs, 3)?;
        let interval: Vec<f64> = self.column("INTERVAL", runs, 1)?;
        Ok(Rows {
            time_mjd_s: self.column("TIME", runs, 1)?,
            interval_s: interval,
            antenna1: id("ANTENNA1")?,
            antenna2: id("ANTENNA2")?,
            field: id("FIELD_ID")?,
            uvw_m: uvw.chunks_exact(3).map(|c| [c[0], c[1], c[2]]).collect(),
        })
    }

    fn visibilities(
        &self,
        column: Column,
        runs: &[Range<u64>],
        shape: [usize; 2],
    ) -> Result<Array3<Complex32>, Error> {
        if !self.meta().has_column(column.name()) {
            let expected = format!("column {} (filled by `{}`)", column.name(), column.filled_by());
            let found = if self.meta().has_column("FLOAT_DATA") {
                "single-dish FLOAT_DATA".to_owned()
            } else {
                self.meta().columns.join(", ")
            };
            return Err(Error::content(&self.meta().path, "MAIN", expected, found));
        }
        self.cube(column.name(), runs, shape)
    }

    fn flags(&self, runs: &[Range<u64>], shape: [usize; 2]) -> Result<Array3<bool>, Error> {
        let mut flags: Array3<bool> = self.cube("FLAG", runs, shape)?;
        if self.meta().has_column("FLAG_ROW") {
            let whole: Vec<bool> = self.column("FLAG_ROW", runs, 1)?;
            for (mut row, bad) in flags.axis_iter_mut(Axis(0)).zip(whole) {
                if bad {
                    row.fill(true);
                }
            }
        }
        Ok(flags)
    }

    fn weights(&self, column: Column, runs: &[Range<u64>], shape: [usize; 2]) -> Result<Array3<f32>, Error> {
        let first = runs.first().map_or(0, |r| r.start);
        let has = |name: &str| {
            self.meta().has_column(name)
                && self.main.cell_shape(name, first).ok().flatten().as_deref() == Some(&shape)
        };
        if has("WEIGHT_SPECTRUM") {
            let mut weight: Array3<f32> = self.cube("WEIGHT_SPECTRUM", runs, shape)?;
            if column != Column::Corrected && has("SIGMA_SPECTRUM") {
                // A sigma of zero: not kept yet (or no weight), so that the weight is still that of DATA.
                let sigma: Array3<f32> = self.cube("SIGMA_SPECTRUM", runs, shape)?;
                weight.zip_mut_with(&sigma, |w, s| {
                    if *s > 0.0 {
                        *w = 1.0 / (s * s);
                    }
                });
            }
            return Ok(weight);
        }
        let per_product = if self.meta().has_column("WEIGHT") {
            self.column::<f32>("WEIGHT", runs, shape[1])?
        } else {
            let sigma: Vec<f32> = self.column("SIGMA", runs, shape[1])?;
            sigma.into_iter().map(|s| if s > 0.0 { 1.0 / (s * s) } else { 0.0 }).collect()
        };
        let n = per_product.len() / shape[1];
        Ok(Array3::from_shape_fn((n, shape[0], shape[1]), |(r, _, p)| per_product[r * shape[1] + p]))
    }

    fn cube<T: Element>(
        &self,
        name: &str,
        runs: &[Range<u64>],
        shape: [usize; 2],
    ) -> Result<Array3<T>, Error> {
        let n: u64 = runs.iter().map(|r| r.end - r.start).sum();
        if let Some(first) = runs.first() {
            let found = self.main.cell_shape(name, first.start)?;
            if found.as_deref() != Some(&shape) {
                let what = format!("{name}, row {}", first.start);
                return Err(Error::content(
                    &self.meta().path,
                    what,
                    format!("a cell of {shape:?}"),
                    format!("{found:?}"),
                ));
            }
        }
        let values = match self.from_tiles(name, runs, shape, n)? {
            Some(values) => values,
            None => self.column(name, runs, shape[0] * shape[1])?,
        };
        Array3::from_shape_vec((n as usize, shape[0], shape[1]), values)
            .map_err(|e| Error::content(&self.meta().path, name, format!("{n} cells of {shape:?}"), e))
    }
}

impl MsReader {
    /// Cells straight from the column's tile file, when its layout is simple and the rows are not scattered.
    fn from_tiles<T: Element>(
        &self,
        name: &str,
        runs: &[Range<u64>],
        shape: [usize; 2],
        n: u64,
    ) -> Result<Option<Vec<T>>, Error> {
        if runs.is_empty() || runs.len() as u64 * LEAST_RUN > n {
            return Ok(None);
        }
        let Some(tiles) = Tiles::open(&self.main, name, false)?.filter(|t| t.cell() == shape) else {
            return Ok(None);
        };
        let cell = shape[0] * shape[1];
        let mut out = vec![T::ZERO; n as usize * cell];
        let mut rest = out.as_mut_slice();
        for run in runs {
            let (part, tail) = rest.split_at_mut((run.end - run.start) as usize * cell);
            tiles.read(run.clone(), part)?;
            rest = tail;
        }
        Ok(Some(out))
    }
}

fn reverse_channels(block: &mut VisBlock) {
    block.vis_rfp.invert_axis(Axis(1));
    block.weight_rfp.invert_axis(Axis(1));
    block.flag_rfp.invert_axis(Axis(1));
    block.vis_rfp = block.vis_rfp.as_standard_layout().into_owned();
    block.weight_rfp = block.weight_rfp.as_standard_layout().into_owned();
    block.flag_rfp = block.flag_rfp.as_standard_layout().into_owned();
    if let Some(model) = block.model_rfp.as_mut() {
        model.invert_axis(Axis(1));
        *model = model.as_standard_layout().into_owned();
    }
}

/// Index of each product with its receptors exchanged.
pub(super) fn swapped(products: &[Product]) -> Option<Vec<usize>> {
    products
        .iter()
        .map(|p| {
            let (a, b) = p.receptors();
            products.iter().position(|q| q.receptors() == (b, a) && q.is_circular() == p.is_circular())
        })
        .collect()
}

fn order_antennas(block: &mut VisBlock, reader: &MsReader) -> Result<(), Error> {
    let turned: Vec<usize> =
        (0..block.rows.len()).filter(|i| block.rows.antenna1[*i] > block.rows.antenna2[*i]).collect();
    if turned.is_empty() {
        return Ok(());
    }
    let order = swapped(&block.products).ok_or_else(|| {
        let found = format!("{:?} with antenna1 > antenna2", block.products);
        Error::content(&reader.meta().path, "CORR_TYPE", "both cross-hand products or none", found)
    })?;
    for i in turned {
        let rows = &mut block.rows;
        std::mem::swap(&mut rows.antenna1[i], &mut rows.antenna2[i]);
        rows.uvw_m[i] = rows.uvw_m[i].map(|x| -x);
        turn(&mut block.vis_rfp, i, &order, |v: Complex32| v.conj());
        turn(&mut block.weight_rfp, i, &order, |w| w);
        turn(&mut block.flag_rfp, i, &order, |f| f);
        if let Some(model) = block.model_rfp.as_mut() {
            turn(model, i, &order, |v: Complex32| v.conj());
        }
    }
    Ok(())
}

fn turn<T: Copy>(cube: &mut Array3<T>, row: usize, order: &[usize], f: impl Fn(T) -> T) {
    for mut channel in cube.index_axis_mut(Axis(0), row).axis_iter_mut(Axis(0)) {
        let old: Vec<T> = channel.iter().copied().collect();
        for (p, value) in channel.iter_mut().enumerate() {
            *value = f(old[order[p]]);
        }
    }
}

/// What is no number becomes zero, with a flag; so do weights, where they were read.
fn flag_not_finite(block: &mut VisBlock, weights_too: bool) {
    /// Samples that a thread takes at once.
    const PART: usize = 1 << 14;
    let vis = block.vis_rfp.as_slice_mut().unwrap_or(&mut []);
    let flags = block.flag_rfp.as_slice_mut().unwrap_or(&mut []);
    vis.par_chunks_mut(PART).zip(flags.par_chunks_mut(PART)).for_each(|(vis, flags)| {
        // A first look at all of them without a branch: bad ones are rare.
        if vis.iter().fold(true, |all, v| all & v.re.is_finite() & v.im.is_finite()) {
            return;
        }
        for (v, f) in vis.iter_mut().zip(flags).filter(|(v, _)| !(v.re.is_finite() && v.im.is_finite())) {
            *v = Complex32::new(0.0, 0.0);
            *f = true;
        }
    });
    if !weights_too {
        return;
    }
    let flags = block.flag_rfp.as_slice_mut().unwrap_or(&mut []);
    let weights = block.weight_rfp.as_slice_mut().unwrap_or(&mut []);
    weights.par_chunks_mut(PART).zip(flags.par_chunks_mut(PART)).for_each(|(weights, flags)| {
        for (w, f) in weights.iter_mut().zip(flags).filter(|(w, _)| !(w.is_finite() && **w >= 0.0)) {
            *w = 0.0;
            *f = true;
        }
    });
}
