//! One integration binary: linking the C libraries once keeps the tests fast.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod layering;
