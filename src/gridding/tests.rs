//! Laws of the gridder and its agreement with the direct sum.

use ndarray::{Array2, ArrayView2};
use num_complex::Complex;

use super::*;
use crate::control::Control;
use crate::kind::{ErrorKind, Kind};

/// A small deterministic generator, uniform in [-1, 1).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }
}

struct Case<T> {
    uvw: Array2<f64>,
    freq: Vec<f64>,
    vis: Array2<Complex<T>>,
    weight: Array2<T>,
}

fn case<T: Real>(rows: usize, channels: usize, baseline_m: f64, w_m: f64, seed: u64) -> Case<T> {
    let mut noise = Noise(seed);
    let uvw = Array2::from_shape_fn((rows, 3), |(_, k)| noise.next() * if k == 2 { w_m } else { baseline_m });
    let freq = (0..channels).map(|f| 1.31e9 + 0.19e9 * f as f64 / channels as f64).collect();
    let vis =
        Array2::from_shape_fn((rows, channels), |_| Complex::new(T::of(noise.next()), T::of(noise.next())));
    let weight = Array2::from_shape_fn((rows, channels), |_| T::of(0.5 + 0.5 * noise.next()));
    Case { uvw, freq, vis, weight }
}

impl<T: Real> Case<T> {
    fn baselines(&self) -> Baselines<'_> {
        Baselines { uvw_m: self.uvw.view(), freq_hz: &self.freq }
    }

    fn plan(&self, params: &GridParams) -> Plan {
        Plan::new(self.uvw.view(), &self.freq, params).unwrap()
    }

    /// Worst and rms error over random pixels and the corners, relative to the root of the sum of squares: for random phases the
    /// errors of visibilities add as their amplitudes do.
    fn error(&self, params: &GridParams) -> f64 {
        let plan = self.plan(params);
        let control = Control::new();
        let image = plan.vis2dirty(self.vis.view(), Some(self.weight.view()), &control).unwrap();
        let mut noise = Noise(99);
        let mut pixels =
            vec![(0, 0), (params.nx - 1, params.ny - 1), (0, params.ny - 1), (params.nx / 2, params.ny / 2)];
        for _ in 0..40 {
            let draw = |n: usize, x: f64| ((0.5 + 0.5 * x) * n as f64) as usize;
            pixels.push((draw(params.nx, noise.next()), draw(params.ny, noise.next())));
        }
        let given = GridParams { w_plane: WPlane::Given(plan.slant()), ..params.clone() };
        let expected = direct_dirty(
            self.baselines(),
            self.vis.view(),
            Some(self.weight.view()),
            &given,
            &pixels,
            &control,
        )
        .unwrap();
        let scale: f64 = self
            .vis
            .iter()
            .zip(&self.weight)
            .map(|(v, w)| (v.re.wide().powi(2) + v.im.wide().powi(2)) * w.wide().powi(2))
            .sum();
        let sum: f64 = pixels.iter().zip(&expected).map(|(&p, e)| (image[p].wide() - e).powi(2)).sum();
        (sum / pixels.len() as f64 / scale).sqrt()
    }
}

fn small(nx: usize, ny: usize) -> GridParams {
    // About 4 degrees across: n - 1 matters at the corners.
    GridParams { epsilon: 1e-4, ..GridParams::new(nx, ny, 0.07 / nx as f64, 0.06 / ny as f64) }
}

#[test]
fn single_precision_equals_the_direct_sum() {
    let mut checked = 0;
    for (nx, ny) in [(64, 64), (32, 118), (130, 36)] {
        for (rows, channels) in [(40, 7), (3, 64), (1, 1)] {
            for w_m in [0.0, 5.0, 300.0, 6000.0] {
                for epsilon in [1e-2, 1e-4, 1e-5] {
                    let data = case::<f32>(rows, channels, 150.0, w_m, (nx + rows) as u64);
                    for (center_l, do_w, divide_by_n) in
                        [(0.0, true, false), (0.1, true, true), (-0.03, false, true)]
                    {
                        let params = GridParams {
                            epsilon,
                            center_l,
                            center_m: -0.5 * center_l,
                            do_w,
                            divide_by_n,
                            ..small(nx, ny)
                        };
                        let error = data.error(&params);
                        // A few samples can sit at unlucky places of their cells: twice the rms over places; 3e-6 is rounding.
                        assert!(
                            error < 2.0 * epsilon + 3e-6,
                            "{nx} {ny} {rows} {w_m} {epsilon} {center_l}: {error:e}"
                        );
                        checked += 1;
                    }
                }
            }
        }
    }
    assert_eq!(checked, 324);
}

