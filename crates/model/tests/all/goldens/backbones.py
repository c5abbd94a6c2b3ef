"""Values of torchvision's ResNets and timm's ViTs on formula weights, for `backbones.rs`.

    pip install torch==2.15.0 torchvision==0.29.2 timm==1.0.31
    python backbones.py > backbones.txt

A line is a case, a key and values. Arithmetic is float64 on float32 weights and images.
"""

import math
import sys

import timm
import torch
import torchvision
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet


def formula(name, shape):
    n = math.prod(shape)
    key = sum(name.encode()) % 97
    wave = [math.sin(0.37 * i + 0.0113 * i * i + key) for i in range(n)]
    if name.endswith("running_var") or (len(shape) == 1 and name.endswith("weight")):
        values = [1 + 0.2 * w for w in wave]
    elif len(shape) == 1:
        values = [0.2 * w for w in wave]
    else:
        values = [w * 2 / math.sqrt(n / shape[0]) for w in wave]
    if name.endswith("bn3.weight"):  # small branches, as in a trained network: gradients of deep ones would be chaotic
        values = [v / 4 for v in values]
    return torch.tensor(values, dtype=torch.float64).float().reshape(shape)


def fill(m, fixed=()):
    state = m.state_dict()
    m.load_state_dict({k: formula(k, v.shape) if v.dim() and k not in fixed else v for k, v in state.items()})
    return m.double()


def images(*shape):
    i = torch.arange(math.prod(shape), dtype=torch.float64)
    return torch.sin(0.13 * i + 0.0017 * i * i).float().double().reshape(shape).requires_grad_()


def line(case, key, values):
    print(case, key, *(f"{v:.9g}" for v in values))


def pass_of(case, m, shape, gradients):
    """The first 32 features of each image in both modes, and of some gradients the norm and the first three values."""
    x = images(*shape)
    m.train()
    y = m(x)
    line(case, "train", y[:, :32].flatten().tolist())
    (y * torch.sin(torch.arange(y.numel(), dtype=torch.float64)).reshape(y.shape)).sum().backward()
    of = dict(m.named_parameters(), x=x)
    for name in gradients:
        g = of[name].grad
        line(case, "gradient:" + name, [g.norm().item(), *g.flatten()[:3].tolist()])
    m.eval()
    line(case, "eval", m(images(*shape))[:, :32].flatten().tolist())


def count(name, m):
    print(name, "parameters", sum(p.numel() for p in m.parameters()))


def resnet(block, blocks, width, stem_padding=None, groups=1, base_width=64):
    """torchvision's ResNet at another width; with a padding, with the CIFAR stem."""
    cifar = stem_padding is not None
    m = ResNet(block, [1, 1, 1, 1], groups=groups, width_per_group=base_width)
    m.inplanes = width
    m.fc = torch.nn.Identity()
    kernel, stride, padding = (3, 1, stem_padding) if cifar else (7, 2, 3)
    m.conv1 = torch.nn.Conv2d(3, width, kernel, stride, padding, bias=False)
    if cifar:
        m.maxpool = torch.nn.Identity()
    m.bn1 = torch.nn.BatchNorm2d(width)
    for i in range(4):
        setattr(m, f"layer{i+1}", m._make_layer(block, width << i, blocks[i], stride=1 if i == 0 else 2))
    return fill(m)


RESNETS = [
    "resnet18", "resnet34", "resnet50", "resnet101", "resnet152",
    "wide_resnet50_2", "wide_resnet101_2", "resnext50_32x4d",
]
for name in RESNETS:
    m = getattr(torchvision.models, name)()
    m.fc = torch.nn.Identity()
    count(name, m)

GRADIENTS = ["conv1.weight", "bn1.weight", "layer2.0.conv2.weight", "layer2.0.downsample.0.weight", "layer3.1.conv1.weight",
             "layer4.1.bn2.weight", "x"]
