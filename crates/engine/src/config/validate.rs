//! The range of every number in a config, checked before anything is opened.

use super::{Config, ConfigError, DataCache, Normalize, NormalizeName, default_rates};
use crate::method::MethodDefinition;
use barlow_augment::{EvalTransform, Normalization};
use barlow_data::ListColumns;
use barlow_model::{BackboneConfig, ProjectorConfig, Stem};
use std::fmt::Display;
use std::str::FromStr;

/// The largest number of threads: more would be a typing mistake.
pub const MOST_THREADS: usize = 1024;
/// The widest layer, in channels or features.
const WIDEST: usize = 1 << 20;
/// The largest number of channels of an image: no sensor has more.
const MOST_CHANNELS: usize = 1024;
/// The largest side of an image for the network, in pixels.
const LARGEST_SIDE: usize = 4096;

impl Config {
    /// Checks every number against its range.
    ///
    /// # Errors
    /// [`ConfigError::Range`] with the key, the value and what is allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let Self {
            run: _,
            data,
            views,
            model,
            method: _,
            loss,
            optimizer,
            schedule,
            train,
            eval,
        } = self;
        views
            .validate()
            .map_err(|error| range_text("views", &error.to_string()))?;
        // Checked whatever the method, so that a stored config stays valid when it is switched to another method.
        for definition in [self.method_definition(), loss as &dyn MethodDefinition] {
            definition
                .validate()
                .map_err(|error| range(&error.key, error.value, error.allowed))?;
        }
        let projector = ProjectorConfig::from_str(&model.projector)
            .map_err(|error| range("model.projector", format!("\"{}\"", model.projector), error))?;
        for &width in &projector.widths {
            within("model.projector", width, 1, WIDEST)?;
        }
        within("model.width", model.width, 1, WIDEST >> 5)?;
        within("model.in_channels", model.in_channels, 1, MOST_CHANNELS)?;
        at_least("data.train_images", data.train_images.unwrap_or(2), 2)?;
        if let Some(fraction) = data.holdout {
            let fits = fraction > 0.0 && fraction < 1.0;
            check(
                "data.holdout",
                fraction,
                fits,
                "it must be above 0 and below 1, such as 0.1",
            )?;
        }
        if let Some(fraction) = data.train_fraction {
            let fits = fraction > 0.0 && fraction < 1.0;
            check(
                "data.train_fraction",
                fraction,
                fits,
                "it must be above 0 and below 1, such as 0.1",
            )?;
        }
        if let Some(columns) = &data.columns {
            ListColumns::from_str(columns).map_err(|error| range("data.columns", format!("\"{columns}\""), error))?;
        }
        within("data.queue", data.queue, 1, MOST_THREADS)?;
        within("data.workers", data.workers.unwrap_or(0), 0, MOST_THREADS)?;
        if let DataCache::Side(side) = data.cache {
            within("data.cache", side, 1, LARGEST_SIDE)?;
        }
        within("views.size", views.size, 1, LARGEST_SIDE)?;
        normalize(&data.normalize, model.in_channels)?;
        if let Some(rate) = optimizer.learning_rate_weights {
            positive("optimizer.learning_rate_weights", rate)?;
        }
        if let Some(rate) = optimizer.learning_rate_biases {
            non_negative("optimizer.learning_rate_biases", rate)?;
        }
        check(
            "optimizer.learning_rate_weights",
            "not given",
            optimizer
                .learning_rate_weights
                .or(default_rates(self).weights)
                .is_some(),
            "sgd has no default, because its rate depends on the loss's scale, lambda and D; it must be given",
        )?;
        non_negative("optimizer.weight_decay", optimizer.weight_decay)?;
        if let Some(end) = optimizer.final_weight_decay {
            non_negative("optimizer.final_weight_decay", end)?;
        }
        let momentum = optimizer.momentum;
        check(
            "optimizer.momentum",
            momentum,
            (0.0..1.0).contains(&momentum),
            "it must be in [0, 1)",
        )?;
        positive("optimizer.trust_coefficient", optimizer.trust_coefficient)?;
        non_negative("schedule.warmup_epochs", schedule.warmup_epochs)?;
        let ratio = schedule.final_ratio;
        check(
            "schedule.final_ratio",
            ratio,
            (0.0..=1.0).contains(&ratio),
            "it must be in [0, 1]",
        )?;
        let milestones = &schedule.milestones;
        check(
            "schedule.milestones",
            format!("{milestones:?}"),
            milestones.iter().all(|epoch| epoch.is_finite() && *epoch > 0.0) && milestones.is_sorted(),
            "it must be epochs above 0, ascending",
        )?;
        let factor = schedule.milestone_factor;
        check(
            "schedule.milestone_factor",
            factor,
            (0.0..=1.0).contains(&factor),
            "it must be in [0, 1]",
        )?;
        within("train.epochs", train.epochs, 1, 1_000_000)?;
        check(
            "train.batch_size",
            train.batch_size,
            train.batch_size >= 2,
            "it must be at least 2: the loss correlates over the batch",
        )?;
        if let Some(micro_batch) = train.micro_batch {
            let fits = micro_batch >= 2 && train.batch_size.is_multiple_of(micro_batch);
            let allowed = format!(
                "it must be at least 2 and divide train.batch_size, {}",
                train.batch_size
            );
            check("train.micro_batch", micro_batch, fits, &allowed)?;
        }
        at_least("train.log_every", train.log_every, 1)?;
        at_least("train.checkpoint_every", train.checkpoint_every, 1)?;
        at_least("train.keep", train.keep, 1)?;
        within("eval.crop", eval.crop, 1, LARGEST_SIDE)?;
        check(
            "eval.resize",
            eval.resize,
            eval.resize >= eval.crop,
            "it must be at least eval.crop",
        )?;
        EvalTransform::new(eval.resize, eval.crop, Normalization::imagenet())
            .map_err(|error| range_text("eval", &error.to_string()))?;
        within("eval.linear_epochs", eval.linear_epochs, 1, 1_000_000)?;
        at_least("eval.knn_k", eval.knn_k, 1)?;
        positive("eval.knn_temperature", eval.knn_temperature)?;
        // Last: the sizes of the views are those of a valid config.
        backbone(self)?;
        self.method_definition()
            .check(&self.method_inputs(None))
            .map_err(|error| range(&error.key, error.value, error.allowed))
    }
}

