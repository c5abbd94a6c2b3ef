//! Parser of file lists: the lines to paths and classes, by one grammar.
//!
//! A line is, in this order of rules:
//! 1. ignored, if it is blank or begins with `#`;
//! 2. `PATH<TAB>CLASS`, if it contains a tab: both may contain blanks and commas, and the class may be missing;
//! 3. `PATH`, if it ends in an image extension: `holiday in Rome 1.jpg` is one path;
//! 4. `PATH CLASS` or `PATH,CLASS`, the path ending at the last image extension that a comma or blank follows:
//!    `my cat.jpg tabby cat` and `my cat.jpg,tabby cat` are the path `my cat.jpg` and the class `tabby cat`.
//!
//! Blanks around path and class are ignored; lines end in LF or CRLF; a byte order mark is skipped. Lines of other forms have
//! several readings, of which the files decide. This file must not access files.

use std::path::Path;

use crate::extensions::{IMAGE_EXTENSIONS, has_image_extension};

/// One line that names an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListLine<'a> {
    /// Its number in the file, counted from 1.
    pub number: usize,
    /// The path as written.
    pub path: &'a str,
    /// The class as written.
    pub class: Option<&'a str>,
}

/// A line that names no image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadLine {
    /// Its number in the file, counted from 1.
    pub number: usize,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// Parses the lines of a list.
///
/// # Errors
/// The first line that is not UTF-8 or not in the grammar above.
pub fn parse_list(bytes: &[u8]) -> Result<Vec<ListLine<'_>>, BadLine> {
    let mut lines = Vec::new();
    for line in text_lines(bytes) {
        let (number, line) = line?;
        let (path, class) = parts(line).ok_or(BadLine {
            number,
            reason: NAMES_NO_IMAGE,
        })?;
        lines.push(ListLine { number, path, class });
    }
    Ok(lines)
}

/// Why a line is bad that is text and no path of an image.
pub(super) const NAMES_NO_IMAGE: &str = "names no image (jpg, png, webp, …)";

/// The lines that are neither blank nor comments, with their numbers.
pub(super) fn text_lines(bytes: &[u8]) -> impl Iterator<Item = Result<(usize, &str), BadLine>> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let lines = bytes.split(|&byte| byte == b'\n').zip(1..);
    lines.filter_map(|(line, number)| {
        let bad = |reason| Some(Err(BadLine { number, reason }));
        let Ok(line) = std::str::from_utf8(line) else {
            return bad("is not UTF-8");
        };
        let line = line.trim_end_matches('\r');
        if line.contains(|c: char| c.is_control() && c != '\t') {
            return bad("holds a control character, so this is no list of paths");
        }
        let is_text = !line.trim().is_empty() && !line.trim_start().starts_with('#');
        is_text.then_some(Ok((number, line)))
    })
}

/// A way to read a line. A list as published may have its columns in another order, or paths without extensions: only the
/// files can tell which is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LineReading<'a> {
    pub(super) path: &'a str,
    pub(super) class: Option<&'a str>,
    /// Whether the class stands before the path: then it may be the number of the line instead.
    pub(super) is_before: bool,
}

/// All ways to read a line, that of the grammar first.
pub(super) fn readings(line: &str) -> impl Iterator<Item = LineReading<'_>> {
    fn reading<'a>(path: &'a str, class: Option<&'a str>, is_before: bool) -> LineReading<'a> {
        LineReading { path, class, is_before }
    }
    let line = line.trim();
    let separators = [',', ' ', '\t'];
    let usual = parts(line).map(|(path, class)| reading(path, class, false));
    // `1 images/001.Black_footed_Albatross/x.jpg`, as CUB's: a number or a class first.
    let before = line.split_once(separators).and_then(|(first, rest)| {
        let rest = rest.trim_start_matches(separators);
        let (path, class) = parts(rest)?;
        let first = (!first.is_empty()).then_some(first);
        Some(reading(path, class.or(first), class.is_none()))
    });
    // `apple_pie/1005649`, as Food-101's: no extension.
    let bare = (!line.is_empty()).then(|| reading(line, None, false));
    let bare_with_class = line.rsplit_once(separators).and_then(|(path, class)| {
        let (path, class) = (path.trim_end_matches(separators), class.trim());
        (!path.is_empty() && !class.is_empty()).then(|| reading(path, Some(class), false))
    });
    [usual, before, bare, bare_with_class].into_iter().flatten()
}

/// Whether a text looks like a list: it has a line that names an image.
pub(crate) fn looks_like_a_list(bytes: &[u8]) -> bool {
    // The last line may be truncated, and need not parse.
    let whole = bytes
        .iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(bytes, |end| &bytes[..end]);
    parse_list(whole).is_ok_and(|lines| lines.iter().any(|line| has_image_extension(Path::new(line.path))))
}

