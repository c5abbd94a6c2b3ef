//! Reading of one tar for its index: headers and labels, no image.
//!
//! Members of a sample usually follow each other. Where they do not, labels are matched to images by key at the end.
//! This file must not know other shards, nor number classes.

use std::collections::HashMap;
use std::fs::File;
use std::io;

use super::groups::{Parts, Role};
use super::header::Kind;
use super::label::{Label, LabelKind, MAX_LABEL_FILE_BYTES, label};
use super::members::{Bytes, FileBytes, Member, Stop, for_each_member, shortened};
use super::{TarFault, TarIndex};
use crate::read::MAX_FILE_BYTES;
use crate::shards::{LabelTexts, NO_LABEL};

/// Most members of one key that are held at once.
const MAX_SAMPLE: usize = 1024;

/// Most different texts of `.txt` members; more are captions.
const MAX_TXT_LABELS: usize = 50_000;

/// Kinds of other members that are counted apart.
const MAX_OTHERS: usize = 16;

/// The index of a tar in memory.
#[must_use]
pub fn index_tar(mut bytes: &[u8]) -> TarIndex {
    index(&mut bytes).expect("memory is always readable")
}

/// The index of a tar on disk of `len` bytes.
pub(super) fn index_file(file: &File, len: u64) -> io::Result<TarIndex> {
    index(&mut FileBytes::new(file, len))
}

fn index<B: Bytes>(bytes: &mut B) -> io::Result<TarIndex> {
    let mut builder = Builder::default();
    match for_each_member(bytes, &mut |bytes, member| builder.member(bytes, member)) {
        Ok(()) => {}
        Err(Stop::Io(error)) => return Err(error),
        Err(Stop::Fault(fault, at)) => builder.index.fault(fault, || at),
    }
    Ok(builder.finish())
}

/// What is known of the label of an image.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    Number(u32),
    Bad,
}

#[derive(Default)]
struct Builder {
    index: TarIndex,
    labels: LabelTexts,
    txts: LabelTexts,
    /// Whether each number is of a `.txt`, and its number there.
    numbers: Vec<(u32, bool)>,
    by_text: HashMap<(u32, bool), u32>,
    sample: Sample,
    /// Labels whose key had no image when its sample ended.
    orphans: Vec<(Vec<u8>, LabelKind, Known)>,
}

/// The members of the current key.
#[derive(Default)]
struct Sample {
    key: Vec<u8>,
    images: Vec<Image>,
    labels: Vec<(Vec<u8>, LabelKind, Known)>,
}

struct Image {
    name: Vec<u8>,
    stem: usize,
    offset: u64,
    size: u32,
}

impl Builder {
    fn member<B: Bytes>(&mut self, bytes: &mut B, member: Member) -> Result<(), Stop> {
        if member.kind == Kind::Folder {
            return Ok(());
        }
        let parts = Parts::of(&member.name);
        if parts.role == Role::Ignored {
            return Ok(());
        }
        let held = self.sample.images.len() + self.sample.labels.len();
        if parts.key != self.sample.key || held >= MAX_SAMPLE {
            self.end_sample();
            self.sample.key = parts.key.to_vec();
        }
        match parts.role {
            Role::Image if member.kind != Kind::File || member.size > MAX_FILE_BYTES => {
                self.index.fault(TarFault::NotPlain, || lossy(parts.name));
            }
            Role::Image => self.sample.images.push(Image {
                name: parts.name.to_vec(),
                stem: parts.stem.len(),
                offset: member.offset,
                size: member.size as u32,
            }),
            Role::Label(kind) => {
                let known = match label_of(bytes, kind, &member)? {
                    _ if kind == LabelKind::Txt && self.index.has_captions => None,
                    Label::None => None,
                    Label::Caption => {
                        self.index.has_captions = true;
                        None
                    }
                    Label::Bad => Some(Known::Bad),
                    Label::Text(text) => match self.number(&text, kind) {
                        Some(number) => Some(Known::Number(number)),
                        None if kind == LabelKind::Txt => {
                            self.index.has_captions = true;
                            None
                        }
                        None => Some(Known::Bad),
                    },
                };
                if let Some(known) = known {
                    self.sample.labels.push((parts.stem.to_vec(), kind, known));
                }
            }
            Role::Other | Role::Ignored => self.other(parts.extension, parts.name),
        }
        Ok(())
    }

    fn other(&mut self, extension: &[u8], name: &[u8]) {
        let extension = shortened(&String::from_utf8_lossy(extension)).to_lowercase();
        let others = &mut self.index.others;
        match others.iter().position(|(known, ..)| *known == extension) {
            Some(place) => others[place].1 += 1,
            None if others.len() < MAX_OTHERS => others.push((extension, 1, lossy(name))),
            None => others[MAX_OTHERS - 1].1 += 1,
        }
    }

    /// The number of a label in this tar.
    fn number(&mut self, text: &str, kind: LabelKind) -> Option<u32> {
        let is_text = TarIndex::is_text(kind);
        let texts = if is_text { &mut self.txts } else { &mut self.labels };
        let number = texts.number(text)?;
        if is_text && number as usize >= MAX_TXT_LABELS {
            return None;
        }
        let next = self.numbers.len() as u32;
        let place = *self.by_text.entry((number, is_text)).or_insert(next);
        if place == next {
            self.numbers.push((number, is_text));
        }
        Some(place)
    }

