//! [`ParquetSet`], the images of several Parquet files with one numbering of the classes.
//!
//! Labels are read when the set is opened. Of the images, the headers of a row group's pages are read when its first image
//! is requested, and then the one page that holds an image. This file must not choose what is held out.

use std::collections::HashMap;
use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use barlow_augment::{CropBox, DecodeError, Image8, ImageRegion, WantedBox};
use rayon::prelude::*;

use super::cache::{Cached, Key, PageCache};
use super::columns::{Leaf, Physical};
use super::metadata::{Chunk, ParquetFile};
use super::page::{Page, Pages, dictionary, page, pages};
use super::source::{Fault, OnDisk, Source, bad};
use super::values::Values;
use crate::read::{MAX_FILE_BYTES, decode_bytes, file_stamp};
use crate::shards::{
    LabelTexts, LeftOutOfShards, LeftOuts, NO_LABEL, Opened, ShardedSet, class_names_beside, classes_of,
};
use crate::{BadImages, DataError, ImageSource, ShardError};

/// The images of some Parquet files, in the order of the files and of their rows.
#[derive(Clone)]
pub struct ParquetSet {
    channels: usize,
    files: Arc<Vec<Shard>>,
    /// Row of the first image of each file, and the number of all rows.
    starts: Vec<usize>,
    /// The rows that are used, unless all are.
    kept: Option<Vec<u32>>,
    /// Class of each row; empty without labels.
    labels: Vec<u32>,
    classes: Vec<String>,
    place: PathBuf,
    cache: Arc<PageCache>,
}

struct Shard {
    path: PathBuf,
    name: String,
    stamp: [u64; 2],
    file: ParquetFile,
    /// The pages of each row group, found when they are first needed.
    pages: Vec<OnceLock<Pages>>,
}

/// Labels of one file, as numbers of its texts.
struct FileLabels {
    texts: LabelTexts,
    rows: Vec<u32>,
}

impl ParquetFile {
    /// Reads the footer of a file in memory.
    ///
    /// # Errors
    /// One line: what is wrong with it, or that it has no column of images.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        Self::open(bytes).map_err(reason)
    }

    /// The labels of all rows of a file in memory as text: numbers in decimal. Empty without a column of labels.
    ///
    /// # Errors
    /// One line: what is wrong with the column.
    pub fn labels(&self, bytes: &[u8]) -> Result<Vec<Option<String>>, String> {
        let labels = read_labels(bytes, self).map_err(reason)?;
        let text = |number: &u32| labels.texts.texts().get(*number as usize).cloned();
        Ok(labels.rows.iter().map(text).collect())
    }

    /// The bytes of the image in a row of a file in memory; `None` where there are none.
    ///
    /// # Errors
    /// One line: what is wrong with the page.
    ///
    /// # Panics
    /// If `row >= len`.
    pub fn image_bytes(&self, bytes: &[u8], row: usize) -> Result<Option<Vec<u8>>, String> {
        assert!(row < self.len(), "row {row} of {}", self.len());
        let group = group_of(self, row);
        let read = || -> Result<Option<Vec<u8>>, Fault> {
            let chunk = &self.groups[group].images;
            let found = pages(bytes, chunk, self.groups[group].rows)?;
            let leaf = &self.columns.images;
            let row = row - self.groups[group].first;
            let number = found.data.partition_point(|page| page.first as usize <= row) - 1;
            let values = found
                .dictionary
                .as_ref()
                .map(|page| dictionary(bytes, chunk, leaf, page))
                .transpose()?;
            let data = page(bytes, chunk, leaf, &found.data[number], values.map(Arc::new).as_ref())?;
            Ok(data.bytes(row - found.data[number].first as usize).map(<[u8]>::to_vec))
        };
        read().map_err(reason)
    }
}

fn reason(fault: Fault) -> String {
    match fault {
        Fault::Io(error) => error.to_string(),
        Fault::Bad(reason) => reason,
    }
}

/// The row group of a row: the last that starts at or before it.
fn group_of(file: &ParquetFile, row: usize) -> usize {
    file.groups.partition_point(|group| group.first <= row) - 1
}

