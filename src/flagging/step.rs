//! The steps of a flagging run and their parameters.

use std::collections::BTreeMap;

use super::rfi::RfiParams;
use crate::vis::UvRange;

/// Which end of a scan is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum QuackMode {
    /// The beginning.
    Beg,
    /// The end.
    Endb,
    /// All but the beginning.
    Tail,
    /// All but the end.
    End,
}

/// A channel range of one window, ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Channel {
    /// Spectral window.
    pub spw: usize,
    /// First channel.
    pub first: usize,
    /// Last channel.
    pub last: usize,
}

/// A manual selection; every part that is given narrows it.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct Manual {
    /// All baselines of these antennas.
    pub antennas: Vec<u32>,
    /// All baselines but those of these antennas.
    pub without: Vec<u32>,
    /// These baselines.
    pub baselines: Vec<(u32, u32)>,
    /// These channels.
    pub channels: Vec<Channel>,
    /// Times from, to, ends included, UTC \[MJD s\].
    pub time_range_mjd_s: Option<[f64; 2]>,
    /// These fields.
    pub fields: Vec<u32>,
    /// These projected baseline lengths, channel by channel.
    pub uvrange: Option<UvRange>,
}

/// One step of a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Samples that are exactly zero or not finite, in any product.
    Zeros,
    /// Autocorrelations.
    Autos,
    /// Amplitudes of cross-correlations outside (or, with `outside` false, inside) `[min, max]`.
    Clip {
        /// Least amplitude.
        min: f64,
        /// Greatest amplitude.
        max: f64,
        /// Flag outside the range.
        outside: bool,
    },
    /// Antennas flagged for more than this fraction.
    DeadAntennas {
        /// Fraction of cross-correlation samples.
        fraction: f64,
    },
    /// Channels flagged for more than this fraction of cross-correlation samples.
    BadChannels {
        /// Fraction of cross-correlation samples.
        fraction: f64,
    },
    /// Antennas behind another dish.
    Shadow {
        /// Overlap allowed \[m\]; below 0, antennas must keep that far apart.
        tolerance_m: f64,
        /// Dish diameter \[m\].
        diameter_m: f64,
    },
    /// Ends of the observation.
    Quack {
        /// Length \[s\].
        interval_s: f64,
        /// Which end.
        mode: QuackMode,
    },
    /// Elevations outside a range (needs [`Context::elevation_deg`]).
    Elevation {
        /// Least \[deg\].
        lower_deg: f64,
        /// Greatest \[deg\].
        upper_deg: f64,
    },
    /// Baselines inside a uv range.
    UvRange(UvRange),
    /// By hand.
    Manual(Manual),
    /// SumThreshold and the scale-invariant rank operator.
    Rfi(RfiParams),
    /// Amplitudes above the median by this many robust sigma, product by product.
    Residual {
        /// In units of 1.4826 times the median absolute deviation.
        sigma: f64,
    },
    /// Neighbours of flagged samples.
    Extend {
        /// Flag a channel of a baseline when more than this fraction of its times is flagged; 0 is off.
        grow_time: f64,
        /// Flag a time of a baseline when more than this fraction of its channels is flagged; 0 is off.
        grow_freq: f64,
        /// Flag all products where one is flagged.
        products: bool,
    },
}

impl Step {
    /// Name in reports and on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Zeros => "zeros",
            Self::Autos => "autos",
            Self::Clip { .. } => "clip",
            Self::DeadAntennas { .. } => "dead",
            Self::BadChannels { .. } => "channels",
            Self::Shadow { .. } => "shadow",
            Self::Quack { .. } => "quack",
            Self::Elevation { .. } => "elevation",
            Self::UvRange(_) => "uvrange",
            Self::Manual(_) => "manual",
            Self::Rfi(_) => "rfi",
            Self::Residual { .. } => "residual",
            Self::Extend { .. } => "extend",
        }
    }

    /// The step's bit in a record of what flagged each sample; bit 0 is what was flagged before, bit 15 a backend outside.
    pub fn bit(&self) -> u16 {
        1 << match self {
            Self::Zeros => 1,
            Self::Autos => 2,
            Self::Clip { .. } => 3,
            Self::DeadAntennas { .. } => 4,
            Self::BadChannels { .. } => 5,
            Self::Shadow { .. } => 6,
            Self::Quack { .. } => 7,
            Self::Elevation { .. } => 8,
            Self::UvRange(_) => 9,
            Self::Manual(_) => 10,
            Self::Rfi(_) => 11,
            Self::Residual { .. } => 12,
            Self::Extend { .. } => 13,
        }
    }

    /// Parameters for the report.
    pub fn parameters(&self) -> serde_json::Value {
        use serde_json::json;
        match self {
            Self::Zeros | Self::Autos => json!({}),
            Self::Clip { min, max, outside } => json!({"min": min, "max": max, "outside": outside}),
            Self::DeadAntennas { fraction } | Self::BadChannels { fraction } => json!({"fraction": fraction}),
            Self::Shadow { tolerance_m, diameter_m } => {
                json!({"tolerance_m": tolerance_m, "diameter_m": diameter_m})
            }
            Self::Quack { interval_s, mode } => json!({"interval_s": interval_s, "mode": mode}),
            Self::Elevation { lower_deg, upper_deg } => {
                json!({"lower_deg": lower_deg, "upper_deg": upper_deg})
            }
            Self::UvRange(r) => json!({"min": r.min, "max": r.max, "wavelengths": r.wavelengths}),
            Self::Manual(m) => json!(m),
            Self::Rfi(p) => json!(p),
            Self::Residual { sigma } => json!({"sigma": sigma}),
            Self::Extend { grow_time, grow_freq, products } => {
                json!({"grow_time": grow_time, "grow_freq": grow_freq, "products": products})
            }
        }
    }

    /// Zeros, autocorrelations, dead antennas; with RFI also SumThreshold, the 7-sigma residual clip and extension to
    /// both products.
    pub fn standard(with_rfi: bool) -> Vec<Self> {
        let mut steps = vec![Self::Zeros, Self::Autos, Self::DeadAntennas { fraction: 0.95 }];
        if with_rfi {
            steps.push(Self::Rfi(RfiParams::default()));
            steps.push(Self::Residual { sigma: 7.0 });
            steps.push(Self::Extend { grow_time: 0.0, grow_freq: 0.0, products: true });
        }
        steps
    }
}

/// What steps need beyond the block.
#[derive(Clone, Copy, Debug, Default)]
pub struct Context<'a> {
    /// First and last time of the whole observation, UTC \[MJD s\]; `None` takes those of the block.
    pub time_range_mjd_s: Option<[f64; 2]>,
    /// Elevation of each row's phase centre \[deg\].
    pub elevation_deg: Option<&'a [f64]>,
    /// Where all antennas stand, those without data too: they cast shadows. `None` takes the baselines of the block.
    pub layout: Option<&'a Layout>,
}

/// Antennas as the source sees them.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// Dish diameters \[m\].
    pub diameter_m: Vec<f64>,
    /// By time (the bits of its MJD seconds) and field: (u, v, w) of every antenna \[m\].
    pub uvw_m: BTreeMap<(u64, u32), Vec<[f64; 3]>>,
}
