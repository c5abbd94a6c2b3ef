//! Converts a weight file: `cargo run --release -p barlow-weights --example convert IN OUT`, where OUT ends in `.pth` or
//! `.safetensors`. Reports times and the peak of memory.
//!
//! `tests/check_with_torch.py` uses it to compare with torch.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use std::time::Instant;

use barlow_weights::{OutTensor, Values, WeightsFile, write_pth, write_safetensors};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, from, to] = &arguments[..] else {
        return Err("two arguments are needed: IN OUT".into());
    };
    let start = Instant::now();
    let file = WeightsFile::open(from)?;
    let opened = start.elapsed();
    let names = file.tensors().iter().map(|info| info.name.as_str());
    let tensors: Vec<_> = names
        .map(|name| Ok((name, file.read_raw(name)?)))
        .collect::<Result<_, barlow_weights::WeightsError>>()?;
    let read = start.elapsed();
    let out: Vec<OutTensor<'_>> = tensors
        .iter()
        .map(|(name, raw)| OutTensor {
            name,
            shape: &raw.shape,
            values: Values::Raw(raw.dtype, &raw.bytes),
        })
        .collect();
    let mut writer = BufWriter::with_capacity(1 << 20, File::create(to)?);
    match to.ends_with(".pth") {
        true => write_pth(&mut writer, &out)?,
        false => write_safetensors(
            &mut writer,
            &out,
            &BTreeMap::from([("format".to_owned(), "pt".to_owned())]),
        )?,
    }
    drop(writer);
    let written = start.elapsed();
    eprintln!(
        "{from} -> {to}: {} tensors, opened in {opened:.3?}, read in {:.3?}, written in {:.3?}",
        tensors.len(),
        read - opened,
        written - read
    );
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(peak) = status.lines().find(|line| line.starts_with("VmHWM")) {
        eprintln!("{peak}");
    }
    Ok(())
}
