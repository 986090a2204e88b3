//! What must be true of tiles before they are added (facts 5 of the original system), as verdicts.

use crate::image::RestoringBeam;
use crate::math::robust::median;

use super::correct::{highest, seam, SOURCES_LEAST};
use super::{Correction, Tile};

/// One judgement.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Verdict {
    /// What was judged.
    pub name: String,
    /// Whether it is good.
    pub passed: bool,
    /// Whether a mosaic is refused when it is not; else it is only suspicious.
    pub blocking: bool,
    /// The worst value.
    pub value: f64,
    /// Its limit.
    pub limit: f64,
    /// Where and why, for a person.
    pub reason: String,
    /// The tile with the worst value; none where a verdict is on all of them.
    pub tile: Option<usize>,
}

/// A tile with what its headers and the catalogue say about it.
#[derive(Clone, Copy, Debug)]
pub struct Judged<'a> {
    /// Its planes.
    pub tile: &'a Tile,
    /// Restoring beam.
    pub beam: Option<RestoringBeam>,
    /// Frequency \[Hz\].
    pub freq_hz: f64,
    /// Comparison with the catalogue; none without a catalogue or with too few sources.
    pub correction: Option<Correction>,
    /// What its fluxes will be divided by; 1 where they are left.
    pub flux_scale: f64,
    /// Calibration tables as its header has them; empty when it does not say.
    pub calibration: &'a str,
}

/// Least dynamic range; noise over the median; cells and beams over the median; smallest peak of the beam.
const DYNAMIC_RANGE: f64 = 5.0;
const NOISE_FACTOR: f64 = 5.0;
const CELL_TOLERANCE: f64 = 1e-4;
const BEAM_TOLERANCE: f64 = 0.2;
const PB_MINIMUM: f64 = 0.1;
/// Peaks of the primary beams over their median: 0.5 to 1.5; spread of frequencies \[Hz\]; edge over centre of a beam.
const PB_SPREAD: f64 = 0.5;
const FREQUENCY_SPREAD_HZ: f64 = 50e6;
const PB_EDGE: f64 = 0.9;
/// Offset from the catalogue \[arcsec\]; fluxes of neighbours on each other's overlap.
const OFFSET_ARCSEC: f64 = 2.0;
const SEAM: f64 = 0.1;

