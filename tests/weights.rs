//! Weights in and out of the program: features as files, other programs' weights as runs, runs as other programs' files.

use crate::common;

use common::{Program, bytes, folder, refused, root, smoke, summary};
use std::path::{Path, PathBuf};

/// The values of an `.npy` file of f32 with its shape.
fn npy(path: &Path) -> (Vec<f32>, [usize; 2]) {
    let bytes = std::fs::read(path).unwrap();
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
    let header = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let text = std::str::from_utf8(&bytes[10..header]).unwrap();
    assert!(text.contains("'descr': '<f4', 'fortran_order': False"), "{text}");
    let shape = text.split_once("'shape': (").unwrap().1.split_once(')').unwrap().0;
    let shape: Vec<usize> = shape.split(", ").map(|size| size.parse().unwrap()).collect();
    let values = bytes[header..].chunks_exact(4);
    let values: Vec<f32> = values
        .map(|value| f32::from_le_bytes(value.try_into().unwrap()))
        .collect();
    assert_eq!(values.len(), shape[0] * shape[1], "{shape:?}");
    (values, [shape[0], shape[1]])
}

fn embed(from: &Path, data: &Path, out: &Path) -> Program {
    Program::new()
        .args(["embed", "--backend", "cpu", "--quiet", "--from"])
        .arg(from)
        .arg("--data")
        .arg(data)
        .arg("--out")
        .arg(out)
}

/// Features of some images by a run or file.
fn features(from: &Path, data: &Path) -> Vec<u8> {
    let folder = folder();
    let out = folder.path().join("f.npy");
    embed(from, data, &out).succeed();
    std::fs::read(out).unwrap()
}

/// A folder with six small images of two classes, and one below a split of its own.
fn images(at: &Path) -> PathBuf {
    let data = at.join("images");
    for (number, path) in [
        "train/b/1.png",
        "train/a/2.png",
        "train/a/10.png",
        "train/b/é, x.png",
        "test/a/7.png",
        "test/b/3.png",
    ]
    .into_iter()
    .enumerate()
    {
        let path = data.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        image::RgbImage::from_fn(40, 32, |x, y| {
            image::Rgb([
                number as u8 * 40,
                (x * 6) as u8,
                (y as u8).wrapping_mul(number as u8 + 3),
            ])
        })
        .save(path)
        .unwrap();
    }
    data
}

#[test]
fn features_are_rows_in_the_order_of_the_paths() {
    let folder = folder();
    let (run, data) = (folder.path().join("run"), images(folder.path()));
    smoke("cpu", &run)
        .args(["--epochs", "1", "--set", "model.projector=32-24"])
        .succeed();
    let out = folder.path().join("out/f.npy");
    let said = embed(&run, &data, &out).succeed();
    let (rows, shape) = npy(&out);
    let width = shape[1];
    assert_eq!(shape[0], 6);
    assert!(
        said.stdout.contains(&format!("6 x {width} features in")),
        "{}",
        said.stdout
    );
    let list = std::fs::read_to_string(out.with_extension("csv")).unwrap();
    assert_eq!(
        list.lines().collect::<Vec<_>>(),
        [
            "path,label",
            "test/a/7.png,a",
            "test/b/3.png,b",
            "train/a/10.png,a",
            "train/a/2.png,a",
            "train/b/1.png,b",
            "\"train/b/é, x.png\",b"
        ]
    );
    assert!(rows.iter().all(|value| value.is_finite()));
    assert_ne!(rows[..width], rows[width..2 * width], "of different images");
    // A single image's features are those that it has among others.
    let alone = folder.path().join("alone");
    std::fs::create_dir_all(alone.join("a")).unwrap();
    std::fs::copy(data.join("train/a/2.png"), alone.join("a/2.png")).unwrap();
    let one = folder.path().join("one.npy");
    embed(&run, &alone, &one).succeed();
    assert_eq!(npy(&one).0, rows[3 * width..4 * width]);
    // The file that the run exported is the same network; the run's last checkpoint too.
    let exported = embed(&run.join("backbone.safetensors"), &data, &one)
        .args([
            "--set",
            "data.normalize=imagenet",
            "--set",
            "eval.resize=64",
            "--set",
            "eval.crop=64",
        ])
        .run();
    assert_eq!(exported.code, 0, "{}", exported.stderr);

    let wide = folder.path().join("e.npy");
    embed(&run, &data, &wide).args(["--layer", "embedding"]).succeed();
    let [_, embedded] = npy(&wide).1;
    assert_ne!(embedded, width, "the projector has another width than the backbone");
    let table = folder.path().join("f.parquet");
    embed(&run, &data, &table).succeed();
    let table = std::fs::read(table).unwrap();
    assert_eq!((&table[..4], &table[table.len() - 4..]), (&b"PAR1"[..], &b"PAR1"[..]));
    let plain: Vec<u8> = rows.iter().flat_map(|value| value.to_le_bytes()).collect();
    assert!(
        table.windows(plain.len()).any(|window| window == plain),
        "the same values, plain"
    );
}

