//! `methods`: every method that has a recipe for the data set, on equal terms; the paper's Tables 1 and 2 name the rivals.

use super::base::Base;
use super::definition::StudyDefinition;
use super::error::StudyError;
use super::study::{Axis, Cell, Study};
use crate::config::{Config, Layers, load};
use crate::methods::MethodKind;

/// The study.
pub(super) const METHODS: StudyDefinition = StudyDefinition {
    name: "methods",
    about: "every method with a recipe for the data set (rivals of Table 1)",
    build,
};

/// Linear top-1 and top-5 accuracy of a ResNet-50 on ImageNet in Table 1.
fn of_table_1(kind: MethodKind, config: &Config) -> Option<(f64, Option<f64>)> {
    match kind {
        MethodKind::BarlowTwins => Some((73.2, Some(91.0))),
        MethodKind::Byol => Some((74.3, Some(91.6))),
        MethodKind::MocoV2 => Some((71.1, Some(90.1))),
        MethodKind::SimClr => Some((69.3, Some(89.0))),
        MethodKind::SimSiam => Some((71.3, None)),
        MethodKind::Supervised => Some((76.5, None)),
        // With and without multi-crop.
        MethodKind::Swav if has_small_views(config) => Some((75.3, None)),
        MethodKind::Swav => Some((71.8, None)),
        _ => None,
    }
}

fn has_small_views(config: &Config) -> bool {
    let spec = config.method_definition().spec(&config.method_inputs(None));
    let sizes = spec.sizes_of_views();
    sizes.iter().min() != sizes.iter().max()
}

fn build(base: &Base) -> Result<Study, StudyError> {
    let recipe = base.recipe();
    let own = base.config().method.kind;
    let mut notes = Vec::new();
    let mut cells = Vec::new();
    for &kind in MethodKind::ALL {
        let is_own = kind == own;
        let name = if is_own {
            "baseline".to_owned()
        } else {
            kind.name().to_owned()
        };
        let mut cell = Cell::new(name, kind.name()).baseline(is_own);
        if !is_own {
            // Recipes of a data set are called DATA and DATA-METHOD.
            let of_set = format!("{recipe}-{}", kind.name());
            let about = kind.about();
            if about.recipes.contains(&of_set.as_str()) {
                cell.recipe = Some(of_set);
            } else if kind == MethodKind::Supervised {
                let classes = base.images().classes;
                if classes < 2 {
                    notes.push("No cell for supervised: the images have no classes.".to_owned());
                    continue;
                }
                cell = cell
                    .set("method.kind", kind.name())
                    .set("model.projector", classes.to_string());
            } else if about.recipes.is_empty() {
                // A method that runs with any recipe.
                cell = cell.set("method.kind", kind.name());
            } else {
                notes.push(format!("No cell for {}: there is no recipe {of_set}.", kind.name()));
                continue;
            }
        }
        let config = match &cell.recipe {
            Some(recipe) => {
                let layers = Layers {
                    recipe: Some(recipe.clone()),
                    ..Layers::default()
                };
                load(&layers).map_or_else(|_| base.config().clone(), |(_, config)| config)
            }
            None => base.config().clone(),
        };
        if let Some((top1, top5)) = of_table_1(kind, &config) {
            cell = cell.paper(top1, top5);
        }
        cells.push(cell);
    }
    notes.insert(
        0,
        "Network, images, epochs and batch size are those of the recipes, which share them unless a method needs another. The recipes' own \
         comments say which were tuned. Supervised learns from the labels."
            .to_owned(),
    );
    Ok(Study {
        name: METHODS.name.to_owned(),
        title: "Methods".to_owned(),
        source: Some("Table 1 of the paper: linear accuracy on ImageNet, ResNet-50".to_owned()),
        axis: Axis::Names,
        cells,
        notes,
        flat: false,
    })
}
