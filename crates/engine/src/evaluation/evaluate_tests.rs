//! Evaluation of a network that is no network: its features are the mean colours of an image.

use super::*;
use crate::config::Config;
use crate::console::PlainConsole;
use crate::stop::StopFlag;
use barlow_augment::{Normalization, RgbImage8};
use barlow_data::MemorySet;
use std::cell::Cell;

/// Mean of every channel; counts the images of its batches and may ask to stop.
struct MeanColours<'a> {
    seen: Cell<usize>,
    stop_after: usize,
    stop: &'a StopFlag,
}

impl Network for MeanColours<'_> {
    fn representations(&self, pixels: Vec<f32>, shape: [usize; 4]) -> Rows {
        let [n, channels, height, width] = shape;
        self.seen.set(self.seen.get() + n);
        if self.seen.get() >= self.stop_after {
            self.stop.set();
        }
        let area = height * width;
        let mean = |plane: &[f32]| plane.iter().sum::<f32>() / area as f32;
        Rows {
            values: pixels.chunks_exact(area).map(mean).collect(),
            width: channels,
        }
    }

    fn embeddings(&self, representations: Rows) -> Option<Rows> {
        Some(representations)
    }

    fn width(&self) -> usize {
        3
    }
}

/// Three colours, which the mean tells apart, with some variation.
fn set(images: usize) -> Arc<dyn ImageSource> {
    let image = |index: usize| {
        let mut pixel = [20 + (index % 7) as u8 * 3; 3];
        pixel[index % 3] = 200 + (index % 5) as u8;
        RgbImage8::from_fn(4, 4, |_, _| pixel).into()
    };
    let classes = ["blue", "green", "red"].map(str::to_owned).to_vec();
    let labels = (0..images).map(|index| index % 3).collect();
    Arc::new(MemorySet::new((0..images).map(image).collect(), Some(labels), classes))
}

fn sources() -> Sources {
    Sources::of(set(90), Some(set(30)), Normalization::imagenet())
}

fn config() -> Config {
    let mut config = Config::default();
    config.eval.resize = 4;
    config.eval.crop = 4;
    config.eval.knn_k = 3;
    config.train.batch_size = 10;
    config
}

fn run(
    config: &Config,
    linear: LinearWanted<'_>,
    stop_after: usize,
) -> (Result<Option<Accuracy>, EvaluationError>, usize) {
    let stop = StopFlag::default();
    let network = MeanColours {
        seen: Cell::new(0),
        stop_after,
        stop: &stop,
    };
    let watch = Watch {
        console: &PlainConsole { quiet: true },
        stop: &stop,
    };
    let found = evaluate(
        &network,
        &sources(),
        config,
        &Wanted {
            embeddings: true,
            ..Wanted::of(config, linear)
        },
        &watch,
    );
    (found, network.seen.get())
}

#[test]
fn neighbours_are_a_part_of_the_training_images_unless_a_probe_reads_them_all() {
    let mut config = config();
    let (found, seen) = run(&config, LinearWanted::No, usize::MAX);
    let found = found.unwrap().unwrap();
    assert_eq!((found.knn_top1, seen), (1.0, 90 + 30));
    assert!(found.linear.is_none() && found.embeddings.is_some());

    config.eval.knn_images = 20;
    let (found, seen) = run(&config, LinearWanted::No, usize::MAX);
    assert_eq!(
        (found.unwrap().unwrap().knn_top1, seen),
        (1.0, 20 + 30),
        "no more are read than vote"
    );

    let (found, seen) = run(&config, LinearWanted::Exact(L2::default()), usize::MAX);
    let linear = found.unwrap().unwrap().linear.unwrap();
    assert_eq!(
        (linear.top1, linear.top5, linear.protocol),
        (1.0, None, LinearProtocol::Exact)
    );
    assert_eq!(seen, 90 + 30, "the probe reads all of them");
}

#[test]
fn a_trained_classifier_is_read_on_the_test_images() {
    // The largest channel is the class; classes are blue, green, red and channels are in the same order of index.
    let identity = LinearModel {
        classes: 3,
        seen: vec![0, 1, 2],
        mean: vec![0.0; 3],
        deviation: vec![1.0; 3],
        weight: vec![1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        bias: vec![0.0; 3],
    };
    let (found, _) = run(&config(), LinearWanted::Trained(&identity), usize::MAX);
    let linear = found.unwrap().unwrap().linear.unwrap();
    assert_eq!((linear.top1, linear.protocol), (1.0, LinearProtocol::Online));
    let mut shifted = identity.clone();
    shifted.bias[0] = 100.0;
    let (found, _) = run(&config(), LinearWanted::Trained(&shifted), usize::MAX);
    let top1 = found.unwrap().unwrap().linear.unwrap().top1;
    assert!(
        (top1 - 1.0 / 3.0).abs() < 1e-12,
        "all are taken for the first class: {top1}"
    );
}

#[test]
fn it_stops_between_two_batches_and_says_where() {
    for (after, phase) in [(10, "the training images"), (100, "the test images")] {
        let (found, seen) = run(&config(), LinearWanted::No, after);
        let error = found.unwrap_err();
        assert!(matches!(&error, EvaluationError::Stopped(_)), "{error}");
        assert!(error.to_string().contains(phase), "{error}");
        assert_eq!(seen, after, "no batch after the request");
    }
}
