//! [`Names`], many file names in one buffer: a name costs its bytes and eight more.
//!
//! Names are stored as the system returns them, so one that is not Unicode still refers to its file. This file must not
//! know what the names refer to.

use std::ffi::OsStr;

use crate::path_names::sort_key;

/// Concatenated file names, accessed by index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Names {
    bytes: Vec<u8>,
    /// Where each name ends.
    ends: Vec<usize>,
}

impl Names {
    /// Adds a name; returns `false`, and adds nothing, if it cannot be stored (outside Unix: if it is not Unicode).
    pub(crate) fn push(&mut self, name: &OsStr) -> bool {
        let Some(bytes) = to_bytes(name) else {
            return false;
        };
        self.bytes.extend_from_slice(bytes);
        self.ends.push(self.bytes.len());
        true
    }

    /// Names from their lengths and their bytes; `None` if these do not match or are not names.
    pub(crate) fn from_parts(lengths: impl ExactSizeIterator<Item = usize>, bytes: &[u8]) -> Option<Self> {
        let mut ends = Vec::with_capacity(lengths.len());
        let mut end = 0_usize;
        for length in lengths {
            let start = end;
            end = end.checked_add(length)?;
            to_name(bytes.get(start..end)?)?;
            ends.push(end);
        }
        (end == bytes.len()).then(|| Self {
            bytes: bytes.to_vec(),
            ends,
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Name `index`.
    ///
    /// # Panics
    /// If `index >= len`.
    pub(crate) fn get(&self, index: usize) -> &OsStr {
        to_name(self.raw(index)).expect("only names go in")
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &OsStr> {
        (0..self.len()).map(|index| self.get(index))
    }

    /// The bytes of all names, without separators.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Length of each name in bytes.
    pub(crate) fn lengths(&self) -> impl ExactSizeIterator<Item = usize> {
        (0..self.len()).map(|index| self.raw(index).len())
    }

    /// The same names, sorted by the bytes of their composed forms, without excess capacity.
    pub(crate) fn sorted(self) -> Self {
        let mut order: Vec<usize>;
        if !self.bytes.is_ascii() {
            order = (0..self.len()).collect();
            order.sort_by_cached_key(|&index| {
                let key = sort_key(self.get(index)).into_owned();
                (key, self.raw(index).to_vec())
            });
        } else if (1..self.len()).all(|index| self.raw(index - 1) <= self.raw(index)) {
            let Self { mut bytes, mut ends } = self;
            bytes.shrink_to_fit();
            ends.shrink_to_fit();
            return Self { bytes, ends };
        } else {
            order = (0..self.len()).collect();
            order.sort_unstable_by_key(|&index| self.raw(index));
        }
        let mut sorted = Self {
            bytes: Vec::with_capacity(self.bytes.len()),
            ends: Vec::with_capacity(self.ends.len()),
        };
        for index in order {
            sorted.bytes.extend_from_slice(self.raw(index));
            sorted.ends.push(sorted.bytes.len());
        }
        sorted
    }

    fn raw(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.bytes[start..self.ends[index]]
    }
}

#[cfg(unix)]
pub(crate) fn to_bytes(name: &OsStr) -> Option<&[u8]> {
    Some(std::os::unix::ffi::OsStrExt::as_bytes(name))
}

#[cfg(not(unix))]
pub(crate) fn to_bytes(name: &OsStr) -> Option<&[u8]> {
    name.to_str().map(str::as_bytes)
}

#[cfg(unix)]
pub(crate) fn to_name(bytes: &[u8]) -> Option<&OsStr> {
    Some(std::os::unix::ffi::OsStrExt::from_bytes(bytes))
}

#[cfg(not(unix))]
pub(crate) fn to_name(bytes: &[u8]) -> Option<&OsStr> {
    std::str::from_utf8(bytes).ok().map(OsStr::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> Names {
        let mut names = Names::default();
        assert!(list.iter().all(|name| names.push(OsStr::new(name))));
        names
    }

    #[test]
    fn names_come_back_as_they_went_in_and_sort_byte_by_byte() {
        let list = names(&["b", "", "a10", "a9", "Z"]);
        assert_eq!(list.iter().collect::<Vec<_>>(), ["b", "", "a10", "a9", "Z"]);
        assert_eq!(list.sorted().iter().collect::<Vec<_>>(), ["", "Z", "a10", "a9", "b"]);
        assert!(Names::default().sorted().is_empty());
    }

    #[test]
    fn lengths_that_do_not_fit_the_letters_give_nothing() {
        let list = names(&["ab", "c"]);
        assert_eq!(Names::from_parts(list.lengths(), list.bytes()), Some(list));
        for lengths in [vec![2], vec![2, 2], vec![usize::MAX, 4], vec![]] {
            assert_eq!(
                Names::from_parts(lengths.clone().into_iter(), b"abc"),
                None,
                "{lengths:?}"
            );
        }
    }

    #[test]
    #[cfg(unix)]
    fn a_name_that_is_not_unicode_is_kept() {
        let name: &OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"\xFFx.png");
        let mut names = Names::default();
        assert!(names.push(name));
        assert_eq!(names.get(0), name);
    }
}
