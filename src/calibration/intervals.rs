//! Which row belongs to which solution interval.

use super::{Combine, Error};
use crate::kind::BadArgument;

/// Length of a solution interval (CASA's `solint`).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Solint {
    /// Up to the boundaries that are not combined.
    #[default]
    Infinite,
    /// Every integration.
    Integration,
    /// Seconds.
    Seconds(f64),
}

impl Solint {
    /// `inf`, `int`, `60s`, `1.5min`, `0.5h`, or a plain number of seconds. A frequency part (`60s,4MHz`) is refused.
    ///
    /// # Errors
    /// Anything else.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let bad = || {
            Error::from(BadArgument::new(
                "solint",
                "'inf', 'int' or a positive time such as '60s' or '2min'",
                format!("'{text}'"),
            ))
        };
        match text {
            "inf" | "infinite" | "" => return Ok(Self::Infinite),
            "int" => return Ok(Self::Integration),
            _ => {}
        }
        let split = text.find(|c: char| c.is_alphabetic()).unwrap_or(text.len());
        let scale = match text[split..].trim() {
            "" | "s" | "sec" => 1.0,
            "m" | "min" => 60.0,
            "h" | "hr" => 3600.0,
            _ => return Err(bad()),
        };
        let value: f64 = text[..split].trim().parse().map_err(|_| bad())?;
        if value.is_finite() && value > 0.0 {
            Ok(Self::Seconds(value * scale))
        } else {
            Err(bad())
        }
    }
}

/// What decides a row's interval.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RowKey {
    /// Time, UTC \[MJD s\].
    pub time_mjd_s: f64,
    /// Integration time \[s\].
    pub interval_s: f64,
    /// Field.
    pub field: i32,
    /// Scan.
    pub scan: i32,
}

/// Solution intervals, ascending in time.
#[derive(Clone, Debug)]
pub struct Intervals {
    combine: Combine,
    solint: Solint,
    /// (group of field and scan, first time, last time, field, scan)
    spans: Vec<Span>,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    group: (i32, i32),
    start: f64,
    end: f64,
    field: i32,
    scan: i32,
    length: f64,
}

/// Times closer than this are one integration \[s\]: the resolution of MJD seconds in f64 is 1e-6.
const SAME_TIME_S: f64 = 1e-3;

impl Intervals {
    /// Lay intervals over the rows. Every spectral window of a Measurement Set shares them.
    ///
    /// # Errors
    /// No rows, or a time that is not a number.
    pub fn new(
        rows: impl IntoIterator<Item = RowKey>,
        solint: Solint,
        combine: Combine,
    ) -> Result<Self, Error> {
        let mut keys: Vec<RowKey> = Vec::new();
        for key in rows {
            if !key.time_mjd_s.is_finite() {
                return Err(BadArgument::new("TIME", "finite times", key.time_mjd_s).into());
            }
            // Rows are time-major: most repeats are neighbours.
            if keys.last() != Some(&key) {
                keys.push(key);
            }
        }
        if keys.is_empty() {
            return Err(Error::NoData { where_: "the selection".into(), reason: "it has no rows".into() });
        }
        let mut this = Self { combine, solint, spans: Vec::new() };
        keys.sort_by(|p, q| this.group(p).cmp(&this.group(q)).then(p.time_mjd_s.total_cmp(&q.time_mjd_s)));
        for key in &keys {
            let group = this.group(key);
            let joins = this.spans.last().is_some_and(|s| {
                s.group == group
                    && match solint {
                        Solint::Infinite => true,
                        Solint::Integration => (key.time_mjd_s - s.start).abs() < SAME_TIME_S,
                        Solint::Seconds(length) => key.time_mjd_s - s.start < length - SAME_TIME_S,
                    }
            });
            match this.spans.last_mut() {
                Some(span) if joins => {
                    span.end = key.time_mjd_s;
                    span.field = span.field.min(key.field);
                    span.scan = span.scan.min(key.scan);
                }
                _ => this.spans.push(Span {
                    group,
                    start: key.time_mjd_s,
                    end: key.time_mjd_s,
                    field: key.field,
                    scan: key.scan,
                    length: key.interval_s,
                }),
            }
        }
        this.spans.sort_by(|p, q| p.start.total_cmp(&q.start));
        Ok(this)
    }

