//! Where a visibility falls on the padded uv grid.

use crate::constants::SPEED_OF_LIGHT_M_S;

/// The cells of an axis that are stored: all of a period, or those about zero that baselines reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Span {
    /// Cells stored.
    pub cells: usize,
    /// Cell of coordinate zero.
    pub low: usize,
    /// Whether all of a period is stored, so that what leaves at one end comes back at the other.
    pub periodic: bool,
}

impl Span {
    /// Of a padded axis of `padded` cells, baselines up to `reach` cells, a kernel of `support` cells.
    pub fn new(padded: usize, reach: f64, support: usize) -> Self {
        let low = reach.ceil() as usize + support;
        if reach < padded as f64 && 2 * low + 1 < padded {
            Self { cells: 2 * low + 1, low, periodic: false }
        } else {
            Self { cells: padded, low: 0, periodic: true }
        }
    }

    /// The cell of the opposite coordinate.
    #[inline(always)]
    pub fn mirror(self, cell: usize) -> usize {
        if self.periodic {
            (self.cells - cell) % self.cells
        } else {
            2 * self.low - cell
        }
    }
}

/// The padded grid of one plan. Columns run along `u`, rows along `v`; both start `halo` cells below their first so that no
/// kernel wraps around. With `half`, baselines of negative `v` are conjugated and only `v >= 0` is kept; otherwise those of
/// negative `w` are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub nu: usize,
    pub nv: usize,
    /// Columns stored.
    pub along_u: Span,
    /// Rows stored; of a half plane those of the whole.
    pub along_v: Span,
    pub half: bool,
    pub support: usize,
    pub halo: usize,
    pub tile: usize,
    pub tiles_u: usize,
    inverse: (f64, f64),
    /// Added to every `u` and `v`, and to negative `v`.
    offset: (f64, f64),
    negative: f64,
    /// Cells per metre and hertz; wavelengths per metre and hertz for `w`.
    scale: [f64; 3],
    /// Turns of phase to take out, per metre and hertz.
    shift: [f64; 3],
}

/// A baseline's cells, wavelengths of `w` and turns of phase, each per hertz.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ray {
    u: f64,
    v: f64,
    w: f64,
    pub turns: f64,
}

/// A visibility's place: first row and column of its kernel, and the distances to them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    pub row: usize,
    pub column: usize,
    pub tu: f64,
    pub tv: f64,
    pub w: f64,
    pub conjugate: bool,
}

impl Frame {
    /// `cell` and `center` are those of the image (`l`, `m`, and the `n - 1` taken out of every visibility), `reach` the
    /// largest `|u|` and `|v|` \[wavelengths\].
    pub fn new(
        padded: (usize, usize),
        half: bool,
        support: usize,
        cell: (f64, f64),
        center: (f64, f64, f64),
        reach: (f64, f64),
    ) -> Self {
        let (nu, nv) = padded;
        let along_u = Span::new(nu, reach.0 * cell.0 * nu as f64, support);
        let along_v = if half {
            Span { cells: nv, low: 0, periodic: true }
        } else {
            Span::new(nv, reach.1 * cell.1 * nv as f64, support)
        };
        // A span that is not periodic is never left.
        let inverse = |n: usize, span: Span| if span.periodic { 1.0 / n as f64 } else { 0.0 };
        let mut frame = Self {
            nu,
            nv,
            along_u,
            along_v,
            half,
            support,
            halo: support.div_ceil(2),
            tile: 32,
            tiles_u: 0,
            inverse: (inverse(nu, along_u), inverse(nv, along_v)),
            offset: (along_u.low as f64, along_v.low as f64),
            negative: if along_v.periodic { nv as f64 } else { 0.0 },
            scale: [cell.0 * nu as f64, cell.1 * nv as f64, 1.0].map(|s| s / SPEED_OF_LIGHT_M_S),
            shift: [center.0, center.1, center.2].map(|s| s / SPEED_OF_LIGHT_M_S),
        };
        frame.set_tile(32);
        frame
    }

    pub fn set_tile(&mut self, tile: usize) {
        self.tile = tile;
        self.tiles_u = (self.along_u.cells + 2 * self.halo + 2).div_ceil(tile);
    }

    /// Rows of the grid when every row is in use, halo included.
    pub fn rows(&self) -> usize {
        self.proper_rows() + 2 * self.halo + 1
    }

    /// Rows without the halo.
    pub fn proper_rows(&self) -> usize {
        if self.half {
            self.nv / 2 + 1
        } else {
            self.along_v.cells
        }
    }

    /// Cells in a row of the grid, room for the last tile's kernel lanes included.
    pub fn stride(&self, lanes: usize) -> usize {
        self.tiles_u * self.tile + lanes
    }

    pub fn ray(&self, uvw_m: [f64; 3]) -> Ray {
        let [u, v, w] = uvw_m;
        Ray {
            u: u * self.scale[0],
            v: v * self.scale[1],
            w: w * self.scale[2],
            turns: u * self.shift[0] + v * self.shift[1] + w * self.shift[2],
        }
    }

    /// The place of a ray at `freq_hz`.
    #[inline(always)]
    pub fn locate(&self, ray: &Ray, freq_hz: f64) -> Spot {
        let (nu, nv) = (self.nu as f64, self.nv as f64);
        let (mut u, mut v, mut w) = (ray.u * freq_hz, ray.v * freq_hz, ray.w * freq_hz);
        v -= nv * (v * self.inverse.1).round();
        let conjugate = if self.half { v < 0.0 } else { w < 0.0 };
        if conjugate {
            (u, v, w) = (-u, -v, -w);
        }
        if v < 0.0 {
            v += self.negative;
        }
        v += self.offset.1;
        u -= nu * (u * self.inverse.0).floor();
        u += self.offset.0;
        let half_support = 0.5 * self.support as f64;
        let (edge_u, edge_v) = (u - half_support, v - half_support);
        let (first_u, first_v) = (edge_u.ceil(), edge_v.ceil());
        Spot {
            row: (first_v as i64 + self.halo as i64) as usize,
            column: (first_u as i64 + self.halo as i64) as usize,
            tu: first_u - edge_u,
            tv: first_v - edge_v,
            w,
            conjugate,
        }
    }

    /// Index of the tile that holds a spot.
    #[inline(always)]
    pub fn tile_of(&self, spot: &Spot) -> usize {
        spot.row / self.tile * self.tiles_u + spot.column / self.tile
    }

    /// Whether the way from `from_hz` to `to_hz` is too short to leave a tile and come back to it around the grid.
    pub fn straight(&self, ray: &Ray, from_hz: f64, to_hz: f64) -> bool {
        let span = (to_hz - from_hz).abs();
        (ray.u * span).abs() < 0.5 * self.nu as f64 && (ray.v * span).abs() < 0.5 * self.nv as f64
    }
}
