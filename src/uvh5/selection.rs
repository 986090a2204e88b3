//! What to read of a file, and the plan that follows from it.

use std::ops::Range;

use super::header::Header;
use super::index::Index;
use super::Error;
use crate::kind::BadArgument;
use crate::vis::{Channels, Product, Rows};

/// Part of a file; the default is everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selection {
    /// Integrations, indices into [`Index::time_mjd_s`].
    pub times: Option<Range<usize>>,
    /// Channels, indices into the ascending [`Header::channels`].
    pub channels: Option<Range<usize>>,
    /// Baselines both of whose antennas are here, indices into the antenna table.
    pub antennas: Option<Vec<u32>>,
    /// These baselines, in either order.
    pub baselines: Option<Vec<(u32, u32)>>,
    /// Leave autocorrelations out.
    pub no_autos: bool,
}

/// What a read will give, known before anything is read: allocate from this.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Row metadata; `field` is the index of the integration within the selection.
    pub rows: Rows,
    /// Channels.
    pub channels: Channels,
    /// Products.
    pub products: Vec<Product>,
    /// Times selected, UTC \[MJD s\].
    pub time_mjd_s: Vec<f64>,
    /// Row of the file, row of the output, whether the antennas are swapped; ascending in the file.
    pub(super) moves: Vec<Move>,
    /// Channels of the file that hold all we need.
    pub(super) file_channels: Range<usize>,
    /// For each output channel its place within `file_channels`.
    pub(super) channel_from: Vec<Option<usize>>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Move {
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) swapped: bool,
}

impl Plan {
    /// `(rows, channels, products)` of the output.
    pub fn shape(&self) -> (usize, usize, usize) {
        (self.rows.len(), self.channels.freq_hz.len(), self.products.len())
    }

    pub(super) fn new(header: &Header, index: &Index, selection: &Selection) -> Result<Self, Error> {
        let times = within("times", selection.times.as_ref(), index.time_mjd_s.len())?;
        let channels = within("channels", selection.channels.as_ref(), header.channels.freq_hz.len())?;
        let keep = Filter::new(header, selection)?;
        let mut rows = Rows::default();
        let mut moves = Vec::new();
        for row in 0..index.len() {
            let (time, a, b) = (index.time[row] as usize, index.antenna1[row], index.antenna2[row]);
            if !times.contains(&time) || !keep.passes(a, b) {
                continue;
            }
            moves.push(Move {
                from: index.file_row[row],
                to: rows.len() as u32,
                swapped: index.swapped[row],
            });
            rows.time_mjd_s.push(index.time_mjd_s[time]);
            rows.interval_s.push(index.interval_s[row]);
            rows.antenna1.push(a);
            rows.antenna2.push(b);
            rows.field.push((time - times.start) as u32);
            rows.uvw_m.push(index.uvw_m[row]);
        }
        moves.sort_unstable_by_key(|m| m.from);
        let wanted = &header.file_channel[channels.clone()];
        let first = wanted.iter().flatten().min().copied().unwrap_or(0);
        let end = wanted.iter().flatten().max().map_or(first, |last| last + 1);
        Ok(Self {
            rows,
            moves,
            channels: Channels {
                spw: 0,
                freq_hz: header.channels.freq_hz[channels.clone()].to_vec(),
                width_hz: header.channels.width_hz[channels.clone()].to_vec(),
            },
            products: header.products.clone(),
            time_mjd_s: index.time_mjd_s[times].to_vec(),
            file_channels: first..end,
            channel_from: wanted.iter().map(|c| c.map(|c| c - first)).collect(),
        })
    }
}

fn within(what: &str, asked: Option<&Range<usize>>, count: usize) -> Result<Range<usize>, Error> {
    match asked {
        None => Ok(0..count),
        Some(range) if range.start <= range.end && range.end <= count => Ok(range.clone()),
        Some(range) => {
            Err(BadArgument::new(what, format!("a range within 0..{count}"), format!("{range:?}")).into())
        }
    }
}

/// Which baselines pass.
struct Filter {
    /// For each antenna of the table; empty lets all pass.
    antennas: Vec<bool>,
    baselines: Option<std::collections::HashSet<(u32, u32)>>,
    no_autos: bool,
}

impl Filter {
    fn new(header: &Header, selection: &Selection) -> Result<Self, Error> {
        let count = header.antennas.numbers.len();
        let known = |what: &str, antenna: u32| -> Result<usize, Error> {
            let at = antenna as usize;
            if at < count {
                Ok(at)
            } else {
                Err(BadArgument::new(what, format!("indices into an antenna table of {count}"), antenna)
                    .into())
            }
        };
        let mut antennas = Vec::new();
        if let Some(list) = &selection.antennas {
            antennas = vec![false; count];
            for &antenna in list {
                antennas[known("antennas", antenna)?] = true;
            }
        }
        for &(a, b) in selection.baselines.iter().flatten() {
            known("baselines", a)?;
            known("baselines", b)?;
        }
        let baselines = selection
            .baselines
            .as_ref()
            .map(|list| list.iter().map(|&(a, b)| (a.min(b), a.max(b))).collect());
        Ok(Self { antennas, baselines, no_autos: selection.no_autos })
    }

    fn passes(&self, a: u32, b: u32) -> bool {
        let known = |antenna: u32| self.antennas.is_empty() || self.antennas[antenna as usize];
        known(a)
            && known(b)
            && !(self.no_autos && a == b)
            && self.baselines.as_ref().is_none_or(|set| set.contains(&(a, b)))
    }
}
