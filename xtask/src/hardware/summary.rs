//! `summary.md`: the records and what the items printed, one section a stage.

use super::plan::STAGES;
use super::record::Record;
use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// PyTorch's variants, in the order of the columns.
const VARIANTS: [&str; 6] = ["f32", "tf32", "bf16", "f32-compiled", "tf32-compiled", "bf16-compiled"];

/// The file with what was run, when and with which program, which the summary begins with.
pub const ABOUT: &str = "about.md";

/// Writes `summary.md` from the records and outputs in `out`.
///
/// # Errors
/// If there are no records, or the file cannot be written.
pub fn write(out: &Path) -> Result<()> {
    let about = fs::read_to_string(out.join(ABOUT)).unwrap_or_default();
    let text = render(&about, &Record::read_all(out)?, &Outputs::read(out));
    let path = out.join("summary.md");
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// The lines of JSON that the items printed, by item; what is not JSON is left out.
#[derive(Default)]
struct Outputs(BTreeMap<String, Vec<Value>>);

impl Outputs {
    fn read(out: &Path) -> Self {
        let mut outputs = BTreeMap::new();
        let entries = fs::read_dir(out.join("output")).into_iter().flatten().flatten();
        for path in entries.map(|entry| entry.path()) {
            let is_output = path.extension().is_some_and(|extension| extension == "out");
            if let (true, Some(name)) = (is_output, path.file_stem()) {
                outputs.insert(name.to_string_lossy().into_owned(), json_lines(&path));
            }
        }
        outputs.insert(
            "metrics".to_owned(),
            json_lines(&out.join("training").join("metrics.jsonl")),
        );
        Self(outputs)
    }

    fn of(&self, item: &str) -> &[Value] {
        self.0.get(item).map_or(&[], Vec::as_slice)
    }

    /// All lines of a benchmark, with the items that printed them.
    fn of_bench<'a>(&'a self, bench: &'a str) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.0
            .iter()
            .flat_map(|(item, lines)| lines.iter().map(move |line| (item.as_str(), line)))
            .filter(move |(_, line)| line["bench"] == bench)
    }

    /// A measured rate per second: bytes or operations.
    fn rate(&self, kind: &str) -> Option<f64> {
        let line = self.of("rates").iter().find(|line| line["rate"] == kind)?;
        let giga = line["gb_per_s"].as_f64().map(|rate| rate * 1e9);
        giga.or_else(|| line["tflop_per_s"].as_f64().map(|rate| rate * 1e12))
    }

    /// The part of the measured time that the work needs at least, at the measured rates of copies and of f32 products.
    fn roofline_share(&self, line: &Value) -> Option<f64> {
        let (copies, products) = (self.rate("copy")?, self.rate("f32")?);
        let seconds = line["median_s"].as_f64()?;
        let operations = 1e9 * line["gflop"].as_f64()? / products;
        let bytes = 1e9 * line["gbyte"].as_f64()? / copies;
        Some(operations.max(bytes) / seconds)
    }
}

fn json_lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

fn render(about: &str, records: &[Record], outputs: &Outputs) -> String {
    let mut text = String::from("# Hardware run\n");
    if !about.is_empty() {
        let _ = write!(text, "\n{about}");
    }
    for (stage, title) in STAGES {
        let of_stage: Vec<&Record> = records.iter().filter(|record| record.stage == stage).collect();
        if of_stage.is_empty() {
            continue;
        }
        text += &format!("\n## {title}\n\n");
        let section = match stage {
            "rates" => rates(outputs),
            "devices" => devices(outputs),
            "conformance" => conformance(outputs, "conformance"),
            "wgpu" => conformance(outputs, "wgpu-conformance"),
            "step" => steps(outputs),
            "loss" => losses(outputs),
            "ops" => operations(outputs),
            "training" => training(outputs),
            _ => String::new(),
        };
        if !section.is_empty() {
            text += &section;
            text.push('\n');
        }
        let rows = of_stage.iter().map(|record| {
            let seconds = format!("{:.1}", record.seconds);
            let message = record.message.replace('|', "\\|");
            vec![record.item.clone(), record.status.name().to_owned(), seconds, message]
        });
        text += &table(&["item", "result", "s", "message"], rows);
    }
    text
}

