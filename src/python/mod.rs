//! The PyO3 boundary: module `dsa110_contimg._core`, one submodule a room.
//!
//! Files here convert arguments, go through the one door and wrap results; they hold no loops over data and
//! take no decisions. `errors.rs` is the only place where an error becomes a Python exception.

mod arrays;
mod door;
mod errors;

mod array;
mod beam;
mod calibration;
mod catalog;
mod coords;
mod db;
mod db_columns;
mod detection;
mod ese;
mod flagging;
mod gridding;
mod imaging;
mod mosaic;
mod ms;
mod photometry;
mod photometry_gains;
mod predict;
mod simulate;
mod tile;
mod time;
mod uvh5;
mod variability;

use pyo3::prelude::*;

type Register = fn(&Bound<'_, PyModule>) -> PyResult<()>;

const ROOMS: &[(&str, Register)] = &[
    ("array", array::register),
    ("beam", beam::register),
    ("calibration", calibration::register),
    ("catalog", catalog::register),
    ("coords", coords::register),
    ("db", db::register),
    ("detection", detection::register),
    ("ese", ese::register),
    ("flagging", flagging::register),
    ("gridding", gridding::register),
    ("imaging", imaging::register),
    ("mosaic", mosaic::register),
    ("ms", ms::register),
    ("photometry", photometry::register),
    ("predict", predict::register),
    ("simulate", simulate::register),
    ("time", time::register),
    ("uvh5", uvh5::register),
    ("variability", variability::register),
];

/// Compiled core of `dsa110_contimg`.
#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    errors::register(module)?;
    door::register(module)?;
    let modules = py.import("sys")?.getattr("modules")?;
    for (name, register) in ROOMS {
        let full_name = format!("{}.{name}", module.name()?);
        let room = PyModule::new(py, &full_name)?;
        register(&room)?;
        module.add(*name, &room)?;
        modules.set_item(&full_name, &room)?;
    }
    Ok(())
}
