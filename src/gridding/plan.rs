//! A plan: what is decided once for a set of baselines, channels and an image.

use ndarray::{Array2, ArrayView2};
use num_complex::Complex;

use crate::constants::SPEED_OF_LIGHT_M_S;
use crate::control::Control;
use crate::kind::BadArgument;

use super::choose::{choose, Choice, Load};
use super::compress::Compression;
use super::frame::Frame;
use super::kernel::Kernel;
use super::params::{GridParams, WPlane};
use super::real::Real;
use super::resample::Resampling;
use super::runs::{Block, Buckets};
use super::sky::{Sky, Slant};
use super::spread::Values;
use super::wterm::{moments_needed, WTerm};
use super::Error;

/// Share of epsilon for each of the two passes of resampling, and the planes of w that it must save to be worth them.
const RESAMPLE_SHARE: f64 = 0.2;
const PLANES_SAVED: usize = 3;

/// Baselines \[m\], shape (r, 3), and channel frequencies \[Hz\] of one block of visibilities.
#[derive(Clone, Copy, Debug)]
pub struct Baselines<'a> {
    /// `u, v, w` of every row.
    pub uvw_m: ArrayView2<'a, f64>,
    /// Frequency of every channel, ascending or descending.
    pub freq_hz: &'a [f64],
}

/// What a plan decided, for logs and headers.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanSummary {
    /// Kernel width in cells.
    pub support: usize,
    /// Padded size.
    pub padded: (usize, usize),
    /// Planes transformed for w.
    pub planes: usize,
    /// Planes that each visibility is added to.
    pub planes_each: usize,
    /// `moments`, `stack` or `flat`.
    pub w_term: &'static str,
    /// Largest `|w|` left \[wavelengths\].
    pub w_max: f64,
    /// Visibilities given.
    pub visibilities: usize,
    /// Samples gridded, after compression.
    pub samples: usize,
    /// Kernel error expected on one axis.
    pub kernel_epsilon: f64,
}

/// Gridding and degridding of given baselines and channels onto one image; the two are an exact adjoint pair.
#[derive(Debug)]
pub struct Plan {
    pub(super) params: GridParams,
    pub(super) sky: Sky,
    pub(super) frame: Frame,
    pub(super) kernel: Kernel,
    pub(super) wterm: WTerm,
    pub(super) blocks: Vec<Block>,
    pub(super) buckets: Buckets,
    pub(super) compression: Option<Compression>,
    pub(super) shifted: bool,
    /// Rows and channels of every block as given.
    pub(super) shapes: Vec<(usize, usize)>,
    pub(super) w_max: f64,
    /// How the image asked for follows from the plan's, when that is another.
    pub(super) resampling: Option<Resampling>,
}

impl Plan {
    /// A plan for one block of visibilities.
    ///
    /// # Errors
    /// [`Error::Argument`] for sizes, coordinates or frequencies outside what can be gridded, and when the memory allowed is too small.
    pub fn new(uvw_m: ArrayView2<'_, f64>, freq_hz: &[f64], params: &GridParams) -> Result<Self, Error> {
        Self::for_blocks(&[Baselines { uvw_m, freq_hz }], params)
    }

