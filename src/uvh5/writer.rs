//! Writing UVH5 files in the correlator's own layout, for simulations.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use hdf5::types::{FloatSize, IntSize, TypeDescriptor};
use ndarray::ArrayView3;
use num_complex::Complex32;

use super::growing::{complex64, Growing, Sink};
use super::hdf::first_line;
use super::header::{Antennas, Keyword};
use super::Error;
use crate::constants;
use crate::kind::BadArgument;
use crate::vis::{Channels, Product, Rows};

/// Memory that a file grows by \[bytes\].
const GROWTH: usize = 8 << 20;

/// What a file says beside its rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// `telescope_name`.
    pub telescope_name: String,
    /// `instrument`.
    pub instrument: String,
    /// `object_name`.
    pub object_name: String,
    /// `history`.
    pub history: String,
    /// Geodetic latitude \[degrees\].
    pub latitude_deg: f64,
    /// East longitude \[degrees\].
    pub longitude_deg: f64,
    /// Height above the ellipsoid \[m\].
    pub altitude_m: f64,
    /// The antenna table; row indices refer to it.
    pub antennas: Antennas,
    /// Channels, ascending (the file holds them descending).
    pub channels: Channels,
    /// Products, in CASA's order.
    pub products: Vec<Product>,
    /// Declination of the pointing, of date \[rad\].
    pub dec_rad: f64,
    /// More `extra_keywords` (`phase_center_dec`, `ha_phase_center` and `phase_center_epoch` are written by themselves).
    pub extra: BTreeMap<String, Keyword>,
    /// Chunk shape (rows, channels, products) of all data; `None` is the correlator's.
    pub chunk: Option<[usize; 3]>,
}

impl Spec {
    /// Extra keywords that are written from the other fields.
    pub const OWN_KEYWORDS: [&'static str; 3] = ["phase_center_dec", "ha_phase_center", "phase_center_epoch"];

    /// Subband `subband` of the correlator: its channels, site and names, XX and YY.
    pub fn correlator(subband: usize, antennas: Antennas, dec_rad: f64) -> Self {
        let count = constants::CHANNELS_PER_SUBBAND;
        let freq_hz = (0..count).rev().map(|c| constants::channel_frequency_hz(subband, c)).collect();
        Self {
            telescope_name: constants::TELESCOPE_NAME_CASA.to_owned(),
            instrument: "DSA".to_owned(),
            object_name: "search".to_owned(),
            history: format!("written by dsa110_contimg {}", env!("CARGO_PKG_VERSION")),
            latitude_deg: constants::SITE_LATITUDE_DEG,
            longitude_deg: constants::SITE_LONGITUDE_DEG,
            altitude_m: constants::SITE_HEIGHT_M,
            antennas,
            channels: Channels { spw: 0, freq_hz, width_hz: vec![constants::CHANNEL_WIDTH_HZ; count] },
            products: vec![Product::XX, Product::YY],
            dec_rad,
            extra: BTreeMap::new(),
            chunk: None,
        }
    }
}

/// All baselines of `antennas` with autocorrelations in the correlator's order: each antenna with all before it and itself.
pub fn correlator_baselines(antennas: &[u32]) -> Vec<(u32, u32)> {
    let with_earlier =
        |i: usize| antennas[..=i].iter().map(move |&a| (a.min(antennas[i]), a.max(antennas[i])));
    (0..antennas.len()).flat_map(with_earlier).collect()
}

/// Views of the rows to append, (row, channel, product), in the crate's convention.
#[derive(Clone, Copy)]
pub struct VisRef<'a> {
    /// Visibilities.
    pub vis_rfp: ArrayView3<'a, Complex32>,
    /// Weights, written as `nsamples`.
    pub weight_rfp: ArrayView3<'a, f32>,
    /// Flags, true is bad.
    pub flag_rfp: ArrayView3<'a, bool>,
}

