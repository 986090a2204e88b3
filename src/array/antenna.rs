//! Antennas and the table of them.

use std::path::Path;

use super::{csv, Error};
use crate::constants::DISH_DIAMETER_M;
use crate::coords::Observatory;
use crate::kind::BadArgument;

/// Where a station stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arm {
    /// East-west arm of the core, stations 1..51.
    EastWest,
    /// North-south arm of the core, stations 52..102.
    NorthSouth,
    /// Outriggers, stations 103..117.
    Outrigger,
}

/// One antenna.
#[derive(Clone, Debug, PartialEq)]
pub struct Antenna {
    /// Station number.
    pub station: u32,
    /// NAME in a Measurement Set and in UVH5: the station number as text.
    pub name: String,
    /// Position, ITRF geocentric \[m\].
    pub itrf_m: [f64; 3],
    /// Dish diameter \[m\].
    pub diameter_m: f64,
    /// Arm.
    pub arm: Arm,
    /// Whether it was in use on 2026-01-25.
    pub active: bool,
}

impl Antenna {
    /// An antenna of the default dish; the arm follows from the station number.
    pub fn new(station: u32, itrf_m: [f64; 3]) -> Self {
        let arm = match station {
            0..=51 => Arm::EastWest,
            52..=102 => Arm::NorthSouth,
            _ => Arm::Outrigger,
        };
        Self { station, name: station.to_string(), itrf_m, diameter_m: DISH_DIAMETER_M, arm, active: true }
    }

    /// Whether it belongs to the core (stations 1..102).
    pub fn is_core(&self) -> bool {
        self.arm != Arm::Outrigger
    }
}

/// The antennas of an array, ordered by station.
#[derive(Clone, Debug, PartialEq)]
pub struct AntennaTable {
    antennas: Vec<Antenna>,
}

/// The station list shipped with the package.
const SHIPPED: &str = include_str!("../../python/dsa110_contimg/data/dsa110_antennas.csv");

impl AntennaTable {
    /// The 117 stations of the DSA-110, from the list shipped with the package.
    ///
    /// # Errors
    /// None in a sound build: the list is parsed like any other.
    pub fn dsa110() -> Result<Self, Error> {
        Self::parse(SHIPPED, "dsa110_antennas.csv shipped with the package")
    }

    /// From a CSV file with a header; see [`AntennaTable::parse`].
    ///
    /// # Errors
    /// A file that cannot be read, or as [`AntennaTable::parse`].
    pub fn read(path: &Path) -> Result<Self, Error> {
        Self::parse(&csv::read(path)?, &path.display().to_string())
    }

    /// From CSV text: columns `station` and either `itrf_x_m, itrf_y_m, itrf_z_m` or `latitude_deg, longitude_deg,
    /// elevation_m`; optional `diameter_m` and `active` (any column whose name begins so; 0 or 1).
    ///
    /// # Errors
    /// A missing column, a station twice, a value that is no number or no place on the Earth, naming the line.
    pub fn parse(text: &str, origin: &str) -> Result<Self, Error> {
        Self::new(csv::parse(text, origin)?)
    }

    /// From antennas in any order.
    ///
    /// # Errors
    /// No antennas, a station twice, a position that is not finite.
    pub fn new(mut antennas: Vec<Antenna>) -> Result<Self, Error> {
        antennas.sort_by_key(|a| a.station);
        if antennas.is_empty() {
            return Err(BadArgument::new("antennas", "at least one", "none").into());
        }
        if let Some(pair) = antennas.windows(2).find(|pair| pair[0].station == pair[1].station) {
            return Err(BadArgument::new(
                "antennas",
                "each station once",
                format!("station {} twice", pair[0].station),
            )
            .into());
        }
        if let Some(bad) = antennas.iter().find(|a| a.itrf_m.iter().any(|x| !x.is_finite())) {
            return Err(BadArgument::new(
                "antennas",
                "finite positions",
                format!("station {}: {:?}", bad.station, bad.itrf_m),
            )
            .into());
        }
        Ok(Self { antennas })
    }

    /// The antennas, ordered by station.
    pub fn antennas(&self) -> &[Antenna] {
        &self.antennas
    }

    /// Number of antennas.
    pub fn len(&self) -> usize {
        self.antennas.len()
    }

    /// Whether there are none (never true of a table that was made).
    pub fn is_empty(&self) -> bool {
        self.antennas.is_empty()
    }

    /// Index of a station.
    pub fn index_of(&self, station: u32) -> Option<usize> {
        self.antennas.binary_search_by_key(&station, |a| a.station).ok()
    }

