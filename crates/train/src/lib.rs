//! The trainer: recipes, backends, the training loop, checkpoints, evaluation and the report.
//!
//! This crate puts the library crates together and is the only one that knows them all. The program `train` around it is in
//! `main.rs`; a program of your own can call [`pretrain::pretrain`] with a [`pretrain::Job`].

pub mod allocator;
pub mod backend;
pub mod buffers;
pub mod cache_folder;
pub mod checkpoint;
pub mod config;
#[cfg(feature = "cpu")]
pub mod conformance;
pub mod console;
pub mod error;
pub mod eval;
pub mod memory;
pub mod metrics;
pub mod optim;
pub mod plan;
pub mod pretrain;
pub mod report;
pub mod run_dir;
pub mod schedule;
pub mod sources;
pub mod stop;
pub mod summary;
pub mod weights;
