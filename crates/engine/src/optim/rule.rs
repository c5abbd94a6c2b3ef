//! The update rules to choose from.

use super::{AdamW, Lars, Sgd};

/// What an update rule does to one parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// Layer-wise adaptive rate scaling, in the official form.
    Lars(Lars),
    /// Adam with decoupled weight decay.
    AdamW(AdamW),
    /// Stochastic gradient descent with momentum.
    Sgd(Sgd),
}

impl Rule {
    /// Its name in checkpoints and messages.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Lars(_) => "lars",
            Self::AdamW(_) => "adamw",
            Self::Sgd(_) => "sgd",
        }
    }

    /// The same rule with another weight decay.
    pub fn with_weight_decay(self, weight_decay: f64) -> Self {
        match self {
            Self::Lars(lars) => Self::Lars(Lars { weight_decay, ..lars }),
            Self::AdamW(adamw) => Self::AdamW(AdamW { weight_decay, ..adamw }),
            Self::Sgd(sgd) => Self::Sgd(Sgd { weight_decay, ..sgd }),
        }
    }

    /// Number of buffers per parameter.
    pub fn buffers(&self) -> usize {
        match self {
            Self::Lars(_) | Self::Sgd(_) => 1,
            Self::AdamW(_) => 2,
        }
    }
}
