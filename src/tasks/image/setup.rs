//! What follows from the inputs before any visibility is read, and the visibilities.

use std::collections::BTreeMap;
use std::ops::Range;

use super::super::beam;
use super::super::input::Input;
use super::mask::{allowed, start};
use super::report::BeamReport;
use super::{bad, choice, ImageParams, ImageReport};
use crate::beam::Beam;
use crate::control::Control;
use crate::coords::{Observatory, RaDec};
use crate::gridding::weighting::Weighting;
use crate::imaging::{
    drift_pointings, fitted_slant, BrightParams, CleanParams, Gatherer, GridOptions, Images, ImagingParams,
    JointParams, Outputs, Site, Stokes, UvRange, Visibilities, Window,
};
use crate::ms::{Column, ReadRequest};
use crate::time::EarthOrientation;
use crate::vis::Samples;
use crate::Error;

/// What follows from the inputs before any visibility is read.
pub(super) struct Setup {
    centre: RaDec,
    pub(super) column: Column,
    pub(super) telescope: String,
    observatory: Observatory,
    /// The dishes stand still while the sky goes by.
    drifts: bool,
    earth: EarthOrientation,
    /// Windows of each input.
    windows: Vec<Vec<usize>>,
    channels: Vec<(f64, f64)>,
    cell_rad: f64,
    imsize: [usize; 2],
    beam: Beam,
    weighting: Weighting,
    stokes: Stokes,
}

