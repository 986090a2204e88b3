//! A sky as CSV text.

use super::{Error, SimSource};
use crate::kind::BadArgument;

/// Sources from CSV with a header: `ra_deg`, `dec_deg` and `flux_jy` (at 1.4 GHz; or `flux_mjy`, or NVSS's `nvss_flux_mjy`) are
/// needed; `name`, `alpha`, `size_arcsec` (a circular Gaussian), `major_arcsec`, `minor_arcsec`, `pa_deg` are known; other columns
/// are passed over. Lines that begin with `#` are comments.
///
/// # Errors
/// A missing column; a value that is no number, naming the line.
pub fn parse_sky_csv(text: &str, origin: &str) -> Result<Vec<SimSource>, Error> {
    let lines = text.trim_start_matches('\u{feff}').lines().enumerate();
    let mut lines = lines.filter(|(_, l)| !l.trim().is_empty() && !l.starts_with('#'));
    let header: Vec<&str> =
        lines.next().map(|(_, l)| l.split(',').map(str::trim).collect()).unwrap_or_default();
    let column = |name: &str| header.iter().position(|h| h.eq_ignore_ascii_case(name));
    let needed = |name: &str| {
        column(name).ok_or_else(|| {
            BadArgument::new(origin, format!("a column '{name}'"), format!("columns {}", header.join(",")))
        })
    };
    let (ra, dec) = (needed("ra_deg")?, needed("dec_deg")?);
    let (flux, unit) = match (column("flux_jy"), column("flux_mjy").or_else(|| column("nvss_flux_mjy"))) {
        (Some(at), _) => (at, 1.0),
        (None, Some(at)) => (at, 1e-3),
        (None, None) => (needed("flux_jy")?, 1.0),
    };
    let [name, alpha, size, major, minor, pa] =
        ["name", "alpha", "size_arcsec", "major_arcsec", "minor_arcsec", "pa_deg"].map(column);
    let mut sources = Vec::new();
    for (number, line) in lines {
        let cells: Vec<&str> = line.split(',').map(str::trim).collect();
        let value = |at: usize| -> Result<f64, Error> {
            let cell = cells.get(at).copied().unwrap_or("");
            let number = number + 1;
            cell.parse::<f64>().ok().filter(|x| x.is_finite()).ok_or_else(|| {
                BadArgument::new(
                    origin,
                    format!("a number in column '{}' of line {number}", header[at]),
                    format!("{cell:?}"),
                )
                .into()
            })
        };
        // An empty cell of an optional column is zero.
        let optional = |at: Option<usize>| match at {
            Some(at) if cells.get(at).is_some_and(|c| !c.is_empty()) => value(at),
            _ => Ok(0.0),
        };
        let circular = optional(size)?;
        let named = name.and_then(|at| cells.get(at)).filter(|n| !n.is_empty());
        sources.push(SimSource {
            name: named.map_or_else(|| format!("S{:04}", sources.len()), |n| (*n).to_owned()),
            ra_deg: value(ra)?,
            dec_deg: value(dec)?,
            flux_jy: unit * value(flux)?,
            alpha: optional(alpha)?,
            major_arcsec: if major.is_some() { optional(major)? } else { circular },
            minor_arcsec: if minor.is_some() { optional(minor)? } else { circular },
            pa_deg: optional(pa)?,
            variability: None,
        });
    }
    Ok(sources)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_in_any_order_and_unit() {
        let sky = parse_sky_csv("# sky\ndec_deg,flux_mjy,ra_deg,alpha,size_arcsec,extra\n16.1,250,359.9,-0.7,30,x\n-1,10,0.1,,,\n", "t").unwrap();
        assert_eq!((sky[0].ra_deg, sky[0].dec_deg, sky[0].flux_jy, sky[0].alpha), (359.9, 16.1, 0.25, -0.7));
        assert_eq!((sky[0].major_arcsec, sky[0].minor_arcsec, sky[1].major_arcsec), (30.0, 30.0, 0.0));
        assert_eq!(sky[1].name, "S0001");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, word) in [
            ("", "ra_deg"),
            ("ra_deg,dec_deg\n1,2\n", "flux_jy"),
            ("ra_deg,dec_deg,flux_jy\n1,2,x\n", "line 2"),
            ("ra_deg,dec_deg,flux_jy\n1,2\n", "line 2"),
            ("ra_deg,dec_deg,flux_jy\n1,nan,3\n", "line 2"),
        ] {
            let error = parse_sky_csv(text, "sky.csv").unwrap_err().to_string();
            assert!(error.contains(word) && error.contains("sky.csv"), "{error}");
        }
    }
}