/// Path and class of a line that is neither blank nor a comment.
fn parts(line: &str) -> Option<(&str, Option<&str>)> {
    let (path, class) = match line.split_once('\t') {
        Some((path, class)) => (path, class),
        None if has_image_extension(Path::new(line.trim())) => (line, ""),
        None => line.split_at(end_of_path(line)?),
    };
    let class = class.trim_start_matches([',', ' ', '\t']).trim();
    let path = path.trim();
    (!path.is_empty()).then_some((path, (!class.is_empty()).then_some(class)))
}

/// The end of the last image extension that a comma or a blank follows.
fn end_of_path(line: &str) -> Option<usize> {
    line.rmatch_indices([',', ' ']).map(|(end, _)| end).find(|&end| {
        let before = &line.as_bytes()[..end];
        IMAGE_EXTENSIONS.iter().any(|extension| {
            let start = before.len().saturating_sub(extension.len());
            // There must be something before the dot: `.jpg` alone is the name of a hidden file.
            start > 1 && before[start - 1] == b'.' && before[start..].eq_ignore_ascii_case(extension.as_bytes())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(usize, &str, Option<&str>)> {
        let lines = parse_list(text.as_bytes()).unwrap();
        lines.iter().map(|line| (line.number, line.path, line.class)).collect()
    }

    #[test]
    fn paths_and_classes_are_told_apart_whatever_blanks_they_hold() {
        for (line, path, class) in [
            ("a/b.jpg", "a/b.jpg", None),
            ("  a/b.JPEG  ", "a/b.JPEG", None),
            ("n01440764_10026.JPEG", "n01440764_10026.JPEG", None),
            ("holiday in Rome 1.jpg", "holiday in Rome 1.jpg", None),
            ("a.jpg 3", "a.jpg", Some("3")),
            ("a.jpg,cat", "a.jpg", Some("cat")),
            ("a.jpg, cat, big", "a.jpg", Some("cat, big")),
            ("my cat.jpg tabby cat", "my cat.jpg", Some("tabby cat")),
            ("my cat.jpg\ttabby cat", "my cat.jpg", Some("tabby cat")),
            ("no extension\tcat", "no extension", Some("cat")),
            ("a.png.jpg x", "a.png.jpg", Some("x")),
            ("a.jpg of b.png x", "a.jpg of b.png", Some("x")),
            ("a,b.jpg\t", "a,b.jpg", None),
            ("/abs/../a.png", "/abs/../a.png", None),
            ("Katze ä.png Süße", "Katze ä.png", Some("Süße")),
        ] {
            assert_eq!(read(line), [(1, path, class)], "{line}");
        }
    }

    #[test]
    fn marks_comments_blank_lines_and_every_line_end_are_passed_over() {
        assert_eq!(
            read("\u{FEFF}# a list\r\n\r\na.jpg cat\r\n   \n  # b.jpg\nc.jpg"),
            [(3, "a.jpg", Some("cat")), (6, "c.jpg", None)]
        );
        assert!(read("").is_empty() && read("\n\n#\n").is_empty());
    }

    #[test]
    fn a_line_that_names_no_image_is_told_by_its_number() {
        for (text, number) in [
            (&b"a.jpg\nwords only\n"[..], 2),
            (b".jpg cat", 1),
            (b"a.jpgcat", 1),
            (b"\tcat", 1),
            (b"a.jpg\nb\xFF.jpg", 2),
            (b"a.jpg\n\0.jpg", 2),
        ] {
            assert_eq!(parse_list(text).unwrap_err().number, number, "{text:?}");
        }
    }

    #[test]
    fn lines_as_published_have_the_reading_that_is_meant() {
        let read = |line: &'static str| {
            readings(line)
                .map(|reading| (reading.path, reading.class))
                .collect::<Vec<_>>()
        };
        for (line, path, class) in [
            ("real/train/1.jpg 3", "real/train/1.jpg", Some("3")),
            ("1 images/001.Black/x 1.jpg", "images/001.Black/x 1.jpg", Some("1")),
            ("cat,a.jpg", "a.jpg", Some("cat")),
            ("apple_pie/1005649", "apple_pie/1005649", None),
            ("apple_pie/1005649 7", "apple_pie/1005649", Some("7")),
        ] {
            assert!(read(line).contains(&(path, class)), "{line}: {:?}", read(line));
        }
        assert_eq!(read(""), []);
    }

    #[test]
    fn a_text_about_something_else_does_not_look_like_a_list() {
        assert!(looks_like_a_list(b"# images\na.jpg\nb.jpg cut her"));
        assert!(!looks_like_a_list(b"2007_000027\n2007_000032\n"));
        assert!(!looks_like_a_list(b"About this set.\nSee cover.jpg\n"));
        assert!(!looks_like_a_list(b""));
    }
}
