//! The ledger of a recipe: launches summed up by kind, as a table and as JSON.

use super::gpus::{GPUS, Gpu};
use super::kind::Kind;
use super::launches::{Launch, Launches};
use super::roofline::Bound;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;

/// A recipe's step.
pub struct Ledger {
    /// Name of the recipe.
    pub recipe: String,
    /// Architecture of the stub GPU, such as 80.
    pub arch: u32,
    /// Images per step, counted once for all of their views.
    pub batch_size: u64,
    /// What a step launches.
    pub step: Launches,
}

/// Sums over launches.
#[derive(Debug, Default, Clone, Copy)]
struct Sum {
    launches: f64,
    read: f64,
    written: f64,
    read_across: f64,
    operations: f64,
}

impl Sum {
    fn add(&mut self, launch: &Launch, count: f64) {
        self.launches += count;
        self.read += count * launch.read as f64;
        self.written += count * launch.written as f64;
        self.read_across += count * launch.read_across as f64;
        self.operations += count * launch.operations as f64;
    }

    fn bytes(&self) -> f64 {
        self.read + self.written
    }
}

/// Time on a GPU by kind, and by what bounds it.
struct Times {
    total: f64,
    kinds: BTreeMap<Kind, BTreeMap<Bound, f64>>,
}

impl Times {
    fn of(gpu: &Gpu, step: &Launches) -> Self {
        let mut times = Self {
            total: 0.0,
            kinds: BTreeMap::new(),
        };
        for (launch, count) in &step.kernels {
            let (time, bound) = gpu.shortest(launch);
            times.total += time * count;
            *times.kinds.entry(launch.kind).or_default().entry(bound).or_default() += time * count;
        }
        times
    }

    /// Seconds of a kind, and the bound of most of them.
    fn of_kind(&self, kind: Kind) -> Option<(f64, Bound)> {
        let bounds = self.kinds.get(&kind)?;
        let most = bounds.iter().max_by(|a, b| a.1.total_cmp(b.1))?;
        Some((bounds.values().sum(), *most.0))
    }
}

impl Ledger {
    fn sums(&self) -> BTreeMap<Kind, Sum> {
        let mut sums: BTreeMap<Kind, Sum> = BTreeMap::new();
        for (launch, count) in &self.step.kernels {
            sums.entry(launch.kind).or_default().add(launch, *count);
        }
        sums
    }

    fn total(&self) -> Sum {
        let mut total = Sum::default();
        for (launch, count) in &self.step.kernels {
            total.add(launch, *count);
        }
        total
    }

    /// Share of a kind in the bytes that are read and written, in [0, 1].
    pub fn share_of(&self, kind: Kind) -> f64 {
        let of_kind = self.sums().get(&kind).map_or(0.0, Sum::bytes);
        of_kind / self.total().bytes().max(1.0)
    }

    /// Markdown: a table of kinds, and one of GPUs.
    pub fn markdown(&self) -> String {
        let (sums, total) = (self.sums(), self.total());
        let mut text = format!(
            "### {}, N = {}, sm_{}\n\n| kernels | launches | read | written | share of bytes | across | GFLOP |\n\
             |---|---:|---:|---:|---:|---:|---:|\n",
            self.recipe, self.batch_size, self.arch
        );
        let mut row = |label: &str, sum: &Sum| {
            let _ = writeln!(
                text,
                "| {label} | {:.0} | {} | {} | {:.1} % | {} | {:.1} |",
                sum.launches,
                mebibytes(sum.read),
                mebibytes(sum.written),
                100.0 * sum.bytes() / total.bytes().max(1.0),
                mebibytes(sum.read_across),
                sum.operations / 1e9
            );
        };
        for kind in Kind::ALL {
            if let Some(sum) = sums.get(&kind) {
                row(kind.label(), sum);
            }
        }
        row("**all**", &total);
        let copies = self.step.copies.iter();
        let copies: Vec<String> = copies
            .map(|(direction, (count, bytes))| format!("{count:.0} {direction} ({})", mebibytes(*bytes)))
            .collect();
        let _ = writeln!(text, "\nCopies: {}.\n", copies.join(", "));
        let _ = writeln!(
            text,
            "| shortest step | ms | images/s | longest stages |\n|---|---:|---:|---|"
        );
        for gpu in &GPUS {
            let times = Times::of(gpu, &self.step);
            let mut stages: Vec<(Kind, f64, Bound)> = Kind::ALL
                .into_iter()
                .filter_map(|kind| times.of_kind(kind).map(|(time, bound)| (kind, time, bound)))
                .collect();
            stages.sort_by(|a, b| b.1.total_cmp(&a.1));
            let stages: Vec<String> = stages
                .iter()
                .take(5)
                .map(|(kind, time, bound)| format!("{} {:.1} ms ({})", kind.label(), time * 1e3, bound.label()))
                .collect();
            let _ = writeln!(
                text,
                "| {} | {:.1} | {:.0} | {} |",
                gpu.name,
                times.total * 1e3,
                self.batch_size as f64 / times.total,
                stages.join("; ")
            );
        }
        text
    }

