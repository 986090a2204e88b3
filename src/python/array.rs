//! Boundary of `array`: the antenna table.

use std::path::PathBuf;

use ndarray::Array2;
use numpy::IntoPyArray;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::door;
use crate::array::{self, AntennaHealth, AntennaTable};

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(antennas, module)?)?;
    module.add_function(wrap_pyfunction!(reference_ranking, module)?)
}

/// The antenna table as arrays: station (a), itrf_m (a, 3), diameter_m (a), active (a), core (a).
///
/// Without a path the 117 stations of the DSA-110; `stations` selects.
#[pyfunction]
#[pyo3(signature = (path=None, *, stations=None))]
fn antennas<'py>(
    py: Python<'py>,
    path: Option<PathBuf>,
    stations: Option<Vec<u32>>,
) -> PyResult<Bound<'py, PyDict>> {
    let table = door::run_detached(py, None, |_| {
        let all = path.map_or_else(AntennaTable::dsa110, |p| AntennaTable::read(&p))?;
        stations.map_or(Ok(all.clone()), |s| all.select(&s))
    })?;
    let dict = PyDict::new(py);
    let column = |f: fn(&array::Antenna) -> f64| table.antennas().iter().map(f).collect::<Vec<f64>>();
    dict.set_item(
        "station",
        table.antennas().iter().map(|a| a.station).collect::<Vec<_>>().into_pyarray(py),
    )?;
    dict.set_item("itrf_m", Array2::from(table.itrf_m()).into_pyarray(py))?;
    dict.set_item("diameter_m", column(|a| a.diameter_m).into_pyarray(py))?;
    dict.set_item("active", table.antennas().iter().map(|a| a.active).collect::<Vec<_>>().into_pyarray(py))?;
    dict.set_item(
        "core",
        table.antennas().iter().map(array::Antenna::is_core).collect::<Vec<_>>().into_pyarray(py),
    )?;
    Ok(dict)
}

/// Stations in the order in which they should serve as reference antenna; `flagged` maps station to the flagged fraction of its solutions.
#[pyfunction]
#[pyo3(signature = (preferred=None, flagged=None))]
fn reference_ranking(
    preferred: Option<u32>,
    flagged: Option<std::collections::BTreeMap<u32, f64>>,
) -> Vec<u32> {
    let health: Vec<AntennaHealth> = flagged
        .unwrap_or_default()
        .into_iter()
        .map(|(station, flagged)| AntennaHealth { station, flagged })
        .collect();
    array::reference_ranking(preferred, &health)
}
