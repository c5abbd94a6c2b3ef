//! Parser of tables: CSV, TSV or semicolons, with quotes, a first row of names, and columns in any order.
//!
//! This file must not access files.

use std::path::Path;

use super::columns::{ListColumns, Places, usual};
use super::grammar::BadLine;
use crate::extensions::has_image_extension;

/// A row of a table that names an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableRow {
    /// The line that it begins on, counted from 1.
    pub number: usize,
    /// The path as written.
    pub path: String,
    /// The class as written.
    pub class: Option<String>,
    /// The group as written.
    pub group: Option<String>,
}

/// A parsed table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    /// The rows that name an image.
    pub rows: Vec<TableRow>,
    /// The rows that do not.
    pub bad: Vec<BadLine>,
    /// The names of the columns, if none was recognised as that of the classes; else empty.
    pub unused: Vec<String>,
}

/// What separates the columns: the most frequent one in the first line that is neither blank nor a comment. `None` if there
/// is only one column.
pub(super) fn delimiter(bytes: &[u8]) -> Option<u8> {
    let first = first_line(bytes)?;
    let count = |delimiter: u8| first.iter().filter(|byte| **byte == delimiter).count();
    let best = [b'\t', b';', b',']
        .into_iter()
        .max_by_key(|&delimiter| count(delimiter))?;
    (count(best) > 0).then_some(best)
}

/// Whether the first line is a row of names, or quotes are used: a list that only this parser reads.
pub(super) fn looks_like_a_table(bytes: &[u8]) -> bool {
    let (Some(first), Some(delimiter)) = (first_line(bytes), delimiter(bytes)) else {
        return false;
    };
    let Ok(text) = std::str::from_utf8(first) else {
        return false;
    };
    let cells: Vec<&str> = text
        .split(char::from(delimiter))
        .map(|cell| cell.trim().trim_matches('"'))
        .collect();
    let has_image = cells.iter().any(|cell| has_image_extension(Path::new(cell)));
    text.trim_start().starts_with('"') || (!has_image && usual(&cells).is_some())
}

/// Parses a table whose columns are given, or have usual names (`image`, `filename`, `label`, `class`); without a row of names
/// the column of the images is known by the extensions, and the classes are in the only other one.
///
/// # Errors
/// The columns are not there or cannot be told apart: what to do, for a message that begins with the file.
pub fn parse_table(bytes: &[u8], columns: Option<&ListColumns>) -> Result<Table, String> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .comment(Some(b'#'))
        .delimiter(delimiter(bytes).unwrap_or(b','))
        .from_reader(bytes);
    let (mut table, mut places) = (Table::default(), None);
    let mut record = csv::ByteRecord::new();
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => return Err(format!("is no table ({})", one_line(&error.to_string()))),
        }
        let number = record
            .position()
            .map_or(0, |position| usize::try_from(position.line()).unwrap_or(usize::MAX));
        let number = number.max(1);
        let cells: Option<Vec<&str>> = record.iter().map(|cell| std::str::from_utf8(cell).ok()).collect();
        let Some(cells) = cells else {
            table.bad.push(BadLine {
                number,
                reason: "is not UTF-8",
            });
            continue;
        };
        let is_first = places.is_none();
        let places = match places {
            Some(places) => places,
            None => {
                let (found, is_header) = columns_of(&cells, columns)?;
                places = Some(found);
                if is_header {
                    if found.label.is_none() {
                        table.unused = cells.iter().map(|cell| shortened(cell)).collect();
                    }
                    continue;
                }
                found
            }
        };
        debug_assert!(
            !is_first || cells.len() > places.image,
            "the first row has the columns found in it"
        );
        let cell = |place: usize| {
            let cell = cells.get(place).map(|cell| cell.trim());
            cell.filter(|cell| !cell.is_empty()).map(str::to_owned)
        };
        let path = cell(places.image).filter(|path| !path.chars().any(char::is_control));
        match path {
            Some(path) => table.rows.push(TableRow {
                number,
                path,
                class: places.label.and_then(cell),
                group: places.group.and_then(cell),
            }),
            None => table.bad.push(BadLine {
                number,
                reason: "has no path in the column of the images",
            }),
        }
    }
    Ok(table)
}

