//! Stage 2: a group of UVH5 subbands becomes one Measurement Set.

mod geometry;
mod group;
mod memory;
mod stream;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use self::geometry::Geometry;
use self::group::Group;
pub(in crate::tasks) use self::memory::OpenGroup;
use super::verify::{self, Verdict, VerifyParams};
use crate::constants::SUBBANDS;
use crate::control::Control;
use crate::kind::BadArgument;
use crate::ms::{self, Content, MsWriter};
use crate::Error;

/// Which phase centres the Measurement Set gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PhaseCenter {
    /// One FIELD an integration: the meridian at its middle. Fringe-stopped visibilities stay as they are.
    #[default]
    PerIntegration,
    /// One FIELD: the meridian at the middle of the group; visibilities are rotated to it exactly.
    Shared,
}

impl PhaseCenter {
    /// `per-integration` or `shared`.
    ///
    /// # Errors
    /// Anything else.
    pub fn parse(text: &str) -> Result<Self, BadArgument> {
        match text {
            "per-integration" => Ok(Self::PerIntegration),
            "shared" => Ok(Self::Shared),
            other => Err(BadArgument::new("phase_center", "per-integration or shared", other)),
        }
    }
}

/// What to convert, and how.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConvertParams {
    /// The files of one group, in any order.
    pub files: Vec<PathBuf>,
    /// The Measurement Set to write.
    pub output: PathBuf,
    /// Phase centres.
    pub phase_center: PhaseCenter,
    /// One spectral window of all channels instead of one a subband.
    pub merge_spws: bool,
    /// TELESCOPE_NAME; by default `DSA_110` for our own array, and what the files say for another.
    pub telescope_name: Option<String>,
    /// Directory to write in before the Measurement Set is copied to its place (a tmpfs).
    pub scratch: Option<PathBuf>,
    /// Replace an existing Measurement Set.
    pub overwrite: bool,
    /// What the caller knows about fringe-stopping, above what the files say.
    pub fringe_stopped: Option<bool>,
    /// Station list (CSV) instead of the one shipped with the package.
    pub antennas: Option<PathBuf>,
    /// Subbands of a complete group; fewer files leave fully flagged windows at the true frequencies.
    pub expected_subbands: usize,
    /// Compute the SHA-256 of the inputs for the provenance record.
    pub checksums: bool,
    /// Fill MODEL_DATA with a source of this flux density at the phase centre \[Jy\].
    pub model_flux_jy: Option<f64>,
}

