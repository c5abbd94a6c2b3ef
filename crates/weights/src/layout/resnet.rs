//! The architecture of a ResNet, from the shapes of its weights.

use std::collections::BTreeMap;
use std::fmt;

/// Blocks of a stage in a file, at most.
pub(super) const MAX_BLOCKS: u16 = 1000;

/// Published networks: depth, whether their blocks are bottlenecks, blocks of the four stages.
const DEPTHS: &[(usize, bool, [usize; 4])] = &[
    (18, false, [2, 2, 2, 2]),
    (34, false, [3, 4, 6, 3]),
    (50, true, [3, 4, 6, 3]),
    (101, true, [3, 4, 23, 3]),
    (152, true, [3, 8, 36, 3]),
];

/// Architecture of a ResNet, inferred from its shapes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResNetShape {
    /// Blocks of the four stages.
    pub blocks: [usize; 4],
    /// Whether its blocks have three convolutions, as from ResNet-50 on.
    pub bottleneck: bool,
    /// Output channels of the stem: 64, unless the network is narrower or wider as a whole.
    pub width: usize,
    /// Channels of an image.
    pub in_channels: usize,
    /// Kernel size of the stem: 7 for ImageNet, with stride 2 and a max pooling behind it; 3 for CIFAR, without either.
    pub stem_kernel: usize,
    /// Padding of the stem. Not visible in weights: 3 for ImageNet; for CIFAR 1 is assumed, and 2 in solo-learn's checkpoints.
    pub stem_padding: usize,
    /// Groups of the 3 × 3 convolutions: 1, or 32 for a ResNeXt.
    pub groups: usize,
    /// Channels of the 3 × 3 convolutions of the first stage.
    pub inner_width: usize,
    /// Length of a representation.
    pub feature_dim: usize,
}

impl ResNetShape {
    /// Infers the architecture from the shapes of weights with torchvision's names; `None` if one of those that tell it is missing,
    /// or a stage has no block. Other tensors may be missing.
    pub fn of_shapes(shapes: &BTreeMap<&str, &[usize]>) -> Option<Self> {
        let shape = Self::of_first_layers(shapes)?;
        (!shape.blocks.contains(&0)).then_some(shape)
    }

    /// As [`ResNetShape::of_shapes`], for what may be a part of a network: stages may have no block.
    pub(crate) fn of_first_layers(shapes: &BTreeMap<&str, &[usize]>) -> Option<Self> {
        let conv = |name: &str| -> Option<[usize; 4]> { (*shapes.get(name)?).try_into().ok() };
        let [width, in_channels, stem_kernel, _] = conv("conv1.weight")?;
        let [.., first_kernel] = conv("layer1.0.conv1.weight")?;
        let [inner_width, per_group, ..] = conv("layer1.0.conv2.weight")?;
        let bottleneck = first_kernel == 1;
        // Later stages have up to eight times as many channels, and four times that behind a bottleneck.
        inner_width.checked_mul(32)?;
        Some(Self {
            blocks: blocks(shapes),
            bottleneck,
            width,
            in_channels,
            stem_kernel,
            stem_padding: stem_kernel / 2,
            groups: inner_width.checked_div(per_group)?,
            inner_width,
            feature_dim: width.checked_mul(if bottleneck { 32 } else { 8 })?,
        })
    }

    /// Number of layers as in `resnet50`, if the blocks are those of a published network.
    pub fn depth(&self) -> Option<usize> {
        let known = DEPTHS.iter();
        known
            .filter(|&&(_, bottleneck, blocks)| (bottleneck, blocks) == (self.bottleneck, self.blocks))
            .map(|&(depth, ..)| depth)
            .next()
    }

    /// The smallest published network of the same blocks that has at least as many of them in every stage.
    pub(crate) fn completed(&self) -> Option<Self> {
        let holds = |blocks: [usize; 4]| self.blocks.iter().zip(blocks).all(|(&own, whole)| own <= whole);
        let mut known = DEPTHS.iter();
        let &(_, _, blocks) = known.find(|&&(_, bottleneck, blocks)| bottleneck == self.bottleneck && holds(blocks))?;
        Some(Self { blocks, ..self.clone() })
    }

    /// torchvision's name, such as `wide_resnet50_2`, if it has this network (whatever its stem's kernel is).
    pub fn name(&self) -> Option<String> {
        let depth = self.depth()?;
        if self.width != 64 {
            return None;
        }
        match (self.groups, self.inner_width) {
            (1, 64) => Some(format!("resnet{depth}")),
            (1, 128) if self.bottleneck => Some(format!("wide_resnet{depth}_2")),
            (groups @ 2.., inner) if self.bottleneck => Some(format!("resnext{depth}_{groups}x{}d", inner / groups)),
            _ => None,
        }
    }

