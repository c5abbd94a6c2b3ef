//! Tests of batches of several view groups: identical for any number of workers and after a resume, with the first two
//! views identical to those without the others.

use std::sync::Arc;

use barlow_augment::{Normalization, RgbImage8, ViewConfig, ViewGroup, ViewPreset, Views, ViewsConfig};
use barlow_data::{BadImages, HostBatch, LoaderConfig, MemorySet, ViewLoader};
use burn::tensor::Tensor;
use burn_flex::Flex;

const CONFIG: LoaderConfig = LoaderConfig {
    batch_size: 6,
    workers: 2,
    queue: 1,
    seed: 17,
    drop_last: false,
    bad_images: BadImages::Error,
};

/// Views a and b of a preset.
fn two(preset: ViewPreset, size: usize) -> Vec<ViewGroup> {
    ViewsConfig {
        preset,
        size,
        ..Default::default()
    }
    .groups()
}

/// [`two`] with three views of another size.
fn three(preset: ViewPreset, size: usize) -> Vec<ViewGroup> {
    let small = ViewGroup {
        name: "small".into(),
        count: 3,
        size: 10,
        view: ViewConfig {
            crop_scale: [0.05, 0.4],
            ..ViewConfig::default()
        },
    };
    [two(preset, size), vec![small]].concat()
}

fn loader(groups: &[ViewGroup], workers: usize) -> ViewLoader {
    let image = |seed: usize| {
        let value = |x, y, c: usize| ((x * 7 + y * 5 + c * 89 + x * y / 3 + seed * 53) % 256) as u8;
        RgbImage8::from_fn(40 + seed % 7, 31 + seed % 5, |x, y| [0, 1, 2].map(|c| value(x, y, c))).into()
    };
    let set = MemorySet::new((0..20).map(image).collect(), None, Vec::new());
    let views = Views::new(groups, Normalization::imagenet()).unwrap();
    ViewLoader::new(Arc::new(set), views, LoaderConfig { workers, ..CONFIG }).unwrap()
}

fn batches(loader: &ViewLoader, epoch: u64, first_step: usize) -> Vec<HostBatch> {
    loader.epoch(epoch, first_step).map(Result::unwrap).collect()
}

/// FNV-1a of the pixels of views a and b and the numbers of the images of two epochs.
fn hash(loader: &ViewLoader) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |bytes: &[u8]| {
        for &byte in bytes {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    };
    for batch in [batches(loader, 0, 0), batches(loader, 1, 0)].concat() {
        for value in batch.views[..2].iter().flat_map(|view| &view.pixels) {
            add(&value.to_bits().to_le_bytes());
        }
        for &index in &batch.indices {
            add(&(index as u64).to_le_bytes());
        }
    }
    hash
}

/// A checkpoint of an older version must resume with the same pixels: these numbers were computed before groups existed.
#[test]
fn the_two_official_views_are_those_of_every_version() {
    for (preset, size, expected) in [
        (ViewPreset::Imagenet, 24, 0x4c3e_10f3_070a_3ee9),
        (ViewPreset::Cifar, 16, 0x7663_51c8_7d60_1d74),
    ] {
        for workers in [0, 3] {
            let with = |groups: &[ViewGroup]| hash(&loader(groups, workers));
            assert_eq!(with(&two(preset, size)), expected, "{preset:?}, {workers} workers");
            assert_eq!(with(&three(preset, size)), expected, "{preset:?}, {workers} workers");
        }
    }
}

#[test]
fn all_groups_are_the_same_for_any_number_of_workers() {
    let groups = three(ViewPreset::Imagenet, 16);
    let expected = batches(&loader(&groups, 0), 4, 0);
    assert_eq!(expected.iter().map(|batch| batch.n).collect::<Vec<_>>(), [6, 6, 6, 2]);
    for workers in [1, 2, 7] {
        assert!(
            batches(&loader(&groups, workers), 4, 0) == expected,
            "{workers} workers"
        );
    }
    for batch in &expected {
        let views = batch
            .views
            .iter()
            .map(|view| (view.size, view.group, view.pixels.len()));
        let (large, small) = (batch.n * 768, batch.n * 300);
        assert_eq!(
            views.collect::<Vec<_>>(),
            [
                (16, 0, large),
                (16, 1, large),
                (10, 2, small),
                (10, 2, small),
                (10, 2, small)
            ]
        );
        for (number, view) in batch.views.iter().enumerate() {
            assert!(
                batch.views[..number].iter().all(|other| other.pixels != view.pixels),
                "view {number}"
            );
        }
    }
}

#[test]
fn each_row_holds_the_views_of_its_image() {
    let groups = three(ViewPreset::Imagenet, 16);
    let views = Views::new(&groups, Normalization::imagenet()).unwrap();
    let loader = loader(&groups, 2);
    for batch in batches(&loader, 4, 0) {
        for (row, &index) in batch.indices.iter().enumerate() {
            let mut expected: Vec<Vec<f32>> = (0..views.len()).map(|view| vec![0.0; views.values(view)]).collect();
            let mut outputs: Vec<&mut [f32]> = expected.iter_mut().map(Vec::as_mut_slice).collect();
            let image = loader.source().image(index).unwrap();
            views.apply(&image, CONFIG.seed, 4, index as u64, &mut outputs);
            for (view, expected) in batch.views.iter().zip(expected) {
                assert!(view.pixels[row * expected.len()..][..expected.len()] == expected);
            }
        }
    }
}

#[test]
fn an_epoch_resumed_in_the_middle_has_the_same_views() {
    let groups = three(ViewPreset::Imagenet, 16);
    let whole = batches(&loader(&groups, 2), 5, 0);
    for workers in [0, 1, 3] {
        for first_step in 0..=4 {
            assert!(
                batches(&loader(&groups, workers), 5, first_step) == whole[first_step..],
                "{workers} workers, from step {first_step}"
            );
        }
    }
}

#[test]
fn every_view_goes_to_the_device_in_its_own_shape() {
    let batch = batches(&loader(&three(ViewPreset::Imagenet, 16), 2), 0, 0).remove(0);
    let values = |tensor: Tensor<Flex, 4>| tensor.into_data().to_vec::<f32>().unwrap();
    let rows = batch.rows_to_device::<Flex>(3, 2..5, &Default::default());
    assert_eq!(rows.dims(), [3, 3, 10, 10]);
    assert_eq!(values(rows), batch.views[3].pixels[2 * 300..5 * 300]);
    let on_device = batch.clone().to_device::<Flex>(&Default::default());
    let sizes: Vec<[usize; 4]> = on_device.views.iter().map(Tensor::dims).collect();
    assert_eq!(sizes, [16, 16, 10, 10, 10].map(|size| [6, 3, size, size]));
    for (tensor, view) in on_device.views.into_iter().zip(&batch.views) {
        assert_eq!(values(tensor), view.pixels);
    }
    assert_eq!((on_device.labels, on_device.indices), (batch.labels, batch.indices));
}
