//! The rows of a UVH5 file: which baseline at which time, and how each is brought into the crate's convention.

use std::collections::HashMap;

use super::hdf::Source;
use super::header::Header;
use super::times;
use super::Error;

/// Integration times below this part of the spacing of the times are not believed: early correlator files hold
/// the time of a raw sample there.
const LEAST_DUTY: f64 = 0.5;

/// Rows in the order in which they are read: time-major. When every integration holds the same baselines in the same
/// order (`baselines` is then `Some`), row `t * baselines.len() + b` is baseline `b` at time `t`.
#[derive(Clone, Debug, Default)]
pub struct Index {
    /// Different times, ascending, UTC bin centres \[MJD s\].
    pub time_mjd_s: Vec<f64>,
    /// For each row, the index of its time.
    pub time: Vec<u32>,
    /// First antenna of each row: index into the antenna table.
    pub antenna1: Vec<u32>,
    /// Second antenna, not less than the first.
    pub antenna2: Vec<u32>,
    /// Integration time of each row \[s\].
    pub interval_s: Vec<f64>,
    /// `position(antenna1) - position(antenna2)` as the file has it (sign turned); for checks only, it is recomputed on conversion \[m\].
    pub uvw_m: Vec<[f64; 3]>,
    /// The baselines of each integration when they are the same for all.
    pub baselines: Option<Vec<(u32, u32)>>,
    /// Row of the file.
    pub(super) file_row: Vec<u32>,
    /// Whether the file has the antennas the other way round.
    pub(super) swapped: Vec<bool>,
}

impl Index {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.time.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.time.is_empty()
    }

    pub(super) fn read(source: &Source, header: &Header) -> Result<Self, Error> {
        let node = source.root()?.group("Header")?;
        let rows = header.rows;
        if u32::try_from(rows).is_err() {
            return Err(node.bad("Nblts", "at most 2^32 - 1 rows", rows));
        }
        let mut raw = Raw { rows: Vec::with_capacity(rows) };
        let numbers: HashMap<i64, u32> =
            header.antennas.numbers.iter().zip(0u32..).map(|(&n, i)| (n, i)).collect();
        let mut ends = Vec::with_capacity(2);
        for name in ["ant_1_array", "ant_2_array"] {
            let list: Vec<i64> = node.shaped(name, &[rows])?;
            let found: Result<Vec<u32>, i64> =
                list.iter().map(|n| numbers.get(n).copied().ok_or(*n)).collect();
            ends.push(
                found.map_err(|n| node.bad(name, "antennas of antenna_numbers", format!("antenna {n}")))?,
            );
        }
        let (time_mjd_s, time) = times::distinct(&times::read(&node, rows)?);
        for row in 0..rows {
            let (one, two) = (ends[0][row], ends[1][row]);
            raw.rows.push(RawRow {
                time: time[row],
                a: one.min(two),
                b: one.max(two),
                file: row as u32,
                swapped: one > two,
            });
        }
        let regular = raw.order();
        raw.refuse_duplicates(&node)?;
        let uvw: Vec<f64> = node.shaped("uvw_array", &[rows, 3])?;
        let mut interval: Vec<f64> = node.shaped("integration_time", &[rows])?;
        if let Some(bad) = interval.iter().find(|s| !(s.is_finite() && **s > 0.0)) {
            return Err(node.bad("integration_time", "finite, positive seconds", bad));
        }
        believe_spacing(&mut interval, &time_mjd_s, header);
        Ok(raw.finish(time_mjd_s, &uvw, &interval, regular))
    }
}

/// Replace the integration times of a correlator file when they are far below the spacing of its times.
fn believe_spacing(interval: &mut [f64], time_mjd_s: &[f64], header: &Header) {
    // The smallest spacing: where an integration is missing the others are wider.
    let spacing = time_mjd_s.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::INFINITY, f64::min);
    if !spacing.is_finite() {
        return;
    }
    let correlator = header.phase.ha_rad.is_some() || header.instrument.eq_ignore_ascii_case("DSA");
    let longest = interval.iter().copied().fold(0.0, f64::max);
    if correlator && longest < LEAST_DUTY * spacing {
        log::warn!(
            "{}: integration_time is {longest} s but the times are {spacing} s apart: the spacing is used",
            header.path.display()
        );
        interval.fill(spacing);
    }
}

#[derive(Clone, Copy)]
struct RawRow {
    time: u32,
    a: u32,
    b: u32,
    file: u32,
    swapped: bool,
}

struct Raw {
    rows: Vec<RawRow>,
}

impl Raw {
    /// Bring the rows into time-major order. Returns the number of baselines if every time has the same in the same order.
    fn order(&mut self) -> Option<usize> {
        if let (true, Some(count)) = (self.time_major(), self.regular()) {
            return Some(count);
        }
        self.rows.sort_unstable_by_key(|r| (r.time, r.a, r.b, r.file));
        self.regular()
    }

    fn time_major(&self) -> bool {
        self.rows.windows(2).all(|pair| pair[0].time <= pair[1].time)
    }

    fn regular(&self) -> Option<usize> {
        let first = self.rows.first()?;
        let count = self.rows.iter().take_while(|r| r.time == first.time).count();
        let pattern = &self.rows[..count];
        let same = |block: &[RawRow]| {
            block.len() == count
                && block.iter().zip(pattern).all(|(r, p)| (r.time, r.a, r.b) == (block[0].time, p.a, p.b))
        };
        self.rows.chunks(count).all(same).then_some(count)
    }

    fn refuse_duplicates(&self, node: &super::hdf::Node<'_>) -> Result<(), Error> {
        let mut start = 0;
        let mut seen = Vec::new();
        while start < self.rows.len() {
            let time = self.rows[start].time;
            let end = start + self.rows[start..].iter().take_while(|r| r.time == time).count();
            seen.clear();
            seen.extend(self.rows[start..end].iter().map(|r| (r.a, r.b)));
            seen.sort_unstable();
            if let Some(pair) = seen.windows(2).find(|pair| pair[0] == pair[1]) {
                let found = format!("baseline of table entries {:?} twice at one time", pair[0]);
                return Err(node.bad("ant_1_array", "each baseline once at each time", found));
            }
            start = end;
        }
        Ok(())
    }

    fn finish(self, time_mjd_s: Vec<f64>, uvw: &[f64], interval: &[f64], regular: Option<usize>) -> Index {
        let mut index = Index { time_mjd_s, ..Index::default() };
        for row in &self.rows {
            let file = row.file as usize;
            // The file has position(2) - position(1) of its own order of antennas.
            let sign = if row.swapped { 1.0 } else { -1.0 };
            index.time.push(row.time);
            index.antenna1.push(row.a);
            index.antenna2.push(row.b);
            index.interval_s.push(interval[file]);
            index.uvw_m.push([sign * uvw[3 * file], sign * uvw[3 * file + 1], sign * uvw[3 * file + 2]]);
            index.file_row.push(row.file);
            index.swapped.push(row.swapped);
        }
        index.baselines = regular.map(|count| self.rows[..count].iter().map(|r| (r.a, r.b)).collect());
        index
    }
}
