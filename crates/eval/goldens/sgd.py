"""The numbers of the test in src/sgd.rs: SGD of torch on the cross-entropy of a linear layer, in f64."""

import math

import torch


def batch(step, n):
    labels = [(i * 5 + step) % 3 for i in range(n)]
    f32 = lambda x: torch.tensor(x, dtype=torch.float32)
    rows = [
        [float(torch.sin(f32(float(step * 131 + i * 17 + k * 29)) * f32(0.37))) + (1.5 if k == label else 0.0) for k in range(7)]
        for i, label in enumerate(labels)
    ]
    return torch.tensor(rows, dtype=torch.float64), torch.tensor(labels)


for rate, decay in [(0.3, 1e-6), (0.05, 0.01)]:
    initial = [float(torch.cos(torch.tensor(k, dtype=torch.float32) * torch.tensor(0.7))) * 0.01 for k in range(21)]
    weight = torch.tensor(initial, dtype=torch.float64).reshape(3, 7).requires_grad_()
    bias = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([weight, bias], lr=rate, momentum=0.9, weight_decay=decay)
    for step in range(20):
        rows, labels = batch(step, 20)
        optimizer.param_groups[0]["lr"] = rate * (1 - step / 20)
        loss = torch.nn.functional.cross_entropy(rows @ weight.T + bias, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    flat = weight.detach().reshape(-1)
    print(f"({loss.item():.9f}, [{flat[0]:.9f}, {flat[8]:.9f}, {flat[20]:.9f}, {bias[1].item():.9f}]),")

# The batch norm of VISSL's eval_mlp before the layer: no decay of its scale and shift, Nesterov's momentum.
for channels, positions in [(7, 1), (3, 2)]:
    width = channels * positions
    initial = [float(torch.cos(torch.tensor(k, dtype=torch.float32) * torch.tensor(0.7))) * 0.01 for k in range(3 * width)]
    norm = torch.nn.BatchNorm2d(channels).double()
    linear = torch.nn.Linear(width, 3).double()
    with torch.no_grad():
        linear.weight.copy_(torch.tensor(initial, dtype=torch.float64).reshape(3, width))
        linear.bias.copy_(torch.tensor([0.01, -0.02, 0.03]))
    groups = [{"params": linear.parameters(), "weight_decay": 5e-4}, {"params": norm.parameters(), "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, lr=0.1, momentum=0.9, nesterov=True)
    for step in range(20):
        rows, labels = batch(step, 20)
        for group in optimizer.param_groups:
            group["lr"] = 0.1 * (1 - step / 20)
        maps = rows[:, :width].reshape(20, channels, positions, 1)
        loss = torch.nn.functional.cross_entropy(linear(norm(maps).flatten(1)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    flat = linear.weight.detach().reshape(-1)
    numbers = [loss.item(), flat[0], flat[-1], linear.bias[1], norm.weight[1], norm.bias[2], norm.running_mean[1], norm.running_var[1]]
    print("[" + ", ".join(f"{float(torch.as_tensor(number).detach()):.9f}" for number in numbers) + "],")
