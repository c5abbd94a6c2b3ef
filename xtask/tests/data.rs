//! Tests of `xtask data` on the command line: exit codes, standard output and standard error.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output};

fn xtask(words: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask")).args(words).output();
    output.expect("the binary runs")
}

#[test]
fn a_failed_fetch_is_one_line_and_exit_code_1() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mirror = format!("http://{}", listener.local_addr().expect("an address"));
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let _ = stream.read(&mut [0; 4096]).expect("a request");
        let answer = b"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(answer).expect("sent");
    });
    let out = tempfile::tempdir().expect("a folder");
    let folder = out.path().to_str().expect("a path");
    let output = xtask(&["data", "fetch", "cifar10", "--out", folder, "--mirror", &mirror]);
    server.join().expect("one request came");
    let text = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(1), "{text}");
    let errors: Vec<&str> = text.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "{text}");
    assert!(
        errors[0].contains("404") && errors[0].contains("/cifar-10-binary.tar.gz"),
        "{text}"
    );
    assert_eq!(text.lines().last(), Some(errors[0]), "{text}");
    assert!(output.stdout.is_empty());
    assert!(!out.path().join("cifar10").exists());
}

#[test]
fn the_list_goes_to_standard_output_and_unknown_sets_are_usage() {
    let output = xtask(&["data", "list"]);
    let text = String::from_utf8(output.stdout).expect("text");
    for set in ["cifar10", "cifar100", "fashion-mnist", "mnist", "stl10", "imagenette"] {
        assert!(text.lines().any(|line| line == set), "{set} is missing: {text}");
    }
    assert!(output.status.success() && output.stderr.is_empty());
    assert_eq!(xtask(&["data", "fetch", "imagenet"]).status.code(), Some(2));
}
