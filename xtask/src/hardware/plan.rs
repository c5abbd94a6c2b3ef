//! What is run, by priority: what a GPU is needed for comes first, and what would be missed most.

use super::item::{End, Item, Needs, Work};
use super::options::Sizes;
use std::path::Path;

/// The stages, in the order of the summary.
pub const STAGES: [(&str, &str); 9] = [
    ("rates", "The device's rates"),
    ("devices", "Devices"),
    ("conformance", "Conformance"),
    ("smoke", "A run that is killed and resumed"),
    ("step", "Training steps"),
    ("loss", "The loss"),
    ("ops", "Single operations"),
    ("training", "Training on generated images"),
    ("wgpu", "Conformance of WGPU"),
];

/// View pairs, width, pixels and D of a step.
type Step = [usize; 4];

/// The sizes of everything.
struct Scale {
    /// ResNet-50; the first one also with cold caches and with everything that PyTorch has.
    resnet50: &'static [Step],
    resnet18: &'static [Step],
    losses: &'static [&'static str],
    /// Side of the matrices by which rates are measured.
    rate_side: usize,
    ops_images: usize,
    large_conformance: bool,
    /// Part of the names of the operations that are timed.
    ops_names: &'static str,
    /// Generated images of an epoch.
    images: usize,
    repeats: usize,
}

const FULL: Scale = Scale {
    resnet50: &[[64, 64, 224, 8192], [32, 64, 224, 8192], [128, 64, 224, 8192]],
    resnet18: &[[256, 64, 32, 2048]],
    losses: &["256x8192", "2048x8192", "1024x65536"],
    rate_side: 8192,
    ops_images: 64,
    large_conformance: true,
    ops_names: "",
    images: 50_000,
    repeats: 10,
};

const SMALL: Scale = Scale {
    resnet50: &[[2, 16, 64, 128]],
    resnet18: &[[8, 16, 32, 128]],
    losses: &["64x128", "32x512"],
    rate_side: 2048,
    ops_images: 1,
    large_conformance: false,
    ops_names: "7px",
    images: 512,
    repeats: 2,
};

/// The items for `backend`; runs and images are in folders of `out`.
pub fn plan(backend: &str, sizes: Sizes, out: &Path) -> Vec<Item> {
    let scale = match sizes {
        Sizes::Full => &FULL,
        Sizes::Small => &SMALL,
    };
    let planner = Planner { backend, scale, out };
    let mut items = vec![
        Item::new(
            "devices",
            "devices",
            5.0,
            program(&["devices", "--json"]),
            Needs::Nothing,
        ),
        Item::new("rates", "rates", 20.0, planner.rates(), Needs::Nothing),
        planner.conformance(),
        planner.smoke(),
    ];
    items.extend(planner.steps());
    items.extend(planner.losses());
    items.extend(planner.training());
    items.push(planner.ops());
    // Its compiler takes its time, and everything else is known by then.
    items.push(planner.compiled_torch_step());
    if backend != "wgpu" {
        items.push(planner.wgpu());
    }
    items
}

struct Planner<'a> {
    backend: &'a str,
    scale: &'static Scale,
    out: &'a Path,
}

