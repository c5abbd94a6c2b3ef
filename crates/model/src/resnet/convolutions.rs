//! The convolutions of a ResNet as shapes, computed from the architecture: for benchmarks and for counting operations.

use super::config::{ResNetConfig, Stem};

/// The shape of a convolution for one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConvShape {
    /// Channels of the input.
    pub channels_in: usize,
    /// Channels of the output.
    pub channels_out: usize,
    /// Side of the square kernel in pixels: 1, 3 or 7.
    pub kernel: usize,
    /// Distance between two outputs in pixels.
    pub stride: usize,
    /// Padding on each side in pixels.
    pub padding: usize,
    /// Groups of channels that are convolved apart.
    pub groups: usize,
    /// Side of the input in pixels.
    pub pixels: usize,
}

impl ConvShape {
    /// Side of the output in pixels.
    pub fn pixels_out(&self) -> usize {
        (self.pixels + 2 * self.padding - self.kernel) / self.stride + 1
    }

    /// Values of the input of one image.
    pub fn inputs(&self) -> usize {
        self.channels_in * self.pixels * self.pixels
    }

    /// Values of the output of one image.
    pub fn outputs(&self) -> usize {
        self.channels_out * self.pixels_out() * self.pixels_out()
    }

    /// Weights.
    pub fn weights(&self) -> usize {
        self.channels_out * (self.channels_in / self.groups) * self.kernel * self.kernel
    }

    /// Multiplications of a forward pass of one image, those with padding included. Each of the two gradients takes as many.
    pub fn products(&self) -> usize {
        self.weights() * self.pixels_out() * self.pixels_out()
    }
}

impl ResNetConfig {
    /// The convolutions for images of `pixels` × `pixels`, in the order of the forward pass; a block's shortcut after its main
    /// path. The first one is the stem, whose input needs no gradient.
    pub fn convolutions(&self, pixels: usize) -> Vec<ConvShape> {
        let conv = |channels_in, channels_out, kernel, stride, pixels| ConvShape {
            channels_in,
            channels_out,
            kernel,
            stride,
            padding: (kernel - 1) / 2,
            groups: 1,
            pixels,
        };
        let (stem, mut side) = match self.stem {
            Stem::Cifar => {
                let stem = ConvShape {
                    padding: self.stem_padding,
                    ..conv(self.in_channels, self.width, 3, 1, pixels)
                };
                (stem, stem.pixels_out())
            }
            Stem::Imagenet => {
                let stem = conv(self.in_channels, self.width, 7, 2, pixels);
                (stem, stem.pixels_out().div_ceil(2))
            }
        };
        let mut shapes = vec![stem];
        let mut entering = self.width;
        for (stage, &blocks) in self.depth.blocks().iter().enumerate() {
            let channels = self.width << stage;
            let inside = self.depth.inside(channels);
            let leaving = channels * if self.depth.is_bottleneck() { 4 } else { 1 };
            for block in 0..blocks {
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                let after = side.div_ceil(stride);
                if self.depth.is_bottleneck() {
                    shapes.extend([
                        conv(entering, inside, 1, 1, side),
                        ConvShape {
                            groups: self.depth.groups(),
                            ..conv(inside, inside, 3, stride, side)
                        },
                        conv(inside, leaving, 1, 1, after),
                    ]);
                } else {
                    shapes.extend([
                        conv(entering, channels, 3, stride, side),
                        conv(channels, channels, 3, 1, after),
                    ]);
                }
                if stride > 1 || entering != leaving {
                    shapes.push(conv(entering, leaving, 1, stride, side));
                }
                (entering, side) = (leaving, after);
            }
        }
        shapes
    }
}

#[cfg(test)]
mod tests {
    use crate::ResNetConfig;
    use crate::resnet::config::{ResNetDepth, Stem};

    #[test]
    fn resnet_50_has_the_weights_and_products_of_torchvisions() {
        let shapes = ResNetConfig::new(ResNetDepth::ResNet50).convolutions(224);
        assert_eq!(shapes.len(), 53);
        // 25,557,032 parameters less the classifier's 2,049,000 and two for each of the norms' 26,560 channels.
        let weights: usize = shapes.iter().map(|shape| shape.weights()).sum();
        assert_eq!(weights, 25_557_032 - 2_049_000 - 2 * 26_560);
        // 4.09 billion with the classifier's two million.
        let products: usize = shapes.iter().map(|shape| shape.products()).sum();
        assert_eq!(products, 4_087_136_256);
    }

    /// torchvision's table: 4.23 and 11.40 billion with the classifier's two million.
    #[test]
    fn wide_and_grouped_networks_have_torchvisions_products() {
        for (depth, expected) in [
            (ResNetDepth::ResNext50, 4.228),
            (ResNetDepth::WideResNet50, 11.396),
            (ResNetDepth::ResNet152, 11.512),
        ] {
            let shapes = ResNetConfig::new(depth).convolutions(224);
            let products: usize = shapes.iter().map(|shape| shape.products()).sum();
            let billions = products as f64 / 1e9;
            assert!((billions - expected).abs() < 0.002, "{depth:?}: {billions}");
        }
    }

    #[test]
    fn a_basic_network_on_small_images() {
        let config = ResNetConfig::new(ResNetDepth::ResNet18)
            .with_stem(Stem::Cifar)
            .with_width(16);
        let shapes = config.convolutions(24);
        assert_eq!(shapes.len(), 20);
        let last = shapes.last().unwrap();
        assert_eq!((last.channels_in, last.channels_out, last.pixels_out()), (128, 128, 3));
        let channels: usize = shapes.iter().map(|shape| shape.channels_out).sum();
        assert_eq!(channels, 16 * (1 + 4 + 5 * 2 + 5 * 4 + 5 * 8));
    }
}
