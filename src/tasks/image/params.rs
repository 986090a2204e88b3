//! What is asked of the stage `image`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::image_products::Product;
use super::bad;
use crate::constants::SEFD_JY;
use crate::imaging::CleanParams;
use crate::Error;

/// What to image and how. Every field has a default but `ms` and `name`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ImageParams {
    /// Measurement Sets that go into one image.
    pub ms: Vec<PathBuf>,
    /// Prefix of the products: `NAME-image.fits` and so on.
    pub name: PathBuf,
    /// Pixels `[x, y]`, even; none covers the beam to `pblimit`.
    pub imsize: Option<[usize; 2]>,
    /// Pixel \[arcsec\]; none is a fifth of the finest fringe.
    pub cell_arcsec: Option<f64>,
    /// The pixel, given or chosen, is multiplied by it, and a given size divided: for quick looks.
    pub coarsen: f64,
    /// Centre, ICRS `[ra, dec]` \[degrees\]; none is the middle of the fields.
    pub centre_deg: Option<[f64; 2]>,
    /// Fields to use; none is all.
    pub fields: Option<Vec<u32>>,
    /// Spectral windows to use; none is all.
    pub spws: Option<Vec<usize>>,
    /// `auto` (CORRECTED_DATA where the column exists, else DATA), `corrected`, `data` or `model`.
    pub datacolumn: String,
    /// `natural`, `uniform`, `superuniform` (weights counted over 3 x 3 cells) or `briggs`.
    pub weighting: String,
    /// Briggs' robustness, -2 (uniform) to 2 (natural).
    pub robust: f64,
    /// Gaussian taper: the beam of a point seen through it, FWHM \[arcsec\].
    pub taper_arcsec: Option<f64>,
    /// Tukey taper: where it is one and where it is zero \[wavelengths\]; the first beyond the second tapers short baselines.
    pub tukey: Option<[f64; 2]>,
    /// Shortest and longest baseline \[wavelengths\].
    pub uvrange: Option<[f64; 2]>,
    /// Most iterations; 0 makes a dirty image.
    pub niter: usize,
    /// Most major cycles.
    pub max_major: usize,
    /// Loop gain.
    pub gain: f32,
    /// Largest share of the peak that one minor cycle takes.
    pub mgain: f32,
    /// Factor times the highest sidelobe at which a minor cycle stops.
    pub cycle_factor: f32,
    /// Stop at this brightness \[Jy/beam\].
    pub threshold_jy: f32,
    /// Stop at this many times the thermal noise expected of the weights; 0 for no such stop.
    pub nthermal: f32,
    /// Stop at this many times the noise of the residual, never below as many times the noise that weights and visibilities tell.
    pub nsigma: f32,
    /// In the end islands of the mask are cleaned to this many times the noise; 0 for no such end.
    pub deep_sigma: f32,
    /// Seeds of the growing mask \[sigma\]; 0 cleans everywhere.
    pub auto_mask: f32,
    /// Sources brighter than this many times the thermal noise are fitted and subtracted exactly; 0 for none.
    pub bright_sigma: f64,
    /// Terms of the spectrum that CLEAN fits, 1 to 3.
    pub nterms: usize,
    /// Components of several widths, see `scales`.
    pub multiscale: bool,
    /// Widths of components \[beams\], 0 being points; none takes 0, 1, 2, 4 and 8 as far as they fit.
    pub scales: Vec<f64>,
    /// Larger scales' values are multiplied by it once a doubling.
    pub scale_bias: f32,
    /// Stokes parameter: `I`, `Q`, `U` or `V`.
    pub pol: String,
    /// Components must be positive.
    pub non_negative: bool,
    /// Mask: an image FITS of the same grid, not zero where components may lie, or DS9 regions (`.reg`).
    pub mask: Option<PathBuf>,
    /// Components may lie about these `[ra, dec]` \[degrees\] as well.
    pub mask_positions_deg: Option<Vec<[f64; 2]>>,
    /// Radius of the circles about them \[arcsec\].
    pub mask_radius_arcsec: f64,
    /// Model FITS \[Jy/pixel\] of an earlier run on the same grid, to go on from.
    pub model: Option<PathBuf>,
    /// Sources to begin from: `[ra, dec, flux]` \[degrees, degrees, Jy behind the beam\].
    pub seeds: Option<Vec<[f64; 3]>>,
    /// Look for sources outside the image: bright ones in the beam's sidelobes, faint ones to a beam of 0.07.
    pub outliers: bool,
    /// Sources outside the image to be fitted and subtracted: `[ra, dec]` \[degrees\].
    pub outliers_deg: Option<Vec<[f64; 2]>>,
    /// Primary-beam limit of the corrected image.
    pub pblimit: f32,
    /// Accuracy of gridding.
    pub epsilon: f64,
    /// One image an integration as well.
    pub snapshots: bool,
    /// Subband images.
    pub subbands: usize,
    /// Dish diameter of the Airy beam \[m\]; none takes the telescope's.
    pub dish_diameter_m: Option<f64>,
    /// A file of the primary beam (HDF5 or FITS) in place of the telescope's.
    pub beam: Option<PathBuf>,
    /// System equivalent flux density, for the expected noise \[Jy\].
    pub sefd_jy: f64,
    /// Most memory \[GB\].
    pub max_memory_gb: f64,
    /// Products to write, by their keys in the report; none is all.
    pub products: Option<Vec<String>>,
    /// Further header cards: keyword to text (calibration tables, group id).
    pub cards: BTreeMap<String, String>,
}

