//! The detections of the test images, and COCO's result file of them.

use super::batch::Skipped;
use crate::files::write_atomic;
use anyhow::{Context, Result};
use barlow_data::DetectionSet;
use barlow_eval::Rle;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::Path;

/// A detection of an image.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundObject {
    /// Index of its image in the set.
    pub image: usize,
    /// Number of its class.
    pub class: usize,
    /// Its probability.
    pub score: f32,
    /// x1, y1, x2, y2 in pixels of the original image.
    pub corners: [f32; 4],
    /// Its mask, of the original image's size.
    pub mask: Option<Rle>,
}

/// The detections of a set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FoundSet {
    /// Image by image, highest score first.
    pub objects: Vec<FoundObject>,
    /// Height and width of each image; `None` for one that was skipped.
    pub sizes: Vec<Option<[usize; 2]>>,
    /// Images that could not be decoded.
    pub skipped: Skipped,
}

impl FoundSet {
    /// Writes COCO's result file: a list of boxes (and masks) with image ids and category ids. A set of VOC's layout has none: its images are
    /// numbered by the lines of its list, its classes from 1.
    ///
    /// # Errors
    /// With the path.
    pub fn write(&self, set: &DetectionSet, path: &Path) -> Result<()> {
        let entry = |found: &FoundObject| -> Value {
            let [x1, y1, x2, y2] = found.corners.map(f64::from);
            let mut entry = json!({
                "image_id": set.images[found.image].id,
                "category_id": set.class_ids.get(found.class).copied().unwrap_or(found.class as i64 + 1),
                "bbox": [x1, y1, x2 - x1, y2 - y1],
                "score": found.score,
            });
            if let Some(mask) = &found.mask {
                entry["segmentation"] = json!({ "size": mask.size(), "counts": mask.to_compressed() });
            }
            entry
        };
        let mut text = String::from("[");
        for (at, found) in self.objects.iter().enumerate() {
            text += if at > 0 { ",\n" } else { "\n" };
            text += &serde_json::to_string(&entry(found))?;
        }
        text += "\n]\n";
        write_atomic(path, text.as_bytes())
    }

    /// Reads the boxes and masks of a result file that was written for the set; what belongs to no image or class of it is dropped.
    ///
    /// # Errors
    /// With the path: it cannot be read, or is no result file.
    pub fn read(set: &DetectionSet, path: &Path) -> Result<Vec<FoundObject>> {
        #[derive(Deserialize)]
        struct Mask {
            size: [usize; 2],
            counts: String,
        }
        #[derive(Deserialize)]
        struct Entry {
            image_id: i64,
            category_id: i64,
            bbox: [f32; 4],
            score: f32,
            segmentation: Option<Mask>,
        }
        let named = || format!("cannot read the detections {}", path.display());
        let text = std::fs::read(path).with_context(named)?;
        let entries: Vec<Entry> = serde_json::from_slice(&text).with_context(named)?;
        let images: HashMap<i64, usize> = set.images.iter().zip(0..).map(|(image, at)| (image.id, at)).collect();
        let class = |id: i64| match set.class_ids.is_empty() {
            true => usize::try_from(id - 1).ok().filter(|class| *class < set.classes.len()),
            false => set.class_ids.iter().position(|known| *known == id),
        };
        let objects = entries.into_iter().filter_map(|entry| {
            let [x, y, width, height] = entry.bbox;
            let mask = entry.segmentation.map(|mask| {
                let [height, width] = mask.size;
                Rle::from_compressed(height, width, mask.counts.as_bytes())
            });
            Some(FoundObject {
                image: *images.get(&entry.image_id)?,
                class: class(entry.category_id)?,
                score: entry.score,
                corners: [x, y, x + width, y + height],
                mask: mask.and_then(Result::ok),
            })
        });
        Ok(objects.collect())
    }
}
