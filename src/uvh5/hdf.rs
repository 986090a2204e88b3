//! A careful look into an HDF5 file: hard links only, known types only, sizes checked before anything is allocated.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::raw::c_int;
use std::path::{Path, PathBuf};
use std::sync::Once;

use hdf5::plist::dataset_create::Layout;
use hdf5::types::TypeDescriptor;
use hdf5::{IndexType, IterationOrder, LinkType};

use super::{heap, Error};

/// First bytes of every HDF5 file without a user block.
const SIGNATURE: [u8; 8] = *b"\x89HDF\r\n\x1a\n";
/// No text of a header is longer (the history of much processed files reaches some 100 kB) \[bytes\].
const LONGEST_TEXT: usize = 16 << 20;
/// Deflate cannot expand more than this; a larger claim is a lie.
const LARGEST_EXPANSION: u64 = 1032;
/// Data that were never written may claim this much beyond the file's size \[bytes\].
const UNWRITTEN: u64 = 64 << 20;
/// Largest header array \[elements\].
const LARGEST_ARRAY: usize = 1 << 28;

/// An open HDF5 file and the plain descriptor that raw chunks are read through.
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) raw: File,
    pub(super) bytes: u64,
    file: hdf5::File,
}

/// A group whose links are known.
pub(super) struct Node<'s> {
    source: &'s Source,
    group: hdf5::Group,
    name: String,
    links: BTreeMap<String, LinkType>,
}

/// Filters come from this library alone: a file must not make us load code.
pub(crate) fn refuse_plugins() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        hdf5::sync::sync(|| {
            let mut none: c_int = 0;
            // SAFETY: a plain setter of the library's state, under the library's lock.
            unsafe { hdf5_sys::h5pl::H5PLset_loading_state(&mut none) };
        });
    });
}

impl Source {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let mut raw = File::open(path).map_err(|e| Error::io(path, "open", e))?;
        let meta = raw.metadata().map_err(|e| Error::io(path, "stat", e))?;
        if !meta.is_file() {
            return Err(Error::data(path, "file", "a regular HDF5 file", "a directory or a special file"));
        }
        let mut head = Vec::with_capacity(SIGNATURE.len());
        raw.by_ref()
            .take(SIGNATURE.len() as u64)
            .read_to_end(&mut head)
            .map_err(|e| Error::io(path, "read", e))?;
        if head != SIGNATURE {
            return Err(Error::data(
                path,
                "file",
                "an HDF5 file",
                format!("{} bytes of something else", meta.len()),
            ));
        }
        refuse_plugins();
        let file = hdf5::File::open(path)
            .map_err(|e| Error::data(path, "file", "a complete, closed HDF5 file", first_line(&e)))?;
        Ok(Self { path: path.to_path_buf(), raw, bytes: meta.len(), file })
    }

    /// The root group.
    pub(super) fn root(&self) -> Result<Node<'_>, Error> {
        let group = self.file.group("/").map_err(|e| self.bad("/", "a group", first_line(&e)))?;
        Node::new(self, group, String::new())
    }

    pub(super) fn bad(
        &self,
        item: impl Into<String>,
        expected: impl Into<String>,
        found: impl ToString,
    ) -> Error {
        Error::data(&self.path, item, expected, found)
    }
}

impl<'s> Node<'s> {
    fn new(source: &'s Source, group: hdf5::Group, name: String) -> Result<Self, Error> {
        let links = group
            .links(IndexType::Name, IterationOrder::Native)
            .map_err(|e| source.bad(&name, "a readable group", first_line(&e)))?
            .into_iter()
            .map(|(name, info)| (name, info.link_type))
            .collect();
        Ok(Self { source, group, name, links })
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.links.keys().map(String::as_str)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.links.contains_key(name)
    }

    pub(super) fn full(&self, name: &str) -> String {
        if self.name.is_empty() {
            name.to_owned()
        } else {
            format!("{}/{name}", self.name)
        }
    }

    fn hard(&self, name: &str, expected: &str) -> Result<(), Error> {
        match self.links.get(name) {
            Some(LinkType::Hard) => Ok(()),
            Some(kind) => Err(self.bad(name, expected, format!("a link that points elsewhere ({kind:?})"))),
            None => Err(self.bad(name, expected, "nothing (missing)")),
        }
    }

    pub(super) fn bad(&self, name: &str, expected: impl Into<String>, found: impl ToString) -> Error {
        self.source.bad(self.full(name), expected, found)
    }

