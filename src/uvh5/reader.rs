//! Reading visibilities into the crate's convention, on all cores.

use std::ops::Range;
use std::path::Path;

use hdf5::types::{CompoundField, CompoundType, FloatSize, IntSize, TypeDescriptor};
use ndarray::{Array3, ArrayViewMut3, Axis};
use num_complex::Complex32;
use rayon::prelude::*;

use super::convert::{Count, Mark, RowOut, Turn, Vis};
use super::hdf::Source;
use super::header::Header;
use super::index::Index;
use super::selection::{Move, Plan, Selection};
use super::storage::{Scratch, Storage};
use super::Error;
use crate::control::Control;
use crate::kind::BadArgument;
use crate::vis::VisBlock;

/// Rows read together when chunks do not ask for more.
const LEAST_TILE_ROWS: usize = 256;
/// Largest block that one read may fill \[bytes\]; a caller with more to read asks for parts.
const LARGEST_READ: u64 = 64 << 30;
/// Bytes of one output element: visibility, weight, flag.
const OUT_BYTES: u64 = 8 + 4 + 1;

/// An open UVH5 file. Dropping it closes the file.
pub struct Reader {
    source: Source,
    header: Header,
    index: Index,
    vis: Storage,
    flags: Storage,
    counts: Storage,
    /// Type of `visdata`.
    vis_kind: Vis,
    mark_kind: Mark,
    count_kind: Count,
}

/// Where a read goes: views of `Plan::shape()`, each row's (channel, product) part contiguous.
pub struct VisMut<'a> {
    /// Visibilities.
    pub vis_rfp: ArrayViewMut3<'a, Complex32>,
    /// Weights.
    pub weight_rfp: ArrayViewMut3<'a, f32>,
    /// Flags, true is bad.
    pub flag_rfp: ArrayViewMut3<'a, bool>,
}

impl Reader {
    /// Open a file, read its header and row index, and find its data.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be read, [`Error::Data`] when it is not a UVH5 file that makes sense.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let source = Source::open(path)?;
        let header = Header::from_source(&source)?;
        let index = Index::read(&source, &header)?;
        let node = source.root()?.group("Data")?;
        // Visibilities never written read as NaN, so that they are flagged; counts as 0; flags as good.
        let vis = Storage::open(&source, &node, "visdata", 0xff)?;
        let flags = Storage::open(&source, &node, "flags", 0)?;
        let counts = Storage::open(&source, &node, "nsamples", 0)?;
        let expected = [header.rows, header.file_channels, header.products.len()];
        for (name, storage) in [("visdata", &vis), ("flags", &flags), ("nsamples", &counts)] {
            if storage.shape != expected {
                let found = format!("{:?}", storage.shape);
                return Err(node.bad(name, format!("(Nblts, Nfreqs, Npols) = {expected:?}"), found));
            }
        }
        let vis_kind = vis_kind(&vis.kind)
            .ok_or_else(|| node.bad("visdata", "complex numbers: r and i of float or integer", &vis.kind))?;
        let mark_kind = mark_kind(&flags.kind).ok_or_else(|| node.bad("flags", "booleans", &flags.kind))?;
        let count_kind =
            count_kind(&counts.kind).ok_or_else(|| node.bad("nsamples", "floats", &counts.kind))?;
        let reader = Self { vis, flags, counts, vis_kind, mark_kind, count_kind, header, index, source };
        reader.check_swaps()?;
        Ok(reader)
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The rows.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// What a read of `selection` will give.
    ///
    /// # Errors
    /// [`Error::Argument`] when the selection goes beyond the file.
    pub fn plan(&self, selection: &Selection) -> Result<Plan, Error> {
        Plan::new(&self.header, &self.index, selection)
    }

    /// Read into fresh arrays: antenna1 < antenna2, visibilities of the crate's (and CASA's) sign, channels ascending,
    /// rows time-major, weight = `nsamples`. Flagged are: what the file flags, no samples, NaN or infinity (which
    /// become zero), data that were never written, and channels missing from a correlator file.
    ///
    /// # Errors
    /// As [`Reader::plan`] and [`Reader::read_into`].
    pub fn read(&self, selection: &Selection, control: &Control) -> Result<VisBlock, Error> {
        let plan = self.plan(selection)?;
        let shape = plan.shape();
        let bytes = (shape.0 as u64)
            .saturating_mul(shape.1 as u64)
            .saturating_mul(shape.2 as u64)
            .saturating_mul(OUT_BYTES);
        if bytes > LARGEST_READ {
            let expected = format!("at most {LARGEST_READ} bytes of output in one read (select fewer times)");
            return Err(BadArgument::new("selection", expected, bytes).into());
        }
        let mut block = VisBlock {
            vis_rfp: Array3::zeros(shape),
            weight_rfp: Array3::zeros(shape),
            flag_rfp: Array3::from_elem(shape, false),
            rows: plan.rows.clone(),
            channels: plan.channels.clone(),
            products: plan.products.clone(),
            model_rfp: None,
        };
        few_page_faults(block.vis_rfp.as_slice_mut());
        few_page_faults(block.weight_rfp.as_slice_mut());
        few_page_faults(block.flag_rfp.as_slice_mut());
        let out = VisMut {
            vis_rfp: block.vis_rfp.view_mut(),
            weight_rfp: block.weight_rfp.view_mut(),
            flag_rfp: block.flag_rfp.view_mut(),
        };
        self.read_into(&plan, out, control)?;
        Ok(block)
    }