/// A UVH5 file under construction: it appears under its name when [`Writer::finish`] returns, and not before.
///
/// The file is built in memory (145 MB for a full-size subband) and written by plain calls: the HDF5 library does not survive
/// a disk that is full, and a crash is no error message.
pub struct Writer {
    path: PathBuf,
    aside: Aside,
    out: std::fs::File,
    spec: Spec,
    replace: bool,
    /// `None` once closed.
    open: Option<Open>,
    baselines: BTreeSet<(u32, u32)>,
    times: BTreeSet<u64>,
    rows: usize,
}

struct Open {
    file: hdf5::File,
    ant1: Growing,
    ant2: Growing,
    uvw: Growing,
    time: Growing,
    interval: Growing,
    vis: Growing,
    flags: Growing,
    counts: Growing,
}

/// The temporary file; removed when dropped unless it was renamed.
struct Aside(PathBuf);

impl Drop for Aside {
    fn drop(&mut self) {
        // Gone after a rename; otherwise there is nobody to tell.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Writer {
    /// Begin a file. `replace` allows an existing file to be replaced on [`Writer::finish`].
    ///
    /// # Errors
    /// [`Error::Argument`] for a spec that contradicts itself, [`Error::Io`] when the file exists or the directory cannot be written.
    pub fn create(path: &Path, spec: Spec, replace: bool) -> Result<Self, Error> {
        check(&spec)?;
        refuse_existing(path, replace)?;
        let aside = Aside(aside_name(path)?);
        let out = std::fs::File::create_new(&aside.0).map_err(|e| Error::io(path, "create", e))?;
        // No two files in memory may have one name.
        let file = hdf5::File::with_options()
            .with_fapl(|p| p.core_options(GROWTH, false))
            .create(&aside.0)
            .map_err(|e| failed(path, "create", &e))?;
        let open = Open::new(path, file, &spec)?;
        let (baselines, times) = (BTreeSet::new(), BTreeSet::new());
        Ok(Self {
            path: path.to_path_buf(),
            aside,
            out,
            spec,
            replace,
            open: Some(open),
            baselines,
            times,
            rows: 0,
        })
    }

    /// Append rows, usually one integration. `antenna1 <= antenna2` are indices into the antenna table, and uvw is
    /// `position(antenna1) - position(antenna2)`.
    ///
    /// # Errors
    /// [`Error::Argument`] for shapes or antennas that do not fit, [`Error::Write`] when the disk is full or fails.
    pub fn append(&mut self, rows: &Rows, data: VisRef<'_>) -> Result<(), Error> {
        self.check_rows(rows, data)?;
        let Some(open) = &self.open else { return Ok(()) };
        let number = |list: &[u32]| -> Vec<i64> {
            list.iter().map(|&a| self.spec.antennas.numbers[a as usize]).collect()
        };
        let count = rows.len();
        open.ant1.append(count, &number(&rows.antenna1))?;
        open.ant2.append(count, &number(&rows.antenna2))?;
        let uvw: Vec<[f32; 3]> = rows.uvw_m.iter().map(|uvw| uvw.map(|x| -x as f32)).collect();
        open.uvw.append(count, &uvw)?;
        let day = |s: &f64| s / constants::SECONDS_PER_DAY + constants::JD_OF_MJD_0;
        open.time.append(count, &rows.time_mjd_s.iter().map(day).collect::<Vec<f64>>())?;
        open.interval.append(count, &rows.interval_s)?;
        open.vis.append(count, &descending(data.vis_rfp, |v| v.conj()))?;
        open.flags.append(count, &descending(data.flag_rfp, u8::from))?;
        open.counts.append(count, &descending(data.weight_rfp, |w| w))?;
        self.rows += count;
        self.baselines.extend(rows.antenna1.iter().copied().zip(rows.antenna2.iter().copied()));
        self.times.extend(rows.time_mjd_s.iter().map(|t| t.to_bits()));
        Ok(())
    }

    /// Write the counts, bring everything to the disk and give the file its name.
    ///
    /// # Errors
    /// [`Error::Write`] or [`Error::Io`]; nothing is left behind then.
    pub fn finish(mut self) -> Result<PathBuf, Error> {
        if self.rows == 0 {
            return Err(BadArgument::new("rows", "at least one row before the file is finished", 0).into());
        }
        if let Some(open) = self.open.take() {
            let antennas: BTreeSet<u32> = self.baselines.iter().flat_map(|&(a, b)| [a, b]).collect();
            let group = open.file.group("Header").map_err(|e| failed(&self.path, "write", &e))?;
            let header = Sink { path: &self.path, group };
            header.scalar("Nants_data", antennas.len() as i64)?;
            header.scalar("Nbls", self.baselines.len() as i64)?;
            header.scalar("Nblts", self.rows as i64)?;
            header.scalar("Ntimes", self.times.len() as i64)?;
            drop(header);
            open.spill(&self.path, &mut self.out)?;
        }
        self.out.sync_all().map_err(|e| Error::io(&self.path, "sync", e))?;
        refuse_existing(&self.path, self.replace)?;
        std::fs::rename(&self.aside.0, &self.path).map_err(|e| Error::io(&self.path, "rename", e))?;
        if let Some(directory) = self.path.parent().filter(|d| !d.as_os_str().is_empty()) {
            let sync = std::fs::File::open(directory).and_then(|d| d.sync_all());
            sync.map_err(|e| Error::io(directory, "sync", e))?;
        }
        Ok(self.path.clone())
    }

    fn check_rows(&self, rows: &Rows, data: VisRef<'_>) -> Result<(), Error> {
        let shape = (rows.len(), self.spec.channels.freq_hz.len(), self.spec.products.len());
        for (what, found) in [
            ("vis_rfp", data.vis_rfp.dim()),
            ("weight_rfp", data.weight_rfp.dim()),
            ("flag_rfp", data.flag_rfp.dim()),
        ] {
            if found != shape {
                return Err(BadArgument::new(
                    what,
                    format!("shape {shape:?} (row, channel, product)"),
                    format!("{found:?}"),
                )
                .into());
            }
        }
        let lengths = [rows.antenna1.len(), rows.antenna2.len(), rows.uvw_m.len(), rows.interval_s.len()];
        if lengths != [rows.len(); 4] {
            return Err(BadArgument::new(
                "rows",
                format!("{} entries in each list", rows.len()),
                format!("{lengths:?}"),
            )
            .into());
        }
        let known = self.spec.antennas.numbers.len() as u32;
        let wrong = rows.antenna1.iter().zip(&rows.antenna2).find(|(&a, &b)| a > b || b >= known);
        if let Some((a, b)) = wrong {
            let expected = format!("antenna1 <= antenna2 < {known}");
            return Err(BadArgument::new("rows", expected, format!("({a}, {b})")).into());
        }
        let finite = rows.time_mjd_s.iter().chain(&rows.interval_s).all(|x| x.is_finite() && *x > 0.0);
        if !finite {
            return Err(BadArgument::new("rows", "finite, positive times and intervals", "others").into());
        }
        Ok(())
    }
}

impl Open {
    fn new(path: &Path, file: hdf5::File, spec: &Spec) -> Result<Self, Error> {
        let group = file.group("/").map_err(|e| failed(path, "write", &e))?;
        let root = Sink { path, group };
        let header = root.group("Header")?;
        write_header(&header, spec)?;
        let (float8, int8) = (TypeDescriptor::Float(FloatSize::U8), TypeDescriptor::Integer(IntSize::U8));
        let float4 = TypeDescriptor::Float(FloatSize::U4);
        let data = root.group("Data")?;
        let rest = [1, spec.channels.freq_hz.len(), spec.products.len()];
        let chunk = spec.chunk.map(|[rows, f, p]| [rows, 1, f, p]);
        let chunk = chunk.as_ref().map(|c| &c[..]);
        let open = Self {
            ant1: header.growing("ant_1_array", &int8, &[], None)?,
            ant2: header.growing("ant_2_array", &int8, &[], None)?,
            uvw: header.growing("uvw_array", &float4, &[3], None)?,
            time: header.growing("time_array", &float8, &[], None)?,
            interval: header.growing("integration_time", &float8, &[], None)?,
            vis: data.growing("visdata", &complex64(), &rest, chunk)?,
            flags: data.growing("flags", &TypeDescriptor::Boolean, &rest, chunk)?,
            counts: data.growing("nsamples", &float4, &rest, chunk)?,
            file,
        };
        Ok(open)
    }

