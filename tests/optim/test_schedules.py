"""Schedules: the rates of PyTorch's over 100 steps, resuming, and refusals."""

from __future__ import annotations

import json
import math
import warnings

import numpy as np
import pytest

import chainrule as cr
from chainrule import optim
from chainrule.errors import ArgumentError, CheckpointError, TraceError
from chainrule.optim import lr_scheduler

CYCLE = {"max_lr": 0.5, "total_steps": 100}
CASES = [
    ("StepLR", {"step_size": 7, "gamma": 0.5}),
    ("MultiStepLR", {"milestones": [10, 40, 40, 70], "gamma": 0.3}),
    ("ExponentialLR", {"gamma": 0.97}),
    ("LinearLR", {"start_factor": 0.1, "end_factor": 0.8, "total_iters": 30}),
    ("LinearLR", {}),
    ("LambdaLR", {"lr_lambda": lambda epoch: 1 / (1 + epoch)}),
    ("LambdaLR", {"lr_lambda": [lambda epoch: 0.9**epoch, lambda epoch: 1 / (1 + epoch)]}),
    ("CosineAnnealingLR", {"T_max": 100}),
    ("CosineAnnealingLR", {"T_max": 17, "eta_min": 0.01}),
    ("OneCycleLR", CYCLE),
    ("OneCycleLR", {**CYCLE, "max_lr": [0.5, 2.0], "anneal_strategy": "linear", "pct_start": 0.45}),
    ("OneCycleLR", {**CYCLE, "three_phase": True, "div_factor": 10.0, "final_div_factor": 100.0}),
    ("OneCycleLR", {"max_lr": 1.0, "epochs": 10, "steps_per_epoch": 10, "cycle_momentum": False}),
]


def build(module, tensors, kind):
    """An optimiser with two groups of different rates."""
    groups = [{"params": [tensors[0]]}, {"params": [tensors[1]], "lr": 0.3}]
    make = module.SGD if kind == "SGD" else module.Adam
    return make(groups, lr=0.1, **({"momentum": 0.9} if kind == "SGD" else {}))


def our_optimizer(kind="SGD"):
    return build(optim, [cr.tensor(1.0, requires_grad=True) for _ in range(2)], kind)


def torch_optimizer(torch, kind="SGD"):
    return build(torch.optim, [torch.tensor(1.0, requires_grad=True) for _ in range(2)], kind)


def watch(scheduler, optimizer, steps, metrics=None):
    """Rates (and momenta, where there are) that are in force at each step."""
    seen = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch warns that no optimiser step was made
        for step in range(steps):
            groups = optimizer.param_groups
            seen.append(
                [g["lr"] for g in groups] + [g.get("momentum", g.get("betas", (0,))[0]) for g in groups]
            )
            if metrics is not None:
                scheduler.step(metrics[step])
            elif step < steps - 1:
                scheduler.step()
            assert list(scheduler.get_last_lr()) == [g["lr"] for g in groups]
    return np.array(seen)


@pytest.mark.torch
@pytest.mark.parametrize("kind", ["SGD", "Adam"])
@pytest.mark.parametrize(("name", "kwargs"), CASES)
def test_a_hundred_rates_are_those_of_torch(name, kwargs, kind) -> None:
    torch = pytest.importorskip("torch")
    mine, other = our_optimizer(kind), torch_optimizer(torch, kind)
    ours = watch(getattr(lr_scheduler, name)(mine, **kwargs), mine, 100)
    theirs = watch(getattr(torch.optim.lr_scheduler, name)(other, **kwargs), other, 100)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.torch
@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"factor": 0.5, "patience": 2, "cooldown": 3, "threshold": 0.05},
        {"mode": "max", "patience": 1, "threshold_mode": "abs", "threshold": 0.2, "min_lr": [0.01, 0.2]},
        {"factor": 0.5, "patience": 0, "threshold_mode": "abs", "eps": 0.02},
    ],
)
def test_plateau_is_that_of_torch(kwargs) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(3)
    metrics = (np.exp(-np.arange(100) / 15) + 0.05 * rng.normal(size=100)).tolist()
    metrics[50] = math.nan
    mine, other = our_optimizer(), torch_optimizer(torch)
    ours = watch(lr_scheduler.ReduceLROnPlateau(mine, **kwargs), mine, 100, metrics)
    theirs = watch(torch.optim.lr_scheduler.ReduceLROnPlateau(other, **kwargs), other, 100, metrics)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    assert ours[-1, 0] < ours[0, 0]


@pytest.mark.torch
def test_a_sequence_is_that_of_torch() -> None:
    torch = pytest.importorskip("torch")

    def sequence(module, optimizer):
        parts = [
            module.LinearLR(optimizer, start_factor=0.1, total_iters=10),
            module.CosineAnnealingLR(optimizer, T_max=50),
            module.StepLR(optimizer, step_size=5, gamma=0.5),
        ]
        return module.SequentialLR(optimizer, parts, milestones=[10, 60])

    mine, other = our_optimizer(), torch_optimizer(torch)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = watch(sequence(torch.optim.lr_scheduler, other), other, 100)
    ours = watch(sequence(lr_scheduler, mine), mine, 100)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


def test_a_cycle_inside_a_sequence_moves_the_momentum_too() -> None:
    alone, first = our_optimizer(), our_optimizer()
    expected = watch(lr_scheduler.OneCycleLR(alone, max_lr=0.5, total_steps=20), alone, 20)
    parts = [lr_scheduler.StepLR(first, 100), lr_scheduler.OneCycleLR(first, max_lr=0.5, total_steps=20)]
    seen = watch(lr_scheduler.SequentialLR(first, parts, [5]), first, 25)
    np.testing.assert_array_equal(seen[5:], expected)


