//! [`FileList`], a set of images that are listed in a text file or a table.
//!
//! This file must not choose what is held out.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use barlow_augment::{Image8, ImageRegion, WantedBox};
use rayon::prelude::*;

use super::grammar::{NAMES_NO_IMAGE, readings, text_lines};
use super::labels::labels;
use super::locate::{Locator, Place};
use super::table::{delimiter, looks_like_a_table, parse_table};
use super::{BadLine, ListColumns, ListError, ListLine};
use crate::extensions::has_image_extension;
use crate::index::Names;
use crate::path_names::shown;
use crate::read::{file_stamp, read_image, read_region};
use crate::{BadImages, DataError, ImageSource, LeftOut, LeftOutReason};

/// Largest list that is read, in bytes: some ten million lines.
const MAX_LIST_BYTES: u64 = 1 << 30;

/// Lines that are tried, one after the other, to learn where the files of a list are.
const LINES_TRIED: usize = 100;

/// How a list is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListOptions {
    /// The folder that its paths begin at, if it is not found by itself.
    pub root: Option<PathBuf>,
    /// Number of channels that images are returned with.
    pub channels: usize,
    /// The columns of a table, if they do not have usual names.
    pub columns: Option<ListColumns>,
    /// What to do about a line that names no image, or one that is not there.
    pub bad_images: BadImages,
}

impl Default for ListOptions {
    /// 3 channels; a bad line is an error.
    fn default() -> Self {
        Self {
            root: None,
            channels: 3,
            columns: None,
            bad_images: BadImages::Error,
        }
    }
}

/// The images of a list.
#[derive(Debug, Clone)]
pub struct FileList {
    root: PathBuf,
    channels: usize,
    /// Below the root, or absolute.
    paths: Names,
    classes: Vec<String>,
    /// Class of each image; empty without labels.
    labels: Vec<usize>,
    /// Group of each image; empty without groups.
    groups: Vec<u64>,
    left_out: LeftOut,
    notes: Vec<String>,
}

/// A line of a list, before its file is found.
struct Line<'a> {
    number: usize,
    /// Of a text; a table's row has its columns already.
    text: &'a str,
    row: Option<(String, Option<String>)>,
    group: Option<String>,
}

/// A line whose file was found.
struct Found<'a> {
    number: usize,
    place: PathBuf,
    path: Cow<'a, str>,
    class: Option<Cow<'a, str>>,
    is_before: bool,
    group: Option<&'a str>,
}

impl FileList {
    /// As [`FileList::open_with`], with paths that begin at `root`.
    ///
    /// # Errors
    /// As [`FileList::open_with`].
    pub fn open(list: impl AsRef<Path>, root: Option<&Path>, channels: usize) -> Result<Self, DataError> {
        let options = ListOptions {
            root: root.map(Path::to_owned),
            channels,
            ..ListOptions::default()
        };
        Self::open_with(list, &options)
    }

    /// Opens the images that `list` names, in its order, each with as many channels as requested (1, 3 or 4). Lines are parsed by
    /// [`crate::parse_list`], tables (CSV, TSV, a first row of names, quotes) by [`crate::parse_table`]. An image listed twice
    /// counts twice.
    ///
    /// A path is searched below the root and below the list's own folder. If no root is given, also in `images/`, `train/` and
    /// a folder of the list's name, there and in the folder above. Absolute paths and `..` are followed: the user is trusted
    /// with the list. A path without an extension is tried with those of images. A name without a folder that begins with a
    /// WordNet id, such as `n01440764_10026.JPEG`, is searched in `train/n01440764` and `n01440764` first. A line that cannot
    /// be found as it stands may have a number or a class before the path.
    ///
    /// Classes are those that the lines name; or else the WordNet ids, if every file's name begins with one; or else the
    /// names of the folders of the images, if every path has one and they are not all the same. They are sorted;
    /// [`FileList::with_classes`] gives a subset the numbers of the whole set.
    ///
    /// # Errors
    /// [`ListError`] in a [`DataError`], the first in the list's order: no list, no line, unclear columns, and unless they are
    /// skipped, a line that names no image or an image that is not found, a line without a class among others with one.
    pub fn open_with(list: impl AsRef<Path>, options: &ListOptions) -> Result<Self, DataError> {
        let list = list.as_ref();
        let bytes = read_list(list)?;
        let skips = options.bad_images == BadImages::Skip;
        let mut notes = Vec::new();
        let (lines, mut bad) = lines(list, &bytes, options.columns.as_ref(), &mut notes)?;
        let locator = Locator::new(list, options.root.as_deref());
        let hint = lines
            .iter()
            .take(LINES_TRIED)
            .find_map(|line| Some(find(line, &locator, None)?.1));
        let found: Vec<_> = lines.par_iter().map(|line| find(line, &locator, hint)).collect();
        let mut all = Vec::with_capacity(lines.len());
        for (line, found) in lines.iter().zip(found) {
            match found {
                Some((found, _)) => all.push(found),
                None => bad.push(not_found(list, line, &locator)),
            }
        }
        // A number before each path that counts the lines is no class.
        let number = |found: &Found<'_>| found.class.as_ref().filter(|_| found.is_before)?.parse::<u64>().ok();
        let numbers: Option<Vec<u64>> = all.iter().map(number).collect();
        if numbers.is_some_and(|numbers| numbers.windows(2).all(|two| two[0] < two[1])) {
            all.iter_mut().for_each(|found| found.class = None);
        }
        if let Some(with) = all.iter().find(|found| found.class.is_some()).map(|found| found.number) {
            let without = |found: &&Found<'_>| found.class.is_none();
            bad.extend(all.iter().filter(without).map(|found| ListError::NoClass {
                path: list.into(),
                line: found.number,
                other: with,
            }));
            all.retain(|found| found.class.is_some());
        }
        bad.sort_by_key(ListError::line);
        let mut left_out = LeftOut::default();
        match bad.first() {
            Some(first) if skips && !all.is_empty() => {
                let first = first.to_string();
                bad.iter()
                    .for_each(|_| left_out.add(LeftOutReason::BadLine, first.clone()));
            }
            Some(_) => return Err(bad.swap_remove(0).into()),
            None if all.is_empty() => return Err(ListError::Empty { path: list.into() }.into()),
            None => {}
        }
        Self::of_found(locator.root, options.channels, &all).map(|set| Self { left_out, notes, ..set })
    }

