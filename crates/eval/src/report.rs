//! What a classifier is reported by, besides its accuracy: accuracy per class, confusions, calibration.

use std::collections::BTreeMap;

/// Bins of the calibration error.
const BINS: usize = 15;

/// Correct and wrong predictions by class, and how well probabilities say which are correct.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassReport {
    /// Of every class.
    pub per_class: Vec<ClassScore>,
    /// Which class was predicted for which, in ascending order of (truth, predicted); pairs that occur.
    pub confusion: Vec<ConfusionEntry>,
    /// Expected calibration error over 15 bins of equal width (Guo et al., 2017): the mean over the images of |accuracy −
    /// confidence| of an image's bin, in [0, 1]. `None` if the classifier has no probabilities.
    pub calibration_error: Option<f64>,
}

/// Accuracy of one class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClassScore {
    /// Number of its test images.
    pub images: usize,
    /// Number of those that were predicted correctly.
    pub correct: usize,
}

impl ClassScore {
    /// Fraction that was predicted correctly; `None` without images.
    pub fn accuracy(&self) -> Option<f64> {
        (self.images > 0).then(|| self.correct as f64 / self.images as f64)
    }
}

/// A number of images of one class that were predicted as one class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfusionEntry {
    /// Their class.
    pub truth: usize,
    /// The predicted class.
    pub predicted: usize,
    /// Their number.
    pub images: usize,
}

impl ClassReport {
    /// Of predictions, with the probability of each if the classifier has any. All classes are below `classes`.
    ///
    /// # Panics
    ///
    /// If the lengths differ, or a class is not below `classes`.
    pub fn of(labels: &[usize], predictions: &[usize], confidences: Option<&[f64]>, classes: usize) -> Self {
        assert!(
            labels.len() == predictions.len() && confidences.is_none_or(|c| c.len() == labels.len()),
            "{} labels, {} predictions",
            labels.len(),
            predictions.len()
        );
        let mut per_class = vec![ClassScore::default(); classes];
        let mut pairs = BTreeMap::new();
        for (&truth, &predicted) in labels.iter().zip(predictions) {
            per_class[truth].images += 1;
            per_class[truth].correct += usize::from(truth == predicted);
            *pairs.entry((truth, predicted)).or_insert(0) += 1;
        }
        let entry = |((truth, predicted), images)| ConfusionEntry {
            truth,
            predicted,
            images,
        };
        Self {
            per_class,
            confusion: pairs.into_iter().map(entry).collect(),
            calibration_error: confidences.map(|confidences| calibration_error(labels, predictions, confidences)),
        }
    }

    /// All numbers of images `[classes, classes]`: rows are true classes, columns predictions.
    pub fn confusion_matrix(&self) -> Vec<usize> {
        let classes = self.per_class.len();
        let mut matrix = vec![0; classes * classes];
        for entry in &self.confusion {
            matrix[entry.truth * classes + entry.predicted] = entry.images;
        }
        matrix
    }
}

fn calibration_error(labels: &[usize], predictions: &[usize], confidences: &[f64]) -> f64 {
    // Correct predictions minus confidences, summed: |accuracy − confidence| times the number of images of a bin.
    let mut bins = [0.0; BINS];
    for ((label, prediction), &confidence) in labels.iter().zip(predictions).zip(confidences) {
        // A bin includes its upper end.
        let bin = (confidence * BINS as f64).ceil() as usize;
        bins[bin.clamp(1, BINS) - 1] += f64::from(u8::from(label == prediction)) - confidence;
    }
    bins.iter().map(|difference| difference.abs()).sum::<f64>() / labels.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_and_confusions_are_counted() {
        let report = ClassReport::of(&[0, 2, 2, 2, 0], &[0, 1, 2, 1, 2], None, 4);
        let scores: Vec<_> = report.per_class.iter().map(|s| (s.images, s.correct)).collect();
        assert_eq!(scores, [(2, 1), (0, 0), (3, 1), (0, 0)]);
        assert_eq!(report.per_class[0].accuracy(), Some(0.5));
        assert_eq!(report.per_class[1].accuracy(), None);
        assert_eq!(
            report.confusion_matrix(),
            [1, 0, 1, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0]
        );
        assert_eq!((report.confusion.len(), report.calibration_error), (4, None));
    }

    /// Two bins: 0.9, 0.92 (one of two correct) and 0.5 (correct).
    #[test]
    fn the_calibration_error_is_weighted_by_bins() {
        let report = ClassReport::of(&[0, 0, 0], &[0, 1, 0], Some(&[0.9, 0.92, 0.5]), 2);
        let expected = (2.0 * (0.91f64 - 0.5) + (1.0 - 0.5)) / 3.0;
        assert!((report.calibration_error.unwrap() - expected).abs() < 1e-12);
        let sure = ClassReport::of(&[0], &[0], Some(&[1.0]), 2);
        assert_eq!(sure.calibration_error, Some(0.0));
    }
}
