//! New Measurement Sets: written aside, synced, renamed.

use std::fs;
use std::path::Path;
use std::sync::Mutex;

use ndarray::ArrayView3;
use num_complex::Complex32;
use rayon::prelude::*;

use super::content::Content;
use super::error::Error;
use super::meta::PROVENANCE_FILE;
use super::schema;
use crate::casatable::{free_bytes, Staged, Table, Tiles};
use crate::control::Control;
use crate::kind::BadArgument;
use crate::vis::Product;

/// Rows of a constant model written at one time.
const MODEL_BLOCK_ROWS: u64 = 32 * 1024;

/// A Measurement Set being written. Dropped without [`MsWriter::finish`] it leaves nothing behind.
#[derive(Debug)]
pub struct MsWriter {
    files: Files,
    rows: u64,
    windows: usize,
    /// Windows that share one cell (merged into one of MAIN's), in tiles of channels.
    channel_tiles: usize,
    /// Flags of all windows, written at the end because windows may share bytes.
    flags: Mutex<Vec<Option<Vec<u8>>>>,
    staged: Staged,
}

#[derive(Debug)]
struct Files {
    data: Tiles,
    model: Tiles,
    weight_spectrum: Tiles,
    weight: Tiles,
    sigma: Tiles,
    flag: Tiles,
}

/// Visibilities, weights and flags of one window (all its rows), or of one tile of channels of a merged window.
#[derive(Clone, Copy, Debug)]
pub struct WindowData<'a> {
    /// Visibilities.
    pub vis_rfp: ArrayView3<'a, Complex32>,
    /// Weights.
    pub weight_rfp: ArrayView3<'a, f32>,
    /// Flags, true is bad.
    pub flag_rfp: ArrayView3<'a, bool>,
}

impl MsWriter {
    /// Create the tables of a new Measurement Set in a staging directory (`scratch`, or beside `path`).
    ///
    /// # Errors
    /// An existing `path` without `overwrite`, not enough space, contents that make no sense, any failure to write.
    pub fn create(
        path: &Path,
        content: &Content,
        overwrite: bool,
        scratch: Option<&Path>,
    ) -> Result<Self, Error> {
        let (channels, rows) = check(content)?;
        let windows = content.windows.len();
        let total = rows as u64 * windows as u64;
        let staged = Staged::begin(path, overwrite, scratch)?;
        require_space(&staged.path(), total * (channels * content.products.len()) as u64 * 13 + total * 80)?;
        let columns =
            schema::main_columns(channels, content.products.len(), content.tile_channels, total as usize);
        let mut main = Table::create(staged.path(), &columns, total)?;
        schema::put_main_keywords(&mut main)?;
        put_indices(&mut main, content)?;
        main.flush()?;
        let open = |name: &str| -> Result<Tiles, Error> {
            Tiles::open(&main, name, true)?
                .ok_or_else(|| Error::content(main.path(), name, "a column in plain tiles", "another layout"))
        };
        let uvw = open("UVW")?;
        let files = Files {
            data: open("DATA")?,
            model: open("MODEL_DATA")?,
            weight_spectrum: open("WEIGHT_SPECTRUM")?,
            weight: open("WEIGHT")?,
            sigma: open("SIGMA")?,
            flag: open("FLAG")?,
        };
        let values: Vec<f64> = content.rows.uvw_m.iter().flatten().copied().collect();
        for w in 0..windows as u64 {
            uvw.write(w * rows as u64..(w + 1) * rows as u64, 0, &values)?;
        }
        content.write_subtables(&mut main)?;
        main.close()?;
        let channel_tiles = channels / content.tile_channels;
        let flags = Mutex::new(vec![None; windows * channel_tiles]);
        Ok(Self { files, rows: rows as u64, windows, channel_tiles, flags, staged })
    }

