//! Views of training images with their targets, and batches of them: a function of (seed, step), whatever was computed before.

use super::order::{TrainOrder, trains};
use super::recipe::ViewSection;
use super::target::outline;
use anyhow::{Result, bail};
use barlow_augment::{Image8, Normalization, flip_horizontal, keyed_rng, resize_bilinear};
use barlow_data::{DataError, DetectionSet};
use barlow_detect::{ImageTargets, LEAST_SIDE, resized, view_object};
use rand::RngExt;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;

/// Stream of a view's draws in [`keyed_rng`]: no other draw of a run has it.
const VIEW_STREAM: u64 = 1 << 32;

/// An image as the network sees it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct View {
    /// [C, height, width], normalised.
    pub(super) pixels: Vec<f32>,
    /// Height and width.
    pub(super) size: [usize; 2],
}

impl View {
    /// A whole image, resized to `size` and perhaps flipped.
    pub(super) fn of(image: &Image8, size: [usize; 2], flipped: bool, normalization: &Normalization) -> Self {
        let mut planes = resize_bilinear(image, size[1], size[0]);
        if flipped {
            flip_horizontal(&mut planes);
        }
        let mut pixels = vec![0.0; normalization.channels() * size[0] * size[1]];
        normalization.write_planes(&planes, &mut pixels);
        Self { pixels, size }
    }
}

/// Images padded with zeros at the right and the lower edge to one size, a multiple of `divisor`: the values and their shape [N, C, H, W].
pub(super) fn padded(views: &[&View], channels: usize, divisor: usize) -> (Vec<f32>, [usize; 4]) {
    let side = |axis: usize| {
        let largest = views.iter().map(|view| view.size[axis]).max().unwrap_or(1);
        largest.next_multiple_of(divisor)
    };
    let [height, width] = [side(0), side(1)];
    let mut values = vec![0.0; views.len() * channels * height * width];
    for (view, image) in views.iter().zip(values.chunks_exact_mut(channels * height * width)) {
        let [view_height, view_width] = view.size;
        let planes = view.pixels.chunks_exact(view_height * view_width);
        for (plane, padded) in planes.zip(image.chunks_exact_mut(height * width)) {
            for (row, padded) in plane.chunks_exact(view_width).zip(padded.chunks_exact_mut(width)) {
                padded[..view_width].copy_from_slice(row);
            }
        }
    }
    (values, [views.len(), channels, height, width])
}

/// Images that could not be used, with what is wrong with each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skipped(BTreeMap<usize, String>);

impl Skipped {
    /// Whether an image was skipped.
    pub fn contains(&self, image: usize) -> bool {
        self.0.contains_key(&image)
    }

    /// Adds an image once.
    pub(super) fn add(&mut self, image: usize, error: &DataError) {
        let text = match error {
            DataError::BadImage { path, reason } => format!("bad image {}: {reason}", path.display()),
            DataError::Unreadable { path, source } => format!("cannot read {}: {source}", path.display()),
            error => error.to_string(),
        };
        self.0.entry(image).or_insert(text);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Their indices, ascending.
    pub fn images(&self) -> impl Iterator<Item = usize> {
        self.0.keys().copied()
    }

    /// `2 test images cannot be used (skipped; first: bad image x.jpg: ..)`; `None` without any.
    pub fn line(&self, part: &str) -> Option<String> {
        let first = self.0.values().next()?;
        let plural = if self.0.len() == 1 { "" } else { "s" };
        Some(format!(
            "{} {part} image{plural} cannot be used (skipped; first: {first})",
            self.0.len()
        ))
    }
}

/// The images of a step with their targets.
#[derive(Clone, Debug, PartialEq)]
pub struct DetectionBatch {
    pub(super) views: Vec<(View, ImageTargets)>,
    /// Images that were skipped so far.
    pub(super) skipped: Skipped,
}

/// A view with its targets, and the images before it that could not be decoded.
type Made = (Option<(View, ImageTargets)>, Vec<(usize, DataError)>);

/// Makes batches.
pub struct TrainViews<'a> {
    set: &'a DetectionSet,
    settings: &'a ViewSection,
    normalization: &'a Normalization,
    order: TrainOrder,
    seed: u64,
    masks: bool,
    skipped: Skipped,
}

impl<'a> TrainViews<'a> {
    /// Views of a set's images that have objects; with masks if `masks`.
    pub fn new(
        set: &'a DetectionSet,
        settings: &'a ViewSection,
        normalization: &'a Normalization,
        seed: u64,
        masks: bool,
    ) -> Self {
        Self {
            order: TrainOrder::new(set, seed),
            set,
            settings,
            normalization,
            seed,
            masks,
            skipped: Skipped::default(),
        }
    }

