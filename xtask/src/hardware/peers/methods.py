"""A training step of each method without the optimiser, as `train bench step --method` times it: views forward, the loss, backward, a
teacher's forward passes and update. Two views, heads in proportion to D, losses written as in the official codes.

Usage: methods.py DEVICE NET N WIDTH PIXELS D METHOD[,METHOD..]|all REPEATS
"""
import copy
import sys

import torch
import torch.nn.functional as F
from torch import nn

from nets import backbone, barlow_twins, projector
from timing import report

QUEUE, WHITENED, CLASSES = 4096, 32, 10
PREDICTED = {"byol": (1, 1, 0), "simsiam": (4, 0, 1), "moco-v3": (1, 0, 0)}
WITH_TEACHER = ("byol", "dino", "moco-v2", "moco-v3")


def mlp(sizes, bias, norm=True, activation=nn.ReLU, last_bias=False, last_norm=None):
    """Linear layers; all but the last with batch norm and activation."""
    layers = []
    for entering, leaving in zip(sizes[:-2], sizes[1:-1]):
        layers += [nn.Linear(entering, leaving, bias=bias), *([nn.BatchNorm1d(leaving)] if norm else []), activation()]
    layers += [nn.Linear(sizes[-2], sizes[-1], bias=last_bias), *([last_norm] if last_norm is not None else [])]
    return nn.Sequential(*layers)


def head(name, features, d):
    sizes = [features, d, d, d]
    if name == "simclr":
        norm = nn.BatchNorm1d(d)
        norm.bias.requires_grad = False
        return mlp(sizes, False, last_norm=norm)
    if name in ("simsiam", "moco-v3"):
        return mlp(sizes, False, last_norm=nn.BatchNorm1d(d, affine=False))
    if name == "byol":
        return mlp(sizes, True)
    if name == "vicreg":
        return mlp(sizes, True)
    if name in ("swav", "sela"):
        return mlp(sizes, True, last_bias=True)
    if name == "moco-v2":
        return mlp(sizes, True, norm=False, last_bias=True)
    if name == "dino":
        return mlp(sizes, True, norm=False, activation=nn.GELU, last_bias=True)
    if name == "w-mse":
        return mlp([features, d, d, WHITENED], True, last_bias=True)
    if name == "supervised":
        return nn.Linear(features, CLASSES)
    return projector(features, d)


def off_diagonal(matrix):
    return matrix - torch.diag(torch.diagonal(matrix))


def standardised(z):
    return (z - z.mean(0)) / z.std(0)


def nt_xent(a, b, tau=0.1):
    a, b = F.normalize(a), F.normalize(b)
    n, labels = len(a), torch.arange(len(a), device=a.device)
    own = torch.eye(n, device=a.device) * 1e9
    aa, bb, ab = a @ a.T / tau - own, b @ b.T / tau - own, a @ b.T / tau
    return F.cross_entropy(torch.cat([ab, aa], 1), labels) + F.cross_entropy(torch.cat([ab.T, bb], 1), labels)


def vicreg(a, b):
    n, d = a.shape
    hinge = lambda z: F.relu(1 - (z.var(0) + 1e-4).sqrt()).mean() / 2
    def covariance(z):
        z = z - z.mean(0)
        return off_diagonal(z.T @ z / (n - 1)).square().sum() / d
    return 25 * F.mse_loss(a, b) + 25 * (hinge(a) + hinge(b)) + covariance(a) + covariance(b)


def hsic(a, b):
    a, b = (standardised(F.normalize(z)) for z in (a, b))
    n, d = a.shape
    c = a.T @ b / n
    return (torch.diagonal(c) - 1).square().sum() + off_diagonal(c + 1).square().sum() / d


def mix_bt(a, b, m, order, weight=0.3, off=1 / 128, regulariser=4.0):
    a, b, m = (standardised(F.normalize(z)) for z in (a, b, m))
    n, other = len(a), b[order]
    c = a.T @ b / n
    loss = (torch.diagonal(c) - 1).square().sum() + off * off_diagonal(c).square().sum()
    one = m.T @ a - weight * a.T @ a - (1 - weight) * other.T @ a
    two = m.T @ b - weight * a.T @ b - (1 - weight) * other.T @ b
    return loss + regulariser * off * (one.square().sum() + two.square().sum()) / n**2


def whiten(z):
    z = z - z.mean(0)
    factor = torch.linalg.cholesky(z.T @ z / (len(z) - 1))
    return torch.linalg.solve_triangular(factor, z.T, upper=False).T


def w_mse(a, b):
    loss, parts = 0, len(a) // (2 * WHITENED)
    order = torch.randperm(len(a), device=a.device)
    for rows in order.chunk(parts):
        loss = loss + 2 - 2 * F.cosine_similarity(whiten(a[rows]), whiten(b[rows])).mean()
    return loss / parts


def sinkhorn(scores, epsilon=0.05, rounds=3):
    q = torch.exp(scores / epsilon).T
    q = q / q.sum()
    for _ in range(rounds):
        q = q / q.sum(1, keepdim=True) / q.shape[0]
        q = q / q.sum(0, keepdim=True) / q.shape[1]
    return (q * q.shape[1]).T


def soft(q, scores, tau):
    return -(q * F.log_softmax(scores / tau, 1)).sum(1).mean()


