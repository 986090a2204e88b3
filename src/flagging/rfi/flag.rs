//! The RFI step over a block: baselines in parallel.

use std::collections::BTreeMap;

use ndarray::Axis;
use rayon::prelude::*;

use super::confirm::{confirm, grow};
use super::limits::{windows, Window};
use super::response::response;
use super::scan::scan;
use super::whiten::whiten;
use super::{stack, Plane, RfiParams};
use crate::control::Control;
use crate::flagging::Error;
use crate::kind::BadArgument;
use crate::vis::VisBlock;

/// Flag RFI of cross-correlations in all products.
///
/// # Errors
/// Parameters out of range; cancellation.
pub fn flag(block: &mut VisBlock, params: &RfiParams, control: &Control) -> Result<(), Error> {
    check(params)?;
    let baselines = baselines(block);
    let rows: Vec<usize> = baselines.iter().flatten().copied().collect();
    let response = response(block, &rows);
    let search = Search { block, response, params, windows: shapes(&baselines, block, params) };
    let mut found = baselines
        .par_iter()
        .map_init(Scratch::default, |scratch, rows| {
            control.check()?;
            Ok(search.one(rows, scratch))
        })
        .collect::<Result<Vec<Found>, Error>>()?;
    if params.stack > 0 {
        found.par_chunks_mut(params.stack.max(1)).for_each_init(Scratch::default, |scratch, group| {
            search.stacked(group, scratch);
        });
    }
    control.check()?;
    write(block, &baselines, &found);
    Ok(())
}

fn check(params: &RfiParams) -> Result<(), Error> {
    let growth = (0.0..1.0).contains(&params.grow);
    let chance = params.false_alarm > 0.0 && params.false_alarm < 0.5;
    if growth && chance && params.longest_freq > 0 && params.longest_time > 0 {
        return Ok(());
    }
    let expected = "false_alarm above 0 and below 0.5, growth from 0 to 1, lengths >= 1";
    Err(BadArgument::new("rfi", expected, format!("{params:?}")).into())
}

/// Rows of each baseline in their times, baselines from the shortest to the longest.
fn baselines(block: &VisBlock) -> Vec<Vec<usize>> {
    let mut of: BTreeMap<(u32, u32), Vec<usize>> = BTreeMap::new();
    for k in 0..block.rows.len() {
        let pair = (block.rows.antenna1[k], block.rows.antenna2[k]);
        if pair.0 != pair.1 {
            of.entry(pair).or_default().push(k);
        }
    }
    let length =
        |rows: &Vec<usize>| rows.first().map_or(0.0, |k| block.rows.uvw_m[*k].iter().map(|x| x * x).sum());
    let mut out: Vec<(f64, Vec<usize>)> = of.into_values().map(|rows| (length(&rows), rows)).collect();
    out.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut out: Vec<Vec<usize>> = out.into_iter().map(|(_, rows)| rows).collect();
    for rows in &mut out {
        rows.sort_by(|a, b| block.rows.time_mjd_s[*a].total_cmp(&block.rows.time_mjd_s[*b]));
    }
    out
}

/// Rectangles for every number of times that occurs.
fn shapes(baselines: &[Vec<usize>], block: &VisBlock, params: &RfiParams) -> BTreeMap<usize, Vec<Window>> {
    let nf = block.channels.freq_hz.len();
    let longest = (params.longest_time, params.longest_freq);
    let counts: BTreeMap<usize, ()> = baselines.iter().map(|rows| (rows.len(), ())).collect();
    counts.into_keys().map(|nt| (nt, windows((nt, nf), longest, params.false_alarm))).collect()
}

#[derive(Default)]
struct Scratch {
    whiten: super::whiten::Scratch,
    scan: super::scan::Scratch,
    rim: Vec<bool>,
    sums: Vec<[f32; 2]>,
}

/// A baseline in units of noise and what was found on it.
struct Found {
    plane: Plane,
    mask: Vec<bool>,
}

struct Search<'a> {
    block: &'a VisBlock,
    response: Vec<Vec<f32>>,
    params: &'a RfiParams,
    windows: BTreeMap<usize, Vec<Window>>,
}

impl Search<'_> {
    /// Search one baseline: once to know what its noise is without interference, and then in units of that.
    fn one(&self, rows: &[usize], scratch: &mut Scratch) -> Found {
        let mut plane = Plane::default();
        let mut mask = vec![false; rows.len() * self.block.channels.freq_hz.len()];
        let windows = self.windows.get(&rows.len()).map_or(&[][..], |w| w);
        for round in 0..3 {
            let fine = round > 0;
            let model = (&mask[..], fine);
            let Some(sources) =
                whiten(self.block, rows, &self.response, model, &mut plane, &mut scratch.whiten)
            else {
                break;
            };
            mask.fill(false);
            scan(&plane, windows, &mut mask, &mut scratch.scan);
            let flagged = mask.iter().filter(|m| **m).count();
            let quiet = flagged == 0;
            // Where most is interference there is nothing left to measure noise by.
            if 2 * flagged > mask.len() {
                break;
            }
            if (!sources && (quiet || fine)) || (fine && quiet) {
                break;
            }
        }
        grow(&plane, self.params.grow, &mut mask, &mut scratch.rim, &mut scratch.sums);
        Found { plane, mask }
    }

    /// Search a stack, and confirm what it shows on every baseline of it.
    fn stacked(&self, group: &mut [Found], scratch: &mut Scratch) {
        let Some(shape) = group.first().map(|f| (f.plane.nt, f.plane.nf)) else { return };
        let planes: Vec<&Plane> = group.iter().map(|f| &f.plane).filter(|p| (p.nt, p.nf) == shape).collect();
        let Some(windows) = self.windows.get(&shape.0) else { return };
        let Some(seen) = stack::candidates(&planes, windows, &mut scratch.scan) else { return };
        for found in group.iter_mut().filter(|f| (f.plane.nt, f.plane.nf) == shape) {
            confirm(&found.plane, &seen, &mut found.mask, &mut scratch.sums);
            grow(&found.plane, self.params.grow, &mut found.mask, &mut scratch.rim, &mut scratch.sums);
        }
    }
}

fn write(block: &mut VisBlock, baselines: &[Vec<usize>], found: &[Found]) {
    let nf = block.channels.freq_hz.len();
    for (rows, found) in baselines.iter().zip(found) {
        for (t, row) in rows.iter().enumerate() {
            let mask = &found.mask[t * nf..(t + 1) * nf];
            if mask.iter().any(|m| *m) {
                let mut flag = block.flag_rfp.index_axis_mut(Axis(0), *row);
                for (f, _) in mask.iter().enumerate().filter(|(_, m)| **m) {
                    flag.index_axis_mut(Axis(0), f).fill(true);
                }
            }
        }
    }
}
