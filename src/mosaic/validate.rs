//! What must be true of tiles before they are added (facts 5 of the original system), as verdicts.

use crate::image::RestoringBeam;

use super::Tile;

/// One judgement.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Verdict {
    /// What was judged.
    pub name: String,
    /// Whether it is good.
    pub passed: bool,
    /// The worst value.
    pub value: f64,
    /// Its limit.
    pub limit: f64,
    /// Where and why, for a person.
    pub reason: String,
}

/// Least dynamic range; noise over the median; cells and beams over the median; smallest peak of the beam.
const DYNAMIC_RANGE: f64 = 5.0;
const NOISE_FACTOR: f64 = 5.0;
const CELL_TOLERANCE: f64 = 1e-4;
const BEAM_TOLERANCE: f64 = 0.2;
const PB_MINIMUM: f64 = 0.1;

/// Judge tiles: dynamic range >= 5, noise <= 5 times the median, equal cells, beams within 20 % of the median, a primary
/// beam that reaches 0.1.
pub fn validate(tiles: &[Tile], beams: &[Option<RestoringBeam>]) -> Vec<Verdict> {
    let peak = |a: &ndarray::Array2<f32>| f64::from(a.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let ranges: Vec<f64> = tiles.iter().map(|t| peak(&t.image_yx) / t.sigma_jy).collect();
    let noises: Vec<f64> = tiles.iter().map(|t| t.sigma_jy).collect();
    let cells: Vec<f64> = tiles.iter().map(|t| t.wcs.increment_rad[1].abs()).collect();
    let pbs: Vec<f64> = tiles.iter().map(|t| peak(&t.pb_yx)).collect();
    let relative = |v: &[f64]| {
        let m = median(v);
        v.iter().map(|x| (x / m - 1.0).abs()).collect::<Vec<_>>()
    };
    let noise_ratio: Vec<f64> = noises.iter().map(|n| n / median(&noises)).collect();
    let areas: Vec<f64> = beams.iter().flatten().map(|b| b.area_sr().sqrt()).collect();
    let mut out = vec![
        verdict("dynamic_range", &ranges, DYNAMIC_RANGE, false, "peak over noise"),
        verdict("noise", &noise_ratio, NOISE_FACTOR, true, "noise over the tiles' median"),
        verdict("cell", &relative(&cells), CELL_TOLERANCE, true, "pixel size against the median"),
        verdict("primary_beam", &pbs, PB_MINIMUM, false, "highest primary-beam power"),
    ];
    let missing = beams.iter().filter(|b| b.is_none()).count();
    let mut beam = verdict("beam", &relative(&areas), BEAM_TOLERANCE, true, "beam size against the median");
    if missing > 0 {
        beam = Verdict { passed: false, reason: format!("{missing} tiles without a restoring beam"), ..beam };
    }
    out.push(beam);
    out
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
    Verdict { name: name.to_owned(), passed, value, limit, reason: format!("{what}; worst in tile {k}") }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
