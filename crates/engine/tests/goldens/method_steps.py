"""Two training steps of a small network by each method in PyTorch, float64, for `tests/method_steps.rs`:

    python method_steps.py > method_steps.json        # torch 2.15

The losses are written as in the official codes. Weights, images and rates are formulas that the Rust test repeats.
"""
import json
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
N, FEATURES, HIDDEN, D, PREDICTOR, K = 8, 10, 12, 6, 7, 5
RATES, PEAK, MOMENTUM, DECAY = (0.05, 0.025), 0.05, 0.9, 0.01


def view(seed):
    k = torch.arange(N * 3 * 4 * 4).double()
    return torch.sin(0.013 * k * k + seed).reshape(N, 48)


def fill(module):
    for name, p in module.named_parameters():
        if is_norm(name):
            continue
        k = torch.arange(p.numel()).double()
        p.data = (0.3 * torch.sin(0.37 * k + 0.011 * k * k + sum(name.encode()) % 100)).reshape(p.shape)


def is_norm(name):
    return any(part in name for part in ("projector.1.", "projector.4.", "predictor.1."))


class Net(nn.Module):
    def __init__(self, projector, predictor=None, prototypes=False):
        super().__init__()
        self.backbone = nn.ModuleDict({"fc": nn.Linear(48, FEATURES)})
        self.projector = projector
        if predictor is not None:
            self.predictor = predictor
        if prototypes:
            self.prototypes = nn.ModuleList([nn.Linear(D, K, bias=False)])
        fill(self)

    def forward(self, x):
        return self.projector(torch.relu(self.backbone["fc"](x)))


def mlp(hidden_bias, last_bias, width=HIDDEN, inputs=FEATURES, last_norm=None):
    layers = [nn.Linear(inputs, width, bias=hidden_bias), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, D, bias=last_bias)]
    return nn.Sequential(*layers, *([last_norm] if last_norm is not None else []))


def simclr(net, x, tau=0.1):
    z = F.normalize(net(torch.cat(x)), dim=1)
    a, b = z.chunk(2)
    own = torch.eye(N) * 1e9
    aa, bb, ab = a @ a.T / tau - own, b @ b.T / tau - own, a @ b.T / tau
    pick = torch.arange(N)
    return F.cross_entropy(torch.cat([ab, aa], 1), pick) + F.cross_entropy(torch.cat([ab.T, bb], 1), pick)


def simsiam(net, x):
    z = [net(v) for v in x]
    p = [net.predictor(v) for v in z]
    cos = nn.CosineSimilarity(dim=1)
    return -(cos(p[0], z[1].detach()).mean() + cos(p[1], z[0].detach()).mean()) * 0.5


def byol(net, x, teacher):
    with torch.no_grad():
        t = [F.normalize(teacher(v), dim=1) for v in x]
    p = [F.normalize(net.predictor(net(v)), dim=1) for v in x]
    return ((p[0] - t[1]) ** 2).sum(1).mean() + ((p[1] - t[0]) ** 2).sum(1).mean()


def sinkhorn(scores, eps=0.05, rounds=3):
    q = torch.exp(scores / eps).T
    q = q / q.sum()
    for _ in range(rounds):
        q = q / q.sum(1, keepdim=True) / q.shape[0]
        q = q / q.sum(0, keepdim=True) / q.shape[1]
    return (q * q.shape[1]).T


def swav(net, x, tau=0.1):
    w = net.prototypes[0]
    w.weight.data = F.normalize(w.weight.data, dim=1)
    scores = w(F.normalize(net(torch.cat(x)), dim=1))
    s = scores.chunk(2)
    loss = 0.0
    for i in (0, 1):
        with torch.no_grad():
            q = sinkhorn(s[i])
        loss = loss - (q * F.log_softmax(s[1 - i] / tau, dim=1)).sum(1).mean()
    return loss / 2


class NoShift(nn.BatchNorm1d):
    """Batch norm with a scale and no shift."""

    def __init__(self, width):
        super().__init__(width)
        del self.bias
        self.register_buffer("bias", torch.zeros(width), persistent=False)


def train(name, net, loss, decay_all=False, constant=None, frozen=None, teacher=None):
    out = {"losses": []}
    x = [view(0.1), view(0.4)]
    mu = {}
    for step, rate in enumerate(RATES):
        net.zero_grad()
        value = loss(net, x, teacher) if teacher else loss(net, x)
        out["losses"].append(value.item())
        value.backward()
        for key, p in net.named_parameters():
            if frozen and key.startswith(frozen) and step < 1:
                continue
            decays = decay_all or (p.ndim > 1)
            g = p.grad + DECAY * p.data * decays
            mu[key] = MOMENTUM * mu[key] + g if key in mu else g
            p.data = p.data - (PEAK if constant and key.startswith(constant) else rate) * mu[key]
        if teacher:
            tau = 1 - (1 - 0.9) * (math.cos(math.pi * step / 10) + 1) / 2
            for own, online in zip(teacher.parameters(), [p for k, p in net.named_parameters() if not k.startswith("predictor.")]):
                own.data = own.data + (1 - tau) * (online.data - own.data)
    out["model"] = {k: v.flatten().tolist() for k, v in net.state_dict().items() if "num_batches" not in k}
    if teacher:
        out["teacher"] = {k: v.flatten().tolist() for k, v in teacher.state_dict().items() if "num_batches" not in k}
    return name, out


def main():
    results = [
        train("simclr", Net(mlp(False, False, last_norm=NoShift(D))), simclr),
        train(
            "simsiam",
            Net(mlp(False, False, last_norm=nn.BatchNorm1d(D, affine=False)), mlp(False, True, PREDICTOR, D)),
            simsiam,
            decay_all=True,
            constant="predictor.",
        ),
        train("swav", Net(mlp(True, True), prototypes=True), swav, decay_all=True, frozen="prototypes."),
    ]
    net, teacher = Net(mlp(True, False), mlp(True, False, PREDICTOR, D)), Net(mlp(True, False))
    results.append(train("byol", net, byol, teacher=teacher))
    rounded = json.loads(json.dumps(dict(results)), parse_float=lambda text: float(f"{float(text):.9g}"))
    print(json.dumps(rounded, separators=(",", ":")))


main()
