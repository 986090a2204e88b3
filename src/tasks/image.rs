//! Stage `image`: Measurement Sets in, a tile's FITS images out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::image_products::{self, Product};
use super::input::Input;
use crate::beam::{Airy, Beam};
use crate::constants::{SEFD_JY, SPEED_OF_LIGHT_M_S};
use crate::control::Control;
use crate::coords::{Observatory, RaDec};
use crate::deconvolution::Outcome;
use crate::fits::read_plane;
use crate::gridding::weighting::{Taper, Weighting};
use crate::image::Wcs;
use crate::imaging::{
    drift_pointings, image, CleanParams, Gatherer, GridOptions, Images, ImagingParams, Noise, Site,
    Stopwatch, Timing, UvRange, Visibilities,
};
use crate::kind::BadArgument;
use crate::ms::{Column, Meta, MsReader, ReadRequest};
use crate::time::EarthOrientation;
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
    /// Centre, ICRS `[ra, dec]` \[degrees\]; none is the middle of the fields.
    pub centre_deg: Option<[f64; 2]>,
    /// Fields to use; none is all.
    pub fields: Option<Vec<u32>>,
    /// Spectral windows to use; none is all.
    pub spws: Option<Vec<usize>>,
    /// `auto` (CORRECTED_DATA where the column exists, else DATA), `corrected`, `data` or `model`.
    pub datacolumn: String,
    /// `natural`, `uniform` or `briggs`.
    pub weighting: String,
    /// Briggs' robustness, -2 (uniform) to 2 (natural).
    pub robust: f64,
    /// Gaussian taper: the beam of a point seen through it, FWHM \[arcsec\].
    pub taper_arcsec: Option<f64>,
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
    /// Stop at this many times the noise of the residual.
    pub nsigma: f32,
    /// Seeds of the growing mask \[sigma\]; 0 cleans everywhere.
    pub auto_mask: f32,
    /// Components must be positive.
    pub non_negative: bool,
    /// Mask: an image FITS of the same grid, not zero where components may lie.
    pub mask: Option<PathBuf>,
    /// Primary-beam limit of the corrected image.
    pub pblimit: f32,
    /// Accuracy of gridding.
    pub epsilon: f64,
    /// Subband images.
    pub subbands: usize,
    /// Dish diameter of the Airy beam \[m\]; none takes the telescope's.
    pub dish_diameter_m: Option<f64>,
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
            centre_deg: None,
            fields: None,
            spws: None,
            datacolumn: "auto".into(),
            weighting: "briggs".into(),
            robust: 0.5,
            taper_arcsec: None,
            uvrange: None,
            niter: clean.niter,
            max_major: clean.max_major,
            gain: clean.gain,
            mgain: clean.mgain,
            cycle_factor: clean.cycle_factor,
            threshold_jy: 0.0,
            nsigma: clean.nsigma,
            auto_mask: 5.0,
            non_negative: false,
            mask: None,
            pblimit: 0.2,
            epsilon: 1e-4,
            subbands: 0,
            dish_diameter_m: None,
            sefd_jy: SEFD_JY,
            max_memory_gb: 4.0,
            products: None,
            cards: BTreeMap::new(),
        }
    }
}

/// A restoring beam for people.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct BeamReport {
    /// Major axis, FWHM \[arcsec\].
    pub major_arcsec: f64,
    /// Minor axis, FWHM \[arcsec\].
    pub minor_arcsec: f64,
    /// Position angle, north through east \[degrees\].
    pub pa_deg: f64,
}

/// One subband image.
#[derive(Clone, Debug, Serialize)]
pub struct SubbandReport {
    /// Number, ascending in frequency.
    pub number: usize,
    /// Mid frequency \[Hz\].
    pub freq_hz: f64,
    /// Width \[Hz\].
    pub bandwidth_hz: f64,
    /// Restored image.
    pub restored: Option<PathBuf>,
    /// The same, corrected for the beam.
    pub pbcor: Option<PathBuf>,
    /// Primary beam of the subband.
    pub pb: Option<PathBuf>,
    /// Noise.
    pub noise: Noise,
    /// How its own cleaning ended.
    pub outcome: Outcome,
}

