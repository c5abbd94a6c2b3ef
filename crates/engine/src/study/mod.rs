//! Studies: grids of runs over one recipe, among them the paper's tables and figures.
//!
//! A study is data ([`Study`]): cells, each a name with config overrides and the paper's number, if any; one file per study, and a line
//! in `registry.rs`. The runner is one for all. Each cell is an ordinary run per seed, below the study's folder.

mod asymmetry;
mod augment;
mod base;
mod batch;
mod cell_run;
mod definition;
mod depth;
mod error;
#[cfg(test)]
mod fake;
mod figures;
mod folder;
mod forecast;
mod grid;
mod lambda;
mod loss;
mod memory;
mod methods;
mod prepared;
mod process;
mod registry;
mod results;
mod runner;
#[expect(clippy::module_inception, reason = "the struct that the module is named after")]
mod study;
mod table;
mod width;
mod write;

pub use base::Base;
pub use cell_run::{CellRun, Ending, Launch};
pub use definition::StudyDefinition;
pub use error::StudyError;
pub use grid::Grid;
pub use prepared::{PreparedStudy, StudyOutcome, StudyRequest};
pub use process::ChildRuns;
pub use registry::{STUDIES, StudySource};
pub use results::{CellResult, Measure, RunResult, RunState, Spread, StudyResults};
pub use study::{Axis, Cell, PaperNumber, Setting, Study};
pub use table::StudyTable;
