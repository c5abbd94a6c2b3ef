//! A run from its config to its report: [`Run::builder`] → [`RunBuilder::prepare`] → [`PreparedRun::open`] →
//! [`OpenRun::train`]. The types enforce this order.

mod builder;
mod charts;
mod compatibility;
mod examples;
mod open_run;
mod origin;
mod prepared;
mod ready;
mod report;
mod results;

pub use builder::{Run, RunBuilder};
pub use open_run::OpenRun;
pub use origin::RunOrigin;
pub use prepared::PreparedRun;
pub use report::write_report;
