//! Benchmark of the evaluations on synthetic features: time and peak memory.
//!
//! `cargo bench -p barlow-eval` prints a table, with `-- --json` one JSON object per line. `--cases knn,linear` selects from knn
//! (k 20 and 200 at two temperatures, in one pass), euclidean (the same), linear (the whole fit), pass (20 iterations of it), svm
//! (20 classes of VOC07's size) and collapse. `--rows N`, `--test N`, `--width F` and `--classes C` are the sizes, `--repeats N` the number of runs for the
//! median. Each case runs in a separate process, so that the peak resident memory is that of the case alone; `input_mb` of it are
//! the features themselves. `us/image` is the time per training image, of a fit per iteration: flat in `--rows` if nothing but the
//! arithmetic grows.

#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::process::Command;
use std::time::Instant;

use barlow_eval::{
    Collapse, Features, KnnConfig, LinearConfig, Metric, Presence, SvmConfig, knn, linear_probe, linear_svm, spectrum,
    unattended,
};
use serde_json::{Value, json};

const CASES: [&str; 6] = ["knn", "euclidean", "linear", "pass", "svm", "collapse"];

fn main() {
    let options = Options::parse();
    if options.child {
        println!("{}", measure(&options.cases[0], &options));
        return;
    }
    if !options.json {
        println!(
            "case          rows    test  width classes   median s    min s    max s peak MiB input MiB  top-1  iterations us/image"
        );
    }
    let program = std::env::current_exe().expect("the path of this executable");
    for case in &options.cases {
        let output = Command::new(&program)
            .args(["--child", "--cases", case])
            .args(options.sizes())
            .output()
            .expect("the case can be started");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "{case}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        if options.json {
            println!("{}", text.trim());
        } else {
            print_row(&serde_json::from_str(&text).expect("a case prints a JSON object"));
        }
    }
}

fn print_row(row: &Value) {
    let number = |key: &str| row[key].as_f64().unwrap_or(f64::NAN);
    println!(
        "{:10} {:7} {:7} {:6} {:7} {:10.3} {:8.3} {:8.3} {:8.0} {:9.0} {:6.4} {:11} {:8.2}",
        row["case"].as_str().unwrap_or_default(),
        number("rows"),
        number("test"),
        number("width"),
        number("classes"),
        number("median_s"),
        number("min_s"),
        number("max_s"),
        number("peak_mb"),
        number("input_mb"),
        number("top1"),
        number("iterations"),
        number("us_per_image"),
    );
}

/// What a case found, besides its time.
#[derive(Default)]
struct Found {
    top1: Option<f64>,
    iterations: Option<usize>,
    objective: Option<f64>,
}

