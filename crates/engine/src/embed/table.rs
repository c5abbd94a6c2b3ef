//! The list of rows beside a file of features: CSV with the columns `path` and `label`.

use super::writer::FeatureRow;

/// Between the classes of an image with several.
pub(super) const BETWEEN_CLASSES: &str = ";";

/// The first line.
pub(super) const HEADER: &str = "path,label\n";

/// The line of a row; the label is empty without classes.
pub(super) fn line(row: &FeatureRow) -> String {
    format!("{},{}\n", quoted(&row.path), quoted(&row.classes.join(BETWEEN_CLASSES)))
}

/// A field as RFC 4180 has it.
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_with_commas_and_quotes_are_quoted() {
        let row = FeatureRow {
            path: "a \"b\", c/1.png".into(),
            classes: vec!["x".into(), "y".into()],
        };
        assert_eq!(line(&row), "\"a \"\"b\"\", c/1.png\",x;y\n");
        let row = FeatureRow {
            path: "1.png".into(),
            classes: Vec::new(),
        };
        assert_eq!(line(&row), "1.png,\n");
    }
}
