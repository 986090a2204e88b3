//! Stage 0: a synthetic group as UVH5 files in the correlator's own layout, with its truth.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use ndarray::{Array3, Axis, Slice};
use num_complex::{Complex32, Complex64};

use crate::array::AntennaTable;
use crate::control::Control;
use crate::coords::Observatory;
use crate::simulate::{group_name, iso_utc, Gains, Group, GroupParams, Truth};
use crate::uvh5::{Antennas, Keyword, Spec, VisRef, Writer};
use crate::vis::Rows;
use crate::Error;

/// What to simulate and where to put it.
#[derive(Clone, Debug, Default)]
pub struct SimulateParams {
    /// The observation.
    pub group: GroupParams,
    /// Directory of the files; made when missing. The truth goes to `truth/` below it.
    pub out: PathBuf,
    /// Antenna table; `None` is the list shipped with the package.
    pub antennas: Option<PathBuf>,
    /// Gains instead of random ones.
    pub gains: Option<Gains>,
    /// Replace files of the same name.
    pub replace: bool,
}

/// What was written.
#[derive(Clone, Debug)]
pub struct SimulateReport {
    /// The group's name: its first file's time.
    pub group: String,
    /// The files, by subband number.
    pub files: Vec<PathBuf>,
    /// The truth as a file.
    pub truth_path: PathBuf,
    /// The truth.
    pub truth: Truth,
}

/// Centre of the tee: origin of `antenna_positions` in the correlator's files.
fn tee_centre() -> Observatory {
    Observatory {
        latitude_rad: 0.649_845_510_723_848_6,
        longitude_rad: -2.064_427_799_136_453,
        height_m: 1188.0519,
    }
}

/// Integrations handed to the file at a time.
const BATCH: usize = 4;

/// Simulate one group.
///
/// # Errors
/// Parameters that make no sense; files that exist or cannot be written; cancellation. No file of the group is left then.
pub fn run(params: SimulateParams, control: &Control) -> Result<SimulateReport, Error> {
    let table = match &params.antennas {
        Some(path) => AntennaTable::read(path)?,
        None => AntennaTable::dsa110()?,
    };
    let SimulateParams { group, out, gains, replace, .. } = params;
    let group = Group::new(group, &table, gains)?;
    let header = antennas(&table)?;
    let names = file_names(group.params());
    let name = names.iter().map(|(_, n)| n[..19].to_owned()).min().unwrap_or_default();
    make_directory(&out.join("truth"))?;
    let paths: Vec<(usize, PathBuf)> = names.iter().map(|(s, n)| (*s, out.join(n))).collect();
    control.expect(paths.len() as u64 + 1);
    let truth_path = out.join("truth").join(format!("{name}.json"));
    let mut truth = group.truth();
    truth.files = names.into_iter().map(|(_, n)| n).collect();
    if let Some((_, path)) = paths.iter().find(|(_, p)| !replace && p.exists()) {
        return Err(io(path, "create", std::io::Error::from_raw_os_error(libc::EEXIST)));
    }
    let mut finished = Vec::new();
    let written = write_subbands(&group, &paths, &header, replace, &mut finished, control)
        .and_then(|()| write_truth(&truth_path, &truth, group.gains()));
    if let Err(error) = written {
        // Half a group is worse than none; the error that led here is the one to tell.
        for path in finished {
            let _ = fs::remove_file(path);
        }
        return Err(error);
    }
    control.advance(1);
    Ok(SimulateReport { group: name, files: paths.into_iter().map(|(_, p)| p).collect(), truth_path, truth })
}