fn rates(outputs: &Outputs) -> String {
    let kinds = [
        ("copy", "copy, GB/s", 1e9),
        ("f32", "f32 product, TFLOP/s", 1e12),
        ("tf32", "TF32 product, TFLOP/s", 1e12),
        ("bf16", "bf16 product, TFLOP/s", 1e12),
    ];
    let device = outputs.of("rates").iter().find(|line| line["rate"] == "device");
    let Some(device) = device else { return String::new() };
    let rows =
        kinds.map(|(kind, title, unit)| vec![title.to_owned(), number(outputs.rate(kind).map(|rate| rate / unit), 1)]);
    let text = |key: &str| device[key].as_str().unwrap_or("-").to_owned();
    format!(
        "{}, PyTorch {}, CUDA {}\n\n{}",
        text("device"),
        text("version"),
        text("cuda"),
        table(&["rate", "measured by PyTorch"], rows.into_iter())
    )
}

fn devices(outputs: &Outputs) -> String {
    let rows = outputs.of("devices").iter().map(|line| {
        let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        if line["auto"].is_string() {
            return vec![
                "auto".to_owned(),
                format!("{} on {}", text("auto"), text("name")),
                text("reason"),
            ];
        }
        let memory = line["memory_bytes"].as_f64().map(|bytes| bytes / f64::from(1 << 30));
        let details = match memory {
            Some(memory) => format!("{}, {memory:.1} GiB", text("driver")),
            None => text("driver"),
        };
        let name = if line["software"] == true {
            format!("{} (software)", text("name"))
        } else {
            text("name")
        };
        let missing = text("missing");
        vec![
            text("backend"),
            name,
            if missing.is_empty() { details } else { missing },
        ]
    });
    table(&["backend", "device", "driver and memory, or what is missing"], rows)
}

/// The number of comparisons that hold, and all that do not.
fn conformance(outputs: &Outputs, item: &str) -> String {
    let lines: Vec<&Value> = outputs
        .of(item)
        .iter()
        .filter(|line| line["holds"].is_boolean())
        .collect();
    if lines.is_empty() {
        return String::new();
    }
    let holding = lines.iter().filter(|line| line["holds"] == true).count();
    let mut text = format!("{holding} of {} comparisons hold.\n", lines.len());
    let failing: Vec<_> = lines.iter().filter(|line| line["holds"] == false).collect();
    if !failing.is_empty() {
        let rows = failing.iter().map(|line| {
            let error = line["error"].as_str().map(|error| error.replace('|', "\\|"));
            let difference = || format!("{} of at most {}", line["difference"], line["bound"]);
            vec![
                line["name"].as_str().unwrap_or("?").to_owned(),
                error.unwrap_or_else(difference),
            ]
        });
        text += &format!("\n{}", table(&["comparison that fails", "difference or error"], rows));
    }
    text
}

/// A step with our times and PyTorch's.
#[derive(Default)]
struct Step<'a> {
    /// With empty caches.
    first: Option<&'a Value>,
    /// With kernels that were tuned before.
    ours: Option<&'a Value>,
    torch: BTreeMap<&'a str, &'a Value>,
}

fn steps(outputs: &Outputs) -> String {
    let mut steps: BTreeMap<String, Step<'_>> = BTreeMap::new();
    for (item, line) in outputs.of_bench("step") {
        let text = |key: &str| line[key].to_string();
        let net = line["net"].as_str().unwrap_or("?");
        let name = format!(
            "{net}, {} pairs of {} px, width {}, D {}",
            text("n"),
            text("pixels"),
            text("width"),
            text("d")
        );
        let step = steps.entry(name).or_default();
        match line["variant"].as_str() {
            Some(variant) => _ = step.torch.insert(variant, line),
            None if item.ends_with("-first") => step.first = Some(line),
            None => step.ours = Some(line),
        }
    }
    if steps.is_empty() {
        return String::new();
    }
    let mut head = vec![
        "step",
        "first step, s",
        "tuned before, s",
        "ours, ms",
        "peak MiB of the host",
        "of the roofline",
    ];
    let titles = VARIANTS.map(|variant| format!("PyTorch {variant}, ms"));
    head.extend(titles.iter().map(String::as_str));
    head.push("ours / PyTorch f32");
    let rows = steps.iter().map(|(name, step)| {
        let ours = step.ours.or(step.first);
        let seconds = |line: Option<&Value>, key: &str| line.and_then(|line| line[key].as_f64());
        let mut row = vec![
            name.clone(),
            number(seconds(step.first, "first_s"), 1),
            number(seconds(step.ours, "first_s"), 1),
            milliseconds(ours),
            number(seconds(ours, "peak_mb"), 0),
            percent(ours.and_then(|line| outputs.roofline_share(line))),
        ];
        row.extend(VARIANTS.map(|variant| milliseconds(step.torch.get(variant).copied())));
        let torch = seconds(step.torch.get("f32").copied(), "median_s");
        let ratio = seconds(ours, "median_s").zip(torch).map(|(ours, torch)| ours / torch);
        row.push(number(ratio, 2));
        row
    });
    let text = table(&head, rows);
    format!(
        "Forward of both views, loss, backward; median. Ours is f32. The roofline is the time that the step's operations or bytes \
         need at the rates of f32 products and copies above.\n\n{text}"
    )
}

