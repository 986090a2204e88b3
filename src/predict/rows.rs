//! Model visibilities for the rows of a Measurement Set: any order, any baselines, any fields.

use std::collections::HashMap;

use ndarray::{Array2, Array3, Axis};
use num_complex::Complex32;
use rayon::prelude::*;

use super::sky::SkyBand;
use super::snapshot::{predict_snapshot, Snapshot, Window};
use super::Error;
use crate::beam::Beam;
use crate::control::Control;
use crate::coords::{ApparentFrame, Observatory, RaDec, UvwBasis};
use crate::kind::BadArgument;
use crate::source::SkyModel;
use crate::time::EarthOrientation;
use crate::vis::{Channels, Field, Rows, VisBlock};

/// Where the dishes point, which is also where the correlator stops the fringes within an integration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pointing {
    /// Hour angle zero at this declination of date \[rad\]: the drift scan.
    Meridian {
        /// Declination of date \[rad\].
        dec_rad: f64,
    },
    /// The phase centre of each row's field.
    PhaseCentre,
    /// A direction on the sky, ICRS.
    Towards(RaDec),
}

/// How to predict.
#[derive(Clone, Debug, PartialEq)]
pub struct PredictParams {
    /// The primary beam.
    pub beam: Beam,
    /// Where it points.
    pub pointing: Pointing,
    /// Average over each row's integration and each channel, as the correlator did.
    pub smear: bool,
    /// Largest error of these averages, as a fraction of the summed apparent flux.
    pub accuracy: f64,
    /// Where the array is.
    pub observatory: Observatory,
}

impl PredictParams {
    /// The DSA-110's drift scan at a declination of date: Airy beam, smearing to 1e-4.
    pub fn dsa110(dec_rad: f64) -> Self {
        Self {
            beam: Beam::Airy(crate::beam::Airy::dsa110()),
            pointing: Pointing::Meridian { dec_rad },
            smear: true,
            accuracy: 1e-4,
            observatory: Observatory::dsa110(),
        }
    }
}

/// Uvw of a row may differ from the difference of its antennas' places by this much \[m\]; past it, rows stand alone.
const CLOSURE_M: f64 = 1e-3;

/// Stokes I of the model on every row and channel \[Jy\], `(r, f)`.
///
/// # Errors
/// Rows of unequal lengths, a field that is not in the list, times or sources that make no sense; cancellation.
pub fn predict_rows(
    sky: &SkyModel,
    rows: &Rows,
    channels: &Channels,
    fields: &[Field],
    params: &PredictParams,
    control: &Control,
) -> Result<Array2<Complex32>, Error> {
    check(rows, channels, fields)?;
    let earth = EarthOrientation::current().map_err(crate::coords::Error::from)?;
    let band = SkyBand::new(sky, &channels.freq_hz)?;
    let width = channels.width_hz.iter().fold(0.0f64, |a, w| a.max(*w));
    let groups = group(rows);
    let mut out = Array2::zeros((rows.len(), channels.freq_hz.len()));
    let run = |group: &[usize], out: &mut [Complex32]| -> Result<(), Error> {
        control.check()?;
        let first = group[0];
        let frame = ApparentFrame::new(rows.time_mjd_s[first], &params.observatory, &earth)?;
        let basis = frame.uvw_basis(fields[rows.field[first] as usize].centre);
        let pointing = match params.pointing {
            Pointing::Meridian { dec_rad } => {
                UvwBasis::meridian(params.observatory.longitude_rad, dec_rad).rows[2]
            }
            Pointing::PhaseCentre => basis.rows[2],
            Pointing::Towards(direction) => frame.direction(direction),
        };
        let now = band.at(&frame, &params.beam, pointing);
        let (antenna_m, pairs) = places(rows, group, &basis);
        let snapshot = Snapshot {
            antenna_m: &antenna_m,
            pairs: &pairs,
            centre: basis.rows[2],
            pointing,
            directions: &now.directions,
            gaussians: &now.gaussians,
            flux_sf_jy: &now.flux_sf_jy,
        };
        let window = Window {
            freq_hz: &channels.freq_hz,
            smear_s: params.smear.then_some(rows.interval_s[first]),
            smear_hz: params.smear.then_some(width),
            accuracy: params.accuracy,
        };
        predict_snapshot(&snapshot, &window, out, control)
    };
    in_parallel(&groups, &mut out, run)?;
    Ok(out)
}

