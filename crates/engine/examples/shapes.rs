//! Draws a set for detection with masks: circles, squares and triangles that overlap, in COCO's layout. What is visible of an object is
//! annotated, as polygons where it is whole and as run lengths where another one covers it.
//!
//! ```sh
//! cargo run --release -p barlow-engine --example shapes -- shapes 200 50
//! ```

use anyhow::{Context, Result};
use barlow_augment::{RgbImage8, encode_png, keyed_rng};
use rand::{Rng, RngExt};
use serde_json::{Value, json};
use std::path::Path;

/// Side of an image in pixels.
const SIDE: usize = 128;
/// Names of the classes.
const CLASSES: [&str; 3] = ["circle", "square", "triangle"];

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, train, test] = &arguments[..] else {
        anyhow::bail!("expected a folder, the number of training images and the number of test images");
    };
    let count = |text: &String| -> Result<u64> { text.parse().with_context(|| format!("{text} is no number")) };
    write_shapes(Path::new(folder), [count(train)?, count(test)?])
}

/// Writes the training and test images and their annotations below a folder.
pub fn write_shapes(folder: &Path, [train, test]: [u64; 2]) -> Result<()> {
    write_part(folder, "train", 0..train)?;
    write_part(folder, "test", 1_000_000..1_000_000 + test)
}

fn write_part(folder: &Path, part: &str, keys: std::ops::Range<u64>) -> Result<()> {
    let images = folder.join(part);
    std::fs::create_dir_all(&images)?;
    std::fs::create_dir_all(folder.join("annotations"))?;
    let (mut listed, mut annotations) = (Vec::new(), Vec::new());
    for key in keys {
        let (image, objects) = draw(key);
        let file_name = format!("{key:07}.png");
        std::fs::write(images.join(&file_name), encode_png(&image)?)?;
        listed.push(json!({ "id": key, "file_name": file_name, "height": SIDE, "width": SIDE }));
        for mut object in objects {
            object["id"] = json!(annotations.len() + 1);
            object["image_id"] = json!(key);
            annotations.push(object);
        }
    }
    let categories: Vec<Value> = (1..)
        .zip(CLASSES)
        .map(|(id, name)| json!({ "id": id, "name": name }))
        .collect();
    let text = json!({ "images": listed, "annotations": annotations, "categories": categories }).to_string();
    std::fs::write(folder.join(format!("annotations/instances_{part}.json")), text)?;
    Ok(())
}

/// A shape: its class and its corners, clockwise.
struct Shape {
    class: usize,
    corners: Vec<[f64; 2]>,
    colour: [u8; 3],
}

impl Shape {
    fn random(rng: &mut impl Rng) -> Self {
        let class = rng.random_range(0..3);
        let radius = rng.random_range(12.0..30.0);
        let [x, y] = [0, 1].map(|_| rng.random_range(radius + 1.0..SIDE as f64 - radius - 1.0));
        let turn = rng.random_range(0.0..std::f64::consts::TAU);
        let count = [32, 4, 3][class];
        let corner = |at: usize| {
            let angle = turn + std::f64::consts::TAU * at as f64 / count as f64;
            [x + radius * angle.cos(), y + radius * angle.sin()]
        };
        Self {
            class,
            corners: (0..count).map(corner).collect(),
            // Bright: the background is dark.
            colour: [0; 3].map(|_: u8| rng.random_range(90..=255)),
        }
    }

    /// Whether the middle of a pixel is inside, for a convex shape.
    fn covers(&self, x: usize, y: usize) -> bool {
        let [x, y] = [x, y].map(|at| at as f64 + 0.5);
        let count = self.corners.len();
        (0..count).all(|at| {
            let ([ax, ay], [bx, by]) = (self.corners[at], self.corners[(at + 1) % count]);
            (bx - ax) * (y - ay) - (by - ay) * (x - ax) >= 0.0
        })
    }
}

/// An image and its annotations, a function of its key.
fn draw(key: u64) -> (RgbImage8, Vec<Value>) {
    let mut rng = keyed_rng(0, 0, key, 0);
    let shapes: Vec<Shape> = (0..rng.random_range(1..=4)).map(|_| Shape::random(&mut rng)).collect();
    // The number of the shape that is seen at each pixel.
    let seen: Vec<Option<usize>> = (0..SIDE * SIDE)
        .map(|at| {
            (0..shapes.len())
                .rev()
                .find(|&shape| shapes[shape].covers(at % SIDE, at / SIDE))
        })
        .collect();
    let noise: Vec<u8> = seen.iter().map(|_| rng.random_range(0..60)).collect();
    let image = RgbImage8::from_fn(SIDE, SIDE, |x, y| match seen[y * SIDE + x] {
        Some(shape) => shapes[shape].colour.map(|value| value - noise[y * SIDE + x] / 4),
        None => [0, 1, 2].map(|channel| noise[(y * SIDE + x + channel * 977) % noise.len()]),
    });
    let annotation = |(number, shape): (usize, &Shape)| {
        let visible: Vec<bool> = seen.iter().map(|at| *at == Some(number)).collect();
        let whole = (0..SIDE * SIDE).filter(|at| shape.covers(at % SIDE, at / SIDE)).count();
        let area = visible.iter().filter(|&&on| on).count();
        // Of a shape that is mostly covered nobody can tell the class.
        (2 * area >= whole).then(|| {
            let on = || (0..SIDE * SIDE).filter(|&at| visible[at]);
            let (x, y) = (on().map(|at| at % SIDE).min(), on().map(|at| at / SIDE).min());
            let (right, bottom) = (on().map(|at| at % SIDE).max(), on().map(|at| at / SIDE).max());
            let [x, y, right, bottom] = [x, y, right, bottom].map(|side| side.unwrap_or(0));
            let segmentation = if area == whole {
                json!([shape.corners.iter().flatten().collect::<Vec<_>>()])
            } else {
                json!({ "size": [SIDE, SIDE], "counts": runs(&visible) })
            };
            json!({
                "category_id": shape.class + 1,
                "bbox": [x, y, right + 1 - x, bottom + 1 - y],
                "area": area,
                "iscrowd": 0,
                "segmentation": segmentation,
            })
        })
    };
    (image, shapes.iter().enumerate().filter_map(annotation).collect())
}

/// Runs along the columns, beginning with background.
fn runs(mask: &[bool]) -> Vec<usize> {
    let (mut runs, mut value, mut length) = (Vec::new(), false, 0);
    for at in (0..SIDE * SIDE).map(|at| (at % SIDE) * SIDE + at / SIDE) {
        if mask[at] != value {
            runs.push(std::mem::take(&mut length));
            value = !value;
        }
        length += 1;
    }
    runs.push(length);
    runs
}
