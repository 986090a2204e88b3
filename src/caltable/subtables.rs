//! Subtables of a calibration table, written.

use std::path::Path;

use super::Error;
use crate::casatable::{ColumnSpec, DataType, Table, Value};
use crate::gains::GainTable;

use DataType::{Bool, Double, Int, String as Text};

fn time(table: &mut Table, column: &str) -> Result<(), Error> {
    table.put_units(column, &["s"])?;
    Ok(table.put_measure(column, "epoch", "UTC")?)
}

/// OBSERVATION: one row.
pub(super) fn observation(dir: &Path, gains: &GainTable) -> Result<Table, Error> {
    let columns = [
        ColumnSpec::array("TIME_RANGE", Double, &[2]).comment("Start and end of observation"),
        ColumnSpec::free_array("LOG", Text, 1).comment("Observing log"),
        ColumnSpec::free_array("SCHEDULE", Text, 1).comment("Observing schedule"),
        ColumnSpec::scalar("FLAG_ROW", Bool).comment("Row flag"),
        ColumnSpec::scalar("OBSERVER", Text).comment("Name of observer(s)"),
        ColumnSpec::scalar("PROJECT", Text).comment("Project identification string"),
        ColumnSpec::scalar("RELEASE_DATE", Double).comment("Release date when data becomes public"),
        ColumnSpec::scalar("SCHEDULE_TYPE", Text).comment("Observing schedule type"),
        ColumnSpec::scalar("TELESCOPE_NAME", Text).comment("Telescope Name (e.g. WSRT, VLBA)"),
    ];
    let mut table = Table::create(dir.join("OBSERVATION"), &columns, 1)?;
    time(&mut table, "TIME_RANGE")?;
    time(&mut table, "RELEASE_DATE")?;
    let o = &gains.observation;
    table.put("TIME_RANGE", 0, &[2], &o.time_range_mjd_s)?;
    table.put("FLAG_ROW", 0, &[], &[false])?;
    table.put("RELEASE_DATE", 0, &[], &[o.time_range_mjd_s[1]])?;
    for (column, text) in
        [("OBSERVER", ""), ("PROJECT", ""), ("SCHEDULE_TYPE", ""), ("TELESCOPE_NAME", &o.telescope)]
    {
        table.put_text(column, 0, text)?;
    }
    Ok(table)
}

/// ANTENNA: all antennas of the Measurement Set.
pub(super) fn antenna(dir: &Path, gains: &GainTable) -> Result<Table, Error> {
    let columns = [
        ColumnSpec::array("OFFSET", Double, &[3]).comment("Axes offset of mount to FEED REFERENCE point"),
        ColumnSpec::array("POSITION", Double, &[3]).comment("Antenna X,Y,Z phase reference position"),
        ColumnSpec::scalar("TYPE", Text).comment("Antenna type (e.g. SPACE-BASED)"),
        ColumnSpec::scalar("DISH_DIAMETER", Double).comment("Physical diameter of dish"),
        ColumnSpec::scalar("FLAG_ROW", Bool).comment("Flag for this row"),
        ColumnSpec::scalar("MOUNT", Text).comment("Mount type e.g. alt-az, equatorial, etc."),
        ColumnSpec::scalar("NAME", Text).comment("Antenna name, e.g. VLA22, CA03"),
        ColumnSpec::scalar("STATION", Text).comment("Station (antenna pad) name"),
    ];
    let n = gains.antennas.len();
    let mut table = Table::create(dir.join("ANTENNA"), &columns, n as u64)?;
    for column in ["OFFSET", "POSITION"] {
        table.put_units(column, &["m", "m", "m"])?;
        table.put_measure(column, "position", "ITRF")?;
    }
    table.put_units("DISH_DIAMETER", &["m"])?;
    let positions: Vec<f64> = gains.antennas.iter().flat_map(|a| a.position_m).collect();
    let diameters: Vec<f64> = gains.antennas.iter().map(|a| a.dish_diameter_m).collect();
    table.put("OFFSET", 0, &[3], &vec![0.0; 3 * n])?;
    table.put("POSITION", 0, &[3], &positions)?;
    table.put("DISH_DIAMETER", 0, &[], &diameters)?;
    table.put("FLAG_ROW", 0, &[], &vec![false; n])?;
    for (row, a) in gains.antennas.iter().enumerate() {
        for (column, text) in
            [("TYPE", "GROUND-BASED"), ("MOUNT", &a.mount), ("NAME", &a.name), ("STATION", &a.station)]
        {
            table.put_text(column, row as u64, text)?;
        }
    }
    Ok(table)
}