    /// A plan for several blocks (spectral windows, files) that go into one image.
    ///
    /// # Errors
    /// As [`Plan::new`].
    pub fn for_blocks(baselines: &[Baselines<'_>], params: &GridParams) -> Result<Self, Error> {
        params.check()?;
        let mut blocks = Vec::with_capacity(baselines.len());
        for block in baselines {
            blocks.push(checked(block)?);
        }
        if blocks.len() > u16::MAX as usize {
            return Err(BadArgument::new("blocks", "at most 65535", blocks.len()).into());
        }
        let resampling = Self::resampling(&blocks, params)?;
        let params = resampling.as_ref().map_or(params, |r| &r.inner);
        let slant = match params.w_plane {
            WPlane::Keep => Slant::default(),
            _ if !params.do_w => {
                return Err(BadArgument::new("w_plane", "Keep when do_w is false", "another choice").into());
            }
            WPlane::Fit => Slant::fit(blocks.iter().flat_map(|b| b.uvw_m.iter().copied())),
            WPlane::Given(slant) => slant,
        };
        for uvw in blocks.iter_mut().flat_map(|b| &mut b.uvw_m) {
            uvw[2] = if params.do_w { uvw[2] - slant.a * uvw[0] - slant.b * uvw[1] } else { 0.0 };
        }
        let sky = Sky::new(params, slant)?;
        let shapes: Vec<_> = blocks.iter().map(|b| (b.uvw_m.len(), b.tables[0].len())).collect();
        let compression = if params.compress {
            Compression::new(&blocks, &sky, 0.2 * params.epsilon, params.compress_reach_rad)
        } else {
            None
        };
        let blocks = match &compression {
            Some(compression) => compression.blocks(&blocks),
            None => blocks,
        };
        let plan = Self::planned(params, sky, blocks, compression, shapes)?;
        Ok(Self { resampling, ..plan })
    }

    /// A plain SIN image by way of the slant grid, where that saves several planes of w.
    fn resampling(blocks: &[Block], params: &GridParams) -> Result<Option<Resampling>, Error> {
        let single = params.epsilon >= 1e-5;
        if params.w_plane != WPlane::Keep || !params.do_w || !single || params.max_memory_bytes.is_some() {
            return Ok(None);
        }
        let slant = Slant::fit(blocks.iter().flat_map(|b| b.uvw_m.iter().copied()));
        let load = load_of(blocks);
        let highest = blocks.iter().flat_map(|b| &b.tables[0]).fold(0.0, |a: f64, f| a.max(*f));
        let flat = |[u, v, w]: &[f64; 3]| (w - slant.a * u - slant.b * v).abs();
        let left = blocks.iter().flat_map(|b| &b.uvw_m).map(flat).fold(0.0, f64::max);
        let sky = Sky::new(params, Slant::default())?;
        if sky.beyond_horizon() {
            return Ok(None);
        }
        let (z_half, _) = sky.z_half_and_middle();
        let planes =
            |w: f64| moments_needed(std::f64::consts::TAU * w * z_half, RESAMPLE_SHARE * params.epsilon);
        if planes(load.w_range.1) < planes(left * highest / SPEED_OF_LIGHT_M_S) + PLANES_SAVED {
            return Ok(None);
        }
        Resampling::new(params, slant, (load.u_max, load.v_max), RESAMPLE_SHARE * params.epsilon)
    }

    /// Another image of this plan's samples, about the same phase centre with the same plane of w: for
    /// [`Plan::dirty_of_samples`] and [`Plan::samples_of`], accurate to `epsilon`. It must lie within `compress_reach_rad` of the samples.
    ///
    /// # Errors
    /// As [`Plan::new`].
    pub fn beside(&self, nx: usize, ny: usize, cell_rad: f64, epsilon: f64) -> Result<Self, Error> {
        let params = GridParams {
            nx,
            ny,
            cell_x_rad: cell_rad,
            cell_y_rad: cell_rad,
            w_plane: WPlane::Given(self.sky.slant),
            epsilon,
            compress: false,
            ..self.params.clone()
        };
        params.check()?;
        let sky = Sky::new(&params, self.sky.slant)?;
        Self::planned(&params, sky, self.blocks.clone(), None, self.shapes.clone())
    }

    fn planned(
        params: &GridParams,
        sky: Sky,
        blocks: Vec<Block>,
        compression: Option<Compression>,
        shapes: Vec<(usize, usize)>,
    ) -> Result<Self, Error> {
        let load = Load { packed: compression.is_some(), ..load_of(&blocks) };
        let choice: Choice = choose(params, &sky, &load)?;
        let (_, z_middle) = sky.z_half_and_middle();
        let z_middle = if params.do_w { z_middle } else { 0.0 };
        let mut frame = Frame::new(
            choice.padded,
            choice.wterm.real(),
            choice.kernel.support,
            (params.cell_x_rad, params.cell_y_rad),
            (params.center_l, params.center_m, z_middle),
            (load.u_max, load.v_max),
        );
        if choice.wterm.planes_each() > 3 {
            frame.set_tile(16);
        }
        let buckets = Buckets::new(&frame, &blocks);
        let shifted =
            params.center_l != 0.0 || params.center_m != 0.0 || (z_middle != 0.0 && load.w_range.1 > 0.0);
        Ok(Self {
            params: params.clone(),
            sky,
            frame,
            kernel: choice.kernel,
            wterm: choice.wterm,
            blocks,
            buckets,
            compression,
            shifted,
            shapes,
            w_max: load.w_range.1,
            resampling: None,
        })
    }

    /// The image asked for.
    pub fn params(&self) -> &GridParams {
        self.resampling.as_ref().map_or(&self.params, |r| &r.asked)
    }

    /// The plane taken out of `w`; `pv2()` of it goes into the header. None for a plain image, however it is made.
    pub fn slant(&self) -> Slant {
        if self.resampling.is_some() {
            Slant::default()
        } else {
            self.sky.slant
        }
    }

    /// What was decided.
    pub fn summary(&self) -> PlanSummary {
        PlanSummary {
            support: self.kernel.support,
            padded: (self.frame.nu, self.frame.nv),
            planes: self.wterm.planes(),
            planes_each: self.wterm.planes_each(),
            w_term: match &self.wterm {
                WTerm::Flat => "flat",
                WTerm::Moments { .. } => "moments",
                WTerm::Stack { .. } => "stack",
            },
            w_max: self.w_max,
            visibilities: self.shapes.iter().map(|(rows, channels)| rows * channels).sum(),
            samples: self.blocks.iter().map(Block::samples).sum(),
            kernel_epsilon: self.kernel.epsilon,
        }
    }

    /// Dirty image `sum_k Re w_k V_k exp(-2 pi i (u l + v m + w (n - 1)))` \[x, y\] of one block's visibilities (r, f), not normalised.
    ///
    /// # Errors
    /// [`Error::Argument`] for shapes that differ from the plan's, and for a NaN whose weight is not zero; [`Error::Cancelled`].
    pub fn vis2dirty<T: Real>(
        &self,
        vis_rf: ArrayView2<'_, Complex<T>>,
        weight_rf: Option<ArrayView2<'_, T>>,
        control: &Control,
    ) -> Result<Array2<T>, Error> {
        let weight = weight_rf.map(|w| vec![w]);
        self.vis2dirty_blocks(&[vis_rf], weight.as_deref(), control)
    }

    /// As [`Plan::vis2dirty`], of all blocks of the plan in their order.
    ///
    /// # Errors
    /// As [`Plan::vis2dirty`].
    pub fn vis2dirty_blocks<T: Real>(
        &self,
        vis_rf: &[ArrayView2<'_, Complex<T>>],
        weight_rf: Option<&[ArrayView2<'_, T>]>,
        control: &Control,
    ) -> Result<Array2<T>, Error> {
        self.check_call::<T>(vis_rf.len(), |b| vis_rf[b].dim(), "vis")?;
        if let Some(weight) = weight_rf {
            self.check_call::<T>(weight.len(), |b| weight[b].dim(), "weight")?;
        }
        // Only strided input is copied.
        let vis: Vec<_> = vis_rf.iter().map(|v| v.as_standard_layout()).collect();
        let weight: Option<Vec<_>> = weight_rf.map(|w| w.iter().map(|w| w.as_standard_layout()).collect());
        let values: Vec<Values<'_, T>> = (0..vis.len())
            .map(|b| Values {
                vis: vis[b].as_slice().unwrap_or(&[]),
                weight: weight.as_ref().map(|w| w[b].as_slice().unwrap_or(&[])),
            })
            .collect();
        match &self.compression {
            Some(compression) => {
                let packed = compression.pack(&values, control)?;
                let values: Vec<_> = packed.iter().map(|vis| Values { vis, weight: None }).collect();
                self.image_asked(&values, control)
            }
            None => self.image_asked(&values, control),
        }
    }

    /// Visibilities `sum_p I_p exp(+2 pi i (u l + v m + w (n - 1)))` (r, f) of an image \[x, y\], times the weights if given.
    ///
    /// # Errors
    /// [`Error::Argument`] for shapes that differ from the plan's and for a NaN in the image; [`Error::Cancelled`].
    pub fn dirty2vis<T: Real>(
        &self,
        image_xy: ArrayView2<'_, T>,
        weight_rf: Option<ArrayView2<'_, T>>,
        control: &Control,
    ) -> Result<Array2<Complex<T>>, Error> {
        let weight = weight_rf.map(|w| vec![w]);
        let mut blocks = self.dirty2vis_blocks(image_xy, weight.as_deref(), control)?;
        match blocks.pop() {
            Some(block) if blocks.is_empty() => Ok(block),
            _ => Err(BadArgument::new("plan", "one block", self.shapes.len()).into()),
        }
    }

    /// As [`Plan::dirty2vis`], for all blocks of the plan.
    ///
    /// # Errors
    /// As [`Plan::dirty2vis`].
    pub fn dirty2vis_blocks<T: Real>(
        &self,
        image_xy: ArrayView2<'_, T>,
        weight_rf: Option<&[ArrayView2<'_, T>]>,
        control: &Control,
    ) -> Result<Vec<Array2<Complex<T>>>, Error> {
        if let Some(weight) = weight_rf {
            self.check_call::<T>(weight.len(), |b| weight[b].dim(), "weight")?;
        } else {
            self.check_precision::<T>()?;
        }
        let expected = (self.params().nx, self.params().ny);
        if image_xy.dim() != expected {
            return Err(BadArgument::new(
                "image",
                format!("shape {expected:?}"),
                format!("{:?}", image_xy.dim()),
            )
            .into());
        }
        if let Some(((x, y), _)) = image_xy.indexed_iter().find(|(_, value)| !value.finite()) {
            return Err(
                BadArgument::new("image", "finite pixels", format!("NaN or infinity at [{x}, {y}]")).into()
            );
        }
        let image = image_xy.as_standard_layout();
        let samples = self.visibilities_asked(image.view(), control)?;
        let samples = match &self.compression {
            Some(compression) => compression.unpack(&samples, control)?,
            None => samples,
        };
        let mut out = Vec::with_capacity(samples.len());
        for (b, (values, &shape)) in samples.into_iter().zip(&self.shapes).enumerate() {
            let mut block = Array2::from_shape_vec(shape, values)
                .map_err(|e| BadArgument::new("plan", "samples of every row and channel", e))?;
            if let Some(weight) = weight_rf {
                ndarray::Zip::from(&mut block).and(&weight[b]).par_for_each(|v, &w| *v *= w);
            }
            out.push(block);
        }
        Ok(out)
    }

    pub(super) fn image_asked<T: Real>(
        &self,
        values: &[Values<'_, T>],
        control: &Control,
    ) -> Result<Array2<T>, Error> {
        let image = self.image_of(values, control)?;
        Ok(self.resampling.as_ref().map(|r| r.image(&image)).unwrap_or(image))
    }

    pub(super) fn visibilities_asked<T: Real>(
        &self,
        image_xy: ArrayView2<'_, T>,
        control: &Control,
    ) -> Result<Vec<Vec<Complex<T>>>, Error> {
        match &self.resampling {
            Some(resampling) => self.visibilities_of(resampling.spread(image_xy).view(), control),
            None => self.visibilities_of(image_xy, control),
        }
    }

    fn check_precision<T: Real>(&self) -> Result<(), Error> {
        if self.params.epsilon < T::SMALLEST_EPSILON {
            let expected = format!("at least {:e} in {} precision", T::SMALLEST_EPSILON, T::NAME);
            return Err(BadArgument::new("epsilon", expected, self.params.epsilon).into());
        }
        Ok(())
    }

    fn check_call<T: Real>(
        &self,
        blocks: usize,
        dim: impl Fn(usize) -> (usize, usize),
        name: &str,
    ) -> Result<(), Error> {
        self.check_precision::<T>()?;
        if blocks != self.shapes.len() {
            return Err(
                BadArgument::new(name, format!("{} blocks, as planned", self.shapes.len()), blocks).into()
            );
        }
        for (b, &shape) in self.shapes.iter().enumerate() {
            if dim(b) != shape {
                let expected = format!("shape (rows, channels) = {shape:?} in block {b}, as planned");
                return Err(BadArgument::new(name, expected, format!("{:?}", dim(b))).into());
            }
        }
        Ok(())
    }
}

fn checked(block: &Baselines<'_>) -> Result<Block, Error> {
    if block.uvw_m.ncols() != 3 {
        return Err(BadArgument::new("uvw", "shape (rows, 3)", format!("{:?}", block.uvw_m.dim())).into());
    }
    if block.uvw_m.nrows() > u32::MAX as usize || block.freq_hz.len() > u32::MAX as usize {
        return Err(
            BadArgument::new("uvw, freq", "at most 2^32 rows and channels", block.uvw_m.nrows()).into()
        );
    }
    if let Some((i, f)) = block.freq_hz.iter().enumerate().find(|(_, f)| !(f.is_finite() && **f > 0.0)) {
        return Err(
            BadArgument::new("freq", "positive frequencies in hertz", format!("{f} in channel {i}")).into()
        );
    }
    let ascending = block.freq_hz.windows(2).all(|p| p[0] <= p[1]);
    let descending = block.freq_hz.windows(2).all(|p| p[0] >= p[1]);
    if !(ascending || descending) {
        return Err(BadArgument::new("freq", "ascending or descending frequencies", "neither").into());
    }
    let mut uvw_m = Vec::with_capacity(block.uvw_m.nrows());
    for (r, row) in block.uvw_m.outer_iter().enumerate() {
        if !row.iter().all(|x| x.abs() < 1e12) {
            return Err(
                BadArgument::new("uvw", "finite baselines in metres", format!("{row} in row {r}")).into()
            );
        }
        uvw_m.push([row[0], row[1], row[2]]);
    }
    Ok(Block::plain(uvw_m, block.freq_hz.to_vec()))
}

/// Number of samples and range of `|w|`.
fn load_of(blocks: &[Block]) -> Load {
    let mut load = Load { samples: 0, packed: false, w_range: (f64::INFINITY, 0.0), v_max: 0.0, u_max: 0.0 };
    for block in blocks {
        load.samples += block.samples();
        let (mut low, mut high) = (f64::INFINITY, 0.0f64);
        for &f in block.tables.iter().flatten() {
            low = low.min(f);
            high = high.max(f);
        }
        let (low, high) = (low / SPEED_OF_LIGHT_M_S, high / SPEED_OF_LIGHT_M_S);
        for [u, v, w] in &block.uvw_m {
            load.w_range.0 = load.w_range.0.min(w.abs() * low);
            load.w_range.1 = load.w_range.1.max(w.abs() * high);
            load.u_max = load.u_max.max(u.abs() * high);
            load.v_max = load.v_max.max(v.abs() * high);
        }
    }
    if load.samples == 0 {
        load.w_range = (0.0, 0.0);
    }
    load
}
