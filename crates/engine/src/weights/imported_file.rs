//! A file of weights of any program that is recognised, as a network of this one: its settings and its weights by our names.

use crate::config::Config;
use anyhow::{Result, bail};
use barlow_model::{HostTensor, StateDict};
use barlow_weights::{
    Architecture, Import, ImportError, ImportOptions, ImportTensor, ModelSettings, Origin, WeightsFile, import,
};
use std::path::Path;
use toml::{Table, Value};

/// A file of weights whose layout was recognised; no value of it was read yet.
#[derive(Debug)]
pub struct ImportedFile {
    pub(super) file: WeightsFile,
    pub(super) import: Import,
    settings: ModelSettings,
}

impl ImportedFile {
    /// Recognises the file and checks that it holds a whole network.
    ///
    /// # Errors
    /// One line with the path: the file cannot be read, its layout is not known, or tensors are missing, unexpected or of other
    /// shapes.
    pub fn open(path: &Path) -> Result<Self> {
        let file = WeightsFile::open(path)?;
        let import = import(&file, &ImportOptions::default())?;
        let settings = import.settings().map_err(|error| ImportError {
            path: Some(path.to_owned()),
            ..error
        })?;
        Ok(Self { file, import, settings })
    }

    /// Whether it is a checkpoint of this program.
    pub fn is_checkpoint(&self) -> bool {
        self.import.origin == Origin::OwnCheckpoint
    }

    /// What was recognised, what of the file is not imported, and what its weights do not tell; a line each.
    pub fn lines(&self) -> Vec<String> {
        let Import {
            summary,
            ignored,
            notes,
            ..
        } = &self.import;
        let ignored = ignored.iter().map(|ignored| {
            let plural = if ignored.tensors == 1 { "" } else { "s" };
            format!(
                "ignored     {}: {} tensor{plural}, such as {}",
                ignored.what, ignored.tensors, ignored.example
            )
        });
        let notes = notes.iter().map(|note| format!("note        {note}"));
        std::iter::once(format!("weights     {summary}"))
            .chain(ignored)
            .chain(notes)
            .collect()
    }

    /// The recipe whose remaining settings suit the network.
    pub fn recipe(&self) -> &'static str {
        match self.pixels() {
            Pixels::Tiny => "cifar10-resnet18",
            Pixels::Large(_) => "imagenet-resnet50",
        }
    }

    /// The config keys that build this network and prepare its pixels, by dotted name.
    pub fn config_keys(&self) -> Vec<(&'static str, Value)> {
        let text = |text: &str| Value::String(text.to_owned());
        let number = |number: usize| Value::Integer(i64::try_from(number).unwrap_or(i64::MAX));
        let ModelSettings {
            backbone,
            architecture,
            projector,
            projector_norm,
        } = &self.settings;
        let mut keys = vec![
            ("model.backbone", text(backbone)),
            ("model.in_channels", number(architecture.in_channels())),
        ];
        match architecture {
            Architecture::ResNet(shape) => {
                let is_tiny = matches!(self.pixels(), Pixels::Tiny);
                keys.push(("model.stem", text(if is_tiny { "cifar" } else { "imagenet" })));
                keys.push(("model.width", number(shape.width)));
                if is_tiny {
                    keys.push(("model.stem_padding", number(shape.stem_padding)));
                }
            }
            Architecture::Vit(shape) => {
                let pool = if shape.class_token { "class-token" } else { "mean" };
                keys.push(("model.vit.patch", number(shape.patch)));
                keys.push(("model.vit.depth", number(shape.depth)));
                if shape.heads != shape.dim / 64 {
                    keys.push(("model.vit.heads", number(shape.heads)));
                }
                keys.push(("model.vit.pool", text(pool)));
            }
        }
        if let Some(projector) = projector {
            keys.push(("model.projector", text(projector)));
            keys.push(("model.projector_norm", Value::Boolean(*projector_norm)));
        }
        let (size, resize) = match self.pixels() {
            Pixels::Tiny => (32, 32),
            Pixels::Large(size) => (size, size * 8 / 7),
        };
        keys.push(("views.size", number(size)));
        keys.push(("eval.crop", number(size)));
        keys.push(("eval.resize", number(resize)));
        if architecture.in_channels() != 3 {
            let value = |value| Value::Array(vec![Value::Float(value); architecture.in_channels()]);
            let statistics = [("mean".to_owned(), value(0.5)), ("std".to_owned(), value(0.5))];
            keys.push(("data.normalize", Value::Table(statistics.into_iter().collect())));
        }
        keys
    }

    fn pixels(&self) -> Pixels {
        match &self.settings.architecture {
            Architecture::ResNet(shape) if shape.stem_kernel == 3 => Pixels::Tiny,
            Architecture::ResNet(_) => Pixels::Large(224),
            Architecture::Vit(shape) => Pixels::Large(shape.image),
        }
    }

    /// Every tensor with its name in a checkpoint, sorted by name.
    pub(super) fn tensors(&self) -> Vec<(String, &ImportTensor)> {
        let backbone = self.import.backbone.iter();
        let backbone = backbone.map(|tensor| (format!("backbone.{}", tensor.name), tensor));
        let projector = self.import.projector.iter().map(|tensor| (tensor.name.clone(), tensor));
        let mut tensors: Vec<_> = backbone.chain(projector).collect();
        tensors.sort_by(|(a, _), (b, _)| a.cmp(b));
        tensors
    }

    /// The weights, read into memory.
    ///
    /// # Errors
    /// If a tensor cannot be read.
    pub fn weights(&self) -> Result<StateDict> {
        let read = |(name, tensor): (String, &ImportTensor)| {
            let tensor = HostTensor {
                shape: tensor.shape.clone(),
                data: tensor.read(&self.file)?,
            };
            Ok((name, tensor))
        };
        self.tensors().into_iter().map(read).collect()
    }

    /// Checks that a config builds the file's network.
    ///
    /// # Errors
    /// One line with the keys that build it.
    pub fn check(&self, config: &Config) -> Result<()> {
        // Each by itself: a section that has its defaults is not written within another.
        let (model, vit) = (Table::try_from(&config.model)?, Table::try_from(config.model.vit)?);
        let is_same = |key: &str, value: &Value| {
            let found = match key.strip_prefix("model.vit.") {
                Some(key) => vit.get(key),
                None => model.get(key.trim_start_matches("model.")),
            };
            found == Some(value)
        };
        let keys = self.config_keys();
        // Another projector than the file's is newly initialised, as for every start from given weights.
        let is_of_backbone = |key: &str| key.starts_with("model.") && !key.starts_with("model.projector");
        let backbone: Vec<_> = keys.iter().filter(|(key, _)| is_of_backbone(key)).collect();
        if backbone.iter().all(|(key, value)| is_same(key, value)) {
            return Ok(());
        }
        let sets: Vec<String> = backbone.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        bail!(
            "the config builds another network than the one in {}, which has {}",
            self.file
                .path()
                .map_or_else(String::new, |path| path.display().to_string()),
            sets.join(", ")
        )
    }
}

/// Size of the images that a network is made for.
enum Pixels {
    /// 32 px, as CIFAR's.
    Tiny,
    /// So many pixels, cut from slightly larger ones.
    Large(usize),
}
