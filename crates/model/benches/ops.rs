//! Benchmark of the single convolutions, batch norms and poolings of training steps on the CPU backend, compared with Burn's own
//! ops (batch norm: compared with tensor ops).
//!
//! `cargo bench -p barlow-model` prints a table, with `-- --json` one JSON object per line. `--case TEXT` runs the cases whose
//! name contains TEXT, `--without-burn` omits Burn's column, `--repeats N` sets the number of runs for the median.

#![allow(clippy::print_stdout)]

#[path = "ops/elementwise.rs"]
mod elementwise;

use std::hint::black_box;
use std::time::Instant;

use barlow_ops::{ConvGeometry, ConvOps, reference};
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
const CASES: [Case; 24] = [
    Case { name: "16-16-32px-n256", images: 256, channels: [16, 16], pixels: 32, kernel: 3, stride: 1 },
    Case { name: "64-64-32px-n64", images: 64, channels: [64, 64], pixels: 32, kernel: 3, stride: 1 },
    Case { name: "128-128-16px-n64", images: 64, channels: [128, 128], pixels: 16, kernel: 3, stride: 1 },
    Case { name: "256-256-8px-n64", images: 64, channels: [256, 256], pixels: 8, kernel: 3, stride: 1 },
    Case { name: "512-512-4px-n64", images: 64, channels: [512, 512], pixels: 4, kernel: 3, stride: 1 },
    Case { name: "64-128-32px-stride2-n64", images: 64, channels: [64, 128], pixels: 32, kernel: 3, stride: 2 },
    Case { name: "256-512-8px-stride2-n64", images: 64, channels: [256, 512], pixels: 8, kernel: 3, stride: 2 },
    Case { name: "64-128-32px-1x1-stride2-n64", images: 64, channels: [64, 128], pixels: 32, kernel: 1, stride: 2 },
    Case { name: "3-64-32px-stem-n64", images: 64, channels: [3, 64], pixels: 32, kernel: 3, stride: 1 },
    Case { name: "3-64-224px-7x7-stride2-n8", images: 8, channels: [3, 64], pixels: 224, kernel: 7, stride: 2 },
    Case { name: "64-64-56px-n8", images: 8, channels: [64, 64], pixels: 56, kernel: 3, stride: 1 },
    Case { name: "64-256-56px-1x1-n8", images: 8, channels: [64, 256], pixels: 56, kernel: 1, stride: 1 },
    Case { name: "1024-256-14px-1x1-n8", images: 8, channels: [1024, 256], pixels: 14, kernel: 1, stride: 1 },
    Case { name: "512-512-7px-n8", images: 8, channels: [512, 512], pixels: 7, kernel: 3, stride: 1 },
    Case { name: "256-64-56px-1x1-n8", images: 8, channels: [256, 64], pixels: 56, kernel: 1, stride: 1 },
    Case { name: "128-512-28px-1x1-n8", images: 8, channels: [128, 512], pixels: 28, kernel: 1, stride: 1 },
    Case { name: "256-1024-14px-1x1-n8", images: 8, channels: [256, 1024], pixels: 14, kernel: 1, stride: 1 },
    Case { name: "512-2048-7px-1x1-n8", images: 8, channels: [512, 2048], pixels: 7, kernel: 1, stride: 1 },
    Case { name: "2048-512-7px-1x1-n8", images: 8, channels: [2048, 512], pixels: 7, kernel: 1, stride: 1 },
    Case { name: "256-512-56px-1x1-stride2-n8", images: 8, channels: [256, 512], pixels: 56, kernel: 1, stride: 2 },
    Case { name: "1024-2048-14px-1x1-stride2-n8", images: 8, channels: [1024, 2048], pixels: 14, kernel: 1, stride: 2 },
    Case { name: "128-128-28px-n8", images: 8, channels: [128, 128], pixels: 28, kernel: 3, stride: 1 },
    Case { name: "256-256-14px-n8", images: 8, channels: [256, 256], pixels: 14, kernel: 3, stride: 1 },
    Case { name: "512-512-14px-stride2-n8", images: 8, channels: [512, 512], pixels: 14, kernel: 3, stride: 2 },
];

type Op<'a> = Box<dyn Fn() -> FloatTensor<Flex> + 'a>;

struct Options {
    json: bool,
    with_burn: bool,
    case: String,
    repeats: usize,
}

fn main() {
    let options = options();
    if !options.json {
        println!("case                         pass      median ms   min ms  GFLOP/s    Burn ms  ratio");
    }
    for case in CASES.iter().filter(|case| case.name.contains(&options.case)) {
        run(case, &options);
    }
    elementwise::run(&options);
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

    let passes: [(&str, Op<'_>, Op<'_>); 3] = [
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
        report("conv2d", case.name, pass, Some(operations), [ours, burn], options);
    }
}

fn report(bench: &str, case: &str, pass: &str, operations: Option<f64>, [ours, burn]: [Op<'_>; 2], options: &Options) {
    let ours = seconds(options.repeats, ours);
    let burn = options.with_burn.then(|| seconds(3, burn)[0]);
    line(bench, case, pass, operations, ours, burn, options);
}

fn line(
    bench: &str,
    case: &str,
    pass: &str,
    operations: Option<f64>,
    [median, min]: [f64; 2],
    burn: Option<f64>,
    options: &Options,
) {
    let rate = operations.map(|operations| operations / median / 1e9);
    if options.json {
        let rate = rate.map_or(String::new(), |rate| format!(",\"gflop_per_s\":{rate:.1}"));
        let burn = burn.map_or(String::new(), |seconds| format!(",\"burn_median_s\":{seconds:.6}"));
        println!(
            "{{\"bench\":\"{bench}\",\"case\":\"{case}\",\"pass\":\"{pass}\",\"backend\":\"cpu\",\
             \"median_s\":{median:.6},\"min_s\":{min:.6}{rate}{burn}}}"
        );
    } else {
        let or_dash = |number: Option<f64>, digits| number.map_or("-".into(), |number| format!("{number:.digits$}"));
        let (rate, ratio) = (or_dash(rate, 1), or_dash(burn.map(|seconds| seconds / median), 1));
        let burn = or_dash(burn.map(|seconds| seconds * 1e3), 2);
        let [median, min] = [median * 1e3, min * 1e3];
        println!("{case:<28} {pass:<8} {median:>10.2} {min:>8.2} {rate:>8} {burn:>10} {ratio:>6}");
    }
}

/// Median and minimum of `repeats` runs after a warm-up run, in seconds.
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

/// Values in [-1, 1] from a formula; a benchmark needs no random number generator.
fn formula<const D: usize>(shape: [usize; D]) -> FlexTensor {
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
            // Cargo appends this option to the arguments of every benchmark.
            "--bench" => {}
            other => panic!("unknown option {other}: --json, --case TEXT, --repeats N and --without-burn are known"),
        }
    }
    options
}
