//! [`TarIndex`], what one tar holds: names, places and labels of its images, some 50 bytes an image.

use std::collections::BTreeMap;

use super::TarFault;
use super::header::BLOCK;
use super::label::LabelKind;
use crate::shards::NO_LABEL;

/// The images of one tar in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TarIndex {
    /// Names one after the other.
    pub(super) names: Vec<u8>,
    /// Where each name ends.
    pub(super) ends: Vec<u32>,
    /// Where each image begins, in blocks of 512 bytes.
    pub(super) blocks: Vec<u32>,
    /// Size of each image in bytes.
    pub(super) sizes: Vec<u32>,
    /// Label of each image, a number of `texts`.
    pub(super) labels: Vec<u32>,
    /// Distinct labels, and whether each comes from a `.txt`, which may be a caption.
    pub(super) texts: TarLabels,
    /// Whether some `.txt` is no class name.
    pub(super) has_captions: bool,
    /// What is wrong with it: how often, and the first case.
    pub(super) faults: BTreeMap<TarFault, (u64, String)>,
    /// Members that are neither images nor labels: their extension, how many, the first one.
    pub(super) others: Vec<(String, u64, String)>,
}

/// Label texts one after the other: a shard of a shuffled set has as many as it has images.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct TarLabels {
    text: String,
    ends: Vec<u32>,
    are_texts: Vec<bool>,
}

impl TarLabels {
    pub(super) fn push(&mut self, text: &str, is_text: bool) {
        self.text.push_str(text);
        self.ends.push(self.text.len() as u32);
        self.are_texts.push(is_text);
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn get(&self, index: usize) -> (&str, bool) {
        let start = if index == 0 { 0 } else { self.ends[index - 1] as usize };
        (&self.text[start..self.ends[index] as usize], self.are_texts[index])
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, bool)> {
        (0..self.len()).map(|index| self.get(index))
    }
}

impl TarIndex {
    /// Number of images.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are no images.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Name of image `index` as in the tar, with replacement characters for what is not Unicode and for control characters:
    /// it goes into messages of one line.
    ///
    /// # Panics
    /// If `index >= len`.
    #[must_use]
    pub fn name(&self, index: usize) -> String {
        String::from_utf8_lossy(self.raw_name(index)).replace(char::is_control, "\u{FFFD}")
    }

    /// Where image `index` begins in the tar, and its size, both in bytes.
    ///
    /// # Panics
    /// If `index >= len`.
    #[must_use]
    pub fn range(&self, index: usize) -> (u64, usize) {
        (u64::from(self.blocks[index]) * BLOCK as u64, self.sizes[index] as usize)
    }

    /// Label of image `index` as the tar gives it: a number or a name.
    ///
    /// # Panics
    /// If `index >= len`.
    #[must_use]
    pub fn label(&self, index: usize) -> Option<&str> {
        let label = self.labels[index];
        (label != NO_LABEL).then(|| self.texts.get(label as usize).0)
    }

    /// What is wrong with the tar: each kind with how often it occurs and the name of the first case.
    pub fn faults(&self) -> impl Iterator<Item = (TarFault, u64, &str)> {
        self.faults
            .iter()
            .map(|(fault, (count, first))| (*fault, *count, first.as_str()))
    }

    pub(super) fn raw_name(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] as usize };
        &self.names[start..self.ends[index] as usize]
    }

    /// Adds an image; `false`, and nothing is added, if the tar is too large for the index (2 TiB, or 4 GiB of names).
    pub(super) fn push(&mut self, name: &[u8], offset: u64, size: u32, label: u32) -> bool {
        let block = u32::try_from(offset / BLOCK as u64);
        let (Ok(end), Ok(block)) = (u32::try_from(self.names.len() + name.len()), block) else {
            return false;
        };
        self.names.extend_from_slice(name);
        self.ends.push(end);
        self.blocks.push(block);
        self.sizes.push(size);
        self.labels.push(label);
        true
    }

    pub(super) fn fault(&mut self, fault: TarFault, first: impl FnOnce() -> String) {
        self.faults.entry(fault).or_insert_with(|| (0, first())).0 += 1;
    }

    /// Keeps the images for which `keep` returns true, in place.
    pub(super) fn retain(&mut self, keep: impl Fn(usize) -> bool) {
        let (mut kept, mut end) = (0, 0_usize);
        let mut start = 0_usize;
        for index in 0..self.len() {
            let old_end = self.ends[index] as usize;
            if keep(index) {
                self.names.copy_within(start..old_end, end);
                end += old_end - start;
                self.ends[kept] = end as u32;
                self.blocks[kept] = self.blocks[index];
                self.sizes[kept] = self.sizes[index];
                self.labels[kept] = self.labels[index];
                kept += 1;
            }
            start = old_end;
        }
        self.names.truncate(end);
        for list in [&mut self.ends, &mut self.blocks, &mut self.sizes, &mut self.labels] {
            list.truncate(kept);
        }
        self.shrink();
    }

    pub(super) fn shrink(&mut self) {
        self.texts.text.shrink_to_fit();
        self.texts.ends.shrink_to_fit();
        self.texts.are_texts.shrink_to_fit();
        self.names.shrink_to_fit();
        for list in [&mut self.ends, &mut self.blocks, &mut self.sizes, &mut self.labels] {
            list.shrink_to_fit();
        }
    }

    /// Whether a kind of label may be a caption.
    pub(super) fn is_text(kind: LabelKind) -> bool {
        kind == LabelKind::Txt
    }
}
