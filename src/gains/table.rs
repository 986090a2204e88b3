//! A calibration table in memory.

use ndarray::Array4;
use num_complex::Complex64;

use crate::coords::RaDec;

/// The kind of solution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Term {
    /// Delay \[ns\]: one real number an antenna and receptor.
    K,
    /// Bandpass: one complex gain a channel.
    B,
    /// Gain: one complex gain a spectral window.
    G,
}

impl Term {
    /// CASA's name: the subtype of the table and its `VisCal` keyword.
    pub fn casa_name(self) -> &'static str {
        match self {
            Self::K => "K Jones",
            Self::B => "B Jones",
            Self::G => "G Jones",
        }
    }

    /// The term of CASA's name.
    pub fn from_casa_name(name: &str) -> Option<Self> {
        [Self::K, Self::B, Self::G].into_iter().find(|t| t.casa_name() == name.trim())
    }
}

/// One row of the antenna table, as a calibration table carries it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Antenna {
    /// Name, for example `103`.
    pub name: String,
    /// Station or pad.
    pub station: String,
    /// ITRF position \[m\].
    pub position_m: [f64; 3],
    /// Dish diameter \[m\].
    pub dish_diameter_m: f64,
    /// Mount, for example `alt-az`.
    pub mount: String,
}

/// A field, as a calibration table carries it.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// Name.
    pub name: String,
    /// Phase centre, ICRS.
    pub centre: RaDec,
    /// Time of the centre, UTC \[MJD s\].
    pub time_mjd_s: f64,
}

/// Where the data of the solutions came from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observation {
    /// Telescope, as in the Measurement Set.
    pub telescope: String,
    /// First and last time, UTC \[MJD s\].
    pub time_range_mjd_s: [f64; 2],
    /// Name of the Measurement Set (no directory).
    pub ms_name: String,
}

/// One solution interval.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Slot {
    /// Mean time of the data used, UTC \[MJD s\].
    pub time_mjd_s: f64,
    /// Length \[s\]; 0 where the writer did not say.
    pub interval_s: f64,
    /// Field of the data; the first of them when fields were combined.
    pub field: i32,
    /// Scan of the data; the first of them when scans were combined.
    pub scan: i32,
    /// Index of the reference antenna; -1 is none.
    pub refant: i32,
}

/// Solutions of one spectral window.
#[derive(Clone, Debug)]
pub struct WindowGains {
    /// Spectral window of the Measurement Set.
    pub spw: usize,
    /// Solution channels, ascending \[Hz\]; one entry for K and G.
    pub freq_hz: Vec<f64>,
    /// Their widths, positive \[Hz\].
    pub width_hz: Vec<f64>,
    /// Solution intervals, ascending in time.
    pub slots: Vec<Slot>,
    /// Complex gain, or the delay \[ns\] in the real part.
    pub value_tafr: Array4<Complex64>,
    /// True is bad.
    pub flag_tafr: Array4<bool>,
    /// `|g| / (sqrt(2) error)`: over the error of the complex number, as CASA has it.
    pub snr_tafr: Array4<f32>,
    /// 1-sigma error of one real component of the gain (of the delay \[ns\]).
    pub error_tafr: Array4<f32>,
}

impl WindowGains {
    /// Unit gains (zero delays), all flagged, for the given axes.
    pub fn flagged(
        term: Term,
        spw: usize,
        freq_hz: Vec<f64>,
        width_hz: Vec<f64>,
        slots: Vec<Slot>,
        na: usize,
        nr: usize,
    ) -> Self {
        let shape = (slots.len(), na, freq_hz.len(), nr);
        Self {
            spw,
            freq_hz,
            width_hz,
            slots,
            value_tafr: Array4::from_elem(shape, neutral(term)),
            flag_tafr: Array4::from_elem(shape, true),
            snr_tafr: Array4::zeros(shape),
            error_tafr: Array4::zeros(shape),
        }
    }

    /// Antennas along axis `a`.
    pub fn antennas(&self) -> usize {
        self.value_tafr.dim().1
    }

    /// Lower and upper edge of the window \[Hz\].
    pub fn edges_hz(&self) -> [f64; 2] {
        edges(&self.freq_hz, &self.width_hz)
    }
}

/// The value of a flagged solution: gain 1 or delay 0.
pub(super) fn neutral(term: Term) -> Complex64 {
    match term {
        Term::K => Complex64::new(0.0, 0.0),
        Term::B | Term::G => Complex64::new(1.0, 0.0),
    }
}

/// Lower and upper edge of a set of channels \[Hz\].
pub(super) fn edges(freq_hz: &[f64], width_hz: &[f64]) -> [f64; 2] {
    let mut range = [f64::INFINITY, f64::NEG_INFINITY];
    for (k, f) in freq_hz.iter().enumerate() {
        let half = 0.5 * width_hz.get(k).copied().unwrap_or(0.0).abs();
        range = [range[0].min(f - half), range[1].max(f + half)];
    }
    range
}

/// Solutions of one term in one or more spectral windows.
#[derive(Clone, Debug)]
pub struct GainTable {
    /// Kind of solution.
    pub term: Term,
    /// Path or name, for messages.
    pub name: String,
    /// All antennas of the Measurement Set, also those without data.
    pub antennas: Vec<Antenna>,
    /// Fields of the Measurement Set.
    pub fields: Vec<Target>,
    /// Observation.
    pub observation: Observation,
    /// Solutions, ascending in frequency.
    pub windows: Vec<WindowGains>,
    /// How the table was made, one line each (written to HISTORY).
    pub history: Vec<String>,
}

impl GainTable {
    /// Flagged fraction over *working* receptors: those (antenna, receptor) with at least one unflagged solution.
    /// Returns `(flagged fraction, working receptors)`; `(1, 0)` when nothing works.
    pub fn working_flagged_fraction(&self) -> (f64, usize) {
        let na = self.antennas.len();
        let nr = self.windows.iter().map(|w| w.flag_tafr.dim().3).max().unwrap_or(0);
        let (mut flagged, mut total, mut working) = (0usize, 0usize, 0usize);
        for a in 0..na {
            for r in 0..nr {
                let mut counts = (0usize, 0usize);
                for window in &self.windows {
                    let (nt, wa, nf, wr) = window.flag_tafr.dim();
                    if a >= wa || r >= wr {
                        continue;
                    }
                    for t in 0..nt {
                        for f in 0..nf {
                            counts.0 += usize::from(window.flag_tafr[[t, a, f, r]]);
                            counts.1 += 1;
                        }
                    }
                }
                if counts.0 < counts.1 {
                    working += 1;
                    flagged += counts.0;
                    total += counts.1;
                }
            }
        }
        if total == 0 {
            return (1.0, 0);
        }
        (flagged as f64 / total as f64, working)
    }
}
