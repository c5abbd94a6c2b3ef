//! The `methods` command: lists the methods.

use crate::console::print_result;
use barlow_engine::config::Config;
use barlow_engine::error::RunError;
use barlow_engine::method::{MethodAbout, MethodSpec};
use barlow_engine::methods::MethodKind;
use serde::Serialize;

/// A line of `--json`.
#[derive(Serialize)]
struct Line {
    method: &'static str,
    #[serde(flatten)]
    about: MethodAbout,
    /// With the default config.
    spec: MethodSpec,
}

/// Prints each method: what it minimises, its parts, source, keys and recipes.
///
/// # Errors
/// None so far.
pub fn run(json: bool) -> Result<(), RunError> {
    for kind in MethodKind::ALL {
        let mut config = Config::default();
        config.method.kind = *kind;
        let line = Line {
            method: kind.name(),
            about: kind.about(),
            spec: config.method_definition().spec(&config.method_inputs(None)),
        };
        print_result(&if json {
            serde_json::to_string(&line).expect("names and numbers")
        } else {
            line.text()
        });
    }
    Ok(())
}

impl Line {
    fn text(&self) -> String {
        let MethodAbout {
            summary,
            source,
            recipes,
            keys,
            ..
        } = self.about;
        let recipes = if recipes.is_empty() {
            format!("any, with --set method.kind={}", self.method)
        } else {
            recipes.join(", ")
        };
        format!(
            "{}\n  minimises  {summary}\n  made of    {}\n  source     {source}\n  keys       {keys}\n  recipes    {recipes}",
            self.method,
            self.spec.describe().trim_start_matches(&format!("{}: ", self.method))
        )
    }
}
