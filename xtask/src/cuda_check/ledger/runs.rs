//! The runs of a ledger: one that tunes, one of two steps and one of four.

use super::super::stub_driver::StubDriver;
use super::super::toolkit;
use super::kind::Kind;
use super::launches::Launches;
use super::summary::Ledger;
use super::wgpu_log::Log;
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a ledger is made of.
#[derive(clap::Args)]
pub struct LedgerOptions {
    /// List what a training step launches, reads and writes, instead of compiling kernels
    #[arg(long)]
    pub ledger: bool,
    /// Backend of the ledger: cuda counts on a stub driver, wgpu on this machine's device
    #[arg(long, value_enum, default_value_t = Backend::Cuda, requires = "ledger")]
    backend: Backend,
    /// Images per step
    #[arg(long, value_name = "N", default_value_t = 64, requires = "ledger", value_parser = clap::value_parser!(u64).range(2..=400))]
    batch_size: u64,
    /// An already built program [default: built from this repository]
    #[arg(long, value_name = "FILE", requires = "ledger")]
    program: Option<PathBuf>,
    /// Fail if relayouts are more of the bytes than this percentage; on the stub driver alone
    #[arg(long, value_name = "PERCENT", requires = "ledger", conflicts_with = "backend")]
    most_relayouts: Option<f64>,
    /// Save the ledgers in this file: JSON with every launch if its name ends in .json, else Markdown
    #[arg(long, value_name = "FILE", requires = "ledger")]
    out: Option<PathBuf>,
}

/// Where a ledger's program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Backend {
    /// The stub CUDA driver.
    Cuda,
    /// A device of this machine.
    Wgpu,
}

/// Recipes of ledgers, with flags of the program.
const RECIPES: [(&str, &[&str]); 3] = [
    ("smoke", &["--config", "smoke"]),
    ("cifar10-resnet18", &["--config", "cifar10-resnet18"]),
    // With the projector of the paper's ablations: at a batch of 64, weights of 8192 × 8192 would be most of the traffic. The
    // evaluation of the few images is the same in all runs.
    (
        "imagenet-resnet50",
        &[
            "--config",
            "imagenet-resnet50",
            "--set",
            "model.projector=\"2048-2048-2048\"",
            "--set",
            "eval.resize=64",
            "--set",
            "eval.crop=64",
        ],
    ),
];

/// Nothing but steps: no evaluation, checkpoint or log line between the first and the last.
const STEPS_ALONE: [&str; 10] = [
    "--set",
    "eval.every=0",
    "--set",
    "eval.online=false",
    "--set",
    "eval.untrained=false",
    "--set",
    "train.checkpoint_every=1000",
    "--set",
    "train.log_every=1000",
];

/// Makes the ledgers of these recipes on these architectures, prints them, and saves them.
pub fn run(options: &LedgerOptions, recipes: &[String], arches: &[u32], toolkits: &Path) -> Result<()> {
    let names = RECIPES.map(|(name, _)| name).join(", ");
    for recipe in recipes {
        ensure!(
            RECIPES.iter().any(|(name, _)| name == recipe),
            "there is no ledger of {recipe}; --recipe takes {names}"
        );
    }
    let chosen = RECIPES
        .into_iter()
        .filter(|(name, _)| recipes.iter().any(|recipe| recipe == name));
    let program = match &options.program {
        Some(program) => std::path::absolute(program).context("--program is not a file")?,
        None => crate::workspace::program()?,
    };
    let (mut text, mut values) = (String::new(), Vec::new());
    let mut add = |markdown: String, value: Value| {
        println(&markdown);
        text.push_str(&markdown);
        text.push('\n');
        values.push(value);
    };
    for (recipe, flags) in chosen {
        let runs = Runs::new(&program, flags, options.batch_size)?;
        match options.backend {
            Backend::Wgpu => {
                let step = runs.on_wgpu()?;
                let kinds: serde_json::Map<String, Value> = step
                    .kinds
                    .iter()
                    .map(|(kind, (count, time))| {
                        let value = serde_json::json!({ "launches": count, "seconds": time });
                        (kind.label().to_owned(), value)
                    })
                    .collect();
                let value = serde_json::json!({ "recipe": recipe, "batch_size": options.batch_size, "kinds": kinds });
                add(step.markdown(recipe), value);
            }
            Backend::Cuda => {
                let toolkit = toolkit::toolkit(toolkits)?;
                let stub_driver = StubDriver::build()?;
                for &arch in arches {
                    // Older architectures get the sizes in a buffer that the record does not read.
                    ensure!(
                        arch >= 80,
                        "a ledger needs sm_80 or newer, not sm_{arch}; pass --arch 80"
                    );
                    let ledger = Ledger {
                        recipe: recipe.to_owned(),
                        arch,
                        batch_size: options.batch_size,
                        step: runs.on_stub(&stub_driver, arch, &toolkit)?,
                    };
                    add(ledger.markdown(), ledger.json());
                    let share = 100.0 * ledger.share_of(Kind::Relayout);
                    if let Some(most) = options.most_relayouts
                        && share > most
                    {
                        bail!("relayouts are {share:.1} % of the bytes of {recipe}, more than {most} %");
                    }
                }
            }
        }
    }
    if let Some(out) = &options.out {
        let is_json = out.extension().is_some_and(|extension| extension == "json");
        let content = match is_json {
            true => serde_json::to_string_pretty(&values)?,
            false => text,
        };
        std::fs::write(out, content).with_context(|| format!("cannot write {}", out.display()))?;
    }
    Ok(())
}

