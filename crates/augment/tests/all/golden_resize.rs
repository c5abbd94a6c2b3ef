//! Golden tests of crop, resize and the evaluation transform against torchvision on Pillow images, to +-1 of 255.
//! `tests/common/mod.rs` holds the Python that makes the images.
//!
//! The tolerance: `fast_image_resize` rounds the filter's weights to 16 bits, Pillow to 32.

use crate::common;

use barlow_augment::{CropBox, EvalTransform, Normalization, resize_bicubic, resize_bilinear};
use common::{formula, smooth};

#[track_caller]
fn assert_within_one(actual: &[u8], expected: &[u8], what: &str) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    let worst = actual.iter().zip(expected).map(|(a, e)| a.abs_diff(*e)).max();
    assert!(worst <= Some(1), "{what}: off by {worst:?}\n{actual:?}\n{expected:?}");
}

/// One channel of an interleaved image.
fn channel(pixels: &[u8], channel: usize) -> Vec<u8> {
    pixels.iter().skip(channel).step_by(3).copied().collect()
}

#[test]
fn shrinking_a_crop_is_pillows() {
    let crop = CropBox {
        left: 2,
        top: 3,
        width: 9,
        height: 7,
    };
    // np.asarray(F.resized_crop(formula(17, 11), 3, 2, 7, 9, [6, 5], BICUBIC)).reshape(-1).tolist()
    let expected = [
        133, 199, 46, 159, 118, 156, 116, 144, 112, 97, 99, 139, 123, 104, 70, 204, 170, 122, 141, 99, 82, 89, 122,
        130, 147, 96, 89, 77, 134, 132, 165, 123, 79, 122, 86, 160, 130, 164, 143, 127, 152, 93, 143, 108, 145, 123,
        74, 112, 113, 67, 170, 99, 85, 152, 80, 111, 150, 144, 86, 132, 73, 132, 142, 96, 90, 146, 115, 69, 172, 134,
        88, 89, 143, 110, 94, 150, 142, 83, 122, 162, 139, 123, 82, 123, 182, 136, 84, 105, 171, 142,
    ];
    assert_within_one(
        resize_bicubic(&formula(17, 11).into(), crop, 5, 6).pixels(),
        &expected,
        "formula",
    );
    // np.asarray(F.resized_crop(smooth(17, 11), 3, 2, 7, 9, [6, 5], BICUBIC)).reshape(-1).tolist()
    let expected = [
        187, 204, 3, 207, 184, 0, 225, 160, 1, 239, 135, 7, 248, 111, 18, 195, 196, 1, 214, 175, 0, 231, 151, 3, 244,
        125, 12, 252, 101, 24, 204, 188, 0, 222, 165, 1, 237, 140, 6, 247, 114, 17, 254, 91, 31, 212, 178, 0, 228, 155,
        3, 241, 130, 10, 250, 104, 23, 254, 81, 38, 219, 168, 1, 234, 145, 4, 246, 119, 15, 253, 94, 30, 254, 71, 46,
        226, 159, 2, 240, 135, 8, 250, 109, 20, 254, 84, 36, 254, 62, 54,
    ];
    assert_within_one(
        resize_bicubic(&smooth(17, 11).into(), crop, 5, 6).pixels(),
        &expected,
        "smooth",
    );
}

/// Smaller both ways, and larger one way.
#[test]
fn bilinear_is_pillows() {
    // np.asarray(formula(17, 11).resize((6, 5), BILINEAR))[:, :, 0].reshape(-1).tolist()
    let expected = [
        101, 122, 127, 131, 155, 100, 129, 142, 124, 137, 143, 119, 147, 141, 124, 126, 147, 113, 124, 108, 112, 131,
        127, 110, 110, 142, 146, 146, 144, 125,
    ];
    let resized = resize_bilinear(&formula(17, 11).into(), 6, 5);
    assert_within_one(resized.plane(0), &expected, "red");
    // np.asarray(formula(17, 11).resize((21, 7), BILINEAR))[:, :, 1].reshape(-1).tolist()
    let expected = [
        113, 144, 178, 178, 144, 178, 95, 93, 127, 142, 93, 127, 161, 195, 193, 105, 57, 76, 110, 144, 174, 162, 104,
        113, 139, 136, 151, 90, 106, 140, 150, 142, 76, 73, 107, 157, 196, 74, 64, 100, 150, 194, 55, 101, 162, 191,
        163, 124, 86, 121, 138, 103, 78, 131, 114, 83, 84, 148, 201, 104, 90, 155, 213, 138, 172, 162, 138, 127, 90,
        83, 140, 166, 137, 132, 95, 116, 155, 158, 87, 169, 81, 79, 161, 234, 93, 101, 93, 87, 92, 75, 70, 66, 105,
        149, 54, 141, 89, 90, 124, 40, 127, 64, 76, 126, 111, 72, 123, 121, 125, 166, 132, 76, 75, 87, 93, 116, 116,
        134, 115, 98, 171, 113, 170, 169, 99, 18, 163, 95, 73, 97, 137, 144, 190, 150, 112, 129, 177, 183, 127, 116,
        152, 154, 78, 172, 181, 105, 38,
    ];
    let resized = resize_bilinear(&formula(17, 11).into(), 21, 7);
    assert_within_one(resized.plane(1), &expected, "green");
}

