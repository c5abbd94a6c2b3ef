//! clap's output in the program's own style: help and version on standard output, a usage error as one line.

use super::args::{Args, Command, DetectArgs, FinetuneArgs, ProtocolArg, RunArgs, TaskArg};
use super::version;
use crate::console::Terminal;
use crate::exit::{EXIT_DONE, EXIT_USAGE};
use barlow_engine::error::RunError;
use barlow_train::device::BackendChoice;
use clap::{CommandFactory, FromArgMatches};
use clap_complete::Shell;
use std::io::Write;
use std::process::ExitCode;

/// Flags that commands with several runs read.
const SEVERAL_RUNS: &[&str] = &[
    "--backend",
    "--device",
    "--threads",
    "--config",
    "--set",
    "--data",
    "--epochs",
    "--batch-size",
    "--workers",
    "--out",
    "--resume",
    "--dry-run",
];

/// Flags that evaluations of frozen features read.
const PROBE: &[&str] = &["--backend", "--device", "--threads", "--set", "--data"];

/// Flags that evaluations read that train a classifier by SGD on random crops.
const TRAINED_HEAD: &[&str] = &[
    "--backend",
    "--device",
    "--threads",
    "--set",
    "--data",
    "--epochs",
    "--batch-size",
    "--seed",
    "--workers",
];

/// Parses the command line, or returns the exit code if the program ends here.
pub(super) fn parse() -> Result<Args, ExitCode> {
    let matches = command().try_get_matches();
    matches
        .and_then(|matches| Args::from_arg_matches(&matches))
        .map_err(|error| {
            if error.use_stderr() {
                Terminal::new(false).error(&usage_line(&error.render().to_string()));
                return ExitCode::from(EXIT_USAGE);
            }
            // A closed pipe is not an error.
            drop(error.print());
            ExitCode::from(EXIT_DONE)
        })
}

/// The command line with what `--version` prints, which is known at run time only.
fn command() -> clap::Command {
    // Once per process.
    Args::command().long_version(&*version::long().leak())
}

/// Rejects flags that the command does not read: a user who passes one expects it to have an effect.
///
/// # Errors
/// [`RunError::Usage`] with the first such flag.
pub(super) fn refuse_what_is_not_read(command: &Command, run: &RunArgs) -> Result<(), RunError> {
    let probe = match command {
        Command::Knn(knn) => Some(("knn", &knn.probe)),
        Command::Linear(linear) if linear.protocol == ProtocolArg::Exact => {
            Some(("linear --protocol exact", &linear.probe))
        }
        Command::Transfer(transfer) if transfer.task != TaskArg::Head => Some(("transfer", &transfer.probe)),
        _ => None,
    };
    if let Some((name, probe)) = probe
        && (!probe.seeds.is_empty() || run.seed.is_some())
        && !probe.untrained
    {
        return Err(RunError::usage(format!(
            "{name} draws nothing by a seed; pass --untrained for networks of these seeds, or several runs with --from"
        )));
    }
    let (name, read): (&str, &[&str]) = match command {
        Command::Pretrain(_) if run.profile && run.dry_run => {
            return Err(RunError::usage(
                "--profile does nothing with --dry-run: nothing is run; remove one of them",
            ));
        }
        Command::Pretrain(pretrain) if pretrain.from.is_some() && run.resume => {
            return Err(RunError::usage(
                "--from starts a new run and --resume continues one; remove one of them",
            ));
        }
        Command::Pretrain(pretrain) if pretrain.seeds.is_empty() && pretrain.jobs.jobs.is_some() => {
            return Err(RunError::usage(
                "--jobs is for several runs: pass --seeds, too, or remove it",
            ));
        }
        Command::Pretrain(pretrain) if !pretrain.seeds.is_empty() => ("--seeds", SEVERAL_RUNS),
        Command::Pretrain(_) => return Ok(()),
        Command::Study(_) => ("study", SEVERAL_RUNS),
        Command::Knn(_) => ("knn", PROBE),
        Command::Linear(linear) if linear.protocol == ProtocolArg::Sgd && linear.l2.is_some() => {
            return Err(RunError::usage(
                "--l2 is a setting of --protocol exact; --protocol sgd has --weight-decays",
            ));
        }
        Command::Linear(linear) if linear.protocol == ProtocolArg::Sgd => ("linear", TRAINED_HEAD),
        Command::Linear(linear) if !linear.rates.is_empty() || !linear.weight_decays.is_empty() => {
            return Err(RunError::usage(
                "--rates and --weight-decays are settings of --protocol sgd; the exact protocol has none",
            ));
        }
        Command::Linear(_) => ("linear", PROBE),
        Command::Transfer(_) => ("transfer", TRAINED_HEAD),
        Command::Finetune(FinetuneArgs { probe, .. }) | Command::Detect(DetectArgs { probe, .. }) if probe.no_cache => {
            return Err(RunError::usage(
                "--no-cache does nothing with finetune and detect, which cache no features; remove it",
            ));
        }
        Command::Finetune(FinetuneArgs { probe, .. }) | Command::Detect(DetectArgs { probe, .. })
            if probe.untrained =>
        {
            return Err(RunError::usage(
                "finetune and detect have --baseline, which trains from initial weights; remove --untrained",
            ));
        }
        Command::Detect(_) => (
            "detect",
            &[
                "--backend",
                "--device",
                "--threads",
                "--config",
                "--set",
                "--data",
                "--batch-size",
                "--seed",
            ],
        ),
        Command::Finetune(_) => (
            "finetune",
            &[
                "--backend",
                "--device",
                "--threads",
                "--set",
                "--data",
                "--epochs",
                "--batch-size",
                "--workers",
            ],
        ),
        Command::Embed(_) => (
            "embed",
            &[
                "--backend",
                "--device",
                "--threads",
                "--config",
                "--set",
                "--data",
                "--out",
            ],
        ),
        Command::Import(_) => ("import", &["--config", "--set", "--data", "--out"]),
        Command::Export(_) => ("export", &["--out"]),
        Command::Report(_) => ("report", &["--backend", "--device", "--threads", "--data", "--out"]),
        Command::Inspect(_) => ("inspect", &[]),
        Command::Data(_) => ("data", &["--threads", "--config", "--set", "--data", "--out"]),
        Command::Views(_) => ("views", &["--config", "--set", "--seed", "--out"]),
        Command::Methods(_) => ("methods", &[]),
        Command::Devices(_) => ("devices", &["--threads"]),
        Command::Conformance(_) => ("conformance", &["--backend", "--device", "--threads"]),
        Command::Bench(_) => ("bench", &["--backend", "--device", "--threads"]),
        Command::Completions(_) => ("completions", &[]),
        Command::Man => ("man", &[]),
    };
    let given = [
        ("--backend", run.backend != BackendChoice::Auto),
        ("--device", run.device.is_some()),
        ("--threads", run.threads.is_some()),
        ("--config", run.config.is_some()),
        ("--set", !run.sets.is_empty()),
        ("--data", run.data.is_some()),
        ("--seed", run.seed.is_some()),
        ("--epochs", run.epochs.is_some()),
        ("--batch-size", run.batch_size.is_some()),
        ("--workers", run.workers.is_some()),
        ("--out", run.out.is_some()),
        ("--resume", run.resume),
        ("--accept-changes", run.accept_changes),
        ("--dry-run", run.dry_run),
        ("--profile", run.profile),
    ];
    match given.into_iter().find(|(flag, given)| *given && !read.contains(flag)) {
        Some((flag, _)) => Err(RunError::usage(format!("{flag} does nothing with {name}; remove it"))),
        None => Ok(()),
    }
}