/// The keys that fit some networks only.
fn backbone(config: &Config) -> Result<(), ConfigError> {
    let model = &config.model;
    match config.backbone() {
        // Its program knows.
        Err(_) => Ok(()),
        Ok(BackboneConfig::ResNet(resnet)) => {
            within("model.stem_padding", model.stem_padding, 1, 2)?;
            check(
                "model.stem_padding",
                model.stem_padding,
                model.stem_padding == 1 || model.stem == Stem::Cifar,
                "only the cifar stem has it; set model.stem = \"cifar\", or remove it",
            )?;
            let step = resnet.depth.width_step();
            check(
                "model.width",
                model.width,
                model.width.is_multiple_of(step),
                &format!("it must be a multiple of {step}, so that each of the network's groups has channels"),
            )
        }
        Ok(BackboneConfig::Vit(vit)) => {
            vit.check().map_err(|error| range_text("model.vit", &error))?;
            let fits = |key: &str, pixels: usize| vit.check_pixels(pixels).map_err(|error| range(key, pixels, error));
            fits("eval.crop", config.eval.crop)?;
            let views = config.method_definition().spec(&config.method_inputs(None));
            views
                .sizes_of_views()
                .into_iter()
                .try_for_each(|pixels| fits("views.size", pixels))
        }
    }
}

/// As many statistics as channels, and no division by zero.
fn normalize(normalize: &Normalize, channels: usize) -> Result<(), ConfigError> {
    let numbers = format!("\"data\", or {{ mean, std }} with a number for each of the {channels} channels");
    match normalize {
        Normalize::Named(NormalizeName::Imagenet) => check(
            "data.normalize",
            "\"imagenet\"",
            channels == 3,
            &format!("it has 3 channels and model.in_channels is {channels}; it must be {numbers}"),
        ),
        Normalize::Named(NormalizeName::Data) => Ok(()),
        Normalize::Given { mean, std } => {
            let fits = mean.len() == channels && std.len() == channels;
            let finite =
                mean.iter().chain(std).all(|value| value.is_finite()) && std.iter().all(|&value| value >= 1e-6);
            let given = format!("{mean:?} {std:?}");
            check("data.normalize", &given, fits, &format!("it must be {numbers}"))?;
            check(
                "data.normalize",
                &given,
                finite,
                "mean must be finite and std at least 1e-6",
            )
        }
    }
}

fn range(key: &str, value: impl Display, allowed: impl Display) -> ConfigError {
    ConfigError::Range {
        key: key.to_owned(),
        value: value.to_string(),
        allowed: allowed.to_string(),
    }
}

/// For errors of the library crates, whose text names the key and the value itself.
fn range_text(section: &str, message: &str) -> ConfigError {
    range(section, "not usable", message)
}

fn check(key: &str, value: impl Display, holds: bool, allowed: &str) -> Result<(), ConfigError> {
    if holds { Ok(()) } else { Err(range(key, value, allowed)) }
}

fn at_least<T: PartialOrd + Display>(key: &str, value: T, least: T) -> Result<(), ConfigError> {
    if value >= least {
        Ok(())
    } else {
        Err(range(key, value, format!("it must be at least {least}")))
    }
}

fn within<T: PartialOrd + Display>(key: &str, value: T, least: T, most: T) -> Result<(), ConfigError> {
    at_least(key, &value, &least)?;
    if value <= most {
        Ok(())
    } else {
        Err(range(key, value, format!("it must be at most {most}")))
    }
}

fn positive(key: &str, value: f64) -> Result<(), ConfigError> {
    check(
        key,
        value,
        value.is_finite() && value > 0.0,
        "it must be a finite number above 0",
    )
}

fn non_negative(key: &str, value: f64) -> Result<(), ConfigError> {
    check(
        key,
        value,
        value.is_finite() && value >= 0.0,
        "it must be a finite number, at least 0",
    )
}