    fn group(&self, key: &RowKey) -> (i32, i32) {
        (if self.combine.field { 0 } else { key.field }, if self.combine.scan { 0 } else { key.scan })
    }

    /// Number of intervals.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there are none (never, by construction).
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Interval of a row; `None` for a row that was not among those the intervals were laid over.
    pub fn of(&self, key: &RowKey) -> Option<usize> {
        let group = self.group(key);
        // Spans ascend in start: the last one of the group that starts no later than the row.
        let upper = self.spans.partition_point(|s| s.start <= key.time_mjd_s + SAME_TIME_S);
        (0..upper)
            .rev()
            .find(|k| self.spans[*k].group == group)
            .filter(|k| key.time_mjd_s <= self.spans[*k].end + SAME_TIME_S)
    }

    /// Interval of every row that has a key.
    pub fn of_rows(&self, keys: &[Option<RowKey>]) -> Vec<Option<usize>> {
        // Rows are time-major: nearly all share the key of the row before.
        let mut last: (Option<RowKey>, Option<usize>) = (None, None);
        keys.iter()
            .map(|key| {
                let key = (*key)?;
                if last.0 != Some(key) {
                    last = (Some(key), self.of(&key));
                }
                last.1
            })
            .collect()
    }

    /// `(middle, length, field, scan)` of an interval, as a slot of a table wants them.
    pub fn slot(&self, k: usize) -> crate::gains::Slot {
        let s = &self.spans[k];
        let length = s.end - s.start + s.length;
        crate::gains::Slot {
            time_mjd_s: 0.5 * (s.start + s.end),
            interval_s: length,
            field: s.field,
            scan: s.scan,
            refant: -1,
        }
    }

    /// The solution interval that was asked for.
    pub fn solint(&self) -> Solint {
        self.solint
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(n: usize) -> Vec<RowKey> {
        (0..n)
            .map(|k| RowKey {
                time_mjd_s: 5e9 + 12.885 * k as f64,
                interval_s: 12.885,
                field: k as i32,
                scan: 1,
            })
            .collect()
    }

    #[test]
    fn lengths_and_boundaries() {
        let field = Combine { field: true, ..Combine::default() };
        let count = |solint, combine| Intervals::new(rows(24), solint, combine).unwrap().len();
        assert_eq!(count(Solint::Infinite, field), 1);
        assert_eq!(count(Solint::Infinite, Combine::default()), 24);
        assert_eq!(count(Solint::Integration, field), 24);
        // 60 s hold five dumps of 12.885 s by their start times (0 to 51.5 s).
        assert_eq!(count(Solint::Seconds(60.0), field), 5);
    }

    #[test]
    fn every_row_finds_its_interval() {
        let rows = rows(24);
        let intervals = Intervals::new(
            rows.iter().copied().rev(),
            Solint::Seconds(60.0),
            Combine { field: true, ..Combine::default() },
        )
        .unwrap();
        let found: Vec<usize> = rows.iter().map(|r| intervals.of(r).unwrap()).collect();
        assert_eq!(found[..6], [0, 0, 0, 0, 0, 1]);
        assert_eq!(found[23], 4);
        assert_eq!(intervals.of(&RowKey { time_mjd_s: 6e9, ..rows[0] }), None);
        let slot = intervals.slot(0);
        assert!(
            (slot.time_mjd_s - 5e9 - 2.0 * 12.885).abs() < 1e-5
                && (slot.interval_s - 5.0 * 12.885).abs() < 1e-5
        );
    }

    #[test]
    fn words() {
        assert_eq!(Solint::parse("inf").unwrap(), Solint::Infinite);
        assert_eq!(Solint::parse("int").unwrap(), Solint::Integration);
        assert_eq!(Solint::parse("1.5min").unwrap(), Solint::Seconds(90.0));
        assert_eq!(Solint::parse("30").unwrap(), Solint::Seconds(30.0));
        for wrong in ["-5s", "0", "soon", "60s,4MHz", "nan"] {
            assert!(Solint::parse(wrong).is_err(), "{wrong}");
        }
    }
}
