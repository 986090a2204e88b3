//! Compression of channel runs before gridding.

use num_complex::Complex;

use crate::control::Control;

use super::real::Real;
use super::runs::Block;
use super::sky::Sky;
use super::spread::Values;
use super::Error;

/// How rows are compressed.
#[derive(Debug)]
pub(super) struct Compression {}

impl Compression {
    pub fn new(_blocks: &[Block], _sky: &Sky, _epsilon: f64) -> Option<Self> {
        None
    }

    pub fn blocks(&self, blocks: &[Block]) -> Vec<Block> {
        blocks.to_vec()
    }

    pub fn pack<T: Real>(
        &self,
        _values: &[Values<'_, T>],
        _control: &Control,
    ) -> Result<Vec<Vec<Complex<T>>>, Error> {
        Ok(Vec::new())
    }

    pub fn unpack<T: Real>(
        &self,
        _samples: &[Vec<Complex<T>>],
        _shapes: &[(usize, usize)],
        _control: &Control,
    ) -> Result<Vec<Vec<Complex<T>>>, Error> {
        Ok(Vec::new())
    }
}
