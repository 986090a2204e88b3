//! From a light curve to an ESE nomination: score, dips, lenses, reasons.

mod bands;
mod chromatic;
mod error;
mod event;
mod fit;
mod hypotheses;
mod lens;
mod models;
mod noise;
mod receiver;
mod refine;
mod score;
mod series;
mod template;
mod verdict;
mod words;

pub use bands::{judge_bands, judge_bands_many, Band, BandsJudgement, BandsParams};
pub use error::Error;
pub use event::{strongest, Curve, Excursion, Side};
pub use fit::LensFit;
pub use lens::PlasmaLens;
pub use models::Alternatives;
pub use score::{ese_score, Score, ScoreInput, FLAG_SCORE};
pub use template::Form;
pub use verdict::{judge, judge_many, JudgeParams, Judgement, Verdict};
