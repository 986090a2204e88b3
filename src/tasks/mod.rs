//! One file per stage: `XParams` in, `XReport` out, paths in, paths out; no mathematics, no retries.

pub mod convert;
pub mod inject;
pub mod measure;
pub mod simulate;
pub mod verify;
