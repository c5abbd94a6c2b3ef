//! Tests of view groups: numbering, names, sizes, independence of each view, and rejected groups.

use crate::common;

use barlow_augment::{Normalization, ViewConfig, ViewGroup, ViewPreset, Views, ViewsConfig};
use common::formula;

fn group(name: &str, count: usize, size: usize) -> ViewGroup {
    ViewGroup {
        name: name.into(),
        count,
        size,
        view: ViewConfig::default(),
    }
}

/// Views a and b of 17 pixels.
fn two() -> Vec<ViewGroup> {
    let config = ViewsConfig {
        size: 17,
        ..Default::default()
    };
    config.groups()
}

/// [`two`] and three small views.
fn three() -> Vec<ViewGroup> {
    let mut small = group("small", 3, 9);
    small.view.crop_scale = [0.05, 0.14];
    [two(), vec![small]].concat()
}

fn views(groups: &[ViewGroup]) -> Views {
    Views::new(groups, Normalization::imagenet()).unwrap()
}

fn apply(views: &Views, [seed, epoch, index]: [u64; 3]) -> Vec<Vec<f32>> {
    let mut outputs: Vec<Vec<f32>> = (0..views.len())
        .map(|view| vec![f32::NAN; views.values(view)])
        .collect();
    let mut slices: Vec<&mut [f32]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
    views.apply(&formula(41, 23).into(), seed, epoch, index, &mut slices);
    outputs
}

#[test]
fn the_views_section_gives_two_groups_of_one_view() {
    let (a, b) = ViewPreset::Imagenet.views();
    let expected = [group("a", 1, 17), group("b", 1, 17)];
    assert_eq!(
        two(),
        [
            ViewGroup {
                view: a,
                ..expected[0].clone()
            },
            ViewGroup {
                view: b,
                ..expected[1].clone()
            }
        ]
    );
    let views = views(&two());
    assert_eq!(views.groups(), two());
    assert_eq!((views.len(), views.is_empty(), views.channels()), (2, false, 3));
    assert_eq!([0, 1].map(|view| views.name(view)), ["view_a", "view_b"]);
}

#[test]
fn views_are_numbered_group_by_group() {
    let views = views(&three());
    assert_eq!(views.len(), 5);
    let of_all = |value: fn(&Views, usize) -> usize| [0, 1, 2, 3, 4].map(|view| value(&views, view));
    assert_eq!(of_all(Views::group_of), [0, 1, 2, 2, 2]);
    assert_eq!(of_all(Views::size), [17, 17, 9, 9, 9]);
    assert_eq!(of_all(Views::values), [867, 867, 243, 243, 243]);
    assert_eq!(
        [0, 1, 2, 3, 4].map(|view| views.name(view)),
        ["view_a", "view_b", "view_small_0", "view_small_1", "view_small_2"]
    );
}

#[test]
fn a_group_that_is_appended_changes_nothing_before_it() {
    let (two, three) = (views(&two()), views(&three()));
    for key in [[0, 0, 0], [1, 2, 3], [9, 0, 40]] {
        let (expected, made) = (apply(&two, key), apply(&three, key));
        assert!(made[..2] == expected, "{key:?}");
        assert_eq!(made.iter().map(Vec::len).collect::<Vec<_>>(), [867, 867, 243, 243, 243]);
        assert!(made.iter().flatten().all(|value| value.is_finite()));
        // Views of one group have independent random draws.
        assert!(
            made[2] != made[3] && made[3] != made[4] && made[2] != made[4],
            "{key:?}"
        );
        assert!(apply(&three, key) == made, "{key:?}");
    }
}

#[test]
fn pixels_before_normalisation_are_those_of_every_view() {
    let views = views(&three());
    let pixels = views.apply_u8(&formula(41, 23).into(), 1, 2, 3);
    let normalised = apply(&views, [1, 2, 3]);
    assert_eq!(pixels.len(), 5);
    for (view, (image, expected)) in pixels.iter().zip(normalised).enumerate() {
        assert_eq!([image.width(), image.height()], [views.size(view); 2]);
        let mut values = vec![0.0; views.values(view)];
        Normalization::imagenet().write_chw(image, &mut values);
        assert_eq!(values, expected, "view {view}");
    }
}

#[test]
fn groups_that_cannot_be_are_refused_by_key() {
    let with = |change: fn(&mut ViewGroup)| {
        let mut groups = three();
        change(&mut groups[2]);
        groups
    };
    let new_name = "a name that no other group has, nor any of its views";
    let count = "a number of views in [1, 1000]";
    let clash = [group("small", 2, 8), group("small_1", 1, 8)].to_vec();
    for (groups, expected) in [
        (vec![], "views = [] is not allowed: at least one group of views".into()),
        (
            with(|group| group.name.clear()),
            "views.name = \"\" is not allowed: a name that is not empty".into(),
        ),
        (
            with(|group| group.name = "b".into()),
            format!("views.name = \"b\" is not allowed: {new_name}"),
        ),
        (clash, format!("views.name = \"small_1\" is not allowed: {new_name}")),
        (
            with(|group| group.count = 0),
            format!("views.small.count = 0 is not allowed: {count}"),
        ),
        (
            with(|group| group.count = 1001),
            format!("views.small.count = 1001 is not allowed: {count}"),
        ),
        (
            with(|group| group.size = 0),
            "views.small.size = 0 is not allowed: a number of pixels in [1, 16384]".into(),
        ),
        (
            with(|group| group.view.jitter.hue = 0.6),
            "views.small.jitter.hue = 0.6 is not allowed: a part of the colour circle in [0, 0.5]".into(),
        ),
    ] {
        let error = Views::new(&groups, Normalization::imagenet()).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    assert!(Views::new(&[group("a", 1000, 1)], Normalization::imagenet()).is_ok());
}

#[test]
#[should_panic(expected = "outputs given, and views\n  left: 2\n right: 5")]
fn another_number_of_outputs_panics_with_both() {
    let (mut a, mut b) = (vec![0.0; 867], vec![0.0; 867]);
    views(&three()).apply(&formula(9, 9).into(), 0, 0, 0, &mut [&mut a, &mut b]);
}

#[test]
#[should_panic(expected = "left: 866\n right: 867")]
fn an_output_of_another_length_panics_with_both() {
    let (mut a, mut b) = (vec![0.0; 867], vec![0.0; 866]);
    views(&two()).apply(&formula(9, 9).into(), 0, 0, 0, &mut [&mut a, &mut b]);
}

#[test]
#[should_panic(expected = "view 5 of 5")]
fn a_view_past_the_last_panics_with_both() {
    let _ = views(&three()).size(5);
}

#[test]
fn a_group_written_and_read_is_the_same() {
    for group in three() {
        let text = toml::to_string(&group).unwrap();
        assert_eq!(toml::from_str::<ViewGroup>(&text).unwrap(), group);
    }
    let error = toml::from_str::<ViewGroup>("name = \"a\"\ncount = 1\nsize = 8\nsizes = 8\nview = {}").unwrap_err();
    assert!(error.message().contains("sizes"), "{error}");
}
