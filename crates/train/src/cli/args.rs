//! The command line as clap structs, with the help texts. No input or output here.

use crate::commands::bench::loss::{FORMS, LossShape};
use crate::commands::bench::step::{Net, StepSize};
use barlow_engine::evaluation::L2;
use barlow_engine::methods::MethodKind;
use barlow_engine::weights::ExportFile;
use barlow_loss::LossForm;
use barlow_train::device::BackendChoice;
use clap::builder::NonEmptyStringValueParser;
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;

/// Pre-train vision models without labels: Barlow Twins on CUDA, WGPU or the CPU.
///
/// Without a command: pre-trains on the shipped images, evaluates the features and writes a report.
#[derive(Debug, Parser)]
#[command(name = "train", version = super::version::SHORT, max_term_width = 110)]
#[command(after_help = "Exit codes: 0 done, 1 failed while running, 2 usage or config or backend, 130 interrupted.")]
pub(super) struct Args {
    #[command(flatten)]
    pub run: RunArgs,
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Flags that every command takes.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct RunArgs {
    /// Backend to compute on
    #[arg(long, global = true, value_enum, default_value_t, help_heading = "Device")]
    pub backend: BackendChoice,
    /// Device number within the backend, from 0 [default: 0]
    #[arg(long, global = true, value_name = "N", help_heading = "Device")]
    pub device: Option<usize>,
    /// Threads for the CPU backend and for decoding images [default: all cores]
    #[arg(long, global = true, value_name = "N", help_heading = "Device")]
    pub threads: Option<usize>,
    /// Recipe: a TOML file, or the name of a shipped one [default: sign-digits]
    #[arg(long, global = true, value_name = "FILE|NAME", value_parser = NonEmptyStringValueParser::new(), help_heading = "Recipe")]
    pub config: Option<String>,
    /// Override one key of the recipe, e.g. --set loss.lambda=0.01 (repeatable)
    #[arg(long = "set", global = true, value_name = "KEY=VALUE", help_heading = "Recipe")]
    pub sets: Vec<String>,
    /// Folder of images: a folder per class, below train/ and test/ or val/
    /// [default: the recipe's; sign-digits: assets/sign-digits-64]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Recipe")]
    pub data: Option<PathBuf>,
    /// Fraction of the training images to hold out and evaluate on, such as 0.1 [default: the recipe's; none]
    #[arg(long, global = true, value_name = "FRACTION", help_heading = "Recipe")]
    pub holdout: Option<f64>,
    /// Seed of all random numbers [default: the recipe's; sign-digits: 0]
    #[arg(long, global = true, value_name = "N", help_heading = "Recipe")]
    pub seed: Option<u64>,
    /// Number of passes over the images [default: the recipe's; sign-digits: 80]
    #[arg(long, global = true, value_name = "N", help_heading = "Recipe")]
    pub epochs: Option<u64>,
    /// Images per step [default: the recipe's; sign-digits: 128]
    #[arg(long, global = true, value_name = "N", help_heading = "Recipe")]
    pub batch_size: Option<usize>,
    /// Threads that compute views ahead of the device; 0 computes them between steps [default: all cores]
    #[arg(long, global = true, value_name = "N", help_heading = "Recipe")]
    pub workers: Option<usize>,
    /// Folder of the run, or file of the result [default: runs/CONFIG-TIME]
    #[arg(long, global = true, value_name = "PATH", help_heading = "Run")]
    pub out: Option<PathBuf>,
    /// Continue the run in --out [default: the newest one below runs/]
    #[arg(long, global = true, help_heading = "Run")]
    pub resume: bool,
    /// With --resume: continue with the given config although it differs from the run's
    #[arg(long, global = true, requires = "resume", help_heading = "Run")]
    pub accept_changes: bool,
    /// With several processes: how long one waits for the others before it ends the job
    #[arg(
        long,
        global = true,
        value_name = "SECONDS",
        default_value_t = 600,
        help_heading = "Run"
    )]
    pub timeout: u64,
    /// Print what would be done and exit
    #[arg(long, global = true, help_heading = "Run")]
    pub dry_run: bool,
    /// Print a time profile to standard error at the end (waits for the GPU after every phase, which is slower)
    #[arg(long, global = true, help_heading = "Run")]
    pub profile: bool,
    /// Print only warnings, errors and results
    #[arg(long, short, global = true, help_heading = "Run")]
    pub quiet: bool,
    /// Print every cause of an error
    #[arg(long, short, global = true, action = clap::ArgAction::Count, help_heading = "Run")]
    pub verbose: u8,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Train the backbone and projector without labels (the default)
    Pretrain(PretrainArgs),
    /// Run a grid of settings over one recipe: a table or figure of the paper, or your own
    Study(StudyArgs),
    /// Train a linear probe on a run's frozen features
    Linear(LinearArgs),
    /// Classify by nearest neighbours on a run's frozen features
    Knn(KnnArgs),
    /// Train a run's network on a part of the labels, and from scratch beside it
    Finetune(FinetuneArgs),
    /// Evaluate a run's frozen features on another data set
    Transfer(TransferArgs),
    /// Train detectors on a run's ResNet, on images with boxes or masks in VOC's layout or COCO's
    Detect(DetectArgs),
    /// Write the features of every image of a folder to a file, for other programs
    Embed(EmbedArgs),
    /// Turn another program's file of weights into a run: torchvision's, timm's, solo-learn's, lightly's, VISSL's, ...
    Import(ImportArgs),
    /// Write a run's network for other programs: PyTorch, timm, ONNX, detectron2, Burn
    Export(ExportArgs),
    /// Regenerate the report of one or several runs
    Report(ReportArgs),
    /// Look at a data set: splits, classes, sizes, unreadable files, duplicates; writes a contact sheet
    Data(DataArgs),
    /// Write a picture with several random draws of an image's views, for inspection
    Views(ViewsArgs),
    /// List what lies in a file of weights (.pth, .safetensors, a checkpoint): names, shapes, types, and whose layout it is
    Inspect(InspectArgs),
    /// List the methods: what each minimises, its parts, source and recipes
    Methods(JsonArgs),
    /// List the available backends and devices, and their capabilities
    Devices(JsonArgs),
    /// Compare everything that a backend computes with the CPU's results
    Conformance(ConformanceArgs),
    /// Time a training step, the loss or single operations on a device
    #[command(subcommand)]
    Bench(BenchCommand),
    /// Print a completion script, to be installed where the shell looks for it
    Completions(CompletionsArgs),
    /// Print the manual page, in roff
    Man,
}

