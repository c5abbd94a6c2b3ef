//! Imports a weight file and exports it again: `cargo run --release -p barlow-weights --example export IN FORMAT OUT [full]`, where
//! FORMAT is safetensors, pth, timm, detectron2 or onnx. Reports what is imported, and the peak of memory.
//!
//! `tests/roundtrip.py` compares such files with torch, timm and onnxruntime.

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use barlow_weights::{ExportModel, ImportOptions, ModelCard, ProjectorImport, WeightsFile, export, import};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let (from, format, to, is_full) = match &arguments[..] {
        [_, from, format, to] => (from, format, to, false),
        [_, from, format, to, what] if what == "full" => (from, format, to, true),
        _ => return Err("arguments are needed: IN FORMAT OUT [full]".into()),
    };
    let start = Instant::now();
    let file = WeightsFile::open(from)?;
    let projector = if is_full {
        ProjectorImport::Fit
    } else {
        ProjectorImport::Skip
    };
    let plan = import(&file, &ImportOptions { projector })?;
    eprintln!("{}", plan.summary);
    plan.ignored.iter().for_each(|ignored| eprintln!("ignored: {ignored}"));
    plan.notes.iter().for_each(|note| eprintln!("note: {note}"));
    let mut model = ExportModel::of_import(&file, &plan);
    model.card = ModelCard {
        method: "Barlow Twins".into(),
        mean: vec![0.485, 0.456, 0.406],
        std: vec![0.229, 0.224, 0.225],
        program: "barlow-weights".into(),
        ..ModelCard::default()
    };
    let export = export(&model, format.parse()?)?;
    for path in export.write_to(Path::new(to))? {
        eprintln!("wrote {}", path.display());
    }
    export.notes().iter().for_each(|note| eprintln!("note: {note}"));
    eprintln!(
        "{:.3?}; largest tensor {} bytes",
        start.elapsed(),
        plan.largest_tensor()
    );
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(peak) = status.lines().find(|line| line.starts_with("VmHWM")) {
        eprintln!("{peak}");
    }
    Ok(())
}
