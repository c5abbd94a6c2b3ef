//! `cargo xtask book`: builds the book in `docs/` with mdBook, and fails on any warning.

use anyhow::{Context, Result, ensure};
use std::path::PathBuf;
use std::process::Command;

/// The release of mdBook that the book is built with.
const VERSION: &str = "0.5.4";

/// Builds the book into `target/book`; installs mdBook from crates.io into the target folder where it is missing (a minute).
pub fn run() -> Result<()> {
    let root = crate::workspace::workspace_root();
    let output = Command::new(mdbook()?)
        .args(["build", "docs"])
        .current_dir(root)
        .output()
        .context("cannot start mdbook")?;
    let log = String::from_utf8_lossy(&output.stderr);
    eprint!("{log}");
    ensure!(output.status.success(), "mdbook failed");
    let warned = log.lines().any(|line| line.contains("WARN") || line.contains("ERROR"));
    ensure!(!warned, "mdbook has warnings");
    let page = root.join("target").join("book").join("index.html");
    ensure!(page.is_file(), "{} was not built", page.display());
    eprintln!("the book is in {}", page.display());
    Ok(())
}

/// The program, of exactly the pinned release.
fn mdbook() -> Result<PathBuf> {
    let is_it = |program: &PathBuf| {
        let output = Command::new(program).arg("--version").output();
        output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).trim() == format!("mdbook v{VERSION}"))
    };
    let tools = crate::workspace::target_folder()?.join("tools");
    let own = tools
        .join("bin")
        .join(format!("mdbook{}", std::env::consts::EXE_SUFFIX));
    if let Some(found) = [PathBuf::from("mdbook"), own.clone()].into_iter().find(is_it) {
        return Ok(found);
    }
    let status = Command::new("cargo")
        .args([
            "install",
            "mdbook",
            "--locked",
            "--no-default-features",
            "--features",
            "search",
        ])
        .args(["--version", &format!("={VERSION}"), "--root"])
        .arg(&tools)
        .status()
        .context("cannot start cargo")?;
    ensure!(status.success(), "mdbook {VERSION} cannot be installed");
    Ok(own)
}
