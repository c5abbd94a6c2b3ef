//! Which columns of a Parquet file are the images and the labels.

use super::features::ClassLabels;
use super::source::{Fault, bad};

/// Names of a column of images, the first that exists is taken.
const IMAGE_NAMES: [&str; 10] = [
    "image",
    "img",
    "jpg",
    "jpeg",
    "png",
    "webp",
    "picture",
    "photo",
    "images",
    "image_bytes",
];

/// Names of a column of labels. The fine labels are before the coarse ones, as in CIFAR-100.
const LABEL_NAMES: [&str; 11] = [
    "label",
    "labels",
    "fine_label",
    "cls",
    "class",
    "class_name",
    "class_label",
    "category",
    "target",
    "label_name",
    "coarse_label",
];

/// One node of the schema, which is a tree written depth first.
#[derive(Default, Debug, Clone)]
pub(super) struct SchemaElement {
    pub(super) name: String,
    /// Its physical type, if it is a leaf.
    pub(super) physical: Option<i64>,
    /// 0 required, 1 optional, 2 repeated.
    pub(super) repetition: i64,
    pub(super) children: i64,
}

/// Most other columns that are named.
const MAX_OTHERS: usize = 100;

/// A physical type that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Physical {
    Bool,
    Int32,
    Int64,
    Bytes,
}

/// A leaf of the schema: a column that holds values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leaf {
    /// Names from the top, with dots.
    pub(super) path: String,
    /// `None` for a type that is not read.
    pub(super) physical: Option<Physical>,
    /// How many of its ancestors and itself may be absent.
    pub(super) max_definition: u32,
    pub(super) is_repeated: bool,
}

impl Leaf {
    /// Its path in a message of one line.
    pub(super) fn shown(&self) -> String {
        self.path
            .chars()
            .filter(|letter| !letter.is_control())
            .take(100)
            .collect()
    }
}

/// The columns that are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) images: Leaf,
    pub(super) labels: Option<Leaf>,
    /// Columns that are neither, without the paths of the images.
    pub(super) others: Vec<String>,
}

/// The leaves of a schema in their order, which is that of a row group's columns.
pub(super) fn leaves(schema: &[SchemaElement]) -> Result<Vec<Leaf>, Fault> {
    let Some((root, elements)) = schema.split_first() else {
        return bad("it has no schema");
    };
    // Open groups: how many children are missing, the path, optional ancestors, whether one is repeated.
    let mut open = vec![(root.children, String::new(), 0_u32, false)];
    let mut leaves = Vec::new();
    for element in elements {
        while open.last().is_some_and(|(missing, ..)| *missing <= 0) {
            open.pop();
        }
        let depth = open.len();
        let Some((missing, path, definition, is_repeated)) = open.last_mut() else {
            return bad("its schema is damaged");
        };
        if depth > 64 || path.len() > 4096 {
            return bad("its schema is nested too deep");
        }
        *missing -= 1;
        let path = match path.as_str() {
            "" => element.name.clone(),
            parent => format!("{parent}.{}", element.name),
        };
        let definition = *definition + u32::from(element.repetition != 0);
        let is_repeated = *is_repeated || element.repetition == 2;
        match element.physical {
            None => open.push((element.children, path, definition, is_repeated)),
            Some(physical) => leaves.push(Leaf {
                path,
                physical: match physical {
                    0 => Some(Physical::Bool),
                    1 => Some(Physical::Int32),
                    2 => Some(Physical::Int64),
                    6 => Some(Physical::Bytes),
                    _ => None,
                },
                max_definition: definition,
                is_repeated,
            }),
        }
    }
    Ok(leaves)
}

/// The columns of images and labels, and their places among the leaves.
pub(super) fn chosen(leaves: &[Leaf], labels: &ClassLabels) -> Result<(Chosen, (usize, Option<usize>)), Fault> {
    let place = |path: &str, accepts: &dyn Fn(Physical) -> bool| {
        leaves
            .iter()
            .position(|leaf| leaf.path == path && !leaf.is_repeated && leaf.physical.is_some_and(accepts))
    };
    let is_bytes = |physical| physical == Physical::Bytes;
    // Either a column of bytes, or a group of bytes and a path.
    let image = |name: &str| place(&format!("{name}.bytes"), &is_bytes).or_else(|| place(name, &is_bytes));
    let described = labels.images.iter().map(String::as_str);
    let mut described: Vec<&str> = described.filter(|name| image(name).is_some()).collect();
    described.sort_by_key(|name| IMAGE_NAMES.iter().position(|known| known == name).unwrap_or(usize::MAX));
    let by_shape = || {
        leaves
            .iter()
            .position(|leaf| leaf.path.ends_with(".bytes") && !leaf.is_repeated && leaf.physical.is_some_and(is_bytes))
    };
    let images = described
        .first()
        .and_then(|name| image(name))
        .or_else(|| IMAGE_NAMES.iter().find_map(|name| image(name)))
        .or_else(by_shape);
    let Some(images) = images else {
        let all: Vec<String> = leaves.iter().take(5).map(Leaf::shown).collect();
        let all = all.join(", ");
        return bad(format!(
            "it has no column of image bytes among its columns ({all}); call it image"
        ));
    };
    let label = |name: &str| place(name, &|_| true).filter(|&place| place != images);
    let named = LABEL_NAMES.iter().find_map(|name| label(name));
    let place = named.or_else(|| labels.names.iter().find_map(|(name, _)| label(name)));
    let path = leaves[images]
        .path
        .strip_suffix("bytes")
        .map(|group| format!("{group}path"));
    let is_other = |number: usize| number != images && Some(number) != place;
    let others = leaves
        .iter()
        .enumerate()
        .filter(|(number, leaf)| is_other(*number) && Some(&leaf.path) != path.as_ref());
    let columns = Chosen {
        images: leaves[images].clone(),
        labels: place.map(|place| leaves[place].clone()),
        others: others.take(MAX_OTHERS).map(|(_, leaf)| leaf.shown()).collect(),
    };
    Ok((columns, (images, place)))
}
