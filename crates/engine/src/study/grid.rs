//! A grid of the user's own: a TOML file with cells, or with axes whose values are combined.

use super::error::StudyError;
use super::study::{Axis, Cell, Setting, Study};
use serde::Deserialize;
use std::path::Path;
use toml::{Table, Value};

/// The most cells of a grid: more would be a typing mistake.
const MOST_CELLS: usize = 1000;

/// A grid as its file holds it. Unknown keys are refused.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grid {
    /// Heading; the file's name if absent.
    pub title: Option<String>,
    /// The recipe, unless the command line names one.
    pub recipe: Option<String>,
    /// The seeds, unless the command line gives them.
    pub seeds: Option<Vec<u64>>,
    /// Keys of the config for all cells.
    #[serde(default)]
    set: Table,
    /// The name of the cell that differences are measured from.
    baseline: Option<String>,
    /// Where the numbers of `paper` are from.
    source: Option<String>,
    #[serde(default)]
    cells: Vec<GridCell>,
    #[serde(default)]
    axes: Vec<GridAxis>,
}

/// One cell.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GridCell {
    name: String,
    label: Option<String>,
    recipe: Option<String>,
    #[serde(default)]
    set: Table,
    /// A number to compare with, in percent.
    paper: Option<f64>,
}

/// A key with the values that it takes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GridAxis {
    key: String,
    /// Its name in the names of cells; the key's last word if absent.
    name: Option<String>,
    values: Vec<Value>,
    /// Logarithmic in the figure, if it is the only axis and has numbers.
    #[serde(default)]
    log: bool,
}

impl Grid {
    /// Reads a file.
    ///
    /// # Errors
    /// [`StudyError::Read`], [`StudyError::Grid`].
    pub fn read(path: &Path) -> Result<Self, StudyError> {
        let text = std::fs::read_to_string(path).map_err(|source| StudyError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text).map_err(|message| StudyError::Grid {
            path: path.to_owned(),
            message,
        })
    }

    /// Parses a file's text; an error names the line.
    fn parse(text: &str) -> Result<Self, String> {
        let grid: Self = toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start.min(text.len()));
            let line = text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count() + 1;
            format!("line {line}: {}", error.message())
        })?;
        if !grid.cells.is_empty() && !grid.axes.is_empty() {
            return Err("a grid has [[cells]] or [[axes]], not both".to_owned());
        }
        if let Some(axis) = grid.axes.iter().find(|axis| axis.values.is_empty()) {
            return Err(format!("the axis {} has no values", axis.key));
        }
        let count = grid
            .axes
            .iter()
            .try_fold(1usize, |all, axis| all.checked_mul(axis.values.len()));
        if grid.cells.len() > MOST_CELLS || count.is_none_or(|count| count > MOST_CELLS) {
            return Err(format!("a grid has at most {MOST_CELLS} cells"));
        }
        let paper = grid.cells.iter().filter_map(|cell| cell.paper);
        if paper.into_iter().any(|top1| !(0.0..=100.0).contains(&top1)) {
            return Err("paper is an accuracy in percent, from 0 to 100".to_owned());
        }
        Ok(grid)
    }

    /// The keys for all cells, as `--set` takes them.
    pub fn sets(&self) -> Vec<String> {
        settings(&self.set).iter().map(Setting::to_string).collect()
    }

    /// The study of the grid.
    ///
    /// # Errors
    /// [`StudyError::UnknownCell`] if `baseline` is no cell.
    pub fn study(&self, name: &str) -> Result<Study, StudyError> {
        let mut cells: Vec<Cell> = match self.axes.as_slice() {
            [] => self.cells.iter().map(GridCell::cell).collect(),
            axes => combinations(axes),
        };
        if let Some(baseline) = &self.baseline {
            let names: Vec<&str> = cells.iter().map(|cell| cell.name.as_str()).collect();
            let known = names.join(", ");
            let found = cells.iter_mut().find(|cell| cell.name == *baseline);
            let name = baseline.clone();
            found.ok_or(StudyError::UnknownCell { name, known })?.is_baseline = true;
        }
        let has_numbers = !cells.is_empty() && cells.iter().all(|cell| cell.x.is_some());
        let axis = match self.axes.as_slice() {
            [axis] if has_numbers => Axis::Number {
                label: axis.key.clone(),
                log: axis.log,
            },
            _ => Axis::Names,
        };
        Ok(Study {
            name: name.to_owned(),
            title: self.title.clone().unwrap_or_else(|| name.to_owned()),
            source: self.source.clone(),
            axis,
            cells,
            notes: Vec::new(),
            flat: false,
        })
    }
}

impl GridCell {
    fn cell(&self) -> Cell {
        let cell = Cell {
            recipe: self.recipe.clone(),
            settings: settings(&self.set),
            ..Cell::new(&self.name, self.label.as_ref().unwrap_or(&self.name))
        };
        match self.paper {
            Some(top1) => cell.paper(top1, None),
            None => cell,
        }
    }
}

