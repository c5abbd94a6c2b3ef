//! The documents against the program: README commands parse, links lead somewhere, every recipe loads.

mod common;

use common::{Program, folder, root};
use std::path::Path;

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Lines of the fenced `sh` blocks of a document, without comments.
fn shell_lines(text: &str) -> Vec<String> {
    let blocks = text
        .split("```")
        .skip(1)
        .step_by(2)
        .filter_map(|block| block.strip_prefix("sh\n"));
    let lines = blocks
        .flat_map(str::lines)
        .map(|line| line.split(" #").next().unwrap_or_default().trim());
    lines.filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[test]
fn the_two_commands_are_in_the_readme_and_every_command_of_the_program_parses() {
    let readme = read("README.md");
    let commands = shell_lines(&readme);
    for command in ["cargo run -p train --release", "cargo test --workspace --release"] {
        assert!(commands.iter().any(|line| line == command), "{command}: {commands:?}");
    }
    let folder = folder();
    let mut checked = 0;
    for line in &commands {
        if let Some((_, example)) = line.split_once("--example ") {
            let name = example.split(' ').next().unwrap_or_default();
            let files = ["train", "loss"].map(|place| root().join(format!("crates/{place}/examples/{name}.rs")));
            assert!(
                files.iter().any(|file| file.exists()),
                "{line}: there is no such example"
            );
            continue;
        }
        let Some(args) = line.strip_prefix("cargo run -p train --release") else {
            continue;
        };
        let args: Vec<&str> = args.strip_prefix(" --").unwrap_or(args).split_whitespace().collect();
        // `--help` beside any arguments stops clap after they have been understood as far as it goes; unknown flags and
        // commands before it are errors.
        for file in args.iter().filter(|arg| arg.starts_with("assets/")) {
            assert!(root().join(file).exists(), "{line}: {file} is not there");
        }
        let output = Program::new().args(args).arg("--help").folder(folder.path()).run();
        assert_eq!(output.code, 0, "{line}: {}", output.stderr);
        checked += 1;
    }
    assert!(
        checked >= 3,
        "only {checked} commands of the program were found: {commands:?}"
    );
}

#[test]
fn links_to_files_lead_somewhere() {
    for document in ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"] {
        for target in read(document)
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            if !target.starts_with("http") && !target.starts_with('#') {
                let path = target.split('#').next().unwrap_or(target);
                assert!(root().join(path).exists(), "{document} links to {target}");
            }
        }
    }
}

#[test]
fn every_recipe_is_known_by_name_and_loads() {
    let mut count = 0;
    for entry in std::fs::read_dir(root().join("configs")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let by_name = layers(&name);
        let by_path = layers(path.to_str().unwrap());
        assert_eq!(by_name, by_path, "{name} is the file");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with("# ") && text.contains("train"),
            "{name} begins with what it is and its command"
        );
        count += 1;
    }
    assert_eq!(
        count,
        barlow_engine::config::RECIPES.len(),
        "every recipe is compiled in"
    );
}

fn layers(recipe: &str) -> (String, barlow_engine::config::Config) {
    let layers = barlow_engine::config::Layers {
        recipe: Some(recipe.to_owned()),
        ..Default::default()
    };
    barlow_engine::config::load(&layers).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_map_of_the_architecture_names_real_places() {
    for place in read("ARCHITECTURE.md").split('`').skip(1).step_by(2) {
        let looks_like_path =
            place.starts_with("crates/") || place.starts_with("tests/") || place.starts_with("configs/");
        assert!(
            !looks_like_path || Path::new(&root().join(place)).exists(),
            "ARCHITECTURE.md names {place}"
        );
    }
}
