//! Size of the activations that a ResNet saves for its backward pass, computed from the architecture for estimates before a run.

use super::config::{ResNetConfig, Stem};

impl ResNetConfig {
    /// Number of values saved per image between the forward and the backward pass, at `pixels` × `pixels`.
    ///
    /// Each convolution saves its output (the norm's operand) and the activated output (the next convolution's operand). For a
    /// norm without its own ReLU only the former is saved. Max pooling saves its output and the positions of the maxima, but not
    /// its input.
    pub fn kept_values(&self, pixels: usize) -> usize {
        let square = |side: usize| side * side;
        let [stem, entering] = self.stem_sides(pixels);
        let mut kept = self.in_channels * square(pixels);
        kept += match self.stem {
            Stem::Cifar => 2 * self.width * square(stem),
            Stem::Imagenet => self.width * square(stem) + 2 * self.width * square(entering),
        };
        let mut channels_in = self.width;
        for (stage, &blocks) in self.stages(entering).iter().zip(&self.depth.blocks()) {
            let &Stage {
                channels,
                inside,
                channels_out,
                before,
                side,
            } = stage;
            for block in 0..blocks {
                let before = if block == 0 { before } else { side };
                // The last norm's output is saved once, after the sum with the shortcut and the ReLU.
                kept += if self.depth.is_bottleneck() {
                    2 * inside * (square(before) + square(side)) + 2 * channels_out * square(side)
                } else {
                    4 * channels * square(side)
                };
                if channels_in != channels_out {
                    kept += channels_out * square(side);
                }
                channels_in = channels_out;
            }
        }
        kept
    }

    /// Shape [channels, side, side] of the largest feature map for an image of `pixels` × `pixels`, not counting the image itself.
    pub fn largest_map(&self, pixels: usize) -> Vec<usize> {
        let [stem, entering] = self.stem_sides(pixels);
        let of_stage = |stage: Stage| {
            // A bottleneck's first convolution has the resolution before the stride.
            let first = if self.depth.is_bottleneck() {
                stage.before
            } else {
                stage.side
            };
            [(stage.inside, first), (stage.channels_out, stage.side)]
        };
        let maps = [(self.width, stem)]
            .into_iter()
            .chain(self.stages(entering).into_iter().flat_map(of_stage));
        let values = |&(channels, side): &(usize, usize)| channels * side * side;
        let (channels, side) = maps.max_by_key(values).expect("a network has feature maps");
        vec![channels, side, side]
    }

    /// Sides of the first convolution's output and of the first stage's input.
    fn stem_sides(&self, pixels: usize) -> [usize; 2] {
        match self.stem {
            Stem::Cifar => [(pixels + 2 * self.stem_padding).saturating_sub(2); 2],
            Stem::Imagenet => [pixels.div_ceil(2), pixels.div_ceil(2).div_ceil(2)],
        }
    }

    fn stages(&self, entering: usize) -> [Stage; 4] {
        let mut side = entering;
        [0, 1, 2, 3].map(|number| {
            let before = side;
            if number > 0 {
                side = side.div_ceil(2);
            }
            let channels = self.width << number;
            Stage {
                channels,
                inside: self.depth.inside(channels),
                channels_out: channels * if self.depth.is_bottleneck() { 4 } else { 1 },
                before,
                side,
            }
        })
    }
}

/// The feature maps of a stage's blocks.
struct Stage {
    /// Channels of a block before its expansion.
    channels: usize,
    /// Channels inside a bottleneck.
    inside: usize,
    /// Channels of a block's output.
    channels_out: usize,
    /// Side in pixels before the first block's stride.
    before: usize,
    /// Side in pixels after it.
    side: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resnet::config::ResNetDepth;

    #[test]
    fn a_basic_network_by_hand() {
        let config = ResNetConfig {
            depth: ResNetDepth::ResNet18,
            stem: Stem::Cifar,
            stem_padding: 1,
            width: 16,
            in_channels: 3,
            zero_init_residual: false,
        };
        // Image, stem, then four stages of two blocks with four maps each, and three shortcuts with a convolution.
        let stages = [(16, 32), (32, 16), (64, 8), (128, 4)];
        let blocks: usize = stages
            .iter()
            .map(|(channels, side)| 2 * 4 * channels * side * side)
            .sum();
        let shortcuts: usize = stages[1..].iter().map(|(channels, side)| channels * side * side).sum();
        let expected = 3 * 32 * 32 + 2 * 16 * 32 * 32 + blocks + shortcuts;
        assert_eq!(config.kept_values(32), expected);
    }

    #[test]
    fn the_largest_map_is_an_early_one() {
        let cifar = ResNetConfig::new(ResNetDepth::ResNet18)
            .with_stem(Stem::Cifar)
            .with_width(16);
        assert_eq!(
            cifar.largest_map(24),
            [16, 24, 24],
            "the next stage's has a quarter of the pixels"
        );
        let imagenet = ResNetConfig::new(ResNetDepth::ResNet50);
        assert_eq!(imagenet.largest_map(224), [256, 56, 56]);
        assert_eq!(imagenet.with_stem(Stem::Cifar).largest_map(32), [256, 32, 32]);
        assert_eq!(cifar.with_stem_padding(2).largest_map(24), [16, 26, 26]);
    }

    #[test]
    fn wider_bottlenecks_keep_more() {
        let plain = ResNetConfig::new(ResNetDepth::ResNet50);
        let [plain, wide, next] = [ResNetDepth::ResNet50, ResNetDepth::WideResNet50, ResNetDepth::ResNext50]
            .map(|depth| ResNetConfig { depth, ..plain }.kept_values(224));
        // The channels inside are doubled, those between the blocks are not.
        assert!(
            wide == next && 5 * plain < 4 * wide && wide < 2 * plain,
            "{plain} {wide} {next}"
        );
    }

    #[test]
    fn a_bottleneck_network_keeps_its_wide_maps() {
        let config = ResNetConfig {
            depth: ResNetDepth::ResNet50,
            stem: Stem::Imagenet,
            stem_padding: 1,
            width: 64,
            in_channels: 3,
            zero_init_residual: true,
        };
        // ResNet-50 at 224 pixels has 11.1 million convolution outputs per image. Each is saved before its activation and, except
        // for those of the stem, the last of a block and the shortcuts, also after it. Odd sizes round up.
        let kept = config.kept_values(224);
        assert!((20_000_000..24_500_000).contains(&kept), "{kept}");
        assert!(config.kept_values(225) > kept);
    }
}
