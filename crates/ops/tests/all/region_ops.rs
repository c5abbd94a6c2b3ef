//! RoIAlign against torchvision's, forward and backward.

use barlow_ops::{Regions, RoiAlign, roi_align};
use burn::backend::Autodiff;
use burn::tensor::{Tensor, TensorData};
use burn_flex::{Flex, FlexDevice};

type B = Autodiff<Flex>;

const SHAPE: [usize; 4] = [2, 3, 7, 9];

fn features() -> Tensor<B, 4> {
    let [n, c, h, w] = SHAPE;
    let value = |at: usize| {
        let (x, y, channel, image) = (at % w, at / w % h, at / (w * h) % c, at / (w * h * c));
        (0.7 * image as f64 + 1.1 * channel as f64 + 0.5 * y as f64 + 0.9 * x as f64).sin() as f32
    };
    let values: Vec<f32> = (0..n * c * h * w).map(value).collect();
    Tensor::from_data(TensorData::new(values, SHAPE), &FlexDevice).require_grad()
}

/// The fourth and the fifth reach out of the image, the sixth has no size, the last is outside. Those of image 0 come first.
const BOXES: [(usize, [f32; 4]); 7] = [
    (0, [0.0, 0.0, 144.0, 112.0]),
    (0, [10.0, 20.0, 70.0, 90.0]),
    (0, [50.0, 50.0, 50.0, 50.0]),
    (0, [300.0, 300.0, 320.0, 340.0]),
    (1, [33.3, 5.5, 40.1, 108.9]),
    (1, [-30.0, -20.0, 20.0, 30.0]),
    (1, [100.0, 80.0, 200.0, 150.0]),
];
/// Their places in the order of the reference.
const PLACES: [usize; 7] = [0, 1, 5, 6, 2, 3, 4];

fn values<const D: usize>(tensor: Tensor<B, D>) -> Vec<f64> {
    let data = tensor.into_data().convert::<f32>().into_vec::<f32>().unwrap();
    data.into_iter().map(f64::from).collect()
}

#[track_caller]
fn close(name: &str, found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{name}: {found}, not {expected}");
}

/// ```python
/// n, c, h, w = 2, 3, 7, 9
/// g = [torch.arange(k) * 1.0 for k in (n, c, h, w)]
/// f = torch.sin(0.7 * g[0][:, None, None, None] + 1.1 * g[1][:, None, None] + 0.5 * g[2][:, None] + 0.9 * g[3]).requires_grad_()
/// rois = torch.tensor([[0, 0, 0, 144, 112], [0, 10, 20, 70, 90], [1, 33.3, 5.5, 40.1, 108.9], [1, -30, -20, 20, 30],
///                      [1, 100, 80, 200, 150], [0, 50, 50, 50, 50], [0, 300, 300, 320, 340]])
/// y = torchvision.ops.roi_align(f, rois, bins, 1 / 16, 0, True)    # float64
/// print(y.sum((1, 2, 3)), y.square().sum((1, 2, 3)))
/// grad, = torch.autograd.grad((y * torch.cos(0.3 * torch.arange(y.numel())).view_as(y)).sum(), f)
/// print(grad.sum(), grad.square().sum(), grad[0, 0, 2])
/// ```
#[test]
fn agrees_with_torchvision() {
    let expected = [
        (
            14,
            [
                3.54239546579,
                -154.182141385,
                -206.521216814,
                131.139191362,
                -76.8167533095,
                0.0,
                0.0,
            ],
            [
                250.927473622,
                244.907436317,
                251.492203055,
                118.483980808,
                73.9958789565,
                0.0,
                0.0,
            ],
            [3.41583381322, 158.029339133],
            [
                -0.389584836414,
                -0.340072578228,
                -0.184586899671,
                -0.00756224666567,
                0.154030111831,
                0.329970713763,
                0.363618021283,
                0.393184436542,
                0.29804370501,
            ],
        ),
        (
            3,
            [
                0.162758952802,
                -7.20959324253,
                -9.46817514234,
                5.61405842083,
                -3.4346772969,
                0.0,
                0.0,
            ],
            [
                6.60335618259,
                10.114539991,
                10.563840038,
                3.55925484441,
                1.90074964531,
                0.0,
                0.0,
            ],
            [1.01426371608, 24.2878569671],
            [
                0.0155595136782,
                -0.182876392908,
                -0.241142301088,
                -0.384679934064,
                -0.0815388227549,
                0.0784919782449,
                0.0468704058187,
                0.0468704058187,
                0.0468704058187,
            ],
        ),
    ];
    for (bins, sums, squares, gradient_sums, gradient_row) in expected {
        let x = features();
        let y = roi_align(
            x.clone(),
            &Regions::new(RoiAlign { bins, stride: 16.0 }, BOXES.to_vec()),
        );
        assert_eq!(y.dims(), [7, 3, bins, bins]);
        let size = 3 * bins * bins;
        for (region, of_region) in values(y.clone()).chunks(size).enumerate() {
            let (sum, square) = (
                of_region.iter().sum(),
                of_region.iter().map(|value| value * value).sum(),
            );
            close(
                &format!("{bins} bins, sum of region {region}"),
                sum,
                sums[PLACES[region]],
                1e-4,
            );
            close(
                &format!("{bins} bins, squares of region {region}"),
                square,
                squares[PLACES[region]],
                1e-3,
            );
        }
        // The weights of the gradient are numbered in the order of the reference.
        let weight = |at: usize| (0.3 * (PLACES[at / size] * size + at % size) as f64).cos() as f32;
        let weights: Vec<f32> = (0..7 * size).map(weight).collect();
        let weights = Tensor::from_data(TensorData::new(weights, y.dims()), &FlexDevice);
        let gradients = (y * weights).sum().backward();
        let gradient = values(Tensor::<B, 4>::from_inner(x.grad(&gradients).unwrap()));
        close("gradient", gradient.iter().sum(), gradient_sums[0], 1e-3);
        close(
            "gradient's squares",
            gradient.iter().map(|value| value * value).sum(),
            gradient_sums[1],
            1e-2,
        );
        for (found, expected) in gradient[18..27].iter().zip(gradient_row) {
            close("gradient's row", *found, expected, 1e-5);
        }
    }
    let y = roi_align(
        features(),
        &Regions::new(RoiAlign { bins: 3, stride: 16.0 }, BOXES.to_vec()),
    );
    let y = values(y);
    let of = |region: usize, channel: usize| &y[(region * 3 + channel) * 9..][..9];
    let inside = [
        0.865382678166,
        0.483997182862,
        -0.432071546985,
        0.722488851799,
        -0.106794719664,
        -0.818099616532,
        0.228085432812,
        -0.645719409231,
        -0.806182615083,
    ];
    let reaching_out = [
        0.0,
        0.0598123323035,
        0.0154526871399,
        0.0,
        0.110605047371,
        0.0145661372252,
        0.0,
        -0.0898998447903,
        -0.346046751211,
    ];
    for (found, expected) in of(1, 0).iter().zip(inside).chain(of(5, 2).iter().zip(reaching_out)) {
        close("region", *found, expected, 1e-6);
    }
}

