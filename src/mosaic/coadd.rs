//! Tiles added on one grid.

use ndarray::parallel::prelude::*;
use ndarray::{Array2, Axis};

use super::grid::{Grid, PixelMap};
use super::interpolate::{bilinear, has_vectors};
use super::{Error, Interpolation, Sampler};
use crate::control::Control;
use crate::image::Wcs;
use crate::kind::BadArgument;

/// One tile.
#[derive(Clone, Debug)]
pub struct Tile {
    /// Image with flat noise: restored, not corrected for the primary beam \[Jy/beam\].
    pub image_yx: Array2<f32>,
    /// Primary-beam power on the same pixels.
    pub pb_yx: Array2<f32>,
    /// Its world coordinates.
    pub wcs: Wcs,
    /// Noise of `image_yx` \[Jy/beam\].
    pub sigma_jy: f64,
}

/// How tiles weigh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// `pb^2 / sigma^2` at each pixel: the least noise.
    PbWeighted,
    /// `1 / sigma^2`.
    Weighted,
    /// All the same.
    Mean,
}

/// How tiles are read and added.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CoaddParams {
    /// Weights.
    pub method: Method,
    /// Reading between pixels.
    pub interpolation: Interpolation,
    /// Tiles count where their beam is at least this.
    pub pb_floor: f32,
    /// Average over the area of a mosaic's pixel, so that sums over pixels times their area are kept when it is coarser than a tile's.
    pub flux_conserving: bool,
    /// The unit is per pixel, not per beam: with `flux_conserving`, values are also scaled by the ratio of the pixels' areas.
    pub per_pixel: bool,
}

impl Default for CoaddParams {
    fn default() -> Self {
        Self {
            method: Method::PbWeighted,
            interpolation: Interpolation::Matched,
            pb_floor: 0.1,
            flux_conserving: false,
            per_pixel: false,
        }
    }
}

/// A mosaic.
#[derive(Clone, Debug)]
pub struct Mosaic {
    /// Sky brightness, corrected for the beam \[Jy/beam\]; NaN where no tile reaches.
    pub image_yx: Array2<f32>,
    /// Inverse variance \[1/Jy^2\] of `image_yx`; 0 where no tile reaches.
    pub weight_yx: Array2<f32>,
}

/// A tile on the mosaic's grid.
struct Placed<'a> {
    tile: &'a Tile,
    map: PixelMap,
    inverse_variance: f32,
}

/// Sums of one row of the mosaic.
struct Row {
    value: Vec<f32>,
    weight: Vec<f32>,
    /// Squared weights times variance.
    variance: Vec<f32>,
}

/// Add tiles on the grid `wcs` of `size` pixels `[x, y]`: the mean of `image / pb` with weights of `method`, where a tile's
/// beam is at least `pb_floor`. The weight map is always the inverse variance of the result.
///
/// # Errors
/// No tiles, planes of different shapes, a noise that is not positive; cancellation.
pub fn coadd(
    tiles: &[Tile],
    wcs: &Wcs,
    size: [usize; 2],
    params: &CoaddParams,
    control: &Control,
) -> Result<Mosaic, Error> {
    check(tiles)?;
    let [nx, ny] = size;
    let grid = Grid::new(wcs, size);
    let placed: Vec<Placed<'_>> = tiles
        .par_iter()
        .map(|tile| {
            let (rows, columns) = tile.image_yx.dim();
            let map = PixelMap::onto(&grid, &tile.wcs, [columns, rows]);
            let inverse_variance = (1.0 / (tile.sigma_jy * tile.sigma_jy)) as f32;
            Placed { tile, map, inverse_variance }
        })
        .collect();
    let sampler = Sampler::new(params.interpolation);
    let mut image = Array2::<f32>::zeros((ny, nx));
    let mut weight = Array2::<f32>::zeros((ny, nx));
    control.expect(ny as u64);
    let rows: Vec<_> = image.axis_iter_mut(Axis(0)).zip(weight.axis_iter_mut(Axis(0))).collect();
    let make = || Row { value: vec![0.0; nx], weight: vec![0.0; nx], variance: vec![0.0; nx] };
    rows.into_par_iter().enumerate().try_for_each_init(make, |row, (y, (mut image, mut weight))| {
        control.check()?;
        row.clear();
        for tile in &placed {
            tile.add(y, row, params, &sampler);
        }
        for x in 0..nx {
            let (w, v) = (row.weight[x], row.variance[x]);
            image[x] = if w > 0.0 { row.value[x] / w } else { f32::NAN };
            weight[x] = if v > 0.0 { w * w / v } else { 0.0 };
        }
        control.advance(1);
        Ok::<(), Error>(())
    })?;
    Ok(Mosaic { image_yx: image, weight_yx: weight })
}

impl Row {
    fn clear(&mut self) {
        for part in [&mut self.value, &mut self.weight, &mut self.variance] {
            part.fill(0.0);
        }
    }
}

