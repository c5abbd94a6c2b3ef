"""Makes cases.gz: image files, and the pixels that Pillow decodes them to (upright, RGB), as size and checksum.

Needs Pillow (12 or later), numpy, and cjpeg 2.1 or later (Debian: libjpeg-turbo-progs); made with Pillow 13.0 (libjpeg-turbo 3.2).
Run in this folder: python3 make.py

Format, gzipped: entries of: length of the name (u16), name, length of the file (u32), file, width (u32), height (u32), CRC-32 of the
pixels (u32); little-endian. Of a file that must be refused, width and height are 0, and the name ends in "!" and a part of the error.
"""

import gzip
import io
import itertools
import random
import struct
import subprocess
import tempfile
import zlib

import numpy as np
from PIL import Image, ImageOps

SIZES = [(1, 1), (2, 3), (3, 2), (5, 5), (7, 9), (9, 7), (8, 8), (16, 16), (17, 15), (31, 33), (33, 18), (48, 20), (70, 50), (50, 1), (1, 50)]
SAMPLING = ["1x1", "2x1", "1x2", "2x2", "4x1", "1x4", "4x2", "4x4,1x1,1x1", "2x2,1x2,1x2", "2x2,2x1,2x1", "2x2,2x1,1x2", "1x1,2x2,2x2",
            "2x2,1x1,2x2", "3x1,1x1,1x1", "3x3,1x1,1x1", "4x1,2x1,1x1"]
SCANS = {"one": None, "apart": "0;\n1;\n2;\n", "chroma": "0;\n1,2;\n", "mixed": "1;\n0,2;\n"}
EXTRAS = [[], ["-restart", "1B"], ["-restart", "1"], ["-progressive"], ["-optimize"], ["-progressive", "-restart", "2B"]]
RNG = random.Random(20)
ENTRIES = []


