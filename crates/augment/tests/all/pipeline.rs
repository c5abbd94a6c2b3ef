//! Tests of the whole pipeline: keyed draws, the order of operations, and the effect of each probability.

use crate::common;

use barlow_augment::{
    Image8, JitterOp, Normalization, PlanarImage8, RgbImage8, ViewConfig, ViewDraw, ViewOverrides, ViewPreset, Views,
    ViewsConfig, apply_draw, draw_view, keyed_rng, resize_bicubic,
};
use common::{formula, smooth};

fn views(config: &ViewsConfig) -> Views {
    Views::new(&config.groups(), Normalization::imagenet()).unwrap()
}

fn apply(views: &Views, [seed, epoch, index]: [u64; 3]) -> (Vec<f32>, Vec<f32>) {
    let (mut a, mut b) = (vec![f32::NAN; views.values(0)], vec![f32::NAN; views.values(1)]);
    views.apply(&formula(41, 23).into(), seed, epoch, index, &mut [&mut a, &mut b]);
    (a, b)
}

#[test]
fn the_key_alone_decides_the_views() {
    let views = views(&ViewsConfig {
        size: 17,
        ..Default::default()
    });
    let first = apply(&views, [1, 2, 3]);
    for other in [[2, 2, 3], [1, 3, 3], [1, 2, 4]] {
        let second = apply(&views, other);
        assert!(first.0 != second.0 && first.1 != second.1, "{other:?}");
    }
    // Again, on another thread whose buffers held another image of another size.
    let again = std::thread::scope(|scope| {
        let job = scope.spawn(|| {
            let small = ViewsConfig {
                size: 5,
                ..Default::default()
            };
            let _ = self::views(&small).apply_u8(&smooth(9, 80).into(), 0, 0, 0);
            apply(&views, [1, 2, 3])
        });
        job.join().unwrap()
    });
    assert_eq!(first, again);
    assert!(first.0.iter().chain(&first.1).all(|value| value.is_finite()));
}

#[test]
fn one_view_never_touches_the_other() {
    let config = ViewsConfig {
        size: 12,
        ..Default::default()
    };
    let mut other_b = config.clone();
    other_b.b = ViewOverrides {
        crop_scale: Some([0.9, 1.0]),
        flip: Some(1.0),
        ..Default::default()
    };
    let (plain, changed) = (apply(&views(&config), [5, 0, 9]), apply(&views(&other_b), [5, 0, 9]));
    assert_eq!(plain.0, changed.0);
    assert_ne!(plain.1, changed.1);
}

#[test]
fn pixels_for_people_are_those_that_are_trained_on() {
    let views = views(&ViewsConfig {
        size: 12,
        ..Default::default()
    });
    let pixels = views.apply_u8(&formula(41, 23).into(), 1, 2, 3);
    let normalised = apply(&views, [1, 2, 3]);
    for (view, expected) in pixels.iter().zip([normalised.0, normalised.1]) {
        let mut values = vec![0.0; views.values(0)];
        Normalization::imagenet().write_chw(view, &mut values);
        assert_eq!(values, expected);
    }
}

#[test]
fn operations_come_in_the_official_order() {
    let image = formula(41, 23).into();
    let draw = ViewDraw {
        crop: barlow_augment::CropBox {
            left: 3,
            top: 2,
            width: 30,
            height: 20,
        },
        flip: true,
        jitter: [
            JitterOp::Hue(0.05),
            JitterOp::Contrast(1.3),
            JitterOp::Saturation(0.8),
            JitterOp::Brightness(0.7),
        ]
        .into(),
        greyscale: true,
        blur: Some(1.2),
        solarize: true,
    };
    let Image8::Rgb(resized) = resize_bicubic(&image, draw.crop, 16, 16) else {
        panic!("an RGB image stays one")
    };
    let mut expected = PlanarImage8::from(&resized);
    barlow_augment::flip_horizontal(&mut expected);
    let mut planes = expected.rgb_planes().unwrap();
    barlow_augment::hue(planes.reborrow(), 0.05);
    barlow_augment::contrast(planes.reborrow(), 1.3);
    barlow_augment::saturation(planes.reborrow(), 0.8);
    barlow_augment::brightness(planes.reborrow(), 0.7);
    barlow_augment::greyscale(planes);
    barlow_augment::gaussian_blur(&mut expected, 1.2);
    barlow_augment::solarize(expected.rgb_planes().unwrap());
    assert_eq!(apply_draw(&image, &draw, 16), RgbImage8::from(&expected).into());
}

