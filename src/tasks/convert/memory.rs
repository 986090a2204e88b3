//! A group in memory: what its Measurement Set would say, without one.

use std::path::PathBuf;

use super::geometry::Geometry;
use super::group::Group;
use super::stream::{read_one, rotate, Buffer};
use super::ConvertParams;
use crate::control::Control;
use crate::ms::{Column, DataDescription, Meta};
use crate::vis::{Rows, VisBlock};
use crate::Error;

/// An opened group: every header read and checked, geometry computed, visibilities still on disk.
pub(in crate::tasks) struct OpenGroup {
    group: Group,
    geometry: Geometry,
    meta: Meta,
}

impl OpenGroup {
    /// Open the files of `params`; `output` and what concerns writing are not used.
    ///
    /// # Errors
    /// As the conversion: damaged or inconsistent inputs, an antenna that is not in the station list.
    pub(in crate::tasks) fn open(params: &ConvertParams) -> Result<Self, Error> {
        let mut group = Group::open(params)?;
        let geometry = Geometry::new(&group, params.phase_center)?;
        group.warnings.extend(geometry.warnings.iter().cloned());
        let meta = meta(&group, &geometry, params);
        Ok(Self { group, geometry, meta })
    }

    /// What the Measurement Set's subtables would hold.
    pub(in crate::tasks) fn meta(&self) -> &Meta {
        &self.meta
    }

    /// What a person should know.
    pub(in crate::tasks) fn warnings(&self) -> &[String] {
        &self.group.warnings
    }

    /// Bytes of the files.
    pub(in crate::tasks) fn bytes(&self) -> u64 {
        self.group.bytes()
    }

    /// Whether a window has no file: its data are flagged whatever happens.
    pub(in crate::tasks) fn is_absent(&self, window: usize) -> bool {
        self.group.subbands[window].file.is_none()
    }

    /// Rows of a window.
    pub(in crate::tasks) fn n_rows(&self) -> usize {
        self.group.rows.len()
    }

    /// Rows of every window.
    pub(in crate::tasks) fn rows(&self) -> &Rows {
        &self.geometry.rows
    }

    /// All rows of one window, as a conversion would have written them.
    ///
    /// # Errors
    /// Damaged data, other rows than the first file's, cancellation.
    pub(in crate::tasks) fn read(&self, window: usize, control: &Control) -> Result<VisBlock, Error> {
        let subband = &self.group.subbands[window];
        let shape = (self.group.rows.len(), self.group.channels(), self.group.products.len());
        let mut buffer = Buffer::new(shape);
        if let Some(path) = &subband.file {
            read_one(&self.group, path, &mut buffer, control)?;
            if self.geometry.rotates {
                rotate(&mut buffer.vis_rfp, &subband.channels.freq_hz, &self.geometry);
            }
        }
        Ok(VisBlock {
            rows: self.geometry.rows.clone(),
            channels: self.meta.spws[window].clone(),
            products: self.group.products.clone(),
            vis_rfp: buffer.vis_rfp,
            weight_rfp: buffer.weight_rfp,
            flag_rfp: buffer.flag_rfp,
            model_rfp: None,
        })
    }
}

fn meta(group: &Group, geometry: &Geometry, params: &ConvertParams) -> Meta {
    let spws = group.windows();
    let rows = group.rows.len() as u64;
    let times = geometry.times.iter().map(|t| t.time_mjd_s);
    let description =
        |spw| DataDescription { spw, polarization: 0, products: group.products.clone(), n_rows: rows };
    Meta {
        path: params.files.iter().min().cloned().unwrap_or_else(PathBuf::new),
        antennas: group.antennas.clone(),
        fields: geometry.fields.clone(),
        descending: vec![false; spws.len()],
        data_descriptions: (0..spws.len()).map(description).collect(),
        telescope: params.telescope_name.clone().unwrap_or_else(|| group.telescope()),
        time_range_mjd_s: [
            times.clone().fold(f64::INFINITY, f64::min),
            times.fold(f64::NEG_INFINITY, f64::max),
        ],
        columns: [Column::Data, Column::Corrected].map(|c| c.name().to_owned()).to_vec(),
        n_rows: rows * spws.len() as u64,
        spws,
        provenance: None,
    }
}
