//! What a manual flagging step chooses, in CASA's words.

use super::flag::bad;
use super::input::Input;
use super::selection::channels_as_stored;
use crate::error::Error;
use crate::flagging::{Channel, Manual};
use crate::vis::{select, UvRange};

/// The texts of a manual step; empty ones choose nothing.
pub(super) struct Chosen<'a> {
    pub antenna: &'a str,
    pub baseline: &'a str,
    pub spw: &'a str,
    pub field: &'a str,
    pub uvrange: &'a str,
}

impl Chosen<'_> {
    /// Names become numbers of the Measurement Set's antennas, windows and fields.
    ///
    /// # Errors
    /// What the Measurement Set does not have.
    pub fn manual(&self, reader: &dyn Input) -> Result<Manual, Error> {
        let mut out = Manual::default();
        let antenna = self.antenna.trim();
        let negated = antenna.split([',', ';']).filter(|p| p.trim().starts_with('!')).count();
        if antenna.contains('&') && negated == 0 {
            if !self.baseline.trim().is_empty() {
                return Err(bad("baseline", "baselines in antenna or in baseline", "both"));
            }
            out.baselines = baselines(reader, antenna)?;
        } else if negated > 0 {
            let names: Option<Vec<&str>> =
                antenna.split([',', ';']).map(|p| p.trim().strip_prefix('!')).collect();
            let names = names.filter(|names| names.iter().all(|n| !n.contains('&')));
            let names = names
                .ok_or_else(|| bad("antenna", "names, or '!' before each of them, or baselines", antenna))?;
            out.without = antennas(reader, &names.join(","))?;
        } else if !antenna.is_empty() {
            out.antennas = antennas(reader, antenna)?;
        }
        if !self.baseline.trim().is_empty() {
            out.baselines = baselines(reader, self.baseline)?;
        }
        if !self.spw.trim().is_empty() {
            out.channels = channels(reader, self.spw)?;
        }
        if !self.field.trim().is_empty() {
            let all: Vec<String> = reader.meta().fields.iter().map(|f| f.name.clone()).collect();
            out.fields = select("field", self.field, &all)?.into_iter().map(|k| k as u32).collect();
        }
        if !self.uvrange.trim().is_empty() {
            out.uvrange = Some(UvRange::parse(self.uvrange)?);
        }
        Ok(out)
    }
}

fn antennas(reader: &dyn Input, text: &str) -> Result<Vec<u32>, Error> {
    let all: Vec<String> = reader.meta().antennas.iter().map(|a| a.name.clone()).collect();
    Ok(select("antenna", text, &all)?.into_iter().map(|k| k as u32).collect())
}

fn baselines(reader: &dyn Input, text: &str) -> Result<Vec<(u32, u32)>, Error> {
    let mut out = Vec::new();
    for pair in text.split([',', ';']).map(str::trim).filter(|p| !p.is_empty()) {
        let ends = pair.split_once('&').map(|(a, b)| (a.trim(), b.trim()));
        let (a, b) = ends
            .filter(|(a, b)| !a.is_empty() && !b.is_empty() && !b.contains('&'))
            .ok_or_else(|| bad("baseline", "pairs such as '24&103'", pair))?;
        for i in antennas(reader, a)? {
            out.extend(antennas(reader, b)?.into_iter().map(|j| (i, j)));
        }
    }
    Ok(out)
}

/// Runs of channels, ascending in frequency.
fn channels(reader: &dyn Input, text: &str) -> Result<Vec<Channel>, Error> {
    let mut out = Vec::new();
    for (spw, chosen) in channels_as_stored(reader, text)? {
        let n = reader.meta().spws[spw].freq_hz.len();
        let chosen = chosen.unwrap_or_else(|| vec![true; n]);
        let mut first = 0;
        for run in chosen.chunk_by(|a, b| a == b) {
            if run[0] {
                out.push(Channel { spw, first, last: first + run.len() - 1 });
            }
            first += run.len();
        }
    }
    Ok(out)
}
