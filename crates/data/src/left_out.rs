//! [`LeftOut`], what a listing did not take as images, counted by reason: nothing of the user's disappears in silence.
//!
//! This file must not decide what is left out.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::extensions::UNREADABLE_IMAGE_EXTENSIONS;
use crate::path_names::shown;

/// Extensions of arrays and archives that may hold images.
const ARRAY_EXTENSIONS: [&str; 4] = ["dcm", "mat", "npy", "npz"];

/// Different extensions that are counted separately; a folder of a program's own files may have thousands.
const MAX_EXTENSIONS: usize = 64;

/// Why a file, a folder or a line was left out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "reason", content = "extension")]
pub enum LeftOutReason {
    /// A file that is not a usable image.
    BadImage,
    /// A line of a list that names no image, or one that is not there.
    BadLine,
    /// A picture of a format that is not read, by its extension.
    OtherFormat(String),
    /// An image outside the folders that were taken.
    LooseImage,
    /// A folder that is neither a class nor one of the splits that were taken.
    OtherFolder,
    /// A link to a folder below a class folder: following it could lead in a circle.
    FolderLink,
    /// A folder without images among class folders.
    NoImages,
    /// The folder of a run of this program.
    Run,
    /// Any other file, by its extension.
    OtherFile(String),
    /// What computers leave behind: hidden files, thumbnails, a system's own folders.
    Leftover,
    /// What cannot be used of a set of shards, as a plural: "images without a label".
    OfShards(String),
}

/// How many were left out for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOutCount {
    /// How many.
    pub count: u64,
    /// The first of them in the order of their paths, or its error.
    pub first: String,
}

/// What was left out, by reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeftOut(BTreeMap<LeftOutReason, LeftOutCount>);

impl LeftOutReason {
    /// The reason for a file that is not an image by its name. `None` as its extension means that it has none.
    pub(crate) fn of_extension(extension: Option<&str>) -> Self {
        let extension = extension.unwrap_or_default().to_ascii_lowercase();
        let is_picture = UNREADABLE_IMAGE_EXTENSIONS.contains(&extension.as_str());
        if is_picture || ARRAY_EXTENSIONS.contains(&extension.as_str()) {
            Self::OtherFormat(extension)
        } else if extension.len() <= 16 && extension.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            Self::OtherFile(extension)
        } else {
            Self::OtherFile(String::new())
        }
    }

    /// Whether images may have been lost.
    #[must_use]
    pub fn is_worth_a_warning(&self) -> bool {
        !matches!(self, Self::Run | Self::OtherFile(_) | Self::Leftover | Self::NoImages)
    }

    /// A number that is stored, and the extension.
    pub(crate) fn code(&self) -> (u8, &str) {
        match self {
            Self::BadImage => (0, ""),
            Self::BadLine => (1, ""),
            Self::OtherFormat(extension) => (2, extension),
            Self::LooseImage => (3, ""),
            Self::OtherFolder => (4, ""),
            Self::FolderLink => (5, ""),
            Self::NoImages => (6, ""),
            Self::Run => (7, ""),
            Self::OtherFile(extension) => (8, extension),
            Self::Leftover => (9, ""),
            Self::OfShards(what) => (10, what),
        }
    }

    /// The reason of a stored number.
    pub(crate) fn from_code(code: u8, extension: &str) -> Option<Self> {
        let reason = match code {
            0 => Self::BadImage,
            1 => Self::BadLine,
            2 => Self::OtherFormat(extension.to_owned()),
            3 => Self::LooseImage,
            4 => Self::OtherFolder,
            5 => Self::FolderLink,
            6 => Self::NoImages,
            7 => Self::Run,
            8 => Self::OtherFile(extension.to_owned()),
            9 => Self::Leftover,
            10 => Self::OfShards(extension.to_owned()),
            _ => return None,
        };
        (reason.code().1 == extension).then_some(reason)
    }

    fn named(&self, count: u64) -> String {
        let plural = |one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
        match self {
            Self::BadImage => plural("bad image", "bad images"),
            Self::BadLine => plural("bad line of a list", "bad lines of lists"),
            Self::OtherFormat(extension) => {
                let files = plural("file", "files");
                format!("{files} .{extension} (a format that is not read)")
            }
            Self::LooseImage => plural(
                "image outside the folders that were taken",
                "images outside the folders that were taken",
            ),
            Self::OtherFolder => plural("other folder", "other folders"),
            Self::FolderLink => plural("link to a folder", "links to folders"),
            Self::NoImages => plural("folder without images", "folders without images"),
            Self::Run => plural("folder of a run", "folders of runs"),
            Self::OtherFile(extension) if extension.is_empty() => plural("other file", "other files"),
            Self::OtherFile(extension) => format!("{} .{extension}", plural("file", "files")),
            Self::OfShards(what) => format!("{what} ({count})"),
            Self::Leftover => plural("hidden or system file", "hidden or system files"),
        }
    }
}

