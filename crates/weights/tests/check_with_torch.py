"""Compares with torch what this crate reads and writes. Not part of the tests: it needs torch, safetensors and torchvision.

    cargo build --release -p barlow-weights --example convert
    python crates/weights/tests/check_with_torch.py target/release/examples/convert

Each state dict is saved by torch in every way, read and written by `convert`, loaded by torch with weights_only=True, and compared bit
for bit. A ResNet-50 is then loaded strictly.
"""

import os
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import load_file, save_file

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures"))
import make  # noqa: E402


def flat(value, prefix=""):
    """Tensors by dotted names."""
    if isinstance(value, torch.Tensor):
        return {prefix[:-1]: value}
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, (list, tuple)) else []
    return {name: tensor for key, inner in items for name, tensor in flat(inner, f"{prefix}{key}.").items()}


def compare(read, expected, what):
    assert list(read) == list(expected), what
    for name, tensor in expected.items():
        same = read[name].dtype == tensor.dtype and read[name].shape == tensor.shape
        tensor = tensor.detach().contiguous()
        bits = lambda value: value.reshape(-1).view(torch.uint8) if value.numel() else value
        assert same and torch.equal(bits(read[name]), bits(tensor)), f"{what}: {name}"
    print(f"{what}: {len(expected)} tensors are equal bit for bit")


def convert(program, source, target):
    print(subprocess.run([program, source, target], check=True, capture_output=True, text=True).stderr.strip())


def resnets():
    """State dicts with torchvision's names, if it is installed."""
    try:
        import torchvision
    except ImportError:
        print("torchvision is not installed: its networks are skipped")
        return
    for name in ["resnet18", "resnet50", "resnet101"]:
        model = getattr(torchvision.models, name)()
        yield name, model
        yield f"{name} (channels_last)", model.to(memory_format=torch.channels_last)


def main():
    program = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        path = lambda name: os.path.join(folder, name)
        for newest, options in [
            (False, {}),
            (False, {"pickle_protocol": 5}),
            (False, {"_use_new_zipfile_serialization": False}),
        ]:
            torch.save(make.checkpoint(newest), path("in.pth"), **options)
            expected = flat(torch.load(path("in.pth"), weights_only=False))
            convert(program, path("in.pth"), path("out.pth"))
            compare(torch.load(path("out.pth"), weights_only=True), expected, f"torch.save({options}) -> .pth")
            compare(torch.load(path("out.pth"), weights_only=True, mmap=True), expected, "the same by mmap")
        torch.save(make.tensors(True), path("in.pth"))
        convert(program, path("in.pth"), path("out.safetensors"))
        read, expected = load_file(path("out.safetensors")), make.tensors(True)
        compare({name: read[name] for name in expected}, expected, "every type -> .safetensors")
        for name, model in resnets():
            state = model.state_dict()
            torch.save(state, path("in.pth"))
            convert(program, path("in.pth"), path("out.pth"))
            read = torch.load(path("out.pth"), weights_only=True)
            compare(read, dict(state), f"{name} -> .pth")
            model.load_state_dict(read, strict=True)
            save_file({key: value.contiguous() for key, value in state.items()}, path("in.safetensors"))
            convert(program, path("in.safetensors"), path("out.safetensors"))
            model.load_state_dict(load_file(path("out.safetensors")), strict=True)
            print(f"{name}: loaded strictly")


if __name__ == "__main__":
    main()
