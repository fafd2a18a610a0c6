"""What a trainer is made of: parts of the wrong kind, or of another network, are told at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule import nn, optim
from chainrule.errors import ArgumentError, DataError, GraphError
from chainrule.nn import functional as F
from chainrule.optim import lr_scheduler
from chainrule.train import Trainer

X = np.float32([[0, 1], [1, 0], [1, 1], [0, 0]])
Y = np.array([0, 1, 1, 0])
MODEL = nn.Linear(2, 2)
OTHER = optim.SGD(nn.Linear(2, 2).parameters(), lr=0.1)


def made(**parts: Any) -> Trainer:
    """A trainer whose parts fit, but for those given."""
    optimizer = optim.SGD(MODEL.parameters(), lr=0.1)
    return Trainer(**{"model": MODEL, "loss": F.cross_entropy, "optimizer": optimizer, **parts})


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"model": nn.Linear}, "model must be a module, got the class Linear"),
        ({"model": lambda x: x}, "model must be a module, got function"),
        ({"optimizer": optim.Adam}, "optimizer must be an optimiser, got the class Adam"),
        ({"optimizer": "adam"}, "optimizer must be an optimiser, got 'adam'"),
        ({"optimizer": OTHER}, "SGD holds no parameter of the model, so nothing would be trained"),
        ({"loss": nn.CrossEntropyLoss}, "loss must be a function, got the class CrossEntropyLoss"),
        ({"loss": None}, "loss must be a function, got None"),
        ({"penalty": 0.1}, "penalty must be a function, got 0.1"),
        ({"schedule": lambda epoch: 0.1}, "schedule must be a schedule, got function"),
        ({"schedule": lr_scheduler.StepLR(OTHER, 1)}, "the schedule belongs to another optimiser"),
    ],
)
def test_parts_that_do_not_fit(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        made(**parts)
    assert caught.value.headline.startswith(f"Trainer: {message}") and caught.value.hint


@pytest.mark.parametrize("compile", [True, False])
def test_what_returns_no_tensor(compile: bool) -> None:
    class Silent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 2)

        def forward(self, x: Any) -> Any:
            self.layer(x)

    silent = Silent()
    optimizer = optim.SGD(silent.parameters(), lr=0.1)
    with pytest.raises(GraphError, match="the model returned None, not a tensor"):
        made(model=silent, optimizer=optimizer, compile=compile).fit((X, Y))
    for value, name in ((3.0, "3.0"), (None, "None"), (nn.CrossEntropyLoss(), "CrossEntropyLoss")):
        with pytest.raises(GraphError, match=f"the loss returned {name}, not a tensor"):
            made(loss=lambda scores, y, value=value: value, compile=compile).fit((X, Y))


@pytest.mark.parametrize("watchers", [print, [lambda trainer: None], 3])
def test_watchers_that_cannot_be_told(watchers: Any) -> None:
    with pytest.raises(ArgumentError, match="watchers must be a list of watchers"):
        made().fit((X, Y), watchers=watchers)


def test_predictions_are_made_of_samples_alone() -> None:
    with pytest.raises(DataError, match="takes samples alone, got a tuple"):
        made().predict((X, Y))
    with pytest.raises(DataError, match="rows of different lengths"):
        made().predict([[1.0], [2.0, 3.0]])


def test_a_rule_without_a_rate_is_trained_with() -> None:
    class Fixed(optim.Optimizer):
        def update(self, p: Any, g: Any, state: Any, group: Any) -> Any:
            return p - 0.1 * g, {}

    for compile in (True, False):
        history = made(optimizer=Fixed(MODEL.parameters()), compile=compile).fit((X, Y), epochs=2)
        assert len(history) == 2 and "rate" not in history.columns


def test_frozen_parameters_cannot_be_trained() -> None:
    model = nn.Sequential(nn.Linear(2, 2).requires_grad_(False), nn.Linear(2, 2))
    trainer = Trainer(model, F.cross_entropy, optim.SGD(model.parameters(), lr=0.1))
    trainer.fit((X, Y))  # one layer is enough
    model.requires_grad_(False)
    with pytest.raises(ArgumentError) as caught:
        trainer.fit((X, Y))
    assert caught.value.headline.startswith("fit: all parameters that SGD holds are frozen")
    assert trainer.predict(X).shape == (4, 2)
