//! Polarisation products.

/// A correlation of two receptors of linear feeds or of circular ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Product {
    /// X of the first antenna with X of the second.
    XX,
    /// X with Y.
    XY,
    /// Y with X.
    YX,
    /// Y with Y.
    YY,
    /// R with R.
    RR,
    /// R with L.
    RL,
    /// L with R.
    LR,
    /// L with L.
    LL,
}

impl Product {
    const TABLE: [(Product, i32, i32, usize, usize); 8] = [
        (Product::RR, 5, -1, 0, 0),
        (Product::RL, 6, -3, 0, 1),
        (Product::LR, 7, -4, 1, 0),
        (Product::LL, 8, -2, 1, 1),
        (Product::XX, 9, -5, 0, 0),
        (Product::XY, 10, -7, 0, 1),
        (Product::YX, 11, -8, 1, 0),
        (Product::YY, 12, -6, 1, 1),
    ];

    /// CASA's code (`CORR_TYPE`; Stokes enumeration of casacore).
    pub fn casa_code(self) -> i32 {
        Self::TABLE.iter().find(|row| row.0 == self).map_or(0, |row| row.1)
    }

    /// The product of a CASA code.
    pub fn from_casa_code(code: i32) -> Option<Self> {
        Self::TABLE.iter().find(|row| row.1 == code).map(|row| row.0)
    }

    /// AIPS and UVH5 code (`polarization_array`).
    pub fn aips_code(self) -> i32 {
        Self::TABLE.iter().find(|row| row.0 == self).map_or(0, |row| row.2)
    }

    /// The product of an AIPS code.
    pub fn from_aips_code(code: i32) -> Option<Self> {
        Self::TABLE.iter().find(|row| row.2 == code).map(|row| row.0)
    }

    /// Receptor indices `(first antenna, second antenna)`.
    pub fn receptors(self) -> (usize, usize) {
        Self::TABLE.iter().find(|row| row.0 == self).map_or((0, 0), |row| (row.3, row.4))
    }

    /// The product of a name such as `XX`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::TABLE.iter().map(|row| row.0).find(|product| format!("{product:?}") == name)
    }

    /// The product with the antennas exchanged: XY becomes YX.
    pub fn transposed(self) -> Self {
        match self {
            Self::XY => Self::YX,
            Self::YX => Self::XY,
            Self::RL => Self::LR,
            Self::LR => Self::RL,
            parallel => parallel,
        }
    }

    /// Whether the receptors are circular.
    pub fn is_circular(self) -> bool {
        matches!(self, Self::RR | Self::RL | Self::LR | Self::LL)
    }

    /// Whether both receptors are the same (a parallel hand).
    pub fn is_parallel(self) -> bool {
        let (a, b) = self.receptors();
        a == b
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_go_there_and_back() {
        for code in 5..=12 {
            let product = Product::from_casa_code(code).unwrap();
            assert_eq!(product.casa_code(), code);
            assert_eq!(Product::from_aips_code(product.aips_code()), Some(product));
        }
        assert_eq!(Product::XX.aips_code(), -5);
        assert_eq!(Product::from_aips_code(-6), Some(Product::YY));
        assert_eq!(Product::from_casa_code(1), None);
    }
}
