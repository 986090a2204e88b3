//! Where each integration looks, its uvw, and what rotation its visibilities need.

use std::f64::consts::TAU;

use super::group::Group;
use super::PhaseCenter;
use crate::constants::SPEED_OF_LIGHT_M_S;
use crate::coords::{ApparentFrame, RaDec, UvwBasis};
use crate::time::{Coverage, EarthOrientation};
use crate::vis::{Field, Rows};
use crate::Error;

/// Rotations below this change nothing that matters: the visibilities stay bit for bit \[rad\].
const NEGLIGIBLE_PHASE_RAD: f64 = 1e-4;

/// One integration.
#[derive(Clone, Debug)]
pub(super) struct Integration {
    pub(super) time_mjd_s: f64,
    /// The meridian, ICRS.
    pub(super) pointing: RaDec,
    /// w towards the new centre minus the w that the correlator took out (all of w for drift data), by antenna \[m\].
    pub(super) excess_w_m: Vec<f64>,
    /// Rows of this integration.
    pub(super) rows: std::ops::Range<usize>,
}

/// Fields, rows and rotations of a group.
#[derive(Debug)]
pub(super) struct Geometry {
    pub(super) fields: Vec<Field>,
    /// Rows with their field and their uvw recomputed.
    pub(super) rows: Rows,
    pub(super) times: Vec<Integration>,
    pub(super) rotates: bool,
    /// Largest rotation of a baseline at the highest frequency \[rad\].
    pub(super) largest_phase_rad: f64,
    pub(super) warnings: Vec<String>,
}

impl Geometry {
    pub(super) fn new(group: &Group, mode: PhaseCenter) -> Result<Self, Error> {
        let site = group.observatory();
        let earth = EarthOrientation::current()?;
        let mut rows = group.rows.clone();
        let spans = integrations(&rows);
        let times: Vec<f64> = spans.iter().map(|s| rows.time_mjd_s[s.start]).collect();
        let warnings = coverage_warning(&earth, times.first().copied().unwrap_or(0.0));
        let middle = 0.5 * (times.first().copied().unwrap_or(0.0) + times.last().copied().unwrap_or(0.0));
        let shared = ApparentFrame::new(middle, &site, &earth)?.meridian_icrs(group.dec_rad);
        let stopped = UvwBasis::meridian(site.longitude_rad, group.dec_rad);
        let positions = relative(group);
        let mut fields = Vec::new();
        let mut list = Vec::with_capacity(times.len());
        for (index, (span, time)) in spans.into_iter().zip(&times).enumerate() {
            let frame = ApparentFrame::new(*time, &site, &earth)?;
            let pointing = frame.meridian_icrs(group.dec_rad);
            let centre = if mode == PhaseCenter::Shared { shared } else { pointing };
            let basis = frame.uvw_basis(centre);
            let uvw: Vec<[f64; 3]> = positions.iter().map(|p| basis.uvw_m(*p)).collect();
            let old = |p: [f64; 3]| if group.fringe_stopped { stopped.w_m(p) } else { 0.0 };
            let excess_w_m = positions.iter().zip(&uvw).map(|(p, u)| u[2] - old(*p)).collect();
            let field = if mode == PhaseCenter::Shared { 0 } else { index as u32 };
            for r in span.clone() {
                let (a, b) = (uvw[rows.antenna1[r] as usize], uvw[rows.antenna2[r] as usize]);
                rows.uvw_m[r] = [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
                rows.field[r] = field;
            }
            if mode == PhaseCenter::PerIntegration {
                fields.push(Field { name: format!("meridian_icrs_t{index}"), centre, time_mjd_s: *time });
            }
            list.push(Integration { time_mjd_s: *time, pointing, excess_w_m, rows: span });
        }
        if mode == PhaseCenter::Shared {
            fields.push(Field { name: "meridian_icrs".into(), centre: shared, time_mjd_s: middle });
        }
        let largest_phase_rad = largest_phase(group, &list);
        let rotates = largest_phase_rad >= NEGLIGIBLE_PHASE_RAD;
        Ok(Self { fields, rows, times: list, rotates, largest_phase_rad, warnings })
    }
}

/// Runs of rows of one time.
fn integrations(rows: &Rows) -> Vec<std::ops::Range<usize>> {
    let mut out = Vec::new();
    let mut start = 0;
    for end in 1..=rows.len() {
        if end == rows.len() || rows.time_mjd_s[end] != rows.time_mjd_s[start] {
            out.push(start..end);
            start = end;
        }
    }
    out
}

/// Positions about the middle of the antennas in use: small numbers keep their digits.
fn relative(group: &Group) -> Vec<[f64; 3]> {
    let used = group.used_antennas();
    let n = used.len().max(1) as f64;
    let middle =
        [0, 1, 2].map(|k| used.iter().map(|a| group.antennas[*a as usize].itrf_m[k]).sum::<f64>() / n);
    group.antennas.iter().map(|a| [0, 1, 2].map(|k| a.itrf_m[k] - middle[k])).collect()
}

fn largest_phase(group: &Group, times: &[Integration]) -> f64 {
    let used = group.used_antennas();
    let top = group.subbands.iter().flat_map(|s| s.channels.freq_hz.iter().copied()).fold(0.0, f64::max);
    let spread = |t: &Integration| {
        let w = used.iter().map(|a| t.excess_w_m[*a as usize]);
        w.clone().fold(f64::NEG_INFINITY, f64::max) - w.fold(f64::INFINITY, f64::min)
    };
    TAU * top / SPEED_OF_LIGHT_M_S * times.iter().map(spread).fold(0.0, f64::max)
}

fn coverage_warning(earth: &EarthOrientation, time_mjd_s: f64) -> Vec<String> {
    match earth.coverage(time_mjd_s) {
        c @ Coverage::Outside { .. } => vec![format!(
            "the date is {:.0} days outside the Earth-orientation table: w may be wrong by {:.1} mm and positions by {:.2} \
             arcsec; renew it with `contimg iers update FILE`",
            c.days_outside(),
            c.w_error_mm(),
            c.direction_error_arcsec()
        )],
        _ => Vec::new(),
    }
}