    /// Write one window (`channel_tile` 0), or one tile of channels of a merged window; from any thread, in any order.
    ///
    /// # Errors
    /// Arrays of another shape; a failure to write.
    pub fn put(&self, window: usize, channel_tile: usize, data: WindowData<'_>) -> Result<(), Error> {
        let (Some(vis), Some(weight), Some(flag)) =
            (data.vis_rfp.as_slice(), data.weight_rfp.as_slice(), data.flag_rfp.as_slice())
        else {
            return Err(BadArgument::new("data", "arrays in C order", "other strides").into());
        };
        if window >= self.windows || channel_tile >= self.channel_tiles {
            let expected = format!("a window below {} and a tile below {}", self.windows, self.channel_tiles);
            return Err(BadArgument::new("window", expected, format!("{window}, {channel_tile}")).into());
        }
        let first = window as u64 * self.rows;
        let rows = first..first + self.rows;
        self.files.data.write(rows.clone(), channel_tile, vis)?;
        self.files.weight_spectrum.write(rows.clone(), channel_tile, weight)?;
        if channel_tile == 0 {
            let (mean, sigma) = row_weights(weight, data.weight_rfp.dim().1, data.weight_rfp.dim().2);
            self.files.weight.write(rows.clone(), 0, &mean)?;
            self.files.sigma.write(rows, 0, &sigma)?;
        }
        let packed: Vec<u8> =
            flag.par_chunks(8).map(|c| c.iter().rev().fold(0, |b, f| b << 1 | u8::from(*f))).collect();
        if let Ok(mut flags) = self.flags.lock() {
            flags[window * self.channel_tiles + channel_tile] = Some(packed);
        }
        Ok(())
    }

    /// Fill MODEL_DATA with a source of `flux_jy` at the phase centre (without this it is a hole that reads as zeros).
    ///
    /// # Errors
    /// A failure to write; cancellation.
    pub fn fill_model(&self, products: &[Product], flux_jy: f32, control: &Control) -> Result<(), Error> {
        let width = self.files.model.cell()[0] / self.channel_tiles;
        let hands = |p: &Product| if p.receptors().0 == p.receptors().1 { flux_jy } else { 0.0 };
        let channel: Vec<Complex32> = products.iter().map(|p| Complex32::new(hands(p), 0.0)).collect();
        let total = self.rows * self.windows as u64;
        let row = width * channel.len();
        let block: Vec<Complex32> =
            channel.iter().copied().cycle().take(total.min(MODEL_BLOCK_ROWS) as usize * row).collect();
        for start in (0..total).step_by(MODEL_BLOCK_ROWS as usize) {
            control.check()?;
            let end = total.min(start + MODEL_BLOCK_ROWS);
            for tile in 0..self.channel_tiles {
                self.files.model.write(start..end, tile, &block[..(end - start) as usize * row])?;
            }
        }
        Ok(())
    }

    fn write_flags(&self) -> Result<(), Error> {
        let cell = self.files.flag.cell();
        let width = cell[0] / self.channel_tiles;
        let mut all =
            self.flags.lock().map_err(|_| BadArgument::new("flags", "a sound lock", "a poisoned one"))?;
        for window in 0..self.windows {
            let parts: Vec<Option<Vec<u8>>> =
                (0..self.channel_tiles).map(|c| all[window * self.channel_tiles + c].take()).collect();
            // Rows in blocks, so that the unpacked flags stay small.
            let block = (1 << 22) / (cell[0] * cell[1]).max(1) + 1;
            for start in (0..self.rows as usize).step_by(block) {
                let n = block.min(self.rows as usize - start);
                let mut values = vec![true; n * cell[0] * cell[1]];
                let inner = width * cell[1];
                for (c, part) in parts.iter().enumerate() {
                    let Some(part) = part else { continue };
                    for r in 0..n {
                        let bit = (start + r) * inner;
                        let out = &mut values[r * cell[0] * cell[1] + c * inner..][..inner];
                        for (k, value) in out.iter_mut().enumerate() {
                            *value = part[(bit + k) / 8] >> ((bit + k) % 8) & 1 == 1;
                        }
                    }
                }
                let first = window as u64 * self.rows + start as u64;
                self.files.flag.write_bits(first..first + n as u64, &values)?;
            }
        }
        Ok(())
    }

    /// Write the flags (windows never put are flagged) and the provenance record, sync everything and move the Measurement
    /// Set into its place.
    ///
    /// # Errors
    /// Any failure to write, sync or rename; then nothing is at the destination.
    pub fn finish(self, provenance: &serde_json::Value) -> Result<(), Error> {
        self.write_flags()?;
        let record = serde_json::to_string_pretty(provenance).unwrap_or_default();
        let path = self.staged.path().join(PROVENANCE_FILE);
        fs::write(&path, record).map_err(|e| Error::os(&path, "write", e))?;
        Ok(self.staged.commit()?)
    }
}

