#!/bin/sh
# Measures and checks everything that needs a GPU, most important first; no toolchain is needed.
#   ./run.sh --minutes 8 --out DIR [--backend cuda|wgpu|cpu] [--python FILE]
# Every result is written to DIR as soon as it is there; DIR/summary.md is the summary.
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd) || exit 1
exec "$here/xtask" hardware run --program "$here/train" "$@"