impl LeftOut {
    /// Counts one more; `first` names it.
    pub fn add(&mut self, reason: LeftOutReason, first: impl Into<String>) {
        self.add_many(reason, 1, first);
    }

    /// Counts `count` more of a reason; `first` names the first of them.
    pub fn add_many(&mut self, reason: LeftOutReason, count: u64, first: impl Into<String>) {
        let first = first.into();
        self.merge_one(reason, LeftOutCount { count, first });
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: Self) {
        for (reason, count) in other.0 {
            self.merge_one(reason, count);
        }
    }

    /// Adds all of `other`, whose paths are below `folder`.
    pub(crate) fn merge_below(&mut self, folder: &Path, other: Self) {
        for (reason, mut count) in other.0 {
            // An error names its file itself.
            if !matches!(reason, LeftOutReason::BadImage | LeftOutReason::BadLine) {
                count.first = shown(&folder.join(count.first));
            }
            self.merge_one(reason, count);
        }
    }

    pub(crate) fn merge_one(&mut self, mut reason: LeftOutReason, more: LeftOutCount) {
        let is_of_extension = !reason.code().1.is_empty();
        if is_of_extension && self.0.len() >= MAX_EXTENSIONS && !self.0.contains_key(&reason) {
            reason = match reason {
                LeftOutReason::OtherFile(_) => LeftOutReason::OtherFile(String::new()),
                other => other,
            };
        }
        match self.0.get_mut(&reason) {
            Some(count) => {
                count.count = count.count.saturating_add(more.count);
                // Not the first that was listed: that depends on the file system.
                if more.first < count.first {
                    count.first = more.first;
                }
            }
            None => drop(self.0.insert(reason, more)),
        }
    }

    /// Every reason with its number, those that may have cost images first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&LeftOutReason, &LeftOutCount)> {
        self.0.iter()
    }

    /// How many were left out for a reason.
    #[must_use]
    pub fn count(&self, reason: &LeftOutReason) -> u64 {
        self.0.get(reason).map_or(0, |count| count.count)
    }

    /// Whether nothing was left out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether images may have been lost, so that the user should be warned.
    #[must_use]
    pub fn is_worth_a_warning(&self) -> bool {
        self.0.keys().any(LeftOutReason::is_worth_a_warning)
    }
}

impl LeftOut {
    /// A text for each reason: its number, with an example. An example may be an error, with any punctuation.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|(reason, count)| {
            let visible = |c| if char::is_control(c) { '\u{FFFD}' } else { c };
            let first: String = count.first.chars().map(visible).collect();
            let such = if count.count == 1 { "" } else { "such as " };
            format!("{}: {such}{first}", reason.named(count.count))
        })
    }
}

impl fmt::Display for LeftOut {
    /// All reasons on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().collect::<Vec<_>>().join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_counted_with_the_first_path_whatever_the_order() {
        let avif = || LeftOutReason::of_extension(Some("AVIF"));
        assert_eq!(avif(), LeftOutReason::OtherFormat("avif".into()));
        let mut all = LeftOut::default();
        for name in ["c.avif", "a.avif", "b.avif"] {
            let mut one = LeftOut::default();
            one.add(avif(), name);
            all.merge_below(Path::new("cat"), one);
        }
        all.add(LeftOutReason::Leftover, ".DS_Store");
        assert_eq!(all.count(&avif()), 3);
        assert_eq!(
            all.to_string(),
            "3 files .avif (a format that is not read): such as cat/a.avif; 1 hidden or system file: .DS_Store"
        );
        assert!(all.is_worth_a_warning());
    }

    #[test]
    fn an_example_with_punctuation_stays_one_line() {
        let mut all = LeftOut::default();
        all.add(LeftOutReason::BadLine, "a.txt line 2: it is empty; remove it");
        all.add(LeftOutReason::Leftover, ".DS_Store");
        let lines: Vec<String> = all.lines().collect();
        let expected = [
            "1 bad line of a list: a.txt line 2: it is empty; remove it",
            "1 hidden or system file: .DS_Store",
        ];
        assert_eq!(lines, expected);
        assert_eq!(all.to_string(), expected.join("; "));
    }

    #[test]
    fn thousands_of_extensions_take_no_thousands_of_reasons() {
        let mut all = LeftOut::default();
        for number in 0..5000 {
            all.add(LeftOutReason::of_extension(Some(&number.to_string())), "x");
        }
        assert!(all.iter().len() <= MAX_EXTENSIONS + 1);
        assert_eq!(all.iter().map(|(_, count)| count.count).sum::<u64>(), 5000);
    }

    #[test]
    fn every_reason_comes_back_from_its_code() {
        for code in 0..=10 {
            let extension = if matches!(code, 2 | 8 | 10) { "txt" } else { "" };
            let reason = LeftOutReason::from_code(code, extension).unwrap();
            assert_eq!(reason.code(), (code, extension));
        }
        assert_eq!(LeftOutReason::from_code(11, ""), None);
        assert_eq!(LeftOutReason::from_code(9, "txt"), None);
    }
}