/// FIELD: all fields of the Measurement Set.
pub(super) fn field(dir: &Path, gains: &GainTable) -> Result<Table, Error> {
    let columns = [
        ColumnSpec::free_array("DELAY_DIR", Double, 2)
            .comment("Direction of delay center (e.g. RA, DEC)as polynomial in time."),
        ColumnSpec::free_array("PHASE_DIR", Double, 2).comment("Direction of phase center (e.g. RA, DEC)."),
        ColumnSpec::free_array("REFERENCE_DIR", Double, 2)
            .comment("Direction of REFERENCE center (e.g. RA, DEC).as polynomial in time."),
        ColumnSpec::scalar("CODE", Text)
            .comment("Special characteristics of field, e.g. Bandpass calibrator"),
        ColumnSpec::scalar("FLAG_ROW", Bool).comment("Row Flag"),
        ColumnSpec::scalar("NAME", Text).comment("Name of this field"),
        ColumnSpec::scalar("NUM_POLY", Int).comment("Polynomial order of _DIR columns"),
        ColumnSpec::scalar("SOURCE_ID", Int).comment("Source id"),
        ColumnSpec::scalar("TIME", Double).comment("Time origin for direction and rate"),
    ];
    let n = gains.fields.len();
    let mut table = Table::create(dir.join("FIELD"), &columns, n as u64)?;
    time(&mut table, "TIME")?;
    let directions: Vec<f64> =
        gains.fields.iter().flat_map(|f| [f.centre.ra_rad, f.centre.dec_rad]).collect();
    for column in ["DELAY_DIR", "PHASE_DIR", "REFERENCE_DIR"] {
        table.put_units(column, &["rad", "rad"])?;
        table.put_measure(column, "direction", "ICRS")?;
        if n > 0 {
            table.put(column, 0, &[1, 2], &directions)?;
        }
    }
    if n > 0 {
        let times: Vec<f64> = gains.fields.iter().map(|f| f.time_mjd_s).collect();
        table.put("FLAG_ROW", 0, &[], &vec![false; n])?;
        table.put("NUM_POLY", 0, &[], &vec![0i32; n])?;
        table.put("SOURCE_ID", 0, &[], &(0..n as i32).collect::<Vec<_>>())?;
        table.put("TIME", 0, &[], &times)?;
    }
    for (row, f) in gains.fields.iter().enumerate() {
        table.put_text("CODE", row as u64, "")?;
        table.put_text("NAME", row as u64, &f.name)?;
    }
    Ok(table)
}

