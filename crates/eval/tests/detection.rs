//! Average precision of detections against pycocotools and detectron2's function: a constructed case, and 200 random ones whose numbers
//! are in `detection.txt` (`../goldens/detection.py` made them).

use barlow_eval::{
    BoxRegion, CocoConfig, CocoDetection, CocoEvaluation, CocoObject, Region, Rle, VocDetection, VocObject,
    coco_evaluate, voc_detection_ap,
};

fn close(name: &str, found: Option<f64>, expected: Option<f64>, tolerance: f64) {
    match (found, expected) {
        (Some(found), Some(expected)) => assert!(
            (found - expected).abs() <= tolerance,
            "{name}: {found}, not {expected} (difference {:e})",
            found - expected
        ),
        _ => assert_eq!(found, expected, "{name}"),
    }
}

/// −1 stands for undefined, as in pycocotools.
fn all_close(name: &str, found: &[Option<f64>], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (at, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        close(
            &format!("{name}, value {at}"),
            found,
            (expected >= 0.0).then_some(expected),
            1e-12,
        );
    }
}

type Polygons = &'static [&'static [f64]];

const SIZES: [[usize; 2]; 3] = [[160, 200], [100, 120], [70, 90]];
const CROWD: [u64; 5] = [0, 3000, 1000, 1500, 6500];

/// Image, category (of 1, 3 and 7), box, polygons (a crowd's runs if there are none).
type Truth = (usize, usize, [f64; 4], Polygons);
const TRUTH: [Truth; 7] = [
    (
        0,
        0,
        [20.0, 20.0, 60.0, 50.0],
        &[&[20.0, 20.0, 80.0, 20.0, 80.0, 70.0, 20.0, 70.0]],
    ),
    (
        0,
        0,
        [120.0, 30.0, 20.0, 20.0],
        &[&[120.0, 50.0, 130.0, 30.0, 140.0, 50.0]],
    ),
    (
        0,
        1,
        [10.0, 60.0, 150.0, 95.0],
        &[
            &[10.0, 60.0, 110.0, 60.0, 110.0, 155.0, 10.0, 155.0],
            &[120.0, 100.0, 160.0, 100.0, 160.0, 140.0, 120.0, 140.0],
        ],
    ),
    (1, 0, [0.0, 0.0, 55.0, 100.0], &[]),
    (
        1,
        0,
        [70.0, 40.0, 30.0, 40.0],
        &[&[70.0, 40.0, 100.0, 44.5, 95.3, 80.0, 72.0, 78.0]],
    ),
    (1, 1, [60.0, 5.0, 40.0, 30.0], &[&[60.0, 5.0, 100.0, 5.0, 80.0, 35.0]]),
    (
        2,
        0,
        [0.0, 0.0, 45.0, 70.0],
        &[&[0.0, 0.0, 45.0, 0.0, 45.0, 70.0, 0.0, 70.0]],
    ),
];

/// Objects that are crowds.
const CROWDS: [usize; 2] = [3, 6];

