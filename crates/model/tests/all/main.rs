//! Integration tests of `barlow-model`: one binary, because each costs seconds to link.
#![cfg(feature = "cpu")]

mod backbones;
mod common;
mod custom_modules;
mod heads;
mod initial_weights;
mod norm;
mod parity;
mod structure;
