"""JAX: one jitted call a step, or one call an epoch in which `lax.scan` runs over the batches.

Images are (n, h, w, c) and weights (h, w, in, out), as XLA likes them on processors; they are turned
once, before the clock runs. The state of a step is given away to the next (`donate_argnums`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp

from benchmarks import nets
from benchmarks.nets import Layer, Net, Training

ACTIVATIONS = {"relu": jax.nn.relu, "tanh": jnp.tanh, "sigmoid": jax.nn.sigmoid}
Arrays = list[Any]


class Trainer:
    """A net in training, on the data of an epoch."""

    def __init__(self, training: Training, mode: str, threads: int) -> None:
        x, y = training.data()
        self.x, self.y = jnp.asarray(_channels_last(x)), jnp.asarray(y)
        self.batch, self.scans = training.batch, mode == "scan"
        rows = [slice(i * self.batch, (i + 1) * self.batch) for i in range(min(10, training.iterations))]
        self.batches = [(self.x[each], self.y[each]) for each in rows]
        self.rng, self.state = np.random.default_rng(0), _first_state(training)
        step = _step_of(training)
        self.run = jax.jit(step, donate_argnums=0)
        self.run_rows = jax.jit(lambda state, x, y, rows: step(state, x[rows], y[rows]), donate_argnums=0)

        def epoch(state: Any, x: Any, y: Any, order: Any) -> Any:
            return lax.scan(lambda state, rows: step(state, x[rows], y[rows]), state, order)

        self.run_epoch = jax.jit(epoch, donate_argnums=0)

    def step(self, place: int = 0) -> float:
        """Train on one batch; return its loss."""
        self.state, loss = self.run(self.state, *self.batches[place])
        return float(loss)

    def epoch(self, count: int, shuffle: bool = True) -> float:
        """Train on the first `count` batches; return the mean loss."""
        samples = count * self.batch
        order = self.rng.permutation(samples) if shuffle else np.arange(samples)
        order = order.astype(np.int32).reshape(count, self.batch)
        if self.scans:
            self.state, losses = self.run_epoch(self.state, self.x, self.y, order)
            return float(np.mean(losses))
        losses = []
        for rows in order:  # nothing is waited for before the end of the epoch
            self.state, loss = self.run_rows(self.state, self.x, self.y, rows)
            losses.append(loss)
        return float(np.mean([float(loss) for loss in losses]))


class Predictor:
    """A net that scores samples."""

    def __init__(self, net: Net, x: np.ndarray, mode: str, threads: int) -> None:
        self.x, self.weights = _channels_last(x), _weights(net)
        stats = _first_stats(net)

        def scores(weights: Arrays, x: Any) -> Any:
            return _Pass(weights, stats, None).through(net.layers, x)

        self.run = jax.jit(scores)

    def sample(self) -> np.ndarray:
        """Return the scores."""
        return np.asarray(self.run(self.weights, self.x))


class _Pass:
    """One pass through a net: takes weights and statistics in order, keeps the new statistics."""

    def __init__(self, weights: Arrays, stats: Arrays, key: Any) -> None:
        self.weights: Iterator[Any] = iter(weights)
        self.stats: Iterator[Any] = iter(stats)
        self.key, self.seen = key, []

    def through(self, layers: tuple[Layer, ...], x: Any) -> Any:
        for layer in layers:
            x = self._layer(layer, x)
        return x

    def _layer(self, layer: Layer, x: Any) -> Any:
        match layer:
            case nets.Linear():
                x = x @ next(self.weights)
                return x + next(self.weights) if layer.bias else x
            case nets.Conv():
                x = lax.conv_general_dilated(
                    x, next(self.weights), (layer.stride,) * 2, [(layer.padding,) * 2] * 2,
                    dimension_numbers=("NHWC", "HWIO", "NHWC"),
                )  # fmt: skip
                return x + next(self.weights) if layer.bias else x
            case nets.BatchNorm():
                return self._normalised(x)
            case nets.Activation():
                return ACTIVATIONS[layer.name](x)
            case nets.MaxPool(size):
                window = (1, size, size, 1)
                return lax.reduce_window(x, -jnp.inf, lax.max, window, window, "VALID")
            case nets.MeanPool():
                return x.mean(axis=(1, 2))
            case nets.Flatten():
                return x.reshape(len(x), -1)
            case nets.Dropout(p):
                self.key, key = jax.random.split(self.key)
                return jnp.where(jax.random.bernoulli(key, 1 - p, x.shape), x / (1 - p), 0)
            case nets.Residual():
                body = self.through(layer.body, x)
                return jax.nn.relu(body + self.through(layer.shortcut, x))

    def _normalised(self, x: Any) -> Any:
        scale, shift, (mean, variance) = next(self.weights), next(self.weights), next(self.stats)
        count = x.size // x.shape[-1]
        found = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
        kept = 0.9 * mean + 0.1 * found[0], 0.9 * variance + 0.1 * found[1] * (count / (count - 1))
        self.seen.append(kept)
        return (x - found[0]) * lax.rsqrt(found[1] + 1e-5) * scale + shift


def _step_of(training: Training) -> Any:
    def loss_of(weights: Arrays, stats: Arrays, key: Any, x: Any, y: Any) -> Any:
        run = _Pass(weights, stats, key)
        scores = run.through(training.net.layers, x)
        if training.loss == "cross_entropy":
            loss = -jnp.take_along_axis(jax.nn.log_softmax(scores), y[:, None], 1).mean()
        else:
            squares = (scores - y) ** 2
            loss = squares.mean() if training.loss == "mean_squared" else squares.sum()
        return loss, (run.seen, run.key)

    def step(state: Any, x: Any, y: Any) -> Any:
        weights, slots, stats, key, count = state
        (loss, (stats, key)), gradients = jax.value_and_grad(loss_of, has_aux=True)(weights, stats, key, x, y)
        count = count + 1
        updated = [_updated(training, *each, count) for each in zip(weights, gradients, slots, strict=True)]
        return ([w for w, _ in updated], [s for _, s in updated], stats, key, count), loss

    return step


def _updated(training: Training, weight: Any, gradient: Any, slots: Any, count: Any) -> tuple[Any, Any]:
    """Return a weight and what the optimiser remembers of it, after one step of PyTorch's rules."""
    if training.weight_decay:
        gradient = gradient + training.weight_decay * weight
    if training.adam:
        m, v = 0.9 * slots[0] + 0.1 * gradient, 0.999 * slots[1] + 0.001 * gradient**2
        size = jnp.sqrt(v) / jnp.sqrt(1 - 0.999**count) + 1e-8
        return weight - training.rate / (1 - 0.9**count) * m / size, (m, v)
    if training.momentum:
        velocity = training.momentum * slots[0] + gradient
        return weight - training.rate * velocity, (velocity,)
    return weight - training.rate * gradient, ()