@pytest.mark.parametrize(("name", "kwargs"), CASES)
def test_a_schedule_that_is_saved_and_loaded_goes_on_identically(name, kwargs) -> None:
    straight = our_optimizer()
    expected = watch(getattr(lr_scheduler, name)(straight, **kwargs), straight, 100)
    first = our_optimizer()
    schedule = getattr(lr_scheduler, name)(first, **kwargs)
    watch(schedule, first, 41)  # forty steps
    saved = json.loads(json.dumps(schedule.state_dict())), first.state_dict()
    second = our_optimizer()
    resumed = getattr(lr_scheduler, name)(second, **kwargs)
    second.load_state_dict(saved[1])
    second.param_groups[0]["lr"] = 99.0  # the schedule knows better
    resumed.load_state_dict(saved[0])
    np.testing.assert_array_equal(watch(resumed, second, 60), expected[40:])


def test_plateau_goes_on_identically() -> None:
    metrics = [1.0] * 30
    straight, first, second = our_optimizer(), our_optimizer(), our_optimizer()
    expected = watch(lr_scheduler.ReduceLROnPlateau(straight, patience=6), straight, 30, metrics)
    schedule = lr_scheduler.ReduceLROnPlateau(first, patience=6)
    watch(schedule, first, 12, metrics)
    resumed = lr_scheduler.ReduceLROnPlateau(second, patience=6)
    second.load_state_dict(first.state_dict())
    resumed.load_state_dict(json.loads(json.dumps(schedule.state_dict())))
    np.testing.assert_array_equal(watch(resumed, second, 18, metrics), expected[12:])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda o: lr_scheduler.StepLR(o, 0), "step_size must be an integer of at least 1, got 0"),
        (lambda o: lr_scheduler.StepLR(3, 1), "StepLR: needs an optimiser, got int"),
        (lambda o: lr_scheduler.LambdaLR(o, [abs]), "1 functions for 2 group"),
        (lambda o: lr_scheduler.OneCycleLR(o, 0.1), "needs total_steps, or epochs and steps_per_epoch"),
        (lambda o: lr_scheduler.OneCycleLR(o, 0.1, 10, anneal_strategy="x"), "must be cos or linear"),
        (lambda o: lr_scheduler.OneCycleLR(o, [0.1], 10), "1 values of max_lr for 2 group"),
        (lambda o: lr_scheduler.ReduceLROnPlateau(o, "lowest"), "mode must be min or max, got 'lowest'"),
        (lambda o: lr_scheduler.ReduceLROnPlateau(o, factor=1.0), "factor must be .* below 1, got 1.0"),
        (lambda o: lr_scheduler.ReduceLROnPlateau(o).step(), "step needs the metric"),
        (lambda o: lr_scheduler.SequentialLR(o, [lr_scheduler.StepLR(o, 1)], [3]), "1 schedules need 0 mile"),
    ],
)
def test_wrong_use_is_refused(make, message) -> None:
    with pytest.raises(ArgumentError, match=message):
        make(our_optimizer())


def test_a_cycle_needs_momentum_and_ends() -> None:
    plain = optim.SGD([cr.tensor(1.0, requires_grad=True)])
    with pytest.raises(ArgumentError, match="no momentum to cycle"):
        lr_scheduler.OneCycleLR(plain, **CYCLE)
    schedule = lr_scheduler.OneCycleLR(plain, max_lr=1.0, total_steps=3, cycle_momentum=False)
    for _ in range(3):
        schedule.step()
    with pytest.raises(RuntimeError, match="step 5 of a cycle of 3"):
        schedule.step()
    assert schedule.last_epoch == 3


@pytest.mark.torch
def test_a_cycle_ends_as_in_pytorch() -> None:
    torch = pytest.importorskip("torch")
    ours = our_optimizer()
    theirs = torch.optim.SGD([torch.nn.Parameter(torch.ones(1)) for _ in ours.param_groups], lr=0.1)
    options = {"max_lr": 0.5, "total_steps": 7, "cycle_momentum": False}
    one, two = (
        lr_scheduler.OneCycleLR(ours, **options),
        torch.optim.lr_scheduler.OneCycleLR(theirs, **options),
    )
    for _ in range(7):
        one.step()
        theirs.step()
        two.step()
        assert one.get_last_lr()[0] == pytest.approx(two.get_last_lr()[0], rel=1e-9)


def test_the_state_of_another_schedule_is_refused() -> None:
    saved = lr_scheduler.StepLR(our_optimizer(), 3).state_dict()
    with pytest.raises(CheckpointError, match="has no 'best'"):
        lr_scheduler.ReduceLROnPlateau(our_optimizer()).load_state_dict(saved)


@pytest.mark.parametrize("metric", [1.0, None])
def test_plateau_is_not_stepped_inside_of_a_compiled_function(metric) -> None:
    optimizer = our_optimizer()
    schedule = lr_scheduler.ReduceLROnPlateau(optimizer)
    before = schedule.state_dict()

    @cr.compile
    def step(x):
        schedule.step((x * 2).sum() if metric is None else metric)
        return x * 2

    with pytest.raises(TraceError, match=r"ReduceLROnPlateau: step asks for a number[\s\S]*outside"):
        step(np.ones(3, np.float32))
    assert schedule.state_dict() == before
