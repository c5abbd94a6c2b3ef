//! What a run trains, by which loss, and who is told: a config's, or what a program of one's own brings along.

use crate::backend::TrainBackend;
use crate::config::{Config, ConfigError};
use crate::metrics::MetricsSink;
use barlow_loss::ops::LossOps;
use barlow_loss::{BarlowTwinsLoss, BarlowTwinsOutput};
use barlow_model::{Backbone, BarlowTwinsModel, ResNet, named_shapes};
use burn::module::{AutodiffModule, Module};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// A [`Backbone`] that can be trained: with Burn's `#[derive(Module)]` every one that is a backbone on all backends.
pub trait TrainBackbone<B: TrainBackend>:
    Backbone<B> + AutodiffModule<B, InnerModule: Backbone<B::InnerBackend>>
{
}

impl<B, M> TrainBackbone<B> for M
where
    B: TrainBackend,
    M: Backbone<B> + AutodiffModule<B, InnerModule: Backbone<B::InnerBackend>>,
{
}

/// A loss of both views' embeddings: [`BarlowTwinsLoss`] in all its variants, or one of one's own.
pub trait TwinLoss<B: Backend> {
    /// The loss of a batch. Readings that the loss does not have are zeros; none may be NaN, which ends a run.
    ///
    /// # Shapes
    /// - z_a, z_b: [N, D], row k of both from image k
    /// - every output: `[1]`
    fn forward(&self, z_a: Tensor<B, 2>, z_b: Tensor<B, 2>) -> BarlowTwinsOutput<B>;

    /// The least value of the loss for N pairs of D features, where it is known.
    fn floor(&self, _n: usize, _d: usize) -> Option<f64> {
        None
    }
}

impl<B: LossOps> TwinLoss<B> for BarlowTwinsLoss {
    fn forward(&self, z_a: Tensor<B, 2>, z_b: Tensor<B, 2>) -> BarlowTwinsOutput<B> {
        Self::forward(self, z_a, z_b)
    }

    fn floor(&self, n: usize, d: usize) -> Option<f64> {
        Self::floor(self, n, d)
    }
}

/// What a run trains, by which loss, and who is told.
pub struct Parts<'a, B: Backend, M = ResNet<B>, L = BarlowTwinsLoss> {
    /// The network with its initial weights.
    pub model: BarlowTwinsModel<B, M>,
    /// The loss.
    pub loss: L,
    /// Told what `metrics.jsonl` and TensorBoard are.
    pub sinks: Vec<Box<dyn MetricsSink + 'a>>,
}

impl<B: Backend, M: Backbone<B>, L> Parts<'_, B, M, L> {
    /// Whether the network is the one that the config names, with which it is stored.
    ///
    /// # Errors
    /// A line that says what to set.
    pub fn check(&self, config: &Config) -> Result<(), String> {
        let BarlowTwinsModel { backbone, projector } = &self.model;
        let device = projector.devices().first().cloned().unwrap_or_default();
        if let Ok(named) = config.model_config()
            && named_shapes(&named.backbone.init::<B>(&device)) != named_shapes(backbone)
        {
            return Err(
                "the backbone is not the one that the config's [model] names; set model.backbone to \"custom\""
                    .to_owned(),
            );
        }
        let named = config
            .projector()
            .init::<B>(backbone.features(), config.model.projector_norm, &device);
        if named_shapes(&named) != named_shapes(projector) {
            return Err(format!("the projector is not the config's, {}", config.model.projector));
        }
        Ok(())
    }
}

impl<B: Backend> Parts<'_, B> {
    /// A config's own network, with the weights that its seed draws, and its own loss.
    ///
    /// # Errors
    /// [`ConfigError::CustomBackbone`].
    pub fn of_config(config: &Config, device: &B::Device) -> Result<Self, ConfigError> {
        Ok(Self {
            model: config.model_config()?.init(device, config.run.seed),
            loss: config.loss_config().init(),
            sinks: Vec::new(),
        })
    }
}

#[cfg(all(test, feature = "cpu"))]
mod tests {
    use super::*;
    use crate::config::BackboneKind;
    use barlow_model::{ProjectorConfig, ResNetConfig, ResNetDepth};
    use burn_flex::{Flex, FlexDevice};

    fn config() -> Config {
        let mut config = Config::default();
        config.model.backbone = BackboneKind::ResNet18;
        config.model.width = 4;
        config.model.projector = "8-8".into();
        config
    }

    #[test]
    fn a_network_is_stored_with_a_config_that_names_it() {
        let mut config = config();
        let own = Parts::<Flex>::of_config(&config, &FlexDevice).unwrap();
        assert_eq!(own.check(&config), Ok(()));

        let other = ResNetConfig::new(ResNetDepth::ResNet34).with_width(4).init(&FlexDevice);
        let projector = config.projector();
        let parts = |model| Parts {
            model,
            loss: (),
            sinks: Vec::new(),
        };
        let other = parts(BarlowTwinsModel::<Flex>::new(other, &projector, true, &FlexDevice));
        assert!(other.check(&config).unwrap_err().contains("\"custom\""));
        config.model.backbone = BackboneKind::Custom;
        assert_eq!(other.check(&config), Ok(()));
        assert!(Parts::<Flex>::of_config(&config, &FlexDevice).is_err());

        let wider = ProjectorConfig { widths: vec![8, 16] };
        let wider = parts(BarlowTwinsModel::<Flex>::new(
            other.model.backbone,
            &wider,
            true,
            &FlexDevice,
        ));
        assert!(wider.check(&config).unwrap_err().contains("8-8"));
    }
}
