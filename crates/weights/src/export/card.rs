//! The facts about a model that its exports repeat.

/// Facts about a model for those who use its weights. Empty ones are left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelCard {
    /// Name of the model, the title of its card.
    pub name: String,
    /// Method of pre-training, such as `Barlow Twins`.
    pub method: String,
    /// Images of the pre-training.
    pub data: String,
    /// Settings of the pre-training, by name.
    pub recipe: Vec<(String, String)>,
    /// Results, by the name of their protocol.
    pub accuracy: Vec<(String, String)>,
    /// Mean of each channel that is subtracted from images in [0, 1].
    pub mean: Vec<f32>,
    /// Standard deviation of each channel that images are divided by.
    pub std: Vec<f32>,
    /// Side of the images in pixels.
    pub pixels: usize,
    /// The program and version that made the weights.
    pub program: String,
}
