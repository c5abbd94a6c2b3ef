//! The loss and its gradients against PyTorch in 64-bit floats.
//!
//! All literals of this file come from this program (torch 2.15):
//!
//! ```python
//! import torch
//! torch.set_default_dtype(torch.float64)
//! for n, d in [(4, 3), (7, 5), (8, 16), (3, 33)]:
//!     i, j = torch.arange(n)[:, None] * 1.0, torch.arange(d)[None, :] * 1.0
//!     za = torch.sin(0.7 * i + 1.3 * j).requires_grad_()
//!     zb = (za.detach() + 0.5 * torch.cos(1.1 * i - 0.4 * j)).requires_grad_()
//!     norm = torch.nn.BatchNorm1d(d, affine=False)
//!     c = norm(za).T @ norm(zb) / n
//!     off = c.flatten()[:-1].view(d - 1, d + 1)[:, 1:]
//!     inv, red = (torch.diagonal(c) - 1).square().sum(), off.square().sum()
//!     (inv + 0.0051 * red).backward()
//!     probe = torch.sin(torch.arange(n * d) * 1.0).view(n, d)
//!     print(n, d, inv.item(), red.item(), [v.item() for g in (za.grad, zb.grad) for v in (g.norm(), (g * probe).sum())], torch.diagonal(c).mean().item())
//!     if n * d < 40: print(za.grad.flatten().tolist(), zb.grad.flatten().tolist())
//! ```

mod common;

use barlow_loss::{BarlowTwinsLossConfig, LossForm};
use common::{assert_close, formula_pair, values};

/// Invariance, redundancy reduction, norm and sine projection of both gradients, mean diagonal.
const GOLDENS: [(usize, usize, [f64; 7]); 4] = [
    (
        4,
        3,
        [
            0.709553315,
            3.335712344,
            2.199769006,
            0.493378325,
            4.387735499,
            -0.160444924,
            0.708878916,
        ],
    ),
    (
        7,
        5,
        [
            0.063889682,
            7.467448749,
            0.153495448,
            -0.132182292,
            0.211939473,
            0.056853891,
            0.898435859,
        ],
    ),
    (
        8,
        16,
        [
            0.155754589,
            100.541346851,
            0.192522237,
            -0.007979836,
            0.179027305,
            0.032481657,
            0.908741721,
        ],
    ),
    (
        3,
        33,
        [
            11.054779091,
            742.197817735,
            19.379959541,
            -11.264797002,
            51.093051962,
            -43.671429104,
            0.700808071,
        ],
    ),
];

#[test]
fn loss_and_gradients_agree_with_torch() {
    for (
        n,
        d,
        [
            invariance,
            redundancy,
            norm_a,
            projection_a,
            norm_b,
            projection_b,
            diagonal_mean,
        ],
    ) in GOLDENS
    {
        for form in [LossForm::Auto, LossForm::Reference] {
            let (z_a, z_b) = formula_pair(n, d);
            let (z_a, z_b) = (z_a.require_grad(), z_b.require_grad());
            let out = BarlowTwinsLossConfig::new()
                .with_form(form)
                .init()
                .forward(z_a.clone(), z_b.clone());
            let near = |got: f32, expected: f64, what: &str| {
                // 4e-5 relative: the inputs are 32-bit, and three images are badly conditioned.
                let tolerance = 4e-5 * expected.abs().max(0.1);
                assert!(
                    (f64::from(got) - expected).abs() < tolerance,
                    "{n} x {d} {what}: {got}, expected {expected}"
                );
            };
            let gradients = out.loss.backward();
            near(values(out.invariance)[0], invariance, "invariance");
            near(values(out.redundancy_reduction)[0], redundancy, "redundancy reduction");
            near(values(out.loss)[0], invariance + 0.0051 * redundancy, "loss");
            near(values(out.diagonal_mean)[0], diagonal_mean, "mean diagonal");
            let pairs = (d * (d - 1)) as f64;
            near(
                values(out.off_diagonal_rms)[0],
                (redundancy / pairs).sqrt(),
                "off-diagonal rms",
            );
            for (z, norm, projection, what) in [
                (&z_a, norm_a, projection_a, "gradient of z_a"),
                (&z_b, norm_b, projection_b, "gradient of z_b"),
            ] {
                let gradient = z.grad(&gradients).unwrap().into_data().to_vec::<f32>().unwrap();
                let squares: f64 = gradient.iter().map(|&g| f64::from(g).powi(2)).sum();
                near(squares.sqrt() as f32, norm, what);
                let probed: f64 = gradient
                    .iter()
                    .enumerate()
                    .map(|(k, &g)| f64::from(g) * (k as f64).sin())
                    .sum();
                near(probed as f32, projection, what);
            }
        }
    }
}

#[test]
#[rustfmt::skip]
fn every_element_of_small_gradients_agrees_with_torch() {
    check_gradients(4, 3, 2e-5,
        &[0.3427315, -0.002105881, 0.002736397, -1.530241, 0.001983045, -0.004281671, -0.3213233, 0.0003773141,
          -0.002230374, 1.508833, -0.0002544783, 0.003775648],
        &[3.445116, 0.003610324, -0.003730481, 0.3616484, -0.002365564, 0.003708784, -1.961736, -0.002851796,
          0.002835205, -1.845029, 0.001607036, -0.002813507]);
    check_gradients(7, 5, 1e-6,
        &[-0.0588238, -0.00525282, 0.002640476, -0.001994357, 0.04243756, -0.06541899, -0.003880638, -0.005849998,
          -0.0160165, -0.03268397, 0.004315646, 0.006848518, -0.00465421, -0.003174778, -0.05283373, 0.05496575,
          0.01468583, 0.001646428, 0.02071378, -0.0122883, 0.03812501, 0.009223382, 0.004641698, 0.02560271,
          0.03253631, 0.00202783, -0.005865087, 0.002000482, 0.001904578, 0.03043092, 0.02480854, -0.01575918,
          -0.0004248772, -0.02703543, -0.00759879],
        &[0.09382467, 0.001245837, -0.000863457, 0.009202675, -0.006304186, 0.05947155, -0.001084727, 0.003515958,
          0.02395326, 0.05031545, -0.05038714, -0.00775994, 0.003062307, 0.01073434, 0.04960607, -0.1080995,
          -0.01022426, -0.0001096097, -0.01696729, -0.006161793, -0.05743143, -0.003258126, -0.002156856,
          -0.02941344, -0.05538632, 0.02819487, 0.008129791, -0.001885089, -0.01286129, -0.04476293, 0.03442704,
          0.01295142, -0.001563253, 0.01535175, 0.01269372]);
}

fn check_gradients(n: usize, d: usize, tolerance: f64, grad_a: &[f64], grad_b: &[f64]) {
    let (z_a, z_b) = formula_pair(n, d);
    let (z_a, z_b) = (z_a.require_grad(), z_b.require_grad());
    let gradients = BarlowTwinsLossConfig::new()
        .init()
        .forward(z_a.clone(), z_b.clone())
        .loss
        .backward();
    for (z, expected, what) in [(z_a, grad_a, "grad_a"), (z_b, grad_b, "grad_b")] {
        let got = z.grad(&gradients).unwrap().into_data().to_vec::<f32>().unwrap();
        assert_close(&got, expected, tolerance, what);
    }
}