    /// Read into the caller's arrays; progress counts rows.
    ///
    /// # Errors
    /// [`Error::Argument`] for arrays of another shape, [`Error::Data`] for damaged data, [`Error::Io`], [`Error::Cancelled`].
    pub fn read_into(&self, plan: &Plan, out: VisMut<'_>, control: &Control) -> Result<(), Error> {
        let mut rows = split_rows(plan, out)?;
        control.expect(rows.len() as u64);
        if plan.file_channels.is_empty() {
            rows.iter_mut().for_each(|(_, row)| row.fill_missing());
            control.advance(rows.len() as u64);
            return Ok(());
        }
        let size = [&self.vis, &self.flags, &self.counts].iter().map(|s| s.chunk_rows()).max().unwrap_or(1);
        let size = size * LEAST_TILE_ROWS.div_ceil(size);
        let tiles = split_tiles(&mut rows, size);
        // Buffers are made anew whenever rayon splits the list: few splits.
        let least = tiles.len() / (8 * rayon::current_num_threads()) + 1;
        tiles.into_par_iter().with_min_len(least).try_for_each_init(Buffers::default, |buffers, tile| {
            control.check()?;
            self.read_tile(plan, tile, buffers)?;
            control.advance(tile.len() as u64);
            Ok(())
        })
    }

    fn read_tile(
        &self,
        plan: &Plan,
        tile: &mut [(Move, RowOut<'_>)],
        buffers: &mut Buffers,
    ) -> Result<(), Error> {
        let (Some(first), Some(last)) = (tile.first(), tile.last()) else { return Ok(()) };
        let rows = first.0.from as usize..last.0.from as usize + 1;
        let Buffers { vis, flags, counts, scratch } = buffers;
        let channels = plan.file_channels.clone();
        self.vis.read(&self.source, rows.clone(), channels.clone(), vis, scratch)?;
        self.flags.read(&self.source, rows.clone(), channels.clone(), flags, scratch)?;
        self.counts.read(&self.source, rows.clone(), channels.clone(), counts, scratch)?;
        let elements = channels.len() * plan.products.len();
        let turns = [self.turn(plan, false), self.turn(plan, true)];
        for (step, out) in tile {
            let at = step.from as usize - rows.start;
            let part = |bytes: &'_ [u8], item: usize| -> Range<usize> {
                let start = at * elements * item;
                start..(start + elements * item).min(bytes.len())
            };
            let vis = &vis[part(vis, self.vis.item())];
            let flags = &flags[part(flags, self.flags.item())];
            let counts = &counts[part(counts, self.counts.item())];
            turns[usize::from(step.swapped)].row(
                (self.vis_kind, vis),
                (self.mark_kind, flags),
                (self.count_kind, counts),
                out,
            );
        }
        Ok(())
    }

    fn turn<'p>(&self, plan: &'p Plan, swapped: bool) -> Turn<'p> {
        // `place[stored product] = output product`; turned round: which stored product fills an output product.
        let products = &self.header.products;
        let mut from = vec![0; products.len()];
        for (stored, &place) in self.header.product_place.iter().enumerate() {
            let target = if swapped { products[place].transposed() } else { products[place] };
            if let Some(target) = products.iter().position(|p| *p == target) {
                from[target] = stored;
            }
        }
        let count = plan.channel_from.len();
        let descending = plan.channel_from.iter().enumerate().all(|(to, from)| *from == Some(count - 1 - to));
        Turn {
            plain_pair: from == [0, 1] && descending && plan.file_channels.len() == count,
            channel_from: &plan.channel_from,
            product_from: from,
            conjugate: !swapped,
        }
    }

    /// A row with its antennas the other way round needs the transposed products.
    fn check_swaps(&self) -> Result<(), Error> {
        let products = &self.header.products;
        let closed = products.iter().all(|p| products.contains(&p.transposed()));
        if closed || !self.index.swapped.contains(&true) {
            return Ok(());
        }
        let expected = "cross products in pairs, because some rows have ant_1 > ant_2";
        Err(self.source.bad("Header/polarization_array", expected, format!("{products:?}")))
    }
}

