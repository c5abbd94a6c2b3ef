//! The command line, in two layers: `args` parses it, `resolve` turns it into requests. Nothing below depends on clap.

mod args;
mod guard;
mod resolve;
mod usage;
mod version;

use crate::commands;
use crate::commands::bench::{self, BenchOptions};
use crate::commands::data::DataRequest;
use crate::commands::report::ReportRequest;
use crate::console::Terminal;
use crate::exit::{EXIT_DONE, exit_code};
use crate::stop::{on_signals, stop_at_end_of_input};
use args::{Args, BenchArgs, BenchCommand, Command, ConformanceArgs, MetricArg, PretrainArgs, ProbeArgs, RunArgs};
use barlow_engine::error::RunError;
use barlow_engine::ranks::Job;
use barlow_engine::stop::StopFlag;
use barlow_eval::Metric;
use barlow_train::device::{Selected, select};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// Runs the program and returns its exit code.
pub fn main() -> ExitCode {
    let args = match usage::parse() {
        Ok(args) => args,
        Err(code) => return code,
    };
    barlow_engine::program::set_commit(version::COMMIT);
    let console = Terminal::new(args.run.quiet);
    let mut job = Job::alone();
    let result = guard::run(|| {
        job = Job::join(Duration::from_secs(args.run.timeout), |name| std::env::var(name).ok())?;
        dispatch(&args, &job)
    });
    let (line, code) = match &result {
        Ok(()) => (None, EXIT_DONE),
        Err(error) => (job.error_line(error, args.run.verbose > 0), exit_code(error)),
    };
    if let Some(line) = &line {
        console.error(line);
    }
    job.leave(line.is_some(), code);
    ExitCode::from(code)
}

