//! The RFI step over a block: baselines in parallel.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::sum_threshold::sum_threshold;
use super::{background, rank, Plane, RfiParams};
use crate::control::Control;
use crate::flagging::Error;
use crate::kind::BadArgument;
use crate::vis::VisBlock;

/// Flag RFI of cross-correlations, product by product.
///
/// # Errors
/// Parameters out of range; cancellation.
pub fn flag(block: &mut VisBlock, params: &RfiParams, control: &Control) -> Result<(), Error> {
    let fractions = (0.0..1.0).contains(&params.grow_freq) && (0.0..1.0).contains(&params.grow_time);
    if !(params.threshold > 0.0 && params.rounds > 0 && fractions) {
        return Err(BadArgument::new(
            "rfi",
            "threshold > 0, rounds >= 1, growth from 0 to 1",
            format!("{params:?}"),
        )
        .into());
    }
    let mut of: BTreeMap<(u32, u32), Vec<usize>> = BTreeMap::new();
    for k in 0..block.rows.len() {
        let pair = (block.rows.antenna1[k], block.rows.antenna2[k]);
        if pair.0 != pair.1 {
            of.entry(pair).or_default().push(k);
        }
    }
    let np = block.products.len();
    let mut baselines: Vec<Vec<usize>> = of.into_values().collect();
    for rows in &mut baselines {
        rows.sort_by(|a, b| block.rows.time_mjd_s[*a].total_cmp(&block.rows.time_mjd_s[*b]));
    }
    let found: Result<Vec<Vec<Vec<bool>>>, Error> = baselines
        .par_iter()
        .map_init(Scratch::default, |scratch, rows| {
            control.check()?;
            Ok((0..np).map(|p| baseline(block, rows, p, params, scratch)).collect())
        })
        .collect();
    for (rows, masks) in baselines.iter().zip(found?) {
        for (p, mask) in masks.into_iter().enumerate() {
            let nf = block.channels.freq_hz.len();
            for (t, row) in rows.iter().enumerate() {
                for f in 0..nf {
                    block.flag_rfp[[*row, f, p]] |= mask[t * nf + f];
                }
            }
        }
    }
    Ok(())
}

#[derive(Default)]
struct Scratch {
    excess: Vec<f32>,
    values: Vec<f32>,
    mask: Vec<bool>,
    line: Vec<bool>,
}

/// Mask of one baseline and product, (time, frequency).
fn baseline(
    block: &VisBlock,
    rows: &[usize],
    p: usize,
    params: &RfiParams,
    scratch: &mut Scratch,
) -> Vec<bool> {
    let (nt, nf) = (rows.len(), block.channels.freq_hz.len());
    let mut plane = Plane { nt, nf, amp: Vec::with_capacity(nt * nf), mask: Vec::with_capacity(nt * nf) };
    for row in rows {
        for f in 0..nf {
            plane.amp.push(block.vis_rfp[[*row, f, p]].norm());
            plane.mask.push(block.flag_rfp[[*row, f, p]]);
        }
    }
    let before = plane.mask.clone();
    for round in 0..params.rounds {
        if !background::subtract(&plane, round > 0, &mut scratch.excess, &mut scratch.values) {
            return plane.mask;
        }
        let sigma = background::noise(&scratch.excess, &plane.mask, &mut scratch.values);
        if !(sigma > 0.0) {
            return plane.mask;
        }
        let factor = (1 << (params.rounds - 1 - round)) as f32;
        // Each round starts from the data's own flags: what a first, rough background caught is looked at again.
        plane.mask.copy_from_slice(&before);
        let longest = (params.longest_freq, params.longest_time);
        sum_threshold(
            &mut plane,
            &scratch.excess,
            params.threshold * factor * sigma,
            longest,
            &mut scratch.mask,
        );
    }
    grow(&mut plane, &before, params, &mut scratch.line);
    plane.mask
}

/// Grow what was found here (not what was flagged before) along both axes.
fn grow(plane: &mut Plane, before: &[bool], params: &RfiParams, line: &mut Vec<bool>) {
    let (nt, nf) = (plane.nt, plane.nf);
    let mut new: Vec<bool> = plane.mask.iter().zip(before).map(|(m, b)| *m && !*b).collect();
    if !new.iter().any(|m| *m) {
        return;
    }
    let mut grown = new.clone();
    for t in 0..nt {
        rank(&mut grown[t * nf..(t + 1) * nf], params.grow_freq);
    }
    for f in 0..nf {
        line.clear();
        line.extend((0..nt).map(|t| new[t * nf + f]));
        rank(line, params.grow_time);
        for t in 0..nt {
            grown[t * nf + f] |= line[t];
        }
    }
    new.clear();
    for (m, g) in plane.mask.iter_mut().zip(grown) {
        *m |= g;
    }
}
