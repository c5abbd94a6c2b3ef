//! Every file of the fuzz targets' corpora goes through its reader, in the ordinary tests.
//!
//! What a fuzzer finds is put into `fuzz/corpus/TARGET`, and stays found. The seeds are written anew, after a format
//! changed, by `cargo test -p barlow-data --release --test corpora -- --ignored`.

#[path = "../../../../fuzz/readers.rs"]
mod readers;

mod pictures;
mod seeds;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use readers::TARGETS;
use seeds::seeds;

/// Most bytes of a corpus file: they are in every copy of the repository.
const MAX_BYTES: usize = 10_000;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// Names in a folder, without the files' extensions where `stems` is set.
fn names(folder: &Path, stems: bool) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.unwrap().path());
    let name = |path: PathBuf| match stems {
        true => path.file_stem().unwrap().to_str().unwrap().to_owned(),
        false => path.file_name().unwrap().to_str().unwrap().to_owned(),
    };
    paths.map(name).collect()
}

#[test]
fn every_corpus_file_goes_through_its_reader() {
    for (target, reader) in TARGETS {
        let folder = fuzz().join("corpus").join(target);
        let (mut accepted, mut refused) = (0, 0);
        for name in names(&folder, false) {
            let bytes = fs::read(folder.join(&name)).unwrap();
            assert!(bytes.len() <= MAX_BYTES, "{target}/{name} has {} bytes", bytes.len());
            let answer = std::panic::catch_unwind(|| reader(&bytes));
            match answer.unwrap_or_else(|_| panic!("{target}/{name} panicked; the reason stands above")) {
                true => accepted += 1,
                false => refused += 1,
            }
            // A valid file must not become refused without anybody noticing.
            let is_valid = name.starts_with("valid-");
            assert!(!is_valid || reader(&bytes), "{target}/{name} is refused");
        }
        assert!(
            accepted >= 2 && refused >= 4,
            "{target}: {accepted} files are accepted and {refused} refused; if its format changed, write the seeds anew"
        );
    }
}

#[test]
fn targets_corpora_and_replay_go_together() {
    let replayed: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(&fuzz().join("fuzz_targets"), true), replayed);
    assert_eq!(names(&fuzz().join("corpus"), false), replayed);
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for target in &replayed {
        let path = format!("path = \"fuzz_targets/{target}.rs\"");
        assert!(manifest.contains(&path), "fuzz/Cargo.toml has no {path}");
        let source = fs::read_to_string(fuzz().join(format!("fuzz_targets/{target}.rs"))).unwrap();
        assert!(source.contains(&format!("readers::{target}(bytes)")), "{source}");
    }
}

/// Not a test: writes the seeds. `cargo test -p barlow-data --release --test corpora -- --ignored`
#[test]
#[ignore = "writes into the repository: cargo test -p barlow-data --release --test corpora -- --ignored"]
fn write_the_seeds() {
    for (path, bytes) in seeds() {
        let path = fuzz().join("corpus").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}
