//! Sizes of a vision transformer's tensors, computed from the architecture: for estimates before a run and for counting operations.

use super::config::VitConfig;
use crate::resnet::ConvShape;

impl VitConfig {
    /// Number of values saved per image between the forward and the backward pass, at `pixels` × `pixels`.
    ///
    /// In units of a block's tokens: both norms save operand and result (4), the attention queries, keys and values (3), its weights
    /// and its result (1), the MLP its hidden values before and after the GELU (8).
    pub fn kept_values(&self, pixels: usize) -> usize {
        let (tokens, patches) = (self.tokens(pixels), self.tokens(pixels) - self.prefix());
        let of_block = 16 * tokens * self.width + self.heads * tokens * tokens;
        let entering = patches * self.in_channels * self.patch * self.patch;
        entering + self.depth * of_block + 2 * tokens * self.width
    }

    /// Shape of the largest tensor per image: a head's weights, [heads, T, T], or the hidden values of an MLP, [T, 4D].
    pub fn largest_map(&self, pixels: usize) -> Vec<usize> {
        let tokens = self.tokens(pixels);
        if self.heads * tokens > 4 * self.width {
            vec![self.heads, tokens, tokens]
        } else {
            vec![tokens, 4 * self.width]
        }
    }

    /// The layers as convolutions of `pixels` × `pixels`: the patches, then 1 × 1 ones over the tokens' grid. The class token and
    /// the products between tokens are not among them.
    pub fn convolutions(&self, pixels: usize) -> Vec<ConvShape> {
        let conv = |channels_in, channels_out, kernel, pixels| ConvShape {
            channels_in,
            channels_out,
            kernel,
            stride: kernel,
            padding: 0,
            groups: 1,
            pixels,
        };
        let (width, side) = (self.width, pixels / self.patch);
        let of_block = [
            (width, 3 * width),
            (width, width),
            (width, 4 * width),
            (4 * width, width),
        ];
        let blocks = (0..self.depth).flat_map(|_| of_block.map(|(from, to)| conv(from, to, 1, side)));
        std::iter::once(conv(self.in_channels, width, self.patch, pixels))
            .chain(blocks)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::vit::{VitConfig, VitSize};

    #[test]
    fn the_largest_tensor_depends_on_the_number_of_tokens() {
        let small = VitConfig::new(VitSize::Small);
        assert_eq!(small.largest_map(224), [197, 4 * 384]);
        assert_eq!(small.largest_map(1024), [6, 4097, 4097]);
    }

    /// 4.6 billion products per image in the literature (DeiT-S), with 0.35 between tokens that are not counted.
    #[test]
    fn products_are_those_of_the_literature() {
        let shapes = VitConfig::new(VitSize::Small).convolutions(224);
        let products: usize = shapes.iter().map(|shape| shape.products()).sum();
        assert!((4.2e9..4.3e9).contains(&(products as f64)), "{products}");
        let weights: usize = shapes.iter().map(|shape| shape.weights()).sum();
        assert_eq!(weights, 3 * 256 * 384 + 12 * 12 * 384 * 384);
    }

    #[test]
    fn settings_that_cannot_work_are_named() {
        let small = VitConfig::new(VitSize::Small);
        assert_eq!(small.check(), Ok(()));
        for (config, word) in [
            (VitConfig { heads: 7, ..small }, "7 heads"),
            (VitConfig { patch: 15, ..small }, "whole patches of 15"),
            (
                VitConfig {
                    drop_path: 1.0,
                    ..small
                },
                "drop path",
            ),
            (VitConfig { depth: 0, ..small }, "at least 1"),
        ] {
            assert!(config.check().unwrap_err().contains(word), "{config:?}");
        }
        assert!(small.check_pixels(96).unwrap_err().contains("learned positions"));
    }
}
