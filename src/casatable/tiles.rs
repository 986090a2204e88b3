//! The data file of a tiled column, written and read without casacore.
//!
//! A tiled column over cells of one shape `(f, p)` with tiles of `(rows, channels, p)` is one file of tiles, each a C-ordered
//! block of little-endian values (booleans: bits, lowest first), tiles of channels within tiles of rows. Knowing that,
//! many threads can read or write at once; casacore keeps the description of the table.

use std::fs::{File, OpenOptions};
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::os::raw::c_char;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::direct::Direct;
use super::element::{DataType, Element};
use super::error::Error;
use super::ffi::{self, c_text, call, push_text};
use super::staged::data_extents;
use super::table::{ctx, Table};

/// Bytes that one task reads or writes.
const PIECE_BYTES: usize = 4 << 20;

/// The data file of one tiled column.
#[derive(Debug)]
pub struct Tiles {
    path: PathBuf,
    file: File,
    data_type: DataType,
    rows: u64,
    /// Cell: channels, products.
    cell: [usize; 2],
    /// Tile: rows, channels.
    tile: [usize; 2],
    /// For large writes.
    direct: Option<Direct>,
}

impl Tiles {
    /// The data file of a column, or `None` when it is not laid out simply enough (big-endian, several hypercubes, tiles
    /// that split the product axis, columns sharing tiles): then go through casacore.
    ///
    /// # Errors
    /// [`Error::NoColumn`], [`Error::Read`], [`Error::Os`].
    pub fn open(table: &Table, column: &str, write: bool) -> Result<Option<Self>, Error> {
        let info = table.column(column)?;
        let Some(layout) = Layout::find(table, column)? else { return Ok(None) };
        let rows = table.n_rows()?;
        if info.scalar || info.data_type == DataType::String || layout.cube[0] != rows || rows == 0 {
            return Ok(None);
        }
        let (cell, tile) = match (&layout.cube[1..], &layout.tile[1..]) {
            ([f, p], [tf, tp]) if tp == p && *tf > 0 => ([*f as usize, *p as usize], *tf as usize),
            ([p], [tp]) if tp == p => ([1, *p as usize], 1),
            _ => return Ok(None),
        };
        let path = table.path().join(layout.file);
        let file = OpenOptions::new().read(true).write(write).open(&path);
        let file = match file {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::os(&path, "open", e)),
        };
        let direct = if write { Direct::open(&path) } else { None };
        let tile = [layout.tile[0] as usize, tile];
        let tiles = Self { path, file, data_type: info.data_type, rows, cell, tile, direct };
        let length = tiles.file.metadata().map_err(|e| Error::os(&tiles.path, "look at it", e))?.len();
        Ok((length >= tiles.bytes()).then_some(tiles))
    }

    /// Path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Shape of a cell: channels, products (1, n for vectors).
    pub fn cell(&self) -> [usize; 2] {
        self.cell
    }

    /// Whether rows can be written by several threads at once: none shares a byte with its neighbour.
    pub fn rows_are_apart(&self) -> bool {
        self.channel_tiles() == 1 && (!self.is_bits() || (self.cell[0] * self.cell[1]) % 8 == 0)
    }

    /// Channels in a tile.
    pub fn tile_channels(&self) -> usize {
        self.tile[1]
    }

    fn is_bits(&self) -> bool {
        self.data_type == DataType::Bool
    }

    fn tile_bytes(&self) -> u64 {
        let elements = (self.tile[0] * self.tile[1] * self.cell[1]) as u64;
        if self.is_bits() {
            elements.div_ceil(8)
        } else {
            elements * size_of_type(self.data_type)
        }
    }

    fn channel_tiles(&self) -> usize {
        self.cell[0].div_ceil(self.tile[1])
    }

    fn bytes(&self) -> u64 {
        self.rows.div_ceil(self.tile[0] as u64) * self.channel_tiles() as u64 * self.tile_bytes()
    }

    /// Whether nothing was ever written: the file is one hole.
    pub fn is_hole(&self) -> bool {
        data_extents(&self.file, self.bytes()).is_empty()
    }

    /// Pieces of rows that lie in one tile of rows: `(rows, first row within the tile, tile of rows)`.
    fn pieces(&self, rows: Range<u64>) -> Vec<(Range<u64>, u64, u64)> {
        let step = self.tile[0] as u64;
        let mut out = Vec::new();
        let mut at = rows.start;
        while at < rows.end {
            let tile = at / step;
            let end = rows.end.min((tile + 1) * step);
            out.push((at..end, at - tile * step, tile));
            at = end;
        }
        out
    }

    fn check<T: Element>(&self, rows: &Range<u64>, channels: usize, len: usize) -> Result<(), Error> {
        let n = (rows.end.saturating_sub(rows.start)) as usize;
        if T::TYPE == self.data_type && rows.end <= self.rows && len == n * channels * self.cell[1] {
            return Ok(());
        }
        let expected =
            format!("{n} cells of {:?} within {} rows of {:?}", self.cell, self.rows, self.data_type);
        Err(Error::content(&self.path, "values", expected, format!("{len} of {:?}", T::TYPE)))
    }

    /// Write cells of consecutive rows, for one tile of channels: `values` is `(rows, tile_channels, products)` in C order
    /// (the last tile of channels may be narrower). Not for booleans: see [`Tiles::write_bits`].
    ///
    /// # Errors
    /// [`Error::Content`] for values that do not fit, [`Error::Os`].
    pub fn write<T: Element>(
        &self,
        rows: Range<u64>,
        channel_tile: usize,
        values: &[T],
    ) -> Result<(), Error> {
        let width = self.tile_width(channel_tile);
        self.check::<T>(&rows, width, values.len())?;
        if self.is_bits() || width != self.tile[1] {
            return Err(Error::content(&self.path, "values", "numbers in whole tiles of channels", "others"));
        }
        let row = width * self.cell[1];
        // SAFETY: elements are plain numbers without padding; they are only read.
        let bytes = unsafe { std::slice::from_raw_parts(values.as_ptr().cast::<u8>(), size_of_val(values)) };
        let row_bytes = row * size_of::<T>();
        if self.channel_tiles() == 1 {
            // Tiles follow one another without a gap: the file is one array of rows.
            return self.write_at(bytes, rows.start * row_bytes as u64);
        }
        for (piece, within, tile) in self.pieces(rows.clone()) {
            let from = (piece.start - rows.start) as usize * row_bytes;
            let to = (piece.end - rows.start) as usize * row_bytes;
            self.write_at(&bytes[from..to], self.offset(tile, channel_tile) + within * row_bytes as u64)?;
        }
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<(), Error> {
        let direct = self.direct.as_ref().and_then(|d| d.span(offset, bytes.len()).map(|span| (d, span)));
        if let Some((direct, (start, end))) = direct {
            let fail = |e| Error::os(&self.path, "write", e);
            if direct.write(&bytes[start..end], offset + start as u64).map_err(fail)? {
                self.write_cached(&bytes[..start], offset)?;
                return self.write_cached(&bytes[end..], offset + end as u64);
            }
        }
        self.write_cached(bytes, offset)
    }

    fn write_cached(&self, bytes: &[u8], offset: u64) -> Result<(), Error> {
        for (i, piece) in bytes.chunks(PIECE_BYTES).enumerate() {
            let at = offset + (i * PIECE_BYTES) as u64;
            self.file.write_all_at(piece, at).map_err(|e| Error::os(&self.path, "write", e))?;
        }
        // Let the disk begin: the sync at the end then has less to wait for. A hint, so its failure is no failure.
        // SAFETY: the descriptor is open.
        unsafe {
            libc::sync_file_range(
                self.file.as_raw_fd(),
                offset as i64,
                bytes.len() as i64,
                libc::SYNC_FILE_RANGE_WRITE,
            )
        };
        Ok(())
    }

    /// Write booleans of all channels of consecutive rows, `(rows, channels, products)` in C order. Rows that share a byte with
    /// rows outside the range keep those.
    ///
    /// # Errors
    /// As [`Tiles::write`].
    pub fn write_bits(&self, rows: Range<u64>, values: &[bool]) -> Result<(), Error> {
        self.check::<bool>(&rows, self.cell[0], values.len())?;
        let row = self.cell[0] * self.cell[1];
        for (piece, within, tile) in self.pieces(rows.clone()) {
            let from = (piece.start - rows.start) as usize;
            let n = (piece.end - piece.start) as usize;
            for channel_tile in 0..self.channel_tiles() {
                let width = self.tile_width(channel_tile);
                let first = channel_tile * self.tile[1] * self.cell[1];
                let inner = width * self.cell[1];
                let stride = self.tile[1] * self.cell[1];
                let bits = (within as usize * stride)..(within as usize + n - 1) * stride + inner;
                let (start, end) = (bits.start / 8, bits.end.div_ceil(8));
                let mut bytes = vec![0_u8; end - start];
                let offset = self.offset(tile, channel_tile) + start as u64;
                if bits.start % 8 != 0 || bits.end % 8 != 0 || inner != stride {
                    self.file
                        .read_exact_at(&mut bytes, offset)
                        .map_err(|e| Error::os(&self.path, "read", e))?;
                }
                for r in 0..n {
                    let source = &values[(from + r) * row + first..][..inner];
                    let at = bits.start + r * stride - start * 8;
                    pack(&mut bytes, at, source);
                }
                self.file.write_all_at(&bytes, offset).map_err(|e| Error::os(&self.path, "write", e))?;
            }
        }
        Ok(())
    }

    fn tile_width(&self, channel_tile: usize) -> usize {
        self.tile[1].min(self.cell[0].saturating_sub(channel_tile * self.tile[1]))
    }

    fn offset(&self, row_tile: u64, channel_tile: usize) -> u64 {
        (row_tile * self.channel_tiles() as u64 + channel_tile as u64) * self.tile_bytes()
    }

    /// Read cells of consecutive rows into `out`, `(rows, channels, products)` in C order, with all cores.
    ///
    /// # Errors
    /// As [`Tiles::write`].
    pub fn read<T: Element>(&self, rows: Range<u64>, out: &mut [T]) -> Result<(), Error> {
        self.check::<T>(&rows, self.cell[0], out.len())?;
        let row = self.cell[0] * self.cell[1];
        if self.channel_tiles() == 1 && !self.is_bits() && size_of_val(out) <= PIECE_BYTES && !rows.is_empty()
        {
            // Tiles follow one another without a gap: the file is one array of rows.
            let offset = rows.start * (row * size_of::<T>()) as u64;
            return self.read_tile((rows.end - rows.start) as usize, 0, offset, 0, out);
        }
        let pieces = self.pieces(rows);
        let mut parts = Vec::with_capacity(pieces.len());
        let mut rest = out;
        for piece in pieces {
            let (part, tail) = rest.split_at_mut((piece.0.end - piece.0.start) as usize * row);
            parts.push((piece, part));
            rest = tail;
        }
        parts.into_par_iter().try_for_each(|((piece, within, tile), part)| {
            (0..self.channel_tiles()).try_for_each(|c| {
                self.read_tile(
                    (piece.end - piece.start) as usize,
                    within as usize,
                    self.offset(tile, c),
                    c,
                    part,
                )
            })
        })
    }

    fn read_tile<T: Element>(
        &self,
        n: usize,
        within: usize,
        offset: u64,
        channel_tile: usize,
        out: &mut [T],
    ) -> Result<(), Error> {
        let row = self.cell[0] * self.cell[1];
        let stride = self.tile[1] * self.cell[1];
        let inner = self.tile_width(channel_tile) * self.cell[1];
        let first = channel_tile * stride;
        let fail = |e| Error::os(&self.path, "read", e);
        if self.is_bits() {
            let bits = (within * stride)..(within + n - 1) * stride + inner;
            let (start, end) = (bits.start / 8, bits.end.div_ceil(8));
            let mut bytes = vec![0_u8; end - start];
            self.file.read_exact_at(&mut bytes, offset + start as u64).map_err(fail)?;
            // SAFETY: `check` proved that T is bool; the slice is the same memory.
            let out = unsafe { std::slice::from_raw_parts_mut(out.as_mut_ptr().cast::<bool>(), out.len()) };
            for r in 0..n {
                unpack(&bytes, bits.start + r * stride - start * 8, &mut out[r * row + first..][..inner]);
            }
            return Ok(());
        }
        let start = offset + (within * stride * size_of::<T>()) as u64;
        if inner == stride && stride == row {
            // SAFETY: elements are plain numbers for which every bit pattern is valid.
            let bytes =
                unsafe { std::slice::from_raw_parts_mut(out.as_mut_ptr().cast::<u8>(), size_of_val(out)) };
            return self.file.read_exact_at(bytes, start).map_err(fail);
        }
        let mut block = vec![T::ZERO; n * stride];
        // SAFETY: as above.
        let bytes = unsafe {
            std::slice::from_raw_parts_mut(block.as_mut_ptr().cast::<u8>(), size_of_val(block.as_slice()))
        };
        self.file.read_exact_at(bytes, start).map_err(fail)?;
        for r in 0..n {
            out[r * row + first..][..inner].copy_from_slice(&block[r * stride..][..inner]);
        }
        Ok(())
    }

    /// fsync the file.
    ///
    /// # Errors
    /// [`Error::Os`].
    pub fn sync(&self) -> Result<(), Error> {
        self.file.sync_all().map_err(|e| Error::os(&self.path, "sync", e))
    }
}

