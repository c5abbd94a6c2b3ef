//! Tests of the download of one file: interrupted, resumed, refused, wrong.

use super::super::download::{Patience, download};
use super::server::{Reply, Server};
use super::{PATIENCE, payload, wanted};
use std::fs;
use std::time::Duration;
use tempfile::tempdir;

const LEN: usize = 300_000;

#[test]
fn a_file_is_downloaded_whole_and_not_asked_for_again() {
    let bytes = payload(LEN);
    let server = Server::start({
        let bytes = bytes.clone();
        move |request| Reply::ranged(request, &bytes)
    });
    let (folder, address) = (tempdir().expect("a folder"), server.url() + "/file.bin");
    for _ in 0..2 {
        let path = download(&wanted(&address, &bytes), folder.path(), &PATIENCE).expect("downloaded");
        assert_eq!(fs::read(path).expect("the file"), bytes);
    }
    assert_eq!(server.ranges(), [None]);
    assert_eq!(server.requests()[0].path, "/sets/file.bin");
    assert_eq!(
        fs::read_dir(folder.path()).expect("a folder").count(),
        1,
        "no part is left"
    );
}

#[test]
fn a_cut_connection_goes_on_where_it_ended() {
    let bytes = payload(LEN);
    let server = Server::start({
        let bytes = bytes.clone();
        move |request| match request.number {
            0..5 => Reply::ranged(request, &bytes).cut(50_000),
            _ => Reply::ranged(request, &bytes),
        }
    });
    let (folder, address) = (tempdir().expect("a folder"), server.url() + "/file.bin");
    let path = download(&wanted(&address, &bytes), folder.path(), &PATIENCE).expect("downloaded");
    assert_eq!(fs::read(path).expect("the file"), bytes);
    // Five interruptions are more than the retries allow: each brought new bytes, so the count started over.
    let starts: Vec<usize> = server.ranges().into_iter().map(Option::unwrap_or_default).collect();
    assert_eq!(starts, [0, 50_000, 100_000, 150_000, 200_000, 250_000]);
}

#[test]
fn a_second_run_goes_on_from_the_part_of_the_first() {
    let bytes = payload(LEN);
    let server = Server::start({
        let bytes = bytes.clone();
        move |request| match request.number {
            0 => Reply::ranged(request, &bytes).cut(120_000),
            1..=4 => Reply::status("503 Service Unavailable"),
            _ => Reply::ranged(request, &bytes),
        }
    });
    let (folder, address) = (tempdir().expect("a folder"), server.url() + "/file.bin");
    let error = download(&wanted(&address, &bytes), folder.path(), &PATIENCE).expect_err("the server is down");
    let text = format!("{error:#}");
    assert!(
        text.contains("503") && text.contains("120.0 kB of 300.0 kB are kept"),
        "{text}"
    );
    assert_eq!(
        fs::read(folder.path().join("file.bin.part")).expect("the part"),
        bytes[..120_000]
    );
    let path = download(&wanted(&address, &bytes), folder.path(), &PATIENCE).expect("downloaded");
    assert_eq!(fs::read(path).expect("the file"), bytes);
    assert_eq!(server.ranges().last(), Some(&Some(120_000)));
}

#[test]
fn servers_that_do_not_continue_make_it_start_anew() {
    // The second response is wrong in a different way each time; those that follow are correct.
    type Wrong = fn(&[u8]) -> Reply;
    let wrongs: [(&str, Wrong, usize); 4] = [
        ("the whole file", |bytes| Reply::whole(bytes), 2),
        ("another part", |bytes| other_range(bytes, "bytes 7-299999/300000"), 3),
        ("a part without a range", |bytes| other_range(bytes, "bytes"), 3),
        ("no such range", |_| Reply::status("416 Range Not Satisfiable"), 3),
    ];
    for (what, wrong, requests) in wrongs {
        let bytes = payload(LEN);
        let server = Server::start({
            let bytes = bytes.clone();
            move |request| match request.number {
                0 => Reply::ranged(request, &bytes).cut(100_000),
                1 => wrong(&bytes),
                _ => Reply::ranged(request, &bytes),
            }
        });
        let (folder, address) = (tempdir().expect("a folder"), server.url() + "/file.bin");
        let path = download(&wanted(&address, &bytes), folder.path(), &PATIENCE).expect(what);
        assert_eq!(fs::read(path).expect("the file"), bytes, "{what}");
        let mut expected = vec![None, Some(100_000), None];
        expected.truncate(requests);
        assert_eq!(server.ranges(), expected, "{what}");
    }
}