    /// Write the memory that holds the file, then let the library forget it.
    fn spill(self, path: &Path, out: &mut std::fs::File) -> Result<(), Error> {
        self.file.flush().map_err(|e| failed(path, "flush", &e))?;
        let mut handle: *mut std::os::raw::c_void = std::ptr::null_mut();
        let bytes = hdf5::sync::sync(|| {
            use hdf5_sys::{h5f, h5p};
            // SAFETY: plain queries; with no buffer the image is not copied, only its size is told.
            unsafe {
                match h5f::H5Fget_vfd_handle(self.file.id(), h5p::H5P_DEFAULT, &mut handle) {
                    0.. => h5f::H5Fget_file_image(self.file.id(), std::ptr::null_mut(), 0),
                    _ => -1,
                }
            }
        });
        if bytes <= 0 || handle.is_null() {
            return Err(failed(path, "finish", &hdf5::Error::from("the file in memory is not to be had")));
        }
        // SAFETY: the handle of a file in memory points to the address of its bytes, of which `bytes` are the file; nobody
        // but us knows the file, so they neither move nor change before it is closed below.
        let image = unsafe { std::slice::from_raw_parts(*handle.cast::<*const u8>(), bytes as usize) };
        out.write_all(image).map_err(|e| Error::io(path, "write", e))
    }
}

fn write_header(header: &Sink<'_>, spec: &Spec) -> Result<(), Error> {
    header.text("telescope_name", &spec.telescope_name)?;
    header.text("instrument", &spec.instrument)?;
    header.text("object_name", &spec.object_name)?;
    header.text("history", &spec.history)?;
    header.text("phase_type", "drift")?;
    header.scalar("latitude", spec.latitude_deg)?;
    header.scalar("longitude", spec.longitude_deg)?;
    header.scalar("altitude", spec.altitude_m)?;
    let antennas = spec.antennas.numbers.len();
    header.scalar("Nants_telescope", antennas as i64)?;
    header.texts("antenna_names", &spec.antennas.names)?;
    header.array("antenna_numbers", &[antennas], &spec.antennas.numbers)?;
    header.array("antenna_positions", &[antennas, 3], &spec.antennas.position_m.concat())?;
    if !spec.antennas.diameter_m.is_empty() {
        header.array("antenna_diameters", &[antennas], &spec.antennas.diameter_m)?;
    }
    let count = spec.channels.freq_hz.len();
    let freq: Vec<f64> = spec.channels.freq_hz.iter().rev().copied().collect();
    header.scalar("Nfreqs", count as i64)?;
    header.array("freq_array", &[1, count], &freq)?;
    let width: Vec<f64> = spec.channels.width_hz.iter().rev().copied().collect();
    match width.iter().all(|w| *w == width[0]) {
        true => header.scalar("channel_width", width[0])?,
        false => header.array("channel_width", &[count], &width)?,
    }
    header.scalar("Nspws", 1i64)?;
    header.array("spw_array", &[1], &[1i64])?;
    header.scalar("Npols", spec.products.len() as i64)?;
    let codes: Vec<i64> = spec.products.iter().map(|p| i64::from(p.aips_code())).collect();
    header.array("polarization_array", &[codes.len()], &codes)?;
    let extra = header.group("extra_keywords")?;
    extra.scalar("phase_center_dec", spec.dec_rad)?;
    extra.scalar("ha_phase_center", 0.0)?;
    extra.text("phase_center_epoch", "HADEC")?;
    for (key, value) in &spec.extra {
        match value {
            Keyword::Text(text) => extra.text(key, text)?,
            Keyword::Number(number) => extra.scalar(key, *number)?,
            Keyword::Flag(flag) => extra.scalar(key, *flag)?,
        }
    }
    Ok(())
}

/// Elements in C order with the channels turned round.
fn descending<T: Copy, U>(array_rfp: ArrayView3<'_, T>, map: impl Fn(T) -> U) -> Vec<U> {
    let mut out = Vec::with_capacity(array_rfp.len());
    for row in array_rfp.outer_iter() {
        for channel in row.outer_iter().rev() {
            out.extend(channel.iter().map(|&x| map(x)));
        }
    }
    out
}

fn check(spec: &Spec) -> Result<(), Error> {
    let bad =
        |what: &str, expected: String, found: String| Err(BadArgument::new(what, expected, found).into());
    let antennas = &spec.antennas;
    let lengths = [antennas.names.len(), antennas.position_m.len()];
    if lengths != [antennas.numbers.len(); 2] || antennas.numbers.is_empty() {
        return bad(
            "antennas",
            format!("{} names and positions, not 0", antennas.numbers.len()),
            format!("{lengths:?}"),
        );
    }
    if ![0, antennas.numbers.len()].contains(&antennas.diameter_m.len()) {
        return bad(
            "antennas",
            format!("{} diameters or none", antennas.numbers.len()),
            antennas.diameter_m.len().to_string(),
        );
    }
    let freq = &spec.channels.freq_hz;
    if freq.is_empty() || spec.channels.width_hz.len() != freq.len() || freq.windows(2).any(|f| f[0] >= f[1])
    {
        return bad(
            "channels",
            "ascending frequencies, each with a width".to_owned(),
            format!("{} channels", freq.len()),
        );
    }
    if spec.products.is_empty() {
        return bad("products", "at least one product".to_owned(), "none".to_owned());
    }
    if !spec.products.windows(2).all(|p| p[0].casa_code() < p[1].casa_code()) {
        return bad("products", "products in CASA's order".to_owned(), format!("{:?}", spec.products));
    }
    if let Some(chunk) =
        spec.chunk.filter(|c| c.contains(&0) || c[1] > freq.len() || c[2] > spec.products.len())
    {
        return bad("chunk", "a chunk shape within the data".to_owned(), format!("{chunk:?}"));
    }
    for key in Spec::OWN_KEYWORDS {
        if spec.extra.contains_key(key) {
            return bad("extra", "keywords that are not written by themselves".to_owned(), key.to_owned());
        }
    }
    Ok(())
}

fn refuse_existing(path: &Path, replace: bool) -> Result<(), Error> {
    if !replace && path.symlink_metadata().is_ok() {
        let exists = std::io::Error::from_raw_os_error(libc::EEXIST);
        return Err(Error::io(path, "create", exists));
    }
    Ok(())
}

/// A hidden name in the same directory that no reader takes for a UVH5 file.
fn aside_name(path: &Path) -> Result<PathBuf, Error> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let Some(name) = path.file_name() else {
        return Err(BadArgument::new("path", "a file name", path.display()).into());
    };
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let aside = format!(".{}.{}-{count}.tmp", name.to_string_lossy(), std::process::id());
    Ok(path.with_file_name(aside))
}

fn failed(path: &Path, action: &str, error: &hdf5::Error) -> Error {
    Error::Write { path: path.to_path_buf(), action: action.to_owned(), text: first_line(error) }
}