/// Image, category, score, box, polygons.
type Found = (usize, usize, f64, [f64; 4], Polygons);
const FOUND: [Found; 12] = [
    (
        0,
        0,
        0.9,
        [22.0, 21.0, 57.0, 50.0],
        &[&[22.0, 21.0, 79.0, 21.0, 79.0, 71.0, 22.0, 71.0]],
    ),
    (
        0,
        0,
        0.8,
        [20.0, 22.0, 60.0, 44.0],
        &[&[20.0, 22.0, 80.0, 22.0, 80.0, 66.0, 20.0, 66.0]],
    ),
    (
        0,
        0,
        0.8,
        [121.0, 31.0, 19.0, 18.0],
        &[&[121.0, 49.0, 130.0, 31.0, 140.0, 49.0]],
    ),
    (
        0,
        0,
        0.3,
        [150.0, 100.0, 30.0, 30.0],
        &[&[150.0, 100.0, 180.0, 100.0, 180.0, 130.0, 150.0, 130.0]],
    ),
    (
        0,
        1,
        0.7,
        [12.0, 58.0, 140.0, 90.0],
        &[
            &[12.0, 58.0, 112.0, 58.0, 112.0, 148.0, 12.0, 148.0],
            &[118.0, 98.0, 152.0, 98.0, 152.0, 138.0, 118.0, 138.0],
        ],
    ),
    (
        0,
        2,
        0.6,
        [5.0, 5.0, 20.0, 20.0],
        &[&[5.0, 5.0, 25.0, 5.0, 25.0, 25.0, 5.0, 25.0]],
    ),
    (
        1,
        0,
        0.85,
        [5.0, 10.0, 20.0, 60.0],
        &[&[5.0, 10.0, 25.0, 10.0, 25.0, 70.0, 5.0, 70.0]],
    ),
    (
        1,
        0,
        0.8,
        [30.0, 20.0, 20.0, 50.0],
        &[&[30.0, 20.0, 50.0, 20.0, 50.0, 70.0, 30.0, 70.0]],
    ),
    (
        1,
        0,
        0.5,
        [71.0, 42.0, 30.0, 36.0],
        &[&[71.0, 42.0, 101.0, 45.0, 96.0, 78.0, 72.0, 77.0]],
    ),
    (
        1,
        1,
        0.4,
        [75.0, 20.0, 40.0, 30.0],
        &[&[75.0, 20.0, 115.0, 20.0, 95.0, 50.0]],
    ),
    (
        2,
        0,
        0.95,
        [10.0, 10.0, 20.0, 20.0],
        &[&[10.0, 10.0, 30.0, 10.0, 30.0, 30.0, 10.0, 30.0]],
    ),
    (
        2,
        0,
        0.2,
        [60.0, 10.0, 20.0, 20.0],
        &[&[60.0, 10.0, 80.0, 10.0, 80.0, 30.0, 60.0, 30.0]],
    ),
];

fn mask(image: usize, polygons: &[&[f64]]) -> Rle {
    let [height, width] = SIZES[image];
    match polygons {
        [] => Rle::from_runs(height, width, CROWD).unwrap(),
        _ => Rle::from_polygons(height, width, polygons).unwrap(),
    }
}

fn evaluated<R: Region>(of: impl Fn(usize, [f64; 4], Polygons) -> R) -> CocoEvaluation {
    let numbered = TRUTH.iter().enumerate();
    let objects = numbered.map(|(object, &(image, category, bbox, polygons))| CocoObject {
        image,
        category,
        region: of(image, bbox, polygons),
        area: mask(image, polygons).area() as f64,
        crowd: CROWDS.contains(&object),
    });
    let objects: Vec<_> = objects.collect();
    let detections = FOUND.map(|(image, category, score, bbox, polygons)| CocoDetection {
        image,
        category,
        score,
        region: of(image, bbox, polygons),
    });
    coco_evaluate(3, &objects, &detections, &CocoConfig::default()).unwrap()
}

fn of_category(evaluation: &CocoEvaluation, category: usize) -> [Option<f64>; 3] {
    [None, Some(0), Some(5)].map(|threshold| evaluation.average_precision(Some(category), 0, threshold))
}

