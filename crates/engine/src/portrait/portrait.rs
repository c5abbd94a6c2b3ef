//! The portrait of a network: what it makes of the test images.

use super::thumbnails::Sheet;
use crate::config::Config;
use crate::evaluation::{EvaluatedFeatures, LabelledFeatures, stratified_part};
use crate::sources::Sources;
use anyhow::{Context, Result};
use barlow_data::ImageSource;
use barlow_eval::{ClassReport, nearest_rows, pca_map, tsne_map};
use barlow_report::{ClassResults, GalleryRow, MapPoint, Portrait, Shown, Thumbnails, WorstPair};
use std::collections::BTreeMap;

/// Test images on the map: t-SNE is quadratic in their number, and each has a thumbnail.
const MAP: usize = 1000;
/// Test images in the gallery: of each class the first, as far as they go, and then some that are classified wrongly.
const QUERIES: usize = 16;
const WRONG_QUERIES: usize = 8;
/// Their neighbours.
const NEIGHBOURS: usize = 5;
/// Pairs of confused classes, and images of each.
const PAIRS: usize = 6;
const EXAMPLES: usize = 6;

/// The portrait of the network whose features these are, after `step` steps, and the thumbnails that it refers to. An image that
/// cannot be read now is left off the map and the gallery.
///
/// # Errors
/// If features are not finite, or the thumbnails cannot be encoded.
pub(crate) fn portrait(
    features: &EvaluatedFeatures,
    sources: &Sources,
    config: &Config,
    step: u64,
) -> Result<(Portrait, Thumbnails)> {
    let EvaluatedFeatures {
        train,
        test,
        predictions,
    } = features;
    let test_images = sources.test.as_deref().context("evaluated features have test images")?;
    let classes = sources.classes.len();
    let mut shelf = Shelf::default();
    let chosen = stratified_part(&test.labels, classes, MAP);
    let rows = test.part(&chosen).rows;
    let places = pca_map(&rows, test.width).into_iter().zip(tsne_map(&rows, test.width));
    let map = (chosen.iter().zip(places)).filter_map(|(&row, (pca, tsne))| {
        Some(MapPoint {
            image: shelf.test(row, test, test_images)?,
            predicted: predictions[row],
            pca: pca.map(rounded),
            tsne: tsne.map(rounded),
        })
    });
    let map = map.collect();
    let queries = queries(test, predictions);
    let rows = test.part(&queries).rows;
    let found = nearest_rows(&train.view(classes), &rows, NEIGHBOURS)?;
    let gallery = (queries.iter().zip(found)).filter_map(|(&row, found)| {
        let query = shelf.test(row, test, test_images)?;
        let neighbours = found.into_iter().filter_map(|(row, similarity)| {
            Some((
                shelf.train(row, train, sources.train.as_ref())?,
                rounded(similarity as f32),
            ))
        });
        Some(GalleryRow {
            query,
            predicted: predictions[row],
            neighbours: neighbours.collect(),
        })
    });
    let gallery = gallery.collect();
    let report = ClassReport::of(&test.labels, predictions, None, classes);
    let worst = worst(&report).into_iter().map(|[truth, predicted, images]| {
        let rows = (0..predictions.len()).filter(|&row| test.labels[row] == truth && predictions[row] == predicted);
        WorstPair {
            truth,
            predicted,
            images,
            examples: rows
                .take(EXAMPLES)
                .filter_map(|row| shelf.test(row, test, test_images))
                .collect(),
        }
    });
    let results = ClassResults {
        worst: worst.collect(),
        classifier: format!("kNN (k {})", config.eval.knn_k),
        per_class: report
            .per_class
            .iter()
            .map(|score| [score.images, score.correct])
            .collect(),
        confusion: report
            .confusion
            .iter()
            .map(|entry| [entry.truth, entry.predicted, entry.images])
            .collect(),
    };
    let portrait = Portrait {
        step,
        classes: sources.classes.clone(),
        images: test.labels.len(),
        map,
        gallery,
        results,
    };
    Ok((portrait, shelf.sheet.thumbnails()?))
}

fn rounded(value: f32) -> f32 {
    (value * 1000.0).round() / 1000.0
}

/// Rows of test images for the gallery: the first of each class, and then wrongly classified ones, evenly spaced.
fn queries(test: &LabelledFeatures, predictions: &[usize]) -> Vec<usize> {
    let mut first = BTreeMap::new();
    for (row, &label) in test.labels.iter().enumerate() {
        first.entry(label).or_insert(row);
    }
    let mut out: Vec<usize> = first.into_values().take(QUERIES).collect();
    let wrong: Vec<usize> = (0..predictions.len())
        .filter(|row| predictions[*row] != test.labels[*row] && !out.contains(row))
        .collect();
    let count = WRONG_QUERIES.min(wrong.len());
    out.extend((0..count).map(|at| wrong[at * wrong.len() / count]));
    out
}

