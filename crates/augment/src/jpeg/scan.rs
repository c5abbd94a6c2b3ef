//! One scan of a JPEG: from its header and coded data to samples, or to coefficients where more scans refine them.
//!
//! This file must not know colours.

use super::bits::Bits;
use super::blocks::{Band, Block, dc_first, dc_refine, sequential};
use super::frame::{Component, Frame};
use super::huffman::HuffmanTable;
use super::idct::{BLOCK, transform_row};
use super::segments::Coded;
use crate::DecodeError;
use crate::decode_error::damaged;

/// Largest number of blocks in an interleaved unit, by the standard.
const MAX_UNIT_BLOCKS: usize = 10;

/// Huffman tables by their numbers.
#[derive(Default)]
pub(super) struct Tables {
    pub(super) dc: [Option<HuffmanTable>; 4],
    pub(super) ac: [Option<HuffmanTable>; 4],
}

/// The header of a scan.
pub(super) struct Scan {
    /// Components, by their place in the frame.
    components: Vec<ScanComponent>,
    first: usize,
    last: usize,
    high: u8,
    low: u8,
}

struct ScanComponent {
    place: usize,
    dc: usize,
    ac: usize,
}

impl Scan {
    /// A scan from the body of its segment.
    ///
    /// # Errors
    /// [`DecodeError::Damaged`], where libjpeg refuses it.
    pub(super) fn parse(body: &[u8], frame: &Frame) -> Result<Self, DecodeError> {
        let bad = || damaged("an impossible start-of-scan segment");
        let (&count, rest) = body.split_first().ok_or_else(bad)?;
        let (listed, &[first, last, bits]) = rest.split_last_chunk::<3>().ok_or_else(bad)?;
        if !(1..=4).contains(&count) || listed.len() != 2 * usize::from(count) {
            return Err(bad());
        }
        let mut components: Vec<ScanComponent> = Vec::with_capacity(4);
        for &[id, tables] in listed.as_chunks::<2>().0 {
            // libjpeg passes over the places that are below the number of scan components before this one.
            let mut places = frame.components.iter().enumerate().skip(components.len());
            let place = places.find(|(_, component)| component.id == id).map(|(place, _)| place);
            let place = place.filter(|place| components.iter().all(|other| other.place != *place));
            components.push(ScanComponent {
                place: place.ok_or_else(bad)?,
                dc: usize::from(tables >> 4),
                ac: usize::from(tables & 15),
            });
        }
        let scan = Self {
            components,
            first: usize::from(first),
            last: usize::from(last),
            high: bits >> 4,
            low: bits & 15,
        };
        let units = scan.components.iter().map(|c| &frame.components[c.place]);
        if scan.components.len() > 1 && units.map(|c| c.h * c.v).sum::<usize>() > MAX_UNIT_BLOCKS {
            return Err(bad());
        }
        if frame.is_progressive && !scan.is_progressive_pass() {
            return Err(damaged("an impossible progressive scan"));
        }
        Ok(scan)
    }

    fn is_progressive_pass(&self) -> bool {
        let band = match self.first {
            0 => self.last == 0,
            first => first <= self.last && self.last < BLOCK && self.components.len() == 1,
        };
        band && self.low <= 13 && (self.high == 0 || self.high == self.low + 1)
    }

    /// Fixes the quantisation of the components that are scanned for the first time.
    ///
    /// # Errors
    /// [`DecodeError::Damaged`] without a table.
    pub(super) fn latch_quantisation(
        &self,
        frame: &mut Frame,
        tables: &[Option<[u16; BLOCK]>; 4],
    ) -> Result<(), DecodeError> {
        for ScanComponent { place, .. } in &self.components {
            let component = &mut frame.components[*place];
            if component.quant.is_none() {
                let table = tables.get(usize::from(component.quant_table)).copied().flatten();
                component.quant = Some(table.ok_or_else(|| damaged("a quantisation table is missing"))?);
            }
        }
        Ok(())
    }

    /// Whether this scan holds all components of the frame.
    pub(super) fn is_complete(&self, frame: &Frame) -> bool {
        self.components.len() == frame.components.len()
    }

