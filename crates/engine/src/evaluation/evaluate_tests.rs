//! Evaluation of a network that is no network: its features are the mean colours of an image.

use super::*;
use crate::config::Config;
use crate::console::PlainConsole;
use crate::error::RunError;
use crate::evaluation::{FeatureCache, FeatureLayer, SgdProtocol, SgdResult, SgdSchedule, linear_sgd, multi_label_svm};
use crate::stop::StopFlag;
use barlow_augment::{Normalization, RgbImage8};
use barlow_data::MemorySet;
use barlow_eval::SvmConfig;
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

/// Gives features of one value for every image.
struct Constant(f32);

impl Network for Constant {
    fn representations(&self, _: Vec<f32>, shape: [usize; 4]) -> Rows {
        Rows {
            values: vec![self.0; shape[0] * 2],
            width: 2,
        }
    }

    fn embeddings(&self, _: Rows) -> Option<Rows> {
        None
    }

    fn width(&self) -> usize {
        2
    }
}

fn protocol() -> SgdProtocol {
    SgdProtocol {
        epochs: 3,
        batch_size: 30,
        ..SgdProtocol::default()
    }
}

/// Runs the protocol on the mean colours, with the state in `folder`; asked to stop after so many images.
fn by_sgd(
    folder: &std::path::Path,
    protocol: &SgdProtocol,
    stop_after: usize,
) -> Result<Vec<SgdResult>, EvaluationError> {
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
    let state = folder.join("state.safetensors");
    linear_sgd(&network, "hash", &sources(), &config(), protocol, &state, &watch)
}

#[test]
fn a_stop_in_any_phase_names_it_and_the_protocol_continues_to_the_same_result() {
    let (found, _) = run(&config(), LinearWanted::No, 120);
    let error = found.unwrap_err().to_string();
    assert!(error.contains("nearest neighbours"), "{error}");

    let stop = StopFlag::default();
    stop.set();
    let watch = Watch {
        console: &PlainConsole { quiet: true },
        stop: &stop,
    };
    let features = LabelledFeatures {
        rows: (0..60).map(|k| ((k * 7 % 11) as f32).sin()).collect(),
        width: 2,
        labels: (0..30).map(|k| k % 3).collect(),
        images: (0..30).collect(),
    };
    for (l2, phase) in [
        (L2::Chosen, "choosing the penalty"),
        (L2::Given(0.1), "training the linear probe"),
    ] {
        let error = exact(&features, &features, 3, l2, &watch).unwrap_err().to_string();
        assert!(error.contains(phase), "{error}");
    }
    let config = config();
    let svm = SvmConfig::default();
    let features = FeatureOptions::default();
    let error = multi_label_svm(&Constant(1.0), &sources(), &config, &svm, &features, &watch).unwrap_err();
    assert!(matches!(error, EvaluationError::Stopped(_)), "{error}");

    for protocol in [
        protocol(),
        SgdProtocol {
            batch_size: 30,
            ..SgdProtocol::normed(3, 256, SgdSchedule::three_steps(3), FeatureLayer::Pooled)
        },
    ] {
        let folder = tempfile::tempdir().unwrap();
        let whole = by_sgd(folder.path(), &protocol, usize::MAX).unwrap();
        assert!(whole[0].last().top1 > 0.9 || protocol.norm, "{whole:?}");
        // The test images, the first epoch and a step of the second one.
        let other = tempfile::tempdir().unwrap();
        let error = by_sgd(other.path(), &protocol, 30 + 4 * 30).unwrap_err().to_string();
        assert!(error.contains("linear classifiers by SGD"), "{error}");
        assert!(other.path().join("state.safetensors").exists(), "an epoch is kept");
        let continued = by_sgd(other.path(), &protocol, usize::MAX).unwrap();
        assert_eq!(continued, whole);
        // A finished state is read: not an image is seen, so that nothing asks to stop.
        assert_eq!(by_sgd(other.path(), &protocol, 1).unwrap(), whole);
    }
}

#[test]
fn features_that_are_not_finite_are_one_line_in_every_protocol() {
    let stop = StopFlag::default();
    let watch = Watch {
        console: &PlainConsole { quiet: true },
        stop: &stop,
    };
    let (network, config, sources) = (Constant(f32::NAN), config(), sources());
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let wanted = Wanted::of(&config, LinearWanted::Exact(L2::default()));
    let features = FeatureOptions::default();
    let errors = [
        evaluate(&network, &sources, &config, &wanted, &watch).err(),
        linear_sgd(&network, "", &sources, &config, &protocol(), &state, &watch).err(),
        multi_label_svm(&network, &sources, &config, &SvmConfig::default(), &features, &watch).err(),
    ];
    for error in errors {
        let line = RunError::from(error.expect("NaN is no feature")).to_string();
        assert!(line.contains("diverged") && !line.contains('\n'), "{line}");
    }
}

#[test]
fn more_neighbours_than_images_and_features_without_a_map_are_answered() {
    let mut config = config();
    config.eval.knn_k = 1000;
    let (found, _) = run(&config, LinearWanted::No, usize::MAX);
    let knn = found.unwrap().unwrap().knn;
    assert_eq!((knn[0].k, knn[0].voters), (1000, 90), "all training images vote");

    let stop = StopFlag::default();
    let watch = Watch {
        console: &PlainConsole { quiet: true },
        stop: &stop,
    };
    let mut wanted = Wanted::of(&config, LinearWanted::No);
    wanted.features.layer = FeatureLayer::Quarters;
    let error = evaluate(&Constant(1.0), &sources(), &config, &wanted, &watch).unwrap_err();
    assert!(error.to_string().contains("features 2x2 need"), "{error}");
}

#[test]
fn a_second_protocol_reads_cached_features_and_other_images_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let cache = FeatureCache::in_folder(folder.path(), &barlow_model::StateDict::new(), "cpu");
    let stop = StopFlag::default();
    let network = MeanColours {
        seen: Cell::new(0),
        stop_after: usize::MAX,
        stop: &stop,
    };
    let watch = Watch {
        console: &PlainConsole { quiet: true },
        stop: &stop,
    };
    let config = config();
    let evaluated = |sources: &Sources, linear, layer| {
        let mut wanted = Wanted::of(&config, linear);
        wanted.features.cache = Some(Arc::new(cache.clone()));
        wanted.features.layer = layer;
        let found = evaluate(&network, sources, &config, &wanted, &watch)?;
        Ok::<_, EvaluationError>((found.unwrap(), network.seen.replace(0)))
    };
    let pooled = FeatureLayer::Pooled;
    let (first, seen) = evaluated(&sources(), LinearWanted::No, pooled).unwrap();
    assert_eq!(seen, 90 + 30);
    let (second, seen) = evaluated(&sources(), LinearWanted::Exact(L2::default()), pooled).unwrap();
    assert_eq!((seen, second.knn_top1), (0, first.knn_top1));
    assert_eq!(second.linear.unwrap().top1, 1.0);
    // Another test set, whose names are the same; the training images are cached.
    let other = Sources::of(set(90), Some(set(33)), Normalization::imagenet());
    assert_eq!(evaluated(&other, LinearWanted::No, pooled).unwrap().1, 40);
    // Another layer is another file.
    assert!(evaluated(&sources(), LinearWanted::No, FeatureLayer::Quarters).is_err());
}
