//! A three-axis dataset (row, channel, product) as bytes in the file: read straight from there, chunk by chunk.

use std::ops::Range;
use std::os::unix::fs::FileExt;

use hdf5::filters::Filter;
use hdf5::plist::dataset_create::Layout;
use hdf5::types::TypeDescriptor;

use super::filter::{undo, Step};
use super::hdf::{first_line, Node, Source};
use super::Error;

/// h5py's LZF filter.
const LZF: i32 = 32000;
/// Largest chunk we unpack \[bytes\].
const LARGEST_CHUNK: usize = 1 << 30;
/// Neighbouring chunks are fetched by one call up to this size \[bytes\].
const LARGEST_FETCH: u64 = 4 << 20;

/// Where the bytes are.
enum Place {
    /// Never written.
    Nowhere,
    /// One piece at this offset.
    Contiguous(u64),
    /// Pieces of equal shape, sorted by their origin.
    Chunked { shape: [usize; 3], chunks: Vec<Chunk>, steps: Vec<Step> },
    /// Only the library knows (compact storage, rare filters).
    Library(hdf5::Dataset),
}

#[derive(Clone, Copy, Debug)]
struct Chunk {
    origin: [usize; 3],
    address: u64,
    bytes: u64,
    skipped: u32,
}

/// A dataset of visibilities, flags or sample counts.
pub(super) struct Storage {
    name: String,
    /// Rows, channels, products.
    pub(super) shape: [usize; 3],
    /// Type of one element.
    pub(super) kind: TypeDescriptor,
    item: usize,
    place: Place,
    /// What every byte of data that were never written reads as.
    absent: u8,
}

/// Buffers that live as long as a thread's work.
#[derive(Default)]
pub(super) struct Scratch {
    fetched: Vec<u8>,
}

impl Storage {
    /// Look at dataset `name`: (rows, channels, products), or with an axis of one spectral window after the rows.
    pub(super) fn open(source: &Source, node: &Node<'_>, name: &str, absent: u8) -> Result<Self, Error> {
        let dataset = node.dataset(name)?;
        let unreadable = |what: &str, e: &hdf5::Error| node.bad(name, what, first_line(e));
        let kind = dataset.dtype().map_err(|e| unreadable("a known type", &e))?;
        let item = kind.size();
        let kind = kind.to_descriptor().map_err(|e| unreadable("a known type", &e))?;
        let found = dataset.shape();
        let (shape, spw_axis) = match found[..] {
            [r, f, p] => ([r, f, p], false),
            [r, 1, f, p] => ([r, f, p], true),
            _ => {
                return Err(node.bad(
                    name,
                    "axes (row, channel, product) or (row, 1, channel, product)",
                    format!("shape {found:?}"),
                ))
            }
        };
        let mut storage = Self { name: node.full(name), shape, kind, item, place: Place::Nowhere, absent };
        // Big-endian or padded elements are turned by the library.
        let native = dataset
            .dtype()
            .is_ok_and(|d| hdf5::Datatype::from_descriptor(&storage.kind).is_ok_and(|n| n == d));
        let steps = storage.steps(source, &dataset)?.filter(|_| native);
        storage.item = storage.kind.size();
        storage.place = storage.find(source, dataset, spw_axis, steps)?;
        Ok(storage)
    }

    fn bad(&self, source: &Source, expected: impl Into<String>, found: impl ToString) -> Error {
        source.bad(&self.name, expected, found)
    }

    fn find(
        &self,
        source: &Source,
        dataset: hdf5::Dataset,
        spw_axis: bool,
        steps: Option<Vec<Step>>,
    ) -> Result<Place, Error> {
        match (dataset.layout(), steps) {
            (Layout::Contiguous, Some(_)) => match dataset.offset() {
                None => Ok(Place::Nowhere),
                Some(offset) => {
                    let bytes = (self.shape.iter().product::<usize>() * self.item) as u64;
                    if offset.checked_add(bytes).is_none_or(|end| end > source.bytes) {
                        let found = format!("a file of {} bytes", source.bytes);
                        return Err(self.bad(source, format!("{bytes} bytes at {offset}"), found));
                    }
                    Ok(Place::Contiguous(offset))
                }
            },
            (Layout::Chunked, Some(steps)) => self.find_chunks(source, &dataset, spw_axis, steps),
            _ => Ok(Place::Library(dataset)),
        }
    }