    fn of_found(root: PathBuf, channels: usize, all: &[Found<'_>]) -> Result<Self, DataError> {
        let lines: Vec<ListLine<'_>> = all
            .iter()
            .map(|found| ListLine {
                number: found.number,
                path: &found.path,
                class: found.class.as_deref(),
            })
            .collect();
        let (classes, labels) = labels(&lines);
        let mut numbers: HashMap<&str, u64> = HashMap::new();
        let mut groups = Vec::new();
        if all.iter().any(|found| found.group.is_some()) {
            groups.reserve(all.len());
            for (index, found) in all.iter().enumerate() {
                let next = numbers.len() as u64;
                groups.push(match found.group {
                    Some(group) => *numbers.entry(group).or_insert(next),
                    // On its own, above every named group.
                    None => (1 << 32) + index as u64,
                });
            }
        }
        let mut paths = Names::default();
        for found in all {
            if !paths.push(found.place.as_os_str()) {
                let path = found.place.clone();
                return Err(DataError::NameNotUnicode { path });
            }
        }
        Ok(Self {
            root,
            channels,
            paths,
            classes,
            labels,
            groups,
            left_out: LeftOut::default(),
            notes: Vec::new(),
        })
    }

    /// The images of a folder whose labels are in a file of names and classes; those without one are left out.
    pub(crate) fn of_labels(
        folder: &crate::ImageFolder,
        labels: &[(String, String)],
        channels: usize,
    ) -> Result<Self, DataError> {
        let of_name: HashMap<&str, &str> = labels
            .iter()
            .map(|(name, class)| (name.as_str(), class.as_str()))
            .collect();
        let (mut all, mut left_out) = (Vec::new(), folder.left_out().clone());
        for index in 0..folder.len() {
            let path = folder.path(index);
            let place = path.strip_prefix(folder.root()).unwrap_or(&path).to_owned();
            let name = place
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default();
            let Some(class) = of_name.get(&*crate::path_names::nfc(&name)) else {
                left_out.add(LeftOutReason::LooseImage, shown(&place));
                continue;
            };
            all.push(Found {
                number: index,
                path: Cow::Owned(shown(&place)),
                place,
                class: Some(Cow::Borrowed(class)),
                is_before: false,
                group: None,
            });
        }
        Self::of_found(folder.root().into(), channels, &all).map(|set| Self { left_out, ..set })
    }

    /// The same images without labels.
    #[must_use]
    pub fn without_labels(self) -> Self {
        Self {
            classes: Vec::new(),
            labels: Vec::new(),
            ..self
        }
    }

    /// The lines that were skipped.
    #[must_use]
    pub fn left_out(&self) -> &LeftOut {
        &self.left_out
    }

    /// What was taken where something else was possible, a line each.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The same images with labels that are indices into `classes`, such as those of the whole set that this is a part of.
    ///
    /// # Errors
    /// [`DataError::UnknownClass`] when a class of this list is not among them.
    pub fn with_classes(mut self, classes: &[String]) -> Result<Self, DataError> {
        let places = crate::classes::places(&self.classes, classes, &self.root)?;
        self.labels = self.labels.iter().map(|&label| places[label]).collect();
        self.classes = classes.to_vec();
        Ok(self)
    }

    /// File of image `index`.
    ///
    /// # Panics
    /// If `index >= len`.
    #[must_use]
    pub fn path(&self, index: usize) -> PathBuf {
        self.root.join(self.paths.get(index))
    }
}

impl ImageSource for FileList {
    fn len(&self) -> usize {
        self.paths.len()
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn channels(&self) -> usize {
        self.channels
    }

    fn label(&self, index: usize) -> Option<usize> {
        assert!(
            index < self.paths.len(),
            "image {index} of a set of {}",
            self.paths.len()
        );
        self.labels.get(index).copied()
    }

    fn group(&self, index: usize) -> Option<u64> {
        self.groups.get(index).copied()
    }

    fn name(&self, index: usize) -> String {
        let path = Path::new(self.paths.get(index));
        if path.is_absolute() {
            path.display().to_string()
        } else {
            shown(path)
        }
    }

    fn stamp(&self, index: usize) -> [u64; 2] {
        file_stamp(&self.path(index))
    }

    fn image(&self, index: usize) -> Result<Arc<Image8>, DataError> {
        read_image(&self.path(index), self.channels)
    }

    fn region(&self, index: usize, wanted: WantedBox<'_>) -> Result<ImageRegion, DataError> {
        read_region(&self.path(index), self.channels, wanted)
    }
}

/// The lines of a list or of a table, and those that are bad.
fn lines<'a>(
    list: &Path,
    bytes: &'a [u8],
    columns: Option<&ListColumns>,
    notes: &mut Vec<String>,
) -> Result<(Vec<Line<'a>>, Vec<ListError>), DataError> {
    let bad_line = |bad: BadLine| ListError::BadLine {
        path: list.into(),
        line: bad.number,
        reason: bad.reason,
    };
    let is_named_table = list
        .extension()
        .is_some_and(|extension| ["csv", "tsv"].iter().any(|known| extension.eq_ignore_ascii_case(known)));
    let is_table = columns.is_some() || (is_named_table && delimiter(bytes).is_some()) || looks_like_a_table(bytes);
    let (mut lines, mut bad) = (Vec::new(), Vec::new());
    if !is_table {
        for line in text_lines(bytes) {
            match line {
                Ok((number, text)) => lines.push(Line {
                    number,
                    text,
                    row: None,
                    group: None,
                }),
                Err(line) => bad.push(bad_line(line)),
            }
        }
        return Ok((lines, bad));
    }
    let table = parse_table(bytes, columns).map_err(|reason| ListError::Columns {
        path: list.into(),
        reason,
    })?;
    if !table.unused.is_empty() && columns.is_none() {
        notes.push(format!(
            "{} has no column that is known to be of classes ({}); data.columns names it, such as \"image,label\"",
            list.display(),
            table.unused.join(", ")
        ));
    }
    bad.extend(table.bad.into_iter().map(bad_line));
    lines.extend(table.rows.into_iter().map(|row| Line {
        number: row.number,
        text: "",
        row: Some((row.path, row.class)),
        group: row.group,
    }));
    Ok((lines, bad))
}

/// The file of a line, by the first reading of it that names one.
fn find<'a>(line: &'a Line<'_>, locator: &Locator, hint: Option<Place>) -> Option<(Found<'a>, Place)> {
    let found = |(place, at): (PathBuf, Place), path: &'a str, class: Option<&'a str>, is_before| {
        let found = Found {
            number: line.number,
            place,
            path: Cow::Borrowed(path),
            class: class.map(Cow::Borrowed),
            is_before,
            group: line.group.as_deref(),
        };
        (found, at)
    };
    match &line.row {
        Some((path, class)) => Some(found(locator.find(path, hint)?, path, class.as_deref(), false)),
        None => readings(line.text).find_map(|reading| {
            let place = locator.find(reading.path, hint)?;
            Some(found(place, reading.path, reading.class, reading.is_before))
        }),
    }
}

