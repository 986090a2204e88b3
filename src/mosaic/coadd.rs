//! Tiles added on one grid.

use ndarray::parallel::prelude::*;
use ndarray::{Array2, Axis};

use super::grid::PixelMap;
use super::{Error, Interpolation};
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

/// A mosaic.
#[derive(Clone, Debug)]
pub struct Mosaic {
    /// Sky brightness, corrected for the beam \[Jy/beam\]; NaN where no tile reaches.
    pub image_yx: Array2<f32>,
    /// Inverse variance \[1/Jy^2\] of `image_yx`; 0 where no tile reaches.
    pub weight_yx: Array2<f32>,
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
    method: Method,
    interpolation: Interpolation,
    pb_floor: f32,
    control: &Control,
) -> Result<Mosaic, Error> {
    check(tiles)?;
    let [nx, ny] = size;
    let shape = (ny, nx);
    let mut sum = Array2::<f32>::zeros(shape);
    let mut weight = Array2::<f32>::zeros(shape);
    // Sum of squared weights times variance, for methods whose weights are not inverse variances.
    let mut variance = Array2::<f32>::zeros(shape);
    control.expect(tiles.len() as u64);
    for tile in tiles {
        let map = PixelMap::new(wcs, size, &tile.wcs);
        let inverse = (1.0 / (tile.sigma_jy * tile.sigma_jy)) as f32;
        let rows: Vec<_> = sum
            .axis_iter_mut(Axis(0))
            .zip(weight.axis_iter_mut(Axis(0)))
            .zip(variance.axis_iter_mut(Axis(0)))
            .collect();
        rows.into_par_iter().enumerate().try_for_each(|(y, ((mut s, mut w), mut v))| {
            control.check()?;
            for x in 0..nx {
                let at = map.at(x, y);
                let pb = Interpolation::Bilinear.at(&tile.pb_yx, at);
                if !(pb >= pb_floor) {
                    continue;
                }
                let value = interpolation.at(&tile.image_yx, at);
                if !value.is_finite() {
                    continue;
                }
                let k = match method {
                    Method::PbWeighted => pb * pb * inverse,
                    Method::Weighted => inverse,
                    Method::Mean => 1.0,
                };
                s[x] += k * value / pb;
                w[x] += k;
                v[x] += k * k / (pb * pb * inverse);
            }
            Ok::<(), Error>(())
        })?;
        control.advance(1);
    }
    ndarray::Zip::from(&mut sum).and(&mut weight).and(&variance).par_for_each(|s, w, v| {
        *s = if *w > 0.0 { *s / *w } else { f32::NAN };
        *w = if *v > 0.0 { *w * *w / *v } else { 0.0 };
    });
    Ok(Mosaic { image_yx: sum, weight_yx: weight })
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
