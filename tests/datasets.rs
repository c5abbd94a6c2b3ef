//! Data sets as users have them, through the whole program: every format, grey and transparent images.

use crate::common;

use common::fixtures::labelled_images;
use common::{Program, bytes, folder, summary, train_on};
use std::fs;
use std::path::{Path, PathBuf};

fn pixels(file: &Path, side: u32) -> image::RgbImage {
    let image = image::open(file).unwrap();
    image
        .resize_exact(side, side, image::imageops::FilterType::Triangle)
        .to_rgb8()
}

fn shape(run: &Path, tensor: &str) -> Vec<usize> {
    let bytes = bytes(run, "backbone.safetensors");
    let weights = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    weights.tensor(tensor).unwrap().shape().to_vec()
}

/// Records of `count` images: the label bytes, then red, green and blue planes.
fn cifar_records(images: &[(usize, PathBuf)], labels: impl Fn(usize) -> Vec<u8>) -> Vec<u8> {
    let mut records = Vec::new();
    for (digit, file) in images {
        let image = pixels(file, 32);
        records.extend(labels(*digit));
        for channel in 0..3 {
            records.extend(image.pixels().map(|pixel| pixel.0[channel]));
        }
    }
    records
}

#[test]
fn cifar_10_and_cifar_100_in_binary_train_and_are_judged() {
    let folder = folder();
    let all = labelled_images(12);
    let (test, train_images) = all.split_at(40);
    let ten = folder.path().join("cifar-10-batches-bin");
    fs::create_dir(&ten).unwrap();
    for (batch, images) in (1..).zip(train_images.chunks(16)) {
        fs::write(
            ten.join(format!("data_batch_{batch}.bin")),
            cifar_records(images, |digit| vec![digit as u8]),
        )
        .unwrap();
    }
    fs::write(
        ten.join("test_batch.bin"),
        cifar_records(test, |digit| vec![digit as u8]),
    )
    .unwrap();
    let names: Vec<String> = (0..10).map(|digit| format!("sign {digit}")).collect();
    fs::write(ten.join("batches.meta.txt"), names.join("\n")).unwrap();
    let run = folder.path().join("ten");
    let output = train_on(&ten, &run).succeed();
    assert!(
        output.stderr.contains("80 to train on") && output.stderr.contains("10 classes"),
        "{}",
        output.stderr
    );
    assert!(
        output.stderr.contains("cifar10"),
        "the detected format is printed: {}",
        output.stderr
    );
    assert!(summary(&run)["knn_top1"].is_number());

    let hundred = folder.path().join("cifar-100-binary");
    fs::create_dir(&hundred).unwrap();
    fs::write(
        hundred.join("train.bin"),
        cifar_records(train_images, |digit| vec![digit as u8 / 5, digit as u8]),
    )
    .unwrap();
    fs::write(
        hundred.join("test.bin"),
        cifar_records(test, |digit| vec![digit as u8 / 5, digit as u8]),
    )
    .unwrap();
    let fine: Vec<String> = (0..100).map(|class| format!("fine {class}")).collect();
    fs::write(hundred.join("fine_label_names.txt"), fine.join("\n")).unwrap();
    fs::write(
        hundred.join("coarse_label_names.txt"),
        (0..20).map(|c| format!("coarse {c}\n")).collect::<String>(),
    )
    .unwrap();
    let run = folder.path().join("hundred");
    let output = train_on(&hundred, &run).succeed();
    assert!(output.stderr.contains("100 classes"), "{}", output.stderr);
    assert!(summary(&run)["knn_top1"].is_number());
}

/// An IDX file of unsigned bytes.
fn idx(dims: &[u32], values: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, dims.len() as u8];
    bytes.extend(dims.iter().flat_map(|dim| dim.to_be_bytes()));
    bytes.extend(values);
    bytes
}

