//! The header of a UVH5 file: everything but the per-row arrays.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::hdf::{Node, Source};
use super::phase::{CatalogueEntry, Phase};
use super::times::Span;
use super::Error;
use crate::constants;
use crate::vis::{Channels, Product};

/// Most extra keywords that are read.
const MOST_KEYWORDS: usize = 4096;
/// A gap in frequency is one when the spacing is this close to a whole number of channels (fraction of a channel).
const GAP_TOLERANCE: f64 = 0.01;

/// A value of `extra_keywords`.
#[derive(Clone, Debug, PartialEq)]
pub enum Keyword {
    /// Text.
    Text(String),
    /// A number.
    Number(f64),
    /// A boolean.
    Flag(bool),
}

/// The antenna table of the header.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Antennas {
    /// Names (station numbers as text).
    pub names: Vec<String>,
    /// Numbers that the row arrays use.
    pub numbers: Vec<i64>,
    /// ITRF offsets from the array's reference \[m\]; the origin is not to be trusted, and nothing is checked.
    pub position_m: Vec<[f64; 3]>,
    /// Dish diameters \[m\], empty when the file has none.
    pub diameter_m: Vec<f64>,
}

/// What a UVH5 file says about itself. Frequencies are ascending whatever the file's order.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    /// The file.
    pub path: PathBuf,
    /// `telescope_name`, for example `OVRO_MMA`.
    pub telescope_name: String,
    /// `instrument`, for example `DSA`.
    pub instrument: String,
    /// `object_name`, empty when there is none.
    pub object_name: String,
    /// `history`.
    pub history: String,
    /// Geodetic latitude \[degrees\].
    pub latitude_deg: f64,
    /// East longitude \[degrees\].
    pub longitude_deg: f64,
    /// Height above the ellipsoid \[m\].
    pub altitude_m: f64,
    /// The antenna table.
    pub antennas: Antennas,
    /// Channels, ascending; gaps of a correlator file are filled (their visibilities read as flagged zeros).
    pub channels: Channels,
    /// Products in CASA's order.
    pub products: Vec<Product>,
    /// Phase centre.
    pub phase: Phase,
    /// First and last time of the file.
    pub span: Span,
    /// Rows (`Nblts`).
    pub rows: usize,
    /// Integrations (`Ntimes`).
    pub times: usize,
    /// Baselines (`Nbls`).
    pub baselines: usize,
    /// All extra keywords that are numbers, booleans or text.
    pub extra: BTreeMap<String, Keyword>,
    /// Channel of the file of each entry of `channels`; `None` is a gap.
    pub(super) file_channel: Vec<Option<usize>>,
    /// Channels in the file.
    pub(super) file_channels: usize,
    /// For each product in the file's order, its place in `products`.
    pub(super) product_place: Vec<usize>,
}

impl Header {
    /// Read the header alone (the times are looked at for the span, no other per-row array is).
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be read, [`Error::Data`] when it is not a UVH5 file that makes sense.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let source = Source::open(path)?;
        Self::from_source(&source)
    }

    pub(super) fn from_source(source: &Source) -> Result<Self, Error> {
        let root = source.root()?;
        let node = root.group("Header")?;
        let extra = keywords(&node)?;
        let instrument = text_or_empty(&node, "instrument")?;
        let rows = node.count("Nblts")?;
        if rows == 0 {
            return Err(node.bad("Nblts", "at least one row", 0));
        }
        refuse_unknown(&node)?;
        let fringe_stopped = extra.contains_key("ha_phase_center") || instrument.eq_ignore_ascii_case("DSA");
        let (channels, file_channel, file_channels) = read_channels(&node, fringe_stopped)?;
        let (products, product_place) = read_products(&node)?;
        Ok(Self {
            path: source.path.clone(),
            telescope_name: text_or_empty(&node, "telescope_name")?,
            object_name: text_or_empty(&node, "object_name")?,
            history: text_or_empty(&node, "history")?,
            latitude_deg: in_range(&node, "latitude", -90.0, 90.0)?,
            longitude_deg: in_range(&node, "longitude", -360.0, 360.0)?,
            altitude_m: in_range(&node, "altitude", -1e4, 1e5)?,
            antennas: read_antennas(&node)?,
            phase: read_phase(&node, &extra)?,
            span: Span::read(&node, rows)?,
            rows,
            times: node.count("Ntimes")?,
            baselines: node.count("Nbls")?,
            instrument,
            channels,
            products,
            extra,
            file_channel,
            file_channels,
            product_place,
        })
    }

    /// The correlator's subband (0 = highest frequencies) on whose channel grid this file lies, if any.
    pub fn subband(&self) -> Option<usize> {
        let half = constants::CHANNEL_WIDTH_HZ / 2.0;
        (0..constants::SUBBANDS).find(|&subband| {
            let top = constants::channel_frequency_hz(subband, 0) + half;
            let bottom = constants::channel_frequency_hz(subband, constants::CHANNELS_PER_SUBBAND - 1) - half;
            self.channels.freq_hz.iter().all(|&f| f > bottom && f < top)
        })
    }

    /// Why this file is a stand-in for a missing subband, if it is one.
    pub fn placeholder(&self) -> Option<String> {
        let yes = match self.extra.get("IS_PLACEHOLDER") {
            Some(Keyword::Text(text)) => text.eq_ignore_ascii_case("true") || text == "1",
            Some(Keyword::Flag(flag)) => *flag,
            Some(Keyword::Number(number)) => *number != 0.0,
            None => false,
        };
        yes.then(|| match self.extra.get("PLACEHOLDER_REASON") {
            Some(Keyword::Text(text)) => text.clone(),
            _ => "not said".to_owned(),
        })
    }

    /// Delays that the correlator applied, one for each antenna of the table and polarisation \[ns\].
    pub fn applied_delays_ns(&self) -> Option<Vec<[i64; 2]>> {
        let Some(Keyword::Text(text)) = self.extra.get("applied_delays_ns") else { return None };
        let list: Vec<i64> = text.split_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
        (list.len() == 2 * self.antennas.numbers.len())
            .then(|| list.chunks_exact(2).map(|d| [d[0], d[1]]).collect())
    }
}

