//! Typed selections and bulk writes of any table of the schema.

use rusqlite::types::Value;
use rusqlite::{params_from_iter, Statement};

use super::connection::nearest;
use super::{Database, Error};
use crate::kind::BadArgument;

/// One row: column names and values, in the order of the selection.
pub type Row = Vec<(String, Value)>;

/// How a column is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// Equal; NULL equals NULL.
    Equal,
    /// Not equal; NULL differs from every value.
    NotEqual,
    /// Less than.
    Less,
    /// Less than or equal.
    LessEqual,
    /// Greater than.
    Greater,
    /// Greater than or equal.
    GreaterEqual,
}

impl Operator {
    const TABLE: [(&'static str, Operator, &'static str); 6] = [
        ("=", Operator::Equal, "IS"),
        ("!=", Operator::NotEqual, "IS NOT"),
        ("<", Operator::Less, "<"),
        ("<=", Operator::LessEqual, "<="),
        (">", Operator::Greater, ">"),
        (">=", Operator::GreaterEqual, ">="),
    ];

    /// The operator of `=`, `!=`, `<`, `<=`, `>` or `>=`.
    pub fn from_symbol(symbol: &str) -> Option<Self> {
        Self::TABLE.iter().find(|row| row.0 == symbol).map(|row| row.1)
    }

    fn sql(self) -> &'static str {
        Self::TABLE.iter().find(|row| row.1 == self).map_or("IS", |row| row.2)
    }
}

/// One comparison of a selection; all must hold.
#[derive(Clone, Debug)]
pub struct Condition {
    /// Column.
    pub column: String,
    /// Comparison.
    pub operator: Operator,
    /// Right-hand side.
    pub value: Value,
}

/// Which rows, in which order, how many.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Columns wanted; all when empty.
    pub columns: Vec<String>,
    /// Conditions, all of which must hold.
    pub conditions: Vec<Condition>,
    /// Columns to sort by; `true` is descending.
    pub order_by: Vec<(String, bool)>,
    /// At most this many rows.
    pub limit: Option<u64>,
    /// Rows left out first.
    pub offset: u64,
}

/// Rows for one table.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Table.
    pub table: String,
    /// Columns of every row.
    pub columns: Vec<String>,
    /// Columns by which an existing row is recognised and updated; none refuses duplicates.
    pub conflict: Vec<String>,
    /// Values, one a column.
    pub rows: Vec<Vec<Value>>,
}

impl Database {
    /// Rows of a table or view.
    ///
    /// # Errors
    /// An unknown table or column; a failing database.
    pub fn select(&self, table: &str, selection: &Selection) -> Result<Vec<Row>, Error> {
        let (sql, parameters) = self.select_sql(table, selection)?;
        let wrap = Error::sqlite(&self.path);
        let mut statement = self.connection.prepare_cached(&sql).map_err(&wrap)?;
        fetch(&mut statement, parameters).map_err(wrap)
    }

    fn select_sql(&self, table: &str, selection: &Selection) -> Result<(String, Vec<Value>), Error> {
        let (table, known) = self.table(table)?;
        let mut wanted = Vec::new();
        for name in &selection.columns {
            wanted.push(quoted(column(table, known, name)?));
        }
        let list = if wanted.is_empty() { "*".to_owned() } else { wanted.join(", ") };
        let (filter, mut parameters) = where_sql(table, known, &selection.conditions)?;
        let mut sql = format!("SELECT {list} FROM {}{filter}", quoted(table));
        for (index, (name, descending)) in selection.order_by.iter().enumerate() {
            sql.push_str(if index == 0 { " ORDER BY " } else { ", " });
            sql.push_str(&quoted(column(table, known, name)?));
            sql.push_str(if *descending { " DESC" } else { " ASC" });
        }
        // -1 is SQLite's "no limit".
        sql.push_str(" LIMIT ? OFFSET ?");
        parameters.push(Value::Integer(selection.limit.map_or(-1, |n| i64::try_from(n).unwrap_or(i64::MAX))));
        parameters.push(Value::Integer(i64::try_from(selection.offset).unwrap_or(i64::MAX)));
        Ok((sql, parameters))
    }

