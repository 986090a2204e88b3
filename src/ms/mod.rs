//! MeasurementSet v2: reading of any, crash-safe writing of our own, blocks of columns.
//!
//! A Measurement Set keeps the conventions of [`crate::vis`]: `uvw = position(antenna1) - position(antenna2)` and
//! `M = sum S exp(+2 pi i (u l + v m + w (n - 1)))`, which is how CASA and pyuvdata write it, so nothing is conjugated here.

mod content;
mod error;
mod gather;
mod lock;
mod meta;
mod read;
mod reader;
mod repair;
mod request;
mod schema;
mod update;
mod writer;

pub use content::Content;
pub use error::Error;
pub use gather::WindowFiles;
pub use lock::MsLock;
pub use meta::{DataDescription, Meta, MsAntenna, PROVENANCE_FILE};
pub use reader::MsReader;
pub use repair::{interrupted_by, write_durably};
pub use request::{Column, ReadRequest};
pub use update::MsUpdate;
pub use writer::{MsWriter, WindowData};

#[cfg(test)]
mod tests;