impl ConvertParams {
    /// Defaults: per-integration centres, 16 windows, checksums, no model.
    pub fn new(files: Vec<PathBuf>, output: PathBuf) -> Self {
        Self {
            files,
            output,
            phase_center: PhaseCenter::PerIntegration,
            merge_spws: false,
            telescope_name: None,
            scratch: None,
            overwrite: false,
            fringe_stopped: None,
            antennas: None,
            expected_subbands: SUBBANDS,
            checksums: true,
            model_flux_jy: None,
        }
    }
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct ConvertReport {
    /// The Measurement Set.
    pub output: PathBuf,
    /// Rows of MAIN.
    pub rows: u64,
    /// Spectral windows.
    pub windows: usize,
    /// Correlator subbands without data, flagged.
    pub missing_subbands: Vec<usize>,
    /// Fields.
    pub fields: usize,
    /// Antennas with data.
    pub antennas: usize,
    /// Integrations.
    pub integrations: usize,
    /// First and last bin centre, UTC \[MJD s\].
    pub time_range_mjd_s: [f64; 2],
    /// Whether visibilities were rotated.
    pub rotated: bool,
    /// Largest phase that leaving them as they are could have left \[rad\].
    pub residual_phase_rad: f64,
    /// Bytes read.
    pub input_bytes: u64,
    /// What a person should know.
    pub warnings: Vec<String>,
    /// Validation of the product.
    pub verdicts: Vec<Verdict>,
}

/// Convert one group. The Measurement Set appears whole or not at all.
///
/// # Errors
/// Damaged or inconsistent inputs, an antenna that is not in the station list, an existing output, a full disk, cancellation.
pub fn run(params: &ConvertParams, control: &Control) -> Result<ConvertReport, Error> {
    if let Some(bad) = params.model_flux_jy.filter(|flux| !(flux.is_finite() && *flux > 0.0)) {
        return Err(ms::Error::from(BadArgument::new("flux", "a positive flux density in Jy", bad)).into());
    }
    let mut group = Group::open(params)?;
    let geometry = Geometry::new(&group, params.phase_center)?;
    group.warnings.extend(geometry.warnings.iter().cloned());
    let content = content(&group, &geometry, params);
    let writer = MsWriter::create(&params.output, &content, params.overwrite, params.scratch.as_deref())?;
    let hashes = stream::run(&group, &geometry, &writer, params, control)?;
    control.check()?;
    if let Some(flux) = params.model_flux_jy {
        writer.fill_model(&group.products, flux as f32, control)?;
    }
    writer.finish(&provenance(&group, params, &hashes))?;
    let verdicts = verify::run(&VerifyParams::new(params.output.clone()), control)?.verdicts;
    for bad in verdicts.iter().filter(|v| !v.ok) {
        log::warn!("{}: {}: {}", params.output.display(), bad.name, bad.reason);
    }
    let times = &geometry.times;
    Ok(ConvertReport {
        output: params.output.clone(),
        rows: content.rows.len() as u64 * content.windows.len() as u64,
        windows: content.windows.len(),
        missing_subbands: group.missing_subbands(),
        fields: content.fields.len(),
        antennas: group.used_antennas().len(),
        integrations: times.len(),
        time_range_mjd_s: [
            times.first().map_or(0.0, |t| t.time_mjd_s),
            times.last().map_or(0.0, |t| t.time_mjd_s),
        ],
        rotated: geometry.rotates,
        residual_phase_rad: if geometry.rotates { 0.0 } else { geometry.largest_phase_rad },
        input_bytes: group.bytes(),
        warnings: group.warnings,
        verdicts,
    })
}

fn content(group: &Group, geometry: &Geometry, params: &ConvertParams) -> Content {
    let windows = if params.merge_spws { vec![group.merged_window()] } else { group.windows() };
    let absent = if params.merge_spws {
        vec![false]
    } else {
        group.subbands.iter().map(|s| s.file.is_none()).collect()
    };
    let mut history = vec![
        format!("dsa110_contimg {} convert", env!("CARGO_PKG_VERSION")),
        format!("parameters: {}", serde_json::to_string(params).unwrap_or_default()),
    ];
    history.extend(
        group.subbands.iter().filter_map(|s| s.file.as_ref()).map(|f| format!("input: {}", f.display())),
    );
    history.extend(group.warnings.iter().map(|w| format!("warning: {w}")));
    Content {
        antennas: group.antennas.clone(),
        fields: geometry.fields.clone(),
        tile_channels: group.channels(),
        windows,
        absent,
        products: group.products.clone(),
        rows: geometry.rows.clone(),
        telescope: params.telescope_name.clone().unwrap_or_else(|| group.telescope()),
        observer: group.header.instrument.clone(),
        project: group.header.object_name.clone(),
        pointing: geometry.times.iter().map(|t| (t.time_mjd_s, t.pointing)).collect(),
        pointing_interval_s: geometry.rows.interval_s.first().copied().unwrap_or(0.0),
        history,
    }
}

fn provenance(group: &Group, params: &ConvertParams, hashes: &[Option<String>]) -> serde_json::Value {
    let inputs: Vec<serde_json::Value> = group
        .subbands
        .iter()
        .zip(hashes)
        .filter_map(|(s, hash)| {
            s.file.as_ref().map(|path| serde_json::json!({"path": path, "bytes": s.bytes, "sha256": hash}))
        })
        .collect();
    serde_json::json!({
        "stage": "convert",
        "code": "dsa110_contimg",
        "version": env!("CARGO_PKG_VERSION"),
        "parameters": params,
        "inputs": inputs,
        "missing_subbands": group.missing_subbands(),
        "warnings": group.warnings,
    })
}
