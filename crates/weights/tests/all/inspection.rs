//! What a file looks like, as text and as JSON.

use barlow_weights::{InspectOptions, inspect_json, inspect_text};

use crate::fixtures::open;

#[test]
fn a_checkpoint_is_listed_with_everything_in_it() {
    let file = open("zip.pth");
    let text = inspect_text(&file, InspectOptions::default());
    assert!(text.starts_with("PyTorch (zip): 25 tensors, "), "{text}");
    for expected in [
        "no layout is recognised",
        "state_dict.channels_last ",
        "[4, 3, 5, 2]",
        "bfloat16",
        "optimizer.param_groups.0.momentum = 0.5",
        "args = <argparse.Namespace>",
        "args.arch = 'resnet50'",
        "text = 'über\\nzwei'",
    ] {
        assert!(text.contains(expected), "{expected} in\n{text}");
    }
    let few = InspectOptions {
        max_tensors: 2,
        max_values: 1,
    };
    let text = inspect_text(&file, few);
    assert!(
        text.contains("  and 23 tensors more\n") && text.contains("values more that are no tensors"),
        "{text}"
    );
    let json = inspect_json(&file);
    assert_eq!(json["tensors"].as_array().unwrap().len(), 25);
    assert_eq!(json["tensors"][0]["name"], "state_dict.plain");
    assert_eq!(json["tensors"][0]["shape"][3], 5);
    assert_eq!(json["tree"]["state_dict"]["plain"]["tensor"], "state_dict.plain");
    assert_eq!(json["tree"]["optimizer"]["param_groups"][0]["lr"], 0.25);
    assert_eq!(json["tree"]["best"]["class"], "numpy._core.multiarray.scalar");
    assert!(json["layout"].is_null());
}
