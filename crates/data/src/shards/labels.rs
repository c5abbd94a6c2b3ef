//! Labels as shards give them, numbers or names, and the classes that they make.
//!
//! While shards are read a label is the number of its text, so that a million images hold each text once. Classes are
//! numbered when all of a split is known.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use super::ShardError;
use crate::DataError;

/// In place of a label's number: none.
pub(crate) const NO_LABEL: u32 = u32::MAX;

/// Longest label in bytes.
pub(crate) const MAX_LABEL_BYTES: usize = 256;

/// Most different labels of a set.
const MAX_LABELS: usize = 1 << 20;

/// Largest file of class names that is read, in bytes.
const MAX_NAMES_BYTES: u64 = 64 << 20;

/// Distinct texts of labels, numbered by their first occurrence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LabelTexts {
    texts: Vec<String>,
    numbers: HashMap<String, u32>,
}

impl LabelTexts {
    /// The number of a text; `None` for one that is no label (empty, several lines, too long) or one too many.
    pub(crate) fn number(&mut self, text: &str) -> Option<u32> {
        let text = text.trim();
        if let Some(&known) = self.numbers.get(text) {
            return Some(known);
        }
        if text.is_empty()
            || text.len() > MAX_LABEL_BYTES
            || text.contains(char::is_control)
            || self.texts.len() >= MAX_LABELS
        {
            return None;
        }
        let number = self.texts.len() as u32;
        self.texts.push(text.to_owned());
        self.numbers.insert(text.to_owned(), number);
        Some(number)
    }

    pub(crate) fn texts(&self) -> &[String] {
        &self.texts
    }
}

/// The classes of one split and the class of each of its label texts.
#[derive(Debug)]
pub(crate) struct SetLabels {
    pub(crate) classes: Vec<String>,
    pub(crate) class_of_text: Vec<u32>,
}

/// The classes that label texts make. `names` are the names of numbered classes with the file that gives them: then all of
/// them are classes, whether or not an image has them. Otherwise the classes are the distinct labels, sorted as numbers if
/// all are numbers and byte by byte if not. With names, a label may be a name too.
pub(crate) fn classes_of(texts: &[String], names: Option<(&[String], &Path)>) -> Result<SetLabels, ShardError> {
    let number = |text: &String| text.parse::<u64>().ok();
    if let Some((names, path)) = names {
        let classes = distinct(names);
        let by_name: HashMap<&str, u32> = names.iter().map(String::as_str).zip(0..).collect();
        let class = |text: &String| {
            let by_number = number(text).and_then(|label| u32::try_from(label).ok());
            by_number
                .filter(|&label| (label as usize) < names.len())
                .or_else(|| by_name.get(text.as_str()).copied())
                .ok_or_else(|| ShardError::UnnamedClass {
                    label: text.clone(),
                    path: path.into(),
                    names: names.len(),
                })
        };
        let class_of_text = texts.iter().map(class).collect::<Result<_, _>>()?;
        return Ok(SetLabels { classes, class_of_text });
    }
    let mut sorted: Vec<&String> = texts.iter().collect();
    if texts.iter().all(|text| number(text).is_some()) {
        sorted.sort_by_key(|text| number(text));
        // `3` and `03` are one class.
        sorted.dedup_by_key(|text| number(text));
        let class: BTreeMap<Option<u64>, u32> = sorted.iter().map(|text| number(text)).zip(0..).collect();
        return Ok(SetLabels {
            class_of_text: texts.iter().map(|text| class[&number(text)]).collect(),
            classes: sorted
                .iter()
                .filter_map(|text| number(text))
                .map(|label| label.to_string())
                .collect(),
        });
    }
    sorted.sort();
    let class: HashMap<&str, u32> = sorted.iter().map(|text| text.as_str()).zip(0..).collect();
    Ok(SetLabels {
        class_of_text: texts.iter().map(|text| class[text.as_str()]).collect(),
        classes: sorted.into_iter().cloned().collect(),
    })
}

/// Names of classes, with the number added to one that repeats: ImageNet has two cranes.
fn distinct(names: &[String]) -> Vec<String> {
    let mut count: HashMap<&str, usize> = HashMap::new();
    for name in names {
        *count.entry(name).or_default() += 1;
    }
    let shown = |(number, name): (usize, &String)| match count[name.as_str()] {
        1 => name.clone(),
        _ => format!("{name} ({number})"),
    };
    names.iter().enumerate().map(shown).collect()
}

/// The names in `classnames.txt` or `classes.txt` in one of the folders, one a line, with the file.
pub(crate) fn class_names_beside(folders: &[&Path]) -> Result<Option<(Vec<String>, PathBuf)>, DataError> {
    let files = folders
        .iter()
        .flat_map(|folder| ["classnames.txt", "classes.txt"].map(|name| folder.join(name)));
    for file in files.filter(|file| file.is_file()) {
        let read_error = |source| DataError::Read {
            path: file.clone(),
            source,
        };
        let size = fs::metadata(&file).map_err(read_error)?.len();
        if size > MAX_NAMES_BYTES {
            let reason = format!("{size} bytes are over the limit of {MAX_NAMES_BYTES}");
            return Err(read_error(std::io::Error::other(reason)));
        }
        let text = fs::read_to_string(&file).map_err(read_error)?;
        let text = text.strip_prefix('\u{FEFF}').unwrap_or(&text).trim_end();
        if !text.is_empty() {
            let names = text.lines().map(|line| line.trim().to_owned()).collect();
            return Ok(Some((names, file)));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(texts: &[&str], names: Option<&[&str]>) -> Result<(String, Vec<u32>), String> {
        let texts: Vec<String> = texts.iter().map(|&text| text.into()).collect();
        let names: Option<Vec<String>> = names.map(|names| names.iter().map(|&name| name.into()).collect());
        let names = names.as_deref().map(|names| (names, Path::new("classes.txt")));
        classes_of(&texts, names)
            .map(|labels| (labels.classes.join(","), labels.class_of_text))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn numbers_sort_as_numbers_and_names_byte_by_byte() {
        assert_eq!(of(&["10", "9", "09"], None), Ok(("9,10".into(), vec![1, 0, 0])));
        assert_eq!(of(&["b", "10", "a"], None), Ok(("10,a,b".into(), vec![2, 0, 1])));
        assert_eq!(of(&[], None), Ok((String::new(), vec![])));
    }

    #[test]
    fn names_given_by_a_file_are_the_classes() {
        let names = ["crane", "dog", "crane"];
        assert_eq!(
            of(&["2", "dog", "0"], Some(&names)),
            Ok(("crane (0),dog,crane (2)".into(), vec![2, 1, 0]))
        );
        assert!(of(&["3"], Some(&names)).unwrap_err().contains("label 3 has no name"));
    }

    #[test]
    fn texts_that_are_no_labels_get_no_number() {
        let mut texts = LabelTexts::default();
        assert_eq!(
            [" a\n", "b", "a"].map(|text| texts.number(text)),
            [Some(0), Some(1), Some(0)]
        );
        assert_eq!(
            ["", " \n", "a\nb", &"x".repeat(257)].map(|text| texts.number(text)),
            [None; 4]
        );
    }
}
