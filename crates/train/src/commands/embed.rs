//! The `embed` command: the features of every image of a folder as a file.

use crate::console::{Terminal, print_result};
use barlow_engine::config::Config;
use barlow_engine::console::Console;
use barlow_engine::embed::{EmbedRequest, FeatureFormat, Layer, embed, feature_writer};
use barlow_engine::error::RunError;
use barlow_engine::evaluation::{FeaturePass, Watch};
use barlow_engine::sources::open_all;
use barlow_engine::stop::StopFlag;
use barlow_engine::weights::GivenNetwork;
use barlow_train::device::Selected;
use std::path::PathBuf;

/// What to compute, and where it goes.
pub struct EmbeddingRequest {
    /// The network.
    pub network: GivenNetwork,
    /// Its config, with the data set.
    pub config: Config,
    /// Which output.
    pub layer: Layer,
    /// The file.
    pub out: PathBuf,
    /// Where the features are computed.
    pub selected: Selected,
    /// Where messages go.
    pub console: Terminal,
    /// Set when it should stop.
    pub stop: StopFlag,
}

/// Writes the features and prints what was written.
///
/// # Errors
/// [`RunError`], each one line.
pub fn run(request: &EmbeddingRequest) -> Result<(), RunError> {
    let EmbeddingRequest {
        network,
        config,
        layer,
        out,
        selected,
        console,
        stop,
    } = request;
    let format = FeatureFormat::of(out).map_err(RunError::usage)?;
    console.line(&format!("weights     {}", network.origin));
    let images = open_all(config, &|line| console.line(line)).map_err(RunError::usage)?;
    if images.left_out.is_worth_a_warning() {
        console.warn(&format!("skipped: {}", images.left_out));
    }
    let pass = FeaturePass::new(config, images.normalization)?;
    let done = selected.run(|device| {
        let network = device.network(&network.weights, config, *layer == Layer::Embedding)?;
        let request = EmbedRequest {
            network: network.as_ref(),
            layer: *layer,
            images: &images.images,
            pass,
            watch: Watch { console, stop },
        };
        embed(&request, &mut |width| feature_writer(format, out, width))
    })?;
    if done.skipped > 0 {
        console.warn(&format!(
            "{} images have no row: they could not be decoded",
            done.skipped
        ));
    }
    let files: Vec<String> = done.files.iter().map(|file| file.display().to_string()).collect();
    print_result(&format!(
        "{} x {} features in {}",
        done.rows,
        done.width,
        files.join(" and ")
    ));
    Ok(())
}