/// What was made.
#[derive(Clone, Debug, Serialize)]
pub struct ImageReport {
    /// `dirty`, `psf`, `model`, `residual`, `restored`, `pb`, `pbcor` and where they are.
    pub products: BTreeMap<&'static str, PathBuf>,
    /// Subband images.
    pub subbands: Vec<SubbandReport>,
    /// Column imaged.
    pub datacolumn: &'static str,
    /// Centre, ICRS `[ra, dec]` \[degrees\].
    pub centre_deg: [f64; 2],
    /// Pixels `[x, y]`.
    pub imsize: [usize; 2],
    /// Pixel \[arcsec\].
    pub cell_arcsec: f64,
    /// Restoring beam.
    pub beam: BeamReport,
    /// Mid frequency \[Hz\].
    pub freq_hz: f64,
    /// Bandwidth \[Hz\].
    pub bandwidth_hz: f64,
    /// Mid time, UTC \[MJD\].
    pub mjd: f64,
    /// Robust rms of the residual \[Jy/beam\].
    pub rms_jy: f64,
    /// Thermal noise expected from the weights \[Jy/beam\].
    pub expected_rms_jy: f64,
    /// Brightest pixel of the restored image \[Jy/beam\].
    pub peak_jy: f64,
    /// Brightest pixel over noise.
    pub dynamic_range: f64,
    /// Highest psf sidelobe is not kept; how cleaning ended.
    pub outcome: Outcome,
    /// Major cycles.
    pub n_major: usize,
    /// Minor iterations.
    pub iterations: usize,
    /// Flux of the model \[Jy\].
    pub model_flux_jy: f64,
    /// Accuracy asked.
    pub epsilon: f64,
    /// Accuracy found against direct sums of the model; none without a model.
    pub epsilon_reached: Option<f64>,
    /// Stokes I visibilities used.
    pub visibilities: usize,
    /// Wall and CPU time of the parts.
    pub timings: Vec<Timing>,
}

/// Image Measurement Sets.
///
/// # Errors
/// Parameters that cannot be, tables that cannot be read, nothing to image (all flagged, CORRECTED_DATA all zero), an
/// unknown telescope without a beam, Measurement Sets that do not belong together, a full disk. No product is left then.
pub fn run(params: &ImageParams, control: &Control) -> Result<ImageReport, Error> {
    if params.ms.is_empty() {
        return Err(bad("ms", "at least one Measurement Set", "none"));
    }
    let readers = params.ms.iter().map(MsReader::open).collect::<Result<Vec<_>, _>>()?;
    let inputs: Vec<&dyn Input> = readers.iter().map(|r| r as &dyn Input).collect();
    Ok(make(&inputs, params, control)?.report)
}

/// Images in memory, and what was written of them.
pub(super) struct Made {
    pub(super) report: ImageReport,
    pub(super) images: Images,
    /// Middle of the observation, UTC \[MJD s\].
    pub(super) middle_mjd_s: f64,
}

/// Image what `inputs` hold, and write the products asked for.
pub(super) fn make(inputs: &[&dyn Input], params: &ImageParams, control: &Control) -> Result<Made, Error> {
    check(params)?;
    let mut watch = Stopwatch::new();
    let setup = Setup::of(inputs, params)?;
    let vis = setup.gather(inputs, params, control)?;
    watch.lap("read");
    let imaging = setup.imaging(&vis, params)?;
    let times = vis.times.clone();
    let images = image(vis, &imaging, control)?;
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
    watch.lap("write");
    let (read, write) = (&watch.parts[0], &watch.parts[watch.parts.len() - 1]);
    report.timings.insert(0, read.clone());
    report.timings.push(write.clone());
    Ok(Made { report, images, middle_mjd_s })
}

fn bad(what: &str, expected: impl Into<String>, found: impl std::fmt::Display) -> Error {
    crate::imaging::Error::from(BadArgument::new(what, expected, found)).into()
}

