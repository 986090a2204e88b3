//! One group: everything that its subbands share, and the visibilities of each.

use ndarray::{Array3, Axis};
use num_complex::Complex32;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use super::gains::generator;
use super::params::CATALOGUE_HZ;
use super::{rfi, Error, Gains, GroupParams, RfiEvent, SourceTruth, Truth};
use crate::array::AntennaTable;
use crate::beam::Beam;
use crate::constants::{channel_frequency_hz, CHANNELS_PER_SUBBAND, CHANNEL_WIDTH_HZ, SECONDS_PER_DAY};
use crate::control::Control;
use crate::coords::{ApparentFrame, Observatory, UvwBasis};
use crate::kind::BadArgument;
use crate::predict::{predict_snapshot, SkyBand, Snapshot, Window};
use crate::source::SkyModel;
use crate::time::EarthOrientation;
use crate::vis::{Channels, Rows};

/// Samples that the correlator averages into one visibility of the full grid, its `nsamples`.
const SAMPLES: f64 = 768.0;

/// A group ready to be computed, subband by subband.
pub struct Group {
    params: GroupParams,
    /// Subbands by ascending frequency.
    subbands: Vec<usize>,
    stations: Vec<u32>,
    /// Index of each simulated antenna in the full table.
    table_index: Vec<u32>,
    antenna_m: Vec<[f64; 3]>,
    dead: Vec<bool>,
    /// Local antenna pairs, in the correlator's order: each antenna with all before it and itself.
    pairs: Vec<[u32; 2]>,
    basis: UvwBasis,
    time_mjd_s: Vec<f64>,
    frames: Vec<ApparentFrame>,
    /// The sky at the middle of the group.
    middle: ApparentFrame,
    sky: SkyModel,
    beam: Beam,
    gains: Gains,
    rfi: Vec<RfiEvent>,
}

impl Group {
    /// `gains` overrides what `params.gains` would draw; its axes must fit the stations, channels and times.
    ///
    /// # Errors
    /// Parameters that make no sense; a station that is not in the table; gains of another shape.
    pub fn new(params: GroupParams, table: &AntennaTable, gains: Option<Gains>) -> Result<Self, Error> {
        params.check()?;
        let chosen = match &params.stations {
            Some(stations) => table.select(stations)?,
            None => table.active()?,
        };
        let stations: Vec<u32> = chosen.antennas().iter().map(|a| a.station).collect();
        let table_index = stations.iter().filter_map(|s| table.index_of(*s)).map(|i| i as u32).collect();
        if let Some(unknown) = params.dead.iter().find(|s| !stations.contains(s)) {
            return Err(BadArgument::new("dead", "stations of the simulated array", unknown).into());
        }
        let mut subbands = params.subbands.clone();
        subbands.sort_unstable_by(|a, b| b.cmp(a));
        let site = Observatory::dsa110();
        let earth = EarthOrientation::current().map_err(crate::coords::Error::from)?;
        let time_mjd_s: Vec<f64> = (0..params.integrations)
            .map(|t| params.start_mjd_s + params.interval_s * (t as f64 + 0.5))
            .collect();
        let frames: Vec<ApparentFrame> =
            time_mjd_s.par_iter().map(|t| ApparentFrame::new(*t, &site, &earth)).collect::<Result<_, _>>()?;
        let half_s = 0.5 * params.interval_s * params.integrations as f64;
        let middle = ApparentFrame::new(params.start_mjd_s + half_s, &site, &earth)?;
        let n = stations.len();
        let mut group = Self {
            dead: stations.iter().map(|s| params.dead.contains(s)).collect(),
            pairs: (0..n as u32).flat_map(|i| (0..=i).map(move |j| [j, i])).collect(),
            basis: UvwBasis::meridian(site.longitude_rad, params.dec_deg.to_radians()),
            sky: SkyModel { sources: params.sources.iter().map(super::SimSource::to_source).collect() },
            beam: params.beam.beam(),
            rfi: params.rfi.draw(
                params.seed,
                params.epoch,
                params.integrations,
                subbands.len() * params.channels,
            ),
            gains: Gains::unity(0, 0, 0),
            antenna_m: chosen.itrf_m(),
            params,
            subbands,
            stations,
            table_index,
            time_mjd_s,
            frames,
            middle,
        };
        group.gains = group.choose_gains(gains)?;
        // Refuse bad sources now rather than after the first subband.
        SkyBand::new(&group.sky, &[CATALOGUE_HZ])?;
        Ok(group)
    }

