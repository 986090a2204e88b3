//! A bandpass as a polynomial in frequency.

use num_complex::Complex64;

use crate::gains::WindowGains;
use crate::math::linear::Cholesky;

/// Highest degree: beyond it a window of some tens of channels is followed rather than smoothed.
pub(super) const MOST_DEGREE: usize = 15;

/// Replace each spectrum of unflagged solutions by the least-squares polynomial of `degree` through it.
///
/// With `x` from -1 to 1 over the window and the mean phase step per channel `s` (the delay) taken out first, real and imaginary
/// parts are expanded in Chebyshev polynomials, `g_f exp(-i s f) = sum_k c_k T_k(x_f)`, weighted with `1 / sigma_f^2`. The
/// new error is that of the fit, `sigma^2 T^T (sum T T^T / sigma^2)^-1 T`. Spectra with too few channels stay as they are; flagged
/// channels stay flagged.
pub(super) fn fit_polynomials(window: &mut WindowGains, degree: usize) {
    let (nt, na, nf, nr) = window.value_tafr.dim();
    for t in 0..nt {
        for a in 0..na {
            for r in 0..nr {
                let good: Vec<usize> = (0..nf).filter(|f| !window.flag_tafr[[t, a, *f, r]]).collect();
                if good.len() > degree + 1 {
                    fit(window, [t, a, r], &good, degree);
                }
            }
        }
    }
}

fn fit(window: &mut WindowGains, [t, a, r]: [usize; 3], good: &[usize], degree: usize) {
    let nf = window.freq_hz.len();
    let value = |f: usize| window.value_tafr[[t, a, f, r]];
    let weight = |f: usize| {
        let error = f64::from(window.error_tafr[[t, a, f, r]]);
        if error > 0.0 {
            1.0 / (error * error)
        } else {
            0.0
        }
    };
    // Without errors all channels count alike.
    let all_alike = good.iter().all(|f| weight(*f) == 0.0);
    let weight = |f: usize| if all_alike { 1.0 } else { weight(f) };
    let step = phase_step(good, value);
    let turn = |f: usize| Complex64::from_polar(1.0, -step * f as f64);
    let n = degree + 1;
    let (mut normal, mut re, mut im) = (vec![0.0; n * n], vec![0.0; n], vec![0.0; n]);
    let mut basis = vec![0.0; n];
    for f in good {
        chebyshev(*f, nf, &mut basis);
        let (w, z) = (weight(*f), value(*f) * turn(*f));
        for i in 0..n {
            re[i] += z.re * (w * basis[i]);
            im[i] += z.im * (w * basis[i]);
            for j in 0..n {
                normal[i * n + j] += w * basis[i] * basis[j];
            }
        }
    }
    let Ok(factor) = Cholesky::new(&normal, n) else { return };
    factor.solve(&mut re);
    factor.solve(&mut im);
    for f in good {
        chebyshev(*f, nf, &mut basis);
        let fitted: Complex64 =
            re.iter().zip(&im).zip(&basis).map(|((x, y), b)| Complex64::new(*x, *y) * *b).sum();
        let mut share = basis.clone();
        factor.solve(&mut share);
        let variance: f64 = share.iter().zip(&basis).map(|(c, b)| c * b).sum();
        let at = [t, a, *f, r];
        window.value_tafr[at] = fitted * turn(*f).conj();
        if !all_alike && variance > 0.0 {
            let error = variance.sqrt();
            window.error_tafr[at] = error as f32;
            window.snr_tafr[at] = (fitted.norm() / error / std::f64::consts::SQRT_2).min(1e8) as f32;
        }
    }
}

/// Mean phase from channel to channel, from neighbours that are both there \[rad\].
fn phase_step(good: &[usize], value: impl Fn(usize) -> Complex64) -> f64 {
    let pairs = good.windows(2).filter(|p| p[1] == p[0] + 1);
    pairs.map(|p| value(p[1]) * value(p[0]).conj()).sum::<Complex64>().arg()
}

/// `T_0 .. T_n` at channel `f` of `nf`.
fn chebyshev(f: usize, nf: usize, out: &mut [f64]) {
    let x = if nf > 1 { 2.0 * f as f64 / (nf - 1) as f64 - 1.0 } else { 0.0 };
    for k in 0..out.len() {
        out[k] = match k {
            0 => 1.0,
            1 => x,
            _ => 2.0 * x * out[k - 1] - out[k - 2],
        };
    }
}
