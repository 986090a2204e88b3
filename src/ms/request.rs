//! What to read.

use std::ops::Range;

/// A column of visibilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Column {
    /// DATA.
    #[default]
    Data,
    /// CORRECTED_DATA.
    Corrected,
    /// MODEL_DATA.
    Model,
}

impl Column {
    /// Its name in MAIN.
    pub fn name(self) -> &'static str {
        match self {
            Self::Data => "DATA",
            Self::Corrected => "CORRECTED_DATA",
            Self::Model => "MODEL_DATA",
        }
    }

    /// By its name in MAIN, or `data`, `corrected`, `model`.
    pub fn from_name(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "data" => Some(Self::Data),
            "corrected" | "corrected_data" => Some(Self::Corrected),
            "model" | "model_data" => Some(Self::Model),
            _ => None,
        }
    }

    /// The step that fills it.
    pub(super) fn filled_by(self) -> &'static str {
        match self {
            Self::Data => "contimg convert",
            Self::Corrected => "contimg apply",
            Self::Model => "contimg model",
        }
    }
}

/// What to read: rows of one spectral window, with the column of visibilities and the selections.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct ReadRequest {
    /// Row of SPECTRAL_WINDOW.
    pub spw: usize,
    /// Row of DATA_DESCRIPTION, needed when several with rows share the window.
    pub data_description: Option<usize>,
    /// Visibilities to read.
    pub column: Column,
    /// Also read MODEL_DATA.
    pub with_model: bool,
    /// Rows, counted within the window's own rows (`0..reader.n_rows(spw)`); all when `None`.
    pub rows: Option<Range<u64>>,
    /// Fields to keep; all when `None`.
    pub fields: Option<Vec<u32>>,
    /// Times to keep, inclusive, UTC \[MJD s\]; all when `None`.
    pub time_range_mjd_s: Option<[f64; 2]>,
    /// Leave out autocorrelations.
    pub without_autos: bool,
    /// Read no weights: they are all 0 then, and none of them flags its sample.
    pub without_weights: bool,
}

impl ReadRequest {
    /// All rows of a window.
    pub fn new(spw: usize, column: Column) -> Self {
        Self { spw, column, ..Self::default() }
    }

    /// Only these rows, counted within the window's own rows.
    #[must_use]
    pub fn rows(mut self, rows: Range<u64>) -> Self {
        self.rows = Some(rows);
        self
    }

    /// Also MODEL_DATA.
    #[must_use]
    pub fn with_model(mut self) -> Self {
        self.with_model = true;
        self
    }
}
