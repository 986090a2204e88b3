//! Read a cube of any projection: the pattern of a beam, in the frame of the dish.

use std::path::Path;

use ndarray::Array3;

use super::library::Reader;
use super::read::{load, named};
use super::Error;

/// Largest cube that is read \[pixels\].
const LARGEST: u64 = 1 << 28;

/// An image or cube whose first two axes are angles from a reference pixel, the third frequency.
#[derive(Clone, Debug)]
pub struct Cube {
    /// Frequency, y, x.
    pub data_fyx: Array3<f32>,
    /// Of each plane \[Hz\]; none when the header does not say.
    pub freq_hz: Option<Vec<f64>>,
    /// Size of a pixel along x and y \[radians\], positive.
    pub pixel_rad: [f64; 2],
    /// Reference pixel, x and y, counted from 0.
    pub reference: [f64; 2],
    /// `BUNIT`.
    pub unit: String,
}

/// Read the first image of a file with two to four axes: angle, angle, frequency, and axes of length one. Angles are in
/// degrees unless `CUNIT1` and `CUNIT2` say `rad`.
///
/// # Errors
/// `Io` from the system; `Foreign` for what is not such a cube and for a file shorter than its header says.
pub fn read_cube(path: &Path) -> Result<Cube, Error> {
    let bytes = load(path)?;
    let foreign = |expected: &str, found: String| Error::Foreign {
        path: path.to_owned(),
        expected: expected.to_owned(),
        found,
    };
    let mut reader = Reader::open(&bytes).map_err(|e| named(e, path))?;
    let mut shape = Vec::new();
    for hdu in 1..=reader.hdus().map_err(|e| named(e, path))? {
        if reader.go_to(hdu).map_err(|e| named(e, path))? {
            shape = reader.shape().map_err(|e| named(e, path))?;
            if !shape.is_empty() {
                break;
            }
        }
    }
    if !(2..=4).contains(&shape.len()) {
        return Err(foreign("an image of two to four axes", format!("axes {shape:?}")));
    }
    let long: Vec<usize> = (2..shape.len()).filter(|axis| shape[*axis] != 1).collect();
    if long.len() > 1 || shape.contains(&0) {
        return Err(foreign("at most one axis besides the two of the plane", format!("axes {shape:?}")));
    }
    let count = shape.iter().try_fold(1u64, |product, n| product.checked_mul(*n)).unwrap_or(u64::MAX);
    let item = u64::from(reader.bitpix().map_err(|e| named(e, path))?.unsigned_abs() / 8);
    let start = reader.data_start().map_err(|e| named(e, path))?;
    if count > LARGEST || start + count * item > bytes.len() as u64 {
        let expected = format!("{} bytes of pixels for axes {shape:?}", count.saturating_mul(item));
        return Err(foreign(&expected, format!("a file of {} bytes", bytes.len())));
    }
    let freq_hz = frequencies(&mut reader, &shape, long.first().copied());
    let angle = |reader: &mut Reader<'_>, axis: usize| {
        let scale = match reader.text(&format!("CUNIT{axis}")).as_deref().map(str::trim) {
            Some("rad") => 1.0,
            _ => 1f64.to_radians(),
        };
        reader.number(&format!("CDELT{axis}")).map(|step| (step * scale).abs()).filter(|step| *step > 0.0)
    };
    let (Some(x), Some(y)) = (angle(&mut reader, 1), angle(&mut reader, 2)) else {
        return Err(foreign("pixel sizes CDELT1 and CDELT2", "none".into()));
    };
    let (Some(rx), Some(ry)) = (reader.number("CRPIX1"), reader.number("CRPIX2")) else {
        return Err(foreign("a reference pixel CRPIX1, CRPIX2", "none".into()));
    };
    let unit = reader.text("BUNIT").unwrap_or_default();
    let planes = long.first().map_or(1, |axis| shape[*axis] as usize);
    let data = reader.pixels(shape.len(), count as usize).map_err(|e| named(e, path))?;
    let data_fyx = Array3::from_shape_vec((planes, shape[1] as usize, shape[0] as usize), data)
        .map_err(|e| foreign("a cube", e.to_string()))?;
    Ok(Cube { data_fyx, freq_hz, pixel_rad: [x, y], reference: [rx - 1.0, ry - 1.0], unit })
}

/// Of each plane, from the frequency axis, else (one plane) from `RESTFRQ` or `FREQ`.
fn frequencies(reader: &mut Reader<'_>, shape: &[u64], long: Option<usize>) -> Option<Vec<f64>> {
    for axis in 3..=shape.len() {
        let is_freq = reader.text(&format!("CTYPE{axis}")).is_some_and(|text| text.starts_with("FREQ"));
        if !is_freq || long.is_some_and(|l| l + 1 != axis) {
            continue;
        }
        let scale = match reader.text(&format!("CUNIT{axis}")).as_deref().map(str::trim) {
            Some("kHz") => 1e3,
            Some("MHz") => 1e6,
            Some("GHz") => 1e9,
            _ => 1.0,
        };
        let value = reader.number(&format!("CRVAL{axis}"))?;
        let step = reader.number(&format!("CDELT{axis}")).unwrap_or(0.0);
        let reference = reader.number(&format!("CRPIX{axis}")).unwrap_or(1.0);
        let count = shape[axis - 1];
        return Some((1..=count).map(|k| scale * (value + (k as f64 - reference) * step)).collect());
    }
    if long.is_some() {
        return None;
    }
    ["RESTFRQ", "RESTFREQ", "FREQ"].iter().find_map(|key| reader.number(key)).map(|f| vec![f])
}
