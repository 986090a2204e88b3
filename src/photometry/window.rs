//! One fit window: the sums over its pixels that the forced fit needs.

use ndarray::ArrayView2;

use super::kernel::PixelKernel;

/// Beyond this exponent the separable form of the kernel could overflow, and the plain one is used.
const SAFE_EXPONENT: f64 = 300.0;

/// Inclusive pixel ranges of a window clipped to the image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Window {
    pub x0: usize,
    pub x1: usize,
    pub y0: usize,
    pub y1: usize,
    /// Pixels of the unclipped window.
    pub full: usize,
}

impl Window {
    /// The window of half-size `half` about the pixel nearest to `xy`; `None` when that pixel is off the image.
    pub fn new(shape_yx: (usize, usize), xy: [f64; 2], half: usize) -> Option<Self> {
        let (ny, nx) = shape_yx;
        let (x, y) = nearest_pixel(shape_yx, xy)?;
        Some(Self {
            x0: x.saturating_sub(half),
            x1: (x + half).min(nx - 1),
            y0: y.saturating_sub(half),
            y1: (y + half).min(ny - 1),
            full: (2 * half + 1).pow(2),
        })
    }
}

/// The pixel nearest to a position, `(x, y)`, when it is on the image.
pub(super) fn nearest_pixel(shape_yx: (usize, usize), xy: [f64; 2]) -> Option<(usize, usize)> {
    let (ny, nx) = shape_yx;
    let (x, y) = (xy[0].round(), xy[1].round());
    (x >= 0.0 && y >= 0.0 && x < nx as f64 && y < ny as f64).then_some((x as usize, y as usize))
}

/// Sums over the valid pixels of a window, with `w = 1/n^2`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sums {
    /// `sum w d K`
    pub wdk: f64,
    /// `sum w K^2`
    pub wkk: f64,
    /// `sum w d^2`
    pub wdd: f64,
    /// `sum w K`
    pub wk: f64,
    /// `sum w n K`
    pub wnk: f64,
    /// `sum K^2`
    pub kk: f64,
    /// Number of valid pixels.
    pub n: usize,
}

/// Scratch of one thread.
#[derive(Default)]
pub(super) struct Scratch {
    ex: Vec<f64>,
    kernel: Vec<f64>,
    pub annulus: Vec<f32>,
}

impl Scratch {
    /// Kernel values of one row of the window. The Gaussian is separated into `exp(-a dx^2)`, tabulated once a window,
    /// `exp(-c dy^2)`, and a geometric series for the cross term: four exponentials a row instead of one a pixel.
    fn row(&mut self, kernel: &PixelKernel, dx0: f64, dy: f64, width: usize, separable: bool) {
        if !separable {
            for (i, k) in self.kernel.iter_mut().enumerate() {
                *k = kernel.at(dx0 + i as f64, dy);
            }
            return;
        }
        let step = (-kernel.b * dy).exp();
        let step4 = step * step * (step * step);
        let first = (-(kernel.c * dy * dy + kernel.b * dx0 * dy)).exp();
        let mut lane = [first, first * step, first * step * step, first * step * step * step];
        let whole = width & !3;
        for (k, ex) in self.kernel[..whole].chunks_exact_mut(4).zip(self.ex.chunks_exact(4)) {
            for l in 0..4 {
                k[l] = ex[l] * lane[l];
                lane[l] *= step4;
            }
        }
        for i in whole..width {
            self.kernel[i] = self.ex[i] * lane[i - whole];
        }
    }

    fn start(&mut self, kernel: &PixelKernel, window: Window, xy: [f64; 2]) -> bool {
        let width = window.x1 - window.x0 + 1;
        let dx0 = window.x0 as f64 - xy[0];
        self.kernel.resize(width, 0.0);
        self.ex.clear();
        self.ex.extend((0..width).map(|i| {
            let dx = dx0 + i as f64;
            (-kernel.a * dx * dx).exp()
        }));
        let reach = |low: usize, high: usize, at: f64| (low as f64 - at).abs().max((high as f64 - at).abs());
        kernel.b.abs() * reach(window.x0, window.x1, xy[0]) * reach(window.y0, window.y1, xy[1])
            < SAFE_EXPONENT
    }