/// Prints the completions of a shell.
pub(super) fn print_completions(shell: Shell) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "train", &mut script);
    drop(std::io::stdout().write_all(&script));
}

/// Prints the manual page, with the commands' flags.
pub(super) fn print_man_page() {
    let mut page = Vec::new();
    let command = Args::command();
    let rendered = clap_mangen::Man::new(command.clone()).render(&mut page);
    let rendered = rendered.and_then(|()| {
        let mut commands: Vec<(String, &clap::Command)> = below("train", &command);
        while let Some((name, command)) = commands.pop() {
            clap_mangen::Man::new(command.clone().name(&*name.clone().leak())).render(&mut page)?;
            commands.extend(below(&name, command));
        }
        Ok(())
    });
    rendered.expect("memory can be written to");
    drop(std::io::stdout().write_all(&page));
}

/// The commands of a command with their names in the manual, the last one first.
fn below<'a>(parent: &str, command: &'a clap::Command) -> Vec<(String, &'a clap::Command)> {
    let shown = command.get_subcommands().filter(|command| !command.is_hide_set());
    let mut named: Vec<_> = shown
        .map(|command| (format!("{parent}-{}", command.get_name()), command))
        .collect();
    named.reverse();
    named
}

/// The paragraphs of clap's message on one line, without the usage, which `--help` shows.
fn usage_line(message: &str) -> String {
    let paragraphs = message
        .split("\n\n")
        .map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
    let kept: Vec<String> = paragraphs
        .filter(|text| !text.is_empty() && !text.starts_with("Usage:") && !text.starts_with("For more information"))
        .collect();
    format!("{}; see --help", kept.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usage_message_of_several_paragraphs_is_one_line() {
        let message = "error: unexpected argument '--epoch' found\n\n  tip: a similar argument exists: '--epochs'\n\n\
                       Usage: train [OPTIONS]\n\nFor more information, try '--help'.\n";
        assert_eq!(
            usage_line(message),
            "error: unexpected argument '--epoch' found; tip: a similar argument exists: '--epochs'; see --help"
        );
    }
}
