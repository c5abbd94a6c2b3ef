//! Test images with boxes and masks over the truth, for a page.

use super::found::FoundObject;
use super::target::mask;
use barlow_augment::{RgbImage8, encode_png, resize_bilinear};
use barlow_data::{DetectionImage, DetectionSet};
use barlow_detect::{Corners, iou, resized, scale};
use barlow_eval::Rle;
use barlow_report::{BoxKind, DetectPicture, DrawnBox};

/// Lowest score of a detection that is drawn.
const LEAST_SCORE: f32 = 0.5;
/// Overlap from which on a detection is correct.
const OVERLAP: f64 = 0.5;
/// Longest side of a picture in pixels.
const LONGEST: usize = 480;
/// Colours of masks, by class.
const COLOURS: [[u8; 3]; 6] = [
    [0, 114, 178],
    [213, 94, 0],
    [0, 158, 115],
    [204, 121, 167],
    [240, 228, 66],
    [86, 180, 233],
];

/// At most `most` test images, spread evenly over the set, with the detections of a score of at least one half and the objects that were
/// missed. Images that cannot be decoded are skipped.
pub fn pictures(set: &DetectionSet, found: &[FoundObject], most: usize) -> Vec<DetectPicture> {
    let count = set.images.len().min(most);
    let images = (0..count).map(|at| at * set.images.len() / count.max(1));
    images.filter_map(|image| picture(set, found, image)).collect()
}

fn picture(set: &DetectionSet, found: &[FoundObject], image: usize) -> Option<DetectPicture> {
    let decoded = set.decode(image).ok()?;
    let from = [decoded.height(), decoded.width()];
    let to = resized(from, LONGEST.min(from[0].min(from[1])), LONGEST);
    let planes = resize_bilinear(&decoded, to[1], to[0]);
    let channel = |channel: usize| planes.plane(channel.min(planes.channels() - 1));
    let colours = if planes.channels() >= 3 { [0, 1, 2] } else { [0; 3] };
    let mut pixels = RgbImage8::from_fn(to[1], to[0], |x, y| colours.map(|of| channel(of)[y * to[1] + x]));
    let annotated = &set.images[image];
    let mut shown: Vec<&FoundObject> = found
        .iter()
        .filter(|found| found.image == image && found.score >= LEAST_SCORE)
        .collect();
    shown.sort_by(|a, b| b.score.total_cmp(&a.score));
    for object in &shown {
        if let Some(mask) = &object.mask {
            blend(&mut pixels, mask, COLOURS[object.class % COLOURS.len()]);
        }
    }
    for object in &annotated.objects {
        if let Some(Ok(mask)) = object.outline.as_ref().map(|outline| mask(outline, from)) {
            edge(&mut pixels, &mask);
        }
    }
    let moved = |corners: Corners| scale(corners, from, to);
    let boxes = verdicts(annotated, &shown)
        .into_iter()
        .map(|(kind, corners, class, score)| DrawnBox {
            corners: moved(corners),
            kind,
            label: match score {
                Some(score) => format!("{} {score:.2}", set.classes[class]),
                None => set.classes[class].clone(),
            },
        });
    Some(DetectPicture {
        name: annotated.name.clone(),
        boxes: boxes.collect(),
        size: [to[1], to[0]],
        png: encode_png(&pixels).ok()?,
    })
}

/// Which detections, highest score first, are correct, and which objects are missed: what it is, its box, class and score. Detections of
/// difficult objects and of crowds are not shown.
fn verdicts(image: &DetectionImage, shown: &[&FoundObject]) -> Vec<(BoxKind, Corners, usize, Option<f32>)> {
    let mut taken = vec![false; image.objects.len()];
    let mut out = Vec::new();
    for found in shown {
        let of_class = image
            .objects
            .iter()
            .enumerate()
            .filter(|(_, object)| object.class == found.class);
        let best = of_class
            .map(|(at, object)| (at, iou(&found.corners, &object.corners)))
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .filter(|&(_, overlap)| overlap >= OVERLAP);
        let kind = match best {
            Some((at, _)) if image.objects[at].difficult || image.objects[at].crowd => continue,
            Some((at, _)) if !std::mem::replace(&mut taken[at], true) => BoxKind::Right,
            _ => BoxKind::Wrong,
        };
        out.push((kind, found.corners, found.class, Some(found.score)));
    }
    for (object, taken) in image.objects.iter().zip(taken) {
        if !(taken || object.difficult || object.crowd) {
            out.push((BoxKind::Missed, object.corners, object.class, None));
        }
    }
    out
}

