//! Rewriting of columns of an existing Measurement Set.
//!
//! While a column is half old and half new the Measurement Set bears a mark that every reader of ours refuses; running the same
//! step again repairs it (see `repair.rs`). Only one process writes at a time: the others wait for casacore's lock.

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use ndarray::{Array3, ArrayView3, Axis};
use num_complex::Complex32;

use super::error::Error;
use super::read::swapped;
use super::reader::MsReader;
use super::repair::{self, Mark};
use super::request::{Column, ReadRequest};
use crate::casatable::{sync_tree, ColumnSpec, DataType, Element, Table, Tiles};

/// Rows of a tile of a new column.
const TILE_ROWS: usize = 1024;

/// A Measurement Set open for the rewriting of some columns.
pub struct MsUpdate<'a> {
    pub(super) reader: &'a MsReader,
    pub(super) main: Table,
    /// Tile files of the columns in work; `None` where only casacore can write.
    pub(super) tiles: HashMap<String, Option<Tiles>>,
    /// What the mark will say: it is set before the first byte changes.
    mark: Option<Mark>,
}

impl<'a> MsUpdate<'a> {
    /// Take the write lock (waiting up to `wait`). From the first write on the columns bear the mark of `step` (a command to run
    /// again); an error before that leaves the Measurement Set as it was.
    ///
    /// # Errors
    /// A lock that is not released, a table that cannot be written, other columns that another step left half written.
    pub fn begin(reader: &'a MsReader, columns: &[&str], step: &str, wait: Duration) -> Result<Self, Error> {
        let path = &reader.meta().path;
        if std::fs::metadata(path.join("table.dat")).is_ok_and(|m| m.permissions().readonly()) {
            let source = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
            return Err(Error::os(path, "write (table.dat is read-only)", source));
        }
        let mut mark =
            Mark { columns: columns.iter().map(|c| (*c).to_owned()).collect(), step: step.to_owned() };
        let main = Table::open_rw(path, wait)?;
        let mut update = Self { reader, main, tiles: HashMap::new(), mark: None };
        if let Some(old) = repair::find(path)? {
            if let Some(other) = old.columns.iter().find(|c| !mark.columns.contains(c)) {
                return Err(Error::Interrupted { path: path.clone(), column: other.clone(), step: old.step });
            }
            mark.columns.sort();
            repair::set(path, &mark)?;
        } else {
            update.mark = Some(mark);
        }
        Ok(update)
    }

    /// Set the mark, once.
    pub(super) fn set_mark(&mut self) -> Result<(), Error> {
        if let Some(mark) = &self.mark {
            repair::set(&self.reader.meta().path, mark)?;
            self.mark = None;
        }
        Ok(())
    }

    /// Whether MAIN has a column now.
    ///
    /// # Errors
    /// From the table.
    pub fn has_column(&self, name: &str) -> Result<bool, Error> {
        Ok(self.main.has_column(name)?)
    }

    /// Add a column of cells (channel, product) where it is absent; returns whether it was. New cells must all be written.
    ///
    /// # Errors
    /// From the table.
    pub fn ensure_column(&mut self, name: &str, data_type: DataType) -> Result<bool, Error> {
        if self.main.has_column(name)? {
            return Ok(false);
        }
        let meta = self.reader.meta();
        let widest = meta.spws.iter().map(|c| c.freq_hz.len()).max().unwrap_or(1);
        let products = meta.data_descriptions.iter().map(|d| d.products.len()).max().unwrap_or(1);
        // Cells of one shape lie in a file that many threads can write.
        let used = meta.data_descriptions.iter().map(|d| (meta.spws[d.spw].freq_hz.len(), d.products.len()));
        let column = if used.into_iter().all(|shape| shape == (widest, products)) {
            ColumnSpec::array(name, data_type, &[widest, products])
        } else {
            ColumnSpec::free_array(name, data_type, 2)
        };
        let spec = column.tiled(&format!("Tiled_{name}"), &[TILE_ROWS, widest, products]);
        let path = &meta.path;
        self.set_mark()?;
        repair::back_up_description(path)?;
        self.main.add_column(&spec)?;
        self.main.flush()?;
        repair::forget_description(path)?;
        Ok(true)
    }

