//! One training step without the optimiser: forward of both views, loss, backward.
//!
//! `cargo bench -p train` prints a table; `-- --json` one object per line (`peak_mb` is MiB, as in the table).
//! `--net resnet18-cifar|resnet50` chooses the network, `--case 32,64,32,512` the view pairs, the width, the pixels of a side and
//! D (repeatable), `--backend cpu|wgpu|cuda` the device, `--threads N` the CPU backend's threads, `--repeats N` how many steps
//! the median is of, after one that is not timed. Each case runs in its own process, so that the peak resident size is that of
//! the case.
//!
//! Both networks have a projector D-D-D; `resnet18-cifar` has the CIFAR stem, `resnet50` ImageNet's, with blocks that start as
//! the identity. The views are noise: pixel values do not affect the time of a step. On a GPU the host waits for the device
//! before the clock is read.

#![allow(clippy::print_stdout)]

use barlow_engine::host_memory;
use barlow_engine::training::StepTiming;
use barlow_model::{HeadsConfig, ModelConfig, ProjectorConfig, ResNetConfig, ResNetDepth, Stem};
use barlow_train::device::{BackendChoice, select};
use clap::ValueEnum;
use serde_json::{Value, json};
use std::process::{Command, Stdio};

const NETS: [&str; 2] = ["resnet18-cifar", "resnet50"];
const CASES: [Case; 4] = [
    Case::new("resnet18-cifar", [32, 64, 32, 512]),
    Case::new("resnet18-cifar", [128, 32, 32, 512]),
    Case::new("resnet18-cifar", [128, 16, 32, 512]),
    Case::new("resnet50", [8, 64, 224, 2048]),
];
/// CubeCL tunes its kernels in the first steps.
const WARM_UP_ON_GPU: usize = 3;

fn main() {
    barlow_train::allocator::keep_freed_memory();
    let options = Options::parse();
    if options.here {
        println!("{}", measure(options.cases[0], &options));
        return;
    }
    if !options.json {
        println!("net                N  width  pixels      D  backend  threads  median s     min s  peak MiB");
    }
    let program = std::env::current_exe().expect("the path of this program");
    for case in &options.cases {
        let output = Command::new(&program)
            .args(["--here", "--net", case.net, "--case", &case.text()])
            .args(["--backend", &options.backend, "--repeats", &options.repeats.to_string()])
            .args(
                options
                    .threads
                    .iter()
                    .flat_map(|n| ["--threads".to_owned(), n.to_string()]),
            )
            .stderr(Stdio::inherit())
            .output()
            .expect("this program can be started");
        assert!(
            output.status.success(),
            "{} {}: {}",
            case.net,
            case.text(),
            output.status
        );
        let text = String::from_utf8_lossy(&output.stdout);
        if options.json {
            println!("{}", text.trim());
        } else {
            print_row(&serde_json::from_str(&text).expect("a case prints an object"));
        }
    }
}

fn print_row(row: &Value) {
    let number = |key: &str| row[key].as_f64().unwrap_or(f64::NAN);
    println!(
        "{:15} {:4}  {:5}  {:6} {:6}  {:7}  {:7}  {:8.3}  {:8.3}  {:8.0}",
        row["net"].as_str().unwrap_or_default(),
        number("n"),
        number("width"),
        number("pixels"),
        number("d"),
        row["backend"].as_str().unwrap_or_default(),
        number("threads"),
        number("median_s"),
        number("min_s"),
        number("peak_mb"),
    );
}

fn measure(case: Case, options: &Options) -> Value {
    if let Some(threads) = options.threads {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
        pool.expect("nothing has used the pool before");
    }
    let choice = BackendChoice::from_str(&options.backend, false).expect("--backend cpu|wgpu|cuda");
    let selected = select(choice, None).unwrap_or_else(|error| panic!("{error}"));
    let warm_up = if selected.backend == "cpu" { 1 } else { WARM_UP_ON_GPU };
    let timing = case.timing(warm_up, options.repeats);
    let mut seconds = selected.run(|device| device.time_steps(&timing));
    seconds.sort_by(f64::total_cmp);
    json!({
        "bench": "step",
        "net": case.net,
        "width": case.width,
        "n": case.pairs,
        "pixels": case.pixels,
        "d": case.d,
        "backend": selected.backend,
        "threads": rayon::current_num_threads(),
        "median_s": seconds[seconds.len() / 2],
        "min_s": seconds[0],
        "peak_mb": host_memory::peak().map(|bytes| bytes as f64 / 1024.0 / 1024.0),
    })
}

/// A network and the size of its step.
#[derive(Clone, Copy)]
struct Case {
    net: &'static str,
    pairs: usize,
    width: usize,
    pixels: usize,
    d: usize,
}

impl Case {
    const fn new(net: &'static str, [pairs, width, pixels, d]: [usize; 4]) -> Self {
        Self {
            net,
            pairs,
            width,
            pixels,
            d,
        }
    }

    /// As `--case` takes it.
    fn text(&self) -> String {
        format!("{},{},{},{}", self.pairs, self.width, self.pixels, self.d)
    }

    fn timing(&self, warm_up: usize, counted: usize) -> StepTiming {
        let backbone = match self.net {
            "resnet50" => ResNetConfig::new(ResNetDepth::ResNet50).with_zero_init_residual(true),
            _ => ResNetConfig::new(ResNetDepth::ResNet18)
                .with_stem(Stem::Cifar)
                .with_zero_init_residual(false),
        };
        let widths = vec![self.d; 3];
        let heads = HeadsConfig::new(ProjectorConfig { widths }.mlp(true));
        StepTiming {
            model: ModelConfig::new(backbone.with_width(self.width), heads),
            batch_size: self.pairs,
            pixels: self.pixels,
            warm_up,
            counted,
        }
    }
}

struct Options {
    json: bool,
    /// Measure in this process.
    here: bool,
    cases: Vec<Case>,
    backend: String,
    repeats: usize,
    threads: Option<usize>,
}

impl Options {
    fn parse() -> Self {
        let mut options = Self {
            json: false,
            here: false,
            cases: Vec::new(),
            backend: "cpu".to_owned(),
            repeats: 5,
            threads: None,
        };
        let mut net = None;
        let mut sizes = Vec::new();
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().unwrap_or_else(|| panic!("{argument} wants a value"));
            match argument.as_str() {
                "--bench" => {}
                "--json" => options.json = true,
                "--here" => options.here = true,
                "--net" => {
                    let name = value();
                    let known = NETS.into_iter().find(|known| *known == name);
                    net = Some(known.unwrap_or_else(|| panic!("--net {}", NETS.join("|"))));
                }
                "--case" => sizes.push(numbers(&value())),
                "--backend" => options.backend = value(),
                "--repeats" => options.repeats = value().parse().ok().filter(|n| *n > 0).expect("--repeats N, from 1"),
                "--threads" => options.threads = Some(value().parse().expect("--threads N")),
                other => panic!("unknown argument {other}"),
            }
        }
        options.cases = if sizes.is_empty() {
            CASES
                .into_iter()
                .filter(|case| net.is_none_or(|net| case.net == net))
                .collect()
        } else {
            sizes
                .into_iter()
                .map(|size| Case::new(net.unwrap_or(NETS[0]), size))
                .collect()
        };
        options
    }
}

fn numbers(text: &str) -> [usize; 4] {
    let numbers: Option<Vec<usize>> = text.split(',').map(|number| number.parse().ok()).collect();
    numbers
        .and_then(|numbers| numbers.try_into().ok())
        .expect("--case N,WIDTH,PIXELS,D")
}
