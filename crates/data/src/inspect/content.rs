//! A hash of an image's content.

use barlow_augment::Image8;

/// A hash of an image's sides, channels and pixels as they are trained on. Two files with the same one show the same image, whatever
/// their names, formats and metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentHash([u8; 16]);

impl ContentHash {
    /// The hash of an image.
    #[must_use]
    pub fn of(image: &Image8) -> Self {
        let mut hasher = blake3::Hasher::new();
        for side in [image.width(), image.height(), image.channels()] {
            hasher.update(&(side as u64).to_le_bytes());
        }
        hasher.update(image.pixels());
        let mut first = [0; 16];
        first.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(first)
    }
}
