//! Keywords of tables and of columns; dotted names (`MEASINFO.Ref`) reach into nested records.

use std::ffi::{c_char, CString};
use std::path::PathBuf;

use super::error::Error;
use super::ffi::{self, c_text, call, push_name, push_number, push_text};
use super::table::{ctx, Table};

/// casacore codes of the keyword types written here.
const TP_BOOL: i32 = 0;
const TP_INT: i32 = 5;
const TP_FLOAT: i32 = 7;
const TP_DOUBLE: i32 = 8;
const TP_ARRAY_INT: i32 = 18;
const TP_ARRAY_DOUBLE: i32 = 21;
const TP_TABLE: i32 = 12;

/// A keyword's value to write.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// A text.
    Text(&'a str),
    /// A vector of texts.
    Texts(&'a [&'a str]),
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i32),
    /// A 32-bit float (`MS_VERSION`).
    Float(f32),
    /// A float.
    Double(f64),
    /// A vector of integers.
    Ints(&'a [i32]),
    /// A vector of floats.
    Doubles(&'a [f64]),
}

impl Table {
    /// Names of the keywords of the table (`column` empty) or of a column.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn keywords(&self, column: &str) -> Result<Vec<String>, Error> {
        Ok(self.keyword_types(column)?.into_iter().map(|(name, _)| name).collect())
    }

    /// Names of the keywords that are subtables.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn subtables(&self) -> Result<Vec<String>, Error> {
        Ok(self
            .keyword_types("")?
            .into_iter()
            .filter(|(_, kind)| *kind == TP_TABLE)
            .map(|(name, _)| name)
            .collect())
    }

    fn keyword_types(&self, column: &str) -> Result<Vec<(String, i32)>, Error> {
        let mut names: Vec<(String, i32)> = Vec::new();
        let key = c_text(column);
        // SAFETY: the handle is open and `names` outlives the call.
        call(|err| unsafe { ffi::ct_keywords(self.raw, key.as_ptr(), ctx(&mut names), push_name, err) })
            .map_err(|m| self.read_error("list keywords", m))?;
        Ok(names)
    }

    /// Texts of a keyword (one for a plain text), or `None` when it is absent.
    ///
    /// # Errors
    /// [`Error::Read`] when it holds no text.
    pub fn keyword_text(&self, column: &str, name: &str) -> Result<Option<Vec<String>>, Error> {
        let mut texts: Vec<String> = Vec::new();
        let (key, field) = (c_text(column), c_text(name));
        let mut found = 0;
        // SAFETY: the handle is open and `texts` outlives the call.
        call(|err| unsafe {
            ffi::ct_keyword_text(
                self.raw,
                key.as_ptr(),
                field.as_ptr(),
                &mut found,
                ctx(&mut texts),
                push_text,
                err,
            )
        })
        .map_err(|m| self.read_error(&format!("read keyword {name}"), m))?;
        Ok((found != 0).then_some(texts))
    }

    /// Numbers of a keyword, or `None` when it is absent.
    ///
    /// # Errors
    /// [`Error::Read`] when it holds no numbers.
    pub fn keyword_numbers(&self, column: &str, name: &str) -> Result<Option<Vec<f64>>, Error> {
        let mut numbers: Vec<f64> = Vec::new();
        let (key, field) = (c_text(column), c_text(name));
        let mut found = 0;
        // SAFETY: the handle is open and `numbers` outlives the call.
        call(|err| unsafe {
            ffi::ct_keyword_numbers(
                self.raw,
                key.as_ptr(),
                field.as_ptr(),
                &mut found,
                ctx(&mut numbers),
                push_number,
                err,
            )
        })
        .map_err(|m| self.read_error(&format!("read keyword {name}"), m))?;
        Ok((found != 0).then_some(numbers))
    }

    /// Directory of a subtable.
    ///
    /// # Errors
    /// [`Error::Read`] when there is no such subtable.
    pub fn subtable_path(&self, name: &str) -> Result<PathBuf, Error> {
        let inside = self.path.join(name);
        if inside.join("table.dat").is_file() {
            return Ok(inside);
        }
        match self.keyword_text("", name)? {
            Some(texts) => Ok(texts.first().map(PathBuf::from).unwrap_or(inside)),
            None => Err(self.read_error(&format!("find subtable {name}"), "there is no such keyword".into())),
        }
    }

    /// Open a subtable for reading.
    ///
    /// # Errors
    /// As [`Table::open`].
    pub fn subtable(&self, name: &str) -> Result<Table, Error> {
        Table::open(self.subtable_path(name)?)
    }

    /// Write a keyword of the table (`column` empty) or of a column.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn put_keyword(&mut self, column: &str, name: &str, value: Value<'_>) -> Result<(), Error> {
        match value {
            Value::Text(text) => self.put_texts_keyword(column, name, true, &[text]),
            Value::Texts(texts) => self.put_texts_keyword(column, name, false, texts),
            Value::Bool(b) => self.put_numbers(column, name, TP_BOOL, &[f64::from(u8::from(b))]),
            Value::Int(i) => self.put_numbers(column, name, TP_INT, &[f64::from(i)]),
            Value::Float(x) => self.put_numbers(column, name, TP_FLOAT, &[f64::from(x)]),
            Value::Double(x) => self.put_numbers(column, name, TP_DOUBLE, &[x]),
            Value::Ints(v) => {
                let numbers: Vec<f64> = v.iter().map(|i| f64::from(*i)).collect();
                self.put_numbers(column, name, TP_ARRAY_INT, &numbers)
            }
            Value::Doubles(v) => self.put_numbers(column, name, TP_ARRAY_DOUBLE, v),
        }
    }

    fn put_texts_keyword(
        &mut self,
        column: &str,
        name: &str,
        scalar: bool,
        texts: &[&str],
    ) -> Result<(), Error> {
        let owned: Vec<CString> = texts.iter().map(|t| c_text(t)).collect();
        let pointers: Vec<*const c_char> = owned.iter().map(|t| t.as_ptr()).collect();
        let (key, field) = (c_text(column), c_text(name));
        let (one, n) = (i32::from(scalar), texts.len() as u64);
        // SAFETY: `owned` outlives the call.
        call(|err| unsafe {
            ffi::ct_put_keyword_text(self.raw, key.as_ptr(), field.as_ptr(), one, n, pointers.as_ptr(), err)
        })
        .map_err(|m| self.write_error(&format!("write keyword {name}"), m))
    }

    fn put_numbers(&mut self, column: &str, name: &str, kind: i32, numbers: &[f64]) -> Result<(), Error> {
        let (key, field, n) = (c_text(column), c_text(name), numbers.len() as u64);
        // SAFETY: `numbers` outlives the call.
        call(|err| unsafe {
            ffi::ct_put_keyword_numbers(
                self.raw,
                key.as_ptr(),
                field.as_ptr(),
                kind,
                n,
                numbers.as_ptr(),
                err,
            )
        })
        .map_err(|m| self.write_error(&format!("write keyword {name}"), m))
    }

    /// Write a keyword that refers to a subtable.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn put_subtable(&mut self, name: &str, table: &Table) -> Result<(), Error> {
        let (key, field) = (c_text(""), c_text(name));
        // SAFETY: both handles are open.
        call(|err| unsafe {
            ffi::ct_put_keyword_table(self.raw, key.as_ptr(), field.as_ptr(), table.raw, err)
        })
        .map_err(|m| self.write_error(&format!("write keyword {name}"), m))
    }

    /// Remove a keyword; nothing happens when it is absent.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn remove_keyword(&mut self, column: &str, name: &str) -> Result<(), Error> {
        let (key, field) = (c_text(column), c_text(name));
        // SAFETY: the handle is open.
        call(|err| unsafe { ffi::ct_remove_keyword(self.raw, key.as_ptr(), field.as_ptr(), err) })
            .map_err(|m| self.write_error(&format!("remove keyword {name}"), m))
    }

    /// `QuantumUnits` of a column.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn put_units(&mut self, column: &str, units: &[&str]) -> Result<(), Error> {
        self.put_keyword(column, "QuantumUnits", Value::Texts(units))
    }

    /// `MEASINFO` of a column: a measure with a fixed reference frame.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn put_measure(&mut self, column: &str, measure: &str, reference: &str) -> Result<(), Error> {
        self.put_keyword(column, "MEASINFO.type", Value::Text(measure))?;
        self.put_keyword(column, "MEASINFO.Ref", Value::Text(reference))
    }
}
