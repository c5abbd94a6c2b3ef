//! [`ParquetFile`], the footer of a Parquet file: its columns of images and labels, and where their parts lie.
//!
//! This file must not read a page.

use super::columns::{Chosen, Leaf, SchemaElement, chosen, leaves};
use super::compression::Codec;
use super::features::{ClassLabels, features};
use super::source::{Fault, Source, bad};
use super::thrift::{BINARY, Broken, LIST, STRUCT, Thrift};

/// Largest footer that is read, in bytes.
const MAX_FOOTER_BYTES: u64 = 256 << 20;

/// What of a Parquet file's footer is needed to read images and labels.
#[derive(Debug, Clone)]
pub struct ParquetFile {
    /// Number of rows.
    pub(super) rows: usize,
    pub(super) groups: Vec<Group>,
    /// The column of the images and that of the labels.
    pub(super) columns: Chosen,
    /// Names of the classes, from Hugging Face's metadata.
    pub(super) names: Option<Vec<String>>,
}

/// One row group.
#[derive(Debug, Clone)]
pub(super) struct Group {
    /// The file's row that is its first.
    pub(super) first: usize,
    pub(super) rows: usize,
    pub(super) images: Chunk,
    pub(super) labels: Option<Chunk>,
}

/// The part of a column in a row group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) codec: Codec,
    pub(super) start: u64,
    pub(super) length: u64,
}

impl ParquetFile {
    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The column of the images.
    #[must_use]
    pub fn image_column(&self) -> &str {
        &self.columns.images.path
    }

    /// The column of the labels, if there is one.
    #[must_use]
    pub fn label_column(&self) -> Option<&str> {
        self.columns.labels.as_ref().map(|column| column.path.as_str())
    }

    /// The names of the classes in Hugging Face's metadata, if any.
    #[must_use]
    pub fn class_names(&self) -> Option<&[String]> {
        self.names.as_deref()
    }

    /// Reads the footer.
    pub(super) fn open(source: &(impl Source + ?Sized)) -> Result<Self, Fault> {
        let len = source.len();
        let Some(tail_start) = len.checked_sub(8).filter(|_| len >= 12) else {
            return bad("it is too short for a Parquet file");
        };
        let tail = source.range(tail_start, 8)?;
        match &tail[4..] {
            b"PAR1" => {}
            b"PARE" => return bad("it is encrypted; write it without encryption"),
            _ => return bad("it does not end as a Parquet file does"),
        }
        let size = u64::from(u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]));
        let start = tail_start.checked_sub(size).filter(|_| size <= MAX_FOOTER_BYTES);
        let Some(start) = start else {
            return bad("its footer is longer than the file");
        };
        let footer = source.range(start, size)?;
        let parsed = Footer::parse(&footer).or_else(|Broken { .. }| bad("its footer is damaged"))?;
        parsed.checked(len)
    }
}

/// The footer as it is written.
#[derive(Default)]
struct Footer {
    schema: Vec<SchemaElement>,
    rows: i64,
    groups: Vec<RawGroup>,
    features: Option<Vec<u8>>,
}

#[derive(Default)]
struct RawGroup {
    columns: Vec<RawColumn>,
    rows: i64,
}

#[derive(Default)]
struct RawColumn {
    is_elsewhere: bool,
    codec: i64,
    length: i64,
    data: i64,
    dictionary: Option<i64>,
}

