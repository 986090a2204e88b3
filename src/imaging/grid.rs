//! The gridder seen from the imager: images as the sky is drawn (north up, east left), divided by the sum of weights.

use std::ops::Range;

use ndarray::{s, Array2, ArrayView2, Axis};
use num_complex::Complex32;
use rayon::prelude::*;

use super::{Error, Visibilities};
use crate::control::Control;
use crate::coords::RaDec;
use crate::gridding::{GridParams, Packed, PackedRow, Plan, PlanSummary, Slant, WPlane};
use crate::image::Wcs;

/// Error of a rough image over that of the other, and the most it may be.
const ROUGHER: f64 = 10.0;
const ROUGHEST: f64 = 3e-3;

/// The accuracy of a rough image beside one of `epsilon`; the same where that would be no image.
pub(super) fn rough(epsilon: f64) -> f64 {
    Some(ROUGHER * epsilon).filter(|e| *e <= ROUGHEST).unwrap_or(epsilon)
}

/// The image grid and the accuracy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GridOptions {
    /// Pixels along right ascension, even.
    pub nx: usize,
    /// Pixels along declination, even.
    pub ny: usize,
    /// Pixel \[rad\].
    pub cell_rad: f64,
    /// Accuracy of gridding, see [`GridParams::epsilon`].
    pub epsilon: f64,
    /// The plane of w to take out; `None` fits it.
    pub slant: Option<Slant>,
    /// Samples hold what lies this far from the centre as well \[rad\]; 0 for the image only.
    pub field_rad: f64,
    /// Most memory of one gridding call \[bytes\].
    pub max_memory_bytes: Option<usize>,
}

impl GridOptions {
    /// World coordinates of an image about `centre` from which `slant` was taken out.
    pub fn wcs(&self, centre: RaDec, slant: Slant) -> Wcs {
        let mut wcs = Wcs::centred(centre, self.nx, self.ny, self.cell_rad);
        // The gridder's slant is along minus l.
        let (xi, eta) = slant.pv2();
        wcs.slant = [-xi, eta];
        wcs
    }
}

/// The plane of w that a [`Grid`] of all of `vis` would fit and take out.
pub fn fitted_slant(vis: &Visibilities) -> Slant {
    Slant::fit(oriented(vis))
}

/// Baselines as the gridder has them: east is to the left, its first axis is minus l, which flips the sign of u.
fn oriented(vis: &Visibilities) -> impl Iterator<Item = [f64; 3]> + '_ {
    vis.uvw_m.iter().map(|[u, v, w]| [-u, *v, *w])
}

/// A plan with its orientation.
pub struct Grid {
    plan: Plan,
    centre: RaDec,
    options: GridOptions,
}

impl Grid {
    /// Plan for the rows and channels of `vis` from `channels`, about `centre`.
    ///
    /// # Errors
    /// From the gridder: sizes, accuracy and memory it cannot do.
    pub fn new(
        vis: &Visibilities,
        channels: Range<usize>,
        centre: RaDec,
        options: GridOptions,
    ) -> Result<Self, Error> {
        let uvw: Vec<f64> = oriented(vis).flatten().collect();
        let uvw = ArrayView2::from_shape((vis.uvw_m.len(), 3), &uvw)
            .map_err(|e| crate::kind::BadArgument::new("uvw", "three numbers a row", e))?;
        let mut params = GridParams::new(options.nx, options.ny, options.cell_rad, options.cell_rad);
        params.epsilon = options.epsilon;
        params.max_memory_bytes = options.max_memory_bytes;
        params.compress_reach_rad = options.field_rad;
        params.w_plane = options.slant.map_or(WPlane::Fit, WPlane::Given);
        let plan = Plan::new(uvw, &vis.freq_hz[channels], &params)?;
        Ok(Self { plan, centre, options })
    }

    /// Another image of the same samples: `n` by `n` pixels of `cell_rad`, within the field of the samples, accurate to `epsilon`.
    ///
    /// # Errors
    /// From the gridder.
    pub fn beside(&self, n: usize, cell_rad: f64, epsilon: f64) -> Result<Self, Error> {
        let plan = self.plan.beside(n, n, cell_rad, epsilon)?;
        Ok(Self {
            plan,
            centre: self.centre,
            options: GridOptions { nx: n, ny: n, cell_rad, epsilon, ..self.options },
        })
    }