    /// How many images there are to train on.
    pub fn images(&self) -> usize {
        self.order.len()
    }

    /// How many objects do not train at the smallest size of their images, because a side is shorter than two pixels there. An image whose size
    /// is not annotated is left to its views.
    pub fn too_small(&self) -> usize {
        let short = self.settings.short_sides.iter().copied().min().unwrap_or(1);
        let of_image = |image: &barlow_data::DetectionImage| {
            let Some(size) = image.size else { return 0 };
            let to = resized(size, short, self.settings.longest);
            let factor = |axis: usize| to[axis] as f32 / size[axis] as f32;
            let is_small = |object: &&barlow_data::DetectionObject| {
                let [x1, y1, x2, y2] = object.corners;
                (x2 - x1) * factor(1) < LEAST_SIDE || (y2 - y1) * factor(0) < LEAST_SIDE
            };
            image
                .objects
                .iter()
                .filter(|object| trains(object))
                .filter(is_small)
                .count()
        };
        self.set.images.iter().map(of_image).sum()
    }

    /// The batch of a step: `size` images. An image that cannot be decoded is replaced by the next one of the set.
    ///
    /// # Errors
    /// If none can be decoded, or the disk fails.
    pub fn batch(&mut self, step: u64, size: usize) -> Result<DetectionBatch> {
        let images: Vec<usize> = (0..size as u64)
            .map(|slot| self.order.at(step * size as u64 + slot))
            .collect();
        let made = self.made(&images, step);
        let mut views = Vec::with_capacity(size);
        for made in made {
            let (view, bad) = made?;
            for (image, error) in bad {
                self.skipped.add(image, &error);
            }
            match view {
                Some(view) => views.push(view),
                None => bail!(
                    "{}",
                    self.skipped
                        .line("training")
                        .unwrap_or_else(|| "no training images".to_owned())
                ),
            }
        }
        Ok(DetectionBatch {
            views,
            skipped: self.skipped.clone(),
        })
    }

    /// The views of a step's images, by threads of their own: those of the global pool compute the step before, and may wait for these.
    fn made(&self, images: &[usize], step: u64) -> Vec<Result<Made>> {
        let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let part = images.len().div_ceil(threads).max(1);
        let of_part = |(number, images): (usize, &[usize])| -> Vec<Result<Made>> {
            let slots = (number * part) as u64..;
            let made = images.iter().zip(slots);
            made.map(|(&image, slot)| self.view_or_next(image, step, slot))
                .collect()
        };
        let mut parts = images.chunks(part).enumerate();
        let Some(first) = parts.next() else { return Vec::new() };
        std::thread::scope(|scope| {
            let others: Vec<_> = parts.map(|part| scope.spawn(move || of_part(part))).collect();
            let mut made = of_part(first);
            for other in others {
                made.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            }
            made
        })
    }

    /// The view of an image, or of the next one that can be decoded, with the errors of those before it.
    fn view_or_next(&self, image: usize, step: u64, slot: u64) -> Result<Made> {
        let (mut image, mut bad) = (image, Vec::new());
        while bad.len() < self.order.len() {
            match self.set.decode(image) {
                Ok(decoded) => return Ok((Some(self.view(image, &decoded, step, slot)), bad)),
                Err(error) if error.is_bad_image() => bad.push((image, error)),
                Err(error) => return Err(error.into()),
            }
            image = self.order.next_of(image);
        }
        Ok((None, bad))
    }

    fn view(&self, image: usize, decoded: &Image8, step: u64, slot: u64) -> (View, ImageTargets) {
        let mut rng = keyed_rng(self.seed, step, slot, VIEW_STREAM);
        let sides = &self.settings.short_sides;
        let short = sides[rng.random_range(0..sides.len() as u64) as usize];
        let flipped = rng.random::<f64>() < self.settings.flip;
        let from = [decoded.height(), decoded.width()];
        let to = resized(from, short, self.settings.longest);
        let mut targets = ImageTargets::default();
        for object in self.set.images[image].objects.iter().filter(|object| trains(object)) {
            let annotated = object.outline.as_ref().filter(|_| self.masks);
            let annotated = annotated.and_then(|annotated| outline(annotated, from));
            let Some((corners, moved)) = view_object(object.corners, annotated.as_ref(), from, to, flipped) else {
                continue;
            };
            targets.boxes.push(corners);
            targets.classes.push(object.class);
            if self.masks {
                targets.outlines.push(moved);
            }
        }
        (View::of(decoded, to, flipped, self.normalization), targets)
    }
}
