//! The `linear` command: a linear classifier on a run's frozen features, exactly or by the official protocol.

use super::probe::ProbeRequest;
use crate::console::print_result;
use anyhow::Context;
use barlow_engine::error::RunError;
use barlow_engine::evaluation::{L2, LinearWanted, SgdProtocol, SgdResult, Wanted, linear_sgd, network_hash};
use barlow_engine::files::write_json;
use barlow_eval::{ClassReport, ClassScore};
use serde::Serialize;

/// `eval/linear.json`.
#[derive(Serialize)]
struct ExactReport {
    protocol: &'static str,
    linear_top1: f64,
    linear_top5: Option<f64>,
    l2: f64,
    iterations: usize,
    converged: bool,
    /// Over 15 bins.
    calibration_error: Option<f64>,
    classes: Vec<ClassEntry>,
    /// True class, predicted class, images; pairs that occur.
    confusion: Vec<[usize; 3]>,
    data: String,
    step: u64,
}

/// `eval/linear-sgd.json`.
#[derive(Serialize)]
struct SgdReport<'a> {
    protocol: &'static str,
    /// After the last epoch, of the classifier with the highest one.
    linear_top1: f64,
    linear_top5: Option<f64>,
    /// The highest top-1 after any epoch of any classifier.
    best_top1: f64,
    rate: f64,
    weight_decay: f64,
    settings: &'a SgdProtocol,
    classifiers: &'a [SgdResult],
    data: String,
    step: u64,
}

/// Accuracy of one class.
#[derive(Serialize)]
struct ClassEntry {
    name: String,
    images: usize,
    top1: Option<f64>,
}

fn classes(report: &ClassReport, names: &[String]) -> Vec<ClassEntry> {
    let scores = report.per_class.iter().zip(names);
    let entry = |(score, name): (&ClassScore, &String)| ClassEntry {
        name: name.clone(),
        images: score.images,
        top1: score.accuracy(),
    };
    scores.map(entry).collect()
}

/// Fits a classifier to convergence, prints its accuracy and writes `eval/linear.json`.
///
/// # Errors
/// When the run has no checkpoint, the images no labels, or it should stop.
pub fn exact(request: &ProbeRequest, l2: L2) -> Result<(), RunError> {
    let (accuracy, step, names) = request.evaluate(&Wanted::of(&request.config, LinearWanted::Exact(l2)))?;
    let linear = accuracy.linear.context("a probe was requested")?;
    let fit = linear.fit.context("an exact probe was fitted")?;
    let report = ExactReport {
        protocol: "exact",
        linear_top1: linear.top1,
        linear_top5: linear.top5,
        l2: fit.l2,
        iterations: fit.iterations,
        converged: fit.converged,
        calibration_error: fit.report.calibration_error,
        classes: classes(&fit.report, &names),
        confusion: fit
            .report
            .confusion
            .iter()
            .map(|entry| [entry.truth, entry.predicted, entry.images])
            .collect(),
        data: request.data(),
        step,
    };
    write_json(&request.run.evaluation("linear"), &report)?;
    let top5 = top5(report.linear_top5);
    print_result(&format!("linear top-1 {:.4}{top5} (step {step})", report.linear_top1));
    Ok(())
}

/// Trains classifiers by the official protocol, prints their accuracy and writes `eval/linear-sgd.json`. An interrupted one is
/// continued by the same command.
///
/// # Errors
/// As [`exact`], or if a file cannot be written.
pub fn sgd(request: &ProbeRequest, protocol: &SgdProtocol) -> Result<(), RunError> {
    let (checkpoint, sources) = request.open()?;
    let weights = checkpoint.evaluated(&request.config);
    let hash = network_hash(weights, &sources, &request.config);
    let state = request.run.evaluation("linear-sgd").with_extension("state.safetensors");
    let results = request.selected.run(|device| {
        let network = device.network(weights, &request.config, false)?;
        let watch = request.watch();
        linear_sgd(
            network.as_ref(),
            &hash,
            &sources,
            &request.config,
            protocol,
            &state,
            &watch,
        )
    })?;
    let top1 = |result: &SgdResult| result.last().top1;
    let chosen = results.iter().max_by(|a, b| top1(a).total_cmp(&top1(b)));
    let chosen = chosen.context("a protocol has a classifier")?;
    let best = results.iter().map(|result| result.best().top1).fold(0.0, f64::max);
    let step = checkpoint.progress.step;
    let report = SgdReport {
        protocol: "sgd",
        linear_top1: chosen.last().top1,
        linear_top5: chosen.last().top5,
        best_top1: best,
        rate: chosen.rate,
        weight_decay: chosen.weight_decay,
        settings: protocol,
        classifiers: &results,
        data: request.data(),
        step,
    };
    write_json(&request.run.evaluation("linear-sgd"), &report)?;
    for result in &results {
        print_result(&format!(
            "linear top-1 {:.4}{}, best {:.4} (rate {}, weight decay {}, {} epochs, step {step})",
            result.last().top1,
            top5(result.last().top5),
            result.best().top1,
            result.rate,
            result.weight_decay,
            protocol.epochs
        ));
    }
    Ok(())
}

fn top5(top5: Option<f64>) -> String {
    top5.map_or(String::new(), |top5| format!(", top-5 {top5:.4}"))
}
