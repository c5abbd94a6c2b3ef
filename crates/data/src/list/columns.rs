//! [`ListColumns`], which columns of a table are the image, its class and its group.
//!
//! This file must not read a table.

use std::fmt;
use std::str::FromStr;

/// Names that columns of image files usually have, in lower case, the surest first.
const IMAGE_NAMES: [&str; 16] = [
    "image",
    "image_path",
    "imagepath",
    "filepath",
    "file_path",
    "path",
    "filename",
    "file_name",
    "file",
    "image_name",
    "image_file",
    "img",
    "images",
    "image_id",
    "id",
    "name",
];
const CLASS_NAMES: [&str; 12] = [
    "label",
    "class",
    "class_name",
    "classname",
    "category",
    "target",
    "labels",
    "label_name",
    "breed",
    "species",
    "diagnosis",
    "y",
];
const GROUP_NAMES: [&str; 6] = ["group", "group_id", "patient", "patient_id", "subject", "subject_id"];

/// The columns of a table by their names in its first row, or by their numbers from 1. Written `image,label` or
/// `image,label,group`; the label may be empty: `image,,group`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListColumns {
    /// The column of paths.
    pub image: String,
    /// The column of classes.
    pub label: Option<String>,
    /// The column of groups: images of one are held out together.
    pub group: Option<String>,
}

impl FromStr for ListColumns {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split(',').map(str::trim).collect();
        let given = |at: usize| {
            parts
                .get(at)
                .filter(|part| !part.is_empty())
                .map(|part| (*part).to_owned())
        };
        if parts.len() > 3 {
            return Err("it names at most three columns: image,label,group");
        }
        Ok(Self {
            image: given(0).ok_or("it must name the column of the images first: image,label")?,
            label: given(1),
            group: given(2),
        })
    }
}

impl fmt::Display for ListColumns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let label = self.label.as_deref().unwrap_or_default();
        match &self.group {
            Some(group) => write!(f, "{},{label},{group}", self.image),
            None if label.is_empty() => f.write_str(&self.image),
            None => write!(f, "{},{label}", self.image),
        }
    }
}

/// Places of the columns in a row, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Places {
    pub(super) image: usize,
    pub(super) label: Option<usize>,
    pub(super) group: Option<usize>,
}

impl ListColumns {
    /// Their places, by the names in the first row; by numbers where no column has such a name.
    pub(super) fn places(&self, header: &[&str]) -> Result<Places, String> {
        let place = |name: &String| {
            let named = header.iter().position(|column| column.eq_ignore_ascii_case(name));
            let number = || {
                name.parse::<usize>()
                    .ok()?
                    .checked_sub(1)
                    .filter(|place| *place < header.len())
            };
            named
                .or_else(number)
                .ok_or_else(|| format!("has no column {name}; it has {}", header.join(", ")))
        };
        Ok(Places {
            image: place(&self.image)?,
            label: self.label.as_ref().map(place).transpose()?,
            group: self.group.as_ref().map(place).transpose()?,
        })
    }

    /// Whether a column is named in the first row, so that this is no image.
    pub(super) fn is_header(&self, first: &[&str]) -> bool {
        let all = [Some(&self.image), self.label.as_ref(), self.group.as_ref()];
        all.into_iter()
            .flatten()
            .any(|name| first.iter().any(|column| column.eq_ignore_ascii_case(name)))
    }
}

/// The columns whose names are usual ones; `None` if none is of images.
pub(super) fn usual(header: &[&str]) -> Option<Places> {
    let find = |names: &[&str]| {
        let place = |name: &&str| {
            header
                .iter()
                .position(|column| column.trim().eq_ignore_ascii_case(name))
        };
        names.iter().find_map(place)
    };
    let image = find(&IMAGE_NAMES)?;
    let other = (header.len() == 2).then_some(1 - image.min(1));
    Some(Places {
        image,
        label: find(&CLASS_NAMES).or(other).filter(|label| *label != image),
        group: find(&GROUP_NAMES),
    })
}