    /// The same image of the same samples, some times less accurate; none where that would be no image.
    ///
    /// # Errors
    /// From the gridder.
    pub fn rougher(&self) -> Result<Option<Self>, Error> {
        let o = self.options;
        let epsilon = rough(o.epsilon);
        if epsilon == o.epsilon {
            return Ok(None);
        }
        let plan = self.plan.beside(o.nx, o.ny, o.cell_rad, epsilon)?;
        Ok(Some(Self { plan, centre: self.centre, options: GridOptions { epsilon, ..o } }))
    }

    /// World coordinates of the images.
    pub fn wcs(&self) -> Wcs {
        self.options.wcs(self.centre, self.plan.slant())
    }

    /// What was asked for.
    pub fn options(&self) -> &GridOptions {
        &self.options
    }

    /// What the gridder chose.
    pub fn summary(&self) -> PlanSummary {
        self.plan.summary()
    }

    /// The plane of w that was taken out.
    pub fn slant(&self) -> Slant {
        self.plan.slant()
    }

    /// Compress visibilities and their weights for major cycles.
    ///
    /// # Errors
    /// From the gridder; cancellation.
    pub fn pack(&self, vis: &Visibilities, control: &Control) -> Result<Compact, Error> {
        self.pack_with(vis, vis.weight_rf.view(), control)
    }

    /// The same of some channels, which the grid was planned for.
    ///
    /// # Errors
    /// From the gridder; cancellation.
    pub fn pack_channels(
        &self,
        vis: &Visibilities,
        channels: Range<usize>,
        control: &Control,
    ) -> Result<Compact, Error> {
        let (vis_rf, weight_rf) = (&vis.vis_rf, &vis.weight_rf);
        self.pack_views(vis_rf.slice(s![.., channels.clone()]), weight_rf.slice(s![.., channels]), control)
    }

    /// The same with other weights (r, f).
    ///
    /// # Errors
    /// From the gridder; cancellation.
    pub fn pack_with(
        &self,
        vis: &Visibilities,
        weight_rf: ArrayView2<'_, f32>,
        control: &Control,
    ) -> Result<Compact, Error> {
        self.pack_views(vis.vis_rf.view(), weight_rf, control)
    }

    fn pack_views(
        &self,
        vis_rf: ArrayView2<'_, Complex32>,
        weight_rf: ArrayView2<'_, f32>,
        control: &Control,
    ) -> Result<Compact, Error> {
        let packed = self.plan.pack(vis_rf, weight_rf, control)?;
        let unit = packed.unit(&self.plan);
        Ok(Compact { packed, unit })
    }

    /// Only the samples of weighted visibilities, for one image; of `channels`, which the grid was planned for.
    ///
    /// # Errors
    /// From the gridder; cancellation.
    pub fn pack_samples(
        &self,
        vis: &Visibilities,
        channels: Range<usize>,
        control: &Control,
    ) -> Result<Vec<Complex32>, Error> {
        let weight_rf = vis.weight_rf.slice(s![.., channels.clone()]);
        Ok(self.plan.pack_samples(vis.vis_rf.slice(s![.., channels]), weight_rf, control)?)
    }

    /// Only those of the weights: a source of 1 Jy at the centre.
    ///
    /// # Errors
    /// From the gridder; cancellation.
    pub fn unit_samples(
        &self,
        vis: &Visibilities,
        channels: Range<usize>,
        control: &Control,
    ) -> Result<Vec<Complex32>, Error> {
        Ok(self.plan.pack_weights(vis.weight_rf.slice(s![.., channels]), control)?)
    }