/// Every combination of the axes' values; the last axis varies fastest.
fn combinations(axes: &[GridAxis]) -> Vec<Cell> {
    let mut cells = vec![Cell::new("", "")];
    for axis in axes {
        let key = axis.key.rsplit('.').next().unwrap_or(&axis.key);
        let short = axis.name.as_deref().unwrap_or(key);
        cells = cells
            .iter()
            .flat_map(|cell| {
                axis.values.iter().map(move |value| {
                    let text = match value {
                        Value::String(text) => text.clone(),
                        other => other.to_string(),
                    };
                    let join = |before: &str, between: &str, new: String| match before {
                        "" => new,
                        before => format!("{before}{between}{new}"),
                    };
                    let x = value
                        .as_float()
                        .or_else(|| value.as_integer().map(|number| number as f64));
                    Cell {
                        name: join(&cell.name, "_", folder_name(&format!("{short}-{text}"))),
                        label: join(&cell.label, ", ", format!("{short} {text}")),
                        x,
                        ..cell.clone()
                    }
                    .set(&axis.key, value.clone())
                })
            })
            .collect();
    }
    cells
}

/// A text as the name of a folder.
fn folder_name(text: &str) -> String {
    let letter = |letter: char| {
        let lower = letter.to_ascii_lowercase();
        let fits = lower.is_ascii_lowercase() || lower.is_ascii_digit() || "-_.".contains(lower);
        if fits { lower } else { '-' }
    };
    text.chars().map(letter).collect()
}

/// The settings of a table, by dotted keys; an array or a value ends a key.
fn settings(table: &Table) -> Vec<Setting> {
    fn add(table: &Table, before: &str, to: &mut Vec<Setting>) {
        for (name, value) in table {
            let key = if before.is_empty() {
                name.clone()
            } else {
                format!("{before}.{name}")
            };
            match value {
                Value::Table(inner) => add(inner, &key, to),
                value => to.push(Setting {
                    key,
                    value: value.clone(),
                }),
            }
        }
    }
    let mut settings = Vec::new();
    add(table, "", &mut settings);
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(study: &Study) -> Vec<&str> {
        study.cells.iter().map(|cell| cell.name.as_str()).collect()
    }

    #[test]
    fn cells_are_read_with_keys_in_either_form() {
        let text = "title = \"Mine\"\nrecipe = \"smoke\"\nseeds = [3, 4]\nset.train.epochs = 1\nbaseline = \"b\"\n\
                    [[cells]]\nname = \"a\"\nset = { \"loss.lambda\" = 0.5, model.projector = \"8-8\" }\npaper = 71.4\n\
                    [[cells]]\nname = \"b\"\nrecipe = \"sign-digits\"\n";
        let grid = Grid::parse(text).unwrap();
        assert_eq!(
            (grid.recipe.as_deref(), grid.seeds.clone()),
            (Some("smoke"), Some(vec![3, 4]))
        );
        assert_eq!(grid.sets(), ["train.epochs=1"]);
        let study = grid.study("mine").unwrap();
        let texts: Vec<String> = study.cells[0].settings.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["loss.lambda=0.5", "model.projector=\"8-8\""]);
        assert_eq!((study.title.as_str(), names(&study)), ("Mine", vec!["a", "b"]));
        assert_eq!(study.cells[0].paper.map(|paper| paper.top1), Some(71.4));
        assert!(study.cells[1].is_baseline && !study.cells[0].is_baseline);
    }

    #[test]
    fn axes_are_combined() {
        let text = "[[axes]]\nkey = \"loss.lambda\"\nvalues = [0.1, 1]\n\
                    [[axes]]\nkey = \"model.projector\"\nname = \"D\"\nvalues = [\"8-8\", 16]\n";
        let study = Grid::parse(text).unwrap().study("g").unwrap();
        assert_eq!(
            names(&study),
            ["lambda-0.1_d-8-8", "lambda-0.1_d-16", "lambda-1_d-8-8", "lambda-1_d-16"]
        );
        assert_eq!(study.cells[1].label, "lambda 0.1, D 16");
        assert_eq!((study.cells[1].settings.len(), study.axis), (2, Axis::Names));
        let one = "[[axes]]\nkey = \"train.batch_size\"\nvalues = [64, 128]\nlog = true\n";
        let study = Grid::parse(one).unwrap().study("g").unwrap();
        assert_eq!((study.cells[1].x, names(&study)[1]), (Some(128.0), "batch_size-128"));
        assert!(matches!(study.axis, Axis::Number { log: true, .. }));
    }

    #[test]
    fn mistakes_are_one_line_with_the_place() {
        for (text, says) in [
            ("seeds = [0]\nsed = 1\n", "line 2: unknown field `sed`"),
            ("[[cells]]\nset = {}\n", "missing field `name`"),
            (
                "[[cells]]\nname = \"a\"\n[[axes]]\nkey = \"x\"\nvalues = [1]\n",
                "not both",
            ),
            ("[[axes]]\nkey = \"x\"\nvalues = []\n", "the axis x has no values"),
            ("[[cells]]\nname = \"a\"\npaper = 714\n", "percent"),
            ("[[axes]\n", "line 1"),
        ] {
            let error = Grid::parse(text).unwrap_err();
            assert!(error.contains(says) && !error.contains('\n'), "{error}");
        }
        let error = Grid::parse("baseline = \"c\"\n[[cells]]\nname = \"a\"\n")
            .unwrap()
            .study("g")
            .unwrap_err();
        assert_eq!(error.to_string(), "there is no cell c; the cells are a");
        let many = format!("[[axes]]\nkey = \"a\"\nvalues = {:?}\n", vec![0; 40]).repeat(2);
        assert!(Grid::parse(&many).unwrap_err().contains("at most 1000"));
    }
}