    pub(super) fn group(&self, name: &str) -> Result<Node<'s>, Error> {
        self.hard(name, "a group")?;
        let group = self.group.group(name).map_err(|e| self.bad(name, "a group", first_line(&e)))?;
        Node::new(self.source, group, self.full(name))
    }

    /// Whether `name` is a group (and not a dataset).
    pub(super) fn is_group(&self, name: &str) -> bool {
        self.links.get(name) == Some(&LinkType::Hard) && self.group.group(name).is_ok()
    }

    /// A dataset whose bytes lie in this very file and whose claimed size is possible.
    pub(super) fn dataset(&self, name: &str) -> Result<hdf5::Dataset, Error> {
        self.hard(name, "a dataset")?;
        let dataset = self.group.dataset(name).map_err(|e| self.bad(name, "a dataset", first_line(&e)))?;
        let create = dataset.dcpl().map_err(|e| self.bad(name, "a readable dataset", first_line(&e)))?;
        let layout = create.get_layout().map_err(|e| self.bad(name, "a known layout", first_line(&e)))?;
        if layout == Layout::Virtual {
            return Err(self.bad(name, "data in this file", "a virtual dataset"));
        }
        match create.get_external() {
            Ok(list) if list.is_empty() => {}
            _ => return Err(self.bad(name, "data in this file", "external storage")),
        }
        let bytes = self.claimed_bytes(name, &dataset)?;
        let factor = if create.has_filters() { LARGEST_EXPANSION } else { 1 };
        if bytes > self.source.bytes.saturating_mul(factor).saturating_add(UNWRITTEN) {
            let found = format!("a claim of {bytes} bytes, shape {:?}", dataset.shape());
            return Err(self.bad(
                name,
                format!("data that fit a file of {} bytes", self.source.bytes),
                found,
            ));
        }
        Ok(dataset)
    }

    fn claimed_bytes(&self, name: &str, dataset: &hdf5::Dataset) -> Result<u64, Error> {
        let item = dataset.dtype().map_err(|e| self.bad(name, "a known type", first_line(&e)))?.size() as u64;
        let shape = dataset.get_shape().map_err(|e| self.bad(name, "a known shape", first_line(&e)))?;
        shape
            .iter()
            .try_fold(item, |bytes, &n| bytes.checked_mul(n as u64))
            .ok_or_else(|| self.bad(name, "a possible shape", format!("{shape:?}")))
    }

    fn kind(&self, name: &str, dataset: &hdf5::Dataset) -> Result<TypeDescriptor, Error> {
        dataset
            .dtype()
            .and_then(|t| t.to_descriptor())
            .map_err(|e| self.bad(name, "numbers or text", first_line(&e)))
    }

    fn numeric(&self, name: &str) -> Result<hdf5::Dataset, Error> {
        let dataset = self.dataset(name)?;
        match self.kind(name, &dataset)? {
            TypeDescriptor::Integer(_) | TypeDescriptor::Unsigned(_) | TypeDescriptor::Float(_) => {}
            other => return Err(self.bad(name, "numbers", other)),
        }
        if dataset.size() > LARGEST_ARRAY {
            return Err(self.bad(name, format!("at most {LARGEST_ARRAY} numbers"), dataset.size()));
        }
        Ok(dataset)
    }

    /// All numbers of a dataset and its shape; an empty dataspace has none.
    pub(super) fn numbers<T: hdf5::H5Type>(&self, name: &str) -> Result<(Vec<usize>, Vec<T>), Error> {
        let dataset = self.numeric(name)?;
        let shape = dataset.shape();
        if dataset.size() == 0 {
            return Ok((shape, Vec::new()));
        }
        let values =
            dataset.read_raw::<T>().map_err(|e| self.bad(name, "readable numbers", first_line(&e)))?;
        Ok((shape, values))
    }

    /// Numbers of a dataset that must have `shape`; the shape is looked at before the numbers are read.
    pub(super) fn shaped<T: hdf5::H5Type>(&self, name: &str, shape: &[usize]) -> Result<Vec<T>, Error> {
        let found = self.numeric(name)?.shape();
        if found != shape {
            return Err(self.bad(name, format!("shape {shape:?}"), format!("{found:?}")));
        }
        Ok(self.numbers(name)?.1)
    }

    /// One number, scalar or in an array of one.
    pub(super) fn number(&self, name: &str) -> Result<f64, Error> {
        let dataset = self.numeric(name)?;
        if dataset.size() != 1 {
            return Err(self.bad(name, "one number", format!("shape {:?}", dataset.shape())));
        }
        match self.numbers::<f64>(name)?.1.first() {
            Some(&value) => Ok(value),
            None => Err(self.bad(name, "one number", "none")),
        }
    }

    /// One count.
    pub(super) fn count(&self, name: &str) -> Result<usize, Error> {
        let value = self.number(name)?;
        if value.fract() == 0.0 && (0.0..=u32::MAX as f64).contains(&value) {
            Ok(value as usize)
        } else {
            Err(self.bad(name, "a count", value))
        }
    }

    /// One flag: an HDF5 boolean or a number.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Error> {
        let dataset = self.dataset(name)?;
        match self.kind(name, &dataset)? {
            TypeDescriptor::Boolean if dataset.size() == 1 => {
                dataset.read_scalar::<bool>().map_err(|e| self.bad(name, "a boolean", first_line(&e)))
            }
            _ => Ok(self.number(name)? != 0.0),
        }
    }

    /// Whether `name` is stored as an HDF5 boolean.
    pub(super) fn is_boolean(&self, name: &str) -> Result<bool, Error> {
        let dataset = self.dataset(name)?;
        Ok(matches!(self.kind(name, &dataset), Ok(TypeDescriptor::Boolean)))
    }

    /// One text.
    pub(super) fn text(&self, name: &str) -> Result<String, Error> {
        let mut texts = self.texts(name)?;
        match (texts.len(), texts.pop()) {
            (1, Some(text)) => Ok(text),
            (n, _) => Err(self.bad(name, "one text", format!("{n} texts"))),
        }
    }

    /// Texts of fixed or variable length, trailing NUL and blanks removed.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, Error> {
        let dataset = self.dataset(name)?;
        let texts = match self.kind(name, &dataset)? {
            TypeDescriptor::FixedAscii(width) | TypeDescriptor::FixedUnicode(width) => {
                return self.fixed_texts(name, &dataset, width);
            }
            TypeDescriptor::VarLenAscii | TypeDescriptor::VarLenUnicode => self.heap_texts(name, &dataset)?,
            other => return Err(self.bad(name, "text", other)),
        };
        Ok(texts.into_iter().map(|s| s.trim_end_matches(['\0', ' ']).to_owned()).collect())
    }

    /// Texts of variable length: not through the library, see `heap`.
    fn heap_texts(&self, name: &str, dataset: &hdf5::Dataset) -> Result<Vec<String>, Error> {
        let count = dataset.size();
        if dataset.layout() != Layout::Contiguous || count > LONGEST_TEXT / heap::ELEMENT {
            return Err(self.bad(name, "text of fixed length, or in one piece", "text stored otherwise"));
        }
        match dataset.offset() {
            None => Ok(vec![String::new(); count]),
            Some(offset) => heap::texts(&self.source.raw, self.source.bytes, offset, count)
                .map_err(|found| self.bad(name, "readable text", found)),
        }
    }

    fn fixed_texts(&self, name: &str, dataset: &hdf5::Dataset, width: usize) -> Result<Vec<String>, Error> {
        let bytes = dataset.size().saturating_mul(width);
        if bytes > LONGEST_TEXT {
            return Err(self.bad(name, format!("at most {LONGEST_TEXT} bytes of text"), bytes));
        }
        if bytes == 0 {
            return Ok(vec![String::new(); dataset.size()]);
        }
        let mut buffer = vec![0u8; bytes];
        read_as_stored(dataset, &mut buffer).map_err(|e| self.bad(name, "readable text", first_line(&e)))?;
        let text = |raw: &[u8]| String::from_utf8_lossy(raw).trim_end_matches(['\0', ' ']).to_owned();
        Ok(buffer.chunks_exact(width).map(text).collect())
    }
}

/// Read a whole dataset without conversion; `buffer` has exactly its bytes.
fn read_as_stored(dataset: &hdf5::Dataset, buffer: &mut [u8]) -> hdf5::Result<()> {
    let kind = dataset.dtype()?;
    let status = hdf5::sync::sync(|| {
        // SAFETY: the buffer holds size() elements of the stored type, which is also the memory type (fixed-length).
        unsafe {
            hdf5_sys::h5d::H5Dread(
                dataset.id(),
                kind.id(),
                hdf5_sys::h5s::H5S_ALL,
                hdf5_sys::h5s::H5S_ALL,
                hdf5_sys::h5p::H5P_DEFAULT,
                buffer.as_mut_ptr().cast(),
            )
        }
    });
    if status < 0 {
        Err(hdf5::Error::query().unwrap_or_else(|_| "H5Dread failed".into()))
    } else {
        Ok(())
    }
}

/// The head of HDF5's message: the rest is its call stack.
pub(super) fn first_line(error: &hdf5::Error) -> String {
    error.to_string().lines().next().unwrap_or("an unknown error").to_owned()
}
