//! Laws of reading and writing: what was written comes back, and a part is a part of the whole.

use std::path::Path;

use ndarray::Array3;
use num_complex::Complex32;
use proptest::prelude::*;

use super::{
    correlator_baselines, Antennas, Error, FringeStopped, Keyword, Reader, Selection, Spec, VisRef, Writer,
};
use crate::control::Control;
use crate::kind::{ErrorKind, Kind};
use crate::vis::{Channels, Product, Rows, VisBlock};

const START_MJD_S: f64 = 61_065.0 * 86_400.0 + 80_765.0;

fn antennas(count: usize) -> Antennas {
    Antennas {
        names: (0..count).map(|i| (i + 1).to_string()).collect(),
        numbers: (0..count as i64).collect(),
        position_m: (0..count).map(|i| [i as f64 * 11.0, 3.0 - i as f64, 0.25 * i as f64]).collect(),
        diameter_m: vec![4.65; count],
    }
}

/// A number that differs for every element.
fn pattern(r: usize, f: usize, p: usize) -> f32 {
    (r * 1000 + f * 10 + p) as f32
}

fn block(spec: &Spec, times: usize, baselines: &[(u32, u32)]) -> VisBlock {
    let mut rows = Rows::default();
    for t in 0..times {
        for &(a, b) in baselines {
            rows.time_mjd_s.push(START_MJD_S + 12.884901888 * t as f64);
            rows.interval_s.push(12.884901888);
            rows.antenna1.push(a);
            rows.antenna2.push(b);
            rows.field.push(t as u32);
            // Exact in single precision, as the file holds it.
            rows.uvw_m.push([f64::from(a) * 8.0, -f64::from(b), 0.5]);
        }
    }
    let shape = (rows.len(), spec.channels.freq_hz.len(), spec.products.len());
    VisBlock {
        vis_rfp: Array3::from_shape_fn(shape, |(r, f, p)| Complex32::new(pattern(r, f, p), 1.0 + f as f32)),
        weight_rfp: Array3::from_shape_fn(shape, |(r, f, p)| 1.0 + ((r + f + p) % 7) as f32),
        flag_rfp: Array3::from_shape_fn(shape, |(r, f, p)| (r * 5 + f * 3 + p) % 11 == 0),
        rows,
        channels: spec.channels.clone(),
        products: spec.products.clone(),
        model_rfp: None,
    }
}

fn write(path: &Path, spec: &Spec, block: &VisBlock, step: usize) -> Result<(), Error> {
    let mut writer = Writer::create(path, spec.clone(), false)?;
    let mut start = 0;
    while start < block.rows.len() {
        let end = (start + step).min(block.rows.len());
        let rows = Rows {
            time_mjd_s: block.rows.time_mjd_s[start..end].to_vec(),
            interval_s: block.rows.interval_s[start..end].to_vec(),
            antenna1: block.rows.antenna1[start..end].to_vec(),
            antenna2: block.rows.antenna2[start..end].to_vec(),
            field: block.rows.field[start..end].to_vec(),
            uvw_m: block.rows.uvw_m[start..end].to_vec(),
        };
        let data = VisRef {
            vis_rfp: block.vis_rfp.slice(ndarray::s![start..end, .., ..]),
            weight_rfp: block.weight_rfp.slice(ndarray::s![start..end, .., ..]),
            flag_rfp: block.flag_rfp.slice(ndarray::s![start..end, .., ..]),
        };
        writer.append(&rows, data)?;
        start = end;
    }
    writer.finish()?;
    Ok(())
}

fn spec(channels: usize, products: &[Product]) -> Spec {
    let mut spec = Spec::correlator(3, antennas(6), 0.28);
    spec.channels = Channels {
        spw: 0,
        freq_hz: spec.channels.freq_hz[..channels].to_vec(),
        width_hz: spec.channels.width_hz[..channels].to_vec(),
    };
    spec.products = products.to_vec();
    spec
}

fn assert_same(found: &VisBlock, expected: &VisBlock) {
    assert_eq!(found.vis_rfp, expected.vis_rfp);
    assert_eq!(found.weight_rfp, expected.weight_rfp);
    assert_eq!(found.flag_rfp, expected.flag_rfp);
    assert_eq!(found.channels, expected.channels);
    assert_eq!(found.products, expected.products);
    assert_eq!(found.rows.antenna1, expected.rows.antenna1);
    assert_eq!(found.rows.antenna2, expected.rows.antenna2);
    assert_eq!(found.rows.field, expected.rows.field);
    assert_eq!(found.rows.uvw_m, expected.rows.uvw_m);
    assert_eq!(found.rows.interval_s, expected.rows.interval_s);
    for (a, b) in found.rows.time_mjd_s.iter().zip(&expected.rows.time_mjd_s) {
        // A Julian Date in a double has steps of 0.04 ms.
        assert!((a - b).abs() < 5e-5, "{a} {b}");
    }
}

