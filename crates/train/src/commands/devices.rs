//! The `devices` command: lists every built-in backend and every available device with its capabilities.

use crate::console::print_result;
use barlow_engine::device::{Details, Found};
use barlow_engine::error::RunError;
use barlow_train::device::{BackendChoice, probe_all, select};
use serde::Serialize;

/// A line of `--json`.
#[derive(Serialize)]
#[serde(untagged)]
enum Line<'a> {
    Device {
        backend: &'a str,
        device: usize,
        name: &'a str,
        software: bool,
        #[serde(flatten)]
        details: &'a Details,
    },
    Missing {
        backend: &'a str,
        missing: String,
    },
    Auto {
        auto: &'a str,
        name: &'a str,
        reason: &'a str,
    },
}

/// Prints one line per device, one per missing requirement, and the device that `auto` takes.
///
/// # Errors
/// [`RunError::Usage`] when no backend can be used at all.
pub fn run(json: bool) -> Result<(), RunError> {
    let print = |line: &Line<'_>| {
        print_result(&if json {
            serde_json::to_string(line).expect("names and numbers")
        } else {
            line.to_string()
        });
    };
    for (backend, probe) in probe_all() {
        let missing = match &probe {
            Err(error) => error.to_string(),
            Ok(Err(missing)) => missing.clone(),
            Ok(Ok(found)) => {
                let lines = found
                    .iter()
                    .enumerate()
                    .map(|(device, found)| device_line(backend, device, found));
                lines.for_each(|line| print(&line));
                continue;
            }
        };
        print(&Line::Missing { backend, missing });
    }
    let auto = select(BackendChoice::Auto, None).map_err(RunError::usage)?;
    print(&Line::Auto {
        auto: auto.backend,
        name: &auto.name,
        reason: &auto.reason,
    });
    Ok(())
}

fn device_line<'a>(backend: &'a str, device: usize, found: &'a Found) -> Line<'a> {
    Line::Device {
        backend,
        device,
        name: &found.name,
        software: found.software,
        details: &found.details,
    }
}

impl std::fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Device {
                backend,
                device,
                name,
                software,
                details,
            } => {
                let kind = if *software { ", software" } else { "" };
                write!(f, "{backend:5}  --device {device}: {name}{kind}; {details}")
            }
            Self::Missing { backend, missing } => write!(f, "{backend:5}  {missing}"),
            Self::Auto { auto, name, reason } => write!(f, "auto takes {auto} on {name} ({reason})"),
        }
    }
}
