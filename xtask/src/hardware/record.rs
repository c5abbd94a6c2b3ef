//! A record of an item: a line of `results.jsonl`.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

const FILE: &str = "results.jsonl";

/// How an item ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// As it should.
    Ok,
    /// With an error.
    Failed,
    /// Killed at its time limit; what it had printed counts.
    CutOff,
    /// Not started.
    Skipped,
}

impl Status {
    const ALL: [Self; 4] = [Self::Ok, Self::Failed, Self::CutOff, Self::Skipped];

    /// As in the file and in the summary.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::CutOff => "cut off",
            Self::Skipped => "skipped",
        }
    }
}

/// What became of an item.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its stage.
    pub stage: String,
    /// Its name.
    pub item: String,
    /// How it ended.
    pub status: Status,
    /// How long it took.
    pub seconds: f64,
    /// The error, or why it was not started; empty if it ended well.
    pub message: String,
}

impl Record {
    /// Appends the record to the file in `out`.
    pub fn append(&self, out: &Path) -> Result<()> {
        let line = json!({
            "stage": self.stage,
            "item": self.item,
            "status": self.status.name(),
            "seconds": (self.seconds * 10.0).round() / 10.0,
            "message": self.message,
        });
        let path = out.join(FILE);
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let written = file.and_then(|mut file| writeln!(file, "{line}"));
        written.with_context(|| format!("cannot write {}", path.display()))
    }

    /// All records in `out`.
    pub fn read_all(out: &Path) -> Result<Vec<Self>> {
        let path = out.join(FILE);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(text.lines().filter_map(Self::parse).collect())
    }

    /// A line that was cut off is none.
    fn parse(line: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(line).ok()?;
        let text = |key: &str| value[key].as_str().map(str::to_owned);
        let name = text("status")?;
        Some(Self {
            stage: text("stage")?,
            item: text("item")?,
            status: Status::ALL.into_iter().find(|status| status.name() == name)?,
            seconds: value["seconds"].as_f64()?,
            message: text("message")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_as_they_were_written_and_a_torn_line_is_skipped() {
        let folder = tempfile::tempdir().unwrap();
        let record = |item: &str, status| Record {
            stage: "step".into(),
            item: item.into(),
            status,
            seconds: 1.5,
            message: "out of \"memory\"".into(),
        };
        let records = [record("a", Status::Failed), record("b", Status::CutOff)];
        for record in &records {
            record.append(folder.path()).unwrap();
        }
        let path = folder.path().join(FILE);
        let mut text = fs::read_to_string(&path).unwrap();
        text.push_str("{\"stage\": \"st");
        fs::write(&path, text).unwrap();
        assert_eq!(Record::read_all(folder.path()).unwrap(), records);
    }
}
