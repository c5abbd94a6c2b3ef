//! Which anchors and proposals belong to which objects.

/// What an anchor is trained to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// No object.
    Background,
    /// Neither: it does not train.
    Ignored,
    /// An object.
    Object,
}

/// The label of an anchor or a proposal, and the object that it overlaps most (0 if there is none).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    /// The label.
    pub label: Label,
    /// Index of the object.
    pub object: usize,
}

/// The objects that `count` boxes overlap most, the first of equal ones, with the overlaps.
fn best(ious: &[f64], count: usize) -> Vec<(usize, f64)> {
    let mut best = vec![(0, 0.0); count];
    if count == 0 {
        return best;
    }
    for (object, row) in ious.chunks(count).enumerate() {
        for (best, &iou) in best.iter_mut().zip(row) {
            if iou > best.1 {
                *best = (object, iou);
            }
        }
    }
    best
}

/// Labels of `count` anchors from their overlaps with the objects, [objects, anchors]: an object from 0.7, background below 0.3, and
/// every anchor that overlaps some object as much as any anchor does is an object too. Without objects all are background.
///
/// # Panics
/// If `ious` is no multiple of `count`.
pub fn match_anchors(ious: &[f64], count: usize) -> Vec<Match> {
    assert!(
        ious.len().is_multiple_of(count.max(1)),
        "{} overlaps of {count} anchors",
        ious.len()
    );
    let label = |iou: f64| match iou {
        iou if iou < 0.3 => Label::Background,
        iou if iou < 0.7 => Label::Ignored,
        _ => Label::Object,
    };
    let mut matches = labelled(ious, count, label);
    for row in ious.chunks(count.max(1)) {
        let most = row.iter().copied().fold(0.0, f64::max);
        for (found, &iou) in matches.iter_mut().zip(row) {
            if iou == most {
                found.label = Label::Object;
            }
        }
    }
    matches
}

/// Labels of `count` proposals from their overlaps with the objects, [objects, proposals]: an object from 0.5, else background.
///
/// # Panics
/// If `ious` is no multiple of `count`.
pub fn match_proposals(ious: &[f64], count: usize) -> Vec<Match> {
    assert!(
        ious.len().is_multiple_of(count.max(1)),
        "{} overlaps of {count} proposals",
        ious.len()
    );
    labelled(ious, count, |iou| match iou {
        iou if iou < 0.5 => Label::Background,
        _ => Label::Object,
    })
}

fn labelled(ious: &[f64], count: usize, label: impl Fn(f64) -> Label) -> Vec<Match> {
    let matches = best(ious, count).into_iter();
    matches
        .map(|(object, iou)| Match {
            label: label(iou),
            object,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Label::{Background, Ignored, Object};

    /// Overlaps on which detectron2's `Matcher` was run.
    #[test]
    fn matching_is_detectron2s() {
        let ious = [
            [0.75, 0.2, 0.45, 0.1, 0.0, 0.3, 0.29, 0.05],
            [0.1, 0.35, 0.5, 0.69, 0.0, 0.31, 0.2, 0.05],
            [0.0, 0.0, 0.6, 0.1, 0.25, 0.25, 0.1, 0.0],
        ];
        let found = match_anchors(ious.as_flattened(), 8);
        let labels: Vec<Label> = found.iter().map(|found| found.label).collect();
        assert_eq!(
            labels,
            [
                Object, Ignored, Object, Object, Background, Ignored, Background, Background
            ]
        );
        let objects: Vec<usize> = found.iter().map(|found| found.object).collect();
        assert_eq!(objects, [0, 1, 2, 1, 2, 1, 0, 0]);
        let second: Vec<bool> = match_proposals(ious.as_flattened(), 8)
            .iter()
            .map(|found| found.label == Object)
            .collect();
        assert_eq!(second, [true, false, true, true, false, false, false, false]);
    }

    #[test]
    fn without_objects_all_is_background() {
        for found in [match_anchors(&[], 3), match_proposals(&[], 3)] {
            assert_eq!(
                found,
                [Match {
                    label: Background,
                    object: 0
                }; 3]
            );
        }
        assert_eq!(match_anchors(&[], 0), []);
        // Ties of an object's best overlap are all its own.
        let labels = match_anchors(&[0.2, 0.2, 0.1], 3).into_iter().map(|found| found.label);
        assert_eq!(labels.collect::<Vec<_>>(), [Object, Object, Background]);
    }
}