fn losses(outputs: &Outputs) -> String {
    let mut shapes: BTreeMap<(u64, u64), BTreeMap<String, &Value>> = BTreeMap::new();
    for (_, line) in outputs.of_bench("loss") {
        let (Some(n), Some(d)) = (line["n"].as_u64(), line["d"].as_u64()) else {
            continue;
        };
        let column = match line["variant"].as_str() {
            Some(variant) => format!("PyTorch {variant}"),
            None => line["form"].as_str().unwrap_or("?").to_owned(),
        };
        shapes.entry((n, d)).or_default().insert(column, line);
    }
    if shapes.is_empty() {
        return String::new();
    }
    let columns = ["auto", "direct", "gram", "PyTorch f32", "PyTorch tf32"];
    let rows = shapes.iter().map(|((n, d), lines)| {
        let mut row = vec![format!("{n} × {d}")];
        row.extend(columns.map(|column| milliseconds(lines.get(column).copied())));
        let seconds = |column: &str| lines.get(column).and_then(|line| line["median_s"].as_f64());
        let ratio = seconds("auto")
            .zip(seconds("PyTorch f32"))
            .map(|(ours, torch)| ours / torch);
        row.push(number(ratio, 3));
        row
    });
    let head = [
        "N × D",
        "auto, ms",
        "direct, ms",
        "gram, ms",
        "PyTorch f32, ms",
        "PyTorch tf32, ms",
        "auto / PyTorch f32",
    ];
    table(&head, rows)
}

