//! The files of a group, brought into ascending order of frequency and checked against one another.

use std::path::{Path, PathBuf};

use super::ConvertParams;
use crate::array::AntennaTable;
use crate::constants::{channel_frequency_hz, SUBBANDS, TELESCOPE_NAME};
use crate::coords::Observatory;
use crate::kind::BadArgument;
use crate::ms::MsAntenna;
use crate::uvh5::{self, Header, Reader, Selection};
use crate::vis::{Channels, Product, Rows};
use crate::Error;

/// Subbands whose frequencies differ by less than this are one \[Hz\].
const SAME_FREQUENCY_HZ: f64 = 1.0;
/// Declinations of one group may differ by rounding only \[rad\].
const SAME_DEC_RAD: f64 = 5e-6;
/// The header's site is this close to the antennas \[m\].
const SITE_LIMIT_M: f64 = 20e3;
/// Telescopes whose antennas are the shipped station list's.
const OURS: [&str; 3] = ["OVRO_MMA", "DSA_110", "DSA-110"];

/// One window of the output: a file, or nothing.
#[derive(Clone, Debug)]
pub(super) struct Subband {
    /// The file, `None` for a missing subband.
    pub(super) file: Option<PathBuf>,
    /// Number in the correlator (0 = highest), when on its grid.
    pub(super) number: Option<usize>,
    pub(super) channels: Channels,
    pub(super) bytes: u64,
}

/// A group that fits together.
#[derive(Debug)]
pub(super) struct Group {
    /// Ascending in frequency.
    pub(super) subbands: Vec<Subband>,
    /// Header of the first file.
    pub(super) header: Header,
    pub(super) products: Vec<Product>,
    /// Rows as read, antennas as indices into `antennas`; `field` is the index of the time.
    pub(super) rows: Rows,
    /// The ANTENNA table.
    pub(super) antennas: Vec<MsAntenna>,
    /// Row of ANTENNA of each antenna of the header.
    pub(super) antenna_of: Vec<u32>,
    pub(super) fringe_stopped: bool,
    /// Declination of date that is looked at \[rad\].
    pub(super) dec_rad: f64,
    pub(super) warnings: Vec<String>,
}

fn inconsistent(path: &Path, item: &str, expected: impl ToString, found: impl ToString) -> Error {
    uvh5::Error::Data {
        path: path.to_path_buf(),
        item: item.into(),
        expected: expected.to_string(),
        found: found.to_string(),
    }
    .into()
}

impl Group {
    pub(super) fn open(params: &ConvertParams) -> Result<Self, Error> {
        let mut warnings = Vec::new();
        let mut headers = Vec::new();
        for path in &params.files {
            let header = Header::read(path)?;
            if let Some(reason) = header.placeholder() {
                warnings.push(format!(
                    "{} is a placeholder ({reason}): its channels are flagged",
                    path.display()
                ));
                continue;
            }
            headers.push(header);
        }
        headers.sort_by(|a, b| start(&a.channels).total_cmp(&start(&b.channels)));
        let Some(first) = headers.first().cloned() else {
            let found = format!("{} files", params.files.len());
            return Err(uvh5::Error::from(BadArgument::new(
                "files",
                "at least one UVH5 file with data",
                found,
            ))
            .into());
        };
        for header in &headers[1..] {
            check_same(&first, header)?;
        }
        let subbands = subbands(&headers, params.expected_subbands)?;
        let missing = subbands.iter().filter(|s| s.file.is_none()).count();
        if missing > 0 {
            warnings.push(format!("{missing} subbands are missing: their channels are flagged"));
        }
        let fringe_stopped = first.require_fringe_stopped(params.fringe_stopped)?;
        let (antennas, antenna_of) = antennas(&first, params.antennas.as_deref())?;
        let reader = Reader::open(&first.path)?;
        let mut rows = reader.plan(&Selection::default())?.rows;
        for list in [&mut rows.antenna1, &mut rows.antenna2] {
            list.iter_mut().for_each(|a| *a = antenna_of[*a as usize]);
        }
        warn_positions(&rows, &antennas, &mut warnings);
        Ok(Self {
            subbands,
            products: first.products.clone(),
            rows,
            antennas,
            antenna_of,
            fringe_stopped,
            // Drift data without a word about declination look at the zenith.
            dec_rad: first.phase.dec_rad.unwrap_or(first.latitude_deg.to_radians()),
            header: first,
            warnings,
        })
    }

    pub(super) fn observatory(&self) -> Observatory {
        Observatory::from_deg(self.header.longitude_deg, self.header.latitude_deg, self.header.altitude_m)
    }

    /// TELESCOPE_NAME where nobody says otherwise.
    pub(super) fn telescope(&self) -> String {
        if is_ours(&self.header) {
            TELESCOPE_NAME.into()
        } else {
            self.header.telescope_name.clone()
        }
    }

    pub(super) fn channels(&self) -> usize {
        self.header.channels.freq_hz.len()
    }

    pub(super) fn windows(&self) -> Vec<Channels> {
        self.subbands.iter().enumerate().map(|(spw, s)| Channels { spw, ..s.channels.clone() }).collect()
    }

