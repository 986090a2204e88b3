//! Why samples take no part in a solve.

use super::Error;

/// Samples left out, by reason; and what was left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Excluded {
    /// All samples of parallel hands of cross-correlations.
    pub seen: u64,
    /// Flagged in the data.
    pub flagged: u64,
    /// Without weight, or not a finite number.
    pub weightless: u64,
    /// Outside the uv range.
    pub uvrange: u64,
    /// Without a solution in a pre-applied table.
    pub precalibration: u64,
    /// With a model of zero.
    pub zero_model: u64,
    /// With a model that is no finite number.
    pub no_model: u64,
    /// Used.
    pub used: u64,
}

impl Excluded {
    /// Sum of two.
    #[must_use]
    pub fn plus(mut self, o: Self) -> Self {
        self.seen += o.seen;
        self.flagged += o.flagged;
        self.weightless += o.weightless;
        self.uvrange += o.uvrange;
        self.precalibration += o.precalibration;
        self.zero_model += o.zero_model;
        self.no_model += o.no_model;
        self.used += o.used;
        self
    }

    /// Refuse to go on with nothing, saying what removed it.
    ///
    /// # Errors
    /// [`Error::ModelNotFinite`] for a model with NaN or infinities, [`Error::ZeroModel`] when only the model is missing, else
    /// [`Error::NoData`].
    pub fn check(&self, where_: &str) -> Result<(), Error> {
        if self.no_model > 0 {
            // Some sources or channels of such a model are lost: what is left would be taken for all of it.
            let fraction = self.no_model as f64 / (self.no_model + self.used + self.zero_model) as f64;
            return Err(Error::ModelNotFinite { where_: where_.to_owned(), fraction });
        }
        if self.used > 0 {
            return Ok(());
        }
        if self.zero_model > 0 {
            return Err(Error::ZeroModel { where_: where_.to_owned() });
        }
        let reason = if self.seen == 0 {
            "the selection has no cross-correlation of parallel hands".to_owned()
        } else {
            self.shares()
        };
        Err(Error::NoData { where_: where_.to_owned(), reason })
    }

    /// What took which share of the samples.
    pub(super) fn shares(&self) -> String {
        let n = self.seen.max(1) as f64 / 100.0;
        format!(
            "of {} samples {:.1} % are flagged, {:.1} % have no weight or are not finite, {:.1} % are outside the uv range, {:.1} % have no pre-applied solution",
            self.seen,
            self.flagged as f64 / n,
            self.weightless as f64 / n,
            self.uvrange as f64 / n,
            self.precalibration as f64 / n
        )
    }
}
