use ndarray::Array3;
use num_complex::Complex32;

use super::*;
use crate::casatable::{DataType, Table, Value};
use crate::control::Control;
use crate::coords::RaDec;
use crate::kind::{ErrorKind, Kind};
use crate::vis::{Channels, Field, Product, Rows};

const CHANNELS: usize = 6;
const WAIT: std::time::Duration = std::time::Duration::from_secs(1);

/// Three antennas, five times, two windows (the second absent) or one merged window of two tiles.
fn content(merged: bool) -> Content {
    let mut rows = Rows::default();
    for t in 0..5 {
        for (a, b) in [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)] {
            rows.time_mjd_s.push(5.1e9 + 10.0 * f64::from(t));
            rows.interval_s.push(10.0);
            rows.antenna1.push(a);
            rows.antenna2.push(b);
            rows.field.push(t as u32);
            rows.uvw_m.push([f64::from(a) - f64::from(b), 1.0, 0.0]);
        }
    }
    let window = |spw: usize, n: usize| Channels {
        spw,
        freq_hz: (0..n).map(|f| 1.3e9 + 1e6 * (f + spw * CHANNELS) as f64).collect(),
        width_hz: vec![1e6; n],
    };
    let antenna = |i: usize| MsAntenna {
        name: format!("{}", 101 + i),
        station: format!("DSA-{}", 101 + i),
        mount: "alt-az".into(),
        itrf_m: [i as f64, 0.0, 0.0],
        diameter_m: 4.65,
    };
    Content {
        antennas: (0..3).map(antenna).collect(),
        fields: (0..5)
            .map(|t| Field {
                name: format!("meridian_icrs_t{t}"),
                centre: RaDec::from_deg(359.99 + 0.05 * f64::from(t), 16.0),
                time_mjd_s: 5.1e9 + 10.0 * f64::from(t),
            })
            .collect(),
        windows: if merged {
            vec![window(0, 2 * CHANNELS)]
        } else {
            vec![window(0, CHANNELS), window(1, CHANNELS)]
        },
        absent: if merged { vec![false] } else { vec![false, true] },
        products: vec![Product::XX, Product::YY],
        rows,
        telescope: "DSA_110".into(),
        observer: "DSA".into(),
        project: String::new(),
        pointing: vec![(5.1e9, RaDec::from_deg(0.0, 16.0))],
        pointing_interval_s: 10.0,
        history: vec!["made by a test".into()],
        tile_channels: CHANNELS,
    }
}

fn cube(seed: f32) -> (Array3<Complex32>, Array3<f32>, Array3<bool>) {
    let shape = (30, CHANNELS, 2);
    let vis = Array3::from_shape_fn(shape, |(r, f, p)| Complex32::new(r as f32 + seed, (f * 2 + p) as f32));
    let weight = Array3::from_shape_fn(shape, |(r, f, _)| (r + f + 1) as f32);
    let flag = Array3::from_shape_fn(shape, |(r, f, p)| (r * 7 + f * 3 + p) % 5 == 0);
    (vis, weight, flag)
}

fn write(path: &std::path::Path, merged: bool) {
    let writer = MsWriter::create(path, &content(merged), false, None).unwrap();
    for i in 0..if merged { 2 } else { 1 } {
        let (vis, weight, flag) = cube(100.0 * i as f32);
        let data = WindowData { vis_rfp: vis.view(), weight_rfp: weight.view(), flag_rfp: flag.view() };
        writer.put(0, i, data).unwrap();
    }
    writer.finish(&serde_json::json!({"stage": "test"})).unwrap();
}

