"""The device's rates: copies in GB/s, products of matrices in TFLOP/s. Usage: rates.py DEVICE SIDE"""
import json
import sys
import time

import torch

from timing import synchronize

device, side = sys.argv[1], int(sys.argv[2])
name = torch.cuda.get_device_name() if device == "cuda" else "cpu"
print(json.dumps({"rate": "device", "device": name, "version": torch.__version__, "cuda": torch.version.cuda}), flush=True)


def rate(work, amount):
    """Amount a second, the best of three rounds of at least a fifth of a second."""
    work()
    best = 0
    for _ in range(3):
        synchronize(device)
        start, done = time.perf_counter(), 0
        while done < 5 or time.perf_counter() - start < 0.2:
            for _ in range(5):
                work()
            done += 5
            synchronize(device)
        best = max(best, amount * done / (time.perf_counter() - start))
    return best


source = torch.randn(8 * side * side, device=device)
target = torch.empty_like(source)
print(json.dumps({"rate": "copy", "gb_per_s": rate(lambda: target.copy_(source), 2 * source.nbytes) / 1e9}), flush=True)
del source, target
for kind, dtype, tf32 in [("f32", torch.float32, False), ("tf32", torch.float32, True), ("bf16", torch.bfloat16, False)]:
    if kind == "tf32" and device != "cuda":
        continue
    torch.backends.cuda.matmul.allow_tf32 = tf32
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    out = torch.empty_like(a)
    print(json.dumps({"rate": kind, "tflop_per_s": rate(lambda: torch.mm(a, b, out=out), 2 * side**3) / 1e12}), flush=True)
