//! JPEG decoder: the segments in their order, as libjpeg reads them.

use std::rc::Rc;

use image::DynamicImage;
use image::metadata::Orientation;

use super::blocks::natural;
use super::frame::Frame;
use super::huffman::HuffmanTable;
use super::idct::BLOCK;
use super::output::{Colours, Output};
use super::scan::{Scan, Tables, finish_progressive};
use super::segments::{Coded, Segments};
use super::standard_tables::standard_tables;
use super::table_cache::cached_table;
use crate::decode_error::damaged;
use crate::orientation::{Metadata, stored_box, upright_size};
use crate::region::{Decoded, WantedBox};
use crate::{CropBox, DecodeError};

/// Decodes a JPEG to RGB, a grey one to grey, not yet turned. Also returns the orientation from the metadata.
///
/// `wanted` gets width and height of the image turned upright, and returns the box in it whose pixels are decoded. The whole
/// file is read and checked whatever the box is.
///
/// # Errors
/// [`DecodeError`], for anything that is not a whole JPEG of a kind that is read, within the limits.
///
/// # Panics
/// If the box is not inside the image.
pub(crate) fn decode(bytes: &[u8], wanted: WantedBox<'_>) -> Result<Decoded, DecodeError> {
    let mut state = State {
        frame: None,
        quant: Default::default(),
        tables: Tables::default(),
        interval: 0,
        has_jfif: false,
        adobe_transform: None,
        metadata: Metadata::default(),
        wanted,
        started: None,
        output: None,
        coded: Coded::default(),
    };
    let mut segments = Segments::new(bytes)?;
    loop {
        match segments.next_marker()? {
            0xD9 => break,
            0xDA => state.scan(&mut segments)?,
            marker => state.segment(marker, &mut segments)?,
        }
    }
    state.finish()
}

/// What is known when the first scan begins.
#[derive(Clone, Copy)]
struct Started {
    colours: Colours,
    orientation: Orientation,
    /// Width and height of the image turned upright, and the box in it that is decoded.
    size: (usize, usize),
    wanted: CropBox,
    /// That box in the image as it is stored.
    region: CropBox,
}

/// What the segments have said so far.
struct State<'a> {
    frame: Option<Frame>,
    quant: [Option<[u16; BLOCK]>; 4],
    tables: Tables,
    /// Units between restart markers.
    interval: usize,
    has_jfif: bool,
    adobe_transform: Option<u8>,
    metadata: Metadata<'a>,
    wanted: WantedBox<'a>,
    started: Option<Started>,
    /// The pixels, where one scan completes them.
    output: Option<Output>,
    coded: Coded,
}

impl<'a> State<'a> {
    fn segment(&mut self, marker: u8, segments: &mut Segments<'a>) -> Result<(), DecodeError> {
        match marker {
            0xC0..=0xC2 => {
                if self.frame.is_some() {
                    return Err(damaged("two frames in one JPEG"));
                }
                self.frame = Some(Frame::parse(segments.body()?, marker == 0xC2)?);
            }
            0xC3 | 0xC7 | 0xCB | 0xCF => return Err(DecodeError::JpegKind("lossless coding")),
            0xC5 | 0xC6 | 0xDE | 0xDF => return Err(DecodeError::JpegKind("hierarchical coding")),
            0xC9 | 0xCA | 0xCD | 0xCE => return Err(DecodeError::JpegKind("arithmetic coding")),
            0xC4 => self.huffman_tables(segments.body()?)?,
            0xDB => self.quantisation(segments.body()?)?,
            0xDD => {
                let &[high, low] = segments.body()? else {
                    return Err(damaged("a restart interval of the wrong length"));
                };
                self.interval = usize::from(u16::from_be_bytes([high, low]));
            }
            0xE0..=0xEF => {
                let body = segments.body()?;
                self.application(marker, body);
            }
            // Comments and conditioning of arithmetic coding; a number of lines, which libjpeg ignores.
            0xFE | 0xCC | 0xDC => {
                segments.body()?;
            }
            0x01 | 0xD0..=0xD7 => {}
            0xD8 => return Err(damaged("two starts of image")),
            _ => return Err(damaged(format!("an unknown marker 0xFF{marker:02X} in the JPEG data"))),
        }
        Ok(())
    }

    fn application(&mut self, marker: u8, body: &'a [u8]) {
        // Pillow reads metadata up to the first scan, and libjpeg decides on colours there.
        if self.started.is_some() {
            return;
        }
        match marker {
            0xE0 => self.has_jfif |= body.len() >= 14 && body.starts_with(b"JFIF\0"),
            0xE1 => {
                if body.starts_with(b"Exif\0\0") {
                    self.metadata.add_exif(body);
                } else if let Some(xmp) = body.strip_prefix(b"http://ns.adobe.com/xap/1.0/\0") {
                    self.metadata.set_xmp(xmp);
                }
            }
            0xEE if body.len() >= 12 && body.starts_with(b"Adobe") => self.adobe_transform = Some(body[11]),
            _ => {}
        }
    }