fn operations(outputs: &Outputs) -> String {
    let rows: Vec<Vec<String>> = outputs
        .of_bench("ops")
        .map(|(_, line)| {
            let text = |key: &str| line[key].as_str().unwrap_or("?").to_owned();
            let rate = line["gflop_per_s"].as_f64().map(|rate| rate / 1e3);
            let share = outputs.roofline_share(line);
            vec![
                text("case"),
                text("pass"),
                milliseconds(Some(line)),
                number(rate, 2),
                percent(share),
            ]
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    table(
        &["operation", "pass", "ms", "TFLOP/s", "of the roofline"],
        rows.into_iter(),
    )
}

/// Of the second half of the run's lines: in the first one kernels are tuned.
fn training(outputs: &Outputs) -> String {
    let lines: Vec<&Value> = outputs
        .of("metrics")
        .iter()
        .filter(|line| line["images_per_second"].is_f64())
        .collect();
    let Some(last) = lines.last() else { return String::new() };
    let half = &lines[lines.len() / 2..];
    let median = |key: &str| {
        let mut values: Vec<f64> = half.iter().filter_map(|line| line[key].as_f64()).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    };
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{} images/s; {} of the time waiting for views; {} steps (medians of the second half of the log's {} lines).",
        number(median("images_per_second"), 0),
        percent(median("data_wait")),
        last["step"],
        lines.len()
    );
    text
}

/// The median, or the error of a case that failed.
fn milliseconds(line: Option<&Value>) -> String {
    match line {
        Some(line) if line["error"].is_string() => "failed".to_owned(),
        _ => number(
            line.and_then(|line| line["median_s"].as_f64())
                .map(|seconds| 1e3 * seconds),
            2,
        ),
    }
}

fn percent(share: Option<f64>) -> String {
    share.map_or("-".to_owned(), |share| format!("{:.0} %", 100.0 * share))
}

fn number(number: Option<f64>, decimals: usize) -> String {
    number.map_or("-".to_owned(), |number| format!("{number:.decimals$}"))
}

fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut text = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
    for row in rows {
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::record::Status;
    use super::*;
    use serde_json::json;

    fn record(stage: &str, item: &str, status: Status, message: &str) -> Record {
        Record {
            stage: stage.into(),
            item: item.into(),
            status,
            seconds: 2.0,
            message: message.into(),
        }
    }

    #[test]
    fn a_step_has_its_ratio_and_its_share_of_the_roofline() {
        let step = |fields: Value| {
            let mut line = json!({"bench": "step", "net": "resnet50", "n": 32, "pixels": 224, "width": 64, "d": 8192});
            line.as_object_mut()
                .unwrap()
                .extend(fields.as_object().unwrap().clone());
            line
        };
        let ours = step(json!({"first_s": 3.0, "median_s": 0.2, "gflop": 1000.0, "gbyte": 10.0, "peak_mb": 900.0}));
        let first = step(json!({"first_s": 40.0, "median_s": 0.25, "gflop": 1000.0, "gbyte": 10.0}));
        let torch = step(json!({"variant": "f32", "median_s": 0.4}));
        let failed = step(json!({"variant": "bf16", "error": "OutOfMemoryError"}));
        let rates = vec![
            json!({"rate": "device", "device": "card", "version": "2.15", "cuda": "13.0"}),
            json!({"rate": "copy", "gb_per_s": 100.0}),
            json!({"rate": "f32", "tflop_per_s": 20.0}),
        ];
        let outputs = Outputs(BTreeMap::from([
            ("rates".to_owned(), rates),
            ("step-resnet50-32-first".to_owned(), vec![first]),
            ("step-resnet50-32".to_owned(), vec![ours]),
            ("torch-step-resnet50-32".to_owned(), vec![torch, failed]),
        ]));
        let text = render("", &[record("step", "step-resnet50-32", Status::Ok, "")], &outputs);
        // 1000 GFLOP at 20 TFLOP/s are 0.05 s, 10 GB at 100 GB/s 0.1 s: half of 0.2 s.
        let row = "| resnet50, 32 pairs of 224 px, width 64, D 8192 | 40.0 | 3.0 | 200.00 | 900 | 50 % | 400.00 | - | failed | - | - | - | 0.50 |";
        assert!(text.contains(row), "{text}");
    }

    #[test]
    fn failing_comparisons_are_listed_and_messages_do_not_break_the_table() {
        let lines = vec![
            json!({"name": "convolution", "holds": true, "difference": 1e-6, "bound": 2e-5}),
            json!({"name": "loss", "holds": false, "error": "out of | memory"}),
            json!({"name": "norm", "holds": false, "difference": null, "bound": 2e-5}),
        ];
        let outputs = Outputs(BTreeMap::from([("conformance".to_owned(), lines)]));
        let records = [record(
            "conformance",
            "conformance",
            Status::CutOff,
            "killed | after 5 s",
        )];
        let text = render("", &records, &outputs);
        assert!(text.contains("1 of 3 comparisons hold."), "{text}");
        assert!(text.contains("| loss | out of \\| memory |"), "{text}");
        assert!(
            text.contains("| norm | null of at most 0.00002 |") || text.contains("| norm | null of at most 2e-5 |"),
            "{text}"
        );
        assert!(
            text.contains("| conformance | cut off | 2.0 | killed \\| after 5 s |"),
            "{text}"
        );
    }

    #[test]
    fn training_is_told_by_the_second_half_of_its_log() {
        let line = |step: u64, rate: f64| json!({"step": step, "images_per_second": rate, "data_wait": 0.25});
        let lines = vec![line(1, 10.0), line(2, 20.0), line(3, 3000.0), line(4, 3100.0)];
        let outputs = Outputs(BTreeMap::from([("metrics".to_owned(), lines)]));
        let text = render("", &[record("training", "training", Status::Ok, "")], &outputs);
        assert!(
            text.contains("3100 images/s; 25 % of the time waiting for views; 4 steps"),
            "{text}"
        );
    }
}