/// 4000 draws: the tolerance of 0.03 is nearly four standard deviations of the share at the worst p.
#[test]
fn probabilities_and_ranges_are_those_of_the_config() {
    const DRAWS: u64 = 4000;
    let draws = |config: &ViewConfig| -> Vec<ViewDraw> {
        (0..DRAWS)
            .map(|index| draw_view(config, &mut keyed_rng(7, 0, index, 0), 64, 48))
            .collect()
    };
    let (a, b) = ViewPreset::Imagenet.views();
    for view in [a, b] {
        let draws = draws(&view);
        let share = |holds: fn(&ViewDraw) -> bool| draws.iter().filter(|d| holds(d)).count() as f64 / DRAWS as f64;
        let expect = |name: &str, actual: f64, p: f64| {
            // At 0 and 1 the share is exact.
            let tolerance = if p == 0.0 || p == 1.0 { 0.0 } else { 0.03 };
            assert!((actual - p).abs() <= tolerance, "{name}: {actual} for p = {p}");
        };
        expect("flip", share(|d| d.flip), view.flip);
        expect("greyscale", share(|d| d.greyscale), view.greyscale);
        expect("solarize", share(|d| d.solarize), view.solarize);
        expect("blur", share(|d| d.blur.is_some()), view.blur.p);
        expect("jitter", share(|d| !d.jitter.is_empty()), view.jitter.p);
        assert!(
            draws
                .iter()
                .filter_map(|d| d.blur)
                .all(|sigma| (0.1..2.0).contains(&sigma))
        );
    }
    let mut first = [0; 4];
    for op in draws(&a).iter().filter_map(|d| d.jitter.first()) {
        match *op {
            JitterOp::Brightness(f) => first[0] += usize::from((0.6..1.4).contains(&f)),
            JitterOp::Contrast(f) => first[1] += usize::from((0.6..1.4).contains(&f)),
            JitterOp::Saturation(f) => first[2] += usize::from((0.8..1.2).contains(&f)),
            JitterOp::Hue(f) => first[3] += usize::from((-0.1..0.1).contains(&f)),
        }
    }
    // 3200 jittered draws, each operation first in a quarter of them, and every factor in its range.
    assert!(first.iter().all(|&count| (680..920).contains(&count)), "{first:?}");
}

#[test]
fn changing_one_probability_moves_no_other_draw() {
    let config = ViewConfig::default();
    let mut other = config;
    (other.flip, other.jitter.p, other.blur.p) = (0.0, 0.0, 1.0);
    for index in 0..50 {
        let draw = |config| draw_view(config, &mut keyed_rng(0, 0, index, 0), 64, 48);
        let (plain, changed) = (draw(&config), draw(&other));
        assert_eq!(
            (plain.crop, plain.greyscale, plain.solarize),
            (changed.crop, changed.greyscale, changed.solarize)
        );
        assert!(!changed.flip && changed.jitter.is_empty() && changed.blur.is_some());
    }
}

#[test]
fn a_strength_of_zero_leaves_its_operation_out() {
    let mut config = ViewConfig::default();
    (config.jitter.p, config.jitter.hue, config.jitter.contrast) = (1.0, 0.0, 0.0);
    let draw = draw_view(&config, &mut keyed_rng(0, 0, 0, 0), 64, 48);
    assert_eq!(draw.jitter.len(), 2, "{draw:?}");
    assert!(
        !draw
            .jitter
            .iter()
            .any(|op| matches!(op, JitterOp::Hue(_) | JitterOp::Contrast(_)))
    );
}

#[test]
fn images_of_any_size_and_shape_give_views() {
    let views = views(&ViewsConfig {
        size: 8,
        ..Default::default()
    });
    for (width, height) in [(1, 1), (1, 300), (300, 1), (2, 3), (8, 8), (640, 7)] {
        for index in 0..4 {
            let sides: Vec<[usize; 2]> = views
                .apply_u8(&smooth(width, height).into(), 0, 0, index)
                .iter()
                .map(|view| [view.width(), view.height()])
                .collect();
            assert_eq!(sides, [[8, 8]; 2], "{width}x{height}");
        }
    }
}
