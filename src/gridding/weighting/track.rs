//! Baselines on their way through the uv cells of the weights.

use crate::constants::SPEED_OF_LIGHT_M_S;

/// The cells `v >= 0` of the (padded) image's uv grid; weights of negative `v` are counted at their mirror image. A cell
/// reaches from a whole number to the next, as in WSClean and CASA, so that no cell is its own mirror image.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cells {
    pub nx: usize,
    pub rows: usize,
    pub scale_u: f64,
    pub scale_v: f64,
}

/// A cell that no visibility of the grid falls into.
pub(super) const OUTSIDE: usize = usize::MAX;

impl Cells {
    /// The cells of a baseline along channels.
    pub fn track<'a>(&self, u_m: f64, v_m: f64, freq_hz: &'a [f64], range: (f64, f64)) -> Track<'a> {
        let sign = if v_m < 0.0 { -1.0 } else { 1.0 };
        Track {
            cells: *self,
            u: sign * u_m * self.scale_u,
            v: sign * v_m * self.scale_v,
            length_m: u_m.hypot(v_m),
            freq_hz,
            range: (range != (0.0, f64::INFINITY)).then_some(range),
        }
    }

    pub fn mirror(&self, column: usize) -> usize {
        self.nx - 1 - column
    }
}

/// The whole number at or below `x`; the library's own is a call.
#[inline(always)]
fn floor(x: f64) -> i64 {
    let cut = x as i64;
    cut - i64::from(cut as f64 > x)
}

/// A baseline's way through the cells.
pub(super) struct Track<'a> {
    cells: Cells,
    /// Cells per hertz, in the half plane that is kept.
    u: f64,
    v: f64,
    length_m: f64,
    freq_hz: &'a [f64],
    /// When not all baselines are used.
    range: Option<(f64, f64)>,
}

impl Track<'_> {
    /// Index of a channel's cell.
    #[inline(always)]
    fn cell(&self, channel: usize) -> usize {
        let f = self.freq_hz[channel];
        if self.range.is_some_and(|range| !in_range(self.length_m, f, range)) {
            return OUTSIDE;
        }
        let column = floor(self.u * f) + (self.cells.nx / 2) as i64;
        let row = floor(self.v * f);
        if column >= 0 && column < self.cells.nx as i64 && row < self.cells.rows as i64 {
            row as usize * self.cells.nx + column as usize
        } else {
            OUTSIDE
        }
    }

    /// Channels that follow one another in one cell, and the cell. Where frequencies go one way (`monotonic`), so do both
    /// coordinates: the end of a run is found by doubled steps and halving.
    #[inline(always)]
    pub fn runs(&self, monotonic: bool, mut take: impl FnMut(std::ops::Range<usize>, usize)) {
        let n = self.freq_hz.len();
        let mut start = 0;
        while start < n {
            let cell = self.cell(start);
            let mut outside = start + 1;
            if monotonic && cell != OUTSIDE {
                let (mut inside, mut step) = (start, 8);
                outside = n;
                while inside + step < n {
                    if self.cell(inside + step) != cell {
                        outside = inside + step;
                        break;
                    }
                    inside += step;
                    step *= 2;
                }
                while outside - inside > 1 {
                    let middle = (inside + outside) / 2;
                    if self.cell(middle) == cell {
                        inside = middle;
                    } else {
                        outside = middle;
                    }
                }
            }
            take(start..outside, cell);
            start = outside;
        }
    }
}

/// Whether frequencies ascend or descend.
pub(super) fn monotonic(freq_hz: &[f64]) -> bool {
    freq_hz.windows(2).all(|p| p[0] <= p[1]) || freq_hz.windows(2).all(|p| p[0] >= p[1])
}

/// Sum in double precision, in four sums that do not wait for each other.
pub(super) fn sum_of(values: &[f32]) -> f64 {
    let mut sums = [0.0; 4];
    let (fours, rest) = values.as_chunks::<4>();
    for four in fours {
        for (sum, value) in sums.iter_mut().zip(four) {
            *sum += f64::from(*value);
        }
    }
    sums.iter().sum::<f64>() + rest.iter().map(|v| f64::from(*v)).sum::<f64>()
}

/// A multiple of four pixels, as WSClean pads.
pub(super) fn padded(pixels: usize, padding: f64) -> usize {
    ((pixels as f64 * padding - 1e-9).ceil() as usize).next_multiple_of(4)
}

/// Whether a baseline is within a range \[wavelengths\].
pub(super) fn in_range(length_m: f64, freq_hz: f64, (low, high): (f64, f64)) -> bool {
    let r = length_m * freq_hz / SPEED_OF_LIGHT_M_S;
    r >= low && r <= high
}
