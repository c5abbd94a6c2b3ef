//! Golden tests of whole views against torchvision: fixed draws from raw pixels, `goldens/pipeline.txt` made by
//! `goldens/pipeline.py`.
//!
//! All operations but the resize are byte-identical (`golden_pixels.rs`); the resize is off by 1 here and there, and a
//! contrast or hue after it can turn that into 2.

use crate::common;

use barlow_augment::{CropBox, Image8, JitterOp, JitterOps, ViewDraw, apply_draw};
use common::{formula, smooth};

/// One line of the file: the image, the draw, the size of the view, and torchvision's result.
struct Case {
    name: String,
    image: Image8,
    draw: ViewDraw,
    size: usize,
    sum: f64,
    weighted: f64,
    spread: Vec<u8>,
}

fn cases() -> Vec<Case> {
    include_str!("goldens/pipeline.txt").lines().map(parse).collect()
}

fn parse(line: &str) -> Case {
    let (case, numbers) = line.split_once(" | ").unwrap();
    let fields: Vec<&str> = case.split(' ').collect();
    let number = |at: usize| fields[at].parse::<usize>().unwrap();
    let numbers: Vec<u64> = numbers.split(' ').map(|n| n.parse().unwrap()).collect();
    let image = match fields[0] {
        "formula" => formula(number(1), number(2)),
        _ => smooth(number(1), number(2)),
    };
    let sigma: f64 = fields[11].parse().unwrap();
    Case {
        name: case.to_owned(),
        image: image.into(),
        draw: ViewDraw {
            crop: CropBox {
                left: number(3),
                top: number(4),
                width: number(5),
                height: number(6),
            },
            flip: fields[8] == "1",
            jitter: jitter(fields[9]),
            greyscale: fields[10] == "1",
            blur: (sigma > 0.0).then_some(sigma),
            solarize: fields[12] == "1",
        },
        size: number(7),
        sum: numbers[0] as f64,
        weighted: numbers[1] as f64,
        spread: numbers[2..].iter().map(|&n| n as u8).collect(),
    }
}

fn jitter(text: &str) -> JitterOps {
    let ops = text.split(',').filter(|op| *op != "-");
    ops.map(|op| {
        let factor = op[1..].parse().unwrap();
        match &op[..1] {
            "b" => JitterOp::Brightness(factor),
            "c" => JitterOp::Contrast(factor),
            "s" => JitterOp::Saturation(factor),
            _ => JitterOp::Hue(factor),
        }
    })
    .collect()
}

#[test]
fn views_from_fixed_draws_are_torchvisions() {
    let cases = cases();
    assert_eq!(cases.len(), 9);
    for case in cases {
        let view = apply_draw(&case.image, &case.draw, case.size);
        let pixels = view.pixels();
        let values = |at: usize| at * (pixels.len() - 1) / 23;
        let spread: Vec<u8> = (0..24).map(|at| pixels[values(at)]).collect();
        let worst = spread.iter().zip(&case.spread).map(|(a, e)| a.abs_diff(*e)).max();
        assert!(
            worst <= Some(2),
            "{}: off by {worst:?}\n{spread:?}\n{:?}",
            case.name,
            case.spread
        );
        let sum: u64 = pixels.iter().map(|&v| u64::from(v)).sum();
        let weighted: u64 = (0..).zip(pixels).map(|(k, &v)| k % 251 * u64::from(v)).sum();
        // The mean of all values, and one weighted by position, to a twentieth of a step of 1/255.
        let mean = (sum as f64 - case.sum).abs() / pixels.len() as f64;
        let place = (weighted as f64 - case.weighted).abs() / (125.0 * pixels.len() as f64);
        assert!(
            mean < 0.05 && place < 0.05,
            "{}: means off by {mean} and {place}",
            case.name
        );
        if case.draw.crop.width == case.size && case.draw.crop.height == case.size {
            assert!(
                mean == 0.0 && place == 0.0 && worst == Some(0),
                "{}: no resize, no difference",
                case.name
            );
        }
    }
}
