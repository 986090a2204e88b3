//! Choices that the parameters leave to the data.

use super::super::input::Input;
use super::{bad, ImageParams};
use crate::beam::Beam;
use crate::constants::SPEED_OF_LIGHT_M_S;
use crate::coords::RaDec;
use crate::gridding::weighting::{Taper, Weighting};
use crate::imaging::Stokes;
use crate::ms::{Column, Meta, ReadRequest};
use crate::Error;

pub(super) fn windows(input: &dyn Input, params: &ImageParams) -> Result<Vec<usize>, Error> {
    let all = input.windows();
    let chosen: Vec<usize> = match &params.spws {
        None => all,
        Some(wanted) => {
            if let Some(missing) = wanted.iter().find(|w| !all.contains(w)) {
                return Err(bad("spws", format!("windows with data: {all:?}"), missing));
            }
            all.into_iter().filter(|w| wanted.contains(w)).collect()
        }
    };
    if chosen.is_empty() {
        return Err(bad("ms", "rows of at least one spectral window", input.meta().path.display()));
    }
    Ok(chosen)
}

pub(super) fn channels(meta: &Meta, windows: &[usize]) -> Vec<(f64, f64)> {
    let spws = windows.iter().map(|w| &meta.spws[*w]);
    spws.flat_map(|s| s.freq_hz.iter().copied().zip(s.width_hz.iter().copied())).collect()
}

pub(super) fn same_channels(a: &[(f64, f64)], b: &[(f64, f64)]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(p, q)| (p.0 - q.0).abs() < 1.0)
}

pub(super) fn column(inputs: &[&dyn Input], params: &ImageParams) -> Result<Column, Error> {
    let has = |c: Column| inputs.iter().all(|i| i.meta().has_column(c.name()));
    let column = match params.datacolumn.as_str() {
        "auto" if has(Column::Corrected) => Column::Corrected,
        "auto" => Column::Data,
        name => Column::from_name(name)
            .ok_or_else(|| bad("datacolumn", "auto, corrected, data or model", name))?,
    };
    if has(column) {
        return Ok(column);
    }
    Err(bad("datacolumn", format!("{} in every Measurement Set", column.name()), "one without it"))
}

pub(super) fn middle_of_fields(inputs: &[&dyn Input], params: &ImageParams) -> Result<RaDec, Error> {
    let mut sum = [0.0; 3];
    for input in inputs {
        for (k, field) in input.meta().fields.iter().enumerate() {
            if params.fields.as_ref().is_none_or(|f| f.contains(&(k as u32))) {
                let unit = field.centre.unit();
                sum = std::array::from_fn(|i| sum[i] + unit[i]);
            }
        }
    }
    if sum.iter().all(|v| v.abs() < 1e-9) {
        return Err(bad("fields", "fields of the Measurement Sets", format!("{:?}", params.fields)));
    }
    Ok(RaDec::from_vector(sum))
}

pub(super) fn weighting(params: &ImageParams) -> Result<Weighting, Error> {
    match params.weighting.as_str() {
        "natural" => Ok(Weighting::Natural),
        "uniform" => Ok(Weighting::Uniform),
        "superuniform" => Ok(Weighting::SuperUniform { cells: 1 }),
        "briggs" if (-2.0..=2.0).contains(&params.robust) => Ok(Weighting::Briggs { robust: params.robust }),
        "briggs" => Err(bad("robust", "-2 to 2", params.robust)),
        other => Err(bad("weighting", "natural, uniform, superuniform or briggs", other)),
    }
}

pub(super) fn stokes(params: &ImageParams) -> Result<Stokes, Error> {
    let known = Stokes::from_name(&params.pol).ok_or_else(|| bad("pol", "I, Q, U or V", &params.pol))?;
    if known != Stokes::I && params.non_negative {
        return Err(bad("non_negative", "Stokes I: Q, U and V have both signs", &params.pol));
    }
    Ok(known)
}

pub(super) fn tapers(params: &ImageParams) -> Result<Vec<Taper>, Error> {
    let mut tapers = Vec::new();
    match params.taper_arcsec {
        None => {}
        Some(arcsec) if arcsec.is_finite() && arcsec > 0.0 => {
            tapers.push(Taper::Gaussian { fwhm_rad: (arcsec / 3600.0).to_radians() });
        }
        Some(found) => return Err(bad("taper_arcsec", "a positive number", found)),
    }
    if let Some([one, zero]) = params.tukey {
        if !(one >= 0.0 && zero >= 0.0 && one != zero && one.is_finite() && zero.is_finite()) {
            return Err(bad("tukey", "two baselines in wavelengths, apart", format!("{one}, {zero}")));
        }
        tapers.push(Taper::Tukey { one, zero });
    }
    Ok(tapers)
}

/// A fifth of the finest fringe of the first rows, to a tenth of an arcsecond below.
pub(super) fn auto_cell(input: &dyn Input, windows: &[usize]) -> Result<f64, Error> {
    let window = windows[windows.len() - 1];
    let mut request = ReadRequest::new(window, Column::Data).rows(0..input.n_rows(window).min(8192));
    request.without_autos = true;
    if !input.meta().has_column(Column::Data.name()) {
        request.column = Column::Corrected;
    }
    let block = input.read(&request)?;
    let longest = block.rows.uvw_m.iter().map(|[u, v, _]| u.hypot(*v)).fold(0.0, f64::max);
    let top_hz = block.channels.freq_hz.last().copied().unwrap_or(f64::NAN);
    if !(longest > 0.0) {
        return Err(bad("cell_arcsec", "a pixel size, since no baseline tells it", "none"));
    }
    let fringe_arcsec = (SPEED_OF_LIGHT_M_S / top_hz / longest).to_degrees() * 3600.0;
    let cell = ((fringe_arcsec / 5.0 * 10.0).floor() / 10.0).clamp(0.1, 60.0);
    Ok((cell / 3600.0).to_radians())
}

/// Pixels of a side when they are `factor` times as wide, even where they become fewer.
pub(super) fn coarser(pixels: usize, factor: f64) -> usize {
    if factor == 1.0 {
        return pixels;
    }
    2 * (pixels as f64 / factor / 2.0) as usize
}

/// A square that reaches to the beam's limit, of a size that transforms quickly.
pub(super) fn auto_size(beam: &Beam, freq_hz: f64, limit: f32, cell_rad: f64) -> [usize; 2] {
    let step = 1e-4f64;
    // An isotropic beam never falls to the limit: 3.5 degrees then.
    let reach = (1..800)
        .map(|i| step * f64::from(i))
        .find(|r| beam.power(r.sin().powi(2), freq_hz) < f64::from(limit))
        .unwrap_or_else(|| 1.75f64.to_radians());
    let least = (2.0 * reach / cell_rad).ceil().clamp(64.0, 32768.0) as usize;
    let smooth = |mut n: usize| {
        for p in [2, 3, 5] {
            while n.is_multiple_of(p) {
                n /= p;
            }
        }
        n == 1
    };
    let n = (least..).find(|n| n.is_multiple_of(2) && smooth(*n)).unwrap_or(least);
    [n, n]
}
