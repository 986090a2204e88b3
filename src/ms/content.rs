//! What a new Measurement Set holds, and its subtables.

use num_complex::Complex32;

use super::error::Error;
use super::meta::MsAntenna;
use super::schema::create_subtable;
use crate::casatable::Table;
use crate::coords::RaDec;
use crate::vis::{Channels, Field, Product, Rows};

/// casacore's code of topocentric frequencies.
const TOPO: i32 = 5;

/// Everything but the visibilities of a new Measurement Set.
#[derive(Clone, Debug)]
pub struct Content {
    /// ANTENNA.
    pub antennas: Vec<MsAntenna>,
    /// FIELD.
    pub fields: Vec<Field>,
    /// SPECTRAL_WINDOW, ascending within and (by custom) across windows; all of one number of channels.
    pub windows: Vec<Channels>,
    /// Windows without any data: their rows bear FLAG_ROW.
    pub absent: Vec<bool>,
    /// Polarisation products.
    pub products: Vec<Product>,
    /// Rows of one window; every window has the same. Time-major.
    pub rows: Rows,
    /// TELESCOPE_NAME.
    pub telescope: String,
    /// OBSERVER.
    pub observer: String,
    /// PROJECT.
    pub project: String,
    /// Where the antennas point at each time, UTC \[MJD s\]; antennas by index.
    pub pointing: Vec<(f64, RaDec)>,
    /// Length of one pointing \[s\].
    pub pointing_interval_s: f64,
    /// Lines of HISTORY.
    pub history: Vec<String>,
    /// Channels of one tile; a divisor of the channels of a window.
    pub tile_channels: usize,
}

impl Content {
    fn time_range(&self) -> [f64; 2] {
        let rows = &self.rows;
        rows.time_mjd_s
            .iter()
            .zip(&rows.interval_s)
            .fold([f64::INFINITY, f64::NEG_INFINITY], |[a, b], (t, d)| {
                [a.min(t - 0.5 * d), b.max(t + 0.5 * d)]
            })
    }

    pub(super) fn write_subtables(&self, main: &mut Table) -> Result<(), Error> {
        self.write_antennas(main)?;
        self.write_windows(main)?;
        self.write_feeds(main)?;
        self.write_fields(main)?;
        self.write_pointing(main)?;
        self.write_polarization(main)?;
        create_subtable(main, "FLAG_CMD", 0)?.close()?;
        self.write_history(main)?;
        self.write_observation(main)
    }

    fn write_antennas(&self, main: &mut Table) -> Result<(), Error> {
        let mut t = create_subtable(main, "ANTENNA", self.antennas.len() as u64)?;
        let positions: Vec<f64> = self.antennas.iter().flat_map(|a| a.itrf_m).collect();
        let diameters: Vec<f64> = self.antennas.iter().map(|a| a.diameter_m).collect();
        t.put("POSITION", 0, &[3], &positions)?;
        t.fill("OFFSET", &[3], &[0.0, 0.0, 0.0])?;
        t.put("DISH_DIAMETER", 0, &[], &diameters)?;
        t.fill("FLAG_ROW", &[], &[false])?;
        for (row, antenna) in (0_u64..).zip(&self.antennas) {
            t.put_text("NAME", row, &antenna.name)?;
            t.put_text("STATION", row, &antenna.station)?;
            t.put_text("MOUNT", row, &antenna.mount)?;
            t.put_text("TYPE", row, "GROUND-BASED")?;
        }
        Ok(t.close()?)
    }

    fn write_windows(&self, main: &mut Table) -> Result<(), Error> {
        let n = self.windows.len();
        let mut t = create_subtable(main, "SPECTRAL_WINDOW", n as u64)?;
        for (row, w) in (0_u64..).zip(&self.windows) {
            let channels = w.freq_hz.len();
            let middle = w.freq_hz.get(channels / 2).copied().unwrap_or(0.0);
            t.put("CHAN_FREQ", row, &[channels], &w.freq_hz)?;
            for column in ["CHAN_WIDTH", "EFFECTIVE_BW", "RESOLUTION"] {
                t.put(column, row, &[channels], &w.width_hz)?;
            }
            t.put("REF_FREQUENCY", row, &[], &[middle])?;
            t.put("TOTAL_BANDWIDTH", row, &[], &[w.width_hz.iter().sum::<f64>()])?;
            t.put("NUM_CHAN", row, &[], &[channels as i32])?;
            t.put_text("NAME", row, &format!("{:.0}MHz", middle / 1e6))?;
            t.put_text("FREQ_GROUP_NAME", row, "")?;
        }
        for (column, value) in
            [("MEAS_FREQ_REF", TOPO), ("FREQ_GROUP", 0), ("IF_CONV_CHAIN", 0), ("NET_SIDEBAND", 1)]
        {
            t.fill(column, &[], &[value])?;
        }
        t.fill("FLAG_ROW", &[], &[false])?;
        t.close()?;
        let mut t = create_subtable(main, "DATA_DESCRIPTION", n as u64)?;
        let ids: Vec<i32> = (0..n as i32).collect();
        t.put("SPECTRAL_WINDOW_ID", 0, &[], &ids)?;
        t.fill("POLARIZATION_ID", &[], &[0])?;
        t.fill("FLAG_ROW", &[], &[false])?;
        Ok(t.close()?)
    }

