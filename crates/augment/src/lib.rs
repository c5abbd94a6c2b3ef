//! The two asymmetric view pipelines of Barlow Twins: bytes -> decoded image -> two normalised views.
//!
//! The operations are those of Pillow and torchvision on 8-bit pixels, because the published recipes were tuned with
//! them; each is tested against numbers those programs made. Every random draw is keyed by
//! `(seed, epoch, sample index, view)`, so neither threads nor the order of work change a pixel.
//!
//! This crate must not depend on Burn and knows nothing of data sets, files or batches.
//!
//! ```
//! use barlow_augment::{Normalization, RgbImage8, TwinViews, TwinViewsConfig, ViewPreset};
//!
//! let config = TwinViewsConfig { preset: ViewPreset::Cifar, size: 32, ..Default::default() };
//! let views = TwinViews::new(&config, Normalization::imagenet())?;
//! let image = RgbImage8::from_fn(40, 30, |x, y| [x as u8, y as u8, 128]);
//! let (mut view_a, mut view_b) = (vec![0.0; 3 * 32 * 32], vec![0.0; 3 * 32 * 32]);
//! views.apply(&image.into(), /* seed */ 0, /* epoch */ 0, /* index */ 7, &mut view_a, &mut view_b);
//! assert_ne!(view_a, view_b);
//! # Ok::<(), barlow_augment::ConfigError>(())
//! ```

mod any_image;
mod blur;
mod color;
mod config;
mod convert;
mod crop;
mod decode;
mod draw;
mod eval;
mod hue;
mod image;
mod jpeg;
mod layout;
mod normalize;
mod overrides;
mod pipeline;
mod planar;
mod presets;
mod resize;
mod rng;
mod simd;
mod validate;

pub use any_image::{ChannelsError, Image8};
pub use blur::gaussian_blur;
pub use color::{brightness, contrast, greyscale, saturation, solarize};
pub use config::{BlurConfig, JitterConfig, TwinViewsConfig, ViewConfig};
pub use crop::{CropBox, draw_crop};
pub use decode::{DecodeError, EncodeError, MAX_DECODED_BYTES, MAX_SIDE, decode, decode_channels, encode_png};
pub use draw::{JitterOp, JitterOps, ViewDraw, draw_view};
pub use eval::EvalTransform;
pub use hue::hue;
pub use image::RgbImage8;
pub use layout::flip_horizontal;
pub use normalize::{Normalization, NormalizationTable};
pub use overrides::{BlurOverrides, JitterOverrides, ViewOverrides};
pub use pipeline::{TwinViews, apply_draw};
pub use planar::{PlanarImage8, RgbPlanes};
pub use presets::ViewPreset;
pub use resize::{resize_bicubic, resize_bicubic_into};
pub use rng::keyed_rng;
pub use validate::ConfigError;
