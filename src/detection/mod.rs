//! Background and noise of an image, and what stands out of it.

mod background;
mod condon;
mod error;
mod find;
mod gaussian;
mod islands;

pub use background::{background, Background, BackgroundParams};
pub use condon::{condon_errors, CondonErrors};
pub use error::Error;
pub use find::{find, FindParams, Found};
