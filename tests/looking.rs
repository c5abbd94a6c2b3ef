//! What a user looks at: the data set (`data`), the views of an image (`views`), a file of weights (`inspect`).

use crate::common;

use common::fixtures::labelled_images;
use common::{Program, folder, root, smoke};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Ten digits with six training and two test images each; a copy of a training image of class 3 in the test images of class 4, one
/// within the training images, and one file that is no image.
fn set(root: &Path) {
    let mut seen = [0; 10];
    for (digit, file) in labelled_images(8) {
        let part = if seen[digit] < 6 { "train" } else { "test" };
        seen[digit] += 1;
        let class = root.join(part).join(digit.to_string());
        fs::create_dir_all(&class).unwrap();
        fs::copy(&file, class.join(format!("{}.jpg", seen[digit]))).unwrap();
    }
    let copied = root.join("train/3/1.jpg");
    fs::copy(&copied, root.join("test/4/copy.jpg")).unwrap();
    fs::copy(&copied, root.join("train/3/again.jpg")).unwrap();
    fs::write(root.join("train/5/notes.jpg"), "no image").unwrap();
}

#[test]
fn what_lies_in_a_data_set_is_listed_with_what_is_wrong_in_it() {
    let folder = folder();
    let data = folder.path().join("digits");
    set(&data);
    let run = |flags: &[&str]| {
        Program::new()
            .folder(folder.path())
            .args(["data", "--data", "digits"])
            .args(flags)
            .succeed()
            .stdout
    };
    let text = run(&[]);
    for line in [
        "train       62 images, 10 classes",
        "from 6 (0) to 7 (3) images a class",
        "test        21 images, 10 classes",
        "sizes from 64x64 to 64x64, 61 of 62 are 64x64",
        "1 cannot be read",
        "duplicates  1 training images repeat another one",
        "3/again.jpg = 3/1.jpg",
        "duplicates  1 test images are training images too",
        "4/copy.jpg = 3/",
        "sheet       data.png",
    ] {
        assert!(text.contains(line), "{line:?} is missing:\n{text}");
    }
    // A row of up to twelve pictures of 64 pixels for each class, two pixels apart.
    let sheet = image::open(folder.path().join("data.png")).unwrap();
    assert_eq!((sheet.width(), sheet.height()), (12 * 66 - 2, 10 * 66 - 2));
    let first = image::open(data.join("train/0/1.jpg")).unwrap().to_rgb8();
    let drawn = sheet.crop_imm(0, 0, 64, 64).to_rgb8();
    let difference = |(a, b): (&u8, &u8)| u64::from(a.abs_diff(*b));
    let total: u64 = drawn.as_raw().iter().zip(first.as_raw()).map(difference).sum();
    assert!(total < 3 * 64 * 64, "the first picture is the first image: {total}");

    let json: Value = serde_json::from_str(&run(&["--json", "--out", "sheet.png"])).unwrap();
    assert_eq!(json["train"]["classes"][3]["images"], 7);
    assert_eq!(json["train"]["extensions"]["jpg"], 62);
    assert_eq!(json["train"]["unreadable"]["count"], 1);
    assert_eq!(json["duplicates"]["test_in_train"]["count"], 1);
    assert!(folder.path().join("sheet.png").is_file());
    let some: Value = serde_json::from_str(&run(&["--json", "--most", "10"])).unwrap();
    assert_eq!(
        (&some["train"]["decoded"], &some["train"]["images"]),
        (&10.into(), &62.into())
    );
}

#[test]
fn the_views_of_an_image_are_drawn_into_the_current_folder() {
    let folder = folder();
    let image = root().join("assets/sign-digits-64/train/0");
    let image = fs::read_dir(image).unwrap().next().unwrap().unwrap().path();
    let output = Program::new()
        .folder(folder.path())
        .args(["views", "--image"])
        .arg(image)
        .succeed();
    assert!(output.stdout.contains("views.png"), "{}", output.stdout);
    let sheet = image::open(folder.path().join("views.png")).unwrap();
    assert!(sheet.width() > 8 * 24, "eight draws of 24 pixels: {}", sheet.width());
}

#[test]
fn the_weights_of_a_run_and_of_a_pth_file_are_listed() {
    let folder = folder();
    let run = folder.path().join("run");
    smoke("cpu", &run).args(["--epochs", "1"]).succeed();
    let inspect = |file: &Path, flags: &[&str]| Program::new().arg("inspect").arg(file).args(flags).run();
    let backbone = inspect(&run.join("backbone.safetensors"), &[]);
    for part in ["conv1.weight", "layer4.1.bn2.running_var", "torchvision"] {
        assert!(
            backbone.stdout.contains(part),
            "{part:?} is missing:\n{}",
            backbone.stdout
        );
    }
    let json: Value = serde_json::from_str(&inspect(&run.join("backbone.safetensors"), &["--json"]).stdout).unwrap();
    let tensors = json["tensors"].as_array().expect("a list of tensors");
    assert!(tensors.iter().any(|tensor| tensor["name"] == "conv1.weight"), "{json}");
    let pth = root().join("crates/weights/tests/fixtures");
    let fixture = fs::read_dir(pth).unwrap().map(|entry| entry.unwrap().path());
    let fixture = fixture.filter(|path| path.extension().is_some_and(|extension| extension == "pth"));
    let mut listed = 0;
    for file in fixture {
        let is_bad = file
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("bad-"));
        let output = inspect(&file, &[]);
        assert_eq!(
            output.code,
            if is_bad { 2 } else { 0 },
            "{}: {}",
            file.display(),
            output.stderr
        );
        listed += 1;
    }
    assert!(listed > 10, "{listed} fixtures");
    fs::write(folder.path().join("notes.pth"), "no weights").unwrap();
    let refused = inspect(&folder.path().join("notes.pth"), &[]);
    assert_eq!(
        (refused.code, refused.stderr.lines().count()),
        (2, 1),
        "{}",
        refused.stderr
    );
    assert!(
        refused.stderr.contains("neither a .pth nor a .safetensors file"),
        "{}",
        refused.stderr
    );
}
