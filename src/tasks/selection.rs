//! What the stages of calibration share: selections of a Measurement Set and tables to apply.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::input::Input;
use crate::caltable;
use crate::constants::SECONDS_PER_DAY;
use crate::error::Error;
use crate::gains::{evaluate, Applied, GainGrid, GainTable};
use crate::kind::BadArgument;
use crate::vis::{select, select_channels, Channels, Product, VisBlock};

/// Longest wait for another writer of the same Measurement Set.
pub(super) const LOCK_WAIT: Duration = Duration::from_secs(60);

/// [`LOCK_WAIT`] where a request does not say.
pub(super) fn lock_wait_s() -> f64 {
    LOCK_WAIT.as_secs_f64()
}

/// A wait given in seconds.
pub(super) fn lock_wait(seconds: f64) -> Result<Duration, Error> {
    Duration::try_from_secs_f64(seconds).map_err(|_| {
        let problem = BadArgument::new("lock_wait_s", "seconds from 0", seconds);
        crate::vis::Error::from(problem).into()
    })
}

/// How far back a table may be borrowed from \[days\].
pub(super) fn max_age_days() -> f64 {
    30.0
}

/// Width of a declination strip: tables of another are not used \[degrees\].
pub(super) fn max_dec_deg() -> f64 {
    5.0
}

/// A calibration table and how to interpolate it.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableUse {
    /// Its directory.
    pub path: PathBuf,
    /// CASA's `interp`, for example `nearest` or `linear,linear`; empty is linear in both.
    #[serde(default)]
    pub interp: String,
    /// CASA's `spwmap`; empty matches windows by frequency.
    #[serde(default)]
    pub spwmap: Vec<usize>,
}

/// Tables in memory with their interpolation.
pub(super) struct LoadedTables {
    tables: Vec<(GainTable, TableUse)>,
}

impl LoadedTables {
    /// Read all tables and see that they have the Measurement Set's antennas.
    pub fn load(uses: &[TableUse], reader: &dyn Input) -> Result<Self, Error> {
        let mut tables = Vec::new();
        for (k, used) in uses.iter().enumerate() {
            let same = |other: &&TableUse| {
                other.path.canonicalize().is_ok_and(|p| used.path.canonicalize().is_ok_and(|q| p == q))
            };
            if let Some(twice) = uses[..k].iter().find(same) {
                let found = format!("{} twice", twice.path.display());
                return Err(
                    crate::vis::Error::from(BadArgument::new("gaintable", "each table once", found)).into()
                );
            }
            let table = caltable::read(&used.path)?;
            let (found, expected) = (table.antennas.len(), reader.meta().antennas.len());
            let names = |k: usize| (&table.antennas[k].name, &reader.meta().antennas[k].name);
            let differs = (0..found.min(expected)).find(|k| names(*k).0 != names(*k).1);
            if found != expected || differs.is_some() {
                let what = differs
                    .map_or(format!("{found} antennas"), |k| format!("antenna {k} named '{}'", names(k).0));
                let want = differs.map_or(format!("{expected} antennas"), |k| {
                    format!("antenna {k} named '{}'", names(k).1)
                });
                return Err(crate::gains::Error::Mismatch {
                    table: used.path.display().to_string(),
                    expected: format!("{want}, as in {}", reader.meta().path.display()),
                    found: what,
                }
                .into());
            }
            // A bad word is an error before any data are touched.
            let _ = Applied::new(&table).with_interp(&used.interp)?;
            tables.push((table, used.clone()));
        }
        Ok(Self { tables })
    }

    /// Refuse tables whose solutions are further than `days` from the data's times, or whose field is further than
    /// `dec_deg` from the data's in declination.
    pub fn require_near(&self, reader: &dyn Input, days: f64, dec_deg: f64) -> Result<(), Error> {
        let meta = reader.meta();
        let [start, end] = meta.time_range_mjd_s;
        for (table, used) in &self.tables {
            let slots = || table.windows.iter().flat_map(|w| &w.slots).map(|s| s.time_mjd_s);
            let away = slots().map(|t| (start - t).max(t - end).max(0.0)).fold(f64::INFINITY, f64::min);
            let mismatch = |expected: String, found: String| crate::gains::Error::Mismatch {
                table: used.path.display().to_string(),
                expected,
                found,
            };
            if away.is_finite() && away > days * SECONDS_PER_DAY {
                let expected =
                    format!("solutions within {days} days of {} (max_age_days)", meta.path.display());
                return Err(mismatch(expected, format!("{:.2} days away", away / SECONDS_PER_DAY)).into());
            }
            // A Measurement Set of several targets has tables of any of them.
            let pairs = table.fields.iter().flat_map(|t| meta.fields.iter().map(move |d| (t, d)));
            let decs = pairs.map(|(t, d)| (t.centre.dec_deg(), d.centre.dec_deg()));
            let nearest = decs.min_by(|a, b| (a.0 - a.1).abs().total_cmp(&(b.0 - b.1).abs()));
            if let Some((of_table, of_data)) = nearest.filter(|(t, d)| (t - d).abs() > dec_deg) {
                let expected =
                    format!("a table within {dec_deg} degrees of declination {of_data:.2} (max_dec_deg)");
                return Err(mismatch(expected, format!("declination {of_table:.2}")).into());
            }
        }
        Ok(())
    }

    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// Gains at the distinct times of a block, and for each row its time.
    pub fn at(&self, block: &VisBlock, antennas: usize) -> Result<(GainGrid, Vec<usize>), Error> {
        self.at_times(&block.channels, &block.products, &block.rows.time_mjd_s, antennas)
    }

