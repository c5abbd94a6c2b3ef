//! The order in which a detector sees its training images: one shuffle after the other, without end.

use barlow_data::{DetectionObject, DetectionSet, shuffled_indices};

/// Whether an object trains: not a group of several.
pub(super) fn trains(object: &DetectionObject) -> bool {
    !object.crowd
}

/// The endless order of the images that have something to train on.
#[derive(Clone, Debug)]
pub(super) struct TrainOrder {
    /// Indices of these images in their set.
    images: Vec<usize>,
    seed: u64,
    /// The shuffle that was used last, with its number.
    shuffle: Option<(u64, Vec<usize>)>,
}

impl TrainOrder {
    pub(super) fn new(set: &DetectionSet, seed: u64) -> Self {
        let has_objects = |&index: &usize| set.images[index].objects.iter().any(trains);
        Self {
            images: (0..set.images.len()).filter(has_objects).collect(),
            seed,
            shuffle: None,
        }
    }

    /// How many images there are.
    pub(super) fn len(&self) -> usize {
        self.images.len()
    }

    /// The index of the image at a position of the order.
    ///
    /// # Panics
    /// If there are no images.
    pub(super) fn at(&mut self, position: u64) -> usize {
        let len = self.images.len() as u64;
        let (number, place) = (position / len, (position % len) as usize);
        if self.shuffle.as_ref().is_none_or(|(known, _)| *known != number) {
            self.shuffle = Some((number, shuffled_indices(self.images.len(), self.seed, number)));
        }
        let (_, order) = self.shuffle.as_ref().expect("made above");
        self.images[order[place]]
    }

    /// The image that takes the place of one that cannot be decoded.
    pub(super) fn next_of(&self, image: usize) -> usize {
        let place = self.images.binary_search(&image).unwrap_or_else(|place| place);
        self.images[(place + 1) % self.images.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use barlow_data::DetectionImage;

    #[test]
    fn every_image_with_objects_is_seen_once_per_pass_from_any_position() {
        let object = |crowd| DetectionObject {
            class: 0,
            corners: [0.0, 0.0, 5.0, 5.0],
            area: 25.0,
            difficult: false,
            crowd,
            outline: None,
        };
        let image = |objects: Vec<DetectionObject>| DetectionImage {
            path: "x".into(),
            name: "x".into(),
            id: 0,
            size: None,
            objects,
        };
        let images = (0..10).map(|at| match at {
            3 => image(vec![]),
            5 => image(vec![object(true)]),
            _ => image(vec![object(false)]),
        });
        let set = DetectionSet {
            images: images.collect(),
            ..DetectionSet::default()
        };
        let mut order = TrainOrder::new(&set, 7);
        assert_eq!(order.len(), 8);
        let seen: Vec<usize> = (0..24).map(|position| order.at(position)).collect();
        for pass in seen.chunks(8) {
            let mut pass = pass.to_vec();
            pass.sort_unstable();
            assert_eq!(pass, [0, 1, 2, 4, 6, 7, 8, 9]);
        }
        assert_ne!(seen[..8], seen[8..16]);
        let mut resumed = TrainOrder::new(&set, 7);
        assert_eq!((resumed.at(13), resumed.at(2)), (seen[13], seen[2]));
        assert_eq!((order.next_of(2), order.next_of(9)), (4, 0));
    }
}