/// Values of `pycocotools` 2.0: crowds, ties, duplicates, a category without objects.
#[test]
fn the_constructed_case_agrees_with_pycocotools() {
    let boxes = evaluated(|_, bbox, _| BoxRegion(bbox));
    let expected = [
        0.513242574257,
        0.669554455446,
        0.669554455446,
        0.375247524752,
        0.9,
        0.7,
        0.325,
        0.575,
        0.575,
        0.375,
        0.9,
        0.7,
    ];
    let near = |name: &str, found: &[Option<f64>], expected: &[f64]| {
        assert_eq!(found.len(), expected.len());
        for (&found, &expected) in found.iter().zip(expected) {
            // The expected values have twelve digits.
            close(name, found, (expected >= 0.0).then_some(expected), 6e-13);
        }
    };
    near("boxes", &boxes.summary().values(), &expected);
    near(
        "boxes, 1",
        &of_category(&boxes, 0),
        &[0.67301980198, 0.834158415842, 0.834158415842],
    );
    near(
        "boxes, 3",
        &of_category(&boxes, 1),
        &[0.353465346535, 0.50495049505, 0.50495049505],
    );
    near("boxes, 7", &of_category(&boxes, 2), &[-1.0; 3]);
    let masks = evaluated(|image, _, polygons| mask(image, polygons));
    let expected = [
        0.485569306931,
        0.669554455446,
        0.630693069307,
        0.308910891089,
        0.9,
        0.7,
        0.325,
        0.575,
        0.575,
        0.375,
        0.9,
        0.7,
    ];
    near("masks", &masks.summary().values(), &expected);
    near(
        "masks, 1",
        &of_category(&masks, 0),
        &[0.617673267327, 0.834158415842, 0.756435643564],
    );
    for evaluation in [boxes, masks] {
        let precision = evaluation.precision(0, 0, 2, 0).unwrap();
        let tenths: Vec<_> = precision.iter().step_by(10).map(|&value| Some(value)).collect();
        let expected = [1.0, 1.0, 1.0, 1.0, 0.75, 0.75, 0.75, 0.75, 0.75, 0.75, 0.75];
        near("precision", &tenths, &expected);
        assert_eq!(evaluation.recall(0, 0, 2, 0), Some(1.0));
        assert_eq!(evaluation.precision(2, 0, 2, 0), None);
    }
}

/// Overlaps, areas, boxes and strings of `pycocotools.mask`.
#[test]
fn masks_agree_with_pycocotools() {
    let areas = TRUTH.map(|(image, _, _, polygons)| mask(image, polygons).area());
    assert_eq!(areas, [3000, 200, 11100, 4500, 982, 600, 3150]);
    let strings = [
        (3, "0hm2Xo0TaNl[5", [0.0, 0.0, 55.0, 100.0]),
        (
            1,
            "aib01m42N2N2N2N2N2N2N2N2002N2N2N2N2N2N2N2N2N_Z9",
            [120.0, 31.0, 20.0, 19.0],
        ),
        (
            4,
            "Pl69k2c0]O:GO0000000001O01O00000000001O00000001O0001O000O1H8I7H9G[m1",
            [70.0, 40.0, 30.0, 40.0],
        ),
        (
            5,
            "ek51S31O2N1O2N1O2N1O2N1O2N1O2N1O2N1O2N1O2N1O00O1N2O1N2O1N2O1N2O1N2O1N2O1N2O1N2O1N2O\\n1",
            [60.0, 5.0, 40.0, 29.0],
        ),
        (6, "0^R3^R3", [0.0, 0.0, 45.0, 70.0]),
    ];
    for (object, text, bounds) in strings {
        let (image, _, _, polygons) = TRUTH[object];
        let mask = mask(image, polygons);
        assert_eq!((mask.to_compressed().as_str(), mask.bounds()), (text, bounds));
        let [height, width] = SIZES[image];
        assert_eq!(Rle::from_compressed(height, width, text.as_bytes()).unwrap(), mask);
    }
    let polygons: [(&[f64], u64, &str); 3] = [
        (
            &[-10.0, -5.0, 15.0, -5.0, 15.0, 12.2, -10.0, 12.2],
            180,
            "0<8000000000000000000000000000T3",
        ),
        (&[3.0, 3.0, 17.0, 3.4, 17.0, 3.6], 2, "_91c00i1"),
        (
            &[1.0, 1.0, 18.0, 1.0, 18.0, 18.0, 9.5, 6.0, 1.0, 18.0],
            184,
            "e0`04O1N2O1O1N2O1N2O11O2N1O1O2N1O2N1V1",
        ),
    ];
    for (polygon, area, text) in polygons {
        let mask = Rle::from_polygons(20, 20, &[polygon]).unwrap();
        assert_eq!((mask.area(), mask.to_compressed().as_str()), (area, text));
    }
    let overlaps = |detections: &[usize], objects: &[usize]| {
        let mask_of = |&index: &usize| mask(FOUND[index].0, FOUND[index].4);
        let detections: Vec<Rle> = detections.iter().map(mask_of).collect();
        let truth = |&index: &usize| mask(TRUTH[index].0, TRUTH[index].3);
        let objects_masks: Vec<Rle> = objects.iter().map(truth).collect();
        let crowd: Vec<bool> = objects.iter().map(|index| CROWDS.contains(index)).collect();
        let detections: Vec<&Rle> = detections.iter().collect();
        Rle::overlaps(&detections, &objects_masks.iter().collect::<Vec<_>>(), &crowd)
    };
    let expected = [1.0, 0.0, 0.5, 0.0, 0.0, 0.893532338308];
    let found = overlaps(&[6, 7, 8], &[3, 4]);
    assert!(
        found
            .iter()
            .zip(expected)
            .all(|(found, expected)| (found - expected).abs() < 1e-12),
        "{found:?}"
    );
    let expected = [0.913640824338, 0.0, 0.88, 0.0, 0.0, 0.832512315271, 0.0, 0.0];
    let found = overlaps(&[0, 1, 2, 3], &[0, 1]);
    assert!(
        found
            .iter()
            .zip(expected)
            .all(|(found, expected)| (found - expected).abs() < 1e-12),
        "{found:?}"
    );
}

