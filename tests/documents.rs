//! The documents against the program: commands parse, links lead somewhere, every recipe loads.

use crate::common;

use common::{Program, folder, root};
use std::path::Path;

/// The pages of the book.
const BOOK: &str = "docs/src";

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The pages of the book, by their paths from the repository's root.
fn pages() -> Vec<String> {
    let entries = std::fs::read_dir(root().join(BOOK)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut pages: Vec<_> = names.map(|name| format!("{BOOK}/{name}")).collect();
    pages.sort();
    assert!(pages.len() > 10, "{pages:?}");
    pages
}

/// README, book and the other documents of the root.
fn documents() -> Vec<String> {
    let root = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md"].map(str::to_owned);
    root.into_iter().chain(pages()).collect()
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
fn the_readme_is_one_page_with_the_two_commands() {
    let readme = read("README.md");
    let lines = readme.lines().count();
    assert!(lines <= 150, "README.md has {lines} lines");
    let commands = shell_lines(&readme);
    for command in ["cargo run -p train --release", "cargo test --workspace --release"] {
        assert!(commands.iter().any(|line| line == command), "{command}: {commands:?}");
    }
}

#[test]
fn every_command_of_the_documents_parses() {
    let folder = folder();
    let mut checked = 0;
    for document in documents() {
        for line in shell_lines(&read(&document)) {
            checked += usize::from(parses(&document, &line, folder.path()));
        }
    }
    assert!(checked >= 40, "only {checked} commands of the program were found");
}

/// Checks a command of the program; whether it is one.
fn parses(document: &str, line: &str, folder: &Path) -> bool {
    if let Some((_, example)) = line.split_once("--example ") {
        let name = example.split(' ').next().unwrap_or_default();
        let files = ["train", "loss", "engine"].map(|place| root().join(format!("crates/{place}/examples/{name}.rs")));
        let exists = files.iter().any(|file| file.exists());
        assert!(exists, "{document}: {line}: there is no such example");
        return false;
    }
    let Some(args) = line.strip_prefix("cargo run -p train --release") else {
        return false;
    };
    let args: Vec<&str> = args.strip_prefix(" --").unwrap_or(args).split_whitespace().collect();
    for file in args.iter().filter(|arg| arg.starts_with("assets/")) {
        assert!(root().join(file).exists(), "{document}: {line}: {file} is not there");
    }
    // `--help` stops clap after it has parsed what precedes it: unknown flags and commands are errors.
    let output = Program::new().args(args).arg("--help").folder(folder).run();
    assert_eq!(output.code, 0, "{document}: {line}: {}", output.stderr);
    true
}

#[test]
fn links_to_files_lead_somewhere() {
    for document in documents() {
        let folder = root().join(&document).parent().unwrap().to_owned();
        let text = read(&document);
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.starts_with("http") && !target.starts_with('#')) {
            let path = target.split('#').next().unwrap_or(target);
            assert!(folder.join(path).exists(), "{document} links to {target}");
            // The book holds nothing but its pages.
            let in_book = !document.starts_with(BOOK) || !path.contains('/');
            assert!(
                in_book,
                "{document} links to {target}, which the built book does not contain"
            );
        }
    }
}

#[test]
fn the_summary_lists_every_page() {
    let summary = read(&format!("{BOOK}/SUMMARY.md"));
    for page in pages() {
        let name = page.rsplit('/').next().unwrap();
        let is_listed = name == "SUMMARY.md" || summary.contains(&format!("]({name})"));
        assert!(is_listed, "SUMMARY.md does not list {name}");
    }
}

/// Phrases that the field has other words for.
const BANNED: [&str; 14] = [
    "is told of",
    "a person",
    "somebody",
    "goes on from",
    "going on from",
    "left out",
    "made anew",
    "set aside",
    "in one sitting",
    "judged",
    "images a second",
    "view pairs a second",
    "of one's own",
    "pretended",
];

#[test]
fn the_documents_use_the_words_of_the_field() {
    let help = [
        "--help",
        "linear --help",
        "pretrain --help",
        "views --help",
        "report --help",
    ]
    .map(|args| {
        let output = Program::new().args(args.split(' ')).succeed();
        (format!("train {args}"), output.stdout)
    });
    let documents = documents().into_iter().map(|name| {
        let text = read(&name);
        (name, text)
    });
    for (name, text) in documents.chain(help) {
        let text = text.to_lowercase().replace('\n', " ");
        for phrase in BANNED {
            assert!(!text.contains(phrase), "{name} says \"{phrase}\"");
        }
    }
}

#[test]
fn every_recipe_is_known_by_name_and_loads() {
    let mut count = 0;
    for entry in std::fs::read_dir(root().join("configs")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let file = path.to_str().unwrap();
        if name.starts_with("detect-") {
            assert_eq!(detector(&name), detector(file), "{name} is the file");
        } else {
            assert_eq!(layers(&name), layers(file), "{name} is the file");
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with("# ") && text.contains("train"),
            "{name} begins with what it is and its command"
        );
        count += 1;
    }
    assert_eq!(
        count,
        barlow_engine::config::RECIPES.len() + barlow_engine::detect::DETECT_RECIPES.len(),
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

/// A detector's recipe.
fn detector(recipe: &str) -> (String, barlow_engine::detect::DetectRecipe) {
    let layers = barlow_engine::config::Layers {
        recipe: Some(recipe.to_owned()),
        ..Default::default()
    };
    barlow_engine::detect::load_detect_recipe(&layers).unwrap_or_else(|error| panic!("{error}"))
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