impl Setup {
    pub(super) fn of(inputs: &[&dyn Input], params: &ImageParams) -> Result<Self, Error> {
        let first = inputs[0].meta();
        let windows = inputs.iter().map(|i| choice::windows(*i, params)).collect::<Result<Vec<_>, _>>()?;
        let channels = choice::channels(first, &windows[0]);
        for (input, own) in inputs.iter().zip(&windows) {
            if !choice::same_channels(&channels, &choice::channels(input.meta(), own)) {
                let found = input.meta().path.display().to_string();
                return Err(bad(
                    "ms",
                    format!("the frequencies of {}", first.path.display()),
                    format!("others in {found}"),
                ));
            }
        }
        let column = choice::column(inputs, params)?;
        let centre = match params.centre_deg {
            Some([ra, dec]) if ra.is_finite() && dec.abs() <= 90.0 => RaDec::from_deg(ra, dec),
            Some(found) => {
                return Err(bad("centre_deg", "right ascension and declination", format!("{found:?}")))
            }
            None => choice::middle_of_fields(inputs, params)?,
        };
        let beam = beam::choose(&first.telescope, params.dish_diameter_m, params.beam.as_deref())?;
        let observatory = if first.telescope_is_known() {
            Observatory::dsa110()
        } else {
            let itrf = first.antennas.first().map_or([f64::NAN; 3], |a| a.itrf_m);
            Observatory::from_itrf(itrf)?
        };
        let cell_rad = params.coarsen
            * match params.cell_arcsec {
                Some(cell) => (cell / 3600.0).to_radians(),
                None => choice::auto_cell(inputs[0], &windows[0])?,
            };
        let middle_hz = channels[channels.len() / 2].0;
        let imsize = params.imsize.map_or_else(
            || choice::auto_size(&beam, middle_hz, params.pblimit, cell_rad),
            |size| size.map(|n| choice::coarser(n, params.coarsen)),
        );
        let setup = Self {
            centre,
            column,
            telescope: first.telescope.clone(),
            observatory,
            drifts: first.telescope_is_known(),
            earth: EarthOrientation::current()?,
            windows,
            channels,
            cell_rad,
            imsize,
            beam,
            weighting: choice::weighting(params)?,
            stokes: choice::stokes(params)?,
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

    /// Visibilities, weights, their compressed form with its matrices and that of the wider field; some sixteen planes and three a subband.
    fn check_memory(&self, inputs: &[&dyn Input], params: &ImageParams) -> Result<(), Error> {
        let vis = self.rows(inputs) as f64 * self.channels.len() as f64;
        let pixels = self.imsize[0] as f64 * self.imsize[1] as f64;
        // Transforms of 2 n - 1 padded psfs, psfs of every scale, images by term.
        let n = params.nterms as f64;
        let scales = if params.multiscale { params.scales.len().max(5) as f64 } else { 1.0 };
        let joint = if params.nterms > 1 || params.multiscale {
            (2.0 * n - 1.0) * (4.5 + scales) + 9.0 + 8.0 * n
        } else {
            0.0
        };
        let planes = 16.0 + joint + 3.0 * params.subbands as f64;
        let needed_gb = (vis * 28.0 + pixels * 4.0 * planes) / 1e9;
        if needed_gb > params.max_memory_gb {
            let what = format!("{vis:.2e} visibilities and {} x {} pixels", self.imsize[0], self.imsize[1]);
            let allowed_gb = params.max_memory_gb;
            return Err(crate::imaging::Error::Memory { what, needed_gb, allowed_gb }.into());
        }
        Ok(())
    }

    pub(super) fn gather(
        &self,
        inputs: &[&dyn Input],
        params: &ImageParams,
        control: &Control,
    ) -> Result<Visibilities, Error> {
        let uv_range = params.uvrange.map_or(UvRange::default(), |[min, max]| UvRange { min, max });
        let rows = self.rows(inputs);
        let mut gatherer = Gatherer::new(self.centre, &self.channels, rows, uv_range, self.earth.clone())?;
        gatherer = gatherer.with_stokes(self.stokes);
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
                if params.fields.is_none() {
                    if let Some(files) = input.window_files(*window, self.column, false)? {
                        control.expect(1);
                        let whole = Window {
                            rows: files.rows(),
                            channels: &files.channels,
                            products: &files.products,
                        };
                        let read = |rows: &[Range<usize>], samples: &mut Samples| -> Result<(), Error> {
                            files.read(rows, samples).map(|_| ()).map_err(Error::from)
                        };
                        gatherer.add_pieces(&whole, &site, read, control)?;
                        control.advance(1);
                        continue;
                    }
                }
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

    /// The array's dishes stand on the meridian; those of a telescope that is not ours are taken to track their phase centre.
    pub(super) fn pointings(&self, vis: &Visibilities) -> Result<Vec<RaDec>, Error> {
        if !self.drifts {
            return Ok(vis.times.iter().map(|bin| bin.field_centre).collect());
        }
        Ok(drift_pointings(&vis.times, &self.observatory, &self.earth)?)
    }

    pub(super) fn imaging(
        &self,
        vis: &Visibilities,
        params: &ImageParams,
        outputs: Outputs,
    ) -> Result<ImagingParams, Error> {
        let [nx, ny] = self.imsize;
        // The plane of w decides where a direction lies on the image: it is fitted here, so that masks and models know it.
        let slant = fitted_slant(vis);
        let grid = GridOptions {
            nx,
            ny,
            cell_rad: self.cell_rad,
            epsilon: params.epsilon,
            slant: Some(slant),
            field_rad: 0.0,
            max_memory_bytes: Some((params.max_memory_gb * 1e9) as usize),
        };
        let wcs = grid.wcs(self.centre, slant);
        let mask_yx = allowed(params, &wcs, [nx, ny])?;
        let start_yx = start(params, &wcs, [nx, ny])?;
        let clean = CleanParams {
            niter: params.niter,
            max_major: params.max_major,
            gain: params.gain,
            mgain: params.mgain,
            threshold_jy: params.threshold_jy,
            nthermal: params.nthermal,
            nsigma: params.nsigma,
            deep_sigma: params.deep_sigma,
            cycle_factor: params.cycle_factor,
            auto_mask: (params.auto_mask > 0.0).then_some(params.auto_mask),
            mask_yx,
            non_negative: params.non_negative,
            negative_seeds: self.stokes != Stokes::I,
            ..CleanParams::default()
        };
        Ok(ImagingParams {
            centre: self.centre,
            grid,
            weighting: self.weighting,
            tapers: choice::tapers(params)?,
            bright: BrightParams {
                // A polarised source may be negative: CLEAN takes it.
                sigma: (params.bright_sigma > 0.0 && self.stokes == Stokes::I).then_some(params.bright_sigma),
                outliers: params
                    .outliers_deg
                    .iter()
                    .flatten()
                    .map(|[ra, dec]| RaDec::from_deg(*ra, *dec))
                    .collect(),
                search_outside: params.outliers,
                ..BrightParams::default()
            },
            start_yx,
            clean,
            joint: JointParams {
                nterms: params.nterms,
                multiscale: params.multiscale,
                scales_beams: params.scales.clone(),
                scale_bias: params.scale_bias,
            },
            beam: self.beam.clone(),
            pointings: self.pointings(vis)?,
            pb_limit: params.pblimit,
            subbands: params.subbands,
            sefd_jy: params.sefd_jy,
            outputs,
        })
    }

    pub(super) fn report(&self, images: &Images, params: &ImageParams) -> ImageReport {
        let arcsec = |rad: f64| rad.to_degrees() * 3600.0;
        let b = &images.beam;
        let peak_jy = f64::from(images.peak_jy());
        let cycles = &images.clean.cycles;
        ImageReport {
            products: BTreeMap::new(),
            snapshots: Vec::new(),
            subbands: Vec::new(),
            terms: Vec::new(),
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
            noise_used_jy: images.noise.used_jy,
            peak_jy,
            dynamic_range: peak_jy / images.noise.measured_jy,
            outcome: images.clean.outcome,
            cycles: cycles.clone(),
            n_major: cycles.len(),
            iterations: images.clean.iterations,
            model_flux_jy: images.model_yx.iter().map(|f| f64::from(*f)).sum(),
            epsilon: params.epsilon,
            epsilon_reached: images.epsilon_reached,
            bright: images.bright.clone(),
            surroundings: images.surroundings.clone(),
            visibilities: images.visibilities,
            timings: images.timings.clone(),
        }
    }
}
