//! Tests of sets in memory: images, tensors and Burn datasets.

use crate::common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use barlow_augment::{Image8, PlanarImage8};
use barlow_data::{
    BadImages, DataError, DatasetSource, DecodedSet, ImageSource, MemorySet, SetError, SourceDataset, Subset,
};
use burn::tensor::{Int, Tensor, TensorData};
use burn_dataset::{Dataset, InMemDataset};
use burn_flex::Flex;
use common::image;

fn names(classes: &[&str]) -> Vec<String> {
    classes.iter().map(|&class| class.into()).collect()
}

fn floats(values: Vec<f32>, shape: [usize; 4]) -> Tensor<Flex, 4> {
    Tensor::from_data(TensorData::new(values, shape), &Default::default())
}

fn ints(values: Vec<i32>, shape: [usize; 4]) -> Tensor<Flex, 4, Int> {
    Tensor::from_data(TensorData::new(values, shape), &Default::default())
}

#[test]
fn images_in_memory_are_a_set() {
    let images: Vec<Image8> = (0..3).map(|seed| image(seed).into()).collect();
    let set = MemorySet::new(images.clone(), Some(vec![1, 0, 1]), names(&["ant", "bee"]));
    assert_eq!(
        (set.len(), set.channels(), set.classes()),
        (3, 3, &names(&["ant", "bee"])[..])
    );
    assert_eq!(
        (set.label(0), set.label(1), set.labels(2), set.name(2)),
        (Some(1), Some(0), vec![1], "#2".into())
    );
    assert_eq!(set.bytes(), (12 + 13 + 14) * 10 * 3);
    for (index, expected) in images.iter().enumerate() {
        assert_eq!(&*set.image(index).unwrap(), expected);
        assert_eq!(&set.get(index).unwrap().unwrap().image, expected);
    }
    assert!(set.get(3).is_none());
    let set = MemorySet::new(images, None, vec![]);
    assert_eq!((set.label(2), set.classes().len()), (None, 0));
}

#[test]
fn a_tensor_in_zero_to_one_is_rounded_to_bytes() {
    // 0.1 * 255 is 25.5 in exact numbers; as f32 it is 25.500000379.
    let values = vec![0.0, 1.0, 0.5, 0.1, 1.0 / 255.0, 0.001_9, 0.002, 0.999];
    let set = MemorySet::from_tensor(floats(values, [2, 1, 2, 2]), None, vec![]).unwrap();
    assert_eq!(
        (set.image(0).unwrap().pixels(), set.channels()),
        (&[0, 255, 128, 26][..], 1)
    );
    assert_eq!(set.image(1).unwrap().pixels(), [1, 0, 1, 255]);
    for bad in [1.001, -0.001, f32::NAN, f32::INFINITY] {
        let error = MemorySet::from_tensor(floats(vec![0.5, 0.5, 0.5, bad], [2, 2, 1, 1]), None, vec![]);
        let error = error.unwrap_err();
        assert!(
            matches!(&error, DataError::Set(SetError::Value { index: 1, .. })),
            "{error}"
        );
        assert!(error.to_string().contains("[0, 1]"), "{error}");
    }
}

#[test]
fn planes_of_three_channels_become_rgb() {
    let values: Vec<i32> = (0..12).map(|v| v * 20).collect();
    let set = MemorySet::from_int_tensor(ints(values.clone(), [1, 3, 2, 2]), Some(vec![0]), names(&["only"])).unwrap();
    let rgb = set.image(0).unwrap();
    assert!(matches!(&*rgb, Image8::Rgb(rgb) if rgb.pixel(1, 0) == [20, 100, 180]));
    let floats = floats(values.iter().map(|&v| v as f32 / 255.0).collect(), [1, 3, 2, 2]);
    assert_eq!(
        MemorySet::from_tensor(floats, None, vec![]).unwrap().image(0).unwrap(),
        rgb
    );
    for bad in [256, -1] {
        let error = MemorySet::from_int_tensor(ints(vec![bad], [1, 1, 1, 1]), None, vec![]).unwrap_err();
        assert!(
            error.to_string().contains(&bad.to_string()) && error.to_string().contains("0..=255"),
            "{error}"
        );
    }
}

#[test]
#[should_panic(expected = "image 0 has 3 channels and image 1 has 1")]
fn images_of_different_channels_panic_with_both() {
    let _ = MemorySet::new(
        vec![image(0).into(), PlanarImage8::new(1, 1, 1, vec![0]).into()],
        None,
        vec![],
    );
}

#[test]
#[should_panic(expected = "labels given, and images given")]
fn labels_of_another_number_panic() {
    let _ = MemorySet::new(vec![image(0).into()], Some(vec![0, 0]), names(&["ant"]));
}

#[test]
#[should_panic(expected = "label Some(2) of a set of 2 classes")]
fn a_label_that_is_no_class_panics() {
    let _ = MemorySet::new(vec![image(0).into()], Some(vec![2]), names(&["ant", "bee"]));
}

