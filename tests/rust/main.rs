//! One integration binary: linking the C libraries once keeps the tests fast.
#![allow(clippy::unwrap_used, clippy::expect_used)]

// The build script's link arguments hold for this binary too: what they name is in the library.
use dsa110_contimg as _;

mod layering;
