use std::time::Duration;

use num_complex::Complex32;

use super::*;

fn columns() -> Vec<ColumnSpec> {
    vec![
        ColumnSpec::scalar("TIME", DataType::Double).incremental("ISM"),
        ColumnSpec::scalar("NAME", DataType::String),
        ColumnSpec::array("UVW", DataType::Double, &[3]).comment("metres"),
        ColumnSpec::array("DATA", DataType::Complex, &[4, 2]).tiled("TiledData", &[5, 4, 2]),
        ColumnSpec::array("FLAG", DataType::Bool, &[4, 2]).tiled("TiledFlag", &[8, 4, 2]),
        ColumnSpec::free_array("FREE", DataType::Float, 1),
    ]
}

fn data(n: usize) -> Vec<Complex32> {
    (0..n * 8).map(|i| Complex32::new(i as f32, -(i as f32))).collect()
}

#[test]
fn what_is_written_is_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t");
    let flags: Vec<bool> = (0..12 * 8).map(|i| i % 3 == 0).collect();
    let mut table = Table::create(&path, &columns(), 12).unwrap();
    table.put("TIME", 0, &[], &[5.0e9; 12]).unwrap();
    table.put_text("NAME", 3, "antenna 103").unwrap();
    table.put("UVW", 2, &[3], &[1.0, 2.0, 3.0]).unwrap();
    table.put("DATA", 0, &[4, 2], &data(12)).unwrap();
    table.put("FLAG", 0, &[4, 2], &flags).unwrap();
    table.put("FREE", 1, &[2], &[7.0_f32, 8.0]).unwrap();
    table.put_keyword("", "MS_VERSION", Value::Float(2.0)).unwrap();
    table.put_units("UVW", &["m", "m", "m"]).unwrap();
    table.put_measure("UVW", "uvw", "J2000").unwrap();
    table.set_info("Measurement Set", "").unwrap();
    table.close().unwrap();

    let table = Table::open(&path).unwrap();
    assert_eq!(table.n_rows().unwrap(), 12);
    assert_eq!(table.info_type().unwrap(), "Measurement Set");
    assert_eq!(table.get_all::<f64>("TIME").unwrap(), vec![5.0e9; 12]);
    assert_eq!(table.text("NAME", 2..4).unwrap(), ["", "antenna 103"]);
    assert_eq!(table.cell::<f64>("UVW", 2).unwrap(), [1.0, 2.0, 3.0]);
    assert_eq!(table.get::<Complex32>("DATA", 3..9).unwrap(), data(12)[24..72]);
    assert_eq!(table.get_rows::<Complex32>("DATA", &[11, 0]).unwrap()[..8], data(12)[88..]);
    assert_eq!(table.get_all::<bool>("FLAG").unwrap(), flags);
    assert_eq!(table.cell_shape("FREE", 0).unwrap(), None);
    assert_eq!(table.cell_shape("FREE", 1).unwrap(), Some(vec![2]));
    assert_eq!(table.keyword_numbers("", "MS_VERSION").unwrap(), Some(vec![2.0]));
    assert_eq!(table.keyword_text("UVW", "QuantumUnits").unwrap().unwrap(), ["m", "m", "m"]);
    assert_eq!(table.keyword_text("UVW", "MEASINFO.Ref").unwrap().unwrap(), ["J2000"]);
    assert_eq!(table.keyword_text("UVW", "NONE.Ref").unwrap(), None);
}

#[test]
fn wrong_requests_name_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t");
    let mut table = Table::create(&path, &columns(), 2).unwrap();
    assert!(matches!(Table::create(&path, &columns(), 2), Err(Error::Exists { .. })));
    assert!(matches!(table.get_all::<f64>("NONE"), Err(Error::NoColumn { .. })));
    assert!(matches!(table.get_all::<f32>("TIME"), Err(Error::Content { .. })));
    assert!(matches!(table.put("UVW", 0, &[3], &[1.0, 2.0]), Err(Error::Content { .. })));
    assert!(table.get::<f64>("TIME", 0..3).is_err());
    assert!(matches!(Table::open_rw(&path, Duration::ZERO), Err(Error::Locked { .. })));
    drop(table);
    assert!(Table::open_rw(&path, Duration::ZERO).is_ok());
    assert!(matches!(Table::open(dir.path()), Err(Error::NotATable { .. })));
    assert!(matches!(Table::open(dir.path().join("none")), Err(Error::NotATable { .. })));
}