/// Flags of `pretrain`.
#[derive(Debug, Default, ClapArgs)]
pub(super) struct PretrainArgs {
    /// Start from existing weights, with a fresh optimiser: a run's (FOLDER takes its best checkpoint and its recipe, FOLDER@last
    /// the last checkpoint) or a .safetensors file's
    #[arg(long, value_name = "RUN|FILE", value_parser = NonEmptyStringValueParser::new())]
    pub from: Option<String>,
    /// Train a run for each of these seeds, below the run's folder; mean and standard deviation are printed
    #[arg(long, value_name = "N", value_delimiter = ',', conflicts_with = "from")]
    pub seeds: Vec<u64>,
    #[command(flatten)]
    pub jobs: JobsArgs,
    /// How a study starts a run: untrained evaluations are shared in DIR, and the end of standard input stops the run
    #[arg(long, value_name = "DIR", hide = true)]
    pub cell_of: Option<PathBuf>,
}

/// Flags of the commands that start several runs.
#[derive(Debug, Default, ClapArgs)]
pub(super) struct JobsArgs {
    /// Runs side by side, which share the threads [default: 1]
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
}

/// Flags of `study`.
#[derive(Debug, ClapArgs)]
pub(super) struct StudyArgs {
    /// loss, batch, augment, width, depth, lambda, asymmetry, methods (`study list` explains them), or a TOML file with a grid of
    /// your own
    #[arg(value_name = "NAME|FILE")]
    pub study: String,
    /// Seeds of each cell [default: the grid's; 0,1,2]
    #[arg(long, value_name = "N", value_delimiter = ',')]
    pub seeds: Vec<u64>,
    /// Only these cells, by their names
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub cells: Vec<String>,
    #[command(flatten)]
    pub jobs: JobsArgs,
}

