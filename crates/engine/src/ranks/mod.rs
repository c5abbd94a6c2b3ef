//! The ranks of a run: which part of a batch is this one's, and exchange of tensors, gradients and decisions with the others.

mod gradients;
mod job;
#[expect(clippy::module_inception, reason = "the struct that the module is named after")]
mod ranks;

pub use barlow_group as group;
pub use job::Job;
pub use ranks::Ranks;