    /// The pipeline, or `None` if only the library can undo it.
    fn steps(&self, source: &Source, dataset: &hdf5::Dataset) -> Result<Option<Vec<Step>>, Error> {
        let create = dataset.dcpl().map_err(|e| self.bad(source, "a readable dataset", first_line(&e)))?;
        let filters = create.get_filters().map_err(|e| self.bad(source, "known filters", first_line(&e)))?;
        // Chunks at the edge may be stored unfiltered without saying so.
        let whole = create.get_chunk_opts().is_ok_and(|options| options.is_none_or(|o| o.is_empty()));
        let mut ours = whole || filters.is_empty();
        let mut steps = Vec::new();
        for filter in filters {
            match filter {
                Filter::Shuffle => steps.push(Step::Shuffle),
                Filter::Deflate(_) => steps.push(Step::Deflate),
                Filter::User(LZF, _) => steps.push(Step::Lzf),
                Filter::User(id, _) => {
                    let expected =
                        "no compression, deflate, shuffle or LZF (rewrite the file with one of them)";
                    return Err(self.bad(source, expected, format!("the user-defined filter {id}")));
                }
                _ => ours = false,
            }
        }
        Ok(ours.then_some(steps))
    }

    fn find_chunks(
        &self,
        source: &Source,
        dataset: &hdf5::Dataset,
        spw_axis: bool,
        steps: Vec<Step>,
    ) -> Result<Place, Error> {
        let drop_spw = |v: &[usize]| -> Option<[usize; 3]> {
            match (v, spw_axis) {
                ([r, 1 | 0, f, p], true) | ([r, f, p], false) => Some([*r, *f, *p]),
                _ => None,
            }
        };
        let Some(shape) = dataset.chunk().and_then(|c| drop_spw(&c)) else {
            return Err(self.bad(source, "chunks of the dataset's rank", format!("{:?}", dataset.chunk())));
        };
        let bytes = shape.iter().try_fold(self.item, |b, &n| b.checked_mul(n)).unwrap_or(usize::MAX);
        if bytes == 0 || bytes > LARGEST_CHUNK {
            return Err(self.bad(
                source,
                format!("chunks of 1 to {LARGEST_CHUNK} bytes"),
                format!("{bytes} bytes, {shape:?}"),
            ));
        }
        let mut chunks = Vec::new();
        let mut wrong = None;
        dataset
            .chunks_visit(|info| {
                let origin: Vec<usize> = info.offset.iter().map(|&n| n as usize).collect();
                match drop_spw(&origin) {
                    Some(origin) if (0..3).any(|axis| origin[axis] >= self.shape[axis]) => {}
                    Some(origin) => chunks.push(Chunk {
                        origin,
                        address: info.addr,
                        bytes: info.size,
                        skipped: info.filter_mask,
                    }),
                    None => wrong = Some(origin),
                }
                i32::from(wrong.is_some())
            })
            .map_err(|e| self.bad(source, "a readable chunk index", first_line(&e)))?;
        if let Some(origin) = wrong {
            return Err(self.bad(source, "chunks inside the dataset", format!("one at {origin:?}")));
        }
        self.check_chunks(source, &chunks, bytes, steps.is_empty())?;
        chunks.sort_unstable_by_key(|c| c.origin);
        Ok(Place::Chunked { shape, chunks, steps })
    }

    fn check_chunks(
        &self,
        source: &Source,
        chunks: &[Chunk],
        bytes: usize,
        plain: bool,
    ) -> Result<(), Error> {
        for chunk in chunks {
            let end = chunk.address.checked_add(chunk.bytes);
            if end.is_none_or(|end| end > source.bytes) {
                let expected = format!("{} bytes at {}", chunk.bytes, chunk.address);
                return Err(self.bad(
                    source,
                    expected,
                    format!("a file of {} bytes (truncated?)", source.bytes),
                ));
            }
            if plain && chunk.bytes != bytes as u64 {
                return Err(self.bad(
                    source,
                    format!("chunks of {bytes} bytes"),
                    format!("one of {}", chunk.bytes),
                ));
            }
        }
        Ok(())
    }

    /// Rows in one chunk; 1 when the data are in one piece.
    pub(super) fn chunk_rows(&self) -> usize {
        match &self.place {
            Place::Chunked { shape, .. } => shape[0],
            _ => 1,
        }
    }

    /// Bytes of one element.
    pub(super) fn item(&self) -> usize {
        self.item
    }

