//! The RFI step over a block: baselines in parallel.

use std::collections::{BTreeMap, HashMap};

use ndarray::Axis;
use rayon::prelude::*;

use super::evidence::{weigh, MEAN, SIGMA};
use super::expected::Expected;
use super::grow::grow;
use super::limits::{windows, Window};
use super::response::response;
use super::scan::scan;
use super::stack::Stack;
use super::{chain, Plane, RfiParams};
use crate::control::Control;
use crate::flagging::Error;
use crate::kind::BadArgument;
use crate::vis::VisBlock;

/// Flagged fractions of a baseline above which its noise and sources are estimated once more, and yet once more, without what was found.
const AGAIN: [f32; 2] = [0.03, 0.25];

/// Baselines that tell, before all are searched, whether there is much interference.
const SCOUTS: usize = 256;
/// Flagged fraction of theirs above which the bandpass that they share is taken once more, without what was found.
const CROWDED: f32 = 0.1;
/// It is used where it differs from the first one by more than this fraction.
const BENT: f32 = 0.1;
/// Changes between noise and interference by the square of the flagged share: where a twentieth is flagged they cost nearly what they do in
/// quiet data (3.9 for 4.3), a fifth brings the cost to 2.6, two fifths to 1.9.
const CHANGES: f32 = 0.15;

/// Mean excess (sigma of one product's evidence) of the faintest rectangle that one baseline is believed: interference of 1.5 sigma of a
/// component. What is fainter and wide may as well be the beat of two sources.
const FAINTEST: f32 = 1.05;
/// Planes of fewer samples do not know their noise well by themselves.
const SMALL: usize = 600;

/// Flag RFI of cross-correlations in all products.
///
/// # Errors
/// Parameters out of range; cancellation.
pub fn flag(block: &mut VisBlock, params: &RfiParams, control: &Control) -> Result<(), Error> {
    check(params)?;
    let baselines = baselines(block);
    let windows = shapes(&baselines, block, params);
    let stride = (baselines.len() / SCOUTS).max(1);
    let scouts: Vec<Vec<usize>> = baselines.iter().step_by(stride).cloned().collect();
    let rows: Vec<usize> = baselines.iter().flatten().copied().collect();
    let bandpass = response(block, &rows, &[]);
    let mut search = Search {
        block,
        response: bandpass,
        params,
        windows,
        typical: Vec::new(),
        expected: Expected::default(),
    };
    let mut found = search.all(&scouts, control)?;
    let better = search.without(&scouts, &found);
    if stride > 1 || better.is_some() {
        search.response = better.unwrap_or(search.response);
        if stride > 1 {
            let masks: Vec<&[bool]> = found.iter().map(|f| &f.mask[..]).collect();
            search.expected = Expected::new(&masks, stride);
        }
        found = search.all(&baselines, control)?;
        search.expected = Expected::default();
    }
    if baselines.first().is_some_and(|rows| rows.len() * block.channels.freq_hz.len() < SMALL) {
        search.typical = typical(&found, block.products.len());
        found = search.all(&baselines, control)?;
    }
    found.par_chunks_mut(params.stack.max(1)).for_each_init(Scratch::default, |scratch, group| {
        stacked(&search, group, scratch);
    });
    control.check()?;
    write(block, &baselines, &found);
    Ok(())
}

/// Whether a bandpass without what was found is another one, by more than [`BENT`] somewhere, and a flatter one: beside bright sources
/// flags follow their beats, and what is left of them is bent more.
fn is_better(without: &[Vec<f32>], with: &[Vec<f32>]) -> bool {
    let bends = |response: &[Vec<f32>]| response.iter().flatten().map(|r| r.ln().powi(2)).sum::<f32>();
    let differs = without.iter().flatten().zip(with.iter().flatten()).any(|(a, b)| (a - b).abs() > BENT * b);
    differs && bends(without) < bends(with)
}

/// Flagged share of all masks.
fn share<'a>(masks: impl IntoIterator<Item = &'a [bool]>) -> f32 {
    let count = |mask: &[bool]| mask.iter().map(|m| u32::from(*m)).sum::<u32>();
    let (part, all) = masks
        .into_iter()
        .fold((0u64, 0u64), |(part, all), mask| (part + u64::from(count(mask)), all + mask.len() as u64));
    part as f32 / all.max(1) as f32
}

/// Share of samples in which two masks differ.
fn differ(a: &[bool], b: &[bool]) -> f32 {
    let count = a.iter().zip(b).map(|(a, b)| u32::from(a != b)).sum::<u32>();
    count as f32 / a.len().max(1) as f32
}

