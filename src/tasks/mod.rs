//! One file per stage: `XParams` in, `XReport` out, paths in, paths out; no mathematics, no retries.

mod image_products;
mod input;
mod measure_shapes;
mod measure_sky;
mod selection;
mod sky;

pub mod apply;
mod apply_direct;
pub mod beam;
pub mod configure;
pub mod convert;
pub mod dynspec;
pub mod find;
pub mod flag;
mod flag_bits;
mod flag_record;
mod flag_selection;
pub mod flag_versions;
pub mod image;
pub mod inject;
pub mod measure;
pub mod model;
pub mod mosaic;
pub mod simulate;
pub mod solve;
mod solve_refusal;
pub mod tile;
pub mod verify;
