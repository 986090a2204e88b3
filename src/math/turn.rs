//! Sine and cosine of turns, for loops that the compiler makes vectors of.

/// Sine and cosine of `2 pi t`, `t` within half a turn of zero, to 7e-7: polynomials in `t` squared through Chebyshev points.
#[inline(always)]
pub fn sin_cos_turn(t: f32) -> (f32, f32) {
    let u = t * t;
    let sine = t
        * (6.283_185
            + u * (-41.341_59 + u * (81.599_94 + u * (-76.614_47 + u * (41.342_88 - 12.471_243 * u)))));
    let cosine = 1.0
        + u * (-19.739_204
            + u * (64.939_12 + u * (-85.450_14 + u * (60.167_63 + u * (-25.967_6 + 6.528_658 * u)))));
    (sine, cosine)
}

#[cfg(test)]
mod tests {
    use super::sin_cos_turn;

    #[test]
    fn agrees_with_the_library_over_the_whole_turn() {
        for k in -1000..=1000 {
            let t = 0.5e-3 * f64::from(k);
            let (sine, cosine) = sin_cos_turn(t as f32);
            let (s, c) = (std::f64::consts::TAU * f64::from(t as f32)).sin_cos();
            assert!((f64::from(sine) - s).abs() < 7e-7 && (f64::from(cosine) - c).abs() < 7e-7, "{t}");
        }
    }
}