    /// Sums for unit noise; multiply by `1/n^2` where the formula asks for it.
    pub fn plain(
        &mut self,
        image_yx: ArrayView2<'_, f32>,
        kernel: &PixelKernel,
        window: Window,
        xy: [f64; 2],
    ) -> Sums {
        let separable = self.start(kernel, window, xy);
        let width = window.x1 - window.x0 + 1;
        let dx0 = window.x0 as f64 - xy[0];
        let mut sums = Sums::default();
        for y in window.y0..=window.y1 {
            self.row(kernel, dx0, y as f64 - xy[1], width, separable);
            let row = image_yx.row(y);
            let Some(row) = row.as_slice() else { continue };
            add_row(&mut sums, &row[window.x0..=window.x1], &self.kernel[..width]);
        }
        sums.wnk = sums.wk;
        sums.kk = sums.wkk;
        sums
    }

    /// Sums with a noise map and a background map.
    pub fn mapped(
        &mut self,
        maps: (ArrayView2<'_, f32>, Noise<'_>, Option<ArrayView2<'_, f32>>),
        kernel: &PixelKernel,
        window: Window,
        xy: [f64; 2],
    ) -> Sums {
        let (image_yx, noise, background) = maps;
        let separable = self.start(kernel, window, xy);
        let width = window.x1 - window.x0 + 1;
        let dx0 = window.x0 as f64 - xy[0];
        let mut s = Sums::default();
        for y in window.y0..=window.y1 {
            self.row(kernel, dx0, y as f64 - xy[1], width, separable);
            for (i, &k) in self.kernel.iter().enumerate() {
                let x = window.x0 + i;
                let d = f64::from(image_yx[[y, x]]) - background.map_or(0.0, |b| f64::from(b[[y, x]]));
                let n = noise.at(x, y);
                if d.is_finite() && n > 0.0 && n.is_finite() {
                    let w = 1.0 / (n * n);
                    s.wdk += w * d * k;
                    s.wkk += w * k * k;
                    s.wdd += w * d * d;
                    s.wk += w * k;
                    s.wnk += k / n;
                    s.kk += k * k;
                    s.n += 1;
                }
            }
        }
        s
    }
}

/// Noise of a pixel: one figure for the window, or a map.
#[derive(Clone, Copy)]
pub(super) enum Noise<'a> {
    Constant(f64),
    Map(ArrayView2<'a, f32>),
}

impl Noise<'_> {
    pub fn at(&self, x: usize, y: usize) -> f64 {
        match self {
            Self::Constant(n) => *n,
            Self::Map(map) => f64::from(map[[y, x]]),
        }
    }
}

/// Blank pixels (not finite) take no part: their kernel and value count zero.
fn add_row(sums: &mut Sums, row: &[f32], kernel: &[f64]) {
    let mut part = [[0.0f64; 4]; 4];
    let mut count = [0u32; 4];
    let whole = row.len() & !3;
    for (d4, k4) in row[..whole].chunks_exact(4).zip(kernel.chunks_exact(4)) {
        for l in 0..4 {
            let valid = d4[l].abs() < f32::INFINITY;
            let d = if valid { f64::from(d4[l]) } else { 0.0 };
            let k = if valid { k4[l] } else { 0.0 };
            part[0][l] += d * k;
            part[1][l] += k * k;
            part[2][l] += d * d;
            part[3][l] += k;
            count[l] += u32::from(valid);
        }
    }
    for (&d, &k) in row[whole..].iter().zip(&kernel[whole..]) {
        if d.is_finite() {
            let d = f64::from(d);
            part[0][0] += d * k;
            part[1][0] += k * k;
            part[2][0] += d * d;
            part[3][0] += k;
            count[0] += 1;
        }
    }
    let total = |p: [f64; 4]| (p[0] + p[1]) + (p[2] + p[3]);
    sums.wdk += total(part[0]);
    sums.wkk += total(part[1]);
    sums.wdd += total(part[2]);
    sums.wk += total(part[3]);
    sums.n += count.iter().sum::<u32>() as usize;
}
