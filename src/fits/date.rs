//! FITS date strings.

use crate::constants::SECONDS_PER_DAY;

/// ISO 8601 text of a UTC time, to the millisecond: `2026-01-25T22:26:05.000`. Proleptic Gregorian calendar;
/// a leap second reads as the first second of the next day.
pub fn iso_utc(time_mjd_s: f64) -> String {
    if !time_mjd_s.is_finite() || time_mjd_s.abs() > 1e12 {
        return String::new();
    }
    let total_ms = (time_mjd_s * 1e3).round() as i64;
    let day_ms = SECONDS_PER_DAY as i64 * 1000;
    let (mjd, ms) = (total_ms.div_euclid(day_ms), total_ms.rem_euclid(day_ms));
    let (year, month, day) = civil(mjd);
    let (s, milli) = (ms / 1000, ms % 1000);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{milli:03}", s / 3600, s / 60 % 60, s % 60)
}

/// Seconds of MJD from `YYYY-MM-DD[Thh:mm:ss[.sss]]`; `None` for anything else.
pub(crate) fn parse_iso(text: &str) -> Option<f64> {
    let (date, clock) = text.trim().trim_end_matches('Z').split_once('T').unwrap_or((text.trim(), "0:0:0"));
    let mut d = date.splitn(3, '-').map(|p| p.parse::<i64>().ok());
    let (year, month, day) = (d.next()??, d.next()??, d.next()??);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || !(1000..=9999).contains(&year) {
        return None;
    }
    let mut c = clock.splitn(3, ':').map(|p| p.parse::<f64>().ok());
    let seconds = c.next()?? * 3600.0 + c.next()?? * 60.0 + c.next().unwrap_or(Some(0.0))?;
    Some(mjd_of(year, month, day) as f64 * SECONDS_PER_DAY + seconds)
}

/// Days are counted from 1 March of year 0, so that the leap day ends a year.
const MJD_OF_0000_03_01: i64 = -678_881;

fn civil(mjd: i64) -> (i64, i64, i64) {
    let z = mjd - MJD_OF_0000_03_01;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let m = (5 * of_year + 2) / 153;
    let month = if m < 10 { m + 3 } else { m - 9 };
    (year + era * 400 + i64::from(month <= 2), month, of_year - (153 * m + 2) / 5 + 1)
}

fn mjd_of(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let m = if month > 2 { month - 3 } else { month + 9 };
    let era = y.div_euclid(400);
    let of = y.rem_euclid(400);
    era * 146_097 + of * 365 + of / 4 - of / 100 + (153 * m + 2) / 5 + day - 1 + MJD_OF_0000_03_01
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_days() {
        assert_eq!(iso_utc(0.0), "1858-11-17T00:00:00.000");
        assert_eq!(iso_utc(51_544.5 * 86_400.0), "2000-01-01T12:00:00.000");
        assert_eq!(iso_utc(60_369.0 * 86_400.0 - 0.0004), "2024-02-29T00:00:00.000");
        assert_eq!(parse_iso("2024-02-29"), Some(60_369.0 * 86_400.0));
        assert_eq!(parse_iso("nonsense"), None);
    }

    #[test]
    fn there_and_back_every_day_of_four_centuries() {
        for mjd in (0..146_097).step_by(13) {
            let t = f64::from(mjd) * SECONDS_PER_DAY + 45_296.5;
            assert_eq!(parse_iso(&iso_utc(t)), Some(t));
        }
    }
}
