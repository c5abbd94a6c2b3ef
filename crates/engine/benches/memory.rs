//! The memory of each method's steps on the CPU beside the plan's estimate:
//!
//! ```text
//! cargo bench -p barlow-engine --bench memory [-- METHOD..]
//! ```
//!
//! Each method runs in a process of its own, whose peak is that of three steps; what the process holds before them (the program, the
//! images) is subtracted. The ratio is above 1 where a step takes more than the estimate.

#![allow(clippy::print_stdout)]

use barlow_augment::{Normalization, RgbImage8};
use barlow_data::MemorySet;
use barlow_engine::config::{BackboneKind, Config, OptimizerKind};
use barlow_engine::console::PlainConsole;
use barlow_engine::host_memory;
use barlow_engine::methods::{MethodKind, MethodSection};
use barlow_engine::run::Run;
use barlow_engine::sources::Sources;
use barlow_model::Stem;
use burn::backend::Autodiff;
use burn_flex::{Flex, FlexDevice};
use std::process::Command;
use std::sync::Arc;

/// Set in the process of a method.
const METHOD: &str = "BARLOW_MEMORY_METHOD";
const N: usize = 128;
const STEPS: usize = 3;
const SIDE: usize = 32;

/// ResNet-18 of width 16, projector 512-512-512, views of 32 pixels; prototypes, predictor and queue in proportion.
fn config(kind: MethodKind) -> Config {
    let mut config = Config {
        method: MethodSection::of(kind),
        ..Config::default()
    };
    let method = &mut config.method;
    method.byol.predictor = 512;
    method.simsiam.predictor = 128;
    method.moco_v2.queue = 4096;
    method.moco_v3.predictor = 512;
    method.dino.prototypes = 1024;
    method.dino.small_views = 2;
    method.swav.prototypes = 512;
    method.swav.small_views = 2;
    method.sela.heads = 4;
    config.model.backbone = BackboneKind::ResNet18;
    config.model.stem = Stem::Cifar;
    config.model.width = 16;
    config.model.projector = match kind {
        MethodKind::Supervised => "10".to_owned(),
        MethodKind::WMse => "512-512-32".to_owned(),
        _ => "512-512-512".to_owned(),
    };
    config.views.size = SIDE;
    config.optimizer.kind = OptimizerKind::Sgd;
    config.optimizer.learning_rate_weights = Some(1e-3);
    config.train.epochs = 1;
    config.train.batch_size = N;
    config.train.log_every = 1;
    config.eval.untrained = false;
    config.eval.online = false;
    config.eval.crop = SIDE;
    config.eval.resize = SIDE;
    // One batch at a time, as it is estimated.
    config.data.workers = Some(0);
    config
}

fn images() -> Sources {
    let image = |k: usize| {
        let pixel = move |x: usize, y: usize| [(x * 8) as u8, (y * (k % 7) * 4) as u8, (k * 5) as u8];
        RgbImage8::from_fn(SIDE, SIDE, pixel).into()
    };
    let count = STEPS * N;
    let classes = (0..10).map(|class| class.to_string()).collect();
    let labels = (0..count).map(|k| k % 10).collect();
    let set = MemorySet::new((0..count).map(image).collect(), Some(labels), classes);
    Sources::of(Arc::new(set), None, Normalization::imagenet())
}

/// Runs the steps of a method and prints its peak and its estimate in bytes.
fn measure(kind: MethodKind) {
    let folder = tempfile::tempdir().expect("a folder for the run");
    let images = images();
    let before = host_memory::peak().expect("the system reports the peak of a process");
    let run = Run::builder::<Autodiff<Flex>>(config(kind), FlexDevice)
        .images(images)
        .out(folder.path().join("run"))
        .console(Arc::new(PlainConsole { quiet: true }))
        .prepare()
        .expect("a valid config");
    let memory = run.plan().expect("the run is new").memory();
    let estimate = memory.total() + memory.queue + memory.whole_set;
    run.open().and_then(|run| run.train()).expect("three steps");
    let peak = host_memory::peak().expect("as before");
    println!("{} {estimate}", peak - before);
}

fn main() {
    if let Ok(name) = std::env::var(METHOD) {
        let kind = MethodKind::ALL.iter().find(|kind| kind.name() == name);
        return measure(*kind.expect("the name of a method"));
    }
    let wanted: Vec<String> = std::env::args().skip(1).filter(|name| !name.starts_with('-')).collect();
    let program = std::env::current_exe().expect("this program has a path");
    println!(
        "{:<14} {:>10} {:>12} {:>6}",
        "method", "peak MiB", "estimate MiB", "ratio"
    );
    for kind in MethodKind::ALL {
        let name = kind.name();
        if !wanted.is_empty() && !wanted.iter().any(|wanted| wanted == name) {
            continue;
        }
        let output = Command::new(&program)
            .env(METHOD, name)
            .output()
            .expect("it starts again");
        let text = String::from_utf8_lossy(&output.stdout);
        let numbers: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        match numbers[..] {
            [peak, estimate] => {
                let mib = |bytes: f64| bytes / f64::from(1 << 20);
                println!(
                    "{name:<14} {:>10.0} {:>12.0} {:>6.2}",
                    mib(peak),
                    mib(estimate),
                    peak / estimate
                );
            }
            _ => println!("{name:<14} failed: {}", String::from_utf8_lossy(&output.stderr).trim()),
        }
    }
}
