//! The cheapest kernel, padding and w term for an accuracy and a memory.

use crate::kind::BadArgument;

use super::fft::good_size;
use super::frame::Frame;
use super::kernel::{self, Kernel};
use super::params::GridParams;
use super::sky::Sky;
use super::wterm::{moments_needed, WTerm, MOMENT_PHASE};
use super::Error;

/// Share of epsilon for one axis of the kernel, and for the w term. (Compression has 0.2, resampling 0.2 twice; the squares sum to less than one.)
const AXIS_SHARE: f64 = 0.62;
const W_SHARE: f64 = 0.25;

/// Rounding of single precision in grid and transforms, and the most that undoing the kernels may amplify it in any case.
const ROUNDING: f64 = 1e-7;
const MOST_AMPLIFICATION: f64 = 400.0;
/// The same for double precision, where the smallest epsilon is near rounding itself: so much amplification is always allowed.
const ROUNDING_DOUBLE: f64 = 2e-16;
const LEAST_AMPLIFICATION_DOUBLE: f64 = 1e4;

/// Nanoseconds, measured on one core: per point and binary order of a transform; per sample; per sample, plane and kernel row of
/// eight lanes; per pixel and plane of moments, and of a stack.
const FFT_NS: f64 = 0.35;
const SAMPLE_NS: f64 = 14.0;
const ROW_NS: f64 = 0.9;
const MOMENT_PIXEL_NS: f64 = 5.0;
const STACK_PIXEL_NS: f64 = 14.0;

/// What has to be gridded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub samples: usize,
    /// Whether the samples are made from the visibilities, so that they need memory of their own.
    pub packed: bool,
    /// Smallest and largest `|w|` \[wavelengths\].
    pub w_range: (f64, f64),
    pub u_max: f64,
    pub v_max: f64,
}

/// What was chosen.
#[derive(Debug)]
pub(super) struct Choice {
    pub kernel: Kernel,
    pub padded: (usize, usize),
    pub wterm: WTerm,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Flat,
    Moments(usize),
    Stack { support: usize, sigma: f64, planes: usize },
}

impl Way {
    fn amplification(self) -> f64 {
        match self {
            Self::Stack { support, sigma, .. } => kernel::amplification(support, sigma),
            _ => 1.0,
        }
    }

    fn planes(self) -> (usize, usize) {
        match self {
            Self::Flat => (1, 1),
            Self::Moments(count) => (count, count),
            Self::Stack { support, planes, .. } => (planes, support),
        }
    }
}

/// Bytes that one transform of one plane needs besides the image: the plane and its transpose.
pub(super) fn plane_bytes(nx: usize, frame: &Frame, complex: usize) -> (usize, usize) {
    let rows = frame.rows() + 56;
    ((frame.along_u.cells + 64) * rows * complex, rows * (nx + 16) * complex)
}

/// Bytes besides planes: the image in work, and packed samples.
pub(super) fn fixed_bytes(params: &GridParams, packed_samples: Option<usize>, complex: usize) -> usize {
    params.nx * params.ny * complex / 2 + packed_samples.unwrap_or(0) * complex
}

/// The size that a padded axis needs for a kernel.
fn padded_size(pixels: usize, sigma: f64, support: usize) -> usize {
    good_size(((pixels as f64 * sigma).ceil() as usize).max(2 * support + 8))
}

