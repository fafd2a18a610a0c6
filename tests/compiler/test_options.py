"""What a compiled step depends on of its optimiser: a change is noticed, as it is in eager mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import optim
from chainrule.errors import TraceError
from chainrule.optim.averages import shrunk
from chainrule.optim.sgd import sgd_step

X = np.float32([1, 2, 3])
ZEROS = np.zeros(3, np.float32)


def after(make: Callable[[list[Any]], Any], change: Callable[..., Any], compiled: bool) -> tuple[Any, int]:
    """Return what two parameters are after three steps, `change(optimizer, second)`, and two more steps.

    The optimiser begins with the first parameter only. Also returns how many programs the change made.
    """
    one, two = (cr.tensor(values, requires_grad=True) for values in ([1.0, 2.0, 5.0], [1.0, 1.5, 0.5]))
    optimizer = make([one])

    def step(x: Any) -> None:
        optimizer.zero_grad()
        ((one * one * two - x) ** 2).sum().backward()
        optimizer.step()

    run = cr.compile(step) if compiled else step
    for _ in range(3):
        two.grad = None
        run(X)
    traces = getattr(run, "traces", 0)
    change(optimizer, two)
    for _ in range(2):
        two.grad = None
        run(X)
    return [one.data, two.data], getattr(run, "traces", 0) - traces


def same(make: Callable[[list[Any]], Any], change: Callable[..., Any]) -> int:
    """Find that a compiled step gives the numbers of eager mode; return how many programs the change made."""
    (found, traces), (wanted, _) = (after(make, change, compiled) for compiled in (True, False))
    np.testing.assert_allclose(found, wanted, 1e-5)
    return traces


GROUPS: dict[str, Callable[..., Any]] = {
    "one more group": lambda optimizer, two: optimizer.add_param_group({"params": [two], "lr": 0.05}),
    "one more parameter": lambda optimizer, two: optimizer.param_groups[0]["params"].append(two),
    "other parameters": lambda optimizer, two: optimizer.param_groups[0].update(params=[two]),
    "a copy": lambda optimizer, two: optimizer.param_groups.insert(
        0, dict(optimizer.param_groups.pop(), lr=0.07)
    ),
    "other groups": lambda optimizer, two: setattr(
        optimizer, "param_groups", [dict(optimizer.param_groups[0], lr=0.07)]
    ),
    "none": lambda optimizer, two: optimizer.param_groups.clear(),
}


def restored(optimizer: Any, two: Any) -> None:
    fresh = type(optimizer)([cr.tensor(each) for each in optimizer.param_groups[0]["params"]])
    optimizer.load_state_dict(fresh.state_dict())


STATES: dict[str, Callable[..., Any]] = {
    "loaded from before the first step": restored,
    "cleared": lambda optimizer, two: optimizer.state.clear(),
    "another": lambda optimizer, two: setattr(optimizer, "state", {}),
    "of one parameter cleared": lambda optimizer, two: next(iter(optimizer.state.values())).clear(),
    "one slot": lambda optimizer, two: next(iter(optimizer.state.values())).update(
        exp_avg=cr.tensor([0.0, 2.0, 3.0])
    ),
}


@pytest.mark.parametrize("change", [*GROUPS.values(), *STATES.values()], ids=[*GROUPS, *STATES])
def test_groups_their_parameters_and_state_may_be_exchanged(change: Callable[..., Any]) -> None:
    assert same(lambda params: optim.Adam(params, 0.1), change) == 1


def test_state_that_is_loaded_into_place_or_made_at_the_first_step_makes_no_new_program() -> None:
    w = cr.tensor([1.0, 2.0, 5.0], requires_grad=True)
    optimizer = optim.Adam([w], 0.1)

    @cr.compile
    def step(x: Any) -> Any:
        optimizer.zero_grad()
        ((w * w - x) ** 2).sum().backward()
        optimizer.step()
        return w + 0

    step(X)
    saved, kept = optimizer.state_dict(), w.data.copy()
    following = [step(X).data for _ in range(3)]
    optimizer.load_state_dict(saved)
    w.assign(kept)
    np.testing.assert_array_equal([step(X).data for _ in range(3)], following)
    assert step.traces == 1


class Signs(optim.Optimizer):
    """Follows signs; the rate is a parameter of an op, and at `use` Python calculates with it, too."""

    def __init__(self, params: Any, use: Callable[[Any], Any], lr: float = 0.1) -> None:
        self.use = use
        super().__init__(params, lr=lr, maximize=False)

    def update(self, p: Any, g: Any, state: Any, group: Any) -> Any:
        lr = group["lr"]
        return shrunk(p, lr=lr, weight_decay=0.5) - self.use(lr) * cr.sign(g), {}


USES: dict[str, Callable[[Any], Any]] = {
    "operand": lambda lr: lr,
    "arithmetic": lambda lr: 1.0 - lr,
    "comparison": lambda lr: 0.1 if lr > 0.3 else 0.2,
    "unary": lambda lr: -lr,
    "number": float,
    "array": lambda lr: np.float32([lr, lr, lr]),
    "tensor": cr.tensor,
    "power": lambda lr: lr**2,
    "rounded": lambda lr: round(lr, 2),
    "smaller": lambda lr: min(lr, 0.4),
}


def rate(optimizer: Any, _: Any) -> None:
    optimizer.param_groups[0]["lr"] *= 5


@pytest.mark.parametrize("name", USES)
def test_a_number_that_python_calculates_with_is_noticed(name: str) -> None:
    assert same(lambda params: Signs(params, USES[name]), rate) == 1


def test_a_number_that_only_ops_calculate_with_makes_no_new_program() -> None:
    assert same(lambda params: Signs(params, lambda _: 1.0), rate) == 0


def test_rates_are_plain_numbers_to_ops_of_doubles_and_singles() -> None:
    for dtype in (np.float32, np.float64):
        w = cr.tensor(np.ones(3, dtype), requires_grad=True)
        optimizer = Signs([w], lambda lr: lr)
        step = cr.compile(
            lambda w=w, optimizer=optimizer: (setattr(w, "grad", w * 2), optimizer.step(), w + 0)[2]
        )
        assert step().dtype == dtype
        np.testing.assert_array_equal(w.data, np.full(3, dtype(1) * (1 - dtype(0.05)) - dtype(0.1)))


@pytest.mark.parametrize("kind", [tuple, list])
def test_betas_are_read_anew(kind: Any) -> None:
    def make(params: Any) -> Any:
        optimizer = optim.Adam(params, 0.1)
        optimizer.param_groups[0]["betas"] = kind(optimizer.param_groups[0]["betas"])
        return optimizer

    def change(optimizer: Any, _: Any) -> None:
        betas = optimizer.param_groups[0]["betas"]
        if isinstance(betas, list):
            betas[0] = 0.5
        else:
            optimizer.param_groups[0]["betas"] = (0.5, betas[1])

    assert same(make, change) == 0


def test_an_option_that_becomes_0_and_is_not_0_any_more() -> None:
    found: list[Any] = []
    for compiled in (True, False):
        w = cr.tensor([1.0, 2.0, 5.0], requires_grad=True)
        optimizer = optim.SGD([w], 0.01, momentum=0.9, weight_decay=0.1)

        def step(x: Any, w: Any = w, optimizer: Any = optimizer) -> None:
            optimizer.zero_grad()
            ((w * w - x) ** 2).sum().backward()
            optimizer.step()

        run = cr.compile(step) if compiled else step
        for momentum, decay in [(0.9, 0.1), (0.8, 0.2), (0.0, 0.1), (0.9, 0.1), (0.9, 0.0), (0.8, 0.1)]:
            optimizer.param_groups[0].update(momentum=momentum, weight_decay=decay)
            run(X)
        found.append(w.data)
        assert getattr(run, "traces", 3) == 3
    np.testing.assert_allclose(*found, 1e-5)


@pytest.mark.parametrize("first", [True, False])
def test_a_schedule_is_not_stepped_before_python_calculates_with_what_it_changes(first: bool) -> None:
    def trained(compiled: bool) -> Any:
        w = cr.tensor([1.0, 2.0, 5.0], requires_grad=True)
        optimizer = Signs([w], lambda lr: lr)
        schedule = optim.lr_scheduler.ExponentialLR(optimizer, 0.5)

        def step(x: Any) -> None:
            optimizer.zero_grad()
            ((w * w - x) ** 2).sum().backward()
            for each in (schedule, optimizer) if first else (optimizer, schedule):
                each.step()

        run = cr.compile(step) if compiled else step
        for _ in range(3):
            run(X)
        return w.data

    if first:
        with pytest.raises(TraceError, match=r"lr: Python calculates with it after a schedule"):
            trained(True)
    else:
        np.testing.assert_allclose(trained(True), trained(False), 1e-5)


class Moves(optim.Optimizer):
    """Adds what depends on the gradient and the rate only."""

    def __init__(self, params: Any) -> None:
        super().__init__(params, lr=1.0)

    def update(self, p: Any, g: Any, state: Any, group: Any) -> tuple[Any, Any]:
        return p + sgd_step(ZEROS, g, lr=group["lr"]), {}


def test_equal_updates_before_and_after_a_schedule_are_computed_each() -> None:
    def trained(compiled: bool) -> Any:
        w = cr.tensor([1.0, 2.0, 5.0], requires_grad=True)
        optimizer = Moves([w])
        schedule = optim.lr_scheduler.ExponentialLR(optimizer, 0.5)

        def step(x: Any) -> None:
            optimizer.zero_grad()
            (w * x).sum().backward()
            for each in (optimizer, schedule, optimizer):
                each.step()

        run = cr.compile(step) if compiled else step
        for _ in range(3):
            run(X)
        return w.data

    np.testing.assert_allclose(trained(True), trained(False), 1e-5)
