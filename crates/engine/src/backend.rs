//! The backend trait of the training loop, and the label of the device that a run uses.

use crate::optim::OptimOps;
use barlow_loss::ops::LossOps;
use barlow_ops::{ModelOps, RegionOps};
use burn::tensor::backend::{AutodiffBackend, Backend};
use std::fmt;

/// A Burn backend with the operations of a training step.
pub trait TrainBackend:
    AutodiffBackend<InnerBackend: ModelOps + RegionOps + OptimOps + LossOps> + ModelOps + RegionOps + LossOps
{
}

impl<B> TrainBackend for B where
    B: AutodiffBackend<InnerBackend: ModelOps + RegionOps + OptimOps + LossOps> + ModelOps + RegionOps + LossOps
{
}

/// The device of a run, as messages and `summary.json` name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceLabel {
    /// `cpu`, `wgpu` or `cuda`.
    pub backend: String,
    /// The device's own name.
    pub name: String,
    /// Why this one was selected.
    pub reason: String,
}

impl DeviceLabel {
    /// The label of a device that a custom program chose. The backend has its command-line name, else Burn's.
    pub fn of<B: Backend>(device: &B::Device) -> Self {
        let name = B::name(device);
        // Burn wraps them: `autodiff<fusion<cubecl<wgpu<wgsl>>>>`.
        let known = [("flex", "cpu"), ("ndarray", "cpu"), ("cuda", "cuda"), ("wgpu", "wgpu")];
        let known = known.into_iter().find(|(part, _)| name.contains(part));
        Self {
            backend: known.map_or(name, |(_, known)| known.to_owned()),
            name: format!("{device:?}"),
            reason: "chosen by the program".to_owned(),
        }
    }
}

impl fmt::Display for DeviceLabel {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} on {} ({})", self.backend, self.name, self.reason)
    }
}

#[cfg(all(test, feature = "cpu"))]
mod tests {
    use super::*;
    use burn::backend::Autodiff;
    use burn_flex::{Flex, FlexDevice};

    #[test]
    fn a_custom_programs_backend_has_the_command_lines_name() {
        assert_eq!(DeviceLabel::of::<Autodiff<Flex>>(&FlexDevice).backend, "cpu");
    }
}
