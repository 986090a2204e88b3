//! The columns of MeasurementSet version 2: subtables as data, MAIN by shape.

use crate::casatable::{ColumnSpec, DataType, Error, Table, Value};

/// Rows in a tile of visibilities and weights, near 0.8 MB for 48 channels of two products.
pub(super) const TILE_ROWS: usize = 1024;
/// Rows in a tile of flags and of vectors, whose rows are small.
pub(super) const SMALL_TILE_ROWS: usize = 8192;

/// Storage of a subtable's column.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    Scalar,
    Fixed(&'static [usize]),
    Free(i32),
}

/// Column of a subtable: name, type, shape, units, measure with its reference.
type Row = (&'static str, DataType, Shape, &'static [&'static str], Option<(&'static str, &'static str)>);

use DataType::{Bool, Complex, Double, Int, String as Text};
use Shape::{Fixed, Free, Scalar};

const S: &[&str] = &["s"];
const M3: &[&str] = &["m", "m", "m"];
const RAD: &[&str] = &["rad"];
const RAD2: &[&str] = &["rad", "rad"];
const HZ: &[&str] = &["Hz"];
const K: &[&str] = &["K"];
const NONE: &[&str] = &[];
const UTC: Option<(&str, &str)> = Some(("epoch", "UTC"));
const ITRF: Option<(&str, &str)> = Some(("position", "ITRF"));
/// Directions are ICRS: CASA and WSClean convert to J2000 (20 mas) where they need it.
const ICRS: Option<(&str, &str)> = Some(("direction", "ICRS"));

const ANTENNA: &[Row] = &[
    ("OFFSET", Double, Fixed(&[3]), M3, ITRF),
    ("POSITION", Double, Fixed(&[3]), M3, ITRF),
    ("TYPE", Text, Scalar, NONE, None),
    ("DISH_DIAMETER", Double, Scalar, &["m"], None),
    ("FLAG_ROW", Bool, Scalar, NONE, None),
    ("MOUNT", Text, Scalar, NONE, None),
    ("NAME", Text, Scalar, NONE, None),
    ("STATION", Text, Scalar, NONE, None),
];
const DATA_DESCRIPTION: &[Row] = &[
    ("FLAG_ROW", Bool, Scalar, NONE, None),
    ("POLARIZATION_ID", Int, Scalar, NONE, None),
    ("SPECTRAL_WINDOW_ID", Int, Scalar, NONE, None),
];
const FEED: &[Row] = &[
    ("POSITION", Double, Fixed(&[3]), M3, ITRF),
    ("BEAM_OFFSET", Double, Free(2), RAD2, ICRS),
    ("POLARIZATION_TYPE", Text, Free(1), NONE, None),
    ("POL_RESPONSE", Complex, Free(2), NONE, None),
    ("RECEPTOR_ANGLE", Double, Free(1), RAD, None),
    ("ANTENNA_ID", Int, Scalar, NONE, None),
    ("BEAM_ID", Int, Scalar, NONE, None),
    ("FEED_ID", Int, Scalar, NONE, None),
    ("INTERVAL", Double, Scalar, S, None),
    ("NUM_RECEPTORS", Int, Scalar, NONE, None),
    ("SPECTRAL_WINDOW_ID", Int, Scalar, NONE, None),
    ("TIME", Double, Scalar, S, UTC),
];
const FIELD: &[Row] = &[
    ("DELAY_DIR", Double, Free(2), RAD2, ICRS),
    ("PHASE_DIR", Double, Free(2), RAD2, ICRS),
    ("REFERENCE_DIR", Double, Free(2), RAD2, ICRS),
    ("CODE", Text, Scalar, NONE, None),
    ("FLAG_ROW", Bool, Scalar, NONE, None),
    ("NAME", Text, Scalar, NONE, None),
    ("NUM_POLY", Int, Scalar, NONE, None),
    ("SOURCE_ID", Int, Scalar, NONE, None),
    ("TIME", Double, Scalar, S, UTC),
];
const FLAG_CMD: &[Row] = &[
    ("APPLIED", Bool, Scalar, NONE, None),
    ("COMMAND", Text, Scalar, NONE, None),
    ("INTERVAL", Double, Scalar, S, None),
    ("LEVEL", Int, Scalar, NONE, None),
    ("REASON", Text, Scalar, NONE, None),
    ("SEVERITY", Int, Scalar, NONE, None),
    ("TIME", Double, Scalar, S, UTC),
    ("TYPE", Text, Scalar, NONE, None),
];
const HISTORY: &[Row] = &[
    ("APP_PARAMS", Text, Free(1), NONE, None),
    ("CLI_COMMAND", Text, Free(1), NONE, None),
    ("APPLICATION", Text, Scalar, NONE, None),
    ("MESSAGE", Text, Scalar, NONE, None),
    ("OBJECT_ID", Int, Scalar, NONE, None),
    ("OBSERVATION_ID", Int, Scalar, NONE, None),
    ("ORIGIN", Text, Scalar, NONE, None),
    ("PRIORITY", Text, Scalar, NONE, None),
    ("TIME", Double, Scalar, S, UTC),
];
const OBSERVATION: &[Row] = &[
    ("TIME_RANGE", Double, Fixed(&[2]), S, UTC),
    ("LOG", Text, Free(1), NONE, None),
    ("SCHEDULE", Text, Free(1), NONE, None),
    ("FLAG_ROW", Bool, Scalar, NONE, None),
    ("OBSERVER", Text, Scalar, NONE, None),
    ("PROJECT", Text, Scalar, NONE, None),
    ("RELEASE_DATE", Double, Scalar, S, UTC),
    ("SCHEDULE_TYPE", Text, Scalar, NONE, None),
    ("TELESCOPE_NAME", Text, Scalar, NONE, None),
];
const POINTING: &[Row] = &[
    ("DIRECTION", Double, Free(2), RAD2, ICRS),
    ("ANTENNA_ID", Int, Scalar, NONE, None),
    ("INTERVAL", Double, Scalar, S, None),
    ("NAME", Text, Scalar, NONE, None),
    ("NUM_POLY", Int, Scalar, NONE, None),
    ("TARGET", Double, Free(2), RAD2, ICRS),
    ("TIME", Double, Scalar, S, UTC),
    ("TIME_ORIGIN", Double, Scalar, S, UTC),
    ("TRACKING", Bool, Scalar, NONE, None),
];
const POLARIZATION: &[Row] = &[
    ("CORR_TYPE", Int, Free(1), NONE, None),
    ("CORR_PRODUCT", Int, Free(2), NONE, None),
    ("FLAG_ROW", Bool, Scalar, NONE, None),
    ("NUM_CORR", Int, Scalar, NONE, None),
];
const PROCESSOR: &[Row] = &[
    ("FLAG_ROW", Bool, Scalar, NONE, None),
    ("MODE_ID", Int, Scalar, NONE, None),
    ("TYPE", Text, Scalar, NONE, None),
    ("TYPE_ID", Int, Scalar, NONE, None),
    ("SUB_TYPE", Text, Scalar, NONE, None),
];
const SOURCE: &[Row] = &[
    ("DIRECTION", Double, Fixed(&[2]), RAD2, ICRS),
    ("PROPER_MOTION", Double, Fixed(&[2]), &["rad/s"], None),
    ("CALIBRATION_GROUP", Int, Scalar, NONE, None),
    ("CODE", Text, Scalar, NONE, None),
    ("INTERVAL", Double, Scalar, S, None),
    ("NAME", Text, Scalar, NONE, None),
    ("NUM_LINES", Int, Scalar, NONE, None),
    ("SOURCE_ID", Int, Scalar, NONE, None),
    ("SPECTRAL_WINDOW_ID", Int, Scalar, NONE, None),
    ("TIME", Double, Scalar, S, UTC),
];
const SPECTRAL_WINDOW: &[Row] = &[
    ("MEAS_FREQ_REF", Int, Scalar, NONE, None),
    ("CHAN_FREQ", Double, Free(1), HZ, Some(("frequency", "TOPO"))),
    ("REF_FREQUENCY", Double, Scalar, HZ, Some(("frequency", "TOPO"))),
    ("CHAN_WIDTH", Double, Free(1), HZ, None),
    ("EFFECTIVE_BW", Double, Free(1), HZ, None),
    ("RESOLUTION", Double, Free(1), HZ, None),
    ("FLAG_ROW", Bool, Scalar, NONE, None),
    ("FREQ_GROUP", Int, Scalar, NONE, None),
    ("FREQ_GROUP_NAME", Text, Scalar, NONE, None),
    ("IF_CONV_CHAIN", Int, Scalar, NONE, None),
    ("NAME", Text, Scalar, NONE, None),
    ("NET_SIDEBAND", Int, Scalar, NONE, None),
    ("NUM_CHAN", Int, Scalar, NONE, None),
    ("TOTAL_BANDWIDTH", Double, Scalar, HZ, None),
];
const STATE: &[Row] = &[
    ("CAL", Double, Scalar, K, None),
    ("FLAG_ROW", Bool, Scalar, NONE, None),
    ("LOAD", Double, Scalar, K, None),
    ("OBS_MODE", Text, Scalar, NONE, None),
    ("REF", Bool, Scalar, NONE, None),
    ("SIG", Bool, Scalar, NONE, None),
    ("SUB_SCAN", Int, Scalar, NONE, None),
];

/// The subtables, in the order of the standard.
pub(super) const SUBTABLES: &[(&str, &[Row])] = &[
    ("ANTENNA", ANTENNA),
    ("DATA_DESCRIPTION", DATA_DESCRIPTION),
    ("FEED", FEED),
    ("FIELD", FIELD),
    ("FLAG_CMD", FLAG_CMD),
    ("HISTORY", HISTORY),
    ("OBSERVATION", OBSERVATION),
    ("POINTING", POINTING),
    ("POLARIZATION", POLARIZATION),
    ("PROCESSOR", PROCESSOR),
    ("SOURCE", SOURCE),
    ("SPECTRAL_WINDOW", SPECTRAL_WINDOW),
    ("STATE", STATE),
];

/// Create a subtable inside a Measurement Set and refer to it.
pub(super) fn create_subtable(main: &mut Table, name: &str, rows: u64) -> Result<Table, Error> {
    let columns = SUBTABLES.iter().find(|(n, _)| *n == name).map_or(&[] as &[Row], |(_, c)| c);
    let specs: Vec<ColumnSpec> = columns
        .iter()
        .map(|(name, kind, shape, ..)| match shape {
            Scalar => ColumnSpec::scalar(name, *kind),
            Fixed(shape) => ColumnSpec::array(name, *kind, shape),
            Free(ndim) => ColumnSpec::free_array(name, *kind, *ndim),
        })
        .collect();
    let mut table = Table::create(main.path().join(name), &specs, rows)?;
    for (column, _, _, units, measure) in columns {
        if !units.is_empty() {
            table.put_units(column, units)?;
        }
        if let Some((kind, reference)) = measure {
            table.put_measure(column, kind, reference)?;
        }
    }
    main.put_subtable(name, &table)?;
    Ok(table)
}

/// Columns of MAIN for cells of `channels` by `products`, tiles of `tile_channels` channels.
pub(super) fn main_columns(
    channels: usize,
    products: usize,
    tile_channels: usize,
    rows: usize,
) -> Vec<ColumnSpec> {
    let cell = [channels, products];
    let fit = |tile: usize| tile.min(rows.next_multiple_of(8).max(8));
    let vis = [fit(TILE_ROWS * 48 / tile_channels.clamp(1, 48 * TILE_ROWS / 8)), tile_channels, products];
    let flags = [fit(SMALL_TILE_ROWS), tile_channels, products];
    let vector = |n: usize| [fit(SMALL_TILE_ROWS), n];
    let slow = |name: &str, kind| ColumnSpec::scalar(name, kind).incremental("ISMData");
    let fast = |name: &str, kind| ColumnSpec::scalar(name, kind);
    vec![
        ColumnSpec::array("UVW", Double, &[3]).tiled("TiledUVW", &vector(3)),
        ColumnSpec::array("FLAG", Bool, &cell).tiled("TiledFlag", &flags),
        ColumnSpec::free_array("FLAG_CATEGORY", Bool, 3),
        ColumnSpec::array("WEIGHT", DataType::Float, &[products]).tiled("TiledWgt", &vector(products)),
        ColumnSpec::array("SIGMA", DataType::Float, &[products]).tiled("TiledSigma", &vector(products)),
        fast("ANTENNA1", Int),
        fast("ANTENNA2", Int),
        slow("ARRAY_ID", Int),
        slow("DATA_DESC_ID", Int),
        slow("EXPOSURE", Double),
        slow("FEED1", Int),
        slow("FEED2", Int),
        slow("FIELD_ID", Int),
        // Not among the slow ones: flagging changes it, and a bucket of theirs that is split is unreadable until casacore ends well.
        fast("FLAG_ROW", Bool),
        slow("INTERVAL", Double),
        slow("OBSERVATION_ID", Int),
        slow("PROCESSOR_ID", Int),
        slow("SCAN_NUMBER", Int),
        slow("STATE_ID", Int),
        slow("TIME", Double),
        slow("TIME_CENTROID", Double),
        ColumnSpec::array("DATA", Complex, &cell).tiled("TiledData", &vis),
        ColumnSpec::array("MODEL_DATA", Complex, &cell).tiled("TiledModel", &vis),
        ColumnSpec::array("CORRECTED_DATA", Complex, &cell).tiled("TiledCorrected", &vis),
        ColumnSpec::array("WEIGHT_SPECTRUM", DataType::Float, &cell).tiled("TiledWgtSpectrum", &vis),
    ]
}

/// Keywords of MAIN and of its columns.
pub(super) fn put_main_keywords(main: &mut Table) -> Result<(), Error> {
    main.set_info("Measurement Set", "")?;
    main.put_keyword("", "MS_VERSION", Value::Float(2.0))?;
    main.put_keyword("FLAG_CATEGORY", "CATEGORY", Value::Texts(&["FLAG_CMD", "ORIGINAL", "USER"]))?;
    main.put_units("UVW", M3)?;
    main.put_measure("UVW", "uvw", "ICRS")?;
    for column in ["EXPOSURE", "INTERVAL", "TIME", "TIME_CENTROID"] {
        main.put_units(column, S)?;
    }
    for column in ["TIME", "TIME_CENTROID"] {
        main.put_measure(column, "epoch", "UTC")?;
    }
    Ok(())
}
