//! Tests of sets in memory, channel statistics and evaluation pixels.

use crate::common;

use std::sync::Arc;

use barlow_augment::{EvalTransform, Normalization, RgbImage8, encode_png};
use barlow_data::{BadImages, DataError, DecodedSet, ImageFolder, ImageSource, channel_statistics, eval_pixels};
use common::{add_hostile_files, image, two_classes, write};

#[test]
fn a_decoded_set_is_the_folder_in_memory() {
    let dir = two_classes(3);
    let folder = ImageFolder::open(dir.path(), 3).unwrap();
    for threads in [0, 1, 4] {
        let set = DecodedSet::load(&folder, BadImages::Error, threads).unwrap();
        assert_eq!(
            (set.len(), set.classes(), set.skipped().count),
            (6, folder.classes(), 0)
        );
        for index in 0..6 {
            assert_eq!(set.image(index).unwrap().pixels(), image(index).pixels());
            assert_eq!(
                (set.label(index), set.name(index)),
                (folder.label(index), folder.name(index))
            );
        }
        // Widths 12, 13, 14 twice, 10 rows, 3 bytes.
        assert_eq!(set.bytes(), 2 * (12 + 13 + 14) * 10 * 3);
    }
    let size = 2340;
    assert!(
        DecodedSet::load_within(&folder, BadImages::Error, 2, size)
            .unwrap()
            .is_some()
    );
    assert!(
        DecodedSet::load_within(&folder, BadImages::Error, 2, size - 1)
            .unwrap()
            .is_none()
    );
}

#[test]
fn a_decoded_set_drops_bad_images_or_names_the_first() {
    let dir = two_classes(3);
    let [cut, ..] = add_hostile_files(dir.path());
    let folder = ImageFolder::open(dir.path(), 3).unwrap();
    let error = DecodedSet::load(&folder, BadImages::Error, 3).unwrap_err();
    assert_eq!(error.path(), Some(cut.as_path()));
    let set = DecodedSet::load(&folder, BadImages::Skip, 3).unwrap();
    assert_eq!((set.len(), set.skipped().count), (6, 3));
    assert_eq!((set.name(0), set.label(5)), ("ant/000.png".to_owned(), Some(1)));
    assert!(set.skipped().first.as_ref().unwrap().contains("a_cut.jpg"));
    let hostile = tempfile::tempdir().unwrap();
    add_hostile_files(hostile.path());
    let hostile = ImageFolder::open(hostile.path(), 3).unwrap();
    assert!(matches!(
        DecodedSet::load(&hostile, BadImages::Skip, 1),
        Err(DataError::AllBad { count: 3, .. })
    ));
}

#[test]
fn statistics_are_those_of_all_pixels() {
    let dir = tempfile::tempdir().unwrap();
    // Red: 0 in one image of 4 pixels, 255 in one of 12, so mean 3/4 and deviation sqrt(3/16). Green is the same
    // everywhere. Blue: 51 and 102, i.e. 0.2 and 0.4 in the same shares.
    let flat = |width, height, rgb| encode_png(&RgbImage8::from_fn(width, height, |_, _| rgb)).unwrap();
    write(dir.path(), "a.png", &flat(2, 2, [0, 128, 51]));
    write(dir.path(), "b.png", &flat(4, 3, [255, 128, 102]));
    let set = ImageFolder::open(dir.path(), 3).unwrap();
    let Normalization { mean, std } = channel_statistics(&set, BadImages::Error).unwrap();
    let close = |a: &[f32], b: [f64; 3]| a.iter().zip(b).all(|(a, b)| (f64::from(*a) - b).abs() < 1e-7);
    assert!(close(&mean, [0.75, 128.0 / 255.0, 0.35]), "{mean:?}");
    assert!(
        close(&std, [(3.0_f64 / 16.0).sqrt(), 1.0, 0.2 * (3.0_f64 / 16.0).sqrt()]),
        "{std:?}"
    );
    write(dir.path(), "c.png", b"");
    let set = ImageFolder::open(dir.path(), 3).unwrap();
    assert_eq!(
        channel_statistics(&set, BadImages::Skip).unwrap(),
        Normalization { mean, std }
    );
    assert!(channel_statistics(&set, BadImages::Error).unwrap_err().is_bad_image());
}

#[test]
fn statistics_of_grey_and_of_transparent_images_have_their_channels() {
    let dir = two_classes(2);
    for channels in [1, 4] {
        let set = ImageFolder::open(dir.path(), channels).unwrap();
        let statistics = channel_statistics(&set, BadImages::Error).unwrap();
        assert_eq!(statistics.channels(), channels);
        let image = set.image(0).unwrap();
        assert_eq!(image.channels(), channels);
    }
    // Opaque everywhere: alpha is constantly 1.
    let set = ImageFolder::open(dir.path(), 4).unwrap();
    let Normalization { mean, std } = channel_statistics(&set, BadImages::Error).unwrap();
    assert_eq!((mean[3], std[3]), (1.0, 1.0));
    let rgb = ImageFolder::open(dir.path(), 3).unwrap();
    assert_eq!(channel_statistics(&rgb, BadImages::Error).unwrap().mean, mean[..3]);
}

#[test]
fn evaluation_pixels_keep_the_order_of_the_set() {
    let dir = two_classes(4);
    let set = ImageFolder::open(dir.path(), 3).unwrap();
    let transform = EvalTransform::new(8, 6, Normalization::imagenet()).unwrap();
    let pixels = eval_pixels(&set, &transform, 2..7).unwrap();
    assert_eq!(pixels.len(), 5 * transform.values());
    for (row, index) in pixels.chunks_exact(transform.values()).zip(2..) {
        let mut expected = vec![0.0; transform.values()];
        transform.apply(&image(index).into(), &mut expected);
        assert_eq!(row, expected, "image {index}");
    }
    assert!(eval_pixels(&set, &transform, 3..3).unwrap().is_empty());
    add_hostile_files(dir.path());
    let set = ImageFolder::open(dir.path(), 3).unwrap();
    assert!(
        eval_pixels(&set, &transform, 0..set.len())
            .unwrap_err()
            .path()
            .unwrap()
            .ends_with("ant/a_cut.jpg")
    );
}

#[test]
#[should_panic(expected = "images 2..9 of a set of 8")]
fn a_range_outside_the_set_panics_with_both() {
    let dir = two_classes(4);
    let set: Arc<dyn ImageSource> = common::source(&dir);
    let _ = eval_pixels(
        &*set,
        &EvalTransform::new(8, 8, Normalization::imagenet()).unwrap(),
        2..9,
    );
}
