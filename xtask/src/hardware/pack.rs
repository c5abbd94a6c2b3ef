//! The archive for the machine with the GPU.

use super::trial;
use crate::release;
use anyhow::{Context, Result, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// What fits through a slow connection, and below the limit of files that are sent along.
const LARGEST_MB: f64 = 30.0;
/// The archive's folder.
const NAME: &str = "hardware";
const SCRIPT: &str = "run.sh";
const FOLDERS: [&str; 2] = ["assets/sign-digits-64", "configs"];

/// Where to write the archive.
#[derive(clap::Args)]
pub struct Options {
    /// The archive [default: hardware.tar.gz in target/dist]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Unpack it elsewhere and run it for a few minutes, without this environment and without PyTorch, on cpu, wgpu, or cuda-stub,
    /// a driver that launches nothing
    #[arg(long, value_name = "BACKEND", value_parser = trial::BACKENDS)]
    try_on: Option<String>,
}

/// Builds the program and this tool without symbols, and packs them with what they need.
pub fn run(options: &Options) -> Result<()> {
    let archive = match &options.out {
        Some(out) => out.clone(),
        None => release::dist_folder()?.join(format!("{NAME}.tar.gz")),
    };
    if let Some(folder) = archive.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    let staged = tempfile::tempdir().context("cannot make a temporary folder")?;
    for package in ["train", "xtask"] {
        let program = release::stripped(package)?;
        let name = program.file_name().context("a program has a name")?;
        fs::copy(&program, staged.path().join(name)).with_context(|| format!("cannot copy {}", program.display()))?;
    }
    for folder in FOLDERS {
        release::copy_folder(
            &crate::workspace::workspace_root().join(folder),
            &staged.path().join(folder),
        )?;
    }
    write_script(&staged.path().join(SCRIPT))?;
    let file = File::create(&archive).with_context(|| format!("cannot create {}", archive.display()))?;
    let mut builder = tar::Builder::new(GzEncoder::new(file, Compression::best()));
    builder.append_dir_all(NAME, staged.path())?;
    builder.into_inner()?.finish()?;
    report(staged.path(), &archive)?;
    match &options.try_on {
        Some(backend) => trial::run(&archive, &format!("{NAME}/{SCRIPT}"), backend),
        None => Ok(()),
    }
}

fn write_script(path: &Path) -> Result<()> {
    fs::write(path, include_str!("run.sh")).context("cannot write the script")?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// Prints what the archive contains.
fn report(folder: &Path, archive: &Path) -> Result<()> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        eprintln!("{name:10} {:6.1} MB", size(&path)? as f64 / 1e6);
    }
    let packed = fs::metadata(archive)?.len() as f64 / 1e6;
    eprintln!("{}: {packed:.1} MB", archive.display());
    ensure!(packed <= LARGEST_MB, "the archive is larger than {LARGEST_MB} MB");
    Ok(())
}

/// Bytes of a file or of all files below a folder.
fn size(path: &Path) -> Result<u64> {
    if !path.is_dir() {
        return Ok(fs::metadata(path)?.len());
    }
    fs::read_dir(path)?.map(|entry| size(&entry?.path())).sum()
}
