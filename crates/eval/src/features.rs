//! Labelled features: the input of kNN and of the linear probe.

/// Features of labelled images, row by row.
#[derive(Clone, Copy, Debug)]
pub struct Features<'a> {
    /// `[N, width]`, row-major.
    pub rows: &'a [f32],
    /// Number of features per image.
    pub width: usize,
    /// Class of every image, each below `classes`.
    pub labels: &'a [usize],
    /// Number of classes.
    pub classes: usize,
}

impl<'a> Features<'a> {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Features of image `index`.
    ///
    /// # Panics
    ///
    /// If `index` is not below [`Self::len`].
    pub fn row(&self, index: usize) -> &'a [f32] {
        &self.rows[index * self.width..(index + 1) * self.width]
    }
}

/// Panics unless both sets are consistent, not empty, and have the same width and number of classes.
pub(crate) fn check_pair(train: &Features, test: &Features) {
    for (name, set) in [("training", train), ("test", test)] {
        let (values, images, width) = (set.rows.len(), set.len(), set.width);
        assert!(
            images > 0 && width > 0,
            "the {name} features are empty: {images} images of width {width}"
        );
        assert!(
            values == images * width,
            "the {name} features are {values} values, not {images} rows of {width}"
        );
        let highest = set.labels.iter().max();
        let fits = highest.is_some_and(|&label| label < set.classes);
        assert!(
            fits,
            "a {name} label is {highest:?}, but there are {} classes",
            set.classes
        );
    }
    assert!(
        (train.width, train.classes) == (test.width, test.classes),
        "training features are {} wide in {} classes, test features {} wide in {} classes",
        train.width,
        train.classes,
        test.width,
        test.classes
    );
}

/// Index of the largest value, the lowest index in case of a tie. NaN never wins. 0 if `values` is empty or all NaN.
pub(crate) fn argmax(values: &[f64]) -> usize {
    let mut best = 0;
    for (index, &value) in values.iter().enumerate().skip(1) {
        if value > values[best] || values[best].is_nan() {
            best = index;
        }
    }
    best
}

/// Fraction of `predictions` that are equal to their label, in [0, 1].
pub(crate) fn top1(predictions: &[usize], labels: &[usize]) -> f64 {
    let correct = predictions
        .iter()
        .zip(labels)
        .filter(|(prediction, label)| prediction == label)
        .count();
    correct as f64 / labels.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn argmax_takes_the_lowest_of_a_tie_and_never_a_nan() {
        assert_eq!(argmax(&[1.0, 3.0, 3.0]), 1);
        assert_eq!(argmax(&[f64::NAN, -1.0, -2.0]), 1);
        assert_eq!(argmax(&[2.0, f64::NAN, 1.0]), 0);
        assert_eq!(argmax(&[f64::NAN]), 0);
    }

    #[test]
    #[should_panic(expected = "training features are 2 wide in 3 classes, test features 1 wide in 3 classes")]
    fn unequal_widths_are_refused() {
        let train = Features {
            rows: &[0.0, 1.0],
            width: 2,
            labels: &[2],
            classes: 3,
        };
        check_pair(
            &train,
            &Features {
                rows: &[0.0],
                width: 1,
                labels: &[0],
                classes: 3,
            },
        );
    }

    #[test]
    #[should_panic(expected = "a test label is Some(3), but there are 3 classes")]
    fn a_label_beyond_the_classes_is_refused() {
        let train = Features {
            rows: &[0.0],
            width: 1,
            labels: &[2],
            classes: 3,
        };
        check_pair(&train, &Features { labels: &[3], ..train });
    }

    #[test]
    #[should_panic(expected = "the test features are empty: 0 images of width 1")]
    fn an_empty_set_is_refused() {
        let train = Features {
            rows: &[0.0],
            width: 1,
            labels: &[2],
            classes: 3,
        };
        check_pair(
            &train,
            &Features {
                rows: &[],
                labels: &[],
                ..train
            },
        );
    }
}
