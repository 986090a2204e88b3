//! Reading Measurement Sets, our own and others'.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::Error;
use super::lock::MsLock;
use super::meta::{self, Meta};
use super::repair;
use super::request::{Column, ReadRequest};
use crate::casatable::{Element, Table, Tiles};
use crate::control::Control;
use crate::kind::BadArgument;

/// Upper bound of the bytes that [`MsReader::row_blocks`] aims at per block of visibilities.
const BLOCK_BYTES: usize = 192 << 20;

/// A Measurement Set open for reading.
#[derive(Debug)]
pub struct MsReader {
    pub(super) main: Table,
    meta: Meta,
    /// Rows of MAIN of each data description, as ascending runs.
    runs: Vec<Vec<Range<u64>>>,
    _lock: Option<MsLock>,
}

impl MsReader {
    /// Open a Measurement Set. No lock is taken.
    ///
    /// # Errors
    /// Not a Measurement Set, contents that cannot be understood, a column whose writing was interrupted.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::open_with(path.as_ref(), true)
    }

    /// Open a Measurement Set for a step that reads it whole, alone: the lock is held until the reader is dropped.
    ///
    /// # Errors
    /// As [`MsReader::open`], and [`Error::Busy`] when another step does not finish within `wait`.
    pub fn open_alone(path: impl AsRef<Path>, wait: Duration, control: &Control) -> Result<Self, Error> {
        Self::open_locked(path.as_ref(), wait, control, true)
    }

    /// As [`MsReader::open_alone`] for a step that writes columns, even where the writing of one was interrupted: the same step
    /// repairs it.
    ///
    /// # Errors
    /// As [`MsReader::open_alone`] otherwise.
    pub fn open_to_write(path: impl AsRef<Path>, wait: Duration, control: &Control) -> Result<Self, Error> {
        Self::open_locked(path.as_ref(), wait, control, false)
    }

    fn open_locked(
        path: &Path,
        wait: Duration,
        control: &Control,
        refuse_interrupted: bool,
    ) -> Result<Self, Error> {
        // What is no table at all says so itself.
        let lock = if path.is_dir() { MsLock::take(path, wait, control)? } else { None };
        Ok(Self { _lock: lock, ..Self::open_with(path, refuse_interrupted)? })
    }

    fn open_with(path: &Path, refuse_interrupted: bool) -> Result<Self, Error> {
        if refuse_interrupted {
            repair::refuse_interrupted(path)?;
        } else {
            repair::restore_description(path)?;
        }
        let main = Table::open(path)?;
        let columns = main.columns()?;
        for needed in ["TIME", "ANTENNA1", "ANTENNA2", "DATA_DESC_ID", "FIELD_ID", "UVW"] {
            if !columns.iter().any(|c| c == needed) {
                let found = columns.join(", ");
                return Err(Error::content(
                    path,
                    "MAIN",
                    format!("a Measurement Set with column {needed}"),
                    found,
                ));
            }
        }
        let n_rows = main.n_rows()?;
        let ids: Vec<i32> = main.get("DATA_DESC_ID", 0..n_rows)?;
        let (counts, runs_of) = runs_by_id(&ids);
        let data_descriptions = meta::data_descriptions(&main, &counts)?;
        if let Some(id) =
            counts.keys().find(|id| usize::try_from(**id).map_or(true, |i| i >= data_descriptions.len()))
        {
            let expected = format!("0 to {}", data_descriptions.len().saturating_sub(1));
            return Err(Error::content(path, "DATA_DESC_ID", expected, id));
        }
        let runs = (0..data_descriptions.len())
            .map(|i| runs_of.get(&(i as i32)).cloned().unwrap_or_default())
            .collect();
        let (spws, descending) = meta::spectral_windows(&main)?;
        let meta = Meta {
            path: PathBuf::from(path),
            antennas: meta::antennas(&main)?,
            fields: meta::fields(&main)?,
            spws,
            descending,
            data_descriptions,
            telescope: meta::telescope(&main)?,
            time_range_mjd_s: time_range(&main, n_rows)?,
            columns,
            n_rows,
            provenance: meta::provenance(path),
        };
        let reader = Self { main, meta, runs, _lock: None };
        reader.check_windows()?;
        Ok(reader)
    }

    fn check_windows(&self) -> Result<(), Error> {
        let n = self.meta.spws.len();
        match self.meta.data_descriptions.iter().find(|d| d.spw >= n) {
            Some(d) => {
                Err(Error::content(&self.meta.path, "SPECTRAL_WINDOW_ID", format!("below {n}"), d.spw))
            }
            None => Ok(()),
        }
    }

    /// What the Measurement Set says about itself.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// Spectral windows that have rows, ascending in frequency.
    pub fn windows(&self) -> Vec<usize> {
        let mut used: Vec<usize> =
            self.meta.data_descriptions.iter().filter(|d| d.n_rows > 0).map(|d| d.spw).collect();
        used.sort_unstable();
        used.dedup();
        let start = |spw: &usize| self.meta.spws[*spw].freq_hz.first().copied().unwrap_or(0.0);
        used.sort_by(|a, b| start(a).total_cmp(&start(b)));
        used
    }

    /// Rows of a spectral window (of its first data description with rows).
    pub fn n_rows(&self, spw: usize) -> u64 {
        self.description(&ReadRequest::new(spw, Column::Data))
            .map_or(0, |d| self.meta.data_descriptions[d].n_rows)
    }

    /// Row ranges for [`ReadRequest::rows`] that keep a block of visibilities near 192 MB.
    pub fn row_blocks(&self, spw: usize) -> Vec<Range<u64>> {
        let n = self.n_rows(spw);
        let channels = self.meta.spws.get(spw).map_or(1, |c| c.freq_hz.len().max(1));
        let step = (BLOCK_BYTES / (channels * 4 * 8)).max(1) as u64;
        (0..n).step_by(step as usize).map(|start| start..(start + step).min(n)).collect()
    }

    /// Whether a column of visibilities holds nothing but zeros: it exists but was never filled.
    ///
    /// # Errors
    /// A column that is absent or cannot be read; cancellation.
    pub fn is_zero(&self, column: Column, control: &Control) -> Result<bool, Error> {
        if self.meta.n_rows == 0 {
            return Ok(true);
        }
        if let Some(tiles) = Tiles::open(&self.main, column.name(), false)? {
            if tiles.is_hole() {
                return Ok(true);
            }
        }
        for spw in self.windows() {
            for rows in self.row_blocks(spw) {
                control.check()?;
                let block = self.read(&ReadRequest::new(spw, column).rows(rows))?;
                if block.vis_rfp.iter().any(|v| v.norm_sqr() > 0.0) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Refuse a column of visibilities that was never filled.
    ///
    /// # Errors
    /// As [`MsReader::is_zero`]; all zeros, naming the command that fills the column.
    pub fn require_filled(&self, column: Column, control: &Control) -> Result<(), Error> {
        if !self.is_zero(column, control)? {
            return Ok(());
        }
        let expected = format!("values (filled by `{}`)", column.filled_by());
        Err(Error::content(&self.meta.path, column.name(), expected, "nothing but zeros"))
    }

    /// The data description that a request means.
    pub(super) fn description(&self, request: &ReadRequest) -> Result<usize, Error> {
        let all = &self.meta.data_descriptions;
        if let Some(id) = request.data_description {
            if all.get(id).is_some_and(|d| d.spw == request.spw) {
                return Ok(id);
            }
            let expected = format!("a data description of window {}", request.spw);
            return Err(BadArgument::new("data_description", expected, id).into());
        }
        let of_window: Vec<usize> = (0..all.len()).filter(|i| all[*i].spw == request.spw).collect();
        let with_rows: Vec<usize> = of_window.iter().copied().filter(|i| all[*i].n_rows > 0).collect();
        match (with_rows.as_slice(), of_window.first()) {
            ([one], _) => Ok(*one),
            ([], Some(first)) => Ok(*first),
            ([], None) => {
                let expected = format!(
                    "a spectral window of {} (0 to {})",
                    self.meta.path.display(),
                    self.meta.spws.len()
                );
                Err(BadArgument::new("spw", expected, request.spw).into())
            }
            (several, _) => {
                let expected =
                    format!("one of the data descriptions {several:?} that share window {}", request.spw);
                Err(BadArgument::new("data_description", expected, "none").into())
            }
        }
    }

    /// Rows of MAIN that a request selects, as ascending runs.
    pub(super) fn select(&self, request: &ReadRequest) -> Result<Vec<Range<u64>>, Error> {
        let id = self.description(request)?;
        let total = self.meta.data_descriptions[id].n_rows;
        let wanted = request.rows.clone().unwrap_or(0..total);
        if wanted.start > wanted.end || wanted.end > total {
            let expected = format!("a range within the {total} rows of window {}", request.spw);
            return Err(BadArgument::new("rows", expected, format!("{wanted:?}")).into());
        }
        let runs = cut(&self.runs[id], &wanted);
        if request.fields.is_none() && request.time_range_mjd_s.is_none() && !request.without_autos {
            return Ok(runs);
        }
        self.filter(&runs, request)
    }

    fn filter(&self, runs: &[Range<u64>], request: &ReadRequest) -> Result<Vec<Range<u64>>, Error> {
        let fields: Vec<i32> = self.column("FIELD_ID", runs, 1)?;
        let times: Vec<f64> = self.column("TIME", runs, 1)?;
        let first: Vec<i32> = self.column("ANTENNA1", runs, 1)?;
        let second: Vec<i32> = self.column("ANTENNA2", runs, 1)?;
        let keep = |i: usize| {
            let field = request
                .fields
                .as_ref()
                .is_none_or(|f| f.iter().any(|id| i64::from(*id) == i64::from(fields[i])));
            let time = request.time_range_mjd_s.is_none_or(|[a, b]| times[i] >= a && times[i] <= b);
            field && time && !(request.without_autos && first[i] == second[i])
        };
        let mut kept: Vec<Range<u64>> = Vec::new();
        for (i, row) in runs.iter().cloned().flatten().enumerate() {
            if keep(i) {
                push_row(&mut kept, row);
            }
        }
        Ok(kept)
    }

    /// Cells (of `cell` elements each) of a column over runs of rows.
    pub(super) fn column<T: Element>(
        &self,
        name: &str,
        runs: &[Range<u64>],
        cell: usize,
    ) -> Result<Vec<T>, Error> {
        let total: u64 = runs.iter().map(|r| r.end - r.start).sum();
        // One call for scattered rows, one call a run for long runs.
        if (runs.len() as u64) * 4 > total {
            let rows: Vec<u64> = runs.iter().cloned().flatten().collect();
            return Ok(self.main.get_rows(name, &rows)?);
        }
        let mut out = vec![T::ZERO; total as usize * cell];
        let mut at = 0;
        for run in runs {
            let n = (run.end - run.start) as usize * cell;
            self.main.get_into(name, run.clone(), &mut out[at..at + n])?;
            at += n;
        }
        Ok(out)
    }
}

fn runs_by_id(ids: &[i32]) -> (HashMap<i32, u64>, HashMap<i32, Vec<Range<u64>>>) {
    let mut counts: HashMap<i32, u64> = HashMap::new();
    let mut runs: HashMap<i32, Vec<Range<u64>>> = HashMap::new();
    let mut start = 0;
    for end in 1..=ids.len() {
        if end == ids.len() || ids[end] != ids[start] {
            *counts.entry(ids[start]).or_default() += (end - start) as u64;
            runs.entry(ids[start]).or_default().push(start as u64..end as u64);
            start = end;
        }
    }
    (counts, runs)
}

/// The part of `runs` whose rows, counted from the first, lie in `wanted`.
fn cut(runs: &[Range<u64>], wanted: &Range<u64>) -> Vec<Range<u64>> {
    let mut out = Vec::new();
    let mut before = 0;
    for run in runs {
        let n = run.end - run.start;
        let (a, b) = (wanted.start.max(before), wanted.end.min(before + n));
        if a < b {
            out.push(run.start + (a - before)..run.start + (b - before));
        }
        before += n;
    }
    out
}

fn push_row(runs: &mut Vec<Range<u64>>, row: u64) {
    match runs.last_mut() {
        Some(last) if last.end == row => last.end += 1,
        _ => runs.push(row..row + 1),
    }
}

fn time_range(main: &Table, n_rows: u64) -> Result<[f64; 2], Error> {
    if n_rows == 0 {
        return Ok([0.0, 0.0]);
    }
    let times: Vec<f64> = main.get("TIME", 0..n_rows)?;
    Ok(times.iter().fold([f64::INFINITY, f64::NEG_INFINITY], |[a, b], t| [a.min(*t), b.max(*t)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_cut_by_counting() {
        let (counts, runs) = runs_by_id(&[0, 0, 1, 0, 1, 1, 1]);
        assert_eq!((counts[&0], counts[&1]), (3, 4));
        assert_eq!(runs[&1], [2..3, 4..7]);
        assert_eq!(cut(&runs[&1], &(0..2)), [2..3, 4..5]);
        assert_eq!(cut(&runs[&1], &(2..4)), [5..7]);
        assert!(cut(&runs[&0], &(3..3)).is_empty());
    }
}