/// Judge tiles in their order: dynamic range, noise, cells, beams, primary beams (peak, spread, edge over centre), frequencies,
/// calibration, and where they can be measured astrometry and the fluxes of neighbours on their overlap.
pub fn validate(tiles: &[Judged<'_>]) -> Vec<Verdict> {
    let peak = |a: &ndarray::Array2<f32>| f64::from(highest(a.view()));
    let each = |f: &dyn Fn(&Judged<'_>) -> f64| -> Vec<f64> { tiles.iter().map(f).collect() };
    let relative = |v: &[f64]| {
        let m = median(&mut v.to_vec());
        v.iter().map(|x| (x / m - 1.0).abs()).collect::<Vec<_>>()
    };
    let ranges = each(&|t| peak(&t.tile.image_yx) / t.tile.sigma_jy);
    let noises = each(&|t| t.tile.sigma_jy);
    let middle = median(&mut noises.clone());
    let noises: Vec<f64> = noises.iter().map(|n| n / middle).collect();
    let cells = each(&|t| t.tile.wcs.increment_rad[1].abs());
    let pbs = each(&|t| peak(&t.tile.pb_yx));
    let edges = each(&|t| edge_over_peak(&t.tile.pb_yx));
    let lowest = tiles.iter().map(|t| t.freq_hz).fold(f64::INFINITY, f64::min);
    let spread = each(&|t| t.freq_hz - lowest);
    let areas: Vec<f64> = tiles.iter().filter_map(|t| t.beam).map(|b| b.area_sr().sqrt()).collect();
    let mut beam = verdict("beam", &relative(&areas), BEAM_TOLERANCE, true, "beam size against the median");
    let missing = tiles.iter().filter(|t| t.beam.is_none()).count();
    if missing > 0 {
        beam = Verdict { passed: false, reason: format!("{missing} tiles without a restoring beam"), ..beam };
    }
    let mut out = vec![
        verdict("dynamic_range", &ranges, DYNAMIC_RANGE, false, "peak over noise"),
        verdict("noise", &noises, NOISE_FACTOR, true, "noise over the tiles' median"),
        verdict("cell", &relative(&cells), CELL_TOLERANCE, true, "pixel size against the median"),
        verdict("primary_beam", &pbs, PB_MINIMUM, false, "highest primary-beam power"),
        verdict("primary_beam_spread", &relative(&pbs), PB_SPREAD, true, "highest power against the median"),
        // A small image inside a wide beam is no fault.
        Verdict {
            blocking: false,
            ..verdict("primary_beam_edge", &edges, PB_EDGE, true, "beam at the border over its peak")
        },
        verdict("frequency", &spread, FREQUENCY_SPREAD_HZ, true, "Hz above the lowest tile"),
        beam,
        calibration(tiles),
    ];
    out.extend(astrometry(tiles));
    out.extend(seams(tiles));
    out
}

/// Highest power on the border over the highest: a beam that does not fall off is no beam.
fn edge_over_peak(pb: &ndarray::Array2<f32>) -> f64 {
    let (ny, nx) = pb.dim();
    let mut rim = pb.row(0).iter().chain(pb.row(ny - 1)).copied().fold(0.0, f32::max);
    rim = pb.column(0).iter().chain(&pb.column(nx - 1)).copied().fold(rim, f32::max);
    f64::from(rim / highest(pb.view()).max(f32::MIN_POSITIVE))
}

/// Kinds of calibration among the tiles that say.
fn calibration(tiles: &[Judged<'_>]) -> Verdict {
    let mut kinds: Vec<&str> = tiles.iter().map(|t| t.calibration).filter(|c| !c.is_empty()).collect();
    let known = kinds.len();
    kinds.sort_unstable();
    kinds.dedup();
    Verdict {
        name: "calibration".into(),
        passed: kinds.len() <= 1,
        blocking: false,
        value: kinds.len() as f64,
        limit: 1.0,
        reason: format!("sets of calibration tables; {known} of {} tiles name theirs", tiles.len()),
        tile: None,
    }
}

fn astrometry(tiles: &[Judged<'_>]) -> Option<Verdict> {
    let offsets: Vec<f64> =
        tiles.iter().map(|t| t.correction.map_or(0.0, |c| c.east_arcsec.hypot(c.north_arcsec))).collect();
    let measured = tiles.iter().filter(|t| t.correction.is_some_and(|c| c.sources >= SOURCES_LEAST)).count();
    (measured > 0).then(|| {
        let what = format!("arcsec from the catalogue, {measured} tiles measured");
        verdict("astrometry", &offsets, OFFSET_ARCSEC, true, &what)
    })
}

/// Fluxes of the same sources on neighbours, as they will be added.
fn seams(tiles: &[Judged<'_>]) -> Option<Verdict> {
    let pairs = tiles.windows(2).map(|pair| {
        let (ratio, count) = seam(pair[0].tile, pair[1].tile);
        (ratio * pair[0].flux_scale / pair[1].flux_scale, count)
    });
    let deviations: Vec<f64> = pairs.map(|(r, n)| if n >= 3 { (r - 1.0).abs() } else { 0.0 }).collect();
    (!deviations.is_empty())
        .then(|| verdict("seam", &deviations, SEAM, true, "flux on the next tile against that here"))
}

/// The worst of `values` against `limit`: the largest when they must stay below, else the smallest.
fn verdict(name: &str, values: &[f64], limit: f64, below: bool, what: &str) -> Verdict {
    let worse = |a: &f64, b: &f64| if below { a > b } else { a < b };
    let mut worst: Option<(usize, f64)> = None;
    for (k, v) in values.iter().enumerate() {
        if worst.is_none_or(|(_, w)| worse(v, &w) || v.is_nan()) {
            worst = Some((k, *v));
        }
    }
    let (k, value) = worst.unwrap_or((0, f64::NAN));
    let passed = if below { value <= limit } else { value >= limit };
    let reason = format!("{what}; worst in tile {k}");
    Verdict { name: name.to_owned(), passed, blocking: true, value, limit, reason, tile: worst.map(|w| w.0) }
}
