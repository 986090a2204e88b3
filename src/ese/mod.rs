//! From a light curve to an ESE nomination: score, dips, lenses, reasons.

mod bands;
mod error;
mod event;
mod fit;
mod lens;
mod models;
mod refine;
mod score;
mod series;
mod template;
mod verdict;

pub use bands::{judge_bands, judge_bands_many, Band, BandsJudgement, BandsParams};
pub use error::Error;
pub use event::{strongest, Curve, Excursion, Side};
pub use fit::LensFit;
pub use lens::PlasmaLens;
pub use models::Alternatives;
pub use score::{ese_score, Score, ScoreInput, FLAG_SCORE};
pub use verdict::{judge, judge_many, JudgeParams, Judgement, Verdict};