fn check(params: &ImageParams) -> Result<(), Error> {
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
    if let Some(cell) = params.cell_arcsec.filter(|c| !(c.is_finite() && *c > 0.0)) {
        return Err(bad("cell_arcsec", "a positive number", cell));
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

/// What follows from the inputs before any visibility is read.
struct Setup {
    centre: RaDec,
    column: Column,
    telescope: String,
    observatory: Observatory,
    earth: EarthOrientation,
    /// Windows of each input.
    windows: Vec<Vec<usize>>,
    channels: Vec<(f64, f64)>,
    cell_rad: f64,
    imsize: [usize; 2],
    beam: Beam,
    weighting: Weighting,
}

impl Setup {
    fn of(inputs: &[&dyn Input], params: &ImageParams) -> Result<Self, Error> {
        let first = inputs[0].meta();
        let windows = inputs.iter().map(|i| windows(*i, params)).collect::<Result<Vec<_>, _>>()?;
        let channels = channels(first, &windows[0]);
        for (input, own) in inputs.iter().zip(&windows) {
            if !same_channels(&channels, &self::channels(input.meta(), own)) {
                let found = input.meta().path.display().to_string();
                return Err(bad(
                    "ms",
                    format!("the frequencies of {}", first.path.display()),
                    format!("others in {found}"),
                ));
            }
        }
        let column = column(inputs, params)?;
        let centre = match params.centre_deg {
            Some([ra, dec]) if ra.is_finite() && dec.abs() <= 90.0 => RaDec::from_deg(ra, dec),
            Some(found) => {
                return Err(bad("centre_deg", "right ascension and declination", format!("{found:?}")))
            }
            None => middle_of_fields(inputs, params)?,
        };
        let beam = match params.dish_diameter_m {
            Some(diameter) => Beam::Airy(Airy::new(diameter)?),
            None => Beam::for_telescope(&first.telescope)?,
        };
        let observatory = if first.telescope_is_known() {
            Observatory::dsa110()
        } else {
            let itrf = first.antennas.first().map_or([f64::NAN; 3], |a| a.itrf_m);
            Observatory::from_itrf(itrf)?
        };
        let cell_rad = match params.cell_arcsec {
            Some(cell) => (cell / 3600.0).to_radians(),
            None => auto_cell(inputs[0], &windows[0])?,
        };
        let middle_hz = channels[channels.len() / 2].0;
        let imsize = params.imsize.unwrap_or_else(|| auto_size(&beam, middle_hz, params.pblimit, cell_rad));
        let setup = Self {
            centre,
            column,
            telescope: first.telescope.clone(),
            observatory,
            earth: EarthOrientation::current()?,
            windows,
            channels,
            cell_rad,
            imsize,
            beam,
            weighting: weighting(params)?,
        };
        setup.check_fields(inputs, params)?;
        setup.check_memory(inputs, params)?;
        Ok(setup)
    }

    /// Fields outside the image belong to another tile.
    fn check_fields(&self, inputs: &[&dyn Input], params: &ImageParams) -> Result<(), Error> {
        let reach = 0.5 * self.cell_rad * self.imsize[0].max(self.imsize[1]) as f64;
        let allowed = reach.max(2f64.to_radians());
        for input in inputs {
            for (k, field) in input.meta().fields.iter().enumerate() {
                let used = params.fields.as_ref().is_none_or(|f| f.contains(&(k as u32)));
                let away = field.centre.separation_rad(self.centre);
                if used && away > allowed {
                    let expected =
                        format!("phase centres within {:.2} degrees of the image's", allowed.to_degrees());
                    let found = format!(
                        "field {k} of {} at {:.2} degrees",
                        input.meta().path.display(),
                        away.to_degrees()
                    );
                    return Err(bad("ms", expected, found));
                }
            }
        }
        Ok(())
    }

    fn rows(&self, inputs: &[&dyn Input]) -> usize {
        let of = |(input, own): (&&dyn Input, &Vec<usize>)| {
            own.iter().map(|w| input.n_rows(*w)).max().unwrap_or(0)
        };
        inputs.iter().zip(&self.windows).map(of).sum::<u64>() as usize
    }

    /// Visibilities, weights and predicted visibilities, and a dozen planes.
    fn check_memory(&self, inputs: &[&dyn Input], params: &ImageParams) -> Result<(), Error> {
        let vis = self.rows(inputs) as f64 * self.channels.len() as f64;
        let pixels = self.imsize[0] as f64 * self.imsize[1] as f64;
        let needed_gb = (vis * 20.0 + pixels * 4.0 * 14.0) / 1e9;
        if needed_gb > params.max_memory_gb {
            let what = format!("{vis:.2e} visibilities and {} x {} pixels", self.imsize[0], self.imsize[1]);
            let allowed_gb = params.max_memory_gb;
            return Err(crate::imaging::Error::Memory { what, needed_gb, allowed_gb }.into());
        }
        Ok(())
    }

    fn gather(
        &self,
        inputs: &[&dyn Input],
        params: &ImageParams,
        control: &Control,
    ) -> Result<Visibilities, Error> {
        let uv_range = params.uvrange.map_or(UvRange::default(), |[min, max]| UvRange { min, max });
        let rows = self.rows(inputs);
        let mut gatherer = Gatherer::new(self.centre, &self.channels, rows, uv_range, self.earth.clone())?;
        for (input, own) in inputs.iter().zip(&self.windows) {
            let meta = input.meta();
            let antenna_itrf_m: Vec<[f64; 3]> = meta.antennas.iter().map(|a| a.itrf_m).collect();
            let field_centre: Vec<RaDec> = meta.fields.iter().map(|f| f.centre).collect();
            let site = Site {
                antenna_itrf_m: &antenna_itrf_m,
                observatory: self.observatory,
                field_centre: &field_centre,
            };
            for window in own {
                let blocks = input.row_blocks(*window);
                control.expect(blocks.len() as u64);
                for rows in blocks {
                    control.check()?;
                    let mut request = ReadRequest::new(*window, self.column).rows(rows);
                    request.fields.clone_from(&params.fields);
                    request.without_autos = true;
                    gatherer.add(&input.read(&request)?, &site, control)?;
                    control.advance(1);
                }
            }
        }
        Ok(gatherer.finish(self.column.name())?)
    }

    fn imaging(&self, vis: &Visibilities, params: &ImageParams) -> Result<ImagingParams, Error> {
        let [nx, ny] = self.imsize;
        let wcs = Wcs::centred(self.centre, nx, ny, self.cell_rad);
        let mask_yx = params.mask.as_ref().map(|path| read_mask(path, &wcs, [nx, ny])).transpose()?;
        let clean = CleanParams {
            niter: params.niter,
            max_major: params.max_major,
            gain: params.gain,
            mgain: params.mgain,
            threshold_jy: params.threshold_jy,
            nsigma: params.nsigma,
            cycle_factor: params.cycle_factor,
            auto_mask: (params.auto_mask > 0.0).then_some(params.auto_mask),
            mask_yx,
            non_negative: params.non_negative,
        };
        Ok(ImagingParams {
            centre: self.centre,
            grid: GridOptions {
                nx,
                ny,
                cell_rad: self.cell_rad,
                epsilon: params.epsilon,
                slant: None,
                max_memory_bytes: None,
            },
            weighting: self.weighting,
            tapers: taper(params)?,
            clean,
            beam: self.beam.clone(),
            pointings: drift_pointings(&vis.times, &self.observatory, &self.earth)?,
            pb_limit: params.pblimit,
            subbands: params.subbands,
            sefd_jy: params.sefd_jy,
        })
    }

    fn report(&self, images: &Images, params: &ImageParams) -> ImageReport {
        let arcsec = |rad: f64| rad.to_degrees() * 3600.0;
        let b = &images.beam;
        let peak_jy = f64::from(images.restored_yx.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        let cycles = &images.clean.cycles;
        ImageReport {
            products: BTreeMap::new(),
            subbands: Vec::new(),
            datacolumn: self.column.name(),
            centre_deg: [self.centre.ra_deg(), self.centre.dec_deg()],
            imsize: self.imsize,
            cell_arcsec: arcsec(self.cell_rad),
            beam: BeamReport {
                major_arcsec: arcsec(b.major_rad),
                minor_arcsec: arcsec(b.minor_rad),
                pa_deg: b.pa_rad.to_degrees(),
            },
            freq_hz: images.freq_hz,
            bandwidth_hz: images.bandwidth_hz,
            mjd: f64::NAN,
            rms_jy: images.noise.measured_jy,
            expected_rms_jy: images.noise.expected_jy,
            peak_jy,
            dynamic_range: peak_jy / images.noise.measured_jy,
            outcome: images.clean.outcome,
            n_major: cycles.len(),
            iterations: images.clean.iterations,
            model_flux_jy: images.model_yx.iter().map(|f| f64::from(*f)).sum(),
            epsilon: params.epsilon,
            epsilon_reached: images.epsilon_reached,
            visibilities: images.visibilities,
            timings: images.timings.clone(),
        }
    }
}

fn windows(input: &dyn Input, params: &ImageParams) -> Result<Vec<usize>, Error> {
    let all = input.windows();
    let chosen: Vec<usize> = match &params.spws {
        None => all,
        Some(wanted) => {
            if let Some(missing) = wanted.iter().find(|w| !all.contains(w)) {
                return Err(bad("spws", format!("windows with data: {all:?}"), missing));
            }
            all.into_iter().filter(|w| wanted.contains(w)).collect()
        }
    };
    if chosen.is_empty() {
        return Err(bad("ms", "rows of at least one spectral window", input.meta().path.display()));
    }
    Ok(chosen)
}

fn channels(meta: &Meta, windows: &[usize]) -> Vec<(f64, f64)> {
    let spws = windows.iter().map(|w| &meta.spws[*w]);
    spws.flat_map(|s| s.freq_hz.iter().copied().zip(s.width_hz.iter().copied())).collect()
}

fn same_channels(a: &[(f64, f64)], b: &[(f64, f64)]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(p, q)| (p.0 - q.0).abs() < 1.0)
}

fn column(inputs: &[&dyn Input], params: &ImageParams) -> Result<Column, Error> {
    let has = |c: Column| inputs.iter().all(|i| i.meta().has_column(c.name()));
    let column = match params.datacolumn.as_str() {
        "auto" if has(Column::Corrected) => Column::Corrected,
        "auto" => Column::Data,
        name => Column::from_name(name)
            .ok_or_else(|| bad("datacolumn", "auto, corrected, data or model", name))?,
    };
    if has(column) {
        return Ok(column);
    }
    Err(bad("datacolumn", format!("{} in every Measurement Set", column.name()), "one without it"))
}

fn middle_of_fields(inputs: &[&dyn Input], params: &ImageParams) -> Result<RaDec, Error> {
    let mut sum = [0.0; 3];
    for input in inputs {
        for (k, field) in input.meta().fields.iter().enumerate() {
            if params.fields.as_ref().is_none_or(|f| f.contains(&(k as u32))) {
                let unit = field.centre.unit();
                sum = std::array::from_fn(|i| sum[i] + unit[i]);
            }
        }
    }
    if sum.iter().all(|v| v.abs() < 1e-9) {
        return Err(bad("fields", "fields of the Measurement Sets", format!("{:?}", params.fields)));
    }
    Ok(RaDec::from_vector(sum))
}

fn weighting(params: &ImageParams) -> Result<Weighting, Error> {
    match params.weighting.as_str() {
        "natural" => Ok(Weighting::Natural),
        "uniform" => Ok(Weighting::Uniform),
        "briggs" if (-2.0..=2.0).contains(&params.robust) => Ok(Weighting::Briggs { robust: params.robust }),
        "briggs" => Err(bad("robust", "-2 to 2", params.robust)),
        other => Err(bad("weighting", "natural, uniform or briggs", other)),
    }
}

fn taper(params: &ImageParams) -> Result<Vec<Taper>, Error> {
    match params.taper_arcsec {
        None => Ok(Vec::new()),
        Some(arcsec) if arcsec.is_finite() && arcsec > 0.0 => {
            Ok(vec![Taper::Gaussian { fwhm_rad: (arcsec / 3600.0).to_radians() }])
        }
        Some(found) => Err(bad("taper_arcsec", "a positive number", found)),
    }
}

/// A fifth of the finest fringe of the first rows, to a tenth of an arcsecond below.
fn auto_cell(input: &dyn Input, windows: &[usize]) -> Result<f64, Error> {
    let window = windows[windows.len() - 1];
    let mut request = ReadRequest::new(window, Column::Data).rows(0..input.n_rows(window).min(8192));
    request.without_autos = true;
    if !input.meta().has_column(Column::Data.name()) {
        request.column = Column::Corrected;
    }
    let block = input.read(&request)?;
    let longest = block.rows.uvw_m.iter().map(|[u, v, _]| u.hypot(*v)).fold(0.0, f64::max);
    let top_hz = block.channels.freq_hz.last().copied().unwrap_or(f64::NAN);
    if !(longest > 0.0) {
        return Err(bad("cell_arcsec", "a pixel size, since no baseline tells it", "none"));
    }
    let fringe_arcsec = (SPEED_OF_LIGHT_M_S / top_hz / longest).to_degrees() * 3600.0;
    let cell = ((fringe_arcsec / 5.0 * 10.0).floor() / 10.0).clamp(0.1, 60.0);
    Ok((cell / 3600.0).to_radians())
}

/// A square that reaches to the beam's limit, of a size that transforms quickly.
fn auto_size(beam: &Beam, freq_hz: f64, limit: f32, cell_rad: f64) -> [usize; 2] {
    let step = 1e-4f64;
    // An isotropic beam never falls to the limit: 3.5 degrees then.
    let reach = (1..800)
        .map(|i| step * f64::from(i))
        .find(|r| beam.power(r.sin().powi(2), freq_hz) < f64::from(limit))
        .unwrap_or_else(|| 1.75f64.to_radians());
    let least = (2.0 * reach / cell_rad).ceil().clamp(64.0, 32768.0) as usize;
    let smooth = |mut n: usize| {
        for p in [2, 3, 5] {
            while n.is_multiple_of(p) {
                n /= p;
            }
        }
        n == 1
    };
    let n = (least..).find(|n| n.is_multiple_of(2) && smooth(*n)).unwrap_or(least);
    [n, n]
}

fn read_mask(path: &Path, wcs: &Wcs, imsize: [usize; 2]) -> Result<ndarray::Array2<bool>, Error> {
    let plane = read_plane(path)?;
    let (ny, nx) = plane.data_yx.dim();
    if [nx, ny] != imsize {
        return Err(bad(
            "mask",
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
        return Err(bad("mask", expected, found));
    }
    Ok(plane.data_yx.mapv(|v| v.is_finite() && v != 0.0))
}
