//! Tail probabilities of the normal and chi-square distributions, in logarithms so that far tails keep their digits.

use std::f64::consts::PI;

/// ln Gamma(x) for x > 0 (Lanczos approximation with g = 7 and nine terms; relative error below 1e-13).
pub fn ln_gamma(x: f64) -> f64 {
    const G: f64 = 7.0;
    const C: [f64; 9] = [
        0.999_999_999_999_809_93,
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_13,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_571_6e-6,
        1.505_632_735_149_311_6e-7,
    ];
    if x < 0.5 {
        return (PI / (PI * x).sin()).ln() - ln_gamma(1.0 - x);
    }
    let y = x - 1.0;
    let t = y + G + 0.5;
    let series = C.iter().enumerate().skip(1).fold(C[0], |acc, (i, c)| acc + c / (y + i as f64));
    0.5 * (2.0 * PI).ln() + (y + 0.5) * t.ln() - t + series.ln()
}

/// ln Q(a, x), the regularised upper incomplete gamma function (DLMF 8.11 and 8.9: series below a + 1, continued fraction above).
pub fn ln_gamma_q(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    let log_front = a * x.ln() - x - ln_gamma(a);
    if x < a + 1.0 {
        let (mut term, mut sum, mut k) = (1.0 / a, 1.0 / a, a);
        for _ in 0..10_000 {
            k += 1.0;
            term *= x / k;
            sum += term;
            if term < sum * 1e-16 {
                break;
            }
        }
        let p = (log_front + sum.ln()).exp().min(1.0);
        return (-p).ln_1p();
    }
    // Modified Lentz evaluation of the continued fraction.
    let tiny = 1e-300;
    let mut b = x + 1.0 - a;
    let mut c = 1.0 / tiny;
    let mut d = 1.0 / b;
    let mut h = d;
    for i in 1..10_000 {
        let an = -(i as f64) * (i as f64 - a);
        b += 2.0;
        d = an * d + b;
        d = if d.abs() < tiny { tiny } else { d };
        c = b + an / c;
        c = if c.abs() < tiny { tiny } else { c };
        d = 1.0 / d;
        let step = d * c;
        h *= step;
        if (step - 1.0).abs() < 1e-15 {
            break;
        }
    }
    log_front + h.ln()
}

/// ln of the probability that chi-square with `dof` degrees of freedom exceeds `chi2`.
pub fn ln_chi2_survival(chi2: f64, dof: f64) -> f64 {
    ln_gamma_q(0.5 * dof, 0.5 * chi2)
}

/// ln of the upper tail of the unit normal, `P(z > x)`.
pub fn ln_normal_survival(x: f64) -> f64 {
    if x >= 0.0 {
        ln_gamma_q(0.5, 0.5 * x * x) - std::f64::consts::LN_2
    } else {
        (-ln_normal_survival(-x).exp()).ln_1p()
    }
}

/// The `x` whose upper normal tail is `exp(ln_p)`; infinite when `ln_p` is.
pub fn normal_quantile_of_survival(ln_p: f64) -> f64 {
    if !ln_p.is_finite() {
        return if ln_p == f64::NEG_INFINITY { f64::INFINITY } else { f64::NAN };
    }
    if ln_p > -std::f64::consts::LN_2 {
        // The other tail, whose probability is 1 - p.
        return -normal_quantile_of_survival((-ln_p.exp()).ln_1p());
    }
    // To 4.5e-4 (Abramowitz & Stegun 26.2.23), then Newton's steps on ln P, which is nearly a parabola.
    let t = (-2.0 * ln_p).sqrt();
    let top = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let mut x = t - top / (1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308)));
    for _ in 0..4 {
        let value = ln_normal_survival(x.max(0.0));
        let slope = -(-0.5 * x * x - 0.5 * (2.0 * PI).ln() - value).exp();
        let step = (value - ln_p) / slope;
        x -= step;
        if step.abs() < 1e-9 * (1.0 + x) {
            break;
        }
    }
    x.max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gamma_of_integers_and_a_half() {
        assert!((ln_gamma(5.0) - 24f64.ln()).abs() < 1e-13);
        assert!((ln_gamma(0.5) - 0.5 * PI.ln()).abs() < 1e-13);
    }

    // With two degrees of freedom the survival function is exp(-x / 2).
    #[test]
    fn chi2_of_two_degrees_is_exponential() {
        for x in [0.1, 1.0, 2.5, 30.0, 3000.0] {
            assert!((ln_chi2_survival(x, 2.0) + 0.5 * x).abs() < 1e-12 * (1.0 + x), "{x}");
        }
    }

    #[test]
    fn normal_tails() {
        // Phi(-1.959963984540054) = 0.025
        assert!((ln_normal_survival(1.959_963_984_540_054).exp() - 0.025).abs() < 1e-14);
        assert!((ln_normal_survival(-1.959_963_984_540_054).exp() - 0.975).abs() < 1e-14);
        for x in [-3.0, 0.0, 1.0, 8.0, 60.0] {
            assert!((normal_quantile_of_survival(ln_normal_survival(x)) - x).abs() < 1e-8, "{x}");
        }
    }
}