def photo(width, height, seed):
    """Smooth colours with a little noise."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (height // 12 + 2, width // 12 + 2, 3)).astype(np.uint8)
    pixels = np.asarray(Image.fromarray(small).resize((width, height), Image.BICUBIC)).astype(int)
    return Image.fromarray(np.clip(pixels + rng.integers(-6, 7, pixels.shape), 0, 255).astype(np.uint8))


def transparent(width, height, seed):
    pixels = np.asarray(photo(width, height, seed).convert("RGBA")).copy()
    pixels[..., 3] = np.random.default_rng(seed).integers(0, 256, (height, width))
    pixels[: height // 2, : width // 2, 3] = 0
    return Image.fromarray(pixels)


def cjpeg(image, *options, scans=None):
    bitmap = io.BytesIO()
    image.save(bitmap, "PPM")
    with tempfile.NamedTemporaryFile("w") as script:
        if scans:
            script.write(scans)
            script.flush()
            options += ("-scans", script.name)
        return subprocess.run(["cjpeg", *map(str, options)], input=bitmap.getvalue(), check=True, capture_output=True).stdout


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def add(name, data):
    """A file that Pillow reads."""
    with Image.open(io.BytesIO(data)) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
    ENTRIES.append((name, bytes(data), upright.width, upright.height, zlib.crc32(upright.tobytes())))


def refuse(name, data, reason):
    ENTRIES.append((f"{name}!{reason}", bytes(data), 0, 0, 0))


def jpegs():
    for number, (sampling, (scan, script)) in enumerate(itertools.product(SAMPLING, SCANS.items())):
        for turn in range(4):
            extra = EXTRAS[(number + turn) % len(EXTRAS)]
            if script and "-progressive" in extra:
                extra = ["-restart", "2"]
            width, height = SIZES[(5 * number + 4 * turn + RNG.randrange(3)) % len(SIZES)]
            quality = RNG.choice([20, 50, 75, 90])
            options = ["-quality", quality, "-sample", sampling, *extra]
            try:
                data = cjpeg(photo(width, height, number), *options, scans=script)
            except subprocess.CalledProcessError:
                continue  # A scan with too many blocks.
            add(f"{sampling} {scan} {' '.join(extra)} {width}x{height}.jpg", data)
    for number, (width, height) in enumerate(SIZES):
        image = photo(width, height, number)
        for extra in ([], ["-restart", "1B"], ["-progressive", "-restart", "1B"], ["-sample", "2x2"]):
            add(f"grey {' '.join(extra)} {width}x{height}.jpg", cjpeg(image, "-grayscale", *extra))
        add(f"rgb {width}x{height}.jpg", cjpeg(image, "-rgb", *EXTRAS[number % 4]))
        for options in ({}, {"progressive": True}, {"restart_marker_blocks": 2}):
            add(f"cmyk {options} {width}x{height}.jpg", saved(image.convert("CMYK"), "JPEG", **options))


def frame(jpeg):
    """Position of the start-of-frame marker."""
    return min(at for at in (jpeg.find(bytes([0xFF, kind])) for kind in (0xC0, 0xC1, 0xC2)) if at > 0)


def with_ids(jpeg, ids):
    jpeg = bytearray(jpeg)
    at = frame(jpeg)
    old = [jpeg[at + 10 + 3 * place] for place in range(3)]
    for place in range(3):
        jpeg[at + 10 + 3 * place] = ids[place]
    scan = jpeg.find(b"\xff\xda")
    for place in range(jpeg[scan + 4]):
        jpeg[scan + 5 + 2 * place] = ids[old.index(jpeg[scan + 5 + 2 * place])]
    return bytes(jpeg)


def colour_transforms():
    whole = cjpeg(photo(20, 12, 1), "-sample", "2x1")
    bare = whole[:2] + whole[4 + struct.unpack(">H", whole[4:6])[0] :]
    adobe = {"short": b"\xff\xee\0\x09Adobe\0\x64"}
    for transform in (0, 1, 2, 7):
        adobe[transform] = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0" + bytes([transform])
    for name, segment in adobe.items():
        add(f"jfif, adobe {name}.jpg", whole[:20] + segment + whole[20:])
        add(f"adobe {name}.jpg", bare[:2] + segment + bare[2:])
        add(f"adobe {name}, ids RGB.jpg", with_ids(bare[:2] + segment + bare[2:], b"RGB"))
        ink = saved(photo(9, 9, 2).convert("CMYK"), "JPEG")
        at = ink.find(b"\xff\xee")
        without = ink[:at] + ink[at + 16 :]
        add(f"cmyk, adobe {name}.jpg", without[:2] + segment + without[2:])
    for ids in (b"RGB", b"\0\1\2", b"\1\x22\x23", b"rgb"):
        add(f"ids {ids}.jpg", with_ids(bare, ids))
        add(f"jfif, ids {ids}.jpg", with_ids(whole, ids))
    add("cmyk without adobe.jpg", without)


def odd_jpegs():
    whole = cjpeg(photo(33, 20, 3), "-restart", "1B")
    add("bytes after the end.jpg", whole + b"\0\0xyz")
    add("garbage before the end.jpg", whole[:-2] + b"\0\0\x12" + whole[-2:])
    add("fill bytes.jpg", whole[:2] + b"\xff\xff" + whole[2:-2] + b"\xff\xff" + whole[-2:])
    scan = whole.find(b"\xff\xda")
    tables = whole[:scan]
    while (at := tables.find(b"\xff\xc4")) >= 0:
        tables = tables[:at] + tables[at + 2 + struct.unpack(">H", tables[at + 2 : at + 4])[0] :]
    add("motion jpeg, without tables.jpg", tables + whole[scan:])
    refuse("no end.jpg", whole[:-2], "ends too early")
    refuse("cut, with an end.jpg", whole[: len(whole) * 3 // 4] + b"\xff\xd9", "ends too early")
    at = whole.find(b"\xff\xd1")
    refuse("restart marker.jpg", whole[:at] + b"\xff\xd3" + whole[at + 2 :], "restart marker is missing or out of order")
    progressive = cjpeg(photo(33, 20, 3), "-progressive")
    last = progressive.rfind(b"\xff\xda")
    refuse("last scan missing.jpg", progressive[:last] + b"\xff\xd9", "ends too early")
    refuse("arithmetic.jpg", cjpeg(photo(9, 9, 1), "-arithmetic"), "arithmetic")
    at = frame(whole)
    refuse("lossless.jpg", whole[:at] + b"\xff\xc3" + whole[at + 2 :], "lossless")
    refuse("12 bits.jpg", whole[: at + 4] + b"\x0c" + whole[at + 5 :], "12-bit")


def exif(value, kind=3, order=">"):
    head = b"MM\0*\0\0\0\x08" if order == ">" else b"II*\0\x08\0\0\0"
    stored = struct.pack(order + "HH", value, 0) if kind == 3 else struct.pack(order + "I", value)
    return head + struct.pack(order + "HHHI", 1, 0x112, kind, 1) + stored + b"\0\0\0\0"


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width, depth, colour, rows, *chunks):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, len(rows), depth, colour, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunk(*each) for each in chunks) + pixels + chunk(b"IEND", b"")


def orientations():
    rows = [bytes(RNG.randrange(256) for _ in range(9)) for _ in range(2)]
    image = photo(10, 6, 1)
    for value in range(10):
        xmp = f'<x tiff:Orientation="{value}"/>'.encode()
        element = f"<tiff:Orientation>{value}</tiff:Orientation>".encode()
        text = (b"Exif\0\0" + exif(value)).hex()
        profile = f"\nexif\n{len(text) // 2:8}\n{text[:72]}\n{text[72:]}\n".encode()
        for name, each in {
            "eXIf": (b"eXIf", exif(value)),
            "eXIf long": (b"eXIf", exif(value, 4, "<")),
            "profile": (b"tEXt", b"Raw profile type exif\0" + profile),
            "packed profile": (b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(profile)),
            "xmp": (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp),
            "packed xmp": (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(element)),
        }.items():
            add(f"{name} {value}.png", png(3, 8, 2, rows, each))
        add(f"eXIf 1, xmp {value}.png", png(3, 8, 2, rows, (b"eXIf", exif(1)), (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)))
        add(f"exif short {value}.jpg", saved(image, "JPEG", exif=b"Exif\0\0" + exif(value, 3, "<")))
        add(f"exif long {value}.jpg", saved(image, "JPEG", exif=b"Exif\0\0" + exif(value, 4)))
        add(f"exif byte {value}.jpg", saved(image, "JPEG", exif=b"Exif\0\0" + exif(value, 1)))
        add(f"xmp {value}.jpg", saved(image, "JPEG", xmp=element))
        add(f"exif {value}.webp", saved(image, "WEBP", exif=b"Exif\0\0" + exif(value)))
        add(f"xmp {value}.webp", saved(image, "WEBP", xmp=xmp))
        add(f"tag {value}.tif", saved(image, "TIFF", tiffinfo={274: value}))


def other_formats():
    for width, height in ((1, 1), (3, 2), (17, 9), (33, 20)):
        size = f"{width}x{height}"
        image, clear = photo(width, height, width), transparent(width, height, 3)
        kinds = {"rgb": image, "l": image.convert("L"), "p": image.quantize(17), "1": image.convert("1"), "rgba": clear}
        for quality in (10, 75, 95):
            add(f"{quality} {size}.webp", saved(image, "WEBP", quality=quality))
        add(f"lossless {size}.webp", saved(image, "WEBP", lossless=True))
        add(f"rgba lossless {size}.webp", saved(clear, "WEBP", lossless=True, exact=True))
        add(f"rgba {size}.webp", saved(clear, "WEBP", quality=60))
        add(f"animated {size}.webp", saved(image, "WEBP", save_all=True, append_images=[photo(width, height, 9)]))
        for name, each in kinds.items():
            add(f"{name} {size}.bmp", saved(each, "BMP"))
            add(f"{name} {size}.gif", saved(each, "GIF"))
            add(f"{name} {size}.png", saved(each, "PNG"))
            for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"):
                add(f"{name} {compression} {size}.tif", saved(each, "TIFF", compression=compression))
        add(f"1 group4 {size}.tif", saved(kinds["1"], "TIFF", compression="group4"))
        add(f"cmyk {size}.tif", saved(image.convert("CMYK"), "TIFF"))
        refuse(f"float {size}.tif", saved(kinds["l"].convert("F"), "TIFF"), "convert it to PNG")
        add(f"animated {size}.gif", saved(image, "GIF", save_all=True, append_images=[photo(width, height, 4)]))
        add(f"transparent {size}.gif", saved(kinds["p"], "GIF", transparency=3))
        add(f"interlaced {size}.gif", saved(kinds["p"], "GIF", interlace=1))
        add(f"p transparent {size}.png", saved(kinds["p"], "PNG", transparency=2))
        add(f"rgb transparent {size}.png", saved(image, "PNG", transparency=(1, 2, 3)))
        for name, each in (("rgb", image), ("l", kinds["l"]), ("1", kinds["1"])):
            add(f"{name} {size}.pnm", saved(each, "PPM"))
        numbers = " ".join(str(value) for value in np.asarray(image).ravel())
        add(f"text {size}.ppm", f"P3\n# text\n{width} {height}\n255\n{numbers}\n".encode())
        add(f"rgb {size}.qoi", saved(image, "QOI"))
        add(f"rgba {size}.qoi", saved(clear, "QOI"))
    grey = [np.array([0, 77, 255, 256, 300, 65535], ">u2").tobytes()] * 2
    add("grey 16.png", png(6, 16, 0, grey))
    add("grey 16, transparent 77.png", png(6, 16, 0, grey, (b"tRNS", struct.pack(">H", 77))))
    add("grey 16, transparent 300.png", png(6, 16, 0, grey, (b"tRNS", struct.pack(">H", 300))))
    add("rgb 16.png", png(2, 16, 2, grey))
    add("rgb 16, transparent.png", png(2, 16, 2, grey, (b"tRNS", struct.pack(">HHH", 0, 77, 255))))
    add("grey and alpha 16.png", png(3, 16, 4, grey))
    image = photo(9, 9, 1)
    refuse("a.avif", b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf", "AVIF")
    refuse("a.heic", b"\0\0\0\x1cftypheic\0\0\0\0mif1heic", "HEIC")
    refuse("a.jp2", saved(image, "JPEG2000"), "JPEG 2000")
    refuse("a.svg", b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "SVG")
    refuse("a.ico", saved(image, "ICO"), "ICO")


jpegs()
colour_transforms()
odd_jpegs()
orientations()
other_formats()
packed = b""
for name, data, width, height, checksum in ENTRIES:
    encoded = name.encode()
    packed += struct.pack("<H", len(encoded)) + encoded + struct.pack("<I", len(data)) + data + struct.pack("<III", width, height, checksum)
with open("cases.gz", "wb") as file:
    file.write(gzip.compress(packed, 9, mtime=0))
print(len(ENTRIES), "cases")