    /// Decodes the scan into the frame. A sequential scan of all components leaves no more than the last rows there:
    /// `ready` is called with the number of the image's rows whose samples, and those of the row below, are known.
    ///
    /// # Errors
    /// [`DecodeError`] for data that libjpeg would replace by guesses, and a missing table.
    pub(super) fn decode(
        &self,
        frame: &mut Frame,
        tables: &Tables,
        coded: &Coded,
        interval: usize,
        ready: &mut dyn FnMut(&Frame, usize),
    ) -> Result<(), DecodeError> {
        let pieces = Pieces::new(coded, interval);
        if frame.is_progressive {
            self.decode_progressive(frame, tables, pieces)
        } else {
            self.decode_sequential(frame, tables, pieces, ready)
        }
    }

    fn decode_sequential(
        &self,
        frame: &mut Frame,
        tables: &Tables,
        mut pieces: Pieces<'_>,
        ready: &mut dyn FnMut(&Frame, usize),
    ) -> Result<(), DecodeError> {
        let is_interleaved = self.components.len() > 1;
        let is_complete = self.is_complete(frame);
        let (mcus_x, mcus_y) = self.units(frame);
        let mut parts = Vec::with_capacity(self.components.len());
        for ScanComponent { place, dc, ac } in &self.components {
            let component = &mut frame.components[*place];
            if !component.plane.is_empty() {
                return Err(damaged("a component is coded twice"));
            }
            let (h, v) = if is_interleaved {
                (component.h, component.v)
            } else {
                (1, 1)
            };
            let rows = if is_complete { 2 * v } else { frame.mcus_y * component.v };
            component.plane = vec![0; BLOCK * component.stride * rows];
            component.missing = [0; BLOCK];
            parts.push(Part {
                place: *place,
                dc: table(&tables.dc, *dc)?,
                ac: table(&tables.ac, *ac)?,
                h,
                v,
                stride: component.stride,
                last_dc: 0,
                row: vec![0; BLOCK * component.stride * v],
            });
        }
        for mcu_y in 0..mcus_y {
            for part in &mut parts {
                part.row.fill(0);
            }
            for mcu_x in 0..mcus_x {
                if pieces.is_at_restart() {
                    pieces.restart()?;
                    parts.iter_mut().for_each(|part| part.last_dc = 0);
                }
                for part in &mut parts {
                    for y in 0..part.v {
                        for x in 0..part.h {
                            let block = block_at(&mut part.row, y * part.stride + mcu_x * part.h + x);
                            sequential(&mut pieces.bits, part.dc, part.ac, &mut part.last_dc, block)?;
                        }
                    }
                }
                pieces.bits.check()?;
            }
            for part in &parts {
                let component = &mut frame.components[part.place];
                let rows = part.row.chunks_exact(BLOCK * part.stride);
                let first = if is_complete { mcu_y % 2 } else { mcu_y };
                transform_rows(component, first * part.v, rows);
            }
            if is_complete {
                let most_v = parts.iter().map(|part| part.v).max().unwrap_or(1);
                let rows = 8 * most_v * (mcu_y + 1) - 1;
                ready(frame, if mcu_y + 1 == mcus_y { frame.height } else { rows });
            }
        }
        Ok(())
    }