    /// Fill `out` with the raw elements of `rows` and `channels`, all products, in C order.
    pub(super) fn read(
        &self,
        source: &Source,
        rows: Range<usize>,
        channels: Range<usize>,
        out: &mut Vec<u8>,
        scratch: &mut Scratch,
    ) -> Result<(), Error> {
        let tile = Tile { rows, channels, products: self.shape[2], item: self.item };
        out.resize(tile.bytes(), self.absent);
        match &self.place {
            Place::Nowhere => out.fill(self.absent),
            Place::Contiguous(offset) => self.read_contiguous(source, *offset, &tile, out, scratch)?,
            Place::Chunked { shape, chunks, steps } => {
                self.read_chunks(source, (*shape, chunks, steps), &tile, out, scratch)?;
            }
            Place::Library(dataset) => self.read_library(source, dataset, &tile, out)?,
        }
        Ok(())
    }

    fn fetch(&self, source: &Source, address: u64, bytes: usize, buffer: &mut Vec<u8>) -> Result<(), Error> {
        buffer.resize(bytes, 0);
        source.raw.read_exact_at(buffer, address).map_err(|e| match e.kind() {
            std::io::ErrorKind::UnexpectedEof => self.bad(
                source,
                format!("{bytes} bytes at {address}"),
                "the end of the file (truncated while being read)",
            ),
            _ => Error::io(&source.path, "read", e),
        })
    }

    fn read_contiguous(
        &self,
        source: &Source,
        offset: u64,
        tile: &Tile,
        out: &mut Vec<u8>,
        scratch: &mut Scratch,
    ) -> Result<(), Error> {
        let row = self.shape[1] * self.shape[2] * self.item;
        let address = offset + (tile.rows.start * row) as u64;
        let bytes = tile.rows.len() * row;
        if tile.channels.len() == self.shape[1] {
            return self.fetch(source, address, bytes, out);
        }
        self.fetch(source, address, bytes, &mut scratch.fetched)?;
        tile.scatter(
            &scratch.fetched,
            [tile.rows.len(), self.shape[1], self.shape[2]],
            [tile.rows.start, 0, 0],
            out,
        );
        Ok(())
    }

    fn read_chunks(
        &self,
        source: &Source,
        (shape, chunks, steps): ([usize; 3], &[Chunk], &[Step]),
        tile: &Tile,
        out: &mut [u8],
        scratch: &mut Scratch,
    ) -> Result<(), Error> {
        let first = tile.rows.start / shape[0] * shape[0];
        let from = chunks.partition_point(|c| c.origin[0] < first);
        let to = chunks.partition_point(|c| c.origin[0] < tile.rows.end);
        let touches =
            |c: &&Chunk| c.origin[1] < tile.channels.end && c.origin[1] + shape[1] > tile.channels.start;
        let mut wanted: Vec<Chunk> = chunks[from..to].iter().filter(touches).copied().collect();
        let along = |range: &Range<usize>, n: usize| range.end.div_ceil(n) - range.start / n;
        let expected =
            along(&tile.rows, shape[0]) * along(&tile.channels, shape[1]) * self.shape[2].div_ceil(shape[2]);
        if wanted.len() != expected {
            out.fill(self.absent);
        }
        wanted.sort_unstable_by_key(|c| c.address);
        let bytes = shape.iter().product::<usize>() * self.item;
        let mut rest = &wanted[..];
        while let Some(head) = rest.first() {
            let mut end = head.address + head.bytes;
            let mut count = 1;
            while rest
                .get(count)
                .is_some_and(|c| c.address == end && c.address + c.bytes - head.address <= LARGEST_FETCH)
            {
                end += rest[count].bytes;
                count += 1;
            }
            let (run, after) = rest.split_at(count);
            self.fetch(source, head.address, (end - head.address) as usize, &mut scratch.fetched)?;
            for chunk in run {
                let at = (chunk.address - head.address) as usize;
                let stored = &scratch.fetched[at..at + chunk.bytes as usize];
                if steps.is_empty() {
                    tile.scatter(stored, shape, chunk.origin, out);
                } else {
                    let data = undo(steps, chunk.skipped, self.item, bytes, stored)
                        .map_err(|found| self.bad(source, format!("a chunk of {bytes} bytes"), found))?;
                    tile.scatter(&data, shape, chunk.origin, out);
                }
            }
            rest = after;
        }
        Ok(())
    }