    pub(super) fn merged_window(&self) -> Channels {
        let join = |f: fn(&Channels) -> &Vec<f64>| {
            self.subbands.iter().flat_map(|s| f(&s.channels).clone()).collect()
        };
        Channels { spw: 0, freq_hz: join(|c| &c.freq_hz), width_hz: join(|c| &c.width_hz) }
    }

    pub(super) fn missing_subbands(&self) -> Vec<usize> {
        self.subbands.iter().filter(|s| s.file.is_none()).filter_map(|s| s.number).collect()
    }

    pub(super) fn used_antennas(&self) -> Vec<u32> {
        let mut used: Vec<u32> = self.rows.antenna1.iter().chain(&self.rows.antenna2).copied().collect();
        used.sort_unstable();
        used.dedup();
        used
    }

    pub(super) fn bytes(&self) -> u64 {
        self.subbands.iter().map(|s| s.bytes).sum()
    }
}

fn start(channels: &Channels) -> f64 {
    channels.freq_hz.first().copied().unwrap_or(0.0)
}

fn check_same(first: &Header, other: &Header) -> Result<(), Error> {
    let path = &other.path;
    let whose = first.path.display();
    if other.channels.freq_hz.len() != first.channels.freq_hz.len() {
        let expected = format!("{} channels as in {whose}", first.channels.freq_hz.len());
        return Err(inconsistent(path, "Header/freq_array", expected, other.channels.freq_hz.len()));
    }
    if other.products != first.products {
        let expected = format!("{:?} as in {whose}", first.products);
        return Err(inconsistent(
            path,
            "Header/polarization_array",
            expected,
            format!("{:?}", other.products),
        ));
    }
    if other.antennas.names != first.antennas.names || other.antennas.numbers != first.antennas.numbers {
        let expected = format!("the {} antennas of {whose}", first.antennas.names.len());
        return Err(inconsistent(
            path,
            "Header/antenna_names",
            expected,
            format!("{} others", other.antennas.names.len()),
        ));
    }
    let site = |h: &Header| [h.latitude_deg, h.longitude_deg, h.altitude_m];
    if site(first).iter().zip(site(other)).any(|(a, b)| (a - b).abs() > 1e-6) {
        let expected = format!("{:?} as in {whose}", site(first));
        return Err(inconsistent(
            path,
            "Header/latitude, longitude, altitude",
            expected,
            format!("{:?}", site(other)),
        ));
    }
    let dec = |h: &Header| h.phase.dec_rad.unwrap_or(0.0);
    if (dec(first) - dec(other)).abs() > SAME_DEC_RAD {
        let item = "Header/extra_keywords/phase_center_dec";
        return Err(inconsistent(path, item, format!("{} as in {whose}", dec(first)), dec(other)));
    }
    if (first.span.start_mjd_s - other.span.start_mjd_s).abs()
        > 0.5 * (first.span.end_mjd_s - first.span.start_mjd_s).max(1.0)
    {
        let expected =
            format!("the observation of {whose}, from MJD {:.5}", first.span.start_mjd_s / 86_400.0);
        return Err(inconsistent(
            path,
            "Header/time_array",
            expected,
            format!("from MJD {:.5}", other.span.start_mjd_s / 86_400.0),
        ));
    }
    Ok(())
}

/// Windows of the output: the files, and on the correlator's grid the missing ones at their true frequencies.
fn subbands(headers: &[Header], expected: usize) -> Result<Vec<Subband>, Error> {
    let mut list: Vec<Subband> = Vec::new();
    for header in headers {
        let bytes = std::fs::metadata(&header.path).map_or(0, |m| m.len());
        list.push(Subband {
            file: Some(header.path.clone()),
            number: header.subband(),
            channels: header.channels.clone(),
            bytes,
        });
    }
    for pair in list.windows(2) {
        let (a, b) = (&pair[0], &pair[1]);
        let overlap =
            a.channels.freq_hz.last().copied().unwrap_or(0.0) > start(&b.channels) - SAME_FREQUENCY_HZ;
        if overlap {
            let path = b.file.clone().unwrap_or_default();
            let expected = "frequencies of its own";
            let found = format!("those of {}", a.file.clone().unwrap_or_default().display());
            return Err(inconsistent(&path, "Header/freq_array", expected, found));
        }
    }
    let numbers: Vec<usize> = list.iter().filter_map(|s| s.number).collect();
    if numbers.len() < list.len() || list.len() >= expected {
        return Ok(list);
    }
    let pattern = list[0].clone();
    let (Some(own), Some(low), Some(high)) = (pattern.number, numbers.iter().min(), numbers.iter().max())
    else {
        return Ok(list);
    };
    let wanted = if expected >= SUBBANDS { 0..SUBBANDS } else { *low..*high + 1 };
    for number in wanted.filter(|n| !numbers.contains(n)) {
        let shift = channel_frequency_hz(number, 0) - channel_frequency_hz(own, 0);
        let mut channels = pattern.channels.clone();
        channels.freq_hz.iter_mut().for_each(|f| *f += shift);
        list.push(Subband { file: None, number: Some(number), channels, bytes: 0 });
    }
    list.sort_by(|a, b| start(&a.channels).total_cmp(&start(&b.channels)));
    Ok(list)
}

