//! Boundary of `coords`: sidereal time, directions, uvw, transits.

use ndarray::{Ix1, Ix2};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyArray3, PyReadonlyArray1};
use pyo3::prelude::*;

use super::{arrays, door};
use crate::coords::{self, Conversion, Crossing, Frames, Observatory, RaDec};
use crate::time::EarthOrientation;

type Pair<'py> = (Bound<'py, PyArray1<f64>>, Bound<'py, PyArray1<f64>>);
/// East longitude \[rad\], latitude \[rad\], height \[m\].
type Site = Option<(f64, f64, f64)>;

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(lst_rad, module)?)?;
    module.add_function(wrap_pyfunction!(icrs_to_hadec, module)?)?;
    module.add_function(wrap_pyfunction!(hadec_to_icrs, module)?)?;
    module.add_function(wrap_pyfunction!(icrs_to_azel, module)?)?;
    module.add_function(wrap_pyfunction!(azel_to_icrs, module)?)?;
    module.add_function(wrap_pyfunction!(icrs_to_apparent, module)?)?;
    module.add_function(wrap_pyfunction!(meridian_icrs, module)?)?;
    module.add_function(wrap_pyfunction!(uvw_basis, module)?)?;
    module.add_function(wrap_pyfunction!(antenna_uvw, module)?)?;
    module.add_function(wrap_pyfunction!(apparent_lmn, module)?)?;
    module.add_function(wrap_pyfunction!(transits, module)?)
}

fn place(site: Site) -> Observatory {
    site.map_or_else(Observatory::dsa110, |(longitude_rad, latitude_rad, height_m)| Observatory {
        longitude_rad,
        latitude_rad,
        height_m,
    })
}

fn list<'py>(value: &Bound<'py, PyAny>, name: &str, axes: &str) -> PyResult<PyReadonlyArray1<'py, f64>> {
    arrays::view::<f64, Ix1>(value, name, axes)
}

/// Frames of the times.
fn frames(py: Python<'_>, time_mjd_s: &[f64], site: Site) -> PyResult<Frames> {
    door::run_detached(py, None, |_| Frames::new(time_mjd_s, &place(site), &EarthOrientation::current()?))
}

/// Local apparent sidereal time [rad] in [0, 2 pi) of UTC times `time_mjd_s` (t).
#[pyfunction]
#[pyo3(signature = (time_mjd_s, *, site=None))]
fn lst_rad<'py>(
    py: Python<'py>,
    time_mjd_s: &Bound<'py, PyAny>,
    site: Site,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let time = list(time_mjd_s, "time_mjd_s", "t")?;
    Ok(frames(py, time.as_slice()?, site)?.lst_rad().into_pyarray(py))
}

fn convert<'py>(
    time_mjd_s: &Bound<'py, PyAny>,
    first: (&str, &Bound<'py, PyAny>),
    second: (&str, &Bound<'py, PyAny>),
    site: Site,
    how: Conversion,
) -> PyResult<Pair<'py>> {
    let py = time_mjd_s.py();
    let (time, a, b) =
        (list(time_mjd_s, "time_mjd_s", "t")?, list(first.1, first.0, "t")?, list(second.1, second.0, "t")?);
    let (time, a, b) = (time.as_slice()?, a.as_slice()?, b.as_slice()?);
    let (c, d) = door::run_detached(py, None, |_| {
        Frames::new(time, &place(site), &EarthOrientation::current()?)?.convert(how, a, b)
    })?;
    Ok((c.into_pyarray(py), d.into_pyarray(py)))
}

macro_rules! conversion {
    ($(#[$doc:meta])* $name:ident, $a:ident, $b:ident, $how:ident) => {
        $(#[$doc])*
        #[pyfunction]
        #[pyo3(signature = (time_mjd_s, $a, $b, *, site=None))]
        fn $name<'py>(
            time_mjd_s: &Bound<'py, PyAny>,
            $a: &Bound<'py, PyAny>,
            $b: &Bound<'py, PyAny>,
            site: Site,
        ) -> PyResult<Pair<'py>> {
            convert(time_mjd_s, (stringify!($a), $a), (stringify!($b), $b), site, Conversion::$how)
        }
    };
}

conversion!(/// Topocentric apparent hour angle and declination [rad] of ICRS directions, without refraction.
    icrs_to_hadec, ra_rad, dec_rad, IcrsToHaDec);
conversion!(/// ICRS right ascension and declination [rad] of topocentric apparent hour angles and declinations.
    hadec_to_icrs, ha_rad, dec_rad, HaDecToIcrs);
conversion!(/// Azimuth (north through east) and elevation [rad] of ICRS directions, without refraction.
    icrs_to_azel, ra_rad, dec_rad, IcrsToAzEl);
conversion!(/// ICRS right ascension and declination [rad] of azimuths and elevations.
    azel_to_icrs, az_rad, el_rad, AzElToIcrs);
conversion!(/// Apparent right ascension (LST - HA) and declination [rad] of ICRS directions.
    icrs_to_apparent, ra_rad, dec_rad, IcrsToApparent);

