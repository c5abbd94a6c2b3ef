//! A run that is killed again and again beside one that is left alone: both must end with the same bytes. The tests do this with a
//! tiny recipe; here it is a real one, for as long as you like.

use anyhow::{Context, Result, bail, ensure};
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What a soak takes.
#[derive(clap::Args)]
pub struct Options {
    /// How often the run is killed
    #[arg(long, default_value_t = 20)]
    kills: u32,
    /// Folder of both runs, which must be new or empty
    #[arg(long, default_value = "runs/soak")]
    out: PathBuf,
    /// Flags of the program, after `--` [default: --backend cpu --epochs 8]
    #[arg(last = true)]
    flags: Vec<String>,
}

/// Builds the program and lets both runs go to their ends.
pub fn run(options: Options) -> Result<()> {
    let soak = Soak {
        program: crate::program()?,
        flags: if options.flags.is_empty() {
            ["--backend", "cpu", "--epochs", "8"].map(str::to_owned).to_vec()
        } else {
            options.flags
        },
    };
    let old = std::fs::read_dir(&options.out).is_ok_and(|mut entries| entries.next().is_some());
    ensure!(!old, "{} is not empty; pass another --out", options.out.display());
    let (whole, killed) = (options.out.join("whole"), options.out.join("killed"));

    let start = Instant::now();
    soak.to_the_end(&whole)?;
    let seconds = start.elapsed().as_secs_f64();
    eprintln!("whole       {seconds:.1} s");
    let mut kills = 0;
    while kills < options.kills {
        let mut child = soak.start(&killed)?;
        // So that about as many sessions fill the run as there are kills to come.
        let part = RandomState::new().hash_one(kills) as f64 / u64::MAX as f64;
        let moment = Duration::from_secs_f64(2.0 * part * seconds / f64::from(options.kills));
        std::thread::sleep(moment);
        if let Some(status) = child.try_wait()? {
            ensure!(status.success(), "the run failed after {kills} kills: {status}");
            eprintln!("            ended by itself after {kills} kills");
            break;
        }
        child.kill().context("cannot kill the run")?;
        child.wait()?;
        kills += 1;
        eprintln!("kill {kills:3}    after {:.2} s", moment.as_secs_f64());
    }
    soak.to_the_end(&killed)?;

    let read = |run: &Path| {
        let path = run.join("backbone.safetensors");
        std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    if read(&whole)? != read(&killed)? {
        bail!(
            "after {kills} kills the weights differ; both runs lie in {}",
            options.out.display()
        );
    }
    eprintln!("the same bytes after {kills} kills");
    Ok(())
}

struct Soak {
    program: PathBuf,
    flags: Vec<String>,
}

impl Soak {
    /// Starts a run, or goes on with it.
    fn start(&self, run: &Path) -> Result<Child> {
        let mut command = Command::new(&self.program);
        command.args(&self.flags).arg("--quiet").arg("--out").arg(run);
        if run.join("config.toml").exists() {
            command.arg("--resume");
        }
        let child = command.stdout(Stdio::null()).spawn();
        child.with_context(|| format!("cannot start {}", self.program.display()))
    }

    fn to_the_end(&self, run: &Path) -> Result<()> {
        let status = self.start(run)?.wait()?;
        ensure!(status.success(), "the run in {} failed: {status}", run.display());
        Ok(())
    }
}
