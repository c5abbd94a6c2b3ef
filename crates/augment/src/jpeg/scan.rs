//! One scan of a JPEG: from its header and coded data to samples, or to coefficients where more scans refine them.
//!
//! This file must not know colours.

use std::ops::Range;
use std::rc::Rc;

use super::bits::Bits;
use super::blocks::{Band, Block, dc_first, dc_refine, sequential};
use super::frame::{Component, Frame};
use super::huffman::HuffmanTable;
use super::idct::{BLOCK, Group, LANES, transform};
use super::segments::Coded;
use crate::DecodeError;
use crate::decode_error::damaged;
use crate::simd::vectorised;

/// Largest number of blocks in an interleaved unit, by the standard.
const MAX_UNIT_BLOCKS: usize = 10;

/// Huffman tables by their numbers.
#[derive(Default)]
pub(super) struct Tables {
    pub(super) dc: [Option<Rc<HuffmanTable>>; 4],
    pub(super) ac: [Option<Rc<HuffmanTable>>; 4],
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

    /// Decodes the scan into the frame: the samples of the blocks in its region. A sequential scan of all components leaves no more
    /// than the last rows there: `ready` is called with the number of the image's rows whose samples, and those of the row below,
    /// are known.
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
        let (units_x, units_y) = self.units(frame);
        let mut parts = Vec::with_capacity(self.components.len());
        for ScanComponent { place, dc, ac } in &self.components {
            let [needed_x, needed_y] = [frame.needed_x.clone(), frame.needed_y.clone()];
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
            let in_units = |needed: Range<usize>, blocks: usize, size: usize| {
                needed.start * blocks / size..(needed.end * blocks).div_ceil(size)
            };
            let needed_x = in_units(needed_x, component.h, h);
            parts.push(Part {
                place: *place,
                dc: table(&tables.dc, *dc)?,
                ac: table(&tables.ac, *ac)?,
                h,
                v,
                last_dc: 0,
                groups: vec![[[0; LANES]; BLOCK]; (needed_x.len().min(CHUNK) * h * v).div_ceil(LANES)],
                needed_x,
                needed_y: in_units(needed_y, component.v, v),
            });
        }
        // The same units of all parts: a part alone has its own.
        let [needed_x, needed_y] = [parts[0].needed_x.clone(), parts[0].needed_y.clone()];
        for unit_y in 0..units_y {
            if !needed_y.contains(&unit_y) {
                pass_over(&mut parts, &mut pieces, units_x)?;
                continue;
            }
            pass_over(&mut parts, &mut pieces, needed_x.start)?;
            for first in needed_x.clone().step_by(CHUNK) {
                let units = CHUNK.min(needed_x.end - first);
                // The units beyond a part's blocks are padding.
                decode_units(&mut parts, &mut pieces, units.min(units_x.saturating_sub(first)), units)?;
                for part in &mut parts {
                    let component = &mut frame.components[part.place];
                    let Some(quant) = &component.quant else {
                        continue;
                    };
                    let row = if is_complete { unit_y % 2 } else { unit_y };
                    let stride = 8 * component.stride;
                    let start = 8 * (row * part.v * stride + first * part.h);
                    let columns = units * part.h;
                    let plane = &mut component.plane[start..];
                    transform(&mut part.groups, quant, columns * part.v, columns, plane, stride);
                }
            }
            pass_over(&mut parts, &mut pieces, units_x.saturating_sub(needed_x.end))?;
            if is_complete {
                let most_v = parts.iter().map(|part| part.v).max().unwrap_or(1);
                let rows = 8 * most_v * (unit_y + 1) - 1;
                ready(frame, if unit_y + 1 == units_y { frame.height } else { rows });
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

/// Needed units that are decoded before their blocks are transformed: few enough that their coefficients stay in the nearest cache,
/// and enough to fill the vectors.
const CHUNK: usize = 16;

vectorised! {
    /// Decodes `count` units to the groups of their parts, as if these had `columns` units in a row.
    fn decode_units<'a, 'b, 'c>(
        parts: &'a mut [Part<'b>],
        pieces: &'a mut Pieces<'c>,
        count: usize,
        columns: usize,
    ) -> Result<(), DecodeError> {
        for unit in 0..count {
            pieces.next_unit(parts)?;
            let mut bits = pieces.bits;
            for part in &mut *parts {
                for y in 0..part.v {
                    for x in 0..part.h {
                        let index = (y * columns + unit) * part.h + x;
                        let group = &mut part.groups[index / LANES];
                        let (dc, ac, last_dc) = (part.dc, part.ac, &mut part.last_dc);
                        sequential::<true>(&mut bits, dc, ac, last_dc, group, index % LANES)?;
                    }
                }
            }
            bits.check()?;
            pieces.bits = bits;
        }
        Ok(())
    }

    /// Decodes `count` units whose samples are not needed.
    fn pass_over<'a, 'b, 'c>(
        parts: &'a mut [Part<'b>],
        pieces: &'a mut Pieces<'c>,
        count: usize,
    ) -> Result<(), DecodeError> {
        let nowhere = &mut [[0; LANES]; BLOCK];
        for _ in 0..count {
            pieces.next_unit(parts)?;
            let mut bits = pieces.bits;
            for part in &mut *parts {
                for _ in 0..part.v * part.h {
                    sequential::<false>(&mut bits, part.dc, part.ac, &mut part.last_dc, nowhere, 0)?;
                }
            }
            bits.check()?;
            pieces.bits = bits;
        }
        Ok(())
    }
}