/// Which pixels of a picture a mask of the original image covers.
fn covered(picture: &RgbImage8, mask: &Rle) -> Vec<bool> {
    let ([height, width], mask) = (mask.size(), mask.to_mask());
    let (columns, rows) = (picture.width(), picture.height());
    let of_pixel = |at: usize| {
        let (x, y) = (at % columns, at / columns);
        mask[(y * height / rows) * width + x * width / columns]
    };
    (0..columns * rows).map(of_pixel).collect()
}

/// Mixes a colour into the pixels of a mask.
fn blend(picture: &mut RgbImage8, mask: &Rle, colour: [u8; 3]) {
    let covered = covered(picture, mask);
    for (pixel, _) in picture
        .pixels_mut()
        .chunks_exact_mut(3)
        .zip(covered)
        .filter(|(_, covered)| *covered)
    {
        for (value, colour) in pixel.iter_mut().zip(colour) {
            *value = ((u16::from(*value) + u16::from(colour)) / 2) as u8;
        }
    }
}

/// Draws the edge of an annotated mask in white.
fn edge(picture: &mut RgbImage8, mask: &Rle) {
    let covered = covered(picture, mask);
    let (columns, rows) = (picture.width(), picture.height());
    let inside = |x: usize, y: usize| covered[y * columns + x];
    for y in 0..rows {
        for x in 0..columns {
            let is_inner = (x > 0 && x + 1 < columns && y > 0 && y + 1 < rows)
                && [(x - 1, y), (x + 1, y), (x, y - 1), (x, y + 1)]
                    .into_iter()
                    .all(|(x, y)| inside(x, y));
            if inside(x, y) && !is_inner {
                picture.pixels_mut()[3 * (y * columns + x)..][..3].fill(255);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use barlow_data::DetectionObject;

    #[test]
    fn detections_are_right_wrong_or_of_nothing_that_counts_and_objects_are_missed() {
        let object = |class, x: f32, difficult| DetectionObject {
            class,
            corners: [x, 0.0, x + 10.0, 10.0],
            area: 100.0,
            difficult,
            crowd: false,
            outline: None,
        };
        let image = DetectionImage {
            path: "x".into(),
            name: "x".into(),
            id: 0,
            size: None,
            objects: vec![object(0, 0.0, false), object(1, 50.0, false), object(0, 90.0, true)],
        };
        let found = |class, x: f32, score| FoundObject {
            image: 0,
            class,
            score,
            corners: [x, 0.0, x + 10.0, 10.0],
            mask: None,
        };
        let found = [
            found(0, 1.0, 0.9),
            found(0, 0.0, 0.8),
            found(0, 51.0, 0.7),
            found(0, 90.0, 0.6),
        ];
        let shown: Vec<&FoundObject> = found.iter().collect();
        let kinds: Vec<(BoxKind, usize)> = verdicts(&image, &shown)
            .into_iter()
            .map(|(kind, _, class, _)| (kind, class))
            .collect();
        // The second is a duplicate, the third of another class, the last of a difficult object.
        use BoxKind::*;
        assert_eq!(kinds, [(Right, 0), (Wrong, 0), (Wrong, 0), (Missed, 1)]);
    }

    #[test]
    fn masks_are_blended_and_their_edges_drawn() {
        let mut picture = RgbImage8::from_fn(20, 10, |_, _| [100; 3]);
        let on = |at: usize| (4..10).contains(&(at % 20)) && (2..8).contains(&(at / 20));
        let mask = Rle::from_mask(10, 20, &(0..200).map(on).collect::<Vec<_>>()).unwrap();
        blend(&mut picture, &mask, [200, 0, 50]);
        assert_eq!((picture.pixel(5, 4), picture.pixel(3, 4)), ([150, 50, 75], [100; 3]));
        edge(&mut picture, &mask);
        assert_eq!((picture.pixel(4, 4), picture.pixel(5, 4)), ([255; 3], [150, 50, 75]));
        assert_eq!((picture.pixel(9, 7), picture.pixel(10, 7)), ([255; 3], [100; 3]));
    }
}