    fn choose_gains(&self, given: Option<Gains>) -> Result<Gains, Error> {
        let (a, f, t) =
            (self.stations.len(), self.subbands.len() * self.params.channels, self.time_mjd_s.len());
        let Some(given) = given else {
            return Ok(match &self.params.gains {
                Some(gains) => {
                    let (seed, epoch) = (self.params.seed, self.params.epoch);
                    Gains::random(gains, seed, epoch, &self.stations, &self.freq_hz(), &self.time_mjd_s)
                }
                None => Gains::unity(a, f, t),
            });
        };
        let found = (given.bandpass_apf.dim(), given.gain_apt.dim());
        if found != ((a, 2, f), (a, 2, t)) || given.delay_ns.len() != a {
            let expected = format!("bandpass_apf {:?} and gain_apt {:?}", (a, 2, f), (a, 2, t));
            return Err(BadArgument::new("gains", expected, format!("{found:?}")).into());
        }
        Ok(given)
    }

    /// The parameters.
    pub fn params(&self) -> &GroupParams {
        &self.params
    }

    /// Subbands by ascending frequency.
    pub fn subbands(&self) -> &[usize] {
        &self.subbands
    }

    /// The gains that were put on.
    pub fn gains(&self) -> &Gains {
        &self.gains
    }

    #[cfg(test)]
    pub(super) fn pairs_for_tests(&self) -> &[[u32; 2]] {
        &self.pairs
    }

    /// Channels of a subband, ascending.
    pub fn channels(&self, subband: usize) -> Channels {
        let wide = CHANNELS_PER_SUBBAND / self.params.channels;
        let centre = |c: usize| {
            let first = channel_frequency_hz(subband, (c + 1) * wide - 1);
            0.5 * (first + channel_frequency_hz(subband, c * wide))
        };
        let freq_hz: Vec<f64> = (0..self.params.channels).rev().map(centre).collect();
        Channels { spw: 0, width_hz: vec![CHANNEL_WIDTH_HZ * wide as f64; freq_hz.len()], freq_hz }
    }

    /// All channels, ascending.
    pub fn freq_hz(&self) -> Vec<f64> {
        self.subbands.iter().flat_map(|s| self.channels(*s).freq_hz).collect()
    }

    /// Rows of all times (time-major); antennas are indices into the full table, field is the time.
    pub fn rows(&self) -> Rows {
        let mut rows = Rows::default();
        let uvw: Vec<[f64; 3]> = self
            .pairs
            .iter()
            .map(|[i, j]| self.basis.baseline_uvw_m(self.antenna_m[*i as usize], self.antenna_m[*j as usize]))
            .collect();
        for (t, time) in self.time_mjd_s.iter().enumerate() {
            for ([i, j], uvw) in self.pairs.iter().zip(&uvw) {
                rows.time_mjd_s.push(*time);
                rows.interval_s.push(self.params.interval_s);
                rows.antenna1.push(self.table_index[*i as usize]);
                rows.antenna2.push(self.table_index[*j as usize]);
                rows.field.push(t as u32);
                rows.uvw_m.push(*uvw);
            }
        }
        rows
    }

    /// `nsamples` of every visibility.
    pub fn samples(&self) -> f32 {
        (SAMPLES * (CHANNELS_PER_SUBBAND / self.params.channels) as f64) as f32
    }

