//! Image FITS in and out.
//!
//! Files are read and written through the operating system; what is read and the headers that are written are handed to cfitsio as memory: a user's file
//! name never reaches the library's extended file name syntax (`name[filter]`, `!name`, pipes, URLs), and every
//! error of the disk is the system's own.

mod cards;
mod cube;
mod date;
mod error;
mod library;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use cards::{Card, Cards, Value};
pub use cube::{read_cube, Cube};
pub use date::iso_utc;
pub use error::Error;
pub use read::{read_plane, read_plane_with_cards};
pub use write::{write_plane, Batch};
