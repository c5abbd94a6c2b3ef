//! The lists of a data set's folder: `train.txt` and the like, there or in `meta/`.
//!
//! This file must not open an image.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::leftovers::is_leftover;
use crate::list::{looks_like_a_list, names_files};
use crate::split_names::TEST_NAMES;

/// Extensions of text files that are taken for lists without reading them.
pub(crate) const LIST_EXTENSIONS: [&str; 4] = ["txt", "csv", "tsv", "lst"];

/// Folders of a data set in which its lists are usually.
const LIST_FOLDERS: [&str; 4] = ["", "meta", "splits", "lists"];

/// Entries of a folder that are looked through for lists: a folder of a million images is not listed once more.
const MAX_ENTRIES: usize = 4_000;

/// Text files that may be lists; more are labels of single images.
const MAX_FILES: usize = 64;

/// Bytes of a file that are read to recognise a list.
const LOOKED_AT: u64 = 64 << 10;

/// The lists of a data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FoundLists {
    pub(crate) train: PathBuf,
    pub(crate) test: Option<PathBuf>,
}

impl FoundLists {
    /// Lists of which the training list names images that are there.
    pub(crate) fn at(root: &Path) -> Option<Self> {
        find_lists(root).filter(|lists| start_names_images(&lists.train))
    }
}

/// The training list and the first list of test images in the same folder, by their names in any capitals.
pub(crate) fn find_lists(root: &Path) -> Option<FoundLists> {
    LIST_FOLDERS.iter().map(|folder| root.join(folder)).find_map(|folder| {
        let files = text_files(&folder);
        let find = |name: &str| {
            let is_it = |file: &&PathBuf| file.file_stem().is_some_and(|stem| stem.eq_ignore_ascii_case(name));
            files.iter().find(is_it).cloned()
        };
        let train = ["train", "training"].iter().find_map(|name| find(name))?;
        let test = TEST_NAMES.iter().find_map(|name| find(name));
        Some(FoundLists { train, test })
    })
}

/// A text file in a folder of images without labels that names them: it may hold the labels.
pub(crate) fn list_beside(root: &Path) -> Option<PathBuf> {
    text_files(root).into_iter().find(|file| start_names_images(file))
}

/// The text files in a folder that may be lists, those of the surest extension first; none of a folder with very many entries.
fn text_files(folder: &Path) -> Vec<PathBuf> {
    let rank = |file: &Path| {
        let extension = file.extension()?;
        LIST_EXTENSIONS
            .iter()
            .position(|known| extension.eq_ignore_ascii_case(known))
    };
    let mut files = Vec::new();
    for (entry, number) in std::fs::read_dir(folder).into_iter().flatten().flatten().zip(1..) {
        if number > MAX_ENTRIES {
            return direct_lists(folder);
        }
        let file = PathBuf::from(entry.file_name());
        if !is_leftover(file.as_os_str()) && rank(&file).is_some() && folder.join(&file).is_file() {
            files.push(folder.join(file));
        }
    }
    files.sort_by_key(|file| (rank(file), file.clone()));
    files.truncate(MAX_FILES);
    files
}

/// The lists by their usual names in small letters, without listing the folder.
fn direct_lists(folder: &Path) -> Vec<PathBuf> {
    let names = ["train", "training"].into_iter().chain(TEST_NAMES);
    let files = names.flat_map(|name| LIST_EXTENSIONS.map(|extension| folder.join(format!("{name}.{extension}"))));
    files.filter(|file| file.is_file()).collect()
}

/// Whether the first lines of a file name images, by their extensions or because their files are there.
pub(crate) fn start_names_images(file: &Path) -> bool {
    let mut start = Vec::new();
    let read = File::open(file).and_then(|file| file.take(LOOKED_AT).read_to_end(&mut start));
    read.is_ok() && (looks_like_a_list(&start) || names_files(file, &start))
}
