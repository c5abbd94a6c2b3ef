"""Imports networks of other programs with the `train` binary, embeds images, exports to every format, and compares with torch, timm and
onnxruntime. Not part of the tests: it needs torch, torchvision, timm, lightly, safetensors, Pillow, onnx and onnxruntime.

    cargo build --release -p train
    python crates/weights/tests/roundtrip.py target/release/train [--only TEXT] [--keep FOLDER]

Each network has random weights and random statistics in its norms. Weights must come back equal bit for bit; features may differ by 1e-4 of
the largest (another order of sums). Prints one line for each comparison, and fails at the first that is wrong.
"""

import argparse
import csv
import os
import pickle
import subprocess
import tempfile

import numpy
import onnx
import onnxruntime
import timm
import torch
import torchvision
from lightly.models.modules.heads import BarlowTwinsProjectionHead
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn

MEAN = torch.tensor([0.485, 0.456, 0.406])
STD = torch.tensor([0.229, 0.224, 0.225])
IMAGES = 4
BOUND = 1e-4


def fill(module):
    """Statistics and scales as after a training, not zeros and ones."""
    with torch.no_grad():
        for name, value in list(module.named_parameters()) + list(module.named_buffers()):
            if name.endswith("num_batches_tracked"):
                value.fill_(7)
            elif name.endswith("running_var"):
                value.uniform_(0.5, 2)
            elif value.dim() == 1 and name.endswith("weight"):
                value.uniform_(0.5, 1.5)
            elif value.dim() == 1:
                value.normal_(0, 0.2)
    return module.eval()


def without_classifier(network):
    network.fc = nn.Identity()
    return fill(network)


def official_projector(inputs, widths, bias=False):
    layers = []
    for width in widths[:-1]:
        layers += [nn.Linear(inputs, width, bias=bias), nn.BatchNorm1d(width), nn.ReLU()]
        inputs = width
    return fill(nn.Sequential(*layers, nn.Linear(inputs, widths[-1], bias=bias)))


def under(prefix, tensors):
    return {f"{prefix}{key}": value for key, value in tensors.items()}


class Case:
    """A network in another program's file: its backbone, its projector or None, and the side of its images."""

    def __init__(self, name, backbone, tensors, projector=None, pixels=224, timm_name=True, detectron2=True, dropped_bias=None):
        self.name, self.backbone, self.tensors, self.projector, self.pixels = name, backbone, tensors, projector, pixels
        self.has_timm, self.has_detectron2, self.dropped_bias = timm_name, detectron2, dropped_bias

    def save(self, folder):
        file = os.path.join(folder, self.name)
        if self.name.endswith(".safetensors"):
            save_file({key: value.contiguous() for key, value in self.tensors.items()}, file)
        else:
            torch.save(self.tensors, file)
        return file


def cases():
    for name in ["resnet18", "resnet50", "resnet101", "wide_resnet50_2", "resnext50_32x4d"]:
        network = getattr(torchvision.models, name)()
        classifier = under("fc.", network.fc.state_dict())
        network = without_classifier(network)
        yield Case(f"torchvision-{name}.pth", network, network.state_dict() | classifier)

    network = timm.create_model("resnet34", num_classes=0)
    yield Case("timm-resnet34.safetensors", network, fill(network).state_dict())

    network = without_classifier(torchvision.models.resnet50())
    head = official_projector(2048, [512, 512, 256])
    model = under("module.backbone.", network.state_dict()) | under("module.projector.", head.state_dict())
    model |= under("module.bn.", nn.BatchNorm1d(256, affine=False).state_dict())
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9).state_dict()
    yield Case("official-checkpoint.pth", network, {"epoch": 3, "model": model, "optimizer": optimizer}, head)

    # solo-learn's network for small images: 3 x 3 stem with padding 2, no pooling; biases in the projector; channels_last.
    network = torchvision.models.resnet18()
    network.conv1 = nn.Conv2d(3, 64, 3, 1, 2, bias=False)
    network.maxpool = nn.Identity()
    network = without_classifier(network).to(memory_format=torch.channels_last)
    head = official_projector(512, [256, 256, 128], bias=True)
    tensors = under("backbone.", network.state_dict()) | under("projector.", head.state_dict())
    tensors |= under("classifier.", nn.Linear(512, 10).state_dict())
    saved = {"epoch": 1, "state_dict": tensors}
    yield Case("solo-cifar.ckpt", network, saved, head, 32, False, False, head[6].bias)

    network = without_classifier(torchvision.models.resnet18())
    head = fill(BarlowTwinsProjectionHead(512, 256, 128))
    tensors = under("backbone.", network.state_dict()) | under("projection_head.", head.state_dict())
    yield Case("lightly.ckpt", network, {"state_dict": tensors}, head, dropped_bias=head.layers[6].bias)

    # lightly's examples: an nn.Sequential of the children.
    sequential = nn.Sequential(*list(network.children())[:-1])
    yield Case("lightly-sequential.pth", network, under("backbone.", sequential.state_dict()))

    network = fill(timm.create_model("vit_small_patch16_224", num_classes=0))
    yield Case("timm-vit-small.safetensors", network, network.state_dict(), detectron2=False)


