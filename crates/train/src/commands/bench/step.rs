//! `bench step`: a training step without the optimiser, of networks whose projector is D-D-D, by a method.

use super::measure::{BenchOptions, Case, in_processes};
use super::table::Table;
use barlow_engine::error::RunError;
use barlow_engine::methods::MethodKind;
use barlow_engine::timing::{StepWorkload, Workload};
use barlow_model::{HeadsConfig, ModelConfig, ProjectorConfig, ResNetConfig, ResNetDepth, Stem};
use barlow_train::device::Selected;
use serde_json::json;

/// The networks that are timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Net {
    /// ResNet-18 with the CIFAR stem.
    ResNet18Cifar,
    /// ResNet-50 with the ImageNet stem.
    ResNet50,
}

impl Net {
    /// All networks.
    pub const ALL: [Self; 2] = [Self::ResNet18Cifar, Self::ResNet50];

    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::ResNet18Cifar => "resnet18-cifar",
            Self::ResNet50 => "resnet50",
        }
    }

    /// The backbone at `width` channels of the first stage.
    pub fn backbone(self, width: usize) -> ResNetConfig {
        let config = match self {
            Self::ResNet18Cifar => ResNetConfig::new(ResNetDepth::ResNet18)
                .with_stem(Stem::Cifar)
                .with_zero_init_residual(false),
            Self::ResNet50 => ResNetConfig::new(ResNetDepth::ResNet50),
        };
        config.with_width(width)
    }
}

/// The size of a step: view pairs, width of the network, pixels of a side, width D of the projector.
pub type StepSize = [usize; 4];

const CASES: [(Net, StepSize); 4] = [
    (Net::ResNet18Cifar, [32, 64, 32, 512]),
    (Net::ResNet18Cifar, [128, 32, 32, 512]),
    (Net::ResNet18Cifar, [128, 16, 32, 512]),
    (Net::ResNet50, [8, 64, 224, 2048]),
];

/// Times steps of the given sizes, or the default cases of the network, or of both networks.
///
/// # Errors
/// [`RunError::Failed`] if a case fails; the other ones are timed nevertheless.
pub fn run(
    selected: &Selected,
    net: Option<Net>,
    sizes: &[StepSize],
    methods: &[MethodKind],
    options: BenchOptions,
) -> Result<(), RunError> {
    let cases: Vec<(Net, StepSize)> = if sizes.is_empty() {
        CASES
            .into_iter()
            .filter(|(known, _)| net.is_none_or(|net| net == *known))
            .collect()
    } else {
        let net = net.unwrap_or(Net::ResNet18Cifar);
        sizes.iter().map(|size| (net, *size)).collect()
    };
    let methods = if methods.is_empty() {
        &[MethodKind::BarlowTwins]
    } else {
        methods
    };
    let of_methods = |(net, size)| methods.iter().map(move |method| case(net, size, *method));
    let cases: Vec<Case> = cases.into_iter().flat_map(of_methods).collect();
    let table = Table {
        named: &[
            ("method", 12),
            ("net", 15),
            ("n", 5),
            ("width", 5),
            ("pixels", 6),
            ("d", 6),
            ("backend", 7),
        ],
    };
    in_processes("step", &cases, &table, selected, options)
}

fn case(net: Net, [pairs, width, pixels, d]: StepSize, method: MethodKind) -> Case {
    let projector = ProjectorConfig { widths: vec![d; 3] };
    let heads = HeadsConfig::new(projector.mlp(true));
    Case {
        flags: [
            "--net",
            net.name(),
            "--case",
            &format!("{pairs},{width},{pixels},{d}"),
            "--method",
            method.name(),
        ]
        .map(str::to_owned)
        .to_vec(),
        fields: json!({ "method": method.name(), "net": net.name(), "n": pairs, "width": width, "pixels": pixels, "d": d }),
        workload: Workload::Step(StepWorkload {
            method,
            model: ModelConfig::new(net.backbone(width), heads),
            batch_size: pairs,
            pixels,
        }),
    }
}
