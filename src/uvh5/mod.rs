//! UVH5 files: the correlator's layout and what pyuvdata writes, brought into the crate's convention at the door.
//!
//! UVH5 holds, for its ordered pair (ant_1, ant_2), `uvw = position(2) - position(1)` and the conjugate of CASA's visibility.
//! [`Reader`] gives what `vis` defines: antenna1 < antenna2 as indices into the header's antenna table, the conjugate, the
//! opposite uvw, channels ascending, products in CASA's order, rows time-major. A row stored with ant_1 > ant_2 is turned round,
//! which conjugates it a second time and exchanges XY and YX.
//!
//! The HDF5 library is asked for metadata only; the bytes of chunks or contiguous data are read from the file by many
//! threads at once. A damaged or hostile file gives one [`Error`] that names the dataset, what was expected and what was found.

mod convert;
mod error;
mod filter;
mod growing;
mod hdf;
mod header;
mod heap;
mod index;
mod phase;
mod reader;
mod selection;
mod storage;
#[cfg(test)]
mod tests;
mod times;
mod writer;

pub use error::Error;
pub(crate) use hdf::refuse_plugins;
pub use header::{Antennas, Header, Keyword};
pub use index::Index;
pub use phase::{CatalogueEntry, FringeStopped, Phase};
pub use reader::{Reader, VisMut};
pub use selection::{Plan, Selection};
pub use times::Span;
pub use writer::{correlator_baselines, Spec, VisRef, Writer};
