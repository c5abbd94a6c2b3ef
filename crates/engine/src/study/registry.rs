//! The studies by name, and the user's own by file.

use super::asymmetry::ASYMMETRY;
use super::augment::AUGMENT;
use super::base::Base;
use super::batch::BATCH;
use super::definition::{StudyDefinition, check};
use super::depth::DEPTH;
use super::error::StudyError;
use super::grid::Grid;
use super::lambda::LAMBDA;
use super::loss::LOSS;
use super::methods::METHODS;
use super::study::{Axis, Cell, Study};
use super::width::WIDTH;
use crate::config::nearest;
use std::path::Path;

/// The studies that the program knows by name.
pub const STUDIES: [StudyDefinition; 8] = [LOSS, BATCH, AUGMENT, WIDTH, DEPTH, LAMBDA, ASYMMETRY, METHODS];

/// What a command line names as a study.
#[derive(Clone, Debug)]
pub enum StudySource {
    /// One that the program knows.
    Known(StudyDefinition),
    /// A grid of the user's own, with the name of its file.
    Own(String, Box<Grid>),
    /// One recipe with several seeds.
    Seeds,
}

impl StudySource {
    /// Finds a study by its name, or reads a grid if the name looks like a file.
    ///
    /// # Errors
    /// [`StudyError`].
    pub fn find(name: &str) -> Result<Self, StudyError> {
        if let Some(known) = STUDIES.into_iter().find(|study| study.name == name) {
            return Ok(Self::Known(known));
        }
        let path = Path::new(name);
        if path.extension().is_some() || path.components().count() > 1 {
            let stem = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy();
            return Ok(Self::Own(stem.into_owned(), Box::new(Grid::read(path)?)));
        }
        let names = || STUDIES.iter().map(|study| study.name);
        let hint = nearest(name, names()).map_or(String::new(), |near| format!("; did you mean {near}?"));
        Err(StudyError::Unknown {
            name: name.to_owned(),
            known: names().collect::<Vec<_>>().join(", "),
            hint,
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Known(known) => known.name,
            Self::Own(name, _) => name,
            Self::Seeds => "seeds",
        }
    }

    /// The grid, if it is the user's own.
    pub fn grid(&self) -> Option<&Grid> {
        match self {
            Self::Own(_, grid) => Some(grid),
            Self::Known(_) | Self::Seeds => None,
        }
    }

    /// The study over a base: those of its cells that `only` names, or all if it is empty.
    ///
    /// # Errors
    /// [`StudyError`] if the study is not possible over this base, or a name is no cell's.
    pub fn study(&self, base: &Base, only: &[String]) -> Result<Study, StudyError> {
        let study = match self {
            Self::Known(known) => (known.build)(base)?,
            Self::Own(name, grid) => grid.study(name)?,
            Self::Seeds => seeds(base),
        };
        check(&study, base)?;
        study.only(only)
    }
}

/// The study of one cell, the recipe itself.
fn seeds(base: &Base) -> Study {
    Study {
        name: "seeds".to_owned(),
        title: format!("{} over seeds", base.recipe()),
        source: None,
        axis: Axis::Names,
        cells: vec![Cell::new("", base.recipe())],
        notes: Vec::new(),
        flat: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Change, Layers, changes};
    use crate::sources::ImageCounts;

    fn base(recipe: &str, sets: &[&str]) -> Base {
        let layers = Layers {
            recipe: Some(recipe.to_owned()),
            sets: sets.iter().map(|set| (*set).to_owned()).collect(),
            flags: Vec::new(),
        };
        let images = ImageCounts::shipped();
        Base::new(layers, Vec::new(), images, None).unwrap()
    }

    fn study(name: &str, base: &Base) -> Study {
        StudySource::find(name).unwrap().study(base, &[]).unwrap()
    }

    /// The keys in which a cell differs from the recipe, with their values.
    fn differences(base: &Base, cell: &Cell) -> Vec<(String, String)> {
        let config = base.config_of(cell, base.config().run.seed).unwrap();
        let mut plain = base.config().clone();
        plain.data.path = config.data.path.clone();
        let pair = |change: Change| (change.key, change.after.unwrap_or_default());
        changes(&plain, &config).into_iter().map(pair).collect()
    }

    #[test]
    fn every_study_has_valid_cells_over_the_default_recipe() {
        let base = base("sign-digits", &[]);
        let counts = [7, 6, 6, 12, 4, 6, 4];
        for (definition, count) in STUDIES.iter().zip(counts.into_iter().map(Some).chain([None])) {
            let study = study(definition.name, &base);
            assert!(count.is_none_or(|count| study.cells.len() == count), "{study:?}");
            assert!(study.baseline().is_some(), "{}", definition.name);
            for cell in &study.cells {
                let config = base
                    .config_of(cell, 7)
                    .unwrap_or_else(|error| panic!("{}: {error}", cell.name));
                assert_eq!(config.run.seed, 7);
                let numbered = matches!(study.axis, Axis::Number { .. });
                assert_eq!(cell.x.is_some(), numbered, "{}", cell.name);
            }
        }
    }

    #[test]
    fn the_loss_study_is_table_5() {
        let base = base("sign-digits", &[]);
        let study = study("loss", &base);
        let paper: Vec<f64> = study.cells.iter().filter_map(|cell| Some(cell.paper?.top1)).collect();
        assert_eq!(paper, [71.4, 57.3, 0.1, 69.8, 71.2, 53.4, 63.3]);
        assert_eq!(differences(&base, &study.cells[0]), []);
        let keys = differences(&base, &study.cells[5]);
        let expected = [("loss.normalization", "\"none\""), ("model.projector_norm", "false")];
        assert_eq!(keys, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }

    #[test]
    fn batch_sizes_have_the_authors_relative_rates() {
        let base = base("sign-digits", &[]);
        let study = study("batch", &base);
        let names: Vec<&str> = study.cells.iter().map(|cell| cell.name.as_str()).collect();
        assert_eq!(names, ["n-32", "n-64", "n-128", "n-256", "n-512", "n-1024"]);
        assert!(
            study
                .notes
                .iter()
                .any(|note| note.contains("2048, 4096") && note.contains("1,662"))
        );
        let rate = |cell: &Cell| {
            base.config_of(cell, 0)
                .unwrap()
                .optimizer
                .learning_rate_weights
                .unwrap()
        };
        // 3 at 128 images, where the authors' is 0.7; 0.3 at 512.
        assert!((rate(&study.cells[4]) - 3.0 * 0.3 / 0.7).abs() < 1e-12);
        assert_eq!(differences(&base, &study.cells[2]), []);
        let biases = |cell: &Cell| base.config_of(cell, 0).unwrap().optimizer.learning_rate_biases.unwrap();
        assert_eq!(biases(&study.cells[4]), 0.02, "that of biases stays");
        let base = self::base(
            "sign-digits",
            &[
                r#"optimizer.kind="adamw""#,
                "optimizer.learning_rate_weights=4e-3",
                "optimizer.learning_rate_biases=4e-3",
            ],
        );
        let wide = &self::study("batch", &base).cells[4];
        let optimizer = base.config_of(wide, 0).unwrap().optimizer;
        assert_eq!(
            optimizer.learning_rate_biases, optimizer.learning_rate_weights,
            "AdamW has one rate"
        );
    }

    #[test]
    fn a_micro_batch_of_the_recipe_stays_where_it_divides_the_batch() {
        let base = base("sign-digits", &["train.micro_batch=64"]);
        let micro: Vec<Option<usize>> = study("batch", &base)
            .cells
            .iter()
            .map(|cell| base.config_of(cell, 0).unwrap().train.micro_batch)
            .collect();
        assert_eq!(micro, [32, 64, 64, 64, 64, 64].map(Some));
    }

    #[test]
    fn the_widest_embedding_takes_the_gram_form_and_little_memory() {
        let base = base("sign-digits", &[]);
        let study = study("width", &base);
        let widest = study.cells.last().unwrap();
        let config = base.config_of(widest, 0).unwrap();
        assert_eq!(
            (config.model.projector.as_str(), config.train.batch_size),
            ("512-512-65536", 128)
        );
        let outlook = config.method_definition().outlook(&config.method_inputs(None));
        assert!(outlook.settings.contains("gram form"), "{}", outlook.settings);
        // Embeddings and gradients of 128 × 65,536 values, eight times, and no matrix of D × D.
        assert!(outlook.peak_values < 9 * 128 * 65_536, "{}", outlook.peak_values);
    }

    #[test]
    fn removed_view_operations_accumulate() {
        let base = base("sign-digits", &[]);
        let study = study("augment", &base);
        let names: Vec<&str> = study.cells.iter().map(|cell| cell.name.as_str()).collect();
        assert_eq!(
            names,
            ["full", "no-greyscale", "no-jitter", "crop", "no-mirror", "no-solarize"]
        );
        let (a, b) = base.config_of(&study.cells[3], 0).unwrap().views.resolve();
        for view in [a, b] {
            let left = [view.greyscale, view.jitter.p, view.flip, view.solarize, view.blur.p];
            assert_eq!((left, view.crop_scale), ([0.0; 5], [0.4, 1.0]));
        }
        let blurred = self::base("sign-digits", &["views.preset=imagenet"]);
        let cells = self::study("augment", &blurred).cells;
        let (a, b) = blurred.config_of(&cells[3], 0).unwrap().views.resolve();
        assert_eq!(
            (cells[3].name.as_str(), a.blur.p, b.blur.p, a.flip),
            ("crop-blur", 1.0, 0.1, 0.0)
        );
    }

    #[test]
    fn the_methods_of_a_data_set_are_found_by_their_recipes() {
        let base = base("sign-digits", &["train.epochs=3"]);
        let study = study("methods", &base);
        let find = |name: &str| study.cells.iter().find(|cell| cell.name == name).unwrap();
        assert_eq!(find("simclr").recipe.as_deref(), Some("sign-digits-simclr"));
        assert_eq!(find("simclr").paper.map(|paper| paper.top1), Some(69.3));
        assert_eq!(base.config_of(find("simclr"), 0).unwrap().train.epochs, 3);
        assert_eq!(find("vicreg").recipe, None);
        assert_eq!(base.config_of(find("supervised"), 0).unwrap().model.projector, "10");
        assert_eq!(find("swav").paper.map(|paper| paper.top1), Some(71.8), "no small views");
    }

    #[test]
    fn what_a_study_varies_cannot_be_set() {
        let base = base("sign-digits", &["loss.lambda=0.1"]);
        let error = StudySource::find("lambda").unwrap().study(&base, &[]).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("loss.lambda is what the study lambda varies"),
            "{error}"
        );
        study("loss", &base);
        let simclr = self::base("sign-digits-simclr", &[]);
        let error = StudySource::find("loss").unwrap().study(&simclr, &[]).unwrap_err();
        assert!(error.to_string().contains("method of the recipe is simclr"), "{error}");
    }

    #[test]
    fn some_cells_can_be_chosen_and_mistakes_are_named() {
        let base = base("sign-digits", &[]);
        let loss = StudySource::find("loss").unwrap();
        let only = ["redundancy", "baseline"].map(str::to_owned);
        let names: Vec<String> = loss
            .study(&base, &only)
            .unwrap()
            .cells
            .into_iter()
            .map(|cell| cell.name)
            .collect();
        assert_eq!(names, ["baseline", "redundancy"], "in the study's order");
        let error = loss.study(&base, &["x".to_owned()]).unwrap_err().to_string();
        assert!(
            error.starts_with("there is no cell x; the cells are baseline, "),
            "{error}"
        );
        let error = StudySource::find("witdh").unwrap_err().to_string();
        assert!(error.ends_with("did you mean width?"), "{error}");
        let error = StudySource::find("no/grid.toml").unwrap_err().to_string();
        assert!(error.starts_with("cannot read the grid no/grid.toml"), "{error}");
    }
}
