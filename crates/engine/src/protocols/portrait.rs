//! What a report shows of the networks of finished runs that were trained before reports showed it.

use super::request::EvaluationRequest;
use crate::error::RunError;
use crate::run::portray;

/// Computes correlation, map and gallery of each run's network, and stores them in its folder.
///
/// # Errors
/// When a run has no checkpoint, its images no labels, a file cannot be written, or it should stop.
pub fn portray_runs(request: &EvaluationRequest) -> Result<(), RunError> {
    for evaluated in &request.runs {
        let (checkpoint, sources) = request.open(evaluated, false)?;
        let config = &evaluated.config;
        request.device.run(|device| {
            let network = device.network(checkpoint.evaluated(config), config, true)?;
            let step = checkpoint.progress.step;
            portray(
                &evaluated.run,
                network.as_ref(),
                &sources,
                config,
                step,
                &request.watch(),
            )
        })?;
    }
    Ok(())
}
