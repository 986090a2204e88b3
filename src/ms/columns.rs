//! Rewriting columns of an existing Measurement Set, block by block.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ndarray::{Array3, ArrayView3, Axis};
use num_complex::Complex32;

use super::error::Error;
use super::meta::Meta;
use super::read::swapped;
use super::reader::MsReader;
use super::repair::{self, Mark};
use super::request::{Column, ReadRequest};
use super::schema::TILE_ROWS;
use crate::casatable::{sync_tree, ColumnSpec, DataType, Element, Table, Tiles};
use crate::kind::BadArgument;

/// How long to wait for the write lock of another process.
const LOCK_WAIT: Duration = Duration::from_secs(30);

/// Rewrites CORRECTED_DATA, MODEL_DATA, FLAG or WEIGHT_SPECTRUM of an existing Measurement Set. From [`ColumnWriter::begin`]
/// to [`ColumnWriter::finish`] the Measurement Set bears a mark that readers refuse, so that a kill in between is seen
/// and repaired by running the same step again. Arrays are in the conventions of [`MsReader::read`] and belong to the rows
/// of the request that read them.
#[derive(Debug)]
pub struct ColumnWriter {
    reader: MsReader,
    main: Table,
    columns: Vec<String>,
    tiles: HashMap<String, Option<Tiles>>,
}

impl ColumnWriter {
    /// Take the write lock, add the columns that are missing, set the mark. `step` is the command that does this, for the
    /// message after an interruption.
    ///
    /// # Errors
    /// A lock that another process keeps for 30 s, a read-only Measurement Set, one that another step left half written.
    pub fn begin(path: &Path, columns: &[&str], step: &str) -> Result<Self, Error> {
        for column in columns {
            if !matches!(*column, "CORRECTED_DATA" | "MODEL_DATA" | "FLAG" | "WEIGHT_SPECTRUM") {
                let expected = "CORRECTED_DATA, MODEL_DATA, FLAG or WEIGHT_SPECTRUM";
                return Err(BadArgument::new("columns", expected, column).into());
            }
        }
        let mut mark =
            Mark { columns: columns.iter().map(|c| (*c).to_owned()).collect(), step: step.to_owned() };
        if let Some(old) = repair::find(path)? {
            if old.columns.iter().any(|c| !mark.columns.contains(c)) {
                return Err(Error::Interrupted {
                    path: path.to_path_buf(),
                    column: old.columns.join(", "),
                    step: old.step,
                });
            }
            mark.columns = mark.columns.iter().chain(&old.columns).cloned().collect();
            mark.columns.sort();
            mark.columns.dedup();
            repair::restore_description(path)?;
        }
        let mut main = Table::open_rw(path, LOCK_WAIT)?;
        repair::set(path, &mark)?;
        let present = main.columns()?;
        let absent: Vec<&str> = columns.iter().copied().filter(|c| !present.iter().any(|p| p == c)).collect();
        if !absent.is_empty() {
            repair::back_up_description(path)?;
            for column in absent {
                main.add_column(&spec_like_data(&main, column)?)?;
            }
            main.flush()?;
            repair::forget_description(path)?;
        }
        let reader = MsReader::open_for_repair(path)?;
        let mut tiles = HashMap::new();
        for column in columns {
            tiles.insert((*column).to_owned(), Tiles::open(&main, column, true)?);
        }
        Ok(Self { reader, main, columns: mark.columns, tiles })
    }

    /// What the Measurement Set says about itself.
    pub fn meta(&self) -> &Meta {
        self.reader.meta()
    }

    /// Write visibilities of CORRECTED_DATA or MODEL_DATA.
    ///
    /// # Errors
    /// Arrays of another shape, a column not named in [`ColumnWriter::begin`], a failure to write.
    pub fn put_visibilities(
        &mut self,
        column: Column,
        request: &ReadRequest,
        vis_rfp: ArrayView3<'_, Complex32>,
    ) -> Result<(), Error> {
        self.put(column.name(), request, vis_rfp, |v| v.conj())
    }

    /// Write FLAG; FLAG_ROW is cleared where a row is no longer flagged as a whole.
    ///
    /// # Errors
    /// As [`ColumnWriter::put_visibilities`].
    pub fn put_flags(&mut self, request: &ReadRequest, flag_rfp: ArrayView3<'_, bool>) -> Result<(), Error> {
        self.put("FLAG", request, flag_rfp, |f| f)?;
        if !self.meta().has_column("FLAG_ROW") {
            return Ok(());
        }
        let runs = self.reader.select(request)?;
        let whole: Vec<bool> = self.reader.column("FLAG_ROW", &runs, 1)?;
        let rows = runs.iter().cloned().flatten().zip(whole).zip(flag_rfp.axis_iter(Axis(0)));
        let cleared: Vec<u64> =
            rows.filter(|((_, w), f)| *w && !f.iter().all(|x| *x)).map(|((r, _), _)| r).collect();
        if !cleared.is_empty() {
            self.main.put_rows("FLAG_ROW", &cleared, &[], &vec![false; cleared.len()])?;
        }
        Ok(())
    }

    /// Write WEIGHT_SPECTRUM.
    ///
    /// # Errors
    /// As [`ColumnWriter::put_visibilities`].
    pub fn put_weights(
        &mut self,
        request: &ReadRequest,
        weight_rfp: ArrayView3<'_, f32>,
    ) -> Result<(), Error> {
        self.put("WEIGHT_SPECTRUM", request, weight_rfp, |w| w)
    }

