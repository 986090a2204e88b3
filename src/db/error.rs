//! What can go wrong in `db`.

use std::path::PathBuf;

use crate::control::Cancelled;
use crate::kind::{BadArgument, ErrorKind, Kind};

/// An error of the `db` room: what was expected, what was found, where.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value outside what the call accepts.
    #[error(transparent)]
    Argument(#[from] BadArgument),
    /// The call was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// Database or its directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// SQLite refused.
    #[error("{}: {source}", path.display())]
    Sqlite {
        /// Database.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The database was written by another program or a newer version of this one.
    #[error("{}: expected a {schema} database of version <= {known}, found {found}", path.display())]
    Version {
        /// Database.
        path: PathBuf,
        /// Schema name.
        schema: &'static str,
        /// Newest version that this program knows.
        known: usize,
        /// What the file says.
        found: String,
    },
    /// A name that the schema does not have.
    #[error("expected {what} of {place}, found {found:?}{hint}")]
    UnknownName {
        /// `a table` or `a column`.
        what: &'static str,
        /// Schema or table.
        place: String,
        /// The name given.
        found: String,
        /// The nearest known name, in words.
        hint: String,
    },
}

impl Error {
    /// Wrap an error of SQLite with its database.
    pub(super) fn sqlite(path: &std::path::Path) -> impl Fn(rusqlite::Error) -> Self + '_ {
        move |source| Self::Sqlite { path: path.to_owned(), source }
    }
}

impl Kind for Error {
    fn kind(&self) -> ErrorKind {
        use rusqlite::ffi::ErrorCode;
        match self {
            Self::Argument(_) | Self::UnknownName { .. } => ErrorKind::Argument,
            Self::Cancelled(e) => e.kind(),
            Self::Io { .. } => ErrorKind::Io,
            Self::Version { .. } => ErrorKind::Data,
            Self::Sqlite { source, .. } => match source.sqlite_error_code() {
                Some(
                    ErrorCode::DatabaseBusy
                    | ErrorCode::DatabaseLocked
                    | ErrorCode::DiskFull
                    | ErrorCode::SystemIoFailure
                    | ErrorCode::CannotOpen
                    | ErrorCode::ReadOnly
                    | ErrorCode::PermissionDenied,
                ) => ErrorKind::Io,
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => ErrorKind::Data,
                _ => ErrorKind::Argument,
            },
        }
    }
}
