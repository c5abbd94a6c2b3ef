//! View pipelines of self-supervised learning: bytes -> decoded image -> normalised views.
//!
//! The operations are those of Pillow and torchvision on 8-bit pixels, because the published recipes were tuned with
//! them; each is tested against values that those programs computed. Every random draw is keyed by
//! `(seed, epoch, sample index, view)`, so pixels depend neither on threads nor on the order of work.
//!
//! This crate must not depend on Burn and knows nothing about data sets, files or batches.
//!
//! ```
//! use barlow_augment::{Normalization, RgbImage8, ViewPreset, Views, ViewsConfig};
//!
//! let config = ViewsConfig { preset: ViewPreset::Cifar, size: 32, ..Default::default() };
//! let views = Views::new(&config.groups(), Normalization::imagenet())?;
//! let image = RgbImage8::from_fn(40, 30, |x, y| [x as u8, y as u8, 128]);
//! let (mut view_a, mut view_b) = (vec![0.0; views.values(0)], vec![0.0; views.values(1)]);
//! let outputs = &mut [&mut view_a[..], &mut view_b[..]];
//! views.apply(&image.into(), /* seed */ 0, /* epoch */ 0, /* index */ 7, outputs);
//! assert_ne!(view_a, view_b);
//! # Ok::<(), barlow_augment::ConfigError>(())
//! ```

mod any_image;
mod blur;
mod color;
mod config;
mod config_error;
mod convert;
mod crop;
mod decode;
mod decode_error;
mod draw;
mod eval;
mod gif_frame;
mod hue;
mod image;
mod jpeg;
#[cfg(test)]
mod kernel_tests;
mod layout;
mod normalize;
mod orientation;
mod overrides;
mod pipeline;
mod planar;
mod png;
mod presets;
mod raster;
mod region;
mod resize;
mod rng;
mod simd;
mod sniff;
mod tiff_directory;
mod tiff_palette;
mod validate;
mod view_group;
mod views;
mod views_config;

pub use any_image::{ChannelsError, Image8};
pub use blur::gaussian_blur;
pub use color::{brightness, contrast, greyscale, saturation, solarize};
pub use config::{BlurConfig, JitterConfig, ViewConfig};
pub use config_error::ConfigError;
pub use crop::{CropBox, draw_crop};
pub use decode::{EncodeError, decode, decode_channels, decode_region, encode_png};
pub use decode_error::{DecodeError, MAX_DECODED_BYTES, MAX_SIDE};
pub use draw::{JitterOp, JitterOps, ViewDraw, draw_view};
pub use eval::EvalTransform;
pub use hue::hue;
pub use image::RgbImage8;
pub use layout::flip_horizontal;
pub use normalize::Normalization;
pub use overrides::{BlurOverrides, JitterOverrides, ViewOverrides};
pub use pipeline::apply_draw;
pub use planar::{PlanarImage8, RgbPlanes};
pub use presets::ViewPreset;
pub use region::{ImageRegion, WantedBox};
pub use resize::{resize_bicubic, resize_bicubic_into, resize_bilinear};
pub use rng::{SHUFFLE_STREAM, keyed_rng};
pub use view_group::ViewGroup;
pub use views::Views;
pub use views_config::ViewsConfig;
