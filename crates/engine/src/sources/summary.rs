//! [`DataSummary`], what a data set was found to be: stored with a run as `data.json`.
//!
//! This file must not open a data set.

use super::Sources;
use barlow_data::{DataFormat, ImageSource, LeftOutCount, LeftOutReason};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a data set was found to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataSummary {
    /// Its format.
    pub format: DataFormat,
    /// The images that are trained on.
    pub train: PartSummary,
    /// The images that features are evaluated on.
    pub test: Option<PartSummary>,
    /// Test images that are not evaluated on, because they have no labels.
    pub unlabelled_test: usize,
    /// The fraction of the training images that was held out as test images.
    pub held_out: Option<f64>,
    /// What was left out, by reason.
    pub left_out: Vec<LeftOutEntry>,
    /// How the data set was read where it could be read otherwise.
    pub notes: Vec<String>,
}

/// The images of one split.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartSummary {
    /// How many.
    pub images: usize,
    /// Images of each class. An image of several classes counts in each; without labels there are none.
    pub classes: BTreeMap<String, usize>,
}

/// What was left out for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOutEntry {
    /// Why.
    #[serde(flatten)]
    pub reason: LeftOutReason,
    /// How many, and the first.
    #[serde(flatten)]
    pub count: LeftOutCount,
}

impl Sources {
    /// What the data set was found to be; reads all labels.
    pub fn summary(&self) -> DataSummary {
        DataSummary {
            format: self.format,
            train: part(self.train.as_ref()),
            test: self.test.as_deref().map(part),
            unlabelled_test: self.unlabelled_test,
            held_out: self.held_out,
            left_out: self.left_out_by_reason(),
            notes: self.notes.clone(),
        }
    }

    /// What was left out by reason, the images that could not be decoded included.
    pub fn left_out_by_reason(&self) -> Vec<LeftOutEntry> {
        let mut left_out = self.left_out.clone();
        if self.skipped.count > 0 {
            let first = self.skipped.first.clone().unwrap_or_default();
            left_out.add_many(LeftOutReason::BadImage, self.skipped.count as u64, first);
        }
        let entry = |(reason, count): (&LeftOutReason, &LeftOutCount)| LeftOutEntry {
            reason: reason.clone(),
            count: count.clone(),
        };
        left_out.iter().map(entry).collect()
    }
}

fn part(source: &dyn ImageSource) -> PartSummary {
    let mut counts = vec![0_usize; source.classes().len()];
    for index in 0..source.len() {
        for label in source.labels(index) {
            counts[label] += 1;
        }
    }
    PartSummary {
        images: source.len(),
        classes: source.classes().iter().cloned().zip(counts).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use barlow_augment::{Normalization, RgbImage8};
    use barlow_data::{MemorySet, Skipped};
    use std::sync::Arc;

    #[test]
    fn a_summary_counts_by_class_and_reason_and_comes_back_from_json() {
        let images = (0..3).map(|_| RgbImage8::from_fn(1, 1, |_, _| [0; 3]).into()).collect();
        let set = MemorySet::new(images, Some(vec![0, 1, 1]), vec!["a".into(), "b".into()]);
        let mut sources = Sources::of(Arc::new(set), None, Normalization::imagenet());
        sources.skipped = Skipped {
            count: 2,
            first: Some("bad image x.png".into()),
        };
        sources
            .left_out
            .add(LeftOutReason::OtherFormat("heic".into()), "a/1.heic");
        let summary = sources.summary();
        assert_eq!(
            summary.train.classes,
            BTreeMap::from([("a".into(), 1), ("b".into(), 2)])
        );
        let json = serde_json::to_value(&summary).unwrap();
        assert_eq!(json["left_out"][0]["reason"], "bad-image");
        assert_eq!(json["left_out"][0]["count"], 2);
        assert_eq!(json["left_out"][1]["extension"], "heic");
        assert_eq!(serde_json::from_value::<DataSummary>(json).unwrap(), summary);
    }
}
