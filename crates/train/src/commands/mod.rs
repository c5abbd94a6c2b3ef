//! The commands, a file each: they put the pieces together and know nothing of clap.

pub mod devices;
pub mod pretrain;
pub mod probe;
pub mod report;
pub mod views;
