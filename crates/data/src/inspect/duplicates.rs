//! Images with the same content.

use std::collections::HashMap;

use serde::Serialize;

use super::census::Census;
use super::content::ContentHash;
use crate::ImageSource;

/// Pairs that are named.
const NAMED: usize = 10;

/// Images with the same content, among those that were decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Duplicates {
    /// Training images that repeat an earlier one.
    pub within_train: Repeated,
    /// Test images that are training images too: accuracy on them means nothing.
    pub test_in_train: Repeated,
}

/// How many images repeat another one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Repeated {
    /// How many.
    pub count: usize,
    /// The first ten, each with the image that it repeats.
    pub first: Vec<[String; 2]>,
}

impl Repeated {
    fn add(&mut self, again: String, before: String) {
        self.count += 1;
        if self.first.len() < NAMED {
            self.first.push([again, before]);
        }
    }
}

/// Finds images with the same content. Each part of the set comes with its census.
#[must_use]
pub fn duplicates(
    (train, train_census): (&dyn ImageSource, &Census),
    test: Option<(&dyn ImageSource, &Census)>,
) -> Duplicates {
    let mut found = Duplicates::default();
    let mut seen: HashMap<ContentHash, usize> = HashMap::with_capacity(train_census.contents.len());
    for &(index, content) in &train_census.contents {
        match seen.get(&content) {
            Some(&before) => found.within_train.add(train.name(index), train.name(before)),
            None => _ = seen.insert(content, index),
        }
    }
    if let Some((test, census)) = test {
        for &(index, content) in &census.contents {
            if let Some(&before) = seen.get(&content) {
                found.test_in_train.add(test.name(index), train.name(before));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemorySet;
    use crate::inspect::census;
    use barlow_augment::{Image8, RgbImage8};

    fn set(values: &[u8], side: usize) -> MemorySet {
        let image = |&value: &u8| -> Image8 { RgbImage8::from_fn(side, 2, |_, _| [value; 3]).into() };
        let labels = (0..values.len()).map(|index| index % 2).collect();
        let classes = ["a", "b"].map(str::to_owned).to_vec();
        MemorySet::new(values.iter().map(image).collect(), Some(labels), classes)
    }

    #[test]
    fn a_set_is_counted_and_its_copies_are_found() {
        let (train, test) = (set(&[1, 2, 1, 3, 1], 4), set(&[9, 3], 4));
        let counted = |set: &MemorySet| census(set, 100, &mut |_, _| true).unwrap();
        let (train_census, test_census) = (counted(&train), counted(&test));
        let counts: Vec<_> = train_census.classes.iter().map(|class| class.images).collect();
        assert_eq!(
            (counts, train_census.unlabelled, train_census.decoded),
            (vec![3, 2], 0, 5)
        );
        let sizes = train_census.sizes.unwrap();
        assert_eq!((sizes.commonest, sizes.of_commonest), ([4, 2], 5));
        let found = duplicates((&train, &train_census), Some((&test, &test_census)));
        assert_eq!((found.within_train.count, found.test_in_train.count), (2, 1));
        assert_eq!(found.test_in_train.first, [[test.name(1), train.name(3)]]);
    }

    #[test]
    fn the_same_bytes_in_another_shape_are_another_image() {
        let (train, test) = (set(&[1], 4), set(&[1], 6));
        let counted = |set: &MemorySet| census(set, 100, &mut |_, _| true).unwrap();
        let found = duplicates((&train, &counted(&train)), Some((&test, &counted(&test))));
        assert_eq!(found, Duplicates::default());
    }

    #[test]
    fn a_limit_spreads_what_is_decoded_and_counting_can_be_stopped() {
        let values: Vec<u8> = (0..100).collect();
        let set = set(&values, 1);
        let some = census(&set, 10, &mut |_, _| true).unwrap();
        let indices: Vec<usize> = some.contents.iter().map(|(index, _)| *index).collect();
        assert_eq!(indices, (0..10).map(|place| 10 * place).collect::<Vec<_>>());
        assert_eq!((some.images, some.decoded), (100, 10));
        assert!(census(&set, 10, &mut |_, _| false).is_none());
    }
}
