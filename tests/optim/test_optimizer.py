"""What every optimiser does alike: groups, closures, state that is saved, and refusals."""

from __future__ import annotations

import json

import numpy as np
import pytest

import chainrule as cr
from chainrule import optim
from chainrule.errors import ArgumentError, CheckpointError

RICH = [
    (optim.SGD, {"lr": 0.1, "momentum": 0.9, "dampening": 0.1}),
    (optim.Adam, {"amsgrad": True}),
    (optim.AdamW, {}),
    (optim.RMSprop, {"centered": True, "momentum": 0.5}),
    (optim.Adagrad, {"lr_decay": 0.1}),
]


def parameters():
    rng = np.random.default_rng(1)
    return [cr.tensor(rng.normal(size=shape), requires_grad=True) for shape in ((3, 2), (2,))]


def descend(params, optimizer, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        sum(((p - 1.0) ** 2).sum() for p in params).backward()
        optimizer.step()


@pytest.mark.parametrize(("kind", "kwargs"), RICH)
def test_a_run_that_is_saved_and_loaded_goes_on_identically(kind, kwargs) -> None:
    straight = parameters()
    descend(straight, kind(straight, **kwargs), 7)
    first = parameters()
    optimizer = kind(first, **kwargs)
    descend(first, optimizer, 3)
    saved = optimizer.state_dict()
    descend(first, optimizer, 2)  # what is saved does not change with the optimiser
    options = json.loads(json.dumps(saved["param_groups"]))
    state = {str(place): slots for place, slots in saved["state"].items()}

    second = parameters()
    descend(second, kind(second, **kwargs), 3)
    resumed = kind(second, lr=99.0)
    resumed.load_state_dict({"state": state, "param_groups": options})
    descend(second, resumed, 4)
    for one, two in zip(straight, second, strict=True):
        np.testing.assert_array_equal(one.data, two.data)


def test_loading_and_stepping_write_into_the_arrays_that_are_there() -> None:
    params = parameters()
    optimizer = optim.Adam(params)
    optimizer.prepare()
    arrays = [params[0].data, optimizer.state[params[0]]["exp_avg"].data]
    saved = optimizer.state_dict()
    descend(params, optimizer, 2)
    optimizer.load_state_dict(saved)
    assert arrays[0] is params[0].data
    assert arrays[1] is optimizer.state[params[0]]["exp_avg"].data
    assert not arrays[1].any()


def test_a_state_that_does_not_fit_is_refused_and_changes_nothing() -> None:
    params = parameters()
    optimizer = optim.Adam(params)
    descend(params, optimizer, 1)
    good, before = optimizer.state_dict(), optimizer.state_dict()
    shapes = {0: {**good["state"][0], "exp_avg": np.zeros((2, 2))}}
    wrong = [
        ({"state": {}}, "holds 'state' and 'param_groups'"),
        ({**good, "param_groups": good["param_groups"] * 2}, r"groups of \[2, 2\]"),
        ({**good, "state": shapes}, r"exp_avg of parameter 0 has shape \(2, 2\), needs \(3, 2\)"),
        ({**good, "state": {5: {}}}, "parameter 5, but there are 2"),
        (optim.SGD(parameters()).state_dict(), "has no option 'amsgrad'"),
    ]
    for state, message in wrong:
        with pytest.raises(CheckpointError, match=message):
            optimizer.load_state_dict(state)
    np.testing.assert_array_equal(
        optimizer.state_dict()["state"][0]["exp_avg"], before["state"][0]["exp_avg"]
    )


def test_groups_have_options_of_their_own() -> None:
    w, b = parameters()
    optimizer = optim.SGD([{"params": [w], "lr": 0.5}, {"params": b}], lr=0.1)
    (w.sum() + b.sum()).backward()
    before = w.data.copy(), b.data.copy()
    optimizer.step()
    np.testing.assert_allclose(before[0] - w.data, 0.5)
    np.testing.assert_allclose(before[1] - b.data, 0.1)
    extra = cr.tensor(1.0, requires_grad=True)
    optimizer.add_param_group({"params": [extra], "momentum": 0.9})
    assert [group["momentum"] for group in optimizer.param_groups] == [0.0, 0.0, 0.9]
    assert repr(optimizer).splitlines()[3].startswith("  group 2: 1 parameter, lr=0.1, momentum=0.9")


def test_parameters_without_gradient_stay_as_they_are() -> None:
    w, b = parameters()
    optimizer = optim.Adam([w, b], weight_decay=0.5)
    w.sum().backward()
    before = b.data.copy()
    optimizer.step()
    np.testing.assert_array_equal(b.data, before)
    assert b not in optimizer.state


def test_closure_and_zero_grad() -> None:
    (w, _) = parameters()
    optimizer = optim.SGD([w], lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss

    with cr.no_grad():  # the closure records even so
        losses = [optimizer.step(closure).item() for _ in range(5)]
    assert losses == sorted(losses, reverse=True)
    optimizer.zero_grad(set_to_none=False)
    assert not w.grad.data.any()
    optimizer.zero_grad()
    assert w.grad is None


def test_changing_values_behind_a_graph_is_noticed() -> None:
    (w, _) = parameters()
    loss = (w * w).sum()
    loss.backward()
    optim.SGD([w]).step()
    with pytest.raises(RuntimeError, match="changed in place"):
        loss.backward()


W = cr.tensor([1.0], requires_grad=True)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: optim.SGD([]), "SGD: the list of parameters is empty"),
        (lambda: optim.SGD(iter(())), "SGD: the list of parameters is empty"),
        (lambda: optim.SGD(W), "SGD: parameters come in a list, got a single tensor"),
        (lambda: optim.SGD(3), "SGD: parameters come in a list, got int"),
        (lambda: optim.SGD({"params": [W]}), "SGD: a group must be in a list"),
        (lambda: optim.SGD([W, W]), "SGD: parameter 1 of the group is given twice"),
        (lambda: optim.SGD([{"params": [W]}, {"params": [W]}]), "SGD: parameter 0 of the group is given twice"),
        (lambda: optim.SGD([W * 2]), "SGD: parameter 0, the result of multiply, was computed: only leaves can be updated"),
        (lambda: optim.SGD([("w", W)]), "SGD: parameter 0 is no tensor but tuple"),
        (lambda: optim.SGD([{"params": [W], "rate": 1}]), "SGD: there is no option 'rate'"),
        (lambda: optim.SGD([{"lr": 1.0}]), "SGD: a group needs 'params', its list of parameters"),
        (lambda: optim.SGD([W], lr=-1), "SGD: lr must be a finite number of at least 0, got -1"),
        (lambda: optim.SGD([W], lr=float("nan")), "SGD: lr must be a finite number of at least 0, got nan"),
        (lambda: optim.SGD([{"params": [W], "lr": "x"}]), "SGD: lr must be a finite number of at least 0, got 'x'"),
        (lambda: optim.SGD([W], nesterov=True), "SGD: nesterov needs momentum above 0, and no dampening"),
        (lambda: optim.Adam([W], betas=(0.9, 1.0)), "Adam: betas[1] must be a finite number of at least 0 and below 1, got 1.0"),
        (lambda: optim.Adam([W], betas=0.9), "Adam: betas must be two numbers, got 0.9"),
    ],
)  # fmt: skip
def test_wrong_use_is_refused(make, message) -> None:
    with pytest.raises(ArgumentError) as caught:
        make()
    assert caught.value.headline == message


def test_a_module_in_place_of_its_parameters() -> None:
    class Net:
        def parameters(self):
            return [W]

    with pytest.raises(ArgumentError, match=r"give model.parameters\(\)"):
        optim.Adam(Net())


class Heavy(optim.Optimizer):
    """A rule as a user first writes it: no word on `maximize`, nor on what it remembers."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, lr=lr)

    def update(self, p, g, state, group):
        velocity = 0.9 * state["velocity"] + g if state else g
        return p - group["lr"] * velocity, {"velocity": velocity}


def test_state_that_a_rule_did_not_name() -> None:
    w = cr.tensor([1.0], requires_grad=True)
    (w * w).sum().backward()
    with pytest.raises(ArgumentError, match="Heavy: update returns the state 'velocity'") as caught:
        Heavy([w]).step()
    assert "return ('velocity',)" in caught.value.hint

    class Named(Heavy):
        def slots(self, group):
            return ("velocity",)

    Named([w]).step()
    assert w.item() == pytest.approx(0.8)