#[test]
fn grey_idx_images_train_as_rgb_and_with_one_channel() {
    let folder = folder();
    let set = folder.path().join("mnist");
    fs::create_dir(&set).unwrap();
    let all = labelled_images(12);
    let (test, train_images) = all.split_at(40);
    for (name, images) in [("train", train_images), ("t10k", test)] {
        let grey = images.iter().flat_map(|(_, file)| {
            let grey = image::DynamicImage::from(pixels(file, 28)).to_luma8();
            grey.into_raw()
        });
        let labels: Vec<u8> = images.iter().map(|(digit, _)| *digit as u8).collect();
        let count = images.len() as u32;
        fs::write(
            set.join(format!("{name}-images-idx3-ubyte")),
            idx(&[count, 28, 28], &grey.collect::<Vec<u8>>()),
        )
        .unwrap();
        fs::write(set.join(format!("{name}-labels-idx1-ubyte")), idx(&[count], &labels)).unwrap();
    }
    let run = folder.path().join("rgb");
    train_on(&set, &run).succeed();
    assert_eq!(shape(&run, "conv1.weight"), [4, 3, 3, 3]);

    let run = folder.path().join("grey");
    let one = ["--set", "model.in_channels=1"];
    let refused = train_on(&set, &run).args(one).run();
    assert_eq!(refused.code, 2);
    assert!(
        refused.stderr.contains("data.normalize") && refused.stderr.contains("\"data\""),
        "{}",
        refused.stderr
    );
    train_on(&set, &run)
        .args(one)
        .args(["--set", "data.normalize=data"])
        .succeed();
    assert_eq!(shape(&run, "conv1.weight"), [4, 1, 3, 3]);
    assert!(summary(&run)["knn_top1"].is_number());
    // The statistics are stored as numbers, so that the probe of a run sees the same pixels.
    let config = String::from_utf8(bytes(&run, "config.toml")).unwrap();
    assert!(config.contains("mean = [0."), "{config}");
    Program::new().args(["knn", "--from"]).arg(&run).succeed();
    assert!(run.join("views/0-view_a.png").is_file(), "the report shows grey views");
}

#[test]
fn images_with_alpha_train_with_four_channels() {
    let folder = folder();
    let set = folder.path().join("clear");
    for (number, (digit, file)) in labelled_images(5).iter().enumerate() {
        let class = set.join(if digit % 2 == 0 { "even" } else { "odd" });
        fs::create_dir_all(&class).unwrap();
        let mut clear = image::DynamicImage::from(pixels(file, 24)).to_rgba8();
        clear
            .enumerate_pixels_mut()
            .for_each(|(x, _, pixel)| pixel.0[3] = (10 * x) as u8);
        clear.save(class.join(format!("{number}.png"))).unwrap();
    }
    let run = folder.path().join("run");
    train_on(&set, &run)
        .args(["--set", "model.in_channels=4", "--set", "data.normalize=data"])
        .succeed();
    assert_eq!(shape(&run, "conv1.weight"), [4, 4, 3, 3]);
}

#[test]
fn pascal_voc_trains_and_is_not_judged_by_one_label() {
    let folder = folder();
    let set = folder.path().join("VOC");
    for part in ["JPEGImages", "Annotations", "ImageSets/Main"] {
        fs::create_dir_all(set.join(part)).unwrap();
    }
    let mut names = Vec::new();
    for (number, (digit, file)) in labelled_images(5).iter().enumerate() {
        let name = format!("{number:06}");
        fs::copy(file, set.join(format!("JPEGImages/{name}.jpg"))).unwrap();
        let object = |class: &str| {
            format!(
                "<object><name>{class}</name><difficult>0</difficult><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>30</xmax>\
                 <ymax>40</ymax></bndbox></object>"
            )
        };
        let xml = format!(
            "<annotation><filename>{name}.jpg</filename><size><width>64</width><height>64</height><depth>3</depth></size>\
             {}{}</annotation>",
            object("hand"),
            object(if digit % 2 == 0 { "even" } else { "odd" }),
        );
        fs::write(set.join(format!("Annotations/{name}.xml")), xml).unwrap();
        names.push(name);
    }
    fs::write(set.join("ImageSets/Main/trainval.txt"), names[..40].join("\n")).unwrap();
    fs::write(set.join("ImageSets/Main/test.txt"), names[40..].join("\n")).unwrap();
    let run = folder.path().join("run");
    let output = train_on(&set, &run).succeed();
    assert!(
        output.stderr.contains("40 to train on") && output.stderr.contains("voc"),
        "{}",
        output.stderr
    );
    assert!(
        summary(&run)["knn_top1"].is_null(),
        "no accuracy with several labels per image"
    );
    let asked = Program::new().args(["knn", "--from"]).arg(&run).run();
    assert_eq!(asked.code, 2, "{}", asked.stderr);
    // Nothing separates the images of a class that all of them show; even and odd are a matter of features.
    let svm = Program::new()
        .args(["transfer", "--task", "svm", "--backend", "cpu", "--from"])
        .arg(&run)
        .succeed();
    let lines: Vec<&str> = svm.stdout.lines().collect();
    assert_eq!(lines.len(), 4, "{}", svm.stdout);
    assert!(lines[3].starts_with("mAP "), "{}", svm.stdout);
    let report: serde_json::Value = serde_json::from_slice(&bytes(&run, "eval/transfer-svm-VOC.json")).unwrap();
    let ap = |name: &str| {
        let classes = report["classes"].as_array().unwrap();
        classes.iter().find(|class| class["name"] == name).unwrap()["ap"].clone()
    };
    for class in ["even", "odd"] {
        assert!((0.2..=1.0).contains(&ap(class).as_f64().unwrap()), "{report}");
    }
    assert!(
        ap("hand").is_null(),
        "no image lacks it, so that nothing could be fitted: {report}"
    );
}

