//! Artificial sources into an image on disk, to test the stages after imaging.

use std::path::PathBuf;

use crate::control::Control;
use crate::coords::RaDec;
use crate::fits::{read_plane_with_cards, write_plane};
use crate::kind::BadArgument;
use crate::photometry::{inject, PixelKernel};
use crate::Error;

/// What to inject where.
#[derive(Clone, Debug)]
pub struct InjectParams {
    /// Image with a beam \[Jy/beam\].
    pub image: PathBuf,
    /// Where the sum is written (may be the image itself: it is replaced whole).
    pub output: PathBuf,
    /// Positions, ICRS, and peak fluxes \[Jy/beam\].
    pub sources: Vec<(RaDec, f64)>,
    /// Full width of the window that is added to, in beams.
    pub nbeam: f64,
}

/// Add the sources and write the image.
///
/// # Errors
/// An image that cannot be read or has no beam; an output that cannot be written.
pub fn run(params: &InjectParams, control: &Control) -> Result<(), Error> {
    let (mut plane, cards) = read_plane_with_cards(&params.image)?;
    let Some(beam) = plane.beam else {
        let bad = BadArgument::new(
            "image",
            "a beam (BMAJ, BMIN, BPA)",
            format!("none in {}", params.image.display()),
        );
        return Err(crate::photometry::Error::from(bad).into());
    };
    let kernel = PixelKernel::new(beam, &plane.wcs)?;
    let wcs = plane.wcs;
    let sources: Vec<([f64; 2], f64)> = params
        .sources
        .iter()
        .filter_map(|(position, flux)| wcs.sky_to_pixel(*position).map(|xy| (xy, *flux)))
        .collect();
    inject(plane.data_yx.view_mut(), &kernel, &sources, params.nbeam)?;
    control.check()?;
    write_plane(&params.output, &plane, &cards)?;
    Ok(())
}