#[test]
fn what_is_written_is_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.ms");
    write(&path, false);
    let reader = MsReader::open(&path).unwrap();
    let meta = reader.meta();
    assert_eq!((meta.n_rows, meta.fields.len(), meta.spws.len(), meta.antennas.len()), (60, 5, 2, 3));
    assert_eq!(meta.provenance.as_ref().unwrap()["stage"], "test");
    assert_eq!(meta.fields, content(false).fields);
    let block = reader.read(&ReadRequest::new(0, Column::Data)).unwrap();
    let (vis, weight, flag) = cube(0.0);
    assert_eq!((&block.vis_rfp, &block.weight_rfp, &block.flag_rfp), (&vis, &weight, &flag));
    assert_eq!(block.rows, content(false).rows);
    let absent = reader.read(&ReadRequest::new(1, Column::Data).with_model()).unwrap();
    assert!(absent.flag_rfp.iter().all(|f| *f) && absent.model_rfp.unwrap().iter().all(|v| v.norm() == 0.0));
    let request =
        ReadRequest { fields: Some(vec![1, 3]), without_autos: true, ..ReadRequest::new(0, Column::Data) };
    let some = reader.read(&request).unwrap();
    assert_eq!(some.rows.len(), 6);
    assert_eq!(some.vis_rfp[[0, 0, 0]], vis[[7, 0, 0]]);
    let times = ReadRequest { time_range_mjd_s: Some([5.1e9 + 5.0, 5.1e9 + 25.0]), ..request };
    assert_eq!(reader.read(&times).unwrap().rows.len(), 3);
}

#[test]
fn merged_windows_are_tiles_of_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.ms");
    write(&path, true);
    let block = MsReader::open(&path).unwrap().read(&ReadRequest::new(0, Column::Data)).unwrap();
    assert_eq!(block.vis_rfp.dim(), (30, 2 * CHANNELS, 2));
    let (low, high) = (cube(0.0), cube(100.0));
    for ((r, f, p), v) in block.vis_rfp.indexed_iter() {
        let (part, f) = if f < CHANNELS { (&low, f) } else { (&high, f - CHANNELS) };
        assert_eq!((*v, block.flag_rfp[[r, f, p]]), (part.0[[r, f, p]], part.2[[r, f, p]]));
    }
}

#[test]
fn columns_are_rewritten_and_an_interruption_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.ms");
    write(&path, false);
    let control = Control::new();
    let reader = MsReader::open(&path).unwrap();
    assert!(reader.is_zero(Column::Model, &control).unwrap());
    let error = reader.require_filled(Column::Corrected, &control).unwrap_err();
    assert!(error.to_string().contains("contimg apply"), "{error}");
    drop(reader);
    let (vis, weight, flag) = cube(0.5);
    let request = ReadRequest::new(1, Column::Corrected);
    let repairer = MsReader::open_to_write(&path, WAIT, &Control::new()).unwrap();
    // Nothing is marked before something is written.
    drop(MsUpdate::begin(&repairer, &["CORRECTED_DATA"], "contimg apply", WAIT).unwrap());
    MsReader::open(&path).unwrap();
    let mut update = MsUpdate::begin(&repairer, &["CORRECTED_DATA"], "contimg apply", WAIT).unwrap();
    update.put_visibilities(Column::Corrected, &request, &vis).unwrap();
    drop(update); // as a kill would
    let error = MsReader::open(&path).unwrap_err();
    assert!(matches!(error, Error::Interrupted { .. }) && error.kind() == ErrorKind::Data, "{error}");
    assert!(MsUpdate::begin(&repairer, &["FLAG"], "contimg flag", WAIT).is_err());
    let columns = ["CORRECTED_DATA", "FLAG", "WEIGHT_SPECTRUM"];
    let mut update = MsUpdate::begin(&repairer, &columns, "contimg apply", WAIT).unwrap();
    update.put_visibilities(Column::Corrected, &request, &vis).unwrap();
    update.put_flags(&request, &flag).unwrap();
    update.put_reals("WEIGHT_SPECTRUM", &request, &weight).unwrap();
    update.finish().unwrap();
    drop(repairer);
    let block = MsReader::open(&path).unwrap().read(&request).unwrap();
    assert_eq!((&block.vis_rfp, &block.weight_rfp, &block.flag_rfp), (&vis, &weight, &flag));
}

