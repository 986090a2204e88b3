//! Subband by subband: read, rotate, write, each on its own thread.

use std::collections::HashMap;
use std::f64::consts::TAU;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::mpsc::{sync_channel, Receiver, SyncSender};

use ndarray::Array3;
use num_complex::{Complex32, Complex64};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::geometry::Geometry;
use super::group::Group;
use super::ConvertParams;
use crate::constants::SPEED_OF_LIGHT_M_S;
use crate::control::Control;
use crate::ms::{MsWriter, WindowData};
use crate::uvh5::{self, Plan, Reader, Selection, VisMut};
use crate::vis::Rows;
use crate::Error;

/// Subbands in memory at one time: one read, one rotated, one written.
const BUFFERS: usize = 3;
/// Times of one integration agree to this between subbands (the correlator's are identical) \[s\].
const SAME_TIME_S: f64 = 0.05;
const HASH_BYTES: usize = 4 << 20;

/// Arrays of one subband.
pub(super) struct Buffer {
    pub(super) vis_rfp: Array3<Complex32>,
    pub(super) weight_rfp: Array3<f32>,
    pub(super) flag_rfp: Array3<bool>,
}

impl Buffer {
    pub(super) fn new(shape: (usize, usize, usize)) -> Self {
        Self {
            vis_rfp: Array3::zeros(shape),
            weight_rfp: Array3::zeros(shape),
            flag_rfp: Array3::from_elem(shape, true),
        }
    }

    fn views(&mut self) -> VisMut<'_> {
        VisMut {
            vis_rfp: self.vis_rfp.view_mut(),
            weight_rfp: self.weight_rfp.view_mut(),
            flag_rfp: self.flag_rfp.view_mut(),
        }
    }
}

/// Convert all subbands; the SHA-256 of each input, in the order of `group.subbands`.
pub(super) fn run(
    group: &Group,
    geometry: &Geometry,
    writer: &MsWriter,
    params: &ConvertParams,
    control: &Control,
) -> Result<Vec<Option<String>>, Error> {
    let (to_rotate, from_read) = sync_channel::<(usize, Buffer)>(1);
    let (to_write, from_rotate) = sync_channel::<(usize, Buffer)>(1);
    let (give_back, empty) = sync_channel::<Buffer>(BUFFERS);
    let shape = (group.rows.len(), group.channels(), group.products.len());
    std::thread::scope(|scope| {
        let hashing = params.checksums.then(|| scope.spawn(|| hash_all(group, control)));
        let reading = scope.spawn(move || read_all(group, shape, &empty, &to_rotate, control));
        let merged = params.merge_spws;
        let writing = scope.spawn(move || write_all(writer, merged, &from_rotate, &give_back, control));
        for (window, mut buffer) in from_read {
            if geometry.rotates {
                rotate(&mut buffer.vis_rfp, &group.subbands[window].channels.freq_hz, geometry);
            }
            if to_write.send((window, buffer)).is_err() {
                break;
            }
        }
        drop(to_write);
        let written = writing.join();
        let read = reading.join();
        let hashes = hashing.map(|h| h.join());
        // A failed reader or writer closes its channels and the others stop quietly: its error is the one that counts.
        joined(read)?;
        joined(written)?;
        control.check()?;
        match hashes {
            Some(hashes) => joined(hashes),
            None => Ok(vec![None; group.subbands.len()]),
        }
    })
}

