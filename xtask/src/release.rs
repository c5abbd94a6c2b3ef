//! `cargo xtask release`: the archive of the program and the packages of the library crates. Uploads nothing.

use crate::workspace::{target_folder, workspace_root};
use anyhow::{Context, Result, bail, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Library crates, each after those that it depends on.
const LIBRARIES: [&str; 16] = [
    "barlow-simd",
    "barlow-group",
    "barlow-augment",
    "barlow-data",
    "barlow-ops",
    "barlow-model",
    "barlow-loss",
    "barlow-eval",
    "barlow-detect",
    "barlow-report",
    "barlow-weights",
    "barlow-engine",
    "barlow-backend-cpu",
    "barlow-backend-gpu",
    "barlow-backend-wgpu",
    "barlow-backend-cuda",
];

/// Files of the repository that the archive contains.
const DOCUMENTS: [&str; 4] = ["README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"];
/// The images of the default recipe: the program looks for `assets` in its own folder.
const IMAGES: &str = "assets/sign-digits-64";
/// Shells with the file names that they look for.
const COMPLETIONS: [(&str, &str); 3] = [("bash", "train.bash"), ("zsh", "_train"), ("fish", "train.fish")];

/// What to release.
#[derive(clap::Args)]
pub struct Options {
    /// Do everything except require a clean working tree with the release's tag
    #[arg(long)]
    dry_run: bool,
}

/// Builds the archive and the packages into `target/dist`, and checks that the archive's program runs anywhere.
pub fn run(options: Options) -> Result<()> {
    let version = version()?;
    if !options.dry_run {
        check_tag(&version)?;
    }
    let program = stripped("train")?;
    let dist = dist_folder()?;
    let name = format!("train-{version}-{}", host()?);
    let folder = dist.join(&name);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fill(&folder, &program)?;
    let archive = dist.join(format!("{name}.tar.gz"));
    pack(&dist, &name, &archive)?;
    check(&archive, &name)?;
    let bytes = fs::metadata(&archive).context("the archive was written")?.len();
    eprintln!("{}: {:.1} MiB", archive.display(), bytes as f64 / 1024.0 / 1024.0);
    package(options.dry_run)
}

fn version() -> Result<String> {
    let text = fs::read_to_string(workspace_root().join("Cargo.toml")).context("cannot read Cargo.toml")?;
    let line = text.lines().find_map(|line| line.strip_prefix("version = \""));
    let version = line.and_then(|rest| rest.split('"').next());
    Ok(version.context("Cargo.toml has no version")?.to_owned())
}

/// The target triple of this machine.
fn host() -> Result<String> {
    let text = output(Command::new("rustc").arg("-vV"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(line.context("rustc prints its host")?.to_owned())
}

fn check_tag(version: &str) -> Result<()> {
    let git = |arguments: &[&str]| output(Command::new("git").args(arguments).current_dir(workspace_root()));
    ensure!(
        git(&["status", "--porcelain"])?.is_empty(),
        "the working tree has changes; commit them, or pass --dry-run"
    );
    let tag = format!("v{version}");
    let tags = git(&["tag", "--points-at", "HEAD"])?;
    ensure!(
        tags.lines().any(|line| line == tag),
        "HEAD has no tag {tag}; tag the release, or pass --dry-run"
    );
    Ok(())
}

/// The folder of archives.
pub fn dist_folder() -> Result<PathBuf> {
    Ok(target_folder()?.join("dist"))
}

/// Builds a package's program without symbols: a third of its size.
pub fn stripped(package: &str) -> Result<PathBuf> {
    let target = target_folder()?;
    let mut command = Command::new("cargo");
    command.args(["rustc", "--release", "--locked", "-p", package, "--bin", package]);
    succeed(
        command
            .args(["--", "-C", "strip=symbols"])
            .env("CARGO_TARGET_DIR", &target)
            .current_dir(workspace_root()),
    )?;
    let program = target.join("release").join(package);
    Ok(program.with_extension(std::env::consts::EXE_EXTENSION))
}

fn program_name() -> String {
    format!("train{}", std::env::consts::EXE_SUFFIX)
}

/// The content of the archive.
fn fill(folder: &Path, program: &Path) -> Result<()> {
    let write = |path: PathBuf, bytes: &[u8]| -> Result<()> {
        fs::create_dir_all(path.parent().expect("it lies in the folder"))?;
        fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))
    };
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    fs::copy(program, folder.join(program_name())).context("cannot copy the program")?;
    for document in DOCUMENTS {
        fs::copy(workspace_root().join(document), folder.join(document))
            .with_context(|| format!("cannot copy {document}"))?;
    }
    for (shell, file) in COMPLETIONS {
        let script = output(Command::new(program).args(["completions", shell]))?;
        write(folder.join("completions").join(file), script.as_bytes())?;
    }
    let page = output(Command::new(program).arg("man"))?;
    write(folder.join("man").join("train.1"), page.as_bytes())?;
    copy_folder(&workspace_root().join(IMAGES), &folder.join(IMAGES))
}

/// Copies a folder with everything in it.
pub fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn pack(dist: &Path, name: &str, archive: &Path) -> Result<()> {
    let file = File::create(archive).with_context(|| format!("cannot create {}", archive.display()))?;
    let mut builder = tar::Builder::new(GzEncoder::new(file, Compression::best()));
    builder.append_dir_all(name, dist.join(name))?;
    builder.into_inner()?.finish()?;
    Ok(())
}

/// Unpacks the archive somewhere else, and lets its program plan a run in an empty folder. That it runs also away from this repository
/// is visible by the images: they must be the archive's.
fn check(archive: &Path, name: &str) -> Result<()> {
    let (place, empty) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let file = File::open(archive).context("the archive was written")?;
    tar::Archive::new(flate2::read::GzDecoder::new(file)).unpack(place.path())?;
    let program = place.path().join(name).join(program_name());
    let run = |arguments: &[&str]| output(Command::new(&program).args(arguments).current_dir(empty.path()));
    eprintln!("{}", run(&["--version"])?.trim());
    let plan = run(&["--dry-run", "--backend", "cpu"])?;
    let unpacked = place.path().canonicalize()?;
    let images = unpacked.join(name).join(IMAGES);
    ensure!(
        plan.contains(&*images.to_string_lossy()),
        "the archive's program does not use the archive's images:\n{plan}"
    );
    let left = fs::read_dir(empty.path())?.count();
    ensure!(left == 0, "a dry run wrote {left} files");
    Ok(())
}

/// Packages the library crates as crates.io would get them.
fn package(dirty: bool) -> Result<()> {
    let mut command = Command::new("cargo");
    command.args(["package", "--locked", "--no-verify"]);
    if dirty {
        command.arg("--allow-dirty");
    }
    for library in LIBRARIES {
        command.args(["-p", library]);
    }
    succeed(
        command
            .env("CARGO_TARGET_DIR", target_folder()?)
            .current_dir(workspace_root()),
    )
}

/// Standard output of a program that succeeds.
fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot start {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8(output.stdout)?)
}

fn succeed(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {command:?}"))?;
    ensure!(status.success(), "{command:?} fails");
    Ok(())
}
