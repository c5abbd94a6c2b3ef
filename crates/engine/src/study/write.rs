//! Writes a study's results: JSON, CSV, Markdown, figures and a page.

use super::figures::{NamedFigure, figures};
use super::results::StudyResults;
use super::study::Axis;
use super::table::{StudyTable, csv};
use crate::files::{write_atomic, write_json};
use anyhow::Result;
use barlow_report::{StudyPage, study_page};
use std::path::Path;

/// Writes `STEM.json`, `STEM.csv`, `STEM.md`, `figures/*.svg` and `report.html` in the folder.
///
/// # Errors
/// With the path of a file that cannot be written.
pub(super) fn write(root: &Path, stem: &str, results: &StudyResults, axis: &Axis) -> Result<()> {
    let table = StudyTable::of(results);
    let figures = figures(results, axis);
    for figure in &figures {
        write_atomic(
            &root.join("figures").join(format!("{}.svg", figure.name)),
            figure.svg.as_bytes(),
        )?;
    }
    write_atomic(&root.join(format!("{stem}.csv")), csv(results).as_bytes())?;
    write_atomic(
        &root.join(format!("{stem}.md")),
        markdown(results, &table, &figures).as_bytes(),
    )?;
    let page = study_page(&StudyPage {
        title: results.title.clone(),
        facts: facts(results),
        header: table.header.clone(),
        rows: table.rows.clone(),
        figures: figures
            .iter()
            .map(|figure| (figure.title.clone(), figure.svg.clone()))
            .collect(),
        notes: remarks(results),
    });
    write_atomic(&root.join("report.html"), page.as_bytes())?;
    // The last one: it says that the others are there.
    write_json(&root.join(format!("{stem}.json")), results)
}

fn facts(results: &StudyResults) -> Vec<(String, String)> {
    let seeds: Vec<String> = results.seeds.iter().map(ToString::to_string).collect();
    let first = results
        .cells
        .iter()
        .flat_map(|cell| &cell.runs)
        .find_map(|run| run.summary.as_ref());
    let device = first.map(|summary| ("backend", format!("{} on {}", summary.backend, summary.device)));
    let facts = [
        ("recipe", results.recipe.clone()),
        ("data", results.data.clone()),
        ("seeds", seeds.join(", ")),
        ("version", results.version.to_owned()),
    ];
    facts
        .into_iter()
        .chain(device)
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// The study's remarks, the source of the paper's numbers, and whether it is finished.
fn remarks(results: &StudyResults) -> Vec<String> {
    let incomplete =
        (!results.complete).then(|| "Not every run of this study is finished; the table says which.".to_owned());
    let source = results
        .source
        .as_ref()
        .map(|source| format!("The paper's numbers: {source}."));
    incomplete
        .into_iter()
        .chain(source)
        .chain(results.notes.clone())
        .collect()
}

fn markdown(results: &StudyResults, table: &StudyTable, figures: &[NamedFigure]) -> String {
    let facts: Vec<String> = facts(results)
        .iter()
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    let mut out = format!("# {}\n\n{}.\n\n{}", results.title, facts.join(" · "), table.markdown());
    for figure in figures {
        out.push_str(&format!("\n![{}](figures/{}.svg)\n", figure.title, figure.name));
    }
    for remark in remarks(results) {
        out.push_str(&format!("\n{remark}\n"));
    }
    out
}
