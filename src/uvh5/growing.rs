//! HDF5 datasets that are written: plain ones at once, growing ones row block by row block.

use std::path::{Path, PathBuf};

use hdf5::types::{CompoundField, CompoundType, FloatSize, TypeDescriptor};
use hdf5::{Extent, Extents, Group, SimpleExtents};

use super::hdf::first_line;
use super::Error;

/// h5py takes this length for an axis that is still empty when it guesses a chunk shape.
const EMPTY_AXIS: usize = 1024;

/// Complex64 as h5py stores it.
pub(super) fn complex64() -> TypeDescriptor {
    let field = |name: &str, offset, index| {
        CompoundField::new(name, TypeDescriptor::Float(FloatSize::U4), offset, index)
    };
    TypeDescriptor::Compound(CompoundType { fields: vec![field("r", 0, 0), field("i", 4, 1)], size: 8 })
}

/// A group of a file under construction.
pub(super) struct Sink<'g> {
    pub(super) path: &'g Path,
    pub(super) group: Group,
}

/// A dataset that grows along its first axis.
pub(super) struct Growing {
    path: PathBuf,
    name: &'static str,
    dataset: hdf5::Dataset,
    kind: hdf5::Datatype,
    item: usize,
}

impl Sink<'_> {
    fn failed(&self, name: &str, error: &hdf5::Error) -> Error {
        Error::Write {
            path: self.path.to_path_buf(),
            action: format!("write {name}"),
            text: first_line(error),
        }
    }

    /// A subgroup.
    pub(super) fn group(&self, name: &str) -> Result<Sink<'_>, Error> {
        let group = self.group.create_group(name).map_err(|e| self.failed(name, &e))?;
        Ok(Sink { path: self.path, group })
    }

    /// One value.
    pub(super) fn scalar<T: hdf5::H5Type>(&self, name: &str, value: T) -> Result<(), Error> {
        let write = || {
            let dataset = self.group.new_dataset::<T>().obj_track_times(false).create(name)?;
            dataset.write_scalar(&value)
        };
        write().map_err(|e| self.failed(name, &e))
    }

    /// An array of fixed size.
    pub(super) fn array<T: hdf5::H5Type>(
        &self,
        name: &str,
        shape: &[usize],
        values: &[T],
    ) -> Result<(), Error> {
        let write = || {
            let dataset = self.group.new_dataset::<T>().obj_track_times(false).shape(shape).create(name)?;
            dataset.write_raw(values)
        };
        write().map_err(|e| self.failed(name, &e))
    }

    /// One text of fixed length, as h5py writes `bytes`.
    pub(super) fn text(&self, name: &str, value: &str) -> Result<(), Error> {
        self.fixed_texts(name, Extents::Scalar, std::slice::from_ref(&value))
    }

    /// A list of texts of one fixed length.
    pub(super) fn texts(&self, name: &str, values: &[String]) -> Result<(), Error> {
        let list: Vec<&str> = values.iter().map(String::as_str).collect();
        self.fixed_texts(name, Extents::from(list.len()), &list)
    }

    fn fixed_texts(&self, name: &str, extents: Extents, values: &[&str]) -> Result<(), Error> {
        let width = values.iter().map(|v| v.len()).max().unwrap_or(0).max(1);
        let mut bytes = vec![0u8; width * values.len()];
        for (slot, value) in bytes.chunks_exact_mut(width).zip(values) {
            slot[..value.len()].copy_from_slice(value.as_bytes());
        }
        let write = || {
            let kind = TypeDescriptor::FixedAscii(width);
            let builder = self.group.new_dataset_builder().obj_track_times(false).empty_as(&kind);
            let dataset = builder.shape(extents).create(name)?;
            let kind = hdf5::Datatype::from_descriptor(&kind)?;
            hdf5::sync::sync(|| {
                use hdf5_sys::{h5d, h5p, h5s};
                // SAFETY: the buffer holds the dataset's elements, of its own type.
                let status = unsafe {
                    h5d::H5Dwrite(
                        dataset.id(),
                        kind.id(),
                        h5s::H5S_ALL,
                        h5s::H5S_ALL,
                        h5p::H5P_DEFAULT,
                        bytes.as_ptr().cast(),
                    )
                };
                checked(status)
            })
        };
        write().map_err(|e| self.failed(name, &e))
    }

    /// An empty dataset that grows along its first axis; `rest` are the other axes.
    pub(super) fn growing(
        &self,
        name: &'static str,
        kind: &TypeDescriptor,
        rest: &[usize],
        chunk: Option<&[usize]>,
    ) -> Result<Growing, Error> {
        let mut shape = vec![0];
        shape.extend_from_slice(rest);
        let chunk = chunk.map_or_else(|| guess_chunk(&shape, kind.size()), <[usize]>::to_vec);
        let mut extents = vec![Extent::resizable(0)];
        extents.extend(rest.iter().map(|&n| Extent::fixed(n)));
        let make = || {
            let dataset = self
                .group
                .new_dataset_builder()
                .obj_track_times(false)
                .chunk(chunk)
                .empty_as(kind)
                .shape(SimpleExtents::from_vec(extents))
                .create(name)?;
            Ok((dataset, hdf5::Datatype::from_descriptor(kind)?))
        };
        let (dataset, native) = make().map_err(|e: hdf5::Error| self.failed(name, &e))?;
        Ok(Growing { path: self.path.to_path_buf(), name, dataset, kind: native, item: kind.size() })
    }
}

