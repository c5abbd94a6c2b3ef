//! View pairs a second: from a file in memory's cache to two normalised f32 CHW views, preset `imagenet`.
//!
//! `cargo bench -p barlow-augment -- --images DIR --pixels 224 --threads 1 [--json]`; every image below DIR, one after
//! the other on each thread, the best of three rounds. Without `--images` one synthetic 500x375 JPEG, many times.

#![allow(clippy::print_stdout)]

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use barlow_augment::{Normalization, TwinViews, TwinViewsConfig, decode};

const ROUNDS: usize = 3;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| {
        arguments
            .iter()
            .position(|a| a == name)
            .and_then(|at| arguments.get(at + 1))
    };
    let number =
        |name: &str, default| value(name).map_or(default, |v| v.parse().expect("a whole number after the flag"));
    let (pixels, threads) = (number("--pixels", 224), number("--threads", 1).max(1));
    let mut files = Vec::new();
    if let Some(folder) = value("--images") {
        collect(Path::new(folder), &mut files);
        files.sort();
        assert!(!files.is_empty(), "no jpg, jpeg or png below {folder}");
    }
    let synthetic = synthetic_jpeg();
    let count = if files.is_empty() { 100 } else { files.len() };
    let views = TwinViews::new(
        &TwinViewsConfig {
            size: pixels,
            ..Default::default()
        },
        Normalization::imagenet(),
    );
    let views = views.expect("the preset is valid");

    let mut best = f64::INFINITY;
    for round in 0..ROUNDS {
        let (next, start) = (AtomicUsize::new(0), Instant::now());
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    let (mut a, mut b) = (vec![0.0; views.values()], vec![0.0; views.values()]);
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        if index >= count {
                            break;
                        }
                        let image = match files.get(index) {
                            Some(file) => decode(&std::fs::read(file).expect("a readable file")),
                            None => decode(&synthetic),
                        };
                        let image = image.unwrap_or_else(|error| panic!("{:?}: {error}", files.get(index)));
                        views.apply(&image.into(), 0, round as u64, index as u64, &mut a, &mut b);
                        std::hint::black_box((&a, &b));
                    }
                });
            }
        });
        best = best.min(start.elapsed().as_secs_f64());
    }
    let pairs_per_s = count as f64 / best;
    if arguments.iter().any(|a| a == "--json") {
        println!("{{\"bench\":\"views\",\"pixels\":{pixels},\"threads\":{threads},\"pairs_per_s\":{pairs_per_s:.2}}}");
    } else {
        println!("images  pixels  threads  view pairs/s");
        println!("{count:6}  {pixels:6}  {threads:7}  {pairs_per_s:12.1}");
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable folder").path();
        let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        if path.is_dir() {
            collect(&path, files);
        } else if extension.is_some_and(|e| ["jpg", "jpeg", "png"].contains(&e.as_str())) {
            files.push(path);
        }
    }
}

/// ImageNet's usual size with detail everywhere.
fn synthetic_jpeg() -> Vec<u8> {
    let image = image::RgbImage::from_fn(500, 375, |x, y| {
        let wave =
            |c: u32| (127.5 + 80.0 * ((x * y + 900 * c) as f32 * 0.003).sin() + ((x * 7 + y * 13) % 40) as f32) as u8;
        image::Rgb([wave(0), wave(1), wave(2)])
    });
    let mut bytes = Cursor::new(Vec::new());
    image
        .write_to(&mut bytes, image::ImageFormat::Jpeg)
        .expect("an encodable image");
    bytes.into_inner()
}
