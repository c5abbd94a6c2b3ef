"""COCO's and VOC's average precision of 200 random cases, for `tests/detection.rs`, which makes the same cases.

    python detection.py > ../tests/detection.txt          # needs pycocotools and numpy

A line holds the twelve numbers of pycocotools for boxes, the twelve for masks (`-`: undefined), the pixels of all masks, and VOC's
11-point and area AP of the first category at an overlap of 0.5 and of 0.75 (detectron2's `voc_eval`).
"""
import contextlib
import io
import math

import numpy as np
from pycocotools import mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


class Draw:
    """Knuth's linear congruential generator: integers below `n`, the same in every language."""

    def __init__(self, seed):
        self.state = seed

    def __call__(self, n):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 33) % n


def quadrilateral(draw, x, y, w, h):
    """A polygon around a box, in quarters of a pixel, which may leave the image."""
    corner = lambda at, most: at + (draw(most * 4 // 3 + 1) - most / 8) / 4
    return [corner(x, w), corner(y, h), x + w - draw(w // 3 + 1) / 4, corner(y, h), x + w - draw(w // 4 + 1), y + h - draw(h // 3 + 1) / 4, corner(x, w), y + h - draw(h // 2 + 1) / 4]


def case(number):
    draw = Draw(1000 + number)
    categories, images = 1 + draw(3), 1 + draw(4)
    sizes = [(40 + draw(260), 40 + draw(260)) for _ in range(images)]
    truth, found = [], []
    for image, (height, width) in enumerate(sizes):
        boxes = []
        for _ in range(draw(7)):
            w, h = 4 + draw(width * 3 // 4), 4 + draw(height * 3 // 4)
            x, y = draw(width - min(w, width - 1)), draw(height - min(h, height - 1))
            crowd, category, difficult = draw(8) == 0, draw(categories), draw(6) == 0
            if crowd:
                runs, left = [], height * width
                while left > 0:
                    runs.append(min(left, draw(2000)))
                    left -= runs[-1]
                segmentation = runs
            else:
                segmentation = [quadrilateral(draw, x, y, w, h) for _ in range(1 + draw(2))]
            boxes.append((x, y, w, h, category))
            truth.append((image, category, crowd, difficult, [x, y, w, h], segmentation))
        many = 120 if number % 20 == 7 else 9
        for _ in range(draw(many)):
            if boxes and draw(4) > 0:
                x, y, w, h, category = boxes[draw(len(boxes))]
                x, y, w, h = x + draw(9) - 4, y + draw(9) - 4, max(w + draw(11) - 5, 3), max(h + draw(11) - 5, 3)
                if draw(5) == 0:
                    category = draw(categories)
            else:
                w, h = 3 + draw(width), 3 + draw(height)
                x, y, category = draw(width), draw(height), draw(categories)
            found.append((image, category, draw(16) / 16, [x, y, w, h], [quadrilateral(draw, x, y, w, h)]))
    return categories, sizes, truth, found


def runs_of(segmentation, size):
    if isinstance(segmentation[0], list):
        return mask.merge(mask.frPyObjects(segmentation, *size))
    return mask.frPyObjects({"size": list(size), "counts": segmentation}, *size)


def coco(categories, sizes, truth, found, kind):
    rle = lambda image, segmentation: {"size": list(sizes[image]), "counts": runs_of(segmentation, sizes[image])["counts"].decode()}
    data = {"info": {}, "images": [{"id": i + 1, "height": h, "width": w} for i, (h, w) in enumerate(sizes)],
            "categories": [{"id": c + 1, "name": str(c)} for c in range(categories)],
            "annotations": [{"id": k + 1, "image_id": t[0] + 1, "category_id": t[1] + 1, "iscrowd": int(t[2]), "bbox": t[4],
                             "segmentation": rle(t[0], t[5]), "area": float(mask.area(runs_of(t[5], sizes[t[0]])))} for k, t in enumerate(truth)]}
    results = [{"image_id": f[0] + 1, "category_id": f[1] + 1, "score": f[2], **({"bbox": f[3]} if kind == "bbox" else {"segmentation": rle(f[0], f[4])})} for f in found]
    if not results:
        return None
    with contextlib.redirect_stdout(io.StringIO()):
        gt = COCO()
        gt.dataset = data
        gt.createIndex()
        e = COCOeval(gt, gt.loadRes(results), kind)
        e.evaluate()
        e.accumulate()
        e.summarize()
    return e.stats


def voc(sizes, truth, found, threshold):
    """detectron2's `voc_eval` of category 0, without its rounding of files: inclusive pixels, +1 in every extent."""
    objects = {i: [(t[4], t[3]) for t in truth if t[0] == i and t[1] == 0] for i in range(len(sizes))}
    n = sum(not difficult for boxes in objects.values() for _, difficult in boxes)
    if n == 0:
        return [math.nan, math.nan]
    taken, tp, fp = set(), [], []
    for image, _, _, (x, y, w, h), _ in sorted((f for f in found if f[1] == 0), key=lambda f: -f[2]):
        best, at = -math.inf, None
        for k, ((gx, gy, gw, gh), _) in enumerate(objects[image]):
            iw, ih = min(x + w - 1, gx + gw - 1) - max(x, gx) + 1, min(y + h - 1, gy + gh - 1) - max(y, gy) + 1
            inter = max(iw, 0) * max(ih, 0)
            if inter / (w * h + gw * gh - inter) > best:
                best, at = inter / (w * h + gw * gh - inter), k
        hit = best > threshold
        ignored = hit and objects[image][at][1]
        tp.append(hit and not ignored and (image, at) not in taken)
        fp.append(not hit or (not ignored and (image, at) in taken))
        if tp[-1]:
            taken.add((image, at))
    tp, fp = np.cumsum(tp), np.cumsum(fp)
    r, p = tp / n, tp / np.maximum(tp + fp, np.finfo(np.float64).eps)
    eleven = float(sum((p[r >= t].max() if (r >= t).any() else 0.0) for t in np.arange(0.0, 1.1, 0.1)) / 11)
    a, b = np.r_[0.0, r, 1.0], np.r_[0.0, p, 0.0]
    b = np.maximum.accumulate(b[::-1])[::-1]
    return [eleven, float(((a[1:] - a[:-1]) * b[1:]).sum())]


if __name__ == "__main__":
    for number in range(200):
        categories, sizes, truth, found = case(number)
        pixels = sum(int(mask.area(runs_of(t[5], sizes[t[0]]))) for t in truth) + sum(int(mask.area(runs_of(f[4], sizes[f[0]]))) for f in found)
        values = []
        for kind in ("bbox", "segm"):
            stats = coco(categories, sizes, truth, found, kind)
            values += [math.nan] * 12 if stats is None else [math.nan if v == -1 else v for v in stats]
        values += [pixels, *voc(sizes, truth, found, 0.5), *voc(sizes, truth, found, 0.75)]
        print(" ".join("-" if math.isnan(v) else f"{v:.14g}" for v in values))