impl Placed<'_> {
    /// Add what the tile has on row `y`.
    fn add(&self, y: usize, row: &mut Row, params: &CoaddParams, sampler: &Sampler) {
        let (image, pb) = (self.tile.image_yx.view(), self.tile.pb_yx.view());
        let beam = Sampler::new(Interpolation::Bilinear);
        let (samples, area) = if params.flux_conserving { self.map.fineness(y) } else { (1, 1.0) };
        let scale = if params.per_pixel { area } else { 1.0 };
        if let (Some(pixels), Some(beam), true) =
            (image.as_slice(), pb.as_slice(), samples == 1 && sampler.is_wide())
        {
            let planes = Planes { pixels, pb: beam, scale };
            #[cfg(target_arch = "x86_64")]
            if has_vectors() {
                // SAFETY: the features were detected just now.
                return unsafe { self.add_wide_vector(y, row, params, sampler, &planes) };
            }
            return self.add_wide(y, row, params, sampler, &planes);
        }
        for x in self.map.columns(y) {
            let at = self.map.at(x as f64, y as f64);
            let pb = beam.at(&pb, at);
            if !(pb >= params.pb_floor) {
                continue;
            }
            let value = if samples == 1 {
                sampler.at(&image, at)
            } else {
                let step = |k: usize| (k as f64 + 0.5) / samples as f64 - 0.5;
                let places = (0..samples * samples).map(|k| (step(k % samples), step(k / samples)));
                let sum: f32 = places
                    .map(|(dx, dy)| sampler.at(&image, self.map.at(x as f64 + dx, y as f64 + dy)))
                    .sum();
                sum / (samples * samples) as f32
            };
            if !value.is_finite() {
                continue;
            }
            self.take(row, x, (value * scale, pb), params.method);
        }
    }

    #[inline(always)]
    fn take(&self, row: &mut Row, x: usize, (value, pb): (f32, f32), method: Method) {
        let k = match method {
            Method::PbWeighted => pb * pb * self.inverse_variance,
            Method::Weighted => self.inverse_variance,
            Method::Mean => 1.0,
        };
        row.value[x] += k * value / pb;
        row.weight[x] += k;
        row.variance[x] += k * k / (pb * pb * self.inverse_variance);
    }

    /// # Safety
    /// The machine has AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn add_wide_vector(
        &self,
        y: usize,
        row: &mut Row,
        params: &CoaddParams,
        sampler: &Sampler,
        planes: &Planes<'_>,
    ) {
        self.add_wide(y, row, params, sampler, planes);
    }

    /// [`Self::add`] for a kernel of eight by eight pixels, one place a pixel: along pieces of the row on which places are evenly
    /// spaced, without a call a pixel.
    #[inline(always)]
    fn add_wide(
        &self,
        y: usize,
        row: &mut Row,
        params: &CoaddParams,
        sampler: &Sampler,
        planes: &Planes<'_>,
    ) {
        let image = self.tile.image_yx.view();
        let (ny, nx) = image.dim();
        // Where all eight taps are on the tile.
        let inside =
            |[px, py]: [f64; 2]| px >= 3.0 && py >= 3.0 && px < (nx as f64 - 4.0) && py < (ny as f64 - 4.0);
        for (columns, start, step) in self.map.pieces(y) {
            for (i, x) in columns.enumerate() {
                let at: [f64; 2] = std::array::from_fn(|k| start[k] + i as f64 * step[k]);
                if !inside(at) {
                    continue;
                }
                let (x0, y0) = (at[0] as usize, at[1] as usize);
                let (f, g) = ((at[0] - x0 as f64) as f32, (at[1] - y0 as f64) as f32);
                let corner = y0 * nx + x0;
                let (low, high) = (&planes.pb[corner..corner + 2], &planes.pb[corner + nx..corner + nx + 2]);
                let (low, high) = (low[0] * (1.0 - f) + low[1] * f, high[0] * (1.0 - f) + high[1] * f);
                let pb = low * (1.0 - g) + high * g;
                if !(pb >= params.pb_floor) {
                    continue;
                }
                let mut value = sampler.patch_body(planes.pixels, nx, (x0, y0), (f, g));
                if !value.is_finite() {
                    value = bilinear(&image, at[0], at[1]);
                    if !value.is_finite() {
                        continue;
                    }
                }
                self.take(row, x, (value * planes.scale, pb), params.method);
            }
        }
    }
}

/// A tile's pixels in the order of rows, and the factor of its values.
struct Planes<'a> {
    pixels: &'a [f32],
    pb: &'a [f32],
    scale: f32,
}

fn check(tiles: &[Tile]) -> Result<(), Error> {
    if tiles.is_empty() {
        return Err(BadArgument::new("tiles", "at least one", 0).into());
    }
    for (k, tile) in tiles.iter().enumerate() {
        if tile.image_yx.dim() != tile.pb_yx.dim() || tile.image_yx.is_empty() {
            let expected = format!("image and pb of one shape in tile {k}");
            let found = format!("{:?} and {:?}", tile.image_yx.dim(), tile.pb_yx.dim());
            return Err(BadArgument::new("tiles", expected, found).into());
        }
        if !(tile.sigma_jy.is_finite() && tile.sigma_jy > 0.0) {
            return Err(
                BadArgument::new("sigma_jy", format!("a positive noise of tile {k}"), tile.sigma_jy).into()
            );
        }
    }
    Ok(())
}
