//! Steps that choose rows and channels.

use super::{Error, Manual, QuackMode};
use crate::kind::BadArgument;
use crate::vis::{Rows, UvRange, VisBlock};

/// Flag whole rows.
pub(super) fn rows(block: &mut VisBlock, bad: impl Fn(&Rows, usize) -> bool) {
    for k in 0..block.rows.len() {
        if bad(&block.rows, k) {
            block.flag_rfp.index_axis_mut(ndarray::Axis(0), k).fill(true);
        }
    }
}

/// Flag the beginning or the end of the observation.
pub(super) fn quack(block: &mut VisBlock, interval_s: f64, mode: QuackMode, range: Option<[f64; 2]>) {
    let all = &block.rows.time_mjd_s;
    let [start, end] = range.unwrap_or_else(|| {
        all.iter().fold([f64::INFINITY, f64::NEG_INFINITY], |r, t| [r[0].min(*t), r[1].max(*t)])
    });
    rows(block, |rows, k| {
        let t = rows.time_mjd_s[k];
        match mode {
            QuackMode::Beg => t < start + interval_s,
            QuackMode::Endb => t > end - interval_s,
            QuackMode::Tail => t >= start + interval_s,
            QuackMode::End => t <= end - interval_s,
        }
    });
}

/// Flag baselines inside a range.
pub(super) fn uvrange(block: &mut VisBlock, range: UvRange) {
    for row in 0..block.rows.len() {
        for (f, freq) in block.channels.freq_hz.iter().enumerate() {
            if range.contains(block.rows.uvw_m[row], *freq) {
                block.flag_rfp.slice_mut(ndarray::s![row, f, ..]).fill(true);
            }
        }
    }
}

/// Flag what matches every part that is given; a selection without any part is refused.
pub(super) fn manual(block: &mut VisBlock, manual: &Manual) -> Result<(), Error> {
    if *manual == Manual::default() {
        return Err(BadArgument::new(
            "manual",
            "an antenna, baseline, channel, time, field or uv range",
            "an empty selection",
        )
        .into());
    }
    if let Some([from, to]) = manual.time_range_mjd_s.filter(|[from, to]| !(from <= to)) {
        let found = format!("{from}, {to}");
        return Err(BadArgument::new("time range", "a beginning before the end [MJD s]", found).into());
    }
    let spw = block.channels.spw;
    let nf = block.channels.freq_hz.len();
    let channels: Vec<bool> = (0..nf)
        .map(|f| {
            manual.channels.is_empty()
                || manual.channels.iter().any(|c| c.spw == spw && (c.first..=c.last).contains(&f))
        })
        .collect();
    for row in 0..block.rows.len() {
        let rows = &block.rows;
        let (a, b) = (rows.antenna1[row], rows.antenna2[row]);
        let chosen = (manual.antennas.is_empty()
            || manual.antennas.contains(&a)
            || manual.antennas.contains(&b))
            && !(manual.without.contains(&a) || manual.without.contains(&b))
            && (manual.baselines.is_empty()
                || manual.baselines.iter().any(|(i, j)| (*i, *j) == (a, b) || (*j, *i) == (a, b)))
            && manual.time_range_mjd_s.is_none_or(|[from, to]| (from..=to).contains(&rows.time_mjd_s[row]))
            && (manual.fields.is_empty() || manual.fields.contains(&rows.field[row]));
        if chosen {
            let (uvw_m, freq_hz) = (rows.uvw_m[row], &block.channels.freq_hz);
            let inside = |f: usize| manual.uvrange.is_none_or(|range| range.contains(uvw_m, freq_hz[f]));
            let wanted: Vec<usize> = (0..nf).filter(|f| channels[*f] && inside(*f)).collect();
            for f in wanted {
                block.flag_rfp.slice_mut(ndarray::s![row, f, ..]).fill(true);
            }
        }
    }
    Ok(())
}
