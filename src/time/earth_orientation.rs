//! Earth orientation at any moment, and what is known beyond the table.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use super::{file, Error, OrientationTable};
use crate::constants::SECONDS_PER_DAY;

/// The table that comes with the crate.
const SHIPPED: &str = include_str!("iers.csv");
/// One arcsecond \[rad\].
const ARCSEC_RAD: f64 = std::f64::consts::PI / 648_000.0;
/// Bound on |UT1 - UTC| by the definition of UTC \[s\].
const DUT1_BOUND_S: f64 = 0.9;
/// How fast UT1 - UTC drifts at most over weeks \[s/day\]: the largest change from one day to the next
/// since 2015 is 2.5 ms (2.0 ms a day over a month, 1.5 over a year).
const DUT1_DRIFT_S_PER_DAY: f64 = 0.0025;
/// How fast the pole moves at most \[arcsec/day\] (4.5 mas since 2015), and how far it can be from a kept value.
const POLE_DRIFT_ARCSEC_PER_DAY: f64 = 0.0045;
const POLE_BOUND_ARCSEC: f64 = 0.8;
/// The Earth turns by this much in a second of UT1 \[arcsec\].
const TURN_ARCSEC_PER_S: f64 = 15.041_067;
/// The longest baseline of the array, to say what an error means \[m\].
const LONGEST_BASELINE_M: f64 = 2707.2;
/// TAI - UTC at the beginning of 2017, from which the table's own jumps count on \[s\].
const TAI_MINUS_UTC_2017_S: f64 = 37.0;
const MJD_2017: f64 = 57_754.0;

/// Earth orientation at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Orientation {
    /// UT1 - UTC \[s\].
    pub dut1_s: f64,
    /// Polar motion x \[rad\].
    pub x_rad: f64,
    /// Polar motion y \[rad\].
    pub y_rad: f64,
    /// TAI - UTC: leap seconds \[s\].
    pub tai_minus_utc_s: f64,
}

/// How well a moment is covered by the table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Coverage {
    /// Measured values.
    Measured,
    /// The IERS's predictions (good to some 10 ms of UT1 over a year).
    Predicted,
    /// Outside the table by so many days; the nearest value is used.
    Outside {
        /// Days before the first or after the last row.
        days: f64,
    },
}

impl Coverage {
    /// Bound on the error of UT1 - UTC from keeping the nearest value \[s\]; zero inside the table.
    pub fn dut1_error_s(&self) -> f64 {
        match self {
            Self::Outside { days } => (days * DUT1_DRIFT_S_PER_DAY).min(2.0 * DUT1_BOUND_S),
            _ => 0.0,
        }
    }

    /// `measured`, `predicted` or `outside`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Predicted => "predicted",
            Self::Outside { .. } => "outside",
        }
    }

    /// Days outside the table; zero inside.
    pub fn days_outside(&self) -> f64 {
        match self {
            Self::Outside { days } => *days,
            _ => 0.0,
        }
    }

    /// Bound on the error of w on the array's longest baseline \[mm\]; zero inside the table.
    pub fn w_error_mm(&self) -> f64 {
        self.direction_error_arcsec() * ARCSEC_RAD * LONGEST_BASELINE_M * 1e3
    }

    /// Bound on the error of a direction fixed to the Earth \[arcsec\]; zero inside the table.
    pub fn direction_error_arcsec(&self) -> f64 {
        match self {
            Self::Outside { days } => {
                let pole = (days * POLE_DRIFT_ARCSEC_PER_DAY).min(POLE_BOUND_ARCSEC);
                self.dut1_error_s() * TURN_ARCSEC_PER_S + pole
            }
            _ => 0.0,
        }
    }
}

/// UT1 - UTC, polar motion and leap seconds. Make one per call of a task: it warns once, at the first moment asked for
/// outside its table.
#[derive(Debug)]
pub struct EarthOrientation {
    table: Arc<OrientationTable>,
    /// Days on which a leap second took effect after 2017, and its sign.
    leaps: Vec<(f64, f64)>,
    warned: AtomicBool,
}

impl Clone for EarthOrientation {
    fn clone(&self) -> Self {
        Self {
            table: Arc::clone(&self.table),
            leaps: self.leaps.clone(),
            warned: AtomicBool::new(self.warned.load(Ordering::Relaxed)),
        }
    }
}

impl EarthOrientation {
    /// The table shipped with the crate.
    ///
    /// # Errors
    /// None in a sound build: the shipped table is parsed like any other.
    pub fn builtin() -> Result<Self, Error> {
        static TABLE: OnceLock<Arc<OrientationTable>> = OnceLock::new();
        if let Some(table) = TABLE.get() {
            return Ok(Self::from_table(Arc::clone(table)));
        }
        let table = Arc::new(OrientationTable::parse(SHIPPED, "table shipped with the package")?);
        Ok(Self::from_table(Arc::clone(TABLE.get_or_init(|| table))))
    }

