//! All views of a run: groups of views, each view with its own random stream, written as normalised pixels.
//!
//! Views are numbered through all groups in their order, and the number selects the random stream: appending a group
//! changes no pixel of the views before it. This file must not read configs from anywhere: it takes groups and checks them.

use std::cell::RefCell;
use std::collections::BTreeSet;

use crate::pipeline::apply_to;
use crate::rng::view_rng;
use crate::{ConfigError, CropBox, Image8, ImageRegion, Normalization, PlanarImage8, ViewDraw, ViewGroup};
use crate::{apply_draw, draw_view};

/// Pixels of an image that is always decoded whole.
const SMALL: usize = 64 * 64;

/// The views of a run, ready to be used from any number of threads.
#[derive(Debug, Clone)]
pub struct Views {
    groups: Vec<ViewGroup>,
    /// The group of each view.
    group_of: Vec<usize>,
    normalization: Normalization,
}

impl Views {
    /// Checks the groups and the normalisation. The views are numbered group by group, in the given order.
    ///
    /// # Errors
    /// [`ConfigError`] naming the first key that is out of range (`views.a.jitter.hue`, `views.small.count`,
    /// `views.small.size`, `normalize.std`, ...): there must be at least one group, each with a count in `[1, 1000]`, a size
    /// in `[1, MAX_SIDE]` and a name that is not empty and results in view names that no other group has.
    pub fn new(groups: &[ViewGroup], normalization: Normalization) -> Result<Self, ConfigError> {
        if groups.is_empty() {
            return Err(ConfigError::new("views", "[]", "at least one group of views"));
        }
        let (mut group_names, mut view_names) = (BTreeSet::new(), BTreeSet::new());
        for group in groups {
            group.validate()?;
            let is_new = group_names.insert(group.name.as_str())
                && (0..group.count).all(|number| view_names.insert(group.view_name(number)));
            if !is_new {
                let allowed = "a name that no other group has, nor any of its views";
                return Err(ConfigError::new("views.name", format!("{:?}", group.name), allowed));
            }
        }
        normalization.validate()?;
        let numbered = groups.iter().enumerate();
        Ok(Self {
            groups: groups.to_vec(),
            group_of: numbered
                .flat_map(|(number, group)| std::iter::repeat_n(number, group.count))
                .collect(),
            normalization,
        })
    }

    /// The groups, in the order of their views.
    #[must_use]
    pub fn groups(&self) -> &[ViewGroup] {
        &self.groups
    }

    /// Views of each image, of all groups together; at least 1.
    #[must_use]
    pub fn len(&self) -> usize {
        self.group_of.len()
    }

    /// Always false: [`Views::new`] refuses an empty list of groups.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.group_of.is_empty()
    }

    /// Number of channels of the images: that of the normalisation.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.normalization.channels()
    }

    /// Side of a view in pixels.
    ///
    /// # Panics
    /// If there is no such view.
    #[must_use]
    pub fn size(&self, view: usize) -> usize {
        self.group(view).size
    }

    /// Values of a view: `channels * size * size`.
    ///
    /// # Panics
    /// If there is no such view.
    #[must_use]
    pub fn values(&self, view: usize) -> usize {
        self.channels() * self.size(view) * self.size(view)
    }

    /// The number of a view's group in [`Views::groups`].
    ///
    /// # Panics
    /// If there is no such view.
    #[must_use]
    pub fn group_of(&self, view: usize) -> usize {
        assert!(view < self.len(), "view {view} of {}", self.len());
        self.group_of[view]
    }

    /// The name of a view: `view_a` in a group `a` of one view, `view_small_0`, `view_small_1`, ... in a group `small` of
    /// several.
    ///
    /// # Panics
    /// If there is no such view.
    #[must_use]
    pub fn name(&self, view: usize) -> String {
        let before = &self.groups[..self.group_of(view)];
        let first: usize = before.iter().map(|group| group.count).sum();
        self.group(view).view_name(view - first)
    }

    /// Writes all views of the image, view `v` to `outputs[v]` as normalised `[channels, size(v), size(v)]`. `index` is the
    /// number of the image in its data set. The result depends on nothing but the image and `(seed, epoch, index)`, and
    /// no view's random draws depend on another view.
    ///
    /// # Panics
    /// If there are not [`Views::len`] outputs, output `v` does not hold [`Views::values`]`(v)` values (both messages give
    /// both numbers), or the image has another number of channels than the normalisation.
    pub fn apply(&self, image: &Image8, seed: u64, epoch: u64, index: u64, outputs: &mut [&mut [f32]]) {
        self.write(
            image,
            (image.width(), image.height()),
            |crop| crop,
            [seed, epoch, index],
            outputs,
        );
    }

    /// The box of an image of `width` x `height` that holds all pixels which the views with this key read: what
    /// [`Views::apply_region`] needs ([`crate::decode_region`]).
    #[must_use]
    pub fn region(&self, width: usize, height: usize, seed: u64, epoch: u64, index: u64) -> CropBox {
        // The draws would take longer than what they save.
        if width * height <= SMALL {
            return CropBox::whole(width, height);
        }
        let crop = |view| self.draw(view, (width, height), [seed, epoch, index]).crop;
        (1..self.len()).fold(crop(0), |region, view| region.union(crop(view)))
    }

    /// [`Views::apply`] to an image of which only a region is known.
    ///
    /// # Panics
    /// As [`Views::apply`], and if the region does not cover [`Views::region`].
    pub fn apply_region(&self, region: &ImageRegion, seed: u64, epoch: u64, index: u64, outputs: &mut [&mut [f32]]) {
        let size = (region.width(), region.height());
        self.write(
            region.pixels(),
            size,
            |crop| region.within(crop),
            [seed, epoch, index],
            outputs,
        );
    }

    /// Writes the views of an image of `size`, whose boxes are at `place` in `pixels`.
    fn write(
        &self,
        pixels: &Image8,
        size: (usize, usize),
        place: impl Fn(CropBox) -> CropBox,
        key: [u64; 3],
        outputs: &mut [&mut [f32]],
    ) {
        assert_eq!(outputs.len(), self.len(), "outputs given, and views");
        SCRATCH.with_borrow_mut(|scratch| {
            for (view, output) in outputs.iter_mut().enumerate() {
                let mut draw = self.draw(view, size, key);
                draw.crop = place(draw.crop);
                apply_to(pixels, &draw, self.size(view), scratch);
                self.normalization.write_planes(scratch, output);
            }
        });
    }

    /// The same views before normalisation, for inspection, in the order of [`Views::apply`].
    #[must_use]
    pub fn apply_u8(&self, image: &Image8, seed: u64, epoch: u64, index: u64) -> Vec<Image8> {
        (0..self.len())
            .map(|view| {
                let draw = self.draw(view, (image.width(), image.height()), [seed, epoch, index]);
                apply_draw(image, &draw, self.size(view))
            })
            .collect()
    }

    fn group(&self, view: usize) -> &ViewGroup {
        &self.groups[self.group_of(view)]
    }

    fn draw(&self, view: usize, (width, height): (usize, usize), [seed, epoch, index]: [u64; 3]) -> ViewDraw {
        let rng = &mut view_rng(seed, epoch, index, view);
        draw_view(&self.group(view).view, rng, width, height)
    }
}

thread_local! {
    /// The view being made: a buffer that is reused from image to image; its content never affects the next result.
    static SCRATCH: RefCell<PlanarImage8> = RefCell::default();
}
