//! Adaptive channel binning: the narrowest bands in which a source is seen.

use crate::kind::BadArgument;

use super::Error;

/// A detection in a bin of adjacent channels.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct BinnedDetection {
    /// First channel and one past the last.
    pub channels: (usize, usize),
    /// Weighted mean flux density \[Jy\].
    pub flux_jy: f64,
    /// Its error \[Jy\].
    pub flux_err_jy: f64,
    /// Flux over error.
    pub snr: f64,
}

/// Bins of a spectrum that reach `target_snr`: for each width from 1 to `max_width`, every run of adjacent channels that remain is
/// cut into slices of that width; a slice that reaches the target is a detection and leaves the pool, the others stay. Last, every
/// run of two or more that remain is tried whole. Channels without a finite flux and a positive error break a run.
///
/// A bin's flux is the inverse-variance mean (for equal errors the mean, with error `rms / sqrt(n)`).
///
/// # Errors
/// Lengths that differ; a target or width that is not positive.
pub fn adaptive_bins(
    flux_jy: &[f64],
    err_jy: &[f64],
    target_snr: f64,
    max_width: usize,
) -> Result<Vec<BinnedDetection>, Error> {
    if flux_jy.len() != err_jy.len() {
        let found = format!("{} and {}", flux_jy.len(), err_jy.len());
        return Err(BadArgument::new("flux_jy, err_jy", "as many errors as fluxes", found).into());
    }
    if !(target_snr > 0.0) || max_width == 0 {
        let found = format!("{target_snr}, {max_width}");
        return Err(BadArgument::new("target_snr, max_width", "positive numbers", found).into());
    }
    let mut left: Vec<bool> =
        flux_jy.iter().zip(err_jy).map(|(f, e)| f.is_finite() && *e > 0.0 && e.is_finite()).collect();
    let mut found = Vec::new();
    for width in 1..=max_width.min(flux_jy.len()) {
        for (first, end) in runs(&left) {
            let mut start = first;
            while start + width <= end {
                take(flux_jy, err_jy, (start, start + width), target_snr, &mut left, &mut found);
                start += width;
            }
        }
    }
    for (first, end) in runs(&left) {
        if end - first >= 2 {
            take(flux_jy, err_jy, (first, end), target_snr, &mut left, &mut found);
        }
    }
    found.sort_by_key(|d: &BinnedDetection| d.channels);
    Ok(found)
}

/// Runs of channels that remain, `[first, end)`.
fn runs(left: &[bool]) -> Vec<(usize, usize)> {
    let mut out = Vec::new();
    let mut first = None;
    for i in 0..=left.len() {
        match (first, left.get(i).copied().unwrap_or(false)) {
            (None, true) => first = Some(i),
            (Some(start), false) => {
                out.push((start, i));
                first = None;
            }
            _ => {}
        }
    }
    out
}

fn take(
    flux: &[f64],
    err: &[f64],
    (first, end): (usize, usize),
    target: f64,
    left: &mut [bool],
    found: &mut Vec<BinnedDetection>,
) {
    let (mut sum, mut weight) = (0.0, 0.0);
    for i in first..end {
        let w = 1.0 / (err[i] * err[i]);
        sum += w * flux[i];
        weight += w;
    }
    let (flux_jy, flux_err_jy) = (sum / weight, weight.sqrt().recip());
    let snr = flux_jy / flux_err_jy;
    if snr >= target {
        left[first..end].fill(false);
        found.push(BinnedDetection { channels: (first, end), flux_jy, flux_err_jy, snr });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrow_bins_first_then_wider_then_the_rest() {
        // 6 sigma in channel 0; 4 sigma in 1 and 2, which together have 5.7; 2.6 in the last four: 5.2 together.
        let flux = [6.0, 4.0, 4.0, 2.6, 2.6, 2.6, 2.6];
        let found = adaptive_bins(&flux, &[1.0; 7], 5.0, 16).unwrap();
        let channels: Vec<_> = found.iter().map(|d| d.channels).collect();
        assert_eq!(channels, [(0, 1), (1, 3), (3, 7)]);
        assert!((found[1].snr - 8.0 / 2f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn a_gap_breaks_a_run_and_a_faint_source_is_not_seen() {
        let flux = [3.0, f64::NAN, 3.0, 3.0];
        assert!(adaptive_bins(&flux, &[1.0; 4], 5.0, 4).unwrap().is_empty());
        assert!(adaptive_bins(&[], &[], 5.0, 4).unwrap().is_empty());
        assert!(adaptive_bins(&[1.0], &[], 5.0, 4).is_err());
        assert!(adaptive_bins(&[1.0], &[1.0], f64::NAN, 4).is_err());
    }
}
