//! A user's own SELECT on a connection that cannot write.

use std::path::Path;
use std::time::Duration;

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};

use super::rows::{fetch, Row};
use super::Error;
use crate::kind::BadArgument;

/// Run one statement on a read-only connection.
///
/// # Errors
/// The file does not exist, the statement would write, is not one statement, or is not SQL.
pub fn query(path: &Path, sql: &str, parameters: Vec<Value>) -> Result<Vec<Row>, Error> {
    if !path.is_file() {
        let source = std::io::Error::from(std::io::ErrorKind::NotFound);
        return Err(Error::Io { path: path.to_owned(), source });
    }
    let wrap = Error::sqlite(path);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(&wrap)?;
    connection.busy_timeout(Duration::from_secs(30)).map_err(&wrap)?;
    connection.pragma_update(None, "query_only", "ON").map_err(&wrap)?;
    let mut statement = connection.prepare(sql).map_err(&wrap)?;
    // Read-only in SQLite's own judgement; refuses ATTACH and the like, which a read-only connection would allow.
    if !statement.readonly() || statement.column_count() == 0 {
        return Err(BadArgument::new("sql", "a statement that only reads", sql).into());
    }
    fetch(&mut statement, parameters).map_err(wrap)
}
