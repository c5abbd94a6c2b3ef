//! The same work in PyTorch, as scripts in this binary.

use anyhow::{Context, Result};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

const SCRIPTS: [(&str, &str); 6] = [
    ("nets.py", include_str!("peers/nets.py")),
    ("timing.py", include_str!("peers/timing.py")),
    ("rates.py", include_str!("peers/rates.py")),
    ("step.py", include_str!("peers/step.py")),
    ("loss.py", include_str!("peers/loss.py")),
    ("methods.py", include_str!("peers/methods.py")),
];

/// Writes the scripts into `folder`.
pub fn write(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for (name, text) in SCRIPTS {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Why there is no PyTorch; `None` if there is.
pub fn missing(python: &str) -> Option<String> {
    let output = Command::new(python)
        .args(["-c", "import torch"])
        .stdin(Stdio::null())
        .output();
    let text = match output {
        Ok(output) if output.status.success() => return None,
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    let last = text.lines().last().unwrap_or("unknown error");
    Some(format!("{python} has no PyTorch ({last})"))
}