/// Flags of the probes.
#[derive(Debug, ClapArgs)]
pub(super) struct ProbeArgs {
    /// The run: FOLDER takes its best checkpoint (by kNN on its test images), FOLDER@last the last one; several runs, such as those
    /// of three seeds, are evaluated one after the other and averaged
    #[arg(long, value_name = "RUN", num_args = 1.., required = true, value_parser = NonEmptyStringValueParser::new())]
    pub from: Vec<String>,
    /// Compute features anew, and leave those in the user's cache folder alone
    #[arg(long)]
    pub no_cache: bool,
    /// Evaluate networks with initial weights, too, one for each seed
    #[arg(long)]
    pub untrained: bool,
    /// Seeds, of which mean and standard deviation are printed: of what a protocol draws, and of untrained networks
    #[arg(long, value_name = "N", value_delimiter = ',')]
    pub seeds: Vec<u64>,
}

impl ProbeArgs {
    /// The defaults for one run.
    pub fn of(from: String) -> Self {
        Self {
            from: vec![from],
            no_cache: false,
            untrained: false,
            seeds: Vec::new(),
        }
    }
}

/// Flags of `linear`.
#[derive(Debug, ClapArgs)]
pub(super) struct LinearArgs {
    #[command(flatten)]
    pub probe: ProbeArgs,
    /// exact: to convergence, on the features of every training image. sgd: the official one, on random crops (--epochs,
    /// --batch-size and --seed apply)
    #[arg(long, value_enum, default_value_t)]
    pub protocol: ProtocolArg,
    /// Factor of the squared weights in exact, or auto: chosen on a tenth of the training images [default: 0.001]
    #[arg(long, value_name = "NUMBER|auto", value_parser = l2)]
    pub l2: Option<L2>,
    /// Learning rates of sgd, tried side by side [default: 0.3]
    #[arg(long, value_name = "RATE", value_delimiter = ',')]
    pub rates: Vec<f64>,
    /// Weight decays of sgd, each tried with each rate [default: 1e-6]
    #[arg(long, value_name = "DECAY", value_delimiter = ',')]
    pub weight_decays: Vec<f64>,
}

/// Flags of `finetune`.
#[derive(Debug, ClapArgs)]
pub(super) struct FinetuneArgs {
    #[command(flatten)]
    pub probe: ProbeArgs,
    /// Fractions of the labels, of each class alike [default: 0.01,0.1]
    #[arg(long, value_name = "FRACTION", value_delimiter = ',', conflicts_with = "list")]
    pub fraction: Vec<f64>,
    /// File with the names of the labelled images, one a line
    #[arg(long, value_name = "FILE")]
    pub list: Option<PathBuf>,
    /// Train the network from scratch, too
    #[arg(long)]
    pub baseline: bool,
    /// Rate of the classifier for 256 images
    #[arg(long, value_name = "RATE", default_value_t = 0.5)]
    pub rate: f64,
    /// Rate of the backbone for 256 images [default: 0.005; with --schedule step 0.002]
    #[arg(long, value_name = "RATE")]
    pub backbone_rate: Option<f64>,
    /// Epochs of linear warm-up, at most a tenth of all
    #[arg(long, value_name = "EPOCHS", default_value_t = 0.0)]
    pub warmup_epochs: f64,
    /// How the rates fall: by a cosine, epoch by epoch (the official code), or times 0.2 after 3/5 and 4/5 of the epochs (the paper)
    #[arg(long, value_enum, default_value_t)]
    pub schedule: ScheduleArg,
}

