"""The loss as the official code computes it (batch norm without affine, C, sums of squares), forward and backward.

Usage: loss.py DEVICE REPEATS NxD [NxD..]
"""
import sys

import torch

from nets import barlow_twins
from timing import report

device, repeats = sys.argv[1], int(sys.argv[2])
for shape in sys.argv[3:]:
    n, d = map(int, shape.split("x"))
    for variant in ["f32", "tf32"] if device == "cuda" else ["f32"]:
        torch.backends.cuda.matmul.allow_tf32 = variant == "tf32"
        norm = torch.nn.BatchNorm1d(d, affine=False).to(device)
        z_a, z_b = (torch.randn(n, d, device=device, requires_grad=True) for _ in range(2))

        def once():
            barlow_twins(z_a, z_b, norm).backward()
            z_a.grad = z_b.grad = None

        report({"bench": "loss", "n": n, "d": d, "device": device, "variant": variant}, once, device, repeats)
        del z_a, z_b
        if device == "cuda":
            torch.cuda.empty_cache()
