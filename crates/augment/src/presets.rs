//! Presets of the two views with published values: the official ones, and those of the paper's augmentation ablation.
//!
//! The ablation is the paper's Figure 3 ("progressively removing data augmentations": baseline, without greyscale,
//! without colour jitter, crop + blur only, crop only). The figure gives names but no code. The names are taken
//! literally: each step builds on the one before, and "only" means only, without flip and solarise. The operations that
//! remain keep the values of [`ViewPreset::Imagenet`], crop and blur included. This file must not apply anything.

use serde::{Deserialize, Serialize};

use crate::{BlurConfig, JitterConfig, ViewConfig};

/// A preset for the two views, with published values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ViewPreset {
    /// The official code's T and T': blur with probability 1.0 and 0.1, solarise 0 and 0.2
    /// (facebookresearch/barlowtwins, `main.py`).
    #[default]
    Imagenet,
    /// solo-learn's for 32x32 images: as `Imagenet`, without blur (solo-learn, `cifar/augmentations/asymmetric.yaml`).
    Cifar,
    /// Ablation, first step: `Imagenet` without greyscale. Crop, flip, colour jitter, blur and solarise remain.
    NoGreyscale,
    /// Ablation, second step: neither greyscale nor colour jitter. Crop, flip, blur and solarise remain.
    NoJitter,
    /// Ablation, third step: crop and blur (T always, T' with probability 0.1), nothing else.
    CropBlur,
    /// Ablation, last step: the random resized crop alone.
    CropOnly,
}

impl ViewPreset {
    /// The values of view a (T) and view b (T').
    #[must_use]
    pub fn views(self) -> (ViewConfig, ViewConfig) {
        let (a, b) = official();
        let both = |change: fn(ViewConfig) -> ViewConfig| (change(a), change(b));
        match self {
            Self::Imagenet => (a, b),
            Self::Cifar => both(without_blur),
            Self::NoGreyscale => both(without_greyscale),
            Self::NoJitter => both(|view| without_jitter(without_greyscale(view))),
            Self::CropBlur => both(crop_and_blur),
            Self::CropOnly => both(|view| without_blur(crop_and_blur(view))),
        }
    }
}

fn official() -> (ViewConfig, ViewConfig) {
    let view = |blur, solarize| {
        let base = ViewConfig::default();
        ViewConfig {
            blur: BlurConfig { p: blur, ..base.blur },
            solarize,
            ..base
        }
    };
    (view(1.0, 0.0), view(0.1, 0.2))
}

fn without_greyscale(view: ViewConfig) -> ViewConfig {
    ViewConfig { greyscale: 0.0, ..view }
}

fn without_jitter(view: ViewConfig) -> ViewConfig {
    let jitter = JitterConfig { p: 0.0, ..view.jitter };
    ViewConfig { jitter, ..view }
}

fn without_blur(view: ViewConfig) -> ViewConfig {
    let blur = BlurConfig { p: 0.0, ..view.blur };
    ViewConfig { blur, ..view }
}

fn crop_and_blur(view: ViewConfig) -> ViewConfig {
    ViewConfig {
        flip: 0.0,
        solarize: 0.0,
        ..without_jitter(without_greyscale(view))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The probabilities of flip, jitter, greyscale, blur and solarise of both views.
    fn probabilities(preset: ViewPreset) -> [[f64; 5]; 2] {
        let (a, b) = preset.views();
        [a, b].map(|view| [view.flip, view.jitter.p, view.greyscale, view.blur.p, view.solarize])
    }

    #[test]
    fn the_imagenet_preset_is_the_official_t_and_t_prime() {
        let (a, b) = ViewPreset::Imagenet.views();
        // main.py: RandomResizedCrop(224), flip .5, ColorJitter(.4, .4, .2, .1) p .8, grey .2, blur 1.0 / 0.1,
        // solarise 0 / 0.2
        let jitter = JitterConfig {
            p: 0.8,
            brightness: 0.4,
            contrast: 0.4,
            saturation: 0.2,
            hue: 0.1,
        };
        for view in [a, b] {
            assert_eq!((view.jitter, view.flip, view.greyscale), (jitter, 0.5, 0.2));
            assert_eq!((view.crop_scale, view.blur.sigma), ([0.08, 1.0], [0.1, 2.0]));
        }
        assert_eq!((a.blur.p, a.solarize, b.blur.p, b.solarize), (1.0, 0.0, 0.1, 0.2));
    }

    #[test]
    fn the_cifar_preset_differs_by_the_blur_alone() {
        let (imagenet, cifar) = (ViewPreset::Imagenet.views(), ViewPreset::Cifar.views());
        assert_eq!((cifar.0.blur.p, cifar.1.blur.p, cifar.1.solarize), (0.0, 0.0, 0.2));
        assert_eq!(
            ViewConfig {
                blur: imagenet.0.blur,
                ..cifar.0
            },
            imagenet.0
        );
        assert_eq!(
            ViewConfig {
                blur: imagenet.1.blur,
                ..cifar.1
            },
            imagenet.1
        );
    }

    #[test]
    fn the_ablation_removes_one_thing_after_the_other_and_leaves_the_rest() {
        let steps = [
            (
                ViewPreset::Imagenet,
                [[0.5, 0.8, 0.2, 1.0, 0.0], [0.5, 0.8, 0.2, 0.1, 0.2]],
            ),
            (
                ViewPreset::NoGreyscale,
                [[0.5, 0.8, 0.0, 1.0, 0.0], [0.5, 0.8, 0.0, 0.1, 0.2]],
            ),
            (
                ViewPreset::NoJitter,
                [[0.5, 0.0, 0.0, 1.0, 0.0], [0.5, 0.0, 0.0, 0.1, 0.2]],
            ),
            (
                ViewPreset::CropBlur,
                [[0.0, 0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.1, 0.0]],
            ),
            (ViewPreset::CropOnly, [[0.0; 5]; 2]),
        ];
        let (official_a, _) = ViewPreset::Imagenet.views();
        for (preset, expected) in steps {
            assert_eq!(probabilities(preset), expected, "{preset:?}");
            for view in <[ViewConfig; 2]>::from(preset.views()) {
                assert_eq!(
                    (view.crop_scale, view.crop_ratio, view.blur.sigma),
                    (official_a.crop_scale, official_a.crop_ratio, [0.1, 2.0])
                );
                assert_eq!(JitterConfig { p: 0.8, ..view.jitter }, official_a.jitter);
            }
        }
    }
}
