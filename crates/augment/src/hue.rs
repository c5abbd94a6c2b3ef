//! Hue rotation as torchvision does it on a Pillow image: to 8-bit HSV, the hue byte moved with wrap-around, and back.
//!
//! The round trip loses precision (the hue has 255 steps); the recipes were trained with that loss, so it is kept, and
//! tested over all 2^24 colours. Types follow Pillow's `Convert.c`: f32 where it has `float`, f64 where C promotes.

use crate::RgbImage8;

/// torchvision's `adjust_hue(image, turn)`: `turn` in [-0.5, 0.5] of the colour circle. Even 0 goes through HSV.
///
/// # Panics
/// If `turn` is outside [-0.5, 0.5].
pub fn hue(image: &mut RgbImage8, turn: f64) {
    assert!((-0.5..=0.5).contains(&turn), "hue turn {turn} is outside [-0.5, 0.5]");
    // torchvision: np.int32(turn * 255).astype(np.uint8), added with overflow.
    let shift = (turn * 255.0) as i32 as u8;
    let sectors: [(u8, f64); 256] = std::array::from_fn(|h| sector(h as u8));
    for rgb in image.pixels_mut().chunks_exact_mut(3) {
        let [h, s, v] = to_hsv(rgb[0], rgb[1], rgb[2]);
        rgb.copy_from_slice(&to_rgb(sectors[usize::from(h.wrapping_add(shift))], s, v));
    }
}

/// Pillow's `rgb2hsv_row`; every component in [0, 255].
fn to_hsv(r: u8, g: u8, b: u8) -> [u8; 3] {
    let (max, min) = (r.max(g).max(b), r.min(g).min(b));
    if max == min {
        return [0, 0, max];
    }
    let range = f32::from(max - min);
    let saturation = range / f32::from(max);
    let distance = |value: u8| f32::from(max - value) / range;
    let sixths = if r == max {
        distance(b) - distance(g)
    } else if g == max {
        (2.0 + f64::from(distance(r)) - f64::from(distance(b))) as f32
    } else {
        (4.0 + f64::from(distance(g)) - f64::from(distance(r))) as f32
    };
    // fmod(sixths / 6 + 1, 1): the argument lies in [5/6, 11/6], so one subtraction is the whole remainder.
    let turns = f64::from(sixths) / 6.0 + 1.0;
    let hue = (if turns >= 1.0 { turns - 1.0 } else { turns }) as f32;
    [
        (f64::from(hue) * 255.0) as u8,
        (f64::from(saturation) * 255.0) as u8,
        max,
    ]
}

/// The sixth of the colour circle (0 to 5) and the position within it, of a hue byte.
fn sector(h: u8) -> (u8, f64) {
    let sixths = f64::from(h) * 6.0 / 255.0;
    let whole = sixths.floor();
    (whole as u8 % 6, f64::from((sixths - whole) as f32))
}

/// Pillow's `hsv2rgb`, its hue already turned into a [`sector`].
fn to_rgb((sixth, position): (u8, f64), s: u8, v: u8) -> [u8; 3] {
    if s == 0 {
        return [v; 3];
    }
    let saturation = f64::from((f64::from(s) / 255.0) as f32);
    // C's round() of a value that is never negative, without the call.
    let part = |fraction: f64| (f64::from(v) * (1.0 - fraction) + 0.5) as u8;
    let (p, q, t) = (
        part(saturation),
        part(saturation * position),
        part(saturation * (1.0 - position)),
    );
    match sixth {
        0 => [v, t, p],
        1 => [q, v, p],
        2 => [p, v, t],
        3 => [p, q, v],
        4 => [t, p, v],
        _ => [v, p, q],
    }
}