/// Fill `block.model_rfp`: the parallel-hand products get Stokes I (XX = YY = I), the others zero.
///
/// # Errors
/// As [`predict_rows`].
pub fn fill_model(
    sky: &SkyModel,
    block: &mut VisBlock,
    fields: &[Field],
    params: &PredictParams,
    control: &Control,
) -> Result<(), Error> {
    let stokes_i = predict_rows(sky, &block.rows, &block.channels, fields, params, control)?;
    let (r, f) = stokes_i.dim();
    let mut model = Array3::zeros((r, f, block.products.len()));
    for (p, product) in block.products.iter().enumerate() {
        if product.is_parallel() {
            model.index_axis_mut(Axis(2), p).assign(&stokes_i);
        }
    }
    block.model_rfp = Some(model);
    Ok(())
}

fn check(rows: &Rows, channels: &Channels, fields: &[Field]) -> Result<(), Error> {
    let n = rows.len();
    let lengths =
        [rows.interval_s.len(), rows.antenna1.len(), rows.antenna2.len(), rows.field.len(), rows.uvw_m.len()];
    if lengths.iter().any(|len| *len != n) {
        return Err(
            BadArgument::new("rows", format!("{n} values of each kind"), format!("{lengths:?}")).into()
        );
    }
    if channels.width_hz.len() != channels.freq_hz.len() {
        return Err(BadArgument::new(
            "width_hz",
            format!("{} widths", channels.freq_hz.len()),
            channels.width_hz.len(),
        )
        .into());
    }
    if let Some(bad) = rows.field.iter().find(|f| **f as usize >= fields.len()) {
        return Err(BadArgument::new("field", format!("fields below {}", fields.len()), bad).into());
    }
    if let Some(bad) = rows.uvw_m.iter().find(|b| b.iter().any(|x| !x.is_finite())) {
        return Err(BadArgument::new("uvw_m", "finite lengths", format!("{bad:?}")).into());
    }
    if let Some(bad) = rows.interval_s.iter().find(|t| !(t.is_finite() && **t >= 0.0)) {
        return Err(BadArgument::new("interval_s", "finite lengths of time", bad).into());
    }
    Ok(())
}

/// Rows of one time, field and interval, in the order of their first appearance.
fn group(rows: &Rows) -> Vec<Vec<usize>> {
    let mut number: HashMap<(u64, u32, u64), usize> = HashMap::new();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for row in 0..rows.len() {
        let key = (rows.time_mjd_s[row].to_bits(), rows.field[row], rows.interval_s[row].to_bits());
        let at = *number.entry(key).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[at].push(row);
    }
    groups
}

/// Run over the groups in parallel; groups of neighbouring rows write in place, others through a buffer.
fn in_parallel<F>(groups: &[Vec<usize>], out: &mut Array2<Complex32>, run: F) -> Result<(), Error>
where
    F: Fn(&[usize], &mut [Complex32]) -> Result<(), Error> + Sync,
{
    let channels = out.ncols();
    let in_order = groups.iter().flatten().enumerate().all(|(k, row)| k == *row);
    if let (true, Some(mut rest)) = (in_order, out.as_slice_mut()) {
        let mut pieces = Vec::with_capacity(groups.len());
        for group in groups {
            let (piece, after) = rest.split_at_mut(group.len() * channels);
            pieces.push((group, piece));
            rest = after;
        }
        return pieces.into_par_iter().try_for_each(|(group, piece)| run(group, piece));
    }
    // A few groups at a time bound the buffers.
    for wave in groups.chunks(4 * rayon::current_num_threads()) {
        let buffers: Vec<Vec<Complex32>> = wave
            .par_iter()
            .map(|group| {
                let mut buffer = vec![Complex32::default(); group.len() * channels];
                run(group, &mut buffer).map(|()| buffer)
            })
            .collect::<Result<_, _>>()?;
        for (group, buffer) in wave.iter().zip(buffers) {
            for (row, values) in group.iter().zip(buffer.chunks(channels.max(1))) {
                out.row_mut(*row).iter_mut().zip(values).for_each(|(to, from)| *to = *from);
            }
        }
    }
    Ok(())
}

