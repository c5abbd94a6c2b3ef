"""One training step of a tiny Mask R-CNN C4 in torch, for `../step.rs`: the losses, and norms and first values of gradients.

    python step.py > step.json      # torch, torchvision, pycocotools, numpy; seconds
    python step.py --single         # how far torch's own single precision is from that, relative to the norm of a parameter's gradient

Double precision on single-precision weights. No draw: all anchors and proposals fit into the samples. detectron2's definitions are written
out, so that it need not be installed.
"""
import json
import math
import sys

import numpy as np
import torch
import torch.nn.functional as F
from pycocotools import mask as coco
from torchvision.ops import box_iou, nms, roi_align

WIDTH, CLASSES, SIZES, RATIOS = 8, 3, (16, 32), (0.5, 1, 2)
IMAGE_SIZES = [(64, 96), (60, 80)]
BOXES = [[[8.0, 6.0, 44.0, 40.0], [50.0, 20.0, 90.0, 60.0], [30.0, 34.0, 58.0, 62.0]], [[10.5, 12.25, 60.0, 52.0], [38.0, 4.0, 76.0, 30.0]]]
LABELS = [[0, 2, 1], [1, 0]]
POLYGONS = [[[[8, 6, 44, 6, 44, 40, 8, 40]], [[50, 60, 70, 20, 90, 60]], [[30, 34, 42, 34, 42, 62, 30, 62], [46, 40, 58, 40, 58, 60]]],
            [[[10.5, 30, 36, 12.25, 60, 33, 30, 52]], [[38, 4, 76, 8, 70, 30, 44, 26]]]]


def formula(name, shape):
    n, key = math.prod(shape), sum(name.encode()) % 97
    wave = [math.sin(0.37 * i + 0.0113 * i * i + key) for i in range(n)]
    if name.endswith("running_var") or (len(shape) == 1 and name.endswith("weight")):
        values = [1 + 0.2 * w for w in wave]
    elif len(shape) == 1:
        values = [0.2 * w for w in wave]
    else:
        values = [w * 2 / math.sqrt(n / shape[0]) for w in wave]
    # Small offsets, so that proposals stay near their anchors and several train each object.
    factor = 0.1 if "anchor_deltas" in name else 1
    return (factor * torch.tensor(values, dtype=torch.float64)).float().to(torch.get_default_dtype()).reshape(shape)


P = {}


def parameter(name, *shape):
    if name not in P:
        P[name] = formula(name, shape).requires_grad_()
    return P[name]


def apart(values, threshold):
    """No overlap so near a threshold that rounding decides."""
    assert ((values - threshold).abs() > 1e-4).all(), values


def norm(x, name):
    c = x.shape[1]
    return F.batch_norm(x, None, None, parameter(name + ".weight", c), parameter(name + ".bias", c), True)


def conv(x, name, to, kernel, stride=1):
    return F.conv2d(x, parameter(name + ".weight", to, x.shape[1], kernel, kernel), None, stride, kernel // 2)


def stage(x, number):
    channels = WIDTH << (number - 1)
    for block in range(2):
        name = f"backbone.layer{number}.{block}"
        stride = 2 if number > 1 and block == 0 else 1
        shortcut = x
        if stride == 2:
            shortcut = norm(conv(x, name + ".downsample.0", channels, 1, 2), name + ".downsample.1")
        y = norm(conv(x, name + ".conv1", channels, 3, stride), name + ".bn1").relu()
        x = (norm(conv(y, name + ".conv2", channels, 3), name + ".bn2") + shortcut).relu()
    return x


def biased(x, name, to, kernel):
    return conv(x, name, to, kernel) + parameter(name + ".bias", to)[:, None, None]


def encode(source, target, weights):
    w, h = source[:, 2] - source[:, 0], source[:, 3] - source[:, 1]
    tw, th = target[:, 2] - target[:, 0], target[:, 3] - target[:, 1]
    d = [(target[:, 0] + tw / 2 - source[:, 0] - w / 2) / w, (target[:, 1] + th / 2 - source[:, 1] - h / 2) / h, (tw / w).log(), (th / h).log()]
    return torch.stack(d, 1) * torch.tensor(weights)


def decode(d, source):
    w, h = source[:, 2] - source[:, 0], source[:, 3] - source[:, 1]
    x, y = d[:, 0] * w + source[:, 0] + w / 2, d[:, 1] * h + source[:, 1] + h / 2
    w, h = d[:, 2].clamp(max=math.log(1000 / 16)).exp() * w, d[:, 3].clamp(max=math.log(1000 / 16)).exp() * h
    return torch.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], 1)


