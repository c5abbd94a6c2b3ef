//! A run from its config to its report: [`Run::builder`] → [`RunBuilder::prepare`] → [`PreparedRun::open`] →
//! [`OpenRun::train`]. The types enforce this order.

mod builder;
mod charts;
mod compatibility;
mod examples;
mod facts;
mod open_run;
mod origin;
mod portray;
mod prepared;
mod ready;
mod report;
mod results;
mod serve;

pub use builder::{Run, RunBuilder};
pub use open_run::OpenRun;
pub use origin::RunOrigin;
pub use portray::{lacks_portrait, portray};
pub use prepared::PreparedRun;
pub use report::{write_figures, write_report};
pub use serve::{Page, open_in_browser, serve};