/// The values of `--schedule`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum ScheduleArg {
    /// The official code's.
    #[default]
    Cosine,
    /// The paper's.
    Step,
}

/// Flags of `transfer`.
#[derive(Debug, ClapArgs)]
pub(super) struct TransferArgs {
    #[command(flatten)]
    pub probe: ProbeArgs,
    /// linear: logistic regression, one label per image. head: a linear layer behind a trained batch norm by SGD, as VISSL for Places
    /// and iNaturalist (--epochs and --batch-size apply). svm: a support vector machine per class, several labels per image (VOC)
    #[arg(long, value_enum, default_value_t)]
    pub task: TaskArg,
    /// Which values: the last map's average, or four averages of parts of it; several are evaluated one after the other
    #[arg(long, value_name = "LAYER", value_enum, value_delimiter = ',', default_values = ["avgpool"])]
    pub features: Vec<FeaturesArg>,
    /// How images become square: by cutting, or by resizing them whatever their proportions are
    #[arg(long, value_name = "HOW", value_enum, value_delimiter = ',', default_values = ["crop"])]
    pub resize: Vec<ResizeArg>,
    /// Of head: the rate times 0.1 after 2/7, 4/7 and 6/7 of the epochs (vissl), or after 1/3 and 2/3 (paper)
    #[arg(long, value_enum, default_value_t)]
    pub drops: DropsArg,
}

/// The values of `--features`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum FeaturesArg {
    /// The representation.
    Avgpool,
    /// [F, 2, 2].
    #[value(name = "2x2")]
    Quarters,
}

/// The values of `--resize`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ResizeArg {
    /// A square from the centre.
    Crop,
    /// The whole image.
    Squash,
}

/// The values of `--drops`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum DropsArg {
    /// Three.
    #[default]
    Vissl,
    /// Two.
    Paper,
}

/// The values of `--task`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum TaskArg {
    /// Logistic regression.
    #[default]
    Linear,
    /// Batch norm and linear layer.
    Head,
    /// Support vector machines.
    Svm,
}

/// Flags of `detect`.
#[derive(Debug, ClapArgs)]
pub(super) struct DetectArgs {
    #[command(flatten)]
    pub probe: ProbeArgs,
    /// box: Faster R-CNN. mask: Mask R-CNN, for sets with masks
    #[arg(long, value_enum, default_value_t)]
    pub task: DetectTaskArg,
    /// What is trained, too: from random weights, or from the run's with everything up to the third stage frozen
    #[arg(long, value_name = "START", value_enum, value_delimiter = ',')]
    pub baseline: Vec<DetectBaselineArg>,
}

/// The values of `detect --task`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum DetectTaskArg {
    /// Boxes.
    #[default]
    Box,
    /// Masks.
    Mask,
}

/// The values of `detect --baseline`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum DetectBaselineArg {
    /// Random weights.
    Random,
    /// Frozen ones.
    Frozen,
}

/// Flags of `knn`.
#[derive(Debug, ClapArgs)]
pub(super) struct KnnArgs {
    #[command(flatten)]
    pub probe: ProbeArgs,
    /// How near images are
    #[arg(long, value_enum, default_value_t)]
    pub metric: MetricArg,
}

/// The values of `--metric`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum MetricArg {
    /// By the angle between their features.
    #[default]
    Cosine,
    /// By the distance of their features.
    Euclidean,
}

fn l2(text: &str) -> Result<L2, String> {
    if text == "auto" {
        return Ok(L2::Chosen);
    }
    let given = text.parse().ok().filter(|l2: &f64| *l2 >= 0.0 && l2.is_finite());
    given
        .map(L2::Given)
        .ok_or_else(|| "a number of at least 0, or auto, is needed".to_owned())
}

/// The values of `--protocol`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum ProtocolArg {
    /// L-BFGS to convergence.
    #[default]
    Exact,
    /// The official one.
    Sgd,
}