/// The ANTENNA table and the row of each antenna of the header. For our own array it is the station list, whose positions
/// are right where the file's are not trusted; for another array it is the file's.
fn antennas(header: &Header, list: Option<&Path>) -> Result<(Vec<MsAntenna>, Vec<u32>), Error> {
    if !is_ours(header) && list.is_none() {
        return foreign_antennas(header);
    }
    let table = match list {
        Some(path) => AntennaTable::read(path)?,
        None => AntennaTable::dsa110()?,
    };
    if header.antennas.names.len() > table.len() {
        let expected = format!("at most the {} stations of the station list", table.len());
        return Err(inconsistent(
            &header.path,
            "Header/antenna_names",
            expected,
            header.antennas.names.len(),
        ));
    }
    let mut index = Vec::with_capacity(header.antennas.names.len());
    for name in &header.antennas.names {
        let station: Option<u32> =
            name.trim().rsplit(|c: char| !c.is_ascii_digit()).next().and_then(|n| n.parse().ok());
        let row = station.and_then(|s| table.index_of(s)).ok_or_else(|| {
            let expected = format!("stations of the station list ({} of them)", table.len());
            inconsistent(&header.path, "Header/antenna_names", expected, format!("'{name}'"))
        })?;
        index.push(row as u32);
    }
    check_site(header, &table)?;
    if !index.windows(2).all(|w| w[0] < w[1]) {
        let found = "names out of order or twice";
        return Err(inconsistent(
            &header.path,
            "Header/antenna_names",
            "stations in ascending order, each once",
            found,
        ));
    }
    let antennas = table
        .antennas()
        .iter()
        .map(|a| MsAntenna {
            name: a.name.clone(),
            station: format!("DSA-{:03}", a.station),
            mount: "alt-az".into(),
            itrf_m: a.itrf_m,
            diameter_m: a.diameter_m,
        })
        .collect();
    Ok((antennas, index))
}

fn is_ours(header: &Header) -> bool {
    header.instrument.eq_ignore_ascii_case("DSA") || OURS.contains(&header.telescope_name.as_str())
}

/// Fringes are stopped for the header's site: one far from the antennas would turn every phase unnoticed.
fn check_site(header: &Header, table: &AntennaTable) -> Result<(), Error> {
    let site =
        Observatory::from_deg(header.longitude_deg, header.latitude_deg, header.altitude_m).itrf_m()?;
    let Some(first) = table.antennas().first() else { return Ok(()) };
    let away = (0..3).map(|k| (first.itrf_m[k] - site[k]).powi(2)).sum::<f64>().sqrt();
    if away <= SITE_LIMIT_M {
        return Ok(());
    }
    let found = format!(
        "latitude {}, longitude {}, altitude {} m: {:.0} km away",
        header.latitude_deg,
        header.longitude_deg,
        header.altitude_m,
        away / 1e3
    );
    let expected = format!("a site within {:.0} km of the station list's antennas", SITE_LIMIT_M / 1e3);
    Err(inconsistent(&header.path, "Header/latitude, longitude, altitude", expected, found))
}

fn foreign_antennas(header: &Header) -> Result<(Vec<MsAntenna>, Vec<u32>), Error> {
    let site =
        Observatory::from_deg(header.longitude_deg, header.latitude_deg, header.altitude_m).itrf_m()?;
    let table = &header.antennas;
    let antennas: Vec<MsAntenna> = table
        .names
        .iter()
        .zip(&table.position_m)
        .enumerate()
        .map(|(i, (name, p))| MsAntenna {
            name: name.clone(),
            station: name.clone(),
            mount: "alt-az".into(),
            itrf_m: [p[0] + site[0], p[1] + site[1], p[2] + site[2]],
            diameter_m: table.diameter_m.get(i).copied().unwrap_or(0.0),
        })
        .collect();
    let index = (0..antennas.len() as u32).collect();
    Ok((antennas, index))
}

/// Say so when the file's baselines are not those of the station list (a moved antenna, an outdated list).
fn warn_positions(rows: &Rows, antennas: &[MsAntenna], warnings: &mut Vec<String>) {
    let length = |v: [f64; 3]| (v[0] * v[0] + v[1] * v[1] + v[2] * v[2]).sqrt();
    let mut worst = (0.0, 0);
    for i in 0..rows.len().min(100_000) {
        let (a, b) = (&antennas[rows.antenna1[i] as usize], &antennas[rows.antenna2[i] as usize]);
        let d = [0, 1, 2].map(|k| a.itrf_m[k] - b.itrf_m[k]);
        let off = (length(d) - length(rows.uvw_m[i])).abs();
        if off > worst.0 {
            worst = (off, i);
        }
    }
    if worst.0 > 1.0 {
        let (a, b) = (
            &antennas[rows.antenna1[worst.1] as usize].name,
            &antennas[rows.antenna2[worst.1] as usize].name,
        );
        warnings.push(format!(
            "the file's baseline {a}-{b} differs in length from the station list's by {:.2} m",
            worst.0
        ));
    }
}