#[test]
fn enlarging_a_crop_is_pillows_and_sees_nothing_outside_it() {
    let crop = CropBox {
        left: 1,
        top: 1,
        width: 5,
        height: 4,
    };
    // np.asarray(F.resized_crop(formula(9, 7), 1, 1, 4, 5, [11, 13], BICUBIC))[:, :, 0].reshape(-1).tolist()
    let expected = [
        99, 105, 119, 142, 174, 219, 227, 147, 34, 0, 9, 39, 47, 108, 115, 132, 155, 179, 208, 207, 137, 41, 3, 26, 55,
        63, 141, 148, 171, 196, 197, 178, 150, 105, 55, 43, 73, 103, 113, 177, 185, 217, 244, 216, 139, 79, 67, 78, 98,
        133, 161, 172, 165, 174, 208, 238, 206, 117, 56, 70, 114, 145, 162, 172, 178, 90, 97, 127, 159, 153, 111, 89,
        124, 175, 187, 153, 119, 108, 14, 20, 46, 80, 104, 119, 139, 183, 225, 213, 135, 65, 41, 1, 9, 34, 70, 108,
        148, 181, 205, 217, 195, 129, 73, 53, 35, 46, 73, 112, 152, 198, 223, 204, 162, 138, 129, 126, 124, 66, 79,
        108, 149, 189, 236, 253, 198, 117, 92, 130, 170, 182, 75, 89, 118, 160, 202, 251, 255, 198, 102, 76, 130, 185,
        202,
    ];
    let resized = resize_bicubic(&formula(9, 7).into(), crop, 13, 11);
    assert_within_one(&channel(resized.pixels(), 0), &expected, "red");
    let cut = resize_bicubic(&formula(9, 7).into(), crop, 5, 4);
    assert_eq!(
        cut.pixels()[3 * (3 * 5 + 4)..],
        formula(9, 7).pixel(5, 4),
        "a crop of the wanted size is a copy"
    );
    assert_eq!(resize_bicubic(&cut, CropBox::whole(5, 4), 13, 11), resized);
}

