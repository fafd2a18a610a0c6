"""Losses against PyTorch's, against plain NumPy, and at scores that would overflow."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.core.registry import named
from chainrule.errors import ArgumentError, DTypeError, IndexRangeError, ShapeError
from chainrule.nn import functional as F

RNG = np.random.default_rng(0)
SCORES, CUBE = RNG.normal(size=(5, 4)) * 3, RNG.normal(size=(2, 4, 3, 2))
LABELS, CUBE_LABELS = np.array([0, 3, 1, 1, 2]), RNG.integers(0, 4, (2, 3, 2))
SHARES = RNG.dirichlet(np.ones(4), 5)
WEIGHT = np.array([0.5, 1.0, 2.0, 0.3])
UNIT = RNG.uniform(0.02, 0.98, (5, 4))
CERTAIN = np.array([0.0, 1.0, 0.0, 1.0])
OTHER = SCORES + RNG.normal(size=(5, 4))

CALLS = [
    *[("cross_entropy", (SCORES, LABELS), {"reduction": r}) for r in ("mean", "sum", "none")],
    ("cross_entropy", (SCORES, LABELS, WEIGHT), {}),
    ("cross_entropy", (SCORES, LABELS, WEIGHT), {"label_smoothing": 0.2, "ignore_index": 1}),
    ("cross_entropy", (SCORES, np.array([0, -100, 2, -100, 3])), {"label_smoothing": 0.1}),
    ("cross_entropy", (SCORES, LABELS - 1, WEIGHT), {"ignore_index": -1, "reduction": "none"}),
    ("cross_entropy", (SCORES[0], np.array(2)), {}),
    ("cross_entropy", (CUBE, CUBE_LABELS, WEIGHT), {"label_smoothing": 0.3}),
    ("cross_entropy", (SCORES, SHARES, WEIGHT), {"label_smoothing": 0.2}),
    ("cross_entropy", (CUBE, np.abs(CUBE)), {}),
    ("cross_entropy", (SCORES[0], SHARES[0]), {"reduction": "none"}),
    ("nll_loss", (np.log(UNIT), LABELS, WEIGHT), {"ignore_index": 3}),
    ("nll_loss", (CUBE, CUBE_LABELS), {"reduction": "none"}),
    *[(name, (SCORES, OTHER), {}) for name in ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")],
    ("mse_loss", (SCORES, OTHER), {"reduction": "none"}),
    *[("smooth_l1_loss", (SCORES, OTHER), {"beta": beta, "reduction": "sum"}) for beta in (0.0, 0.4)],
    ("huber_loss", (SCORES, OTHER), {"delta": 0.4}),
    ("binary_cross_entropy", (UNIT, SHARES, WEIGHT), {}),
    ("binary_cross_entropy", (CERTAIN, np.array([0.0, 0.0, 1.0, 1.0])), {"reduction": "none"}),
    ("binary_cross_entropy_with_logits", (SCORES, SHARES), {"reduction": "sum"}),
    ("kl_div", (np.log(UNIT), SHARES), {"reduction": "batchmean"}),
    ("kl_div", (np.log(UNIT), np.log(SHARES)), {"log_target": True, "reduction": "sum"}),
    ("kl_div", (np.log(UNIT), np.eye(5, 4)), {"reduction": "none"}),
    ("multi_margin_loss", (SCORES, LABELS), {}),
    ("multi_margin_loss", (SCORES, LABELS), {"p": 2, "margin": 0.4, "reduction": "sum"}),
    ("multi_margin_loss", (SCORES[0], np.array(2)), {"reduction": "none"}),
]  # fmt: skip
WEIGHED = [
    ("binary_cross_entropy_with_logits", {"weight": WEIGHT, "pos_weight": UNIT[0]}),
    ("multi_margin_loss", {"weight": WEIGHT, "p": 2}),
]


def both(torch, name, arrays, kwargs, dtype):
    """Our value and gradient, and PyTorch's."""
    arrays = [a.astype(dtype) if a.dtype.kind == "f" else a for a in arrays]
    kwargs = {k: v.astype(dtype) if isinstance(v, np.ndarray) else v for k, v in kwargs.items()}
    ours = cr.tensor(arrays[0], requires_grad=True)
    value = named(name)(ours, *arrays[1:], **kwargs)
    value.sum().backward()
    theirs = torch.tensor(arrays[0], requires_grad=True)
    plain = {k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in kwargs.items()}
    function = getattr(torch.nn.functional, name)
    expected = function(theirs, *map(torch.tensor, arrays[1:]), **plain)
    expected.sum().backward()
    return value, ours.grad, expected.detach().numpy(), theirs.grad.numpy()


