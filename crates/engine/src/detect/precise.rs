//! Running statistics of batch norms estimated anew: the mean over batches instead of the exponential average of training ("PreciseBN").

use anyhow::{Context, Result};
use barlow_detect::C4Detector;
use barlow_model::{StateDict, load_state_dict, state_dict};
use burn::tensor::backend::Backend;
use std::collections::BTreeMap;

/// Weight of a batch in the running statistics, as [`BatchNormConfig::new`](barlow_model::BatchNormConfig::new) has it.
const MOMENTUM: f64 = 0.1;
const MEAN: &str = ".running_mean";
const VARIANCE: &str = ".running_var";

/// Sums over batches, of one norm.
struct Sums {
    mean: Vec<f64>,
    /// Of the square.
    square: Vec<f64>,
}

/// The detector with the statistics of `count` passes, of which `pass` computes one, in training mode. The mean of a norm is that of the
/// batches' means, and its variance E\[x²\] − mean², of the batches' unbiased variances. Norms whose statistics no pass changes keep them.
///
/// # Errors
/// The first error of a pass.
pub(super) fn precise_statistics<B: Backend, E: From<anyhow::Error>>(
    detector: C4Detector<B>,
    count: u64,
    mut pass: impl FnMut(&C4Detector<B>, u64) -> Result<(), E>,
) -> Result<C4Detector<B>, E> {
    let start = state(&detector)?;
    let mut before = start.clone();
    let mut norms: BTreeMap<String, Sums> = BTreeMap::new();
    for number in 0..count {
        pass(&detector, number)?;
        let after = state(&detector)?;
        for (name, mean) in &after {
            let Some(norm) = name.strip_suffix(MEAN) else { continue };
            // A running statistic is (1 − m) · old + m · batch.
            let batch = |name: &str| -> Result<Vec<f64>> {
                let [old, new] = [&before, &after].map(|state| state.get(name));
                let (old, new) = old.zip(new).context("a norm has a mean and a variance")?;
                let values = old.data.iter().zip(&new.data);
                Ok(values
                    .map(|(&old, &new)| (f64::from(new) - (1.0 - MOMENTUM) * f64::from(old)) / MOMENTUM)
                    .collect())
            };
            let variance = format!("{norm}{VARIANCE}");
            if before.get(name) == Some(mean) && before.get(&variance) == after.get(&variance) {
                continue;
            }
            let (mean, variance) = (batch(name)?, batch(&variance)?);
            let sums = norms.entry(norm.to_owned()).or_insert_with(|| Sums {
                mean: vec![0.0; mean.len()],
                square: vec![0.0; mean.len()],
            });
            for (at, (mean, variance)) in mean.into_iter().zip(variance).enumerate() {
                sums.mean[at] += mean;
                sums.square[at] += variance + mean * mean;
            }
        }
        before = after;
    }
    let mut all = state_dict(&detector).map_err(anyhow::Error::from)?;
    for (norm, sums) in norms {
        let part = |sum: &f64| sum / count as f64;
        let mean: Vec<f64> = sums.mean.iter().map(part).collect();
        let variance = sums.square.iter().zip(&mean).map(|(sum, mean)| part(sum) - mean * mean);
        let variance: Vec<f32> = variance.map(|variance| variance.max(0.0) as f32).collect();
        set(
            &mut all,
            &format!("{norm}{MEAN}"),
            mean.into_iter().map(|mean| mean as f32).collect(),
        )?;
        set(&mut all, &format!("{norm}{VARIANCE}"), variance)?;
    }
    Ok(load_state_dict(detector, &all).map_err(anyhow::Error::from)?)
}

fn set(state: &mut StateDict, name: &str, values: Vec<f32>) -> Result<()> {
    state.get_mut(name).context("a norm has a mean and a variance")?.data = values;
    Ok(())
}

/// The running statistics.
fn state<B: Backend>(detector: &C4Detector<B>) -> Result<StateDict> {
    let mut state = state_dict(detector)?;
    state.retain(|name, _| name.ends_with(MEAN) || name.ends_with(VARIANCE));
    Ok(state)
}

#[cfg(all(test, feature = "cpu"))]
mod tests {
    use super::*;
    use barlow_detect::C4Config;
    use barlow_model::{NormMode, ResNetConfig, ResNetDepth, initialize};
    use burn::tensor::{Tensor, TensorData};
    use burn_flex::{Flex, FlexDevice};

    /// The statistics of the first norm, straight from its inputs, over batches of different means; a norm that no pass reaches keeps its own.
    #[test]
    fn statistics_are_those_of_all_batches_together() {
        let resnet = ResNetConfig::new(ResNetDepth::ResNet18).with_width(4);
        let parts = C4Config {
            classes: 2,
            anchors: 3,
            extra_norm: true,
            mask_channels: None,
        };
        let backbone = initialize(resnet.init::<Flex>(&FlexDevice), 1);
        let detector = C4Detector::new(backbone, resnet.feature_dim(), &parts, 0, &FlexDevice);
        let images = |batch: u64| {
            let value = |at: usize| ((0.37 * at as f64 + batch as f64).sin() + 0.5 * batch as f64) as f32;
            let values: Vec<f32> = (0..2 * 3 * 32 * 32).map(value).collect();
            Tensor::<Flex, 4>::from_data(TensorData::new(values, [2, 3, 32, 32]), &FlexDevice)
        };
        let before = state(&detector).unwrap();
        let precise = precise_statistics(detector, 3, |detector, batch| {
            detector.backbone.trunk(images(batch), NormMode::Train);
            Ok::<(), anyhow::Error>(())
        });
        let found = state(&precise.unwrap()).unwrap();

        let all = state_dict(&initialize(resnet.init::<Flex>(&FlexDevice), 1)).unwrap();
        let weight = &all["conv1.weight"];
        let weight = Tensor::<Flex, 4>::from_data(TensorData::new(weight.data.clone(), [4, 3, 7, 7]), &FlexDevice);
        let geometry = barlow_ops::ConvGeometry { stride: 2, padding: 3 };
        let maps: Vec<Vec<f32>> = (0..3)
            .map(|batch| {
                let map = barlow_ops::conv2d(images(batch), weight.clone(), geometry);
                map.permute([1, 0, 2, 3]).into_data().to_vec().unwrap()
            })
            .collect();
        let per_channel = maps[0].len() / 4;
        for channel in 0..4 {
            let values = |map: &Vec<f32>| -> Vec<f64> {
                let of_channel = &map[channel * per_channel..][..per_channel];
                of_channel.iter().map(|&value| f64::from(value)).collect()
            };
            let all: Vec<f64> = maps.iter().flat_map(values).collect();
            let mean = all.iter().sum::<f64>() / all.len() as f64;
            let variance = all.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / all.len() as f64;
            let [found_mean, found_variance] = ["running_mean", "running_var"]
                .map(|name| f64::from(found[&format!("backbone.bn1.{name}")].data[channel]));
            assert!(
                (found_mean - mean).abs() < 1e-4 * (1.0 + mean.abs()),
                "{found_mean}, not {mean}"
            );
            // The batches' variances are unbiased: a factor of 512 / 511 of that within them.
            assert!(
                (found_variance - variance).abs() < 3e-3 * variance,
                "{found_variance}, not {variance}"
            );
        }
        let regions = "backbone.layer4.0.bn1.running_mean";
        assert_eq!(found[regions], before[regions]);
    }
}
