//! Boxes by their corners.

/// x1, y1, x2, y2 in pixels.
pub type Corners = [f32; 4];

/// Area; negative sides count as none.
pub(crate) fn area(corners: &Corners) -> f64 {
    let side = |axis: usize| (f64::from(corners[axis + 2]) - f64::from(corners[axis])).max(0.0);
    side(0) * side(1)
}

/// Intersection over union; 0 without overlap.
pub fn iou(a: &Corners, b: &Corners) -> f64 {
    let side = |axis: usize| f64::from(a[axis + 2].min(b[axis + 2])) - f64::from(a[axis].max(b[axis]));
    let (width, height) = (side(0), side(1));
    if !(width > 0.0 && height > 0.0) {
        return 0.0;
    }
    let both = width * height;
    both / (area(a) + area(b) - both)
}

/// Intersection over union of every object with every box, [objects, boxes].
pub fn ious(objects: &[Corners], boxes: &[Corners]) -> Vec<f64> {
    let of_object = |object| boxes.iter().map(move |corners| iou(object, corners));
    objects.iter().flat_map(of_object).collect()
}

/// The part of a box within an image of `height` and `width` pixels.
pub fn clip(corners: Corners, [height, width]: [usize; 2]) -> Corners {
    let [x1, y1, x2, y2] = corners;
    let (width, height) = (width as f32, height as f32);
    [
        x1.clamp(0.0, width),
        y1.clamp(0.0, height),
        x2.clamp(0.0, width),
        y2.clamp(0.0, height),
    ]
}

/// A box of an image that was resized from one size (height, width) to another.
pub fn scale(corners: Corners, from: [usize; 2], to: [usize; 2]) -> Corners {
    let factor = |axis: usize| to[axis] as f64 / from[axis] as f64;
    let (down, across) = (factor(0), factor(1));
    let scaled = |value: f32, factor: f64| (f64::from(value) * factor) as f32;
    let [x1, y1, x2, y2] = corners;
    [
        scaled(x1, across),
        scaled(y1, down),
        scaled(x2, across),
        scaled(y2, down),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlaps_of_touching_nested_and_degenerate_boxes() {
        let unit = [0.0, 0.0, 10.0, 10.0];
        assert_eq!(iou(&unit, &[0.0, 0.0, 10.0, 5.0]), 0.5);
        assert_eq!(iou(&unit, &unit), 1.0);
        assert_eq!(iou(&unit, &[10.0, 0.0, 20.0, 10.0]), 0.0);
        assert_eq!(iou(&unit, &[5.0, 5.0, 5.0, 5.0]), 0.0);
        assert_eq!(iou(&unit, &[8.0, 8.0, 2.0, 2.0]), 0.0);
        assert_eq!(
            ious(&[unit, [0.0; 4]], &[unit, [0.0, 0.0, 5.0, 10.0]]),
            [1.0, 0.5, 0.0, 0.0]
        );
    }

    #[test]
    fn boxes_are_clipped_and_scaled_per_axis() {
        assert_eq!(clip([-3.0, 2.0, 90.0, 70.0], [60, 80]), [0.0, 2.0, 80.0, 60.0]);
        assert_eq!(scale([2.0, 3.0, 4.0, 6.0], [60, 80], [120, 40]), [1.0, 6.0, 2.0, 12.0]);
    }
}
