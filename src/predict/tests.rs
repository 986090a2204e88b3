//! The kernel against its slow twin and its laws.

use num_complex::{Complex32, Complex64};

use super::components::sub;
use super::kernel::{run_with, Isa};
use super::{direct_sum, predict_snapshot, Snapshot, Window};
use crate::control::Control;

struct World {
    antenna_m: Vec<[f64; 3]>,
    pairs: Vec<[u32; 2]>,
    centre: [f64; 3],
    directions: Vec<[f64; 3]>,
    gaussians: Vec<(usize, [[f64; 3]; 2])>,
    flux_sf: Vec<f32>,
    freq_hz: Vec<f64>,
}

/// Deterministic numbers on (-1, 1).
fn noise(n: u64) -> f64 {
    let x = (n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407)) ^ (n << 17);
    let x = x.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (x >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}

fn unit(v: [f64; 3]) -> [f64; 3] {
    let n = (v[0] * v[0] + v[1] * v[1] + v[2] * v[2]).sqrt();
    v.map(|x| x / n)
}

impl World {
    /// `radius` [rad] of the field, kilometres of array.
    fn new(antennas: u32, sources: usize, channels: usize, radius: f64) -> Self {
        let antenna_m: Vec<[f64; 3]> = (0..u64::from(antennas))
            .map(|a| [noise(3 * a + 1) * 900.0, noise(3 * a + 2) * 900.0, noise(3 * a + 3) * 900.0])
            .collect();
        let pairs = (0..antennas).flat_map(|i| (i..antennas).map(move |j| [i, j])).collect();
        let centre = unit([0.3, -0.8, 0.5]);
        let directions: Vec<[f64; 3]> = (0..sources as u64)
            .map(|s| unit(std::array::from_fn(|k| centre[k] + radius * noise(777 + 3 * s + k as u64))))
            .collect();
        let freq_hz: Vec<f64> = (0..channels).map(|k| 1.3113e9 + 244_140.625 * k as f64).collect();
        let flux_sf = (0..sources * channels).map(|i| (1.5 + noise(99 + i as u64)) as f32).collect();
        Self { antenna_m, pairs, centre, directions, gaussians: Vec::new(), flux_sf, freq_hz }
    }

    fn snapshot(&self) -> Snapshot<'_> {
        Snapshot {
            antenna_m: &self.antenna_m,
            pairs: &self.pairs,
            centre: self.centre,
            pointing: self.centre,
            directions: &self.directions,
            gaussians: &self.gaussians,
            flux_sf_jy: &self.flux_sf,
        }
    }

    fn window(&self, smear: bool, accuracy: f64) -> Window<'_> {
        Window {
            freq_hz: &self.freq_hz,
            smear_s: smear.then_some(12.884_9),
            smear_hz: smear.then_some(244_140.625),
            accuracy,
        }
    }

    fn predict(&self, smear: bool, accuracy: f64) -> Vec<Complex32> {
        let mut out = vec![Complex32::new(f32::NAN, 0.0); self.pairs.len() * self.freq_hz.len()];
        predict_snapshot(&self.snapshot(), &self.window(smear, accuracy), &mut out, &Control::new()).unwrap();
        // Every instruction set of this machine gives the same to rounding.
        for isa in Isa::available() {
            let mut other = vec![Complex32::new(f32::NAN, 0.0); out.len()];
            unsafe {
                run_with(isa, &self.snapshot(), &self.window(smear, accuracy), &mut other, &Control::new())
                    .unwrap()
            };
            let close = out
                .iter()
                .zip(&other)
                .all(|(a, b)| f64::from((a - b).norm()) <= F32_SUM * self.total().abs());
            assert!(close, "{isa:?} differs from the best");
        }
        out
    }

    fn total(&self) -> f64 {
        self.flux_sf
            .chunks(self.freq_hz.len())
            .map(|r| f64::from(r.iter().fold(0f32, |a, b| a.max(b.abs()))))
            .sum()
    }
}