#[test]
fn what_was_written_comes_back() {
    let directory = tempfile::tempdir().unwrap();
    let four = [Product::XX, Product::XY, Product::YX, Product::YY];
    let cases: [(usize, &[Product], Option<[usize; 3]>, usize); 5] = [
        (48, &[Product::XX, Product::YY], None, 21),
        (48, &[Product::XX, Product::YY], Some([128, 12, 1]), 21),
        (7, &four, Some([5, 3, 2]), 4),
        (1, &[Product::YY], Some([1, 1, 1]), 1000),
        (3, &four, Some([1000, 3, 4]), 33),
    ];
    for (case, (channels, products, chunk, step)) in cases.into_iter().enumerate() {
        let path = directory.path().join(format!("{case}.hdf5"));
        let mut spec = spec(channels, products);
        spec.chunk = chunk;
        spec.extra.insert("synthetic".to_owned(), Keyword::Flag(true));
        spec.extra.insert("seed".to_owned(), Keyword::Number(7.0));
        let expected = block(&spec, 14, &correlator_baselines(&[0, 1, 2, 3, 4, 5]));
        write(&path, &spec, &expected, step).unwrap();
        let reader = Reader::open(&path).unwrap();
        assert_same(&reader.read(&Selection::default(), &Control::new()).unwrap(), &expected);
        let header = reader.header();
        assert_eq!(header.antennas, spec.antennas);
        assert_eq!(header.fringe_stopped(), FringeStopped::Yes);
        assert_eq!(header.phase.dec_rad, Some(0.28));
        assert_eq!((header.times, header.baselines, header.subband()), (14, 21, Some(3)));
        assert_eq!(header.extra["synthetic"], Keyword::Flag(true));
        assert_eq!(header.extra["seed"], Keyword::Number(7.0));
        assert_eq!(reader.index().baselines.as_deref(), Some(&correlator_baselines(&[0, 1, 2, 3, 4, 5])[..]));
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 5);
}

#[test]
fn a_writer_that_is_dropped_leaves_nothing_and_an_existing_file_stays() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.hdf5");
    let spec = spec(4, &[Product::XX]);
    let block = block(&spec, 1, &[(0, 1)]);
    drop(Writer::create(&path, spec.clone(), false).unwrap());
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    std::fs::write(&path, b"precious").unwrap();
    let error = write(&path, &spec, &block, 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn bad_values_are_flagged_zeros() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.hdf5");
    let spec = spec(4, &[Product::XX, Product::YY]);
    let mut block = block(&spec, 2, &[(0, 0), (0, 1)]);
    block.flag_rfp.fill(false);
    block.vis_rfp[[0, 1, 0]] = Complex32::new(f32::NAN, 1.0);
    block.vis_rfp[[1, 2, 1]] = Complex32::new(1.0, f32::INFINITY);
    block.weight_rfp[[2, 3, 0]] = 0.0;
    block.weight_rfp[[3, 0, 1]] = f32::NAN;
    write(&path, &spec, &block, 2).unwrap();
    let found = Reader::open(&path).unwrap().read(&Selection::default(), &Control::new()).unwrap();
    let flagged: Vec<_> = found.flag_rfp.indexed_iter().filter(|(_, &f)| f).map(|(at, _)| at).collect();
    assert_eq!(flagged, [(0, 1, 0), (1, 2, 1), (2, 3, 0), (3, 0, 1)]);
    assert_eq!(found.vis_rfp[[0, 1, 0]], Complex32::default());
    assert_eq!(found.vis_rfp[[1, 2, 1]], Complex32::default());
    assert_eq!(found.weight_rfp[[3, 0, 1]], 0.0);
    assert!(found.vis_rfp.iter().all(|v| v.re.is_finite() && v.im.is_finite()));
}

