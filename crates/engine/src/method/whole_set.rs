//! What a pass over the whole training set gives a method: a row of values for every image, on the host.

/// The inputs of the projector's last layer for the images of a training set, in training mode and with the training views.
#[derive(Clone, Debug, PartialEq)]
pub struct WholeSet {
    width: usize,
    /// [images, width]
    values: Vec<f32>,
    /// Whether an image was read: a bad one may have been replaced by another.
    seen: Vec<bool>,
}

impl WholeSet {
    /// A set of `images` images with rows of `width` values, none of which was seen yet.
    pub fn new(images: usize, width: usize) -> Self {
        Self {
            width,
            values: vec![0.0; images * width],
            seen: vec![false; images],
        }
    }

    /// Number of images in the set, those that were not read included.
    pub fn images(&self) -> usize {
        self.seen.len()
    }

    /// Values of an image.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Sets the rows of some images, by their numbers in the set.
    ///
    /// # Panics
    /// If there are not `width` values for each of them, or an image is not in the set.
    pub fn put(&mut self, indices: &[usize], values: &[f32]) {
        let expected = indices.len() * self.width;
        assert_eq!(values.len(), expected, "{} values of {expected}", values.len());
        for (&image, row) in indices.iter().zip(values.chunks(self.width)) {
            self.values[image * self.width..][..self.width].copy_from_slice(row);
            self.seen[image] = true;
        }
    }

    /// The numbers of the images that were seen, ascending.
    pub fn seen(&self) -> Vec<usize> {
        (0..self.seen.len()).filter(|&image| self.seen[image]).collect()
    }

    /// The rows of some images.
    pub fn rows(&self, images: &[usize]) -> Vec<f32> {
        let row = |&image: &usize| &self.values[image * self.width..][..self.width];
        images.iter().flat_map(row).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_that_was_not_read_is_not_seen() {
        let mut set = WholeSet::new(4, 2);
        set.put(&[3, 0], &[1.0, 2.0, 3.0, 4.0]);
        set.put(&[3], &[5.0, 6.0]);
        assert_eq!(set.seen(), [0, 3]);
        assert_eq!(set.rows(&[3, 0]), [5.0, 6.0, 3.0, 4.0]);
        assert_eq!((set.images(), set.width()), (4, 2));
    }
}