fn text_or_empty(node: &Node<'_>, name: &str) -> Result<String, Error> {
    if node.has(name) {
        node.text(name)
    } else {
        Ok(String::new())
    }
}

fn in_range(node: &Node<'_>, name: &str, least: f64, most: f64) -> Result<f64, Error> {
    let value = node.number(name)?;
    if (least..=most).contains(&value) {
        Ok(value)
    } else {
        Err(node.bad(name, format!("a number from {least} to {most}"), value))
    }
}

fn refuse_unknown(node: &Node<'_>) -> Result<(), Error> {
    if node.has("Nspws") && node.count("Nspws")? != 1 {
        return Err(node.bad(
            "Nspws",
            "one spectral window in a file (flexible windows are not supported)",
            node.count("Nspws")?,
        ));
    }
    if node.has("flex_spw") && node.flag("flex_spw")? {
        return Err(node.bad("flex_spw", "one ordinary spectral window", "flexible spectral windows"));
    }
    if node.has("flex_spw_polarization_array") {
        return Err(node.bad(
            "flex_spw_polarization_array",
            "products on an axis of their own",
            "flexible windows",
        ));
    }
    Ok(())
}

fn keywords(node: &Node<'_>) -> Result<BTreeMap<String, Keyword>, Error> {
    let mut extra = BTreeMap::new();
    if !node.has("extra_keywords") {
        return Ok(extra);
    }
    let group = node.group("extra_keywords")?;
    for name in group.names().take(MOST_KEYWORDS) {
        // What is neither number, boolean nor text is nobody's here; a link that points elsewhere is refused.
        let value = if group.is_group(name) {
            continue;
        } else if let Ok(text) = group.text(name) {
            Keyword::Text(text)
        } else if group.is_boolean(name)? {
            Keyword::Flag(group.flag(name)?)
        } else if let Ok(number) = group.number(name) {
            Keyword::Number(number)
        } else {
            continue;
        };
        extra.insert(name.to_owned(), value);
    }
    Ok(extra)
}

fn read_antennas(node: &Node<'_>) -> Result<Antennas, Error> {
    let (shape, numbers) = node.numbers::<i64>("antenna_numbers")?;
    let count = numbers.len();
    if shape.len() != 1 || count == 0 {
        return Err(node.bad("antenna_numbers", "a list of antennas", format!("shape {shape:?}")));
    }
    let mut sorted = numbers.clone();
    sorted.sort_unstable();
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(node.bad("antenna_numbers", "different numbers", format!("{} twice", pair[0])));
    }
    let names = node.texts("antenna_names")?;
    if names.len() != count {
        return Err(node.bad("antenna_names", format!("{count} names"), names.len()));
    }
    let position: Vec<f64> = node.shaped("antenna_positions", &[count, 3])?;
    let diameter_m =
        if node.has("antenna_diameters") { node.shaped("antenna_diameters", &[count])? } else { Vec::new() };
    let position_m = position.chunks_exact(3).map(|p| [p[0], p[1], p[2]]).collect();
    Ok(Antennas { names, numbers, position_m, diameter_m })
}