/// Values of detectron2's `voc_eval`: an overlap of exactly the threshold, a tie, a duplicate, a difficult object.
#[test]
fn voc_agrees_with_detectron2() {
    let object = |[x1, y1, x2, y2]: [f64; 4], difficult| VocObject {
        corners: [x1 - 1.0, y1 - 1.0, x2, y2],
        difficult,
    };
    let objects = [
        vec![
            object([11.0, 11.0, 20.0, 20.0], false),
            object([30.0, 30.0, 59.0, 49.0], false),
            object([100.0, 100.0, 139.0, 159.0], true),
        ],
        vec![
            object([5.0, 5.0, 44.0, 44.0], false),
            object([50.0, 5.0, 89.0, 44.0], false),
        ],
        vec![],
    ];
    let detections = [
        (0, 0.9, [11.0, 11.0, 20.0, 15.0]),
        (0, 0.8, [12.0, 11.0, 20.0, 20.0]),
        (0, 0.8, [11.0, 12.0, 20.0, 20.0]),
        (0, 0.7, [101.0, 101.0, 139.0, 159.0]),
        (0, 0.6, [28.0, 29.0, 60.0, 50.0]),
        (1, 0.75, [6.0, 6.0, 44.0, 44.0]),
        (1, 0.3, [49.0, 9.0, 89.0, 46.0]),
        (1, 0.2, [200.0, 200.0, 220.0, 220.0]),
        (2, 0.65, [1.0, 1.0, 30.0, 30.0]),
    ]
    .map(|(image, score, [x1, y1, x2, y2])| VocDetection {
        image,
        score,
        corners: [x1 - 1.0, y1 - 1.0, x2, y2],
    });
    let high = 0.571428571429;
    let eleven = [
        high,
        high,
        high,
        high,
        high,
        high,
        high,
        0.272727272727,
        0.0681818181818,
        0.0681818181818,
    ];
    let area = [high, high, high, high, high, high, high, 0.25, 0.0625, 0.0625];
    for (at, (eleven, area)) in eleven.into_iter().zip(area).enumerate() {
        let threshold = f64::from(50 + 5 * at as u32) / 100.0;
        let found = voc_detection_ap(&objects, &detections, threshold).unwrap().unwrap();
        assert_eq!((found.positives, found.difficult), (4, 1));
        close("11-point", Some(found.ap.eleven_point), Some(eleven), 6e-13);
        close("area", Some(found.ap.area), Some(area), 6e-13);
    }
    assert_eq!(voc_detection_ap(&[vec![]], &detections[..1], 0.5).unwrap(), None);
    let none = voc_detection_ap(&objects, &[], 0.5).unwrap().unwrap();
    assert_eq!((none.ap.area, none.ap.eleven_point), (0.0, 0.0));
    assert!(voc_detection_ap(&objects[..1], &detections, 0.5).is_err());
}

