//! SQLite: the only room with SQL. Schemas are numbered migrations; statements are parameterised; identifiers come
//! from the schema itself, never from a caller's text.
//!
//! One connection an operation's owner: WAL, foreign keys on, `synchronous = FULL` (a committed row survives power
//! loss), busy handler of 30 s, writes in `BEGIN IMMEDIATE` transactions. Databases must not live on NFS
//! (<https://sqlite.org/wal.html>).

mod columns;
mod connection;
mod error;
mod queue;
mod read_only;
mod registry;
mod rows;
mod schema;
#[cfg(test)]
mod tests;

pub use columns::{Column, ColumnBatch};
pub use connection::Database;
pub use error::Error;
pub use queue::{Arrival, ClaimedGroup};
pub use read_only::query;
pub use registry::{ActiveTable, TableType};
pub use rows::{Batch, Condition, Operator, Row, Selection};
pub use rusqlite::types::Value;
pub use schema::Schema;