/// Samples of a progressive component, whose coefficients are complete, in the blocks of the frame's region.
pub(super) fn finish_progressive(component: &mut Component, needed_x: Range<usize>, needed_y: Range<usize>) {
    let coefficients = std::mem::take(&mut component.coefficients);
    component.plane = vec![0; coefficients.len()];
    let Some(quant) = &component.quant else {
        return;
    };
    let columns = needed_x.start * component.h..needed_x.end * component.h;
    let mut groups = vec![[[0; LANES]; BLOCK]; columns.len().div_ceil(LANES)];
    let stride = component.stride;
    for row in needed_y.start * component.v..needed_y.end * component.v {
        let blocks = &coefficients.as_chunks::<BLOCK>().0[row * stride..][columns.clone()];
        for (index, block) in blocks.iter().enumerate() {
            let group = &mut groups[index / LANES];
            for (lanes, coefficient) in group.iter_mut().zip(block) {
                lanes[index % LANES] = *coefficient;
            }
        }
        let plane = &mut component.plane[8 * (8 * row * stride + columns.start)..];
        transform(&mut groups, quant, blocks.len(), blocks.len(), plane, 8 * stride);
    }
}

/// One component while a sequential scan is decoded.
struct Part<'a> {
    place: usize,
    dc: &'a HuffmanTable,
    ac: &'a HuffmanTable,
    h: usize,
    v: usize,
    last_dc: i32,
    /// Units whose samples are needed, in a row and rows of them.
    needed_x: Range<usize>,
    needed_y: Range<usize>,
    /// Coefficients of up to [`CHUNK`] units in a row: `v` rows of blocks, one after the other.
    groups: Vec<Group>,
}

fn table(tables: &[Option<Rc<HuffmanTable>>; 4], number: usize) -> Result<&HuffmanTable, DecodeError> {
    let table = tables.get(number).and_then(Option::as_deref);
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

    /// Continues behind the restart marker, if one comes before the next unit.
    #[inline(always)]
    fn next_unit(&mut self, parts: &mut [Part<'_>]) -> Result<(), DecodeError> {
        if self.is_at_restart() {
            self.restart()?;
            parts.iter_mut().for_each(|part| part.last_dc = 0);
        }
        Ok(())
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
