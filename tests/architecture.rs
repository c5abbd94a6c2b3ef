//! The architecture that ARCHITECTURE.md describes: dependencies between crates, no circles of modules, a thin program.

#[path = "common/modules.rs"]
mod modules;

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The workspace members that each member depends on, in ordinary and build dependencies.
const EDGES: &[(&str, &[&str])] = &[
    ("barlow-simd", &[]),
    ("barlow-augment", &["barlow-simd"]),
    ("barlow-data", &["barlow-augment"]),
    ("barlow-ops", &["barlow-simd"]),
    ("barlow-model", &["barlow-ops"]),
    ("barlow-loss", &["barlow-simd"]),
    ("barlow-eval", &["barlow-simd"]),
    ("barlow-detect", &["barlow-eval", "barlow-model", "barlow-ops"]),
    ("barlow-group", &[]),
    ("barlow-report", &[]),
    ("barlow-weights", &[]),
    (
        "barlow-engine",
        &[
            "barlow-augment",
            "barlow-data",
            "barlow-detect",
            "barlow-eval",
            "barlow-group",
            "barlow-loss",
            "barlow-model",
            "barlow-ops",
            "barlow-report",
            "barlow-simd",
            "barlow-weights",
        ],
    ),
    ("barlow-backend-cpu", &["barlow-engine"]),
    ("barlow-backend-cuda", &["barlow-backend-gpu", "barlow-engine"]),
    ("barlow-backend-gpu", &[]),
    ("barlow-backend-wgpu", &["barlow-backend-gpu", "barlow-engine"]),
    (
        "train",
        &[
            "barlow-augment",
            "barlow-backend-cpu",
            "barlow-backend-cuda",
            "barlow-backend-wgpu",
            "barlow-data",
            "barlow-engine",
            "barlow-eval",
            "barlow-loss",
            "barlow-model",
            "barlow-weights",
        ],
    ),
    ("xtask", &[]),
];

/// Members without tensors.
const WITHOUT_BURN: &[&str] = &[
    "barlow-augment",
    "barlow-simd",
    "barlow-eval",
    "barlow-group",
    "barlow-report",
    "barlow-weights",
];

/// Members that never see an image file.
const WITHOUT_IMAGES: &[&str] = &[
    "barlow-detect",
    "barlow-model",
    "barlow-ops",
    "barlow-loss",
    "barlow-weights",
];

const NETWORK_CLIENTS: &[&str] = &["curl", "hf-hub", "hyper", "reqwest", "ureq"];

/// Upper limit of the lines of `crates/train/src`: the program is a command line on top of `barlow-engine`.
/// Some 190 lines a command, half of them flags and help.
const PROGRAM_LINES: usize = 4300;

/// Ordinary and build dependencies of every member.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let arguments = [
        "metadata",
        "--format-version",
        "1",
        "--no-deps",
        "--locked",
        "--offline",
    ];
    let metadata: Value = serde_json::from_str(&cargo(&arguments)).expect("cargo prints JSON");
    let text = |value: &Value| value.as_str().expect("a name").to_owned();
    let packages = metadata["packages"].as_array().expect("a list of packages");
    let of_package = |package: &Value| {
        let all = package["dependencies"].as_array().expect("a list of dependencies");
        let needed = all.iter().filter(|dependency| dependency["kind"] != "dev");
        let names = needed.map(|dependency| text(&dependency["name"])).collect();
        (text(&package["name"]), names)
    };
    packages.iter().map(of_package).collect()
}

/// Standard output of a cargo command.
fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("cargo prints UTF-8")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn the_members_depend_on_each_other_as_designed() {
    let dependencies = dependencies();
    let members: BTreeSet<&str> = dependencies.keys().map(String::as_str).collect();
    let expected = EDGES.iter().map(|(name, _)| *name).collect();
    assert_eq!(members, expected, "every member is in the table");
    for (name, expected) in EDGES {
        let all = dependencies[*name].iter().map(String::as_str);
        let found: BTreeSet<&str> = all.filter(|name| members.contains(name)).collect();
        let expected = expected.iter().copied().collect();
        assert_eq!(found, expected, "workspace dependencies of {name}");
    }
}

#[test]
fn burn_images_and_the_network_stay_where_they_belong() {
    let dependencies = dependencies();
    let refuse = |name: &str, refused: &dyn Fn(&str) -> bool, why: &str| {
        let found: Vec<_> = dependencies[name].iter().filter(|name| refused(name)).collect();
        assert!(found.is_empty(), "{name} depends on {found:?}: {why}");
    };
    for name in WITHOUT_BURN {
        let tensors = |name: &str| name.starts_with("burn") || name.starts_with("cubecl");
        refuse(name, &tensors, "it must not depend on Burn");
    }
    for name in WITHOUT_IMAGES {
        refuse(name, &|name| name == "image", "it must not read images");
    }
    for name in dependencies.keys().filter(|name| *name != "xtask") {
        let client = |name: &str| NETWORK_CLIENTS.contains(&name);
        refuse(name, &client, "only xtask may use the network");
    }
}

#[test]
fn the_modules_of_no_crate_form_a_circle() {
    let read = |path: &Path| std::fs::read_to_string(path).ok();
    let mut found = String::new();
    let crates = std::fs::read_dir(root().join("crates")).expect("the crates are there");
    let crates = crates.map(|folder| folder.expect("listed").path());
    for folder in crates.chain([root().join("xtask")]) {
        let source = folder.join("src");
        for name in ["lib.rs", "main.rs"] {
            let file = source.join(name);
            if file.exists() {
                for circle in modules::circles(&file, &read) {
                    found += &format!("{}:\n{circle}\n\n", folder.display());
                }
            }
        }
    }
    assert!(found.is_empty(), "files that depend on each other\n{found}");
}

#[test]
fn the_program_is_thin() {
    let lines = lines_below(&root().join("crates/train/src"));
    assert!(
        lines < PROGRAM_LINES,
        "crates/train/src has {lines} lines, {PROGRAM_LINES} or more: what is not a command line belongs in barlow-engine"
    );
}

/// Lines of all `.rs` files in a folder and the folders below it.
fn lines_below(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let lines = |path: PathBuf| {
        if path.is_dir() {
            lines_below(&path)
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            std::fs::read_to_string(&path).expect("a text file").lines().count()
        } else {
            0
        }
    };
    entries.map(|entry| lines(entry.expect("listed").path())).sum()
}

#[test]
fn running_and_testing_build_the_same_dependencies() {
    // One feature set: otherwise `cargo run -p train` and `cargo test --workspace` would each build their own Burn.
    let tree = |selection: &[&str]| -> BTreeSet<String> {
        let arguments = [
            "tree",
            "--locked",
            "--offline",
            "--prefix",
            "none",
            "--format",
            "{p} {f}",
        ];
        let text = cargo(&[&arguments, selection].concat());
        let lines = text.lines().map(|line| line.trim_end_matches("(*)").trim().to_owned());
        lines.filter(|line| !line.is_empty()).collect()
    };
    // The tests have further packages; those of the program must be among them, with the same features.
    let (program, tests) = (tree(&["-p", "train", "--edges", "normal"]), tree(&["--workspace"]));
    let differing: Vec<&String> = program.difference(&tests).collect();
    assert!(
        differing.is_empty(),
        "the tests build these with other features: {differing:?}"
    );
}
