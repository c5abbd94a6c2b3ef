//! Tests of the whole program: one binary, because each costs seconds to link.

mod common;
#[path = "common/moments.rs"]
mod moments;

mod bench;
mod config_reference;
mod contract;
mod datasets;
mod detecting;
mod documents;
mod evaluating;
mod examples;
mod failures;
mod image_cache;
mod interruptions;
mod layouts;
mod looking;
mod machines;
mod methods;
mod mistakes;
mod portability;
mod ranks;
mod resuming;
mod studies;
mod weights;
