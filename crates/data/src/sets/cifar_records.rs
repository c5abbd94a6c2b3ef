//! Parser of CIFAR's binary version: bytes to labels and pixels. Pure functions without file access; no input is trusted.
//!
//! A record is one label byte (CIFAR-100: two, coarse then fine), then 1024 bytes of red, 1024 of green, 1024 of blue,
//! each row by row. Source: the dataset's page, section "Binary version". This file must not know which files there are.

/// Columns and rows of every image.
pub const CIFAR_SIDE: usize = 32;
/// Bytes of the three planes.
const PIXELS: usize = 3 * CIFAR_SIDE * CIFAR_SIDE;

/// The set, and for CIFAR-100 which of its two labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CifarKind {
    /// 10 classes.
    Cifar10,
    /// CIFAR-100 with its 100 fine classes.
    Cifar100,
    /// CIFAR-100 with its 20 coarse classes.
    Cifar100Coarse,
}

impl CifarKind {
    /// Number of classes.
    #[must_use]
    pub fn class_count(self) -> usize {
        match self {
            Self::Cifar10 => 10,
            Self::Cifar100 => 100,
            Self::Cifar100Coarse => 20,
        }
    }

    /// Bytes of a record.
    #[must_use]
    pub fn record_bytes(self) -> usize {
        self.label_bytes() + PIXELS
    }

    fn label_bytes(self) -> usize {
        if self == Self::Cifar10 { 1 } else { 2 }
    }

    /// Number of classes of each label byte, in the order of the bytes.
    fn label_ranges(self) -> &'static [usize] {
        if self == Self::Cifar10 { &[10] } else { &[20, 100] }
    }

    /// The label byte that this kind uses.
    fn label_at(self) -> usize {
        usize::from(self == Self::Cifar100)
    }
}

/// What is wrong with a file of the set; the caller adds its name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CifarFault {
    /// No bytes.
    #[error("the file is empty")]
    Empty,
    /// The last record is incomplete.
    #[error("{bytes} bytes are not whole records of {record} bytes (cut off, or another format)")]
    Cut {
        /// Bytes there are.
        bytes: usize,
        /// Bytes of a record.
        record: usize,
    },
    /// A label that is out of range.
    #[error("record {record} has label {label}, but there are {classes} classes")]
    Label {
        /// The record, from 0.
        record: usize,
        /// Its label.
        label: usize,
        /// Number of classes.
        classes: usize,
    },
    /// The file of class names is incomplete, or not a file of class names.
    #[error("{found} class names, but there are {classes} classes")]
    Names {
        /// Names there are.
        found: usize,
        /// Number of classes.
        classes: usize,
    },
    /// Two classes have the same name.
    #[error("two classes are named {name}")]
    SameName {
        /// The name.
        name: String,
    },
    /// The file of class names is not text.
    #[error("not a text file of class names")]
    NotText,
}

/// Checks that `bytes` are complete records with labels in range, and returns their number.
///
/// # Errors
/// [`CifarFault`].
pub fn check_cifar_records(kind: CifarKind, bytes: &[u8]) -> Result<usize, CifarFault> {
    let record = kind.record_bytes();
    if bytes.is_empty() {
        return Err(CifarFault::Empty);
    }
    if !bytes.len().is_multiple_of(record) {
        return Err(CifarFault::Cut {
            bytes: bytes.len(),
            record,
        });
    }
    for (number, bytes) in bytes.chunks_exact(record).enumerate() {
        for (&label, &classes) in bytes.iter().zip(kind.label_ranges()) {
            if usize::from(label) >= classes {
                return Err(CifarFault::Label {
                    record: number,
                    label: label.into(),
                    classes,
                });
            }
        }
    }
    Ok(bytes.len() / record)
}

/// Class names, one per line; empty lines (the published files end in some) are ignored.
///
/// # Errors
/// [`CifarFault`], unless there is exactly one name for each class.
pub fn parse_cifar_names(kind: CifarKind, bytes: &[u8]) -> Result<Vec<String>, CifarFault> {
    let text = std::str::from_utf8(bytes).map_err(|_| CifarFault::NotText)?;
    let names: Vec<String> = text
        .lines()
        .map(str::trim)
        .filter(|n| !n.is_empty())
        .map(Into::into)
        .collect();
    // Names are shown in one-line messages.
    if names.iter().any(|name| name.contains(char::is_control)) {
        return Err(CifarFault::NotText);
    }
    if names.len() != kind.class_count() {
        return Err(CifarFault::Names {
            found: names.len(),
            classes: kind.class_count(),
        });
    }
    let mut seen = std::collections::BTreeSet::new();
    match names.iter().find(|name| !seen.insert(*name)) {
        Some(name) => Err(CifarFault::SameName { name: name.clone() }),
        None => Ok(names),
    }
}

/// Label and planes (`3 * 1024` bytes, red, green, blue) of a record of `kind.record_bytes()` bytes.
pub(crate) fn split_record(kind: CifarKind, record: &[u8]) -> (usize, &[u8]) {
    (record[kind.label_at()].into(), &record[kind.label_bytes()..])
}
