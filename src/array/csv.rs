//! Antenna lists as CSV.

use std::fs;
use std::path::Path;

use super::{Antenna, Error};
use crate::coords::Observatory;

/// No antenna list is larger \[bytes\].
const MAX_BYTES: u64 = 16 << 20;

const ITRF: [&str; 3] = ["itrf_x_m", "itrf_y_m", "itrf_z_m"];
const GEODETIC: [&str; 3] = ["longitude_deg", "latitude_deg", "elevation_m"];

/// Read a list, refusing what is far too large for one.
pub(super) fn read(path: &Path) -> Result<String, Error> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    let size = fs::metadata(path).map_err(io)?.len();
    if size > MAX_BYTES {
        return Err(bad(
            path.display().to_string(),
            format!("an antenna list of at most {MAX_BYTES} bytes"),
            size,
        ));
    }
    Ok(String::from_utf8_lossy(&fs::read(path).map_err(io)?).into_owned())
}

/// One antenna a line; lines that begin with `#` are comments.
pub(super) fn parse(text: &str, origin: &str) -> Result<Vec<Antenna>, Error> {
    let mut lines = text
        .trim_start_matches('\u{feff}')
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    let header: Vec<&str> =
        lines.next().map(|(_, line)| line.split(',').map(str::trim).collect()).unwrap_or_default();
    let column = |name: &str| header.iter().position(|h| *h == name);
    let demand = |name: &str| {
        column(name).ok_or_else(|| bad(origin.to_owned(), format!("a column '{name}'"), header.join(",")))
    };
    let columns = Columns {
        width: header.len(),
        station: demand("station")?,
        geodetic: column(ITRF[0]).is_none() && column(GEODETIC[0]).is_some(),
        position: {
            let names =
                if column(ITRF[0]).is_none() && column(GEODETIC[0]).is_some() { GEODETIC } else { ITRF };
            [demand(names[0])?, demand(names[1])?, demand(names[2])?]
        },
        diameter: column("diameter_m"),
        active: header.iter().position(|h| h.starts_with("active")),
    };
    lines.map(|(index, line)| columns.antenna(line, &format!("{origin}, line {}", index + 1))).collect()
}

struct Columns {
    width: usize,
    station: usize,
    geodetic: bool,
    position: [usize; 3],
    diameter: Option<usize>,
    active: Option<usize>,
}

impl Columns {
    fn antenna(&self, line: &str, place: &str) -> Result<Antenna, Error> {
        let cells: Vec<&str> = line.split(',').map(str::trim).collect();
        if cells.len() != self.width {
            return Err(bad(place.to_owned(), format!("{} columns", self.width), cells.len()));
        }
        let number = |column: usize, what: &str| match cells[column].parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(value),
            _ => Err(bad(place.to_owned(), format!("a number ({what})"), format!("'{}'", cells[column]))),
        };
        // "DSA-103" and "103" both name a station.
        let text = cells[self.station].trim_start_matches("DSA-");
        let station = text
            .parse::<u32>()
            .map_err(|_| bad(place.to_owned(), "a station number", format!("'{text}'")))?;
        let [a, b, c] = self.position;
        let position = [number(a, "position")?, number(b, "position")?, number(c, "position")?];
        let itrf_m = if self.geodetic {
            Observatory::from_deg(position[0], position[1], position[2]).itrf_m()?
        } else {
            position
        };
        let mut antenna = Antenna::new(station, itrf_m);
        if let Some(column) = self.diameter {
            antenna.diameter_m = number(column, "diameter_m")?;
            if antenna.diameter_m <= 0.0 {
                return Err(bad(place.to_owned(), "a positive diameter_m", antenna.diameter_m));
            }
        }
        if let Some(column) = self.active {
            antenna.active = match cells[column] {
                "1" | "true" | "True" => true,
                "0" | "false" | "False" => false,
                other => return Err(bad(place.to_owned(), "0 or 1 (active)", format!("'{other}'"))),
            };
        }
        Ok(antenna)
    }
}

fn bad(origin: String, expected: impl Into<String>, found: impl std::fmt::Display) -> Error {
    Error::Table { origin, expected: expected.into(), found: found.to_string() }
}
