//! Samples: members of one key, which is the path up to the first dot of the file's name.
//!
//! This file must not read a tar.

use super::label::LabelKind;
use crate::extensions::has_image_extension;
use std::path::Path;

/// What a member is, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Image,
    Label(LabelKind),
    /// Of another kind.
    Other,
    /// Hidden, or of the system that wrote the tar.
    Ignored,
}

/// A member's name, taken apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts<'a> {
    /// Without a leading `./`.
    pub(super) name: &'a [u8],
    /// The sample it belongs to.
    pub(super) key: &'a [u8],
    /// The name without its last extension: longer than the key in `KEY.left.jpg`.
    pub(super) stem: &'a [u8],
    /// The last extension.
    pub(super) extension: &'a [u8],
    pub(super) role: Role,
}

impl<'a> Parts<'a> {
    pub(super) fn of(mut name: &'a [u8]) -> Self {
        while let Some(rest) = name.strip_prefix(b"./") {
            name = rest;
        }
        let base = name.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
        let dot = |place: Option<usize>| place.map_or(name.len(), |dot| base + dot);
        let first = dot(name[base..].iter().position(|&byte| byte == b'.'));
        let last = dot(name[base..].iter().rposition(|&byte| byte == b'.'));
        let extension = name.get(last + 1..).unwrap_or_default();
        let is_hidden = name
            .split(|&byte| byte == b'/')
            .any(|part| part.starts_with(b".") || part == b"__MACOSX");
        let is_meta = name[base..].starts_with(b"__") && name.ends_with(b"__");
        let text = std::str::from_utf8(extension).unwrap_or_default().to_ascii_lowercase();
        let role = match LabelKind::of(&text) {
            _ if is_hidden || is_meta => Role::Ignored,
            Some(kind) => Role::Label(kind),
            // The extension alone: the rest of a name need not be Unicode.
            None if !text.is_empty() && has_image_extension(Path::new(&format!("x.{text}"))) => Role::Image,
            None => Role::Other,
        };
        Self {
            name,
            key: &name[..first],
            stem: &name[..last],
            extension,
            role,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart_at_the_first_and_the_last_dot() {
        let of = |name: &'static str| {
            let parts = Parts::of(name.as_bytes());
            let text = |bytes| std::str::from_utf8(bytes).unwrap();
            (text(parts.key), text(parts.stem), text(parts.extension), parts.role)
        };
        assert_eq!(of("./a.b/c.jpg"), ("a.b/c", "a.b/c", "jpg", Role::Image));
        assert_eq!(of("c.left.JPEG"), ("c", "c.left", "JPEG", Role::Image));
        assert_eq!(of("c.cls"), ("c", "c", "cls", Role::Label(LabelKind::Cls)));
        assert_eq!(of("d/c"), ("d/c", "d/c", "", Role::Other));
        for hidden in ["a/._c.jpg", "__MACOSX/c.jpg", ".x/c.jpg", "__meta__"] {
            assert_eq!(of(hidden).3, Role::Ignored, "{hidden}");
        }
    }
}
