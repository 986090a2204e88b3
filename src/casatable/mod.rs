//! A thin layer over casacore tables: open modes, locks, tiled columns, keywords, bulk column ranges.
//!
//! casacore comes from `rubbl_casatables_impl` (static, in a C++ namespace of its own, so that casatools, python-casacore
//! and this library can live in one process); `glue.cc` is the C interface to it. Array shapes are in C order here, the
//! reverse of casacore's. Reading takes no lock and leaves no trace in the table; writing takes casacore's write lock.

mod create;
mod direct;
mod element;
mod error;
mod ffi;
mod keyword;
mod staged;
mod table;
mod tiles;
mod write;

pub use create::{ColumnSpec, Storage};
pub use element::{DataType, Element};
pub use error::Error;
pub use keyword::Value;
pub use staged::{copy_tree, data_extents, free_bytes, sync_directory, sync_file, sync_tree, Staged};
pub use table::{ColumnInfo, Table};
pub use tiles::Tiles;

#[cfg(test)]
mod tests;
