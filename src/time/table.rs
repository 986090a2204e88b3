//! Tables of UT1 - UTC and polar motion: ours, and the IERS's own layouts.

use super::Error;

/// One day at 0 h UTC.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Day {
    pub mjd: f64,
    pub dut1_s: f64,
    pub x_arcsec: f64,
    pub y_arcsec: f64,
}

/// UT1 - UTC and polar motion day by day, without gaps.
#[derive(Clone, Debug, PartialEq)]
pub struct OrientationTable {
    pub(super) days: Vec<Day>,
    /// Last day that was measured; later ones are predictions \[MJD\].
    pub last_measured_mjd: f64,
    /// Where the table came from.
    pub origin: String,
}

const OUR_HEADER: &str = "mjd,ut1_utc_s,x_arcsec,y_arcsec";
const LAST_MEASURED: &str = "# last_measured_mjd =";
/// Fewer days than this is a broken download.
const MIN_DAYS: usize = 30;

/// A day of an IERS file before the choice between Bulletin B and A.
struct Raw {
    day: Day,
    predicted: bool,
}

impl OrientationTable {
    /// From the text of a file in our layout, in the IERS's `finals2000A` columns (`.all`, `.data`, `.daily`), or in its
    /// `finals2000A.*.csv`.
    ///
    /// # Errors
    /// Anything else, missing days, values that cannot be, naming the line.
    pub fn parse(text: &str, origin: &str) -> Result<Self, Error> {
        let first = text.lines().find(|line| !line.starts_with('#')).unwrap_or("");
        let table = if first.trim() == OUR_HEADER {
            Self::parse_ours(text, origin)?
        } else if first.starts_with("MJD;") {
            Self::gather(text.lines().enumerate().skip(1), origin, &csv_reader(first, origin)?)?
        } else if first.len() >= 68 && !first.contains([';', ',']) {
            Self::gather(text.lines().enumerate(), origin, &|line, at| fixed_columns(line, at))?
        } else {
            let found = first.chars().take(60).collect::<String>();
            return Err(bad(
                origin,
                "an IERS finals2000A file (.all, .data, .daily or .csv)",
                format!("'{found}'"),
            ));
        };
        table.validated()
    }

    /// The table in our layout.
    pub fn to_csv(&self) -> String {
        let mut text = format!(
            "# Earth orientation: UT1 - UTC and polar motion at 0 h UTC. Source: IERS finals2000A \
             (Bulletin B where given, else A).\n{LAST_MEASURED} {:.0}\n{OUR_HEADER}\n",
            self.last_measured_mjd
        );
        for day in &self.days {
            text.push_str(&format!(
                "{:.0},{:.7},{:.6},{:.6}\n",
                day.mjd, day.dut1_s, day.x_arcsec, day.y_arcsec
            ));
        }
        text
    }

    /// First and last day \[MJD\].
    pub fn span_mjd(&self) -> (f64, f64) {
        (self.days.first().map_or(f64::NAN, |d| d.mjd), self.days.last().map_or(f64::NAN, |d| d.mjd))
    }

    /// Number of days.
    pub fn len(&self) -> usize {
        self.days.len()
    }

    /// Whether there are no days (never true of a parsed table).
    pub fn is_empty(&self) -> bool {
        self.days.is_empty()
    }

    fn parse_ours(text: &str, origin: &str) -> Result<Self, Error> {
        let mut days = Vec::new();
        let mut last_measured_mjd = f64::NAN;
        for (index, line) in text.lines().enumerate() {
            if let Some(value) = line.strip_prefix(LAST_MEASURED) {
                last_measured_mjd = number(value, &at(origin, index), "last_measured_mjd")?;
            } else if !line.starts_with('#') && line != OUR_HEADER && !line.trim().is_empty() {
                let place = at(origin, index);
                let values =
                    line.split(',').map(|v| number(v, &place, OUR_HEADER)).collect::<Result<Vec<_>, _>>()?;
                let [mjd, dut1_s, x_arcsec, y_arcsec] = values[..] else {
                    return Err(bad(&place, "four numbers", format!("{}", values.len())));
                };
                days.push(Day { mjd, dut1_s, x_arcsec, y_arcsec });
            }
        }
        Ok(Self { days, last_measured_mjd, origin: origin.to_owned() })
    }

    fn gather<'a>(
        lines: impl Iterator<Item = (usize, &'a str)>,
        origin: &str,
        read: &dyn Fn(&str, &str) -> Result<Option<Raw>, Error>,
    ) -> Result<Self, Error> {
        let mut days = Vec::new();
        let mut last_measured_mjd = f64::NAN;
        for (index, line) in lines {
            if line.trim().is_empty() {
                continue;
            }
            if let Some(raw) = read(line, &at(origin, index))? {
                if !raw.predicted {
                    last_measured_mjd = raw.day.mjd;
                }
                days.push(raw.day);
            }
        }
        Ok(Self { days, last_measured_mjd, origin: origin.to_owned() })
    }

