//! Features in a file that is never in memory as a whole: the same results as from memory, errors in one line, and stopping.

use barlow_eval::{
    EvalError, Features, KnnConfig, LinearConfig, Presence, Progress, Rows, Stage, SvmConfig, choose_l2, knn,
    linear_probe, linear_svm, unattended,
};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::{ControlFlow, Range};
use std::sync::Mutex;

/// Little-endian rows in a file.
struct OnDisk {
    file: Mutex<File>,
    width: usize,
    classes: usize,
    labels: Vec<usize>,
}

impl OnDisk {
    fn of(features: &Features) -> Self {
        let mut file = tempfile::tempfile().unwrap();
        let bytes: Vec<u8> = features.rows.iter().flat_map(|value| value.to_le_bytes()).collect();
        file.write_all(&bytes).unwrap();
        Self {
            file: Mutex::new(file),
            width: features.width,
            classes: features.classes,
            labels: features.labels.to_vec(),
        }
    }
}

impl Rows for OnDisk {
    fn width(&self) -> usize {
        self.width
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn labels(&self) -> &[usize] {
        &self.labels
    }

    fn read<'a>(&'a self, range: Range<usize>, scratch: &'a mut Vec<f32>) -> io::Result<&'a [f32]> {
        let mut file = self.file.lock().unwrap();
        file.seek(SeekFrom::Start((4 * self.width * range.start) as u64))?;
        let mut bytes = vec![0; 4 * self.width * range.len()];
        file.read_exact(&mut bytes)?;
        scratch.clear();
        scratch.extend(
            bytes
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes(b.try_into().expect("four bytes"))),
        );
        Ok(scratch)
    }
}

/// A direction per class in noise.
fn features(count: usize, width: usize, classes: usize, seed: u64) -> (Vec<f32>, Vec<usize>) {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    let labels: Vec<usize> = (0..count).map(|i| i * 7 % classes).collect();
    let signal = |k: usize| f32::from(u8::from(k % width % classes == labels[k / width])) * 0.5;
    let rows = (0..count * width).map(|k| next() + signal(k)).collect();
    (rows, labels)
}

#[test]
fn files_give_the_same_results_as_memory() {
    let (width, classes) = (24, 6);
    let (rows, labels) = features(3000, width, classes, 1);
    let (test_rows, test_labels) = features(200, width, classes, 2);
    let train = Features {
        rows: &rows,
        width,
        labels: &labels,
        classes,
    };
    let test = Features {
        rows: &test_rows,
        labels: &test_labels,
        ..train
    };
    let (train_file, test_file) = (OnDisk::of(&train), OnDisk::of(&test));

    let config = KnnConfig::default();
    let from_memory = knn(&train, &test, &config, &mut unattended).unwrap();
    assert_eq!(
        knn(&train_file, &test_file, &config, &mut unattended).unwrap(),
        from_memory
    );

    for memory in [0, 1 << 30] {
        let config = LinearConfig {
            memory,
            ..LinearConfig::default()
        };
        let from_memory = linear_probe(&train, &test, &LinearConfig::default(), &mut unattended).unwrap();
        let from_file = linear_probe(&train_file, &test_file, &config, &mut unattended).unwrap();
        assert_eq!(from_file, from_memory);
        assert!(from_file.converged && from_file.top1 > 0.5 && from_file.top5.unwrap() > from_file.top1);
    }

    let presence = |labels: &[usize]| -> Vec<Presence> {
        let of = |present: bool| if present { Presence::Present } else { Presence::Absent };
        let row = |&label: &usize| (0..classes).map(move |class| of(class == label));
        labels.iter().flat_map(row).collect()
    };
    let (a, b) = (presence(&labels), presence(&test_labels));
    let config = SvmConfig {
        costs: vec![0.01, 1.0],
        ..SvmConfig::default()
    };
    let from_memory = linear_svm(&train, &a, &test, &b, &config, &mut unattended).unwrap();
    let config = SvmConfig { memory: 0, ..config };
    let from_file = linear_svm(&train_file, &a, &test_file, &b, &config, &mut unattended).unwrap();
    assert_eq!(from_file, from_memory);
    assert!(from_file.mean_area.mean.unwrap() > 0.5 && from_file.classes.iter().all(|class| class.converged));
}

#[test]
fn every_evaluation_can_be_stopped() {
    let (width, classes) = (10, 3);
    let (rows, labels) = features(300, width, classes, 1);
    let set = Features {
        rows: &rows,
        width,
        labels: &labels,
        classes,
    };
    let stop_at = |stage: Stage, done: usize| {
        move |progress: &Progress| {
            assert!(progress.done <= progress.total, "{progress:?}");
            if progress.stage == stage && progress.done >= done {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        }
    };
    let config = LinearConfig::default();
    for (stage, done) in [(Stage::Reading, 1), (Stage::Fitting, 3), (Stage::Scoring, 1)] {
        let error = linear_probe(&set, &set, &config, &mut stop_at(stage, done)).unwrap_err();
        assert!(matches!(error, EvalError::Stopped), "{stage:?}: {error}");
    }
    let error = choose_l2(&set, &[1.0, 0.1], 0.2, &config, &mut stop_at(Stage::Choosing, 1)).unwrap_err();
    assert!(matches!(error, EvalError::Stopped), "{error}");
    let error = knn(&set, &set, &KnnConfig::default(), &mut stop_at(Stage::Neighbours, 1)).unwrap_err();
    assert!(matches!(error, EvalError::Stopped), "{error}");
    let presence: Vec<Presence> = (0..900)
        .map(|at| {
            if at % 3 == labels[at / 3] {
                Presence::Present
            } else {
                Presence::Absent
            }
        })
        .collect();
    for (stage, done) in [(Stage::Choosing, 1), (Stage::Scoring, 1)] {
        let config = SvmConfig::default();
        let error = linear_svm(&set, &presence, &set, &presence, &config, &mut stop_at(stage, done)).unwrap_err();
        assert!(matches!(error, EvalError::Stopped), "{error}");
    }
}

#[test]
fn a_file_that_is_too_short_and_features_that_are_not_finite_are_one_line() {
    let (mut rows, labels) = features(60, 4, 3, 1);
    let set = |rows: &[f32]| {
        OnDisk::of(&Features {
            rows,
            width: 4,
            labels: &labels,
            classes: 3,
        })
    };
    let config = LinearConfig::default();
    let whole = set(&rows);
    let short = set(&rows[..200]);
    let error = linear_probe(&short, &whole, &config, &mut unattended)
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("cannot read training rows 0 to 60: "), "{error}");
    rows[4 * 31 + 2] = f32::INFINITY;
    let damaged = set(&rows);
    let expected = "row 31 is not finite (feature 2 is inf): the network has diverged, or the features are damaged";
    for standardise in [true, false] {
        let config = LinearConfig { standardise, ..config };
        let error = linear_probe(&damaged, &whole, &config, &mut unattended).unwrap_err();
        assert_eq!(error.to_string(), format!("training {expected}"));
        let error = linear_probe(&whole, &damaged, &config, &mut unattended).unwrap_err();
        assert_eq!(error.to_string(), format!("test {expected}"));
    }
    let presence = vec![Presence::Present; 180];
    let error = linear_svm(
        &damaged,
        &presence,
        &whole,
        &presence,
        &SvmConfig::default(),
        &mut unattended,
    );
    assert_eq!(error.unwrap_err().to_string(), format!("training {expected}"));
}
