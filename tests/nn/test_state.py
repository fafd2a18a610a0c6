"""Reading a state: what is copied, in place, and the one error that lists all that does not fit."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import CheckpointError


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))


def test_state_shares_memory_and_is_copied_in_place() -> None:
    source, target = net(), net()
    arrays = [parameter.data for parameter in target.parameters()]
    assert target.load_state_dict(source.state_dict()) == ([], [])
    assert all(p.data is array for p, array in zip(target.parameters(), arrays, strict=True))
    state = source.state_dict()
    assert np.shares_memory(state["0.weight"].data, source[0].weight.data)
    assert not any(tensor.requires_grad for tensor in state.values())
    source[0].weight.assign(source[0].weight.data + 1)
    assert (target[0].weight.data != source[0].weight.data).all()


def test_arrays_of_another_float_are_converted() -> None:
    state = {name: tensor.data.astype(np.float64) for name, tensor in net().state_dict().items()}
    state["1.num_batches_tracked"] = np.int32(7)
    target = net()
    target.load_state_dict(state)
    assert target[0].weight.dtype == np.float32 and target[1].num_batches_tracked.item() == 7


def test_one_error_lists_everything_and_writes_nothing() -> None:
    target = net()
    before = target[0].weight.data.copy()
    state = dict(net().state_dict())
    state["0.wieght"] = state.pop("0.weight")
    state["1.bias"] = np.zeros(3)
    state["1.num_batches_tracked"] = np.float32(1)
    state["extra"] = cr.zeros(1)
    with pytest.raises(CheckpointError) as error:
        target.load_state_dict(state)
    told = error.value
    assert told.headline == "load_state_dict(Sequential): 2 misfitting, 1 missing, 2 unexpected of 7 tensors"
    for line in (
        "misfitting '1.bias' has shape (3,), needs (2,)",
        "misfitting '1.num_batches_tracked' holds float32, needs int64",
        "missing '0.weight' (did you mean '0.wieght'?)",
        "unexpected '0.wieght' (did you mean '0.weight'?)",
        "unexpected 'extra'",
    ):
        assert line in told.got
    assert (target[0].weight.data == before).all()


def test_loading_what_fits_returns_the_rest() -> None:
    target = net()
    clash = target.load_state_dict({"0.bias": [1.0, 2.0], "other": 1}, strict=False)
    assert clash.unexpected_keys == ["other"] and len(clash.missing_keys) == 6
    assert target[0].bias.tolist() == [1.0, 2.0]
    with pytest.raises(CheckpointError, match="1 misfitting of 7 tensors"):
        target.load_state_dict({"0.bias": [1.0]}, strict=False)


@pytest.mark.parametrize("names", [["model"], ["trainer", "model_state_dict"]])
def test_a_checkpoint_of_more_than_the_weights_is_answered_with_where_they_are(names: list[str]) -> None:
    state: dict[str, object] = dict(net().state_dict())
    for name in reversed(names):
        state = {"epoch": 3, "optimizer": {"state": {0: {"step": 1}}}, name: state}
    with pytest.raises(CheckpointError) as error:
        net().load_state_dict(state)
    assert error.value.hint == f"load_state_dict(state{''.join(f'[{name!r}]' for name in names)})"


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ([("0.bias", 1)], "needs a mapping of names to tensors, got list"),
        ({"0.bias": "text"}, "'0.bias' holds <U4, not numbers"),
        ({"0.bias": [[1], [2, 3]]}, "'0.bias' is no array"),
    ],
)
def test_what_is_no_state_is_refused(state: object, message: str) -> None:
    with pytest.raises(CheckpointError) as error:
        net().load_state_dict(state)
    assert message in error.value.headline
