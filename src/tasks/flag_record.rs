//! Which steps have flagged a Measurement Set: a small record beside its columns, so that a later refusal can say what took the data.

use std::path::Path;

use super::flag::FlagParams;
use crate::error::Error;
use crate::flagging::StepReport;

/// Name of the record inside a Measurement Set.
const RECORD: &str = "contimg_flags.json";
/// Most lines kept; the oldest go first.
const MOST: usize = 200;

/// One step over one selection.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Line {
    /// Name of the step.
    pub step: String,
    /// Its parameters.
    pub parameters: serde_json::Value,
    /// Selection, in CASA's words.
    pub field: String,
    /// Selection, in CASA's words.
    pub spw: String,
    /// Samples looked at.
    pub samples: u64,
    /// Samples flagged by it and not before.
    pub added: u64,
}

/// The lines of a Measurement Set; none where nothing was recorded.
pub(super) fn read(ms: &Path) -> Vec<Line> {
    let text = std::fs::read_to_string(ms.join(RECORD)).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// Add what a run of steps did.
///
/// # Errors
/// The record cannot be written; the flags then still bear the mark of an unfinished step.
pub(super) fn add(params: &FlagParams, reports: &[StepReport]) -> Result<(), Error> {
    let mut lines = read(&params.ms);
    for report in reports {
        if report.step == "reset" && params.field.trim().is_empty() && params.spw.trim().is_empty() {
            lines.clear();
            continue;
        }
        lines.push(Line {
            step: report.step.clone(),
            parameters: report.parameters.clone(),
            field: params.field.clone(),
            spw: params.spw.clone(),
            samples: report.samples,
            added: report.added,
        });
    }
    write(&params.ms, &lines)
}

/// The flags are those of a version now: its name is all that is known of them.
///
/// # Errors
/// As [`add`].
pub(super) fn restored(ms: &Path, version: &str) -> Result<(), Error> {
    let line = Line {
        step: format!("version '{version}'"),
        parameters: serde_json::Value::Null,
        field: String::new(),
        spw: String::new(),
        samples: 0,
        added: 0,
    };
    write(ms, &[line])
}

fn write(ms: &Path, lines: &[Line]) -> Result<(), Error> {
    let kept = &lines[lines.len().saturating_sub(MOST)..];
    let text = serde_json::to_string_pretty(kept).unwrap_or_default();
    Ok(crate::ms::write_durably(ms, RECORD, text.as_bytes())?)
}