#[test]
fn what_is_exported_is_imported_as_the_same_network() {
    let folder = folder();
    let (run, data) = (folder.path().join("run"), images(folder.path()));
    smoke("cpu", &run).args(["--epochs", "1"]).succeed();
    let expected = features(&run, &data);
    let pixels = ["data.normalize", "eval.resize", "eval.crop"].map(|key| {
        let config: toml::Table = toml::from_str(&String::from_utf8(bytes(&run, "config.toml")).unwrap()).unwrap();
        let (section, key_of) = key.split_once('.').unwrap();
        format!("{key}={}", config[section][key_of])
    });
    for (format, name) in [
        ("safetensors", "a.safetensors"),
        ("pth", "a.pth"),
        ("timm", "timm"),
        ("onnx", "a.onnx"),
        ("detectron2", "a.pkl"),
        ("burn", "a.mpk"),
    ] {
        let out = folder.path().join(name);
        let export = Program::new()
            .args(["export", "--format", format, "--from"])
            .arg(&run)
            .arg("--out")
            .arg(&out)
            .run();
        if format == "detectron2" || format == "timm" {
            // A ResNet-18 of another width than 64, or a CIFAR stem, is none of theirs: said in one line, nothing written.
            if export.code == 2 {
                assert_eq!(export.stderr.lines().count(), 1, "{}", export.stderr);
                assert!(!out.exists());
                continue;
            }
        }
        assert_eq!(export.code, 0, "{format}: {}", export.stderr);
        assert!(out.exists() && export.stdout.contains(name), "{}", export.stdout);
        if !matches!(format, "safetensors" | "pth") {
            continue;
        }
        let imported = folder.path().join(format!("imported-{format}"));
        let mut import = Program::new().arg("import").arg(&out).arg("--out").arg(&imported);
        for pixels in &pixels {
            import = import.args(["--set", pixels]);
        }
        let said = import.succeed();
        assert!(said.stderr.contains("weights     "), "{}", said.stderr);
        assert_eq!(features(&imported, &data), expected, "{format}");
        let knn = Program::new()
            .args(["knn", "--backend", "cpu", "--data"])
            .arg(&data)
            .args(["--set", "eval.knn_k=2", "--from"])
            .arg(&imported)
            .succeed();
        assert!(knn.stdout.starts_with("kNN top-1 "), "{}", knn.stdout);
        // It is a start for a run, not a run that can be resumed.
        let resumed = Program::new()
            .args(["--resume", "--backend", "cpu", "--data"])
            .arg(&data)
            .arg("--out")
            .arg(&imported);
        refused(&resumed.run(), &[]);
    }
    let full = folder.path().join("full.pth");
    let export = ["export", "--format", "pth", "--what", "full", "--from"];
    Program::new().args(export).arg(&run).arg("--out").arg(&full).succeed();
    let imported = folder.path().join("imported-full");
    Program::new()
        .arg("import")
        .arg(&full)
        .arg("--out")
        .arg(&imported)
        .succeed();
    let config = String::from_utf8(bytes(&imported, "config.toml")).unwrap();
    let own = String::from_utf8(bytes(&run, "config.toml")).unwrap();
    let line = |config: &str| {
        config
            .lines()
            .find(|line| line.starts_with("projector = "))
            .unwrap()
            .to_owned()
    };
    assert_eq!(line(&config), line(&own), "the projector came along");
}