/// Antenna places (ITRF axes, any origin) from the rows' uvw, and the pair of each row. Where uvw do not close around
/// triangles (averaged data), every row becomes its own antenna against one at the origin.
fn places(rows: &Rows, group: &[usize], basis: &UvwBasis) -> (Vec<[f64; 3]>, Vec<[u32; 2]>) {
    let itrf = |uvw: [f64; 3]| -> [f64; 3] {
        std::array::from_fn(|k| {
            uvw[0] * basis.rows[0][k] + uvw[1] * basis.rows[1][k] + uvw[2] * basis.rows[2][k]
        })
    };
    let mut number: HashMap<u32, u32> = HashMap::new();
    let mut local = |antenna: u32| {
        let next = number.len() as u32;
        *number.entry(antenna).or_insert(next)
    };
    let pairs: Vec<[u32; 2]> =
        group.iter().map(|r| [local(rows.antenna1[*r]), local(rows.antenna2[*r])]).collect();
    let antennas = number.len();
    let mut edges: Vec<Vec<(u32, usize, f64)>> = vec![Vec::new(); antennas];
    for (k, [a, b]) in pairs.iter().enumerate() {
        edges[*a as usize].push((*b, group[k], -1.0));
        edges[*b as usize].push((*a, group[k], 1.0));
    }
    let mut place: Vec<Option<[f64; 3]>> = vec![None; antennas];
    for start in 0..antennas {
        if place[start].is_some() {
            continue;
        }
        let mut queue = vec![(start, [0.0; 3])];
        while let Some((antenna, at)) = queue.pop() {
            if place[antenna].is_some() {
                continue;
            }
            place[antenna] = Some(at);
            for (other, row, sign) in &edges[antenna] {
                if place[*other as usize].is_none() {
                    let uvw = rows.uvw_m[*row];
                    queue.push((*other as usize, std::array::from_fn(|k| at[k] + sign * uvw[k])));
                }
            }
        }
    }
    let uvw_m: Vec<[f64; 3]> = place.into_iter().map(|p| p.unwrap_or_default()).collect();
    let closes = pairs.iter().zip(group).all(|([a, b], row)| {
        (0..3)
            .all(|k| (uvw_m[*a as usize][k] - uvw_m[*b as usize][k] - rows.uvw_m[*row][k]).abs() < CLOSURE_M)
    });
    if closes {
        return (uvw_m.into_iter().map(itrf).collect(), pairs);
    }
    let origin = group.len() as u32;
    let mut antenna_m: Vec<[f64; 3]> = group.iter().map(|row| itrf(rows.uvw_m[*row])).collect();
    antenna_m.push([0.0; 3]);
    (antenna_m, (0..origin).map(|row| [row, origin]).collect())
}

#[cfg(test)]
mod tests {
    use num_complex::Complex64;

    use super::*;
    use crate::constants::SPEED_OF_LIGHT_M_S;
    use crate::source::{SkySource, Spectrum};

    const START: f64 = 61_065.934_9 * 86_400.0;

    fn source(ra_deg: f64, dec_deg: f64, flux_jy: f64) -> SkySource {
        SkySource {
            name: format!("{ra_deg} {dec_deg}"),
            position: RaDec::from_deg(ra_deg, dec_deg),
            spectrum: Spectrum::power_law(flux_jy, 1.4e9, -0.7),
            shape: None,
        }
    }

    /// Rows of four antennas at three times, each time its own field (the meridian), uvw exact.
    fn observation(dec_deg: f64) -> (Rows, Vec<Field>) {
        let site = Observatory::dsa110();
        let earth = EarthOrientation::builtin().unwrap();
        let antennas =
            [[0.0, 0.0, 0.0], [900.0, -20.0, 3.0], [100.0, 700.0, -250.0], [-2000.0, 800.0, 400.0]];
        let (mut rows, mut fields) = (Rows::default(), Vec::new());
        for t in 0..3u32 {
            let time = START + 12.9 * f64::from(t);
            let frame = ApparentFrame::new(time, &site, &earth).unwrap();
            let centre = frame.meridian_icrs(dec_deg.to_radians());
            let basis = frame.uvw_basis(centre);
            fields.push(Field { name: format!("t{t}"), centre, time_mjd_s: time });
            for i in 0..4u32 {
                for j in i..4u32 {
                    rows.time_mjd_s.push(time);
                    rows.interval_s.push(12.885);
                    rows.antenna1.push(10 + i);
                    rows.antenna2.push(10 + j);
                    rows.field.push(t);
                    rows.uvw_m.push(basis.baseline_uvw_m(antennas[i as usize], antennas[j as usize]));
                }
            }
        }
        (rows, fields)
    }

