//! Progress of a long job on standard error: a bar on a terminal, otherwise a line at every tenth.
//!
//! This file must not know what the job is.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::{self, IsTerminal, Read};

/// Progress of one job that is counted in bytes or in images.
pub struct Progress {
    label: String,
    total: u64,
    position: u64,
    unit: Unit,
    shown: Shown,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Displayed in MB.
    Bytes,
    /// Displayed as numbers.
    Images,
}

enum Shown {
    Bar(ProgressBar),
    /// The last tenth that was printed.
    Lines(u64),
}

impl Progress {
    /// A job of `total`, of which `position` is done already.
    pub fn new(label: impl Into<String>, unit: Unit, position: u64, total: u64) -> Self {
        let label = label.into();
        let shown = if io::stderr().is_terminal() {
            let template = match unit {
                Unit::Bytes => {
                    "{msg} {wide_bar} {decimal_bytes} of {decimal_total_bytes}, {decimal_bytes_per_sec}, {eta}"
                }
                Unit::Images => "{msg} {wide_bar} {human_pos} of {human_len}, {eta}",
            };
            let bar = ProgressBar::new(total)
                .with_position(position)
                .with_message(label.clone());
            // An invalid template must only cost the style, not the download.
            bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.reset_eta();
            Shown::Bar(bar)
        } else {
            Shown::Lines(tenth(position, total))
        };
        Self {
            label,
            total,
            position,
            unit,
            shown,
        }
    }

    /// `count` more are done.
    pub fn advance(&mut self, count: u64) {
        self.set(self.position + count);
    }

    /// `position` are done; it may go back.
    pub fn set(&mut self, position: u64) {
        self.position = position;
        match &mut self.shown {
            Shown::Bar(bar) => bar.set_position(position),
            Shown::Lines(told) => {
                let now = tenth(position, self.total);
                if now > *told {
                    let (label, total) = (&self.label, self.unit.text(self.total));
                    eprintln!("{label}: {} % of {total}", now * 10);
                }
                *told = now;
            }
        }
    }

    /// Prints a line without disturbing the bar.
    pub fn say(&self, line: &str) {
        match &self.shown {
            Shown::Bar(bar) => bar.suspend(|| eprintln!("{line}")),
            Shown::Lines(_) => eprintln!("{line}"),
        }
    }

    /// A reader that counts what is read through it.
    pub fn reading<R: Read>(&mut self, inner: R) -> Counted<'_, R> {
        Counted { inner, progress: self }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}

/// A reader whose bytes are counted.
pub struct Counted<'a, R> {
    inner: R,
    progress: &'a mut Progress,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.progress.advance(count as u64);
        Ok(count)
    }
}

impl Unit {
    fn text(self, count: u64) -> String {
        match self {
            Self::Bytes => megabytes(count),
            Self::Images => format!("{count} images"),
        }
    }
}

/// A human-readable number of bytes: in kB below 1 MB, in MB (10^6) above.
pub fn megabytes(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..10_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.0} MB", bytes as f64 / 1e6),
    }
}

/// The number of tenths of `total` that are done; 10 if there is nothing to do.
fn tenth(position: u64, total: u64) -> u64 {
    (position.saturating_mul(10)).checked_div(total).unwrap_or(10).min(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenths_are_whole_and_end_at_ten() {
        let told: Vec<u64> = [0, 9, 10, 99, 100, 170]
            .into_iter()
            .map(|position| tenth(position, 100))
            .collect();
        assert_eq!(told, [0, 0, 1, 9, 10, 10]);
        assert_eq!(tenth(0, 0), 10);
        assert_eq!(megabytes(5_148), "5.1 kB");
        assert_eq!(megabytes(4_422_102), "4.4 MB");
        assert_eq!(megabytes(170_052_171), "170 MB");
    }

    #[test]
    fn what_is_read_is_counted() {
        let mut progress = Progress::new("numbers", Unit::Bytes, 0, 100);
        let mut text = String::new();
        progress
            .reading(&[b'a'; 40][..])
            .read_to_string(&mut text)
            .expect("ASCII");
        assert_eq!((progress.position, text.len()), (40, 40));
        progress.set(10);
        assert_eq!(progress.position, 10);
    }
}
