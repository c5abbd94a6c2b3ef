//! `knn` and `linear`: judge the frozen features of a run, on its own images or on others.

use anyhow::{Context, Result};
use barlow_data::DataFormat;
use barlow_model::{StateDict, load_state_dict, strip_prefix};
use barlow_train::backend::{OnBackend, Selected, TrainBackend, on_backend};
use barlow_train::checkpoint::{Checkpoint, Damaged};
use barlow_train::config::Config;
use barlow_train::console::{Console, print_result};
use barlow_train::error::AppError;
use barlow_train::pretrain::{Accuracy, accuracy};
use barlow_train::run_dir::{RunDir, write_json};
use barlow_train::sources::{self, Sources};
use serde::Serialize;

/// What to judge.
pub struct ProbeRequest {
    /// The run.
    pub run: RunDir,
    /// Take the last checkpoint, not the best one.
    pub last: bool,
    /// The run's config, with the data set to judge on.
    pub config: Config,
    /// Where the features are computed.
    pub selected: Selected,
    /// Where the person is told how it goes.
    pub console: Console,
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
pub fn knn(request: &ProbeRequest) -> Result<(), AppError> {
    let (accuracy, step) = judge(request, false)?;
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
pub fn linear(request: &ProbeRequest) -> Result<(), AppError> {
    let (accuracy, step) = judge(request, true)?;
    let linear = accuracy.linear.context("a probe was asked for")?;
    let data = request.config.data.path.to_string_lossy();
    let report = LinearReport {
        linear_top1: linear.top1,
        linear_top5: linear.top5,
        iterations: linear.iterations,
        converged: linear.converged,
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

fn judge(request: &ProbeRequest, with_linear: bool) -> Result<(Accuracy, u64), AppError> {
    let kept = Checkpoint::chosen(&request.run, request.last)?;
    for Damaged { error, .. } in &kept.damaged {
        request.console.warn(&format!("{error:#}"));
    }
    let checkpoint = kept.checkpoint.ok_or_else(|| {
        AppError::usage(format!(
            "{} has no checkpoint yet; run it with --resume",
            request.run.root().display()
        ))
    })?;
    let sources = sources::open(&request.config, true, &|line| request.console.line(line)).map_err(AppError::usage)?;
    let backbone = strip_prefix(&checkpoint.model, "backbone.");
    let work = Judge {
        request,
        sources: &sources,
        backbone,
        with_linear,
    };
    let accuracy = on_backend(&request.selected, work)?.ok_or_else(|| {
        let path = request.config.data.path.display();
        AppError::usage(match sources.classes.as_slice() {
            [only] => format!("{path} has one class only ({only}), so accuracy cannot be measured; pass --data DIR"),
            _ if sources.format == DataFormat::Voc => {
                format!("{path} has several labels an image, so top-1 accuracy cannot be measured; pass --data DIR")
            }
            _ => format!(
                "{path} has no labelled train/ and test/ (or val/) folders, so accuracy cannot be measured; pass --data DIR"
            ),
        })
    })?;
    Ok((accuracy, checkpoint.progress.step))
}

struct Judge<'a> {
    request: &'a ProbeRequest,
    sources: &'a Sources,
    backbone: StateDict,
    with_linear: bool,
}

impl OnBackend for Judge<'_> {
    type Output = Result<Option<Accuracy>>;

    fn run<B: TrainBackend>(self, device: &B::Device) -> Self::Output {
        let config = &self.request.config;
        let backbone = config.model_config()?.backbone.init::<B::InnerBackend>(device);
        let backbone = load_state_dict(backbone, &self.backbone).context("the checkpoint does not fit the model")?;
        accuracy(&backbone, None, self.sources, config, self.with_linear, device)
    }
}
