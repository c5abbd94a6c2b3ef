//! `cargo xtask cuda-check`: compiles every kernel that the program would launch on NVIDIA's GPUs, on a machine without one.
//!
//! The program itself runs, on a stub CUDA driver (`stubs/driver.rs`): CubeCL lowers each kernel as it would on that
//! architecture, with every candidate of its tuning, and passes it to a stub NVRTC that saves the source (`stubs/compiler.rs`).
//! NVIDIA's own compiler then compiles the same sources with the same options. That proves that they compile, not that their
//! results are correct.
//!
//! With `--ledger` it counts instead what a training step launches, reads and writes (`ledger`).

mod compile;
mod kernel;
mod ledger;
mod nvrtc;
mod recipes;
#[path = "stubs/signature.rs"]
mod signature;
pub mod stub_driver;
mod toolkit;

use anyhow::{Context, Result, bail, ensure};
use compile::compile;
use kernel::Kernel;
use nvrtc::Nvrtc;
use recipes::{RECIPES, Recipe};
use std::path::{Path, PathBuf};
use std::time::Instant;
use stub_driver::StubDriver;

/// What to check.
#[derive(clap::Args)]
pub struct Options {
    /// Architectures, as compute capabilities without the dot; CubeCL uses sm_90a for 90 [default: 75,80,90; with --ledger: 80]
    #[arg(long, value_delimiter = ',')]
    arch: Vec<u32>,
    /// Recipes whose kernels are compiled; --list prints all of them [default: smoke,losses; with --ledger: smoke]
    #[arg(long, value_delimiter = ',')]
    recipe: Vec<String>,
    /// Check every recipe
    #[arg(long)]
    all: bool,
    /// Compile every Nth candidate of Burn's matrix product autotuning; there are over a thousand, of half a second each
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    sample: u32,
    /// List the recipes with their flags
    #[arg(long)]
    list: bool,
    /// Save the kernels' sources in this folder
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Folder that NVIDIA's compiler is fetched into [default: the user's cache folder]
    #[arg(long, value_name = "DIR")]
    toolkits: Option<PathBuf>,
    #[command(flatten)]
    ledger: ledger::LedgerOptions,
}

/// Checks, and prints a table.
pub fn run(mut options: Options) -> Result<()> {
    let is_ledger = options.ledger.ledger;
    if options.arch.is_empty() {
        options.arch = if is_ledger { vec![80] } else { vec![75, 80, 90] };
    }
    if options.recipe.is_empty() {
        let names: &[&str] = if is_ledger { &["smoke"] } else { &["smoke", "losses"] };
        options.recipe = names.iter().map(|&name| name.to_owned()).collect();
    }
    let toolkits = || options.toolkits.clone().map_or_else(cache_folder, Ok);
    if is_ledger {
        return ledger::run(&options.ledger, &options.recipe, &options.arch, &toolkits()?);
    }
    if options.list {
        for Recipe { name, flags } in RECIPES {
            eprintln!("{name:18} train --backend cuda {}", flags.join(" "));
        }
        return Ok(());
    }
    let chosen: Vec<Recipe> = RECIPES
        .into_iter()
        .filter(|recipe| options.all || options.recipe.iter().any(|name| name == recipe.name))
        .collect();
    for name in &options.recipe {
        ensure!(
            RECIPES.iter().any(|recipe| recipe.name == name),
            "there is no recipe {name}; --list prints all of them"
        );
    }
    let toolkit = toolkit::toolkit(&toolkits()?)?;
    let nvrtc = Nvrtc::open(&toolkit)?;
    let program = crate::workspace::program()?;
    let stub_driver = StubDriver::build()?;
    let mut failures = 0;
    for &arch in &options.arch {
        let temporary = tempfile::tempdir().context("cannot make a temporary folder")?;
        let folder = options
            .keep
            .as_deref()
            .unwrap_or(temporary.path())
            .join(format!("sm_{arch}"));
        let old = std::fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some());
        ensure!(!old, "{} is not empty; pass another --keep", folder.display());
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        for recipe in &chosen {
            stub_driver.collect(&program, recipe, arch, &toolkit, &folder)?;
        }
        failures += check(&nvrtc, arch, &folder, options.sample)?;
    }
    ensure!(failures == 0, "{failures} kernels do not compile");
    Ok(())
}

/// Compiles every kernel of a folder and prints the results; returns the number of kernels that failed.
fn check(nvrtc: &Nvrtc, arch: u32, folder: &Path, sample: u32) -> Result<usize> {
    let start = Instant::now();
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    paths.sort();
    let all: Vec<Kernel> = paths.iter().map(|path| Kernel::read(path)).collect::<Result<_>>()?;
    let found = all.len();
    let mut candidates = 0;
    // Files are named by a hash of their content, so their order is effectively random, and the same in every run.
    let mut chosen = |kernel: &Kernel| {
        candidates += u32::from(kernel.is_product());
        !kernel.is_product() || candidates % sample == 0
    };
    let kernels: Vec<Kernel> = all.into_iter().filter(|kernel| chosen(kernel)).collect();
    ensure!(
        kernels.iter().filter(|kernel| kernel.is_ours()).count() >= 3,
        "the program launches fewer of its own kernels than it has: the check does not find them"
    );
    // The check must be able to fail: the same code has to detect one of our own kernels that was broken on purpose.
    let broken: Vec<Kernel> = kernels
        .iter()
        .filter(|kernel| kernel.is_ours())
        .take(1)
        .map(Kernel::broken)
        .collect();
    ensure!(
        compile(nvrtc, &broken)?.failed.len() == 1,
        "the compiler accepts a kernel that calls an unknown function, so its results are meaningless"
    );
    let outcome = compile(nvrtc, &kernels)?;
    for (name, log) in &outcome.failed {
        eprintln!("sm_{arch}: {name} does not compile:\n{log}");
    }
    for (name, usage) in &outcome.ours {
        eprintln!(
            "sm_{arch}: {name:16} {:3} registers, {:5} bytes of shared memory, {} bytes spilled",
            usage.registers, usage.shared, usage.spilled
        );
    }
    eprintln!(
        "sm_{arch}: {} of {found} kernels compiled, {} failed; at most {} registers; {} spill, {} bytes at most ({:.0} s)",
        kernels.len(),
        outcome.failed.len(),
        outcome.most.registers,
        outcome.spilling,
        outcome.most.spilled,
        start.elapsed().as_secs_f64()
    );
    Ok(outcome.failed.len())
}

/// A persistent folder outside the repository: the compiler is a download of 60 MB.
fn cache_folder() -> Result<PathBuf> {
    let given = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let base = given("XDG_CACHE_HOME").or_else(|| Some(given("HOME")?.join(".cache")));
    match base {
        Some(base) => Ok(base.join("barlow-twins").join("cuda")),
        None => bail!("there is no home folder to store NVIDIA's compiler in; pass --toolkits DIR"),
    }
}
