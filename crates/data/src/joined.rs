//! [`Joined`], several sets as one, in the order of the images' names: all of a folder, whatever its splits are.
//!
//! This file must not know what the sets are.

use std::path::PathBuf;
use std::sync::Arc;

use barlow_augment::Image8;

use crate::{DataError, ImageSource};

/// Several sets as one, sorted by name; images of one name stay in the order of the sets.
#[derive(Clone)]
pub struct Joined {
    /// The sets, with what their names are preceded by: empty, or a path that ends in `/`.
    parts: Vec<(String, Arc<dyn ImageSource>)>,
    /// Part and index in it of every image.
    order: Vec<(u32, u32)>,
    classes: Vec<String>,
    /// Class numbers of each part in `classes`.
    renumbered: Vec<Vec<usize>>,
}

impl Joined {
    /// The images of all `parts`, each with the folder that its names begin at (empty for none). Classes are those of all parts, in the order of their first mention.
    ///
    /// # Panics
    /// If there is no part, the parts have images of different numbers of channels, or a part has more than 2³² images.
    #[must_use]
    pub fn new(parts: Vec<(PathBuf, Arc<dyn ImageSource>)>) -> Self {
        let prefixed = |(folder, set): (PathBuf, Arc<dyn ImageSource>)| {
            let names = folder.iter().map(|name| format!("{}/", name.to_string_lossy()));
            (names.collect::<String>(), set)
        };
        let parts: Vec<_> = parts.into_iter().map(prefixed).collect();
        let channels = parts.first().expect("at least one set").1.channels();
        let mut classes: Vec<String> = Vec::new();
        let mut renumbered = Vec::new();
        let mut order = Vec::new();
        for (number, (_, part)) in (0u32..).zip(&parts) {
            assert_eq!(part.channels(), channels, "channels of the images of joined sets");
            let number_of = |class: &String| {
                classes.iter().position(|known| known == class).unwrap_or_else(|| {
                    classes.push(class.clone());
                    classes.len() - 1
                })
            };
            renumbered.push(part.classes().iter().map(number_of).collect());
            let len = u32::try_from(part.len()).expect("a set has fewer than 2^32 images");
            order.extend((0..len).map(|index| (number, index)));
        }
        order.sort_by_cached_key(|&(part, index)| {
            let (prefix, part) = &parts[part as usize];
            format!("{prefix}{}", part.name(index as usize))
        });
        Self {
            parts,
            order,
            classes,
            renumbered,
        }
    }

    fn part(&self, index: usize) -> (usize, &dyn ImageSource, usize) {
        let (part, index) = self.order[index];
        (part as usize, self.parts[part as usize].1.as_ref(), index as usize)
    }
}

impl ImageSource for Joined {
    fn len(&self) -> usize {
        self.order.len()
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn channels(&self) -> usize {
        self.parts[0].1.channels()
    }

    fn label(&self, index: usize) -> Option<usize> {
        let (part, source, index) = self.part(index);
        source.label(index).map(|label| self.renumbered[part][label])
    }

    fn labels(&self, index: usize) -> Vec<usize> {
        let (part, source, index) = self.part(index);
        let mut labels: Vec<usize> = (source.labels(index).into_iter())
            .map(|label| self.renumbered[part][label])
            .collect();
        labels.sort_unstable();
        labels
    }

    fn name(&self, index: usize) -> String {
        let (part, source, index) = self.part(index);
        format!("{}{}", self.parts[part].0, source.name(index))
    }

    fn stamp(&self, index: usize) -> [u64; 2] {
        let (_, source, index) = self.part(index);
        source.stamp(index)
    }

    fn image(&self, index: usize) -> Result<Arc<Image8>, DataError> {
        let (_, source, index) = self.part(index);
        source.image(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Images without pixels.
    struct Named(Vec<(&'static str, usize)>, Vec<String>);

    impl ImageSource for Named {
        fn len(&self) -> usize {
            self.0.len()
        }

        fn classes(&self) -> &[String] {
            &self.1
        }

        fn channels(&self) -> usize {
            3
        }

        fn label(&self, index: usize) -> Option<usize> {
            Some(self.0[index].1)
        }

        fn name(&self, index: usize) -> String {
            self.0[index].0.to_owned()
        }

        fn image(&self, _: usize) -> Result<Arc<Image8>, DataError> {
            unreachable!("names only")
        }
    }

    #[test]
    fn images_are_sorted_by_name_and_classes_keep_their_names() {
        let set = |images: &[(&'static str, usize)], classes: &[&str]| -> Arc<dyn ImageSource> {
            let classes = classes.iter().map(|class| (*class).to_owned()).collect();
            Arc::new(Named(images.to_vec(), classes))
        };
        let joined = Joined::new(vec![
            (PathBuf::new(), set(&[("train/a/2", 0), ("train/b/1", 1)], &["a", "b"])),
            (PathBuf::from("test"), set(&[("b/7", 0), ("c/0", 1)], &["b", "c"])),
        ]);
        let found: Vec<(String, &str)> = (0..joined.len())
            .map(|index| {
                (
                    joined.name(index),
                    joined.classes()[joined.label(index).unwrap()].as_str(),
                )
            })
            .collect();
        let found: Vec<(&str, &str)> = found.iter().map(|(name, class)| (name.as_str(), *class)).collect();
        assert_eq!(
            found,
            [
                ("test/b/7", "b"),
                ("test/c/0", "c"),
                ("train/a/2", "a"),
                ("train/b/1", "b")
            ]
        );
    }
}
