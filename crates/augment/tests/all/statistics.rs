//! Statistical tests of the draws against torchvision: distributions of crops, order and factors of the jitter, sigma of
//! the blur.
//!
//! Draws are keyed, so the numbers are the same in every run; tolerances are four standard deviations or more.

use std::collections::HashMap;

use barlow_augment::{JitterOp, ViewConfig, ViewDraw, draw_view, keyed_rng};

const DRAWS: u64 = 24_000;

fn draws(config: &ViewConfig, width: usize, height: usize) -> Vec<ViewDraw> {
    let draw = |index| draw_view(config, &mut keyed_rng(11, 5, index, 0), width, height);
    (0..DRAWS).map(draw).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The quantiles .1, .25, .5, .75 and .9.
fn quantiles(mut values: Vec<f64>) -> [f64; 5] {
    values.sort_by(f64::total_cmp);
    [0.1, 0.25, 0.5, 0.75, 0.9].map(|q| values[(q * (values.len() - 1) as f64) as usize])
}

#[track_caller]
fn assert_near(what: &str, actual: &[f64], expected: &[f64], tolerance: f64) {
    let is_near = actual.iter().zip(expected).all(|(a, e)| (a - e).abs() <= tolerance);
    assert!(is_near, "{what}: {actual:?}, expected {expected:?}");
}

/// Of 200,000 boxes `b = T.RandomResizedCrop.get_params(Image.new("RGB", (w, h)), [.08, 1], [3/4, 4/3])`: mean and
/// quantiles of `b[2] * b[3] / (w * h)` and of `log(b[3] / b[2])`, means of `b[0] / max(h - b[2], 1)` and of
/// `b[1] / max(w - b[3], 1)`. torchvision 0.29.
#[test]
fn crops_are_distributed_as_torchvisions() {
    type Expected = (f64, [f64; 5], f64, [f64; 5], [f64; 2]);
    let cases: [((usize, usize), Expected); 4] = [
        (
            (500, 375),
            (
                0.4339,
                [0.1485, 0.2511, 0.4225, 0.594, 0.7374],
                0.0308,
                [-0.2098, -0.1054, 0.0461, 0.1742, 0.244],
                [0.497, 0.4994],
            ),
        ),
        (
            (375, 500),
            (
                0.4327,
                [0.1476, 0.2503, 0.4209, 0.5928, 0.7352],
                -0.0309,
                [-0.2445, -0.175, -0.0459, 0.1057, 0.2107],
                [0.4998, 0.4975],
            ),
        ),
        (
            (32, 32),
            (
                0.4905,
                [0.1641, 0.2812, 0.4922, 0.6855, 0.8174],
                -0.0003,
                [-0.2231, -0.1335, 0.0, 0.1335, 0.2231],
                [0.4838, 0.4831],
            ),
        ),
        (
            (640, 200),
            (
                0.2154,
                [0.1048, 0.1425, 0.205, 0.273, 0.3428],
                0.0491,
                [-0.2013, -0.0878, 0.0678, 0.1975, 0.266],
                [0.4695, 0.4999],
            ),
        ),
    ];
    for ((width, height), (area, areas, ratio, ratios, places)) in cases {
        let crops: Vec<_> = draws(&ViewConfig::default(), width, height)
            .iter()
            .map(|d| d.crop)
            .collect();
        let of = |value: &dyn Fn(&barlow_augment::CropBox) -> f64| crops.iter().map(value).collect::<Vec<f64>>();
        let name = format!("{width}x{height}");
        let drawn = of(&|c| (c.width * c.height) as f64 / (width * height) as f64);
        assert_near(&name, &[mean(&drawn)], &[area], 0.008);
        assert_near(&name, &quantiles(drawn), &areas, 0.014);
        let drawn = of(&|c| (c.width as f64 / c.height as f64).ln());
        assert_near(&name, &[mean(&drawn)], &[ratio], 0.006);
        // Whole pixels make steps of up to 0.04 in a box of a 32-pixel image.
        assert_near(
            &name,
            &quantiles(drawn),
            &ratios,
            if width == 32 { 0.02 } else { 0.012 },
        );
        let top = of(&|c| c.top as f64 / (height - c.height).max(1) as f64);
        let left = of(&|c| c.left as f64 / (width - c.width).max(1) as f64);
        assert_near(&name, &[mean(&top), mean(&left)], &places, 0.012);
    }
}

#[test]
fn all_orders_of_the_jitter_are_equally_likely() {
    let mut config = ViewConfig::default();
    config.jitter.p = 1.0;
    let mut orders: HashMap<String, u64> = HashMap::new();
    for draw in draws(&config, 64, 48) {
        let letter = |op: &JitterOp| match op {
            JitterOp::Brightness(_) => 'b',
            JitterOp::Contrast(_) => 'c',
            JitterOp::Saturation(_) => 's',
            JitterOp::Hue(_) => 'h',
        };
        *orders.entry(draw.jitter.iter().map(letter).collect()).or_default() += 1;
    }
    // 24 permutations, 1000 expected of each, with a deviation of 31.
    assert_eq!(orders.len(), 24);
    assert!(orders.values().all(|count| (870..1130).contains(count)), "{orders:?}");
}

#[test]
fn factors_and_blur_are_uniform_over_their_ranges() {
    let mut config = ViewConfig::default();
    (config.jitter.p, config.blur.p) = (1.0, 1.0);
    let draws = draws(&config, 64, 48);
    let factors = |pick: fn(&JitterOp) -> Option<f64>| -> Vec<f64> {
        draws
            .iter()
            .filter_map(|draw| draw.jitter.iter().find_map(pick))
            .collect()
    };
    let brightness = factors(|op| {
        if let JitterOp::Brightness(f) = op {
            Some(*f)
        } else {
            None
        }
    });
    let contrast = factors(|op| if let JitterOp::Contrast(f) = op { Some(*f) } else { None });
    let saturation = factors(|op| {
        if let JitterOp::Saturation(f) = op {
            Some(*f)
        } else {
            None
        }
    });
    let hue = factors(|op| if let JitterOp::Hue(f) = op { Some(*f) } else { None });
    let sigma: Vec<f64> = draws.iter().filter_map(|draw| draw.blur).collect();
    // ColorJitter(0.4, 0.4, 0.2, 0.1) and random.uniform(0.1, 2.0)
    for (name, drawn, low, high) in [
        ("brightness", brightness, 0.6, 1.4),
        ("contrast", contrast, 0.6, 1.4),
        ("saturation", saturation, 0.8, 1.2),
        ("hue", hue, -0.1, 0.1),
        ("sigma", sigma, 0.1, 2.0),
    ] {
        assert_eq!(drawn.len() as u64, DRAWS, "{name}");
        assert!(drawn.iter().all(|f| (low..high).contains(f)), "{name}");
        let expected = [0.1, 0.25, 0.5, 0.75, 0.9].map(|q| low + q * (high - low));
        assert_near(name, &quantiles(drawn), &expected, 0.014 * (high - low));
    }
}

/// The flags of `ViewConfig` at probabilities that no preset has.
#[test]
fn every_probability_is_kept() {
    let mut config = ViewConfig::default();
    (config.flip, config.greyscale, config.solarize) = (0.31, 0.07, 0.64);
    (config.jitter.p, config.blur.p) = (0.9, 0.45);
    let draws = draws(&config, 64, 48);
    let share = |holds: fn(&ViewDraw) -> bool| draws.iter().filter(|draw| holds(draw)).count() as f64 / DRAWS as f64;
    let shares = [
        share(|d| d.flip),
        share(|d| d.greyscale),
        share(|d| d.solarize),
        share(|d| !d.jitter.is_empty()),
        share(|d| d.blur.is_some()),
    ];
    assert_near("shares", &shares, &[0.31, 0.07, 0.64, 0.9, 0.45], 0.013);
    // Flags must be independent: two occur together as often as the product of their probabilities.
    let both = share(|d| d.flip && d.solarize);
    assert_near("flip and solarise", &[both], &[0.31 * 0.64], 0.011);
}