/// The pairs of classes that are confused most: true class, predicted class, number of images.
fn worst(report: &ClassReport) -> Vec<[usize; 3]> {
    let mut pairs: Vec<[usize; 3]> = (report.confusion.iter())
        .filter(|entry| entry.truth != entry.predicted)
        .map(|entry| [entry.truth, entry.predicted, entry.images])
        .collect();
    pairs.sort_by_key(|&[truth, predicted, images]| (std::cmp::Reverse(images), truth, predicted));
    pairs.truncate(PAIRS);
    pairs
}

/// The thumbnails so far; an image that is shown twice has one.
#[derive(Default)]
struct Shelf {
    sheet: Sheet,
    known: BTreeMap<(bool, usize), usize>,
}

impl Shelf {
    fn test(&mut self, row: usize, features: &LabelledFeatures, source: &dyn ImageSource) -> Option<Shown> {
        self.shown(true, row, features, source)
    }

    fn train(&mut self, row: usize, features: &LabelledFeatures, source: &dyn ImageSource) -> Option<Shown> {
        self.shown(false, row, features, source)
    }

    fn shown(
        &mut self,
        is_test: bool,
        row: usize,
        features: &LabelledFeatures,
        source: &dyn ImageSource,
    ) -> Option<Shown> {
        let image = features.images[row];
        let thumbnail = match self.known.get(&(is_test, image)) {
            Some(&known) => known,
            None => {
                let number = self.sheet.add(&*source.image(image).ok()?);
                self.known.insert((is_test, image), number);
                number
            }
        };
        Some(Shown {
            thumbnail,
            name: source.name(image),
            class: features.labels[row],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use barlow_augment::{Normalization, RgbImage8};
    use barlow_data::MemorySet;
    use std::sync::Arc;

    /// Images of three classes; the features point to the class, but for every tenth test image.
    fn evaluated() -> (EvaluatedFeatures, Sources) {
        let set = |count: usize| {
            let images = (0..count)
                .map(|at| RgbImage8::from_fn(8, 8, |_, _| [at as u8; 3]).into())
                .collect();
            let labels = (0..count).map(|at| at % 3).collect();
            Arc::new(MemorySet::new(
                images,
                Some(labels),
                vec!["a".into(), "b".into(), "c".into()],
            ))
        };
        let rows = |count: usize, wrong: usize| LabelledFeatures {
            rows: (0..count)
                .flat_map(|at| {
                    let class = if wrong > 0 && at % wrong == 0 {
                        (at + 1) % 3
                    } else {
                        at % 3
                    };
                    (0..3).map(move |axis| if axis == class { 1.0 } else { 0.01 * (at as f32).sin() })
                })
                .collect(),
            width: 3,
            labels: (0..count).map(|at| at % 3).collect(),
            images: (0..count).collect(),
        };
        let predictions = (0..60)
            .map(|at| if at % 10 == 0 { (at + 1) % 3 } else { at % 3 })
            .collect();
        let features = EvaluatedFeatures {
            train: rows(90, 0),
            test: rows(60, 10),
            predictions,
        };
        (features, Sources::of(set(90), Some(set(60)), Normalization::imagenet()))
    }

    #[test]
    fn a_portrait_shows_neighbours_and_confusions() {
        let (features, sources) = evaluated();
        let (portrait, thumbnails) = portrait(&features, &sources, &Config::default(), 7).unwrap();
        assert_eq!((portrait.step, portrait.images, portrait.map.len()), (7, 60, 60));
        assert_eq!(portrait.results.per_class, [[20, 18], [20, 18], [20, 18]]);
        assert_eq!(portrait.results.worst[0].images, 2);
        assert!(
            portrait
                .results
                .worst
                .iter()
                .all(|pair| pair.predicted == (pair.truth + 1) % 3)
        );
        // Three of the classes (the first of class 0 is among the wrong ones), then five others that are wrong.
        assert_eq!(portrait.gallery.len(), 3 + 5);
        for row in &portrait.gallery {
            assert_eq!(row.neighbours.len(), NEIGHBOURS);
            assert!(
                row.neighbours
                    .iter()
                    .all(|(image, near)| image.class == row.predicted && *near > 0.99)
            );
        }
        let used = portrait
            .gallery
            .iter()
            .flat_map(|row| row.neighbours.iter())
            .map(|(image, _)| image.thumbnail);
        assert!(
            used.chain(portrait.map.iter().map(|point| point.image.thumbnail))
                .all(|at| at < 60 + 8 * NEIGHBOURS)
        );
        assert!(thumbnails.png.starts_with(b"\x89PNG"));
    }
}
