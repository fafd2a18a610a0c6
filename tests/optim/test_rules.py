"""Every update rule against PyTorch's, over a grid of arguments, and in both dtypes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import chainrule as cr
from chainrule import optim

SHAPES = [(4, 3), (3,), ()]


def grid(**choices):
    """All combinations of the choices, as dicts."""
    return [dict(zip(choices, each, strict=True)) for each in itertools.product(*choices.values())]


CASES = [
    *[
        ("SGD", k)
        for k in grid(lr=[0.1], momentum=[0.0, 0.9], weight_decay=[0.0, 0.1], maximize=[False, True])
    ],
    *[("SGD", k) for k in grid(lr=[0.05], momentum=[0.8], dampening=[0.0, 0.3], weight_decay=[0.01])],
    ("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("SGD", {}),
    *[
        (name, k)
        for name in ("Adam", "AdamW")
        for k in grid(
            lr=[0.05], weight_decay=[0.0, 0.1], amsgrad=[False, True], betas=[(0.9, 0.999), (0.5, 0.7)]
        )
    ],
    ("Adam", {"eps": 0.1, "maximize": True}),
    ("Adam", {}),
    ("AdamW", {}),
    *[("RMSprop", k) for k in grid(centered=[False, True], momentum=[0.0, 0.9], weight_decay=[0.0, 0.1])],
    ("RMSprop", {"alpha": 0.5, "eps": 1e-3, "maximize": True}),
    *[("Adagrad", k) for k in grid(lr_decay=[0.0, 0.1], weight_decay=[0.0, 0.1])],
    ("Adagrad", {"initial_accumulator_value": 0.5, "eps": 1e-3, "maximize": True}),
]


def ours(name, kwargs, start, gradients):
    """The parameters after steps with given gradients (None: no gradient that time), by our rule."""
    params = [cr.tensor(each, requires_grad=True) for each in start]
    optimizer = getattr(optim, name)(iter(params), **kwargs)
    for step in gradients:
        for p, g in zip(params, step, strict=True):
            p.grad = None if g is None else cr.tensor(g)
        optimizer.step()
    return params


def theirs(torch, name, kwargs, start, gradients):
    params = [torch.tensor(each, requires_grad=True) for each in start]
    optimizer = getattr(torch.optim, name)(params, **kwargs)
    for step in gradients:
        for p, g in zip(params, step, strict=True):
            p.grad = None if g is None else torch.tensor(g)
        optimizer.step()
    return [p.detach().numpy() for p in params]


@pytest.mark.torch
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "kwargs"), CASES)
def test_ten_steps_are_those_of_torch(name, kwargs, dtype) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    start = [np.asarray(rng.normal(size=shape), dtype) for shape in SHAPES]
    gradients = [[np.asarray(rng.normal(size=shape), dtype) for shape in SHAPES] for _ in range(10)]
    gradients[0][1] = gradients[4][1] = None
    found = ours(name, kwargs, start, gradients)
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    for p, expected in zip(found, theirs(torch, name, kwargs, start, gradients), strict=True):
        assert p.dtype == dtype
        np.testing.assert_allclose(p.data, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("name", "kwargs"), CASES)
def test_new_values_have_the_parameter_s_dtype_and_no_history(name, kwargs) -> None:
    p = cr.tensor(np.ones((2, 2), np.float32), requires_grad=True)
    optimizer = getattr(optim, name)([p], **kwargs)
    (group,) = optimizer.param_groups
    with cr.no_grad():
        value, new = optimizer.update(p, cr.ones((2, 2)), optimizer.state_of(p, group), group)
    assert value.dtype == np.float32 and not value.requires_grad
    assert set(new) == set(optimizer.slots(group))
    assert all(each.dtype == (np.float64 if slot == "step" else np.float32) for slot, each in new.items())


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        ("SGD", {"momentum": 0.9}),
        ("SGD", {"momentum": 0.9, "dampening": 0.5}),
        ("Adam", {}),
        ("RMSprop", {"centered": True, "momentum": 0.9}),
    ],
)
def test_states_that_decay_end_at_zero(name, kwargs, dtype, compiled) -> None:
    """Processors take a hundred times longer with numbers below the smallest normal one."""
    tiny = np.finfo(dtype).tiny
    p = cr.tensor(np.ones(3, dtype), requires_grad=True)
    optimizer = getattr(optim, name)([p], **kwargs)
    (group,) = optimizer.param_groups
    state = optimizer.state_of(p, group)
    for slot, each in state.items():
        each.assign(np.full(each.shape, 5.0) if slot == "step" else np.array([tiny, 2 * tiny, 1], dtype))

    def step(g):
        p.grad = cr.tensor(g) if isinstance(g, np.ndarray) else g
        optimizer.step()

    (cr.compile(step) if compiled else step)(np.zeros(3, dtype))
    for slot, each in optimizer.state_of(p, group).items():
        if slot != "step":
            small, larger, large = each.data
            assert small == 0 and larger >= tiny and large > 0.8, slot


def test_momenta_of_float16_keep_their_small_numbers() -> None:
    """Below the smallest normal number lies a good part of what float16 is used for."""
    p = cr.tensor(np.ones(2, np.float16), requires_grad=True)
    rule = optim.SGD([p], lr=0.1, momentum=0.9)
    p.grad = cr.tensor(np.full(2, 2e-5, np.float16))
    rule.step()
    np.testing.assert_allclose(rule.state[p]["momentum_buffer"].data, 2e-5, rtol=1e-2)
