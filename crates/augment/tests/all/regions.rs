//! Tests of decoding by regions: the pixels are those of the whole image, and what is refused does not depend on the box.

use crate::common;
use crate::pillow::cases;

use std::io::Cursor;

use barlow_augment::{CropBox, Image8, Normalization, Views, ViewsConfig};
use barlow_augment::{decode_channels, decode_region, draw_crop, keyed_rng, resize_bicubic};
use barlow_simd::Level;
use common::{smooth, with_orientation};

/// A box of any size and shape.
fn drawn(number: usize, width: usize, height: usize) -> CropBox {
    let rng = &mut keyed_rng(5, 0, number as u64, 0);
    draw_crop(rng, width, height, [0.001, 1.0], [0.1, 10.0])
}

/// A pixel in a corner, a column, a row, and boxes of any size.
fn boxes(number: usize, width: usize, height: usize) -> Vec<CropBox> {
    let cut = |left, top, width, height| CropBox {
        left,
        top,
        width,
        height,
    };
    let mut boxes = vec![
        cut(width - 1, height - 1, 1, 1),
        cut(number % width, 0, 1, height),
        cut(0, number % height, width, 1),
    ];
    boxes.extend((0..4).map(|turn| drawn(4 * number + turn, width, height)));
    boxes
}

/// The pixels of a box, by the resize that copies them.
fn cut(image: &Image8, part: CropBox) -> Image8 {
    resize_bicubic(image, part, part.width, part.height)
}

#[test]
fn a_region_of_any_file_has_the_pixels_of_the_whole_image() {
    let mut smaller = 0;
    for (number, case) in cases().into_iter().enumerate() {
        let channels = [3, 3, 3, 1, 4][number % 5];
        let name = &case.name;
        let whole = match decode_channels(&case.file, channels) {
            Ok(whole) => whole,
            Err(refused) => {
                let error = decode_region(&case.file, channels, &|_, _| drawn(number, 9, 9)).unwrap_err();
                assert_eq!(error.to_string(), refused.to_string(), "{name}");
                continue;
            }
        };
        let (width, height) = (whole.width(), whole.height());
        for (turn, wanted) in boxes(number, width, height).into_iter().enumerate() {
            let level = Level::ALL[(number + turn) % 3];
            let region = level.scope(|| {
                decode_region(&case.file, channels, &|w, h| {
                    assert_eq!((w, h), (width, height), "{name}");
                    wanted
                })
            });
            let region = region.unwrap_or_else(|error| panic!("{name}, {wanted:?}: {error}"));
            assert_eq!((region.width(), region.height()), (width, height), "{name}");
            assert!(
                cut(region.pixels(), region.within(wanted)) == cut(&whole, wanted),
                "{name}, {wanted:?} at {level:?}"
            );
            smaller += usize::from(region.part() != CropBox::whole(width, height));
        }
    }
    assert!(smaller > 2000, "{smaller} regions smaller than their images");
}

#[test]
fn every_file_has_the_same_pixels_at_every_level() {
    for case in cases().into_iter().filter(|case| case.name.ends_with(".jpg")) {
        let [first, others @ ..] = Level::ALL.map(|level| level.scope(|| decode_channels(&case.file, 3)).unwrap());
        assert!(others.into_iter().all(|other| other == first), "{}", case.name);
    }
}

/// Coefficients and quantisation of damaged files overflow: with that, too.
#[test]
fn damage_is_refused_whatever_the_region_is() {
    let (mut refused, mut accepted) = (0, 0);
    for (number, case) in cases().into_iter().enumerate().filter(|(number, _)| number % 2 == 0) {
        let mut file = case.file;
        for turn in 0..3 {
            let at = (101 * number + 59 * turn) % file.len();
            let old = std::mem::replace(&mut file[at], (67 * number + 83 * turn) as u8);
            let wanted = |width, height| drawn(3 * number + turn, width, height);
            match (decode_channels(&file, 3), decode_region(&file, 3, &wanted)) {
                (Ok(whole), Ok(region)) => {
                    let wanted = wanted(whole.width(), whole.height());
                    let same = cut(region.pixels(), region.within(wanted)) == cut(&whole, wanted);
                    assert!(same, "{}, byte {at}, {wanted:?}", case.name);
                    accepted += 1;
                }
                (Err(whole), Err(region)) => {
                    assert_eq!(region.to_string(), whole.to_string(), "{}, byte {at}", case.name);
                    refused += 1;
                }
                (whole, region) => panic!("{}, byte {at}: {whole:?}, but {region:?}", case.name),
            }
            file[at] = old;
        }
    }
    assert!(
        refused > 100 && accepted > 100,
        "{refused} refused, {accepted} accepted"
    );
}

/// A JPEG of several rows of units in both directions.
fn photo(width: usize, height: usize) -> Vec<u8> {
    let rgb = image::RgbImage::from_raw(width as u32, height as u32, smooth(width, height).into_pixels()).unwrap();
    let mut bytes = Cursor::new(Vec::new());
    rgb.write_to(&mut bytes, image::ImageFormat::Jpeg).unwrap();
    bytes.into_inner()
}

#[test]
fn views_of_a_region_are_those_of_the_whole_image() {
    let config = ViewsConfig {
        size: 24,
        ..Default::default()
    };
    let views = Views::new(&config.groups(), Normalization::imagenet()).unwrap();
    let file = photo(150, 110);
    let mut parts = 0;
    for orientation in 1..=8 {
        let file = with_orientation(&file, orientation);
        let whole = decode_channels(&file, 3).unwrap();
        for index in 0..6 {
            let region = decode_region(&file, 3, &|width, height| views.region(width, height, 1, 2, index)).unwrap();
            parts += usize::from(region.part().width < region.width() || region.part().height < region.height());
            let outputs = |write: &dyn Fn(&mut [&mut [f32]])| {
                let (mut a, mut b) = (vec![0.0; views.values(0)], vec![0.0; views.values(1)]);
                write(&mut [&mut a, &mut b]);
                (a, b)
            };
            let expected = outputs(&|outputs| views.apply(&whole, 1, 2, index, outputs));
            let actual = outputs(&|outputs| views.apply_region(&region, 1, 2, index, outputs));
            assert!(actual == expected, "orientation {orientation}, image {index}");
        }
    }
    assert!(parts > 20, "{parts} of 48 regions are not the whole image");
}

#[test]
fn damage_outside_of_the_region_is_refused() {
    let whole = photo(150, 110);
    let corner = |_, _| CropBox {
        left: 0,
        top: 0,
        width: 8,
        height: 8,
    };
    let start = whole.windows(2).position(|two| two == [0xFF, 0xDA]).unwrap() + 14;
    for cut in [start + (whole.len() - start) / 2, whole.len() - 10, whole.len() - 3] {
        let file = [&whole[..cut], &[0xFF, 0xD9]].concat();
        let error = decode_region(&file, 3, &corner).unwrap_err();
        assert_eq!(error.to_string(), decode_channels(&file, 3).unwrap_err().to_string());
    }
    assert_eq!(decode_region(&whole, 3, &corner).unwrap().pixels().bytes(), 3 * 8 * 8);
}

#[test]
#[should_panic(expected = "of a 40x30 image")]
fn a_box_outside_of_the_image_panics_with_both() {
    let _ = decode_region(&photo(40, 30), 3, &|width, height| CropBox::whole(width, height + 1));
}
