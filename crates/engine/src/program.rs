//! The program that this library is part of, as runs record it for those who want to repeat them.

use serde::{Deserialize, Serialize};
use std::sync::OnceLock;

static COMMIT: OnceLock<String> = OnceLock::new();

/// Sets the commit that the program was built from, once, when it starts. A library cannot know it.
pub fn set_commit(commit: &str) {
    // The first one stays.
    drop(COMMIT.set(commit.to_owned()));
}

/// How a run was started: `report/started.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Started {
    /// The command line.
    pub command: Vec<String>,
    /// The folder that it was started in.
    pub folder: String,
    /// Name of the recipe.
    pub recipe: String,
    /// The commit that the program was built from, if it is known.
    pub commit: Option<String>,
}

impl Started {
    /// This process.
    pub(crate) fn now(recipe: &str) -> Self {
        Self {
            command: std::env::args_os()
                .map(|argument| argument.to_string_lossy().into_owned())
                .collect(),
            folder: std::env::current_dir().map_or_else(|_| String::new(), |folder| folder.display().to_string()),
            recipe: recipe.to_owned(),
            commit: COMMIT.get().cloned(),
        }
    }

    /// The command line as a shell reads it.
    pub(crate) fn command_line(&self) -> String {
        let plain = |character: char| character.is_ascii_alphanumeric() || "-_./=:,@%+".contains(character);
        let quoted = |argument: &String| {
            if !argument.is_empty() && argument.chars().all(plain) {
                argument.clone()
            } else {
                format!("'{}'", argument.replace('\'', r"'\''"))
            }
        };
        self.command.iter().map(quoted).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_quoted_for_a_shell() {
        let started = Started {
            command: ["train", "--set", "model.projector=\"64-64\"", "--out", "it's", ""]
                .map(String::from)
                .to_vec(),
            ..Started::default()
        };
        assert_eq!(
            started.command_line(),
            r#"train --set 'model.projector="64-64"' --out 'it'\''s' ''"#
        );
    }
}