/// The runs of a recipe. Their caches and outputs are in a folder of their own.
struct Runs<'a> {
    program: &'a Path,
    flags: Vec<String>,
    work: tempfile::TempDir,
}

impl<'a> Runs<'a> {
    fn new(program: &'a Path, flags: &[&str], batch_size: u64) -> Result<Self> {
        let sizes = [
            "--batch-size".to_owned(),
            batch_size.to_string(),
            "--set".to_owned(),
            // One step per epoch.
            format!("data.train_images={batch_size}"),
        ];
        let flags = flags.iter().chain(&STEPS_ALONE).map(|&flag| flag.to_owned());
        Ok(Self {
            program,
            flags: flags.chain(sizes).collect(),
            work: tempfile::tempdir().context("cannot make a temporary folder")?,
        })
    }

    /// The program, about to train for `epochs` steps. Tuning results are shared by the runs alone.
    fn command(&self, backend: &str, epochs: u32) -> Command {
        let images = crate::workspace::workspace_root().join("assets/sign-digits-64");
        let out = self.work.path().join(format!("run-{epochs}"));
        let mut command = Command::new(self.program);
        command
            .args([
                "--backend",
                backend,
                "--quiet",
                "--epochs",
                &epochs.to_string(),
                "--data",
            ])
            .arg(images)
            .arg("--out")
            .arg(out)
            .args(&self.flags)
            .env("XDG_CACHE_HOME", self.work.path().join("cache"));
        command
    }

    fn on_stub(&self, stub_driver: &StubDriver, arch: u32, toolkit: &Path) -> Result<Launches> {
        let sources = self.work.path().join(format!("sources-{arch}"));
        std::fs::create_dir_all(&sources).with_context(|| format!("cannot create {}", sources.display()))?;
        let records = [1, 2, 4].map(|epochs| -> Result<Launches> {
            let record = self.work.path().join(format!("launches-{epochs}"));
            let _ = std::fs::remove_file(&record);
            let mut command = self.command("cuda", epochs);
            command
                .envs(stub_driver.environment(arch, toolkit, &sources))
                .current_dir(crate::workspace::workspace_root());
            if epochs == 1 {
                command.env("CUDA_CHECK_PRICES", "1");
            } else {
                command.env("CUDA_CHECK_LAUNCHES", &record);
            }
            finish(command)?;
            self.remove_output(epochs);
            if epochs == 1 {
                return Ok(Launches::default());
            }
            let text = std::fs::read_to_string(&record).with_context(|| format!("cannot read {}", record.display()))?;
            Launches::read(&text, &sources)
        });
        let [tuned, short, long] = records;
        tuned?;
        step(short?.per_step(&long?, 2.0))
    }

    fn on_wgpu(&self) -> Result<Log> {
        let logs = [1, 2, 4].map(|epochs| -> Result<Log> {
            // CubeCL reads its settings in the working folder.
            let folder = self.work.path().join(format!("log-{epochs}"));
            std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
            let log = folder.join("launches.log");
            let settings = format!("[profiling]\nlogger = {{ level = \"basic\", file = {:?} }}\n", log);
            if epochs > 1 {
                std::fs::write(folder.join("cubecl.toml"), settings).context("cannot write cubecl.toml")?;
            }
            let mut command = self.command("wgpu", epochs);
            command.current_dir(&folder);
            finish(command)?;
            self.remove_output(epochs);
            match epochs {
                1 => Ok(Log::default()),
                _ => {
                    let text = std::fs::read_to_string(&log).context("CubeCL wrote no log of its launches")?;
                    Ok(Log::read(&text))
                }
            }
        });
        let [tuned, short, long] = logs;
        tuned?;
        let step = short?.per_step(&long?, 2.0);
        ensure!(!step.kinds.is_empty(), "CubeCL's log has no launches");
        Ok(step)
    }

    /// Checkpoints of a large network are gigabytes.
    fn remove_output(&self, epochs: u32) {
        let _ = std::fs::remove_dir_all(self.work.path().join(format!("run-{epochs}")));
    }
}

/// A step, if both runs launched the same in every step.
fn step(step: Launches) -> Result<Launches> {
    ensure!(
        !step.kernels.is_empty(),
        "four steps launch no more than two: the record is not of a run"
    );
    if let Some((launch, count)) = step.kernels.iter().find(|(_, count)| **count < 0.0) {
        bail!(
            "{} was launched {} times more in two steps than in four: the runs tuned differently; run it again",
            launch.name,
            -2.0 * count
        );
    }
    Ok(step)
}

fn finish(mut command: Command) -> Result<()> {
    let output = command.output().context("cannot start the program")?;
    ensure!(
        output.status.success(),
        "the run of a ledger fails: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

/// Prints a result; a closed pipe is not an error.
fn println(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{text}");
}
