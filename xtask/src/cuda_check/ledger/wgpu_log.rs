//! CubeCL's log of launches on WGPU: names and times, no sizes.

use super::kind::Kind;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Launches and seconds by kind. A name does not tell implicit matrix products from others.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Log {
    /// (launches, seconds)
    pub kinds: BTreeMap<Kind, (f64, f64)>,
}

impl Log {
    /// Reads the lines `| 1.23ms | Kernel | f32` among others.
    pub fn read(text: &str) -> Self {
        let mut log = Self::default();
        for line in text.lines() {
            let Some((_, rest)) = line.split_once("| ") else {
                continue;
            };
            let Some((time, name)) = rest.split_once('|') else {
                continue;
            };
            let Some(seconds) = seconds(time.trim()) else { continue };
            let entry = log.kinds.entry(Kind::of(name.trim())).or_default();
            entry.0 += 1.0;
            entry.1 += seconds;
        }
        log
    }

    /// What `longer` has more than this run, in each of `steps`.
    pub fn per_step(&self, longer: &Self, steps: f64) -> Self {
        let mut kinds = longer.kinds.clone();
        for (kind, (count, time)) in &self.kinds {
            let entry = kinds.entry(*kind).or_default();
            entry.0 -= count;
            entry.1 -= time;
        }
        kinds.values_mut().for_each(|(count, time)| {
            *count /= steps;
            *time /= steps;
        });
        kinds.retain(|_, (count, _)| *count != 0.0);
        Self { kinds }
    }

    /// A Markdown table.
    pub fn markdown(&self, recipe: &str) -> String {
        let mut text = format!("### {recipe}, WGPU\n\n| kernels | launches | ms, each waited for |\n|---|---:|---:|\n");
        let (mut launches, mut seconds) = (0.0, 0.0);
        for (kind, (count, time)) in &self.kinds {
            let _ = writeln!(text, "| {} | {count:.0} | {:.1} |", kind.label(), time * 1e3);
            launches += count;
            seconds += time;
        }
        let _ = writeln!(text, "| **all** | {launches:.0} | {:.1} |", seconds * 1e3);
        text
    }
}

/// A duration as Rust prints it: `1.5ms`, `12µs`, `2s`.
fn seconds(text: &str) -> Option<f64> {
    let digits = text.trim_end_matches(|c: char| c.is_alphabetic());
    let unit = match &text[digits.len()..] {
        "s" => 1.0,
        "ms" => 1e-3,
        "µs" => 1e-6,
        "ns" => 1e-9,
        _ => return None,
    };
    Some(digits.parse::<f64>().ok()? * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_times_are_read_from_a_log() {
        let text = "2026 | 1.5ms      | ElemwiseFuse\n| 20µs       | CopyKernel | f32\nother line\n| 30.5µs     | CopyKernel | f32\n";
        let log = Log::read(text);
        let (count, time) = log.kinds[&Kind::Relayout];
        assert!(count == 2.0 && (time - 50.5e-6).abs() < 1e-12);
        assert_eq!(log.kinds[&Kind::Fused], (1.0, 1.5e-3));
        let step = Log::read("").per_step(&log, 2.0);
        assert_eq!(step.kinds[&Kind::Relayout].0, 1.0);
        assert!(
            step.markdown("smoke").contains("| **all** | 2 | 0.8 |"),
            "{}",
            step.markdown("smoke")
        );
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(seconds("2s"), Some(2.0));
        assert_eq!(seconds("5"), None);
        assert_eq!(seconds("x ms"), None);
    }
}
