//! Stage "model": a sky model into MODEL_DATA.

use std::path::PathBuf;

use num_complex::Complex32;

use super::selection::{fields, windows, LOCK_WAIT};
use super::sky::{ModelSky, Predictor};
use crate::casatable::DataType;
use crate::control::Control;
use crate::error::Error;
use crate::ms::{Column, MsReader, MsUpdate, ReadRequest};

/// What to write.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelParams {
    /// The Measurement Set.
    pub ms: PathBuf,
    /// The sky.
    pub model: ModelSky,
    /// Fields, in CASA's words; the others keep what they have.
    #[serde(default)]
    pub field: String,
    /// Spectral windows, in CASA's words.
    #[serde(default)]
    pub spw: String,
}

/// What was written.
#[derive(Clone, Debug, serde::Serialize)]
pub struct ModelReport {
    /// The Measurement Set.
    pub ms: PathBuf,
    /// Sources of the model.
    pub sources: usize,
    /// Rows written.
    pub rows: u64,
    /// Mean modulus of the model \[Jy\].
    pub mean_jy: f64,
}

/// Predict and write MODEL_DATA.
///
/// # Errors
/// A Measurement Set or selection that does not fit, a model that makes no sense, a lock, cancellation (the column then bears the
/// mark of an interrupted write).
pub fn run(params: &ModelParams, control: &Control) -> Result<ModelReport, Error> {
    let reader = MsReader::open_to_write(&params.ms, LOCK_WAIT, control)?;
    let predictor = Predictor::new(&params.model, reader.meta())?;
    let chosen_fields = fields(&reader, &params.field)?;
    let chosen = windows(&reader, &params.spw)?;
    let blocks: Vec<ReadRequest> = chosen
        .iter()
        .flat_map(|spw| {
            reader.row_blocks(*spw).into_iter().map(|rows| ReadRequest::new(*spw, Column::Data).rows(rows))
        })
        .map(|request| ReadRequest { fields: chosen_fields.clone(), ..request })
        .collect();
    control.expect(blocks.len() as u64);
    let mut update = MsUpdate::begin(&reader, &["MODEL_DATA"], "contimg model", LOCK_WAIT)?;
    if update.ensure_column("MODEL_DATA", DataType::Complex)? {
        zero(&mut update, &reader)?;
    }
    let (mut rows, mut sum, mut count) = (0, 0.0, 0.0);
    for request in &blocks {
        control.check()?;
        let mut block = reader.read(request)?;
        if !block.rows.is_empty() {
            predictor.fill(&mut block, &reader, control)?;
            if let Some(model) = &block.model_rfp {
                sum += model.iter().map(|m| f64::from(m.norm())).sum::<f64>();
                count += model.len() as f64;
                rows += block.rows.len() as u64;
                update.put_visibilities(Column::Model, request, model)?;
            }
        }
        control.advance(1);
    }
    update.finish()?;
    Ok(ModelReport {
        ms: params.ms.clone(),
        sources: params.model.sky.sources.len(),
        rows,
        mean_jy: if count > 0.0 { sum / count } else { 0.0 },
    })
}

/// Zeros in every cell of a new column: a cell that was never written cannot be read.
fn zero(update: &mut MsUpdate<'_>, reader: &MsReader) -> Result<(), Error> {
    for spw in reader.windows() {
        for rows in reader.row_blocks(spw) {
            let request = ReadRequest::new(spw, Column::Data).rows(rows);
            let block = reader.read(&request)?;
            update.put_visibilities(
                Column::Model,
                &request,
                &block.vis_rfp.mapv(|_| Complex32::default()),
            )?;
        }
    }
    Ok(())
}