/// Name of each subband's file, by subband number; the clocks of the nodes differ by up to `name_jitter_s`.
fn file_names(params: &GroupParams) -> Vec<(usize, String)> {
    let mut subbands = params.subbands.clone();
    subbands.sort_unstable();
    let spread = u64::from(params.name_jitter_s) + 1;
    let jitter = |subband: usize| {
        let key = params.seed
            ^ ((params.epoch + 1) << 20)
            ^ (subband as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (key.wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 40) % spread
    };
    // The first node sets the group's time, so that one file always bears it.
    let name = |(k, s): (usize, &usize)| {
        let late = if k == 0 { 0.0 } else { jitter(*s) as f64 };
        (*s, group_name(params.start_mjd_s + late, *s))
    };
    subbands.iter().enumerate().map(name).collect()
}

/// The antenna table of the header: all stations, offsets from the tee's centre.
fn antennas(table: &AntennaTable) -> Result<Antennas, Error> {
    let origin = tee_centre().itrf_m()?;
    let list = table.antennas();
    Ok(Antennas {
        names: list.iter().map(|a| a.name.clone()).collect(),
        numbers: list.iter().map(|a| i64::from(a.station) - 1).collect(),
        position_m: list.iter().map(|a| std::array::from_fn(|k| a.itrf_m[k] - origin[k])).collect(),
        diameter_m: list.iter().map(|a| a.diameter_m).collect(),
    })
}

/// One subband is computed while the one before is written.
fn write_subbands(
    group: &Group,
    paths: &[(usize, PathBuf)],
    header: &Antennas,
    replace: bool,
    finished: &mut Vec<PathBuf>,
    control: &Control,
) -> Result<(), Error> {
    let rows = group.rows();
    std::thread::scope(|scope| {
        let (sender, receiver) = mpsc::sync_channel::<(usize, PathBuf, Array3<Complex32>)>(0);
        let rows = &rows;
        let writer = scope.spawn(move || -> Result<(), Error> {
            for (subband, path, vis_rfp) in receiver {
                write_one(group, subband, &path, header, rows, &vis_rfp, replace)?;
                finished.push(path);
                control.advance(1);
            }
            Ok(())
        });
        let computed = (|| -> Result<(), Error> {
            for (subband, path) in paths {
                control.check()?;
                let vis_rfp = group.subband(*subband, control)?;
                if sender.send((*subband, path.clone(), vis_rfp)).is_err() {
                    // The writer stopped; its error is the one to tell.
                    break;
                }
            }
            Ok(())
        })();
        drop(sender);
        let written = writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        computed.and(written)
    })
}

fn write_one(
    group: &Group,
    subband: usize,
    path: &Path,
    header: &Antennas,
    rows: &Rows,
    vis_rfp: &Array3<Complex32>,
    replace: bool,
) -> Result<(), Error> {
    let mut spec = Spec::correlator(subband, header.clone(), group.params().dec_deg.to_radians());
    spec.channels = group.channels(subband);
    spec.extra = extra_keywords(group, header);
    let mut writer = Writer::create(path, spec, replace)?;
    let baselines = rows.len() / group.params().integrations;
    let (weight, flag) = (ndarray::arr0(group.samples()), ndarray::arr0(false));
    for first in (0..rows.len()).step_by(BATCH * baselines) {
        let last = (first + BATCH * baselines).min(rows.len());
        let vis = vis_rfp.slice_axis(Axis(0), Slice::from(first..last));
        let (Some(weight_rfp), Some(flag_rfp)) =
            (weight.broadcast(vis.raw_dim()), flag.broadcast(vis.raw_dim()))
        else {
            continue;
        };
        writer.append(&part(rows, first, last), VisRef { vis_rfp: vis, weight_rfp, flag_rfp })?;
    }
    writer.finish()?;
    Ok(())
}

fn part(rows: &Rows, first: usize, last: usize) -> Rows {
    Rows {
        time_mjd_s: rows.time_mjd_s[first..last].to_vec(),
        interval_s: rows.interval_s[first..last].to_vec(),
        antenna1: rows.antenna1[first..last].to_vec(),
        antenna2: rows.antenna2[first..last].to_vec(),
        field: rows.field[first..last].to_vec(),
        uvw_m: rows.uvw_m[first..last].to_vec(),
    }
}

fn extra_keywords(group: &Group, header: &Antennas) -> BTreeMap<String, Keyword> {
    let params = group.params();
    let delays = vec!["15000"; 2 * header.numbers.len()].join(" ");
    let number = |x: f64| Keyword::Number(x);
    BTreeMap::from([
        ("applied_delays_ns".to_owned(), Keyword::Text(delays)),
        ("synthetic".to_owned(), Keyword::Flag(true)),
        ("synthetic_has_noise".to_owned(), Keyword::Flag(params.sefd_jy > 0.0)),
        ("synthetic_has_cal_errors".to_owned(), Keyword::Flag(params.gains.is_some())),
        ("synthetic_source_count".to_owned(), number(params.sources.len() as f64)),
        ("synthetic_start".to_owned(), Keyword::Text(iso_utc(params.start_mjd_s))),
    ])
}

fn write_truth(path: &Path, truth: &Truth, gains: &Gains) -> Result<(), Error> {
    let text = serde_json::to_vec_pretty(truth).map_err(|e| io(path, "write", std::io::Error::other(e)))?;
    for (what, values) in [("bandpass_apf", &gains.bandpass_apf), ("gain_apt", &gains.gain_apt)] {
        let stem = path.with_extension("");
        let file = PathBuf::from(format!("{}_{what}.npy", stem.display()));
        write_aside(&file, &npy(values))?;
    }
    // Last: where the JSON is, the rest is.
    write_aside(path, &text)
}

/// A complex array in numpy's file format, version 1.0, C order.
fn npy(values: &Array3<Complex64>) -> Vec<u8> {
    let (a, p, n) = values.dim();
    let mut header = format!("{{'descr': '<c16', 'fortran_order': False, 'shape': ({a}, {p}, {n}), }}");
    // The header and its newline fill a multiple of 64 bytes with the ten bytes before it.
    let pad = 63 - (10 + header.len()) % 64;
    header.extend(std::iter::repeat_n(' ', pad));
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    for v in values {
        bytes.extend(v.re.to_le_bytes());
        bytes.extend(v.im.to_le_bytes());
    }
    bytes
}

fn write_aside(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let aside = path.with_extension("part");
    let write = || -> std::io::Result<()> {
        let mut file = File::create(&aside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&aside, path)
    };
    write().map_err(|source| {
        // The write's error is the one to tell.
        let _ = fs::remove_file(&aside);
        io(path, "write", source)
    })
}

fn make_directory(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(|source| io(path, "create directory", source))
}

fn io(path: &Path, action: &'static str, source: std::io::Error) -> Error {
    crate::simulate::Error::Io { path: path.to_path_buf(), action, source }.into()
}