    /// The antenna of a station.
    ///
    /// # Errors
    /// A station that is not in the table.
    pub fn station(&self, station: u32) -> Result<&Antenna, Error> {
        self.index_of(station).map(|i| &self.antennas[i]).ok_or_else(|| {
            let known = format!(
                "a station of the antenna table ({}..{})",
                self.antennas[0].station,
                self.antennas[self.len() - 1].station
            );
            BadArgument::new("station", known, station).into()
        })
    }

    /// The antennas of some stations, as a table.
    ///
    /// # Errors
    /// A station that is not in the table, or given twice.
    pub fn select(&self, stations: &[u32]) -> Result<Self, Error> {
        Self::new(stations.iter().map(|s| self.station(*s).cloned()).collect::<Result<_, _>>()?)
    }

    /// The antennas in use on 2026-01-25 (96 of 117 in the shipped table).
    ///
    /// # Errors
    /// A table without any.
    pub fn active(&self) -> Result<Self, Error> {
        Self::new(self.antennas.iter().filter(|a| a.active).cloned().collect())
    }

    /// Positions, ITRF \[m\].
    pub fn itrf_m(&self) -> Vec<[f64; 3]> {
        self.antennas.iter().map(|a| a.itrf_m).collect()
    }

    /// East, north, up \[m\] of each antenna about a place.
    ///
    /// # Errors
    /// A place that is not on the Earth.
    pub fn enu_m(&self, about: &Observatory) -> Result<Vec<[f64; 3]>, Error> {
        self.antennas.iter().map(|a| Ok(about.enu_m(a.itrf_m)?)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::{baselines, longest_baseline_m, Autos};

    #[test]
    fn shipped_table_is_the_array() {
        let table = AntennaTable::dsa110().unwrap();
        let active = table.active().unwrap();
        assert_eq!((table.len(), active.len()), (117, 96));
        assert_eq!(table.index_of(103), Some(102));
        assert_eq!(table.antennas().iter().filter(|a| a.is_core()).count(), 102);
        assert!((longest_baseline_m(&table.itrf_m()) - 2707.2).abs() < 0.1);
        assert!((longest_baseline_m(&active.itrf_m()) - 2601.6).abs() < 0.1);
        assert_eq!(baselines(active.len(), Autos::Without).len(), 4560);
    }

    #[test]
    fn geodetic_columns_give_the_same_places() {
        let table = AntennaTable::dsa110().unwrap();
        let header_at = SHIPPED.find('\n').unwrap();
        let renamed = SHIPPED[..header_at].replace("itrf_", "other_") + &SHIPPED[header_at..];
        let geodetic = AntennaTable::parse(&renamed, "test").unwrap();
        for (a, b) in table.antennas().iter().zip(geodetic.antennas()) {
            for (x, y) in a.itrf_m.iter().zip(b.itrf_m) {
                // The list writes geodetic degrees with seven digits and metres with millimetres.
                assert!((x - y).abs() < 0.02, "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn enu_about_an_antenna_is_zero_there() {
        let table = AntennaTable::dsa110().unwrap();
        let about = Observatory::from_itrf(table.station(24).unwrap().itrf_m).unwrap();
        let enu = table.enu_m(&about).unwrap();
        assert!(enu[23].iter().all(|x| x.abs() < 1e-6));
        // The east-west arm runs east with the station number.
        assert!(enu[50][0] - enu[0][0] > 300.0 && (enu[50][1] - enu[0][1]).abs() < 1.0);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases = [
            ("", "station"),
            ("station,itrf_x_m,itrf_y_m\n1,2,3\n", "itrf_z_m"),
            ("station,itrf_x_m,itrf_y_m,itrf_z_m\n1,2,x,4\n", "line 2"),
            ("station,itrf_x_m,itrf_y_m,itrf_z_m\n1,2,3\n", "line 2"),
            ("station,itrf_x_m,itrf_y_m,itrf_z_m\n1,2,3,4\n1,2,3,4\n", "twice"),
            ("station,itrf_x_m,itrf_y_m,itrf_z_m\n1,nan,3,4\n", "line 2"),
            ("station,itrf_x_m,itrf_y_m,itrf_z_m\n", "at least one"),
        ];
        for (text, word) in cases {
            let error = AntennaTable::parse(text, "there").unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
        let table = AntennaTable::dsa110().unwrap();
        assert!(table.station(118).unwrap_err().to_string().contains("118"));
        assert!(table.select(&[1, 1]).is_err());
    }
}