    fn huffman_tables(&mut self, mut body: &[u8]) -> Result<(), DecodeError> {
        while let Some((&[kind, ref counts @ ..], rest)) = body.split_first_chunk::<17>() {
            let length = counts.iter().map(|&count| usize::from(count)).sum();
            let symbols = rest
                .get(..length)
                .ok_or_else(|| damaged("an impossible Huffman table"))?;
            let (number, is_dc) = (usize::from(kind & 15), kind & 0x10 == 0);
            let tables = if is_dc {
                &mut self.tables.dc
            } else {
                &mut self.tables.ac
            };
            let slot = tables.get_mut(number).filter(|_| kind < 0x20);
            let counts: &[u8; 16] = counts.first_chunk().ok_or(DecodeError::Truncated)?;
            *slot.ok_or_else(|| damaged("an impossible number of a Huffman table"))? =
                Some(cached_table(counts, symbols, is_dc)?);
            body = &rest[length..];
        }
        match body {
            [] => Ok(()),
            _ => Err(damaged("a Huffman segment of the wrong length")),
        }
    }

    fn quantisation(&mut self, mut body: &[u8]) -> Result<(), DecodeError> {
        let bad = || damaged("an impossible quantisation table");
        while let Some((&kind, rest)) = body.split_first() {
            let slot = self.quant.get_mut(usize::from(kind & 15)).ok_or_else(bad)?;
            let width = if kind >> 4 == 0 { 1 } else { 2 };
            let (values, rest) = rest.split_at_checked(BLOCK * width).ok_or_else(bad)?;
            let mut table = [0; BLOCK];
            for (index, value) in values.chunks_exact(width).enumerate() {
                table[natural(index)] = value.iter().fold(0, |sum, &byte| sum << 8 | u16::from(byte));
            }
            *slot = Some(table);
            body = rest;
        }
        Ok(())
    }

    fn scan(&mut self, segments: &mut Segments<'a>) -> Result<(), DecodeError> {
        let body = segments.body()?;
        let Some(frame) = &mut self.frame else {
            return Err(damaged("a scan before its frame"));
        };
        let scan = Scan::parse(body, frame)?;
        if self.output.is_some() {
            return Err(damaged("a scan after all are complete"));
        }
        let started = match self.started {
            Some(started) => started,
            None => {
                let ids: Vec<u8> = frame.components.iter().map(|component| component.id).collect();
                let orientation = self.metadata.orientation();
                let size = upright_size(orientation, frame.width, frame.height);
                let wanted = (self.wanted)(size.0, size.1);
                assert!(
                    wanted.fits(size.0, size.1),
                    "cannot decode {wanted:?} of a {}x{} image",
                    size.0,
                    size.1
                );
                let started = Started {
                    colours: colours(&ids, self.has_jfif, self.adobe_transform),
                    orientation,
                    size,
                    wanted,
                    region: stored_box(orientation, wanted, size),
                };
                frame.need(started.region);
                if !frame.is_progressive {
                    fill_missing(&mut self.tables.dc, true);
                    fill_missing(&mut self.tables.ac, false);
                }
                *self.started.insert(started)
            }
        };
        scan.latch_quantisation(frame, &self.quant)?;
        segments.coded(&mut self.coded)?;
        if !frame.is_progressive && scan.is_complete(frame) {
            self.output = Some(Output::new(frame, started.colours, started.region));
        }
        let output = &mut self.output;
        let mut ready = |frame: &Frame, rows| {
            if let Some(output) = output {
                output.write(frame, rows);
            }
        };
        scan.decode(frame, &self.tables, &self.coded, self.interval, &mut ready)
    }

    fn finish(self) -> Result<Decoded, DecodeError> {
        let (Some(mut frame), Some(started)) = (self.frame, self.started) else {
            return Err(damaged("a JPEG without an image"));
        };
        for component in &mut frame.components {
            // Where less is known, libjpeg guesses by smoothing.
            if component.missing[0] < 0 || component.missing[1..10].iter().any(|&missing| missing != 0) {
                return Err(DecodeError::Truncated);
            }
            if frame.is_progressive {
                finish_progressive(component, frame.needed_x.clone(), frame.needed_y.clone());
            }
        }
        let (width, height) = (started.region.width as u32, started.region.height as u32);
        let output = self.output.unwrap_or_else(|| {
            let mut output = Output::new(&frame, started.colours, started.region);
            output.write(&frame, frame.height);
            output
        });
        let image = match output.finish() {
            (grey, true) => image::GrayImage::from_raw(width, height, grey).map(DynamicImage::ImageLuma8),
            (rgb, false) => image::RgbImage::from_raw(width, height, rgb).map(DynamicImage::ImageRgb8),
        };
        let image = image.ok_or_else(|| damaged("its pixels do not fill its size"))?;
        Ok(Decoded {
            image,
            orientation: started.orientation,
            size: started.size,
            part: started.wanted,
        })
    }
}

fn fill_missing(tables: &mut [Option<Rc<HuffmanTable>>; 4], is_dc: bool) {
    if tables[..2].iter().any(Option::is_none) {
        for (table, standard) in tables.iter_mut().zip(standard_tables(is_dc)) {
            table.get_or_insert(standard);
        }
    }
}

/// The rules of libjpeg (`default_decompress_parms`): JFIF, then Adobe, then the components' numbers.
fn colours(ids: &[u8], has_jfif: bool, adobe_transform: Option<u8>) -> Colours {
    match (ids, has_jfif, adobe_transform) {
        ([_], ..) => Colours::Grey,
        ([_, _, _], true, _) => Colours::YCbCr,
        ([_, _, _], _, Some(0)) => Colours::Rgb,
        ([_, _, _], _, Some(_)) => Colours::YCbCr,
        ([b'R', b'G', b'B'], ..) => Colours::Rgb,
        ([_, _, _], ..) => Colours::YCbCr,
        (_, _, Some(0) | None) => Colours::Cmyk,
        (_, _, Some(_)) => Colours::Ycck,
    }
}
