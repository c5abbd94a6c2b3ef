"""The numbers of tests/golden_pipeline.rs: fixed draws through torchvision's own functions, on Pillow images.

    python pipeline.py > pipeline.txt        (torchvision 0.29, Pillow 13.0)

A line is a case: image kind, its width and height, crop left top width height, size of the view, flip, the colour
changes in their order (b/c/s/h and factor), greyscale, sigma of the blur (0: none), solarise; then after a bar the sum
of all values, the sum of value * (k % 251), k being the place in [height, width, 3], and 24 values spread over the view.
"""

import numpy as np
import torchvision.transforms as T
import torchvision.transforms.functional as F
from PIL import Image, ImageFilter, ImageOps

BICUBIC = T.InterpolationMode.BICUBIC


def formula(w, h):
    return image(w, h, lambda x, y, c: (x * 37 + y * 61 + c * 89 + x * y * 13) % 256)


def smooth(w, h):
    return image(w, h, lambda x, y, c: int(127.5 + 127.5 * np.sin(x * 0.11 + y * 0.07 + c * 2)))


def image(w, h, f):
    return Image.fromarray(np.array([[[f(x, y, c) for c in range(3)] for x in range(w)] for y in range(h)], np.uint8))


COLOUR = {"b": F.adjust_brightness, "c": F.adjust_contrast, "s": F.adjust_saturation, "h": F.adjust_hue}
CASES = [
    # kind, size of the image, crop, view, flip, jitter, grey, sigma, solarise
    ("formula", (41, 23), (3, 2, 30, 20), 16, 1, "h0.05 c1.3 s0.8 b0.7", 0, 1.2, 1),
    ("smooth", (97, 61), (0, 0, 97, 61), 33, 0, "b1.37 h-0.08 s1.19 c0.64", 0, 0.7, 0),
    ("smooth", (33, 129), (5, 11, 20, 90), 24, 1, "s0.83 b0.61 c1.4", 1, 1.9, 0),
    ("smooth", (19, 13), (2, 1, 11, 9), 72, 0, "c0.71 h0.1 b1.2 s1.1", 0, 0.0, 1),
    ("formula", (57, 49), (7, 3, 40, 44), 31, 0, "", 0, 2.0, 0),
    ("smooth", (300, 200), (13, 7, 256, 180), 32, 1, "h-0.1", 0, 0.1, 1),
    ("formula", (64, 64), (16, 16, 32, 32), 32, 1, "b1.4 s1.2 h0.03 c0.6", 0, 1.4142, 0),
    ("smooth", (5, 7), (0, 0, 5, 7), 40, 0, "s0.8 c1.2 h0.07 b0.9", 0, 1.5, 0),
    ("smooth", (1, 50), (0, 4, 1, 40), 9, 0, "c1.1", 1, 0.4, 1),
]
for kind, (w, h), (left, top, cw, ch), size, flip, jitter, grey, sigma, solarise in CASES:
    im = {"formula": formula, "smooth": smooth}[kind](w, h)
    im = F.resized_crop(im, top, left, ch, cw, [size, size], BICUBIC)
    if flip:
        im = F.hflip(im)
    for op in jitter.split():
        im = COLOUR[op[0]](im, float(op[1:]))
    if grey:
        im = F.rgb_to_grayscale(im, 3)
    if sigma:
        im = im.filter(ImageFilter.GaussianBlur(sigma))
    if solarise:
        im = ImageOps.solarize(im)
    a = np.asarray(im, np.int64).reshape(-1)
    spread = a[np.arange(24) * (a.size - 1) // 23]
    case = [kind, w, h, left, top, cw, ch, size, flip, jitter.replace(" ", ",") or "-", grey, sigma, solarise]
    print(*case, "|", a.sum(), (a * (np.arange(a.size) % 251)).sum(), *spread)
