//! What can be wrong with a mask.

/// Why a mask cannot be made. Each is one line.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MaskError {
    /// An image without pixels, or with more than the limit.
    #[error("a mask of {height} x {width} pixels; between 1 and {limit} pixels are supported")]
    Size {
        /// Height in pixels.
        height: usize,
        /// Width in pixels.
        width: usize,
        /// Largest number of pixels.
        limit: usize,
    },
    /// Runs that do not fill the image.
    #[error("the runs add up to {sum} pixels, but the image has {pixels}")]
    Sum {
        /// Pixels in the runs.
        sum: u64,
        /// Pixels of the image.
        pixels: u64,
    },
    /// A compressed string with a character outside its alphabet, or that ends within a number.
    #[error("byte {at} of the compressed runs is damaged")]
    Compressed {
        /// Position, from 0.
        at: usize,
    },
    /// A polygon with fewer than three points, or with half a point.
    #[error("a polygon of {numbers} numbers; it needs x and y of at least three points")]
    Points {
        /// Its length.
        numbers: usize,
    },
    /// A coordinate that is not finite or far outside every image.
    #[error("the polygon has the coordinate {value}, which is outside ±{limit}")]
    Coordinate {
        /// The coordinate.
        value: f64,
        /// Largest magnitude.
        limit: f64,
    },
    /// Polygons whose outlines are longer than any image justifies.
    #[error("the outlines are longer than {limit} pixels")]
    Outline {
        /// Longest outline in pixels.
        limit: u64,
    },
    /// Two masks of different images.
    #[error("masks of {}x{} and {}x{} pixels cannot be combined", first[0], first[1], second[0], second[1])]
    Mismatch {
        /// Height and width.
        first: [usize; 2],
        /// Height and width.
        second: [usize; 2],
    },
}
