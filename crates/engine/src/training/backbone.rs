//! A backbone that can be trained.

use crate::backend::TrainBackend;
use barlow_model::Backbone;
use burn::module::AutodiffModule;

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
