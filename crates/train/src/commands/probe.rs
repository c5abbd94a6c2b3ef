//! The `knn` and `linear` commands: evaluate the frozen features of a run, on its own images or on others.

use crate::console::{Terminal, print_result};
use anyhow::Context;
use barlow_data::DataFormat;
use barlow_engine::checkpoint::{Checkpoint, Damaged};
use barlow_engine::config::Config;
use barlow_engine::console::Console;
use barlow_engine::error::RunError;
use barlow_engine::evaluation::{Accuracy, LinearWanted, Watch, evaluate as evaluate_network};
use barlow_engine::files::write_json;
use barlow_engine::run_dir::RunDir;
use barlow_engine::sources;
use barlow_engine::stop::StopFlag;
use barlow_train::device::Selected;
use serde::Serialize;

/// What to evaluate.
pub struct ProbeRequest {
    /// The run.
    pub run: RunDir,
    /// Take the last checkpoint, not the best one.
    pub last: bool,
    /// The run's config, with the data set to evaluate on.
    pub config: Config,
    /// Where the features are computed.
    pub selected: Selected,
    /// Where messages go.
    pub console: Terminal,
    /// Set when the evaluation should stop.
    pub stop: StopFlag,
}

/// `eval/knn.json`.
#[derive(Serialize)]
struct KnnReport<'a> {
    knn_top1: f64,
    k: usize,
    temperature: f64,
    data: &'a str,
    step: u64,
}

/// `eval/linear.json`.
#[derive(Serialize)]
struct LinearReport<'a> {
    linear_top1: f64,
    linear_top5: Option<f64>,
    iterations: usize,
    converged: bool,
    data: &'a str,
    step: u64,
}

/// Prints the kNN accuracy and writes `eval/knn.json`.
///
/// # Errors
/// When the run has no checkpoint, or the images no labels.
pub fn knn(request: &ProbeRequest) -> Result<(), RunError> {
    let (accuracy, step) = evaluate(request, LinearWanted::No)?;
    let eval = &request.config.eval;
    let data = request.config.data.path.to_string_lossy();
    let report = KnnReport {
        knn_top1: accuracy.knn_top1,
        k: eval.knn_k,
        temperature: eval.knn_temperature,
        data: &data,
        step,
    };
    write_json(&request.run.evaluation("knn"), &report)?;
    print_result(&format!(
        "kNN top-1 {:.4} (k {}, T {}, step {step})",
        report.knn_top1, report.k, report.temperature
    ));
    Ok(())
}

/// Prints the accuracy of a linear probe and writes `eval/linear.json`.
///
/// # Errors
/// When the run has no checkpoint, or the images no labels.
pub fn linear(request: &ProbeRequest) -> Result<(), RunError> {
    let (accuracy, step) = evaluate(request, LinearWanted::Exact)?;
    let linear = accuracy.linear.context("a probe was requested")?;
    let data = request.config.data.path.to_string_lossy();
    let (iterations, converged) = linear.iterations.context("an exact probe has iterations")?;
    let report = LinearReport {
        linear_top1: linear.top1,
        linear_top5: linear.top5,
        iterations,
        converged,
        data: &data,
        step,
    };
    write_json(&request.run.evaluation("linear"), &report)?;
    let top5 = report
        .linear_top5
        .map_or(String::new(), |top5| format!(", top-5 {top5:.4}"));
    print_result(&format!("linear top-1 {:.4}{top5} (step {step})", report.linear_top1));
    Ok(())
}

fn evaluate(request: &ProbeRequest, linear: LinearWanted<'_>) -> Result<(Accuracy, u64), RunError> {
    let kept = Checkpoint::chosen(&request.run, request.last)?;
    for Damaged { error, .. } in &kept.damaged {
        request.console.warn(&format!("{error:#}"));
    }
    let checkpoint = kept.checkpoint.ok_or_else(|| {
        RunError::usage(format!(
            "{} has no checkpoint yet; run it with --resume",
            request.run.root().display()
        ))
    })?;
    let sources = sources::open(&request.config, true, &|line| request.console.line(line)).map_err(RunError::usage)?;
    if sources.left_out.is_worth_a_warning() {
        request.console.warn(&format!("skipped: {}", sources.left_out));
    }
    let watch = Watch {
        console: &request.console,
        stop: &request.stop,
    };
    let evaluated = request.selected.run(|device| {
        let network = device.network(checkpoint.evaluated(&request.config), &request.config, false)?;
        evaluate_network(network.as_ref(), &sources, &request.config, linear, false, &watch)
    });
    let accuracy = evaluated?.ok_or_else(|| {
        let path = request.config.data.path.display();
        RunError::usage(match sources.classes.as_slice() {
            [only] => format!("{path} has one class only ({only}), so accuracy cannot be measured; pass --data DIR"),
            _ if sources.format == DataFormat::Voc => {
                format!("{path} has several labels per image, so top-1 accuracy cannot be measured; pass --data DIR")
            }
            _ => format!(
                "{path} has no labelled train/ and test/ (or val/) folders, so accuracy cannot be measured; pass --data DIR"
            ),
        })
    })?;
    Ok((accuracy, checkpoint.progress.step))
}