#[test]
fn sparse_tiles_cost_no_disk_and_read_as_zeros() {
    use std::os::unix::fs::MetadataExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t");
    let big = vec![
        ColumnSpec::array("MODEL_DATA", DataType::Complex, &[48, 2]).tiled("TiledModel", &[1024, 48, 2])
    ];
    Table::create(&path, &big, 20_000).unwrap().close().unwrap();
    let blocks: u64 =
        std::fs::read_dir(&path).unwrap().map(|e| e.unwrap().metadata().unwrap().blocks() * 512).sum();
    // 15 MB of zeros are holes; the table's description is some 10 kB.
    assert!(blocks < 100_000, "{blocks} bytes are allocated");
    let table = Table::open(&path).unwrap();
    let zero = table.get::<Complex32>("MODEL_DATA", 19_990..20_000).unwrap();
    assert!(zero.iter().all(|v| v.norm() == 0.0) && zero.len() == 960);
}

#[test]
fn tiles_are_what_casacore_reads_and_writes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t");
    // Seven rows of 4 x 3 bits do not end on a byte; channels are split in two tiles.
    let columns = vec![
        ColumnSpec::array("DATA", DataType::Complex, &[4, 3]).tiled("D", &[5, 2, 3]),
        ColumnSpec::array("FLAG", DataType::Bool, &[4, 3]).tiled("F", &[7, 2, 3]),
        ColumnSpec::array("MODEL", DataType::Complex, &[4, 3]).tiled("M", &[5, 4, 3]),
    ];
    let n = 17;
    let mut table = Table::create(&path, &columns, n as u64).unwrap();
    let values: Vec<Complex32> = (0..n * 12).map(|i| Complex32::new(i as f32, 0.5)).collect();
    let flags: Vec<bool> = (0..n * 12).map(|i| i % 5 == 0 || i % 7 == 3).collect();
    table.flush().unwrap();
    let data = Tiles::open(&table, "DATA", true).unwrap().unwrap();
    let flag = Tiles::open(&table, "FLAG", true).unwrap().unwrap();
    let model = Tiles::open(&table, "MODEL", true).unwrap().unwrap();
    assert!(data.is_hole());
    for c in 0..2 {
        let part: Vec<Complex32> =
            (0..n).flat_map(|r| values[r * 12 + c * 6..r * 12 + c * 6 + 6].to_vec()).collect();
        data.write(0..6, c, &part[..36]).unwrap();
        data.write(6..17, c, &part[36..]).unwrap();
    }
    assert!(!data.is_hole() && model.is_hole());
    flag.write_bits(6..17, &flags[72..]).unwrap();
    flag.write_bits(0..6, &flags[..72]).unwrap();
    model.write(3..17, 0, &values[36..]).unwrap();
    table.close().unwrap();
    let table = Table::open(&path).unwrap();
    assert_eq!(table.get_all::<Complex32>("DATA").unwrap(), values);
    assert_eq!(table.get_all::<bool>("FLAG").unwrap(), flags);
    assert_eq!(table.get::<Complex32>("MODEL", 3..17).unwrap(), values[36..]);
    let mut back = vec![Complex32::default(); 12 * 9];
    Tiles::open(&table, "DATA", false).unwrap().unwrap().read(4..13, &mut back).unwrap();
    assert_eq!(back, values[48..156]);
    let mut bits = vec![false; 12 * 9];
    Tiles::open(&table, "FLAG", false).unwrap().unwrap().read(4..13, &mut bits).unwrap();
    assert_eq!(bits, flags[48..156]);
}
