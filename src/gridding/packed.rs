//! Visibilities kept in the plan's compressed form between major cycles.
//!
//! With `C` the compression (channels to nodes), `W` the weights and `G` the gridding of nodes, the dirty image is `G C W V` and the
//! residual of a model image is `G (C W V - C W C' M)`, `M` the model at the nodes: `C W C'` is one small symmetric matrix a row
//! and part of the band. So after one pass over the channels no major cycle touches them again, and nothing but rounding
//! differs from doing so.

use ndarray::{Array2, ArrayView1, ArrayView2, Axis};
use num_complex::Complex32;
use rayon::prelude::*;

use super::interpolate::Table;
use super::plan::Plan;
use super::spread::Values;
use super::Error;
use crate::control::Control;
use crate::kind::BadArgument;

/// Rows treated by one task.
const ROWS: usize = 64;

/// Weighted visibilities at the nodes of a plan of one block, and the weights as matrices between nodes.
#[derive(Clone, Debug)]
pub struct Packed {
    /// `C W V` \[weight Jy\].
    pub samples: Vec<Complex32>,
    /// First matrix element of each row.
    first: Vec<u64>,
    /// Lower triangles, part by part.
    gram: Vec<f32>,
}

/// One row of a plan's samples.
#[derive(Clone, Copy, Debug)]
pub struct PackedRow<'a> {
    /// Baseline \[m\], the plane of w taken out.
    pub uvw_m: [f64; 3],
    /// Frequencies of the samples \[Hz\].
    pub freq_hz: &'a [f64],
    /// Where the row's samples begin.
    pub first: usize,
}

impl Plan {
    /// Compress weighted visibilities (r, f) of the plan's only block, and the weights; these may be negative (moments of
    /// frequency).
    ///
    /// # Errors
    /// Shapes that differ from the plan's, values that are not finite where the weight is not zero, cancellation.
    pub fn pack(
        &self,
        vis_rf: ArrayView2<'_, Complex32>,
        weight_rf: ArrayView2<'_, f32>,
        control: &Control,
    ) -> Result<Packed, Error> {
        let samples = self.pack_samples(vis_rf, weight_rf, control)?;
        let (first, gram) = self.gram(weight_rf, control)?;
        Ok(Packed { samples, first, gram })
    }

    /// Only `C W V`, for visibilities that changed under the same weights.
    ///
    /// # Errors
    /// As [`Plan::pack`].
    pub fn pack_samples(
        &self,
        vis_rf: ArrayView2<'_, Complex32>,
        weight_rf: ArrayView2<'_, f32>,
        control: &Control,
    ) -> Result<Vec<Complex32>, Error> {
        let expected = self.one_block()?;
        for (what, dim) in [("vis", vis_rf.dim()), ("weight", weight_rf.dim())] {
            if dim != expected {
                return Err(BadArgument::new(what, format!("shape {expected:?}"), format!("{dim:?}")).into());
            }
        }
        let Some(compression) = &self.compression else {
            let both = vis_rf.iter().zip(&weight_rf);
            return Ok(both.map(|(v, w)| if *w != 0.0 { v * w } else { Complex32::default() }).collect());
        };
        let whole = |strides: &[isize]| strides[1] == 1;
        if whole(vis_rf.strides()) && whole(weight_rf.strides()) {
            return compression.pack_rows(vis_rf, weight_rf, control);
        }
        let (vis, weight) = (vis_rf.as_standard_layout(), weight_rf.as_standard_layout());
        compression.pack_rows(vis.view(), weight.view(), control)
    }

    /// Only `C W 1`: what visibilities of one would be packed to.
    ///
    /// # Errors
    /// As [`Plan::pack`].
    pub fn pack_weights(
        &self,
        weight_rf: ArrayView2<'_, f32>,
        control: &Control,
    ) -> Result<Vec<Complex32>, Error> {
        let (expected, found) = (self.one_block()?, weight_rf.dim());
        if found != expected {
            return Err(
                BadArgument::new("weight", format!("shape {expected:?}"), format!("{found:?}")).into()
            );
        }
        match &self.compression {
            Some(compression) if weight_rf.strides()[1] == 1 => compression.pack_weights(weight_rf, control),
            Some(compression) => compression.pack_weights(weight_rf.as_standard_layout().view(), control),
            None => Ok(weight_rf.iter().map(|w| Complex32::new(*w, 0.0)).collect()),
        }
    }

