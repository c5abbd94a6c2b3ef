"""The networks and the loss of the steps that are compared, in plain PyTorch."""
import torch
from torch import nn


class Block(nn.Module):
    """A basic block (expansion 1) or a bottleneck (4), as in torchvision."""

    def __init__(self, entering, inside, stride, expansion):
        super().__init__()
        leaving = inside * expansion
        convs = [(entering, inside, 3, stride), (inside, inside, 3, 1)]
        if expansion == 4:
            convs = [(entering, inside, 1, 1), (inside, inside, 3, stride), (inside, leaving, 1, 1)]
        layers = []
        for i, o, kernel, step in convs:
            layers += [nn.Conv2d(i, o, kernel, step, kernel // 2, bias=False), nn.BatchNorm2d(o), nn.ReLU(inplace=True)]
        self.body = nn.Sequential(*layers[:-1])
        self.shortcut = nn.Identity()
        if stride > 1 or entering != leaving:
            self.shortcut = nn.Sequential(nn.Conv2d(entering, leaving, 1, stride, bias=False), nn.BatchNorm2d(leaving))

    def forward(self, x):
        return torch.relu(self.body(x) + self.shortcut(x))


def backbone(net, width):
    """The network and the width of its representations."""
    if net == "resnet50":
        blocks, expansion = (3, 4, 6, 3), 4
        layers = [nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)]
    else:
        blocks, expansion = (2, 2, 2, 2), 1
        layers = [nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
    entering = width
    for stage, count in enumerate(blocks):
        for block in range(count):
            inside = width << stage
            layers.append(Block(entering, inside, 2 if stage and not block else 1, expansion))
            entering = inside * expansion
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten()), entering


def projector(features, d):
    return nn.Sequential(
        nn.Linear(features, d, bias=False), nn.BatchNorm1d(d), nn.ReLU(inplace=True),
        nn.Linear(d, d, bias=False), nn.BatchNorm1d(d), nn.ReLU(inplace=True), nn.Linear(d, d, bias=False))


def barlow_twins(z_a, z_b, norm, weight=0.0051):
    c = norm(z_a).T @ norm(z_b) / len(z_a)
    diagonal = torch.diagonal(c)
    return (diagonal - 1).square().sum() + weight * (c.square().sum() - diagonal.square().sum())
