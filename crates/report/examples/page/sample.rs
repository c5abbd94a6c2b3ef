//! Invented runs of any size, for the pages of the browser test and of the crate's tests.

use barlow_report::{
    AccuracyRow, ClassResults, ConfigChange, Correlation, Curve, Evaluation, EvaluationTable, GalleryRow, MapPoint,
    Picture, Portrait, ReportData, Series, Shown, Thumbnails, WorstPair,
};

/// Names that a page must escape and lay out.
pub const NAMES: [&str; 4] = [
    "<script>alert('x')</script>",
    "\"quoted\" & 'single'",
    "手话数字 五 — 数字手話の五番目の画像クラス",
    "rtl \u{202e}gnp.elif\u{0}\u{7}",
];

/// Numbers that look random and are the same everywhere.
pub struct Numbers(pub u64);

impl Numbers {
    /// In [0, 1).
    pub fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f64 / (1u64 << 24) as f64
    }
}

/// A run with `images` test images in `classes` classes.
pub fn run(title: &str, images: usize, classes: usize, seed: u64) -> ReportData {
    let mut numbers = Numbers(seed + 1);
    let accuracy = |name: &str, untrained, trained| AccuracyRow {
        name: name.into(),
        untrained,
        trained,
    };
    let trained = 0.89 + 0.004 * seed as f64;
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    ReportData {
        title: title.into(),
        subtitle: "barlow-twins · resnet18-cifar · CPU, 2 threads".into(),
        config_toml: "[run]\nseed = 0\n\n[loss]\nlambda = 0.0051 # <b>".into(),
        config: vec![
            pair("run.seed", &seed.to_string()),
            pair("loss.lambda", if title.contains("wide") { "0.01" } else { "0.0051" }),
            pair("model.width", "64"),
        ],
        recipe: Some("sign-digits".into()),
        changes: vec![
            ConfigChange {
                key: "loss.lambda".into(),
                recipe: Some("0.0051".into()),
                run: Some("0.01".into()),
            },
            ConfigChange {
                key: "data.path".into(),
                recipe: None,
                run: Some(format!("\"/data/{}\"", "long/".repeat(40))),
            },
        ],
        accuracy: vec![
            accuracy("kNN top-1", Some(0.555), Some(trained)),
            accuracy("linear top-1", Some(0.6425), Some(trained + 0.04)),
            accuracy("linear top-5", None, Some(0.998)),
        ],
        before: "untrained".into(),
        summary: vec![
            pair("loss of the last epoch", "31.52"),
            pair("loss floor", "7.80"),
            pair("steps", "14400 of 14400"),
            pair("images/s", "917.09"),
        ],
        notes: vec!["A note with <markup> & more.".into()],
        curves: curves(&mut numbers),
        correlations: vec![
            correlation("untrained", 0.6, &mut numbers),
            correlation("trained", 0.08, &mut numbers),
        ],
        portrait: Some(portrait(images, classes, &mut numbers)),
        thumbnails: thumbnails(thumbnail_count(images), &mut numbers),
        views: (0..6).map(|_| views(&mut numbers)).collect(),
        evaluations: vec![Evaluation {
            name: "knn".into(),
            values: vec![pair("knn_top1", "0.8950"), pair("k", "20"), pair("metric", "cosine")],
            tables: vec![EvaluationTable {
                name: "scores".into(),
                columns: vec!["k".into(), "top1".into()],
                rows: vec![vec!["1".into(), "0.88".into()], vec!["200".into(), "0.85".into()]],
            }],
        }],
        time: vec![
            pair_time("steps", 1650.0),
            pair_time("waiting for views", 22.0),
            pair_time("evaluations and saving", 140.0),
        ],
        data: vec![
            pair("training images", "1,662 in 10 classes, from 164 to 168 each"),
            pair(
                "skipped",
                "2 images that cannot be decoded, the first: train/5/<notes>.jpg",
            ),
        ],
        repeat: vec![
            pair("command", "train --config runs/x/config.toml --seed 0"),
            pair("commit", "0123456789ab"),
            pair("seed", "0"),
        ],
    }
}

fn pair_time(name: &str, seconds: f64) -> (String, f64) {
    (name.to_owned(), seconds)
}

fn curves(numbers: &mut Numbers) -> Vec<Curve> {
    let falling = |from: f64, to: f64, numbers: &mut Numbers| -> Vec<(f64, f64)> {
        let value = |k: usize, noise: f64| to + (from - to) * (-0.01 * k as f64).exp() * (0.9 + 0.2 * noise);
        (0..1000).map(|k| ((10 * k) as f64, value(k, numbers.next()))).collect()
    };
    let chart = |title: &str, y_label: &str, log_y, series| Curve {
        title: title.into(),
        x_label: "step".into(),
        y_label: y_label.into(),
        log_y,
        series,
    };
    vec![
        chart(
            "Loss",
            "loss",
            true,
            vec![
                Series::line("loss", falling(900.0, 31.0, numbers)),
                Series::reference("floor", vec![(0.0, 7.8), (9990.0, 7.8)]),
            ],
        ),
        chart(
            "Both terms of the loss",
            "value",
            true,
            vec![
                Series::line("invariance", falling(300.0, 12.0, numbers)),
                Series::line("redundancy_reduction", falling(9000.0, 2100.0, numbers)),
            ],
        ),
        chart(
            "kNN on the test images",
            "top-1 accuracy",
            false,
            vec![Series::line(
                "knn_top1",
                (1..12)
                    .map(|k| (900.0 * f64::from(k), 0.9 - 0.4 / f64::from(k)))
                    .collect(),
            )],
        ),
    ]
}