/// Medians over baselines of the variances of the products.
fn typical(found: &[Found], products: usize) -> Vec<f32> {
    (0..products)
        .map(|p| {
            let of_one: Vec<f32> =
                found.iter().filter_map(|f| f.plane.variance.get(p).copied().filter(|v| *v > 0.0)).collect();
            if of_one.is_empty() {
                0.0
            } else {
                super::order::median(&of_one)
            }
        })
        .collect()
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
    let mut place: HashMap<(u32, u32), usize> = HashMap::new();
    let mut of: Vec<((u32, u32), Vec<usize>)> = Vec::new();
    for k in 0..block.rows.len() {
        let pair = (block.rows.antenna1[k], block.rows.antenna2[k]);
        if pair.0 != pair.1 {
            let n = *place.entry(pair).or_insert(of.len());
            if n == of.len() {
                of.push((pair, Vec::new()));
            }
            of[n].1.push(k);
        }
    }
    let length = |rows: &[usize]| {
        rows.first().map_or(0.0, |k| block.rows.uvw_m[*k].iter().map(|x| x * x).sum::<f64>())
    };
    let mut out: Vec<(f64, (u32, u32), Vec<usize>)> =
        of.into_iter().map(|(pair, rows)| (length(&rows), pair, rows)).collect();
    out.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut out: Vec<Vec<usize>> = out.into_iter().map(|(_, _, rows)| rows).collect();
    for rows in &mut out {
        rows.sort_by(|a, b| block.rows.time_mjd_s[*a].total_cmp(&block.rows.time_mjd_s[*b]));
    }
    out
}

/// Rectangles for every number of times that occurs.
fn shapes(baselines: &[Vec<usize>], block: &VisBlock, params: &RfiParams) -> BTreeMap<usize, Vec<Window>> {
    let (nf, np) = (block.channels.freq_hz.len(), block.products.len());
    let longest = (params.longest_time, params.longest_freq);
    let counts: BTreeMap<usize, ()> = baselines.iter().map(|rows| (rows.len(), ())).collect();
    counts.into_keys().map(|nt| (nt, windows((nt, nf), longest, np, params.false_alarm))).collect()
}

#[derive(Default)]
struct Scratch {
    evidence: super::evidence::Scratch,
    chain: chain::Scratch,
    scan: super::scan::Scratch,
    informed: Vec<f32>,
    excess: Vec<f32>,
    lines: (Vec<bool>, Vec<bool>),
}

/// The evidence of a baseline and what was found on it.
struct Found {
    plane: Plane,
    mask: Vec<bool>,
}

struct Search<'a> {
    block: &'a VisBlock,
    response: Vec<Vec<f32>>,
    params: &'a RfiParams,
    /// Variances of the products on all baselines; empty when planes are large enough to know their own.
    typical: Vec<f32>,
    windows: BTreeMap<usize, Vec<Window>>,
    expected: Expected,
}

super::vectorized! {
    fn mark = chain::mark;
    (evidence: &[f32], shape: (usize, usize), bound: f32, mask: &mut [bool], scratch: &mut chain::Scratch)
}

