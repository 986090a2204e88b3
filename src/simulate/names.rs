//! Times as the correlator writes them into file names.

use crate::constants::SECONDS_PER_DAY;

/// Days from MJD 0 (1858-11-17) to 0000-03-01, which begins a 400-year cycle of the proleptic Gregorian calendar.
const MJD_TO_MARCH_0: i64 = 678_881;

/// `YYYY-MM-DDTHH:MM:SS` of a UTC time, seconds cut off.
pub fn iso_utc(time_mjd_s: f64) -> String {
    let whole = (time_mjd_s + 1e-6).floor();
    let day = (whole / SECONDS_PER_DAY).floor();
    let second = (whole - day * SECONDS_PER_DAY) as i64;
    let (year, month, date) = civil(day as i64);
    format!("{year:04}-{month:02}-{date:02}T{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
}

/// Name of one subband's file: the wall clock when it was opened.
pub fn group_name(opened_mjd_s: f64, subband: usize) -> String {
    format!("{}_sb{subband:02}.hdf5", iso_utc(opened_mjd_s))
}

/// Year, month and day of a Modified Julian Date (days counted in 400-year cycles from March).
fn civil(mjd: i64) -> (i64, i64, i64) {
    let days = mjd + MJD_TO_MARCH_0;
    let cycle = days.div_euclid(146_097);
    let day = days.rem_euclid(146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * month + 2) / 5 + 1;
    let calendar = if month < 10 { month + 3 } else { month - 9 };
    (year + cycle * 400 + i64::from(calendar <= 2), calendar, date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_right() {
        for (mjd, text) in [
            (0.0, "1858-11-17T00:00:00"),
            (51_544.0, "2000-01-01T00:00:00"),
            (60_369.0, "2024-02-29T00:00:00"),
            (60_370.0, "2024-03-01T00:00:00"),
            (61_065.0, "2026-01-25T00:00:00"),
            (88_069.0, "2100-01-01T00:00:00"),
        ] {
            assert_eq!(iso_utc(mjd * SECONDS_PER_DAY), text);
        }
        assert_eq!(iso_utc(61_065.0 * SECONDS_PER_DAY + 80_765.9), "2026-01-25T22:26:05");
        assert_eq!(group_name(61_065.0 * SECONDS_PER_DAY - 1.0, 3), "2026-01-24T23:59:59_sb03.hdf5");
    }
}
