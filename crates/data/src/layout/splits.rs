//! Names of folders sorted by the split that they stand for.
//!
//! This file must not access the disk.

use std::ffi::OsString;

use crate::split_names::{Split3, role_of};

/// Folders of one set by their split.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct NamedSplits {
    pub(super) train: Vec<OsString>,
    pub(super) val: Vec<OsString>,
    pub(super) test: Vec<OsString>,
}

impl NamedSplits {
    fn add(&mut self, split: Split3, name: &OsString) {
        let names = match split {
            Split3::Train => &mut self.train,
            Split3::Val => &mut self.val,
            Split3::Test => &mut self.test,
        };
        names.push(name.clone());
    }

    /// Whether a training part has an evaluation part.
    pub(super) fn is_pair(&self) -> bool {
        !self.train.is_empty() && self.has_evaluation()
    }

    pub(super) fn has_evaluation(&self) -> bool {
        !(self.val.is_empty() && self.test.is_empty())
    }

    pub(super) fn contains(&self, name: &OsString) -> bool {
        [&self.train, &self.val, &self.test]
            .iter()
            .any(|names| names.contains(name))
    }
}

/// The folders whose names say nothing but a split.
pub(super) fn plain_splits(names: &[OsString]) -> NamedSplits {
    let mut splits = NamedSplits::default();
    for name in names {
        if let Some(role) = role_of(name).filter(|role| role.is_plain()) {
            splits.add(role.split, name);
        }
    }
    splits
}

/// The pairs such as `cars_train` and `cars_test`: each is a set's name with the splits of that set.
pub(super) fn paired_splits(names: &[OsString]) -> Vec<NamedSplits> {
    let mut sets: Vec<(String, NamedSplits)> = Vec::new();
    for name in names {
        let Some(role) = role_of(name).filter(|role| !role.is_plain()) else {
            continue;
        };
        let at = sets.iter().position(|(of, _)| *of == role.of).unwrap_or_else(|| {
            sets.push((role.of.clone(), NamedSplits::default()));
            sets.len() - 1
        });
        sets[at].1.add(role.split, name);
    }
    let pairs = sets.into_iter().map(|(_, splits)| splits);
    pairs.filter(NamedSplits::is_pair).collect()
}
