//! Hue rotation as in torchvision on a Pillow image: to 8-bit HSV, a shift of the hue byte with wrap-around, and back.
//!
//! The round trip loses precision (the hue has 255 steps); the recipes were trained with that loss, so it is reproduced,
//! and tested over all 2^24 colours. Pillow's `Convert.c` mixes `float` and C's promotions to `double`; this file uses
//! f32 wherever every possible input gives the same bytes (the test covers all of them). There are no branches and no
//! tables, so that the loop vectorises.

use crate::RgbPlanes;
use crate::simd::{cut_to_u8, vectorised};

/// torchvision's `adjust_hue(image, turn)`: `turn` in [-0.5, 0.5] of the colour circle. Even 0 goes through HSV.
///
/// # Panics
/// If `turn` is outside [-0.5, 0.5].
pub fn hue(planes: RgbPlanes<'_>, turn: f64) {
    assert!((-0.5..=0.5).contains(&turn), "hue turn {turn} is outside [-0.5, 0.5]");
    // torchvision: np.int32(turn * 255).astype(np.uint8), added with overflow.
    let shift = (turn * 255.0) as i32 as u8;
    turn_all(planes, shift);
}

vectorised! {
    fn turn_all<'a>(planes: RgbPlanes<'a>, shift: u8) {
        for ((r, g), b) in planes.r.iter_mut().zip(planes.g).zip(planes.b) {
            let [h, s, v] = to_hsv(*r, *g, *b);
            [*r, *g, *b] = to_rgb(h.wrapping_add(shift), s, v);
        }
    }
}

/// Pillow's `rgb2hsv_row`; every component in [0, 255]. A grey pixel gets an arbitrary hue where Pillow gives it 0: its
/// saturation is 0, so the hue makes no difference.
#[inline(always)]
fn to_hsv(r: u8, g: u8, b: u8) -> [u8; 3] {
    let [ri, gi, bi] = [r, g, b].map(i32::from);
    let (max, min) = (ri.max(gi).max(bi), ri.min(gi).min(bi));
    let range = max - min;
    let middle = ri + gi + bi - max - min;
    // Of Pillow's three distances from the maximum, as fractions of the range, one is 0, one is 1, and this is the third.
    let distance = (max - middle) as f32 / range.max(1) as f32;
    let saturation = range as f32 / max.max(1) as f32;
    // The channels of the maximum and the minimum determine the sixth of the circle that the distance counts from, and its sign.
    let (start, sign) = if ri == max {
        if bi == min { (1.0, -1.0) } else { (-1.0, 1.0) }
    } else if gi == max {
        if bi == min { (1.0, 1.0) } else { (3.0, -1.0) }
    } else if ri == min {
        (3.0, 1.0)
    } else {
        (5.0, -1.0)
    };
    let sixths: f32 = start + sign * distance;
    // fmod(sixths / 6 + 1, 1): the argument lies in [5/6, 11/6], so one subtraction is the whole remainder.
    let turns = sixths / 6.0;
    let turns = if turns < 0.0 { 1.0 + turns } else { turns };
    [whole_of_255(turns), cut_to_u8(saturation * 255.0), max as u8]
}

/// `turns * 255` in [0, 255], truncated to an integer. Pillow multiplies in `double`, where the product is exact; here it
/// may be rounded up to the next integer, which is detected exactly: `256 * turns - integer` is then less than `turns`.
#[inline(always)]
fn whole_of_255(turns: f32) -> u8 {
    const WHOLE: f32 = 8_388_608.0;
    let shifted = turns * 255.0 + WHOLE;
    let is_above = turns * 256.0 - (shifted - WHOLE) < turns;
    (shifted.to_bits() - u32::from(is_above)) as u8
}

/// Pillow's `hsv2rgb`.
#[inline(always)]
fn to_rgb(h: u8, s: u8, v: u8) -> [u8; 3] {
    let sixths = 6 * i32::from(h);
    // Floor of h * 6 / 255; 6 stands for 0, as only the hue byte 255 reaches it.
    let whole = (sixths * 257 + 257) >> 16;
    let position = (sixths - 255 * whole) as f32 / 255.0;
    let saturation = f32::from(s) / 255.0;
    // C's round() of a non-negative value, without the call.
    let part = |fraction: f32| cut_to_u8(f32::from(v) * (1.0 - fraction) + 0.5);
    let is_odd = whole & 1 == 1;
    let low = part(saturation);
    let between = part(saturation * if is_odd { position } else { 1.0 - position });
    let pick = |high_at: [i32; 2], between_at: [i32; 2]| {
        if whole == high_at[0] || whole == high_at[1] {
            v
        } else if whole == between_at[0] || whole == between_at[1] {
            between
        } else {
            low
        }
    };
    let whole_of_circle = whole == 6;
    let red = pick([0, 5], [1, 4]);
    let green = pick([1, 2], [0, 3]);
    let blue = pick([3, 4], [2, 5]);
    if whole_of_circle {
        [v, between, low]
    } else {
        [red, green, blue]
    }
}
