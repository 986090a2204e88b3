//! Selection of numbered, named things (fields, spectral windows, antennas, scans), in CASA's words.

use super::Error;
use crate::kind::BadArgument;

/// Indices chosen by `text` among `names`: `''` or `*` is all; otherwise a comma list of indices (`3`), ranges (`0~23`),
/// comparisons (`<5`, `>18`), names, and names with `*` (`meridian_icrs_t*`). A name wins over the same text as an index.
/// Channel parts (`0:5~10`) are refused. Ascending, without repeats.
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
    let n = names.len();
    let index = |s: &str| s.trim().parse::<usize>().ok();
    let range = if let Some((low, high)) = part.split_once('~') {
        index(low).zip(index(high)).filter(|(a, b)| a <= b && *b < n).map(|(a, b)| a..b + 1)
    } else if let Some(rest) = part.strip_prefix('<') {
        index(rest).map(|b| 0..b.min(n))
    } else if let Some(rest) = part.strip_prefix('>') {
        index(rest).map(|a| (a + 1).min(n)..n)
    } else {
        index(part).filter(|k| *k < n).map(|k| k..k + 1)
    };
    range.map_or_else(Vec::new, Iterator::collect)
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
    fn a_name_wins_over_an_index() {
        let antennas: Vec<String> = ["24", "103", "0"].iter().map(|s| (*s).to_owned()).collect();
        assert_eq!(select("refant", "103", &antennas).unwrap(), [1]);
        assert_eq!(select("refant", "0", &antennas).unwrap(), [2]);
        assert_eq!(select("refant", "2", &antennas).unwrap(), [2]);
    }
}