/// Items that are a seed and a label; every conversion is counted.
fn source(count: &AtomicUsize) -> impl ImageSource + Dataset<Result<barlow_data::LabelledImage, DataError>> + '_ {
    let dataset = InMemDataset::new((0..6_usize).map(|seed| (seed, seed % 2)).collect());
    DatasetSource::new(dataset, 3, |(seed, label): (usize, usize)| {
        count.fetch_add(1, Ordering::Relaxed);
        Ok((image(seed).into(), Some(label)))
    })
    .with_labels(vec![0, 1, 0, 1, 0, 1], names(&["ant", "bee"]))
}

#[test]
fn a_burn_dataset_is_a_source_and_its_labels_cost_no_conversion() {
    let count = AtomicUsize::new(0);
    let source = source(&count);
    let labels: Vec<_> = (0..ImageSource::len(&source))
        .map(|index| source.label(index))
        .collect();
    assert_eq!(labels, [0, 1, 0, 1, 0, 1].map(Some));
    assert_eq!(count.load(Ordering::Relaxed), 0);
    assert_eq!(source.image(4).unwrap().pixels(), image(4).pixels());
    assert_eq!(count.load(Ordering::Relaxed), 1);
    let item = source.get(5).unwrap().unwrap();
    assert_eq!(
        (item.image.pixels(), item.label, item.index),
        (image(5).pixels(), Some(1), 5)
    );
    assert!(source.get(6).is_none());
}

#[test]
fn labels_of_the_items_are_taken_in_one_pass_and_checked() {
    let make = |labels: Vec<Option<usize>>| {
        DatasetSource::new(InMemDataset::new(labels), 3, |label: Option<usize>| {
            Ok((image(0).into(), label))
        })
    };
    let set = make(vec![Some(1), Some(0)]);
    assert_eq!((set.label(0), set.classes().len()), (None, 0));
    let set = set.with_labels_of_items(names(&["ant", "bee"])).unwrap();
    assert_eq!((set.label(0), set.label(1)), (Some(1), Some(0)));
    for (label, text) in [(None, "no label"), (Some(2), "label 2")] {
        let error = make(vec![Some(0), label])
            .with_labels_of_items(names(&["ant", "bee"]))
            .err()
            .unwrap()
            .to_string();
        assert!(
            error.contains("item 1") && error.contains(text) && error.contains("2 classes"),
            "{error}"
        );
    }
    let error = make(vec![Some(1)])
        .with_labels(vec![0], names(&["ant", "bee"]))
        .image(0)
        .unwrap_err();
    assert!(
        matches!(error, DataError::Set(SetError::ItemLabel { index: 0, .. })),
        "{error}"
    );
}

#[test]
fn items_that_fail_or_are_not_there_are_errors_that_name_them() {
    /// Reports a length of 3, but has 2 items.
    struct Liar;
    impl Dataset<usize> for Liar {
        fn get(&self, index: usize) -> Option<usize> {
            (index < 2).then_some(index)
        }
        fn len(&self) -> usize {
            3
        }
    }
    let convert = |index| {
        if index == 1 {
            Err("two\nlines".into())
        } else {
            Ok((image(index).into(), None))
        }
    };
    let source = DatasetSource::new(Liar, 3, convert);
    assert!(source.image(0).is_ok());
    let error = source.image(1).unwrap_err();
    assert!(error.is_bad_image() && error.to_string().contains("item 1"), "{error}");
    assert!(!error.to_string().contains('\n'), "{error}");
    let error = source.image(2).unwrap_err();
    assert!(
        matches!(error, DataError::Set(SetError::NoItem { index: 2, len: 3 })),
        "{error}"
    );
    // A failed conversion can be skipped, a wrong length cannot.
    assert!(!error.is_bad_image());
    let grey = DatasetSource::new(Liar, 2, |_| Ok((PlanarImage8::new(5, 1, 1, vec![0; 5]).into(), None)));
    assert!(matches!(grey.image(0), Err(DataError::Set(SetError::Channels { .. }))));
    let rgb = DatasetSource::new(Liar, 3, |_| Ok((PlanarImage8::new(1, 1, 1, vec![9]).into(), None)));
    assert_eq!(rgb.image(0).unwrap().pixels(), [9, 9, 9]);
}

#[test]
fn every_source_is_a_burn_dataset() {
    let dir = common::two_classes(2);
    let folder = common::source(&dir);
    let decoded = DecodedSet::load(&*folder, BadImages::Error, 1).unwrap();
    let subset = Subset::new(Arc::clone(&folder), vec![3, 1]);
    let wrapped = SourceDataset(Arc::clone(&folder));
    assert_eq!(
        (Dataset::len(&decoded), Dataset::len(&subset), wrapped.len()),
        (4, 2, 4)
    );
    assert_eq!(
        subset.get(0).unwrap().unwrap().image,
        wrapped.get(3).unwrap().unwrap().image
    );
    assert_eq!(decoded.get(3).unwrap().unwrap(), wrapped.get(3).unwrap().unwrap());
    assert!(wrapped.get(4).is_none() && subset.get(2).is_none() && decoded.get(4).is_none());
    // Burn's iterator goes over all of them.
    assert_eq!(
        wrapped
            .iter()
            .filter_map(Result::ok)
            .map(|item| item.index)
            .collect::<Vec<_>>(),
        [0, 1, 2, 3]
    );
}