pub(super) fn choose(params: &GridParams, sky: &Sky, load: &Load) -> Result<Choice, Error> {
    let ways = ways(params, sky, load);
    let single = params.epsilon >= 1e-5;
    let complex = if single { 8 } else { 16 };
    let most = if single {
        (0.4 * params.epsilon / ROUNDING).min(MOST_AMPLIFICATION)
    } else {
        (0.4 * params.epsilon / ROUNDING_DOUBLE).max(LEAST_AMPLIFICATION_DOUBLE)
    };
    let axis = AXIS_SHARE * params.epsilon;
    let mut best: Option<(f64, usize, (usize, usize), Way)> = None;
    let mut least_memory = usize::MAX;
    let fixed = fixed_bytes(params, load.packed.then_some(load.samples), complex);
    for (support, sigma) in kernel::choices(axis) {
        let amplified = kernel::amplification(support, sigma).powi(2);
        let padded = (padded_size(params.nx, sigma, support), padded_size(params.ny, sigma, support));
        for &way in &ways {
            let real = !matches!(way, Way::Stack { .. });
            if amplified * way.amplification() > most {
                continue;
            }
            let cells = (params.cell_x_rad, params.cell_y_rad);
            let frame = Frame::new(padded, real, support, cells, (0.0, 0.0, 0.0), (load.u_max, load.v_max));
            let (plane, transpose) = plane_bytes(params.nx, &frame, complex);
            least_memory = least_memory.min(fixed + plane + transpose);
            if params.max_memory_bytes.is_some_and(|limit| fixed + plane + transpose > limit) {
                continue;
            }
            let cost = cost(params, load, support, padded, way);
            if best.as_ref().is_none_or(|b| cost < b.0) {
                best = Some((cost, support, padded, way));
            }
        }
    }
    let Some((_, support, padded, way)) = best else {
        return Err(match params.max_memory_bytes {
            Some(limit) => {
                let expected =
                    format!("at least {least_memory} bytes for {} x {} pixels", params.nx, params.ny);
                BadArgument::new("max_memory_bytes", expected, limit).into()
            }
            None => BadArgument::new("epsilon", "an accuracy that a kernel reaches", params.epsilon).into(),
        });
    };
    let sigma = (padded.0 as f64 / params.nx as f64).min(padded.1 as f64 / params.ny as f64);
    let (z_half, _) = sky.z_half_and_middle();
    let w_epsilon = W_SHARE * params.epsilon;
    let wterm = match way {
        Way::Flat => WTerm::Flat,
        Way::Moments(count) => WTerm::moments(load.w_range.1.max(1e-9), z_half, count, w_epsilon),
        Way::Stack { support, sigma, .. } => WTerm::stack(load.w_range, z_half, (support, sigma), w_epsilon),
    };
    Ok(Choice { kernel: Kernel::new(support, sigma, axis), padded, wterm })
}

fn ways(params: &GridParams, sky: &Sky, load: &Load) -> Vec<Way> {
    let (z_half, _) = sky.z_half_and_middle();
    let epsilon = W_SHARE * params.epsilon;
    let phase = std::f64::consts::TAU * load.w_range.1 * z_half;
    if !params.do_w || load.samples == 0 || phase < 1e-14 {
        return vec![Way::Flat];
    }
    let mut ways = Vec::new();
    if phase <= MOMENT_PHASE {
        ways.push(Way::Moments(moments_needed(phase, epsilon)));
    }
    for (support, sigma) in kernel::choices(epsilon) {
        let spacing = 0.5 / (sigma * z_half);
        let planes = ((load.w_range.1 - load.w_range.0) / spacing).ceil() as usize + support + 1;
        ways.push(Way::Stack { support, sigma, planes });
    }
    ways
}

/// Estimated nanoseconds of one core.
fn cost(params: &GridParams, load: &Load, support: usize, (nu, nv): (usize, usize), way: Way) -> f64 {
    let (planes, each) = way.planes();
    let (lanes, samples) = (if support <= 8 { 1.0 } else { 2.0 }, load.samples as f64);
    let grid = samples * (SAMPLE_NS + ROW_NS * lanes * (support * each) as f64);
    let line = |n: usize| n as f64 * (n as f64).log2() * FFT_NS;
    // Rows that hold something; beyond one period all do.
    let filled = (2.0 * load.v_max * params.cell_y_rad).min(1.0);
    let pixels = (params.nx * params.ny) as f64;
    let (fft, image) = if matches!(way, Way::Stack { .. }) {
        (nv as f64 * filled * line(nu) + params.nx as f64 * line(nv), STACK_PIXEL_NS)
    } else {
        (0.5 * nv as f64 * filled * line(nu) + 0.5 * params.nx as f64 * line(nv), MOMENT_PIXEL_NS)
    };
    grid + planes as f64 * (fft + pixels * image + (nu * nv) as f64 * 0.5)
}