impl Footer {
    fn parse(bytes: &[u8]) -> Result<Self, Broken> {
        let mut footer = Self::default();
        let mut thrift = Thrift::new(bytes);
        thrift.fields(&mut |thrift, number, kind| {
            match (number, kind) {
                (2, LIST) => structs(thrift, &mut |thrift| {
                    footer.schema.push(schema_element(thrift)?);
                    Ok(())
                })?,
                (3, 6) => footer.rows = thrift.int()?,
                (4, LIST) => structs(thrift, &mut |thrift| {
                    footer.groups.push(group(thrift)?);
                    Ok(())
                })?,
                (5, LIST) => structs(thrift, &mut |thrift| {
                    let (mut key, mut value) = (&b""[..], None);
                    thrift.fields(&mut |thrift, number, kind| {
                        match (number, kind) {
                            (1, BINARY) => key = thrift.binary()?,
                            (2, BINARY) => value = Some(thrift.binary()?),
                            _ => return Ok(false),
                        }
                        Ok(true)
                    })?;
                    if key == b"huggingface" {
                        footer.features = value.map(<[u8]>::to_vec);
                    }
                    Ok(())
                })?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(footer)
    }

    /// The parts that are used, all within a file of `len` bytes.
    fn checked(self, len: u64) -> Result<ParquetFile, Fault> {
        let leaves = leaves(&self.schema)?;
        let labels = self.features.as_deref().map(features).unwrap_or_default();
        let (columns, places) = chosen(&leaves, &labels)?;
        let mut groups = Vec::with_capacity(self.groups.len());
        let mut first = 0_usize;
        for group in &self.groups {
            if group.columns.len() != leaves.len() {
                return bad("a row group has other columns than the schema");
            }
            let rows = u32::try_from(group.rows).or_else(|_| bad("a row group has no valid number of rows"))? as usize;
            groups.push(Group {
                first,
                rows,
                images: chunk(&group.columns[places.0], &leaves[places.0], len)?,
                labels: match places.1 {
                    Some(place) => Some(chunk(&group.columns[place], &leaves[place], len)?),
                    None => None,
                },
            });
            first = first.saturating_add(rows);
        }
        // An image takes a byte at least, so a number of rows that the file cannot hold is caught before it is used.
        if first as u64 > len || usize::try_from(self.rows).ok() != Some(first) {
            return bad("its numbers of rows do not fit each other or its size");
        }
        Ok(ParquetFile {
            rows: first,
            groups,
            names: class_names(&columns, labels),
            columns,
        })
    }
}

fn class_names(columns: &Chosen, labels: ClassLabels) -> Option<Vec<String>> {
    let column = columns.labels.as_ref()?;
    labels
        .names
        .into_iter()
        .find(|(name, _)| *name == column.path)
        .map(|(_, names)| names)
}

fn chunk(column: &RawColumn, leaf: &Leaf, len: u64) -> Result<Chunk, Fault> {
    if column.is_elsewhere {
        return bad(format!("column {} lies in another file or is encrypted", leaf.shown()));
    }
    // Some writers give 0 for a dictionary that is not there.
    let dictionary = column
        .dictionary
        .filter(|&dictionary| dictionary > 0 && dictionary < column.data);
    let start = u64::try_from(dictionary.unwrap_or(column.data));
    let (Ok(start), Ok(length)) = (start, u64::try_from(column.length)) else {
        return bad("a column has a negative position");
    };
    if start.checked_add(length).is_none_or(|end| end > len) {
        return bad("a column lies behind its end; it is cut short");
    }
    let codec = Codec::of(column.codec).ok_or_else(|| {
        Fault::Bad(format!(
            "column {} is compressed with {}, which is not read; write it with snappy, zstd or gzip",
            leaf.shown(),
            Codec::name(column.codec)
        ))
    })?;
    Ok(Chunk { codec, start, length })
}

/// Reads a list of structs.
fn structs<'a>(
    thrift: &mut Thrift<'a>,
    item: &mut dyn FnMut(&mut Thrift<'a>) -> Result<(), Broken>,
) -> Result<(), Broken> {
    let (kind, length) = thrift.list()?;
    if kind != STRUCT && length > 0 {
        return Err(Broken { is_short: false });
    }
    (0..length).try_for_each(|_| item(thrift))
}

fn schema_element(thrift: &mut Thrift<'_>) -> Result<SchemaElement, Broken> {
    let mut element = SchemaElement::default();
    thrift.fields(&mut |thrift, number, kind| {
        match (number, kind) {
            (1, 5) => element.physical = Some(thrift.int()?),
            (3, 5) => element.repetition = thrift.int()?,
            (4, BINARY) => element.name = String::from_utf8_lossy(thrift.binary()?).into_owned(),
            (5, 5) => element.children = thrift.int()?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(element)
}

fn group(thrift: &mut Thrift<'_>) -> Result<RawGroup, Broken> {
    let mut group = RawGroup::default();
    thrift.fields(&mut |thrift, number, kind| {
        match (number, kind) {
            (1, LIST) => structs(thrift, &mut |thrift| {
                group.columns.push(column(thrift)?);
                Ok(())
            })?,
            (3, 6) => group.rows = thrift.int()?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(group)
}

fn column(thrift: &mut Thrift<'_>) -> Result<RawColumn, Broken> {
    let mut column = RawColumn {
        codec: -1,
        ..RawColumn::default()
    };
    thrift.fields(&mut |thrift, number, kind| {
        match (number, kind) {
            // Another file, or encryption.
            (1, BINARY) | (8, STRUCT) => {
                column.is_elsewhere = true;
                return Ok(false);
            }
            (3, STRUCT) => thrift.fields(&mut |thrift, number, kind| {
                match (number, kind) {
                    (4, 5) => column.codec = thrift.int()?,
                    (7, 6) => column.length = thrift.int()?,
                    (9, 6) => column.data = thrift.int()?,
                    (11, 6) => column.dictionary = Some(thrift.int()?),
                    _ => return Ok(false),
                }
                Ok(true)
            })?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(column)
}
