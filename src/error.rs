//! The root error: one variant a room, the kind asked of the room.

use crate::kind::{ErrorKind, Kind};

macro_rules! root_error {
    ($($variant:ident => $room:ident),* $(,)?) => {
        /// An error of any room; its text and its kind are the room's.
        #[derive(Debug, thiserror::Error)]
        pub enum Error {
            /// The call was cancelled.
            #[error(transparent)]
            Cancelled(#[from] crate::control::Cancelled),
            $(
                #[doc = concat!("From room `", stringify!($room), "`.")]
                #[error(transparent)]
                $variant(#[from] crate::$room::Error),
            )*
        }

        impl Kind for Error {
            fn kind(&self) -> ErrorKind {
                match self {
                    Self::Cancelled(e) => e.kind(),
                    $(Self::$variant(e) => e.kind(),)*
                }
            }
        }
    };
}

root_error! {
    Math => math,
    Time => time,
    Coords => coords,
    Array => array,
    Image => image,
    Source => source,
    Gains => gains,
    Vis => vis,
    CasaTable => casatable,
    Db => db,
    Fits => fits,
    Uvh5 => uvh5,
    BeamFile => beamfile,
    CalTable => caltable,
    Ms => ms,
    Association => association,
    Beam => beam,
    Calibration => calibration,
    Deconvolution => deconvolution,
    Detection => detection,
    Flagging => flagging,
    Gridding => gridding,
    Photometry => photometry,
    Variability => variability,
    Ese => ese,
    Mosaic => mosaic,
    Predict => predict,
    Imaging => imaging,
    Simulate => simulate,
}