    /// Insert rows that share `columns`, in one transaction; see [`Database::insert_all`]. Returns the rows written.
    ///
    /// # Errors
    /// As [`Database::insert_all`].
    pub fn insert(
        &mut self,
        table: &str,
        columns: &[String],
        conflict: &[String],
        rows: &[Vec<Value>],
    ) -> Result<usize, Error> {
        let batch = Batch {
            table: table.to_owned(),
            columns: columns.to_vec(),
            conflict: conflict.to_vec(),
            rows: rows.to_vec(),
        };
        self.insert_all(&[batch])
    }

    /// Insert batches into several tables in one transaction: all of it or nothing. With `conflict` columns, a row
    /// that has the same values there is updated in the other columns instead. Returns the rows written.
    ///
    /// # Errors
    /// An unknown name, a row of another length, a broken constraint (nothing is then written).
    pub fn insert_all(&mut self, batches: &[Batch]) -> Result<usize, Error> {
        self.replace_all(&[], batches)
    }

    /// Delete the rows that meet each of `deletions`, then insert batches as [`Database::insert_all`], in one transaction: all of
    /// it or nothing. Returns the rows inserted.
    ///
    /// # Errors
    /// As [`Database::insert_all`]; a deletion without conditions.
    pub fn replace_all(
        &mut self,
        deletions: &[(String, Vec<Condition>)],
        batches: &[Batch],
    ) -> Result<usize, Error> {
        let statements = batches.iter().map(|batch| self.insert_sql(batch)).collect::<Result<Vec<_>, _>>()?;
        let mut removals = Vec::new();
        for (table, conditions) in deletions {
            if conditions.is_empty() {
                return Err(BadArgument::new(
                    "conditions",
                    format!("at least one for table {table}"),
                    "none",
                )
                .into());
            }
            let (name, known) = self.table(table)?;
            let (filter, parameters) = where_sql(name, known, conditions)?;
            removals.push((format!("DELETE FROM {}{filter}", quoted(name)), parameters));
        }
        let path = self.path.clone();
        let wrap = Error::sqlite(&path);
        let transaction = self.begin()?;
        for (sql, parameters) in removals {
            transaction.execute(&sql, params_from_iter(parameters)).map_err(&wrap)?;
        }
        for (batch, sql) in batches.iter().zip(&statements) {
            let mut statement = transaction.prepare_cached(sql).map_err(&wrap)?;
            for row in &batch.rows {
                statement.execute(params_from_iter(row)).map_err(&wrap)?;
            }
        }
        transaction.commit().map_err(&wrap)?;
        Ok(batches.iter().map(|batch| batch.rows.len()).sum())
    }

    pub(super) fn insert_sql(&self, batch: &Batch) -> Result<String, Error> {
        let (table, known) = self.table(&batch.table)?;
        if let Some(row) = batch.rows.iter().find(|row| row.len() != batch.columns.len()) {
            return Err(
                BadArgument::new(table, format!("{} values a row", batch.columns.len()), row.len()).into()
            );
        }
        let name = |c: &String| column(table, known, c).map(quoted);
        let names = batch.columns.iter().map(name).collect::<Result<Vec<_>, _>>()?;
        let keys = batch.conflict.iter().map(name).collect::<Result<Vec<_>, _>>()?;
        let marks = vec!["?"; names.len()].join(", ");
        let mut sql = format!("INSERT INTO {} ({}) VALUES ({marks})", quoted(table), names.join(", "));
        if !keys.is_empty() {
            let others: Vec<&String> = names.iter().filter(|n| !keys.contains(n)).collect();
            let prefix = self.schema().conflict_prefix(table).map(str::to_owned);
            let target: Vec<String> = prefix.into_iter().chain(keys.iter().cloned()).collect();
            sql.push_str(&format!(" ON CONFLICT ({}) DO {}", target.join(", "), update_sql(table, &others)));
        }
        Ok(sql)
    }