    fn channels() -> Channels {
        Channels {
            spw: 0,
            freq_hz: (0..5).map(|k| 1.4e9 + 244_140.625 * f64::from(k)).collect(),
            width_hz: vec![244_140.625; 5],
        }
    }

    fn params(dec_deg: f64) -> PredictParams {
        PredictParams { smear: false, ..PredictParams::dsa110(dec_deg.to_radians()) }
    }

    /// `sum S A exp(2 pi i (u l + v m + w (n - 1)))` a row and channel at a time.
    fn by_definition(
        sky: &SkyModel,
        rows: &Rows,
        channels: &Channels,
        fields: &[Field],
        beam: &Beam,
        row: usize,
        k: usize,
    ) -> Complex64 {
        let earth = EarthOrientation::builtin().unwrap();
        let frame = ApparentFrame::new(rows.time_mjd_s[row], &Observatory::dsa110(), &earth).unwrap();
        let centre = fields[rows.field[row] as usize].centre;
        let (f, uvw) = (channels.freq_hz[k], rows.uvw_m[row]);
        sky.sources
            .iter()
            .map(|s| {
                let lmn = frame.apparent_lmn(centre, s.position);
                let turns =
                    (uvw[0] * lmn.l + uvw[1] * lmn.m + uvw[2] * lmn.n_minus_1) * f / SPEED_OF_LIGHT_M_S;
                let power = beam.power(lmn.l * lmn.l + lmn.m * lmn.m, f);
                Complex64::from_polar(s.spectrum.flux_at_jy(f) * power, std::f64::consts::TAU * turns)
            })
            .sum()
    }

    #[test]
    fn rows_equal_the_definition_at_any_declination_and_in_any_order() {
        for dec_deg in [-10.0, 16.15, 54.6, 89.3] {
            let (rows, fields) = observation(dec_deg);
            let c = fields[1].centre;
            let near = |dra: f64, ddec: f64, flux| {
                let lmn = crate::coords::Lmn::from_lm(dra, ddec);
                let d = lmn.direction(c);
                source(d.ra_deg(), d.dec_deg(), flux)
            };
            let sky = SkyModel {
                sources: vec![near(0.02, -0.01, 1.0), near(-0.03, 0.03, 2.0), near(0.0, 0.0, 0.5)],
            };
            let channels = channels();
            let out =
                predict_rows(&sky, &rows, &channels, &fields, &params(dec_deg), &Control::new()).unwrap();
            for row in 0..rows.len() {
                for k in 0..5 {
                    let beam = Beam::Airy(crate::beam::Airy::dsa110());
                    let want = by_definition(&sky, &rows, &channels, &fields, &beam, row, k);
                    let got = Complex64::new(out[(row, k)].re.into(), out[(row, k)].im.into());
                    // f32 sums of 3.5 Jy: 1e-6; the beam's centre is the meridian itself, here also the phase centre.
                    assert!((got - want).norm() < 5e-6, "dec {dec_deg} row {row}: {got} {want}");
                }
            }
            let order: Vec<usize> = (0..rows.len()).rev().collect();
            let shuffled = Rows {
                time_mjd_s: order.iter().map(|r| rows.time_mjd_s[*r]).collect(),
                interval_s: order.iter().map(|r| rows.interval_s[*r]).collect(),
                antenna1: order.iter().map(|r| rows.antenna1[*r]).collect(),
                antenna2: order.iter().map(|r| rows.antenna2[*r]).collect(),
                field: order.iter().map(|r| rows.field[*r]).collect(),
                uvw_m: order.iter().map(|r| rows.uvw_m[*r]).collect(),
            };
            let again =
                predict_rows(&sky, &shuffled, &channels, &fields, &params(dec_deg), &Control::new()).unwrap();
            assert!(order
                .iter()
                .enumerate()
                .all(|(k, r)| (0..5).all(|f| (again[(k, f)] - out[(*r, f)]).norm() < 5e-6)));
        }
    }

