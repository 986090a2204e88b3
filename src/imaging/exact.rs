//! Point sources subtracted from the visibilities exactly: apparent directions and beam of every integration and channel,
//! and the correlator's averaging, by [`crate::predict`].

use ndarray::parallel::prelude::*;
use ndarray::Axis;
use num_complex::Complex32;

use super::{Error, Visibilities};
use crate::beam::Beam;
use crate::control::Control;
use crate::coords::RaDec;
use crate::predict::{predict_snapshot, SkyBand, Snapshot, Window};
use crate::source::SkyModel;

/// Rows predicted by one task.
const ROWS: usize = 2048;

/// How the dishes saw the sky.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Beam of the dishes.
    pub beam: &'a Beam,
    /// Where they pointed during each integration, ICRS.
    pub pointings: &'a [RaDec],
    /// Phase centre of the visibilities, ICRS.
    pub centre: RaDec,
    /// Largest error of the correlator's averages, as a fraction of the summed apparent flux.
    pub accuracy: f64,
}

/// `vis -= model` of a sky on all rows and channels. Negative fluxes put sources back.
///
/// # Errors
/// Sources that make no sense, cancellation.
pub fn subtract(
    vis: &mut Visibilities,
    sky: &SkyModel,
    view: &View<'_>,
    control: &Control,
) -> Result<(), Error> {
    if sky.sources.is_empty() || vis.freq_hz.is_empty() {
        return Ok(());
    }
    let band = SkyBand::new(sky, &vis.freq_hz)?;
    let seen: Vec<_> = vis
        .frames
        .iter()
        .zip(view.pointings)
        .map(|(frame, pointing)| {
            let towards = frame.direction(*pointing);
            (band.at(frame, view.beam, towards), towards, frame.direction(view.centre))
        })
        .collect();
    let width = vis.width_hz.iter().fold(0.0f64, |a, w| a.max(*w));
    let channels = vis.freq_hz.len();
    let (freq_hz, times, pairs, antenna_m) = (&vis.freq_hz, &vis.times, &vis.pairs, &vis.antenna_itrf_m);
    let time_of_row = &vis.time_of_row;
    let strips: Vec<_> = vis.vis_rf.axis_chunks_iter_mut(Axis(0), ROWS).enumerate().collect();
    strips.into_par_iter().try_for_each(|(task, mut strip)| {
        let mut first = task * ROWS;
        let end = first + strip.nrows();
        let mut buffer = Vec::new();
        while first < end {
            control.check()?;
            let time = time_of_row[first];
            let count = time_of_row[first..end].iter().take_while(|t| **t == time).count();
            let (now, pointing, centre) = &seen[time as usize];
            let snapshot = Snapshot {
                antenna_m,
                pairs: &pairs[first..first + count],
                centre: *centre,
                pointing: *pointing,
                directions: &now.directions,
                gaussians: &now.gaussians,
                flux_sf_jy: &now.flux_sf_jy,
            };
            let window = Window {
                freq_hz,
                smear_s: Some(times[time as usize].interval_s),
                smear_hz: Some(width),
                accuracy: view.accuracy,
            };
            buffer.clear();
            buffer.resize(count * channels, Complex32::default());
            predict_snapshot(&snapshot, &window, &mut buffer, control)?;
            let from = first - task * ROWS;
            for (k, model) in buffer.chunks_exact(channels).enumerate() {
                strip.row_mut(from + k).iter_mut().zip(model).for_each(|(v, m)| *v -= m);
            }
            first += count;
        }
        Ok::<(), Error>(())
    })
}
