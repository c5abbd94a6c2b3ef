//! The range of every number of a detector's recipe.

use super::recipe::DetectRecipe;
use crate::config::ConfigError;
use std::fmt::Display;

/// The largest side of an image, in pixels.
const LARGEST_SIDE: usize = 8192;

fn check(key: &str, value: impl Display, fits: bool, allowed: &str) -> Result<(), ConfigError> {
    if fits {
        return Ok(());
    }
    Err(ConfigError::Range {
        key: key.to_owned(),
        value: value.to_string(),
        allowed: allowed.to_owned(),
    })
}

fn counts(key: &str, value: usize, most: usize) -> Result<(), ConfigError> {
    let fits = (1..=most).contains(&value);
    check(key, value, fits, &format!("a number in [1, {most}]"))
}

impl DetectRecipe {
    /// Checks every number against its range.
    ///
    /// # Errors
    /// [`ConfigError::Range`] with the key, the value and what is allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let Self {
            data: _,
            model,
            views,
            samples,
            proposals,
            optimizer,
            train,
            eval,
        } = self;
        let positive = |value: f64| value > 0.0 && value.is_finite();
        for (key, values) in [
            ("model.anchor_sizes", &model.anchor_sizes),
            ("model.anchor_ratios", &model.anchor_ratios),
        ] {
            let fits = (1..=16).contains(&values.len()) && values.iter().all(|&value| positive(value));
            check(key, format!("{values:?}"), fits, "1 to 16 numbers above 0")?;
        }
        let fits = (4..=64).contains(&model.bins) && model.bins.is_multiple_of(2);
        check(
            "model.bins",
            model.bins,
            fits,
            "an even number in [4, 64], which the fourth stage halves",
        )?;
        counts("model.mask_channels", model.mask_channels, 1 << 16)?;
        let sides = &views.short_sides;
        let fits = !sides.is_empty() && sides.iter().all(|side| (32..=LARGEST_SIDE).contains(side));
        let allowed = "one or more numbers of pixels in [32, 8192]";
        check("views.short_sides", format!("{sides:?}"), fits, allowed)?;
        let fits = (32..=LARGEST_SIDE).contains(&views.longest);
        check("views.longest", views.longest, fits, "a number of pixels in [32, 8192]")?;
        check(
            "views.flip",
            views.flip,
            (0.0..=1.0).contains(&views.flip),
            "a probability",
        )?;
        let fits = (32..=LARGEST_SIDE).contains(&views.test_short_side);
        check(
            "views.test_short_side",
            views.test_short_side,
            fits,
            "a number of pixels in [32, 8192]",
        )?;
        counts("views.size_divisor", views.size_divisor, 1024)?;
        counts("samples.anchors", samples.anchors, 1 << 20)?;
        counts("samples.regions", samples.regions, 1 << 20)?;
        for (key, part) in [
            ("samples.anchor_objects", samples.anchor_objects),
            ("samples.region_objects", samples.region_objects),
        ] {
            check(key, part, part > 0.0 && part <= 1.0, "a part in (0, 1]")?;
        }
        for (key, count) in [
            ("proposals.train_before", proposals.train_before),
            ("proposals.train_after", proposals.train_after),
            ("proposals.test_before", proposals.test_before),
            ("proposals.test_after", proposals.test_after),
        ] {
            counts(key, count, 1 << 20)?;
        }
        let fits = proposals.overlap > 0.0 && proposals.overlap <= 1.0;
        check("proposals.overlap", proposals.overlap, fits, "an overlap in (0, 1]")?;
        let rate = optimizer.learning_rate;
        check("optimizer.learning_rate", rate, positive(rate), "a rate above 0")?;
        let momentum = optimizer.momentum;
        check(
            "optimizer.momentum",
            momentum,
            (0.0..1.0).contains(&momentum),
            "a number in [0, 1)",
        )?;
        let decay = optimizer.weight_decay;
        check(
            "optimizer.weight_decay",
            decay,
            decay >= 0.0 && decay.is_finite(),
            "a number of at least 0",
        )?;
        let factor = optimizer.warmup_factor;
        check(
            "optimizer.warmup_factor",
            factor,
            (0.0..=1.0).contains(&factor),
            "a part in [0, 1]",
        )?;
        let milestones = &optimizer.milestones;
        let fits = milestones.windows(2).all(|pair| pair[0] < pair[1]);
        check(
            "optimizer.milestones",
            format!("{milestones:?}"),
            fits,
            "ascending steps",
        )?;
        let fits = optimizer.warmup_steps <= train.steps;
        check(
            "optimizer.warmup_steps",
            optimizer.warmup_steps,
            fits,
            "at most train.steps",
        )?;
        check("train.steps", train.steps, train.steps > 0, "a number of at least 1")?;
        counts("train.batch_size", train.batch_size, 1 << 16)?;
        counts("train.micro_batch", train.micro_batch.unwrap_or(1), train.batch_size)?;
        check(
            "train.log_every",
            train.log_every,
            train.log_every > 0,
            "a number of at least 1",
        )?;
        let every = train.checkpoint_every;
        check("train.checkpoint_every", every, every > 0, "a number of at least 1")?;
        counts("train.keep", train.keep, 1 << 16)?;
        counts("eval.detections", eval.detections, 1 << 20)
    }

    /// The recipe as TOML.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a recipe is TOML")
    }
}
