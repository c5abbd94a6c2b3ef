//! Loads a detector's recipe from the same layers as a run's config: defaults < file < `--set` < named flags.

use super::recipe::DetectRecipe;
use crate::config::{ConfigError, Layers, merged};

/// The recipe that is taken if none is named.
const DEFAULT: &str = "detect-bccd";

/// Name and text of every shipped recipe of a detector.
pub const DETECT_RECIPES: &[(&str, &str)] = &[
    ("detect-bccd", include_str!("../../../../configs/detect-bccd.toml")),
    (
        "detect-voc0712",
        include_str!("../../../../configs/detect-voc0712.toml"),
    ),
    (
        "detect-coco-1x",
        include_str!("../../../../configs/detect-coco-1x.toml"),
    ),
];

/// Merges the layers, checks the numbers and returns the recipe with its name.
///
/// # Errors
/// [`ConfigError`], one line each.
pub fn load_detect_recipe(layers: &Layers) -> Result<(String, DetectRecipe), ConfigError> {
    let (name, recipe): (String, DetectRecipe) = merged(layers, DEFAULT, DETECT_RECIPES)?;
    recipe.validate()?;
    Ok((name, recipe))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers(recipe: &str, sets: &[&str]) -> Layers {
        Layers {
            recipe: Some(recipe.to_owned()),
            sets: sets.iter().map(|set| (*set).to_owned()).collect(),
            ..Layers::default()
        }
    }

    #[test]
    fn every_recipe_is_valid_and_its_text_gives_it_back() {
        for (name, _) in DETECT_RECIPES {
            let (_, recipe) = load_detect_recipe(&layers(name, &[])).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(
                toml::from_str::<DetectRecipe>(&recipe.to_toml()).unwrap(),
                recipe,
                "{name}"
            );
        }
        // detectron2's VOC schedule as MoCo and Barlow Twins run it, and COCO's 1x.
        let (_, voc) = load_detect_recipe(&layers("detect-voc0712", &[])).unwrap();
        assert_eq!(
            (voc.train.steps, voc.optimizer.milestones.clone()),
            (24_000, vec![18_000, 22_000])
        );
        assert_eq!((voc.optimizer.learning_rate, voc.optimizer.warmup_factor), (0.1, 0.333));
        let (_, coco) = load_detect_recipe(&layers("detect-coco-1x", &[])).unwrap();
        assert_eq!(
            (coco.train.steps, coco.optimizer.milestones.clone()),
            (90_000, vec![60_000, 80_000])
        );
        assert_eq!(
            (coco.optimizer.learning_rate, coco.optimizer.warmup_factor),
            (0.03, 0.001)
        );
        assert_eq!((coco.views.short_sides[0], voc.views.short_sides[0]), (640, 480));
    }

    #[test]
    fn mistakes_name_the_key() {
        for (set, part) in [
            ("train.step=5", "did you mean `train.steps`"),
            ("model.norm=batched", "did you mean `batch`"),
            ("model.bins=7", "`model.bins` is 7: an even number"),
            ("views.short_sides=[]", "`views.short_sides` is []"),
            ("views.flip=2", "`views.flip` is 2"),
            ("train.micro_batch=99", "`train.micro_batch` is 99"),
            ("optimizer.milestones=[5, 3]", "ascending"),
            ("optimizer.warmup_steps=1000000", "at most train.steps"),
            ("optimizer.learning_rate=nan", "a rate above 0"),
            ("proposals.overlap=0", "an overlap"),
        ] {
            let error = load_detect_recipe(&layers("detect-bccd", &[set]))
                .unwrap_err()
                .to_string();
            assert!(error.contains(part) && !error.contains('\n'), "{set}: {error}");
        }
        let error = load_detect_recipe(&layers("detect-bcd", &[])).unwrap_err().to_string();
        assert!(error.contains("detect-bccd, detect-voc0712"), "{error}");
    }
}