#[test]
fn evaluation_pixels_are_torchvisions() {
    let eval = |resize, crop| EvalTransform::new(resize, crop, Normalization::imagenet()).unwrap();
    // np.asarray(F.center_crop(F.resize(smooth(50, 31), [16], BICUBIC), [12, 12]))[:, :, 0].reshape(-1).tolist()
    let expected = [
        254, 248, 236, 219, 197, 172, 145, 117, 89, 64, 41, 23, 251, 241, 226, 206, 183, 156, 127, 100, 73, 49, 29, 14,
        245, 232, 214, 192, 166, 139, 111, 83, 59, 37, 19, 7, 238, 222, 201, 177, 150, 122, 94, 68, 44, 25, 11, 2, 229,
        209, 186, 160, 132, 104, 77, 52, 32, 16, 5, 0, 217, 195, 170, 143, 115, 87, 62, 39, 22, 8, 1, 0, 204, 180, 153,
        125, 97, 71, 48, 27, 13, 3, 0, 2, 190, 164, 136, 108, 81, 56, 35, 18, 6, 0, 1, 7, 174, 147, 119, 92, 65, 43,
        24, 10, 1, 0, 4, 13, 158, 130, 102, 75, 51, 30, 15, 4, 0, 1, 9, 22, 141, 113, 85, 60, 38, 20, 8, 1, 0, 5, 17,
        33, 123, 95, 69, 45, 27, 11, 3, 0, 2, 12, 26, 46,
    ];
    assert_within_one(
        &channel(eval(16, 12).apply_u8(&smooth(50, 31).into()).pixels(), 0),
        &expected,
        "wide",
    );
    // np.asarray(F.center_crop(F.resize(smooth(31, 50), [17], BICUBIC), [13, 13]))[:, :, 1].reshape(-1).tolist()
    let expected = [
        96, 72, 50, 32, 17, 6, 1, 0, 5, 14, 28, 46, 67, 81, 58, 38, 22, 9, 2, 0, 2, 10, 22, 39, 59, 82, 66, 44, 27, 14,
        4, 0, 1, 6, 18, 33, 52, 73, 97, 52, 32, 17, 7, 1, 0, 4, 13, 27, 45, 66, 89, 113, 39, 23, 10, 2, 0, 2, 9, 22,
        38, 58, 80, 105, 130, 28, 14, 5, 0, 1, 6, 17, 32, 50, 72, 96, 121, 147, 18, 7, 1, 0, 4, 12, 25, 43, 64, 87,
        112, 138, 163, 11, 2, 0, 1, 9, 20, 36, 56, 79, 103, 128, 154, 178, 5, 0, 1, 5, 16, 30, 49, 70, 95, 120, 145,
        170, 193, 1, 0, 3, 12, 25, 43, 63, 86, 111, 136, 162, 185, 206, 0, 1, 8, 20, 36, 55, 77, 102, 127, 153, 177,
        199, 219, 0, 5, 15, 29, 48, 69, 93, 119, 144, 168, 191, 212, 230, 3, 11, 24, 41, 61, 84, 109, 135, 160, 184,
        205, 224, 239,
    ];
    assert_within_one(
        &channel(eval(17, 13).apply_u8(&smooth(31, 50).into()).pixels(), 1),
        &expected,
        "high",
    );
}

#[test]
fn a_squashed_image_is_resized_twice_and_not_cut() {
    let eval = EvalTransform::new(16, 8, Normalization::imagenet())
        .unwrap()
        .with_squash(true);
    // np.asarray(F.resize(F.resize(smooth(50, 31), [16], BICUBIC), [8, 8], BICUBIC))[:, :, 0].reshape(-1).tolist()
    let expected = [
        178, 238, 251, 207, 126, 45, 3, 15, 206, 249, 241, 179, 94, 23, 1, 33, 230, 253, 222, 146, 61, 8, 9, 60, 246,
        247, 195, 112, 35, 0, 25, 91, 253, 233, 164, 78, 15, 3, 48, 125, 251, 211, 130, 48, 3, 14, 78, 159, 240, 181,
        95, 24, 0, 34, 111, 191, 221, 150, 64, 8, 6, 59, 144, 217,
    ];
    assert_within_one(
        &channel(eval.apply_u8(&smooth(50, 31).into()).pixels(), 0),
        &expected,
        "squashed",
    );
}

#[test]
fn an_image_of_the_right_size_is_left_alone() {
    let eval = EvalTransform::new(20, 20, Normalization::imagenet()).unwrap();
    assert_eq!(eval.apply_u8(&formula(20, 20).into()), formula(20, 20).into());
    let (mut through_eval, mut plain) = (vec![0.0; eval.values()], vec![0.0; 3 * 20 * 20]);
    eval.apply(&formula(20, 20).into(), &mut through_eval);
    Normalization::imagenet().write_chw(&formula(20, 20).into(), &mut plain);
    assert_eq!(through_eval, plain);
}

#[test]
fn evaluation_sizes_are_checked_at_their_borders() {
    let error = |resize, crop| {
        EvalTransform::new(resize, crop, Normalization::imagenet())
            .unwrap_err()
            .to_string()
    };
    assert!(
        error(0, 0).starts_with("eval.resize = 0 is not allowed"),
        "{}",
        error(0, 0)
    );
    assert!(error(32, 0).starts_with("eval.crop = 0 is not allowed"));
    assert_eq!(
        error(32, 33),
        "eval.crop = 33 is not allowed: a number of pixels in [1, 32], the last being eval.resize"
    );
}
