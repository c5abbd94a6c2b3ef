//! Golden values of the loss and its gradients, computed by PyTorch in float64.
//!
//! `tests/goldens/loss.json` is the output of this program (torch 2.15):
//!
//! ```python
//! import json, torch
//! torch.set_default_dtype(torch.float64)
//! def case(n, d):
//!     i, j = torch.arange(n)[:, None] * 1.0, torch.arange(d)[None, :] * 1.0
//!     za = torch.sin(0.7 * i + 1.3 * j).requires_grad_()
//!     zb = (za.detach() + 0.5 * torch.cos(1.1 * i - 0.4 * j)).requires_grad_()
//!     norm = torch.nn.BatchNorm1d(d, affine=False)
//!     c = norm(za).T @ norm(zb) / n
//!     diag = torch.diagonal(c)
//!     off = c.flatten()[:-1].view(d - 1, d + 1)[:, 1:] if d > 1 else torch.zeros(1)
//!     inv, red = (diag - 1).square().sum(), off.square().sum()
//!     (inv + 0.0051 * red).backward()
//!     short = lambda t: [float(f"{v:.12e}") for v in t.flatten().tolist()]
//!     return dict(n=n, d=d, invariance=inv.item(), redundancy_reduction=red.item(), diagonal_mean=diag.mean().item(),
//!                 diagonal_std=diag.std(unbiased=False).item(), gradient_a=short(za.grad), gradient_b=short(zb.grad))
//! cases = [case(n, d) for n, d in [(4, 3), (7, 5), (8, 16), (3, 33), (13, 11), (16, 1), (2, 5), (2, 33)]]
//! print("[\n" + ",\n".join(map(json.dumps, cases)) + "\n]")
//! ```

use serde::Deserialize;

/// One shape, inputs by [`formula_pair`](super::inputs::formula_pair), lambda 0.0051.
#[derive(Deserialize)]
pub struct Golden {
    pub n: usize,
    pub d: usize,
    pub invariance: f64,
    pub redundancy_reduction: f64,
    pub diagonal_mean: f64,
    pub diagonal_std: f64,
    pub gradient_a: Vec<f64>,
    pub gradient_b: Vec<f64>,
}

pub fn all() -> Vec<Golden> {
    serde_json::from_str(include_str!("../goldens/loss.json")).expect("the golden file has the format of its program")
}
