//! Many moments and directions at once.

use std::collections::HashMap;

use ndarray::{Array2, Array3};
use rayon::prelude::*;

use super::{ApparentFrame, AzEl, Error, HaDec, Observatory, RaDec};
use crate::kind::BadArgument;
use crate::time::EarthOrientation;

/// Which way a pair of angles goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conversion {
    /// ICRS to hour angle and declination.
    IcrsToHaDec,
    /// Hour angle and declination to ICRS.
    HaDecToIcrs,
    /// ICRS to azimuth and elevation.
    IcrsToAzEl,
    /// Azimuth and elevation to ICRS.
    AzElToIcrs,
    /// ICRS to apparent right ascension (LST - HA) and declination.
    IcrsToApparent,
}

impl Conversion {
    fn apply(self, frame: &ApparentFrame, a: f64, b: f64) -> [f64; 2] {
        let of_radec = |p: RaDec| [p.ra_rad, p.dec_rad];
        match self {
            Self::IcrsToHaDec => {
                let p = frame.icrs_to_hadec(RaDec::from_rad(a, b));
                [p.ha_rad, p.dec_rad]
            }
            Self::HaDecToIcrs => of_radec(frame.hadec_to_icrs(HaDec::from_rad(a, b))),
            Self::IcrsToAzEl => {
                let p = frame.icrs_to_azel(RaDec::from_rad(a, b));
                [p.az_rad, p.el_rad]
            }
            Self::AzElToIcrs => {
                of_radec(frame.hadec_to_icrs(frame.observatory.hadec_of_azel(AzEl::from_rad(a, b))))
            }
            Self::IcrsToApparent => of_radec(frame.icrs_to_apparent(RaDec::from_rad(a, b))),
        }
    }
}

/// The frame of each moment, one for each distinct time; `index[i]` is the frame of `time_mjd_s[i]`.
#[derive(Clone, Debug)]
pub struct Frames {
    /// Frames of the distinct times, in order of first appearance.
    pub frames: Vec<ApparentFrame>,
    /// Index into `frames` of each time.
    pub index: Vec<usize>,
}

impl Frames {
    /// # Errors
    /// As [`ApparentFrame::new`].
    pub fn new(time_mjd_s: &[f64], site: &Observatory, earth: &EarthOrientation) -> Result<Self, Error> {
        let mut known = HashMap::new();
        let mut distinct = Vec::new();
        let index = time_mjd_s
            .iter()
            .map(|t| {
                *known.entry(t.to_bits()).or_insert_with(|| {
                    distinct.push(*t);
                    distinct.len() - 1
                })
            })
            .collect();
        let frames =
            distinct.par_iter().map(|t| ApparentFrame::new(*t, site, earth)).collect::<Result<_, _>>()?;
        Ok(Self { frames, index })
    }

    /// The frame of the `i`-th time.
    pub fn at(&self, i: usize) -> &ApparentFrame {
        &self.frames[self.index[i]]
    }

    /// Local apparent sidereal time of each time \[rad\].
    pub fn lst_rad(&self) -> Vec<f64> {
        self.index.iter().map(|i| self.frames[*i].lst_rad()).collect()
    }

    /// Convert the pair of angles of each time \[rad\].
    ///
    /// # Errors
    /// Lengths that differ from the number of times.
    pub fn convert(
        &self,
        how: Conversion,
        a_rad: &[f64],
        b_rad: &[f64],
    ) -> Result<(Vec<f64>, Vec<f64>), Error> {
        self.same_length("first angle", a_rad.len())?;
        self.same_length("second angle", b_rad.len())?;
        Ok((0..self.index.len())
            .into_par_iter()
            .map(|i| how.apply(self.at(i), a_rad[i], b_rad[i]).into())
            .unzip())
    }

    /// ICRS directions at hour angle 0 and declination `dec_rad` of date.
    pub fn meridian_icrs(&self, dec_rad: f64) -> Vec<RaDec> {
        self.index.iter().map(|i| self.frames[*i].meridian_icrs(dec_rad)).collect()
    }

    /// uvw axes of the centre of each time, `(t, 3, 3)`: rows u, v, w in ITRF.
    ///
    /// # Errors
    /// A number of centres that differs from the number of times.
    pub fn uvw_bases(&self, centres: &[RaDec]) -> Result<Array3<f64>, Error> {
        self.same_length("centres", centres.len())?;
        let mut bases = Array3::zeros((centres.len(), 3, 3));
        for (i, centre) in centres.iter().enumerate() {
            let rows = self.at(i).uvw_basis(*centre).rows;
            for (j, row) in rows.iter().enumerate() {
                for (k, x) in row.iter().enumerate() {
                    bases[[i, j, k]] = *x;
                }
            }
        }
        Ok(bases)
    }

    /// Antenna positions \[m\] along the uvw axes of the centre of each time, `(t, a, 3)`; a baseline of this crate is the
    /// difference first minus second antenna.
    ///
    /// # Errors
    /// As [`Frames::uvw_bases`].
    pub fn antenna_uvw_m(&self, itrf_m: &[[f64; 3]], centres: &[RaDec]) -> Result<Array3<f64>, Error> {
        self.same_length("centres", centres.len())?;
        // Positions about the first antenna: millimetres are not lost in the Earth's radius.
        let origin = itrf_m.first().copied().unwrap_or_default();
        let mut uvw = Array3::zeros((centres.len(), itrf_m.len(), 3));
        for (i, centre) in centres.iter().enumerate() {
            let basis = self.at(i).uvw_basis(*centre);
            for (a, position) in itrf_m.iter().enumerate() {
                for (k, x) in basis.baseline_uvw_m(*position, origin).iter().enumerate() {
                    uvw[[i, a, k]] = *x;
                }
            }
        }
        Ok(uvw)
    }

    /// Direction cosines `(s, 3)` = l, m, n - 1 of directions about a centre as seen at the first time
    /// ([`ApparentFrame::apparent_lmn`]).
    ///
    /// # Errors
    /// No time at all.
    pub fn apparent_lmn(&self, centre: RaDec, directions: &[RaDec]) -> Result<Array2<f64>, Error> {
        let frame = self.frames.first().ok_or_else(|| BadArgument::new("time_mjd_s", "one time", "none"))?;
        let basis = frame.uvw_basis(centre);
        let mut lmn_s3 = Array2::zeros((directions.len(), 3));
        for (i, direction) in directions.iter().enumerate() {
            let lmn = basis.lmn(frame.direction(*direction));
            lmn_s3[[i, 0]] = lmn.l;
            lmn_s3[[i, 1]] = lmn.m;
            lmn_s3[[i, 2]] = lmn.n_minus_1;
        }
        Ok(lmn_s3)
    }

    fn same_length(&self, what: &str, found: usize) -> Result<(), Error> {
        if found == self.index.len() {
            return Ok(());
        }
        Err(BadArgument::new(what, format!("one for each of {} times", self.index.len()), found).into())
    }
}

/// Directions from two lists of angles.
///
/// # Errors
/// Lists of different lengths.
pub fn directions(ra_rad: &[f64], dec_rad: &[f64]) -> Result<Vec<RaDec>, Error> {
    if ra_rad.len() != dec_rad.len() {
        return Err(
            BadArgument::new("dec_rad", format!("{} values as ra_rad", ra_rad.len()), dec_rad.len()).into()
        );
    }
    Ok(ra_rad.iter().zip(dec_rad).map(|(ra, dec)| RaDec::from_rad(*ra, *dec)).collect())
}