#[test]
fn a_list_of_files_takes_a_part_of_a_set() {
    let folder = folder();
    let set = folder.path().join("set");
    let (mut train_lines, mut test_lines) = (Vec::new(), Vec::new());
    for (number, (digit, file)) in labelled_images(8).iter().enumerate() {
        let class = set.join(format!("photos/sign{digit}"));
        fs::create_dir_all(&class).unwrap();
        fs::copy(file, class.join(format!("{number}.jpg"))).unwrap();
        let lines = if number < 20 { &mut test_lines } else { &mut train_lines };
        lines.push(format!("photos/sign{digit}/{number}.jpg"));
    }
    fs::write(set.join("train.txt"), train_lines[..40].join("\r\n")).unwrap();
    fs::write(set.join("test.txt"), test_lines.join("\n")).unwrap();
    let run = folder.path().join("run");
    let output = train_on(&set, &run).args(["--set", "data.format=list"]).succeed();
    assert!(output.stderr.contains("40 to train on"), "{}", output.stderr);
    assert!(summary(&run)["knn_top1"].is_number());

    // The list alone, without test images.
    let run = folder.path().join("alone");
    train_on(&set.join("train.txt"), &run).succeed();
    assert!(summary(&run)["knn_top1"].is_null());
}

/// Adds a file to a tar: its header and its content in whole blocks.
fn tar_member(tar: &mut Vec<u8>, name: &str, content: &[u8]) {
    let mut header = [0; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
    header[148..156].fill(b' ');
    header[156] = b'0';
    header[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    tar.extend(header);
    tar.extend(content);
    tar.resize(tar.len().next_multiple_of(512), 0);
}

#[test]
fn tars_and_parquet_files_are_sets_with_splits_and_labels() {
    let folder = folder();
    let set = folder.path().join("shards");
    fs::create_dir(&set).unwrap();
    let all = labelled_images(12);
    let (test, train_images) = all.split_at(40);
    let shards = [
        ("train-000000.tar", &train_images[..50]),
        ("train-000001.tar", &train_images[50..]),
        ("val-000000.tar", test),
    ];
    for (name, images) in shards {
        let mut tar = Vec::new();
        for (number, (digit, file)) in images.iter().enumerate() {
            tar_member(&mut tar, &format!("{number:05}.cls"), digit.to_string().as_bytes());
            tar_member(&mut tar, &format!("{number:05}.jpg"), &fs::read(file).unwrap());
        }
        tar.resize(tar.len() + 1024, 0);
        fs::write(set.join(name), tar).unwrap();
    }
    let run = folder.path().join("run");
    let output = train_on(&set, &run).succeed();
    for part in ["webdataset", "80 to train on", "10 classes"] {
        assert!(output.stderr.contains(part), "{part}: {}", output.stderr);
    }
    assert!(summary(&run)["knn_top1"].is_number());
    // A pattern has no test images.
    let run = folder.path().join("pattern");
    let output = train_on(&set.join("train-{000000..000001}.tar"), &run).succeed();
    assert!(output.stderr.contains("80 to train on"), "{}", output.stderr);
    assert!(summary(&run)["knn_top1"].is_null());

    let hub = common::root().join("crates/data/tests/all/parquet_files/hub");
    let output = Program::new()
        .args([
            "--config",
            "smoke",
            "--backend",
            "cpu",
            "--dry-run",
            "--batch-size",
            "4",
            "--data",
        ])
        .arg(hub)
        .succeed();
    for part in ["parquet", "6 to train on", "10 classes"] {
        assert!(output.stdout.contains(part), "{part}: {}", output.stdout);
    }
    assert!(
        output.stderr.contains("skipped     shards of a split without labels"),
        "{}",
        output.stderr
    );
}