    /// Standard deviation of the noise in one real component of a cross-correlation \[Jy\]:
    /// `SEFD / sqrt(2 bandwidth time)`.
    pub fn noise_sigma_jy(&self) -> f64 {
        let width = CHANNEL_WIDTH_HZ * (CHANNELS_PER_SUBBAND / self.params.channels) as f64;
        self.params.sefd_jy / (2.0 * width * self.params.interval_s).sqrt()
    }

    /// Visibilities of one subband `(row, channel, XX and YY)`, rows as [`Group::rows`].
    ///
    /// # Errors
    /// A subband that is not part of the group; cancellation.
    pub fn subband(&self, subband: usize, control: &Control) -> Result<Array3<Complex32>, Error> {
        let Some(place) = self.subbands.iter().position(|s| *s == subband) else {
            return Err(BadArgument::new("subband", format!("one of {:?}", self.subbands), subband).into());
        };
        let channels = self.channels(subband);
        let band = self.band(&channels)?;
        let rows = self.pairs.len();
        let mut vis_rfp = Array3::zeros((rows * self.time_mjd_s.len(), channels.freq_hz.len(), 2));
        vis_rfp.axis_chunks_iter_mut(Axis(0), rows).into_par_iter().enumerate().try_for_each(
            |(t, mut chunk)| {
                control.check()?;
                let Some(out) = chunk.as_slice_mut() else { return Ok(()) };
                let stokes_i = self.stokes_i(&band, &channels, t, control)?;
                self.corrupt(&stokes_i, out, t, place, subband);
                Ok::<(), Error>(())
            },
        )?;
        Ok(vis_rfp)
    }

    /// Fluxes on a set of channels at the middle of the group, light curves included.
    fn band<'a>(&'a self, channels: &'a Channels) -> Result<SkyBand<'a>, Error> {
        let mut band = SkyBand::new(&self.sky, &channels.freq_hz)?;
        let mjd = self.mid_mjd();
        for (s, source) in self.params.sources.iter().enumerate() {
            if let Some(variability) = &source.variability {
                band.modulate(s, |f| variability.factor(mjd, f));
            }
        }
        Ok(band)
    }

    fn mid_mjd(&self) -> f64 {
        self.middle.time_mjd_s / SECONDS_PER_DAY
    }

    fn stokes_i(
        &self,
        band: &SkyBand<'_>,
        channels: &Channels,
        t: usize,
        control: &Control,
    ) -> Result<Vec<Complex32>, Error> {
        let pointing = self.basis.rows[2];
        let now = band.at(&self.frames[t], &self.beam, pointing);
        let snapshot = Snapshot {
            antenna_m: &self.antenna_m,
            pairs: &self.pairs,
            centre: pointing,
            pointing,
            directions: &now.directions,
            gaussians: &now.gaussians,
            flux_sf_jy: &now.flux_sf_jy,
        };
        let window = Window {
            freq_hz: &channels.freq_hz,
            smear_s: self.params.smear.then_some(self.params.interval_s),
            smear_hz: self.params.smear.then_some(channels.width_hz[0]),
            accuracy: self.params.accuracy,
        };
        let mut out = vec![Complex32::default(); self.pairs.len() * channels.freq_hz.len()];
        predict_snapshot(&snapshot, &window, &mut out, control)?;
        Ok(out)
    }

    /// Gains, system power on the autocorrelations, noise and interference; zeros for dead antennas.
    fn corrupt(&self, stokes_i: &[Complex32], out: &mut [Complex32], t: usize, place: usize, subband: usize) {
        let channels = self.params.channels;
        let units = self.params.units_per_jy;
        let gains = self.gains.at(t, place * channels, channels, units.sqrt());
        let sigma = (self.noise_sigma_jy() * units) as f32;
        let sefd = self.params.sefd_jy as f32;
        let stream = (subband * self.time_mjd_s.len() + t) as u64;
        let mut rng =
            generator(self.params.seed, (self.params.epoch + 1) ^ (1 << 63), self.start_tag() ^ stream);
        for (row, [i, j]) in self.pairs.iter().enumerate() {
            let out = &mut out[row * channels * 2..][..channels * 2];
            let (i, j) = (*i as usize, *j as usize);
            if self.dead[i] || self.dead[j] {
                out.fill(Complex32::default());
                continue;
            }
            let system = if i == j { sefd } else { 0.0 };
            for p in 0..2 {
                let g_i = &gains[(i * 2 + p) * channels..][..channels];
                let g_j = &gains[(j * 2 + p) * channels..][..channels];
                for f in 0..channels {
                    let sky = stokes_i[row * channels + f] + system;
                    out[f * 2 + p] = g_i[f] * sky * g_j[f].conj();
                }
            }
            self.interfere(out, [row, i, j], t, place * channels, units as f32);
            if sigma > 0.0 {
                add_noise(out, sigma, i == j, &mut rng);
            }
        }
    }