fn check(content: &Content) -> Result<(usize, usize), Error> {
    let channels = content.windows.first().map_or(0, |w| w.freq_hz.len());
    let rows = content.rows.len();
    let bad = |what: &str, expected: &str, found: String| Err(BadArgument::new(what, expected, found).into());
    if channels == 0 || rows == 0 || content.products.is_empty() || content.fields.is_empty() {
        let found = format!("{rows} rows, {channels} channels, {} products", content.products.len());
        return bad("content", "rows, channels, products and fields", found);
    }
    if content.windows.iter().any(|w| w.freq_hz.len() != channels || w.width_hz.len() != channels) {
        return bad("windows", "as many channels in each", "different numbers".into());
    }
    if content.tile_channels == 0 || channels % content.tile_channels != 0 {
        return bad(
            "tile_channels",
            "a divisor of the channels",
            format!("{} of {channels}", content.tile_channels),
        );
    }
    if content.absent.len() != content.windows.len() {
        return bad("absent", "one entry a window", content.absent.len().to_string());
    }
    Ok((channels, rows))
}

fn require_space(path: &Path, bytes: u64) -> Result<(), Error> {
    let parent = path.parent().unwrap_or(Path::new("."));
    let free = free_bytes(parent)?;
    if free < bytes {
        log::warn!("{}: {bytes} bytes are needed, {free} are free", parent.display());
        return Err(Error::os(
            parent,
            "begin: not enough free space",
            std::io::Error::from_raw_os_error(libc::ENOSPC),
        ));
    }
    Ok(())
}

/// Weight of a row, the mean over its channels, and the sigma that belongs to it.
fn row_weights(weight: &[f32], channels: usize, products: usize) -> (Vec<f32>, Vec<f32>) {
    let mean: Vec<f32> = weight
        .par_chunks(channels * products)
        .flat_map_iter(|row| {
            (0..products).map(move |p| {
                row.iter().skip(p).step_by(products).map(|w| f64::from(*w)).sum::<f64>() as f32
                    / channels as f32
            })
        })
        .collect();
    let sigma = mean.iter().map(|w| if *w > 0.0 { w.sqrt().recip() } else { 0.0 }).collect();
    (mean, sigma)
}

/// The scalar columns. Those of the incremental storage manager are written where they change.
fn put_indices(main: &mut Table, content: &Content) -> Result<(), Error> {
    let rows = &content.rows;
    let (n, windows) = (rows.len(), content.windows.len());
    let spread =
        |ids: &[u32]| -> Vec<i32> { ids.iter().map(|a| *a as i32).cycle().take(n * windows).collect() };
    main.put("ANTENNA1", 0, &[], &spread(&rows.antenna1))?;
    main.put("ANTENNA2", 0, &[], &spread(&rows.antenna2))?;
    let constant: [(&str, i32); 8] = [
        ("ARRAY_ID", 0),
        ("FEED1", 0),
        ("FEED2", 0),
        ("OBSERVATION_ID", 0),
        ("PROCESSOR_ID", 0),
        ("SCAN_NUMBER", 1),
        ("STATE_ID", 0),
        ("DATA_DESC_ID", 0),
    ];
    for (column, value) in constant {
        main.put(column, 0, &[], &[value])?;
    }
    for window in 0..windows {
        let first = (window * n) as u64;
        main.put("DATA_DESC_ID", first, &[], &[window as i32])?;
        main.put("FLAG_ROW", first, &[], &[content.absent[window]])?;
        for row in 0..n {
            let at = first + row as u64;
            let changed = |same: bool| row == 0 || !same;
            if changed(rows.time_mjd_s[row] == rows.time_mjd_s[row.max(1) - 1]) {
                main.put("TIME", at, &[], &[rows.time_mjd_s[row]])?;
                main.put("TIME_CENTROID", at, &[], &[rows.time_mjd_s[row]])?;
            }
            if changed(rows.interval_s[row] == rows.interval_s[row.max(1) - 1]) {
                main.put("INTERVAL", at, &[], &[rows.interval_s[row]])?;
                main.put("EXPOSURE", at, &[], &[rows.interval_s[row]])?;
            }
            if changed(rows.field[row] == rows.field[row.max(1) - 1]) {
                main.put("FIELD_ID", at, &[], &[rows.field[row] as i32])?;
            }
        }
    }
    Ok(())
}