/// A Measurement Set as others make them: channels descending, antenna1 > antenna2, no WEIGHT_SPECTRUM, no MODEL_DATA.
#[test]
fn foreign_orders_are_turned_round_and_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.ms");
    write(&path, false);
    let mut main = Table::open_rw(&path, std::time::Duration::ZERO).unwrap();
    for column in ["MODEL_DATA", "WEIGHT_SPECTRUM"] {
        main.remove_column(column).unwrap();
    }
    let (a, b): (Vec<i32>, Vec<i32>) = (main.get_all("ANTENNA1").unwrap(), main.get_all("ANTENNA2").unwrap());
    main.put("ANTENNA1", 0, &[], &b).unwrap();
    main.put("ANTENNA2", 0, &[], &a).unwrap();
    main.put_keyword("", "NOTE", Value::Text("turned")).unwrap();
    main.close().unwrap();
    let mut windows = Table::open_rw(path.join("SPECTRAL_WINDOW"), std::time::Duration::ZERO).unwrap();
    let mut freq: Vec<f64> = windows.cell("CHAN_FREQ", 0).unwrap();
    freq.reverse();
    windows.put("CHAN_FREQ", 0, &[CHANNELS], &freq).unwrap();
    windows.close().unwrap();

    let request = ReadRequest::new(0, Column::Data);
    let block = MsReader::open(&path).unwrap().read(&request).unwrap();
    let (vis, ..) = cube(0.0);
    // Row 1 is baseline 0-1, stored as 1-0.
    assert_eq!((block.rows.antenna1[1], block.rows.antenna2[1]), (0, 1));
    assert_eq!(block.rows.uvw_m[1], [1.0, -1.0, -0.0]);
    assert_eq!(block.vis_rfp[[1, 0, 0]], vis[[1, CHANNELS - 1, 0]].conj());
    assert!(block.channels.freq_hz[1] > block.channels.freq_hz[0]);
    assert_eq!(block.weight_rfp[[1, 0, 0]], block.weight_rfp[[1, 1, 0]]);
    let reader = MsReader::open_to_write(&path, WAIT, &Control::new()).unwrap();
    let mut update = MsUpdate::begin(&reader, &["MODEL_DATA"], "contimg model", WAIT).unwrap();
    assert!(update.ensure_column("MODEL_DATA", DataType::Complex).unwrap());
    update.put_visibilities(Column::Model, &request, &block.vis_rfp).unwrap();
    update.finish().unwrap();
    drop(reader);
    let table = Table::open(&path).unwrap();
    let stored: Vec<Complex32> = table.get("MODEL_DATA", 0..30).unwrap();
    assert_eq!(stored, table.get::<Complex32>("DATA", 0..30).unwrap());
}

#[test]
fn one_step_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.ms");
    write(&path, false);
    let control = Control::new();
    let first = MsReader::open_to_write(&path, WAIT, &control).unwrap();
    // Reading alone needs no lock.
    MsReader::open(&path).unwrap();
    let error = MsReader::open_alone(&path, std::time::Duration::from_millis(60), &control).unwrap_err();
    assert!(matches!(error, Error::Busy { .. }) && error.kind() == ErrorKind::Io, "{error}");
    assert!(error.to_string().contains("another thread of this process"), "{error}");
    // Waiting ends as soon as the other has finished, or the call is cancelled.
    std::thread::scope(|scope| {
        let waiting =
            scope.spawn(|| MsReader::open_alone(&path, std::time::Duration::from_secs(60), &control));
        std::thread::sleep(std::time::Duration::from_millis(100));
        drop(first);
        let second = waiting.join().unwrap().unwrap();
        let cancelled = Control::new();
        cancelled.cancel();
        let error = MsReader::open_alone(&path, std::time::Duration::from_secs(60), &cancelled).unwrap_err();
        assert!(matches!(error, Error::Cancelled(_)), "{error}");
        drop(second);
    });
}
