//! Golden tests of the point operations, the blur and the normalisation: byte-identical to Pillow and torchvision.
//! `tests/common/mod.rs` holds the Python that makes the images and the checksum.

use crate::common;

use barlow_augment::{Normalization, RgbImage8, RgbPlanes};
use common::{changed, changed_planes, check, formula, smooth};

/// `np.asarray(F.adjust_brightness(formula(3, 2), 1.3)).reshape(-1).tolist()`, and so on.
#[test]
fn small_images_are_pillows_value_by_value() {
    let image = formula(3, 2);
    type Operation = fn(RgbPlanes<'_>);
    let cases: [(&str, Operation, [u8; 18]); 6] = [
        // F.adjust_brightness(formula(3, 2), 1.3)
        (
            "brightness",
            |i| barlow_augment::brightness(i, 1.3),
            [
                0, 115, 231, 48, 163, 255, 96, 211, 255, 79, 195, 255, 144, 255, 42, 209, 255, 107,
            ],
        ),
        // F.adjust_contrast(formula(3, 2), 0.7)
        (
            "contrast",
            |i| barlow_augment::contrast(i, 0.7),
            [
                41, 103, 165, 67, 129, 191, 92, 155, 217, 83, 146, 208, 118, 181, 64, 153, 216, 99,
            ],
        ),
        // F.adjust_saturation(formula(3, 2), 1.2)
        (
            "saturation",
            |i| barlow_augment::saturation(i, 1.2),
            [
                0, 92, 199, 22, 129, 236, 59, 166, 255, 46, 153, 255, 102, 209, 8, 152, 255, 58,
            ],
        ),
        // F.adjust_hue(formula(3, 2), 0.07)
        (
            "hue",
            |i| barlow_augment::hue(i, 0.07),
            [
                0, 21, 178, 37, 58, 215, 74, 95, 252, 62, 83, 239, 45, 200, 34, 95, 250, 83,
            ],
        ),
        // ImageOps.solarize(formula(3, 2))
        (
            "solarize",
            barlow_augment::solarize,
            [0, 89, 77, 37, 126, 40, 74, 92, 3, 61, 105, 16, 111, 55, 33, 94, 5, 83],
        ),
        // formula(3, 2).convert("L").convert("RGB")
        (
            "greyscale",
            barlow_augment::greyscale,
            [
                73, 73, 73, 110, 110, 110, 147, 147, 147, 134, 134, 134, 154, 154, 154, 204, 204, 204,
            ],
        ),
    ];
    for (name, operation, expected) in cases {
        assert_eq!(changed(&image, operation).pixels(), expected, "{name}");
    }
}

/// `for f in (.6, 0, 1, 1.4, .8371): i = formula(41, 23); print(f, check(F.adjust_brightness(i, f)),
/// check(F.adjust_contrast(i, f)), check(F.adjust_saturation(i, f)))`
#[test]
fn brightness_contrast_and_saturation_are_pillows() {
    let image = formula(41, 23);
    for (factor, brightness, contrast, saturation) in [
        (0.6, 304579799, 507943965, 508826095),
        (0.0, 0, 508385445, 509464536),
        (1.0, 510339434, 510339434, 510339434),
        (1.4, 654007519, 509598064, 508568834),
        (0.8371, 425166040, 508050305, 507959316),
    ] {
        assert_eq!(
            check(&changed(&image, |i| barlow_augment::brightness(i, factor))),
            brightness,
            "brightness {factor}"
        );
        assert_eq!(
            check(&changed(&image, |i| barlow_augment::contrast(i, factor))),
            contrast,
            "contrast {factor}"
        );
        assert_eq!(
            check(&changed(&image, |i| barlow_augment::saturation(i, factor))),
            saturation,
            "saturation {factor}"
        );
    }
}

/// `i = formula(41, 23); check(i.convert("L").convert("RGB")), check(ImageOps.solarize(i)), check(F.hflip(i)),
/// check(F.hflip(formula(40, 3)))`
#[test]
fn greyscale_solarize_and_flip_are_pillows() {
    let image = formula(41, 23);
    assert_eq!(check(&changed(&image, barlow_augment::greyscale)), 509464536);
    assert_eq!(check(&changed(&image, barlow_augment::solarize)), 253730680);
    assert_eq!(
        check(&changed_planes(&image, barlow_augment::flip_horizontal)),
        510393674
    );
    assert_eq!(
        check(&changed_planes(&formula(40, 3), barlow_augment::flip_horizontal)),
        8316136
    );
}

/// All 2^24 colours, so that no rounding error can hide:
/// `n = np.arange(1 << 24, dtype=np.uint32)`
/// `cube = Image.fromarray(np.stack([n >> 16, (n >> 8) & 255, n & 255], -1).astype(np.uint8).reshape(4096, 4096, 3))`
/// `for h in (0., .1, -.1, -.0371, .5, -.5): print(h, check(F.adjust_hue(cube, h)))`
/// `check(cube.convert("L").convert("RGB")), check(F.adjust_saturation(cube, 1.1234))`
#[test]
fn hue_grey_and_saturation_are_pillows_for_all_colours() {
    let cube = RgbImage8::from_fn(4096, 4096, |x, y| {
        let n = y * 4096 + x;
        [(n >> 16) as u8, (n >> 8) as u8, n as u8]
    });
    for (turn, expected) in [
        (0.0, 214634813411761),
        (0.1, 214499397751033),
        (-0.1, 214339042067890),
        (-0.0371, 214469364342677),
        (0.5, 214253526875235),
        (-0.5, 214216795138917),
    ] {
        assert_eq!(
            check(&changed(&cube, |i| barlow_augment::hue(i, turn))),
            expected,
            "hue {turn}"
        );
    }
    assert_eq!(check(&changed(&cube, barlow_augment::greyscale)), 217550463856961);
    assert_eq!(
        check(&changed(&cube, |i| barlow_augment::saturation(i, 1.1234))),
        213251662295716
    );
}

/// `for s in (.1, .5, 1, 1.37, 2, 3.7, 9): print(s, [check(i.filter(ImageFilter.GaussianBlur(s)))
/// for i in (formula(7, 5), formula(41, 23), smooth(50, 31), formula(1, 3))])`
#[test]
fn the_blur_is_pillows_also_where_the_box_is_wider_than_the_image() {
    let images = [formula(7, 5), formula(41, 23), smooth(50, 31), formula(1, 3)];
    for (sigma, expected) in [
        (0.1, [724322, 510339434, 1372701525, 6078]),
        (0.5, [723279, 510348288, 1372699323, 6045]),
        (1.0, [720199, 509306041, 1372093935, 5925]),
        (1.37, [722200, 510275539, 1372635843, 5859]),
        (2.0, [723926, 510204441, 1372386837, 5652]),
        (3.7, [723948, 510123920, 1372522175, 5292]),
        (9.0, [706680, 507235159, 1372365073, 5109]),
    ] {
        let blurred = images
            .each_ref()
            .map(|image| check(&changed_planes(image, |i| barlow_augment::gaussian_blur(i, sigma))));
        assert_eq!(blurred, expected, "sigma {sigma}");
    }
    // np.asarray(formula(4, 3).filter(ImageFilter.GaussianBlur(1.))).reshape(-1).tolist()
    let expected = [
        43, 126, 177, 69, 143, 170, 103, 160, 151, 124, 159, 116, 82, 143, 147, 109, 144, 138, 136, 145, 139, 141, 135,
        138, 119, 150, 107, 147, 125, 116, 159, 119, 145, 138, 120, 171,
    ];
    assert_eq!(
        changed_planes(&formula(4, 3), |i| barlow_augment::gaussian_blur(i, 1.0)).pixels(),
        expected
    );
    // A sigma of 0 is allowed, and a box far larger than the image must neither overflow nor panic.
    assert_eq!(
        changed_planes(&formula(4, 3), |i| barlow_augment::gaussian_blur(i, 0.0)),
        formula(4, 3)
    );
    let flat = RgbImage8::from_fn(3, 2, |_, _| [255, 255, 0]);
    assert_eq!(
        changed_planes(&flat, |i| barlow_augment::gaussian_blur(i, 1000.0)),
        flat
    );
}

/// `t = T.Normalize([.485, .456, .406], [.229, .224, .225])(T.ToTensor()(formula(3, 2)))`
/// `[hex(v & 0xffffffff) for v in t.flatten().view(torch.int32).tolist()]`
#[test]
fn normalised_values_are_torchs_to_the_bit() {
    let expected = [
        0xc0078bbd,
        0xbfbdfd27,
        0xbf59c5a6,
        0xbf8961b3,
        0xbe5e4402,
        0x3f23a165,
        0xbef486ce,
        0x3e2e4089,
        0x3f5163ae,
        0x3f172046,
        0x3fbb9b9c,
        0x4015d38a,
        0x3fa6234d,
        0x3ff8aebb,
        0x40259d16,
        0x40171ccd,
        0xbf9d5914,
        0xbeb73459_u32,
    ];
    let mut output = vec![0.0_f32; 18];
    Normalization::imagenet().write_chw(&formula(3, 2).into(), &mut output);
    assert_eq!(output.iter().map(|v| v.to_bits()).collect::<Vec<_>>(), expected);
}