fn joined<T>(outcome: std::thread::Result<Result<T, Error>>) -> Result<T, Error> {
    match outcome {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn read_all(
    group: &Group,
    shape: (usize, usize, usize),
    empty: &Receiver<Buffer>,
    out: &SyncSender<(usize, Buffer)>,
    control: &Control,
) -> Result<(), Error> {
    let mut made = 0;
    for (window, subband) in group.subbands.iter().enumerate() {
        let Some(path) = &subband.file else { continue };
        let mut buffer = if made < BUFFERS {
            made += 1;
            Buffer::new(shape)
        } else {
            match empty.recv() {
                Ok(buffer) => buffer,
                Err(_) => return Ok(()),
            }
        };
        read_one(group, path, &mut buffer, control)?;
        if out.send((window, buffer)).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

pub(super) fn read_one(
    group: &Group,
    path: &Path,
    buffer: &mut Buffer,
    control: &Control,
) -> Result<(), Error> {
    let reader = Reader::open(path)?;
    let plan = reader.plan(&Selection::default())?;
    if same_rows(group, &plan.rows) {
        return Ok(reader.read_into(&plan, buffer.views(), control)?);
    }
    let block = reader.read(&Selection::default(), control)?;
    place_rows(group, path, &plan, &block, buffer)
}

fn same_rows(group: &Group, rows: &Rows) -> bool {
    let reference = &group.rows;
    let antenna = |ids: &[u32], r: usize| group.antenna_of[ids[r] as usize];
    rows.len() == reference.len()
        && (0..rows.len()).into_par_iter().all(|r| {
            antenna(&rows.antenna1, r) == reference.antenna1[r]
                && antenna(&rows.antenna2, r) == reference.antenna2[r]
                && (rows.time_mjd_s[r] - reference.time_mjd_s[r]).abs() < SAME_TIME_S
        })
}

/// A subband with other rows than the first: what it lacks is flagged, what the others lack is an error.
fn place_rows(
    group: &Group,
    path: &Path,
    plan: &Plan,
    block: &crate::vis::VisBlock,
    buffer: &mut Buffer,
) -> Result<(), Error> {
    let key = |time: f64, a: u32, b: u32| ((time / (2.0 * SAME_TIME_S)).round() as i64, a, b);
    let reference = &group.rows;
    let mut places: HashMap<(i64, u32, u32), usize> = HashMap::with_capacity(reference.len());
    for r in 0..reference.len() {
        places.insert(key(reference.time_mjd_s[r], reference.antenna1[r], reference.antenna2[r]), r);
    }
    buffer.vis_rfp.fill(Complex32::default());
    buffer.weight_rfp.fill(0.0);
    buffer.flag_rfp.fill(true);
    let rows = &plan.rows;
    for r in 0..rows.len() {
        let (a, b) =
            (group.antenna_of[rows.antenna1[r] as usize], group.antenna_of[rows.antenna2[r] as usize]);
        let near = key(rows.time_mjd_s[r], a, b);
        // Rounding may fall to either side.
        let same = |to: &&usize| (reference.time_mjd_s[**to] - rows.time_mjd_s[r]).abs() < SAME_TIME_S;
        let place = [0, -1, 1].iter().find_map(|d| places.get(&(near.0 + d, a, b)).filter(same));
        let Some(&to) = place else {
            return Err(uvh5::Error::Data {
                path: path.to_path_buf(),
                item: "Header/time_array".into(),
                expected: format!("the times and baselines of {}", group.header.path.display()),
                found: format!("MJD {:.6}, antennas {a} and {b}", rows.time_mjd_s[r] / 86_400.0),
            }
            .into());
        };
        buffer
            .vis_rfp
            .index_axis_mut(ndarray::Axis(0), to)
            .assign(&block.vis_rfp.index_axis(ndarray::Axis(0), r));
        buffer
            .weight_rfp
            .index_axis_mut(ndarray::Axis(0), to)
            .assign(&block.weight_rfp.index_axis(ndarray::Axis(0), r));
        buffer
            .flag_rfp
            .index_axis_mut(ndarray::Axis(0), to)
            .assign(&block.flag_rfp.index_axis(ndarray::Axis(0), r));
    }
    log::warn!("{}: {} of {} rows; the others are flagged", path.display(), rows.len(), reference.len());
    Ok(())
}

/// `V exp(-2 pi i (w_new - w_old) f / c)`, antenna by antenna in double precision.
pub(super) fn rotate(vis_rfp: &mut Array3<Complex32>, freq_hz: &[f64], geometry: &Geometry) {
    let (_, channels, products) = vis_rfp.dim();
    let Some(all) = vis_rfp.as_slice_mut() else { return };
    let row = channels * products;
    let rows = &geometry.rows;
    let mut rest = all;
    for time in &geometry.times {
        let (block, tail) = rest.split_at_mut(time.rows.len() * row);
        rest = tail;
        let turns: Vec<Vec<Complex64>> = time
            .excess_w_m
            .par_iter()
            .map(|w| freq_hz.iter().map(|f| Complex64::cis(-TAU * (w * f / SPEED_OF_LIGHT_M_S))).collect())
            .collect();
        block.par_chunks_mut(row).enumerate().with_min_len(64).for_each(|(i, values)| {
            let r = time.rows.start + i;
            let (a, b) = (&turns[rows.antenna1[r] as usize], &turns[rows.antenna2[r] as usize]);
            for ((cell, a), b) in values.chunks_exact_mut(products).zip(a).zip(b) {
                let turn = a * b.conj();
                for v in cell {
                    let exact = Complex64::new(f64::from(v.re), f64::from(v.im)) * turn;
                    *v = Complex32::new(exact.re as f32, exact.im as f32);
                }
            }
        });
    }
}

fn write_all(
    writer: &MsWriter,
    merged: bool,
    input: &Receiver<(usize, Buffer)>,
    give_back: &SyncSender<Buffer>,
    control: &Control,
) -> Result<(), Error> {
    for (window, buffer) in input {
        control.check()?;
        let data = WindowData {
            vis_rfp: buffer.vis_rfp.view(),
            weight_rfp: buffer.weight_rfp.view(),
            flag_rfp: buffer.flag_rfp.view(),
        };
        let (spw, tile) = if merged { (0, window) } else { (window, 0) };
        writer.put(spw, tile, data)?;
        // The reader may be done with buffers.
        let _ = give_back.send(buffer);
    }
    Ok(())
}

/// SHA-256 of every input; reads ahead of the converter, which then finds the files in the page cache.
fn hash_all(group: &Group, control: &Control) -> Result<Vec<Option<String>>, Error> {
    group.subbands.iter().map(|s| s.file.as_deref().map(|path| hash(path, control)).transpose()).collect()
}

fn hash(path: &Path, control: &Control) -> Result<String, Error> {
    let failed =
        |source| -> Error { uvh5::Error::Io { path: path.to_path_buf(), action: "read", source }.into() };
    let mut file = File::open(path).map_err(failed)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; HASH_BYTES];
    loop {
        control.check()?;
        let n = file.read(&mut buffer).map_err(failed)?;
        if n == 0 {
            break;
        }
        hasher.update(&buffer[..n]);
    }
    Ok(hasher.finalize().iter().map(|b| format!("{b:02x}")).collect())
}
