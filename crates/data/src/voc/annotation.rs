//! Parser of Pascal VOC annotation files: XML to the objects in it.
//!
//! Only elements at their VOC positions count (an object's parts have boxes too). Entities that a document defines are
//! rejected, not expanded. This file must not touch the disk, nor know which classes exist.

use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::Event;

/// Deepest nesting that is read: VOC itself has five.
const MAX_DEPTH: usize = 64;

/// The content of an annotation file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Annotation {
    /// Name of the image file; often wrong in custom sets.
    pub filename: String,
    /// Width and height in pixels, where both are given.
    pub size: Option<(u32, u32)>,
    /// The objects, in the file's order.
    pub objects: Vec<AnnotatedObject>,
}

/// One object of an image.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AnnotatedObject {
    /// Name of its class, never empty.
    pub name: String,
    /// Marked as hard to recognise: ignored by VOC's own scores.
    pub difficult: bool,
    /// Only partly in the image.
    pub truncated: bool,
    /// xmin, ymin, xmax, ymax in pixels as written, all finite: VOC counts from 1.
    pub corners: [f32; 4],
}

const CORNERS: [&str; 4] = ["xmin", "ymin", "xmax", "ymax"];

/// Parses an annotation.
///
/// # Errors
/// A one-line error: not XML, not UTF-8, not an annotation, an object without a name or a box.
pub fn parse_annotation(bytes: &[u8]) -> Result<Annotation, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| format!("not UTF-8 from byte {} on", error.valid_up_to()))?;
    let mut reader = Reader::from_str(text.strip_prefix('\u{FEFF}').unwrap_or(text));
    let mut walk = Walk::default();
    loop {
        let event = reader.read_event();
        match event.map_err(|error| one_line(&error.to_string()))? {
            Event::Start(start) => walk.open(start.name().as_ref())?,
            Event::End(_) => walk.close()?,
            Event::Empty(element) => {
                walk.open(element.name().as_ref())?;
                walk.close()?;
            }
            Event::Text(text) => walk.text.push_str(&text.xml10_content()),
            Event::CData(text) => walk.text.push_str(&text.xml10_content()),
            Event::GeneralRef(entity) => match entity.resolve_char_ref() {
                Ok(Some(letter)) => walk.text.push(letter),
                Ok(None) => {
                    let known = resolve_xml_entity(&entity);
                    walk.text
                        .push_str(known.ok_or_else(|| one_line(&format!("unknown entity &{};", &*entity)))?);
                }
                Err(error) => return Err(one_line(&error.to_string())),
            },
            Event::Eof => break,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
    if let Some(open) = walk.path.last() {
        return Err(one_line(&format!("it ends within <{open}>")));
    }
    if !walk.is_annotation {
        return Err("there is no <annotation> in it".into());
    }
    Ok(walk.annotation)
}

/// The reader's position, and what it has read so far.
#[derive(Default)]
struct Walk {
    annotation: Annotation,
    is_annotation: bool,
    path: Vec<String>,
    text: String,
    width: Option<u32>,
    height: Option<u32>,
    object: AnnotatedObject,
    /// Corners of the current object that were read so far.
    corners: [Option<f32>; 4],
}

impl Walk {
    fn open(&mut self, name: &str) -> Result<(), String> {
        if self.path.len() == MAX_DEPTH {
            return Err(format!("elements are nested more than {MAX_DEPTH} deep"));
        }
        self.path.push(name.to_owned());
        self.text.clear();
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        match path[..] {
            ["annotation"] => self.is_annotation = true,
            ["annotation", "object"] => {
                self.object = AnnotatedObject::default();
                self.corners = [None; 4];
            }
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), String> {
        let text = std::mem::take(&mut self.text);
        let text = text.trim();
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        match path[..] {
            ["annotation", "filename"] => self.annotation.filename = text.into(),
            ["annotation", "size", "width"] => self.width = text.parse().ok(),
            ["annotation", "size", "height"] => self.height = text.parse().ok(),
            ["annotation", "size"] => self.annotation.size = self.width.zip(self.height),
            ["annotation", "object", "name"] => self.object.name = text.into(),
            ["annotation", "object", "difficult"] => self.object.difficult = text == "1",
            ["annotation", "object", "truncated"] => self.object.truncated = text == "1",
            ["annotation", "object", "bndbox", corner] => {
                if let Some(place) = CORNERS.iter().position(|known| *known == corner) {
                    let value = text.parse().ok().filter(|value: &f32| value.is_finite());
                    let value =
                        value.ok_or_else(|| one_line(&format!("{corner} is \"{text}\" instead of a number")))?;
                    self.corners[place] = Some(value);
                }
            }
            ["annotation", "object"] => {
                let object = std::mem::take(&mut self.object);
                self.annotation.objects.push(self.finished(object)?);
            }
            _ => {}
        }
        self.path.pop();
        Ok(())
    }

    fn finished(&self, mut object: AnnotatedObject) -> Result<AnnotatedObject, String> {
        let number = self.annotation.objects.len() + 1;
        if object.name.is_empty() {
            return Err(format!("object {number} has no name"));
        }
        for ((corner, value), name) in object.corners.iter_mut().zip(self.corners).zip(CORNERS) {
            *corner = value.ok_or_else(|| one_line(&format!("object {number} ({}) has no {name}", object.name)))?;
        }
        Ok(object)
    }
}

/// A message as one line of limited length, whatever the file put into it.
fn one_line(message: &str) -> String {
    message
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(200)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(inner: &str) -> String {
        format!("<annotation><object>{inner}</object></annotation>")
    }

    const BOX: &str = "<bndbox><xmin>1</xmin><ymin>2.5</ymin><xmax>30</xmax><ymax>4e1</ymax></bndbox>";

    #[test]
    fn an_annotation_is_read_and_an_objects_parts_are_not_taken_for_it() {
        let text = format!(
            "\u{FEFF}<?xml version=\"1.0\"?><!DOCTYPE annotation>\n<annotation><filename> a&amp;b.jpg </filename>\
             <size><width>640</width><height>480</height><depth>3</depth></size><!-- note -->\
             <object><name>cat &#x26; d<![CDATA[og]]></name><pose/><truncated>1</truncated><difficult>1</difficult>{BOX}\
             <part><name>head</name><bndbox><xmin>9</xmin></bndbox></part></object>\
             <object><name>owl</name>{BOX}<difficult>0</difficult></object></annotation>\n"
        );
        let corners = [1.0, 2.5, 30.0, 40.0];
        let expected = Annotation {
            filename: "a&b.jpg".into(),
            size: Some((640, 480)),
            objects: vec![
                AnnotatedObject {
                    name: "cat & dog".into(),
                    difficult: true,
                    truncated: true,
                    corners,
                },
                AnnotatedObject {
                    name: "owl".into(),
                    difficult: false,
                    truncated: false,
                    corners,
                },
            ],
        };
        assert_eq!(parse_annotation(text.as_bytes()), Ok(expected));
        assert_eq!(parse_annotation(b"<annotation/>"), Ok(Annotation::default()));
    }

    #[test]
    fn every_damage_is_one_line() {
        let deep = "<a>".repeat(1000);
        for (text, part) in [
            ("", "no <annotation>"),
            ("plain words", "no <annotation>"),
            ("<html></html>", "no <annotation>"),
            ("<annotation><object>", "ends within <object>"),
            ("<annotation></object>", "annotation"),
            ("<annotation", "not closed"),
            ("<annotation>&bomb;</annotation>", "&bomb;"),
            (&deep, "64 deep"),
            (&object(BOX), "object 1 has no name"),
            (&object("<name>a\nb</name>"), "object 1 (a b) has no xmin"),
            (
                &object("<name>cat</name><bndbox><xmin>left</xmin></bndbox>"),
                "xmin is \"left\"",
            ),
            (
                &object("<name>cat</name><bndbox><xmin>nan</xmin></bndbox>"),
                "xmin is \"nan\"",
            ),
            (
                &object("<name>cat</name><bndbox><xmin>1e99</xmin></bndbox>"),
                "xmin is \"1e99\"",
            ),
        ] {
            let error = parse_annotation(text.as_bytes()).unwrap_err();
            assert!(error.contains(part) && !error.contains('\n'), "{text:.50}: {error}");
        }
        assert_eq!(
            parse_annotation(b"<annotation>\xFF"),
            Err("not UTF-8 from byte 12 on".into())
        );
    }
}
