//! The label in the bytes of a member: `.cls`, `.json` or `.txt`.

use serde_json::Value;

/// Largest member that is read for a label, in bytes.
pub(super) const MAX_LABEL_FILE_BYTES: u64 = 1 << 20;

/// Fields of a JSON label, in the order in which they are looked for.
const FIELDS: [&str; 4] = ["label", "cls", "class", "class_name"];

/// Longest text that is a class name and not a caption, in bytes and words.
const MAX_NAME: (usize, usize) = (64, 4);

/// A kind of member that may hold a label. The first that a sample has is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LabelKind {
    Cls,
    Json,
    Txt,
}

impl LabelKind {
    /// By the extension of a member, in lower case.
    pub(super) fn of(extension: &str) -> Option<Self> {
        match extension {
            "cls" => Some(Self::Cls),
            "json" => Some(Self::Json),
            "txt" => Some(Self::Txt),
            _ => None,
        }
    }
}

/// What a member says about its image's class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Label {
    /// A number or a name.
    Text(String),
    /// Nothing: JSON without a label, -1.
    None,
    /// A text that is no class name, such as a caption.
    Caption,
    /// Not readable as what it should be.
    Bad,
}

pub(super) fn label(kind: LabelKind, bytes: &[u8]) -> Label {
    let text = std::str::from_utf8(bytes).ok();
    let text = text.map(|text| text.strip_prefix('\u{FEFF}').unwrap_or(text).trim());
    match (kind, text) {
        (LabelKind::Txt, None) => Label::Caption,
        (_, None) => Label::Bad,
        (LabelKind::Cls, Some(text)) if text.is_empty() || text.contains(char::is_control) => Label::Bad,
        (LabelKind::Cls, Some("-1")) | (LabelKind::Txt, Some("-1" | "")) => Label::None,
        (LabelKind::Cls, Some(text)) => Label::Text(text.into()),
        (LabelKind::Txt, Some(text)) => match text {
            _ if text.len() > MAX_NAME.0 || text.split_whitespace().count() > MAX_NAME.1 => Label::Caption,
            _ if text.contains(char::is_control) => Label::Caption,
            _ => Label::Text(text.into()),
        },
        (LabelKind::Json, Some(text)) => json(text),
    }
}

fn json(text: &str) -> Label {
    let value: Value = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(_) => return Label::Bad,
    };
    let field = match &value {
        Value::Object(fields) => FIELDS.iter().find_map(|name| fields.get(*name)),
        // Some writers store the number alone.
        Value::Number(_) => Some(&value),
        _ => return Label::None,
    };
    match field {
        None | Some(Value::Null) => Label::None,
        Some(Value::Number(number)) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => Label::Text(number.to_string()),
            (None, Some(-1)) => Label::None,
            _ => Label::Bad,
        },
        Some(Value::String(text)) if !text.trim().is_empty() => Label::Text(text.trim().into()),
        Some(_) => Label::Bad,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_label_is_read() {
        let text = |text: &str| Label::Text(text.into());
        let long = "a ".repeat(40);
        for (kind, bytes, expected) in [
            (LabelKind::Cls, "7\n", text("7")),
            (LabelKind::Cls, "tabby cat", text("tabby cat")),
            (LabelKind::Cls, "-1", Label::None),
            (LabelKind::Cls, "", Label::Bad),
            (LabelKind::Cls, "1\n2", Label::Bad),
            (LabelKind::Json, r#"{"a": [1], "label": 3}"#, text("3")),
            (
                LabelKind::Json,
                r#"{"class_name": " cat ", "caption": "x"}"#,
                text("cat"),
            ),
            (LabelKind::Json, r#"{"cls": 2, "class": "b"}"#, text("2")),
            (LabelKind::Json, "5", text("5")),
            (LabelKind::Json, r#"{"caption": "a cat"}"#, Label::None),
            (LabelKind::Json, r#"{"label": null}"#, Label::None),
            (LabelKind::Json, r#"{"label": -1}"#, Label::None),
            (LabelKind::Json, r#"{"label": [1, 2]}"#, Label::Bad),
            (LabelKind::Json, r#"{"label": 1.5}"#, Label::Bad),
            (LabelKind::Json, "{", Label::Bad),
            (LabelKind::Txt, "12", text("12")),
            (LabelKind::Txt, "a photo of a cat on a mat", Label::Caption),
            (LabelKind::Txt, &long, Label::Caption),
        ] {
            assert_eq!(label(kind, bytes.as_bytes()), expected, "{kind:?} {bytes}");
        }
        assert_eq!(label(LabelKind::Cls, b"\xFF"), Label::Bad);
        assert_eq!(label(LabelKind::Json, "[".repeat(100_000).as_bytes()), Label::Bad);
    }
}
