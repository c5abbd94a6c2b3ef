//! Tests of whole sets: from the server to the folder that the program reads.

use super::super::sets::{Form, Remote, Set};
use super::super::{Options, Outcome, fetch, list, result};
use super::archives::{files, stl10_files};
use super::server::{Reply, Server};
use super::{PATIENCE, gzip, payload, sha256, tar_gz};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use tempfile::tempdir;

/// A set made of `files`, and a server that has them.
fn set_of(
    name: &'static str,
    files: Vec<(&'static str, Vec<u8>)>,
    form: Form,
    holds: &'static [&'static str],
) -> (Set, Server) {
    let remotes: Vec<Remote> = files
        .iter()
        .map(|(name, bytes)| Remote {
            address: format!("http://publisher.invalid/{name}").leak(),
            bytes: bytes.len() as u64,
            sha256: sha256(bytes),
        })
        .collect();
    let bodies: BTreeMap<String, Vec<u8>> = files
        .into_iter()
        .map(|(name, bytes)| (format!("/sets/{name}"), bytes))
        .collect();
    let server = Server::start(move |request| match bodies.get(&request.path) {
        Some(bytes) => Reply::ranged(request, bytes),
        None => Reply::status("404 Not Found"),
    });
    let set = Set {
        name,
        about: "a few bytes",
        terms: "made by a test",
        files: remotes.leak(),
        form,
        holds,
        max_bytes: 10_000_000,
    };
    (set, server)
}

fn options(out: &Path, server: &Server) -> Options {
    Options {
        out: out.to_owned(),
        mirror: Some(server.url() + "/"),
        patience: PATIENCE,
    }
}

fn cifar() -> (Set, Server) {
    let batch = payload(3_073 * 4);
    let archive = tar_gz(&[("cifar/train.bin", &batch), ("cifar/names.txt", b"cat\ndog\n")]);
    let form = Form::TarGz { top: "cifar" };
    set_of(
        "cifar",
        vec![("cifar.tar.gz", archive)],
        form,
        &["train.bin", "names.txt"],
    )
}

#[test]
fn a_tar_set_ends_in_its_folder_and_nothing_else_is_left() {
    let (set, server) = cifar();
    let out = tempdir().expect("a folder");
    let outcome = fetch(&set, &options(out.path(), &server)).expect("fetched");
    assert_eq!(outcome, Outcome::Fetched);
    assert_eq!(
        files(out.path()),
        ["cifar/SOURCE.txt", "cifar/names.txt", "cifar/train.bin"]
    );
    assert_eq!(
        fs::read(out.path().join("cifar/train.bin")).expect("the file"),
        payload(3_073 * 4)
    );
    let source = fs::read_to_string(out.path().join("cifar/SOURCE.txt")).expect("the source");
    assert!(
        source.contains(set.files[0].sha256) && source.contains("publisher.invalid"),
        "{source}"
    );
    assert!(source.ends_with("2 files, 12300 bytes beside this one\n"), "{source}");
}

#[test]
fn a_set_that_is_there_is_left_alone_and_one_that_is_not_whole_is_told() {
    let (set, server) = cifar();
    let out = tempdir().expect("a folder");
    let (options, folder) = (options(out.path(), &server), out.path().join("cifar"));
    fetch(&set, &options).expect("fetched");
    assert_eq!(fetch(&set, &options).expect("checked"), Outcome::AlreadyThere);
    assert_eq!(server.requests().len(), 1);

    fs::write(folder.join("train.bin"), b"short").expect("written");
    let error = fetch(&set, &options).expect_err("changed").to_string();
    assert!(error.contains("was changed") && error.contains("--out"), "{error}");
    fs::remove_file(folder.join("train.bin")).expect("removed");
    let error = fetch(&set, &options).expect_err("incomplete").to_string();
    assert!(error.contains("lacks train.bin"), "{error}");
    fs::remove_file(folder.join("SOURCE.txt")).expect("removed");
    let error = fetch(&set, &options).expect_err("somebody else's").to_string();
    assert!(error.contains("not from this command"), "{error}");
    assert_eq!(files(out.path()), ["cifar/names.txt"], "nothing was overwritten");
}