#[test]
fn double_precision_equals_the_direct_sum() {
    for epsilon in [1e-6, 1e-8, 1e-10, 1e-12] {
        for w_m in [0.0, 40.0, 3000.0] {
            let data = case::<f64>(30, 9, 150.0, w_m, 5);
            let error = data.error(&GridParams { epsilon, center_l: 0.02, ..small(48, 60) });
            assert!(error < 2.0 * epsilon, "{epsilon:e} {w_m}: {error:e}");
        }
    }
}

#[test]
fn baselines_beyond_the_grid_wrap_as_sampled_pixels_do() {
    let data = case::<f64>(50, 3, 9000.0, 10.0, 3);
    let error = data.error(&GridParams { epsilon: 1e-7, ..small(32, 40) });
    assert!(error < 2e-7, "{error:e}");
}

#[test]
fn plane_removal_puts_directions_on_the_slanted_grid() {
    let mut data = case::<f64>(60, 5, 200.0, 2.0, 8);
    for mut row in data.uvw.outer_iter_mut() {
        row[2] += 0.3 * row[0] - 0.5 * row[1];
    }
    let params = GridParams { epsilon: 1e-7, w_plane: WPlane::Fit, ..small(64, 48) };
    let plan = data.plan(&params);
    assert!((plan.slant().a - 0.3).abs() < 0.01 && (plan.slant().b + 0.5).abs() < 0.01);
    let error = data.error(&params);
    assert!(error < 2e-7, "{error:e}");
}

fn dot<T: Real>(a: ArrayView2<'_, Complex<T>>, b: ArrayView2<'_, Complex<T>>) -> f64 {
    a.iter().zip(b).map(|(a, b)| a.re.wide() * b.re.wide() + a.im.wide() * b.im.wide()).sum()
}

fn adjointness<T: Real>(tolerance: f64, epsilon: f64) {
    for (w_m, compress, half) in
        [(0.0, false, 30), (20.0, false, 30), (20.0, true, 30), (9000.0, false, 24), (9000.0, true, 24)]
    {
        let data = case::<T>(200, 33, 120.0, w_m, 11);
        let params = GridParams { epsilon, compress, center_m: 0.01, ..small(2 * half, 50) };
        let plan = data.plan(&params);
        let control = Control::new();
        let mut noise = Noise(4);
        let image = Array2::from_shape_fn((2 * half, 50), |_| T::of(noise.next()));
        let dirty = plan.vis2dirty(data.vis.view(), Some(data.weight.view()), &control).unwrap();
        let vis = plan.dirty2vis(image.view(), Some(data.weight.view()), &control).unwrap();
        let left: f64 = dirty.iter().zip(&image).map(|(a, b)| a.wide() * b.wide()).sum();
        let right = dot(vis.view(), data.vis.view());
        let norm = dot(vis.view(), vis.view()).sqrt() * dot(data.vis.view(), data.vis.view()).sqrt();
        assert!((left - right).abs() < tolerance * norm, "{w_m} {compress}: {left} {right} {norm}");
    }
}

#[test]
fn gridding_and_degridding_are_adjoint() {
    adjointness::<f32>(1e-6, 1e-3);
    adjointness::<f64>(1e-12, 1e-3);
    adjointness::<f64>(1e-12, 1e-9);
}

#[test]
fn degridding_equals_the_direct_sum() {
    let data = case::<f64>(40, 12, 150.0, 30.0, 21);
    let params = GridParams { epsilon: 1e-8, divide_by_n: true, center_l: 0.01, ..small(40, 36) };
    let mut image = Array2::zeros((40, 36));
    (image[[3, 5]], image[[20, 18]], image[[39, 0]]) = (1.0, -2.0, 0.7);
    let control = Control::new();
    let vis = data.plan(&params).dirty2vis(image.view(), None, &control).unwrap();
    let samples: Vec<_> = (0..40).map(|r| (r, r % 12)).collect();
    let expected = direct_vis(data.baselines(), image.view(), &params, &samples, &control).unwrap();
    for (sample, expected) in samples.iter().zip(expected) {
        // Three pixels of unit size: three times epsilon, twice for unlucky places.
        assert!((vis[*sample] - expected).norm() < 6e-8);
    }
}

