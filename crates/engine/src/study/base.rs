//! The base of a study: the recipe with the command line's changes, which all cells share, and how many images there are.

use super::memory::fit_into_memory;
use super::study::{Cell, Setting};
use crate::config::{Config, ConfigError, Layers, load, locate_data};
use crate::sources::ImageCounts;

/// What all cells of a study share.
#[derive(Clone, Debug)]
pub struct Base {
    layers: Layers,
    /// The keys that the command line set.
    given: Vec<String>,
    recipe: String,
    config: Config,
    images: ImageCounts,
    memory: Option<u64>,
}

impl Base {
    /// Loads the layers of the command line over `below`, changes of the recipe as `--set` takes them. `images` are those of the config's
    /// data set; `memory` is the most that a step of one run may take, in bytes, if it is to be limited.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn new(
        mut layers: Layers,
        below: Vec<String>,
        images: ImageCounts,
        memory: Option<u64>,
    ) -> Result<Self, ConfigError> {
        let sets = layers.sets.iter().filter_map(|set| set.split('=').next());
        let flags = layers.flags.iter().map(|(key, _)| *key);
        let given = sets.map(str::trim).chain(flags).map(str::to_owned).collect();
        layers.sets = below.into_iter().chain(layers.sets).collect();
        let (recipe, config) = load(&layers)?;
        config.backbone()?;
        Ok(Self {
            layers,
            given,
            recipe,
            config,
            images,
            memory,
        })
    }

    /// The name of the recipe.
    pub fn recipe(&self) -> &str {
        &self.recipe
    }

    /// The config without the changes of a cell.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// How many images there are.
    pub fn images(&self) -> ImageCounts {
        self.images
    }

    /// The keys that the command line set, dotted.
    pub fn given(&self) -> impl Iterator<Item = &str> {
        self.given.iter().map(String::as_str)
    }

    /// The config of a cell with a seed. The data set's folder is absolute; `train.micro_batch` is set if a step would not fit into
    /// the memory and the config does not set it.
    ///
    /// # Errors
    /// [`ConfigError`] if the cell's settings are invalid; a data set that cannot be located is left to the run.
    pub fn config_of(&self, cell: &Cell, seed: u64) -> Result<Config, ConfigError> {
        let mut layers = self.layers.clone();
        if let Some(recipe) = &cell.recipe {
            layers.recipe = Some(recipe.clone());
        }
        let settings = cell.settings.iter().chain(&cell.derived);
        layers.sets.extend(settings.map(Setting::to_string));
        layers.sets.push(format!("run.seed={seed}"));
        let (_, mut config) = load(&layers)?;
        config.backbone()?;
        if let Ok(found) = locate_data(&config.data.path) {
            config.data.path = std::path::absolute(&found).unwrap_or(found);
        }
        if let Some(root) = &config.data.list_root {
            config.data.list_root = Some(std::path::absolute(root).unwrap_or_else(|_| root.clone()));
        }
        if let Some(memory) = self.memory {
            fit_into_memory(&mut config, memory);
        }
        Ok(config)
    }
}