    #[test]
    fn uvw_that_do_not_close_are_taken_row_by_row() {
        let (mut rows, fields) = observation(30.0);
        let c = fields[0].centre;
        let sky = SkyModel { sources: vec![source(c.ra_deg() + 0.7, c.dec_deg() + 0.4, 1.0)] };
        rows.uvw_m[1][0] += 0.5;
        let params = PredictParams { beam: Beam::Unit, ..params(30.0) };
        let out = predict_rows(&sky, &rows, &channels(), &fields, &params, &Control::new()).unwrap();
        for row in 0..rows.len() {
            let want = by_definition(&sky, &rows, &channels(), &fields, &Beam::Unit, row, 2);
            assert!((Complex64::new(out[(row, 2)].re.into(), out[(row, 2)].im.into()) - want).norm() < 1e-5);
        }
    }

    #[test]
    fn right_ascension_zero_is_nothing_special() {
        // Turning sky and phase centres by the same angle about the pole, uvw kept, changes nothing but aberration (1e-4 of
        // the offset: 2e-4 of a radian per turn of phase here).
        let (rows, fields) = observation(30.0);
        let c = fields[0].centre;
        let at = |turn_deg: f64| {
            let turned: Vec<Field> = fields
                .iter()
                .map(|f| Field {
                    centre: RaDec::from_deg(f.centre.ra_deg() + turn_deg, f.centre.dec_deg()),
                    ..f.clone()
                })
                .collect();
            let sky =
                SkyModel { sources: vec![source(c.ra_deg() + turn_deg + 0.01, c.dec_deg() + 0.004, 1.0)] };
            let params = PredictParams { beam: Beam::Unit, pointing: Pointing::PhaseCentre, ..params(30.0) };
            predict_rows(&sky, &rows, &channels(), &turned, &params, &Control::new()).unwrap()
        };
        let (a, b) = (at(0.0), at(-c.ra_deg() - 0.005));
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).norm() < 3e-3));
    }

    #[test]
    fn a_model_fills_the_parallel_hands() {
        use crate::vis::Product;
        let (rows, fields) = observation(30.0);
        let n = rows.len();
        let sky =
            SkyModel { sources: vec![source(fields[0].centre.ra_deg(), fields[0].centre.dec_deg(), 2.0)] };
        let mut block = VisBlock {
            rows,
            channels: channels(),
            products: vec![Product::XX, Product::XY, Product::YX, Product::YY],
            vis_rfp: Array3::zeros((n, 5, 4)),
            weight_rfp: Array3::zeros((n, 5, 4)),
            flag_rfp: Array3::from_elem((n, 5, 4), false),
            model_rfp: None,
        };
        fill_model(&sky, &mut block, &fields, &params(30.0), &Control::new()).unwrap();
        let model = block.model_rfp.unwrap();
        assert!((model[(0, 0, 0)].re - 2.0).abs() < 1e-4 && model[(0, 0, 3)] == model[(0, 0, 0)]);
        assert!(model.index_axis(Axis(2), 1).iter().all(|v| *v == Complex32::default()));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let (rows, fields) = observation(30.0);
        let run = |rows: &Rows, sky: SkyModel, fields: &[Field]| {
            predict_rows(&sky, rows, &channels(), fields, &params(30.0), &Control::new())
                .map_err(|e| e.to_string())
        };
        let good = SkyModel { sources: vec![source(10.0, 10.0, 1.0)] };
        assert!(run(&rows, good.clone(), &fields).is_ok());
        assert!(run(&rows, good.clone(), &fields[..1]).unwrap_err().contains("field"));
        assert!(run(&rows, SkyModel { sources: vec![source(f64::NAN, 0.0, 1.0)] }, &fields)
            .unwrap_err()
            .contains("position"));
        assert!(run(&rows, SkyModel { sources: vec![source(0.0, 91.0, 1.0)] }, &fields).is_err());
        assert!(run(&rows, SkyModel { sources: vec![source(0.0, 1.0, f64::INFINITY)] }, &fields).is_err());
        let mut bad = rows.clone();
        bad.uvw_m[0][0] = f64::NAN;
        assert!(run(&bad, good.clone(), &fields).is_err());
        bad = rows.clone();
        bad.time_mjd_s[0] = -5.0;
        assert!(run(&bad, good.clone(), &fields).is_err());
        assert_eq!(run(&Rows::default(), good, &[]).unwrap().dim(), (0, 5));
    }
}
