//! Visibilities in memory: rows of baselines and times, channels, polarisation products.
//!
//! Axis letters: `r` row (one baseline at one time; time-major, baseline-minor when the grid is regular), `f` channel,
//! `p` polarisation product. Convention inside this crate and in the Measurement Set: antenna1 < antenna2,
//! `uvw = position(antenna1) - position(antenna2)`, `V_ij = g_i M_ij conj(g_j)`, and
//! `M = sum S exp(+2 pi i (u l + v m + w (n - 1)))`, lengths in wavelengths.

mod block;
mod error;
mod field;
mod product;
mod rotate;
mod samples;
mod select;
mod uvrange;

pub use block::{Channels, Rows, VisBlock};
pub use error::Error;
pub use field::Field;
pub use product::Product;
pub use rotate::rotate;
pub use samples::Samples;
pub use select::{select, select_channels};
pub use uvrange::UvRange;
