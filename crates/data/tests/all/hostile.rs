//! Tests of the text parsers on hostile input: every truncation and many changes of a valid text give a result or a
//! one-line error.

use barlow_data::{parse_annotation, parse_list};

const ANNOTATION: &str = "<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY x \"y\">]><annotation><filename>a&amp;b.jpg</filename>\
    <size><width>9</width><height>8</height></size><object><name>c<![CDATA[&]]>&#65;</name><difficult>1</difficult>\
    <bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4.5</ymax></bndbox></object></annotation>";

const LIST: &str = "\u{FEFF}# list\r\na b.jpg\tcat\nx,y.png,two words\nn01440764_1.JPEG\n/abs/\u{e4}.jpeg 3\n";

/// Bytes with a special meaning in one of the formats.
const BYTES: &[u8] = b"\0\t\n\r <>&;,./#\"'!-[]9z\xC3\xFF";

/// The text truncated at every byte, and with each of [`BYTES`] in place of, or inserted before, every byte.
fn changed(text: &str) -> impl Iterator<Item = Vec<u8>> {
    let bytes = text.as_bytes();
    let cuts = (0..=bytes.len()).map(|end| bytes[..end].to_vec());
    let changes = (0..bytes.len()).flat_map(move |at| {
        BYTES.iter().flat_map(move |&byte| {
            let mut replaced = bytes.to_vec();
            replaced[at] = byte;
            let mut inserted = bytes.to_vec();
            inserted.insert(at, byte);
            [replaced, inserted]
        })
    });
    cuts.chain(changes)
}

#[test]
fn annotations_are_read_or_refused_in_one_line() {
    let (mut read, mut refused) = (0, 0);
    for bytes in changed(ANNOTATION) {
        match parse_annotation(&bytes) {
            Ok(annotation) => {
                read += 1;
                let objects = annotation.objects.iter();
                assert!(objects.clone().all(|object| !object.name.is_empty()));
                assert!(objects.flat_map(|object| object.corners).all(f32::is_finite));
            }
            Err(error) => {
                refused += 1;
                assert!(!error.is_empty() && !error.contains(char::is_control), "{error:?}");
            }
        }
    }
    assert!(read > 1000 && refused > 1000, "{read} read, {refused} refused");
}

#[test]
fn lists_are_read_or_refused_by_the_number_of_a_line() {
    let (mut read, mut refused) = (0, 0);
    for bytes in changed(LIST) {
        let count = bytes.split(|&byte| byte == b'\n').count();
        match parse_list(&bytes) {
            Ok(lines) => {
                read += 1;
                assert!(
                    lines
                        .iter()
                        .all(|line| (1..=count).contains(&line.number) && !line.path.is_empty())
                );
            }
            Err(bad) => {
                refused += 1;
                assert!((1..=count).contains(&bad.number), "{bad:?}");
            }
        }
    }
    assert!(read > 100 && refused > 100, "{read} read, {refused} refused");
}