impl ParquetSet {
    /// Opens some Parquet files as one set, each image with `channels` channels (1, 3 or 4).
    ///
    /// The images are a column of bytes or of `{bytes, path}`: the first that Hugging Face's metadata calls an image, or
    /// else one of the usual names (`image`, `img`, ...). The labels are a column of whole numbers or texts: `label`,
    /// `labels`, `fine_label` and other usual names before `coarse_label`; or else a class label of the metadata. Names of
    /// numbered classes are those of the metadata, or of `classnames.txt` or `classes.txt` next to the files. A negative
    /// number is no label.
    ///
    /// A file that cannot be read and a row without a label among others with one are an error or, with
    /// [`BadImages::Skip`], returned as [`LeftOutOfShards`].
    ///
    /// # Errors
    /// [`ShardError`] in a [`DataError`], the first in the order of the files; [`DataError::Read`].
    pub fn open(
        files: &[PathBuf],
        channels: usize,
        bad_images: BadImages,
    ) -> Result<(Self, Vec<LeftOutOfShards>), DataError> {
        let beside = files.first().and_then(|first| first.parent()).unwrap_or(Path::new(""));
        let opened = Self::opened(files.to_vec(), beside, channels, bad_images)?;
        Ok((opened.set, opened.left_out.into_vec()))
    }

    pub(crate) fn opened(
        paths: Vec<PathBuf>,
        root: &Path,
        channels: usize,
        bad_images: BadImages,
    ) -> Result<Opened<Self>, DataError> {
        let place = match &paths[..] {
            [only] => only.clone(),
            [first, ..] => first.parent().unwrap_or(first).to_owned(),
            [] => PathBuf::new(),
        };
        let beside = paths
            .first()
            .and_then(|first| first.parent())
            .unwrap_or(root)
            .to_owned();
        // All are read before the first error is returned, so that it is always the same one.
        let read: Vec<Result<(Shard, FileLabels), DataError>> = paths.into_par_iter().map(open_file).collect();
        let mut left_out = LeftOuts::default();
        let (mut files, mut labels): (Vec<Shard>, Vec<FileLabels>) = (Vec::new(), Vec::new());
        for file in read {
            match file {
                Ok((file, own)) => {
                    files.push(file);
                    labels.push(own);
                }
                Err(DataError::Shard(ShardError::Fault { path, fault })) if bad_images == BadImages::Skip => {
                    left_out.add("shards that cannot be read", 1, || {
                        format!("{} ({fault})", path.display())
                    });
                }
                Err(error) => return Err(error),
            }
        }
        // The files of a set have the same columns.
        if let Some(file) = files.first()
            && let Some(first) = file.file.columns.others.first()
        {
            left_out.add("columns that are not used", file.file.columns.others.len(), || {
                first.clone()
            });
        }
        let (classes, labels) = numbered(&files, labels, &[&beside, root])?;
        let mut starts = vec![0];
        starts.extend(files.iter().scan(0, |total, file| {
            *total += file.file.len();
            Some(*total)
        }));
        let mut set = Self {
            channels,
            files: Arc::new(files),
            starts,
            kept: None,
            labels,
            classes,
            place,
            cache: Arc::default(),
        };
        set.drop_unlabelled(bad_images, &mut left_out)?;
        if set.is_empty() {
            let found = left_out.first_in_brackets();
            return Err(ShardError::NoImages { path: set.place, found }.into());
        }
        Ok(Opened {
            set,
            left_out,
            note: None,
        })
    }

    /// Of a set with labels, rows without one are an error, or counted and dropped.
    fn drop_unlabelled(&mut self, bad_images: BadImages, left_out: &mut LeftOuts) -> Result<(), DataError> {
        let Some(first) = self.labels.iter().position(|&label| label == NO_LABEL) else {
            return Ok(());
        };
        if bad_images == BadImages::Error {
            let (file, row) = self.find_row(first);
            return Err(ShardError::Fault {
                path: self.files[file].path.clone(),
                fault: format!("row {row} has no label, and other rows have one"),
            }
            .into());
        }
        let kept = (0_u32..).zip(&self.labels).filter(|(_, label)| **label != NO_LABEL);
        let kept: Vec<u32> = kept.map(|(row, _)| row).collect();
        let dropped = self.labels.len() - kept.len();
        left_out.add("rows without a label among others with one", dropped, || {
            self.row_name(first)
        });
        self.kept = Some(kept);
        Ok(())
    }

