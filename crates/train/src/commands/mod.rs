//! The commands, a file each: they put the pieces together and know nothing of clap.

#[cfg(feature = "cpu")]
pub mod conformance;
pub mod devices;
pub mod methods;
pub mod pretrain;
pub mod probe;
pub mod report;
pub mod views;