for name, m, shape in [
    ("resnet18-padding-2", resnet(BasicBlock, [2, 2, 2, 2], 4, stem_padding=2), (3, 3, 16, 18)),
    ("resnet34", resnet(BasicBlock, [3, 4, 6, 3], 4), (3, 3, 40, 36)),
    ("resnet101", resnet(Bottleneck, [3, 4, 23, 3], 4), (3, 3, 40, 36)),
    ("resnet152", resnet(Bottleneck, [3, 8, 36, 3], 4), (3, 3, 40, 36)),
    ("wide_resnet50_2", resnet(Bottleneck, [3, 4, 6, 3], 4, base_width=128), (3, 3, 40, 36)),
    ("wide_resnet101_2", resnet(Bottleneck, [3, 4, 23, 3], 4, base_width=128), (3, 3, 40, 36)),
    ("resnext50_32x4d", resnet(Bottleneck, [3, 4, 6, 3], 16, groups=32, base_width=4), (2, 3, 40, 36)),
    ("resnext50_32x4d-cifar", resnet(Bottleneck, [3, 4, 6, 3], 32, stem_padding=1, groups=32, base_width=4), (2, 3, 12, 10)),
]:
    pass_of(name, m, shape, GRADIENTS)


def vit(pool="token", sincos=False, width=24, depth=3, heads=3, patch=4, pixels=12):
    """timm's ViT of another size; with MoCo v3's fixed positions."""
    token = pool == "token"
    m = timm.models.VisionTransformer(img_size=pixels, patch_size=patch, embed_dim=width, depth=depth, num_heads=heads,
                                      num_classes=0, global_pool=pool, class_token=token, fc_norm=False)
    if sincos:
        # https://github.com/facebookresearch/moco-v3/blob/main/vits.py, build_2d_sincos_position_embedding
        h, w = m.patch_embed.grid_size
        grid_w, grid_h = torch.meshgrid(torch.arange(w, dtype=torch.float32), torch.arange(h, dtype=torch.float32), indexing="ij")
        omega = 1.0 / 10000.0 ** (torch.arange(width // 4, dtype=torch.float32) / (width // 4))
        out_w = torch.einsum("m,d->md", [grid_w.flatten(), omega])
        out_h = torch.einsum("m,d->md", [grid_h.flatten(), omega])
        position = torch.cat([torch.sin(out_w), torch.cos(out_w), torch.sin(out_h), torch.cos(out_h)], dim=1)[None]
        zeros = torch.zeros([1, int(token), width])
        m.pos_embed = torch.nn.Parameter(torch.cat([zeros, position], dim=1), requires_grad=False)
        return fill(m, fixed=["pos_embed"])
    return fill(m)


for name in ["vit_tiny_patch16_224", "vit_small_patch16_224", "vit_base_patch16_224"]:
    count(name, timm.create_model(name, num_classes=0))
count("vit_tiny_patch8-mean", timm.create_model("vit_tiny_patch16_224", num_classes=0, patch_size=8, img_size=64, global_pool="avg",
                                                class_token=False, fc_norm=False))
for key in timm.create_model("vit_tiny_patch16_224", num_classes=0, depth=1).state_dict():
    print("vit-names", key)

GRADIENTS = ["patch_embed.proj.weight", "blocks.0.norm1.weight", "blocks.0.attn.qkv.weight", "blocks.1.attn.qkv.bias",
             "blocks.1.attn.proj.weight", "blocks.2.mlp.fc1.weight", "blocks.2.mlp.fc2.bias", "norm.bias", "x"]
pass_of("vit-class-token", vit(), (3, 3, 12, 12), GRADIENTS + ["pos_embed", "cls_token"])
pass_of("vit-mean", vit(pool="avg"), (2, 3, 12, 12), GRADIENTS + ["pos_embed"])
pass_of("vit-sin-cos", vit(sincos=True), (2, 3, 12, 12), GRADIENTS + ["cls_token"])
sys.stdout.flush()
