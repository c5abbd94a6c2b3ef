//! Recipes of `cuda-check`: the runs whose kernels are compiled.

/// A run whose kernels are compiled.
pub struct Recipe {
    /// Its name in tables and on the command line.
    pub name: &'static str,
    /// Flags of the program.
    pub flags: &'static [&'static str],
}

/// All recipes. A short run has the kernels of a long one. Recipes for other images train on the shipped ones; a batch that is
/// larger than that set is smaller here.
pub const RECIPES: [Recipe; 8] = [
    Recipe {
        name: "smoke",
        flags: &["--config", "smoke"],
    },
    Recipe {
        name: "losses",
        flags: &[
            "--config",
            "smoke",
            "--set",
            "loss.form=gram",
            "--set",
            "optimizer.kind=lars",
        ],
    },
    Recipe {
        name: "losses",
        flags: &[
            "--config",
            "smoke",
            "--set",
            "loss.form=reference",
            "--set",
            "optimizer.kind=sgd",
            "--set",
            "optimizer.learning_rate_weights=0.1",
        ],
    },
    Recipe {
        name: "losses",
        flags: &[
            "--config",
            "smoke",
            "--set",
            "loss.form=direct",
            "--set",
            "train.micro_batch=64",
        ],
    },
    Recipe {
        name: "sign-digits",
        flags: &["--config", "sign-digits"],
    },
    Recipe {
        name: "cifar10-resnet18",
        flags: &["--config", "cifar10-resnet18"],
    },
    Recipe {
        name: "cifar10-resnet18-cpu",
        flags: &["--config", "cifar10-resnet18-cpu", "--set", "data.train_images=1024"],
    },
    Recipe {
        name: "imagenet-resnet50",
        flags: &["--config", "imagenet-resnet50", "--batch-size", "512"],
    },
];