/// Channels ascending, the channel of the file for each, and how many the file has.
fn read_channels(node: &Node<'_>, fill_gaps: bool) -> Result<(Channels, Vec<Option<usize>>, usize), Error> {
    let (shape, freq_hz) = node.numbers::<f64>("freq_array")?;
    let count = freq_hz.len();
    if count == 0 || !matches!(shape[..], [_] | [1, _]) {
        return Err(node.bad("freq_array", "shape (channels) or (1, channels)", format!("{shape:?}")));
    }
    if let Some(bad) = freq_hz.iter().find(|f| !(f.is_finite() && **f > 0.0)) {
        return Err(node.bad("freq_array", "finite, positive frequencies", bad));
    }
    if node.has("Nfreqs") && node.count("Nfreqs")? != count {
        return Err(node.bad("freq_array", format!("Nfreqs = {} channels", node.count("Nfreqs")?), count));
    }
    let (_, mut width_hz) = node.numbers::<f64>("channel_width")?;
    if width_hz.len() == 1 {
        width_hz = vec![width_hz[0]; count];
    }
    if width_hz.len() != count || width_hz.iter().any(|w| !(w.is_finite() && *w != 0.0)) {
        return Err(node.bad(
            "channel_width",
            format!("1 or {count} finite widths, not zero"),
            format!("{width_hz:?}"),
        ));
    }
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|&a, &b| freq_hz[a].total_cmp(&freq_hz[b]));
    let mut channels = Channels::default();
    let mut file_channel = Vec::with_capacity(count);
    for &at in &order {
        let (freq, width) = (freq_hz[at], width_hz[at].abs());
        if let Some(&last) = channels.freq_hz.last() {
            if freq == last {
                return Err(node.bad("freq_array", "different frequencies", format!("{freq} Hz twice")));
            }
            let steps = (freq - last) / width;
            let whole = steps.round();
            if fill_gaps && whole > 1.0 && whole < 1e5 && (steps - whole).abs() < GAP_TOLERANCE {
                for step in 1..whole as usize {
                    channels.freq_hz.push(last + (freq - last) * step as f64 / whole);
                    channels.width_hz.push(width);
                    file_channel.push(None);
                }
            }
        }
        channels.freq_hz.push(freq);
        channels.width_hz.push(width);
        file_channel.push(Some(at));
    }
    Ok((channels, file_channel, count))
}

/// Products in CASA's order, and for each product of the file its place there.
fn read_products(node: &Node<'_>) -> Result<(Vec<Product>, Vec<usize>), Error> {
    let (_, codes) = node.numbers::<i64>("polarization_array")?;
    if codes.is_empty() || codes.len() > 4 {
        return Err(node.bad("polarization_array", "one to four products", format!("{codes:?}")));
    }
    let stored = codes
        .iter()
        .map(|&code| i32::try_from(code).ok().and_then(Product::from_aips_code))
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| {
            node.bad("polarization_array", "products of receptors (-1 to -8)", format!("{codes:?}"))
        })?;
    let mut products = stored.clone();
    products.sort_by_key(|product| product.casa_code());
    products.dedup();
    if products.len() != stored.len() {
        return Err(node.bad("polarization_array", "different products", format!("{codes:?}")));
    }
    let place = |product| products.iter().position(|p| *p == product);
    let places = stored.iter().filter_map(|product| place(*product)).collect();
    Ok((products, places))
}

fn read_phase(node: &Node<'_>, extra: &BTreeMap<String, Keyword>) -> Result<Phase, Error> {
    let number = |name: &str| match extra.get(name) {
        Some(Keyword::Number(value)) => Some(*value),
        Some(Keyword::Text(text)) => text.trim().parse().ok(),
        _ => None,
    };
    let kind = if node.has("phase_type") { Some(node.text("phase_type")?) } else { None };
    let mut dec_rad = number("phase_center_dec");
    for name in ["phase_center_app_dec", "phase_center_dec"] {
        if dec_rad.is_none() && node.has(name) {
            dec_rad = node.numbers::<f64>(name)?.1.first().copied();
        }
    }
    if let Some(bad) = dec_rad.filter(|dec| dec.abs() > std::f64::consts::FRAC_PI_2 || dec.is_nan()) {
        return Err(node.bad("extra_keywords/phase_center_dec", "a declination in radians", bad));
    }
    let epoch = extra.get("phase_center_epoch").or_else(|| extra.get("epoch")).map(|value| match value {
        Keyword::Text(text) => text.clone(),
        Keyword::Number(number) => number.to_string(),
        Keyword::Flag(flag) => flag.to_string(),
    });
    let ha_rad = number("ha_phase_center").map(Phase::guess_hour_angle);
    if extra.contains_key("ha_phase_center") && ha_rad.is_none_or(|ha| !ha.is_finite()) {
        let found = format!("{:?}", extra.get("ha_phase_center"));
        return Err(node.bad("extra_keywords/ha_phase_center", "a finite number", found));
    }
    Ok(Phase { kind, catalogue: read_catalogue(node)?, ha_rad, dec_rad, epoch })
}

fn read_catalogue(node: &Node<'_>) -> Result<Vec<CatalogueEntry>, Error> {
    if !node.has("phase_center_catalog") {
        return Ok(Vec::new());
    }
    let group = node.group("phase_center_catalog")?;
    let mut catalogue = Vec::new();
    for name in group.names().take(MOST_KEYWORDS) {
        let entry = group.group(name)?;
        let angle = |key: &str| entry.numbers::<f64>(key).ok().and_then(|(_, list)| list.first().copied());
        catalogue.push(CatalogueEntry {
            name: entry.text("cat_name").unwrap_or_else(|_| name.to_owned()),
            kind: entry.text("cat_type")?,
            lon_rad: angle("cat_lon"),
            lat_rad: angle("cat_lat"),
            frame: entry.text("cat_frame").ok(),
        });
    }
    Ok(catalogue)
}
