//! Bicubic resize with antialias of a crop box: Pillow's `image.crop(box).resize(size, BICUBIC)`.
//!
//! The filter is Pillow's (Catmull-Rom, a = -0.5, widened by the scale when shrinking, 8 bits between the directions);
//! the work is done by `fast_image_resize`, whose fixed-point weights have 16 bits where Pillow's have 32, so single
//! values may differ by 1. It would go vertically first; overshoot cut at 0 and 255 in between makes that differ by 8
//! and more, so the two directions are two calls here, horizontal first as Pillow's. The box is cut before: the filter
//! sees nothing outside it, as in torchvision. This file must not know how the box was drawn.

use fast_image_resize::images::{TypedCroppedImage, TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};

use crate::{CropBox, RgbImage8};

/// Cuts `crop` out of `image` and resizes it to `width` x `height` (bicubic, antialiased). A box that already has that
/// size is copied unchanged.
///
/// # Panics
/// If the box is not inside the image or a side is 0.
#[must_use]
pub fn resize_bicubic(image: &RgbImage8, crop: CropBox, width: usize, height: usize) -> RgbImage8 {
    let mut output = RgbImage8::default();
    ResizeScratch::default().resize(image, crop, width, height, &mut output);
    output
}

/// The buffers of a resize, to be used again.
#[derive(Default)]
pub(crate) struct ResizeScratch {
    resizer: Resizer,
    /// The crop, resized horizontally.
    between: Vec<u8>,
}

impl ResizeScratch {
    /// [`resize_bicubic`] into an image that gets the new size.
    pub(crate) fn resize(
        &mut self,
        image: &RgbImage8,
        crop: CropBox,
        width: usize,
        height: usize,
        output: &mut RgbImage8,
    ) {
        assert!(
            width > 0 && height > 0 && crop.fits(image.width(), image.height()),
            "cannot resize {crop:?} of a {}x{} image to {width}x{height}",
            image.width(),
            image.height()
        );
        output.reshape(width, height);
        if (crop.width, crop.height) == (width, height) {
            copy_box(image, crop, output);
            return;
        }
        self.between.resize(3 * width * crop.height, 0);
        // None of these can fail: the box was checked above, and every buffer has its image's size.
        let whole = TypedImageRef::<U8x3>::from_buffer(image.width() as u32, image.height() as u32, image.pixels())
            .expect(SIZED);
        let [left, top, crop_width, crop_height] = [crop.left, crop.top, crop.width, crop.height].map(|v| v as u32);
        let source = TypedCroppedImage::from_ref(&whole, left, top, crop_width, crop_height).expect(SIZED);
        let mut between = TypedImage::<U8x3>::from_buffer(width as u32, crop_height, &mut self.between).expect(SIZED);
        let mut target =
            TypedImage::<U8x3>::from_buffer(width as u32, height as u32, output.pixels_mut()).expect(SIZED);
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::CatmullRom));
        self.resizer.resize_typed(&source, &mut between, &options).expect(SIZED);
        self.resizer.resize_typed(&between, &mut target, &options).expect(SIZED);
    }
}

const SIZED: &str = "sizes are checked before";

fn copy_box(image: &RgbImage8, crop: CropBox, output: &mut RgbImage8) {
    let row = 3 * crop.width;
    let lines = image.pixels().chunks_exact(3 * image.width()).skip(crop.top);
    for (out, line) in output.pixels_mut().chunks_exact_mut(row).zip(lines) {
        out.copy_from_slice(&line[3 * crop.left..3 * crop.left + row]);
    }
}
