//! A writer of TensorBoard event files: every number of the log as a scalar, for users who run a TensorBoard anyway.
//!
//! Written by hand, because the crates for it are unmaintained or need a protobuf compiler: a file is records of length,
//! checksum, bytes, checksum, and an event has four fields (tensorflow's `record_writer.cc` and `event.proto`).

use super::{Metric, MetricsSink};
use anyhow::{Context, Result};
use serde_json::Value;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// An event file, one per session of the run.
#[derive(Debug)]
pub struct TensorBoard {
    path: PathBuf,
    file: File,
}

impl TensorBoard {
    /// Starts a file in `folder` for a run that has made `step` steps. Events of later steps, which an earlier session may have
    /// left, are invalidated.
    ///
    /// # Errors
    /// With the path.
    pub fn create(folder: &Path, step: u64) -> Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create the folder {}", folder.display()))?;
        // Names are read in alphabetical order, which is that of the sessions.
        let name = format!("events.out.tfevents.{:017.6}.{step}", seconds());
        let path = folder.join(name);
        let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        let mut board = Self { path, file };
        let mut version = Event::now(0);
        version.bytes(3, b"brain.Event:2");
        board.add(version)?;
        let mut session = Event::now(step + 1);
        // A SessionLog whose status is START.
        session.bytes(7, &[0x08, 1]);
        board.add(session)?;
        Ok(board)
    }

    fn add(&mut self, event: Event) -> Result<()> {
        let written = self.file.write_all(&record(&event.0));
        written.with_context(|| format!("cannot write {}", self.path.display()))
    }
}

impl MetricsSink for TensorBoard {
    fn write(&mut self, metric: &Metric) -> Result<()> {
        let Value::Object(values) = serde_json::to_value(metric)? else {
            return Ok(());
        };
        let mut summary = Event(Vec::new());
        for (name, value) in &values {
            if let (Some(number), false) = (value.as_f64(), name == "step") {
                let mut scalar = Event(Vec::new());
                scalar.bytes(1, tag(metric, name).as_bytes());
                scalar.float(2, number as f32);
                summary.bytes(1, &scalar.0);
            }
        }
        let mut event = Event::now(metric.step());
        event.bytes(5, &summary.0);
        self.add(event)
    }
}

/// The tag of a number; accuracies have their own group.
fn tag(metric: &Metric, name: &str) -> String {
    let group = match metric {
        Metric::Training(_) => "train",
        Metric::Evaluation(_) => "eval",
    };
    format!("{group}/{name}")
}

fn seconds() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}

/// A message of protocol buffers under construction.
struct Event(Vec<u8>);

impl Event {
    /// An event with its time and step, to be given its content.
    fn now(step: u64) -> Self {
        let mut event = Self(Vec::new());
        event.key(1, 1);
        event.0.extend(seconds().to_le_bytes());
        event.key(2, 0);
        event.varint(step);
        event
    }

    /// A field's number and the way its value is written: 0 varint, 1 eight bytes, 2 length and bytes, 5 four bytes.
    fn key(&mut self, field: u64, wire: u64) {
        self.varint(field << 3 | wire);
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.key(field, 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
    }

    fn float(&mut self, field: u64, value: f32) {
        self.key(field, 5);
        self.0.extend(value.to_le_bytes());
    }
}

fn record(bytes: &[u8]) -> Vec<u8> {
    let length = (bytes.len() as u64).to_le_bytes();
    let parts: [&[u8]; 4] = [&length, &masked(&length), bytes, &masked(bytes)];
    parts.concat()
}

/// The masked checksum of a record: a CRC of bytes that contain their own plain CRC would be degenerate.
fn masked(bytes: &[u8]) -> [u8; 4] {
    crc32c(bytes).rotate_right(15).wrapping_add(0xA282_EAD8).to_le_bytes()
}

/// Castagnoli's, reflected. Bit by bit: an event has some hundred bytes.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32| (crc >> 1) ^ (0x82F6_3B78 & 0u32.wrapping_sub(crc & 1));
    !bytes
        .iter()
        .fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}

#[cfg(test)]
mod tests {
    use super::super::lines::tests::training;
    use super::*;

    #[test]
    fn the_checksum_is_castagnolis() {
        // The check value of CRC-32/ISCSI.
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
        assert_eq!(crc32c(b""), 0);
    }

    /// The bytes were read back by TensorBoard 2.21 (its `EventAccumulator`): session start at step 8, then `train/loss` 12.5 at
    /// step 300 with the other numbers of the line.
    #[test]
    fn a_file_is_whole_records_and_holds_every_number() {
        let folder = tempfile::tempdir().unwrap();
        let mut board = TensorBoard::create(folder.path(), 7).unwrap();
        board.write(&training(300)).unwrap();
        let bytes = std::fs::read(&board.path).unwrap();
        let mut events = Vec::new();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let (length, after) = rest.split_at(8);
            let count = u64::from_le_bytes(length.try_into().unwrap()) as usize;
            assert_eq!(after[..4], masked(length));
            assert_eq!(after[4 + count..][..4], masked(&after[4..][..count]));
            events.push(&after[4..][..count]);
            rest = &after[4 + count + 4..];
        }
        assert_eq!(events.len(), 3);
        assert!(events[0].ends_with(b"brain.Event:2"));
        assert_eq!(events[1][9..], [0x10, 8, 0x3A, 2, 0x08, 1]);
        // Step 300 as a varint, then the summary.
        assert_eq!(events[2][9..13], [0x10, 0xAC, 0x02, 0x2A]);
        let loss = [&b"\x0a\x0atrain/loss\x15"[..], &12.5f32.to_le_bytes()].concat();
        assert!(events[2].windows(loss.len()).any(|window| window == loss));
        let names = [
            "train/redundancy_reduction",
            "train/lr_weights",
            "train/images_per_second",
        ];
        let holds = |name: &str| events[2].windows(name.len()).any(|window| window == name.as_bytes());
        assert!(names.into_iter().all(holds) && !holds("train/step"));
    }
}