    /// Image \[x, y\] of packed samples, not normalised.
    ///
    /// # Errors
    /// Another number of samples than the plan's; cancellation.
    pub fn dirty_of_samples(&self, samples: &[Complex32], control: &Control) -> Result<Array2<f32>, Error> {
        self.one_block()?;
        let expected = self.blocks[0].samples();
        if samples.len() != expected {
            return Err(BadArgument::new("samples", format!("{expected} of them"), samples.len()).into());
        }
        self.image_asked(&[Values { vis: samples, weight: None }], control)
    }

    /// Samples of an image \[x, y\] at the nodes, without weights.
    ///
    /// # Errors
    /// A shape that differs from the plan's; cancellation.
    pub fn samples_of(
        &self,
        image_xy: ArrayView2<'_, f32>,
        control: &Control,
    ) -> Result<Vec<Complex32>, Error> {
        self.one_block()?;
        let expected = (self.params().nx, self.params().ny);
        if image_xy.dim() != expected {
            let found = format!("{:?}", image_xy.dim());
            return Err(BadArgument::new("image", format!("shape {expected:?}"), found).into());
        }
        Ok(self.visibilities_asked(image_xy, control)?.pop().unwrap_or_default())
    }

    /// One row.
    pub fn packed_row(&self, row: usize) -> PackedRow<'_> {
        let block = &self.blocks[0];
        let (freq_hz, first) = block.row(row);
        PackedRow { uvw_m: block.uvw_m[row], freq_hz, first }
    }

    /// Visibilities of the channels of one row from the samples of all.
    pub fn channels_of_row(&self, samples: &[Complex32], row: usize) -> Vec<Complex32> {
        let at = self.packed_row(row);
        let own = &samples[at.first..at.first + at.freq_hz.len()];
        match self.compression.as_ref().and_then(|c| c.table(row)) {
            Some(table) => {
                let mut out = vec![Complex32::default(); self.shapes[0].1];
                table.to_channels::<f32>().apply(own, &mut out);
                out
            }
            None => own.to_vec(),
        }
    }

    /// Take a model's samples out of the visibilities (r, f) of the plan's only block.
    ///
    /// # Errors
    /// Shapes that differ from the plan's; cancellation.
    pub fn take_from(
        &self,
        samples: &[Complex32],
        vis_rf: &mut Array2<Complex32>,
        control: &Control,
    ) -> Result<(), Error> {
        let expected = self.one_block()?;
        if vis_rf.dim() != expected || samples.len() != self.blocks[0].samples() {
            let found = format!("{:?} and {} samples", vis_rf.dim(), samples.len());
            return Err(BadArgument::new("vis", format!("shape {expected:?}"), found).into());
        }
        let matrices: Vec<_> = match &self.compression {
            Some(compression) => compression.tables().into_iter().map(Table::to_channels::<f32>).collect(),
            None => Vec::new(),
        };
        let strips: Vec<_> = vis_rf.axis_chunks_iter_mut(Axis(0), ROWS).enumerate().collect();
        strips.into_par_iter().try_for_each(|(task, mut strip)| {
            control.check()?;
            let mut channels = vec![Complex32::default(); expected.1];
            for (k, mut row) in strip.outer_iter_mut().enumerate() {
                let r = task * ROWS + k;
                let at = self.packed_row(r);
                let own = &samples[at.first..at.first + at.freq_hz.len()];
                match &self.compression {
                    Some(compression) => matrices[compression.table_number(r)].apply(own, &mut channels),
                    None => channels.copy_from_slice(own),
                }
                row.iter_mut().zip(&channels).for_each(|(v, m)| *v -= m);
            }
            Ok::<(), Error>(())
        })
    }

    fn one_block(&self) -> Result<(usize, usize), Error> {
        match self.shapes.as_slice() {
            [shape] => Ok(*shape),
            more => Err(BadArgument::new("plan", "one block", more.len()).into()),
        }
    }

    /// Offsets and matrices `C W C'` of every row.
    fn gram(&self, weight_rf: ArrayView2<'_, f32>, control: &Control) -> Result<(Vec<u64>, Vec<f32>), Error> {
        let rows = weight_rf.nrows();
        let Some(compression) = &self.compression else {
            let channels = weight_rf.ncols() as u64;
            return Ok((
                (0..=rows as u64).map(|r| r * channels).collect(),
                weight_rf.iter().copied().collect(),
            ));
        };
        let products: Vec<Products> = compression.tables().into_iter().map(Products::of).collect();
        let mut first = Vec::with_capacity(rows + 1);
        let mut total = 0u64;
        for row in 0..rows {
            first.push(total);
            total += products[compression.table_number(row)].size as u64;
        }
        first.push(total);
        let mut gram = vec![0f32; total as usize];
        let weights = weight_rf.as_standard_layout();
        // Rows of one table together: their sums share its products.
        let mut by_table: Vec<Vec<(ArrayView1<'_, f32>, &mut [f32])>> =
            products.iter().map(|_| Vec::new()).collect();
        let mut rest = gram.as_mut_slice();
        for (row, weights) in weights.outer_iter().enumerate() {
            let table = compression.table_number(row);
            let (own, after) = rest.split_at_mut(products[table].size);
            by_table[table].push((weights, own));
            rest = after;
        }
        let tasks = by_table.par_iter_mut().zip(&products);
        tasks
            .flat_map(|(rows, products)| rows.par_chunks_mut(ROWS).map(move |rows| (rows, products)))
            .try_for_each(|(rows, products)| {
                control.check()?;
                rows.chunks_mut(TOGETHER).for_each(|rows| products.sum(rows));
                Ok::<(), Error>(())
            })?;
        Ok((first, gram))
    }
}