#[test]
fn what_cannot_be_evaluated_is_an_error() {
    let detection = |category, score| CocoDetection {
        image: 0,
        category,
        score,
        region: BoxRegion([0.0, 0.0, 1.0, 1.0]),
    };
    let evaluate =
        |detection, config: &CocoConfig| coco_evaluate(2, &[], &[detection], config).map(|result| result.summary());
    let config = CocoConfig::default();
    let undefined = evaluate(detection(1, 0.5), &config).unwrap();
    assert_eq!(undefined.values(), [None; 12]);
    assert!(evaluate(detection(1, f64::NAN), &config).is_err());
    assert!(evaluate(detection(2, 0.5), &config).is_err());
    let config = CocoConfig {
        max_detections: vec![100, 1],
        ..config
    };
    assert!(evaluate(detection(1, 0.5), &config).is_err());
}

/// Knuth's linear congruential generator, as in `detection.py`.
struct Draw(u64);

impl Draw {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}

fn quadrilateral(draw: &mut Draw, x: f64, y: f64, w: usize, h: usize) -> Vec<f64> {
    fn corner(draw: &mut Draw, at: f64, most: usize) -> f64 {
        at + (draw.below(most * 4 / 3 + 1) as f64 - most as f64 / 8.0) / 4.0
    }
    let (right, bottom) = (x + w as f64, y + h as f64);
    vec![
        corner(draw, x, w),
        corner(draw, y, h),
        right - draw.below(w / 3 + 1) as f64 / 4.0,
        corner(draw, y, h),
        right - draw.below(w / 4 + 1) as f64,
        bottom - draw.below(h / 3 + 1) as f64 / 4.0,
        corner(draw, x, w),
        bottom - draw.below(h / 2 + 1) as f64 / 4.0,
    ]
}

#[derive(Default)]
struct Case {
    categories: usize,
    images: usize,
    objects: Vec<CocoObject<(BoxRegion, Rle)>>,
    difficult: Vec<bool>,
    detections: Vec<CocoDetection<(BoxRegion, Rle)>>,
}

fn case(number: u64) -> Case {
    let draw = &mut Draw(1000 + number);
    let mut case = Case {
        categories: 1 + draw.below(3),
        images: 1 + draw.below(4),
        ..Case::default()
    };
    let sizes: Vec<[usize; 2]> = (0..case.images)
        .map(|_| [40 + draw.below(260), 40 + draw.below(260)])
        .collect();
    for (image, &[height, width]) in sizes.iter().enumerate() {
        let mut boxes = Vec::new();
        for _ in 0..draw.below(7) {
            let (w, h) = (4 + draw.below(width * 3 / 4), 4 + draw.below(height * 3 / 4));
            let (x, y) = (
                draw.below(width - w.min(width - 1)),
                draw.below(height - h.min(height - 1)),
            );
            let (crowd, category) = (draw.below(8) == 0, draw.below(case.categories));
            case.difficult.push(draw.below(6) == 0);
            let mask = if crowd {
                let (mut runs, mut left) = (Vec::new(), height * width);
                while left > 0 {
                    let run = left.min(draw.below(2000));
                    runs.push(run as u64);
                    left -= run;
                }
                Rle::from_runs(height, width, runs).unwrap()
            } else {
                let count = 1 + draw.below(2);
                let polygons: Vec<_> = (0..count)
                    .map(|_| quadrilateral(draw, x as f64, y as f64, w, h))
                    .collect();
                Rle::from_polygons(height, width, &polygons).unwrap()
            };
            boxes.push((x as f64, y as f64, w, h, category));
            case.objects.push(CocoObject {
                image,
                category,
                area: mask.area() as f64,
                region: (BoxRegion([x as f64, y as f64, w as f64, h as f64]), mask),
                crowd,
            });
        }
        for _ in 0..draw.below(if number % 20 == 7 { 120 } else { 9 }) {
            let (x, y, w, h, category) = if !boxes.is_empty() && draw.below(4) > 0 {
                let (x, y, w, h, mut category) = boxes[draw.below(boxes.len())];
                let x = x + draw.below(9) as f64 - 4.0;
                let y = y + draw.below(9) as f64 - 4.0;
                let w = (w + draw.below(11)).saturating_sub(5).max(3);
                let h = (h + draw.below(11)).saturating_sub(5).max(3);
                if draw.below(5) == 0 {
                    category = draw.below(case.categories);
                }
                (x, y, w, h, category)
            } else {
                let (w, h) = (3 + draw.below(width), 3 + draw.below(height));
                let (x, y) = (draw.below(width) as f64, draw.below(height) as f64);
                (x, y, w, h, draw.below(case.categories))
            };
            let score = draw.below(16) as f64 / 16.0;
            let polygon = quadrilateral(draw, x, y, w, h);
            case.detections.push(CocoDetection {
                image,
                category,
                score,
                region: (
                    BoxRegion([x, y, w as f64, h as f64]),
                    Rle::from_polygons(height, width, &[polygon]).unwrap(),
                ),
            });
        }
    }
    case
}

