//! Weights from elsewhere and for elsewhere: what a run starts from, other programs' files as runs, and runs as files of other
//! programs.

mod burn_record;
mod export;
mod given;
mod import;
mod imported_file;
mod initial;

pub use export::{ExportFile, ExportPart, Exported, export_network};
pub use given::GivenNetwork;
pub use import::{ImportedRun, import_run};
pub use imported_file::ImportedFile;
pub use initial::{HeadsFit, Weights, split_last};