def write_images(folder, pixels):
    """Images whose shorter side needs no resize before the centre crop; what the network sees of them."""
    side = pixels if pixels == 32 else pixels * 8 // 7
    numbers = numpy.random.default_rng(0)
    seen = []
    for index in range(IMAGES):
        coarse = numbers.integers(0, 256, (8, 8, 3), dtype=numpy.uint8)
        image = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)
        image.save(os.path.join(folder, f"{index:02}.png"))
        values = torch.from_numpy(numpy.array(image)).permute(2, 0, 1) / 255
        seen.append((torchvision.transforms.functional.center_crop(values, pixels) - MEAN[:, None, None]) / STD[:, None, None])
    return torch.stack(seen)


class Train:
    """The program."""

    def __init__(self, program):
        self.program = program

    def __call__(self, *arguments):
        done = subprocess.run([self.program, *arguments], capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"train {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def fails(self, *arguments):
        """The lines of a command that must fail."""
        done = subprocess.run([self.program, *arguments], capture_output=True, text=True)
        assert done.returncode != 0, f"train {' '.join(arguments)} does not fail"
        return [line for line in done.stderr.splitlines() if line.strip()]

    def embed(self, run, data, out, layer="representation"):
        self("embed", "--from", run, "--data", data, "--out", out, "--layer", layer)
        rows = numpy.load(out)
        with open(os.path.splitext(out)[0] + ".csv", newline="") as table:
            names = [os.path.basename(row["path"]) for row in csv.DictReader(table)]
        assert sorted(names) == [f"{index:02}.png" for index in range(IMAGES)], names
        return rows[numpy.argsort(names)]


def close(what, found, expected):
    found, expected = numpy.asarray(found), numpy.asarray(expected.detach() if isinstance(expected, torch.Tensor) else expected)
    assert found.shape == expected.shape, f"{what}: {found.shape} and {expected.shape}"
    error = abs(found - expected).max() / abs(expected).max()
    assert error <= BOUND, f"{what}: {error}"
    print(f"  {what}: {found.shape[0]} x {found.shape[1]}, largest difference {error:.1e} of the largest value")


def equal(what, found, expected):
    assert set(found) == set(expected), f"{what}: {set(found) ^ set(expected)}"
    for key, value in expected.items():
        same = found[key].dtype == value.dtype and torch.equal(found[key], value.contiguous())
        assert same or key.endswith("num_batches_tracked"), f"{what}: {key}"
    print(f"  {what}: {len(found)} tensors are equal bit for bit")


def check_onnx(what, file, images, expected):
    onnx.checker.check_model(file, full_check=True)
    onnx.shape_inference.infer_shapes(onnx.load(file), strict_mode=True)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    assert names == list(expected), names
    for rows in [images, images[:1]]:
        answers = session.run(None, {"images": rows.numpy()})
        for name, answer in zip(names, answers):
            close(f"{what}, {name}, N = {len(rows)}", answer, expected[name][: len(rows)])


def detectron2_name(name):
    """As detectron2's tools/convert-torchvision-to-d2.py."""
    if "layer" not in name:
        name = "stem." + name
    for number in [1, 2, 3, 4]:
        name = name.replace(f"layer{number}", f"res{number + 1}")
    for number in [1, 2, 3]:
        name = name.replace(f"bn{number}", f"conv{number}.norm")
    return name.replace("downsample.0", "shortcut").replace("downsample.1", "shortcut.norm")


def check(train, case, folder):
    print(case.name)
    path = lambda name: os.path.join(folder, name)
    data, run = path("images"), path("run")
    os.mkdir(data)
    images = write_images(data, case.pixels)
    file = case.save(folder)
    said = train("import", file, "--out", run, "--set", "data.normalize=imagenet")
    print("\n".join(f"  | {line}" for line in said.strip().splitlines()))
    with torch.no_grad():
        representation = case.backbone(images)
        embedding = case.projector(representation) if case.projector else None
        if case.dropped_bias is not None:
            embedding = embedding - case.dropped_bias
    close("embed", train.embed(run, data, path("features.npy")), representation)
    if embedding is not None:
        close("embed, embedding", train.embed(run, data, path("embeddings.npy"), "embedding"), embedding)

    export = lambda kind, name, *more: train("export", "--from", run, "--format", kind, "--out", path(name), *more)
    state = case.backbone.state_dict()
    export("safetensors", "out.safetensors")
    equal("safetensors", load_file(path("out.safetensors")), state)
    export("pth", "out.pth")
    loaded = torch.load(path("out.pth"), weights_only=True)
    equal("pth", loaded, state)
    case.backbone.load_state_dict(loaded, strict=True)
    export("onnx", "out.onnx")
    check_onnx("onnx", path("out.onnx"), images, {"representation": representation})
    if case.has_timm:
        export("timm", "timm")
        network = timm.create_model(f"local-dir:{path('timm')}", pretrained=True).eval()
        with torch.no_grad():
            close("timm", network(images), representation)
        assert torch.allclose(torch.tensor(network.pretrained_cfg["mean"]), MEAN)
    if case.has_detectron2:
        export("detectron2", "out.pkl")
        with open(path("out.pkl"), "rb") as opened:
            saved = pickle.load(opened, encoding="latin1")
        arrays = {key: torch.from_numpy(value) for key, value in saved["model"].items()}
        expected = {detectron2_name(key): value for key, value in state.items() if not key.endswith("num_batches_tracked")}
        equal("detectron2", arrays, expected)
        assert saved["matching_heuristics"] is True
    if case.projector:
        outputs = {"representation": representation, "embedding": embedding}
        export("onnx", "full.onnx", "--what", "full")
        check_onnx("onnx, full", path("full.onnx"), images, outputs)
        export("pth", "full.pth", "--what", "full")
        whole = torch.load(path("full.pth"), weights_only=True)
        assert any(key.startswith("projector.") for key in whole) and any(key.startswith("backbone.") for key in whole)
        # A .pth does not record the padding of a stem.
        export("safetensors", "full.safetensors", "--what", "full")
        train("import", path("full.safetensors"), "--out", path("again"), "--set", "data.normalize=imagenet")
        close("full, imported again", train.embed(path("again"), data, path("again.npy"), "embedding"), embedding)

    half = dict(list(state.items())[: len(state) // 2])
    torch.save(half, path("half.pth"))
    lines = train.fails("import", path("half.pth"), "--out", path("none"))
    assert len(lines) == 1 and "missing" in lines[0] and "half.pth" in lines[0], lines
    assert not os.path.exists(path("none/config.toml"))
    print(f"  half of the keys: {lines[0][:160]}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("train", help="the program")
    parser.add_argument("--only", default="", help="only cases whose name contains this")
    parser.add_argument("--keep", help="keep the files in this folder")
    arguments = parser.parse_args()
    train = Train(os.path.abspath(arguments.train))
    torch.manual_seed(0)
    count = 0
    for case in cases():
        if arguments.only not in case.name:
            continue
        count += 1
        if arguments.keep:
            folder = os.path.join(arguments.keep, case.name + ".files")
            os.makedirs(folder)
            check(train, case, folder)
        else:
            with tempfile.TemporaryDirectory() as folder:
                check(train, case, folder)
    assert count, f"no case is called {arguments.only}"
    print(f"{count} networks: all comparisons hold")


if __name__ == "__main__":
    main()
