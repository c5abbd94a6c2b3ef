//! Integration tests of `barlow-augment`: one binary, because each costs seconds to link.

mod common;
mod config;
mod decode;
mod golden_pipeline;
mod golden_pixels;
mod golden_resize;
mod groups;
mod pillow;
mod pipeline;
mod regions;
mod statistics;
