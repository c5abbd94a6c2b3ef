//! Tests of nested folders of photos, and of the errors where the folders are something else.

use crate::common;

use barlow_data::{DataError, FolderLayout, ImageFolder, ImageSource};
use common::{folder, image};

fn names(folder: &ImageFolder) -> Vec<String> {
    (0..folder.len()).map(|index| folder.name(index)).collect()
}

fn open_error(dir: &tempfile::TempDir) -> DataError {
    let error = ImageFolder::open(dir.path(), 3).unwrap_err();
    assert!(!error.to_string().contains('\n'), "{error}");
    error
}

#[test]
fn photos_in_folders_of_folders_are_a_set_without_labels() {
    let dir = folder(&[
        "2021/05/b.png",
        "2021/05/trip/a.jpg",
        "2020/12/z.png",
        "2021/05/a.png",
        "2021/.thumbnails/a.png",
        "2021/04/notes.txt",
    ]);
    let set = ImageFolder::open(dir.path(), 3).unwrap();
    assert_eq!((set.layout(), set.classes().len()), (FolderLayout::Nested, 0));
    assert_eq!(
        names(&set),
        ["2020/12/z.png", "2021/05/a.png", "2021/05/b.png", "2021/05/trip/a.jpg"]
    );
    assert_eq!(
        (set.label(0), set.image(2).unwrap().pixels()),
        (None, image(0).pixels())
    );
}

#[test]
#[cfg(unix)]
fn links_among_folders_of_photos_do_not_lead_round_in_circles() {
    let dir = folder(&["2021/05/a.png"]);
    for link in ["loop", "2021/loop", "2021/05/loop"] {
        std::os::unix::fs::symlink(dir.path(), dir.path().join(link)).unwrap();
    }
    assert_eq!(names(&ImageFolder::open(dir.path(), 3).unwrap()), ["2021/05/a.png"]);
}

#[test]
fn a_data_set_further_down_is_named_and_not_mixed_up() {
    let dir = folder(&["set/train/ant/0.png", "set/test/ant/0.png"]);
    let error = open_error(&dir);
    assert!(
        matches!(&error, DataError::NestedSplit { split, .. } if split.ends_with("set/test")),
        "{error}"
    );
    let dir = folder(&["val/ant/0.png"]);
    assert!(matches!(open_error(&dir), DataError::NestedSplit { .. }));
}