/// Many regions give what each gives alone, and the same bytes every time, whatever the number of threads.
#[test]
fn regions_do_not_depend_on_threads_or_on_each_other() {
    let boxes: Vec<(usize, [f32; 4])> = (0..40).map(|at| (at / 25, BOXES[at % 7].1)).collect();
    let align = RoiAlign { bins: 7, stride: 16.0 };
    let bits = |regions: &Regions| {
        let x = features();
        let y = roi_align(x.clone(), regions);
        let gradients = y.clone().powi_scalar(2).sum().backward();
        let gradient = values(Tensor::<B, 4>::from_inner(x.grad(&gradients).unwrap()));
        [values(y), gradient].map(|values| values.into_iter().map(f64::to_bits).collect::<Vec<_>>())
    };
    let all = Regions::new(align, boxes.clone());
    let first = bits(&all);
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert!(pool.install(|| bits(&all)) == first, "{threads} threads differ");
    }
    let y = values(roi_align(features(), &all));
    for (at, &one) in boxes.iter().enumerate() {
        let alone = values(roi_align(features(), &Regions::new(align, vec![one])));
        for (found, expected) in y[at * 147..][..147].iter().zip(alone) {
            close("one region", *found, expected, 1e-6);
        }
    }
}

#[test]
#[should_panic(expected = "not in the order of their images")]
fn regions_out_of_order_are_refused() {
    let boxes = vec![(1, [0.0; 4]), (0, [0.0; 4])];
    Regions::new(RoiAlign { bins: 7, stride: 16.0 }, boxes);
}

#[test]
#[should_panic(expected = "a region of image 0 has the corners")]
fn a_corner_that_is_nan_is_refused() {
    Regions::new(RoiAlign { bins: 7, stride: 16.0 }, vec![(0, [0.0, 0.0, f32::NAN, 1.0])]);
}

#[test]
#[should_panic(expected = "a region of image 2, but there are 2")]
fn an_image_that_is_missing_is_refused() {
    let regions = Regions::new(RoiAlign { bins: 7, stride: 16.0 }, vec![(2, [0.0; 4])]);
    roi_align(features(), &regions);
}
