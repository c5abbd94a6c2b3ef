//! The training and the held-out part of a set of shards, whatever kind they are.
//!
//! This file must not know what a shard is made of.

use std::path::PathBuf;

use super::{LeftOutOfShards, LeftOuts, ShardSplits};
use crate::{DataError, ImageSource, IndexNote};

/// A set that is opened from shards.
pub(crate) trait ShardedSet: ImageSource + Sized {
    /// The same images with labels that are indices into `classes`.
    fn numbered_as(self, classes: &[String]) -> Result<Self, DataError>;
}

/// One split, opened.
pub(crate) struct Opened<S> {
    pub(crate) set: S,
    pub(crate) left_out: LeftOuts,
    pub(crate) note: Option<IndexNote>,
}

/// The parts of a set.
pub(crate) struct OpenedSplits<S> {
    pub(crate) train: S,
    pub(crate) test: Option<S>,
    pub(crate) left_out: Vec<LeftOutOfShards>,
    pub(crate) index: Vec<IndexNote>,
}

/// Opens the training shards and one held-out split: the first that has labels if the training images have them, or else
/// the first. A published test split often has no labels while the validation split does.
pub(crate) fn open_splits<S: ShardedSet>(
    splits: ShardSplits,
    open: &dyn Fn(Vec<PathBuf>) -> Result<Opened<S>, DataError>,
) -> Result<OpenedSplits<S>, DataError> {
    let mut left_out = splits.left_out;
    let mut index = Vec::new();
    let mut finish = |opened: Opened<S>, left_out: &mut LeftOuts| {
        for part in opened.left_out.into_vec() {
            left_out.add(&part.reason, part.count, || part.first.clone());
        }
        index.extend(opened.note);
        opened.set
    };
    let train = finish(open(splits.train)?, &mut left_out);
    let is_labelled = |set: &S| !set.is_empty() && set.label(0).is_some();
    let mut chosen: Option<(Vec<PathBuf>, Opened<S>)> = None;
    const FURTHER: &str = "shards of further held-out splits";
    let mut others = Vec::new();
    for (_, files) in splits.held_out {
        let wants = match &chosen {
            None => true,
            Some((_, opened)) => is_labelled(&train) && !is_labelled(&opened.set),
        };
        if !wants {
            others.push((files, FURTHER));
            continue;
        }
        let opened = open(files.clone())?;
        match chosen.take() {
            None => chosen = Some((files, opened)),
            Some((unlabelled, _)) if is_labelled(&opened.set) => {
                others.push((unlabelled, "shards of a split without labels next to one with labels"));
                chosen = Some((files, opened));
            }
            before => {
                others.push((files, FURTHER));
                chosen = before;
            }
        }
    }
    for (files, why) in others {
        left_out.add(why, files.len(), || files[0].display().to_string());
    }
    let test = match chosen {
        Some((_, opened)) => {
            let set = finish(opened, &mut left_out);
            // Classes of a set without labels are not compared.
            Some(if is_labelled(&set) {
                set.numbered_as(train.classes())?
            } else {
                set
            })
        }
        None => None,
    };
    Ok(OpenedSplits {
        train,
        test,
        left_out: left_out.into_vec(),
        index,
    })
}
