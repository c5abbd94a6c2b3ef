//! Names of files and folders that computers and tools leave behind. They are never images, classes or splits.
//!
//! This file must not access the disk.

/// Files and folders of file managers, NAS systems, notebooks and archives, in lower case.
const NAMES: [&str; 14] = [
    "$recycle.bin",
    "#recycle",
    "#snapshot",
    "@eadir",
    "@recycle",
    "@tmp",
    "__macosx",
    "__pycache__",
    "desktop.ini",
    "icon\r",
    "lost+found",
    "recycler",
    "system volume information",
    "thumbs.db",
];

/// Whether a name is a leftover: hidden (`.DS_Store`, `._x.jpg`, `.ipynb_checkpoints`) or a system's own.
pub(crate) fn is_leftover(name: &std::ffi::OsStr) -> bool {
    let bytes = name.as_encoded_bytes();
    match bytes.first() {
        Some(b'.') => true,
        // The other names start with one of these: most names are recognised by a single byte.
        Some(
            b'$' | b'#' | b'@' | b'_' | b'd' | b'D' | b'i' | b'I' | b'l' | b'L' | b'r' | b'R' | b's' | b'S' | b't'
            | b'T',
        ) => NAMES.iter().any(|known| bytes.eq_ignore_ascii_case(known.as_bytes())),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;

    #[test]
    fn leftovers_are_known_in_any_capitals_and_classes_are_not_taken_for_them() {
        for name in NAMES
            .iter()
            .chain(&["._x.jpg", ".ipynb_checkpoints", "Thumbs.db", "@eaDir", "__MACOSX"])
        {
            assert!(is_leftover(OsStr::new(name)), "{name}");
        }
        for name in [
            "train",
            "Thumbs",
            "desktop",
            "_",
            "lost",
            "icon",
            "thumbs.db.jpg",
            "cat",
        ] {
            assert!(!is_leftover(OsStr::new(name)), "{name}");
        }
    }
}