#[test]
fn other_programs_weights_are_runs() {
    let folder = folder();
    let data = images(folder.path());
    let layouts = root().join("crates/weights/tests/fixtures/layouts");
    for (file, says) in [
        ("torchvision.pth", "torchvision"),
        ("barlowtwins-checkpoint.pth", "official"),
        ("solo.ckpt", "solo-learn"),
        ("lightly.ckpt", "lightly"),
        ("vissl.torch", "VISSL"),
        ("mmpretrain.pth", "mmpretrain"),
        ("moco-v2.pth", "MoCo"),
    ] {
        let run = folder.path().join(file);
        let said = Program::new()
            .arg("import")
            .arg(layouts.join(file))
            .arg("--out")
            .arg(&run)
            .succeed();
        assert!(said.stderr.contains(says), "{file}: {}", said.stderr);
        let direct = features(&layouts.join(file), &data);
        assert_eq!(
            features(&run, &data),
            direct,
            "{file}: the file itself is the same network"
        );
    }
    // A run starts from such a file.
    let run = folder.path().join("started");
    let said = Program::new()
        .args([
            "pretrain",
            "--config",
            "smoke",
            "--backend",
            "cpu",
            "--epochs",
            "1",
            "--from",
        ])
        .arg(folder.path().join("torchvision.pth"))
        .arg("--out")
        .arg(&run)
        .args([
            "--data",
            "assets/sign-digits-64",
            "--set",
            "model.width=1",
            "--set",
            "model.stem=imagenet",
        ])
        .run();
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(summary(&run)["from"].as_str().unwrap().contains("torchvision.pth"));
}

#[test]
fn what_cannot_be_done_is_one_line() {
    let folder = folder();
    let (out, data) = (folder.path().join("out"), images(folder.path()));
    let layouts = root().join("crates/weights/tests/fixtures/layouts");
    let import = |file: &Path| Program::new().arg("import").arg(file).arg("--out").arg(&out);
    refused(&import(Path::new("nowhere.pth")).run(), &["nowhere.pth"]);
    let whole = std::fs::read(layouts.join("torchvision.pth")).unwrap();
    let cut = folder.path().join("cut.pth");
    for length in [0, 3, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&cut, &whole[..length]).unwrap();
        let output = import(&cut).run();
        refused(&output, &["cut.pth"]);
        assert_eq!(output.stderr.lines().count(), 1, "{}", output.stderr);
    }
    assert!(!out.join("config.toml").exists());
    // Settings that contradict the file.
    let other = import(&layouts.join("torchvision.pth"))
        .args(["--set", "model.width=3"])
        .run();
    refused(&other, &["builds another network", "model.width = "]);
    import(&layouts.join("torchvision.pth")).succeed();
    refused(
        &import(&layouts.join("torchvision.pth")).run(),
        &["already holds a run"],
    );
    let resumed = Program::new()
        .args(["--resume", "--backend", "cpu", "--data"])
        .arg(&data)
        .arg("--out")
        .arg(&out);
    refused(&resumed.run(), &[]);
    refused(
        &Program::new()
            .args(["export", "--format", "keras", "--from"])
            .arg(&out)
            .run(),
        &["keras", "onnx"],
    );
    refused(
        &Program::new()
            .args(["embed", "--backend", "cpu", "--from"])
            .arg(&out)
            .run(),
        &["--data"],
    );
    refused(
        &embed(&out, &data, &folder.path().join("f.txt")).run(),
        &[".npy", ".parquet"],
    );
    let projector = embed(&out, &data, &folder.path().join("f.npy"))
        .args(["--layer", "embedding"])
        .run();
    assert_ne!(projector.code, 0);
    assert_eq!(projector.stderr.lines().count(), 1, "{}", projector.stderr);
    assert!(!folder.path().join("f.npy").exists(), "nothing is left of it");
}
