//! What the caller asks of a gridding: the image, the accuracy, the treatment of w.

use crate::kind::BadArgument;

use super::sky::Slant;
use super::Error;

/// What happens to the plane that fits `w` best over `(u, v)`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum WPlane {
    /// It stays: the image is a plain SIN projection.
    #[default]
    Keep,
    /// It is fitted to the baselines and taken out: the image is a slant SIN projection.
    Fit,
    /// The plane is given, so that several plans share one projection.
    Given(Slant),
}

/// The image and the accuracy of a gridding.
#[derive(Clone, Debug, PartialEq)]
pub struct GridParams {
    /// Pixels along `l`, even.
    pub nx: usize,
    /// Pixels along `m`, even.
    pub ny: usize,
    /// Pixel size along `l` \[rad\]; pixel `nx / 2` lies at `center_l`.
    pub cell_x_rad: f64,
    /// Pixel size along `m` \[rad\].
    pub cell_y_rad: f64,
    /// `l` of pixel `nx / 2` \[rad, projected\].
    pub center_l: f64,
    /// `m` of pixel `ny / 2` \[rad, projected\].
    pub center_m: f64,
    /// Accuracy: error of the worst pixel, rms over the positions of a visibility in its cell, relative to `sum |w V|`.
    pub epsilon: f64,
    /// Whether the `w (n - 1)` term is honoured.
    pub do_w: bool,
    /// Whether the image is divided by `n`.
    pub divide_by_n: bool,
    /// The plane taken out of `w`; needs `do_w`.
    pub w_plane: WPlane,
    /// Whether channel runs are compressed before gridding, inside `epsilon`.
    pub compress: bool,
    /// Compressed samples hold what lies this far from the phase centre as well \[rad, projected\], for [`super::Plan::beside`].
    pub compress_reach_rad: f64,
    /// Most memory that one call may allocate besides its input and output \[bytes\].
    pub max_memory_bytes: Option<usize>,
}

impl GridParams {
    /// An image of `nx` by `ny` pixels about the phase centre: epsilon 1e-4, w honoured, no division by n, compression on.
    pub fn new(nx: usize, ny: usize, cell_x_rad: f64, cell_y_rad: f64) -> Self {
        Self {
            nx,
            ny,
            cell_x_rad,
            cell_y_rad,
            center_l: 0.0,
            center_m: 0.0,
            epsilon: 1e-4,
            do_w: true,
            divide_by_n: false,
            w_plane: WPlane::Keep,
            compress: true,
            compress_reach_rad: 0.0,
            max_memory_bytes: None,
        }
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        for (name, pixels) in [("npix_x", self.nx), ("npix_y", self.ny)] {
            if pixels == 0 || !pixels.is_multiple_of(2) || pixels > 1 << 17 {
                return Err(
                    BadArgument::new(name, "an even number of pixels from 2 to 131072", pixels).into()
                );
            }
        }
        for (name, cell) in [("pixsize_x", self.cell_x_rad), ("pixsize_y", self.cell_y_rad)] {
            if !(cell.is_finite() && cell > 0.0) {
                return Err(BadArgument::new(name, "a positive pixel size in radians", cell).into());
            }
        }
        for (name, center) in [("center_x", self.center_l), ("center_y", self.center_m)] {
            if !center.is_finite() {
                return Err(BadArgument::new(name, "a finite direction cosine", center).into());
            }
        }
        if !(self.epsilon >= 1e-12 && self.epsilon <= 0.1) {
            return Err(BadArgument::new(
                "epsilon",
                "from 1e-12 (1e-5 in single precision) to 0.1",
                self.epsilon,
            )
            .into());
        }
        Ok(())
    }
}
