//! RoIAlign: maps of a fixed size, cut out of feature maps for the regions of images.

mod autodiff;
mod axis;
#[cfg(feature = "cpu")]
mod flex;
mod ops;
pub mod reference;
mod types;

pub use ops::{RegionOps, roi_align};
pub use types::{Regions, RoiAlign};
