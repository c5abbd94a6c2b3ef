"""cmyk.jpg and ycck.jpg, and what Pillow's convert("RGB") makes of them, for tests/decode.rs.

    python cmyk.py        (Pillow 13.0)

Four flat blocks of 8x8 pixels. Pillow writes CMYK with Adobe's marker and inverted, as Photoshop does; with the
transform byte of that marker set to 2 every decoder takes the same data for YCCK.
"""

import numpy as np
from PIL import Image

blocks = [(0, 0, 0, 0), (200, 30, 60, 20), (10, 220, 90, 120), (255, 255, 0, 200)]
pixels = np.repeat(np.repeat(np.array([blocks], np.uint8), 8, axis=1), 8, axis=0)
Image.fromarray(pixels, "CMYK").save("cmyk.jpg", quality=100, subsampling=0)
data = bytearray(open("cmyk.jpg", "rb").read())
adobe = data.index(b"Adobe")
data[adobe + 11] = 2
open("ycck.jpg", "wb").write(data)
for name in ("cmyk.jpg", "ycck.jpg"):
    rgb = np.asarray(Image.open(name).convert("RGB"))
    print(name, rgb[4, 4::8].tolist())