/// Flags of `embed`.
#[derive(Debug, ClapArgs)]
pub(super) struct EmbedArgs {
    /// The network: a run (FOLDER takes its best checkpoint, FOLDER@last the last one) or a file of weights
    #[arg(long, value_name = "RUN|FILE", value_parser = NonEmptyStringValueParser::new())]
    pub from: String,
    /// The output of the backbone, which probes use, or that of the projector, which the loss uses
    #[arg(long, value_enum, default_value_t)]
    pub layer: LayerArg,
}

/// The values of `--layer`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum LayerArg {
    /// Of the backbone.
    #[default]
    Representation,
    /// Of the projector.
    Embedding,
}

/// Flags of `import`.
#[derive(Debug, ClapArgs)]
pub(super) struct ImportArgs {
    /// The file: .pth, .pt, .ckpt, .tar, .safetensors, or the index of a sharded one
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// Flags of `export`.
#[derive(Debug, ClapArgs)]
pub(super) struct ExportArgs {
    /// The run: FOLDER takes its best checkpoint, FOLDER@last the last one
    #[arg(long, value_name = "RUN", value_parser = NonEmptyStringValueParser::new())]
    pub from: String,
    /// The format: safetensors, pth, timm (a folder), onnx, detectron2 or burn
    #[arg(long, value_name = "FORMAT", value_parser = ExportFile::from_str)]
    pub format: ExportFile,
    /// The part of the network
    #[arg(long, value_enum, default_value_t)]
    pub what: WhatArg,
}

/// The values of `--what`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum WhatArg {
    /// The backbone.
    #[default]
    Backbone,
    /// Backbone and projector.
    Full,
}

/// Flags of the commands with machine-readable output.
#[derive(Debug, ClapArgs)]
pub(super) struct JsonArgs {
    /// Print one JSON object per line
    #[arg(long)]
    pub json: bool,
}

/// Flags of `conformance`.
#[derive(Debug, ClapArgs)]
pub(super) struct ConformanceArgs {
    /// Print one JSON object per line
    #[arg(long)]
    pub json: bool,
    /// Compare at the shapes of a ResNet-50 too: minutes on a software driver
    #[arg(long)]
    pub large: bool,
    /// Only comparisons whose name contains TEXT
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub case: String,
}

/// The benchmarks.
#[derive(Debug, Subcommand)]
pub(super) enum BenchCommand {
    /// A training step without the optimiser: both views forward, the loss, backward
    Step(StepBenchArgs),
    /// The loss and its gradients
    Loss(LossBenchArgs),
    /// Single operations: the convolutions of a network and products of matrices
    Ops(OpsBenchArgs),
}

/// Flags of every benchmark.
#[derive(Debug, ClapArgs)]
pub(super) struct BenchArgs {
    /// Print one JSON object per line
    #[arg(long)]
    pub json: bool,
    /// Timed repetitions, of which the median is taken
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = positive)]
    pub repeats: usize,
}

/// Flags of `bench step`.
#[derive(Debug, ClapArgs)]
pub(super) struct StepBenchArgs {
    /// Network: resnet18-cifar or resnet50; the projector is D-D-D [default: both]
    #[arg(long, value_parser = net)]
    pub net: Option<Net>,
    /// View pairs, width of the network, pixels of a side and D, e.g. 64,64,224,8192 (repeatable)
    #[arg(long = "case", value_name = "N,WIDTH,PIXELS,D", value_parser = step_size)]
    pub cases: Vec<StepSize>,
    /// Method of the step, or "all" (repeatable) [default: barlow-twins]
    #[arg(long = "method", value_name = "NAME", value_parser = methods, value_delimiter = ',')]
    pub methods: Vec<&'static [MethodKind]>,
    #[command(flatten)]
    pub bench: BenchArgs,
}

