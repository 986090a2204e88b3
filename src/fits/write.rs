//! Write images: aside, synced, renamed.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use ndarray::ArrayView2;
use rayon::prelude::*;

use super::date::iso_utc;
use super::library::Writer;
use super::{Cards, Error};
use crate::constants::SECONDS_PER_DAY;
use crate::image::Plane;
use crate::kind::BadArgument;

/// Bytes of a block of a FITS file, and of a card.
const BLOCK: usize = 2880;
const CARD: usize = 80;

/// Write one plane as a four-axis image (RA, Dec, frequency, Stokes I), 32-bit floats, ICRS. `cards` come after the
/// standard ones and replace those of the same keyword. The file appears whole or not at all.
///
/// # Errors
/// `Io` (nothing is left behind), or `Argument` for an empty plane or a keyword FITS does not allow.
pub fn write_plane(path: &Path, plane: &Plane, cards: &Cards) -> Result<(), Error> {
    let mut batch = Batch::new();
    batch.stage(path, plane, cards)?;
    batch.commit()
}

/// Files written aside that appear together: stage each, then commit. What was staged and not committed is removed.
#[derive(Debug, Default)]
pub struct Batch {
    staged: Vec<Staged>,
}

/// A file beside its final place, not yet synced.
#[derive(Debug)]
struct Staged {
    file: File,
    temporary: PathBuf,
    path: PathBuf,
}

impl Batch {
    /// Nothing staged.
    pub fn new() -> Self {
        Self::default()
    }

    /// Write a plane beside its final place.
    ///
    /// # Errors
    /// As [`write_plane`].
    pub fn stage(&mut self, path: &Path, plane: &Plane, cards: &Cards) -> Result<(), Error> {
        self.stage_pixels(path, plane, plane.data_yx.view(), cards)
    }

    /// The same with pixels that are not the plane's, so that they need not be copied into one.
    ///
    /// # Errors
    /// As [`write_plane`].
    pub fn stage_pixels(
        &mut self,
        path: &Path,
        plane: &Plane,
        data_yx: ArrayView2<'_, f32>,
        cards: &Cards,
    ) -> Result<(), Error> {
        let header = header(plane, data_yx.dim(), cards)?;
        let name = path.file_name().ok_or_else(|| BadArgument::new("path", "a file name", path.display()))?;
        let mut aside = OsString::from(".");
        aside.push(name);
        aside.push(format!(".{}.part", std::process::id()));
        let temporary = path.with_file_name(aside);
        let io = |action| {
            let path = temporary.clone();
            move |source| Error::Io { path, action, source }
        };
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&temporary)
            .map_err(io("create"))?;
        self.staged.push(Staged {
            file: file.try_clone().map_err(io("create"))?,
            temporary: temporary.clone(),
            path: path.to_owned(),
        });
        write_file(file, &header, data_yx).map_err(io("write"))
    }

    /// Sync everything, rename it into place and sync the directories.
    ///
    /// # Errors
    /// `Io`; files not yet renamed are removed.
    pub fn commit(mut self) -> Result<(), Error> {
        // Side by side: the disk takes them in one sweep.
        self.staged.par_iter().try_for_each(|staged| {
            let path = staged.temporary.clone();
            staged.file.sync_all().map_err(|source| Error::Io { path, action: "sync", source })
        })?;
        let mut directories: Vec<PathBuf> = Vec::new();
        while let Some(staged) = self.staged.pop() {
            let path = staged.path.clone();
            if let Err(source) = fs::rename(&staged.temporary, &path) {
                self.staged.push(staged);
                return Err(Error::Io { path, action: "rename into place", source });
            }
            let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
            if !directories.iter().any(|d| d == parent) {
                directories.push(parent.to_owned());
            }
        }
        for path in directories {
            let synced = File::open(&path).and_then(|d| d.sync_all());
            synced.map_err(|source| Error::Io { path, action: "sync", source })?;
        }
        Ok(())
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        for Staged { temporary, .. } in &self.staged {
            // Nothing can be done about a file that cannot be removed; its name says that it is partial.
            let _ = fs::remove_file(temporary);
        }
    }
}

/// Header, pixels as big-endian floats, and zeros to a whole block.
fn write_file(mut file: File, header: &[u8], data_yx: ArrayView2<'_, f32>) -> std::io::Result<()> {
    const CHUNK: usize = 1 << 18;
    file.write_all(header)?;
    let mut bytes = Vec::with_capacity(4 * CHUNK);
    let mut write = |pixels: &[f32]| {
        bytes.clear();
        bytes.extend(pixels.iter().flat_map(|v| v.to_be_bytes()));
        file.write_all(&bytes)
    };
    match data_yx.as_slice() {
        Some(data) => data.chunks(CHUNK).try_for_each(&mut write)?,
        None => data_yx.outer_iter().try_for_each(|row| write(&row.to_vec()))?,
    }
    let left = (4 * data_yx.len()).next_multiple_of(BLOCK) - 4 * data_yx.len();
    file.write_all(&[0; BLOCK][..left])
}