#[test]
fn images_may_reach_beyond_the_horizon() {
    // All of a hemisphere with corners that hold no sky, and one with pixels on the horizon itself.
    for (cell, w_m) in [(2.6 / 48.0, 0.4), (2.6 / 48.0, 40.0), (2.0 / 48.0, 5.0)] {
        let params = |epsilon, divide_by_n| GridParams {
            cell_x_rad: cell,
            cell_y_rad: cell,
            epsilon,
            divide_by_n,
            ..small(48, 48)
        };
        for (epsilon, divide_by_n) in [(1e-3, false), (1e-5, false), (1e-4, true)] {
            let error = case::<f32>(60, 9, 20.0, w_m, 8).error(&params(epsilon, divide_by_n));
            // Near the horizon 1 / n multiplies errors, up to ten times at single pixels; 3e-6 is rounding.
            let worst = if divide_by_n { 4.0 } else { 1.0 };
            assert!(error < worst * (2.0 * epsilon + 3e-6), "{cell} {w_m} {epsilon}: {error:e}");
        }
        let data = case::<f64>(60, 9, 20.0, w_m, 8);
        let error = data.error(&params(1e-9, false));
        assert!(error < 2e-9, "{cell} {w_m}: {error:e}");
        let (plan, control) = (data.plan(&params(1e-6, true)), Control::new());
        let mut noise = Noise(4);
        let image = Array2::from_shape_fn((48, 48), |_| noise.next());
        let dirty = plan.vis2dirty(data.vis.view(), None, &control).unwrap();
        assert!(cell < 0.05 || dirty[[0, 0]] == 0.0);
        let vis = plan.dirty2vis(image.view(), None, &control).unwrap();
        let left: f64 = dirty.iter().zip(&image).map(|(a, b)| a * b).sum();
        let norm = dot(vis.view(), vis.view()).sqrt() * dot(data.vis.view(), data.vis.view()).sqrt();
        assert!((left - dot(vis.view(), data.vis.view())).abs() < 1e-12 * norm);
    }
}

#[test]
fn linear_and_blind_to_the_order_of_rows() {
    let data = case::<f64>(120, 16, 150.0, 30.0, 31);
    let params = GridParams { epsilon: 1e-6, ..small(48, 48) };
    let control = Control::new();
    let image = data.plan(&params).vis2dirty(data.vis.view(), None, &control).unwrap();
    let scaled = data.vis.mapv(|v| v * 3.0);
    let tripled = data.plan(&params).vis2dirty(scaled.view(), None, &control).unwrap();
    let back = |a: &Array2<f64>| a.slice(ndarray::s![..;-1, ..]).as_standard_layout().into_owned();
    let reversed = Plan::new(back(&data.uvw).view(), &data.freq, &params)
        .unwrap()
        .vis2dirty(data.vis.slice(ndarray::s![..;-1, ..]), None, &control)
        .unwrap();
    let peak = image.iter().fold(0.0f64, |p, v| p.max(v.abs()));
    for ((a, b), c) in image.iter().zip(&tripled).zip(&reversed) {
        // Rounding of sums in another order.
        assert!((3.0 * a - b).abs() < 1e-12 * peak && (a - c).abs() < 1e-12 * peak);
    }
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    let data = case::<f32>(300, 40, 150.0, 30.0, 41);
    let params = small(64, 64);
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| data.plan(&params).vis2dirty(data.vis.view(), None, &Control::new()).unwrap())
    };
    assert_eq!(run(1), run(5));
}

#[test]
fn several_blocks_are_one_sum() {
    let (a, b) = (case::<f64>(50, 8, 150.0, 30.0, 51), case::<f64>(30, 5, 90.0, 10.0, 52));
    let params = GridParams { epsilon: 1e-9, ..small(48, 40) };
    let control = Control::new();
    let plan = Plan::for_blocks(&[a.baselines(), b.baselines()], &params).unwrap();
    let both = plan.vis2dirty_blocks(&[a.vis.view(), b.vis.view()], None, &control).unwrap();
    let one = a.plan(&params).vis2dirty(a.vis.view(), None, &control).unwrap();
    let other = b.plan(&params).vis2dirty(b.vis.view(), None, &control).unwrap();
    let scale = both.iter().fold(0.0f64, |p, v| p.max(v.abs()));
    for ((s, a), b) in both.iter().zip(&one).zip(&other) {
        assert!((s - a - b).abs() < 3e-8 * scale);
    }
    let vis = plan.dirty2vis_blocks(both.view(), None, &control).unwrap();
    assert_eq!((vis[0].dim(), vis[1].dim()), ((50, 8), (30, 5)));
}