impl Default for ImageParams {
    fn default() -> Self {
        let clean = CleanParams::default();
        Self {
            ms: Vec::new(),
            name: PathBuf::new(),
            imsize: None,
            cell_arcsec: None,
            coarsen: 1.0,
            centre_deg: None,
            fields: None,
            spws: None,
            datacolumn: "auto".into(),
            weighting: "briggs".into(),
            robust: 0.5,
            taper_arcsec: None,
            tukey: None,
            uvrange: None,
            niter: clean.niter,
            max_major: clean.max_major,
            gain: clean.gain,
            mgain: clean.mgain,
            cycle_factor: clean.cycle_factor,
            threshold_jy: 0.0,
            nthermal: clean.nthermal,
            nsigma: clean.nsigma,
            deep_sigma: clean.deep_sigma,
            auto_mask: 5.0,
            bright_sigma: 300.0,
            nterms: 1,
            multiscale: false,
            scales: Vec::new(),
            scale_bias: 0.95,
            pol: "I".into(),
            non_negative: false,
            mask: None,
            mask_positions_deg: None,
            mask_radius_arcsec: 60.0,
            model: None,
            seeds: None,
            outliers: true,
            outliers_deg: None,
            pblimit: 0.2,
            epsilon: 1e-4,
            snapshots: false,
            subbands: 0,
            dish_diameter_m: None,
            beam: None,
            sefd_jy: SEFD_JY,
            max_memory_gb: 4.0,
            products: None,
            cards: BTreeMap::new(),
        }
    }
}

pub(super) fn check(params: &ImageParams) -> Result<(), Error> {
    if params.name.file_name().is_none() {
        return Err(bad("name", "a prefix for the products", params.name.display()));
    }
    let directory = params.name.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !directory.is_dir() {
        return Err(bad("name", "a prefix in a directory that exists", directory.display()));
    }
    if !(params.pblimit > 0.0 && params.pblimit < 1.0) {
        return Err(bad("pblimit", "a number between 0 and 1", params.pblimit));
    }
    if let Some(cell) = params.cell_arcsec.filter(|c| !(*c > 0.0 && *c <= 3600.0)) {
        return Err(bad("cell_arcsec", "above 0 and at most 3600", cell));
    }
    if let Some(size) =
        params.imsize.filter(|size| size.iter().any(|n| *n == 0 || n % 2 != 0 || *n > 1 << 17))
    {
        let found = format!("{} x {}", size[0], size[1]);
        return Err(bad("imsize", "even numbers of pixels from 2 to 131072", found));
    }
    if !(params.epsilon >= 1e-5 && params.epsilon <= 0.1) {
        return Err(bad("epsilon", "from 1e-5 to 0.1", params.epsilon));
    }
    if !(params.sefd_jy > 0.0 && params.sefd_jy.is_finite()) {
        return Err(bad("sefd_jy", "a positive number", params.sefd_jy));
    }
    for (name, share) in [("gain", params.gain), ("mgain", params.mgain)] {
        if !(share > 0.0 && share <= 1.0) {
            return Err(bad(name, "above 0 and at most 1", share));
        }
    }
    let limits = [
        ("threshold_jy", f64::from(params.threshold_jy)),
        ("nthermal", f64::from(params.nthermal)),
        ("nsigma", f64::from(params.nsigma)),
        ("deep_sigma", f64::from(params.deep_sigma)),
        ("auto_mask", f64::from(params.auto_mask)),
        ("bright_sigma", params.bright_sigma),
    ];
    if let Some((name, value)) = limits.into_iter().find(|(_, v)| !(*v >= 0.0 && v.is_finite())) {
        return Err(bad(name, "zero or more", value));
    }
    if !(params.coarsen >= 1.0 && params.coarsen <= 100.0) {
        return Err(bad("coarsen", "a number from 1 to 100", params.coarsen));
    }
    if let Some([low, high]) = params.uvrange.filter(|[low, high]| !(*low >= 0.0 && high > low)) {
        return Err(bad("uvrange", "shortest and longest baseline in wavelengths", format!("{low}, {high}")));
    }
    for product in params.products.iter().flatten() {
        if Product::from_key(product).is_none() {
            return Err(bad("products", Product::KEYS.join(", "), product));
        }
    }
    Ok(())
}
