"""The trainer from Python: what it computes, what it leaves alone, and how it goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.data import Dataset, HorizontalFlip, Normalizer
from chainrule.errors import ArgumentError, CheckpointError, DataError
from chainrule.nn import functional as F
from chainrule.optim import lr_scheduler
from chainrule.train import Trainer
from chainrule.train import checkpoint as files
from chainrule.train.inference import evaluating
from chainrule.train.trainer import Keeper

RNG = np.random.default_rng(5)
IMAGES = Dataset(RNG.integers(0, 256, (70, 1, 4, 4), np.uint8), RNG.integers(0, 3, 70), ("a", "b", "c"))
HELD = IMAGES[:20]


def trainer(kind: str = "adam", per: Any = "iteration", seed: int = 3) -> Trainer:
    """A net with dropout and batch norm, augmentation, a penalty and a schedule: all that has a state."""
    cr.random.seed(seed)
    model = nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(48, 3),
    )
    makers: dict[str, Any] = {
        "sgd": lambda p: optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
        "adam": lambda p: optim.AdamW(p, lr=0.01, amsgrad=True),
    }
    optimizer = makers[kind](model.parameters())
    schedule = lr_scheduler.CosineAnnealingLR(optimizer, T_max=50)
    if per == "epoch":
        schedule = lr_scheduler.ReduceLROnPlateau(optimizer, patience=0)
    return Trainer(
        model,
        F.cross_entropy,
        optimizer,
        optim.L2(1e-3),
        schedule=schedule,
        per=per,
        prepare=Normalizer().fit(IMAGES.x),
        augment=[HorizontalFlip()],
    )


def weights(made: Trainer) -> dict[str, bytes]:
    return {name: each.data.tobytes() for name, each in made.model.state_dict().items()}


class Stop:
    """A watcher that breaks a training off, as a kill would, after having saved."""

    def __init__(self, path: Path, epoch: int, iteration: int) -> None:
        self.path, self.at = path, (epoch, iteration)

    def iteration(self, made: Trainer) -> None:
        if (made.epoch, made.iteration) == self.at:
            files.save(self.path, made.state())
            raise KeyboardInterrupt

    def epoch(self, made: Trainer, evaluated: Any) -> None:
        pass


@pytest.mark.parametrize("kind", ["sgd", "adam"])
@pytest.mark.parametrize("per", ["iteration", "epoch"])
@pytest.mark.parametrize("at", [(0, 1), (1, 4), (2, 5)])
def test_a_training_that_was_broken_off_goes_on_bit_for_bit(
    kind: str, per: str, at: tuple[int, int], tmp_path: Path
) -> None:
    whole = trainer(kind, per)
    whole.fit(IMAGES, HELD, epochs=4, batch_size=16, seed=9)
    first = trainer(kind, per)
    with pytest.raises(KeyboardInterrupt):
        first.fit(IMAGES, HELD, epochs=4, batch_size=16, seed=9, watchers=[Stop(tmp_path / "c", *at)])
    second = trainer(kind, per, seed=77)
    history = second.fit(
        IMAGES, HELD, epochs=4, batch_size=16, seed=9, checkpoint=tmp_path / "c", resume=True
    )
    assert weights(second) == weights(whole)

    def timeless(rows: Any) -> list[dict[str, Any]]:
        return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]

    assert timeless(history) == timeless(whole.history)


def test_long_epochs_are_saved_on_the_way(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path / "c", seconds=0)
    with pytest.raises(KeyboardInterrupt):
        trainer().fit(IMAGES, batch_size=16, watchers=[keeper, Stop(tmp_path / "other", 0, 3)])
    assert files.load(tmp_path / "c")["iteration"] == 3
    patient = Keeper(tmp_path / "d", seconds=60)
    with pytest.raises(KeyboardInterrupt):
        trainer().fit(IMAGES, batch_size=16, watchers=[patient, Stop(tmp_path / "other", 0, 3)])
    assert not (tmp_path / "d").exists()


def test_going_on_in_mid_epoch_needs_the_same_batches(tmp_path: Path) -> None:
    first = trainer()
    with pytest.raises(KeyboardInterrupt):
        first.fit(IMAGES, epochs=1, batch_size=16, watchers=[Stop(tmp_path / "c", 0, 2)])
    with pytest.raises(CheckpointError, match="with other batches"):
        trainer().fit(IMAGES, epochs=1, batch_size=8, checkpoint=tmp_path / "c", resume=True)


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    trainer().fit(IMAGES, epochs=1, checkpoint=tmp_path / "c")
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    other = Trainer(model, F.cross_entropy, optim.SGD(model.parameters(), lr=0.1))
    with pytest.raises(CheckpointError):
        other.fit(IMAGES, epochs=2, checkpoint=tmp_path / "c", resume=True)


def test_a_trainer_stays_as_it_was_where_a_state_fits_in_parts_only(tmp_path: Path) -> None:
    trainer().fit(IMAGES, epochs=1, checkpoint=tmp_path / "c")
    made = trainer(kind="sgd", seed=8)
    made.fit(IMAGES, epochs=1)
    before, kept = weights(made), made.optimizer.state_dict()["state"]
    with pytest.raises(CheckpointError, match="another kind of optimiser"):
        made.fit(IMAGES, epochs=2, checkpoint=tmp_path / "c", resume=True)
    assert weights(made) == before and made.epoch == len(made.history) == 1
    now = made.optimizer.state_dict()["state"]
    assert {key: list(each) for key, each in now.items()} == {key: list(each) for key, each in kept.items()}


@pytest.mark.parametrize("state", [{}, {"model": {}}, {"model": 3}, {"epoch": 1}])
def test_a_state_of_something_else_is_refused(state: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError):
        trainer().load_state(state)


def test_resume_starts_where_there_is_nothing_and_stops_where_all_is_done(tmp_path: Path) -> None:
    one = trainer()
    one.fit(IMAGES, epochs=2, batch_size=16, checkpoint=tmp_path / "c", resume=True)
    before = weights(one)
    two = trainer(seed=8)
    history = two.fit(IMAGES, epochs=2, batch_size=16, checkpoint=tmp_path / "c", resume=True)
    assert weights(two) == before and len(history) == 2
    assert len(two.fit(IMAGES, epochs=3, batch_size=16, checkpoint=tmp_path / "c", resume=True)) == 3


def test_evaluation_changes_nothing() -> None:
    made = trainer()
    made.fit(IMAGES, epochs=1)
    made.model.train()
    made.model.get_submodule("4").eval()
    before, random = weights(made), cr.random.get_state()
    modes = [module.training for module in made.model.modules()]
    first, second = made.evaluate(HELD), made.evaluate(HELD, batch_size=7)
    assert weights(made) == before and cr.random.get_state() == random
    assert [module.training for module in made.model.modules()] == modes
    assert first.loss == pytest.approx(second.loss, rel=1e-5)
    scores = made.predict(HELD.x)
    assert scores.shape == (20, 3) and first.accuracy == (scores.argmax(axis=1) == HELD.y).mean()


def test_evaluations_side_by_side_leave_the_modes_as_they_were() -> None:
    model = trainer().model.train()
    model.get_submodule("4").eval()
    modes = [module.training for module in model.modules()]
    one, two = evaluating(model), evaluating(model)
    one.__enter__()
    two.__enter__()
    one.__exit__(None, None, None)  # the other thread's is not over
    assert not any(module.training for module in model.modules())
    two.__exit__(None, None, None)
    assert [module.training for module in model.modules()] == modes


def test_one_step_is_the_lecture_s_formula() -> None:
    model = nn.Linear(2, 1, bias=False)
    model.weight.assign(np.array([[1.0, -1.0]]))
    made = Trainer(model, F.mse_loss, optim.SGD(model.parameters(), lr=0.1), optim.L2(0.5))
    x, y = np.array([[1.0, 2.0]], np.float32), np.array([[0.5]], np.float32)
    made.fit((x, y), epochs=1)
    # d/dw of (w x - y)^2 + 0.5 w^2 at w = (1, -1): 2 (-1.5) x + w = (-2, -7)
    np.testing.assert_allclose(model.weight.data, [[1.2, -0.3]], rtol=1e-6)
    row = made.history[0]
    assert row["train_loss"] == pytest.approx(2.25) and row["train_penalty"] == pytest.approx(1.0)


def test_second_fit_goes_on_counting() -> None:
    made = trainer(per="epoch")
    made.fit(IMAGES, epochs=2)
    assert [row["epoch"] for row in made.fit(IMAGES, HELD, epochs=1)] == [1, 2, 3]
    assert "validation_accuracy" in made.history[-1]


def test_inputs_take_the_dtype_of_the_model() -> None:
    for dtype in (np.float32, np.float64):
        model = nn.Linear(2, 2, dtype=dtype)
        made = Trainer(model, F.cross_entropy, optim.SGD(model.parameters(), lr=0.1))
        for given in (np.float32, np.float64):
            made.fit((np.ones((4, 2), given), [0, 1, 0, 1]))
            assert made.predict(np.ones((1, 2), given)).dtype == dtype == model.weight.dtype


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda t: t.fit(IMAGES.x), DataError, r"train: must be a Dataset or a pair \(x, y\), got ndarray"),
        (lambda t: t.fit((IMAGES.x, IMAGES.y[:-1])), DataError, "x has 70 samples but y has 69"),
        (
            lambda t: t.fit(IMAGES, epochs=-1),
            ArgumentError,
            "epochs must be an integer of at least 0, got -1",
        ),
        (lambda t: t.fit(IMAGES, epochs=1.5), ArgumentError, "epochs must be"),
        (
            lambda t: t.fit(IMAGES, batch_size=0),
            ArgumentError,
            "batch_size must be an integer of at least 1, got 0",
        ),
        (lambda t: t.predict(IMAGES.x[:0]), DataError, "x holds no samples"),
        (
            lambda t: t.predict(IMAGES.x, batch_size=0),
            ArgumentError,
            "batch_size must be an integer of at least 1, got 0",
        ),
    ],
)
def test_wrong_use(call: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        call(trainer())


def test_what_is_measured_may_be_of_one_class_or_of_few() -> None:
    made = trainer()
    x, y = IMAGES.x, IMAGES.y
    first = np.flatnonzero(y == 0)[:5]
    history = made.fit(IMAGES, (x[first], y[first]), epochs=1)
    assert "validation_accuracy" in history.columns
    found = made.evaluate((x[first[:1]], [0]))
    outputs = made.predict(x[:1]).shape[1]
    assert [each.name for each in found.per_class()] == [str(each) for each in range(outputs)]
    assert len(found.as_dict()["classes"]) == outputs > 2


def test_resuming_needs_a_file() -> None:
    with pytest.raises(ArgumentError, match="resume needs to know the file"):
        trainer().fit(IMAGES, resume=True)


def test_nothing_to_train_is_no_error() -> None:
    assert len(trainer().fit(IMAGES, epochs=0)) == 0
