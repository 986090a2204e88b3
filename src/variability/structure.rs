//! The first-order structure function.

use super::error::{check_errors, check_times, Error, Undefined};
use crate::control::Control;

const NAME: &str = "structure function";

/// One bin of lags.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LagBin {
    /// Mean lag of the pairs in the bin \[days\]; NaN without pairs.
    pub lag_days: f64,
    /// Mean of `(f_i - f_j)^2`, less `sigma_i^2 + sigma_j^2`, in the unit of the flux squared; NaN without pairs.
    pub value: f64,
    /// Number of pairs.
    pub pairs: u64,
}

/// `D(lag) = <(f(t) - f(t + lag))^2> - <sigma_i^2 + sigma_j^2>` in bins between `edges_days` (Simonetti, Cordes & Heeschen 1985,
/// doi:10.1086/163418); `err` may be empty for no noise term. Points in order of time; pairs beyond the last edge are not visited.
///
/// # Errors
/// Fewer than two points; bad, unsorted or all equal times; arrays that do not run in step; cancelled.
pub fn structure_function(
    mjd: &[f64],
    flux: &[f64],
    err: &[f64],
    edges_days: &[f64],
    control: &Control,
) -> Result<Vec<LagBin>, Error> {
    check_times(NAME, 2, mjd, flux)?;
    if !err.is_empty() {
        check_errors(NAME, 2, flux, err)?;
    }
    if let Some(index) = (1..edges_days.len()).find(|&i| edges_days[i] <= edges_days[i - 1]) {
        return Err(Undefined::Unsorted { statistic: "structure function bins", index }.into());
    }
    let bins = edges_days.len().saturating_sub(1);
    let mut sums = vec![(0.0f64, 0.0f64, 0u64); bins];
    let variance = |i: usize| if err.is_empty() { 0.0 } else { err[i] * err[i] };
    for i in 0..mjd.len() {
        control.check()?;
        let mut bin = 0;
        for j in i + 1..mjd.len() {
            let lag = mjd[j] - mjd[i];
            while bin + 1 < edges_days.len() && lag >= edges_days[bin + 1] {
                bin += 1;
            }
            if bin >= bins {
                break;
            }
            if lag >= edges_days[bin] {
                let s = &mut sums[bin];
                s.0 += lag;
                s.1 += (flux[i] - flux[j]).powi(2) - variance(i) - variance(j);
                s.2 += 1;
            }
        }
    }
    Ok(sums
        .into_iter()
        .map(|(lag, value, pairs)| LagBin {
            lag_days: lag / pairs as f64,
            value: value / pairs as f64,
            pairs,
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_grows_as_the_lag_squared() {
        let mjd: Vec<f64> = (0..50).map(f64::from).collect();
        let flux: Vec<f64> = mjd.iter().map(|t| 3.0 * t).collect();
        let d = structure_function(&mjd, &flux, &[], &[0.5, 1.5, 2.5, 3.5], &Control::new()).unwrap();
        for (bin, lag) in d.iter().zip([1.0, 2.0, 3.0]) {
            assert_eq!((bin.lag_days, bin.value), (lag, 9.0 * lag * lag));
        }
        assert_eq!(d[0].pairs, 49);
    }

    #[test]
    fn noise_is_taken_off_and_empty_bins_are_nan() {
        let d = structure_function(&[0.0, 1.0], &[1.0, 3.0], &[1.0, 1.0], &[0.5, 2.0, 9.0], &Control::new())
            .unwrap();
        assert_eq!(d[0].value, 2.0);
        assert!(d[1].value.is_nan() && d[1].pairs == 0);
    }
}