    /// The same images with labels that are indices into `classes`, such as those of the training split.
    ///
    /// # Errors
    /// [`DataError::UnknownClass`] when a class of this split is not among them.
    pub fn with_classes(mut self, classes: &[String]) -> Result<Self, DataError> {
        let places = crate::classes::places(&self.classes, classes, &self.place)?;
        for label in self.labels.iter_mut().filter(|label| **label != NO_LABEL) {
            *label = places[*label as usize] as u32;
        }
        self.classes = classes.to_vec();
        Ok(self)
    }

    /// The row of an image among those of all files.
    fn row(&self, index: usize) -> usize {
        let len = self.len();
        assert!(index < len, "image {index} of a set of {len}");
        self.kept.as_ref().map_or(index, |kept| kept[index] as usize)
    }

    /// The file of a row, and the row in it.
    fn find_row(&self, row: usize) -> (usize, usize) {
        // The last file that starts at or before it: empty files start where the next one does.
        let file = self.starts.partition_point(|&start| start <= row) - 1;
        (file, row - self.starts[file])
    }

    fn row_name(&self, row: usize) -> String {
        let (file, row) = self.find_row(row);
        format!("{}#{row}", self.files[file].name)
    }

    /// The page that holds a row of a file, and the row in it.
    fn page(&self, file: usize, row: usize) -> Result<(Arc<Page>, usize), Fault> {
        let shard = &self.files[file];
        let group = group_of(&shard.file, row);
        let row = row - shard.file.groups[group].first;
        let (chunk, leaf) = (&shard.file.groups[group].images, &shard.file.columns.images);
        let mut source = None;
        let found = match shard.pages[group].get() {
            Some(pages) => pages,
            None => {
                let pages = pages(shard.source(&mut source)?, chunk, shard.file.groups[group].rows)?;
                shard.pages[group].get_or_init(|| pages)
            }
        };
        let number = found.data.partition_point(|page| page.first as usize <= row) - 1;
        let within = row - found.data[number].first as usize;
        let key = |page| Key { file, group, page };
        if let Some(Cached::Page(page)) = self.cache.get(key(Some(number))) {
            return Ok((page, within));
        }
        let values = match (&found.dictionary, self.cache.get(key(None))) {
            (None, _) => None,
            (Some(_), Some(Cached::Dictionary(values))) => Some(values),
            (Some(page), _) => {
                let values = Arc::new(dictionary(shard.source(&mut source)?, chunk, leaf, page)?);
                self.cache.put(key(None), Cached::Dictionary(Arc::clone(&values)));
                Some(values)
            }
        };
        let read = page(
            shard.source(&mut source)?,
            chunk,
            leaf,
            &found.data[number],
            values.as_ref(),
        )?;
        let read = Arc::new(read);
        self.cache.put(key(Some(number)), Cached::Page(Arc::clone(&read)));
        Ok((read, within))
    }
}

impl Shard {
    /// The file, opened when it is first needed: sets have more files than a process may hold open.
    fn source<'a>(&self, source: &'a mut Option<OnDisk>) -> Result<&'a OnDisk, Fault> {
        if source.is_none() {
            let file = File::open(&self.path)?;
            let len = file.metadata()?.len();
            if len != self.stamp[0] {
                let reason = "the shard has changed since the program started; start it again";
                return Err(Fault::Io(std::io::Error::other(reason)));
            }
            *source = Some(OnDisk { file, len });
        }
        Ok(source.as_ref().expect("it was opened above"))
    }
}

impl fmt::Debug for ParquetSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParquetSet")
            .field("place", &self.place)
            .field("files", &self.files.len())
            .field("len", &self.len())
            .field("classes", &self.classes.len())
            .finish_non_exhaustive()
    }
}

