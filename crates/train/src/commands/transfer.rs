//! The `transfer` command: a run's frozen features on another data set, by a linear classifier or, where images have several labels,
//! by support vector machines.

use super::linear;
use super::probe::ProbeRequest;
use crate::console::print_result;
use barlow_engine::error::RunError;
use barlow_engine::evaluation::{L2, multi_label_svm};
use barlow_engine::files::write_json;
use barlow_eval::{MeanAp, SvmClass, SvmConfig};
use serde::Serialize;

/// `eval/svm.json`.
#[derive(Serialize)]
struct SvmReport {
    protocol: &'static str,
    /// Mean area under the precision-recall curve: VISSL's mAP.
    map: Option<f64>,
    /// Mean of the average precision at eleven recalls, VOC07's own.
    map_11_point: Option<f64>,
    /// Classes without test images, which are no part of the means.
    undefined: usize,
    classes: Vec<SvmEntry>,
    data: String,
    step: u64,
}

/// One class.
#[derive(Serialize)]
struct SvmEntry {
    name: String,
    ap: Option<f64>,
    ap_11_point: Option<f64>,
    cost: Option<f64>,
    converged: bool,
}

/// The classifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Logistic regression, for one label per image.
    Linear,
    /// A support vector machine per class, for several.
    Svm,
}

/// Evaluates, prints the accuracy and writes `eval/linear.json` or `eval/svm.json`.
///
/// # Errors
/// When the run has no checkpoint, the images cannot be evaluated on by the task, or it should stop.
pub fn run(request: &ProbeRequest, task: Task) -> Result<(), RunError> {
    match task {
        Task::Linear => linear::exact(request, L2::Chosen),
        Task::Svm => svm(request),
    }
}

fn svm(request: &ProbeRequest) -> Result<(), RunError> {
    let (checkpoint, sources) = request.open_any()?;
    if sources.test.is_none() || sources.train.classes().len() < 2 {
        return Err(RunError::usage(format!(
            "{} has no labelled training and test images; pass --data DIR, such as a folder of VOC",
            request.data()
        )));
    }
    let config = &request.config;
    let found = request.selected.run(|device| {
        let network = device.network(checkpoint.evaluated(config), config, false)?;
        multi_label_svm(
            network.as_ref(),
            &sources,
            config,
            &SvmConfig::default(),
            &request.watch(),
        )
    })?;
    let entry = |(class, name): (&SvmClass, &String)| SvmEntry {
        name: name.clone(),
        ap: class.average_precision.map(|ap| ap.area),
        ap_11_point: class.average_precision.map(|ap| ap.eleven_point),
        cost: class.cost,
        converged: class.converged,
    };
    let MeanAp { mean, undefined, .. } = found.mean_area;
    let report = SvmReport {
        protocol: "svm",
        map: mean,
        map_11_point: found.mean_eleven_point.mean,
        undefined,
        classes: found.classes.iter().zip(sources.train.classes()).map(entry).collect(),
        data: request.data(),
        step: checkpoint.progress.step,
    };
    write_json(&request.run.evaluation("svm"), &report)?;
    for class in &report.classes {
        let ap = class.ap.map_or("not defined".to_owned(), |ap| format!("{ap:.4}"));
        print_result(&format!("{:16} {ap}", class.name));
    }
    let number = |value: Option<f64>| value.map_or("not defined".to_owned(), |value| format!("{value:.4}"));
    print_result(&format!(
        "mAP {} (11 points {}, step {})",
        number(report.map),
        number(report.map_11_point),
        report.step
    ));
    Ok(())
}
