//! The JSON of an annotation file, as far as detection needs it.
//!
//! Values are read one after the other; keys that are not named here are skipped without being stored. This file must not decide what a
//! wrong value means.

use serde::Deserialize;

/// The outline or the pixels of an object.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Segmentation {
    /// Polygons, each `[x1, y1, x2, y2, …]` in pixels.
    Polygons(Vec<Vec<f64>>),
    /// Runs along the columns, beginning with background.
    Runs {
        /// Height and width in pixels.
        size: [usize; 2],
        /// The runs.
        counts: RunCounts,
    },
}

/// Run lengths.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum RunCounts {
    /// As numbers.
    Plain(Vec<u64>),
    /// As COCO's compressed string.
    Compressed(String),
}

#[derive(Debug, Deserialize)]
pub(super) struct File {
    pub(super) images: Vec<Image>,
    #[serde(default)]
    pub(super) annotations: Vec<Annotation>,
    pub(super) categories: Vec<Category>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Image {
    pub(super) id: i64,
    pub(super) file_name: String,
    pub(super) height: u32,
    pub(super) width: u32,
}

#[derive(Debug, Deserialize)]
pub(super) struct Category {
    pub(super) id: i64,
    pub(super) name: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Annotation {
    #[serde(default)]
    pub(super) id: i64,
    pub(super) image_id: i64,
    pub(super) category_id: i64,
    #[serde(default)]
    pub(super) bbox: Option<[f64; 4]>,
    #[serde(default)]
    pub(super) area: Option<f64>,
    #[serde(default)]
    pub(super) iscrowd: Flag,
    #[serde(default)]
    pub(super) segmentation: Option<Segmentation>,
}

/// 0 or 1, or a boolean as some programs write.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(untagged)]
pub(super) enum Flag {
    Boolean(bool),
    Number(u64),
}

impl Default for Flag {
    fn default() -> Self {
        Self::Number(0)
    }
}

impl Flag {
    pub(super) fn is_set(self) -> bool {
        !matches!(self, Self::Boolean(false) | Self::Number(0))
    }
}