fn other_range(bytes: &[u8], range: &str) -> Reply {
    Reply {
        status: "206 Partial Content",
        headers: vec![
            format!("Content-Range: {range}"),
            format!("Content-Length: {}", bytes.len() - 7),
        ],
        body: bytes[7..].to_vec(),
        silent: false,
    }
}

#[test]
fn a_passing_failure_of_the_server_is_tried_again() {
    let bytes = payload(1_000);
    let server = Server::start({
        let bytes = bytes.clone();
        move |request| match request.number {
            0 => Reply::status("500 Internal Server Error"),
            1 => Reply::status("429 Too Many Requests"),
            2 => Reply::whole(&bytes).cut(0),
            _ => Reply::whole(&bytes),
        }
    });
    let (folder, address) = (tempdir().expect("a folder"), server.url() + "/file.bin");
    download(&wanted(&address, &bytes), folder.path(), &PATIENCE).expect("downloaded");
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn a_silent_server_is_given_up_and_tried_again() {
    let bytes = payload(LEN);
    let server = Server::start({
        let bytes = bytes.clone();
        move |request| {
            let mut reply = Reply::ranged(request, &bytes);
            if request.number == 0 {
                reply = reply.cut(1_000);
                reply.silent = true;
            }
            reply
        }
    });
    let (folder, address) = (tempdir().expect("a folder"), server.url() + "/file.bin");
    let patience = Patience {
        retries: 20,
        silence: Duration::from_millis(300),
        ..PATIENCE
    };
    let path = download(&wanted(&address, &bytes), folder.path(), &patience).expect("downloaded");
    assert_eq!(fs::read(path).expect("the file"), bytes);
    assert!(server.requests().len() >= 2);
}

#[test]
fn what_will_not_pass_is_one_line_at_once() {
    let bytes = payload(1_000);
    let longer = payload(1_001);
    let mut endless = Reply::whole(&longer);
    endless.headers.clear();
    let other = payload(2_000).split_off(1_000);
    let rows = [
        ("404", Reply::status("404 Not Found"), "404 Not Found"),
        ("403", Reply::status("403 Forbidden"), "403 Forbidden"),
        ("longer", Reply::whole(&longer), "is 1001 bytes long instead of 1000"),
        (
            "shorter",
            Reply::whole(&bytes[..999]),
            "is 999 bytes long instead of 1000",
        ),
        ("endless", endless, "does not end instead of 1000"),
        ("wrong", Reply::whole(&other), "has SHA-256"),
        (
            "unasked",
            other_range(&longer, "bytes 7-1000/1001"),
            "a range that was not requested",
        ),
    ];
    for (what, reply, message) in rows {
        let server = Server::start(move |_| reply.clone());
        let (folder, address) = (tempdir().expect("a folder"), server.url() + "/file.bin");
        let error = download(&wanted(&address, &bytes), folder.path(), &PATIENCE).expect_err(what);
        let text = format!("{error:#}");
        assert!(text.contains(message) && text.contains("--mirror"), "{what}: {text}");
        assert!(text.contains(&address) && !text.contains('\n'), "{what}: {text}");
        assert_eq!(server.requests().len(), 1, "{what}");
        assert!(!folder.path().join("file.bin").exists(), "{what}");
    }
}

#[test]
fn a_part_of_another_file_is_found_out_and_removed() {
    let bytes = payload(1_000);
    let server = Server::start({
        let bytes = bytes.clone();
        move |request| Reply::ranged(request, &bytes)
    });
    let (folder, address) = (tempdir().expect("a folder"), server.url() + "/file.bin");
    let part = folder.path().join("file.bin.part");
    fs::write(&part, [7; 500]).expect("written");
    let error = download(&wanted(&address, &bytes), folder.path(), &PATIENCE).expect_err("the first half is wrong");
    assert!(error.to_string().contains("SHA-256") && !part.exists(), "{error}");
    // A part that is longer than the file cannot be a part of it.
    fs::write(&part, [7; 5_000]).expect("written");
    download(&wanted(&address, &bytes), folder.path(), &PATIENCE).expect("downloaded");
    assert_eq!(server.ranges(), [Some(500), None]);
}

#[test]
fn no_server_at_all_is_one_line_after_the_retries() {
    let bytes = payload(1_000);
    let address = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        format!("http://{}/file.bin", listener.local_addr().expect("an address"))
    };
    let folder = tempdir().expect("a folder");
    let error = download(&wanted(&address, &bytes), folder.path(), &PATIENCE).expect_err("nobody listens");
    let text = format!("{error:#}");
    assert!(
        text.contains("gave up after 4 attempts") && !text.contains('\n'),
        "{text}"
    );
    let error = download(&wanted("nowhere", &bytes), folder.path(), &PATIENCE).expect_err("no address");
    assert!(!error.to_string().contains('\n'), "{error}");
}