#[test]
fn a_gzip_set_ends_as_its_plain_files() {
    let (images, labels) = (payload(784), payload(10));
    let form = Form::Gzip;
    let list = vec![("images-ubyte.gz", gzip(&images)), ("labels-ubyte.gz", gzip(&labels))];
    let (set, server) = set_of("digits", list, form, &["images-ubyte", "labels-ubyte"]);
    let out = tempdir().expect("a folder");
    fetch(&set, &options(out.path(), &server)).expect("fetched");
    let expected = ["digits/SOURCE.txt", "digits/images-ubyte", "digits/labels-ubyte"];
    assert_eq!(files(out.path()), expected);
    assert_eq!(
        fs::read(out.path().join("digits/images-ubyte")).expect("the file"),
        images
    );
}

#[test]
fn stl10_ends_as_folders_of_images() {
    let inside = stl10_files();
    let named: Vec<(String, &[u8])> = inside
        .iter()
        .map(|(name, bytes)| (format!("stl/{name}"), &bytes[..]))
        .collect();
    let archive = tar_gz(
        &named
            .iter()
            .map(|(name, bytes)| (name.as_str(), *bytes))
            .collect::<Vec<_>>(),
    );
    let form = Form::Stl10 { top: "stl" };
    let (set, server) = set_of(
        "stl",
        vec![("stl.tar.gz", archive)],
        form,
        &["train", "test", "unlabeled"],
    );
    let out = tempdir().expect("a folder");
    fetch(&set, &options(out.path(), &server)).expect("fetched");
    let found = files(out.path());
    assert_eq!(found.len(), 8, "{found:?}");
    assert!(found.contains(&"stl/train/bird/00002.png".to_owned()), "{found:?}");
}

#[test]
fn what_cannot_be_unpacked_leaves_no_set_and_is_not_downloaded_again() {
    let archive = tar_gz(&[("top/good", b"good"), ("../evil", b"evil")]);
    let form = Form::TarGz { top: "top" };
    let (set, server) = set_of("evil", vec![("evil.tar.gz", archive)], form, &["good"]);
    let out = tempdir().expect("a folder");
    for _ in 0..2 {
        let error = fetch(&set, &options(out.path(), &server)).expect_err("a path that leaves");
        assert!(error.to_string().contains("../evil"), "{error}");
        assert!(!out.path().join("evil").exists());
    }
    assert_eq!(server.requests().len(), 1);

    let form = Form::TarGz { top: "top" };
    let (set, server) = set_of("bare", vec![("bare.tar.gz", tar_gz(&[("top/a", b"a")]))], form, &["b"]);
    let error = fetch(&set, &options(out.path(), &server))
        .expect_err("a file is missing")
        .to_string();
    assert!(error.contains("hold no b"), "{error}");
    assert!(!out.path().join("bare").exists());
}

#[test]
fn a_second_process_waits_for_no_one_and_says_so() {
    let (set, server) = cifar();
    let out = tempdir().expect("a folder");
    let work = out.path().join("cifar.download");
    fs::create_dir_all(&work).expect("created");
    let other = fs::File::create(work.join("lock")).expect("created");
    other.lock().expect("locked");
    let error = fetch(&set, &options(out.path(), &server))
        .expect_err("locked")
        .to_string();
    assert!(error.contains("another process"), "{error}");
    assert!(server.requests().is_empty());
    drop(other);
    fetch(&set, &options(out.path(), &server)).expect("fetched");
}

#[test]
fn a_place_that_cannot_be_written_is_one_line() {
    let (set, server) = cifar();
    let out = tempdir().expect("a folder");
    let file = out.path().join("file");
    fs::write(&file, b"").expect("written");
    let error = fetch(&set, &options(&file, &server)).expect_err("no folder");
    let text = format!("{error:#}");
    assert!(text.starts_with("cannot create") && !text.contains('\n'), "{text}");
}

#[test]
fn the_last_line_says_what_to_run_next() {
    let (set, _server) = cifar();
    let line = result(&set, Path::new("data/cifar"), Outcome::Fetched);
    assert_eq!(
        line,
        "cifar is there; next: cargo run -p train --release -- --data data/cifar\n"
    );
    let line = result(&set, Path::new("my data/cifar"), Outcome::AlreadyThere);
    assert!(
        line.contains("already") && line.ends_with("--data 'my data/cifar'\n"),
        "{line}"
    );
    let listed = list();
    assert!(
        listed.contains("cifar100\n") && listed.contains("terms: ") && listed.contains("170 MB"),
        "{listed}"
    );
}