    /// Keeps the noise of two groups of one epoch apart.
    fn start_tag(&self) -> u64 {
        (self.params.start_mjd_s.round() as u64) << 20
    }

    fn interfere(&self, out: &mut [Complex32], [row, i, j]: [usize; 3], t: usize, first: usize, units: f32) {
        for (e, event) in self.rfi.iter().enumerate() {
            let hit = event.channels_at(t);
            let (low, high) = (hit.start.max(first), hit.end.min(first + self.params.channels));
            if low >= high || !event.reaches(distance(self.antenna_m[i], self.antenna_m[j])) {
                continue;
            }
            let strength = event.strength_jy as f32 * units;
            let value =
                if i == j { Complex32::new(strength, 0.0) } else { rfi::phasor(e, row, t) * strength };
            for v in &mut out[(low - first) * 2..(high - first) * 2] {
                *v += value;
            }
        }
    }

    /// What went in. `files` is left empty.
    pub fn truth(&self) -> Truth {
        let freq_hz = self.freq_hz();
        let mjd = self.mid_mjd();
        let pointing = self.middle.icrs_of_direction(self.basis.rows[2]);
        let sources = self.params.sources.par_iter().zip(&self.sky.sources).map(|(source, model)| {
            let factor = |f: f64| source.variability.as_ref().map_or(1.0, |v| v.factor(mjd, f));
            let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
            let flux: Vec<f64> = freq_hz.iter().map(|f| model.spectrum.flux_at_jy(*f) * factor(*f)).collect();
            let beam = self.frames.iter().map(|frame| {
                let mut power = vec![1.0; freq_hz.len()];
                self.beam.attenuate(
                    frame.direction(model.position),
                    self.basis.rows[2],
                    &freq_hz,
                    &mut power,
                );
                mean(&power)
            });
            SourceTruth {
                name: source.name.clone(),
                ra_deg: source.ra_deg,
                dec_deg: source.dec_deg,
                flux_1400_jy: source.flux_jy * factor(CATALOGUE_HZ),
                flux_band_jy: mean(&flux),
                factor: factor(CATALOGUE_HZ),
                beam: mean(&beam.collect::<Vec<f64>>()),
            }
        });
        Truth {
            params: self.params.clone(),
            time_mjd_s: self.time_mjd_s.clone(),
            stations: self.stations.clone(),
            pointing_ra_deg: pointing.ra_deg(),
            pointing_dec_deg: pointing.dec_deg(),
            sources: sources.collect(),
            delay_ns: self.gains.delay_ns.clone(),
            rfi: self.rfi.clone(),
            noise_sigma_jy: self.noise_sigma_jy(),
            files: Vec::new(),
            freq_hz,
        }
    }
}

fn add_noise(out: &mut [Complex32], sigma: f32, auto: bool, rng: &mut ChaCha8Rng) {
    let mut draw = || -> f32 { StandardNormal.sample(rng) };
    for v in out {
        if auto {
            // An autocorrelation is real: twice the variance of one component of a cross-correlation.
            v.re += sigma * std::f32::consts::SQRT_2 * draw();
        } else {
            *v += Complex32::new(sigma * draw(), sigma * draw());
        }
    }
}

fn distance(a: [f64; 3], b: [f64; 3]) -> f64 {
    a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum::<f64>().sqrt()
}
