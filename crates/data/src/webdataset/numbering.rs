//! Labels of some tars to classes, and what of the tars is not used.
//!
//! This file must not read a tar.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::TarIndex;
use super::indexing::Indexed;
use super::tar_index::TarLabels;
use crate::shards::{LabelTexts, LeftOuts, NO_LABEL, classes_of};
use crate::split_names::role_of;
use crate::{BadImages, DataError, ShardError};

/// So many different `.txt` labels are classes even if they are most of the images.
const FEW_LABELS: usize = 10;

/// Faults are errors, or counted; members of other kinds are counted either way.
pub(super) fn report(
    path: &Path,
    index: &TarIndex,
    bad_images: BadImages,
    left_out: &mut LeftOuts,
) -> Result<(), DataError> {
    for (fault, count, first) in index.faults() {
        if bad_images == BadImages::Error {
            return Err(ShardError::Fault {
                path: path.into(),
                fault: format!("{fault} ({first})"),
            }
            .into());
        }
        left_out.add(fault.reason(), count as usize, || {
            format!("{}: {first}", path.display())
        });
    }
    for (extension, count, first) in &index.others {
        let reason = match extension.as_str() {
            "" => "members without an extension".to_owned(),
            "further images of a sample" => extension.clone(),
            _ => format!("members of the kind .{extension}"),
        };
        left_out.add(&reason, *count as usize, || format!("{}: {first}", path.display()));
    }
    Ok(())
}

/// Turns the labels of the indexes into classes, and returns these; empty if the set has no labels.
pub(super) fn number(
    indexes: &mut [Indexed],
    names: Option<&(Vec<String>, PathBuf)>,
    left_out: &mut LeftOuts,
) -> Result<Vec<String>, DataError> {
    let has_labels = indexes
        .iter()
        .any(|(_, index)| index.texts.iter().any(|(_, is_text)| !is_text));
    let mut texts = LabelTexts::default();
    let mut maps: Vec<Vec<u32>> = Vec::with_capacity(indexes.len());
    for (_, index) in indexes.iter() {
        let number = |(text, is_text): (&str, bool)| match is_text && has_labels {
            true => NO_LABEL,
            false => texts.number(text).unwrap_or(NO_LABEL),
        };
        maps.push(index.texts.iter().map(number).collect());
    }
    let images: usize = indexes.iter().map(|(_, index)| index.len()).sum();
    let is_number = |text: &String| text.parse::<u64>().is_ok();
    let distinct = texts.texts().len();
    let are_classes = has_labels
        || (!indexes.iter().any(|(_, index)| index.has_captions)
            && (texts.texts().iter().all(is_number) || distinct <= FEW_LABELS.max(images / 2)));
    let has_texts = |index: &TarIndex| index.has_captions || index.texts.iter().any(|(_, is_text)| is_text);
    if has_labels || !are_classes {
        let captioned = indexes.iter().filter(|(_, index)| has_texts(index));
        let (count, first) = (captioned.clone().count(), captioned.clone().next());
        if let Some((_, index)) = first.filter(|(_, index)| !index.is_empty()) {
            left_out.add("shards whose .txt members are captions and not used", count, || {
                format!("that of {}", index.name(0))
            });
        }
    }
    if !are_classes {
        texts = LabelTexts::default();
    }
    let labels = classes_of(
        texts.texts(),
        names.map(|(names, path)| (names.as_slice(), path.as_path())),
    )?;
    let classes = if texts.texts().is_empty() {
        Vec::new()
    } else {
        labels.classes
    };
    for ((_, index), map) in indexes.iter_mut().zip(maps) {
        let class = |label: u32| match map.get(label as usize) {
            Some(&text) if are_classes => labels.class_of_text.get(text as usize).copied().unwrap_or(NO_LABEL),
            _ => NO_LABEL,
        };
        index.labels.iter_mut().for_each(|label| *label = class(*label));
        index.texts = TarLabels::default();
        index.faults = BTreeMap::new();
        index.others = Vec::new();
    }
    Ok(classes)
}

/// Of a set with labels, images without one are an error, or counted and dropped.
pub(super) fn drop_unlabelled(
    path: &Path,
    index: &mut TarIndex,
    bad_images: BadImages,
    left_out: &mut LeftOuts,
) -> Result<(), DataError> {
    let is_labelled = |label: &&u32| **label != NO_LABEL;
    let unlabelled = index.len() - index.labels.iter().filter(is_labelled).count();
    let Some(first) = index.labels.iter().position(|&label| label == NO_LABEL) else {
        return Ok(());
    };
    let first = index.name(first);
    if bad_images == BadImages::Error {
        return Err(ShardError::Fault {
            path: path.into(),
            fault: format!("{first} has no label, and other images have one"),
        }
        .into());
    }
    left_out.add("images without a label among others with one", unlabelled, || {
        format!("{}: {first}", path.display())
    });
    let labels = index.labels.clone();
    index.retain(|place| labels[place] != NO_LABEL);
    Ok(())
}

/// Refuses a tar of a folder with splits: its test images must not become training images.
pub(super) fn check_folders(path: &Path, index: &TarIndex) -> Result<(), DataError> {
    let mut first: Option<String> = None;
    for image in 0..index.len() {
        let name = index.raw_name(image);
        let Some(folder) = name.split(|&byte| byte == b'/').rev().skip(1).find_map(split_folder) else {
            continue;
        };
        match &first {
            Some(first) if first.as_str() != folder => {
                let reason = format!(
                    "it holds the splits {first}/ and {folder}/ of one set; unpack it and pass the folder, or write a tar of \
                     each"
                );
                let path = path.into();
                return Err(ShardError::Unusable { path, reason }.into());
            }
            Some(_) => {}
            None => first = Some(folder.to_owned()),
        }
    }
    Ok(())
}

/// A folder in a tar that is named as a split.
fn split_folder(name: &[u8]) -> Option<&str> {
    let name = std::str::from_utf8(name).ok()?;
    let is_split = role_of(OsStr::new(name)).is_some_and(|role| role.is_plain());
    is_split.then_some(name)
}

/// Says that folders in the tars of a set without labels are not its classes.
pub(super) fn note_folders(paths: &[PathBuf], indexes: &[Indexed], left_out: &mut LeftOuts) {
    let folder = |name: &[u8]| name.iter().rposition(|&byte| byte == b'/');
    for (path, (_, index)) in paths.iter().zip(indexes) {
        let (mut before, mut changes) = (None, 0);
        for image in 0..index.len() {
            let name = index.raw_name(image);
            let this = folder(name).map(|end| &name[..end]);
            changes += usize::from(this.is_some() && this != before);
            before = this.or(before);
        }
        if changes > 1 {
            left_out.add(
                "folders in the shards, whose names are not taken for classes (unpack the shards for that)",
                changes,
                || format!("{}: {}", path.display(), index.name(0)),
            );
        }
    }
}
