//! Multi-crop: small crops besides views a and b, as SwAV introduced them.

use crate::method::MethodKeyError;
use barlow_augment::{ViewConfig, ViewGroup};

/// Small crops of each image.
#[derive(Clone, Copy, Debug)]
pub(super) struct SmallViews {
    /// How many; 0 for none.
    pub count: usize,
    /// Side in pixels; `None` for 3/7 of the large views', the official 96 of 224.
    pub size: Option<usize>,
    /// Area as a fraction of the image.
    pub crop_scale: [f64; 2],
}

impl SmallViews {
    /// Checks the keys `small_size` and `small_crop_scale` of a method.
    pub fn validate(&self, method: &str) -> Result<(), MethodKeyError> {
        MethodKeyError::check_width(method, "small_size", self.size.unwrap_or(1))?;
        let [low, high] = self.crop_scale;
        if low > 0.0 && low <= high && high <= 1.0 {
            return Ok(());
        }
        let allowed = "it must be two fractions above 0, the larger one last and at most 1";
        let given = format!("{:?}", self.crop_scale);
        Err(MethodKeyError::new(method, "small_crop_scale", given, allowed))
    }

    /// The views with the small ones after them, which differ from the first in size and crop.
    pub fn after(&self, mut views: Vec<ViewGroup>) -> Vec<ViewGroup> {
        if self.count == 0 {
            return views;
        }
        let first = views.first().expect("a config has views");
        let small = ViewGroup {
            name: "small".to_owned(),
            count: self.count,
            size: self.size.unwrap_or(((first.size * 3 + 3) / 7).max(1)),
            view: ViewConfig {
                crop_scale: self.crop_scale,
                ..first.view
            },
        };
        views.push(small);
        views
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use barlow_augment::ViewsConfig;

    #[test]
    fn small_views_are_a_group_of_their_own() {
        let small = SmallViews {
            count: 6,
            size: None,
            crop_scale: [0.05, 0.14],
        };
        let views = small.after(ViewsConfig::default().groups());
        assert_eq!((views[2].size, views[2].count), (96, 6));
        assert_eq!(views[2].view.crop_scale, [0.05, 0.14]);
        let none = SmallViews { count: 0, ..small };
        assert_eq!(none.after(ViewsConfig::default().groups()).len(), 2);
    }

    #[test]
    fn a_crop_of_no_area_is_refused() {
        for crop_scale in [[0.0, 0.1], [0.2, 0.1], [0.1, 1.5], [f64::NAN, 1.0]] {
            let small = SmallViews {
                count: 1,
                size: None,
                crop_scale,
            };
            let line = small.validate("swav").unwrap_err().to_string();
            assert!(line.contains("method.swav.small_crop_scale"), "{line}");
        }
    }
}
