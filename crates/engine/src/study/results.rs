//! The results of a study: what is written to `study.json`.

use super::base::Base;
use super::cell_run::{CellRun, Ending};
use super::study::{Cell, Study};
use crate::summary::Summary;
use barlow_eval::MeanStd;
use serde::Serialize;
use serde_json::{Map, Value};

/// The results of a study. Accuracies are fractions of 1; a field is null where it was not measured.
#[derive(Clone, Debug, Serialize)]
pub struct StudyResults {
    /// The study's name.
    pub study: String,
    /// Heading.
    pub title: String,
    /// Where the paper's numbers are from.
    pub source: Option<String>,
    /// The recipe.
    pub recipe: String,
    /// The data set's folder.
    pub data: String,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// Version of the program.
    pub version: &'static str,
    /// Whether every run is finished.
    pub complete: bool,
    /// What the figure and the differences show.
    pub measure: Measure,
    /// Name of the cell that differences are measured from.
    pub baseline: Option<String>,
    /// Remarks.
    pub notes: Vec<String>,
    /// The cells.
    pub cells: Vec<CellResult>,
}

/// The main measure of a study: the first that its runs have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Accuracy of the linear probe.
    #[default]
    LinearTop1,
    /// kNN accuracy.
    KnnTop1,
    /// Mean loss of the last epoch, of images without labels.
    Loss,
}

/// The results of a cell over its seeds.
#[derive(Clone, Debug, Serialize)]
pub struct CellResult {
    /// Its name.
    pub cell: String,
    /// Its name in tables.
    pub label: String,
    /// Its place on a numeric axis.
    pub x: Option<f64>,
    /// The recipe, if it is another one than the study's.
    pub recipe: Option<String>,
    /// The keys that the cell sets, with those that follow from them.
    pub settings: Map<String, Value>,
    /// Accuracy of the linear probe.
    pub linear_top1: Option<Spread>,
    /// Its top-5 accuracy.
    pub linear_top5: Option<Spread>,
    /// kNN accuracy.
    pub knn_top1: Option<Spread>,
    /// The linear probe's accuracy before the first step.
    pub untrained_linear_top1: Option<Spread>,
    /// kNN accuracy before the first step.
    pub untrained_knn_top1: Option<Spread>,
    /// Difference of the main measure to the baseline's with the same seed.
    pub difference: Option<Spread>,
    /// Mean loss of the last epoch.
    pub loss: Option<Spread>,
    /// The least value that the loss can take.
    pub loss_floor: Option<Spread>,
    /// The method's readings of the last epoch.
    pub readings: Map<String, Value>,
    /// Training speed.
    pub images_per_second: Option<Spread>,
    /// Seconds of a run.
    pub wall_seconds: Option<Spread>,
    /// The paper's top-1 accuracy.
    pub paper_top1: Option<f64>,
    /// The paper's top-5 accuracy.
    pub paper_top5: Option<f64>,
    /// Difference of the paper's top-1 accuracy to that of the baseline.
    pub paper_difference: Option<f64>,
    /// The runs.
    pub runs: Vec<RunResult>,
}

/// Mean and standard deviation over seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// The sample standard deviation; null for one seed.
    pub std: Option<f64>,
    /// The number of seeds.
    pub count: usize,
}

/// A run of a cell.
#[derive(Clone, Debug, Serialize)]
pub struct RunResult {
    /// Its seed.
    pub seed: u64,
    /// Its state.
    pub state: RunState,
    /// Its one-line error, if it failed.
    pub error: Option<String>,
    /// Its folder.
    pub run: String,
    /// Its `summary.json`.
    pub summary: Option<Summary>,
}

/// The state of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Finished.
    Done,
    /// Failed.
    Failed,
    /// Interrupted, with a checkpoint.
    Interrupted,
    /// Not started yet, or in progress.
    Open,
}

impl Spread {
    fn of(values: &[f64]) -> Option<Self> {
        let MeanStd { mean, std, count } = MeanStd::of(values)?;
        Some(Self { mean, std, count })
    }
}

impl Measure {
    /// Its value in a summary.
    fn of(self, summary: &Summary) -> Option<f64> {
        match self {
            Self::LinearTop1 => summary.linear_top1,
            Self::KnnTop1 => summary.knn_top1,
            Self::Loss => Some(summary.loss),
        }
    }

    /// What it is called.
    pub fn label(self) -> &'static str {
        match self {
            Self::LinearTop1 => "linear top-1",
            Self::KnnTop1 => "kNN top-1",
            Self::Loss => "loss",
        }
    }

    /// What to show its values times: accuracies in percent.
    pub fn scale(self) -> f64 {
        if self == Self::Loss { 1.0 } else { 100.0 }
    }
}

impl CellResult {
    /// The main measure.
    pub fn measured(&self, measure: Measure) -> Option<Spread> {
        match measure {
            Measure::LinearTop1 => self.linear_top1,
            Measure::KnnTop1 => self.knn_top1,
            Measure::Loss => self.loss,
        }
    }
}

/// A run with its ending and its results.
struct Ended<'a> {
    run: &'a CellRun,
    ending: Option<&'a Ending>,
    summary: Option<Summary>,
}