    fn decode_progressive(
        &self,
        frame: &mut Frame,
        tables: &Tables,
        mut pieces: Pieces<'_>,
    ) -> Result<(), DecodeError> {
        let (units_x, units_y) = self.units(frame);
        let is_interleaved = self.components.len() > 1;
        for ScanComponent { place, .. } in &self.components {
            let (stride, mcus_y) = (frame.components[*place].stride, frame.mcus_y);
            let component = &mut frame.components[*place];
            if component.coefficients.is_empty() {
                component.coefficients = vec![0; BLOCK * stride * mcus_y * component.v];
            }
            component.missing[self.first..=self.last].fill(self.low as i8);
        }
        let mut band = Band {
            first: self.first,
            last: self.last,
            low: self.low,
            empty_blocks: 0,
        };
        let mut last_dc = [0; 4];
        let is_refining = self.high != 0;
        for unit_y in 0..units_y {
            for unit_x in 0..units_x {
                if pieces.is_at_restart() {
                    pieces.restart()?;
                    last_dc = [0; 4];
                    band.empty_blocks = 0;
                }
                for (part, last_dc) in self.components.iter().zip(&mut last_dc) {
                    let component = &mut frame.components[part.place];
                    let (h, v) = if is_interleaved {
                        (component.h, component.v)
                    } else {
                        (1, 1)
                    };
                    let stride = component.stride;
                    for y in 0..v {
                        for x in 0..h {
                            let index = (unit_y * v + y) * stride + unit_x * h + x;
                            let block = block_at(&mut component.coefficients, index);
                            let bits = &mut pieces.bits;
                            match (self.first, is_refining) {
                                (0, false) => {
                                    dc_first(bits, table(&tables.dc, part.dc)?, self.low, last_dc, block)?;
                                }
                                (0, true) => dc_refine(bits, self.low, block),
                                (_, false) => band.ac_first(bits, table(&tables.ac, part.ac)?, block)?,
                                (_, true) => band.ac_refine(bits, table(&tables.ac, part.ac)?, block)?,
                            }
                        }
                    }
                }
                pieces.bits.check()?;
            }
        }
        Ok(())
    }

    /// Units (blocks of the one component, or interleaved units) in a row, and rows of them.
    fn units(&self, frame: &Frame) -> (usize, usize) {
        match &self.components[..] {
            [only] => {
                let component = &frame.components[only.place];
                (component.blocks_x, component.blocks_y)
            }
            _ => (frame.mcus_x, frame.mcus_y),
        }
    }
}

/// Samples of a progressive component, whose coefficients are complete.
pub(super) fn finish_progressive(component: &mut Component) {
    let coefficients = std::mem::take(&mut component.coefficients);
    component.plane = vec![0; coefficients.len()];
    let rows = coefficients.chunks_exact(BLOCK * component.stride);
    transform_rows(component, 0, rows);
}

fn transform_rows<'a>(component: &mut Component, first: usize, rows: impl Iterator<Item = &'a [i16]>) {
    let stride = 8 * component.stride;
    let Some(quant) = &component.quant else {
        return;
    };
    for (plane, row) in component.plane.chunks_exact_mut(8 * stride).skip(first).zip(rows) {
        transform_row(row, quant, plane, stride);
    }
}

/// One component while a sequential scan is decoded.
struct Part<'a> {
    place: usize,
    dc: &'a HuffmanTable,
    ac: &'a HuffmanTable,
    h: usize,
    v: usize,
    stride: usize,
    last_dc: i32,
    /// Coefficients of a row of units.
    row: Vec<i16>,
}

fn table(tables: &[Option<HuffmanTable>; 4], number: usize) -> Result<&HuffmanTable, DecodeError> {
    let table = tables.get(number).and_then(Option::as_ref);
    table.ok_or_else(|| damaged("a Huffman table is missing"))
}

#[inline(always)]
fn block_at(blocks: &mut [i16], index: usize) -> &mut Block {
    &mut blocks.as_chunks_mut::<BLOCK>().0[index]
}

/// Coded data while it is read, piece by piece.
struct Pieces<'a> {
    coded: &'a Coded,
    bits: Bits<'a>,
    /// Units between restart markers; 0: there are none.
    interval: usize,
    /// Units until the next one.
    left: usize,
    piece: usize,
}

impl<'a> Pieces<'a> {
    fn new(coded: &'a Coded, interval: usize) -> Self {
        Self {
            coded,
            bits: Bits::new(&coded.data[coded.pieces[0].clone()]),
            interval,
            left: interval,
            piece: 0,
        }
    }

    /// Counts a unit that is about to be read.
    #[inline(always)]
    fn is_at_restart(&mut self) -> bool {
        if self.interval == 0 {
            return false;
        }
        if self.left == 0 {
            self.left = self.interval - 1;
            return true;
        }
        self.left -= 1;
        false
    }

    fn restart(&mut self) -> Result<(), DecodeError> {
        if self.coded.restarts.get(self.piece).map(|&number| usize::from(number)) != Some(self.piece % 8) {
            return Err(damaged("a restart marker is missing or out of order"));
        }
        self.piece += 1;
        self.bits = Bits::new(&self.coded.data[self.coded.pieces[self.piece].clone()]);
        Ok(())
    }
}
