//! One protocol on every run, seed and, if wanted, on untrained networks beside; the results as files.

use super::figures::{Figures, Spread, as_json, spreads};
use super::provenance::Provenance;
use super::request::{EvaluatedRun, EvaluationRequest};
use crate::config::Config;
use crate::error::RunError;
use crate::evaluation::{Accuracy, FeatureCache, FeatureOptions, Network, Wanted, Watch, evaluate, network_hash};
use crate::files::write_json;
use crate::sources::Sources;
use anyhow::{Context, Result};
use barlow_model::StateDict;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// The result of one measurement.
#[derive(Clone, Debug, Serialize)]
pub struct Measured<D> {
    /// Its numbers.
    #[serde(flatten)]
    pub figures: Figures,
    /// What else is reported.
    #[serde(flatten)]
    pub detail: D,
}

/// The result of one seed.
#[derive(Clone, Debug, Serialize)]
pub struct OfSeed<D> {
    /// The seed; `None` where a protocol draws nothing.
    pub seed: Option<u64>,
    /// The result.
    #[serde(flatten)]
    pub measured: Measured<D>,
}

/// The results of one run.
#[derive(Clone, Debug)]
pub struct RunEvaluated<D> {
    /// The run's folder.
    pub run: PathBuf,
    /// The checkpoint's step.
    pub step: u64,
    /// Of the run's network, at least one.
    pub trained: Vec<OfSeed<D>>,
    /// Of networks with initial weights; empty unless they were asked for.
    pub untrained: Vec<OfSeed<D>>,
}

/// The results of all runs.
#[derive(Clone, Debug)]
pub struct Evaluated<D> {
    /// Every run.
    pub runs: Vec<RunEvaluated<D>>,
}

impl<D> RunEvaluated<D> {
    /// The numbers of the run's network over the seeds.
    pub fn figures(&self) -> BTreeMap<&'static str, Spread> {
        spreads(self.trained.iter().map(|of| &of.measured.figures))
    }

    /// Those of untrained networks; empty if there are none.
    pub fn untrained_figures(&self) -> BTreeMap<&'static str, Spread> {
        spreads(self.untrained.iter().map(|of| &of.measured.figures))
    }
}

impl<D> Evaluated<D> {
    /// The numbers over the runs, each run's mean over its seeds counting once.
    pub fn over_runs(&self) -> BTreeMap<&'static str, Spread> {
        let of_run = |run: &RunEvaluated<D>| run.figures().into_iter().map(|(name, s)| (name, s.mean)).collect();
        spreads(&self.runs.iter().map(of_run).collect::<Vec<Figures>>())
    }
}

/// What is measured.
pub(super) struct Subject<'a> {
    pub(super) network: &'a dyn Network,
    /// Hash of weights, images and pixels.
    pub(super) hash: String,
    pub(super) config: &'a Config,
    pub(super) sources: &'a Sources,
    /// The default features, cached if that is wanted.
    pub(super) features: FeatureOptions,
    /// Seed of the protocol's draws.
    pub(super) seed: u64,
    /// The file in which an interrupted measurement may leave its state.
    pub(super) state: PathBuf,
    pub(super) watch: Watch<'a>,
}

impl Subject<'_> {
    /// Evaluates the network; the request has checked that the images have labels.
    pub(super) fn evaluate(&self, wanted: &Wanted<'_>) -> Result<Accuracy, RunError> {
        let found = evaluate(self.network, self.sources, self.config, wanted, &self.watch)?;
        Ok(found.context("the images were checked for labels")?)
    }

    /// The features with other options, cached as the default ones.
    pub(super) fn features(&self, options: &FeatureOptions) -> FeatureOptions {
        FeatureOptions {
            cache: self.features.cache.clone(),
            ..options.clone()
        }
    }
}

/// A protocol.
pub(super) struct Protocol<'a, D> {
    /// Name of the file with the result.
    pub(super) name: String,
    /// Name of the protocol in it.
    pub(super) protocol: &'static str,
    /// Whether it draws anything by a seed.
    pub(super) is_seeded: bool,
    /// Whether images may have several labels.
    pub(super) several_labels: bool,
    pub(super) measure: &'a (dyn Fn(&Subject<'_>) -> Result<Measured<D>, RunError> + Sync),
}

/// `eval/NAME.json`.
#[derive(Serialize)]
struct Report<'a, D> {
    protocol: &'static str,
    /// Means over the seeds, and their deviations.
    #[serde(flatten)]
    figures: BTreeMap<String, Option<f64>>,
    /// Of the first seed.
    #[serde(flatten)]
    detail: &'a D,
    /// Present where there is more than one.
    #[serde(skip_serializing_if = "Option::is_none")]
    seeds: Option<&'a [OfSeed<D>]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    untrained: Option<Untrained<'a, D>>,
    #[serde(flatten)]
    provenance: &'a Provenance,
}

