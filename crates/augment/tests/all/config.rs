//! Tests of the `views` section of config files: key names, partial values, round trips, rejected values.

use barlow_augment::{ConfigError, JitterConfig, Normalization, ViewPreset, Views, ViewsConfig};

fn parse(text: &str) -> Result<ViewsConfig, String> {
    toml::from_str(text).map_err(|error| error.message().to_owned())
}

#[test]
fn keys_under_a_and_b_replace_single_values_of_the_preset() {
    let text = r#"
        preset = "cifar"
        size = 32
        a.solarize = 0.1
        [b]
        crop_scale = [0.2, 1.0]
        crop_ratio = [0.5, 2.0]
        flip = 0.0
        greyscale = 1.0
        jitter = { p = 1.0, hue = 0.2 }
        blur.sigma = [0.5, 0.5]
    "#;
    let config = parse(text).unwrap();
    let (preset_a, preset_b) = ViewPreset::Cifar.views();
    let (a, b) = config.resolve();
    assert_eq!(config.size, 32);
    assert_eq!(a.solarize, 0.1);
    assert_eq!(
        (a.jitter, a.blur, a.crop_scale),
        (preset_a.jitter, preset_a.blur, preset_a.crop_scale)
    );
    assert_eq!(
        (b.crop_scale, b.crop_ratio, b.flip, b.greyscale),
        ([0.2, 1.0], [0.5, 2.0], 0.0, 1.0)
    );
    assert_eq!(
        b.jitter,
        JitterConfig {
            p: 1.0,
            hue: 0.2,
            ..preset_b.jitter
        }
    );
    assert_eq!(
        (b.blur.p, b.blur.sigma, b.solarize),
        (preset_b.blur.p, [0.5, 0.5], preset_b.solarize)
    );
}

#[test]
fn an_empty_section_is_the_official_recipe() {
    assert_eq!(parse("").unwrap(), ViewsConfig::default());
    assert_eq!(ViewsConfig::default().size, 224);
}

#[test]
fn a_config_written_and_read_gives_the_same_views() {
    let mut config =
        parse("preset = \"cifar\"\nsize = 64\na.jitter.hue = 0.3\nb.blur = { p = 0.1, sigma = [0.3, 0.7] }").unwrap();
    assert_eq!(parse(&toml::to_string(&config).unwrap()).unwrap(), config);
    let resolved = config.resolved();
    let text = toml::to_string(&resolved).unwrap();
    assert_eq!(parse(&text).unwrap(), resolved);
    assert_eq!(resolved.resolve(), config.resolve());
    // Every value is written out, so the views no longer depend on the preset.
    let mut read = parse(&text).unwrap();
    read.preset = ViewPreset::Imagenet;
    assert_eq!(read.resolve(), config.resolve());
    let json = serde_json::to_string(&config).unwrap();
    config = serde_json::from_str(&json).unwrap();
    assert_eq!(config.resolve(), resolved.resolve());
}

#[test]
fn unknown_keys_and_presets_are_refused_by_name() {
    for (text, expected) in [
        ("solarise = 1", "solarise"),
        ("a.solarise = 1.0", "solarise"),
        ("b.jitter.contrst = 1.0", "contrst"),
        ("a.blur.radius = 1.0", "radius"),
        ("preset = \"imagnet\"", "imagnet"),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn views_are_not_made_from_values_out_of_range() {
    let config = parse("a.jitter.hue = 0.51").unwrap();
    let error: ConfigError = Views::new(&config.groups(), Normalization::imagenet()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "views.a.jitter.hue = 0.51 is not allowed: a part of the colour circle in [0, 0.5]"
    );
    let dead = Normalization {
        mean: vec![0.5; 3],
        std: vec![0.0; 3],
    };
    assert_eq!(
        Views::new(&ViewsConfig::default().groups(), dead).unwrap_err().key,
        "normalize.std"
    );
}