fn worst(a: &[Complex32], b: &[Complex64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (Complex64::new(a.re.into(), a.im.into()) - b).norm()).fold(0.0, |m, x| {
        if x > m || x.is_nan() {
            x
        } else {
            m
        }
    })
}

// f32 sums of n terms: each rounding is 6e-8 of the running sum, far below 2e-6 of the total for these n.
const F32_SUM: f64 = 2e-6;

#[test]
fn points_and_gaussians_equal_the_direct_sum() {
    for (antennas, sources, channels) in [(1, 1, 1), (2, 3, 1), (5, 70, 7), (13, 40, 33), (14, 3, 48)] {
        let mut world = World::new(antennas, sources, channels, 0.05);
        assert!(
            worst(&world.predict(false, 1e-6), &direct_sum(&world.snapshot(), &world.freq_hz))
                < F32_SUM * world.total()
        );
        // Sizes from a tenth of an arcsecond to fully resolved.
        world.gaussians = (0..sources)
            .filter(|s| s % 2 == 0)
            .map(|s| {
                let size = 5e-7 * 10f64.powf(1.5 * noise(s as u64) + 1.5);
                (
                    s,
                    [
                        unit([0.5, 0.5, 0.5 * noise(s as u64)]).map(|x| x * size),
                        unit([0.9, 0.3, -0.1]).map(|x| x * 0.3 * size),
                    ],
                )
            })
            .collect();
        assert!(
            worst(&world.predict(false, 1e-6), &direct_sum(&world.snapshot(), &world.freq_hz))
                < F32_SUM * world.total()
        );
    }
}

#[test]
fn an_irregular_grid_of_channels_and_any_order_of_pairs() {
    let mut world = World::new(7, 9, 20, 0.05);
    for (k, f) in world.freq_hz.iter_mut().enumerate() {
        *f += 9e4 * noise(k as u64);
    }
    world.pairs = vec![[6, 0], [0, 6], [3, 3], [2, 5], [5, 2], [0, 6]];
    let out = world.predict(false, 1e-6);
    assert!(worst(&out, &direct_sum(&world.snapshot(), &world.freq_hz)) < F32_SUM * world.total());
    assert!((0..20).all(|k| out[k] == out[20 + k].conj() && out[20 + k] == out[100 + k]));
}

#[test]
fn long_grids_keep_the_phase() {
    // 768 channels by recurrence, a source 10 degrees off: phases within 1e-5 rad of sincos.
    let mut world = World::new(3, 1, 768, 0.17);
    world.flux_sf.fill(1.0);
    assert!(worst(&world.predict(false, 1e-6), &direct_sum(&world.snapshot(), &world.freq_hz)) < 1e-6);
}

/// Mean over many sub-integrations and sub-channels of the direct sum, the sky turning about the Earth's axis.
fn oversampled(world: &World, fine: usize) -> Vec<Complex64> {
    let mut mean = vec![Complex64::new(0.0, 0.0); world.pairs.len() * world.freq_hz.len()];
    for it in 0..fine {
        let angle = 7.292_115e-5 * 12.884_9 * ((it as f64 + 0.5) / fine as f64 - 0.5);
        let (sin, cos) = angle.sin_cos();
        // West of where it was: right ascension stays, hour angle grows. The phase centre follows (fringes are stopped).
        let turn = |v: [f64; 3]| [cos * v[0] + sin * v[1], cos * v[1] - sin * v[0], v[2]];
        let directions: Vec<[f64; 3]> = world.directions.iter().map(|d| turn(*d)).collect();
        for k in 0..fine {
            let df = 244_140.625 * ((k as f64 + 0.5) / fine as f64 - 0.5);
            let freqs: Vec<f64> = world.freq_hz.iter().map(|f| f + df).collect();
            let snapshot =
                Snapshot { directions: &directions, centre: turn(world.centre), ..world.snapshot() };
            for (sum, v) in mean.iter_mut().zip(direct_sum(&snapshot, &freqs)) {
                *sum += v / (fine * fine) as f64;
            }
        }
    }
    mean
}

