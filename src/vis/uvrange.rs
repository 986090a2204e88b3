//! Selection by projected baseline length, in CASA's words.

use super::Error;
use crate::constants::SPEED_OF_LIGHT_M_S;
use crate::kind::BadArgument;

/// A range of `sqrt(u^2 + v^2)`, ends included.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct UvRange {
    /// Least length.
    pub min: f64,
    /// Greatest length.
    pub max: f64,
    /// Lengths are in wavelengths; otherwise in metres.
    pub wavelengths: bool,
}

impl Default for UvRange {
    fn default() -> Self {
        Self { min: 0.0, max: f64::INFINITY, wavelengths: false }
    }
}

impl UvRange {
    /// Parse CASA's `uvrange`: `''`, `>1klambda`, `<500m`, `2~50m`, `0.5~3km`; no unit means metres.
    ///
    /// # Errors
    /// Anything else.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let bad = || {
            Error::from(BadArgument::new(
                "uvrange",
                "'>1klambda', '<500m', '2~50m' or ''",
                format!("'{text}'"),
            ))
        };
        if text.is_empty() {
            return Ok(Self::default());
        }
        // The unit begins at the first letter that is not the exponent of a number (1e3).
        let exponent = |k: usize| {
            text[k..].starts_with(['e', 'E']) && text[k + 1..].starts_with(|c: char| c.is_ascii_digit())
        };
        let unit = text.char_indices().find(|&(k, c)| c.is_alphabetic() && !exponent(k));
        let split = unit.map_or(text.len(), |(k, _)| k);
        let (scale, wavelengths) = match text[split..].trim().to_lowercase().as_str() {
            "" | "m" => (1.0, false),
            "km" => (1e3, false),
            "lambda" => (1.0, true),
            "klambda" => (1e3, true),
            _ => return Err(bad()),
        };
        let number = |s: &str| {
            s.trim()
                .parse::<f64>()
                .ok()
                .filter(|v| v.is_finite() && *v >= 0.0)
                .map(|v| v * scale)
                .ok_or_else(bad)
        };
        let body = text[..split].trim();
        let (min, max) = if let Some(rest) = body.strip_prefix('>') {
            (number(rest)?, f64::INFINITY)
        } else if let Some(rest) = body.strip_prefix('<') {
            (0.0, number(rest)?)
        } else if let Some((low, high)) = body.split_once('~') {
            (number(low)?, number(high)?)
        } else {
            return Err(bad());
        };
        if min > max {
            return Err(bad());
        }
        Ok(Self { min, max, wavelengths })
    }

    /// Whether a baseline with these projected lengths is inside at this frequency.
    pub fn contains(&self, uvw_m: [f64; 3], freq_hz: f64) -> bool {
        let length = uvw_m[0].hypot(uvw_m[1]);
        let length = if self.wavelengths { length * freq_hz / SPEED_OF_LIGHT_M_S } else { length };
        length >= self.min && length <= self.max
    }

    /// Whether the range excludes nothing.
    pub fn is_all(&self) -> bool {
        self.min <= 0.0 && self.max == f64::INFINITY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn casa_words() {
        let r = UvRange::parse(">1klambda").unwrap();
        assert!(!r.contains([100.0, 0.0, 50.0], 1.4e9) && r.contains([0.0, 250.0, 0.0], 1.4e9));
        assert_eq!(UvRange::parse("2~50m").unwrap(), UvRange { min: 2.0, max: 50.0, wavelengths: false });
        assert_eq!(UvRange::parse(" < 1.5 km").unwrap().max, 1500.0);
        assert_eq!(
            UvRange::parse("1e2~1e3lambda").unwrap(),
            UvRange { min: 100.0, max: 1000.0, wavelengths: true }
        );
        assert!(UvRange::parse("").unwrap().is_all());
        for wrong in ["7", "5~2m", ">x", "2~3parsec", ">-4", "~"] {
            assert!(UvRange::parse(wrong).is_err(), "{wrong}");
        }
    }
}