    /// Samples of one row of the visibilities.
    pub fn packed_row(&self, row: usize) -> PackedRow<'_> {
        self.plan.packed_row(row)
    }

    /// Number of packed samples.
    pub fn samples(&self) -> usize {
        self.plan.summary().samples
    }

    /// Image \[Jy/beam\] of packed samples.
    ///
    /// # Errors
    /// From the gridder; cancellation.
    pub fn dirty_of(&self, samples: &[Complex32], sum: f64, control: &Control) -> Result<Array2<f32>, Error> {
        Ok(transposed(&self.plan.dirty_of_samples(samples, control)?, (1.0 / sum) as f32))
    }

    /// Samples of a model \[Jy/pixel\], without weights.
    ///
    /// # Errors
    /// From the gridder; cancellation.
    pub fn samples_of(&self, model_yx: &Array2<f32>, control: &Control) -> Result<Vec<Complex32>, Error> {
        Ok(self.plan.samples_of(transposed(model_yx, 1.0).view(), control)?)
    }

    /// Residual image \[Jy/beam\] of packed visibilities less the model's.
    ///
    /// # Errors
    /// From the gridder; cancellation.
    pub fn residual(
        &self,
        compact: &Compact,
        sum: f64,
        model_yx: &Array2<f32>,
        control: &Control,
    ) -> Result<Array2<f32>, Error> {
        let model = self.samples_of(model_yx, control)?;
        self.dirty_of(&compact.packed.less(&self.plan, &model), sum, control)
    }

    /// Take a model's samples out of the visibilities themselves.
    ///
    /// # Errors
    /// From the gridder; cancellation.
    pub fn take_from(
        &self,
        vis: &mut Visibilities,
        samples: &[Complex32],
        control: &Control,
    ) -> Result<(), Error> {
        Ok(self.plan.take_from(samples, &mut vis.vis_rf, control)?)
    }

    /// Packed samples `start` less what the weights of `compact` make of a model's samples.
    pub fn less_from(
        &self,
        compact: &Compact,
        start: &[Complex32],
        model_samples: &[Complex32],
    ) -> Vec<Complex32> {
        compact.packed.less_from(&self.plan, start, model_samples)
    }

    /// Largest error of some of the model's visibilities against direct sums, relative to the sum of its magnitudes; none
    /// without a model. `samples` are the model's, from [`Self::samples_of`].
    pub fn error_of(&self, vis: &Visibilities, model_yx: &Array2<f32>, samples: &[Complex32]) -> Option<f64> {
        const SAMPLES: usize = 64;
        let wcs = self.wcs();
        let components: Vec<_> = model_yx
            .indexed_iter()
            .filter(|(_, f)| **f != 0.0)
            .map(|((y, x), f)| (wcs.pixel_to_lmn([x as f64, y as f64]), f64::from(*f)))
            .collect();
        let total: f64 = components.iter().map(|(_, f)| f.abs()).sum();
        if components.is_empty() {
            return None;
        }
        let (rows, channels) = (vis.uvw_m.len(), vis.freq_hz.len());
        let error = |k: usize| {
            // Strides by irrational shares visit all parts of both axes.
            let at = |share: f64, n: usize| (((k as f64 + 0.5) * share).fract() * n as f64) as usize;
            let (r, f) = (at(0.618_033_988_75, rows), at(0.754_877_666_25, channels));
            let [u, v, w] = vis.uvw_m[r].map(|x| x * vis.freq_hz[f] / crate::constants::SPEED_OF_LIGHT_M_S);
            let (mut re, mut im) = (0.0, 0.0);
            for (p, flux) in &components {
                let (s, c) = (std::f64::consts::TAU * (u * p.l + v * p.m + w * p.n_minus_1)).sin_cos();
                re += flux * c;
                im += flux * s;
            }
            let got = self.plan.channels_of_row(samples, r)[f];
            (f64::from(got.re) - re).hypot(f64::from(got.im) - im)
        };
        Some((0..SAMPLES).map(error).fold(0.0, f64::max) / total)
    }
}

/// Compressed visibilities: what major cycles work on.
pub struct Compact {
    packed: Packed,
    unit: Vec<Complex32>,
}

impl Compact {
    /// Weighted visibilities at the nodes.
    pub fn samples(&self) -> &[Complex32] {
        &self.packed.samples
    }

    /// Weights at the nodes: the packed form of a source of 1 Jy at the centre.
    pub fn unit_samples(&self) -> &[Complex32] {
        &self.unit
    }

    /// Take samples of a model \[Jy\] out.
    pub fn take(&mut self, grid: &Grid, model: &[Complex32]) {
        self.packed.samples = self.packed.less(&grid.plan, model);
    }

    /// Compress visibilities that changed under the same weights (r, f).
    ///
    /// # Errors
    /// From the gridder; cancellation.
    pub fn repack(
        &mut self,
        grid: &Grid,
        vis: &Visibilities,
        weight_rf: ArrayView2<'_, f32>,
        control: &Control,
    ) -> Result<(), Error> {
        self.packed.samples = grid.plan.pack_samples(vis.vis_rf.view(), weight_rf, control)?;
        Ok(())
    }
}

fn transposed(image: &Array2<f32>, scale: f32) -> Array2<f32> {
    const BLOCK: usize = 32;
    let (rows, columns) = image.dim();
    let mut out = Array2::zeros((columns, rows));
    let strips: Vec<_> = out.axis_chunks_iter_mut(Axis(0), BLOCK).collect();
    strips.into_par_iter().enumerate().for_each(|(k, mut strip)| {
        for r in (0..rows).step_by(BLOCK) {
            for j in r..(r + BLOCK).min(rows) {
                for i in 0..strip.nrows() {
                    strip[[i, j]] = image[[j, k * BLOCK + i]] * scale;
                }
            }
        }
    });
    out
}