    /// Write visibilities of the rows of `request`, as [`MsReader::read`] gave them.
    ///
    /// # Errors
    /// A shape that does not fit; from the table.
    pub fn put_visibilities(
        &mut self,
        column: Column,
        request: &ReadRequest,
        vis_rfp: &Array3<Complex32>,
    ) -> Result<(), Error> {
        self.put_cube(column.name(), request, vis_rfp.view(), |v| v.conj())
    }

    /// Write flags, and FLAG_ROW where a whole row is flagged.
    ///
    /// # Errors
    /// As [`MsUpdate::put_visibilities`].
    pub fn put_flags(&mut self, request: &ReadRequest, flag_rfp: &Array3<bool>) -> Result<(), Error> {
        self.put_cube("FLAG", request, flag_rfp.view(), |f| f)?;
        let runs = self.reader.main_rows(request)?;
        let whole: Vec<bool> = flag_rfp.axis_iter(Axis(0)).map(|row| row.iter().all(|f| *f)).collect();
        self.put_flag_rows(&runs, &whole)
    }

    /// Write FLAG_ROW, where there is one, of runs of rows.
    ///
    /// # Errors
    /// From the table.
    pub fn put_flag_rows(&mut self, runs: &[Range<u64>], whole: &[bool]) -> Result<(), Error> {
        if !self.reader.meta().has_column("FLAG_ROW") {
            return Ok(());
        }
        let old: Vec<bool> = self.reader.column("FLAG_ROW", runs, 1)?;
        // The column shares buckets with others: it is touched only where it changes.
        let rows = runs.iter().cloned().flatten().zip(old.iter().zip(whole));
        let (changed, values): (Vec<u64>, Vec<bool>) =
            rows.filter(|(_, (a, b))| a != b).map(|(row, (_, b))| (row, *b)).unzip();
        if !changed.is_empty() {
            self.set_mark()?;
            self.main.put_rows("FLAG_ROW", &changed, &[], &values)?;
        }
        Ok(())
    }

    /// Write a real column of cells (channel, product), such as WEIGHT_SPECTRUM.
    ///
    /// # Errors
    /// As [`MsUpdate::put_visibilities`].
    pub fn put_reals(
        &mut self,
        name: &str,
        request: &ReadRequest,
        values_rfp: &Array3<f32>,
    ) -> Result<(), Error> {
        self.put_cube(name, request, values_rfp.view(), |w| w)
    }

    /// Write cells as they are stored (no channel or antenna order is changed).
    ///
    /// # Errors
    /// From the table.
    pub fn put_raw<T: Element>(
        &mut self,
        name: &str,
        rows: Range<u64>,
        shape: &[usize],
        values: &[T],
    ) -> Result<(), Error> {
        self.put_runs(name, &[rows], shape, values)
    }

    /// Hand what casacore still holds in memory to the operating system: it then outlives a killed process.
    ///
    /// # Errors
    /// A failure to write.
    pub fn flush(&mut self) -> Result<(), Error> {
        Ok(self.main.flush()?)
    }

    /// Sync everything and take the mark away.
    ///
    /// # Errors
    /// A failure to write or sync; then the mark stays.
    pub fn finish(self) -> Result<(), Error> {
        let path = self.reader.meta().path.clone();
        if self.mark.is_some() {
            return Ok(self.main.close()?);
        }
        for tiles in self.tiles.values().flatten() {
            tiles.sync()?;
        }
        self.main.close()?;
        repair::restore_info(&path)?;
        sync_tree(&path)?;
        repair::clear(&path)
    }

    fn put_cube<T: Element>(
        &mut self,
        name: &str,
        request: &ReadRequest,
        cube: ArrayView3<'_, T>,
        turn: impl Fn(T) -> T,
    ) -> Result<(), Error> {
        let runs = self.reader.main_rows(request)?;
        let rows: u64 = runs.iter().map(|r| r.end - r.start).sum();
        let (n, nf, np) = cube.dim();
        if n as u64 != rows {
            return Err(Error::content(&self.reader.meta().path, name, format!("{rows} rows"), n));
        }
        let mut cube = cube;
        if self.reader.meta().descending[request.spw] {
            cube.invert_axis(Axis(1));
        }
        // What lies in one piece is copied as such: a walk over three axes goes sample by sample.
        let mut values: Vec<T> =
            cube.as_slice().map_or_else(|| cube.iter().copied().collect(), <[T]>::to_vec);
        self.turn_rows(&runs, request, np, nf * np, &mut values, turn)?;
        self.put_runs(name, &runs, &[nf, np], &values)
    }