fn summary<R: Region>(case: &Case, of: impl Fn(&(BoxRegion, Rle)) -> R) -> [Option<f64>; 12] {
    if case.detections.is_empty() {
        // pycocotools does not read empty results.
        return [None; 12];
    }
    let objects: Vec<CocoObject<R>> = case
        .objects
        .iter()
        .map(|object| CocoObject {
            image: object.image,
            category: object.category,
            region: of(&object.region),
            area: object.area,
            crowd: object.crowd,
        })
        .collect();
    let detections: Vec<CocoDetection<R>> = case
        .detections
        .iter()
        .map(|detection| CocoDetection {
            image: detection.image,
            category: detection.category,
            score: detection.score,
            region: of(&detection.region),
        })
        .collect();
    let result = coco_evaluate(case.categories, &objects, &detections, &CocoConfig::default());
    result.unwrap().summary().values()
}

fn voc(case: &Case, threshold: f64) -> [Option<f64>; 2] {
    let corners = |region: &(BoxRegion, Rle)| {
        let [x, y, w, h] = region.0.0;
        [x, y, x + w, y + h]
    };
    let mut objects = vec![Vec::new(); case.images];
    for (object, &difficult) in case.objects.iter().zip(&case.difficult) {
        if object.category == 0 {
            objects[object.image].push(VocObject {
                corners: corners(&object.region),
                difficult,
            });
        }
    }
    let detections = case.detections.iter().filter(|detection| detection.category == 0);
    let detections: Vec<VocDetection> = detections
        .map(|detection| VocDetection {
            image: detection.image,
            score: detection.score,
            corners: corners(&detection.region),
        })
        .collect();
    let found = voc_detection_ap(&objects, &detections, threshold).unwrap();
    [
        found.as_ref().map(|found| found.ap.eleven_point),
        found.map(|found| found.ap.area),
    ]
}

#[test]
fn two_hundred_random_cases_agree() {
    let lines: Vec<&str> = include_str!("detection.txt").lines().collect();
    assert_eq!(lines.len(), 200);
    for (number, line) in lines.into_iter().enumerate() {
        let expected: Vec<f64> = line.split(' ').map(|value| value.parse().unwrap_or(-1.0)).collect();
        let case = case(number as u64);
        let objects = case.objects.iter().map(|object| object.region.1.area());
        let detections = case.detections.iter().map(|detection| detection.region.1.area());
        assert_eq!(
            objects.chain(detections).sum::<u64>() as f64,
            expected[24],
            "pixels of case {number}"
        );
        all_close(
            &format!("boxes of case {number}"),
            &summary(&case, |region| region.0),
            &expected[..12],
        );
        all_close(
            &format!("masks of case {number}"),
            &summary(&case, |region| region.1.clone()),
            &expected[12..24],
        );
        all_close(
            &format!("VOC of case {number}, .5"),
            &voc(&case, 0.5),
            &expected[25..27],
        );
        all_close(
            &format!("VOC of case {number}, .75"),
            &voc(&case, 0.75),
            &expected[27..29],
        );
    }
}