def step(dtype):
    torch.set_default_dtype(dtype)
    P.clear()
    i = torch.arange(2 * 3 * 64 * 96, dtype=torch.float64)
    images = torch.sin(0.13 * i + 0.0017 * i * i).float().to(dtype).reshape(2, 3, 64, 96)
    x = F.max_pool2d(norm(F.conv2d(images, parameter("backbone.conv1.weight", WIDTH, 3, 7, 7), None, 2, 3), "backbone.bn1").relu(), 3, 2, 1)
    for number in (1, 2, 3):
        x = stage(x, number)
    features = x
    t = biased(features, "rpn_head.conv", features.shape[1], 3).relu()
    a = len(SIZES) * len(RATIOS)
    logits = biased(t, "rpn_head.objectness_logits", a, 1).permute(0, 2, 3, 1).reshape(2, -1)
    deltas = biased(t, "rpn_head.anchor_deltas", 4 * a, 1).permute(0, 2, 3, 1).reshape(2, -1, 4)
    h, w = features.shape[2:]
    cells = torch.tensor([(-s / math.sqrt(r) / 2, -s * math.sqrt(r) / 2, s / math.sqrt(r) / 2, s * math.sqrt(r) / 2) for s in SIZES for r in RATIOS])
    at = torch.tensor([[16.0 * k, 16.0 * y, 16.0 * k, 16.0 * y] for y in range(h) for k in range(w)])
    anchors = (at[:, None] + cells).reshape(-1, 4).float().to(dtype)
    rpn_cls = rpn_loc = 0
    rows, picked = [], []
    for n, size in enumerate(IMAGE_SIZES):
        truth = torch.tensor(BOXES[n])
        iou = box_iou(truth, anchors)
        best, match = iou.max(0)
        apart(best, 0.7), apart(best, 0.3)
        label = torch.where(best >= 0.7, 1, torch.where(best >= 0.3, -1, 0))
        label[(iou == iou.max(1, keepdim=True).values).any(0)] = 1
        assert (label >= 0).sum() <= 256 and (label == 1).sum() <= 128
        rpn_cls = rpn_cls + F.binary_cross_entropy_with_logits(logits[n][label >= 0], label[label >= 0].to(dtype), reduction="sum") / 512
        rpn_loc = rpn_loc + (deltas[n] - encode(anchors, truth[match], [1.0, 1, 1, 1]))[label == 1].abs().sum() / 512
        with torch.no_grad():
            order = logits[n].argsort(descending=True, stable=True)
            boxes = decode(deltas[n][order], anchors[order])
            boxes = torch.stack([boxes[:, k].clamp(0, size[1 - k % 2]) for k in range(4)], 1).float().to(dtype)
            fine = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
            boxes, scores = boxes[fine], logits[n][order][fine]
            apart(box_iou(boxes, boxes), 0.7)
            boxes = torch.cat([boxes[nms(boxes, scores, 0.7)[:50]], truth])
            iou, match = box_iou(truth, boxes).max(0)
            apart(iou, 0.5)
            foreground = iou >= 0.5
            assert foreground.sum() <= 128
            rows.append(torch.cat([torch.full((len(boxes), 1), float(n)), boxes], 1))
            picked += [(int(m), n) if f else None for m, f in zip(match, foreground)]
    rows = torch.cat(rows)
    maps = norm(stage(roi_align(features, rows, 14, 1 / 16, 0, True), 4), "norm")
    pooled = maps.mean((2, 3))
    f = pooled.shape[1]
    scores = pooled @ parameter("box_predictor.cls_score.weight", CLASSES + 1, f).T + parameter("box_predictor.cls_score.bias", CLASSES + 1)
    offsets = pooled @ parameter("box_predictor.bbox_pred.weight", 4 * CLASSES, f).T + parameter("box_predictor.bbox_pred.bias", 4 * CLASSES)
    y = torch.tensor([LABELS[p[1]][p[0]] if p else CLASSES for p in picked])
    cls = F.cross_entropy(scores, y)
    fg = (y < CLASSES).nonzero()[:, 0]
    truth = torch.tensor([BOXES[picked[k][1]][picked[k][0]] for k in fg])
    reg = (offsets.reshape(-1, CLASSES, 4)[fg, y[fg]] - encode(rows[fg, 1:], truth, [10.0, 10, 5, 5])).abs().sum() / len(rows)
    hidden = 5
    m = F.conv_transpose2d(maps[fg], parameter("mask_head.deconv.weight", f, hidden, 2, 2), parameter("mask_head.deconv.bias", hidden), 2).relu()
    m = biased(m, "mask_head.predictor", CLASSES, 1)[torch.arange(len(fg)), y[fg]]
    wanted = []
    for k in fg:
        object, n = picked[k]
        x1, y1, x2, y2 = rows[k, 1:].tolist()
        polygons = [[(v - (y1 if q % 2 else x1)) * 14 / ((y2 - y1) if q % 2 else (x2 - x1)) for q, v in enumerate(p)] for p in POLYGONS[n][object]]
        wanted.append(coco.decode(coco.merge(coco.frPyObjects(polygons, 14, 14))))
    mask = F.binary_cross_entropy_with_logits(m, torch.tensor(np.stack(wanted)).to(dtype))
    losses = [rpn_cls, rpn_loc, cls, reg, mask]
    sum(losses).backward()
    return losses, features, len(rows), len(fg), {k: p.grad for k, p in sorted(P.items())}


def main():
    losses, features, regions, foreground, gradients = step(torch.float64)
    if "--single" in sys.argv:
        single, *_, found = step(torch.float32)
        print("losses", [f"{abs(a.item() / b.item() - 1):.1e}" for a, b in zip(single, losses)])
        apart = {k: ((found[k].double() - g).abs().max() / g.norm()).item() for k, g in gradients.items()}
        for k in sorted(apart, key=apart.get)[-8:]:
            print(f"{apart[k]:.2e} {k}")
        return
    print(json.dumps({
        "losses": [v.item() for v in losses], "regions": regions, "foreground": foreground,
        "features": [features.sum().item(), features.square().sum().item()],
        "gradients": {k: [g.norm().item(), *g.flatten()[:3].tolist()] for k, g in gradients.items()}}))


main()