    fn write_feeds(&self, main: &mut Table) -> Result<(), Error> {
        let n = self.antennas.len();
        let mut t = create_subtable(main, "FEED", n as u64)?;
        let kinds: [&str; 2] =
            if self.products.iter().any(|p| p.is_circular()) { ["R", "L"] } else { ["X", "Y"] };
        let (zero, one) = (Complex32::new(0.0, 0.0), Complex32::new(1.0, 0.0));
        for row in 0..n as u64 {
            t.put_texts("POLARIZATION_TYPE", row, &kinds)?;
        }
        t.fill("POSITION", &[3], &[0.0, 0.0, 0.0])?;
        t.fill("BEAM_OFFSET", &[2, 2], &[0.0; 4])?;
        t.fill("POL_RESPONSE", &[2, 2], &[one, zero, zero, one])?;
        t.fill("RECEPTOR_ANGLE", &[2], &[0.0; 2])?;
        t.put("ANTENNA_ID", 0, &[], &(0..n as i32).collect::<Vec<_>>())?;
        for (column, value) in
            [("BEAM_ID", -1), ("FEED_ID", 0), ("NUM_RECEPTORS", 2), ("SPECTRAL_WINDOW_ID", -1)]
        {
            t.fill(column, &[], &[value])?;
        }
        let [start, end] = self.time_range();
        // Thirty years about the observation: always.
        t.fill("TIME", &[], &[0.5 * (start + end)])?;
        t.fill("INTERVAL", &[], &[1e9])?;
        Ok(t.close()?)
    }

    fn write_fields(&self, main: &mut Table) -> Result<(), Error> {
        let n = self.fields.len() as u64;
        let [start, end] = self.time_range();
        let mut t = create_subtable(main, "FIELD", n)?;
        let directions: Vec<f64> =
            self.fields.iter().flat_map(|f| [f.centre.ra_rad, f.centre.dec_rad]).collect();
        let times: Vec<f64> = self.fields.iter().map(|f| f.time_mjd_s).collect();
        let ids: Vec<i32> = (0..n as i32).collect();
        for column in ["DELAY_DIR", "PHASE_DIR", "REFERENCE_DIR"] {
            t.put(column, 0, &[1, 2], &directions)?;
        }
        t.put("TIME", 0, &[], &times)?;
        t.put("SOURCE_ID", 0, &[], &ids)?;
        t.fill("NUM_POLY", &[], &[0])?;
        t.fill("FLAG_ROW", &[], &[false])?;
        for (row, field) in (0_u64..).zip(&self.fields) {
            t.put_text("NAME", row, &field.name)?;
            t.put_text("CODE", row, "")?;
        }
        t.close()?;
        let mut t = create_subtable(main, "SOURCE", n)?;
        t.put("DIRECTION", 0, &[2], &directions)?;
        t.fill("PROPER_MOTION", &[2], &[0.0, 0.0])?;
        t.put("SOURCE_ID", 0, &[], &ids)?;
        for (column, value) in [("CALIBRATION_GROUP", 0), ("NUM_LINES", 0), ("SPECTRAL_WINDOW_ID", -1)] {
            t.fill(column, &[], &[value])?;
        }
        t.fill("TIME", &[], &[0.5 * (start + end)])?;
        t.fill("INTERVAL", &[], &[end - start])?;
        for (row, field) in (0_u64..).zip(&self.fields) {
            t.put_text("NAME", row, &field.name)?;
            t.put_text("CODE", row, "")?;
        }
        Ok(t.close()?)
    }

