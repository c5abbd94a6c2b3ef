//! The convolutions of a ResNet-18 training step on 32-pixel images, one by one, beside Burn's own ops, on the CPU backend.
//!
//! `cargo bench -p barlow-model` prints a table; `-- --json` one object a line. `--case TEXT` takes the cases whose name
//! contains it, `--without-burn` leaves Burn's column out, `--repeats N` sets how many runs the median is of.

#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::time::Instant;

use barlow_model::ops::{ConvGeometry, ConvOps, reference};
use burn::tensor::ops::FloatTensor;
use burn::tensor::{Shape, TensorData, TensorMetadata};
use burn_flex::{Flex, FlexTensor};

struct Case {
    name: &'static str,
    images: usize,
    channels: [usize; 2],
    pixels: usize,
    kernel: usize,
    stride: usize,
}

#[rustfmt::skip]
const CASES: [Case; 9] = [
    Case { name: "16-16-32px-n256", images: 256, channels: [16, 16], pixels: 32, kernel: 3, stride: 1 },
    Case { name: "64-64-32px-n64", images: 64, channels: [64, 64], pixels: 32, kernel: 3, stride: 1 },
    Case { name: "128-128-16px-n64", images: 64, channels: [128, 128], pixels: 16, kernel: 3, stride: 1 },
    Case { name: "256-256-8px-n64", images: 64, channels: [256, 256], pixels: 8, kernel: 3, stride: 1 },
    Case { name: "512-512-4px-n64", images: 64, channels: [512, 512], pixels: 4, kernel: 3, stride: 1 },
    Case { name: "64-128-32px-stride2-n64", images: 64, channels: [64, 128], pixels: 32, kernel: 3, stride: 2 },
    Case { name: "256-512-8px-stride2-n64", images: 64, channels: [256, 512], pixels: 8, kernel: 3, stride: 2 },
    Case { name: "64-128-32px-1x1-stride2-n64", images: 64, channels: [64, 128], pixels: 32, kernel: 1, stride: 2 },
    Case { name: "3-64-32px-stem-n64", images: 64, channels: [3, 64], pixels: 32, kernel: 3, stride: 1 },
];

struct Options {
    json: bool,
    with_burn: bool,
    case: String,
    repeats: usize,
}

fn main() {
    let options = options();
    if !options.json {
        println!(
            "{:<28} {:<8} {:>10} {:>9} {:>10} {:>6}",
            "case", "pass", "median ms", "GFLOP/s", "Burn ms", "ratio"
        );
    }
    for case in CASES.iter().filter(|case| case.name.contains(&options.case)) {
        run(case, &options);
    }
}

fn run(case: &Case, options: &Options) {
    let geometry = ConvGeometry {
        stride: case.stride,
        padding: case.kernel / 2,
    };
    let out = geometry.output_size(case.pixels, case.kernel);
    let x = formula([case.images, case.channels[0], case.pixels, case.pixels]);
    let weight = formula([case.channels[1], case.channels[0], case.kernel, case.kernel]);
    let gradient = formula([case.images, case.channels[1], out, out]);
    let operations = 2.0 * (gradient.shape().num_elements() * case.channels[0] * case.kernel * case.kernel) as f64;

    type Op<'a> = Box<dyn Fn() -> FloatTensor<Flex> + 'a>;
    let passes: [(&str, Op, Op); 3] = [
        (
            "forward",
            Box::new(|| Flex::conv2d_forward(x.clone(), weight.clone(), geometry)),
            Box::new(|| reference::forward::<Flex>(x.clone(), weight.clone(), geometry)),
        ),
        (
            "input",
            Box::new(|| Flex::conv2d_input_gradient(weight.clone(), gradient.clone(), geometry, x.shape())),
            Box::new(|| reference::input_gradient::<Flex>(weight.clone(), gradient.clone(), geometry, x.shape())),
        ),
        (
            "weight",
            Box::new(|| Flex::conv2d_weight_gradient(x.clone(), gradient.clone(), geometry, weight.shape())),
            Box::new(|| reference::weight_gradient::<Flex>(x.clone(), gradient.clone(), geometry, weight.shape())),
        ),
    ];
    for (pass, ours, burn) in passes {
        let [median, min] = seconds(options.repeats, ours);
        let rate = operations / median / 1e9;
        let burn = options.with_burn.then(|| seconds(3, burn)[0]);
        if options.json {
            let burn = burn.map_or(String::new(), |seconds| format!(",\"burn_median_s\":{seconds:.6}"));
            println!(
                "{{\"bench\":\"conv2d\",\"case\":\"{}\",\"pass\":\"{pass}\",\"backend\":\"cpu\",\"median_s\":{median:.6},\
                 \"min_s\":{min:.6},\"gflop_per_s\":{rate:.1}{burn}}}",
                case.name
            );
        } else {
            let [burn, ratio] = match burn {
                Some(seconds) => [format!("{:.2}", seconds * 1e3), format!("{:.1}", seconds / median)],
                None => ["-".into(), "-".into()],
            };
            println!(
                "{:<28} {pass:<8} {:>10.2} {:>8.2} {rate:>8.1} {burn:>10} {ratio:>6}",
                case.name,
                median * 1e3,
                min * 1e3
            );
        }
    }
}

/// Median and least of `repeats` runs after a warm-up run.
fn seconds(repeats: usize, op: impl Fn() -> FloatTensor<Flex>) -> [f64; 2] {
    black_box(op());
    let mut seconds: Vec<f64> = (0..repeats)
        .map(|_| {
            let start = Instant::now();
            black_box(op());
            start.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    [seconds[seconds.len() / 2], seconds[0]]
}

/// Values in [-1, 1] from a formula; no generator needed for a bench.
fn formula(shape: [usize; 4]) -> FlexTensor {
    let shape = Shape::new(shape);
    let values: Vec<f32> = (0..shape.num_elements()).map(|i| (i as f32 * 0.37).sin()).collect();
    FlexTensor::from_data(TensorData::new(values, shape))
}

/// # Panics
/// If an option is unknown or lacks its value.
fn options() -> Options {
    let mut options = Options {
        json: false,
        with_burn: true,
        case: String::new(),
        repeats: 15,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_else(|| panic!("{argument} needs a value"));
        match argument.as_str() {
            "--json" => options.json = true,
            "--without-burn" => options.with_burn = false,
            "--case" => options.case = value(),
            "--repeats" => options.repeats = value().parse().expect("--repeats takes a number of at least 1"),
            // Cargo appends this one to the arguments of every bench.
            "--bench" => {}
            other => panic!("unknown option {other}: --json, --case TEXT, --repeats N and --without-burn are known"),
        }
    }
    options
}
