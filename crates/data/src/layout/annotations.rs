//! Labels of images in a file next to them, as Tiny-ImageNet's `val_annotations.txt`: name, class and a box on each line.
//!
//! This file must not open an image.

use std::path::Path;

use crate::DataError;
use crate::path_names::nfc;
use crate::sets::read_whole;

/// Largest file that is read, in bytes: some million lines.
const MAX_BYTES: u64 = 64 << 20;

/// Names of image files with their classes.
pub(crate) fn read_annotations(file: &Path) -> Result<Vec<(String, String)>, DataError> {
    Ok(parse_annotations(&read_whole(file, MAX_BYTES)?))
}

/// The first two of the columns of each line, which tabs separate; other lines are passed over.
pub(crate) fn parse_annotations(bytes: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(bytes);
    let pair = |line: &str| {
        let mut columns = line.split('\t').map(str::trim);
        let (name, class) = (columns.next()?, columns.next()?);
        let is_name = !name.is_empty() && !name.contains(['/', '\\']) && !class.is_empty();
        is_name.then(|| (nfc(name).into_owned(), nfc(class).into_owned()))
    };
    text.lines().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_classes_are_the_first_two_columns() {
        let text = b"val_0.JPEG\tn03444034\t0\t32\t44\t62\r\nval_1.JPEG\tn04067472\n\nnonsense\n../x.jpg\tn0\n\tn1\n";
        let of = |name: &str, class: &str| (name.to_owned(), class.to_owned());
        assert_eq!(
            parse_annotations(text),
            [of("val_0.JPEG", "n03444034"), of("val_1.JPEG", "n04067472")]
        );
        assert!(parse_annotations(b"\xFF\xFE\0").is_empty());
    }
}