    fn write_pointing(&self, main: &mut Table) -> Result<(), Error> {
        let mut used: Vec<u32> = self.rows.antenna1.iter().chain(&self.rows.antenna2).copied().collect();
        used.sort_unstable();
        used.dedup();
        let n = used.len() * self.pointing.len();
        let mut t = create_subtable(main, "POINTING", n as u64)?;
        let mut directions = Vec::with_capacity(2 * n);
        let mut times = Vec::with_capacity(n);
        let mut ids = Vec::with_capacity(n);
        for (time, direction) in &self.pointing {
            for antenna in &used {
                directions.extend([direction.ra_rad, direction.dec_rad]);
                times.push(*time);
                ids.push(*antenna as i32);
            }
        }
        t.put("DIRECTION", 0, &[1, 2], &directions)?;
        t.put("TARGET", 0, &[1, 2], &directions)?;
        t.put("TIME", 0, &[], &times)?;
        t.put("TIME_ORIGIN", 0, &[], &times)?;
        t.put("ANTENNA_ID", 0, &[], &ids)?;
        t.fill("INTERVAL", &[], &[self.pointing_interval_s])?;
        t.fill("NUM_POLY", &[], &[0])?;
        t.fill("TRACKING", &[], &[false])?;
        Ok(t.close()?)
    }

    fn write_polarization(&self, main: &mut Table) -> Result<(), Error> {
        let n = self.products.len();
        let mut t = create_subtable(main, "POLARIZATION", 1)?;
        let codes: Vec<i32> = self.products.iter().map(|p| p.casa_code()).collect();
        let receptors: Vec<i32> = self
            .products
            .iter()
            .flat_map(|p| {
                let (a, b) = p.receptors();
                [a as i32, b as i32]
            })
            .collect();
        t.put("CORR_TYPE", 0, &[n], &codes)?;
        t.put("CORR_PRODUCT", 0, &[n, 2], &receptors)?;
        t.put("NUM_CORR", 0, &[], &[n as i32])?;
        t.fill("FLAG_ROW", &[], &[false])?;
        Ok(t.close()?)
    }

    fn write_history(&self, main: &mut Table) -> Result<(), Error> {
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0.0, |d| d.as_secs_f64());
        let now_mjd_s = now + 40_587.0 * crate::constants::SECONDS_PER_DAY;
        let mut t = create_subtable(main, "HISTORY", self.history.len() as u64)?;
        for (row, line) in (0_u64..).zip(&self.history) {
            t.put_text("MESSAGE", row, line)?;
            t.put_text("APPLICATION", row, "dsa110_contimg")?;
            t.put_text("ORIGIN", row, concat!("dsa110_contimg ", env!("CARGO_PKG_VERSION")))?;
            t.put_text("PRIORITY", row, "INFO")?;
            t.put_texts("APP_PARAMS", row, &[""])?;
            t.put_texts("CLI_COMMAND", row, &[""])?;
        }
        for (column, value) in [("OBJECT_ID", 0), ("OBSERVATION_ID", 0)] {
            if !self.history.is_empty() {
                t.fill(column, &[], &[value])?;
            }
        }
        if !self.history.is_empty() {
            t.fill("TIME", &[], &[now_mjd_s])?;
        }
        Ok(t.close()?)
    }

    fn write_observation(&self, main: &mut Table) -> Result<(), Error> {
        let mut t = create_subtable(main, "OBSERVATION", 1)?;
        let range = self.time_range();
        t.put("TIME_RANGE", 0, &[2], &range)?;
        t.put("RELEASE_DATE", 0, &[], &[range[1]])?;
        t.put("FLAG_ROW", 0, &[], &[false])?;
        t.put_text("TELESCOPE_NAME", 0, &self.telescope)?;
        t.put_text("OBSERVER", 0, &self.observer)?;
        t.put_text("PROJECT", 0, &self.project)?;
        t.put_text("SCHEDULE_TYPE", 0, "")?;
        t.put_texts("LOG", 0, &[""])?;
        t.put_texts("SCHEDULE", 0, &[""])?;
        t.close()?;
        let mut t = create_subtable(main, "PROCESSOR", 1)?;
        t.put_text("TYPE", 0, "CORRELATOR")?;
        t.put_text("SUB_TYPE", 0, "DSA")?;
        t.put("TYPE_ID", 0, &[], &[-1])?;
        t.put("MODE_ID", 0, &[], &[-1])?;
        t.put("FLAG_ROW", 0, &[], &[false])?;
        t.close()?;
        let mut t = create_subtable(main, "STATE", 1)?;
        t.put_text("OBS_MODE", 0, "OBSERVE_TARGET#ON_SOURCE")?;
        t.put("SIG", 0, &[], &[true])?;
        t.put("REF", 0, &[], &[false])?;
        t.put("CAL", 0, &[], &[0.0])?;
        t.put("LOAD", 0, &[], &[0.0])?;
        t.put("SUB_SCAN", 0, &[], &[0])?;
        t.put("FLAG_ROW", 0, &[], &[false])?;
        Ok(t.close()?)
    }
}