fn size_of_type(data_type: DataType) -> u64 {
    match data_type {
        DataType::Bool | DataType::UChar | DataType::String => 1,
        DataType::Short => 2,
        DataType::Int | DataType::UInt | DataType::Float => 4,
        DataType::Double | DataType::Complex | DataType::Int64 => 8,
        DataType::DComplex => 16,
    }
}

/// Put booleans into bits from bit `at` on.
fn pack(bytes: &mut [u8], at: usize, values: &[bool]) {
    let mut chunks = values.chunks_exact(8);
    if at % 8 == 0 {
        let mut byte = at / 8;
        for eight in chunks.by_ref() {
            bytes[byte] = eight.iter().enumerate().fold(0, |b, (i, v)| b | (u8::from(*v) << i));
            byte += 1;
        }
        let rest = chunks.remainder();
        set_bits(bytes, byte * 8, rest);
    } else {
        set_bits(bytes, at, values);
    }
}

fn set_bits(bytes: &mut [u8], at: usize, values: &[bool]) {
    for (i, v) in values.iter().enumerate() {
        let bit = at + i;
        let mask = 1_u8 << (bit % 8);
        if *v {
            bytes[bit / 8] |= mask;
        } else {
            bytes[bit / 8] &= !mask;
        }
    }
}