    /// Everything, down to single launches.
    pub fn json(&self) -> Value {
        let sum = |sum: &Sum| {
            json!({
                "launches": sum.launches, "bytes_read": sum.read, "bytes_written": sum.written,
                "bytes_read_across": sum.read_across, "operations": sum.operations,
            })
        };
        let kinds: serde_json::Map<String, Value> = self
            .sums()
            .iter()
            .map(|(kind, total)| (kind.label().to_owned(), sum(total)))
            .collect();
        let gpus: Vec<Value> = GPUS.iter().map(|gpu| self.gpu(gpu)).collect();
        let kernels: Vec<Value> = self
            .step
            .kernels
            .iter()
            .map(|(launch, count)| {
                json!({
                    "kind": launch.kind.label(), "name": launch.name, "launches": count, "blocks": launch.blocks,
                    "bytes_read": launch.read, "bytes_written": launch.written, "bytes_read_across": launch.read_across,
                    "operations": launch.operations, "matrix_units": launch.on_matrix_units, "shapes": launch.shapes,
                })
            })
            .collect();
        let copies: serde_json::Map<String, Value> = self
            .step
            .copies
            .iter()
            .map(|(direction, (count, bytes))| (direction.clone(), json!({ "copies": count, "bytes": bytes })))
            .collect();
        json!({
            "recipe": self.recipe, "arch": self.arch, "batch_size": self.batch_size, "total": sum(&self.total()),
            "kinds": kinds, "copies": copies, "gpus": gpus, "kernels": kernels,
        })
    }

    fn gpu(&self, gpu: &Gpu) -> Value {
        let times = Times::of(gpu, &self.step);
        let kinds: serde_json::Map<String, Value> = Kind::ALL
            .into_iter()
            .filter_map(|kind| {
                let bounds = times.kinds.get(&kind)?;
                let bounds: serde_json::Map<String, Value> = bounds
                    .iter()
                    .map(|(bound, time)| (bound.label().to_owned(), json!(time)))
                    .collect();
                Some((kind.label().to_owned(), Value::Object(bounds)))
            })
            .collect();
        json!({
            "name": gpu.name, "source": gpu.source, "seconds": times.total,
            "images_per_second": self.batch_size as f64 / times.total, "seconds_by_kind_and_bound": kinds,
        })
    }
}

fn mebibytes(bytes: f64) -> String {
    format!("{:.1} MiB", bytes / f64::from(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch(kind: Kind, bytes: u64) -> Launch {
        Launch {
            kind,
            name: "x".to_owned(),
            blocks: 1000,
            read: bytes,
            written: bytes,
            operations: 0,
            on_matrix_units: false,
            read_across: 0,
            shapes: String::new(),
        }
    }

    #[test]
    fn kinds_are_summed_and_shares_add_up() {
        let mut step = Launches::default();
        step.kernels.insert(launch(Kind::Relayout, 1 << 20), 3.0);
        step.kernels.insert(launch(Kind::Relayout, 3 << 20), 1.0);
        step.kernels.insert(launch(Kind::Fused, 2 << 20), 1.0);
        step.copies.insert("to-host".to_owned(), (1.0, 4.0));
        let ledger = Ledger {
            recipe: "small".to_owned(),
            arch: 80,
            batch_size: 64,
            step,
        };
        let text = ledger.markdown();
        assert!(text.contains("| relayout | 4 | 6.0 MiB | 6.0 MiB | 75.0 % |"), "{text}");
        assert!(text.contains("| **all** | 5 | 8.0 MiB | 8.0 MiB | 100.0 % |"), "{text}");
        assert!((ledger.share_of(Kind::Relayout) - 0.75).abs() < 1e-9 && ledger.share_of(Kind::Other) == 0.0);
        let json = ledger.json();
        assert_eq!(json["kinds"]["relayout"]["launches"], 4.0);
        assert_eq!(json["kernels"].as_array().unwrap().len(), 3);
        // 16 MiB and five launches on the fastest of the four.
        let h100 = &json["gpus"][0];
        let seconds = h100["seconds"].as_f64().unwrap();
        assert!(
            seconds >= 16.0 * f64::from(1 << 20) / 3.35e12 && seconds < 3e-5,
            "{h100}"
        );
    }
}
