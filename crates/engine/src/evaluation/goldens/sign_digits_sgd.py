"""The numbers of the test in ../linear_sgd.rs: one epoch of the official linear protocol on features of the shipped images, by torch.

The features are means of 8 x 8 blocks of grey pixels, in [-1, 1], which another decoder gives too. Run in the repository's root.
"""

import math
import os

import numpy as np
import torch
from PIL import Image

ROOT = "assets/sign-digits-64/train"
rows, labels = [], []
for label, name in enumerate(sorted(os.listdir(ROOT))):
    for file in sorted(os.listdir(f"{ROOT}/{name}")):
        pixels = np.asarray(Image.open(f"{ROOT}/{name}/{file}").convert("RGB"), np.float64).mean(2) / 255
        rows.append(2 * pixels.reshape(8, 8, 8, 8).mean((1, 3)).reshape(-1) - 1)
        labels.append(label)
rows, labels = torch.tensor(np.array(rows)), torch.tensor(labels)
n, classes = len(labels), 10
order = torch.tensor([(i * 1009 + 17) % n for i in range(n)])
initial = [math.cos(k * 0.7) * 0.01 for k in range(classes * 64)]
head = torch.nn.Linear(64, classes).double()
with torch.no_grad():
    head.weight.copy_(torch.tensor(initial).reshape(classes, 64))
    head.bias.zero_()
optimizer = torch.optim.SGD(head.parameters(), lr=0.3, momentum=0.9, weight_decay=1e-6)
for start in range(0, n, 128):
    batch = order[start : start + 128]
    loss = torch.nn.functional.cross_entropy(head(rows[batch]), labels[batch])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(n, f"{loss.item():.7f}")
print("weights", [round(float(w), 7) for w in head.weight.detach().reshape(-1)[::16]])
print("biases", [round(float(b), 7) for b in head.bias.detach()])
