//! Filling of short gaps along frequency (CASA's `fillgaps`).

use num_complex::Complex64;

use crate::gains::WindowGains;

/// Replace runs of at most `widest` flagged channels between two good ones by a line in amplitude and phase, and unflag them.
pub fn fill_gaps(window: &mut WindowGains, widest: usize) {
    if widest == 0 {
        return;
    }
    let (nt, na, nf, nr) = window.value_tafr.dim();
    for t in 0..nt {
        for a in 0..na {
            for r in 0..nr {
                let mut last_good: Option<usize> = None;
                for f in 0..nf {
                    if window.flag_tafr[[t, a, f, r]] {
                        continue;
                    }
                    if let Some(before) = last_good.filter(|b| f - b > 1 && f - b - 1 <= widest) {
                        bridge(window, [t, a, r], before, f);
                    }
                    last_good = Some(f);
                }
            }
        }
    }
}

fn bridge(window: &mut WindowGains, tar: [usize; 3], before: usize, after: usize) {
    let [t, a, r] = tar;
    let (p, q) = (window.value_tafr[[t, a, before, r]], window.value_tafr[[t, a, after, r]]);
    let turn = (q * p.conj()).arg();
    let error = window.error_tafr[[t, a, before, r]].max(window.error_tafr[[t, a, after, r]]);
    for f in before + 1..after {
        let x = (f - before) as f64 / (after - before) as f64;
        let amp = p.norm() * (1.0 - x) + q.norm() * x;
        let at = [t, a, f, r];
        window.value_tafr[at] = Complex64::from_polar(amp, p.arg() + x * turn);
        window.error_tafr[at] = error;
        window.snr_tafr[at] =
            if error > 0.0 { (amp / f64::from(error) / std::f64::consts::SQRT_2) as f32 } else { 0.0 };
        window.flag_tafr[at] = false;
    }
}
