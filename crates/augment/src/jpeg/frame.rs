//! The frame of a JPEG: its size and components, from the start-of-frame segment.
//!
//! This file must not decode.

use std::ops::Range;

use crate::decode_error::{check_size, damaged};
use crate::{CropBox, DecodeError};

use super::idct::BLOCK;

/// Size, kind and components.
pub(super) struct Frame {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) is_progressive: bool,
    pub(super) components: Vec<Component>,
    /// Largest sampling factors of the components.
    pub(super) most_h: usize,
    pub(super) most_v: usize,
    /// Interleaved units in a row, and rows of them.
    pub(super) mcus_x: usize,
    pub(super) mcus_y: usize,
    /// Those of them whose samples are needed.
    pub(super) needed_x: Range<usize>,
    pub(super) needed_y: Range<usize>,
}

/// One colour component.
pub(super) struct Component {
    pub(super) id: u8,
    /// Sampling factors.
    pub(super) h: usize,
    pub(super) v: usize,
    pub(super) quant_table: u8,
    /// Size in samples, without padding.
    pub(super) width: usize,
    pub(super) height: usize,
    /// Blocks that cover this size.
    pub(super) blocks_x: usize,
    pub(super) blocks_y: usize,
    /// Blocks in a row of `plane` or `coefficients`: padded to whole interleaved units.
    pub(super) stride: usize,
    /// The quantisation at the first scan of the component.
    pub(super) quant: Option<[u16; BLOCK]>,
    /// Samples: rows of `8 * stride`. Either all, or the rows of the last two rows of units, alternately.
    pub(super) plane: Vec<u8>,
    /// Coefficients of all blocks, where a scan does not complete them.
    pub(super) coefficients: Vec<i16>,
    /// Bits still missing of each coefficient (zigzag order); -1: none is known.
    pub(super) missing: [i8; BLOCK],
}

impl Frame {
    /// A frame from the body of its segment.
    ///
    /// # Errors
    /// [`DecodeError`], where libjpeg or Pillow refuse the frame, or beyond the limits.
    pub(super) fn parse(body: &[u8], is_progressive: bool) -> Result<Self, DecodeError> {
        let &[precision, y1, y0, x1, x0, count, ref listed @ ..] = body else {
            return Err(damaged("a short start-of-frame segment"));
        };
        match precision {
            8 => {}
            12 => return Err(DecodeError::JpegKind("12-bit samples")),
            _ => return Err(DecodeError::JpegKind("samples of neither 8 nor 12 bits")),
        }
        let [height, width] = [[y1, y0], [x1, x0]].map(|side| usize::from(u16::from_be_bytes(side)));
        if width == 0 || height == 0 {
            return Err(damaged("its size is zero, or follows the pixels"));
        }
        if listed.len() != 3 * usize::from(count) {
            return Err(damaged("a start-of-frame segment of the wrong length"));
        }
        if !matches!(count, 1 | 3 | 4) {
            return Err(DecodeError::JpegKind("neither 1, 3 nor 4 components"));
        }
        check_size(width, height, 3 * (width * height) as u64)?;
        let listed = listed.as_chunks::<3>().0;
        let factors = || {
            listed
                .iter()
                .map(|&[_, factors, _]| (usize::from(factors >> 4), usize::from(factors & 15)))
        };
        if factors().any(|(h, v)| !(1..=4).contains(&h) || !(1..=4).contains(&v)) {
            return Err(damaged("impossible sampling factors"));
        }
        let most_h = factors().map(|(h, _)| h).max().unwrap_or(1);
        let most_v = factors().map(|(_, v)| v).max().unwrap_or(1);
        if factors().any(|(h, v)| most_h % h != 0 || most_v % v != 0) {
            return Err(DecodeError::JpegKind(
                "sampling factors of which one does not divide the other",
            ));
        }
        let (mcus_x, mcus_y) = (width.div_ceil(8 * most_h), height.div_ceil(8 * most_v));
        let components = listed.iter().zip(factors()).map(|(&[id, _, quant_table], (h, v))| {
            let (width, height) = ((width * h).div_ceil(most_h), (height * v).div_ceil(most_v));
            Component {
                id,
                h,
                v,
                quant_table,
                width,
                height,
                blocks_x: width.div_ceil(8),
                blocks_y: height.div_ceil(8),
                stride: mcus_x * h,
                quant: None,
                plane: Vec::new(),
                coefficients: Vec::new(),
                missing: [-1; BLOCK],
            }
        });
        Ok(Self {
            width,
            height,
            is_progressive,
            components: components.collect(),
            most_h,
            most_v,
            mcus_x,
            mcus_y,
            needed_x: 0..mcus_x,
            needed_y: 0..mcus_y,
        })
    }

    /// Limits the needed units to those that the pixels of `region` are made from.
    pub(super) fn need(&mut self, region: CropBox) {
        // The triangle filters read the next sample of a component, which covers two pixels.
        let units = |start: usize, length: usize, side: usize, unit: usize| {
            start.saturating_sub(2) / unit..(start + length + 2).min(side).div_ceil(unit)
        };
        self.needed_x = units(region.left, region.width, self.width, 8 * self.most_h);
        self.needed_y = units(region.top, region.height, self.height, 8 * self.most_v);
    }
}

impl Component {
    /// Row `row` of the samples, without padding.
    pub(super) fn samples(&self, row: usize) -> &[u8] {
        let stride = 8 * self.stride;
        &self.plane[stride * row % self.plane.len()..][..self.width]
    }
}