#[test]
fn smearing_keeps_the_asked_accuracy() {
    let world = World::new(6, 8, 3, 0.06);
    let want = oversampled(&world, 60);
    let unsmeared = direct_sum(&world.snapshot(), &world.freq_hz);
    let effect = unsmeared.iter().zip(&want).map(|(a, b)| (a - b).norm()).fold(0.0, f64::max);
    assert!(effect > 0.02 * world.total(), "nothing to test: {effect}");
    for accuracy in [1e-2, 1e-3, 1e-4, 1e-5] {
        // The oversampled mean itself (60 midpoints) is good to (h / 60)^2 / 6, below 3e-5 for half swings up to 0.8.
        let error = worst(&world.predict(true, accuracy), &want) / world.total();
        assert!(error < accuracy + 3e-5, "{accuracy}: {error}");
    }
}

#[test]
fn a_source_at_the_pointing_is_not_smeared() {
    let mut world = World::new(5, 1, 4, 0.04);
    world.directions[0] = world.centre;
    let out = world.predict(true, 1e-5);
    for (k, v) in out.iter().enumerate() {
        assert!((v - Complex32::new(world.flux_sf[k % 4], 0.0)).norm() < 1e-6, "{v}");
    }
}

#[test]
fn smearing_counts_from_the_pointing_and_not_from_the_phase_centre() {
    let world = World::new(5, 4, 4, 0.03);
    let smeared = world.predict(true, 1e-5);
    let other = world.directions[0];
    let moved = Snapshot { centre: other, ..world.snapshot() };
    let mut out = vec![Complex32::default(); smeared.len()];
    predict_snapshot(&moved, &world.window(true, 1e-5), &mut out, &Control::new()).unwrap();
    // Amplitudes are those of the same integrations; phases are turned to the new centre.
    for (row, pair) in world.pairs.iter().enumerate() {
        let b = sub(world.antenna_m[pair[0] as usize], world.antenna_m[pair[1] as usize]);
        let shift = sub(world.centre, other);
        let path = b[0] * shift[0] + b[1] * shift[1] + b[2] * shift[2];
        for (k, f) in world.freq_hz.iter().enumerate() {
            let turn = Complex64::from_polar(1.0, std::f64::consts::TAU * f / 299_792_458.0 * path);
            let a = smeared[row * 4 + k];
            let want = Complex64::new(a.re.into(), a.im.into()) * turn;
            let got = out[row * 4 + k];
            assert!((Complex64::new(got.re.into(), got.im.into()) - want).norm() < 3e-5 * world.total());
        }
    }
}

#[test]
fn linear_in_flux_and_quiet_without_sources() {
    let mut world = World::new(6, 5, 9, 0.05);
    let one = world.predict(true, 1e-6);
    world.flux_sf.iter_mut().for_each(|f| *f *= -4.0);
    let four = world.predict(true, 1e-6);
    // A factor of four is exact in binary; the quadrature depends on relative fluxes only.
    assert!(one.iter().zip(&four).all(|(a, b)| a * -4.0 == *b));
    let none = World { directions: vec![], flux_sf: vec![], ..world };
    assert!(none.predict(true, 1e-6).iter().all(|v| *v == Complex32::default()));
}

#[test]
fn wrong_lengths_are_refused_and_a_cancel_is_heard() {
    let world = World::new(3, 2, 4, 0.05);
    let mut out = vec![Complex32::default(); world.pairs.len() * 4];
    let control = Control::new();
    assert!(predict_snapshot(&world.snapshot(), &world.window(false, 1e-4), &mut out[1..], &control).is_err());
    assert!(predict_snapshot(&world.snapshot(), &world.window(false, 0.0), &mut out, &control).is_err());
    let short = Snapshot { antenna_m: &world.antenna_m[..2], ..world.snapshot() };
    assert!(predict_snapshot(&short, &world.window(false, 1e-4), &mut out, &control).is_err());
    control.cancel();
    assert!(predict_snapshot(&world.snapshot(), &world.window(false, 1e-4), &mut out, &control).is_err());
}