/// Networks with initial weights.
#[derive(Serialize)]
struct Untrained<'a, D> {
    #[serde(flatten)]
    figures: BTreeMap<String, Option<f64>>,
    seeds: &'a [OfSeed<D>],
}

/// `eval/NAME-runs.json` of the first run: several runs that differ by their seed.
#[derive(Serialize)]
struct OverRuns {
    protocol: &'static str,
    #[serde(flatten)]
    figures: BTreeMap<String, Option<f64>>,
    runs: Vec<OneRun>,
}

#[derive(Serialize)]
struct OneRun {
    run: PathBuf,
    run_seed: u64,
    step: u64,
    #[serde(flatten)]
    figures: BTreeMap<String, Option<f64>>,
}

/// Measures every run by the protocol and writes the results.
pub(super) fn measure<D: Serialize + Send>(
    request: &EvaluationRequest,
    protocol: &Protocol<'_, D>,
) -> Result<Evaluated<D>, RunError> {
    let mut runs = Vec::new();
    for run in &request.runs {
        runs.push(of_run(request, run, protocol)?);
    }
    let evaluated = Evaluated { runs };
    if let [first, _, ..] = request.runs.as_slice() {
        let one = |(given, run): (&EvaluatedRun, &RunEvaluated<D>)| OneRun {
            run: run.run.clone(),
            run_seed: given.config.run.seed,
            step: run.step,
            figures: as_json(&run.figures()),
        };
        let report = OverRuns {
            protocol: protocol.protocol,
            figures: as_json(&evaluated.over_runs()),
            runs: request.runs.iter().zip(&evaluated.runs).map(one).collect(),
        };
        write_json(&first.run.evaluation(&format!("{}-runs", protocol.name)), &report)?;
    }
    Ok(evaluated)
}

fn of_run<D: Serialize + Send>(
    request: &EvaluationRequest,
    run: &EvaluatedRun,
    protocol: &Protocol<'_, D>,
) -> Result<RunEvaluated<D>, RunError> {
    let started = Instant::now();
    let (checkpoint, sources) = request.open(run, protocol.several_labels)?;
    let (config, step) = (&run.config, checkpoint.progress.step);
    let weights = checkpoint.evaluated(config);
    let mut provenance = Provenance::of(request, run, weights, step, &sources);
    let mut states = Vec::new();
    let mut one = |weights: &StateDict, what: &str, seed: u64| -> Result<Measured<D>, RunError> {
        let name = format!("{}-{what}{seed}", protocol.name);
        let state = run.run.evaluation(&name).with_extension("state.safetensors");
        states.push(state.clone());
        let hash = network_hash(weights, &sources, config);
        let device = format!("{} {}", request.label.backend, request.label.name);
        let cache = request.cache.then(|| FeatureCache::of(weights, &device)).flatten();
        let features = FeatureOptions {
            cache: cache.map(Arc::new),
            ..FeatureOptions::default()
        };
        request.device.run(|device| {
            let network = device.network(weights, config, false)?;
            (protocol.measure)(&Subject {
                network: network.as_ref(),
                hash,
                config,
                sources: &sources,
                features,
                seed,
                state,
                watch: request.watch(),
            })
        })
    };
    let mut trained = Vec::new();
    if protocol.is_seeded {
        for &seed in &request.seeds {
            let measured = one(weights, "", seed)?;
            let seed = Some(seed);
            trained.push(OfSeed { seed, measured });
        }
    } else {
        let measured = one(weights, "", 0)?;
        trained.push(OfSeed { seed: None, measured });
    }
    let mut untrained = Vec::new();
    if request.untrained {
        for &seed in &request.seeds {
            let weights = request.device.run(|device| device.initial_weights(config, seed))?;
            let measured = one(&weights, "untrained-", seed)?;
            let seed = Some(seed);
            untrained.push(OfSeed { seed, measured });
        }
    }
    provenance.seconds = started.elapsed().as_secs_f64();
    let result = RunEvaluated {
        run: run.run.root().to_owned(),
        step,
        trained,
        untrained,
    };
    let report = Report {
        protocol: protocol.protocol,
        figures: as_json(&result.figures()),
        detail: &result.trained[0].measured.detail,
        seeds: (result.trained.len() > 1).then_some(&result.trained),
        untrained: (!result.untrained.is_empty()).then(|| Untrained {
            figures: as_json(&result.untrained_figures()),
            seeds: &result.untrained,
        }),
        provenance: &provenance,
    };
    write_json(&run.run.evaluation(&protocol.name), &report)?;
    // A state that cannot be removed is continued from, to the same end, when the command is repeated.
    states.iter().for_each(|state| drop(std::fs::remove_file(state)));
    Ok(result)
}
