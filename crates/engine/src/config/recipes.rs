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
];

/// The text of the recipe called `name`.
pub fn find_recipe(name: &str) -> Option<&'static str> {
    RECIPES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}