fn dispatch(args: &Args, job: &Job) -> Result<(), RunError> {
    let pretrain = Command::Pretrain(PretrainArgs::default());
    let command = args.command.as_ref().unwrap_or(&pretrain);
    usage::refuse_what_is_not_read(command, &args.run)?;
    resolve::set_threads(&args.run, job.group().place().local_size)?;
    let is_one_run = matches!(command, Command::Pretrain(pretrain) if pretrain.seeds.is_empty());
    if !job.group().is_alone() && !is_one_run {
        return Err(RunError::usage(
            "several processes train one run together: only pretrain without --seeds; start this command without mpirun",
        ));
    }
    match command {
        Command::Pretrain(pretrain) => {
            // First of all: a signal must ask the run to stop, never kill it while it writes its first files.
            let stop = if args.run.dry_run {
                StopFlag::default()
            } else {
                on_signals().map_err(anyhow::Error::from)?
            };
            if !pretrain.seeds.is_empty() {
                return commands::study::run(resolve::seeds(&args.run, pretrain, stop)?);
            }
            if pretrain.cell_of.is_some() {
                stop_at_end_of_input(stop.clone());
            }
            let (selected, request) = resolve::pretrain(&args.run, pretrain, stop, job.group())?;
            commands::pretrain::run(&selected, request)
        }
        Command::Study(study) if study.study == "list" => {
            commands::study::list();
            Ok(())
        }
        Command::Study(study) => {
            let stop = on_signals().map_err(anyhow::Error::from)?;
            commands::study::run(resolve::study(&args.run, study, stop)?)
        }
        Command::Knn(knn) => {
            let stop = on_signals().map_err(anyhow::Error::from)?;
            let metric = match knn.metric {
                MetricArg::Cosine => Metric::Cosine,
                MetricArg::Euclidean => Metric::Euclidean,
            };
            commands::knn::run(&resolve::evaluation(&args.run, &knn.probe, stop)?, metric)
        }
        Command::Linear(linear) => {
            let stop = on_signals().map_err(anyhow::Error::from)?;
            let protocol = resolve::linear_protocol(&args.run, linear)?;
            let request = resolve::evaluation(&args.run, &linear.probe, stop)?;
            match protocol {
                None => commands::linear::exact(&request, linear.l2.unwrap_or_default()),
                Some(protocol) => commands::linear::sgd(&request, &protocol),
            }
        }
        Command::Finetune(finetune) => {
            let stop = on_signals().map_err(anyhow::Error::from)?;
            commands::finetune::run(&resolve::finetune(&args.run, finetune, stop)?)
        }
        Command::Detect(detect) => {
            let stop = on_signals().map_err(anyhow::Error::from)?;
            commands::detect::run(&resolve::detect(&args.run, detect, stop)?)
        }
        Command::Transfer(transfer) => {
            let stop = on_signals().map_err(anyhow::Error::from)?;
            let (task, features) = resolve::transfer(&args.run, transfer)?;
            commands::transfer::run(
                &resolve::evaluation(&args.run, &transfer.probe, stop)?,
                &task,
                &features,
            )
        }
        Command::Embed(embed) => {
            let stop = on_signals().map_err(anyhow::Error::from)?;
            commands::embed::run(&resolve::embed(&args.run, embed, stop)?)
        }
        Command::Import(import) => {
            let console = Terminal::new(args.run.quiet);
            let (imported, config, out) = resolve::import(&args.run, &import.file)?;
            commands::import::run(&imported, &config, &out, &console)
        }
        Command::Export(export) => {
            let console = Terminal::new(args.run.quiet);
            commands::export::run(&resolve::export(&args.run, export, &console)?, &console)
        }
        Command::Report(report) => {
            let stop = on_signals().map_err(anyhow::Error::from)?;
            let request = ReportRequest {
                folders: &report.runs,
                out: args.run.out.as_deref(),
                figures: report.figures.as_deref(),
                open: report.open,
                console: Terminal::new(args.run.quiet),
                evaluation: &|from| resolve::evaluation(&args.run, &ProbeArgs::of(from), stop.clone()),
            };
            match report.watch {
                true => commands::report::watch(&request, report.port, &stop),
                false => commands::report::run(&request),
            }
        }
        Command::Inspect(inspect) => commands::inspect::run(&inspect.file, inspect.json),
        Command::Data(data) => {
            let stop = on_signals().map_err(anyhow::Error::from)?;
            let console = Terminal::new(args.run.quiet);
            let (root, sources) = resolve::images(&args.run, &console)?;
            let request = DataRequest {
                sources: &sources,
                root: &root,
                most: data.most,
                json: data.json,
                out: args.run.out.as_deref().unwrap_or(Path::new("data.png")),
                stop,
            };
            commands::data::run(&request, &console)
        }
        Command::Views(views) => {
            let (_, config) = resolve::config(&args.run)?;
            commands::views::run(&views.image, &config, args.run.out.as_deref())
        }
        Command::Methods(methods) => commands::methods::run(methods.json),
        Command::Devices(devices) => commands::devices::run(devices.json),
        Command::Conformance(conformance) => {
            let selected = select(args.run.backend, args.run.device).map_err(RunError::usage)?;
            let console = Terminal::new(args.run.quiet);
            let ConformanceArgs { json, case, large } = conformance;
            commands::conformance::run(&selected, case, *large, *json, &console)
        }
        Command::Bench(bench) => {
            let selected = select(args.run.backend, args.run.device).map_err(RunError::usage)?;
            run_bench(bench, &selected, &args.run)
        }
        Command::Man => {
            usage::print_man_page();
            Ok(())
        }
        Command::Completions(completions) => {
            usage::print_completions(completions.shell);
            Ok(())
        }
    }
}

fn run_bench(bench: &BenchCommand, selected: &Selected, run: &RunArgs) -> Result<(), RunError> {
    let options = |bench: &BenchArgs| BenchOptions {
        repeats: bench.repeats,
        json: bench.json,
        threads: run.threads,
        device: run.device,
    };
    match bench {
        BenchCommand::Step(step) => {
            let methods = step.methods.concat();
            bench::step::run(selected, step.net, &step.cases, &methods, options(&step.bench))
        }
        BenchCommand::Loss(loss) => bench::loss::run(selected, &loss.shapes, &loss.forms, options(&loss.bench)),
        BenchCommand::Ops(ops) => {
            let request = bench::ops::OpsRequest {
                net: ops.net,
                images: ops.images,
                filter: ops.case.clone(),
            };
            bench::ops::run(selected, &request, options(&ops.bench))
        }
    }
}
