//! Stage `image`: Measurement Sets in, a tile's FITS images out.

mod choice;
mod mask;
mod params;
mod report;
mod setup;

use std::path::Path;

pub use params::ImageParams;
pub use report::{BeamReport, ImageReport, SnapshotReport, SubbandReport, TermReport};

use self::setup::Setup;
use super::image_products;
use super::input::Input;
use crate::control::Control;
use crate::coords::RaDec;
use crate::imaging::{image, Images, ImagingParams, Outputs, Stopwatch, Visibilities};
use crate::kind::BadArgument;
use crate::ms::MsReader;
use crate::Error;

/// Image Measurement Sets.
///
/// # Errors
/// Parameters that cannot be, tables that cannot be read, nothing to image (all flagged, CORRECTED_DATA all zero), an
/// unknown telescope without a beam, Measurement Sets that do not belong together, a full disk. No product is left then, but for
/// the model so far of a run that was cancelled in a major cycle.
pub fn run(params: &ImageParams, control: &Control) -> Result<ImageReport, Error> {
    if params.ms.is_empty() {
        return Err(bad("ms", "at least one Measurement Set", "none"));
    }
    for (k, path) in params.ms.iter().enumerate() {
        // Twice the same data would halve the variance that is expected, and not the one that is there.
        if params.ms[..k].iter().any(|other| same_directory(other, path)) {
            return Err(bad("ms", "each Measurement Set once", format!("{} twice", path.display())));
        }
    }
    let readers = params.ms.iter().map(MsReader::open).collect::<Result<Vec<_>, _>>()?;
    let inputs: Vec<&dyn Input> = readers.iter().map(|r| r as &dyn Input).collect();
    let wanted =
        |keys: &[&str]| params.products.as_ref().is_none_or(|p| p.iter().any(|k| keys.contains(&&**k)));
    let outputs = Outputs {
        psf: wanted(&["psf"]),
        matched: wanted(&["matched"]),
        restored: wanted(&["restored", "pbcor"]),
        primary_beam: wanted(&["pb", "pbcor"]),
    };
    Ok(make(&inputs, params, outputs, control)?.report)
}

/// Images in memory, and what was written of them.
pub(super) struct Made {
    pub(super) report: ImageReport,
    pub(super) images: Images,
    /// Middle of the observation, UTC \[MJD s\].
    pub(super) middle_mjd_s: f64,
}

/// Image what `inputs` hold, and write the products asked for; `outputs` are the images that must be there afterwards.
pub(super) fn make(
    inputs: &[&dyn Input],
    params: &ImageParams,
    outputs: Outputs,
    control: &Control,
) -> Result<Made, Error> {
    params::check(params)?;
    let mut watch = Stopwatch::new();
    let setup = Setup::of(inputs, params)?;
    let vis = setup.gather(inputs, params, control)?;
    watch.lap("read");
    let imaging = setup.imaging(&vis, params, outputs)?;
    let times = vis.times.clone();
    let snapshots = if params.snapshots {
        snapshots(&vis, &setup, &imaging, inputs, params, control)?
    } else {
        Vec::new()
    };
    let images = match image(vis, &imaging, control) {
        Err(crate::imaging::Error::Interrupted(partial)) => {
            let cards = [("TELESCOP", setup.telescope.as_str()), ("DATACOL", setup.column.name())];
            image_products::write_partial(params, &partial, &times, &cards)?;
            return Err(crate::imaging::Error::Interrupted(partial).into());
        }
        made => made?,
    };
    let beam = &images.beam;
    let extent = imaging.grid.cell_rad * imaging.grid.nx.min(imaging.grid.ny) as f64;
    if beam.major_rad > 0.25 * extent {
        let found = format!("a beam of {:.1} arcsec", beam.major_rad.to_degrees() * 3600.0);
        let expected =
            format!("an image at least four beams wide ({:.1} arcsec)", extent.to_degrees() * 3600.0);
        return Err(crate::imaging::Error::from(BadArgument::new("imsize", expected, found)).into());
    }
    let mut report = setup.report(&images, params);
    watch.lap("image");
    let context =
        image_products::Context::new(params, &setup.telescope, setup.column.name(), &times, inputs, &images);
    let middle_mjd_s = context.middle_mjd_s();
    image_products::write(&context, &mut report)?;
    report.snapshots = snapshots;
    watch.lap("write");
    let (read, write) = (&watch.parts[0], &watch.parts[watch.parts.len() - 1]);
    report.timings.insert(0, read.clone());
    report.timings.push(write.clone());
    Ok(Made { report, images, middle_mjd_s })
}

/// Visibilities about the centre asked for, where the dishes pointed, and the column.
pub(super) fn visibilities_about(
    inputs: &[&dyn Input],
    params: &ImageParams,
    control: &Control,
) -> Result<(Visibilities, Vec<RaDec>, &'static str), Error> {
    let setup = Setup::of(inputs, params)?;
    let vis = setup.gather(inputs, params, control)?;
    let pointings = setup.pointings(&vis)?;
    Ok((vis, pointings, setup.column.name()))
}

/// One image an integration, and their products.
fn snapshots(
    vis: &Visibilities,
    setup: &Setup,
    imaging: &ImagingParams,
    inputs: &[&dyn Input],
    params: &ImageParams,
    control: &Control,
) -> Result<Vec<SnapshotReport>, Error> {
    let mut out = Vec::with_capacity(vis.times.len());
    for number in 0..vis.times.len() {
        control.check()?;
        let own = ImagingParams {
            pointings: vec![imaging.pointings[number]],
            subbands: 0,
            outputs: Outputs::default(),
            ..imaging.clone()
        };
        let times = [vis.times[number]];
        // An integration whose data are all flagged has no image.
        match image(vis.integration(number), &own, control) {
            Ok(images) => {
                let column = setup.column.name();
                let context =
                    image_products::Context::new(params, &setup.telescope, column, &times, inputs, &images);
                out.push(image_products::write_snapshot(&context, number)?);
            }
            Err(crate::imaging::Error::NoData { found }) => log::warn!("integration {number}: {found}"),
            Err(other) => return Err(other.into()),
        }
    }
    Ok(out)
}

fn same_directory(a: &Path, b: &Path) -> bool {
    a == b || matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

pub(super) fn bad(what: &str, expected: impl Into<String>, found: impl std::fmt::Display) -> Error {
    crate::imaging::Error::from(BadArgument::new(what, expected, found)).into()
}
