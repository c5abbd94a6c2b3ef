//! The cross-correlation matrix of the embeddings of two views.

use crate::config::Config;
use crate::evaluation::{Network, Rows, evaluation_chunk};
use crate::sources::Sources;
use barlow_augment::Views;
use barlow_eval::spectrum;
use barlow_report::Correlation;

/// Images whose views are correlated. The correlation of independent dimensions is then about 1/16.
const IMAGES: usize = 256;

/// Rows and columns that are kept: a screen shows no more.
const SIDE: usize = 64;

/// C of the network's embeddings of the first two views of some training images, evenly spaced, in `Eval` mode, as the first epoch
/// draws them. `None` without a projector, with one view, or if the first two have different sizes. Images that cannot be read are
/// skipped.
pub(crate) fn correlation(
    name: &str,
    network: &dyn Network,
    sources: &Sources,
    config: &Config,
    views: &Views,
) -> Option<Correlation> {
    if views.len() < 2 || views.size(0) != views.size(1) {
        return None;
    }
    let (size, values, chunk) = (views.size(0), views.values(0), evaluation_chunk(config));
    let wanted = IMAGES.min(sources.train.len());
    let chosen: Vec<usize> = (0..wanted).map(|at| at * sources.train.len() / wanted).collect();
    let shape = [chunk, views.channels(), size, size];
    let mut embedded = [Rows::default(), Rows::default()];
    for part in chosen.chunks(chunk) {
        let mut pixels: Vec<Vec<f32>> = (0..views.len()).map(|_| Vec::new()).collect();
        let mut images = 0;
        for &index in part {
            let Ok(image) = sources.train.image(index) else {
                continue;
            };
            images += 1;
            let mut starts = Vec::with_capacity(views.len());
            for (view, pixels) in pixels.iter_mut().enumerate() {
                starts.push(pixels.len());
                pixels.resize(pixels.len() + views.values(view), 0.0);
            }
            let mut outputs: Vec<&mut [f32]> = (pixels.iter_mut().zip(starts))
                .map(|(pixels, start)| &mut pixels[start..])
                .collect();
            views.apply(&image, config.run.seed, 0, index as u64, &mut outputs);
        }
        for (embedded, mut pixels) in embedded.iter_mut().zip(pixels) {
            // Padded: a GPU tunes its kernels for every new shape.
            pixels.resize(chunk * values, 0.0);
            let rows = network.embeddings(network.representations(pixels, shape))?;
            embedded.width = rows.width;
            embedded.values.extend(&rows.values[..images * rows.width]);
        }
    }
    let [a, b] = embedded;
    (a.width > 0 && a.values.len() >= 2 * a.width).then(|| {
        let dimensions: Vec<usize> = (0..SIDE.min(a.width))
            .map(|at| at * a.width / SIDE.min(a.width))
            .collect();
        Correlation {
            name: name.to_owned(),
            values: matrix(&a, &b, &dimensions),
            side: dimensions.len(),
            width: a.width,
            images: a.values.len() / a.width,
            views: [views.name(0), views.name(1)].map(|name| name.replace('_', " ")),
            spectrum: spectrum(&a.values, a.width),
        }
    })
}

/// C of some dimensions, rounded to what a colour shows. A dimension that does not vary correlates with nothing.
fn matrix(a: &Rows, b: &Rows, dimensions: &[usize]) -> Vec<f32> {
    let standardised = |rows: &Rows, dimension: usize| -> Vec<f64> {
        let column = || {
            rows.values
                .chunks_exact(rows.width)
                .map(|row| f64::from(row[dimension]))
        };
        let count = (rows.values.len() / rows.width) as f64;
        let mean = column().sum::<f64>() / count;
        let length = column().map(|value| (value - mean).powi(2)).sum::<f64>().sqrt();
        // The remainder of a constant dimension is rounding error.
        let scale = if length > 1e-6 * mean.abs() { 1.0 / length } else { 0.0 };
        column().map(|value| (value - mean) * scale).collect()
    };
    let columns = |rows: &Rows| -> Vec<Vec<f64>> { dimensions.iter().map(|&at| standardised(rows, at)).collect() };
    let (a, b) = (columns(a), columns(b));
    let product = |(a, b): (&Vec<f64>, &Vec<f64>)| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let rounded = |value: f64| {
        if value.is_finite() {
            ((value * 1000.0).round() / 1000.0) as f32
        } else {
            0.0
        }
    };
    a.iter()
        .flat_map(|a| b.iter().map(move |b| (a, b)))
        .map(|pair| rounded(product(pair)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matrix_is_that_of_the_standardised_dimensions() {
        // Dimension 0 is equal in both views but for scale, dimension 1 reversed, dimension 2 constant.
        let a = Rows {
            values: vec![1.0, 0.0, 5.0, 2.0, 1.0, 5.0, 3.0, 0.0, 5.0, 4.0, 1.0, 5.0],
            width: 3,
        };
        let b = Rows {
            values: vec![10.0, 1.0, 7.0, 20.0, 0.0, 7.0, 30.0, 1.0, 7.0, 40.0, 0.0, 7.0],
            width: 3,
        };
        let c = matrix(&a, &b, &[0, 1, 2]);
        assert_eq!(c, [1.0, -0.447, 0.0, 0.447, -1.0, 0.0, 0.0, 0.0, 0.0]);
    }
}
