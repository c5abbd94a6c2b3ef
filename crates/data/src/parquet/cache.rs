//! Pages that were read last, up to a number of bytes: neighbours of an image are in its page.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::page::Page;
use super::values::Values;

/// Most bytes of unpacked pages that are held. A page has 1 MB, or all images of a row group where pyarrow wrote it.
const MAX_BYTES: usize = 128 << 20;

/// What is cached of a file's row group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) file: usize,
    pub(super) group: usize,
    /// `None` for the dictionary.
    pub(super) page: Option<usize>,
}

/// A page or a dictionary.
#[derive(Debug, Clone)]
pub(super) enum Cached {
    Page(Arc<Page>),
    Dictionary(Arc<Values>),
}

impl Cached {
    fn bytes(&self) -> usize {
        match self {
            // Of a page with a dictionary the values are the dictionary's, and counted once more: that is on the safe side.
            Self::Page(page) => page.values.bytes() + 4 * page.rows.capacity(),
            Self::Dictionary(values) => values.bytes(),
        }
    }
}

/// The pages, those that were used longest ago dropped first.
#[derive(Debug, Default)]
pub(super) struct PageCache(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    pages: HashMap<Key, (Cached, u64)>,
    bytes: usize,
    clock: u64,
}

impl PageCache {
    pub(super) fn get(&self, key: Key) -> Option<Cached> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.clock += 1;
        let now = held.clock;
        let (page, used) = held.pages.get_mut(&key)?;
        *used = now;
        Some(page.clone())
    }

    pub(super) fn put(&self, key: Key, page: Cached) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.clock += 1;
        let (now, bytes) = (held.clock, page.bytes());
        held.bytes += bytes;
        if let Some((old, _)) = held.pages.insert(key, (page, now)) {
            held.bytes -= old.bytes();
        }
        while held.bytes > MAX_BYTES && held.pages.len() > 1 {
            let oldest = held
                .pages
                .iter()
                .min_by_key(|(_, (_, used))| *used)
                .map(|(key, _)| *key);
            if let Some((old, _)) = oldest.and_then(|key| held.pages.remove(&key)) {
                held.bytes -= old.bytes();
            }
        }
    }
}