def _first_state(training: Training) -> Any:
    weights = _weights(training.net)
    count = 2 if training.adam else 1 if training.momentum else 0
    slots = [tuple(jnp.zeros_like(w) for _ in range(count)) for w in weights]
    return weights, slots, _first_stats(training.net), jax.random.key(0), jnp.float32(0)


def _first_stats(net: Net) -> Arrays:
    sizes = [layer.channels for layer, _ in net.leaves if isinstance(layer, nets.BatchNorm)]
    return [(jnp.zeros(size), jnp.ones(size)) for size in sizes]


def _weights(net: Net) -> Arrays:
    """Return the weights in the layouts of this module."""
    weights, made, image = iter(net.weights()), [], None
    for layer, shape in net.leaves:
        if isinstance(layer, nets.Flatten):
            image = shape
        elif isinstance(layer, nets.Linear):
            weight = next(weights)
            if image:  # its columns are pixels: from (c, h, w) to (h, w, c)
                weight = weight.reshape(-1, *image).transpose(0, 2, 3, 1).reshape(len(weight), -1)
                image = None
            made += [weight.T] + ([next(weights)] if layer.bias else [])
        elif isinstance(layer, nets.Conv):
            made += [next(weights).transpose(2, 3, 1, 0)] + ([next(weights)] if layer.bias else [])
        elif isinstance(layer, nets.BatchNorm):
            made += [next(weights), next(weights)]
    return [jnp.asarray(each) for each in made]


def _channels_last(x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.moveaxis(x, 1, -1)) if x.ndim == 4 else x