    fn validated(self) -> Result<Self, Error> {
        if self.days.len() < MIN_DAYS {
            return Err(bad(&self.origin, format!("at least {MIN_DAYS} days"), self.days.len().to_string()));
        }
        for pair in self.days.windows(2) {
            if pair[1].mjd != pair[0].mjd + 1.0 {
                return Err(bad(
                    &self.origin,
                    format!("MJD {} next", pair[0].mjd + 1.0),
                    pair[1].mjd.to_string(),
                ));
            }
        }
        for day in &self.days {
            // UTC keeps |UT1 - UTC| < 0.9 s; the pole wanders within 0.6 arcsec. Room for both, none for nonsense.
            let sound = day.dut1_s.abs() < 2.0 && day.x_arcsec.abs() < 2.0 && day.y_arcsec.abs() < 2.0;
            if !sound || !(30_000.0..100_000.0).contains(&day.mjd) {
                return Err(bad(&self.origin, "|UT1-UTC| < 2 s and |x|, |y| < 2 arcsec", format!("{day:?}")));
            }
        }
        let (first, last) = self.span_mjd();
        if !(first..=last).contains(&self.last_measured_mjd) {
            return Err(bad(
                &self.origin,
                "a last measured day within the table",
                self.last_measured_mjd.to_string(),
            ));
        }
        Ok(self)
    }
}

fn bad(origin: &str, expected: impl Into<String>, found: impl Into<String>) -> Error {
    Error::Table { origin: origin.to_owned(), expected: expected.into(), found: found.into() }
}

fn at(origin: &str, index: usize) -> String {
    format!("{origin}, line {}", index + 1)
}

fn number(text: &str, place: &str, name: &str) -> Result<f64, Error> {
    match text.trim().parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => Err(bad(place, format!("a number ({name})"), format!("'{}'", text.trim()))),
    }
}

/// A number that may be left blank.
fn maybe(text: Option<&str>, place: &str, name: &str) -> Result<Option<f64>, Error> {
    match text.map(str::trim) {
        None | Some("") => Ok(None),
        Some(text) => number(text, place, name).map(Some),
    }
}

/// One line of `finals2000A.all`: byte columns of its ReadMe, Bulletin B preferred to A; `None` past the predictions.
fn fixed_columns(line: &str, place: &str) -> Result<Option<Raw>, Error> {
    let mjd = number(line.get(7..15).unwrap_or(""), place, "MJD")?;
    let pick =
        |b: std::ops::Range<usize>, a: std::ops::Range<usize>, name: &str| -> Result<Option<f64>, Error> {
            match maybe(line.get(b), place, name)? {
                Some(value) => Ok(Some(value)),
                None => maybe(line.get(a), place, name),
            }
        };
    let dut1 = pick(154..165, 58..68, "UT1-UTC")?;
    let x = pick(134..144, 18..27, "x_pole")?;
    let y = pick(144..154, 37..46, "y_pole")?;
    let predicted = line.get(16..17) == Some("P") || line.get(57..58) == Some("P");
    Ok(match (dut1, x, y) {
        (Some(dut1_s), Some(x_arcsec), Some(y_arcsec)) => {
            Some(Raw { day: Day { mjd, dut1_s, x_arcsec, y_arcsec }, predicted })
        }
        _ => None,
    })
}

type LineReader = Box<dyn Fn(&str, &str) -> Result<Option<Raw>, Error>>;

/// Reader of the IERS's semicolon table, by its header's names. Its Bulletin B columns are left out: they differ from A's
/// by less than 0.1 ms.
fn csv_reader(header: &str, origin: &str) -> Result<LineReader, Error> {
    let names: Vec<&str> = header.split(';').map(str::trim).collect();
    let find = |name: &str| {
        names
            .iter()
            .position(|n| *n == name)
            .ok_or_else(|| bad(origin, format!("a column '{name}'"), header.to_owned()))
    };
    let (mjd, x, y, dut1) = (find("MJD")?, find("x_pole")?, find("y_pole")?, find("UT1-UTC")?);
    let types: Vec<usize> =
        names.iter().enumerate().filter(|(i, n)| **n == "Type" && *i < dut1).map(|(i, _)| i).collect();
    Ok(Box::new(move |line, place| {
        let cells: Vec<&str> = line.split(';').collect();
        let day = number(cells.get(mjd).unwrap_or(&""), place, "MJD")?;
        let value = |column: usize, name: &str| maybe(cells.get(column).copied(), place, name);
        let predicted = types.iter().any(|t| cells.get(*t).is_some_and(|c| c.trim() == "prediction"));
        Ok(match (value(dut1, "UT1-UTC")?, value(x, "x_pole")?, value(y, "y_pole")?) {
            (Some(dut1_s), Some(x_arcsec), Some(y_arcsec)) => {
                Some(Raw { day: Day { mjd: day, dut1_s, x_arcsec, y_arcsec }, predicted })
            }
            _ => None,
        })
    }))
}