super::vectorized! {
    fn stacked = Search::together;
    (search: &Search<'_>, group: &mut [Found], scratch: &mut Scratch)
}

impl Search<'_> {
    /// Search all of some baselines. They are taken in the order of their rows: neighbours in memory are read together.
    fn all(&self, baselines: &[Vec<usize>], control: &Control) -> Result<Vec<Found>, Error> {
        let mut order: Vec<usize> = (0..baselines.len()).collect();
        order.sort_unstable_by_key(|k| baselines[*k].first());
        let mut found: Vec<(usize, Found)> = order
            .into_par_iter()
            .map_init(Scratch::default, |scratch, k| {
                control.check()?;
                Ok((k, self.one(k, &baselines[k], scratch)))
            })
            .collect::<Result<_, Error>>()?;
        found.sort_unstable_by_key(|(k, _)| *k);
        Ok(found.into_iter().map(|(_, found)| found).collect())
    }

    /// The bandpass without what was found, where that was much and made another one.
    fn without(&self, baselines: &[Vec<usize>], found: &[Found]) -> Option<Vec<Vec<f32>>> {
        if share(found.iter().map(|f| &f.mask[..])) <= CROWDED {
            return None;
        }
        let nf = self.block.channels.freq_hz.len().max(1);
        let masks: Vec<&[bool]> = found.iter().flat_map(|f| f.mask.chunks_exact(nf)).collect();
        let rows: Vec<usize> = baselines.iter().flatten().copied().collect();
        let without = response(self.block, &rows, &masks);
        is_better(&without, &self.response).then_some(without)
    }

    /// The cost of a change between noise and interference where this share of samples is flagged: the more of it there is, the more
    /// often it begins and ends.
    fn bound(&self, share: f32) -> f32 {
        chain::cost(self.params.false_alarm.max(f64::from(CHANGES * share * share)))
    }

    /// Search one baseline, the `k`-th by length, by itself: once, and where much was found that was not expected again with noise and
    /// sources estimated without it.
    fn one(&self, k: usize, rows: &[usize], scratch: &mut Scratch) -> Found {
        let mut plane = Plane::default();
        let size = rows.len() * self.block.channels.freq_hz.len();
        let mut expected = self.expected.of(k, size);
        let mut mask = expected.map_or_else(|| vec![false; size], <[bool]>::to_vec);
        let mut flagged = if expected.is_some() { share([&mask[..]]) } else { 0.0 };
        for least in [AGAIN[0], AGAIN[1], 1.0] {
            weigh(
                (self.block, rows),
                &self.response,
                (&mask, &self.typical),
                &mut plane,
                &mut scratch.evidence,
            );
            let bound = self.bound(flagged);
            mark(&plane.evidence, (plane.nt, plane.nf), bound, &mut mask, &mut scratch.chain);
            flagged = share([&mask[..]]);
            let as_expected = expected.take().is_some_and(|expected| differ(&mask, expected) <= AGAIN[0]);
            if flagged <= least || as_expected {
                break;
            }
        }
        Found { plane, mask }
    }

    /// Search the members of a stack knowing what the others show.
    #[inline(always)]
    fn together(&self, group: &mut [Found], scratch: &mut Scratch) {
        let Some(shape) = group.first().map(|f| (f.plane.nt, f.plane.nf)) else { return };
        let Some(windows) = self.windows.get(&shape.0) else { return };
        let of_shape = |f: &&Found| (f.plane.nt, f.plane.nf) == shape;
        let members = group.iter().filter(of_shape).map(|f| (&f.plane, &f.mask[..]));
        let stack = Stack::new(members, windows, &mut scratch.scan);
        for found in group {
            if (found.plane.nt, found.plane.nf) == shape && self.params.stack > 1 {
                stack.inform(&found.plane, &found.mask, &mut scratch.informed);
                let bound = self.bound(share([&found.mask[..]]));
                chain::mark(&scratch.informed, shape, bound, &mut found.mask, &mut scratch.chain);
            }
            self.finish(found, scratch);
        }
    }

    /// What is faint and wide, and rims.
    #[inline(always)]
    fn finish(&self, found: &mut Found, scratch: &mut Scratch) {
        let shape = (found.plane.nt, found.plane.nf);
        let samples = found.plane.evidence.iter().zip(&found.plane.count).zip(&found.mask);
        scratch.excess.clear();
        scratch.excess.extend(samples.map(|((e, n), m)| {
            let n = f32::from(*n);
            if *m || n == 0.0 {
                0.0
            } else {
                (e - n * MEAN) / (SIGMA * n.sqrt())
            }
        }));
        if let Some(windows) = self.windows.get(&shape.0) {
            let faintest = FAINTEST * (self.block.products.len() as f32).sqrt();
            scan(&mut scratch.excess, shape, (windows, faintest), &mut found.mask, &mut scratch.scan);
        }
        let (a, b) = &mut scratch.lines;
        grow(&found.plane.evidence, shape, self.params.grow, &mut found.mask, (a, b));
    }
}

fn write(block: &mut VisBlock, baselines: &[Vec<usize>], found: &[Found]) {
    let (nf, np) = (block.channels.freq_hz.len(), block.products.len());
    for (rows, found) in baselines.iter().zip(found) {
        for (t, row) in rows.iter().enumerate() {
            let mask = &found.mask[t * nf..(t + 1) * nf];
            // Rows without any are not touched: they are far apart in memory.
            if !mask.iter().fold(false, |any, m| any | *m) {
                continue;
            }
            let mut flag = block.flag_rfp.index_axis_mut(Axis(0), *row);
            if let (Some(flags), true) = (flag.as_slice_mut(), np > 0) {
                for (products, m) in flags.chunks_exact_mut(np).zip(mask) {
                    products.iter_mut().for_each(|f| *f |= *m);
                }
                continue;
            }
            for (mut products, m) in flag.rows_mut().into_iter().zip(mask) {
                products.iter_mut().for_each(|f| *f |= *m);
            }
        }
    }
}