impl ImageSource for ParquetSet {
    fn len(&self) -> usize {
        self.kept.as_ref().map_or(self.starts[self.files.len()], Vec::len)
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn channels(&self) -> usize {
        self.channels
    }

    fn label(&self, index: usize) -> Option<usize> {
        let label = self.labels.get(self.row(index)).copied();
        label.filter(|&label| label != NO_LABEL).map(|label| label as usize)
    }

    /// The file and the row in it, such as `train-00000-of-00002.parquet#17`.
    fn name(&self, index: usize) -> String {
        self.row_name(self.row(index))
    }

    /// Size and time of the file: the size of an image is not known before it is read.
    fn stamp(&self, index: usize) -> [u64; 2] {
        self.files[self.find_row(self.row(index)).0].stamp
    }

    fn image(&self, index: usize) -> Result<Arc<Image8>, DataError> {
        self.region(index, &CropBox::whole).map(ImageRegion::into_pixels)
    }

    fn region(&self, index: usize, wanted: WantedBox<'_>) -> Result<ImageRegion, DataError> {
        let (file, row) = self.find_row(self.row(index));
        let shard = &self.files[file];
        let bad_image = |reason: String| DataError::BadImage {
            path: PathBuf::from(format!("{}#{row}", shard.path.display())),
            reason: DecodeError::Damaged(reason),
        };
        let (page, within) = self.page(file, row).map_err(|fault| match fault {
            Fault::Io(source) => DataError::Read {
                path: shard.path.clone(),
                source,
            },
            Fault::Bad(reason) => bad_image(reason),
        })?;
        match page.bytes(within) {
            None => Err(bad_image("the row holds no image bytes, at most a path".into())),
            Some(bytes) if bytes.len() as u64 > MAX_FILE_BYTES => Err(bad_image(format!(
                "{} bytes are over the limit of {MAX_FILE_BYTES}",
                bytes.len()
            ))),
            Some(bytes) => {
                let name = PathBuf::from(format!("{}#{row}", shard.path.display()));
                decode_bytes(&name, bytes, self.channels, wanted)
            }
        }
    }
}

impl ShardedSet for ParquetSet {
    fn numbered_as(self, classes: &[String]) -> Result<Self, DataError> {
        self.with_classes(classes)
    }
}

fn open_file(path: PathBuf) -> Result<(Shard, FileLabels), DataError> {
    let read_error = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::NotFound => ShardError::MissingShard { path: path.clone() }.into(),
        _ => DataError::Read {
            path: path.clone(),
            source,
        },
    };
    let metadata = fs::metadata(&path).map_err(read_error)?;
    if !metadata.is_file() {
        // Reading a pipe or a device may never end.
        return Err(read_error(std::io::Error::other("it is not a file")));
    }
    let stamp = file_stamp(&path);
    let source = OnDisk {
        file: File::open(&path).map_err(read_error)?,
        len: metadata.len(),
    };
    let read = || -> Result<(ParquetFile, FileLabels), Fault> {
        let file = ParquetFile::open(&source)?;
        let labels = read_labels(&source, &file)?;
        Ok((file, labels))
    };
    let (file, labels) = read().map_err(|fault| match fault {
        Fault::Io(error) => read_error(error),
        Fault::Bad(fault) => ShardError::Fault {
            path: path.clone(),
            fault,
        }
        .into(),
    })?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let shard = Shard {
        name,
        stamp,
        pages: file.groups.iter().map(|_| OnceLock::new()).collect(),
        file,
        path,
    };
    Ok((shard, labels))
}

/// Reads the labels of all rows; none without a column of labels.
fn read_labels(source: &(impl Source + ?Sized), file: &ParquetFile) -> Result<FileLabels, Fault> {
    let mut labels = FileLabels {
        texts: LabelTexts::default(),
        rows: Vec::new(),
    };
    let Some(leaf) = &file.columns.labels else {
        return Ok(labels);
    };
    // No capacity in advance: a damaged column must not cost what the footer claims.
    for group in &file.groups {
        if let Some(chunk) = &group.labels {
            group_labels(source, chunk, leaf, group.rows, &mut labels)?;
        }
    }
    Ok(labels)
}

