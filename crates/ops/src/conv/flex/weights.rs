//! Packing of the weights in the kernel's order, [tile of outputs][tap][input][output of the tile], with the last tile
//! zero-padded.

use barlow_simd::{Level, scratch};
use rayon::prelude::*;

use super::blocked::{BlockSize, to_blocks};
use super::buffers::PACKED;

/// Packs weights [C_out, C_in, k, k] for the convolution, whose outputs are the C_out channels, or for its input gradient, whose
/// outputs are the C_in channels.
pub(super) fn pack(
    level: Level,
    weight: &[f32],
    [channels_out, channels_in, taps]: [usize; 3],
    for_input_gradient: bool,
    width: usize,
    packed: &mut [f32],
) {
    let (outputs, inputs) = if for_input_gradient {
        (channels_in, channels_out)
    } else {
        (channels_out, channels_in)
    };
    let (output_step, input_step) = match for_input_gradient {
        true => (taps, channels_in * taps),
        false => (channels_in * taps, taps),
    };
    let tile_floats = taps * inputs * width;
    assert_eq!(packed.len(), outputs.div_ceil(width) * tile_floats);
    packed
        .par_chunks_mut(tile_floats)
        .enumerate()
        .for_each(|(tile, packed)| {
            let channels = width.min(outputs - tile * width);
            let size = |pixels| BlockSize { channels, pixels };
            if channels < width {
                packed.fill(0.0);
            }
            let source = &weight[tile * width * output_step..];
            if for_input_gradient {
                for input in 0..inputs {
                    let (source, packed) = (&source[input * input_step..], &mut packed[input * width..]);
                    if taps == 1 {
                        packed[..channels].copy_from_slice(&source[..channels]);
                    } else {
                        to_blocks(level, source, taps, size(taps), packed, inputs * width, 0);
                    }
                }
            } else if taps == 1 {
                to_blocks(level, source, inputs, size(inputs), packed, width, 0);
            } else {
                // One long transpose to [input][tap], then a reordering of rows to [tap][input], is faster than a short transpose
                // per input.
                scratch::with(PACKED, tile_floats, |rows| {
                    to_blocks(level, source, output_step, size(inputs * taps), rows, width, 0);
                    for (index, row) in rows.chunks_exact(width).enumerate() {
                        let place = (index % taps * inputs + index / taps) * width;
                        packed[place..place + channels].copy_from_slice(&row[..channels]);
                    }
                });
            }
        });
}
