"""The Parquet files of this folder, for tests/all/parquet.rs.

    python make.py        (pyarrow 26.0, Pillow 13.0)

`hub` is laid out and described as Hugging Face's `datasets` does on upload. The others hold the same images by other writers'
choices. Every image is a file of assets/sign-digits-64, byte for byte, but for tiny.parquet and what is said to be bad.
"""

import io
import json
import pathlib

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

here = pathlib.Path(__file__).parent
assets = here / "../../../../../assets/sign-digits-64"
names = [f"digit {digit}" for digit in range(10)]
digit = lambda number: (assets / f"test/{number}/IMG_{1322 + number}.jpg").read_bytes()

image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def features(**columns):
    """What `datasets` stores of its columns."""
    return {b"huggingface": json.dumps({"info": {"features": columns}}).encode()}


def table(images, metadata=None, image_type=image, name="image", **labels):
    if image_type == image:
        images = [None if i is None else {"bytes": i, "path": f"{n}.jpg"} for n, i in enumerate(images)]
    columns = {name: pa.array(images, image_type), **labels}
    return pa.table(columns).replace_schema_metadata(metadata)


hub = features(image={"_type": "Image"}, label={"names": names, "_type": "ClassLabel"})
(here / "hub/data").mkdir(parents=True, exist_ok=True)
for file, digits, labels in [
    ("train-00000-of-00002", [3, 1, 2, 0], None),
    ("train-00001-of-00002", [5, 4], None),
    # Of a test split the labels are often hidden.
    ("test-00000-of-00001", [7, 6], [-1, -1]),
    ("validation-00000-of-00001", [2, 8], None),
]:
    labels = pa.array(labels or digits, pa.int64())
    # Statistics hold the least and the greatest image once more.
    options = dict(row_group_size=3, write_statistics=file.startswith("validation"))
    pq.write_table(table(map(digit, digits), hub, label=labels), here / f"hub/data/{file}.parquet", **options)

plain = [digit(0), digit(1), digit(2), digit(1)]
numbers = pa.array([0, 1, 2, 1], pa.int64())
small = dict(data_page_size=1, write_batch_size=1)
for file, data, options in [
    ("none", table(plain, label=numbers), dict(compression="none")),
    ("gzip", table(plain, label=numbers), dict(compression="gzip")),
    ("zstd", table(plain, label=numbers), dict(compression="zstd")),
    ("v2", table(plain, label=numbers), dict(data_page_version="2.0")),
    ("no-dictionary", table(plain, label=numbers), dict(use_dictionary=False)),
    ("pages", table(plain, label=numbers), dict(use_dictionary=False, compression="snappy", **small)),
    # Dictionaries that overflow, as those of images do.
    ("overflow", table(plain, label=numbers), dict(dictionary_pagesize_limit=1000, **small)),
    (
        "delta",
        table(plain, image_type=pa.binary(), label=pa.array([0, 1, 2, 1], pa.int32())),
        dict(
            use_dictionary=False,
            column_encoding={"image": "DELTA_LENGTH_BYTE_ARRAY", "label": "DELTA_BINARY_PACKED"},
            data_page_version="2.0",
        ),
    ),
    # As CIFAR-100 on the hub.
    (
        "cifar100",
        table(
            plain,
            features(
                img={"_type": "Image"},
                coarse_label={"names": ["even", "odd"], "_type": "ClassLabel"},
                fine_label={"names": names, "_type": "ClassLabel"},
            ),
            name="img",
            coarse_label=pa.array([0, 1, 0, 1], pa.int64()),
            fine_label=numbers,
        ),
        {},
    ),
    ("text", table(plain, label=pa.array(["zero", "one", "two", "one"])), {}),
    ("lz4", table(plain, label=numbers), dict(compression="lz4")),
    ("no-image", pa.table({"text": ["a"], "label": [1]}), {}),
    ("nulls", table([digit(0), None, digit(2)], label=pa.array([0, 1, None], pa.int64())), {}),
]:
    # Without Arrow's schema the metadata is not written either.
    options = {"write_statistics": file == "pages", "store_schema": file == "cifar100", **options}
    pq.write_table(data, here / f"{file}.parquet", **options)


def png(colour):
    out = io.BytesIO()
    Image.new("RGB", (3, 2), colour).save(out, "PNG")
    return out.getvalue()


tiny = table([png((9, 8, 7)), png((1, 2, 3)), None], hub, label=pa.array([1, 0, 1], pa.int64()))
pq.write_table(tiny, here / "tiny.parquet", row_group_size=2, write_statistics=False)
pq.write_table(
    tiny, here / "tiny-v2.parquet", data_page_version="2.0", compression="zstd", use_dictionary=False, store_schema=False
)