#[test]
fn a_missing_channel_of_the_correlator_is_a_flagged_gap() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.hdf5");
    let mut spec = spec(10, &[Product::XX]);
    let full = spec.channels.clone();
    for list in [&mut spec.channels.freq_hz, &mut spec.channels.width_hz] {
        list.remove(6);
        list.remove(5);
    }
    write(&path, &spec, &block(&spec, 1, &[(0, 1)]), 1).unwrap();
    let reader = Reader::open(&path).unwrap();
    let found = reader.read(&Selection::default(), &Control::new()).unwrap();
    assert_eq!(found.channels, full);
    let flags: Vec<bool> = found.flag_rfp.iter().copied().collect();
    assert!(flags[5] && flags[6]);
    assert_eq!(found.vis_rfp[[0, 4, 0]].re, pattern(0, 4, 0));
    assert_eq!(found.vis_rfp[[0, 7, 0]].re, pattern(0, 5, 0));
    let gap = Selection { channels: Some(5..7), ..Selection::default() };
    let found = reader.read(&gap, &Control::new()).unwrap();
    assert!(found.flag_rfp.iter().all(|&f| f) && found.vis_rfp.iter().all(|&v| v == Complex32::default()));
}

#[test]
fn a_cancelled_read_stops_and_wrong_selections_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.hdf5");
    let spec = spec(4, &[Product::XX]);
    write(&path, &spec, &block(&spec, 2, &[(0, 1), (1, 2)]), 4).unwrap();
    let reader = Reader::open(&path).unwrap();
    let control = Control::new();
    control.cancel();
    assert_eq!(reader.read(&Selection::default(), &control).unwrap_err().kind(), ErrorKind::Cancelled);
    for selection in [
        Selection { times: Some(0..3), ..Selection::default() },
        Selection { channels: Some(4..5), ..Selection::default() },
        Selection { antennas: Some(vec![6]), ..Selection::default() },
        Selection { baselines: Some(vec![(0, 9)]), ..Selection::default() },
    ] {
        assert_eq!(reader.plan(&selection).unwrap_err().kind(), ErrorKind::Argument, "{selection:?}");
    }
    let none = Selection { times: Some(1..1), ..Selection::default() };
    assert_eq!(reader.read(&none, &Control::new()).unwrap().vis_rfp.dim(), (0, 4, 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_part_is_a_part_of_the_whole(
        t0 in 0usize..6, t1 in 0usize..6, f0 in 0usize..12, f1 in 0usize..12,
        mask in 0u32..64, no_autos: bool, chunk_rows in 1usize..200, chunk_f in 1usize..12, chunk_p in 1usize..3,
    ) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.hdf5");
        let mut spec = spec(12, &[Product::XX, Product::YY]);
        spec.chunk = Some([chunk_rows, chunk_f, chunk_p]);
        let whole = block(&spec, 6, &correlator_baselines(&[0, 1, 2, 3, 4, 5]));
        write(&path, &spec, &whole, 50).unwrap();
        let (t0, t1, f0, f1) = (t0.min(t1), t0.max(t1), f0.min(f1), f0.max(f1));
        let chosen: Vec<u32> = (0..6).filter(|a| mask & (1 << a) != 0).collect();
        let selection = Selection {
            times: Some(t0..t1),
            channels: Some(f0..f1),
            antennas: Some(chosen.clone()),
            baselines: None,
            no_autos,
        };
        let part = Reader::open(&path).unwrap().read(&selection, &Control::new()).unwrap();
        let keep: Vec<usize> = (0..whole.rows.len()).filter(|&r| {
            let (a, b) = (whole.rows.antenna1[r], whole.rows.antenna2[r]);
            (t0..t1).contains(&(r / 21)) && chosen.contains(&a) && chosen.contains(&b) && !(no_autos && a == b)
        }).collect();
        let columns = |array: &Array3<Complex32>| array.select(ndarray::Axis(0), &keep).slice(ndarray::s![.., f0..f1, ..]).to_owned();
        prop_assert_eq!(&part.vis_rfp, &columns(&whole.vis_rfp));
        let weights = whole.weight_rfp.select(ndarray::Axis(0), &keep).slice(ndarray::s![.., f0..f1, ..]).to_owned();
        prop_assert_eq!(&part.weight_rfp, &weights);
        let flags = whole.flag_rfp.select(ndarray::Axis(0), &keep).slice(ndarray::s![.., f0..f1, ..]).to_owned();
        prop_assert_eq!(&part.flag_rfp, &flags);
        prop_assert_eq!(part.rows.antenna2, keep.iter().map(|&r| whole.rows.antenna2[r]).collect::<Vec<_>>());
        prop_assert_eq!(&part.channels.freq_hz[..], &whole.channels.freq_hz[f0..f1]);
    }
}
