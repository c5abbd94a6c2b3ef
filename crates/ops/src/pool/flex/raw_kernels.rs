//! Tests of the tasks on tiny maps at the baseline level, without Burn and without threads, for Miri (command: docs of the
//! crate).

use std::mem::MaybeUninit;

use barlow_simd::Level;

use super::max::{MaxBackward, MaxForward, Plane};
use super::mean::{MeanForward, spread};
use crate::{ConvGeometry, Window};

const LEVEL: Level = Level::Baseline;
const SIDES: [usize; 2] = [5, 4];
const PIXELS: usize = SIDES[0] * SIDES[1];
const MAPS: usize = 2;

/// The values that `write` writes; Miri checks that it writes all of them.
fn written<T: Copy>(len: usize, write: impl FnOnce(&mut [MaybeUninit<T>])) -> Vec<T> {
    let mut values = vec![MaybeUninit::uninit(); len];
    write(&mut values);
    // SAFETY: `write` writes every value.
    values.into_iter().map(|value| unsafe { value.assume_init() }).collect()
}

#[test]
fn max_tasks() {
    for (size, stride, padding) in [(3, 2, 1), (2, 1, 0)] {
        let geometry = ConvGeometry { stride, padding };
        let plane = Plane::new(SIDES, Window { size, geometry });
        let [rows, columns] = SIDES.map(|side| geometry.output_size(side, size));
        let x: Vec<f32> = (0..MAPS * PIXELS).map(|i| (i as f32 * 0.7).sin()).collect();
        let mut places = Vec::new();
        let y = written(MAPS * rows * columns, |y| {
            places = written(MAPS * rows * columns, |places| {
                LEVEL.run(MaxForward {
                    plane,
                    x: &x,
                    y,
                    places,
                })
            });
        });
        for (index, y) in y.iter().enumerate() {
            let (map, row, column) = (index / (rows * columns), index / columns % rows, index % columns);
            let inside = |start: usize, side: usize| {
                (start..start + size).filter_map(move |at| at.checked_sub(padding).filter(|&at| at < side))
            };
            let expected = inside(row * stride, SIDES[0])
                .flat_map(|row| inside(column * stride, SIDES[1]).map(move |column| (row, column)))
                .map(|(row, column)| x[map * PIXELS + row * SIDES[1] + column])
                .fold(f32::NEG_INFINITY, f32::max);
            assert_eq!(*y, expected);
        }
        let dy = vec![1.0; y.len()];
        let dx = written(x.len(), |dx| {
            LEVEL.run(MaxBackward {
                plane,
                dy: &dy,
                places: &places,
                dx,
            })
        });
        assert_eq!(dx.iter().sum::<f32>(), y.len() as f32);
        assert!(
            dx.iter()
                .zip(&x)
                .all(|(dx, x)| *dx == y.iter().filter(|y| *y == x).count() as f32)
        );
    }
}

#[test]
fn mean_tasks() {
    let x: Vec<f32> = (0..MAPS * PIXELS).map(|i| i as f32).collect();
    let mut y = vec![0.0; MAPS];
    LEVEL.run(MeanForward {
        pixels: PIXELS,
        x: &x,
        y: &mut y,
    });
    assert_eq!(y, [9.5, 29.5]);
    let dx = written(x.len(), |dx| spread(PIXELS, &y, dx));
    assert!(
        dx.iter()
            .enumerate()
            .all(|(index, dx)| *dx == y[index / PIXELS] / PIXELS as f32)
    );
}