    /// The word of `model.backbone` in a config, such as `wide_resnet50_2`. Width and stem are settings of their own.
    pub(super) fn config_name(&self) -> Option<String> {
        let depth = self.depth()?;
        if self.inner_width == self.width && self.groups == 1 {
            return Some(format!("resnet{depth}"));
        }
        let doubled = Some(self.inner_width) == self.width.checked_mul(2);
        match (self.groups, depth) {
            (1, 50 | 101) if doubled => Some(format!("wide_resnet{depth}_2")),
            (32, 50) if doubled => Some("resnext50_32x4d".to_owned()),
            _ => None,
        }
    }

    /// Name and shape of every tensor, by torchvision's names, without classifier and without `num_batches_tracked`.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let mut tensors = Vec::new();
        let kernel = self.stem_kernel;
        conv_norm(
            &mut tensors,
            "conv1",
            "bn1",
            [self.width, self.in_channels, kernel, kernel],
        );
        for block in self.every_block() {
            let name = format!("layer{}.{}", block.stage + 1, block.index);
            for (number, conv) in block.convs.iter().enumerate() {
                let (conv_name, norm) = (format!("{name}.conv{}", number + 1), format!("{name}.bn{}", number + 1));
                conv_norm(&mut tensors, &conv_name, &norm, conv.shape());
            }
            if let Some(conv) = &block.downsample {
                let (conv_name, norm) = (format!("{name}.downsample.0"), format!("{name}.downsample.1"));
                conv_norm(&mut tensors, &conv_name, &norm, conv.shape());
            }
        }
        tensors
    }

    /// All blocks, first to last.
    pub(crate) fn every_block(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut inputs = self.width;
        for stage in 0..4 {
            let (planes, inner) = (self.width << stage, self.inner_width << stage);
            let out = if self.bottleneck { 4 * planes } else { planes };
            for index in 0..self.blocks[stage] {
                let stride = if stage > 0 && index == 0 { 2 } else { 1 };
                let conv = |inputs, out, kernel, stride, groups| Conv {
                    inputs,
                    out,
                    kernel,
                    stride,
                    groups,
                };
                let convs = match self.bottleneck {
                    true => vec![
                        conv(inputs, inner, 1, 1, 1),
                        conv(inner, inner, 3, stride, self.groups),
                        conv(inner, out, 1, 1, 1),
                    ],
                    false => vec![conv(inputs, out, 3, stride, 1), conv(out, out, 3, 1, 1)],
                };
                let downsample = (stride != 1 || inputs != out).then(|| conv(inputs, out, 1, stride, 1));
                blocks.push(Block {
                    stage,
                    index,
                    convs,
                    downsample,
                });
                inputs = out;
            }
        }
        blocks
    }
}

/// A residual block.
pub(crate) struct Block {
    /// 0 to 3.
    pub stage: usize,
    pub index: usize,
    pub convs: Vec<Conv>,
    pub downsample: Option<Conv>,
}

/// A convolution of a block. Its padding is half of its kernel.
pub(crate) struct Conv {
    pub inputs: usize,
    pub out: usize,
    pub kernel: usize,
    pub stride: usize,
    pub groups: usize,
}

impl Conv {
    fn shape(&self) -> [usize; 4] {
        [self.out, self.inputs / self.groups.max(1), self.kernel, self.kernel]
    }
}

fn conv_norm(tensors: &mut Vec<(String, Vec<usize>)>, conv: &str, norm: &str, shape: [usize; 4]) {
    tensors.push((format!("{conv}.weight"), shape.to_vec()));
    for value in ["weight", "bias", "running_mean", "running_var"] {
        tensors.push((format!("{norm}.{value}"), vec![shape[0]]));
    }
}

/// Blocks of each stage, of which the last is there.
fn blocks(shapes: &BTreeMap<&str, &[usize]>) -> [usize; 4] {
    [1, 2, 3, 4].map(|stage| {
        let prefix = format!("layer{stage}.");
        let number = |name: &&str| {
            name.strip_prefix(&prefix)?
                .split_once('.')?
                .0
                .parse::<u16>()
                .ok()
                .filter(|&number| number < MAX_BLOCKS)
        };
        shapes
            .keys()
            .filter_map(number)
            .max()
            .map_or(0, |last| usize::from(last) + 1)
    })
}

impl fmt::Display for ResNetShape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            width,
            in_channels,
            stem_kernel,
            feature_dim,
            ..
        } = self;
        match self.name().or_else(|| self.config_name()) {
            Some(name) => formatter.write_str(&name)?,
            None => write!(formatter, "a ResNet of {} blocks", joined(&self.blocks))?,
        }
        if *width != 64 {
            write!(formatter, " of width {width}")?;
        }
        write!(
            formatter,
            ", a {stem_kernel} × {stem_kernel} stem for {in_channels} channels, representations of {feature_dim}"
        )
    }
}

/// Numbers joined by dashes.
pub(crate) fn joined(numbers: &[usize]) -> String {
    let texts: Vec<String> = numbers.iter().map(usize::to_string).collect();
    texts.join("-")
}
