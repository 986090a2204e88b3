//! Which calibration tables are valid at a time.

use rusqlite::params;

use super::{Database, Error};

/// Type of a calibration table; the order of the variants is the order of application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TableType {
    /// Delay.
    K,
    /// Bandpass, amplitude.
    Ba,
    /// Bandpass.
    Bp,
    /// Gain, amplitude.
    Ga,
    /// Gain, phase.
    Gp,
    /// Gain, short interval.
    TwoG,
    /// Flux scale.
    Flux,
}

impl TableType {
    const TABLE: [(TableType, &'static str, i64); 7] = [
        (TableType::K, "K", 10),
        (TableType::Ba, "BA", 20),
        (TableType::Bp, "BP", 30),
        (TableType::Ga, "GA", 40),
        (TableType::Gp, "GP", 50),
        (TableType::TwoG, "2G", 60),
        (TableType::Flux, "FLUX", 70),
    ];
    /// Endings of the original's table names.
    const ENDINGS: [(&'static str, TableType); 9] = [
        ("_2kcal", TableType::K),
        ("_kcal", TableType::K),
        ("_bacal", TableType::Ba),
        ("_bpcal", TableType::Bp),
        ("_gacal", TableType::Ga),
        ("_gpcal", TableType::Gp),
        ("_2gcal", TableType::TwoG),
        ("_flux.cal", TableType::Flux),
        ("_fluxcal", TableType::Flux),
    ];

    /// Name in the database.
    pub fn name(self) -> &'static str {
        Self::TABLE.iter().find(|row| row.0 == self).map_or("", |row| row.1)
    }

    /// Apply order.
    pub fn order_index(self) -> i64 {
        Self::TABLE.iter().find(|row| row.0 == self).map_or(0, |row| row.2)
    }

    /// From the ending of a table's path.
    pub fn from_path(path: &str) -> Option<Self> {
        let path = path.trim_end_matches('/');
        Self::ENDINGS.iter().find(|(ending, _)| path.ends_with(ending)).map(|row| row.1)
    }
}

/// A table of the active set.
#[derive(Clone, Debug, PartialEq)]
pub struct ActiveTable {
    /// Set.
    pub set_name: String,
    /// Directory of the table.
    pub path: String,
    /// `K`, `BP`, ...
    pub table_type: String,
    /// Calibrator field.
    pub cal_field: Option<String>,
    /// Reference antenna.
    pub refant: Option<String>,
}

impl Database {
    /// Tables to apply at an observation time, in order: the newest active set whose validity holds the time (open
    /// ends hold everything). The second value warns where another valid set disagrees in reference antenna or field.
    ///
    /// # Errors
    /// A failing database.
    pub fn active_tables(
        &self,
        mjd: f64,
        set_name: Option<&str>,
    ) -> Result<(Vec<ActiveTable>, Vec<String>), Error> {
        let wrap = Error::sqlite(&self.path);
        let mut statement = self
            .connection
            .prepare_cached(
                "SELECT set_name, path, table_type, cal_field, refant FROM caltables
                 WHERE status = 'active' AND (?2 IS NULL OR set_name = ?2)
                   AND (valid_start_mjd IS NULL OR valid_start_mjd <= ?1)
                   AND (valid_end_mjd IS NULL OR valid_end_mjd >= ?1)
                 ORDER BY (SELECT max(created_at) FROM caltables newest
                           WHERE newest.set_name = caltables.set_name AND newest.status = 'active') DESC,
                          set_name, order_index, path",
            )
            .map_err(&wrap)?;
        let rows = statement
            .query_map(params![mjd, set_name], |r| {
                Ok(ActiveTable {
                    set_name: r.get(0)?,
                    path: r.get(1)?,
                    table_type: r.get(2)?,
                    cal_field: r.get(3)?,
                    refant: r.get(4)?,
                })
            })
            .map_err(&wrap)?;
        let all = rows.collect::<Result<Vec<_>, _>>().map_err(&wrap)?;
        let Some(newest) = all.first().map(|t| t.set_name.clone()) else {
            return Ok((Vec::new(), Vec::new()));
        };
        let (chosen, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|t| t.set_name == newest);
        let mut warnings = Vec::new();
        for other in &others {
            let differs = chosen.iter().any(|t| t.refant != other.refant || t.cal_field != other.cal_field);
            let text = format!(
                "set {newest} and set {} are both valid at MJD {mjd} and differ in reference antenna or field",
                other.set_name
            );
            if differs && !warnings.contains(&text) {
                warnings.push(text);
            }
        }
        Ok((chosen, warnings))
    }
}
