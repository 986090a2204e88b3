//! Opening, migrating, backing up.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use super::{Error, Schema};

/// How long a writer waits for another one.
const BUSY: Duration = Duration::from_secs(30);

/// An open database with its schema brought up to date.
#[derive(Debug)]
pub struct Database {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
    schema: Schema,
    /// Columns of each table and view, as the schema spells them.
    columns: HashMap<String, Vec<String>>,
}

impl Database {
    /// Open or create, and migrate. A file with rows is copied to `<name>.v<N>.bak` before its schema changes.
    ///
    /// # Errors
    /// The file is not a database of this schema, is newer than this program, or cannot be written.
    pub fn open(path: &Path, schema: Schema) -> Result<Self, Error> {
        if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
            std::fs::create_dir_all(parent)
                .map_err(|source| Error::Io { path: parent.to_owned(), source })?;
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let wrap = Error::sqlite(path);
        let mut connection = Connection::open_with_flags(path, flags).map_err(&wrap)?;
        connection.busy_timeout(BUSY).map_err(&wrap)?;
        check_identity(&connection, path, schema)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(&wrap)?;
        connection.pragma_update(None, "synchronous", "FULL").map_err(&wrap)?;
        connection.pragma_update(None, "foreign_keys", "ON").map_err(&wrap)?;
        // 64 MB, so that the index pages of a night's sources stay in memory while it is written.
        connection.pragma_update(None, "cache_size", -65_536).map_err(&wrap)?;
        // 32 MB of journal before it is folded in: a page that several images touch is then written to the file once.
        connection.pragma_update(None, "wal_autocheckpoint", 8192).map_err(&wrap)?;
        migrate(&mut connection, path, schema)?;
        let columns = read_columns(&connection).map_err(&wrap)?;
        Ok(Self { connection, path: path.to_owned(), schema, columns })
    }

    /// File of this database.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Schema of this database.
    pub fn schema(&self) -> Schema {
        self.schema
    }

    /// Tables and views, sorted.
    pub fn tables(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.columns.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    /// The schema's own spelling of a table, and its columns.
    pub(super) fn table(&self, name: &str) -> Result<(&str, &[String]), Error> {
        self.columns.get_key_value(name).map(|(k, v)| (k.as_str(), v.as_slice())).ok_or_else(|| {
            Error::UnknownName {
                what: "a table",
                place: format!("the {} database", self.schema.name()),
                found: name.to_owned(),
                hint: nearest(name, self.columns.keys().map(String::as_str)),
            }
        })
    }

    /// Begin a writing transaction; waits for other writers.
    pub(super) fn begin(&mut self) -> Result<Transaction<'_>, Error> {
        let path = self.path.clone();
        self.connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|source| Error::Sqlite { path, source })
    }

    /// Copy a consistent snapshot to `target` while others read and write (SQLite's online backup).
    ///
    /// # Errors
    /// `target` exists or cannot be written.
    pub fn backup(&self, target: &Path) -> Result<(), Error> {
        if target.exists() {
            let source = std::io::Error::from(std::io::ErrorKind::AlreadyExists);
            return Err(Error::Io { path: target.to_owned(), source });
        }
        let partial = target.with_extension("partial");
        copy_database(&self.connection, &partial)?;
        std::fs::rename(&partial, target).map_err(|source| Error::Io { path: target.to_owned(), source })
    }

    /// SQLite's own consistency check; empty when all is well.
    ///
    /// # Errors
    /// The check cannot run.
    pub fn integrity_errors(&self) -> Result<Vec<String>, Error> {
        let wrap = Error::sqlite(&self.path);
        let mut statement = self.connection.prepare("PRAGMA integrity_check").map_err(&wrap)?;
        let lines = statement.query_map([], |row| row.get::<_, String>(0)).map_err(&wrap)?;
        let mut errors: Vec<String> = lines.collect::<Result<_, _>>().map_err(&wrap)?;
        errors.retain(|line| line != "ok");
        Ok(errors)
    }
}

fn check_identity(connection: &Connection, path: &Path, schema: Schema) -> Result<(), Error> {
    let wrap = Error::sqlite(path);
    let id: i32 = connection.pragma_query_value(None, "application_id", |r| r.get(0)).map_err(&wrap)?;
    let version: u32 = connection.pragma_query_value(None, "user_version", |r| r.get(0)).map_err(&wrap)?;
    let tables: u32 = connection
        .query_row("SELECT count(*) FROM sqlite_schema WHERE type = 'table'", [], |r| r.get(0))
        .map_err(&wrap)?;
    let refuse = |found: String| {
        Err(Error::Version { path: path.to_owned(), schema: schema.name(), known: schema.version(), found })
    };
    if tables > 0 && id != schema.application_id() {
        let other = Schema::ALL.into_iter().find(|s| s.application_id() == id);
        return refuse(other.map_or_else(
            || "a database of another program".to_owned(),
            |s| format!("a {} database", s.name()),
        ));
    }
    if version as usize > schema.version() {
        return refuse(format!(
            "version {version}: use the newer program, or restore the backup made before it"
        ));
    }
    Ok(())
}

fn migrate(connection: &mut Connection, path: &Path, schema: Schema) -> Result<(), Error> {
    let wrap = Error::sqlite(path);
    let version: u32 = connection.pragma_query_value(None, "user_version", |r| r.get(0)).map_err(&wrap)?;
    if version as usize == schema.version() {
        return Ok(());
    }
    if version > 0 {
        let backup = path.with_extension(format!("v{version}.bak"));
        if !backup.exists() {
            copy_database(connection, &backup)?;
        }
    }
    connection.pragma_update(None, "application_id", schema.application_id()).map_err(&wrap)?;
    schema.migrations().to_latest(connection).map_err(|error| match error {
        rusqlite_migration::Error::RusqliteError { err, .. } => wrap(err),
        other => Error::Version {
            path: path.to_owned(),
            schema: schema.name(),
            known: schema.version(),
            found: other.to_string(),
        },
    })
}

fn copy_database(from: &Connection, target: &Path) -> Result<(), Error> {
    let wrap = Error::sqlite(target);
    let mut to = Connection::open(target).map_err(&wrap)?;
    let backup = Backup::new(from, &mut to).map_err(&wrap)?;
    backup.run_to_completion(1024, Duration::ZERO, None).map_err(&wrap)
}

fn read_columns(connection: &Connection) -> rusqlite::Result<HashMap<String, Vec<String>>> {
    let mut names = connection.prepare(
        "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'",
    )?;
    let tables = names.query_map([], |r| r.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    let mut columns = HashMap::new();
    let mut info = connection.prepare("SELECT name FROM pragma_table_info(?1)")?;
    for table in tables {
        let found = info.query_map([&table], |r| r.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
        columns.insert(table, found);
    }
    Ok(columns)
}

/// " (did you mean ...?)" when a known name shares most of its letters in order.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    known
        .map(|k| (common_subsequence(name, k) as f64 * 2.0 / (name.len() + k.len()).max(1) as f64, k))
        .filter(|(score, _)| *score > 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map_or_else(String::new, |(_, k)| format!(" (did you mean {k:?}?)"))
}

fn common_subsequence(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row = vec![0; b.len() + 1];
    for x in a.chars() {
        let mut diagonal = 0;
        for (j, y) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = if x == *y { diagonal + 1 } else { above.max(row[j]) };
            diagonal = above;
        }
    }
    row[b.len()]
}