    fn put<T: Element>(
        &mut self,
        name: &str,
        request: &ReadRequest,
        cube: ArrayView3<'_, T>,
        turned: impl Fn(T) -> T,
    ) -> Result<(), Error> {
        if !self.columns.iter().any(|c| c == name) {
            return Err(BadArgument::new("column", format!("one of {:?}", self.columns), name).into());
        }
        let id = self.reader.description(request)?;
        let products = self.meta().data_descriptions[id].products.clone();
        let shape = [self.meta().spws[request.spw].freq_hz.len(), products.len()];
        let runs = self.reader.select(request)?;
        let n: u64 = runs.iter().map(|r| r.end - r.start).sum();
        if cube.dim() != (n as usize, shape[0], shape[1]) {
            let expected = format!("an array of ({n}, {}, {})", shape[0], shape[1]);
            return Err(BadArgument::new(name, expected, format!("{:?}", cube.dim())).into());
        }
        let stored = self.stored(request, &runs, cube, &products, turned)?;
        let values = stored.as_slice().unwrap_or(&[]);
        self.write(name, &runs, shape, values)
    }

    /// Back from the crate's conventions to the rows and channels as the Measurement Set stores them.
    fn stored<T: Element>(
        &self,
        request: &ReadRequest,
        runs: &[Range<u64>],
        cube: ArrayView3<'_, T>,
        products: &[crate::vis::Product],
        turned: impl Fn(T) -> T,
    ) -> Result<Array3<T>, Error> {
        let mut cube = cube;
        if self.meta().descending[request.spw] {
            cube.invert_axis(Axis(1));
        }
        let mut stored = cube.as_standard_layout().into_owned();
        let first: Vec<i32> = self.reader.column("ANTENNA1", runs, 1)?;
        let second: Vec<i32> = self.reader.column("ANTENNA2", runs, 1)?;
        let rows: Vec<usize> = (0..first.len()).filter(|i| first[*i] > second[*i]).collect();
        if rows.is_empty() {
            return Ok(stored);
        }
        let order = swapped(products).ok_or_else(|| {
            let found = format!("{products:?} with antenna1 > antenna2");
            Error::content(&self.meta().path, "CORR_TYPE", "both cross-hand products or none", found)
        })?;
        for row in rows {
            for mut channel in stored.index_axis_mut(Axis(0), row).axis_iter_mut(Axis(0)) {
                let old: Vec<T> = channel.iter().copied().collect();
                for (p, value) in channel.iter_mut().enumerate() {
                    *value = turned(old[order[p]]);
                }
            }
        }
        Ok(stored)
    }

    fn write<T: Element>(
        &mut self,
        name: &str,
        runs: &[Range<u64>],
        shape: [usize; 2],
        values: &[T],
    ) -> Result<(), Error> {
        let cell = shape[0] * shape[1];
        let tiles = self.tiles.get(name).and_then(Option::as_ref).filter(|t| t.cell() == shape);
        let mut rest = values;
        for run in runs {
            let (part, tail) = rest.split_at((run.end - run.start) as usize * cell);
            rest = tail;
            match tiles {
                Some(tiles) => write_tiles(tiles, run.clone(), shape, part)?,
                None => self.main.put(name, run.start, &shape, part)?,
            }
        }
        Ok(())
    }

    /// Sync everything and take the mark away.
    ///
    /// # Errors
    /// A failure to write or sync; then the mark stays.
    pub fn finish(self) -> Result<(), Error> {
        let path: PathBuf = self.main.path().to_path_buf();
        for tiles in self.tiles.values().flatten() {
            tiles.sync()?;
        }
        let by_casacore =
            self.tiles.values().any(Option::is_none) || self.columns.iter().any(|c| c == "FLAG");
        self.main.close()?;
        if by_casacore {
            sync_tree(&path)?;
        }
        repair::clear(&path)
    }
}

/// Write whole rows, tile of channels by tile of channels.
fn write_tiles<T: Element>(
    tiles: &Tiles,
    rows: Range<u64>,
    shape: [usize; 2],
    values: &[T],
) -> Result<(), Error> {
    if T::TYPE == DataType::Bool {
        // SAFETY: the element type was just compared: T is bool, and the slice is the same memory.
        let bits = unsafe { std::slice::from_raw_parts(values.as_ptr().cast::<bool>(), values.len()) };
        return Ok(tiles.write_bits(rows, bits)?);
    }
    let width = tiles.tile_channels();
    if width == shape[0] {
        return Ok(tiles.write(rows, 0, values)?);
    }
    let (row, inner) = (shape[0] * shape[1], width * shape[1]);
    for tile in 0..shape[0] / width {
        let part: Vec<T> = values
            .chunks_exact(row)
            .flat_map(|r| r[tile * inner..(tile + 1) * inner].iter().copied())
            .collect();
        tiles.write(rows.clone(), tile, &part)?;
    }
    Ok(())
}

/// A new column with cells as DATA's.
fn spec_like_data(main: &Table, name: &str) -> Result<ColumnSpec, Error> {
    let kind = match name {
        "FLAG" => DataType::Bool,
        "WEIGHT_SPECTRUM" => DataType::Float,
        _ => DataType::Complex,
    };
    let info = main.column("DATA")?;
    let manager = format!("Tiled_{name}");
    Ok(match info.shape.as_deref() {
        Some([f, p]) => ColumnSpec::array(name, kind, &[*f, *p]).tiled(&manager, &[TILE_ROWS, *f, *p]),
        _ => {
            let shape = main.cell_shape("DATA", 0)?.unwrap_or(vec![1, 1]);
            let (f, p) = (shape.first().copied().unwrap_or(1), shape.get(1).copied().unwrap_or(1));
            ColumnSpec::free_array(name, kind, 2).tiled(&manager, &[TILE_ROWS, f, p])
        }
    })
}
