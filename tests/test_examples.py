"""Every example runs, and the lecture's own code gives the same losses as ours."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.core.registry import REGISTRY

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.py"))


@pytest.fixture
def example(request: pytest.FixtureRequest) -> Any:
    """The names that an example defines; ops that it declares are forgotten afterwards."""
    before = set(REGISTRY)
    yield runpy.run_path(str(next(path for path in EXAMPLES if path.stem == request.param)))
    for name in set(REGISTRY) - before:
        del REGISTRY[name]


def lecture_loop(steps: int, draw: Any) -> list[float]:
    """The lecture's NumPy code, its slips mended: randn for rand, range for xrange, print()."""
    x, y, w1, w2 = draw()
    losses = []
    for _ in range(steps):
        h = 1 / (1 + np.exp(-x.dot(w1)))
        y_pred = h.dot(w2)
        losses.append(float(np.square(y_pred - y).sum()))

        grad_y_pred = 2.0 * (y_pred - y)
        grad_w2 = h.T.dot(grad_y_pred)
        grad_h = grad_y_pred.dot(w2.T)
        grad_w1 = x.T.dot(grad_h * h * (1 - h))

        w1 -= 1e-4 * grad_w1
        w2 -= 1e-4 * grad_w2
    return losses


@pytest.mark.parametrize("steps", [50, pytest.param(2000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("example", ["two_layer_loop"], indirect=True)
def test_two_layer_loop_is_the_lectures(example: dict[str, Any], steps: int) -> None:
    ours, theirs = example["train"](steps), lecture_loop(steps, example["draw"])
    assert len(ours) == steps and ours[-1] < ours[0] / 2
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


@pytest.mark.parametrize("example", ["linear_classifier"], indirect=True)
def test_linear_classifier_learns_digits(example: dict[str, Any]) -> None:
    pytest.importorskip("sklearn")
    losses, right = example["train"](epochs=5)
    assert losses == sorted(losses, reverse=True)
    assert right > 0.88


@pytest.mark.parametrize("example", ["custom_op"], indirect=True)
def test_custom_op_is_an_op_like_any_other(example: dict[str, Any]) -> None:
    example["check_op"](example["bent_identity"])
    losses = example["fit"](60)
    assert losses[-1] < losses[0] / 10


def test_every_example_is_tested() -> None:
    tests = Path(__file__).read_text(encoding="utf-8")
    assert not [path.stem for path in EXAMPLES if f'["{path.stem}"]' not in tests]