fn measure(case: &str, options: &Options) -> Value {
    let svm = case == "svm";
    // VOC07's number of images, with features of 2048 values.
    let [rows, test, width, classes] = match svm {
        true if !options.named => [5011, 4952, 2048, 20],
        _ => [options.rows, options.test, options.width, options.classes],
    };
    let (train_rows, train_labels) = features(rows, width, classes, 1);
    let (test_rows, test_labels) = features(test, width, classes, 2);
    let train = Features {
        rows: &train_rows,
        width,
        labels: &train_labels,
        classes,
    };
    let test_set = Features {
        rows: &test_rows,
        labels: &test_labels,
        ..train
    };
    let input = peak_megabytes();
    let mut seconds = Vec::new();
    let mut found = Found::default();
    for _ in 0..options.repeats {
        let start = Instant::now();
        found = run(case, &train, &test_set);
        seconds.push(start.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    // Of an iteration where there are some: their number depends on the data.
    let passes = found.iterations.filter(|_| !svm).unwrap_or(1).max(1);
    let per_image = seconds[seconds.len() / 2] * 1e6 / (rows * passes) as f64;
    json!({
        "bench": "eval",
        "case": case,
        "rows": rows,
        "test": test,
        "width": width,
        "classes": classes,
        "threads": std::thread::available_parallelism().map(usize::from).ok(),
        "median_s": seconds[seconds.len() / 2],
        "min_s": seconds[0],
        "max_s": seconds[seconds.len() - 1],
        "peak_mb": peak_megabytes(),
        "input_mb": input,
        "top1": found.top1,
        "iterations": found.iterations,
        "us_per_image": per_image,
        "objective": found.objective,
    })
}

fn run(case: &str, train: &Features, test: &Features) -> Found {
    let mut control = unattended;
    match case {
        "knn" | "euclidean" => {
            let config = KnnConfig {
                ks: vec![20, 200],
                temperatures: vec![0.07, 0.2],
                metric: if case == "knn" {
                    Metric::Cosine
                } else {
                    Metric::Euclidean
                },
            };
            let result = knn(train, test, &config, &mut control).expect("kNN");
            Found {
                top1: Some(result.first().top1),
                ..Found::default()
            }
        }
        "linear" | "pass" => {
            let whole = LinearConfig::default();
            let max_iterations = if case == "pass" { 20 } else { whole.max_iterations };
            let config = LinearConfig {
                max_iterations,
                ..whole
            };
            let result = linear_probe(train, test, &config, &mut control).expect("a probe");
            Found {
                top1: Some(result.top1),
                iterations: Some(result.iterations),
                objective: Some(result.objective),
            }
        }
        "svm" => {
            let presence = |set: &Features| -> Vec<Presence> {
                let at = |&label: &usize| (0..set.classes).map(move |class| presence(class == label));
                set.labels.iter().flat_map(at).collect()
            };
            let (config, [a, b]) = (SvmConfig::default(), [train, test].map(presence));
            let result = linear_svm(train, &a, test, &b, &config, &mut control).expect("an SVM");
            Found {
                top1: result.mean_area.mean,
                iterations: result.classes.iter().map(|class| class.iterations).max(),
                ..Found::default()
            }
        }
        "collapse" => {
            black_box((Collapse::of(train.rows, train.width), spectrum(train.rows, train.width)));
            Found::default()
        }
        other => panic!("unknown case {other}; there are {CASES:?}"),
    }
}

fn presence(present: bool) -> Presence {
    if present { Presence::Present } else { Presence::Absent }
}

/// A direction per class in uniform noise (xorshift), with a common offset, as features after a ReLU have it.
fn features(count: usize, width: usize, classes: usize, seed: u64) -> (Vec<f32>, Vec<usize>) {
    let mut state = 0x9E37_79B9_7F4A_7C15u64.wrapping_mul(seed);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let labels: Vec<usize> = (0..count).map(|_| (next() >> 33) as usize % classes).collect();
    let mut rows = Vec::with_capacity(count * width);
    for &label in &labels {
        for feature in 0..width {
            let noise = (next() >> 40) as f32 / (1 << 23) as f32;
            let direction = ((label * 2654435761 + feature * 40503) % 1013) as f32 / 1013.0;
            rows.push(noise + 0.2 * direction);
        }
    }
    (rows, labels)
}

/// Peak resident memory of this process so far, in MiB, where the system reports it.
fn peak_megabytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes / 1024.0)
}

struct Options {
    json: bool,
    child: bool,
    /// Whether sizes were given.
    named: bool,
    cases: Vec<String>,
    rows: usize,
    test: usize,
    width: usize,
    classes: usize,
    repeats: usize,
}

impl Options {
    fn parse() -> Self {
        let mut options = Self {
            json: false,
            child: false,
            named: false,
            cases: CASES.map(str::to_owned).to_vec(),
            rows: 200_000,
            test: 10_000,
            width: 512,
            classes: 100,
            repeats: 3,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().unwrap_or_else(|| panic!("{argument} needs a value"));
            let mut size = |named: &mut bool| {
                *named = true;
                value().parse().unwrap_or_else(|_| panic!("{argument} needs a number"))
            };
            match argument.as_str() {
                "--bench" => {}
                "--json" => options.json = true,
                "--child" => options.child = true,
                "--rows" => options.rows = size(&mut options.named),
                "--test" => options.test = size(&mut options.named),
                "--width" => options.width = size(&mut options.named),
                "--classes" => options.classes = size(&mut options.named),
                "--repeats" => options.repeats = size(&mut false),
                "--cases" => options.cases = value().split(',').map(str::to_owned).collect(),
                other => panic!("unknown argument {other}"),
            }
        }
        options
    }

    /// The arguments of a case's own process.
    fn sizes(&self) -> Vec<String> {
        let sizes = [
            ("--rows", self.rows),
            ("--test", self.test),
            ("--width", self.width),
            ("--classes", self.classes),
        ];
        let sizes = if self.named { &sizes[..] } else { &[] };
        let mut all: Vec<String> = sizes
            .iter()
            .flat_map(|(name, size)| [(*name).to_owned(), size.to_string()])
            .collect();
        all.extend(["--repeats".to_owned(), self.repeats.to_string()]);
        all
    }
}
