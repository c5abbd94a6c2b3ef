//! Writes reports of invented runs into a folder: `cargo run -p barlow-report --example page -- DIR`. `cargo xtask browser-test`
//! opens them in a browser.

mod sample;

use barlow_report::{figures, render, render_many};
use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args_os().nth(1).ok_or("pass a folder")?);
    std::fs::create_dir_all(folder.join("figures"))?;
    let one = sample::run("sign-digits-20261129", 400, 10, 0);
    for figure in figures(std::slice::from_ref(&one)) {
        std::fs::write(folder.join("figures").join(figure.name), figure.bytes)?;
    }
    let runs: Vec<_> = (0..3)
        .map(|seed| sample::run(&format!("seed {seed}"), 400, 10, seed))
        .chain((0..3).map(|seed| sample::run(&format!("wide {seed}"), 400, 10, seed + 5)))
        .collect();
    let pages = [
        ("one.html", render(&one)),
        (
            "large.html",
            render(&sample::run("ten thousand test images", 10_000, 100, 1)),
        ),
        (
            "thousand.html",
            render(&sample::run("a thousand classes", 10_000, 1000, 2)),
        ),
        ("compared.html", render_many(&runs)),
    ];
    for (name, page) in pages {
        std::fs::write(folder.join(name), page)?;
    }
    Ok(())
}