class Step:
    """One method with its network, and `once`, the work that is timed."""

    def __init__(self, name, device, net, n, width, pixels, d):
        torch.manual_seed(0)
        self.name, self.n = name, n
        encoder, features = backbone(net, width)
        place = lambda module: module.to(device, memory_format=torch.channels_last)
        parts = {"backbone": encoder, "projector": head(name, features, d)}
        if name in PREDICTED:
            part, bias, last = PREDICTED[name]
            parts["predictor"] = mlp([d, max(d // part, 1), d], bool(bias), last_bias=bool(last))
        if name in ("swav", "dino"):
            parts["prototypes"] = nn.Linear(d, d if name == "swav" else 2 * d, bias=False)
        self.model = place(nn.ModuleDict(parts))
        if name in WITH_TEACHER:
            self.teacher = copy.deepcopy(self.model)
            self.teacher.requires_grad_(False)
        count = {"sela": 1, "supervised": 1, "mix-bt": 3}.get(name, 2)
        self.views = [place(torch.randn(n, 3, pixels, pixels)) for _ in range(count)]
        self.norm = nn.BatchNorm1d(d, affine=False).to(device)
        self.labels = torch.arange(n, device=device) % (CLASSES if name == "supervised" else d)
        self.order = torch.randperm(n, device=device)
        self.queue = F.normalize(torch.randn(QUEUE, d, device=device))
        self.centre = torch.zeros(1, 2 * d, device=device)

    def embed(self, model, view):
        return model["projector"](model["backbone"](view))

    @torch.no_grad()
    def follow(self):
        for old, new in zip(self.teacher.parameters(), self.model.parameters()):
            old.mul_(0.99).add_(new, alpha=0.01)

    def loss(self):
        name, views = self.name, self.views
        if name in ("moco-v2", "moco-v3"):
            self.follow()
        if name in WITH_TEACHER:
            with torch.no_grad():
                seen = views[1:] if name == "moco-v2" else views
                keys = [self.embed(self.teacher, view) for view in seen]
        if name == "simclr":
            return nt_xent(*self.embed(self.model, torch.cat(views)).chunk(2))
        if name in ("swav", "dino"):
            # One pass for both views, which have one size.
            z = [F.normalize(part) for part in self.embed(self.model, torch.cat(views)).chunk(2)]
        elif name == "moco-v2":
            z = [self.embed(self.model, views[0])]
        elif name == "w-mse":
            # The head takes both views at once.
            h = torch.cat([self.model["backbone"](view) for view in views])
            z = self.model["projector"](h).chunk(2)
        else:
            z = [self.embed(self.model, view) for view in views]
        if name == "barlow-twins":
            return barlow_twins(*z, self.norm)
        if name in ("supervised", "sela"):
            return F.cross_entropy(z[0], self.labels)
        if name == "mix-bt":
            return mix_bt(*z, self.order)
        if name in ("vicreg", "hsic", "w-mse"):
            return {"vicreg": vicreg, "hsic": hsic, "w-mse": w_mse}[name](*z)
        if name in PREDICTED:
            p = [self.model["predictor"](part) for part in z]
            if name == "simsiam":
                return -(F.cosine_similarity(p[0], z[1].detach()) + F.cosine_similarity(p[1], z[0].detach())).mean() / 2
            if name == "byol":
                return (4 - 2 * F.cosine_similarity(p[0], keys[1]) - 2 * F.cosine_similarity(p[1], keys[0])).mean()
            own = torch.arange(self.n, device=p[0].device)
            return sum(2 * F.cross_entropy(F.normalize(q) @ F.normalize(k).T, own) for q, k in zip(p, keys[::-1]))
        if name == "moco-v2":
            q, k = F.normalize(z[0]), F.normalize(keys[0])
            logits = torch.cat([(q * k).sum(1, keepdim=True), q @ self.queue.T], 1) / 0.2
            self.queue = torch.cat([self.queue[len(k):], k])
            return F.cross_entropy(logits, torch.zeros(self.n, dtype=torch.long, device=q.device))
        weight = self.model["prototypes"].weight
        if name == "swav":
            with torch.no_grad():
                weight.copy_(F.normalize(weight))
            scores = [part @ weight.T for part in z]
            codes = [sinkhorn(part.detach()) for part in scores]
            return (soft(codes[0], scores[1], 0.1) + soft(codes[1], scores[0], 0.1)) / 2
        scores = [part @ F.normalize(weight).T for part in z]
        with torch.no_grad():
            fixed = F.normalize(self.teacher["prototypes"].weight)
            targets = [F.normalize(key) @ fixed.T for key in keys]
            codes = [F.softmax((target - self.centre) / 0.04, 1) for target in targets]
            self.centre = 0.9 * self.centre + 0.1 * torch.cat(targets).mean(0, keepdim=True)
        return (soft(codes[0], scores[1], 0.1) + soft(codes[1], scores[0], 0.1)) / 2

    def once(self):
        self.loss().backward()
        self.model.zero_grad()
        if self.name in ("byol", "dino"):
            self.follow()


METHODS = ("barlow-twins", "byol", "dino", "hsic", "mix-bt", "moco-v2", "moco-v3", "sela", "simclr", "simsiam", "supervised", "swav",
           "vicreg", "w-mse")

if __name__ == "__main__":
    device, net = sys.argv[1:3]
    n, width, pixels, d = map(int, sys.argv[3:7])
    names, repeats = METHODS if sys.argv[7] == "all" else sys.argv[7].split(","), int(sys.argv[8])
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    for name in names:
        step = Step(name, device, net, n, width, pixels, d)
        fields = {"bench": "step", "method": name, "net": net, "n": n, "width": width, "pixels": pixels, "d": d}
        report({**fields, "device": device, "variant": "f32"}, step.once, device, repeats)
        del step
        if device == "cuda":
            torch.cuda.empty_cache()
