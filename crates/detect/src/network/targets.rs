//! What each output of a step is trained to be: host arithmetic between the two stages.

use crate::boxes::{Corners, ious};
use crate::coding::BoxCoding;
use crate::matching::{Label, match_anchors, match_proposals};
use crate::outline::Outline;
use crate::sampling::{DrawKey, sample};

use super::dense::Dense;

/// The objects of one image.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImageTargets {
    /// Their boxes, in pixels of the resized image.
    pub boxes: Vec<Corners>,
    /// Their classes.
    pub classes: Vec<usize>,
    /// Their masks; empty for boxes alone. An object without one trains boxes alone.
    pub outlines: Vec<Option<Outline>>,
}

/// Numbers of samples of a stage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StageConfig {
    /// Samples of an image.
    pub samples: usize,
    /// At most this part of them are objects.
    pub most_objects: f64,
}

impl StageConfig {
    /// detectron2's of the first stage.
    pub const ANCHORS: Self = Self {
        samples: 256,
        most_objects: 0.5,
    };
    /// detectron2's of the second stage.
    pub const REGIONS: Self = Self {
        samples: 512,
        most_objects: 0.25,
    };
}

/// Targets of the first stage, for all anchors of all images.
pub(super) struct AnchorTargets {
    /// [N, anchors]: 1 for an object.
    pub(super) labels: Dense,
    /// [N, anchors]: weight in the loss.
    pub(super) weights: Dense,
    /// [N, anchors, 4]
    pub(super) offsets: Dense,
    /// [N, anchors, 4]: weight in the loss.
    pub(super) offset_weights: Dense,
}

/// Targets of the anchors; `key` gives the draw of an image.
pub(super) fn anchor_targets(
    anchors: &[Corners],
    images: &[ImageTargets],
    stage: &StageConfig,
    key: impl Fn(usize) -> DrawKey,
) -> AnchorTargets {
    let count = anchors.len();
    let mut targets = AnchorTargets {
        labels: Dense::zeros(images.len() * count),
        weights: Dense::zeros(images.len() * count),
        offsets: Dense::zeros(images.len() * count * 4),
        offset_weights: Dense::zeros(images.len() * count * 4),
    };
    // Both losses are divided by the samples of all images, drawn or not.
    let weight = 1.0 / (stage.samples * images.len()) as f32;
    for (image, objects) in images.iter().enumerate() {
        let matches = match_anchors(&ious(&objects.boxes, anchors), count);
        let drawn = sample(&matches, stage.samples, stage.most_objects, key(image));
        for &at in drawn.objects.iter().chain(&drawn.background) {
            targets.weights.values[image * count + at] = weight;
        }
        for &at in &drawn.objects {
            let place = image * count + at;
            let object = &objects.boxes[matches[at].object];
            targets.labels.values[place] = 1.0;
            let offsets = BoxCoding::PROPOSALS.encode(&anchors[at], object);
            targets.offsets.values[4 * place..][..4].copy_from_slice(&offsets);
            targets.offset_weights.values[4 * place..][..4].fill(weight);
        }
    }
    targets
}

/// A region of the second stage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct SampledRegion {
    pub(super) corners: Corners,
    /// The object's index in its image; `None` for background.
    pub(super) object: Option<usize>,
}

/// The regions of an image that train the second stage: a sample of its proposals and its objects.
pub(super) fn sampled_regions(
    mut proposals: Vec<Corners>,
    objects: &ImageTargets,
    stage: &StageConfig,
    key: DrawKey,
) -> Vec<SampledRegion> {
    proposals.extend_from_slice(&objects.boxes);
    let matches = match_proposals(&ious(&objects.boxes, &proposals), proposals.len());
    let drawn = sample(&matches, stage.samples, stage.most_objects, key);
    let region = |at: usize, object| SampledRegion {
        corners: proposals[at],
        object,
    };
    let of_objects = drawn.objects.iter().map(|&at| {
        debug_assert_eq!(matches[at].label, Label::Object);
        region(at, Some(matches[at].object))
    });
    of_objects
        .chain(drawn.background.iter().map(|&at| region(at, None)))
        .collect()
}