fn unpack(bytes: &[u8], at: usize, out: &mut [bool]) {
    if at % 8 == 0 && out.len() % 8 == 0 {
        for (byte, eight) in bytes[at / 8..].iter().zip(out.chunks_exact_mut(8)) {
            // Most bytes hold no flag at all.
            if *byte == 0 {
                eight.fill(false);
            } else {
                eight.iter_mut().enumerate().for_each(|(i, v)| *v = byte >> i & 1 == 1);
            }
        }
        return;
    }
    for (i, v) in out.iter_mut().enumerate() {
        let bit = at + i;
        *v = bytes[bit / 8] >> (bit % 8) & 1 == 1;
    }
}

struct Layout {
    cube: Vec<u64>,
    tile: Vec<u64>,
    file: String,
}

impl Layout {
    fn find(table: &Table, column: &str) -> Result<Option<Self>, Error> {
        let name = c_text(column);
        let (mut sequence, mut shared) = (-1, 0);
        let mut kinds: Vec<String> = Vec::new();
        // SAFETY: the handle is open and everything outlives the call.
        call(|err: *mut c_char| unsafe {
            ffi::ct_manager(
                table.raw,
                name.as_ptr(),
                ctx(&mut kinds),
                push_text,
                &mut sequence,
                &mut shared,
                err,
            )
        })
        .map_err(|m| table.read_error("find the storage manager", m))?;
        let suffix = match kinds.first().map(String::as_str) {
            Some("TiledColumnStMan") => "TSM0",
            Some("TiledShapeStMan") => "TSM1",
            _ => return Ok(None),
        };
        let (mut cubes, mut ndim, mut big) = (0, 0, 0);
        let (mut cube, mut tile) = ([0_u64; 8], [0_u64; 8]);
        // SAFETY: as above; the glue writes at most 8 axes.
        call(|err| unsafe {
            ffi::ct_tiles(
                table.raw,
                name.as_ptr(),
                &mut cubes,
                &mut ndim,
                cube.as_mut_ptr(),
                tile.as_mut_ptr(),
                &mut big,
                err,
            )
        })
        .map_err(|m| table.read_error("find the tiles", m))?;
        // A TiledShapeStMan begins with an empty hypercube of its own.
        let one = if suffix == "TSM0" { cubes == 1 } else { cubes <= 2 };
        if sequence < 0 || shared != 1 || big != 0 || !one || cubes < 1 || ndim < 2 {
            return Ok(None);
        }
        let n = ndim as usize;
        let file = format!("table.f{sequence}_{suffix}");
        Ok(Some(Self { cube: cube[..n].to_vec(), tile: tile[..n].to_vec(), file }))
    }
}
