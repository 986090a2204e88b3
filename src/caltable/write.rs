//! Writing of calibration tables.

use std::path::Path;

use num_complex::Complex32;

use super::{subtables, Error};
use crate::casatable::{ColumnSpec, DataType, Staged, Table, Value};
use crate::gains::{GainTable, Term, WindowGains};
use crate::kind::BadArgument;

/// CASA version whose layout is followed; CASA decides by it how old tables are to be read.
const CASA_VERSION: &str = "6.7.0-31";

/// Write a table under a temporary name, sync it and rename it into place.
///
/// # Errors
/// An existing destination without `overwrite`, or one that is no calibration table; no solutions; any failure to write.
pub fn write(path: &Path, gains: &GainTable, overwrite: bool) -> Result<(), Error> {
    check_destination(path, overwrite)?;
    let cells: usize = gains.windows.iter().map(|w| w.value_tafr.len()).sum();
    if cells == 0 {
        return Err(BadArgument::new("gains", "at least one solution", "none").into());
    }
    let stage = Staged::begin(path, overwrite, None)?;
    let dir = &stage.path();
    let mut main = create_main(dir, gains)?;
    main_rows(&mut main, gains)?;
    for (name, table) in [
        ("OBSERVATION", subtables::observation(dir, gains)?),
        ("ANTENNA", subtables::antenna(dir, gains)?),
        ("FIELD", subtables::field(dir, gains)?),
        ("SPECTRAL_WINDOW", subtables::spectral_window(dir, gains)?),
        ("HISTORY", subtables::history(dir, gains)?),
    ] {
        main.put_subtable(name, &table)?;
        table.close()?;
    }
    main.set_info("Calibration", gains.term.casa_name())?;
    main.close()?;
    Ok(stage.commit()?)
}

fn check_destination(path: &Path, overwrite: bool) -> Result<(), Error> {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !parent.is_dir() {
        return Err(Error::NotACalTable {
            path: path.to_path_buf(),
            expected: "an existing parent directory".into(),
            found: format!("no directory {}", parent.display()),
        });
    }
    let Ok(meta) = path.symlink_metadata() else { return Ok(()) };
    if !overwrite {
        return Err(BadArgument::new(
            "output",
            "a path where nothing is (or permission to overwrite)",
            path.display(),
        )
        .into());
    }
    // Only a calibration table may be replaced: an option must not remove a Measurement Set.
    if meta.is_dir() && Table::open(path)?.info_type()?.trim() == "Calibration" {
        return Ok(());
    }
    Err(Error::NotACalTable {
        path: path.to_path_buf(),
        expected: "a calibration table to replace".into(),
        found: "something else".into(),
    })
}

fn create_main(path: &Path, gains: &GainTable) -> Result<Table, Error> {
    use DataType::{Bool, Complex, Double, Float, Int};
    let (parameter, kind, name) = match gains.term {
        Term::K => ("FPARAM", Float, "Float"),
        Term::B | Term::G => ("CPARAM", Complex, "Complex"),
    };
    let columns = [
        ColumnSpec::scalar("TIME", Double),
        ColumnSpec::scalar("FIELD_ID", Int),
        ColumnSpec::scalar("SPECTRAL_WINDOW_ID", Int),
        ColumnSpec::scalar("ANTENNA1", Int),
        ColumnSpec::scalar("ANTENNA2", Int),
        ColumnSpec::scalar("INTERVAL", Double),
        ColumnSpec::scalar("SCAN_NUMBER", Int),
        ColumnSpec::scalar("OBSERVATION_ID", Int),
        ColumnSpec::free_array(parameter, kind, -1),
        ColumnSpec::free_array("PARAMERR", Float, -1),
        ColumnSpec::free_array("FLAG", Bool, -1),
        ColumnSpec::free_array("SNR", Float, -1),
        ColumnSpec::free_array("WEIGHT", Float, -1),
    ];
    let rows: usize = gains.windows.iter().map(|w| w.slots.len() * w.antennas()).sum();
    let mut main = Table::create(path, &columns, rows as u64)?;
    main.put_units("TIME", &["s"])?;
    main.put_measure("TIME", "epoch", "UTC")?;
    main.put_units("INTERVAL", &["s"])?;
    for (keyword, text) in [
        ("ParType", name),
        ("MSName", gains.observation.ms_name.as_str()),
        ("VisCal", gains.term.casa_name()),
        ("PolBasis", "unknown"),
        ("CASA_Version", CASA_VERSION),
    ] {
        main.put_keyword("", keyword, Value::Text(text))?;
    }
    Ok(main)
}

fn main_rows(main: &mut Table, gains: &GainTable) -> Result<(), Error> {
    let mut start = 0u64;
    for window in &gains.windows {
        let (nt, na, nf, nr) = window.value_tafr.dim();
        let rows = nt * na;
        if rows == 0 {
            continue;
        }
        scalars(main, window, start)?;
        let shape = [nf, nr];
        if gains.term == Term::K {
            let values: Vec<f32> = window.value_tafr.iter().map(|v| v.re as f32).collect();
            main.put("FPARAM", start, &shape, &values)?;
        } else {
            let values: Vec<Complex32> =
                window.value_tafr.iter().map(|v| Complex32::new(v.re as f32, v.im as f32)).collect();
            main.put("CPARAM", start, &shape, &values)?;
        }
        main.put("PARAMERR", start, &shape, &window.error_tafr.iter().copied().collect::<Vec<f32>>())?;
        main.put("FLAG", start, &shape, &window.flag_tafr.iter().copied().collect::<Vec<bool>>())?;
        main.put("SNR", start, &shape, &window.snr_tafr.iter().copied().collect::<Vec<f32>>())?;
        start += rows as u64;
    }
    Ok(())
}

/// Scalar columns of a window: antennas run fastest.
fn scalars(main: &mut Table, window: &WindowGains, start: u64) -> Result<(), Error> {
    let na = window.antennas();
    let rows = window.slots.len() * na;
    let slot = |k: usize| &window.slots[k / na];
    let ints = |value: &dyn Fn(usize) -> i32| (0..rows).map(value).collect::<Vec<i32>>();
    let doubles = |value: &dyn Fn(usize) -> f64| (0..rows).map(value).collect::<Vec<f64>>();
    main.put("TIME", start, &[], &doubles(&|k| slot(k).time_mjd_s))?;
    main.put("INTERVAL", start, &[], &doubles(&|k| slot(k).interval_s))?;
    main.put("FIELD_ID", start, &[], &ints(&|k| slot(k).field))?;
    main.put("SPECTRAL_WINDOW_ID", start, &[], &ints(&|_| window.spw as i32))?;
    main.put("ANTENNA1", start, &[], &ints(&|k| (k % na) as i32))?;
    main.put("ANTENNA2", start, &[], &ints(&|k| slot(k).refant))?;
    main.put("SCAN_NUMBER", start, &[], &ints(&|k| slot(k).scan))?;
    main.put("OBSERVATION_ID", start, &[], &vec![0i32; rows])?;
    Ok(())
}
