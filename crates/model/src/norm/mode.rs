//! The batch norm mode of a forward pass.
//!
//! Every module from the images to the embeddings takes the mode and passes it on. The mode does not depend on the backend: a
//! model on an autodiff backend can be evaluated, and a model on a plain backend can update its statistics.

use barlow_ops::NormPeers;
use std::sync::Arc;

/// Which statistics a batch norm uses, and whether it updates its running statistics.
#[derive(Clone, Copy, Debug)]
pub enum NormMode<'a> {
    /// Statistics of the batch. The running statistics are updated once per forward pass, that is, once per step and view.
    Train,
    /// Statistics of the batch, no update: for the second pass of cached gradients, which repeats each image.
    TrainFrozenStats,
    /// The running statistics, no update: for kNN, probes and export.
    Eval,
    /// As [`Train`](Self::Train), of a batch that is spread over ranks, with the statistics of the whole batch. All ranks make the same
    /// forward and backward passes in the same order.
    TrainSynced(&'a Arc<dyn NormPeers>),
    /// As [`TrainFrozenStats`](Self::TrainFrozenStats), with the statistics of the whole batch.
    TrainFrozenStatsSynced(&'a Arc<dyn NormPeers>),
}

impl<'a> NormMode<'a> {
    /// The mode for a part of a batch that is spread over `peers`; unchanged without peers, and in `Eval`.
    #[must_use]
    pub fn with_peers(self, peers: Option<&'a Arc<dyn NormPeers>>) -> Self {
        match (self, peers) {
            (Self::Train | Self::TrainSynced(_), Some(peers)) => Self::TrainSynced(peers),
            (Self::TrainFrozenStats | Self::TrainFrozenStatsSynced(_), Some(peers)) => {
                Self::TrainFrozenStatsSynced(peers)
            }
            (mode, _) => mode,
        }
    }

    /// The ranks whose batch is normalised together; `None` for this one's alone.
    pub fn peers(self) -> Option<&'a Arc<dyn NormPeers>> {
        match self {
            Self::TrainSynced(peers) | Self::TrainFrozenStatsSynced(peers) => Some(peers),
            Self::Train | Self::TrainFrozenStats | Self::Eval => None,
        }
    }

    /// Whether the running statistics are updated.
    pub fn updates_statistics(self) -> bool {
        matches!(self, Self::Train | Self::TrainSynced(_))
    }
}

/// Equal modes of equal peers.
impl PartialEq for NormMode<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self.peers(), other.peers()) {
            (None, None) | (Some(_), Some(_)) => {}
            _ => return false,
        }
        let same_peers = self.peers().zip(other.peers()).is_none_or(|(a, b)| Arc::ptr_eq(a, b));
        std::mem::discriminant(self) == std::mem::discriminant(other) && same_peers
    }
}

impl Eq for NormMode<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Nobody;

    impl NormPeers for Nobody {
        fn sum(&self, _: &mut [f64]) {}
    }

    #[test]
    fn peers_change_neither_the_evaluation_nor_what_is_updated() {
        let [peers, others]: [Arc<dyn NormPeers>; 2] = [Arc::new(Nobody), Arc::new(Nobody)];
        let modes = [NormMode::Train, NormMode::TrainFrozenStats, NormMode::Eval];
        for (k, mode) in modes.into_iter().enumerate() {
            let synced = mode.with_peers(Some(&peers));
            assert_eq!(synced.updates_statistics(), mode.updates_statistics());
            assert_eq!(synced.peers().is_some(), mode != NormMode::Eval);
            assert_eq!(mode.with_peers(None), mode);
            assert_eq!(synced == mode, mode == NormMode::Eval);
            assert_eq!(synced, mode.with_peers(Some(&peers)));
            assert_eq!(synced == mode.with_peers(Some(&others)), mode == NormMode::Eval);
            assert!(
                modes
                    .iter()
                    .enumerate()
                    .all(|(other, mode)| (*mode == modes[k]) == (other == k))
            );
        }
    }
}
