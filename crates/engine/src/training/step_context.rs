//! What a step reads besides its batch.

use super::TrainBackbone;
use super::profile::Profile;
use super::teacher::Teacher;
use crate::backend::TrainBackend;
use crate::method::Clock;
use crate::ranks::Ranks;
use barlow_model::{Model, RowKeys};
use std::ops::Range;

/// The inputs of a step besides its batch.
pub struct StepContext<'a, B: TrainBackend, M: TrainBackbone<B>> {
    /// The network.
    pub model: &'a Model<B, M>,
    /// The method's teacher.
    pub teacher: Option<&'a Teacher<B, M>>,
    /// The position of the step in the run.
    pub clock: Clock,
    /// The run's seed.
    pub seed: u64,
    /// The time profile.
    pub profile: &'a Profile,
    /// The ranks that the batch is spread over.
    pub ranks: &'a Ranks,
}

impl<B: TrainBackend, M: TrainBackbone<B>> StepContext<'_, B, M> {
    /// The keys of the images `rows` of this rank's part of the batch in each of some passes: the same whenever a pass is repeated.
    pub(super) fn keys(&self, passes: &[Vec<usize>], rows: Range<usize>) -> Vec<RowKeys> {
        let first = self.ranks.first_row();
        let rows = first + rows.start..first + rows.end;
        let of_pass = |pass: &Vec<usize>| RowKeys::new(self.seed, self.clock.step, pass, rows.clone());
        passes.iter().map(of_pass).collect()
    }
}
