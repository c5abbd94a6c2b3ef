//! Which values of a network are taken as features.

use serde::{Deserialize, Serialize};

/// Which values of the network are an image's features.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FeatureLayer {
    /// The representation: the last map averaged over all its pixels.
    #[default]
    #[serde(rename = "avgpool")]
    Pooled,
    /// Four averages of the last map, over windows one pixel smaller than it in both directions: on 7 × 7 pixels VISSL's average of
    /// 6 × 6 at stride 1. [F, 2, 2], four times as many values.
    #[serde(rename = "2x2")]
    Quarters,
}

impl FeatureLayer {
    /// Values side by side that belong to one channel.
    pub fn positions(self) -> usize {
        match self {
            Self::Pooled => 1,
            Self::Quarters => 4,
        }
    }

    /// `avgpool` or `2x2`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pooled => "avgpool",
            Self::Quarters => "2x2",
        }
    }
}
