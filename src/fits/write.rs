//! Write images: aside, synced, renamed.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::date::iso_utc;
use super::library::Writer;
use super::{Cards, Error};
use crate::constants::SECONDS_PER_DAY;
use crate::image::Plane;
use crate::kind::BadArgument;

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
    staged: Vec<(PathBuf, PathBuf)>,
}

impl Batch {
    /// Nothing staged.
    pub fn new() -> Self {
        Self::default()
    }

    /// Write a plane beside its final place and sync it.
    ///
    /// # Errors
    /// As [`write_plane`].
    pub fn stage(&mut self, path: &Path, plane: &Plane, cards: &Cards) -> Result<(), Error> {
        let mut writer = encode(plane, cards)?;
        let name = path.file_name().ok_or_else(|| BadArgument::new("path", "a file name", path.display()))?;
        let mut aside = OsString::from(".");
        aside.push(name);
        aside.push(format!(".{}.part", std::process::id()));
        let temporary = path.with_file_name(aside);
        let io = |action| {
            let path = temporary.clone();
            move |source| Error::Io { path, action, source }
        };
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&temporary)
            .map_err(io("create"))?;
        self.staged.push((temporary.clone(), path.to_owned()));
        file.write_all(writer.bytes()?).map_err(io("write"))?;
        file.sync_all().map_err(io("sync"))
    }

    /// Rename everything into place and sync the directories.
    ///
    /// # Errors
    /// `Io`; files not yet renamed are removed.
    pub fn commit(mut self) -> Result<(), Error> {
        let mut directories: Vec<PathBuf> = Vec::new();
        while let Some((temporary, path)) = self.staged.pop() {
            if let Err(source) = fs::rename(&temporary, &path) {
                self.staged.push((temporary, path.clone()));
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
        for (temporary, _) in &self.staged {
            // Nothing can be done about a file that cannot be removed; its name says that it is partial.
            let _ = fs::remove_file(temporary);
        }
    }
}

fn encode(plane: &Plane, cards: &Cards) -> Result<Writer, Error> {
    let (ny, nx) = plane.data_yx.dim();
    if nx == 0 || ny == 0 {
        return Err(BadArgument::new("plane", "at least one pixel", format!("{nx} x {ny}")).into());
    }
    for card in &cards.0 {
        let allowed = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-' || c == '_';
        if card.keyword.is_empty() || card.keyword.len() > 8 || !card.keyword.chars().all(allowed) {
            return Err(BadArgument::new("keyword", "one to eight of A-Z 0-9 - _", &card.keyword).into());
        }
    }
    let mut writer = Writer::image(&[nx, ny, 1, 1])?;
    for card in standard_cards(plane).0.iter().filter(|c| cards.get(&c.keyword).is_none()) {
        writer.card(card)?;
    }
    for card in &cards.0 {
        writer.card(card)?;
    }
    match plane.data_yx.as_slice() {
        Some(data) => writer.pixels(4, data)?,
        None => writer.pixels(4, &plane.data_yx.iter().copied().collect::<Vec<f32>>())?,
    }
    Ok(writer)
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
