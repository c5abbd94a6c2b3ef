//! A network as a record of Burn, for other programs on Burn: `NamedMpkFileRecorder` with full precision.

use crate::config::Config;
use anyhow::Result;
use barlow_model::StateDict;
use std::path::{Path, PathBuf};

/// Writes the backbone's record, or with `projector` one of the pair (backbone, projector). Returns the file.
///
/// # Errors
/// If the weights do not fit the config, or the file cannot be written.
#[cfg(feature = "cpu")]
pub(super) fn write_record(weights: &StateDict, config: &Config, projector: bool, out: &Path) -> Result<PathBuf> {
    use anyhow::Context;
    use barlow_model::{load_state_dict, strip_prefix};
    use burn::module::Module;
    use burn::record::{FullPrecisionSettings, NamedMpkFileRecorder};
    use burn_flex::{Flex, FlexDevice};

    /// What Burn appends to the name of such a record.
    const EXTENSION: &str = "mpk";

    let device = FlexDevice;
    let features = config.backbone()?.feature_dim();
    let backbone = load_state_dict(
        config.backbone()?.init::<Flex>(&device),
        &strip_prefix(weights, "backbone."),
    )?;
    let recorder = NamedMpkFileRecorder::<FullPrecisionSettings>::new();
    let path = out.with_extension(EXTENSION);
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).with_context(|| format!("cannot create the folder {}", parent.display()))?;
    }
    let saved = if projector {
        let spec = config.method_definition().spec(&config.method_inputs(None));
        let projector = spec.heads.projector.init::<Flex>(features, &device);
        let projector = load_state_dict(projector, &strip_prefix(weights, "projector."))?;
        (backbone, projector).save_file(&path, &recorder)
    } else {
        backbone.save_file(&path, &recorder)
    };
    saved.with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// Without the CPU backend there is nothing to make the record with.
#[cfg(not(feature = "cpu"))]
pub(super) fn write_record(_: &StateDict, _: &Config, _: bool, _: &Path) -> Result<PathBuf> {
    anyhow::bail!("this build has no CPU backend, which writes Burn's records; build it with the feature cpu")
}