impl Packed {
    /// `C W C' m` for samples `m`: what weighted visibilities of those samples would be packed to, times `sign`, added to `start`.
    fn add_weighted(
        &self,
        plan: &Plan,
        model: &[Complex32],
        start: &[Complex32],
        sign: f32,
    ) -> Vec<Complex32> {
        let rows = self.first.len() - 1;
        let mut out = start.to_vec();
        let mut tasks = Vec::new();
        let mut rest = out.as_mut_slice();
        let place = |row: usize| if row < rows { plan.packed_row(row).first } else { model.len() };
        for begin in (0..rows).step_by(ROWS) {
            let end = (begin + ROWS).min(rows);
            let (part, after) = rest.split_at_mut(place(end) - place(begin));
            tasks.push((begin..end, part));
            rest = after;
        }
        tasks.into_par_iter().for_each(|(range, out)| {
            let base = place(range.start);
            for row in range {
                let (from, to) = (place(row), place(row + 1));
                let gram = &self.gram[self.first[row] as usize..self.first[row + 1] as usize];
                let nodes = plan.compression.as_ref().and_then(|c| c.table(row)).map_or(1, |t| t.nodes);
                let triangle = nodes * (nodes + 1) / 2;
                let parts = model[from..to]
                    .chunks_exact(nodes)
                    .zip(out[from - base..to - base].chunks_exact_mut(nodes));
                for ((m, o), g) in parts.zip(gram.chunks_exact(triangle)) {
                    multiply(g, m, o, sign);
                }
            }
        });
        out
    }

    /// `start` less what this packing's weights make of a model's samples; `start` may belong to other weights.
    pub fn less_from(&self, plan: &Plan, start: &[Complex32], model: &[Complex32]) -> Vec<Complex32> {
        self.add_weighted(plan, model, start, -1.0)
    }

    /// Packed visibilities less the model's.
    pub fn less(&self, plan: &Plan, model: &[Complex32]) -> Vec<Complex32> {
        self.add_weighted(plan, model, &self.samples, -1.0)
    }

    /// The packed form of unit visibilities: a source of 1 Jy at the phase centre.
    pub fn unit(&self, plan: &Plan) -> Vec<Complex32> {
        let ones = vec![Complex32::new(1.0, 0.0); self.samples.len()];
        let zeros = vec![Complex32::default(); self.samples.len()];
        self.add_weighted(plan, &ones, &zeros, 1.0)
    }
}

