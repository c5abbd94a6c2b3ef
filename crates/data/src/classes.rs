//! A common numbering of classes for several sets.
//!
//! This file must not know what a set is made of.

use std::collections::HashMap;
use std::path::Path;

use crate::DataError;

/// The index in `classes` of each class in `own`, the classes of a set at `path`.
pub(crate) fn places(own: &[String], classes: &[String], path: &Path) -> Result<Vec<usize>, DataError> {
    let known: HashMap<&str, usize> = classes.iter().map(String::as_str).zip(0..).collect();
    own.iter()
        .map(|class| {
            known
                .get(class.as_str())
                .copied()
                .ok_or_else(|| DataError::UnknownClass {
                    path: path.into(),
                    class: class.clone(),
                    known: shortened(classes),
                })
        })
        .collect()
}

/// The first names of a list, for a message.
fn shortened(classes: &[String]) -> String {
    let shown: Vec<&str> = classes.iter().take(10).map(String::as_str).collect();
    match (shown.len(), classes.len()) {
        (_, 0) => "none".into(),
        (shown_len, all) if shown_len < all => format!("{}, ..", shown.join(", ")),
        _ => shown.join(", "),
    }
}