/// SPECTRAL_WINDOW: one row for every window number up to the greatest, those without solutions empty and flagged.
pub(super) fn spectral_window(dir: &Path, gains: &GainTable) -> Result<Table, Error> {
    let columns = [
        ColumnSpec::scalar("MEAS_FREQ_REF", Int).comment("Frequency Measure reference"),
        ColumnSpec::free_array("CHAN_FREQ", Double, 1)
            .comment("Center frequencies for each channel in the data matrix"),
        ColumnSpec::scalar("REF_FREQUENCY", Double).comment("The reference frequency"),
        ColumnSpec::free_array("CHAN_WIDTH", Double, 1).comment("Channel width for each channel"),
        ColumnSpec::free_array("EFFECTIVE_BW", Double, 1)
            .comment("Effective noise bandwidth of each channel"),
        ColumnSpec::free_array("RESOLUTION", Double, 1)
            .comment("The effective noise bandwidth for each channel"),
        ColumnSpec::scalar("FLAG_ROW", Bool).comment("Row flag"),
        ColumnSpec::scalar("FREQ_GROUP", Int).comment("Frequency group"),
        ColumnSpec::scalar("FREQ_GROUP_NAME", Text).comment("Frequency group name"),
        ColumnSpec::scalar("IF_CONV_CHAIN", Int).comment("The IF conversion chain number"),
        ColumnSpec::scalar("NAME", Text).comment("Spectral window name"),
        ColumnSpec::scalar("NET_SIDEBAND", Int).comment("Net sideband"),
        ColumnSpec::scalar("NUM_CHAN", Int).comment("Number of spectral channels"),
        ColumnSpec::scalar("TOTAL_BANDWIDTH", Double).comment("The total bandwidth for this window"),
    ];
    let n = gains.windows.iter().map(|w| w.spw + 1).max().unwrap_or(0);
    let mut table = Table::create(dir.join("SPECTRAL_WINDOW"), &columns, n as u64)?;
    for column in ["CHAN_FREQ", "REF_FREQUENCY"] {
        table.put_units(column, &["Hz"])?;
        table.put_keyword(column, "MEASINFO.type", Value::Text("frequency"))?;
        table.put_keyword(column, "MEASINFO.VarRefCol", Value::Text("MEAS_FREQ_REF"))?;
    }
    for column in ["CHAN_WIDTH", "EFFECTIVE_BW", "RESOLUTION", "TOTAL_BANDWIDTH"] {
        table.put_units(column, &["Hz"])?;
    }
    for spw in 0..n {
        let row = spw as u64;
        let window = gains.windows.iter().find(|w| w.spw == spw);
        let (freq, width) =
            window.map_or((vec![0.0], vec![0.0]), |w| (w.freq_hz.clone(), w.width_hz.clone()));
        let shape = [freq.len()];
        table.put("CHAN_FREQ", row, &shape, &freq)?;
        for column in ["CHAN_WIDTH", "EFFECTIVE_BW", "RESOLUTION"] {
            table.put(column, row, &shape, &width)?;
        }
        table.put("REF_FREQUENCY", row, &[], &[freq[0]])?;
        table.put("TOTAL_BANDWIDTH", row, &[], &[width.iter().sum::<f64>()])?;
        table.put("FLAG_ROW", row, &[], &[window.is_none()])?;
        // 5: TOPO in casacore's list of frequency frames.
        for (column, value) in [
            ("MEAS_FREQ_REF", 5),
            ("FREQ_GROUP", 0),
            ("IF_CONV_CHAIN", 0),
            ("NET_SIDEBAND", 1),
            ("NUM_CHAN", freq.len() as i32),
        ] {
            table.put(column, row, &[], &[value])?;
        }
        table.put_text("FREQ_GROUP_NAME", row, "none")?;
        table.put_text("NAME", row, &format!("spw{spw}"))?;
    }
    Ok(table)
}

/// HISTORY: how the table was made.
pub(super) fn history(dir: &Path, gains: &GainTable) -> Result<Table, Error> {
    let columns = [
        ColumnSpec::free_array("APP_PARAMS", Text, 1).comment("Application parameters"),
        ColumnSpec::free_array("CLI_COMMAND", Text, 1).comment("CLI command sequence"),
        ColumnSpec::scalar("APPLICATION", Text).comment("Application name"),
        ColumnSpec::scalar("MESSAGE", Text).comment("Log message"),
        ColumnSpec::scalar("OBJECT_ID", Int).comment("Originating ObjectID"),
        ColumnSpec::scalar("OBSERVATION_ID", Int).comment("Observation id (index in OBSERVATION table)"),
        ColumnSpec::scalar("ORIGIN", Text).comment("(Source code) origin from which message originated"),
        ColumnSpec::scalar("PRIORITY", Text).comment("Message priority"),
        ColumnSpec::scalar("TIME", Double).comment("Timestamp of message"),
    ];
    let n = gains.history.len();
    let mut table = Table::create(dir.join("HISTORY"), &columns, n as u64)?;
    time(&mut table, "TIME")?;
    for (row, line) in gains.history.iter().enumerate() {
        let row = row as u64;
        for column in ["APP_PARAMS", "CLI_COMMAND"] {
            table.put_texts(column, row, &[""])?;
        }
        for (column, text) in [
            ("APPLICATION", "dsa110_contimg"),
            ("MESSAGE", line.as_str()),
            ("ORIGIN", "calibration"),
            ("PRIORITY", "INFO"),
        ] {
            table.put_text(column, row, text)?;
        }
        table.put("OBJECT_ID", row, &[], &[0i32])?;
        table.put("OBSERVATION_ID", row, &[], &[0i32])?;
        table.put("TIME", row, &[], &[gains.observation.time_range_mjd_s[1]])?;
    }
    Ok(table)
}
