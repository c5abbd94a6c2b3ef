//! Self-supervised pre-training on Burn: config, methods, the training loop, checkpoints, metrics, evaluation, report.
//!
//! This crate combines the library crates. A custom program starts with [`run::Run::builder`]; a custom method
//! implements [`method::Method`]. The program `train` is a command line around it.

pub mod backend;
pub mod cache_folder;
pub mod checkpoint;
pub mod config;
pub mod conformance;
pub mod console;
pub mod context;
pub mod detect;
pub mod device;
pub mod embed;
pub mod error;
pub mod evaluation;
pub mod files;
pub mod finetune;
pub mod host_memory;
pub mod method;
pub mod methods;
pub mod metrics;
pub mod optim;
pub mod plan;
mod portrait;
pub mod program;
pub mod protocols;
pub mod ranks;
pub mod run;
pub mod run_dir;
pub mod sources;
pub mod stop;
pub mod study;
pub mod summary;
pub mod timing;
mod toml_word;
pub mod training;
pub mod units;
pub mod weights;
