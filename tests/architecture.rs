//! The workspace's dependency edges, as ARCHITECTURE.md draws them.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// What each member may depend on inside the workspace, in ordinary dependencies.
const EDGES: &[(&str, &[&str])] = &[
    ("barlow-augment", &[]),
    ("barlow-data", &["barlow-augment"]),
    ("barlow-loss", &[]),
    ("barlow-model", &[]),
    (
        "train",
        &["barlow-augment", "barlow-data", "barlow-loss", "barlow-model"],
    ),
    ("xtask", &[]),
];

/// Normal and build dependencies by member.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--locked",
            "--offline",
        ])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    let text = |value: &Value| value.as_str().expect("a name").to_owned();
    let packages = metadata["packages"].as_array().expect("a list of packages");
    packages
        .iter()
        .map(|package| {
            let all = package["dependencies"]
                .as_array()
                .expect("a list of dependencies")
                .iter();
            let names = all
                .filter(|dependency| dependency["kind"] != "dev")
                .map(|dependency| text(&dependency["name"]));
            (text(&package["name"]), names.collect())
        })
        .collect()
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

#[test]
fn the_members_see_only_whom_they_may() {
    let dependencies = dependencies();
    let members: BTreeSet<&str> = dependencies.keys().map(String::as_str).collect();
    assert_eq!(
        members,
        EDGES.iter().map(|(name, _)| *name).collect(),
        "every member is in the table"
    );
    for (name, allowed) in EDGES {
        let found: BTreeSet<&str> = dependencies[*name]
            .iter()
            .map(String::as_str)
            .filter(|name| members.contains(name))
            .collect();
        assert_eq!(
            found,
            allowed.iter().copied().collect(),
            "workspace dependencies of {name}"
        );
    }
}

#[test]
fn the_pixels_know_no_tensors_and_nobody_knows_the_network() {
    let dependencies = dependencies();
    let burn = dependencies["barlow-augment"]
        .iter()
        .find(|name| name.starts_with("burn") || name.starts_with("cubecl"));
    assert_eq!(burn, None, "barlow-augment does not see Burn");
    for (name, dependencies) in dependencies.iter().filter(|(name, _)| *name != "xtask") {
        for client in ["ureq", "reqwest", "hyper", "curl", "hf-hub"] {
            assert!(
                !dependencies.contains(client),
                "{name} depends on {client}: only xtask may use the network"
            );
        }
    }
    for name in ["barlow-model", "barlow-loss"] {
        assert!(!dependencies[name].contains("image"), "{name} reads no images");
    }
}

#[test]
fn running_and_testing_build_the_same_dependencies() {
    // One feature set: otherwise `cargo run -p train` and `cargo test --workspace` would each build Burn for themselves.
    let tree = |selection: &[&str]| -> BTreeSet<String> {
        let output = Command::new(env!("CARGO"))
            .args([
                "tree",
                "--locked",
                "--offline",
                "--prefix",
                "none",
                "--format",
                "{p} {f}",
            ])
            .args(selection)
            .current_dir(root())
            .output()
            .expect("cargo runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).expect("names are UTF-8");
        let lines = text.lines().map(|line| line.trim_end_matches("(*)").trim().to_owned());
        lines.filter(|line| !line.is_empty()).collect()
    };
    // The tests add packages of their own; what the program is made of must be among theirs to the feature.
    let (program, tests) = (tree(&["-p", "train", "--edges", "normal"]), tree(&["--workspace"]));
    let differing: Vec<&String> = program.difference(&tests).collect();
    assert!(differing.is_empty(), "the tests build these otherwise: {differing:?}");
}