/// Ask for huge pages under a large fresh array: its first touch is a third of the cost of a read otherwise.
fn few_page_faults<T>(array: Option<&mut [T]>) {
    const HUGE: usize = 2 << 20;
    let Some(array) = array else { return };
    let range = array.as_mut_ptr_range();
    let (start, end) = ((range.start as usize).next_multiple_of(HUGE), range.end as usize / HUGE * HUGE);
    if end > start {
        // SAFETY: the pages lie within the array, and the advice changes no content. Its refusal costs speed only.
        unsafe { libc::madvise(start as *mut libc::c_void, end - start, libc::MADV_HUGEPAGE) };
    }
}

#[derive(Default)]
struct Buffers {
    vis: Vec<u8>,
    flags: Vec<u8>,
    counts: Vec<u8>,
    scratch: Scratch,
}

/// The output row of each move, in the file's order.
fn split_rows<'a>(plan: &Plan, out: VisMut<'a>) -> Result<Vec<(Move, RowOut<'a>)>, Error> {
    let shape = plan.shape();
    for (name, found) in [
        ("vis_rfp", out.vis_rfp.dim()),
        ("weight_rfp", out.weight_rfp.dim()),
        ("flag_rfp", out.flag_rfp.dim()),
    ] {
        if found != shape {
            return Err(BadArgument::new(
                name,
                format!("shape {shape:?} (row, channel, product)"),
                format!("{found:?}"),
            )
            .into());
        }
    }
    let vis = out.vis_rfp.into_shape_rows();
    let weight = out.weight_rfp.into_shape_rows();
    let flag = out.flag_rfp.into_shape_rows();
    let (Some(vis), Some(weight), Some(flag)) = (vis, weight, flag) else {
        let expected = "rows whose (channel, product) part is contiguous";
        return Err(BadArgument::new("vis_rfp, weight_rfp, flag_rfp", expected, "other strides").into());
    };
    let mut rows: Vec<Option<RowOut<'a>>> = vis
        .into_iter()
        .zip(weight)
        .zip(flag)
        .map(|((vis, weight), flag)| Some(RowOut { vis, weight, flag }))
        .collect();
    let take = |step: &Move| rows.get_mut(step.to as usize).and_then(Option::take).map(|row| (*step, row));
    Ok(plan.moves.iter().filter_map(take).collect())
}

trait IntoRows<'a, T> {
    /// One mutable slice a row, if each is contiguous.
    fn into_shape_rows(self) -> Option<Vec<&'a mut [T]>>;
}

impl<'a, T> IntoRows<'a, T> for ArrayViewMut3<'a, T> {
    fn into_shape_rows(mut self) -> Option<Vec<&'a mut [T]>> {
        let count = self.len_of(Axis(0));
        let mut rows = Vec::with_capacity(count);
        for _ in 0..count {
            let (row, rest) = self.split_at(Axis(0), 1);
            rows.push(row.into_slice()?);
            self = rest;
        }
        Some(rows)
    }
}

/// Cut at file rows that are multiples of `size`.
fn split_tiles<'r, 'a>(
    mut rows: &'r mut [(Move, RowOut<'a>)],
    size: usize,
) -> Vec<&'r mut [(Move, RowOut<'a>)]> {
    let mut tiles = Vec::new();
    while let Some((first, _)) = rows.first() {
        let end = (first.from as usize / size + 1) * size;
        let count = rows.partition_point(|(step, _)| (step.from as usize) < end);
        let (tile, rest) = rows.split_at_mut(count);
        tiles.push(tile);
        rows = rest;
    }
    tiles
}

fn vis_kind(kind: &TypeDescriptor) -> Option<Vis> {
    let TypeDescriptor::Compound(CompoundType { fields, size }) = kind else { return None };
    let [CompoundField { name: r, ty: real, offset: 0, .. }, CompoundField { name: i, ty: imag, offset: half, .. }] =
        &fields[..]
    else {
        return None;
    };
    if (r.as_str(), i.as_str()) != ("r", "i") || real != imag || 2 * half != *size || real.size() != *half {
        return None;
    }
    match real {
        TypeDescriptor::Float(FloatSize::U4) => Some(Vis::F32),
        TypeDescriptor::Float(FloatSize::U8) => Some(Vis::F64),
        TypeDescriptor::Integer(IntSize::U4) => Some(Vis::I32),
        TypeDescriptor::Integer(IntSize::U2) => Some(Vis::I16),
        _ => None,
    }
}

fn mark_kind(kind: &TypeDescriptor) -> Option<Mark> {
    match kind {
        TypeDescriptor::Boolean
        | TypeDescriptor::Integer(IntSize::U1)
        | TypeDescriptor::Unsigned(IntSize::U1) => Some(Mark),
        _ => None,
    }
}

fn count_kind(kind: &TypeDescriptor) -> Option<Count> {
    match kind {
        TypeDescriptor::Float(FloatSize::U4) => Some(Count::F32),
        TypeDescriptor::Float(FloatSize::U8) => Some(Count::F64),
        _ => None,
    }
}
