//! Tests of unpacking: what an archive must not do, and STL-10's pixels.

use super::super::unpack::{gunzip, untar};
use super::super::{stl10, unpack};
use super::{gzip, payload, tar_gz};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::{TempDir, tempdir};

/// A folder with the archive in it, and the folder to unpack into.
fn archive(bytes: &[u8]) -> (TempDir, PathBuf, PathBuf) {
    let folder = tempdir().expect("a folder");
    let (path, to) = (folder.path().join("x.gz"), folder.path().join("to"));
    fs::write(&path, bytes).expect("written");
    unpack::create_folder(&to).expect("created");
    (folder, path, to)
}

/// Every file below `folder`, as paths with `/`.
pub fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|below| format!("{name}/{below}")));
        } else {
            found.push(name);
        }
    }
    found.sort();
    found
}

#[test]
fn what_lies_below_the_top_folder_is_unpacked() {
    let bytes = payload(200_000);
    let (_folder, path, to) = archive(&tar_gz(&[("./top/a/b.bin", &bytes), ("top/empty", b"")]));
    untar(&path, "top", &to, 200_000).expect("unpacked");
    assert_eq!(files(&to), ["a/b.bin", "empty"]);
    assert_eq!(fs::read(to.join("a/b.bin")).expect("the file"), bytes);
}

#[test]
fn nothing_is_written_outside_of_the_folder() {
    for name in [
        "../evil",
        "top/../../evil",
        "/evil",
        "top/a/../../../evil",
        "evil",
        "topmost/evil",
    ] {
        let (folder, path, to) = archive(&tar_gz(&[("top/good", b"good"), (name, b"evil")]));
        let error = untar(&path, "top", &to, 1_000).expect_err(name).to_string();
        assert!(error.contains(name) && error.contains("outside"), "{error}");
        assert_eq!(files(folder.path()), ["to/good", "x.gz"], "{name}");
        assert!(!Path::new("/evil").exists());
    }
}

#[test]
fn links_and_devices_are_refused() {
    use tar::EntryType;
    for kind in [EntryType::Symlink, EntryType::Link, EntryType::Char, EntryType::Fifo] {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_size(0);
        header.set_path("top/link").expect("a name");
        header.set_link_name("/etc/passwd").expect("a name");
        header.set_cksum();
        tar.append(&header, &[][..]).expect("written to memory");
        let (_folder, path, to) = archive(&gzip(&tar.into_inner().expect("written to memory")));
        let error = untar(&path, "top", &to, 1_000).expect_err("a link").to_string();
        assert!(error.contains("neither file nor folder"), "{error}");
        assert!(fs::symlink_metadata(to.join("link")).is_err(), "{kind:?}");
    }
}

#[test]
fn archives_that_hold_too_much_are_given_up() {
    // 50 MB of zeros take 50 kB: the limit must hold while unpacking, not after it.
    let zeros = vec![0; 50_000_000];
    let (_folder, path, to) = archive(&gzip(&zeros));
    let error = gunzip(&path, &to.join("x"), 100_000)
        .expect_err("too large")
        .to_string();
    assert!(error.contains("more than the 100000 bytes"), "{error}");
    assert_eq!(fs::metadata(to.join("x")).expect("a file").len(), 100_001);

    let (_folder, path, to) = archive(&tar_gz(&[("top/a", &zeros[..60_000]), ("top/b", &zeros[..60_000])]));
    let error = untar(&path, "top", &to, 100_000).expect_err("too large").to_string();
    assert!(error.contains("more than the 100000 bytes"), "{error}");
    assert_eq!(files(&to), ["a"]);
}

#[test]
fn damaged_archives_are_one_line() {
    let whole = gzip(&payload(100_000));
    let tar = tar_gz(&[("top/a", &payload(100_000))]);
    let flipped = |bytes: &[u8], at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 0x10;
        bytes
    };
    for damaged in [
        whole[..50_000].to_vec(),
        whole[..whole.len() - 4].to_vec(),
        flipped(&whole, 50_000),
        flipped(&whole, whole.len() - 6),
        b"not a gzip file at all".to_vec(),
        Vec::new(),
    ] {
        let (_folder, path, to) = archive(&damaged);
        let error = format!("{:#}", gunzip(&path, &to.join("x"), 1_000_000).expect_err("damaged"));
        assert!(
            error.contains("is damaged; remove it") && !error.contains('\n'),
            "{error}"
        );
    }
    for damaged in [
        tar[..50_000].to_vec(),
        flipped(&tar, 50_000),
        flipped(&tar, tar.len() - 6),
    ] {
        let (_folder, path, to) = archive(&damaged);
        let error = format!("{:#}", untar(&path, "top", &to, 1_000_000).expect_err("damaged"));
        assert!(
            error.contains("is damaged; remove it") && !error.contains('\n'),
            "{error}"
        );
    }
}