    /// Rows stored with antenna1 > antenna2 were exchanged on reading: exchange them back.
    fn turn_rows<T: Element>(
        &self,
        runs: &[Range<u64>],
        request: &ReadRequest,
        np: usize,
        cell: usize,
        values: &mut [T],
        turn: impl Fn(T) -> T,
    ) -> Result<(), Error> {
        let first: Vec<i32> = self.reader.column("ANTENNA1", runs, 1)?;
        let second: Vec<i32> = self.reader.column("ANTENNA2", runs, 1)?;
        if first.iter().zip(&second).all(|(a, b)| a <= b) {
            return Ok(());
        }
        let id = self.reader.description(request)?;
        let products = &self.reader.meta().data_descriptions[id].products;
        let order = swapped(products).ok_or_else(|| {
            Error::content(
                &self.reader.meta().path,
                "CORR_TYPE",
                "both cross-hand products or none",
                format!("{products:?}"),
            )
        })?;
        for (row, _) in first.iter().zip(&second).enumerate().filter(|(_, (a, b))| a > b) {
            for sample in values[row * cell..(row + 1) * cell].chunks_exact_mut(np) {
                let old = sample.to_vec();
                for (p, value) in sample.iter_mut().enumerate() {
                    *value = turn(old[order[p]]);
                }
            }
        }
        Ok(())
    }

    fn put_runs<T: Element>(
        &mut self,
        name: &str,
        runs: &[Range<u64>],
        shape: &[usize],
        values: &[T],
    ) -> Result<(), Error> {
        self.set_mark()?;
        let cell: usize = shape.iter().product();
        let total: u64 = runs.iter().map(|r| r.end - r.start).sum();
        if let [f, p] = shape {
            if !self.tiles.contains_key(name) {
                self.tiles.insert(name.to_owned(), Tiles::open(&self.main, name, true)?);
            }
            if let Some(tiles) = self
                .tiles
                .get(name)
                .and_then(Option::as_ref)
                .filter(|t| t.cell() == [*f, *p] && f % t.tile_channels() == 0)
            {
                return write_tiles(tiles, runs, [*f, *p], values);
            }
        }
        if (runs.len() as u64) * 4 > total {
            let rows: Vec<u64> = runs.iter().cloned().flatten().collect();
            if !rows.is_empty() {
                self.main.put_rows(name, &rows, shape, values)?;
            }
            return Ok(());
        }
        let mut at = 0;
        for run in runs {
            let n = (run.end - run.start) as usize * cell;
            self.main.put(name, run.start, shape, &values[at..at + n])?;
            at += n;
        }
        Ok(())
    }
}

/// Write whole rows, tile of channels by tile of channels.
fn write_tiles<T: Element>(
    tiles: &Tiles,
    runs: &[Range<u64>],
    shape: [usize; 2],
    values: &[T],
) -> Result<(), Error> {
    let row = shape[0] * shape[1];
    let width = tiles.tile_channels();
    let inner = width * shape[1];
    let mut rest = values;
    for run in runs {
        let (part, tail) = rest.split_at((run.end - run.start) as usize * row);
        rest = tail;
        if T::TYPE == DataType::Bool {
            // SAFETY: the element type was just compared: T is bool, and the slice is the same memory.
            let bits = unsafe { std::slice::from_raw_parts(part.as_ptr().cast::<bool>(), part.len()) };
            tiles.write_bits(run.clone(), bits)?;
        } else if width == shape[0] {
            tiles.write(run.clone(), 0, part)?;
        } else {
            for tile in 0..shape[0] / width {
                let cut: Vec<T> = part
                    .chunks_exact(row)
                    .flat_map(|r| r[tile * inner..(tile + 1) * inner].iter().copied())
                    .collect();
                tiles.write(run.clone(), tile, &cut)?;
            }
        }
    }
    Ok(())
}
