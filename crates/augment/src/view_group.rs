//! A group of views: a pipeline, the side of its views, and how many views each image gets from it.
//!
//! Two official views are two groups of one view each; SwAV's multi-crop is one group of two large views and one of six
//! small ones. This file must not apply anything to an image.

use serde::{Deserialize, Serialize};

use crate::{ConfigError, MAX_SIDE, ViewConfig};

/// Largest number of views in a group: a larger one is a mistake, not a recipe.
const MAX_COUNT: usize = 1000;

/// Views of one size that are made by the same pipeline, each with its own random draws.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViewGroup {
    /// Name of the group, in error keys (`views.small.count`) and in [`crate::Views::name`]. Not empty, and unique
    /// among the groups that are used together.
    pub name: String,
    /// Views of each image, in `[1, 1000]`.
    pub count: usize,
    /// Side of the (square) views in pixels, in `[1, MAX_SIDE]` (see [`MAX_SIDE`]).
    pub size: usize,
    /// The pipeline.
    pub view: ViewConfig,
}

impl ViewGroup {
    /// Checks the name, the count, the size and every value of the pipeline, not whether the name is unique.
    ///
    /// # Errors
    /// [`ConfigError`] naming the first key out of range, such as `views.small.jitter.hue` for a group called `small`.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.name.is_empty() {
            return Err(ConfigError::new("views.name", "\"\"", "a name that is not empty"));
        }
        let key = |key: &str| format!("views.{}.{key}", self.name);
        if !(1..=MAX_COUNT).contains(&self.count) {
            let allowed = format!("a number of views in [1, {MAX_COUNT}]");
            return Err(ConfigError::new(key("count"), self.count, allowed));
        }
        if !(1..=MAX_SIDE).contains(&self.size) {
            let allowed = format!("a number of pixels in [1, {MAX_SIDE}]");
            return Err(ConfigError::new(key("size"), self.size, allowed));
        }
        self.view.validate(&format!("views.{}", self.name))
    }

    /// The name of view `number` of this group: `view_a` in a group of one view, else `view_small_0`, `view_small_1`, ...
    pub(crate) fn view_name(&self, number: usize) -> String {
        if self.count == 1 {
            format!("view_{}", self.name)
        } else {
            format!("view_{}_{number}", self.name)
        }
    }
}
