//! What a study is: cells, each a name with config overrides and, where the paper has one, its number.
//!
//! Plain data. This file must not know folders, runs or results.

use super::error::StudyError;
use std::fmt;
use toml::Value;

/// A grid of runs over one recipe.
#[derive(Clone, Debug, PartialEq)]
pub struct Study {
    /// Its name on the command line.
    pub name: String,
    /// Heading.
    pub title: String,
    /// Where the paper's numbers are from and what they measure; `None` if no cell has one.
    pub source: Option<String>,
    /// What the figure shows along its horizontal axis.
    pub axis: Axis,
    /// The cells, in the order of the table.
    pub cells: Vec<Cell>,
    /// Remarks on how the study differs from the paper's, and on cells that this data set does not allow.
    pub notes: Vec<String>,
    /// Whether the runs are in `seed-S` below the study's folder, and not in `CELL/seed-S`: a study of one cell.
    pub flat: bool,
}

/// The horizontal axis of a study's figure.
#[derive(Clone, Debug, PartialEq)]
pub enum Axis {
    /// Names of cells, a row each.
    Names,
    /// Names of cells, and differences to the baseline instead of accuracies, as in the paper's Figure 3.
    Differences,
    /// The number [`Cell::x`].
    Number {
        /// What it is.
        label: String,
        /// Logarithmic.
        log: bool,
    },
}

/// One setting of a study, run once per seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// Its name and the name of its folder: lower-case letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// Its name in tables and figures.
    pub label: String,
    /// Its place on a numeric axis.
    pub x: Option<f64>,
    /// A recipe that replaces the study's.
    pub recipe: Option<String>,
    /// The keys that the study varies. The command line may not set them.
    pub settings: Vec<Setting>,
    /// Keys that follow from those, such as a learning rate that goes with a batch size.
    pub derived: Vec<Setting>,
    /// Whether differences are measured from this cell.
    pub is_baseline: bool,
    /// The paper's number.
    pub paper: Option<PaperNumber>,
}

/// A key of the config with its value in a cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// The key, dotted.
    pub key: String,
    /// The value.
    pub value: Value,
}

/// Accuracies of the paper in percent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PaperNumber {
    /// Top-1.
    pub top1: f64,
    /// Top-5, where the paper has it.
    pub top5: Option<f64>,
}

/// `KEY=VALUE` as `--set` takes it.
impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.key, self.value)
    }
}

impl Cell {
    /// A cell that changes nothing yet.
    pub fn new(name: impl Into<String>, label: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            label: label.into(),
            x: None,
            recipe: None,
            settings: Vec::new(),
            derived: Vec::new(),
            is_baseline: false,
            paper: None,
        }
    }

    /// Adds a key that the study varies.
    pub fn set(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        let (key, value) = (key.into(), value.into());
        self.settings.push(Setting { key, value });
        self
    }

    /// Adds a key that follows from those.
    pub fn derive(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        let (key, value) = (key.into(), value.into());
        self.derived.push(Setting { key, value });
        self
    }

    /// Places it on a numeric axis.
    pub fn at(self, x: f64) -> Self {
        Self { x: Some(x), ..self }
    }

    /// Makes it the baseline if `is_baseline`.
    pub fn baseline(self, is_baseline: bool) -> Self {
        Self { is_baseline, ..self }
    }

    /// Adds the paper's top-1 and top-5 accuracies in percent.
    pub fn paper(self, top1: f64, top5: Option<f64>) -> Self {
        Self {
            paper: Some(PaperNumber { top1, top5 }),
            ..self
        }
    }
}

impl Study {
    /// The baseline, if there is one.
    pub fn baseline(&self) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.is_baseline)
    }

    /// The same study with some of its cells, in the study's order; the baseline stays if it is among them.
    ///
    /// # Errors
    /// [`StudyError::UnknownCell`].
    pub fn only(mut self, names: &[String]) -> Result<Self, StudyError> {
        if names.is_empty() {
            return Ok(self);
        }
        let known: Vec<String> = self.cells.iter().map(|cell| cell.name.clone()).collect();
        if let Some(unknown) = names.iter().find(|name| !known.contains(name)) {
            return Err(StudyError::UnknownCell {
                name: unknown.clone(),
                known: known.join(", "),
            });
        }
        self.cells.retain(|cell| names.contains(&cell.name));
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_what_set_takes() {
        let cell = Cell::new("a", "A")
            .set("model.projector", "64-64")
            .set("loss.lambda", 0.5);
        let texts: Vec<String> = cell.settings.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["model.projector=\"64-64\"", "loss.lambda=0.5"]);
    }
}