    /// The table to use when nobody says otherwise: the user's renewed one ([`super::user_file`]) where it is no older than
    /// the shipped one. A user's file that cannot be read is reported in the log and passed over.
    ///
    /// # Errors
    /// A file named by `CONTIMG_IERS_FILE` that cannot be used.
    pub fn current() -> Result<Self, Error> {
        let builtin = Self::builtin()?;
        let Some((path, demanded)) = file::user_file() else { return Ok(builtin) };
        if !demanded && !path.exists() {
            return Ok(builtin);
        }
        match file::read(&path) {
            Ok(table) if demanded || table.last_measured_mjd >= builtin.table.last_measured_mjd => {
                Ok(Self::from_table(Arc::new(table)))
            }
            Ok(_) => Ok(builtin),
            Err(error) if demanded => Err(error),
            Err(error) => {
                log::warn!("the renewed IERS table is passed over, the shipped one is used: {error}");
                Ok(builtin)
            }
        }
    }

    /// From a file in any layout that [`OrientationTable::parse`] knows.
    ///
    /// # Errors
    /// A file that cannot be read or is no such table.
    pub fn from_file(path: &std::path::Path) -> Result<Self, Error> {
        Ok(Self::from_table(Arc::new(file::read(path)?)))
    }

    /// From a table.
    pub fn from_table(table: Arc<OrientationTable>) -> Self {
        let leaps = table
            .days
            .windows(2)
            .filter(|pair| pair[1].mjd > MJD_2017 && (pair[1].dut1_s - pair[0].dut1_s).abs() > 0.5)
            .map(|pair| (pair[1].mjd, (pair[1].dut1_s - pair[0].dut1_s).round()))
            .collect();
        Self { table, leaps, warned: AtomicBool::new(false) }
    }

    /// The table.
    pub fn table(&self) -> &OrientationTable {
        &self.table
    }

    /// How a moment is covered.
    pub fn coverage(&self, time_mjd_s: f64) -> Coverage {
        let mjd = time_mjd_s / SECONDS_PER_DAY;
        let (first, last) = self.table.span_mjd();
        if mjd < first {
            Coverage::Outside { days: first - mjd }
        } else if mjd > last {
            Coverage::Outside { days: mjd - last }
        } else if mjd > self.table.last_measured_mjd {
            Coverage::Predicted
        } else {
            Coverage::Measured
        }
    }

    /// Earth orientation at a UTC time, linear between days (a leap second is no slope); outside the table the nearest day
    /// is kept, with a warning.
    pub fn at(&self, time_mjd_s: f64) -> Orientation {
        if let outside @ Coverage::Outside { .. } = self.coverage(time_mjd_s) {
            self.warn_once(time_mjd_s, outside);
        }
        let mjd = time_mjd_s / SECONDS_PER_DAY;
        let days = &self.table.days;
        let place = (mjd - days[0].mjd).clamp(0.0, (days.len() - 1) as f64);
        let low = (place.floor() as usize).min(days.len() - 2);
        let (a, b) = (days[low], days[low + 1]);
        let t = place - low as f64;
        let step = b.dut1_s - a.dut1_s;
        let drift = step - step.round();
        // At the end of the table t = 1 stands on the last day itself, past any leap second of that night.
        let dut1_s = if t >= 1.0 { b.dut1_s } else { a.dut1_s + t * drift };
        Orientation {
            dut1_s,
            x_rad: (a.x_arcsec + t * (b.x_arcsec - a.x_arcsec)) * ARCSEC_RAD,
            y_rad: (a.y_arcsec + t * (b.y_arcsec - a.y_arcsec)) * ARCSEC_RAD,
            tai_minus_utc_s: self.tai_minus_utc_s(mjd),
        }
    }

    /// TAI - UTC \[s\]: SOFA's list to 2017, then the jumps of the table.
    fn tai_minus_utc_s(&self, mjd: f64) -> f64 {
        if mjd >= MJD_2017 {
            return TAI_MINUS_UTC_2017_S
                + self.leaps.iter().filter(|leap| mjd >= leap.0).map(|leap| leap.1).sum::<f64>();
        }
        sofars::cal::jd2cal(crate::constants::JD_OF_MJD_0, mjd)
            .ok()
            .and_then(|(year, month, day, fraction)| sofars::ts::dat(year, month, day, fraction).ok())
            .unwrap_or(TAI_MINUS_UTC_2017_S)
    }

    fn warn_once(&self, time_mjd_s: f64, coverage: Coverage) {
        let Coverage::Outside { days } = coverage else { return };
        if self.warned.swap(true, Ordering::Relaxed) {
            return;
        }
        let (first, last) = self.table.span_mjd();
        let arcsec = coverage.direction_error_arcsec();
        log::warn!(
            "MJD {:.2} is {days:.0} days outside the IERS table (MJD {first:.0}..{last:.0}); its nearest values are used: \
             UT1-UTC may be off by {:.0} ms, directions by {:.0} mas, w by {:.2} mm on the longest baseline. \
             Renew it with 'contimg iers update FILE'",
            time_mjd_s / SECONDS_PER_DAY,
            coverage.dut1_error_s() * 1e3,
            arcsec * 1e3,
            coverage.w_error_mm(),
        );
    }
}
