//! Read an image.

use std::fs;
use std::path::Path;

use ndarray::Array2;

use super::date::parse_iso;
use super::library::Reader;
use super::{Cards, Error};
use crate::constants::SECONDS_PER_DAY;
use crate::coords::RaDec;
use crate::image::{Plane, RestoringBeam, Wcs};

/// Keywords handed back beside the plane when they are there.
const KEPT_TEXT: &[&str] = &[
    "TELESCOP", "OBJECT", "ORIGIN", "DATE-OBS", "DATE-BEG", "DATE-END", "BTYPE", "SPECSYS", "RADESYS",
    "WEIGHTIN", "CALTABS", "CALPROV", "PBMODEL", "GROUPID", "PROVHASH",
];
const KEPT_NUMBERS: &[&str] =
    &["MJD-OBS", "MJD-BEG", "MJD-END", "RMSEXP", "RMSMEAS", "PBLIMIT", "EPSASKED", "EPSREACH"];

/// Read the one plane of an image FITS of two to four axes (WSClean's and CASA's among them): `SIN` or slant `SIN`
/// projection, axes parallel to the sky's, frequency and Stokes axes of length one. Blank pixels become NaN.
///
/// # Errors
/// `Io` from the system; `Foreign` for what is not such an image, for one shorter than its header says, and for
/// projections other than `SIN`.
pub fn read_plane(path: &Path) -> Result<Plane, Error> {
    read_plane_with_cards(path).map(|(plane, _)| plane)
}

/// As [`read_plane`], with the cards that a plane has no place for (telescope, dates, noise).
///
/// # Errors
/// As [`read_plane`].
pub fn read_plane_with_cards(path: &Path) -> Result<(Plane, Cards), Error> {
    let bytes = load(path)?;
    let mut header = Header { path, reader: Reader::open(&bytes).map_err(|e| named(e, path))? };
    let shape = header.find_image(bytes.len())?;
    let (nx, ny) = (shape[0] as usize, shape[1] as usize);
    let wcs = header.wcs()?;
    let (freq_hz, bandwidth_hz) = header.frequency(shape.len());
    let beam = header.beam();
    let unit = header.reader.text("BUNIT").unwrap_or_default();
    let time_mjd_s = header.time();
    let cards = header.kept();
    let data = header.pixels(&bytes, shape.len(), nx * ny)?;
    let data_yx =
        Array2::from_shape_vec((ny, nx), data).map_err(|e| header.foreign("a plane", &e.to_string()))?;
    Ok((Plane { data_yx, wcs, beam, unit, freq_hz, bandwidth_hz, time_mjd_s }, cards))
}

/// Put the path into an error of the library.
pub(super) fn named(error: Error, path: &Path) -> Error {
    match error {
        Error::Library { doing, text, .. } => Error::Foreign {
            path: path.to_owned(),
            expected: "a FITS image".into(),
            found: format!("what the FITS library refuses: {doing}: {text}"),
        },
        other => other,
    }
}

pub(super) fn load(path: &Path) -> Result<Vec<u8>, Error> {
    let io = |source| Error::Io { path: path.to_owned(), action: "read", source };
    let meta = fs::metadata(path).map_err(io)?;
    let foreign =
        |found: String| Error::Foreign { path: path.to_owned(), expected: "a FITS file".into(), found };
    if !meta.is_file() {
        return Err(foreign("not a regular file".into()));
    }
    let bytes = fs::read(path).map_err(io)?;
    if !bytes.starts_with(b"SIMPLE  =") {
        let start: String = bytes.iter().take(9).map(|b| b.escape_ascii().to_string()).collect();
        return Err(foreign(format!("{} bytes that begin with \"{start}\"", bytes.len())));
    }
    Ok(bytes)
}

struct Header<'a> {
    path: &'a Path,
    reader: Reader<'a>,
}

