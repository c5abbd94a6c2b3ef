//! The figures of a report as files.

use crate::chart::{self, Look};
use crate::data::{Curve, ReportData};
use crate::drawing::Drawing;
use crate::{classes, compare, gallery, heat, map};

/// A figure as a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    /// Name of the file.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// All figures of one run, or the shared charts of several. Drawings are SVG; pictures stay PNG.
pub fn figures(runs: &[ReportData]) -> Vec<Figure> {
    let [run] = runs else {
        return files(&shared(runs));
    };
    let mut drawings = charts(run);
    drawings.extend(run.correlations.iter().map(heat::correlation));
    if let Some(portrait) = &run.portrait {
        drawings.extend(map::maps(portrait));
        drawings.extend(classes::drawings(portrait));
        drawings.extend(gallery::drawing(portrait, &run.thumbnails));
    }
    let mut out = files(&drawings);
    for (image, group) in run.views.iter().enumerate() {
        out.extend(group.iter().map(|picture| Figure {
            name: format!("views-{image}-{}.png", chart::file_name(&picture.caption)),
            bytes: picture.png.clone(),
        }));
    }
    out
}

/// The charts of one run.
pub(crate) fn charts(run: &ReportData) -> Vec<Drawing> {
    let drawn = |curve: &Curve| {
        let looks: Vec<Look> = (0..curve.series.len()).map(Look::nth).collect();
        chart::drawing(curve, &looks)
    };
    run.curves.iter().map(drawn).collect()
}

/// The charts of several runs.
pub(crate) fn shared(runs: &[ReportData]) -> Vec<Drawing> {
    let merged = compare::merged_curves(runs);
    merged
        .iter()
        .map(|(curve, looks)| chart::drawing(curve, looks))
        .collect()
}

fn files(drawings: &[Drawing]) -> Vec<Figure> {
    let file = |drawing: &Drawing| {
        Some(Figure {
            name: format!("{}.svg", drawing.id),
            bytes: drawing.file()?.into_bytes(),
        })
    };
    drawings.iter().filter_map(file).collect()
}