fn group_labels(
    source: &(impl Source + ?Sized),
    chunk: &Chunk,
    leaf: &Leaf,
    rows: usize,
    labels: &mut FileLabels,
) -> Result<(), Fault> {
    if leaf.physical.is_none() {
        return bad(format!(
            "column {} of labels is neither of whole numbers nor of text",
            leaf.shown()
        ));
    }
    let found = pages(source, chunk, rows)?;
    let values = found
        .dictionary
        .as_ref()
        .map(|page| dictionary(source, chunk, leaf, page))
        .transpose()?;
    let values = values.map(Arc::new);
    for reference in &found.data {
        let page = page(source, chunk, leaf, reference, values.as_ref())?;
        let numbers = text_numbers(&page.values, leaf, &mut labels.texts)?;
        let number = |value: &u32| numbers.get(*value as usize).copied().unwrap_or(NO_LABEL);
        labels.rows.extend(page.rows.iter().map(number));
    }
    Ok(())
}

/// The number of each value's text.
fn text_numbers(values: &Values, leaf: &Leaf, texts: &mut LabelTexts) -> Result<Vec<u32>, Fault> {
    let many = || {
        Fault::Bad(format!(
            "column {} has too many different values or too long ones for labels",
            leaf.shown()
        ))
    };
    match values {
        Values::Ints(ints) => {
            let mut known: HashMap<i64, u32> = HashMap::new();
            let number = |&value: &i64| -> Result<u32, Fault> {
                if value < 0 {
                    return Ok(NO_LABEL);
                }
                if let Some(&number) = known.get(&value) {
                    return Ok(number);
                }
                let text = match (leaf.physical, value) {
                    (Some(Physical::Bool), 0) => "false".to_owned(),
                    (Some(Physical::Bool), _) => "true".to_owned(),
                    _ => value.to_string(),
                };
                let number = texts.number(&text).ok_or_else(many)?;
                known.insert(value, number);
                Ok(number)
            };
            ints.iter().map(number).collect()
        }
        Values::Bytes { buffer, ranges } => {
            let number = |&(start, end): &(u32, u32)| -> Result<u32, Fault> {
                let text = std::str::from_utf8(&buffer[start as usize..end as usize]);
                let text = text.or_else(|_| {
                    bad(format!(
                        "column {} of labels holds bytes that are not text",
                        leaf.shown()
                    ))
                })?;
                if text.trim().is_empty() {
                    return Ok(NO_LABEL);
                }
                texts.number(text).ok_or_else(many)
            };
            ranges.iter().map(number).collect()
        }
    }
}

/// The classes of a set and the class of each row; both empty without labels.
fn numbered(files: &[Shard], labels: Vec<FileLabels>, folders: &[&Path]) -> Result<(Vec<String>, Vec<u32>), DataError> {
    if labels.iter().all(|labels| labels.texts.texts().is_empty()) {
        return Ok((Vec::new(), Vec::new()));
    }
    let own = |file: &Shard| file.file.names.clone();
    let common = files.first().and_then(own);
    let agree = files.iter().all(|file| file.file.names == common);
    let mut texts = LabelTexts::default();
    let mut maps: Vec<Vec<u32>> = Vec::new();
    for (file, labels) in files.iter().zip(&labels) {
        let number = |text: &String| -> Result<u32, DataError> {
            // Files that name their classes differently have the names in common, not the numbers.
            let names = file.file.names.as_ref().filter(|_| !agree);
            let name = names.and_then(|names| names.get(text.parse::<usize>().ok()?));
            Ok(texts.number(name.unwrap_or(text)).unwrap_or(NO_LABEL))
        };
        maps.push(labels.texts.texts().iter().map(number).collect::<Result<_, _>>()?);
    }
    let path = files.first().map(|file| file.path.clone()).unwrap_or_default();
    let names = match common.filter(|_| agree) {
        Some(names) => Some((names, path)),
        None if texts.texts().iter().all(|text| text.parse::<u64>().is_ok()) => class_names_beside(folders)?,
        None => None,
    };
    let names = names.as_ref().map(|(names, path)| (names.as_slice(), path.as_path()));
    let classes = classes_of(texts.texts(), names)?;
    let mut all = Vec::new();
    for ((file, labels), map) in files.iter().zip(&labels).zip(&maps) {
        let class = |row: usize| {
            let text = labels.rows.get(row).and_then(|&label| map.get(label as usize));
            let class = text.and_then(|&text| classes.class_of_text.get(text as usize));
            class.copied().unwrap_or(NO_LABEL)
        };
        all.extend((0..file.file.len()).map(class));
    }
    Ok((classes.classes, all))
}