/// ICRS right ascension and declination [rad] at hour angle 0 and declination `dec_rad` of date.
#[pyfunction]
#[pyo3(signature = (time_mjd_s, dec_rad, *, site=None))]
fn meridian_icrs<'py>(time_mjd_s: &Bound<'py, PyAny>, dec_rad: f64, site: Site) -> PyResult<Pair<'py>> {
    let py = time_mjd_s.py();
    let time = list(time_mjd_s, "time_mjd_s", "t")?;
    let centres = frames(py, time.as_slice()?, site)?.meridian_icrs(dec_rad);
    let (ra, dec): (Vec<f64>, Vec<f64>) = centres.iter().map(|c| (c.ra_rad, c.dec_rad)).unzip();
    Ok((ra.into_pyarray(py), dec.into_pyarray(py)))
}

/// Unit vectors u, v, w (rows) in ITRF axes of the ICRS centre of each time: (t, 3, 3).
#[pyfunction]
#[pyo3(signature = (time_mjd_s, ra_rad, dec_rad, *, site=None))]
fn uvw_basis<'py>(
    time_mjd_s: &Bound<'py, PyAny>,
    ra_rad: &Bound<'py, PyAny>,
    dec_rad: &Bound<'py, PyAny>,
    site: Site,
) -> PyResult<Bound<'py, PyArray3<f64>>> {
    let py = time_mjd_s.py();
    let (time, ra, dec) =
        (list(time_mjd_s, "time_mjd_s", "t")?, list(ra_rad, "ra_rad", "t")?, list(dec_rad, "dec_rad", "t")?);
    let (time, ra, dec) = (time.as_slice()?, ra.as_slice()?, dec.as_slice()?);
    let bases = door::run_detached(py, None, |_| {
        Frames::new(time, &place(site), &EarthOrientation::current()?)?
            .uvw_bases(&coords::directions(ra, dec)?)
    })?;
    Ok(bases.into_pyarray(py))
}

/// Antenna positions [m] along the uvw axes of the ICRS centre of each time, (t, a, 3), about the first antenna.
///
/// A baseline (1, 2) of this package is `uvw[t, 1] - uvw[t, 2]`; pyuvdata and UVH5 write the opposite sign.
#[pyfunction]
#[pyo3(signature = (time_mjd_s, itrf_m, ra_rad, dec_rad, *, site=None))]
fn antenna_uvw<'py>(
    time_mjd_s: &Bound<'py, PyAny>,
    itrf_m: &Bound<'py, PyAny>,
    ra_rad: &Bound<'py, PyAny>,
    dec_rad: &Bound<'py, PyAny>,
    site: Site,
) -> PyResult<Bound<'py, PyArray3<f64>>> {
    let py = time_mjd_s.py();
    let (time, ra, dec) =
        (list(time_mjd_s, "time_mjd_s", "t")?, list(ra_rad, "ra_rad", "t")?, list(dec_rad, "dec_rad", "t")?);
    let positions = arrays::view::<f64, Ix2>(itrf_m, "itrf_m", "ax")?;
    arrays::same_length("itrf_m", 'x', 3, positions.as_array().ncols())?;
    let itrf: Vec<[f64; 3]> = positions.as_array().rows().into_iter().map(|r| [r[0], r[1], r[2]]).collect();
    let (time, ra, dec) = (time.as_slice()?, ra.as_slice()?, dec.as_slice()?);
    let uvw = door::run_detached(py, None, |_| {
        let frames = Frames::new(time, &place(site), &EarthOrientation::current()?)?;
        frames.antenna_uvw_m(&itrf, &coords::directions(ra, dec)?)
    })?;
    Ok(uvw.into_pyarray(py))
}

/// l, m, n - 1 (s, 3) of ICRS directions about an ICRS centre as an interferometer sees them at one time.
#[pyfunction]
#[pyo3(signature = (time_mjd_s, centre_rad, ra_rad, dec_rad, *, site=None))]
fn apparent_lmn<'py>(
    time_mjd_s: f64,
    centre_rad: (f64, f64),
    ra_rad: &Bound<'py, PyAny>,
    dec_rad: &Bound<'py, PyAny>,
    site: Site,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let py = ra_rad.py();
    let (ra, dec) = (list(ra_rad, "ra_rad", "s")?, list(dec_rad, "dec_rad", "s")?);
    let (ra, dec) = (ra.as_slice()?, dec.as_slice()?);
    let lmn = door::run_detached(py, None, |_| {
        let frames = Frames::new(&[time_mjd_s], &place(site), &EarthOrientation::current()?)?;
        frames.apparent_lmn(RaDec::from_rad(centre_rad.0, centre_rad.1), &coords::directions(ra, dec)?)
    })?;
    Ok(lmn.into_pyarray(py))
}

/// UTC times [MJD s] of `count` upper transits after (`previous`: before, latest first) `start_mjd_s`.
///
/// With `dec_rad` the ICRS direction crosses the meridian; without it LST equals `ra_rad`.
#[pyfunction]
#[pyo3(signature = (ra_rad, start_mjd_s, count, *, dec_rad=None, previous=false, site=None))]
fn transits<'py>(
    py: Python<'py>,
    ra_rad: f64,
    start_mjd_s: f64,
    count: usize,
    dec_rad: Option<f64>,
    previous: bool,
    site: Site,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let crossing = dec_rad
        .map_or(Crossing::SiderealTime(ra_rad), |dec| Crossing::Direction(RaDec::from_rad(ra_rad, dec)));
    let times = door::run_detached(py, None, |_| {
        let earth = EarthOrientation::current()?;
        let walk = if previous { Crossing::previous } else { Crossing::next };
        walk(&crossing, start_mjd_s, count, &place(site), &earth)
    })?;
    Ok(times.into_pyarray(py))
}