    /// Set columns of the rows that meet the conditions; returns how many.
    ///
    /// # Errors
    /// An unknown name, no conditions (an update of a whole table is never meant), a broken constraint.
    pub fn update(&mut self, table: &str, values: &Row, conditions: &[Condition]) -> Result<usize, Error> {
        let (name, known) = self.table(table)?;
        let mut sets = Vec::new();
        let mut parameters = Vec::new();
        for (key, value) in values {
            sets.push(format!("{} = ?", quoted(column(name, known, key)?)));
            parameters.push(value.clone());
        }
        let (filter, more) = where_sql(name, known, conditions)?;
        let sql = format!("UPDATE {} SET {}{filter}", quoted(name), sets.join(", "));
        parameters.extend(more);
        self.write_some(table, &sql, parameters, conditions)
    }

    /// Delete the rows that meet the conditions; returns how many.
    ///
    /// # Errors
    /// An unknown name, no conditions.
    pub fn delete(&mut self, table: &str, conditions: &[Condition]) -> Result<usize, Error> {
        let (name, known) = self.table(table)?;
        let (filter, parameters) = where_sql(name, known, conditions)?;
        let sql = format!("DELETE FROM {}{filter}", quoted(name));
        self.write_some(table, &sql, parameters, conditions)
    }

    fn write_some(
        &mut self,
        table: &str,
        sql: &str,
        parameters: Vec<Value>,
        conditions: &[Condition],
    ) -> Result<usize, Error> {
        if conditions.is_empty() {
            return Err(
                BadArgument::new("conditions", format!("at least one for table {table}"), "none").into()
            );
        }
        let path = self.path.clone();
        let wrap = Error::sqlite(&path);
        let transaction = self.begin()?;
        let count = transaction.execute(sql, params_from_iter(parameters)).map_err(&wrap)?;
        transaction.commit().map_err(&wrap)?;
        Ok(count)
    }
}

pub(super) fn fetch(statement: &mut Statement<'_>, parameters: Vec<Value>) -> rusqlite::Result<Vec<Row>> {
    let names: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
    let mut found = statement.query(params_from_iter(parameters))?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        let values = names.iter().enumerate().map(|(i, name)| Ok((name.clone(), row.get::<_, Value>(i)?)));
        rows.push(values.collect::<rusqlite::Result<Row>>()?);
    }
    Ok(rows)
}

/// What becomes of a row that is there already: the columns that are not its key are set. A row that would stay as it is is not written.
fn update_sql(table: &str, columns: &[&String]) -> String {
    if columns.is_empty() {
        return "NOTHING".to_owned();
    }
    let list =
        |name: &dyn Fn(&String) -> String| columns.iter().map(|c| name(c)).collect::<Vec<_>>().join(", ");
    let (old, new) = (list(&|c| format!("{}.{c}", quoted(table))), list(&|c| format!("excluded.{c}")));
    format!("UPDATE SET {} WHERE ({old}) IS NOT ({new})", list(&|c| format!("{c} = excluded.{c}")))
}

fn where_sql(table: &str, known: &[String], conditions: &[Condition]) -> Result<(String, Vec<Value>), Error> {
    let mut parts = Vec::new();
    for condition in conditions {
        parts.push(format!(
            "{} {} ?",
            quoted(column(table, known, &condition.column)?),
            condition.operator.sql()
        ));
    }
    let sql = if parts.is_empty() { String::new() } else { format!(" WHERE {}", parts.join(" AND ")) };
    Ok((sql, conditions.iter().map(|c| c.value.clone()).collect()))
}

/// The schema's own spelling of a column.
fn column<'a>(table: &str, known: &'a [String], name: &str) -> Result<&'a str, Error> {
    known.iter().find(|k| *k == name).map(String::as_str).ok_or_else(|| Error::UnknownName {
        what: "a column",
        place: format!("table {table}"),
        found: name.to_owned(),
        hint: nearest(name, known.iter().map(String::as_str)),
    })
}

/// Quote a name that the schema itself gave.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
