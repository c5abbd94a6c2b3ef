//! A count of the images of a set, by class, size and format.

use std::collections::BTreeMap;
use std::path::Path;

use rayon::prelude::*;
use serde::Serialize;

use super::content::ContentHash;
use crate::ImageSource;

/// Images that are decoded between two reports of progress.
const CHUNK: usize = 512;
/// Unreadable images that are named.
const NAMED: usize = 10;

/// What was found in a set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Census {
    /// Number of images.
    pub images: usize,
    /// Images of each class, in the order of the classes. An image with several classes counts for each.
    pub classes: Vec<ClassCount>,
    /// Images without a class.
    pub unlabelled: usize,
    /// How many images were decoded, evenly spread over the set; what follows is of these.
    pub decoded: usize,
    /// Sides in pixels; `None` if no image can be read.
    pub sizes: Option<Sizes>,
    /// Images by the extension of their name, in lower case; `-` for names without one.
    pub extensions: BTreeMap<String, usize>,
    /// Images that cannot be read.
    pub unreadable: Unreadable,
    /// The content of each decoded image, with its index, in the order of the set.
    #[serde(skip)]
    pub contents: Vec<(usize, ContentHash)>,
}

/// Images of a class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClassCount {
    /// Name of the class.
    pub name: String,
    /// Number of its images.
    pub images: usize,
}

/// Width and height in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Sizes {
    /// Of the image with the fewest pixels.
    pub smallest: [usize; 2],
    /// Of the one with the most.
    pub largest: [usize; 2],
    /// The commonest size, of several the smallest.
    pub commonest: [usize; 2],
    /// How many images have it.
    pub of_commonest: usize,
}

/// Images that cannot be read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Unreadable {
    /// How many.
    pub count: usize,
    /// The errors of the first ten, which name the files.
    pub first: Vec<String>,
}

/// Counts a set, decoding at most `limit` images that are evenly spread over it, in parallel on the current rayon pool.
/// `progress` is called with the number of decoded images and their total, and says whether to go on.
///
/// Returns `None` if it was stopped.
pub fn census(
    source: &dyn ImageSource,
    limit: usize,
    progress: &mut dyn FnMut(usize, usize) -> bool,
) -> Option<Census> {
    let total = source.len();
    let decoded = total.min(limit);
    let spread: Vec<usize> = (0..decoded).map(|place| place * total / decoded).collect();
    let (classes, unlabelled) = by_class(source);
    let mut extensions = BTreeMap::new();
    for index in 0..total {
        *extensions.entry(extension(&source.name(index))).or_insert(0) += 1;
    }
    let mut unreadable = Unreadable::default();
    let mut contents = Vec::with_capacity(decoded);
    let mut sizes: BTreeMap<[usize; 2], usize> = BTreeMap::new();
    let mut done = 0;
    for chunk in spread.chunks(CHUNK) {
        let read: Vec<Result<([usize; 2], ContentHash), String>> = chunk
            .par_iter()
            .map(|&index| {
                let image = source.image(index).map_err(|error| error.to_string())?;
                Ok(([image.width(), image.height()], ContentHash::of(&image)))
            })
            .collect();
        for (&index, read) in chunk.iter().zip(read) {
            match read {
                Ok((size, content)) => {
                    *sizes.entry(size).or_insert(0) += 1;
                    contents.push((index, content));
                }
                Err(error) => {
                    unreadable.count += 1;
                    if unreadable.first.len() < NAMED {
                        unreadable.first.push(error);
                    }
                }
            }
        }
        done += chunk.len();
        if !progress(done, decoded) {
            return None;
        }
    }
    Some(Census {
        images: total,
        classes,
        unlabelled,
        decoded,
        sizes: summarized(&sizes),
        extensions,
        unreadable,
        contents,
    })
}

fn by_class(source: &dyn ImageSource) -> (Vec<ClassCount>, usize) {
    let mut counts = vec![0; source.classes().len()];
    let mut unlabelled = 0;
    for index in 0..source.len() {
        let labels = source.labels(index);
        unlabelled += usize::from(labels.is_empty());
        labels.into_iter().for_each(|label| counts[label] += 1);
    }
    let named = source.classes().iter().zip(counts);
    let classes = named
        .map(|(name, images)| ClassCount {
            name: name.clone(),
            images,
        })
        .collect();
    (classes, unlabelled)
}

fn extension(name: &str) -> String {
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
    extension.map_or("-".to_owned(), str::to_lowercase)
}

fn summarized(sizes: &BTreeMap<[usize; 2], usize>) -> Option<Sizes> {
    let pixels = |size: &&[usize; 2]| size[0] * size[1];
    let smallest = *sizes.keys().min_by_key(pixels)?;
    let largest = *sizes.keys().max_by_key(pixels)?;
    // The first of several with the same count: `max_by_key` would take the last.
    let (&commonest, &of_commonest) = sizes.iter().rev().max_by_key(|(_, count)| **count)?;
    Some(Sizes {
        smallest,
        largest,
        commonest,
        of_commonest,
    })
}
