//! Phase rotation: the phase centre of visibilities moved without loss.

use ndarray::{ArrayViewMut3, Axis};
use num_complex::{Complex32, Complex64};
use rayon::prelude::*;

use super::Error;
use crate::constants::SPEED_OF_LIGHT_M_S;
use crate::control::Control;
use crate::kind::BadArgument;

/// Rows between two looks at the control.
const ROWS_PER_CHECK: usize = 256;

/// Move the phase centre of `vis_rfp` from where `w` is `w_old` to where it is `w_new`: multiplies by
/// `exp(-2 pi i (w_new - w_old) nu / c)`, with phases in f64.
///
/// `shift_m` holds `w_new - w_old` of each row \[m\], in this crate's sense `position(antenna1) - position(antenna2)`;
/// `freq_hz` the channels. A source at the new centre gets zero phase. uvw must be replaced by the caller.
///
/// # Errors
/// Lengths that do not match the visibilities; cancellation, which leaves part of the rows turned.
pub fn rotate(
    mut vis_rfp: ArrayViewMut3<'_, Complex32>,
    shift_m: &[f64],
    freq_hz: &[f64],
    control: &Control,
) -> Result<(), Error> {
    let (rows, channels, _) = vis_rfp.dim();
    if shift_m.len() != rows {
        return Err(
            BadArgument::new("shift_m", format!("one entry for each of {rows} rows"), shift_m.len()).into()
        );
    }
    if freq_hz.len() != channels {
        return Err(BadArgument::new(
            "freq_hz",
            format!("one entry for each of {channels} channels"),
            freq_hz.len(),
        )
        .into());
    }
    control.expect(rows as u64);
    vis_rfp
        .axis_chunks_iter_mut(Axis(0), ROWS_PER_CHECK)
        .into_par_iter()
        .zip(shift_m.par_chunks(ROWS_PER_CHECK))
        .try_for_each(|(mut block, shifts)| {
            control.check()?;
            for (mut row_fp, shift) in block.outer_iter_mut().zip(shifts) {
                if *shift == 0.0 {
                    continue;
                }
                for (mut products, freq) in row_fp.outer_iter_mut().zip(freq_hz) {
                    let turn = turn_of_delay(*shift, *freq);
                    products.mapv_inplace(|v| v * turn);
                }
            }
            control.advance(shifts.len() as u64);
            Ok::<(), crate::control::Cancelled>(())
        })?;
    Ok(())
}

/// `exp(-2 pi i shift nu / c)`.
fn turn_of_delay(shift_m: f64, freq_hz: f64) -> Complex32 {
    let turns = shift_m * (freq_hz / SPEED_OF_LIGHT_M_S);
    // Whole turns go first, while f64 still holds the fraction exactly.
    let turn = Complex64::cis(-std::f64::consts::TAU * (turns - turns.round()));
    Complex32::new(turn.re as f32, turn.im as f32)
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;

    use super::*;
    use crate::coords::{ApparentFrame, Observatory, RaDec};
    use crate::time::EarthOrientation;

    #[test]
    fn a_source_moved_to_the_centre_has_no_phase() {
        let earth = EarthOrientation::builtin().unwrap();
        let frame = ApparentFrame::new(61_065.9 * 86_400.0, &Observatory::dsa110(), &earth).unwrap();
        let (centre, source) = (RaDec::from_deg(359.9, 54.0), RaDec::from_deg(1.2, 53.1));
        let baselines = [[100.0, -2000.0, 800.0], [-5.0, 3.0, 1.0], [0.0; 3]];
        let freq_hz = [1.311e9, 1.4e9, 1.4987e9];
        let basis = frame.uvw_basis(centre);
        let lmn = basis.lmn(frame.direction(source));
        // M = exp(+2 pi i (u l + v m + w (n - 1))), the convention of this room.
        let mut vis = Array3::from_shape_fn((3, 3, 2), |(r, f, _)| {
            let [u, v, w] = basis.uvw_m(baselines[r]);
            let turns = (u * lmn.l + v * lmn.m + w * lmn.n_minus_1) * freq_hz[f] / SPEED_OF_LIGHT_M_S;
            let v = Complex64::cis(std::f64::consts::TAU * turns);
            Complex32::new(v.re as f32, v.im as f32)
        });
        assert!(vis.iter().any(|v| (v - 1.0).norm() > 0.5), "the source must be off centre");
        let shift: Vec<f64> =
            baselines.iter().map(|b| frame.uvw_basis(source).w_m(*b) - basis.w_m(*b)).collect();
        rotate(vis.view_mut(), &shift, &freq_hz, &Control::new()).unwrap();
        // Single precision visibilities.
        assert!(vis.iter().all(|v| (v - 1.0).norm() < 1e-6), "{vis:?}");
    }

    #[test]
    fn there_and_back_and_wrong_lengths() {
        let start = Array3::from_shape_fn((600, 2, 1), |(r, f, _)| Complex32::new(r as f32, f as f32));
        let shift: Vec<f64> = (0..600).map(|r| f64::from(r) * 3.7).collect();
        let back: Vec<f64> = shift.iter().map(|s| -s).collect();
        let (freq_hz, control) = ([1.3e9, 1.5e9], Control::new());
        let mut vis = start.clone();
        rotate(vis.view_mut(), &shift, &freq_hz, &control).unwrap();
        rotate(vis.view_mut(), &back, &freq_hz, &control).unwrap();
        assert!(vis.iter().zip(&start).all(|(a, b)| (a - b).norm() <= 1e-6 * b.norm().max(1.0)));
        assert!(rotate(vis.view_mut(), &shift[1..], &freq_hz, &control).is_err());
        assert!(rotate(vis.view_mut(), &shift, &freq_hz[1..], &control).is_err());
        control.cancel();
        assert!(matches!(rotate(vis.view_mut(), &shift, &freq_hz, &control), Err(Error::Cancelled(_))));
    }
}
