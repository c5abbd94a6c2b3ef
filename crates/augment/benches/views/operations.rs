//! Benchmark of each operation by itself, on crops drawn from the preset.

use std::time::Instant;

use barlow_augment::{
    Image8, Normalization, PlanarImage8, RgbPlanes, ViewDraw, ViewPreset, decode, draw_view, keyed_rng,
    resize_bicubic_into,
};

use crate::images::Images;

/// Number of images.
const IMAGES: usize = 60;
/// Rounds over the images. The fastest one is reported, because other programs slow down the rest.
const ROUNDS: usize = 5;

/// Name and mean seconds of each operation.
pub fn table(images: &Images, pixels: usize) -> Vec<(&'static str, f64)> {
    let files: Vec<Vec<u8>> = (0..images.len().min(IMAGES)).map(|index| images.bytes(index)).collect();
    let mut rows = vec![("decode", mean(&files, |_| (), |(), file| drop(decode(file))))];

    let decoded = |file: &Vec<u8>| -> Image8 { decode(file).expect("an image").into() };
    let images: Vec<(Image8, ViewDraw)> = files
        .iter()
        .zip(0..)
        .map(|(file, index)| {
            let image = decoded(file);
            let rng = &mut keyed_rng(0, 0, index, 0);
            let draw = draw_view(&ViewPreset::Imagenet.views().0, rng, image.width(), image.height());
            (image, draw)
        })
        .collect();
    let mut view = PlanarImage8::default();
    let resize =
        |(), (image, draw): &(Image8, ViewDraw)| resize_bicubic_into(image, draw.crop, pixels, pixels, &mut view);
    rows.push(("crop-resize", mean(&images, |_| (), resize)));

    let views: Vec<PlanarImage8> = images
        .iter()
        .map(|(image, draw)| {
            let mut view = PlanarImage8::default();
            resize_bicubic_into(image, draw.crop, pixels, pixels, &mut view);
            view
        })
        .collect();
    rows.push((
        "flip",
        mean(&views, Clone::clone, |mut view, _| {
            barlow_augment::flip_horizontal(&mut view)
        }),
    ));
    type Colours = fn(RgbPlanes<'_>);
    let colours: [(&str, Colours); 6] = [
        ("brightness", |planes| barlow_augment::brightness(planes, 1.23)),
        ("contrast", |planes| barlow_augment::contrast(planes, 0.81)),
        ("saturation", |planes| barlow_augment::saturation(planes, 1.13)),
        ("hue", |planes| barlow_augment::hue(planes, 0.07)),
        ("greyscale", barlow_augment::greyscale),
        ("solarize", barlow_augment::solarize),
    ];
    for (name, operation) in colours {
        let seconds = mean(&views, Clone::clone, |mut view, _| {
            operation(view.rgb_planes().expect("an RGB view"));
        });
        rows.push((name, seconds));
    }
    for (name, sigma) in [("blur, s 0.9", 0.9), ("blur, s 1.8", 1.8), ("blur, s 5", 5.0)] {
        let seconds = mean(&views, Clone::clone, |mut view, _| {
            barlow_augment::gaussian_blur(&mut view, sigma)
        });
        rows.push((name, seconds));
    }
    let normalization = Normalization::imagenet();
    let mut output = vec![0.0; 3 * pixels * pixels];
    let normalise = |(), view: &PlanarImage8| normalization.write_planes(view, &mut output);
    rows.push(("normalise", mean(&views, |_| (), normalise)));
    rows
}

/// Mean seconds of `work` over the items, in the fastest round. The time of `prepare` is not counted.
fn mean<T, P>(items: &[T], prepare: impl Fn(&T) -> P, mut work: impl FnMut(P, &T)) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let mut total = 0.0;
        for item in items {
            let prepared = prepare(item);
            let start = Instant::now();
            work(prepared, item);
            total += start.elapsed().as_secs_f64();
        }
        best = f64::min(best, total);
    }
    best / items.len() as f64
}
