//! Times of a UVH5 file: Julian Dates of bin centres, UTC.

use super::hdf::Node;
use super::Error;
use crate::constants::{JD_OF_MJD_0, SECONDS_PER_DAY};

/// Julian Dates that are believed: 1858-11-17 to 2132-08-31.
const BELIEVED_JD: std::ops::Range<f64> = JD_OF_MJD_0..2_500_000.5;
/// Times closer than this are one integration; a double holds a Julian Date to 0.04 ms \[s\].
const SAME_TIME_S: f64 = 1e-3;

/// Extent of a file in time (bin centres).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// First, UTC \[MJD s\].
    pub start_mjd_s: f64,
    /// Last, UTC \[MJD s\].
    pub end_mjd_s: f64,
}

impl Span {
    /// The middle, UTC \[MJD s\].
    pub fn mid_mjd_s(&self) -> f64 {
        0.5 * (self.start_mjd_s + self.end_mjd_s)
    }

    pub(super) fn read(node: &Node<'_>, rows: usize) -> Result<Self, Error> {
        let list = read(node, rows)?;
        let start_mjd_s = list.iter().copied().fold(f64::INFINITY, f64::min);
        let end_mjd_s = list.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Ok(Self { start_mjd_s, end_mjd_s })
    }
}

/// Time of every row of the file, UTC \[MJD s\].
pub(super) fn read(node: &Node<'_>, rows: usize) -> Result<Vec<f64>, Error> {
    let mut list: Vec<f64> = node.shaped("time_array", &[rows])?;
    for (row, time) in list.iter_mut().enumerate() {
        if !BELIEVED_JD.contains(time) {
            let expected = format!("Julian Dates from {} to {}", BELIEVED_JD.start, BELIEVED_JD.end);
            return Err(node.bad("time_array", expected, format!("{time} in row {row}")));
        }
        *time = (*time - JD_OF_MJD_0) * SECONDS_PER_DAY;
    }
    Ok(list)
}

/// The different times, ascending, and for each row the index of its own.
pub(super) fn distinct(time_mjd_s: &[f64]) -> (Vec<f64>, Vec<u32>) {
    let mut sorted = time_mjd_s.to_vec();
    sorted.dedup();
    sorted.sort_unstable_by(f64::total_cmp);
    let mut list: Vec<f64> = Vec::new();
    for time in sorted {
        if list.last().is_none_or(|last| time - last > SAME_TIME_S) {
            list.push(time);
        }
    }
    let mut last = (f64::NAN, 0u32);
    let index = time_mjd_s.iter().map(|&time| {
        if time != last.0 {
            // The entry at or before: entries begin their cluster.
            last = (time, list.partition_point(|&t| t <= time).saturating_sub(1) as u32);
        }
        last.1
    });
    let index = index.collect();
    (list, index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_within_a_millisecond_are_one() {
        let (list, index) = distinct(&[20.0, 20.0004, 10.0, 30.0, 20.0]);
        assert_eq!(list, [10.0, 20.0, 30.0]);
        assert_eq!(index, [1, 1, 0, 2, 1]);
    }
}