fn correlation(name: &str, off_diagonal: f64, numbers: &mut Numbers) -> Correlation {
    let side = 64;
    let value = |at: usize, number: f64| {
        if at / side == at % side {
            0.9 + 0.1 * number
        } else {
            off_diagonal * (2.0 * number - 1.0)
        }
    };
    Correlation {
        name: name.into(),
        values: (0..side * side).map(|at| value(at, numbers.next()) as f32).collect(),
        side,
        width: 1024,
        images: 256,
        views: ["view a".into(), "view b".into()],
        spectrum: Vec::new(),
    }
}

fn class_names(classes: usize) -> Vec<String> {
    let long = "a class name of two hundred characters ".repeat(6);
    (0..classes)
        .map(|class| match class {
            0..4 => NAMES[class].to_owned(),
            4 => long.chars().take(200).collect(),
            5 => "x".repeat(200),
            _ => format!("class {class}"),
        })
        .collect()
}

fn thumbnail_count(images: usize) -> usize {
    images.min(1000) + 200
}

fn portrait(images: usize, classes: usize, numbers: &mut Numbers) -> Portrait {
    let thumbnails = thumbnail_count(images);
    let shown = |at: usize, class: usize| Shown {
        thumbnail: at % thumbnails,
        name: format!("test/{class}/an \"image\" <{at}>.jpg"),
        class,
    };
    let mut map = Vec::new();
    for at in 0..images.min(1000) {
        let class = at % classes;
        let turn = std::f64::consts::TAU * class as f64 / classes as f64;
        let mut place = |radius: f64, spread: f64| {
            [turn.cos(), turn.sin()]
                .map(|way| (0.5 + radius * way + spread * (numbers.next() + numbers.next() - 1.0)) as f32)
        };
        let (pca, tsne) = (place(0.25, 0.25), place(0.38, 0.08));
        let predicted = if numbers.next() < 0.1 {
            (class + 1) % classes
        } else {
            class
        };
        map.push(MapPoint {
            image: shown(at, class),
            predicted,
            pca,
            tsne,
        });
    }
    let row = |at: usize| {
        let class = at % classes;
        let predicted = if at % 3 == 2 { (class + 1) % classes } else { class };
        let neighbour = |place: usize| {
            let own = if place < 3 { predicted } else { class };
            (shown(7 * at + place, own), 0.99 - 0.03 * place as f32)
        };
        GalleryRow {
            query: shown(at, class),
            predicted,
            neighbours: (0..5).map(neighbour).collect(),
        }
    };
    let each = images / classes;
    let per_class: Vec<[usize; 2]> = (0..classes)
        .map(|class| [each, each - each * (class % 7) / 20])
        .collect();
    let mut confusion = Vec::new();
    for (class, [all, correct]) in per_class.iter().enumerate() {
        confusion.push([class, class, *correct]);
        if all > correct {
            confusion.push([class, (class + 1) % classes, all - correct]);
        }
    }
    let worst = |class: usize| WorstPair {
        truth: class,
        predicted: (class + 1) % classes,
        images: 9 - class % 9,
        examples: (0..6).map(|at| shown(at, class)).collect(),
    };
    Portrait {
        step: 14_400,
        classes: class_names(classes),
        images,
        map,
        gallery: (0..classes.min(24)).map(row).collect(),
        results: ClassResults {
            classifier: "kNN (k 20)".into(),
            per_class,
            confusion,
            worst: (0..classes.min(5)).map(worst).collect(),
        },
    }
}

/// Pictures with noise, which no encoder makes small: the worst case of a page's size.
fn thumbnails(count: usize, numbers: &mut Numbers) -> Thumbnails {
    let (side, columns) = (28, 40);
    let (width, height) = (side * columns, side * count.div_ceil(columns));
    let pixels: Vec<u8> = (0..width * height * 3)
        .map(|at| {
            let (x, y) = (at / 3 % width, at / 3 / width);
            let tone = (x / side * 37 + y / side * 59 + at % 3 * 80) % 200;
            (tone as u8 + (numbers.next() * 40.0) as u8) & 0xf8
        })
        .collect();
    Thumbnails {
        side,
        columns,
        png: png(width, height, &pixels),
    }
}

fn views(numbers: &mut Numbers) -> Vec<Picture> {
    let tone = (numbers.next() * 200.0) as usize;
    let picture = |caption: &str, way: usize| {
        let pixels: Vec<u8> = (0..64 * 64 * 3)
            .map(|at| ((at / 3 % 64) * way + at / 192 * 2 + tone + at % 3 * 20) as u8)
            .collect();
        Picture {
            caption: caption.into(),
            png: png(64, 64, &pixels),
        }
    };
    vec![picture("image", 1), picture("view a", 2), picture("view b", 3)]
}

/// RGB pixels as a PNG file.
pub fn png(width: usize, height: usize, pixels: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, width as u32, height as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let written = encoder
        .write_header()
        .and_then(|mut writer| writer.write_image_data(pixels));
    written.expect("memory can be written to");
    out
}
