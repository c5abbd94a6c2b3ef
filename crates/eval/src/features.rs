//! Labelled features in memory.

use crate::Rows;
use std::io;
use std::ops::Range;

/// Features of labelled images in memory, row by row.
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

impl Rows for Features<'_> {
    fn width(&self) -> usize {
        self.width
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn labels(&self) -> &[usize] {
        self.labels
    }

    fn read<'a>(&'a self, range: Range<usize>, _: &'a mut Vec<f32>) -> io::Result<&'a [f32]> {
        let (values, images, width) = (self.rows.len(), self.len(), self.width);
        if values != images * width {
            let message = format!("{values} values are not {images} rows of {width}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        Ok(&self.rows[range.start * width..range.end * width])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::check_pair;
    use crate::{KnnConfig, knn, unattended};

    const TRAIN: Features = Features {
        rows: &[0.0, 1.0],
        width: 2,
        labels: &[2],
        classes: 3,
    };

    fn refused(train: Features, test: Features) -> String {
        check_pair(&train, &test).unwrap_err().to_string()
    }

    #[test]
    fn inconsistent_sets_are_refused_in_one_line() {
        let narrow = Features {
            rows: &[0.0],
            width: 1,
            ..TRAIN
        };
        assert_eq!(
            refused(TRAIN, narrow),
            "training features are 2 wide in 3 classes, test features 1 wide in 3 classes"
        );
        let label = Features { labels: &[3], ..TRAIN };
        assert_eq!(
            refused(TRAIN, label),
            "the label of test row 0 is 3, but the classes are 0 to 2"
        );
        let empty = Features {
            rows: &[],
            labels: &[],
            ..TRAIN
        };
        assert_eq!(refused(TRAIN, empty), "the test features are empty: 0 rows of width 2");
        assert_eq!(
            refused(empty, TRAIN),
            "the training features are empty: 0 rows of width 2"
        );
    }

    #[test]
    fn a_wrong_number_of_values_is_refused_when_it_is_read() {
        let short = Features {
            labels: &[0, 1],
            ..TRAIN
        };
        let error = knn(&TRAIN, &short, &KnnConfig::default(), &mut unattended).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot read test rows 0 to 2: 2 values are not 2 rows of 2"
        );
    }
}