impl Header<'_> {
    fn foreign(&self, expected: &str, found: &str) -> Error {
        Error::Foreign { path: self.path.to_owned(), expected: expected.to_owned(), found: found.to_owned() }
    }

    /// Go to the first HDU with an image of one plane; its axes, checked against the file's length.
    fn find_image(&mut self, file_bytes: usize) -> Result<Vec<u64>, Error> {
        let hdus = self.reader.hdus().map_err(|e| named(e, self.path))?;
        for hdu in 1..=hdus {
            if !self.reader.go_to(hdu).map_err(|e| named(e, self.path))? {
                continue;
            }
            let shape = self.reader.shape().map_err(|e| named(e, self.path))?;
            if shape.is_empty() {
                continue;
            }
            return self.checked(shape, file_bytes);
        }
        Err(self.foreign("an image", &format!("none in {hdus} HDUs")))
    }

    fn checked(&mut self, shape: Vec<u64>, file_bytes: usize) -> Result<Vec<u64>, Error> {
        if !(2..=4).contains(&shape.len()) || shape[2..].iter().any(|n| *n != 1) {
            return Err(
                self.foreign("one plane: axes (x, y), further ones of length 1", &format!("axes {shape:?}"))
            );
        }
        if shape[0] == 0 || shape[1] == 0 {
            return Err(self.foreign("at least one pixel", &format!("axes {shape:?}")));
        }
        let item = u64::from(self.reader.bitpix().map_err(|e| named(e, self.path))?.unsigned_abs() / 8);
        let start = self.reader.data_start().map_err(|e| named(e, self.path))?;
        let needed = shape.iter().try_fold(item, |product, n| product.checked_mul(*n));
        // The library itself reads past the end of a file in memory.
        match needed {
            Some(bytes) if start.checked_add(bytes).is_some_and(|end| end <= file_bytes as u64) => Ok(shape),
            _ => Err(self.foreign(
                &format!(
                    "{} bytes of pixels for axes {shape:?}",
                    needed.map_or("too many".into(), |n| n.to_string())
                ),
                &format!("a file of {file_bytes} bytes (truncated?)"),
            )),
        }
    }

    /// The first `count` pixels. Plain floats are taken from the file's bytes, which the library would look at one by one.
    fn pixels(&mut self, bytes: &[u8], axes: usize, count: usize) -> Result<Vec<f32>, Error> {
        let plain = self.reader.bitpix().map_err(|e| named(e, self.path))? == -32
            && self.number_or("BSCALE", 1.0) == 1.0
            && self.number_or("BZERO", 0.0) == 0.0;
        let start = self.reader.data_start().map_err(|e| named(e, self.path))? as usize;
        match bytes.get(start..start + 4 * count) {
            Some(pixels) if plain => {
                Ok(pixels.as_chunks::<4>().0.iter().map(|pixel| f32::from_be_bytes(*pixel)).collect())
            }
            _ => self.reader.pixels(axes, count).map_err(|e| named(e, self.path)),
        }
    }

    fn number_or(&mut self, keyword: &str, default: f64) -> f64 {
        self.reader.number(keyword).unwrap_or(default)
    }

    fn wcs(&mut self) -> Result<Wcs, Error> {
        for (keyword, prefix) in [("CTYPE1", "RA--"), ("CTYPE2", "DEC-")] {
            let found = self.reader.text(keyword).unwrap_or_else(|| "nothing".into());
            if !(found.starts_with(prefix) && found.trim_end().ends_with("-SIN")) {
                return Err(self.foreign(&format!("{keyword} = '{prefix}...SIN' (projection SIN)"), &found));
            }
        }
        self.check_frame()?;
        let increment = self.increments()?;
        let need = |h: &mut Self, k: &str| h.reader.number(k).ok_or_else(|| h.foreign(k, "no such keyword"));
        let centre = [need(self, "CRVAL1")?, need(self, "CRVAL2")?];
        let reference = [need(self, "CRPIX1")?, need(self, "CRPIX2")?];
        let slant = [self.number_or("PV2_1", 0.0), self.number_or("PV2_2", 0.0)];
        let all = centre.iter().chain(&reference).chain(&increment).chain(&slant);
        if !all.clone().all(|v| v.is_finite()) || increment.contains(&0.0) || centre[1].abs() > 90.0 {
            return Err(self.foreign("finite world coordinates", &format!("{:?}", all.collect::<Vec<_>>())));
        }
        Ok(Wcs {
            centre: RaDec::from_deg(centre[0], centre[1]),
            reference_pixel: [reference[0] - 1.0, reference[1] - 1.0],
            increment_rad: [increment[0].to_radians(), increment[1].to_radians()],
            slant,
        })
    }

    /// ICRS, or FK5 of J2000, which is the same within 25 mas.
    fn check_frame(&mut self) -> Result<(), Error> {
        let frame = self.reader.text("RADESYS").or_else(|| self.reader.text("RADECSYS"));
        let equinox = self.number_or("EQUINOX", 2000.0);
        let known = frame.as_deref().is_none_or(|f| f == "ICRS" || f == "FK5");
        if !known || (equinox - 2000.0).abs() > 1e-6 {
            let found = format!("RADESYS {} of equinox {equinox}", frame.unwrap_or_else(|| "unsaid".into()));
            return Err(self.foreign("ICRS, or FK5 of J2000", &found));
        }
        let lonpole = self.number_or("LONPOLE", 180.0);
        // At the pole itself the standard's default is 180 too, because phi_0's pole is the native one.
        if (lonpole - 180.0).abs() > 1e-9 {
            return Err(self.foreign("LONPOLE = 180", &lonpole.to_string()));
        }
        Ok(())
    }

    fn increments(&mut self) -> Result<[f64; 2], Error> {
        let cd = [self.reader.number("CD1_1"), self.reader.number("CD2_2")];
        let (scale, off) = if let [Some(a), Some(b)] = cd {
            ([a, b], [self.number_or("CD1_2", 0.0) / a, self.number_or("CD2_1", 0.0) / b])
        } else {
            let pc = [self.number_or("PC1_1", 1.0), self.number_or("PC2_2", 1.0)];
            let cdelt = [self.number_or("CDELT1", 0.0), self.number_or("CDELT2", 0.0)];
            (
                [pc[0] * cdelt[0], pc[1] * cdelt[1]],
                [self.number_or("PC1_2", 0.0), self.number_or("PC2_1", 0.0)],
            )
        };
        let rotation = self.number_or("CROTA2", 0.0);
        // 1e-7 rad over 10^4 pixels is a thousandth of a pixel.
        if off.iter().any(|o| o.abs() > 1e-7) || rotation.abs() > 1e-5 {
            return Err(self.foreign(
                "axes parallel to right ascension and declination",
                &format!("off-diagonal terms {off:?}, CROTA2 {rotation}"),
            ));
        }
        Ok(scale)
    }

    /// Frequency and bandwidth \[Hz\] from the `FREQ` axis, else from `RESTFRQ` or `FREQ`; 0 when unknown.
    fn frequency(&mut self, axes: usize) -> (f64, f64) {
        for axis in 3..=axes.max(4) {
            if self.reader.text(&format!("CTYPE{axis}")).is_some_and(|t| t.starts_with("FREQ")) {
                let value = self.number_or(&format!("CRVAL{axis}"), 0.0);
                let step = self.number_or(&format!("CDELT{axis}"), 0.0);
                let pixel = self.number_or(&format!("CRPIX{axis}"), 1.0);
                return (value + (1.0 - pixel) * step, step.abs());
            }
        }
        let unknown = self.number_or("FREQ", 0.0);
        (self.number_or("RESTFRQ", unknown), 0.0)
    }

    fn beam(&mut self) -> Option<RestoringBeam> {
        let (major, minor) = (self.reader.number("BMAJ")?, self.reader.number("BMIN")?);
        let pa = self.number_or("BPA", 0.0);
        let sane = major.is_finite() && pa.is_finite() && minor > 0.0 && major >= minor;
        sane.then(|| RestoringBeam {
            major_rad: major.to_radians(),
            minor_rad: minor.to_radians(),
            pa_rad: pa.to_radians(),
        })
    }

    /// Mid time: between `DATE-BEG` and `DATE-END`, else `MJD-OBS` or `DATE-OBS`; NaN when unknown.
    fn time(&mut self) -> f64 {
        let mut date = |k: &str| self.reader.text(k).and_then(|t| parse_iso(&t));
        if let (Some(a), Some(b)) = (date("DATE-BEG"), date("DATE-END")) {
            return 0.5 * (a + b);
        }
        let observed = date("DATE-OBS");
        self.reader.number("MJD-OBS").map(|d| d * SECONDS_PER_DAY).or(observed).unwrap_or(f64::NAN)
    }

    fn kept(&mut self) -> Cards {
        let mut cards = Cards::new();
        for keyword in KEPT_TEXT {
            if let Some(text) = self.reader.text(keyword) {
                cards.push(keyword, text, "");
            }
        }
        for keyword in KEPT_NUMBERS {
            if let Some(value) = self.reader.number(keyword) {
                cards.push(keyword, value, "");
            }
        }
        cards
    }
}
