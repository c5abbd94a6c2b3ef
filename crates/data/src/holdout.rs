//! The part of a set's training images that is held out for the evaluation: stratified by class, by whole group, keyed by the
//! seed.
//!
//! This file must not know how images are read.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use barlow_augment::keyed_rng;
use rand::RngExt;

use crate::{DataError, ImageSource, Subset};

/// Stream of the choice in [`keyed_rng`], with the class as index. No view has this number.
const HOLDOUT_STREAM: u64 = u64::MAX;

/// A set in two parts without a common image, each in the order of the whole.
#[derive(Clone)]
pub struct HeldOut {
    /// The images to train on.
    pub train: Subset,
    /// The images to evaluate on.
    pub test: Subset,
}

/// Holds out a `fraction` of the images of each class, at least one and never all of a class with two groups or more. Images
/// of one group ([`ImageSource::group`]), and one that is listed twice, stay on one side. Without labels the whole set is one
/// class. The choice depends on `seed`, on the numbers of the classes and on the order of the set alone; a larger fraction
/// holds out the same images and more where groups are of one size.
///
/// # Errors
/// [`DataError::Holdout`] for a fraction that is not between 0 and 1, and if no image would be left on one side.
pub fn hold_out(source: &Arc<dyn ImageSource>, fraction: f64, seed: u64) -> Result<HeldOut, DataError> {
    let fault = |reason: &str| {
        Err(DataError::Holdout {
            fraction,
            reason: reason.into(),
        })
    };
    // The comparison also rejects NaN.
    if !(fraction > 0.0 && fraction < 1.0) {
        return fault("it must be between 0 and 1, such as 0.1");
    }
    let units = units(source.as_ref());
    let mut is_held_out = vec![false; source.len()];
    for (class, mut units) in by_class(source.as_ref(), units) {
        let images: usize = units.iter().map(Vec::len).sum();
        let wanted = (images as f64 * fraction).round().max(1.0) as usize;
        let mut rng = keyed_rng(seed, 0, class, HOLDOUT_STREAM);
        for last in (1..units.len()).rev() {
            units.swap(last, rng.random_range(0..=last as u64) as usize);
        }
        let mut held_out = 0;
        // The last one stays, so that every class is trained on.
        let (_, others) = units.split_last().expect("a class has an image");
        for unit in others {
            // A group that overshoots by more than it misses is passed over.
            if held_out > 0
                && held_out + unit.len() > wanted
                && held_out + unit.len() - wanted > wanted.saturating_sub(held_out)
            {
                continue;
            }
            if held_out >= wanted {
                break;
            }
            held_out += unit.len();
            unit.iter().for_each(|&index| is_held_out[index] = true);
        }
    }
    let side = |side: bool| -> Vec<usize> {
        (0..is_held_out.len())
            .filter(|&index| is_held_out[index] == side)
            .collect()
    };
    let (train, test) = (side(false), side(true));
    if test.is_empty() || train.is_empty() {
        return fault("there are too few images, or groups of them, for two parts; remove it");
    }
    Ok(HeldOut {
        train: Subset::new(Arc::clone(source), train),
        test: Subset::new(Arc::clone(source), test),
    })
}

/// Images that must stay together, in the order of their first: those of a group, and those of one name.
fn units(source: &dyn ImageSource) -> Vec<Vec<usize>> {
    let mut of_key: HashMap<(bool, u64), usize> = HashMap::with_capacity(source.len());
    let mut units: Vec<Vec<usize>> = Vec::new();
    let mut of_name: HashMap<[u8; 16], usize> = HashMap::new();
    for index in 0..source.len() {
        let unit = match source.group(index) {
            Some(group) => *of_key.entry((true, group)).or_insert(units.len()),
            None => {
                let hash = blake3::hash(source.name(index).as_bytes());
                let key: [u8; 16] = hash.as_bytes()[..16].try_into().expect("a hash has 32 bytes");
                *of_name.entry(key).or_insert(units.len())
            }
        };
        if unit == units.len() {
            units.push(Vec::with_capacity(1));
        }
        units[unit].push(index);
    }
    units
}

/// The units of each class, by that of their first image: its number, or 0 without one.
fn by_class(source: &dyn ImageSource, units: Vec<Vec<usize>>) -> BTreeMap<u64, Vec<Vec<usize>>> {
    let mut classes: BTreeMap<u64, Vec<Vec<usize>>> = BTreeMap::new();
    for unit in units {
        let class = source.label(unit[0]).unwrap_or(0) as u64;
        classes.entry(class).or_default().push(unit);
    }
    classes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemorySet;
    use barlow_augment::RgbImage8;

    fn set(per_class: &[usize]) -> Arc<dyn ImageSource> {
        let count = per_class.iter().sum();
        let grey = |value: usize| RgbImage8::from_fn(1, 1, |_, _| [value as u8; 3]).into();
        let labels = per_class
            .iter()
            .enumerate()
            .flat_map(|(class, &count)| vec![class; count])
            .collect();
        let classes = (0..per_class.len()).map(|class| class.to_string()).collect();
        Arc::new(MemorySet::new((0..count).map(grey).collect(), Some(labels), classes))
    }

    fn counts(part: &Subset, classes: usize) -> Vec<usize> {
        let mut counts = vec![0; classes];
        (0..part.len()).for_each(|index| counts[part.label(index).unwrap()] += 1);
        counts
    }

    #[test]
    fn a_fraction_of_each_class_is_held_out_and_never_all_of_one() {
        let set = set(&[100, 7, 2, 1]);
        let parts = hold_out(&set, 0.1, 5).unwrap();
        assert_eq!(counts(&parts.test, 4), [10, 1, 1, 0]);
        assert_eq!(counts(&parts.train, 4), [90, 6, 1, 1]);
        let mut all = [parts.train.indices(), parts.test.indices()].concat();
        all.sort_unstable();
        assert_eq!(all, (0..110).collect::<Vec<_>>());
        assert!(parts.train.indices().is_sorted() && parts.test.indices().is_sorted());
    }

    /// A run of an older version must be resumed with the same images: these numbers never change.
    #[test]
    fn the_choice_depends_on_the_seed_alone() {
        let set = set(&[20, 20]);
        let chosen = |seed| hold_out(&set, 0.2, seed).unwrap().test.indices().to_vec();
        assert_eq!(chosen(3), chosen(3));
        assert_ne!(chosen(3), chosen(4));
        assert_eq!(chosen(0), [0, 12, 15, 16, 21, 26, 33, 34]);
    }

    #[test]
    fn fractions_that_leave_nothing_are_refused_in_one_line() {
        for (fraction, count) in [(0.0, 10), (1.0, 10), (f64::NAN, 10), (-0.5, 10), (0.5, 1)] {
            let error = hold_out(&set(&[count]), fraction, 0)
                .err()
                .map(|error| error.to_string());
            assert!(error.is_some_and(|error| error.contains("data.holdout") && !error.contains('\n')));
        }
    }
}