/// `out += sign * A m`, A symmetric by its lower triangle.
fn multiply(triangle: &[f32], m: &[Complex32], out: &mut [Complex32], sign: f32) {
    let mut at = 0;
    for p in 0..m.len() {
        let mut sum = Complex32::default();
        for q in 0..p {
            let g = sign * triangle[at + q];
            sum += m[q] * g;
            out[q] += m[p] * g;
        }
        out[p] += sum + m[p] * (sign * triangle[at + p]);
        at += p + 1;
    }
}

/// Rows summed together, and elements of their matrices: eight vector registers of sums.
const TOGETHER: usize = 4;
const COLUMNS: usize = 16;
type Sums = [[f32; COLUMNS]; TOGETHER];

/// Products of Lagrange polynomials on the channels of a table: a row's matrices are weighted sums of them.
struct Products {
    /// Channels of each part, and their products, some columns of all channels after the other.
    parts: Vec<(std::ops::Range<usize>, Vec<f32>)>,
    /// Elements of a lower triangle.
    triangle: usize,
    /// Elements of a row.
    size: usize,
}

impl Products {
    fn of(table: &Table) -> Self {
        let triangle = table.nodes * (table.nodes + 1) / 2;
        let blocks = triangle.div_ceil(COLUMNS);
        let parts: Vec<_> = table
            .parts()
            .map(|(channels, matrix)| {
                let mut products = vec![0f32; blocks * matrix.len() * COLUMNS];
                for (channel, row) in matrix.iter().enumerate() {
                    let all = (0..row.len()).flat_map(|p| (0..=p).map(move |q| (p, q)));
                    for (k, (p, q)) in all.enumerate() {
                        let at = (k / COLUMNS * matrix.len() + channel) * COLUMNS + k % COLUMNS;
                        products[at] = (row[p] * row[q]) as f32;
                    }
                }
                (channels, products)
            })
            .collect();
        let size = parts.len() * triangle;
        Self { parts, triangle, size }
    }

    /// Weights of up to [`TOGETHER`] rows to their matrices.
    fn sum(&self, rows: &mut [(ArrayView1<'_, f32>, &mut [f32])]) {
        let Some(last) = rows.len().checked_sub(1) else { return };
        for (part, (channels, products)) in self.parts.iter().enumerate() {
            for (block, products) in products.chunks_exact(channels.len() * COLUMNS).enumerate() {
                // Fewer rows leave the last one's sums to be made in vain.
                let weights: [&[f32]; TOGETHER] = std::array::from_fn(|k| {
                    let row = rows[k.min(last)].0.to_slice().unwrap_or(&[]);
                    &row[channels.clone()]
                });
                let sums = sums(weights, products);
                let begin = part * self.triangle + block * COLUMNS;
                let end = (begin + COLUMNS).min((part + 1) * self.triangle);
                for ((_, out), sums) in rows.iter_mut().zip(&sums) {
                    out[begin..end].copy_from_slice(&sums[..end - begin]);
                }
            }
        }
    }
}

fn sums(weights: [&[f32]; TOGETHER], products: &[f32]) -> Sums {
    #[cfg(target_arch = "x86_64")]
    if super::simd::has_vectors() {
        // SAFETY: the features were just detected.
        return unsafe { sums_vector(weights, products) };
    }
    sums_body(weights, products, |w, p, s| w * p + s)
}

#[inline(always)]
fn sums_body(weights: [&[f32]; TOGETHER], products: &[f32], add: impl Fn(f32, f32, f32) -> f32) -> Sums {
    let channels = products.len() / COLUMNS;
    let weights = weights.map(|w| &w[..channels]);
    let mut sums = [[0f32; COLUMNS]; TOGETHER];
    for (c, products) in products.chunks_exact(COLUMNS).enumerate() {
        for (sums, weights) in sums.iter_mut().zip(&weights) {
            for (s, p) in sums.iter_mut().zip(products) {
                *s = add(weights[c], *p, *s);
            }
        }
    }
    sums
}

/// # Safety
/// The machine has AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn sums_vector(weights: [&[f32]; TOGETHER], products: &[f32]) -> Sums {
    sums_body(weights, products, |w, p, s| w.mul_add(p, s))
}
