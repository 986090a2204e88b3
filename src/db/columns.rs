//! Bulk writes of whole columns: what a night's measurements are, without an object a value.

use rusqlite::types::Null;
use rusqlite::Statement;

use super::rows::Batch;
use super::{Database, Error, Value};
use crate::kind::BadArgument;

/// Values of one column.
#[derive(Clone, Debug)]
pub enum Column {
    /// Numbers; NaN is NULL.
    Real(Vec<f64>),
    /// Whole numbers.
    Integer(Vec<i64>),
    /// Text.
    Text(Vec<String>),
    /// The same value in every row.
    Same(Value),
    /// Rows of `width` numbers, each written as one JSON list with one decimal (null for what is not finite).
    Packed {
        /// Row-major values.
        values: Vec<f64>,
        /// Numbers a row.
        width: usize,
    },
}

impl Column {
    /// Rows of this column; `None` when it fits any number.
    fn rows(&self) -> Option<usize> {
        match self {
            Self::Real(v) => Some(v.len()),
            Self::Integer(v) => Some(v.len()),
            Self::Text(v) => Some(v.len()),
            Self::Same(_) => None,
            Self::Packed { values, width } => Some(values.len() / (*width).max(1)),
        }
    }

    fn bind(
        &self,
        statement: &mut Statement<'_>,
        index: usize,
        row: usize,
        text: &mut String,
    ) -> rusqlite::Result<()> {
        match self {
            Self::Real(v) if v[row].is_nan() => statement.raw_bind_parameter(index, Null),
            Self::Real(v) => statement.raw_bind_parameter(index, v[row]),
            Self::Integer(v) => statement.raw_bind_parameter(index, v[row]),
            Self::Text(v) => statement.raw_bind_parameter(index, v[row].as_str()),
            Self::Same(value) => statement.raw_bind_parameter(index, value),
            Self::Packed { values, width } => {
                pack(&values[row * width..(row + 1) * width], text);
                statement.raw_bind_parameter(index, text.as_str())
            }
        }
    }
}

/// A JSON list with one decimal.
fn pack(values: &[f64], text: &mut String) {
    use std::fmt::Write;
    text.clear();
    text.push('[');
    for (i, v) in values.iter().enumerate() {
        if i > 0 {
            text.push(',');
        }
        let tenths = (v * 10.0).round();
        if !tenths.is_finite() || tenths.abs() > 9e15 {
            text.push_str("null");
            continue;
        }
        // Whole numbers format several times faster than decimals.
        let whole = tenths.abs() as u64;
        let sign = if tenths < 0.0 { "-" } else { "" };
        // Writing to a String does not fail.
        let _ = match whole % 10 {
            0 => write!(text, "{sign}{}", whole / 10),
            tenth => write!(text, "{sign}{}.{tenth}", whole / 10),
        };
    }
    text.push(']');
}

/// Columns for one table.
#[derive(Clone, Debug)]
pub struct ColumnBatch {
    /// Table.
    pub table: String,
    /// Names and values.
    pub columns: Vec<(String, Column)>,
    /// Columns by which an existing row is recognised and updated; none refuses duplicates.
    pub conflict: Vec<String>,
}

impl ColumnBatch {
    fn rows(&self) -> Result<usize, Error> {
        let mut rows = None;
        for (name, column) in &self.columns {
            let Some(found) = column.rows() else { continue };
            if *rows.get_or_insert(found) != found {
                let expected = format!("{} rows as the columns before it", rows.unwrap_or(0));
                return Err(BadArgument::new(name, expected, found).into());
            }
        }
        rows.ok_or_else(|| BadArgument::new("columns", "at least one with values", "none").into())
    }
}

impl Database {
    /// Insert columns into several tables in one transaction: all of it or nothing. Conflicts as in [`Database::insert_all`].
    /// Returns the rows written.
    ///
    /// # Errors
    /// An unknown name, columns of different lengths, a broken constraint (nothing is then written).
    pub fn insert_columns(&mut self, batches: &[ColumnBatch]) -> Result<usize, Error> {
        let mut prepared = Vec::new();
        for batch in batches {
            let columns = batch.columns.iter().map(|(name, _)| name.clone()).collect();
            let shape = Batch {
                table: batch.table.clone(),
                columns,
                conflict: batch.conflict.clone(),
                rows: Vec::new(),
            };
            prepared.push((self.insert_sql(&shape)?, batch.rows()?));
        }
        let path = self.path.clone();
        let wrap = Error::sqlite(&path);
        let transaction = self.begin()?;
        let mut text = String::new();
        for (batch, (sql, rows)) in batches.iter().zip(&prepared) {
            let mut statement = transaction.prepare_cached(sql).map_err(&wrap)?;
            // A value that is the same in every row stays bound from the first.
            let (same, own): (Vec<_>, Vec<_>) =
                batch.columns.iter().enumerate().partition(|(_, (_, column))| column.rows().is_none());
            for (i, (_, column)) in same {
                column.bind(&mut statement, i + 1, 0, &mut text).map_err(&wrap)?;
            }
            for row in 0..*rows {
                for (i, (_, column)) in &own {
                    column.bind(&mut statement, i + 1, row, &mut text).map_err(&wrap)?;
                }
                statement.raw_execute().map_err(&wrap)?;
            }
        }
        transaction.commit().map_err(&wrap)?;
        Ok(prepared.iter().map(|(_, rows)| rows).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_json_with_one_decimal() {
        let mut text = String::new();
        pack(&[12.34, -0.06, f64::NAN, 1000.0, 0.0], &mut text);
        assert_eq!(text, "[12.3,-0.1,null,1000,0]");
    }
}
