//! Parquet: a table with the columns `path`, `label` (null without one) and `features` (a list of f32 per row), uncompressed and
//! plain, in row groups of some megabytes: <https://github.com/apache/parquet-format>.

use super::table::BETWEEN_CLASSES;
use super::writer::{FeatureRow, FeatureWriter};
use crate::files::StreamedFile;
use anyhow::Result;
use std::path::{Path, PathBuf};
use thrift::{Field, Thrift};

/// Values of a row group; it is held in memory until it is full.
const GROUP_VALUES: usize = 4 << 20;

const MAGIC: &[u8] = b"PAR1";

// Numbers of the format's enumerations.
const BYTE_ARRAY: i64 = 6;
const FLOAT: i64 = 4;
const REQUIRED: i64 = 0;
const OPTIONAL: i64 = 1;
const REPEATED: i64 = 2;
const UTF8: i64 = 0;
const LIST_TYPE: i64 = 3;
const PLAIN: i64 = 0;
const RLE: i64 = 3;

/// Writes one file.
pub(super) struct ParquetWriter {
    file: StreamedFile,
    width: usize,
    /// Bytes written.
    at: u64,
    rows: Vec<FeatureRow>,
    values: Vec<f32>,
    groups: Vec<Group>,
}

/// A row group that was written.
struct Group {
    rows: usize,
    columns: [Column; 3],
}

/// A column of a row group that was written.
#[derive(Clone, Copy)]
struct Column {
    start: u64,
    bytes: u64,
    values: usize,
}

impl ParquetWriter {
    pub(super) fn create(path: &Path, width: usize) -> Result<Self> {
        let mut file = StreamedFile::create(path)?;
        file.write(MAGIC)?;
        Ok(Self {
            file,
            width,
            at: MAGIC.len() as u64,
            rows: Vec::new(),
            values: Vec::new(),
            groups: Vec::new(),
        })
    }

    /// Writes the rows in memory as a row group.
    fn flush(&mut self) -> Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let (rows, values) = (std::mem::take(&mut self.rows), std::mem::take(&mut self.values));
        let path: Vec<u8> = rows.iter().flat_map(|row| text(&row.path)).collect();
        let labels = rows.iter().filter(|row| !row.classes.is_empty());
        let label: Vec<u8> = labels
            .flat_map(|row| text(&row.classes.join(BETWEEN_CLASSES)))
            .collect();
        let has_label: Vec<bool> = rows.iter().map(|row| !row.classes.is_empty()).collect();
        let begins: Vec<bool> = (0..values.len()).map(|value| value % self.width != 0).collect();
        let features: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let count = rows.len();
        let path = self.page(count, &[], &path)?;
        let label = self.page(count, &[levels(&has_label)], &label)?;
        let all = vec![true; values.len()];
        let features = self.page(values.len(), &[levels(&begins), levels(&all)], &features)?;
        self.groups.push(Group {
            rows: count,
            columns: [path, label, features],
        });
        Ok(())
    }

    /// Writes a column of a row group, which is one page: levels, then values.
    fn page(&mut self, values: usize, levels: &[Vec<u8>], data: &[u8]) -> Result<Column> {
        let size: usize = levels.iter().map(Vec::len).sum::<usize>() + data.len();
        let mut header = Thrift::default();
        header.number(1, Field::I32, 0);
        header.number(2, Field::I32, size as i64);
        header.number(3, Field::I32, size as i64);
        header.structure(5, |page| {
            page.number(1, Field::I32, values as i64);
            page.number(2, Field::I32, PLAIN);
            page.number(3, Field::I32, RLE);
            page.number(4, Field::I32, RLE);
        });
        let start = self.at;
        for part in std::iter::once(header.end().as_slice())
            .chain(levels.iter().map(Vec::as_slice))
            .chain([data])
        {
            self.file.write(part)?;
            self.at += part.len() as u64;
        }
        Ok(Column {
            start,
            bytes: self.at - start,
            values,
        })
    }

    fn footer(&self) -> Vec<u8> {
        let mut footer = Thrift::default();
        footer.number(1, Field::I32, 1);
        footer.structures(2, SCHEMA.len(), |index, element| SCHEMA[index].write(element));
        let rows: usize = self.groups.iter().map(|group| group.rows).sum();
        footer.number(3, Field::I64, rows as i64);
        footer.structures(4, self.groups.len(), |index, out| self.groups[index].write(out));
        footer.binary(6, concat!("barlow-engine ", env!("CARGO_PKG_VERSION")).as_bytes());
        footer.end()
    }
}

