//! From a light curve to an ESE nomination: score, dips, lenses, reasons.

mod error;
mod event;
mod lens;
mod score;
mod verdict;

pub use error::Error;
pub use event::{strongest, Curve, Excursion, Side};
pub use lens::PlasmaLens;
pub use score::{ese_score, Score, ScoreInput, FLAG_SCORE};
pub use verdict::{judge, judge_many, JudgeParams, Judgement, Verdict};
