//! Stokes parameters of polarisation products.

use num_complex::Complex32;

use super::Error;
use crate::kind::BadArgument;
use crate::vis::Product;

/// A Stokes parameter, in the frame of the feeds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stokes {
    /// Total intensity.
    #[default]
    I,
    /// `(XX - YY) / 2` of linear feeds, `(RL + LR) / 2` of circular ones.
    Q,
    /// `(XY + YX) / 2`, or `(RL - LR) / 2i`.
    U,
    /// `(XY - YX) / 2i`, or `(RR - LL) / 2`.
    V,
}

/// A Stokes parameter as a sum of two products, `a P + b Q`; both places are the same when one hand stands for both.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Combination {
    pub places: [usize; 2],
    pub factors: [Complex32; 2],
}

impl Stokes {
    /// From its letter.
    pub fn from_name(name: &str) -> Option<Self> {
        [("I", Self::I), ("Q", Self::Q), ("U", Self::U), ("V", Self::V)]
            .into_iter()
            .find(|(letter, _)| letter.eq_ignore_ascii_case(name))
            .map(|(_, stokes)| stokes)
    }

    /// Code of the FITS axis `STOKES`.
    pub fn fits_code(self) -> f64 {
        f64::from(self as u8) + 1.0
    }

    /// How to make it of the products of the data.
    ///
    /// # Errors
    /// Products that do not hold it: the text names those that would.
    pub(super) fn of(self, products: &[Product]) -> Result<Combination, Error> {
        let place = |p: Product| products.iter().position(|q| *q == p);
        let half = |re: f32, im: f32| Complex32::new(0.5 * re, 0.5 * im);
        let circular = products.iter().any(|p| p.is_circular());
        let sum = [half(1.0, 0.0), half(1.0, 0.0)];
        let difference = [half(1.0, 0.0), half(-1.0, 0.0)];
        // Over i: times -i.
        let turned = [half(0.0, -1.0), half(0.0, 1.0)];
        let (pair, factors) = match (self, circular) {
            (Self::I, _) => return parallel(products),
            (Self::Q, false) => ([Product::XX, Product::YY], difference),
            (Self::U, false) => ([Product::XY, Product::YX], sum),
            (Self::V, false) => ([Product::XY, Product::YX], turned),
            (Self::Q, true) => ([Product::RL, Product::LR], sum),
            (Self::U, true) => ([Product::RL, Product::LR], turned),
            (Self::V, true) => ([Product::RR, Product::LL], difference),
        };
        match (place(pair[0]), place(pair[1])) {
            (Some(a), Some(b)) => Ok(Combination { places: [a, b], factors }),
            _ => {
                let expected = format!("Stokes {self:?} needs the products {:?} and {:?}", pair[0], pair[1]);
                Err(BadArgument::new("pol", expected, format!("data with {products:?}")).into())
            }
        }
    }
}

/// Stokes I: the mean of the parallel hands, or the only one.
fn parallel(products: &[Product]) -> Result<Combination, Error> {
    let hands: Vec<usize> = (0..products.len()).filter(|p| products[*p].is_parallel()).collect();
    if hands.is_empty() || hands.len() > 2 {
        let found = format!("{products:?}");
        return Err(BadArgument::new("polarisation products", "one or two parallel hands", found).into());
    }
    let half = Complex32::new(0.5, 0.0);
    Ok(Combination { places: [hands[0], hands[hands.len() - 1]], factors: [half, half] })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Products of a source of known Stokes parameters: `XX = I + Q`, `XY = U + iV`, `YX = U - iV`, `YY = I - Q`; in
    /// circles `RR = I + V`, `RL = Q + iU`, `LR = Q - iU`, `LL = I - V` (Hamaker & Bregman 1996, doi:10.1051/aas:1996147).
    #[test]
    fn every_parameter_comes_back_from_linear_and_circular_feeds() {
        use Product::{LL, LR, RL, RR, XX, XY, YX, YY};
        let [i, q, u, v] = [5.0f32, 0.7, -0.4, 0.3];
        let c = Complex32::new;
        let linear = ([XX, XY, YX, YY], [c(i + q, 0.0), c(u, v), c(u, -v), c(i - q, 0.0)]);
        let circles = ([RR, RL, LR, LL], [c(i + v, 0.0), c(q, u), c(q, -u), c(i - v, 0.0)]);
        for (products, vis) in [linear, circles] {
            for (stokes, truth) in [(Stokes::I, i), (Stokes::Q, q), (Stokes::U, u), (Stokes::V, v)] {
                let how = stokes.of(&products).unwrap();
                let got: Complex32 = how.places.iter().zip(how.factors).map(|(p, f)| vis[*p] * f).sum();
                assert!((got - c(truth, 0.0)).norm() < 1e-6, "{stokes:?} {got}");
            }
        }
    }

    #[test]
    fn circular_polarisation_is_refused_without_cross_hands() {
        let text = Stokes::V.of(&[Product::XX, Product::YY]).unwrap_err().to_string();
        assert!(text.contains("XY") && text.contains("YX") && text.contains("YY]"), "{text}");
        assert!(Stokes::Q.of(&[Product::XX, Product::YY]).is_ok());
        assert!(Stokes::Q.of(&[Product::XX]).is_err());
        assert_eq!((Stokes::from_name("v"), Stokes::from_name("W")), (Some(Stokes::V), None));
        assert_eq!(Stokes::V.fits_code(), 4.0);
    }
}
