//! The brightest pixel.

use ndarray::{Array2, ArrayView1};
use rayon::prelude::*;

/// Which pixels count as bright.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// By absolute value.
    Both,
    /// Positive ones only.
    Positive,
}

impl Sign {
    /// What is compared: the value or its magnitude.
    pub(super) fn measure(self, value: f32) -> f32 {
        match self {
            Self::Both => value.abs(),
            Self::Positive => value,
        }
    }
}

/// A pixel and its value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peak {
    /// Column.
    pub x: usize,
    /// Row.
    pub y: usize,
    /// Signed value.
    pub value: f32,
}

/// The brightest pixel inside `mask_yx` (true is inside; `None` is everywhere); NaN pixels are passed over.
/// Of equal ones the first in memory order. `None` when no pixel qualifies.
pub fn peak_in(image_yx: &Array2<f32>, mask_yx: Option<&Array2<bool>>, sign: Sign) -> Option<Peak> {
    let best_of_row = |y: usize| {
        let row = image_yx.row(y);
        let best = match mask_yx {
            None => max_plain(row, sign),
            Some(mask) => row.iter().zip(mask.row(y)).fold(f32::NEG_INFINITY, |best, (v, inside)| {
                best.max(if *inside { sign.measure(*v) } else { f32::NEG_INFINITY })
            }),
        };
        (best, y)
    };
    let (best, y) = (0..image_yx.nrows()).into_par_iter().map(best_of_row).reduce(
        || (f32::NEG_INFINITY, usize::MAX),
        |a, b| if b.0 > a.0 || (b.0 == a.0 && b.1 < a.1) { b } else { a },
    );
    if best == f32::NEG_INFINITY {
        return None;
    }
    let inside = |x: usize| mask_yx.is_none_or(|m| m[[y, x]]);
    let x = (0..image_yx.ncols()).find(|&x| inside(x) && sign.measure(image_yx[[y, x]]) == best)?;
    Some(Peak { x, y, value: image_yx[[y, x]] })
}

/// Written over eight lanes so that the compiler keeps it in vector registers.
fn max_plain(row: ArrayView1<'_, f32>, sign: Sign) -> f32 {
    let Some(slice) = row.as_slice() else {
        return row.iter().fold(f32::NEG_INFINITY, |best, v| best.max(sign.measure(*v)));
    };
    let mut lanes = [f32::NEG_INFINITY; 8];
    let chunks = slice.chunks_exact(8);
    let rest = chunks.remainder().iter().fold(f32::NEG_INFINITY, |best, v| best.max(sign.measure(*v)));
    for chunk in chunks {
        for (lane, v) in lanes.iter_mut().zip(chunk) {
            let m = sign.measure(*v);
            *lane = if m > *lane { m } else { *lane };
        }
    }
    lanes.iter().fold(rest, |best, v| best.max(*v))
}
