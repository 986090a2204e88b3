//! Why there is nothing to solve: field by field, and by which flagging step.

use std::collections::BTreeMap;

use super::flag_record;
use super::input::Input;
use crate::error::Error;
use crate::ms::{Column, ReadRequest};
use crate::vis::select;

/// Fields named in a message.
const MOST: usize = 5;
/// Steps named for a field.
const STEPS: usize = 3;

/// Lines such as "field 3 ('3C48') fully flagged by clip (98.1 %)", for the fields of the selection without any unflagged
/// cross-correlation; empty where flags are not the reason.
///
/// # Errors
/// Data that cannot be read.
pub(super) fn flagged_fields(
    input: &dyn Input,
    chosen: Option<&[u32]>,
    windows: &[usize],
) -> Result<String, Error> {
    let mut seen: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
    for spw in windows {
        for rows in input.row_blocks(*spw) {
            let request = ReadRequest {
                fields: chosen.map(<[u32]>::to_vec),
                without_autos: true,
                ..ReadRequest::new(*spw, Column::Data).rows(rows)
            };
            let block = input.read(&request)?;
            for (field, flags) in block.rows.field.iter().zip(block.flag_rfp.outer_iter()) {
                let counts = seen.entry(*field).or_default();
                counts.0 += flags.len() as u64;
                counts.1 += flags.iter().filter(|f| **f).count() as u64;
            }
        }
    }
    let gone: Vec<u32> = seen.iter().filter(|(_, (n, bad))| n == bad).map(|(field, _)| *field).collect();
    let mut parts: Vec<String> = gone.iter().take(MOST).map(|field| describe(input, *field)).collect();
    if gone.len() > MOST {
        parts.push(format!("and {} more fields", gone.len() - MOST));
    }
    Ok(parts.join("; "))
}

fn describe(input: &dyn Input, field: u32) -> String {
    let fields = &input.meta().fields;
    let name = fields.get(field as usize).map_or("", |f| f.name.as_str());
    let names: Vec<String> = fields.iter().map(|f| f.name.clone()).collect();
    let touches = |selection: &str| {
        selection.trim().is_empty()
            || select("field", selection, &names).is_ok_and(|chosen| chosen.contains(&(field as usize)))
    };
    let mut steps: Vec<_> = flag_record::read(&input.meta().path)
        .into_iter()
        .filter(|line| touches(&line.field) && (line.added > 0 || line.samples == 0))
        .collect();
    let share = |line: &flag_record::Line| line.added as f64 / line.samples.max(1) as f64;
    steps.sort_by(|a, b| share(b).total_cmp(&share(a)));
    let by: Vec<String> = steps
        .iter()
        .take(STEPS)
        .map(|line| match line.samples {
            0 => line.step.clone(),
            n => format!("{} ({:.1} % of {n} samples)", line.step, 100.0 * line.added as f64 / n as f64),
        })
        .collect();
    let by = if by.is_empty() { "FLAG as it came (no step of ours)".to_owned() } else { by.join(", ") };
    format!("field {field} ('{name}') fully flagged by {by}")
}
