//! Class labels of the lines of a list, from the list itself or from its paths.
//!
//! This file must not access files.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use super::ListLine;
use crate::path_names::nfc;

/// Classes, sorted, and the class of each line; both empty without labels.
pub(super) type Labels = (Vec<String>, Vec<usize>);

/// Classes as written; or else, if every file's name begins with a WordNet id, that id; or else the folder of each file,
/// if every path has one and they are not all the same.
pub(super) fn labels(lines: &[ListLine<'_>]) -> Labels {
    let written: Option<Vec<&str>> = lines.iter().map(|line| line.class).collect();
    if let Some(written) = written {
        return numbered(written);
    }
    let ids: Option<Vec<&str>> = lines.iter().map(|line| wordnet_id(line.path)).collect();
    if let Some(ids) = ids {
        return numbered(ids);
    }
    let folders: Option<Vec<&str>> = lines.iter().map(|line| folder(line.path)).collect();
    match folders {
        Some(folders) if folders.iter().any(|folder| *folder != folders[0]) => numbered(folders),
        _ => (Vec::new(), Vec::new()),
    }
}

/// The id that ImageNet's training files begin with: `n01440764` of `n01440764_10026.JPEG`.
pub(super) fn wordnet_id(path: &str) -> Option<&str> {
    let name = Path::new(path).file_name()?.to_str()?;
    let (id, _) = name.split_once('_')?;
    let digits = id.strip_prefix('n')?;
    (digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(id)
}

fn folder(path: &str) -> Option<&str> {
    Path::new(path).parent()?.file_name()?.to_str()
}

fn numbered(of_lines: Vec<&str>) -> Labels {
    let of_lines: Vec<_> = of_lines.into_iter().map(nfc).collect();
    let classes: BTreeSet<&str> = of_lines.iter().map(|class| &**class).collect();
    let numbers: HashMap<&str, usize> = classes.iter().copied().zip(0..).collect();
    let labels = of_lines.iter().map(|class| numbers[&**class]).collect();
    (classes.into_iter().map(str::to_owned).collect(), labels)
}
