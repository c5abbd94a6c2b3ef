"""A training step without the optimiser: both views forward, the loss, backward.

Usage: step.py DEVICE NET N WIDTH PIXELS D VARIANT[,VARIANT..] REPEATS
Variants: f32, tf32, bf16 (autocast), each also with -compiled. Memory is laid out channels last.
"""
import contextlib
import sys

import torch
from torch import nn

from nets import backbone, barlow_twins, projector
from timing import report

device, net = sys.argv[1:3]
n, width, pixels, d = map(int, sys.argv[3:7])
variants, repeats = sys.argv[7].split(","), int(sys.argv[8])
torch.backends.cudnn.benchmark = True

for variant in variants:
    precision, _, compiled = variant.partition("-")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
    torch.manual_seed(0)
    encoder, features = backbone(net, width)
    model = nn.Sequential(encoder, projector(features, d)).to(device, memory_format=torch.channels_last)
    norm = nn.BatchNorm1d(d, affine=False).to(device)
    views = [torch.randn(n, 3, pixels, pixels, device=device).to(memory_format=torch.channels_last) for _ in range(2)]
    forward = torch.compile(model) if compiled else model

    def once():
        cast = torch.autocast(device, torch.bfloat16) if precision == "bf16" else contextlib.nullcontext()
        with cast:
            z_a, z_b = forward(views[0]), forward(views[1])
        barlow_twins(z_a.float(), z_b.float(), norm).backward()
        model.zero_grad()

    report({"bench": "step", "net": net, "n": n, "width": width, "pixels": pixels, "d": d, "device": device, "variant": variant},
           once, device, repeats)
    del model, forward, views
    if device == "cuda":
        torch.cuda.empty_cache()