#[test]
fn little_memory_gives_the_same_image_and_too_little_is_refused() {
    let data = case::<f64>(50, 8, 150.0, 9000.0, 61);
    let params = GridParams { epsilon: 1e-8, compress: false, ..small(64, 64) };
    let control = Control::new();
    let image = data.plan(&params).vis2dirty(data.vis.view(), None, &control).unwrap();
    let tight = GridParams { max_memory_bytes: Some(2 << 20), ..params.clone() };
    let same = data.plan(&tight).vis2dirty(data.vis.view(), None, &control).unwrap();
    let peak = image.iter().fold(0.0f64, |p, v| p.max(v.abs()));
    assert!(image.iter().zip(&same).all(|(a, b)| (a - b).abs() < 2e-7 * peak));
    let none = GridParams { max_memory_bytes: Some(1000), ..params };
    let error = Plan::new(data.uvw.view(), &data.freq, &none).unwrap_err();
    assert!(error.to_string().contains("max_memory_bytes"), "{error}");
}

#[test]
fn nothing_gives_zeros_and_nonsense_is_refused() {
    let control = Control::new();
    let params = small(32, 32);
    let nothing = case::<f32>(0, 4, 1.0, 1.0, 1);
    let image = nothing.plan(&params).vis2dirty(nothing.vis.view(), None, &control).unwrap();
    assert!(image.iter().all(|v| *v == 0.0));
    let mut data = case::<f32>(6, 4, 100.0, 10.0, 1);
    data.vis[[4, 2]].re = f32::NAN;
    for compress in [false, true] {
        let params = GridParams { compress, ..params.clone() };
        let plan = data.plan(&params);
        let error = plan.vis2dirty(data.vis.view(), None, &control).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Argument);
        assert!(error.to_string().contains("row 4"), "{error}");
        let mut weight = data.weight.clone();
        weight[[4, 2]] = 0.0;
        assert!(plan.vis2dirty(data.vis.view(), Some(weight.view()), &control).is_ok());
    }
    data.uvw[[3, 1]] = f64::INFINITY;
    assert!(Plan::new(data.uvw.view(), &data.freq, &params).unwrap_err().to_string().contains("row 3"));
    for bad in [
        GridParams { nx: 33, ..params.clone() },
        GridParams { cell_x_rad: 0.0, ..params.clone() },
        GridParams { epsilon: 0.0, ..params.clone() },
        GridParams { center_l: 0.999, w_plane: WPlane::Given(Slant { a: 0.3, b: 0.0 }), ..params.clone() },
        GridParams { center_m: f64::NAN, ..params.clone() },
    ] {
        assert!(Plan::new(nothing.uvw.view(), &nothing.freq, &bad).is_err());
    }
    let plan = nothing.plan(&GridParams { epsilon: 1e-7, ..params });
    assert!(plan.vis2dirty(nothing.vis.view(), None, &control).unwrap_err().to_string().contains("single"));
}

#[test]
fn a_cancelled_call_stops() {
    let data = case::<f32>(20, 4, 100.0, 10.0, 71);
    let control = Control::new();
    control.cancel();
    let error = data.plan(&small(32, 32)).vis2dirty(data.vis.view(), None, &control).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}

