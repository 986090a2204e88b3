//! Bessel function of the first kind, order one.

/// `J_1(x)`, absolute error below 5e-11 for every finite `x`: power series up to 14, Hankel's asymptotic expansion
/// beyond (Abramowitz & Stegun 9.1.10, 9.2.5).
pub fn j1(x: f64) -> f64 {
    let a = x.abs();
    let value = if a < 14.0 { a * half_jinc(a * a) } else { hankel(a) };
    if x < 0.0 {
        -value
    } else {
        value
    }
}

/// `J_1(x) / x` as a function of `x^2`, which is entire: 1/2 at zero.
pub fn half_jinc(x2: f64) -> f64 {
    if x2 >= 196.0 {
        let x = x2.sqrt();
        return hankel(x) / x;
    }
    let y = -0.25 * x2;
    let (mut term, mut sum) = (0.5, 0.5);
    for k in 1..60 {
        term *= y / (k * (k + 1)) as f64;
        sum += term;
        if term.abs() < 1e-18 {
            break;
        }
    }
    sum
}

fn hankel(x: f64) -> f64 {
    let (mut p, mut q) = (0.0, 0.0);
    let mut term = 1.0_f64;
    for k in 0..40 {
        match k % 4 {
            0 => p += term,
            1 => q += term,
            2 => p -= term,
            _ => q -= term,
        }
        let odd = (2 * k + 1) as f64;
        let next = term * (4.0 - odd * odd) / ((k + 1) as f64 * 8.0 * x);
        // The expansion is asymptotic: stop at its smallest term.
        if next.abs() >= term.abs() || next.abs() < 1e-18 {
            break;
        }
        term = next;
    }
    let (sin, cos) = (x - 0.75 * std::f64::consts::PI).sin_cos();
    (2.0 / (std::f64::consts::PI * x)).sqrt() * (p * cos - q * sin)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Oracle: Bessel's integral, J_1(x) = 1/pi int_0^pi cos(tau - x sin tau) dtau, by the trapezoid rule (spectrally accurate).
    fn integral(x: f64) -> f64 {
        let n = 400;
        let pi = std::f64::consts::PI;
        let f = |i: usize| {
            let tau = pi * i as f64 / n as f64;
            (tau - x * tau.sin()).cos()
        };
        (0.5 * (f(0) + f(n)) + (1..n).map(f).sum::<f64>()) / n as f64
    }

    #[test]
    fn agrees_with_bessels_integral() {
        for i in 0..3000 {
            let x = -10.0 + 0.037 * f64::from(i);
            assert!((j1(x) - integral(x)).abs() < 5e-11, "{x}: {} {}", j1(x), integral(x));
        }
    }

    #[test]
    fn limit_at_zero_is_one_half() {
        assert_eq!(half_jinc(0.0), 0.5);
        assert!((half_jinc(1e-12) - 0.5).abs() < 1e-12);
    }
}