fn not_found(list: &Path, line: &Line<'_>, locator: &Locator) -> ListError {
    let path = match &line.row {
        Some((path, _)) => Some(path.as_str()),
        None => readings(line.text).map(|reading| reading.path).next(),
    };
    let is_path = |path: &&str| line.row.is_some() || has_image_extension(Path::new(path)) || path.contains('/');
    match path.filter(is_path) {
        Some(path) => ListError::MissingFile {
            path: list.into(),
            line: line.number,
            name: path.into(),
            looked: locator.tried(path),
        },
        None => ListError::BadLine {
            path: list.into(),
            line: line.number,
            reason: NAMES_NO_IMAGE,
        },
    }
}

/// Whether the start of a list names files that are there: a list whose paths have no extensions, too.
pub(crate) fn names_files(list: &Path, start: &[u8]) -> bool {
    let whole = start
        .iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(start, |end| &start[..end]);
    let locator = Locator::new(list, None);
    let Ok((lines, _)) = lines(list, whole, None, &mut Vec::new()) else {
        return false;
    };
    let is_there = |line: &Line<'_>| find(line, &locator, None).is_some();
    lines.iter().take(8).any(is_there)
}

fn read_list(list: &Path) -> Result<Vec<u8>, DataError> {
    let read_error = |source| DataError::Read {
        path: list.into(),
        source,
    };
    let metadata = match fs::metadata(list) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(ListError::Missing { path: list.into() }.into());
        }
        Err(error) => return Err(read_error(error)),
    };
    if metadata.len() > MAX_LIST_BYTES {
        let reason = format!("{} bytes are over the limit of {MAX_LIST_BYTES}", metadata.len());
        return Err(read_error(std::io::Error::other(reason)));
    }
    fs::read(list).map_err(read_error)
}