/// Where the columns are, and whether the first row holds their names.
fn columns_of(first: &[&str], columns: Option<&ListColumns>) -> Result<(Places, bool), String> {
    let is_image = |cell: &&str| has_image_extension(Path::new(cell));
    if let Some(columns) = columns {
        let places = columns.places(first)?;
        let is_header = columns.is_header(first) || (!first.iter().any(is_image) && usual(first).is_some());
        return Ok((places, is_header));
    }
    let shown = || first.iter().map(|cell| shortened(cell)).collect::<Vec<_>>().join(", ");
    let images: Vec<usize> = (0..first.len()).filter(|&place| is_image(&first[place])).collect();
    match (&images[..], first.len()) {
        (&[image], 1) => Ok((at(image, None), false)),
        (&[image], 2) => Ok((at(image, Some(1 - image)), false)),
        ([], _) => match usual(first) {
            Some(places) => Ok((places, true)),
            None => Err(format!(
                "has no column of images that is known by its name ({}); set data.columns, such as \"image,label\"",
                shown()
            )),
        },
        _ => Err(format!(
            "has {} columns without names ({}); set data.columns to the numbers of the image's and the class's, such as \"1,2\"",
            first.len(),
            shown()
        )),
    }
}

fn at(image: usize, label: Option<usize>) -> Places {
    Places {
        image,
        label,
        group: None,
    }
}

fn first_line(bytes: &[u8]) -> Option<&[u8]> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let mut lines = bytes.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    lines.find(|line| !line.is_empty() && !line.starts_with(b"#"))
}

fn shortened(cell: &str) -> String {
    one_line(&cell.chars().take(40).collect::<String>())
}

fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(200)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, columns: Option<&str>) -> Vec<(usize, String, Option<String>)> {
        let columns = columns.map(|columns| columns.parse().unwrap());
        let table = parse_table(text.as_bytes(), columns.as_ref()).unwrap();
        assert!(table.bad.is_empty(), "{table:?}");
        table
            .rows
            .into_iter()
            .map(|row| (row.number, row.path, row.class))
            .collect()
    }

    fn rows(of: &[(usize, &str, Option<&str>)]) -> Vec<(usize, String, Option<String>)> {
        let owned =
            |&(number, path, class): &(usize, &str, Option<&str>)| (number, path.to_owned(), class.map(str::to_owned));
        of.iter().map(owned).collect()
    }

    #[test]
    fn columns_are_found_by_their_names_and_in_any_order() {
        let expected = rows(&[(2, "a b.jpg", Some("tabby, cat")), (3, "c.png", Some("dog"))]);
        assert_eq!(read("image,label\na b.jpg,\"tabby, cat\"\nc.png,dog\n", None), expected);
        assert_eq!(
            read("Label;x;FileName\ntabby, cat;1;a b.jpg\ndog;2;c.png", None),
            expected
        );
        assert_eq!(
            read(
                "\u{FEFF}n\timg\tkind\n1\ta b.jpg\ttabby, cat\n2\tc.png\tdog",
                Some("img,kind")
            ),
            expected
        );
        assert_eq!(
            read("id,breed\n000bec,boston_bull\n", None),
            rows(&[(2, "000bec", Some("boston_bull"))])
        );
        // Without names: the image by its extension, or by the number of its column.
        assert_eq!(
            read("cat,a.jpg\ndog,b.jpg\n", None),
            rows(&[(1, "a.jpg", Some("cat")), (2, "b.jpg", Some("dog"))])
        );
        assert_eq!(read("9,a.jpg,7,cat\n", Some("2,4")), rows(&[(1, "a.jpg", Some("cat"))]));
    }

    #[test]
    fn groups_quotes_over_lines_and_rows_without_a_path() {
        let columns: ListColumns = "file,,who".parse().unwrap();
        let text = "who,file\nann,\"a\"\"b.jpg\"\n,c.jpg\nbob,\n";
        let table = parse_table(text.as_bytes(), Some(&columns)).unwrap();
        assert_eq!(table.rows[0].path, "a\"b.jpg");
        let groups: Vec<_> = table.rows.iter().map(|row| row.group.as_deref()).collect();
        assert_eq!(groups, [Some("ann"), None]);
        assert_eq!((table.bad.len(), table.bad[0].number), (1, 4));
    }

    #[test]
    fn what_cannot_be_told_apart_says_what_to_set() {
        for (text, columns, part) in [
            ("a.jpg,cat,1\n", None, "data.columns"),
            ("who,what\nann,7\n", None, "who, what"),
            (
                "image,label\na.jpg,cat\n",
                Some("image,kind"),
                "no column kind; it has image, label",
            ),
        ] {
            let columns: Option<ListColumns> = columns.map(|columns: &str| columns.parse().unwrap());
            let error = parse_table(text.as_bytes(), columns.as_ref()).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
        assert!("a,b,c,d".parse::<ListColumns>().is_err() && ",b".parse::<ListColumns>().is_err());
    }

    #[test]
    fn a_table_is_told_from_a_list() {
        assert!(looks_like_a_table(b"filename,label\na.jpg,cat\n"));
        assert!(looks_like_a_table(b"\"a.jpg\",\"cat\"\n"));
        assert!(!looks_like_a_table(b"a.jpg,cat\nb.jpg,dog\n"));
        assert!(!looks_like_a_table(b"a.jpg cat\n"));
        assert!(!looks_like_a_table(b""));
    }
}