/// The value of channel c at (x, y) of image n: it differs along each of the four axes.
fn value(n: usize, c: usize, x: usize, y: usize) -> u8 {
    ((n * 31 + c * 57 + x * 3 + y * 7) % 256) as u8
}

/// `count` images as STL-10 stores them: planes, column by column.
pub fn planes(count: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(count * 3 * 96 * 96);
    for n in 0..count {
        for c in 0..3 {
            for x in 0..96 {
                bytes.extend((0..96).map(|y| value(n, c, x, y)));
            }
        }
    }
    bytes
}

/// The files of a tiny STL-10.
pub fn stl10_files() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("train_X.bin", planes(3)),
        ("train_y.bin", vec![2, 1, 2]),
        ("test_X.bin", planes(1)),
        ("test_y.bin", vec![1]),
        ("unlabeled_X.bin", planes(2)),
        ("class_names.txt", b"airplane\nbird\n".to_vec()),
        ("fold_indices.txt", b"0 2\n1\n".to_vec()),
    ]
}

fn stl10_folder(change: impl Fn(&str, &mut Vec<u8>)) -> (TempDir, PathBuf) {
    let folder = tempdir().expect("a folder");
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    unpack::create_folder(&from).expect("created");
    for (name, mut bytes) in stl10_files() {
        change(name, &mut bytes);
        fs::write(from.join(name), bytes).expect("written");
    }
    (folder, to)
}

#[test]
fn stl10_becomes_upright_png_files_in_folders_of_classes() {
    let (folder, to) = stl10_folder(|_, _| {});
    stl10::convert(&folder.path().join("from"), &to).expect("converted");
    assert_eq!(
        files(&to),
        [
            "fold_indices.txt",
            "test/airplane/00000.png",
            "train/airplane/00001.png",
            "train/bird/00000.png",
            "train/bird/00002.png",
            "unlabeled/000000.png",
            "unlabeled/000001.png",
        ]
    );
    assert!(
        to.join("test/bird").is_dir(),
        "a class without test images has its folder"
    );
    let decoder = png::Decoder::new(std::io::BufReader::new(
        fs::File::open(to.join("train/bird/00002.png")).expect("the file"),
    ));
    let mut reader = decoder.read_info().expect("a PNG file");
    let info = reader.info();
    assert_eq!(
        (info.width, info.height, info.color_type),
        (96, 96, png::ColorType::Rgb)
    );
    let mut pixels = vec![0; 3 * 96 * 96];
    reader.next_frame(&mut pixels).expect("pixels");
    for (x, y) in [(0, 0), (95, 0), (0, 95), (40, 17), (17, 40)] {
        let pixel = &pixels[(y * 96 + x) * 3..][..3];
        assert_eq!(
            pixel,
            [value(2, 0, x, y), value(2, 1, x, y), value(2, 2, x, y)],
            "at ({x}, {y})"
        );
    }
}

#[test]
fn stl10_files_that_do_not_fit_are_one_line() {
    type Change = fn(&mut Vec<u8>);
    let rows: [(&str, Change, &str); 7] = [
        ("train_X.bin", |bytes| bytes.truncate(100), "not a multiple"),
        ("train_y.bin", |bytes| bytes.truncate(2), "there are 2 labels"),
        ("train_y.bin", |bytes| bytes[1] = 0, "label 0, not 1 to 2"),
        ("test_y.bin", |bytes| bytes[0] = 3, "label 3, not 1 to 2"),
        ("class_names.txt", |bytes| bytes.extend(b"../x"), "not a folder name"),
        ("class_names.txt", Vec::clear, "names no class"),
        ("class_names.txt", |bytes| bytes[0] = 0xff, "is not a text file"),
    ];
    for (file, change, message) in rows {
        let (folder, to) = stl10_folder(|name, bytes| {
            if name == file {
                change(bytes);
            }
        });
        let error = stl10::convert(&folder.path().join("from"), &to).expect_err(message);
        let text = format!("{error:#}");
        assert!(text.contains(message) && !text.contains('\n'), "{message}: {text}");
    }
}
