"""Graphs to draw, small and large, and what must hold for every drawing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import combinations

import numpy as np

import chainrule as cr
from chainrule import nn
from chainrule.core.stream import Stream
from chainrule.inspect.draw.scene import Line, Scene
from chainrule.nn import functional as F


def neuron() -> cr.Tensor:
    values = {"w0": 2.0, "x0": -1.0, "w1": -3.0, "x1": -2.0, "w2": -3.0}
    w0, x0, w1, x1, w2 = (cr.tensor(v, requires_grad=True, name=name) for name, v in values.items())
    return 1 / (1 + cr.exp(-(w0 * x0 + w1 * x1 + w2)))


class Block(nn.Module):
    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.short = nn.Identity() if stride == 1 else nn.Conv2d(before, after, 1, stride=stride, bias=False)

    def forward(self, x: cr.Tensor) -> cr.Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + self.short(x))


class ResNet20(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(*(Block(16, 16, 1) for _ in range(3)))
        self.layer2 = nn.Sequential(Block(16, 32, 2), Block(32, 32, 1), Block(32, 32, 1))
        self.layer3 = nn.Sequential(Block(32, 64, 2), Block(64, 64, 1), Block(64, 64, 1))
        self.fc = nn.Linear(64, 10)

    def forward(self, x: cr.Tensor) -> cr.Tensor:
        x = self.layer3(self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x))))))
        return self.fc(x.mean(axis=(2, 3)))


def images(count: int, size: int) -> cr.Tensor:
    return cr.tensor(Stream(0).normal((count, 3, size, size)), name="images")


def resnet() -> cr.Tensor:
    return F.cross_entropy(ResNet20()(images(2, 8)), np.arange(2))


def perceptron() -> cr.Tensor:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    return F.cross_entropy(model(cr.tensor(Stream(1).normal((5, 4)), name="x")), np.arange(5) % 3)


def loop(steps: int = 40) -> cr.Tensor:
    h = cr.tensor(np.ones((2, 3)), requires_grad=True, name="h")
    w = cr.tensor(np.eye(3), requires_grad=True, name="w")
    for _ in range(steps):
        h = cr.tanh(h @ w + 0.1)
    return cr.sum(h)


def shared_weights() -> cr.Tensor:
    """One module used twice, and its weight once more outside."""
    linear = nn.Linear(3, 3)
    x = linear(F.relu(linear(cr.tensor(np.ones((2, 3)), name="x"))))
    return cr.sum(x) + cr.sum(linear.weight**2)


def twice() -> cr.Tensor:
    """The gradient of a network, itself a graph: what runs backward carries the scopes of the forward."""
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    slope = cr.grad(lambda x: cr.sum(model(x)))(cr.tensor(np.ones((2, 3)), requires_grad=True, name="x"))
    return cr.sum(slope**2)


def random(gates: int, seed: int) -> cr.Tensor:
    """A random graph: values are used near and far, several times, or with themselves."""
    stream = Stream(seed)
    values = [
        cr.tensor(float(v), requires_grad=True, name=f"x{i}") for i, v in enumerate(stream.normal((6,)))
    ]
    draws = stream.uniform((gates, 3), dtype=np.float64)
    ops = (lambda a, b: a + b, lambda a, b: cr.tanh(a * b), lambda a, b: cr.sin(a), lambda a, b: a - b)
    for one, other, op in draws:
        a, b = (values[max(0, len(values) - 1 - int(-8 * np.log(1 - each)))] for each in (one, other))
        values.append(ops[int(op * len(ops))](a, b))
    total = values[-1]
    for each in values[-8:-1]:
        total = total + each
    return total


GRAPHS: dict[str, Callable[[], cr.Tensor]] = {
    "neuron": neuron,
    "perceptron": perceptron,
    "resnet": resnet,
    "loop": loop,
    "shared weights": shared_weights,
    "twice": twice,
    **{f"random {n}": partial(random, n, n) for n in (5, 17, 40, 150)},
}


def check_scene(scene: Scene) -> None:
    """Nothing overlaps: boxes, what is written on edges, and edges with boxes; frames nest."""
    boxes = [(box.x, box.y, box.x + box.face.width, box.y + box.face.height) for box in scene.boxes]
    labels = [(each.x, each.y, each.x + each.width, each.y + each.height) for each in scene.labels]
    for one, other in combinations([*boxes, *labels], 2):
        assert not _overlap(one, other), (one, other)
    frames = [(each.x, each.y, each.x + each.width, each.y + each.height) for each in scene.frames]
    for frame in frames:
        for other in (*frames, *boxes):
            assert not _overlap(frame, other) or _inside(frame, other) or _inside(other, frame)
        assert not any(_inside(box, frame) for box in boxes)
    corners = np.array(boxes)
    assert corners.min() >= 0 and corners[:, 2].max() <= scene.width and corners[:, 3].max() <= scene.height
    for line in scene.lines:
        points = passed(line, scene.right)
        inside = (points[:, None] > corners[:, :2] + 0.6) & (points[:, None] < corners[:, 2:] - 0.6)
        assert not inside.all(axis=2).any(), line


def passed(line: Line, right: bool) -> np.ndarray:
    """Return points along an edge."""
    t = np.linspace(0, 1, 9)[:, None]
    found = []
    last = None
    for x1, y1, x2, y2 in line.stations:
        a, b = np.array([x1, y1]), np.array([x2, y2])
        if last is not None:
            middle = (last + a) / 2
            c, d = (
                ([middle[0], last[1]], [middle[0], a[1]])
                if right
                else ([last[0], middle[1]], [a[0], middle[1]])
            )
            found.append((1 - t) ** 3 * last + 3 * (1 - t) ** 2 * t * c + 3 * (1 - t) * t**2 * d + t**3 * a)
        found.append(a + t * (b - a))
        last = b
    return np.concatenate(found)


def _overlap(a: Sequence[float], b: Sequence[float]) -> bool:
    return min(a[2], b[2]) - max(a[0], b[0]) > 1e-6 and min(a[3], b[3]) - max(a[1], b[1]) > 1e-6


def _inside(a: Sequence[float], b: Sequence[float]) -> bool:
    """Whether `b` lies in `a`."""
    return a[0] <= b[0] and a[1] <= b[1] and b[2] <= a[2] and b[3] <= a[3]
