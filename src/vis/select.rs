//! Selection of numbered, named things (fields, spectral windows, antennas, scans), in CASA's words.

use super::Error;
use crate::kind::BadArgument;

/// Indices chosen by `text` among `names`: `''` or `*` is all; otherwise a comma list of indices (`3`), ranges (`0~23`),
/// comparisons (`<5`, `>18`), names, and names with `*` (`meridian_icrs_t*`). A name wins over the same text as an index.
/// Channel parts (`0:5~10`) are for [`select_channels`]. Ascending, without repeats.
///
/// # Errors
/// A part that chooses nothing, with what there is.
pub fn select(what: &str, text: &str, names: &[String]) -> Result<Vec<usize>, Error> {
    let text = text.trim();
    if text.is_empty() || text == "*" {
        return Ok((0..names.len()).collect());
    }
    let mut chosen = vec![false; names.len()];
    for part in text.split(',').map(str::trim) {
        let found = one(part, names);
        if found.is_empty() {
            return Err(BadArgument::new(what, expected(names), format!("'{part}' in '{text}'")).into());
        }
        for k in found {
            chosen[k] = true;
        }
    }
    Ok((0..names.len()).filter(|k| chosen[*k]).collect())
}

/// Windows and, where `text` names some of a window's, its channels: CASA's `0`, `0:3~5;10`, `*:5~42`, `2~4,7:<8`. `channels` has the
/// number of channels of every window; numbers count in the order in which they are stored.
///
/// # Errors
/// As [`select`]; channels that a window does not have.
pub fn select_channels(
    what: &str,
    text: &str,
    channels: &[usize],
) -> Result<Vec<(usize, Option<Vec<bool>>)>, Error> {
    let numbers: Vec<String> = (0..channels.len()).map(|k| k.to_string()).collect();
    let mut chosen: Vec<Option<Option<Vec<bool>>>> = vec![None; channels.len()];
    for part in text.split(',') {
        let (windows, ranges) = part.split_once(':').map_or((part, None), |(w, r)| (w, Some(r)));
        for spw in select(what, windows, &numbers)? {
            let Some(ranges) = ranges else {
                chosen[spw] = Some(None);
                continue;
            };
            let mut wanted = vec![false; channels[spw]];
            for range in ranges.split(';') {
                let named =
                    range_of(range.trim(), channels[spw]).filter(|r| !r.is_empty()).ok_or_else(|| {
                        let last = channels[spw].saturating_sub(1);
                        let expected = format!("channels 0~{last} of window {spw}, such as '{spw}:0~{last}'");
                        BadArgument::new(what, expected, format!("'{}' in '{}'", range.trim(), text.trim()))
                    })?;
                wanted[named].fill(true);
            }
            match &mut chosen[spw] {
                Some(None) => {}
                Some(Some(before)) => before.iter_mut().zip(wanted).for_each(|(a, b)| *a |= b),
                empty => *empty = Some(Some(wanted)),
            }
        }
    }
    Ok(chosen.into_iter().enumerate().filter_map(|(spw, c)| c.map(|c| (spw, c))).collect())
}

/// `3`, `0~23`, `<5`, `>18` of `n` things.
fn range_of(part: &str, n: usize) -> Option<std::ops::Range<usize>> {
    let index = |s: &str| s.trim().parse::<usize>().ok();
    if let Some((low, high)) = part.split_once('~') {
        index(low).zip(index(high)).filter(|(a, b)| a <= b && *b < n).map(|(a, b)| a..b + 1)
    } else if let Some(rest) = part.strip_prefix('<') {
        index(rest).map(|b| 0..b.min(n))
    } else if let Some(rest) = part.strip_prefix('>') {
        index(rest).map(|a| (a + 1).min(n)..n)
    } else {
        index(part).filter(|k| *k < n).map(|k| k..k + 1)
    }
}

fn expected(names: &[String]) -> String {
    let last = names.len().saturating_sub(1);
    let shown = names.iter().take(4).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = if names.len() > 4 { ", ..." } else { "" };
    format!("an index 0~{last} or a name ({shown}{more})")
}

fn one(part: &str, names: &[String]) -> Vec<usize> {
    let named: Vec<usize> = (0..names.len()).filter(|k| matches(part, &names[*k])).collect();
    if !named.is_empty() || part.is_empty() {
        return named;
    }
    range_of(part, names.len()).map_or_else(Vec::new, Iterator::collect)
}

/// Glob with `*` alone.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(rest) = name.strip_prefix(head) else {
        return false;
    };
    (0..=rest.len()).filter(|k| rest.is_char_boundary(*k)).any(|k| matches(tail, &rest[k..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(n: usize) -> Vec<String> {
        (0..n).map(|k| format!("meridian_icrs_t{k}")).collect()
    }

    #[test]
    fn casa_words() {
        let fields = names(24);
        let chosen = |s: &str| select("field", s, &fields).unwrap();
        assert_eq!(chosen("").len(), 24);
        assert_eq!(chosen("0~23").len(), 24);
        assert_eq!(chosen("10~12"), [10, 11, 12]);
        assert_eq!(chosen("7,3, 3"), [3, 7]);
        assert_eq!(chosen("meridian_icrs_t5"), [5]);
        assert_eq!(chosen("*_t2*"), [2, 20, 21, 22, 23]);
        assert_eq!(chosen("<2,>22"), [0, 1, 23]);
        for wrong in ["24", "20~24", "nothing", "3~1", "0:5~10", "1,,2"] {
            assert!(select("field", wrong, &fields).unwrap_err().to_string().contains("0~23"), "{wrong}");
        }
    }

    #[test]
    fn channels_of_windows() {
        let chosen = |s: &str| select_channels("spw", s, &[8, 8, 4]).unwrap();
        let on = |n: usize, of: &[usize]| Some((0..n).map(|k| of.contains(&k)).collect::<Vec<_>>());
        assert_eq!(chosen("1"), [(1, None)]);
        assert_eq!(chosen("").len(), 3);
        assert_eq!(chosen("0:3~5;7"), [(0, on(8, &[3, 4, 5, 7]))]);
        assert_eq!(chosen("0:1,0: 3~4 , 2:>1"), [(0, on(8, &[1, 3, 4])), (2, on(4, &[2, 3]))]);
        assert_eq!(chosen("*:<2").iter().map(|c| c.1.clone()).collect::<Vec<_>>()[2], on(4, &[0, 1]));
        assert_eq!(chosen("0:1,0"), [(0, None)]);
        for wrong in ["0:8", "0:5~3", "0:1;", "2:0~7", "0:1.4GHz", "3:0", "0:", "0:2^2"] {
            let error = select_channels("spw", wrong, &[8, 8, 4]).unwrap_err().to_string();
            assert!(error.contains("0~"), "{wrong}: {error}");
        }
    }

    #[test]
    fn a_name_wins_over_an_index() {
        let antennas: Vec<String> = ["24", "103", "0"].iter().map(|s| (*s).to_owned()).collect();
        assert_eq!(select("refant", "103", &antennas).unwrap(), [1]);
        assert_eq!(select("refant", "0", &antennas).unwrap(), [2]);
        assert_eq!(select("refant", "2", &antennas).unwrap(), [2]);
    }
}
