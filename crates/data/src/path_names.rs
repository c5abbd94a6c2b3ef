//! Names of files and folders: how they are shown, compared, and become names of classes.
//!
//! All in Unicode's composed form (NFC): `é` is one character or two by the file system that a folder came from, and still
//! one name. This file must not access the disk.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ffi::OsStr;
use std::path::Path;

use unicode_normalization::{UnicodeNormalization, is_nfc};

/// A text in composed form, without a copy where it is so already.
pub(crate) fn nfc(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || is_nfc(text) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.nfc().collect())
    }
}

/// A class called like a folder. A name that is not Unicode is written with its bytes as escapes, so that two different
/// ones stay different.
pub(crate) fn class_name(name: &OsStr) -> String {
    match name.to_str() {
        Some(name) => nfc(name).into_owned(),
        None => format!("{name:?}").trim_matches('"').to_owned(),
    }
}

/// A path below a set's folder as shown to the user: `/` between the parts on every system.
pub(crate) fn shown(path: &Path) -> String {
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    let joined = parts.join("/");
    match nfc(&joined) {
        Cow::Owned(composed) => composed,
        Cow::Borrowed(_) => joined,
    }
}

/// Paths in the order of their parts, each by its composed form, so that the order is the same on every file system.
pub(crate) fn by_name(a: &Path, b: &Path) -> Ordering {
    let is_ascii = |path: &Path| path.as_os_str().as_encoded_bytes().is_ascii();
    if is_ascii(a) && is_ascii(b) {
        return a.cmp(b);
    }
    let parts = |path: &Path| -> Vec<Vec<u8>> { path.iter().map(|part| sort_key(part).into_owned()).collect() };
    parts(a).cmp(&parts(b)).then_with(|| a.cmp(b))
}

/// What names are sorted by: bytes of the composed form, so that the order is the same on every file system.
pub(crate) fn sort_key(name: &OsStr) -> Cow<'_, [u8]> {
    match name.to_str().map(nfc) {
        Some(Cow::Owned(composed)) => Cow::Owned(composed.into_bytes()),
        _ => Cow::Borrowed(name.as_encoded_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_name_are_one() {
        let (composed, apart) = ("caf\u{e9}", "cafe\u{301}");
        assert_eq!(nfc(apart), composed);
        assert_eq!(class_name(OsStr::new(apart)), class_name(OsStr::new(composed)));
        assert_eq!(sort_key(OsStr::new(apart)), sort_key(OsStr::new(composed)));
        assert!(matches!(nfc("cafe"), Cow::Borrowed(_)));
    }
}