/// Flags of `bench loss`.
#[derive(Debug, ClapArgs)]
pub(super) struct LossBenchArgs {
    /// Batch size and width of the embeddings, e.g. 256x8192 (repeatable)
    #[arg(long = "shape", value_name = "NxD", value_parser = loss_shape, value_delimiter = ',')]
    pub shapes: Vec<LossShape>,
    /// Form of the loss: auto, direct, gram or reference (repeatable) [default: auto]
    #[arg(long = "form", value_name = "FORM", value_parser = loss_form, value_delimiter = ',')]
    pub forms: Vec<LossForm>,
    #[command(flatten)]
    pub bench: BenchArgs,
}

/// Flags of `bench ops`.
#[derive(Debug, ClapArgs)]
pub(super) struct OpsBenchArgs {
    /// Network whose convolutions are timed: resnet18-cifar or resnet50
    #[arg(long, value_parser = net, default_value = "resnet50")]
    pub net: Net,
    /// Images of a convolution
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = positive)]
    pub images: usize,
    /// Only operations whose name contains TEXT
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub case: String,
    #[command(flatten)]
    pub bench: BenchArgs,
}

fn positive(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "a whole number from 1 is needed".to_owned())
}

fn net(text: &str) -> Result<Net, String> {
    let names = Net::ALL.map(|net| (net.name(), net));
    by_name(text, &names)
}

fn methods(text: &str) -> Result<&'static [MethodKind], String> {
    let all = MethodKind::ALL;
    let one = all.chunks(1).map(|kind| (kind[0].name(), kind));
    by_name(text, &one.chain([("all", all)]).collect::<Vec<_>>())
}

fn loss_form(text: &str) -> Result<LossForm, String> {
    by_name(text, &FORMS)
}

fn by_name<T: Copy>(text: &str, known: &[(&str, T)]) -> Result<T, String> {
    let found = known.iter().find(|(name, _)| *name == text);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        format!("one of {} is needed", names.join(", "))
    })
}

fn step_size(text: &str) -> Result<StepSize, String> {
    sizes(text, ',').ok_or_else(|| "four numbers from 1 are needed: N,WIDTH,PIXELS,D".to_owned())
}

fn loss_shape(text: &str) -> Result<LossShape, String> {
    sizes(text, 'x').ok_or_else(|| "two numbers from 1 are needed: NxD".to_owned())
}

fn sizes<const K: usize>(text: &str, separator: char) -> Option<[usize; K]> {
    let sizes: Option<Vec<usize>> = text.split(separator).map(|part| positive(part.trim()).ok()).collect();
    sizes?.try_into().ok()
}

/// Flags of `report`.
#[derive(Debug, ClapArgs)]
pub(super) struct ReportArgs {
    /// Run folders
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// Also write every figure into this folder: drawings as SVG, pictures as PNG
    #[arg(long, value_name = "DIR", conflicts_with = "watch")]
    pub figures: Option<PathBuf>,
    /// Serve the newest state of one run, finished or in progress, at http://127.0.0.1 until Ctrl-C
    #[arg(long)]
    pub watch: bool,
    /// Port of --watch; 0 takes a free one
    #[arg(long, value_name = "N", default_value_t = 0, requires = "watch")]
    pub port: u16,
    /// Open the report in the browser
    #[arg(long)]
    pub open: bool,
}

/// Flags of `inspect`.
#[derive(Debug, ClapArgs)]
pub(super) struct InspectArgs {
    /// The file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Flags of `data`.
#[derive(Debug, ClapArgs)]
pub(super) struct DataArgs {
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// Decode at most this many images of each part, evenly spread over it
    #[arg(long, value_name = "N", default_value_t = 50_000, value_parser = positive)]
    pub most: usize,
}

/// Flags of `views`.
#[derive(Debug, ClapArgs)]
pub(super) struct ViewsArgs {
    /// An image: JPEG, PNG, WebP, TIFF, …
    #[arg(long, value_name = "FILE")]
    pub image: PathBuf,
}

/// Flags of `completions`.
#[derive(Debug, ClapArgs)]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}