    /// Adds the images of the current key, each with its label.
    fn end_sample(&mut self) {
        let Sample { key, images, labels } = std::mem::take(&mut self.sample);
        let has_plain = images.iter().any(|image| image.stem == key.len());
        let mut taken: Option<Vec<u8>> = None;
        for image in &images {
            let is_plain = image.stem == key.len();
            if taken.as_ref().is_some_and(|taken| *taken == image.name) {
                self.index.fault(TarFault::Duplicate, || lossy(&image.name));
                continue;
            }
            // Next to KEY.jpg, KEY.png and KEY.mask.png are other pictures of the same thing.
            if has_plain && (!is_plain || taken.is_some()) {
                self.other(b"further images of a sample", &image.name);
                continue;
            }
            taken = Some(image.name.clone());
            let stem = &image.name[..image.stem];
            let of_stem = labels.iter().filter(|(of, ..)| of == stem);
            let of_key = labels.iter().filter(|(of, ..)| *of == key);
            let best = of_stem.min_by_key(|(_, kind, _)| *kind);
            let known = best
                .or_else(|| of_key.min_by_key(|(_, kind, _)| *kind))
                .map(|(.., known)| *known);
            self.add(image, known);
        }
        if images.is_empty() {
            let best = labels.into_iter().min_by_key(|(_, kind, _)| *kind);
            self.orphans.extend(best.map(|(_, kind, known)| (key, kind, known)));
        }
    }

    fn add(&mut self, image: &Image, known: Option<Known>) {
        let label = match known {
            Some(Known::Number(number)) => number,
            Some(Known::Bad) => {
                self.index.fault(TarFault::BadLabel, || lossy(&image.name));
                return;
            }
            None => NO_LABEL,
        };
        if !self.index.push(&image.name, image.offset, image.size, label) {
            self.index.fault(TarFault::NotPlain, || lossy(&image.name));
        }
    }

    fn finish(mut self) -> TarIndex {
        self.end_sample();
        for &(number, is_text) in &self.numbers {
            let texts = if is_text { &self.txts } else { &self.labels };
            self.index.texts.push(&texts.texts()[number as usize], is_text);
        }
        if !self.orphans.is_empty() {
            self.adopt();
        }
        self.without_duplicates();
        self.index.shrink();
        self.index
    }

    /// Gives labels that came before or after their images to these.
    fn adopt(&mut self) {
        let orphans = std::mem::take(&mut self.orphans);
        let mut by_key: HashMap<&[u8], Vec<usize>> = HashMap::with_capacity(orphans.len());
        for (place, (key, ..)) in orphans.iter().enumerate() {
            by_key.entry(key).or_default().push(place);
        }
        let mut is_used = vec![false; orphans.len()];
        let mut bad = Vec::new();
        for index in 0..self.index.len() {
            let key = Parts::of(self.index.raw_name(index)).key;
            let Some(places) = by_key.get(key) else {
                continue;
            };
            for &place in places {
                is_used[place] = true;
            }
            if self.index.labels[index] == NO_LABEL {
                let best = places.iter().min_by_key(|&&place| orphans[place].1);
                match best.map(|&place| orphans[place].2) {
                    Some(Known::Number(number)) => self.index.labels[index] = number,
                    Some(Known::Bad) => bad.push(index),
                    None => {}
                }
            }
        }
        for &index in &bad {
            let name = self.index.name(index);
            self.index.fault(TarFault::BadLabel, || shortened(&name));
        }
        self.index.retain(|index| bad.binary_search(&index).is_err());
        for ((key, kind, _), is_used) in orphans.iter().zip(is_used) {
            // A text file need not be a label.
            if !is_used && *kind == LabelKind::Txt {
                self.other(b"txt", key);
            } else if !is_used {
                self.index.fault(TarFault::NoImage, || lossy(key));
            }
        }
    }

    /// Of images of one name only the first is kept.
    fn without_duplicates(&mut self) {
        let index = &self.index;
        if (1..index.len()).all(|place| index.raw_name(place - 1) < index.raw_name(place)) {
            return;
        }
        let mut order: Vec<u32> = (0..index.len() as u32).collect();
        order.sort_by_key(|&place| (index.raw_name(place as usize), place));
        let same = order
            .windows(2)
            .filter(|two| index.raw_name(two[0] as usize) == index.raw_name(two[1] as usize));
        let mut repeated: Vec<usize> = same.map(|two| two[1] as usize).collect();
        repeated.sort_unstable();
        for &place in &repeated {
            let name = self.index.name(place);
            self.index.fault(TarFault::Duplicate, || shortened(&name));
        }
        if !repeated.is_empty() {
            self.index.retain(|place| repeated.binary_search(&place).is_err());
        }
    }
}

fn label_of<B: Bytes>(bytes: &mut B, kind: LabelKind, member: &Member) -> Result<Label, Stop> {
    if member.kind != Kind::File || member.size > MAX_LABEL_FILE_BYTES {
        return Ok(if kind == LabelKind::Txt {
            Label::Caption
        } else {
            Label::Bad
        });
    }
    Ok(label(kind, bytes.get(member.offset, member.size as usize)?))
}

fn lossy(name: &[u8]) -> String {
    shortened(&String::from_utf8_lossy(name))
}
