//! How much a ResNet keeps for its backward pass: arithmetic on the architecture, for estimates made before a run.

use super::{ResNetConfig, Stem};

impl ResNetConfig {
    /// Values that one image leaves in memory between the forward and the backward pass, at `pixels` × `pixels`.
    ///
    /// Each convolution leaves its output (the norm's operand) and the activated output (the next convolution's operand);
    /// a norm without a ReLU of its own leaves the first alone, max pooling its output and the places of the maxima, and
    /// nothing of what it reads.
    pub fn kept_values(&self, pixels: usize) -> usize {
        let square = |side: usize| side * side;
        let mut kept = self.in_channels * square(pixels);
        let mut side = pixels;
        match self.stem {
            Stem::Cifar => kept += 2 * self.width * square(side),
            Stem::Imagenet => {
                side = side.div_ceil(2);
                kept += self.width * square(side);
                side = side.div_ceil(2);
                kept += 2 * self.width * square(side);
            }
        }
        let mut channels_in = self.width;
        for (stage, &blocks) in self.depth.blocks().iter().enumerate() {
            let channels = self.width << stage;
            let channels_out = if self.depth.is_bottleneck() {
                4 * channels
            } else {
                channels
            };
            for block in 0..blocks {
                let halves = stage > 0 && block == 0;
                let before = side;
                if halves {
                    side = side.div_ceil(2);
                }
                // The last norm's output is kept once, activated, after the sum with the shortcut.
                kept += if self.depth.is_bottleneck() {
                    2 * channels * (square(before) + square(side)) + 2 * channels_out * square(side)
                } else {
                    4 * channels * square(side)
                };
                if halves || channels_in != channels_out {
                    kept += channels_out * square(side);
                }
                channels_in = channels_out;
            }
        }
        kept
    }

    /// Channels and side in pixels of the map of an image of `pixels` × `pixels` that has the most values, the image itself left out.
    pub fn largest_map(&self, pixels: usize) -> (usize, usize) {
        let stem_side = match self.stem {
            Stem::Cifar => pixels,
            Stem::Imagenet => pixels.div_ceil(2),
        };
        let expansion = if self.depth.is_bottleneck() { 4 } else { 1 };
        let mut side = match self.stem {
            Stem::Cifar => pixels,
            Stem::Imagenet => stem_side.div_ceil(2),
        };
        let mut maps = vec![(self.width, stem_side)];
        for stage in 0..4 {
            let channels = self.width << stage;
            if self.depth.is_bottleneck() {
                // Its first convolution is at the side before the stride.
                maps.push((channels, side));
            }
            if stage > 0 {
                side = side.div_ceil(2);
            }
            maps.push((channels * expansion, side));
        }
        let values = |&(channels, side): &(usize, usize)| channels * side * side;
        maps.into_iter().max_by_key(values).expect("a network has maps")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ResNetDepth;

    #[test]
    fn a_basic_network_by_hand() {
        let config = ResNetConfig {
            depth: ResNetDepth::ResNet18,
            stem: Stem::Cifar,
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
            (16, 24),
            "the next stage's has a quarter of the pixels"
        );
        let imagenet = ResNetConfig::new(ResNetDepth::ResNet50);
        assert_eq!(imagenet.largest_map(224), (256, 56));
        assert_eq!(imagenet.with_stem(Stem::Cifar).largest_map(32), (256, 32));
    }

    #[test]
    fn a_bottleneck_network_keeps_its_wide_maps() {
        let config = ResNetConfig {
            depth: ResNetDepth::ResNet50,
            stem: Stem::Imagenet,
            width: 64,
            in_channels: 3,
            zero_init_residual: true,
        };
        // ResNet-50 at 224 pixels has 11.1 million convolution outputs an image, each kept before and, but for the stem's, the
        // last of a block and the shortcuts, after its activation; odd sizes round up.
        let kept = config.kept_values(224);
        assert!((20_000_000..24_500_000).contains(&kept), "{kept}");
        assert!(config.kept_values(225) > kept);
    }
}
