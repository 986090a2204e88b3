//! Normalisation of amplitudes (CASA's `solnorm`).

use crate::gains::WindowGains;

/// Divide a bandpass by the rms amplitude of the unflagged solutions of each antenna, receptor and interval. Errors are divided too;
/// the SNR stays. (CASA takes a mean phase out as well; here it stays, so that a bandpass alone calibrates phases.)
pub fn normalise(window: &mut WindowGains) {
    let (nt, na, nf, nr) = window.value_tafr.dim();
    for t in 0..nt {
        for a in 0..na {
            for r in 0..nr {
                let cells: Vec<_> = (0..nf).map(|f| [t, a, f, r]).collect();
                divide(window, &cells);
            }
        }
    }
}

/// Divide gains by the rms amplitude of all unflagged solutions of the window: antennas keep their ratios, the flux scale stays.
pub fn normalise_gains(window: &mut WindowGains) {
    let cells: Vec<_> = window.flag_tafr.indexed_iter().map(|((t, a, f, r), _)| [t, a, f, r]).collect();
    divide(window, &cells);
}

fn divide(window: &mut WindowGains, cells: &[[usize; 4]]) {
    let (mut sum, mut n) = (0.0, 0.0);
    for at in cells.iter().filter(|at| !window.flag_tafr[**at]) {
        sum += window.value_tafr[*at].norm_sqr();
        n += 1.0;
    }
    if sum > 0.0 {
        let rms = f64::sqrt(sum / n);
        for at in cells {
            if !window.flag_tafr[*at] {
                window.value_tafr[*at] /= rms;
            }
            window.error_tafr[*at] /= rms as f32;
        }
    }
}