impl Growing {
    /// Append `rows` rows; `values` holds them in C order, each value (or group of values) of the dataset's type.
    pub(super) fn append<T: Copy>(&self, rows: usize, values: &[T]) -> Result<(), Error> {
        let mut shape = self.dataset.shape();
        let row: usize = shape[1..].iter().product();
        debug_assert_eq!(rows * row * self.item, std::mem::size_of_val(values));
        if rows == 0 || rows * row * self.item != std::mem::size_of_val(values) {
            return Ok(());
        }
        let mut start = vec![0u64; shape.len()];
        start[0] = shape[0] as u64;
        let mut count: Vec<u64> = shape.iter().map(|&n| n as u64).collect();
        count[0] = rows as u64;
        shape[0] += rows;
        let size: Vec<u64> = shape.iter().map(|&n| n as u64).collect();
        let status = hdf5::sync::sync(|| {
            use hdf5_sys::{h5d, h5p, h5s};
            // SAFETY: all vectors have the dataset's rank; the buffer holds the product of `count` elements (checked above).
            unsafe {
                if h5d::H5Dset_extent(self.dataset.id(), size.as_ptr()) < 0 {
                    return checked(-1);
                }
                let file = h5d::H5Dget_space(self.dataset.id());
                let memory = h5s::H5Screate_simple(count.len() as i32, count.as_ptr(), std::ptr::null());
                let set = h5s::H5S_seloper_t::H5S_SELECT_SET;
                let none = std::ptr::null();
                let mut status =
                    h5s::H5Sselect_hyperslab(file, set, start.as_ptr(), none, count.as_ptr(), none);
                if status >= 0 && memory >= 0 {
                    let buffer = values.as_ptr().cast();
                    status = h5d::H5Dwrite(
                        self.dataset.id(),
                        self.kind.id(),
                        memory,
                        file,
                        h5p::H5P_DEFAULT,
                        buffer,
                    );
                }
                let outcome = checked(if memory < 0 { -1 } else { status });
                h5s::H5Sclose(memory);
                h5s::H5Sclose(file);
                outcome
            }
        });
        status.map_err(|e| Error::Write {
            path: self.path.clone(),
            action: format!("append {rows} rows to {}", self.name),
            text: first_line(&e),
        })
    }
}

fn checked(status: i32) -> hdf5::Result<()> {
    if status < 0 {
        Err(hdf5::Error::query().unwrap_or_else(|_| "unknown failure".into()))
    } else {
        Ok(())
    }
}

/// The chunk shape that h5py's `chunks=True` takes, which is what the correlator's files have: axes are halved in turn
/// until the chunk is near a target that grows slowly with the size of the dataset.
pub(super) fn guess_chunk(shape: &[usize], item: usize) -> Vec<usize> {
    const BASE: f64 = 16.0 * 1024.0;
    const LEAST: f64 = 8.0 * 1024.0;
    const MOST: f64 = 1024.0 * 1024.0;
    let mut chunk: Vec<f64> = shape.iter().map(|&n| if n == 0 { EMPTY_AXIS } else { n } as f64).collect();
    let bytes = |chunk: &[f64]| chunk.iter().product::<f64>() * item as f64;
    let target = (BASE * 2f64.powf((bytes(&chunk) / (1024.0 * 1024.0)).log10())).clamp(LEAST, MOST);
    let mut axis = 0;
    loop {
        let now = bytes(&chunk);
        let near = now < target || (now - target).abs() / target < 0.5;
        if (near && now < MOST) || chunk.iter().product::<f64>() <= 1.0 {
            return chunk.iter().map(|&n| n as usize).collect();
        }
        let count = chunk.len();
        chunk[axis % count] = (chunk[axis % count] / 2.0).ceil();
        axis += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_those_of_the_real_files() {
        assert_eq!(guess_chunk(&[0, 1, 48, 2], 8), [128, 1, 12, 1]);
        assert_eq!(guess_chunk(&[0, 1, 48, 2], 4), [256, 1, 12, 1]);
        assert_eq!(guess_chunk(&[0, 1, 48, 2], 1), [256, 1, 24, 1]);
    }
}
