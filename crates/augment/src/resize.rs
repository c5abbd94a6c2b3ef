//! Resize of a crop box with antialiasing: Pillow's `image.crop(box).resize(size, BICUBIC)`, or `BILINEAR`.
//!
//! The filters are Pillow's (Catmull-Rom, a = -0.5, or a triangle, widened by the scale when shrinking, 8 bits between the
//! directions); the work is done by `fast_image_resize`, whose fixed-point weights have 16 bits where Pillow's have 32, so single
//! values may differ by 1. Its own two-dimensional resize goes vertically first; overshoot that is clipped to [0, 255] in
//! between makes that differ by 8 and more, so the two directions are two calls here, horizontal first as in Pillow. The
//! box is cropped before: the filter sees nothing outside it, as in torchvision. This file must not know how the box was
//! drawn.

use std::cell::RefCell;

use fast_image_resize::PixelTrait;
use fast_image_resize::images::{TypedCroppedImage, TypedImage, TypedImageRef};
use fast_image_resize::pixels::{U8, U8x3};
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};

use crate::{CropBox, Image8, PlanarImage8, RgbImage8};

/// Cuts `crop` out of `image` and resizes it to `width` x `height` (bicubic, antialiased). A box that already has that
/// size is copied unchanged.
///
/// # Panics
/// If the box is not inside the image or a side is 0.
#[must_use]
pub fn resize_bicubic(image: &Image8, crop: CropBox, width: usize, height: usize) -> Image8 {
    let mut scratch = ResizeScratch::default();
    match image {
        Image8::Rgb(image) => {
            scratch.resize_rgb(image, crop, width, height);
            scratch.rgb.into()
        }
        Image8::Planar(image) => {
            let mut output = PlanarImage8::default();
            scratch.resize_planes(image, crop, width, height, &mut output);
            output.into()
        }
    }
}

/// [`resize_bicubic`] of a whole image by Pillow's bilinear filter (antialiased), as detection pipelines resize.
///
/// # Panics
/// If a side is 0.
#[must_use]
pub fn resize_bilinear(image: &Image8, width: usize, height: usize) -> PlanarImage8 {
    let mut scratch = ResizeScratch {
        bilinear: true,
        ..ResizeScratch::default()
    };
    let mut output = PlanarImage8::default();
    let whole = CropBox::whole(image.width(), image.height());
    scratch.resize(image, whole, width, height, &mut output);
    output
}

/// [`resize_bicubic`] into `output`, which gets the new shape, with scratch buffers of the thread: the first operation of
/// a view.
///
/// # Panics
/// As [`resize_bicubic`].
pub fn resize_bicubic_into(image: &Image8, crop: CropBox, width: usize, height: usize, output: &mut PlanarImage8) {
    SCRATCH.with_borrow_mut(|scratch| scratch.resize(image, crop, width, height, output));
}

thread_local! {
    /// Its content never affects the next result.
    static SCRATCH: RefCell<ResizeScratch> = RefCell::default();
}

/// The reusable buffers of a resize.
#[derive(Default)]
struct ResizeScratch {
    resizer: Resizer,
    /// The filter is a triangle.
    bilinear: bool,
    /// The crop, resized horizontally.
    between: Vec<u8>,
    /// The result of [`ResizeScratch::resize_rgb`].
    rgb: RgbImage8,
}

impl ResizeScratch {
    fn resize(&mut self, image: &Image8, crop: CropBox, width: usize, height: usize, output: &mut PlanarImage8) {
        match image {
            Image8::Rgb(image) => {
                self.resize_rgb(image, crop, width, height);
                output.copy_from_rgb(&self.rgb);
            }
            Image8::Planar(image) => self.resize_planes(image, crop, width, height, output),
        }
    }

    fn resize_rgb(&mut self, image: &RgbImage8, crop: CropBox, width: usize, height: usize) {
        let mut rgb = std::mem::take(&mut self.rgb);
        rgb.reshape(width, height);
        let size = (image.width(), image.height());
        self.resize_pixels::<U8x3>(image.pixels(), size, crop, rgb.pixels_mut(), (width, height));
        self.rgb = rgb;
    }

    fn resize_planes(
        &mut self,
        image: &PlanarImage8,
        crop: CropBox,
        width: usize,
        height: usize,
        output: &mut PlanarImage8,
    ) {
        output.reshape(image.channels(), width, height);
        let size = (image.width(), image.height());
        for channel in 0..image.channels() {
            let plane = output.plane_mut(channel);
            self.resize_pixels::<U8>(image.plane(channel), size, crop, plane, (width, height));
        }
    }

    fn resize_pixels<P: PixelTrait>(
        &mut self,
        pixels: &[u8],
        (image_width, image_height): (usize, usize),
        crop: CropBox,
        output: &mut [u8],
        (width, height): (usize, usize),
    ) {
        assert!(
            width > 0 && height > 0 && crop.fits(image_width, image_height),
            "cannot resize {crop:?} of a {image_width}x{image_height} image to {width}x{height}"
        );
        if (crop.width, crop.height) == (width, height) {
            copy_box(pixels, image_width, crop, output, P::size());
            return;
        }
        self.between.resize(P::size() * width * crop.height, 0);
        // None of these can fail: the box was checked above, and every buffer has its image's size.
        let whole = TypedImageRef::<P>::from_buffer(image_width as u32, image_height as u32, pixels).expect(SIZED);
        let [left, top, crop_width, crop_height] = [crop.left, crop.top, crop.width, crop.height].map(|v| v as u32);
        let source = TypedCroppedImage::from_ref(&whole, left, top, crop_width, crop_height).expect(SIZED);
        let mut between = TypedImage::<P>::from_buffer(width as u32, crop_height, &mut self.between).expect(SIZED);
        let filter = match self.bilinear {
            true => FilterType::Bilinear,
            false => FilterType::CatmullRom,
        };
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter));
        self.resizer.resize_typed(&source, &mut between, &options).expect(SIZED);
        // A crop of all of it: with views of the same types as above, the crate's kernels are compiled once.
        let between = TypedImageRef::<P>::from_buffer(width as u32, crop_height, &self.between).expect(SIZED);
        let between = TypedCroppedImage::from_ref(&between, 0, 0, width as u32, crop_height).expect(SIZED);
        let mut target = TypedImage::<P>::from_buffer(width as u32, height as u32, output).expect(SIZED);
        self.resizer.resize_typed(&between, &mut target, &options).expect(SIZED);
    }
}

const SIZED: &str = "sizes are checked before";

/// Copies the box unchanged; `bytes` is the size of a pixel.
fn copy_box(pixels: &[u8], image_width: usize, crop: CropBox, output: &mut [u8], bytes: usize) {
    let row = bytes * crop.width;
    let lines = pixels.chunks_exact(bytes * image_width).skip(crop.top);
    for (out, line) in output.chunks_exact_mut(row).zip(lines) {
        out.copy_from_slice(&line[bytes * crop.left..bytes * crop.left + row]);
    }
}
