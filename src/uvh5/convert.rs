//! One row from the file's bytes into the crate's convention.

use num_complex::Complex32;

/// Type of a visibility's parts, little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Vis {
    F32,
    F64,
    I32,
    I16,
}

/// Flags are bytes; anything but 0 is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark;

/// Type of a sample count, little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    F32,
    F64,
}

/// One row of the output, (channel, product) in C order.
pub(super) struct RowOut<'a> {
    pub(super) vis: &'a mut [Complex32],
    pub(super) weight: &'a mut [f32],
    pub(super) flag: &'a mut [bool],
}

impl RowOut<'_> {
    /// Zero and flagged.
    pub(super) fn fill_missing(&mut self) {
        self.vis.fill(Complex32::default());
        self.weight.fill(0.0);
        self.flag.fill(true);
    }
}

/// How a row is brought into the crate's convention.
pub(super) struct Turn<'p> {
    /// For each output channel, the channel of the tile.
    pub(super) channel_from: &'p [Option<usize>],
    /// For each output product, the product of the file.
    pub(super) product_from: Vec<usize>,
    /// The correlator's own case: two products in order, channels descending, none missing.
    pub(super) plain_pair: bool,
    /// UVH5 holds the conjugate of our sign; a row with its antennas swapped is conjugated twice, so not at all.
    pub(super) conjugate: bool,
}

impl Turn<'_> {
    pub(super) fn row(
        &self,
        vis: (Vis, &[u8]),
        flags: (Mark, &[u8]),
        counts: (Count, &[u8]),
        out: &mut RowOut<'_>,
    ) {
        match (vis.0, counts.0) {
            (Vis::F32, Count::F32) if self.plain_pair => self.pair(vis.1, flags.1, counts.1, out),
            (Vis::F32, Count::F32) => self.typed(vis.1, c32, flags.1, counts.1, f32::from_le_bytes, out),
            (Vis::F64, Count::F32) => self.typed(vis.1, c64, flags.1, counts.1, f32::from_le_bytes, out),
            (Vis::I32, Count::F32) => self.typed(vis.1, i32s, flags.1, counts.1, f32::from_le_bytes, out),
            (Vis::I16, Count::F32) => self.typed(vis.1, i16s, flags.1, counts.1, f32::from_le_bytes, out),
            (Vis::F32, Count::F64) => self.typed(vis.1, c32, flags.1, counts.1, narrow, out),
            (Vis::F64, Count::F64) => self.typed(vis.1, c64, flags.1, counts.1, narrow, out),
            (Vis::I32, Count::F64) => self.typed(vis.1, i32s, flags.1, counts.1, narrow, out),
            (Vis::I16, Count::F64) => self.typed(vis.1, i16s, flags.1, counts.1, narrow, out),
        }
    }

    /// As `typed`, for the case of nearly all data, in a form that the compiler unrolls.
    fn pair(&self, vis: &[u8], flags: &[u8], counts: &[u8], out: &mut RowOut<'_>) {
        let vis = vis.as_chunks::<8>().0.as_chunks::<2>().0;
        let counts = counts.as_chunks::<4>().0.as_chunks::<2>().0;
        let flags = flags.as_chunks::<2>().0;
        let stored = vis.iter().zip(counts).zip(flags).rev();
        let vis_out = out.vis.as_chunks_mut::<2>().0;
        let weight_out = out.weight.as_chunks_mut::<2>().0;
        let flag_out = out.flag.as_chunks_mut::<2>().0;
        let sign = if self.conjugate { -1.0 } else { 1.0 };
        for (((vis_p, weight_p), flag_p), ((vis, counts), flags)) in
            vis_out.iter_mut().zip(weight_out).zip(flag_out).zip(stored)
        {
            for p in 0..2 {
                let value = c32(vis[p]);
                let samples = f32::from_le_bytes(counts[p]);
                let finite = value.re.is_finite() & value.im.is_finite();
                let counted = samples > 0.0 && samples < f32::INFINITY;
                vis_p[p].re = if finite { value.re } else { 0.0 };
                vis_p[p].im = if finite { sign * value.im } else { 0.0 };
                weight_p[p] = if counted { samples } else { 0.0 };
                flag_p[p] = (flags[p] != 0) | !finite | !counted;
            }
        }
    }

    fn typed<const V: usize, const N: usize>(
        &self,
        vis: &[u8],
        decode: impl Fn([u8; V]) -> Complex32,
        flags: &[u8],
        counts: &[u8],
        count: impl Fn([u8; N]) -> f32,
        out: &mut RowOut<'_>,
    ) {
        let (vis, _) = vis.as_chunks::<V>();
        let (counts, _) = counts.as_chunks::<N>();
        let products = self.product_from.len();
        let sign = if self.conjugate { -1.0 } else { 1.0 };
        let channels = out
            .vis
            .chunks_exact_mut(products)
            .zip(out.weight.chunks_exact_mut(products))
            .zip(out.flag.chunks_exact_mut(products));
        for (((vis_p, weight_p), flag_p), from) in channels.zip(self.channel_from) {
            let Some(from) = from else {
                RowOut { vis: vis_p, weight: weight_p, flag: flag_p }.fill_missing();
                continue;
            };
            let range = from * products..(from + 1) * products;
            let (vis, counts, flags) = (&vis[range.clone()], &counts[range.clone()], &flags[range]);
            for (p, &stored) in self.product_from.iter().enumerate() {
                let value = decode(vis[stored]);
                let samples = count(counts[stored]);
                let finite = value.re.is_finite() && value.im.is_finite();
                let counted = samples > 0.0 && samples.is_finite();
                vis_p[p] =
                    if finite { Complex32::new(value.re, sign * value.im) } else { Complex32::default() };
                weight_p[p] = if counted { samples } else { 0.0 };
                flag_p[p] = flags[stored] != 0 || !finite || !counted;
            }
        }
    }
}

fn parts<const W: usize, const V: usize>(bytes: [u8; V]) -> ([u8; W], [u8; W]) {
    let mut parts = ([0; W], [0; W]);
    parts.0.copy_from_slice(&bytes[..W]);
    parts.1.copy_from_slice(&bytes[W..2 * W]);
    parts
}

fn c32(bytes: [u8; 8]) -> Complex32 {
    let (re, im) = parts(bytes);
    Complex32::new(f32::from_le_bytes(re), f32::from_le_bytes(im))
}

fn c64(bytes: [u8; 16]) -> Complex32 {
    let (re, im) = parts(bytes);
    Complex32::new(f64::from_le_bytes(re) as f32, f64::from_le_bytes(im) as f32)
}

fn i32s(bytes: [u8; 8]) -> Complex32 {
    let (re, im) = parts(bytes);
    Complex32::new(i32::from_le_bytes(re) as f32, i32::from_le_bytes(im) as f32)
}

fn i16s(bytes: [u8; 4]) -> Complex32 {
    let (re, im) = parts(bytes);
    Complex32::new(f32::from(i16::from_le_bytes(re)), f32::from(i16::from_le_bytes(im)))
}

fn narrow(bytes: [u8; 8]) -> f32 {
    f64::from_le_bytes(bytes) as f32
}
