//! The Huffman tables that a thread used last: files of a set mostly share theirs, and making one takes as long as decoding a few
//! hundred coefficients.
//!
//! Tables are found by all the bytes that they are made from, so the cache never affects a result.

use std::cell::RefCell;
use std::rc::Rc;

use super::huffman::HuffmanTable;
use crate::DecodeError;

/// Tables of two files.
const MOST: usize = 8;

struct Cached {
    is_dc: bool,
    counts: [u8; 16],
    symbols: Vec<u8>,
    table: Rc<HuffmanTable>,
}

thread_local! {
    /// The one that was used last comes last.
    static CACHE: RefCell<Vec<Cached>> = const { RefCell::new(Vec::new()) };
}

/// As [`HuffmanTable::new`].
///
/// # Errors
/// As [`HuffmanTable::new`].
pub(super) fn cached_table(counts: &[u8; 16], symbols: &[u8], is_dc: bool) -> Result<Rc<HuffmanTable>, DecodeError> {
    CACHE.with_borrow_mut(|cache| {
        let is_it = |cached: &Cached| cached.is_dc == is_dc && cached.counts == *counts && cached.symbols == symbols;
        let found = match cache.iter().position(is_it) {
            Some(place) => cache.remove(place),
            None => {
                let table = Rc::new(HuffmanTable::new(counts, symbols, is_dc)?);
                if cache.len() == MOST {
                    cache.remove(0);
                }
                Cached {
                    is_dc,
                    counts: *counts,
                    symbols: symbols.to_vec(),
                    table,
                }
            }
        };
        let table = Rc::clone(&found.table);
        cache.push(found);
        Ok(table)
    })
}
