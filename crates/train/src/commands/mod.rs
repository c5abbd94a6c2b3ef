//! The commands, one file each. They combine the library's parts and do not depend on clap.

pub mod bench;
#[cfg(feature = "cpu")]
pub mod conformance;
pub mod data;
pub mod detect;
pub mod devices;
pub mod embed;
pub mod export;
mod figures;
pub mod finetune;
pub mod import;
pub mod inspect;
pub mod knn;
pub mod linear;
pub mod methods;
pub mod pretrain;
pub mod report;
mod sheet;
pub mod study;
pub mod transfer;
pub mod views;