@pytest.mark.torch
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "arrays", "kwargs"), CALLS)
def test_value_and_gradient_are_those_of_torch(name, arrays, kwargs, dtype) -> None:
    torch = pytest.importorskip("torch")
    tolerance = 2e-5 if dtype == np.float32 else 1e-8
    value, gradient, expected, slope = both(torch, name, arrays, kwargs, dtype)
    assert value.dtype == gradient.dtype == dtype
    np.testing.assert_allclose(value.data, expected, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(gradient.data, slope, rtol=tolerance, atol=tolerance)


@pytest.mark.torch
@pytest.mark.parametrize(("name", "kwargs"), WEIGHED)
def test_weights_given_by_name(name, kwargs) -> None:
    torch = pytest.importorskip("torch")
    target = SHARES if name.startswith("binary") else LABELS
    value, gradient, expected, slope = both(torch, name, (SCORES, target), kwargs, np.float64)
    np.testing.assert_allclose(value.data, expected)
    np.testing.assert_allclose(gradient.data, slope)


@pytest.mark.torch
@pytest.mark.parametrize(
    ("name", "target", "arguments"),
    [
        ("huber_loss", OTHER, ("sum", 0.4)),
        ("multi_margin_loss", LABELS, (2, 0.4, WEIGHT)),
    ],
)
def test_arguments_have_the_order_of_torch(name, target, arguments) -> None:
    torch = pytest.importorskip("torch")
    given = [torch.tensor(each) if isinstance(each, np.ndarray) else each for each in arguments]
    expected = getattr(torch.nn.functional, name)(torch.tensor(SCORES), torch.tensor(target), *given)
    value = getattr(F, name)(SCORES, target, *arguments)
    np.testing.assert_allclose(value.item(), expected.item())


@pytest.mark.torch
def test_large_scores_in_float32_are_as_precise_as_those_of_torch() -> None:
    torch = pytest.importorskip("torch")
    scores = np.array([[1e4, 1e4 - 1, -1e4], [-1e4, 0, 1e4], [9999.5, 1e4, 1e4]])
    for labels in (np.array([1, 0, 0]), np.array([0, 2, 1])):
        value, gradient, expected, slope = both(
            torch, "cross_entropy", (scores, labels), {"reduction": "none"}, np.float32
        )
        np.testing.assert_allclose(value.data, expected, rtol=1e-6)
        np.testing.assert_allclose(gradient.data, slope, atol=1e-6)
    logits = (scores, (scores > 0).astype(float))
    value, gradient, expected, slope = both(
        torch, "binary_cross_entropy_with_logits", logits, {"reduction": "none"}, np.float32
    )
    np.testing.assert_allclose(value.data, expected)
    np.testing.assert_allclose(gradient.data, slope)


def test_one_score_for_two_classes_is_answered_with_the_loss_for_it() -> None:
    with pytest.raises(IndexRangeError) as caught:
        F.cross_entropy(cr.ones((2, 1)), [0, 1])
    assert "binary_cross_entropy_with_logits" in caught.value.hint


def test_classes_that_are_ruled_out_may_have_a_score_of_minus_infinity() -> None:
    scores = cr.tensor([[1.0, -np.inf, 1.0]], requires_grad=True)
    loss = named("cross_entropy")(scores, [0])
    loss.backward()
    assert loss.item() == pytest.approx(np.log(2))
    np.testing.assert_allclose(scores.grad.data, [[-0.5, 0.0, 0.5]], atol=1e-7)


def test_hinge_loss_is_the_lecture_s_sum_over_the_wrong_classes() -> None:
    scores = np.array([[3.2, 5.1, -1.7], [1.3, 4.9, 2.0], [2.2, 2.5, -3.1]])
    losses = named("hinge_loss")(scores, [0, 1, 2], reduction="none").data
    np.testing.assert_allclose(losses, [2.9, 0.0, 12.9])
    expected = 0.0
    for row, label in zip(SCORES, LABELS, strict=True):
        expected += sum(max(0.0, s - row[label] + 0.5) for j, s in enumerate(row) if j != label)
    assert named("hinge_loss")(SCORES, LABELS, margin=0.5).item() == pytest.approx(expected / 5)


@pytest.mark.parametrize(
    ("name", "arrays", "kind", "hint"),
    [
        ("cross_entropy", (SCORES, np.eye(5, 4, dtype=int)), DTypeError, "labels.argmax(axis=1)"),
        ("cross_entropy", (SCORES, LABELS + 1), IndexRangeError, "labels - 1"),
        ("cross_entropy", (SCORES, LABELS[:, None]), ShapeError, "labels.reshape(-1)"),
        ("hinge_loss", (SCORES, LABELS * 1.0), DTypeError, "labels.astype('int64')"),
        ("mse_loss", (SCORES[:, :1], SCORES[:, 0]), ShapeError, "target.reshape((5, 1))"),
        ("binary_cross_entropy", (SCORES, SHARES), ArgumentError, "binary_cross_entropy_with_logits"),
    ],
)  # fmt: skip
def test_wrong_use_has_a_hint(name, arrays, kind, hint) -> None:
    with pytest.raises(kind) as caught:
        named(name)(*arrays)
    assert (hint in caught.value.hint and caught.value.got) or name == "binary_cross_entropy"


def test_a_batch_that_is_ignored_in_part_counts_only_the_rest() -> None:
    some = named("cross_entropy")(SCORES, np.array([0, 3, -100, -100, -100])).item()
    assert some == pytest.approx(named("cross_entropy")(SCORES[:2], LABELS[:2]).item())
