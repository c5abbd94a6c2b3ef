//! The recipes of `configs/`, compiled in, so that the binary alone can start any of them by name.

/// The recipe of a plain `train`.
pub const DEFAULT_RECIPE: &str = "sign-digits";

/// Name and text of every shipped recipe.
pub const RECIPES: &[(&str, &str)] = &[
    ("sign-digits", include_str!("../../../../configs/sign-digits.toml")),
    ("smoke", include_str!("../../../../configs/smoke.toml")),
    (
        "cifar10-resnet18",
        include_str!("../../../../configs/cifar10-resnet18.toml"),
    ),
    (
        "cifar10-resnet18-cpu",
        include_str!("../../../../configs/cifar10-resnet18-cpu.toml"),
    ),
    (
        "imagenet-resnet50",
        include_str!("../../../../configs/imagenet-resnet50.toml"),
    ),
    (
        "sign-digits-simclr",
        include_str!("../../../../configs/sign-digits-simclr.toml"),
    ),
    (
        "cifar10-resnet18-simclr",
        include_str!("../../../../configs/cifar10-resnet18-simclr.toml"),
    ),
    (
        "imagenet-resnet50-simclr",
        include_str!("../../../../configs/imagenet-resnet50-simclr.toml"),
    ),
    (
        "sign-digits-moco-v2",
        include_str!("../../../../configs/sign-digits-moco-v2.toml"),
    ),
    (
        "imagenet-resnet50-moco-v2",
        include_str!("../../../../configs/imagenet-resnet50-moco-v2.toml"),
    ),
    (
        "sign-digits-moco-v3",
        include_str!("../../../../configs/sign-digits-moco-v3.toml"),
    ),
    (
        "cifar10-resnet18-moco-v3",
        include_str!("../../../../configs/cifar10-resnet18-moco-v3.toml"),
    ),
    (
        "imagenet-resnet50-moco-v3",
        include_str!("../../../../configs/imagenet-resnet50-moco-v3.toml"),
    ),
    (
        "sign-digits-simsiam",
        include_str!("../../../../configs/sign-digits-simsiam.toml"),
    ),
    (
        "cifar10-resnet18-simsiam",
        include_str!("../../../../configs/cifar10-resnet18-simsiam.toml"),
    ),
    (
        "imagenet-resnet50-simsiam",
        include_str!("../../../../configs/imagenet-resnet50-simsiam.toml"),
    ),
    (
        "sign-digits-byol",
        include_str!("../../../../configs/sign-digits-byol.toml"),
    ),
    (
        "cifar10-resnet18-byol",
        include_str!("../../../../configs/cifar10-resnet18-byol.toml"),
    ),
    (
        "imagenet-resnet50-byol",
        include_str!("../../../../configs/imagenet-resnet50-byol.toml"),
    ),
    (
        "sign-digits-swav",
        include_str!("../../../../configs/sign-digits-swav.toml"),
    ),
    (
        "cifar10-resnet18-swav",
        include_str!("../../../../configs/cifar10-resnet18-swav.toml"),
    ),
    (
        "imagenet-resnet50-swav",
        include_str!("../../../../configs/imagenet-resnet50-swav.toml"),
    ),
    (
        "sign-digits-dino",
        include_str!("../../../../configs/sign-digits-dino.toml"),
    ),
    (
        "imagenet-resnet50-dino",
        include_str!("../../../../configs/imagenet-resnet50-dino.toml"),
    ),
    (
        "imagenet-vit-small-dino",
        include_str!("../../../../configs/imagenet-vit-small-dino.toml"),
    ),
    (
        "sign-digits-sela",
        include_str!("../../../../configs/sign-digits-sela.toml"),
    ),
    (
        "cifar10-resnet18-sela",
        include_str!("../../../../configs/cifar10-resnet18-sela.toml"),
    ),
    (
        "imagenet-resnet50-sela",
        include_str!("../../../../configs/imagenet-resnet50-sela.toml"),
    ),
    (
        "sign-digits-hsic",
        include_str!("../../../../configs/sign-digits-hsic.toml"),
    ),
    (
        "sign-digits-w-mse",
        include_str!("../../../../configs/sign-digits-w-mse.toml"),
    ),
    (
        "sign-digits-mix-bt",
        include_str!("../../../../configs/sign-digits-mix-bt.toml"),
    ),
];

/// The text of the recipe called `name`.
pub fn find_recipe(name: &str) -> Option<&'static str> {
    RECIPES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Layers, load};
    use crate::methods::MethodKind;

    #[test]
    fn every_recipe_is_valid_and_every_method_s_recipes_exist() {
        for (name, _) in RECIPES {
            let layers = Layers {
                recipe: Some((*name).to_owned()),
                ..Layers::default()
            };
            let (_, config) = load(&layers).unwrap_or_else(|error| panic!("{name}: {error}"));
            config.validate().unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        for kind in MethodKind::ALL {
            for name in kind.about().recipes {
                let layers = Layers {
                    recipe: Some((*name).to_owned()),
                    ..Layers::default()
                };
                let (_, config) = load(&layers).unwrap_or_else(|error| panic!("{name}: {error}"));
                assert_eq!(config.method.kind, *kind, "{name}");
            }
        }
    }
}
