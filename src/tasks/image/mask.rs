//! Where components may lie, and a model to begin from.

use std::path::Path;

use ndarray::Array2;

use super::{bad, ImageParams};
use crate::coords::RaDec;
use crate::fits::read_plane;
use crate::image::{read_regions, Plane, Wcs};
use crate::Error;

/// The mask of the parameters: the union of a FITS mask, of DS9 regions and of circles; none when nothing is given.
pub(super) fn allowed(
    params: &ImageParams,
    wcs: &Wcs,
    imsize: [usize; 2],
) -> Result<Option<Array2<bool>>, Error> {
    let [nx, ny] = imsize;
    let mut mask: Option<Array2<bool>> = None;
    let mut join = |other: Array2<bool>| match &mut mask {
        Some(mask) => mask.zip_mut_with(&other, |a, b| *a |= *b),
        None => mask = Some(other),
    };
    match &params.mask {
        Some(path) if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("reg")) => {
            let text = std::fs::read_to_string(path)
                .map_err(|e| bad("mask", "a DS9 region file", format!("{}: {e}", path.display())))?;
            let regions = read_regions(&text)
                .map_err(|e| bad("mask", "DS9 regions", format!("{}: {e}", path.display())))?;
            let mut inside = Array2::from_elem((ny, nx), false);
            regions.iter().for_each(|region| region.paint(wcs, &mut inside));
            join(inside);
        }
        Some(path) => join(set_on(&plane_on(path, "mask", wcs, imsize)?, wcs)),
        None => {}
    }
    if let Some(places) = &params.mask_positions_deg {
        if !(params.mask_radius_arcsec > 0.0 && params.mask_radius_arcsec <= 3600.0) {
            return Err(bad("mask_radius_arcsec", "above 0 and at most 3600", params.mask_radius_arcsec));
        }
        let radius = (params.mask_radius_arcsec / 3600.0).to_radians();
        let mut inside = Array2::from_elem((ny, nx), false);
        for [ra, dec] in places {
            crate::image::Region::circle(RaDec::from_deg(*ra, *dec), radius).paint(wcs, &mut inside);
        }
        join(inside);
    }
    if mask.as_ref().is_some_and(|mask| !mask.iter().any(|inside| *inside)) {
        log::warn!("mask: no pixel of the image lies in it, so CLEAN takes no component");
    }
    Ok(mask)
}

/// A model to begin from \[Jy/pixel\]: an earlier run's on the same grid, and sources of known apparent flux.
pub(super) fn start(
    params: &ImageParams,
    wcs: &Wcs,
    imsize: [usize; 2],
) -> Result<Option<Array2<f32>>, Error> {
    let [nx, ny] = imsize;
    let mut model = match &params.model {
        Some(path) => {
            let plane = plane_on(path, "model", wcs, imsize)?;
            let apart = warp(&plane, wcs);
            if apart > 0.5 {
                let expected =
                    format!("the projection of the image, PV2 {:.4} {:.4}", wcs.slant[0], wcs.slant[1]);
                let [a, b] = plane.wcs.slant;
                let found = format!("{a:.4} {b:.4} in {}: corners {apart:.1} pixels apart", path.display());
                return Err(bad("model", expected, found));
            }
            Some(plane.data_yx.mapv(|v| if v.is_finite() { v } else { 0.0 }))
        }
        None => None,
    };
    if let Some(sources) = &params.seeds {
        let model = model.get_or_insert_with(|| Array2::zeros((ny, nx)));
        for [ra, dec, flux_jy] in sources {
            let Some([x, y]) = wcs.sky_to_pixel(RaDec::from_deg(*ra, *dec)) else { continue };
            if let Some(pixel) =
                model.get_mut([y.round() as usize, x.round() as usize]).filter(|_| x > -0.5 && y > -0.5)
            {
                *pixel += *flux_jy as f32;
            }
        }
    }
    Ok(model)
}

/// A plane of the image's size, cell and centre, and where it lies otherwise, as it does in another slant projection.
fn plane_on(path: &Path, what: &str, wcs: &Wcs, imsize: [usize; 2]) -> Result<Plane, Error> {
    let plane = read_plane(path)?;
    let (ny, nx) = plane.data_yx.dim();
    if [nx, ny] != imsize {
        return Err(bad(
            what,
            format!("{} x {} pixels", imsize[0], imsize[1]),
            format!("{nx} x {ny} in {}", path.display()),
        ));
    }
    let apart = plane.wcs.pixel_to_sky([nx as f64 / 2.0, ny as f64 / 2.0]);
    let here = wcs.pixel_to_sky([nx as f64 / 2.0, ny as f64 / 2.0]);
    let cell = wcs.increment_rad[1].abs();
    if apart.separation_rad(here) > cell || (plane.wcs.increment_rad[1].abs() / cell - 1.0).abs() > 1e-3 {
        let expected =
            format!("the grid about RA {:.4} Dec {:.4}", wcs.centre.ra_deg(), wcs.centre.dec_deg());
        let found = format!("RA {:.4} Dec {:.4} in {}", apart.ra_deg(), apart.dec_deg(), path.display());
        return Err(bad(what, expected, found));
    }
    Ok(plane)
}

/// Pixels by which the corners of two planes of one size lie apart on the sky.
fn warp(plane: &Plane, wcs: &Wcs) -> f64 {
    let (ny, nx) = plane.data_yx.dim();
    let (right, top) = ((nx - 1) as f64, (ny - 1) as f64);
    let corners = [[0.0, 0.0], [right, 0.0], [0.0, top], [right, top]];
    let apart = |at: [f64; 2]| plane.wcs.pixel_to_sky(at).separation_rad(wcs.pixel_to_sky(at));
    corners.into_iter().map(apart).fold(0.0, f64::max) / wcs.increment_rad[1].abs()
}

/// Where a mask of another projection is set, by the nearest of its pixels.
fn set_on(plane: &Plane, wcs: &Wcs) -> Array2<bool> {
    let set = plane.data_yx.mapv(|v| v.is_finite() && v != 0.0);
    if warp(plane, wcs) < 0.5 {
        return set;
    }
    Array2::from_shape_fn(set.dim(), |(y, x)| {
        let at = plane.wcs.sky_to_pixel(wcs.pixel_to_sky([x as f64, y as f64]));
        at.filter(|at| at.iter().all(|v| *v > -0.5))
            .and_then(|[px, py]| set.get([py.round() as usize, px.round() as usize]))
            .is_some_and(|inside| *inside)
    })
}
