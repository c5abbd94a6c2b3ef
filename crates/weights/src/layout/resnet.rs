//! The architecture of a ResNet, from the shapes of its weights.

use std::collections::BTreeMap;

/// Architecture of a ResNet, inferred from its shapes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backbone {
    /// Blocks of the four stages.
    pub blocks: [usize; 4],
    /// Whether its blocks have three convolutions, as from ResNet-50 on.
    pub bottleneck: bool,
    /// Output channels of the stem: 64, unless the network is narrower or wider as a whole.
    pub width: usize,
    /// Channels of an image.
    pub in_channels: usize,
    /// Kernel size of the stem: 7 for ImageNet, 3 for CIFAR. Its padding and a max pooling behind it are not visible.
    pub stem_kernel: usize,
    /// Groups of the 3 × 3 convolutions: 1, or 32 for a ResNeXt.
    pub groups: usize,
    /// Channels of the 3 × 3 convolutions of the first stage.
    pub inner_width: usize,
    /// Length of a representation.
    pub feature_dim: usize,
}

impl Backbone {
    /// Infers the architecture from the shapes of weights with torchvision's names; `None` unless they are a whole ResNet's.
    pub fn of_shapes(shapes: &BTreeMap<&str, &[usize]>) -> Option<Self> {
        let conv = |name: &str| -> Option<[usize; 4]> { (*shapes.get(name)?).try_into().ok() };
        let [width, in_channels, stem_kernel, _] = conv("conv1.weight")?;
        let has =
            |stage: usize, block: usize| shapes.contains_key(format!("layer{stage}.{block}.conv1.weight").as_str());
        let blocks = [1, 2, 3, 4].map(|stage| (0..).take_while(|&block| has(stage, block)).count());
        if blocks.contains(&0) {
            return None;
        }
        let bottleneck = shapes.contains_key("layer1.0.conv3.weight");
        let [inner_width, per_group, ..] = conv("layer1.0.conv2.weight")?;
        let last = format!("layer4.{}.conv{}.weight", blocks[3] - 1, if bottleneck { 3 } else { 2 });
        let [feature_dim, ..] = conv(&last)?;
        Some(Self {
            blocks,
            bottleneck,
            width,
            in_channels,
            stem_kernel,
            groups: inner_width.checked_div(per_group)?,
            inner_width,
            feature_dim,
        })
    }

    /// Number of layers as in `resnet50`, if the blocks are those of a published network.
    pub fn depth(&self) -> Option<usize> {
        match (self.bottleneck, self.blocks) {
            (false, [2, 2, 2, 2]) => Some(18),
            (false, [3, 4, 6, 3]) => Some(34),
            (true, [3, 4, 6, 3]) => Some(50),
            (true, [3, 4, 23, 3]) => Some(101),
            (true, [3, 8, 36, 3]) => Some(152),
            _ => None,
        }
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
}