    /// Gains at the distinct times of some rows, and for each row its time.
    pub fn at_times(
        &self,
        channels: &Channels,
        products: &[Product],
        time_of_row_mjd_s: &[f64],
        antennas: usize,
    ) -> Result<(GainGrid, Vec<usize>), Error> {
        let mut times = time_of_row_mjd_s.to_vec();
        // Rows are time-major: nearly all repeats are neighbours.
        times.dedup();
        times.sort_by(f64::total_cmp);
        times.dedup();
        let mut last = 0;
        let time_of_row = time_of_row_mjd_s
            .iter()
            .map(|t| {
                if times[last] != *t {
                    last = times.partition_point(|u| u < t);
                }
                last
            })
            .collect();
        let receptors = products.iter().map(|p| p.receptors().0.max(p.receptors().1) + 1).max().unwrap_or(1);
        let mut applied = Vec::new();
        for (table, used) in &self.tables {
            let mut one = Applied::new(table).with_interp(&used.interp)?;
            one.spwmap.clone_from(&used.spwmap);
            applied.push(one);
        }
        let grid = evaluate(&applied, channels.spw, &channels.freq_hz, &times, antennas, receptors)?;
        Ok((grid, time_of_row))
    }
}

/// Fields chosen by CASA's `field`; `None` is all.
pub(super) fn fields(reader: &dyn Input, text: &str) -> Result<Option<Vec<u32>>, Error> {
    let names: Vec<String> = reader.meta().fields.iter().map(|f| f.name.clone()).collect();
    let chosen = select("field", text, &names)?;
    Ok((chosen.len() < names.len()).then(|| chosen.into_iter().map(|k| k as u32).collect()))
}

/// Windows with data chosen by CASA's `spw` (whole windows), ascending in frequency.
pub(super) fn windows(reader: &dyn Input, text: &str) -> Result<Vec<usize>, Error> {
    let names: Vec<String> = (0..reader.meta().spws.len()).map(|k| k.to_string()).collect();
    if text.contains(':') {
        let problem = BadArgument::new(
            "spw",
            "whole spectral windows (channels are chosen in a solve, or by a manual flagging step)",
            format!("'{text}'"),
        );
        return Err(crate::vis::Error::from(problem).into());
    }
    let chosen = select("spw", text, &names)?;
    let found: Vec<usize> = reader.windows().into_iter().filter(|w| chosen.contains(w)).collect();
    if found.is_empty() {
        return Err(crate::vis::Error::from(BadArgument::new(
            "spw",
            "a spectral window with data",
            format!("'{text}'"),
        ))
        .into());
    }
    Ok(found)
}

/// Windows with data chosen by CASA's `spw`, ascending in frequency, and the channels (ascending in frequency) where it names some.
pub(super) fn windows_and_channels(
    reader: &dyn Input,
    text: &str,
) -> Result<(Vec<usize>, BTreeMap<usize, Vec<bool>>), Error> {
    let mut channels = BTreeMap::new();
    let mut numbers = Vec::new();
    for (spw, chosen) in channels_as_stored(reader, text)? {
        numbers.push(spw.to_string());
        channels.extend(chosen.map(|chosen| (spw, chosen)));
    }
    Ok((windows(reader, &numbers.join(","))?, channels))
}

/// CASA's `spw` with channels; it counts channels as they are stored, the result has them ascending in frequency.
pub(super) fn channels_as_stored(
    reader: &dyn Input,
    text: &str,
) -> Result<Vec<(usize, Option<Vec<bool>>)>, Error> {
    let meta = reader.meta();
    let counts: Vec<usize> = meta.spws.iter().map(|s| s.freq_hz.len()).collect();
    let mut chosen = select_channels("spw", text, &counts)?;
    for (spw, channels) in &mut chosen {
        if let Some(channels) = channels.as_mut().filter(|_| meta.descending[*spw]) {
            channels.reverse();
        }
    }
    Ok(chosen)
}

/// Antennas of a ranked, comma-separated list of names (or indices), and behind them those of `chain`: the array's fallback chain
/// names antennas that a Measurement Set need not have. A name of the list that is absent is passed over with a warning; when it has no
/// other the list is refused, as by CASA, unless it is of the chain.
pub(super) fn ranked_antennas(reader: &dyn Input, text: &str, chain: &str) -> Result<Vec<usize>, Error> {
    fn words(list: &str) -> impl Iterator<Item = &str> {
        list.split(',').map(str::trim).filter(|n| !n.is_empty())
    }
    let meta = reader.meta();
    let behind: Vec<&str> = words(chain).collect();
    let mut ranked = Vec::new();
    let mut unknown = false;
    for name in words(text) {
        let by_number = || name.parse::<usize>().ok().filter(|k| *k < meta.antennas.len());
        // An antenna of the chain is meant by its name.
        let of_chain = behind.contains(&name);
        match meta.antenna_index(name).or_else(|| by_number().filter(|_| !of_chain)) {
            Some(index) if !ranked.contains(&index) => ranked.push(index),
            Some(_) => {}
            None => {
                unknown |= !of_chain;
                let ms = meta.path.display();
                log::warn!("{ms}: reference antenna '{name}' is not in the antenna table");
            }
        }
    }
    if ranked.is_empty() && (unknown || (behind.is_empty() && !text.trim().is_empty())) {
        let names = meta.antennas.iter().map(|a| a.name.as_str()).collect::<Vec<_>>().join(", ");
        return Err(crate::vis::Error::from(BadArgument::new(
            "refant",
            format!("one of {names}"),
            format!("'{text}'"),
        ))
        .into());
    }
    for index in behind.iter().filter_map(|name| meta.antenna_index(name)) {
        if !ranked.contains(&index) {
            ranked.push(index);
        }
    }
    Ok(ranked)
}