#[test]
fn compression_stays_inside_epsilon_and_pays() {
    for epsilon in [1e-2, 1e-4, 1e-5] {
        let data = case::<f32>(60, 200, 90.0, 30.0, 81);
        let params = GridParams { epsilon, ..small(64, 64) };
        let summary = data.plan(&params).summary();
        assert!(summary.samples * 3 < summary.visibilities, "{summary:?}");
        let error = data.error(&params);
        assert!(error < 1.5 * epsilon + 3e-6, "{epsilon}: {error:e}");
    }
    let data = case::<f64>(60, 200, 90.0, 30.0, 82);
    let error = data.error(&GridParams { epsilon: 1e-11, center_l: 0.02, ..small(64, 64) });
    assert!(error < 1.5e-11, "{error:e}");
    // Descending channels, and a gap in the band.
    let mut data = case::<f64>(40, 120, 90.0, 30.0, 83);
    data.freq.reverse();
    data.freq[..50].iter_mut().for_each(|f| *f += 0.2e9);
    let error = data.error(&GridParams { epsilon: 1e-6, ..small(64, 64) });
    assert!(error < 1.5e-6, "{error:e}");
}

#[test]
fn portable_and_vector_loops_agree() {
    use super::kernel::Kernel;
    use super::tile::{Batch, Loops, Sample, Shape};
    for support in 2..=16 {
        let kernel = Kernel::new(support, 1.6, 1e-3);
        let (fast, plain) = (Loops::<f64>::new(&kernel), Loops::<f64>::portable(&kernel));
        let shape = Shape { rows: 16 + support, columns: 16 + fast.width(), planes: 2 };
        let mut noise = Noise(support as u64);
        let samples = (0..9)
            .map(|i| Sample {
                re: noise.next(),
                im: noise.next(),
                su: noise.next(),
                sv: noise.next(),
                at: (i * 2 * shape.columns + i) as u32,
                plane: (i % 2) as u16,
                planes: 1 + u16::from(i == 0),
            })
            .collect();
        let weights = (0..18).map(|_| noise.next()).collect();
        let mut batch = Batch { samples, weights, planes_each: 2 };
        let (mut a, mut b) = (vec![0.0; shape.len()], vec![0.0; shape.len()]);
        fast.spread(&batch, shape, &mut a);
        plain.spread(&batch, shape, &mut b);
        assert!(a.iter().any(|v| *v != 0.0) && a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-13));
        fast.gather(&mut batch, shape, &a);
        let found: Vec<_> = batch.samples.iter().map(|s| (s.re, s.im)).collect();
        plain.gather(&mut batch, shape, &a);
        assert!(found
            .iter()
            .zip(&batch.samples)
            .all(|(f, s)| (f.0 - s.re).abs() + (f.1 - s.im).abs() < 1e-12));
    }
}

#[test]
fn packed_residuals_are_those_of_the_channels() {
    for compress in [true, false] {
        let case = case::<f32>(120, 96, 900.0, 20.0, 5);
        let params = GridParams { compress, ..GridParams::new(96, 64, 4e-5, 5e-5) };
        let plan = case.plan(&params);
        let control = Control::new();
        let mut noise = Noise(7);
        let model = Array2::from_shape_fn((96, 64), |_| noise.next() as f32);
        let predicted = plan.dirty2vis(model.view(), None, &control).unwrap();
        let left = &case.vis - &predicted;
        let slow = plan.vis2dirty(left.view(), Some(case.weight.view()), &control).unwrap();
        let packed = plan.pack(case.vis.view(), case.weight.view(), &control).unwrap();
        let samples = plan.samples_of(model.view(), &control).unwrap();
        let fast = plan.dirty_of_samples(&packed.less(&plan, &samples), &control).unwrap();
        let scale = slow.iter().fold(0f32, |a, v| a.max(v.abs()));
        // Single precision, sums of ten thousand.
        let apart = slow.iter().zip(&fast).fold(0f32, |a, (s, f)| a.max((s - f).abs()));
        assert!(apart < 2e-5 * scale, "{apart} {scale} {compress}");
        // Unit visibilities are the weights.
        let ones = case.vis.mapv(|_| Complex::new(1.0, 0.0));
        let psf = plan.vis2dirty(ones.view(), Some(case.weight.view()), &control).unwrap();
        let unit = plan.dirty_of_samples(&packed.unit(&plan), &control).unwrap();
        let peak = psf.iter().fold(0f32, |a, v| a.max(v.abs()));
        assert!(psf.iter().zip(&unit).all(|(a, b)| (a - b).abs() < 2e-5 * peak));
        // One row's channels from its samples.
        let row = plan.channels_of_row(&samples, 17);
        assert!(row.iter().zip(predicted.row(17)).all(|(a, b)| (a - b).norm() < 1e-6 * (1.0 + b.norm())));
    }
}
