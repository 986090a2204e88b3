//! Give a Measurement Set made elsewhere what imaging needs.

use std::path::PathBuf;
use std::time::Duration;

use ndarray::Array3;
use num_complex::Complex32;

use crate::casatable::{sync_tree, DataType, Table};
use crate::control::Control;
use crate::ms::{self, Column, MsReader, MsUpdate, ReadRequest};
use crate::Error;

/// What to run again when it was interrupted.
const STEP: &str = "contimg ms configure";
/// How long to wait for the write lock of another process.
const LOCK_WAIT: Duration = Duration::from_secs(60);

/// What to make sure of.
#[derive(Clone, Debug)]
pub struct ConfigureParams {
    /// The Measurement Set.
    pub path: PathBuf,
    /// MODEL_DATA and CORRECTED_DATA exist; new ones are zeros.
    pub columns: bool,
    /// WEIGHT_SPECTRUM exists; a new one repeats WEIGHT.
    pub weights: bool,
    /// MOUNT of every antenna.
    pub mount: Option<String>,
    /// TELESCOPE_NAME of every observation.
    pub telescope_name: Option<String>,
}

/// Configure; the names of the columns that were added.
///
/// # Errors
/// A Measurement Set that cannot be read or written.
pub fn run(params: &ConfigureParams, control: &Control) -> Result<Vec<String>, Error> {
    let added = add_columns(params, control)?;
    if let Some(mount) = &params.mount {
        stamp(params, "ANTENNA", "MOUNT", mount)?;
    }
    if let Some(name) = &params.telescope_name {
        stamp(params, "OBSERVATION", "TELESCOPE_NAME", name)?;
    }
    Ok(added)
}

fn add_columns(params: &ConfigureParams, control: &Control) -> Result<Vec<String>, Error> {
    let reader = MsReader::open_to_write(&params.path, LOCK_WAIT, control)?;
    let mut wanted = Vec::new();
    if params.columns {
        wanted.extend([("MODEL_DATA", DataType::Complex), ("CORRECTED_DATA", DataType::Complex)]);
    }
    if params.weights {
        wanted.push(("WEIGHT_SPECTRUM", DataType::Float));
    }
    // Those of an interrupted attempt are written again.
    let torn = ms::interrupted_by(&params.path, STEP)?;
    wanted.retain(|(name, _)| !reader.meta().has_column(name) || torn.iter().any(|t| t == name));
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<&str> = wanted.iter().map(|(name, _)| *name).collect();
    let mut update = MsUpdate::begin(&reader, &names, STEP, LOCK_WAIT)?;
    for (name, kind) in &wanted {
        update.ensure_column(name, *kind)?;
    }
    for (id, description) in reader.meta().data_descriptions.iter().enumerate() {
        for rows in reader.row_blocks(description.spw) {
            control.check()?;
            if description.n_rows == 0 {
                continue;
            }
            let request = ReadRequest {
                data_description: Some(id),
                ..ReadRequest::new(description.spw, Column::Data)
                    .rows(rows.start..rows.end.min(description.n_rows))
            };
            fill(&reader, &mut update, &request, &names)?;
        }
    }
    update.finish()?;
    Ok(names.into_iter().map(str::to_owned).collect())
}

fn fill(
    reader: &MsReader,
    update: &mut MsUpdate<'_>,
    request: &ReadRequest,
    names: &[&str],
) -> Result<(), ms::Error> {
    let block = reader.read(request)?;
    let zeros = Array3::<Complex32>::zeros(block.vis_rfp.dim());
    for name in names {
        match *name {
            "MODEL_DATA" => update.put_visibilities(Column::Model, request, &zeros)?,
            "CORRECTED_DATA" => update.put_visibilities(Column::Corrected, request, &zeros)?,
            other => update.put_reals(other, request, &block.weight_rfp)?,
        }
    }
    Ok(())
}

/// Write one text into every row of a subtable's column, where it differs.
fn stamp(params: &ConfigureParams, subtable: &str, column: &str, text: &str) -> Result<(), Error> {
    let path = Table::open(&params.path)?.subtable_path(subtable)?;
    let table = Table::open(&path)?;
    let rows = table.n_rows()?;
    if table.text(column, 0..rows)?.iter().all(|t| t == text) {
        return Ok(());
    }
    drop(table);
    let mut table = Table::open_rw(&path, LOCK_WAIT)?;
    for row in 0..rows {
        table.put_text(column, row, text)?;
    }
    table.close()?;
    Ok(sync_tree(&path)?)
}
