//! The size of a view, and objects that follow their image: resized by the shorter side, flipped.

use crate::boxes::{Corners, clip, scale};
use crate::outline::Outline;

/// Sides that a box must have to train, in pixels: shorter ones are slips of an annotator.
pub const LEAST_SIDE: f32 = 2.0;

/// Height and width of an image of `size` whose shorter side becomes `short` pixels, or less so that the longer is at most `longest`:
/// detectron2's `ResizeShortestEdge`.
///
/// # Panics
/// If a side is 0.
pub fn resized([height, width]: [usize; 2], short: usize, longest: usize) -> [usize; 2] {
    assert!(height * width > 0, "an image of {height} x {width} pixels");
    let factor = short as f64 / height.min(width) as f64;
    let (mut down, mut across) = match height < width {
        true => (short as f64, factor * width as f64),
        false => (factor * height as f64, short as f64),
    };
    let most = down.max(across);
    if most > longest as f64 {
        let factor = longest as f64 / most;
        (down, across) = (down * factor, across * factor);
    }
    [down, across].map(|side| ((side + 0.5) as usize).max(1))
}

/// An object after its image was resized from one size (height, width) to another and, if asked for, flipped from left to right: its box
/// within the image and its outline. `None` if a side of the box is shorter than [`LEAST_SIDE`].
pub fn view_object(
    corners: Corners,
    outline: Option<&Outline>,
    from: [usize; 2],
    to: [usize; 2],
    flipped: bool,
) -> Option<(Corners, Option<Outline>)> {
    let mut moved = scale(corners, from, to);
    if flipped {
        let [x1, y1, x2, y2] = moved;
        moved = [to[1] as f32 - x2, y1, to[1] as f32 - x1, y2];
    }
    let moved = clip(moved, to);
    let [x1, y1, x2, y2] = moved;
    if !(x2 - x1 >= LEAST_SIDE && y2 - y1 >= LEAST_SIDE) {
        return None;
    }
    Some((moved, outline.map(|outline| outline.resized(from, to, flipped))))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with the formula of detectron2's `ResizeShortestEdge.get_output_shape`.
    #[test]
    fn the_shorter_side_decides_unless_the_longer_is_too_long() {
        assert_eq!(resized([480, 640], 800, 1333), [800, 1067]);
        assert_eq!(resized([640, 480], 800, 1333), [1067, 800]);
        assert_eq!(resized([427, 640], 800, 1333), [800, 1199]);
        assert_eq!(resized([300, 900], 800, 1333), [444, 1333]);
        assert_eq!(resized([500, 500], 480, 1333), [480, 480]);
        assert_eq!(resized([1, 3000], 800, 1333), [1, 1333]);
    }

    #[test]
    fn objects_follow_their_image() {
        let polygons = |polygon: [f64; 6]| Outline::Polygons(vec![polygon.to_vec()]);
        let outline = polygons([10.0, 20.0, 30.0, 20.0, 30.0, 60.0]);
        let corners = [10.0, 20.0, 30.0, 60.0];
        let (moved, resized) = view_object(corners, Some(&outline), [100, 200], [50, 400], false).unwrap();
        assert_eq!(moved, [20.0, 10.0, 60.0, 30.0]);
        assert_eq!(resized, Some(polygons([20.0, 10.0, 60.0, 10.0, 60.0, 30.0])));
        let (flipped, resized) = view_object(corners, resized.as_ref(), [50, 400], [50, 400], true).unwrap();
        assert_eq!(flipped, [370.0, 20.0, 390.0, 50.0]);
        assert_eq!(resized, Some(polygons([380.0, 10.0, 340.0, 10.0, 340.0, 30.0])));
        // Outside, degenerate, NaN.
        for bad in [
            [500.0, 0.0, 600.0, 40.0],
            [7.0, 7.0, 7.0, 7.0],
            [f32::NAN, 0.0, 9.0, 9.0],
        ] {
            assert_eq!(view_object(bad, None, [50, 400], [50, 400], false), None);
        }
    }
}