    fn read_library(
        &self,
        source: &Source,
        dataset: &hdf5::Dataset,
        tile: &Tile,
        out: &mut [u8],
    ) -> Result<(), Error> {
        let rank = dataset.ndim();
        let mut start = vec![tile.rows.start as u64, tile.channels.start as u64, 0];
        let mut count = vec![tile.rows.len() as u64, tile.channels.len() as u64, tile.products as u64];
        if rank == 4 {
            start.insert(1, 0);
            count.insert(1, 1);
        }
        let failed = |e: hdf5::Error| self.bad(source, "data that the HDF5 library can read", first_line(&e));
        let kind = hdf5::Datatype::from_descriptor(&self.kind).map_err(failed)?;
        let space = dataset.space().map_err(failed)?;
        let status = hdf5::sync::sync(|| {
            use hdf5_sys::{h5d, h5p, h5s};
            // SAFETY: start and count have the rank of the dataset; the buffer holds the product of count elements of the
            // stored type, which is also the memory type (fixed-length numbers).
            unsafe {
                let select = h5s::H5S_seloper_t::H5S_SELECT_SET;
                let ok = h5s::H5Sselect_hyperslab(
                    space.id(),
                    select,
                    start.as_ptr(),
                    std::ptr::null(),
                    count.as_ptr(),
                    std::ptr::null(),
                );
                let memory = h5s::H5Screate_simple(rank as i32, count.as_ptr(), std::ptr::null());
                if ok < 0 || memory < 0 {
                    return -1;
                }
                let buffer = out.as_mut_ptr().cast();
                let status =
                    h5d::H5Dread(dataset.id(), kind.id(), memory, space.id(), h5p::H5P_DEFAULT, buffer);
                h5s::H5Sclose(memory);
                status
            }
        });
        if status < 0 {
            return Err(failed(hdf5::Error::query().unwrap_or_else(|_| "H5Dread failed".into())));
        }
        Ok(())
    }
}

/// A box of the dataset, all products.
struct Tile {
    rows: Range<usize>,
    channels: Range<usize>,
    products: usize,
    item: usize,
}

impl Tile {
    fn bytes(&self) -> usize {
        self.rows.len() * self.channels.len() * self.products * self.item
    }

    /// Copy the part of a chunk that lies in the tile to its place.
    fn scatter(&self, chunk: &[u8], shape: [usize; 3], origin: [usize; 3], out: &mut [u8]) {
        match self.item {
            1 => self.scatter_items::<1>(chunk, shape, origin, out),
            4 => self.scatter_items::<4>(chunk, shape, origin, out),
            8 => self.scatter_items::<8>(chunk, shape, origin, out),
            16 => self.scatter_items::<16>(chunk, shape, origin, out),
            other => debug_assert!(false, "no supported type has {other} bytes"),
        }
    }

    /// `N` is the element's size.
    fn scatter_items<const N: usize>(
        &self,
        chunk: &[u8],
        shape: [usize; 3],
        origin: [usize; 3],
        out: &mut [u8],
    ) {
        let rows = origin[0].max(self.rows.start)..(origin[0] + shape[0]).min(self.rows.end);
        let channels = origin[1].max(self.channels.start)..(origin[1] + shape[1]).min(self.channels.end);
        if channels.is_empty() || origin[2] >= self.products {
            return;
        }
        let run = shape[2].min(self.products - origin[2]) * N;
        let (from_step, to_step) = (shape[2] * N, self.products * N);
        for r in rows {
            let from = ((r - origin[0]) * shape[1] + channels.start - origin[1]) * from_step;
            let to = ((r - self.rows.start) * self.channels.len() + channels.start - self.channels.start)
                * to_step;
            let from = &chunk[from..from + channels.len() * from_step];
            let to = &mut out[to..to + channels.len() * to_step];
            let at = origin[2] * N;
            if run == N {
                let from = from.as_chunks::<N>().0.iter().step_by(shape[2]);
                let to = to.as_chunks_mut::<N>().0.chunks_exact_mut(self.products);
                for (from, to) in from.zip(to) {
                    to[origin[2]] = *from;
                }
            } else {
                for (from, to) in from.chunks_exact(from_step).zip(to.chunks_exact_mut(to_step)) {
                    to[at..at + run].copy_from_slice(&from[..run]);
                }
            }
        }
    }
}
