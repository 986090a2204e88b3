//! Normalisation of amplitudes (CASA's `solnorm`).

use crate::gains::WindowGains;

/// Divide by the mean amplitude of unflagged solutions of each antenna, receptor (and, with several channels, interval).
/// Errors are divided too; the SNR stays.
pub fn normalise(window: &mut WindowGains) {
    let (nt, na, nf, nr) = window.value_tafr.dim();
    // A bandpass is normalised in each interval; a gain over all of them, or nothing would be left of it.
    let groups: Vec<Vec<usize>> =
        if nf > 1 { (0..nt).map(|t| vec![t]).collect() } else { vec![(0..nt).collect()] };
    for times in &groups {
        for a in 0..na {
            for r in 0..nr {
                let cells = || times.iter().flat_map(|t| (0..nf).map(move |f| [*t, a, f, r]));
                let (mut sum, mut n) = (0.0, 0.0);
                for at in cells().filter(|at| !window.flag_tafr[*at]) {
                    sum += window.value_tafr[at].norm();
                    n += 1.0;
                }
                if sum > 0.0 {
                    let mean = sum / n;
                    for at in cells() {
                        if !window.flag_tafr[at] {
                            window.value_tafr[at] /= mean;
                        }
                        window.error_tafr[at] /= mean as f32;
                    }
                }
            }
        }
    }
}
