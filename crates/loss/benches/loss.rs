//! Benchmark of the loss on the CPU backend: forward and backward pass of every form.
//!
//! `cargo bench -p barlow-loss` prints a table, with `-- --json` one JSON object per line (`peak_mb` and `moved_mb` are MiB, as
//! in the table). `--shapes 256x8192,128x16384` and `--forms auto,gram` select the cases, `--repeats N` sets the number of runs
//! for the median. Each case runs in a separate process, so that the peak resident memory is that of the case alone.
//!
//! The number of bytes moved is a model, not a measurement: what must be read and written between the caches and memory in f32 if
//! the caches hold blocks of features but not whole matrices.
//! * gram: z_a and z_b read forward and backward, both gradients written (6 N D); both Gram matrices written, read for their
//!   inner product, read backward (6 N²).
//! * direct: the same 6 N D, plus the embeddings read twice more and both standardised views written and read forward (8 N D); C
//!   written, read and written again for its sums, and read once for each gradient (5 D²).
//! * reference: every tensor operation reads its operands and writes its result, about 70 N D and 19 D².

#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::process::Command;
use std::time::Instant;

use barlow_loss::{BarlowTwinsLoss, BarlowTwinsLossConfig, LossForm};
use burn::backend::Autodiff;
use burn::tensor::{Tensor, TensorData};
use burn_flex::Flex;
use serde_json::json;

const SHAPES: [[usize; 2]; 8] = [
    [32, 128],
    [64, 8192],
    [128, 16384],
    [256, 2048],
    [256, 8192],
    [1024, 8192],
    [2048, 2048],
    [4096, 1024],
];
const FORMS: [(&str, LossForm); 4] = [
    ("auto", LossForm::Auto),
    ("direct", LossForm::Direct),
    ("gram", LossForm::Gram),
    ("reference", LossForm::Reference),
];
/// Largest D of the forms with a D × D matrix, unless shapes or forms are given.
const LARGEST_D: usize = 8192;

fn main() {
    let options = Options::parse();
    if let Some((form, shape)) = options.case {
        println!("{}", measure(form, shape, options.repeats));
        return;
    }
    if !options.json {
        println!("    N      D  form       takes     median ms    min ms    max ms peak MiB moved MiB");
    }
    let program = std::env::current_exe().expect("the path of this executable");
    for [n, d] in &options.shapes {
        for form in &options.forms {
            let quadratic = matches!(form.as_str(), "direct" | "reference");
            if !options.named && quadratic && *d > LARGEST_D {
                continue;
            }
            let case = format!("{form}:{n}x{d}");
            let repeats = options.repeats.to_string();
            let output = Command::new(&program)
                .args(["--case", &case, "--repeats", &repeats])
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
}

fn print_row(row: &serde_json::Value) {
    let number = |key: &str| row[key].as_f64().unwrap_or(f64::NAN);
    println!(
        "{:5} {:6}  {:9}  {:9} {:9.2} {:9.2} {:9.2} {:8.0} {:9.1}",
        number("n"),
        number("d"),
        row["form"].as_str().unwrap_or_default(),
        row["takes"].as_str().unwrap_or_default(),
        1e3 * number("median_s"),
        1e3 * number("min_s"),
        1e3 * number("max_s"),
        number("peak_mb"),
        number("moved_mb"),
    );
}

fn measure(form: &str, [n, d]: [usize; 2], repeats: usize) -> serde_json::Value {
    let criterion = BarlowTwinsLossConfig::new().with_form(form_named(form)).init();
    let taken = criterion.form(n, d, None).0;
    let [a, b] = [1, 2].map(|seed| embeddings(n, d, seed));
    let once = || {
        let start = Instant::now();
        step(&criterion, &a, &b);
        start.elapsed().as_secs_f64()
    };
    once();
    let mut seconds: Vec<f64> = (0..repeats).map(|_| once()).collect();
    // Short cases are repeated until the noise averages out.
    while seconds.iter().sum::<f64>() < 1.0 && seconds.len() < 20 * repeats {
        seconds.push(once());
    }
    seconds.sort_by(f64::total_cmp);
    json!({
        "bench": "loss",
        "form": form,
        "takes": FORMS.iter().find(|known| known.1 == taken).map(|known| known.0),
        "backend": "cpu",
        "n": n,
        "d": d,
        "median_s": seconds[seconds.len() / 2],
        "min_s": seconds[0],
        "max_s": seconds[seconds.len() - 1],
        "peak_mb": peak_megabytes(),
        "moved_mb": moved_megabytes(taken, n as f64, d as f64),
    })
}

fn step(criterion: &BarlowTwinsLoss, a: &Tensor<Autodiff<Flex>, 2>, b: &Tensor<Autodiff<Flex>, 2>) {
    let gradients = criterion.forward(a.clone(), b.clone()).loss.backward();
    black_box((a.grad(&gradients), b.grad(&gradients)));
}

/// Tracked embeddings of uniform random numbers (xorshift).
fn embeddings(n: usize, d: usize, seed: u64) -> Tensor<Autodiff<Flex>, 2> {
    let mut state = 0x9E37_79B9_7F4A_7C15u64.wrapping_mul(seed);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    let values: Vec<f32> = (0..n * d).map(|_| next()).collect();
    Tensor::from_data(TensorData::new(values, [n, d]), &Default::default()).require_grad()
}

/// The model of bytes moved in the module docs, in MiB.
fn moved_megabytes(form: LossForm, n: f64, d: f64) -> f64 {
    let floats = match form {
        LossForm::Gram => 6.0 * n * d + 6.0 * n * n,
        LossForm::Direct => 14.0 * n * d + 5.0 * d * d,
        LossForm::Auto | LossForm::Reference => 70.0 * n * d + 19.0 * d * d,
    };
    4.0 * floats / f64::from(1 << 20)
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
    named: bool,
    shapes: Vec<[usize; 2]>,
    forms: Vec<String>,
    repeats: usize,
    case: Option<(&'static str, [usize; 2])>,
}

impl Options {
    fn parse() -> Self {
        let mut options = Self {
            json: false,
            named: false,
            shapes: SHAPES.to_vec(),
            forms: FORMS.map(|(name, _)| name.to_owned()).to_vec(),
            repeats: 7,
            case: None,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().unwrap_or_else(|| panic!("{argument} needs a value"));
            match argument.as_str() {
                "--bench" => {}
                "--json" => options.json = true,
                "--repeats" => options.repeats = value().parse().expect("--repeats N"),
                "--shapes" => {
                    options.named = true;
                    options.shapes = value().split(',').map(shape).collect();
                }
                "--forms" => {
                    options.named = true;
                    let known = |form: &str| FORMS.iter().find(|(name, _)| *name == form).expect("a form's name").0;
                    options.forms = value().split(',').map(|form| known(form).to_owned()).collect();
                }
                "--case" => {
                    let value = value();
                    let (form, size) = value.split_once(':').expect("--case FORM:NxD");
                    let form = FORMS.iter().find(|(name, _)| *name == form).expect("a form's name").0;
                    options.case = Some((form, shape(size)));
                }
                other => panic!("unknown argument {other}"),
            }
        }
        options
    }
}

fn shape(text: &str) -> [usize; 2] {
    let (n, d) = text.split_once('x').expect("a shape is NxD");
    [n, d].map(|side| side.parse().expect("a shape is NxD"))
}

fn form_named(name: &str) -> LossForm {
    FORMS.iter().find(|known| known.0 == name).expect("a form's name").1
}
