//! The five reactions to an error, and the trait by which a room's error names its own.

/// What the caller should do about an error (one Python exception class each, see `python/errors.rs`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The caller asked for something impossible: fail the job and tell a person.
    Argument,
    /// The machine did not do its part (disk, permission, lock): retry with back-off.
    Io,
    /// The input is damaged, foreign or inconsistent: quarantine it and go on with the next.
    Data,
    /// An iteration did not converge: the product is marked degraded.
    Unconverged,
    /// The caller cancelled: leave no partial product.
    Cancelled,
}

/// Implemented by every room's `Error`.
pub trait Kind: std::error::Error {
    /// The reaction this error asks for.
    fn kind(&self) -> ErrorKind;
}

/// An argument outside what the call accepts; every room's `Error` can hold one.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{what}: expected {expected}, found {found}")]
pub struct BadArgument {
    /// The argument, by its name in the call.
    pub what: String,
    /// What it should have been.
    pub expected: String,
    /// What it was.
    pub found: String,
}

impl BadArgument {
    /// From anything that displays.
    pub fn new(what: impl Into<String>, expected: impl Into<String>, found: impl std::fmt::Display) -> Self {
        Self { what: what.into(), expected: expected.into(), found: found.to_string() }
    }
}

impl Kind for BadArgument {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Argument
    }
}

/// The kind of an I/O error: a path that the caller got wrong is still `Io`, as Python's `OSError` family is.
impl Kind for std::io::Error {
    fn kind(&self) -> ErrorKind {
        match std::io::Error::kind(self) {
            std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof => ErrorKind::Data,
            std::io::ErrorKind::InvalidInput => ErrorKind::Argument,
            _ => ErrorKind::Io,
        }
    }
}
