//! The value of an image between its pixels.

use ndarray::Array2;

/// How to read between pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interpolation {
    /// The nearest pixel.
    Nearest,
    /// Two by two pixels; lowers the peak of a beam of five pixels by up to 4 %.
    Bilinear,
    /// Six by six pixels, windowed sinc: keeps peaks to 0.4 % for beams of five pixels.
    Lanczos,
}

impl Interpolation {
    /// Value at `[x, y]`; NaN outside the image or where a pixel that counts is blank.
    pub fn at(self, image_yx: &Array2<f32>, [x, y]: [f64; 2]) -> f32 {
        let (ny, nx) = image_yx.dim();
        let inside = x >= 0.0 && y >= 0.0 && x <= (nx - 1) as f64 && y <= (ny - 1) as f64;
        if !inside {
            return f32::NAN;
        }
        match self {
            Self::Nearest => image_yx[[y.round() as usize, x.round() as usize]],
            Self::Bilinear => bilinear(image_yx, x, y),
            Self::Lanczos => {
                let (x0, y0) = (x.floor() as usize, y.floor() as usize);
                if x0 < 2 || y0 < 2 || x0 + 3 >= nx || y0 + 3 >= ny {
                    return bilinear(image_yx, x, y);
                }
                let (wx, wy) = (lanczos(x - x0 as f64), lanczos(y - y0 as f64));
                let mut sum = 0.0;
                for (j, wy) in wy.iter().enumerate() {
                    let mut row = 0.0;
                    for (i, wx) in wx.iter().enumerate() {
                        row += wx * image_yx[[y0 + j - 2, x0 + i - 2]];
                    }
                    sum += wy * row;
                }
                sum
            }
        }
    }
}

fn bilinear(image: &Array2<f32>, x: f64, y: f64) -> f32 {
    let (ny, nx) = image.dim();
    let (x0, y0) = (x.floor() as usize, y.floor() as usize);
    let (x1, y1) = ((x0 + 1).min(nx - 1), (y0 + 1).min(ny - 1));
    let (f, g) = ((x - x0 as f64) as f32, (y - y0 as f64) as f32);
    let low = image[[y0, x0]] * (1.0 - f) + image[[y0, x1]] * f;
    let high = image[[y1, x0]] * (1.0 - f) + image[[y1, x1]] * f;
    low * (1.0 - g) + high * g
}

/// Weights of the pixels -2 .. 3 about a point `f` beyond pixel 0, made to sum to one.
fn lanczos(f: f64) -> [f32; 6] {
    let weight = |d: f64| {
        if d.abs() < 1e-12 {
            return 1.0;
        }
        let a = std::f64::consts::PI * d;
        if d.abs() < 3.0 {
            3.0 * a.sin() * (a / 3.0).sin() / (a * a)
        } else {
            0.0
        }
    };
    let raw: [f64; 6] = std::array::from_fn(|i| weight(i as f64 - 2.0 - f));
    let sum: f64 = raw.iter().sum();
    raw.map(|w| (w / sum) as f32)
}
