//! Benchmark of view pairs/s, from files to two normalised f32 CHW views of preset `imagenet`, and of each operation.
//!
//! `cargo bench -p barlow-augment` prints tables for 224 and 32 pixels on one and two threads, and one of the
//! operations. `-- --images DIR` uses every image below DIR instead of synthetic ones, `--pixels N` and `--threads N`
//! select one size and number of threads; `--json` prints only JSON, one object per line.

#![allow(clippy::print_stdout)]

mod images;
mod operations;
mod pairs;

use std::path::Path;

use images::Images;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| {
        arguments
            .iter()
            .position(|a| a == name)
            .and_then(|at| arguments.get(at + 1))
    };
    let number = |name: &str| value(name).map(|v| v.parse::<usize>().expect("a whole number after the flag"));
    let folder = value("--images").map(Path::new);
    let json = arguments.iter().any(|a| a == "--json");
    let sizes = number("--pixels").map_or(vec![224, 32], |pixels| vec![pixels]);
    let threads = number("--threads").map_or(vec![1, 2], |threads| vec![threads.max(1)]);

    if !json {
        println!("images  pixels  threads  view pairs/s");
    }
    for &pixels in &sizes {
        let images = Images::of(folder, pixels);
        for &threads in &threads {
            let pairs_per_s = pairs::per_second(&images, pixels, threads);
            if json {
                println!(
                    "{{\"bench\":\"views\",\"pixels\":{pixels},\"threads\":{threads},\"pairs_per_s\":{pairs_per_s:.2}}}"
                );
            } else {
                println!("{:6}  {pixels:6}  {threads:7}  {pairs_per_s:12.1}", images.len());
            }
        }
    }
    if !json {
        for &pixels in &sizes {
            println!("\nmicroseconds per view of {pixels} pixels, one thread (decode: per image)");
            for (name, seconds) in operations::table(&Images::of(folder, pixels), pixels) {
                println!("{name:12}  {:9.2}", seconds * 1e6);
            }
        }
    }
}