/// The blocks before the pixels. The library writes them for an image of one pixel, then the lengths of the axes are put in: it
/// would otherwise keep the pixels in memory as well.
fn header(plane: &Plane, (ny, nx): (usize, usize), cards: &Cards) -> Result<Vec<u8>, Error> {
    if nx == 0 || ny == 0 {
        return Err(BadArgument::new("plane", "at least one pixel", format!("{nx} x {ny}")).into());
    }
    for card in &cards.0 {
        let allowed = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-' || c == '_';
        if card.keyword.is_empty() || card.keyword.len() > 8 || !card.keyword.chars().all(allowed) {
            return Err(BadArgument::new("keyword", "one to eight of A-Z 0-9 - _", &card.keyword).into());
        }
    }
    let mut writer = Writer::image(&[1, 1, 1, 1])?;
    for card in standard_cards(plane).0.iter().filter(|c| cards.get(&c.keyword).is_none()) {
        writer.card(card)?;
    }
    for card in &cards.0 {
        writer.card(card)?;
    }
    let mut header = writer.header()?;
    for (keyword, value) in [("NAXIS1  =", nx), ("NAXIS2  =", ny)] {
        if let Some(card) = header.chunks_exact_mut(CARD).find(|c| c.starts_with(keyword.as_bytes())) {
            // Fixed format: whole numbers end in column 30.
            card[10..30].copy_from_slice(format!("{value:>20}").as_bytes());
        }
    }
    Ok(header)
}

fn standard_cards(plane: &Plane) -> Cards {
    let mut c = Cards::new();
    let wcs = &plane.wcs;
    c.push("BSCALE", 1.0, "").push("BZERO", 0.0, "");
    c.push("BTYPE", "Intensity", "").push("BUNIT", plane.unit.as_str(), "brightness unit");
    if let Some(beam) = plane.beam {
        c.push("BMAJ", beam.major_rad.to_degrees(), "[deg] restoring beam, major axis (FWHM)");
        c.push("BMIN", beam.minor_rad.to_degrees(), "[deg] restoring beam, minor axis (FWHM)");
        c.push("BPA", beam.pa_rad.to_degrees(), "[deg] position angle, north through east");
    }
    c.push("RADESYS", "ICRS", "").push("EQUINOX", 2000.0, "").push("LONPOLE", 180.0, "");
    c.push("LATPOLE", wcs.centre.dec_deg(), "");
    let crval = [wcs.centre.ra_deg(), wcs.centre.dec_deg()];
    for (i, (ctype, name)) in
        [("RA---SIN", "right ascension"), ("DEC--SIN", "declination")].iter().enumerate()
    {
        let n = i + 1;
        c.push(&format!("CTYPE{n}"), *ctype, name).push(&format!("CRVAL{n}"), crval[i], "[deg]");
        c.push(&format!("CDELT{n}"), wcs.increment_rad[i].to_degrees(), "[deg]");
        c.push(&format!("CRPIX{n}"), wcs.reference_pixel[i] + 1.0, "").push(&format!("CUNIT{n}"), "deg", "");
    }
    c.push("PV2_1", wcs.slant[0], "slant of SIN, xi").push("PV2_2", wcs.slant[1], "slant of SIN, eta");
    c.push("CTYPE3", "FREQ", "").push("CRVAL3", plane.freq_hz, "[Hz]").push("CRPIX3", 1.0, "");
    let step = if plane.bandwidth_hz > 0.0 { plane.bandwidth_hz } else { 1.0 };
    c.push("CDELT3", step, "[Hz] bandwidth").push("CUNIT3", "Hz", "");
    c.push("CTYPE4", "STOKES", "").push("CRVAL4", 1.0, "Stokes I").push("CRPIX4", 1.0, "");
    c.push("CDELT4", 1.0, "").push("CUNIT4", "", "");
    c.push("RESTFRQ", plane.freq_hz, "[Hz]").push("SPECSYS", "TOPOCENT", "");
    if plane.time_mjd_s.is_finite() {
        c.push("DATE-OBS", iso_utc(plane.time_mjd_s), "UTC, mid time").push("TIMESYS", "UTC", "");
        c.push("MJD-OBS", plane.time_mjd_s / SECONDS_PER_DAY, "[d] UTC, mid time");
    }
    c.push("ORIGIN", concat!("dsa110_contimg ", env!("CARGO_PKG_VERSION")), "");
    c
}
