//! Soak test: a run that is killed again and again must end with the same bytes as an uninterrupted one. The tests do this with a
//! tiny recipe; this command takes any recipe and any number of kills.

use anyhow::{Context, Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Options of the soak test.
#[derive(clap::Args)]
pub struct Options {
    /// How often the run is killed
    #[arg(long, default_value_t = 20)]
    kills: u32,
    /// Seed of the moments at which the run is killed [default: from the clock]
    #[arg(long)]
    seed: Option<u64>,
    /// Folder of both runs, which must be new or empty
    #[arg(long, default_value = "runs/soak")]
    out: PathBuf,
    /// An already built program [default: built from this repository]
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Flags of the program, after `--` [default: --backend cpu --epochs 8]
    #[arg(last = true)]
    flags: Vec<String>,
}

/// Builds the program, then trains both runs to their end.
pub fn run(options: Options) -> Result<()> {
    let seed = match options.seed {
        Some(seed) => seed,
        None => SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos() as u64,
    };
    eprintln!("seed        {seed}");
    compare(options, seed).with_context(|| format!("soak with --seed {seed}"))
}

fn compare(options: Options, seed: u64) -> Result<()> {
    let soak = Soak {
        program: options.program.map_or_else(crate::workspace::program, Ok)?,
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
        // The whole run takes about as many sessions as there are kills.
        let part = fraction(seed, kills);
        let moment = Duration::from_secs_f64(2.0 * part * seconds / f64::from(options.kills));
        std::thread::sleep(moment);
        if let Some(status) = child.try_wait()? {
            ensure!(status.success(), "the run failed after {kills} kills: {status}");
            eprintln!("            finished after {kills} kills");
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
            "after {kills} kills the weights differ; both runs are in {}",
            options.out.display()
        );
    }
    eprintln!("identical bytes after {kills} kills");
    Ok(())
}

/// A random number in [0, 1] that depends on the seed and the index alone: SplitMix64 at that position of its sequence.
fn fraction(seed: u64, index: u32) -> f64 {
    let mut bits = seed.wrapping_add((u64::from(index) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (bits ^ (bits >> 31)) as f64 / u64::MAX as f64
}

struct Soak {
    program: PathBuf,
    flags: Vec<String>,
}

impl Soak {
    /// Starts or resumes a run.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_repeat_with_the_seed_and_fill_their_range() {
        let drawn = |seed| -> Vec<f64> { (0..1000).map(|index| fraction(seed, index)).collect() };
        assert_eq!(drawn(5), drawn(5));
        assert_ne!(drawn(5), drawn(6));
        let mean = drawn(5).iter().sum::<f64>() / 1000.0;
        assert!((mean - 0.5).abs() < 0.05, "{mean}");
        assert!(drawn(5).iter().all(|part| (0.0..=1.0).contains(part)));
    }
}
