//! Rows to read for some baselines, in few stretches of the file.

use std::ops::Range;

/// Rows that are read and thrown away rather than beginning another read (an autocorrelation, for example).
const GAP_ROWS: usize = 4;

/// Ranges of rows that cover the rows of some baselines, ascending, and where a row lies within them.
pub(super) struct Ranges {
    pub ranges: Vec<Range<usize>>,
    /// Rows before each range.
    before: Vec<usize>,
}

impl Ranges {
    pub fn new(rows_of: &[Vec<usize>]) -> Self {
        let mut rows: Vec<usize> = rows_of.iter().flatten().copied().collect();
        rows.sort_unstable();
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for row in rows {
            match ranges.last_mut() {
                Some(last) if row <= last.end + GAP_ROWS => last.end = last.end.max(row + 1),
                _ => ranges.push(row..row + 1),
            }
        }
        let before = ranges
            .iter()
            .scan(0, |n, r| {
                let at = *n;
                *n += r.len();
                Some(at)
            })
            .collect();
        Self { ranges, before }
    }

    pub fn position(&self, row: usize) -> usize {
        let k = self.ranges.partition_point(|r| r.end <= row);
        self.before[k] + row - self.ranges[k].start
    }
}
