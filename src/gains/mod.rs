//! Gain solutions in memory: delays (K), bandpasses (B) and gains (G), their referencing and interpolation.
//!
//! Convention: `V_ij = g_i M_ij conj(g_j)`, so calibrating divides by `g_i conj(g_j)`. A delay `tau` stands for
//! `g(f) = exp(2 pi i f tau)`. Axis letters: `t` solution slot, `a` antenna, `f` solution channel, `r` receptor
//! (0 = X or R, 1 = Y or L).

mod append;
mod error;
mod evaluate;
mod reference;
mod table;

pub use error::Error;
pub use evaluate::{evaluate, Applied, FreqInterpolation, GainGrid, TimeInterpolation};
pub use reference::{reference, RefAntMode};
pub use table::{Antenna, GainTable, Observation, Slot, Target, Term, WindowGains};

#[cfg(test)]
mod tests;