/// Gathers the results from the folders of the runs. Endings are those of `runs`, in their order.
pub(super) fn gather(
    study: &Study,
    base: &Base,
    seeds: &[u64],
    runs: &[CellRun],
    endings: &[Option<Ending>],
) -> StudyResults {
    let ended: Vec<Ended<'_>> = runs
        .iter()
        .zip(endings)
        .map(|(run, ending)| Ended {
            run,
            ending: ending.as_ref(),
            summary: run.finished(),
        })
        .collect();
    let summaries = || ended.iter().filter_map(|ended| ended.summary.as_ref());
    let measures = [Measure::LinearTop1, Measure::KnnTop1, Measure::Loss];
    let measure = measures
        .into_iter()
        .find(|measure| summaries().any(|summary| measure.of(summary).is_some()));
    let measure = measure.unwrap_or_default();
    let baseline = study.cells.iter().position(|cell| cell.is_baseline);
    let of_cell = |number: usize| ended.iter().filter(move |ended| ended.run.cell == number);
    let of_seed = |seed: u64| {
        let baseline = of_cell(baseline?).find(|ended| ended.run.seed == seed)?;
        measure.of(baseline.summary.as_ref()?)
    };
    let paper_baseline = study.baseline().and_then(|cell| cell.paper);
    let cells = study.cells.iter().enumerate().map(|(number, cell)| {
        let ended: Vec<&Ended<'_>> = of_cell(number).collect();
        let differences = ended.iter().filter_map(|ended| {
            let own = measure.of(ended.summary.as_ref()?)?;
            Some(own - of_seed(ended.run.seed)?)
        });
        let differences: Vec<f64> = differences.collect();
        let difference = (!cell.is_baseline).then(|| Spread::of(&differences)).flatten();
        let paper_difference = cell
            .paper
            .zip(paper_baseline)
            .filter(|_| !cell.is_baseline)
            .map(|(own, baseline)| fraction(own.top1 - baseline.top1));
        cell_result(cell, &ended, difference, paper_difference)
    });
    StudyResults {
        study: study.name.clone(),
        title: study.title.clone(),
        source: study.source.clone(),
        recipe: base.recipe().to_owned(),
        data: runs
            .first()
            .map_or(String::new(), |run| run.config.data.path.display().to_string()),
        seeds: seeds.to_vec(),
        version: env!("CARGO_PKG_VERSION"),
        complete: ended.iter().all(|ended| ended.summary.is_some()),
        measure,
        baseline: study.baseline().map(|cell| cell.name.clone()),
        notes: study.notes.clone(),
        cells: cells.collect(),
    }
}

fn cell_result(
    cell: &Cell,
    ended: &[&Ended<'_>],
    difference: Option<Spread>,
    paper_difference: Option<f64>,
) -> CellResult {
    let summaries: Vec<&Summary> = ended.iter().filter_map(|ended| ended.summary.as_ref()).collect();
    let spread = |value: &dyn Fn(&Summary) -> Option<f64>| {
        let values: Vec<f64> = summaries.iter().filter_map(|summary| value(summary)).collect();
        Spread::of(&values)
    };
    let names = summaries.first().and_then(|summary| summary.readings.as_ref());
    let names = names
        .into_iter()
        .flat_map(|readings| readings.iter().map(|(name, _)| name));
    let readings = names.filter_map(|name| {
        let spread = spread(&|summary| summary.readings.as_ref()?.get(name))?;
        Some((name.to_owned(), json(&spread)))
    });
    let settings = cell.settings.iter().chain(&cell.derived);
    CellResult {
        cell: cell.name.clone(),
        label: cell.label.clone(),
        x: cell.x,
        recipe: cell.recipe.clone(),
        settings: settings
            .map(|setting| (setting.key.clone(), json(&setting.value)))
            .collect(),
        linear_top1: spread(&|summary| summary.linear_top1),
        linear_top5: spread(&|summary| summary.linear_top5),
        knn_top1: spread(&|summary| summary.knn_top1),
        untrained_linear_top1: spread(&|summary| summary.untrained_linear_top1),
        untrained_knn_top1: spread(&|summary| summary.untrained_knn_top1),
        difference,
        loss: spread(&|summary| Some(summary.loss)),
        loss_floor: spread(&|summary| summary.loss_floor),
        readings: readings.collect(),
        images_per_second: spread(&|summary| Some(summary.images_per_second)),
        wall_seconds: spread(&|summary| Some(summary.wall_seconds)),
        paper_top1: cell.paper.map(|paper| fraction(paper.top1)),
        paper_top5: cell.paper.and_then(|paper| paper.top5).map(fraction),
        paper_difference,
        runs: ended.iter().map(|ended| run_result(ended)).collect(),
    }
}

/// A number in percent as a fraction, without the digits that a division adds.
fn fraction(percent: f64) -> f64 {
    (percent * 1e4).round() / 1e6
}

fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}

fn run_result(ended: &Ended<'_>) -> RunResult {
    let (state, error) = match (ended.ending, &ended.summary) {
        (_, Some(_)) => (RunState::Done, None),
        (Some(Ending::Failed(error)), None) => (RunState::Failed, Some(error.clone())),
        (Some(Ending::Interrupted), None) => (RunState::Interrupted, None),
        (Some(Ending::Done) | None, None) => (RunState::Open, None),
    };
    RunResult {
        seed: ended.run.seed,
        state,
        error,
        run: ended.run.root.display().to_string(),
        summary: ended.summary.clone(),
    }
}