impl FeatureWriter for ParquetWriter {
    fn append(&mut self, rows: &[FeatureRow], values: &[f32]) -> Result<()> {
        assert_eq!(values.len(), rows.len() * self.width, "features of {} rows", rows.len());
        self.rows.extend_from_slice(rows);
        self.values.extend_from_slice(values);
        if self.values.len() >= GROUP_VALUES {
            self.flush()?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<Vec<PathBuf>> {
        self.flush()?;
        let footer = self.footer();
        self.file.write(&footer)?;
        self.file.write(&(footer.len() as u32).to_le_bytes())?;
        self.file.write(MAGIC)?;
        Ok(vec![self.file.persist()?])
    }
}

/// A node of the schema, in depth-first order.
struct Node {
    name: &'static str,
    kind: Option<i64>,
    repetition: Option<i64>,
    children: Option<i64>,
    converted: Option<i64>,
}

const SCHEMA: [Node; 6] = [
    Node::group("schema", None, 3, None),
    Node::leaf("path", BYTE_ARRAY, REQUIRED, Some(UTF8)),
    Node::leaf("label", BYTE_ARRAY, OPTIONAL, Some(UTF8)),
    Node::group("features", Some(REQUIRED), 1, Some(LIST_TYPE)),
    Node::group("list", Some(REPEATED), 1, None),
    Node::leaf("element", FLOAT, REQUIRED, None),
];

/// Type and path in the schema of each column.
const COLUMNS: [(i64, &[&str]); 3] = [
    (BYTE_ARRAY, &["path"]),
    (BYTE_ARRAY, &["label"]),
    (FLOAT, &["features", "list", "element"]),
];

impl Node {
    const fn group(name: &'static str, repetition: Option<i64>, children: i64, converted: Option<i64>) -> Self {
        Self {
            name,
            kind: None,
            repetition,
            children: Some(children),
            converted,
        }
    }

    const fn leaf(name: &'static str, kind: i64, repetition: i64, converted: Option<i64>) -> Self {
        Self {
            name,
            kind: Some(kind),
            repetition: Some(repetition),
            children: None,
            converted,
        }
    }

    fn write(&self, out: &mut Thrift) {
        for (field, value) in [(1, self.kind), (3, self.repetition)] {
            value.into_iter().for_each(|value| out.number(field, Field::I32, value));
        }
        out.binary(4, self.name.as_bytes());
        for (field, value) in [(5, self.children), (6, self.converted)] {
            value.into_iter().for_each(|value| out.number(field, Field::I32, value));
        }
    }
}

impl Group {
    fn write(&self, out: &mut Thrift) {
        out.structures(1, self.columns.len(), |index, chunk| {
            let (column, (kind, path)) = (self.columns[index], COLUMNS[index]);
            chunk.number(2, Field::I64, column.start as i64);
            chunk.structure(3, |meta| {
                meta.number(1, Field::I32, kind);
                meta.numbers(2, &[PLAIN, RLE]);
                meta.binaries(3, path);
                meta.number(4, Field::I32, 0);
                meta.number(5, Field::I64, column.values as i64);
                meta.number(6, Field::I64, column.bytes as i64);
                meta.number(7, Field::I64, column.bytes as i64);
                meta.number(9, Field::I64, column.start as i64);
            });
        });
        let bytes: u64 = self.columns.iter().map(|column| column.bytes).sum();
        out.number(2, Field::I64, bytes as i64);
        out.number(3, Field::I64, self.rows as i64);
    }
}

/// A plain text: its length, then its bytes.
fn text(text: &str) -> Vec<u8> {
    let length = (text.len() as u32).to_le_bytes();
    length.into_iter().chain(text.bytes()).collect()
}

/// Levels of one bit as runs, after their length in bytes.
fn levels(bits: &[bool]) -> Vec<u8> {
    let mut runs = Vec::new();
    for run in bits.chunk_by(|a, b| a == b) {
        thrift::varint(&mut runs, (run.len() as u64) << 1);
        runs.push(u8::from(run[0]));
    }
    let length = (runs.len() as u32).to_le_bytes();
    length.into_iter().chain(runs).collect()
}

/// Thrift's compact protocol, as far as the footer and page headers need it: <https://github.com/apache/thrift>.
mod thrift {
    /// Type of a number.
    #[derive(Clone, Copy)]
    pub(super) enum Field {
        I32 = 5,
        I64 = 6,
    }

    const BINARY: u8 = 8;
    const LIST: u8 = 9;
    const STRUCT: u8 = 12;

    /// A struct that is being written; fields in ascending order.
    #[derive(Default)]
    pub(super) struct Thrift {
        bytes: Vec<u8>,
        last: u8,
    }

    impl Thrift {
        fn field(&mut self, number: u8, kind: u8) {
            assert!(
                number > self.last && number - self.last < 16,
                "fields ascend in short steps"
            );
            self.bytes.push((number - self.last) << 4 | kind);
            self.last = number;
        }

        pub(super) fn number(&mut self, field: u8, kind: Field, value: i64) {
            self.field(field, kind as u8);
            zigzag(&mut self.bytes, value);
        }

        pub(super) fn binary(&mut self, field: u8, value: &[u8]) {
            self.field(field, BINARY);
            binary(&mut self.bytes, value);
        }

        pub(super) fn structure(&mut self, field: u8, write: impl FnOnce(&mut Thrift)) {
            self.field(field, STRUCT);
            let mut inner = Thrift::default();
            write(&mut inner);
            self.bytes.extend(inner.end());
        }

        pub(super) fn structures(&mut self, field: u8, count: usize, write: impl Fn(usize, &mut Thrift)) {
            self.field(field, LIST);
            list(&mut self.bytes, count, STRUCT);
            for index in 0..count {
                let mut inner = Thrift::default();
                write(index, &mut inner);
                self.bytes.extend(inner.end());
            }
        }

        pub(super) fn numbers(&mut self, field: u8, values: &[i64]) {
            self.field(field, LIST);
            list(&mut self.bytes, values.len(), Field::I32 as u8);
            values.iter().for_each(|&value| zigzag(&mut self.bytes, value));
        }

        pub(super) fn binaries(&mut self, field: u8, values: &[&str]) {
            self.field(field, LIST);
            list(&mut self.bytes, values.len(), BINARY);
            values
                .iter()
                .for_each(|value| binary(&mut self.bytes, value.as_bytes()));
        }

        /// The struct's bytes.
        pub(super) fn end(mut self) -> Vec<u8> {
            self.bytes.push(0);
            self.bytes
        }
    }

    fn list(bytes: &mut Vec<u8>, count: usize, kind: u8) {
        if count < 15 {
            bytes.push((count as u8) << 4 | kind);
        } else {
            bytes.push(0xF0 | kind);
            varint(bytes, count as u64);
        }
    }

    fn binary(bytes: &mut Vec<u8>, value: &[u8]) {
        varint(bytes, value.len() as u64);
        bytes.extend(value);
    }

    fn zigzag(bytes: &mut Vec<u8>, value: i64) {
        varint(bytes, (value << 1 ^ value >> 63) as u64);
    }

    pub(super) fn varint(bytes: &mut Vec<u8>, mut value: u64) {
        while value >= 0x80 {
            bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of a small file that pyarrow 26 reads as it should (see below).
    ///
    /// ```python
    /// import pyarrow.parquet as pq
    /// assert pq.read_table("features.parquet").to_pylist() == [
    ///     {"path": "a/1.png", "label": "a", "features": [0.5, -1.0, 2.0]},
    ///     {"path": "2.png", "label": None, "features": [3.0, 4.0, 5.0]},
    ///     {"path": "ü,3.png", "label": "a;b", "features": [6.0, 7.0, 8.0]},
    /// ]
    /// ```
    #[test]
    fn the_file_is_the_one_that_pyarrow_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("features.parquet");
        let row = |path: &str, classes: &[&str]| FeatureRow {
            path: path.to_owned(),
            classes: classes.iter().map(|&class| class.to_owned()).collect(),
        };
        let mut writer = Box::new(ParquetWriter::create(&path, 3).unwrap());
        writer
            .append(
                &[row("a/1.png", &["a"]), row("2.png", &[])],
                &[0.5, -1.0, 2.0, 3.0, 4.0, 5.0],
            )
            .unwrap();
        // A second row group.
        writer.flush().unwrap();
        writer.append(&[row("ü,3.png", &["a", "b"])], &[6.0, 7.0, 8.0]).unwrap();
        writer.finish().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let version = concat!("barlow-engine ", env!("CARGO_PKG_VERSION")).as_bytes();
        let at = bytes
            .windows(version.len())
            .position(|window| window == version)
            .unwrap();
        assert_eq!(blake3::hash(&bytes[..at]).to_hex()[..16], *"696424c7709f19fe");
    }
}