impl Planner<'_> {
    fn rates(&self) -> Work {
        python(&["rates.py", self.torch_device(), &self.scale.rate_side.to_string()])
    }

    fn conformance(&self) -> Item {
        let mut arguments = owned(&["conformance", "--json", "--backend", self.backend]);
        if self.scale.large_conformance {
            arguments.push("--large".to_owned());
        }
        let work = Work::Tool(arguments);
        Item::new("conformance", "conformance", 80.0, work, Needs::Backend)
    }

    /// The smoke recipe, killed twice and resumed, must end as one that is not.
    fn smoke(&self) -> Item {
        let out = self.out.join("smoke").display().to_string();
        let work = tool(&["soak", "--seed", "1", "--kills", "2", "--out", &out]);
        let Work::Tool(mut arguments) = work else {
            unreachable!("a tool")
        };
        arguments.extend(["--", "--config", "smoke", "--backend", self.backend].map(str::to_owned));
        Item::new("smoke", "smoke", 40.0, Work::Tool(arguments), Needs::Backend)
    }

    fn steps(&self) -> Vec<Item> {
        let mut items = Vec::new();
        for (number, step) in self.scale.resnet50.iter().enumerate() {
            if number == 0 {
                items.push(self.step("resnet50", *step, "-first", 60.0));
            }
            items.push(self.step("resnet50", *step, "", 15.0));
            items.push(self.torch_step("resnet50", *step, &self.variants(""), 20.0));
        }
        for step in self.scale.resnet18 {
            items.push(self.step("resnet18-cifar", *step, "", 30.0));
            items.push(self.torch_step("resnet18-cifar", *step, &self.variants(""), 15.0));
        }
        items
    }

    fn compiled_torch_step(&self) -> Item {
        self.torch_step("resnet50", self.scale.resnet50[0], &self.variants("-compiled"), 60.0)
    }

    /// TF32 exists on NVIDIA's GPUs alone.
    fn variants(&self, suffix: &str) -> String {
        let all = ["f32", "tf32", "bf16"]
            .into_iter()
            .filter(|name| self.torch_device() == "cuda" || *name != "tf32");
        all.map(|name| format!("{name}{suffix}")).collect::<Vec<_>>().join(",")
    }

    fn step(&self, net: &str, size: Step, suffix: &str, weight: f64) -> Item {
        let repeats = self.scale.repeats.to_string();
        let arguments = ["bench", "step", "--json", "--backend", self.backend, "--net", net];
        let mut arguments = arguments.map(str::to_owned).to_vec();
        arguments.extend(["--case".to_owned(), joined(size, ","), "--repeats".to_owned(), repeats]);
        let name = format!("step-{net}-{}{suffix}", size[0]);
        Item::new("step", name, weight, Work::Program(arguments), Needs::Backend)
    }

    fn torch_step(&self, net: &str, size: Step, variants: &str, weight: f64) -> Item {
        let mut arguments = vec!["step.py".to_owned(), self.torch_device().to_owned(), net.to_owned()];
        arguments.extend(size.map(|number| number.to_string()));
        arguments.extend([variants.to_owned(), self.scale.repeats.to_string()]);
        let compiled = if variants.contains("compiled") { "-compiled" } else { "" };
        let name = format!("torch-step-{net}-{}{compiled}", size[0]);
        Item::new("step", name, weight, Work::Python(arguments), Needs::Nothing)
    }

    fn losses(&self) -> [Item; 2] {
        let mut ours = vec!["bench".to_owned(), "loss".to_owned(), "--json".to_owned()];
        ours.extend(["--backend".to_owned(), self.backend.to_owned()]);
        ours.extend(["--form".to_owned(), "auto,direct,gram".to_owned()]);
        ours.extend(["--shape".to_owned(), self.scale.losses.join(",")]);
        ours.extend(["--repeats".to_owned(), self.scale.repeats.to_string()]);
        let mut torch = vec!["loss.py".to_owned(), self.torch_device().to_owned()];
        torch.push(self.scale.repeats.to_string());
        torch.extend(self.scale.losses.iter().map(|shape| (*shape).to_owned()));
        [
            Item::new("loss", "loss", 40.0, Work::Program(ours), Needs::Backend),
            Item::new("loss", "torch-loss", 15.0, Work::Python(torch), Needs::Nothing),
        ]
    }

    fn ops(&self) -> Item {
        let arguments = ["bench", "ops", "--json", "--backend", self.backend];
        let mut arguments = arguments.map(str::to_owned).to_vec();
        arguments.extend(["--images".to_owned(), self.scale.ops_images.to_string()]);
        arguments.extend(["--case".to_owned(), self.scale.ops_names.to_owned()]);
        arguments.extend(["--repeats".to_owned(), self.scale.repeats.to_string()]);
        Item::new("ops", "ops", 40.0, Work::Program(arguments), Needs::Backend)
    }

    fn training(&self) -> [Item; 2] {
        let images = Work::Images {
            folder: "images".to_owned(),
            images: self.scale.images,
        };
        let data = self.out.join("images").display().to_string();
        let out = self.out.join("training").display().to_string();
        let work = program(&[
            "pretrain",
            "--backend",
            self.backend,
            "--config",
            "cifar10-resnet18",
            "--set",
            "eval.every=0",
            "--data",
            &data,
            "--out",
            &out,
        ]);
        [
            Item::new("training", "images", 4.0, images, Needs::Backend),
            Item {
                end: End::Stop,
                ..Item::new("training", "training", 60.0, work, Needs::Backend)
            },
        ]
    }

    fn wgpu(&self) -> Item {
        let work = tool(&["conformance", "--json", "--backend", "wgpu"]);
        Item::new("wgpu", "wgpu-conformance", 60.0, work, Needs::HardwareAdapter)
    }

    fn torch_device(&self) -> &'static str {
        if self.backend == "cuda" { "cuda" } else { "cpu" }
    }
}

fn program(arguments: &[&str]) -> Work {
    Work::Program(owned(arguments))
}

fn tool(arguments: &[&str]) -> Work {
    Work::Tool(owned(arguments))
}

fn python(arguments: &[&str]) -> Work {
    Work::Python(owned(arguments))
}

fn owned(arguments: &[&str]) -> Vec<String> {
    arguments.iter().map(|&argument| argument.to_owned()).collect()
}

fn joined(numbers: Step, separator: &str) -> String {
    numbers.map(|number| number.to_string()).join(separator)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_item_has_its_own_files_and_a_stage_of_the_summary() {
        for (backend, sizes) in [("cuda", Sizes::Full), ("cpu", Sizes::Small), ("wgpu", Sizes::Small)] {
            let items = plan(backend, sizes, Path::new("/out"));
            let names: HashSet<&str> = items.iter().map(|item| item.name.as_str()).collect();
            assert_eq!(names.len(), items.len());
            for item in &items {
                assert!(STAGES.iter().any(|(stage, _)| *stage == item.stage), "{}", item.stage);
            }
            assert_eq!(items.iter().any(|item| item.stage == "wgpu"), backend != "wgpu");
        }
    }
}
