"""The trainer: epochs of iterations over batches, with evaluation, schedules and a way to go on.

It owns the loop and nothing else: models, losses and optimisers are those of `nn` and `optim`. Its
whole state is one nested dict, so that a run that was killed goes on bit for bit as if it had not
been. Who watches (progress bars, run folders) is not known here; watchers are told what happened.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from chainrule.compiler import compile as compiled
from chainrule.core.calls import fitting
from chainrule.core.spec import Array
from chainrule.core.stream import Stream
from chainrule.core.tensor import Tensor
from chainrule.core.whole import whole_number
from chainrule.data import Batches, Dataset, TensorTransform
from chainrule.data.batches import transforms_of
from chainrule.data.dataset import as_array
from chainrule.data.transform import Transform
from chainrule.errors import ArgumentError, CheckpointError, DataError
from chainrule.inspect.diagnose import Monitor
from chainrule.nn import Module
from chainrule.ops import random
from chainrule.optim import Optimizer
from chainrule.optim.lr_scheduler import ReduceLROnPlateau
from chainrule.train import checkpoint as checkpoint_file
from chainrule.train.evaluation import Evaluation
from chainrule.train.finite import check_finite, finite
from chainrule.train.history import History, Row
from chainrule.train.inference import Inference, Prepare
from chainrule.train.parts import check_parts, check_trainable, check_watchers
from chainrule.train.step import Loss, Penalty, Step, gradients
from chainrule.train.tally import Tally, is_labels

Samples = Dataset | tuple[Any, Any]


class Watcher(Protocol):
    """Somebody who is told what a trainer did; both calls may raise to stop it there."""

    def iteration(self, trainer: Trainer) -> None:
        """One iteration is done: `trainer.iteration` of `trainer.iterations` in this epoch."""

    def epoch(self, trainer: Trainer, evaluated: Evaluation | None) -> None:
        """One epoch is done: its row is `trainer.history[-1]`."""


class Trainer:
    """Trains `model` to make `loss(scores, y)` small, plus `penalty(model)` where there is one.

    `schedule` is one of `optim.lr_scheduler`, moved on `per` "epoch" or "iteration". `prepare` turns
    a batch of samples into what the model takes (a fitted `Normalizer`), in training, evaluation
    and prediction alike; `augment` are transforms of training batches only, applied before it. What
    is written in ops (`data.TensorTransform`) and not followed by what is not is a part of the step.
    Floating-point samples and targets take on the dtype of the model's parameters. A `monitor`
    (`cr.inspect.Monitor`) that is assigned to the attribute of that name sees every iteration.
    The step is compiled unless `compile` is False; the results are the same but for rounding.

    >>> import chainrule as cr
    >>> from chainrule import nn, optim
    >>> cr.random.seed(0)
    >>> x = np.linspace(-1, 1, 64)[:, None]
    >>> model = nn.Linear(1, 1)
    >>> trainer = Trainer(model, nn.functional.mse_loss, optim.SGD(model.parameters(), lr=0.5))
    >>> history = trainer.fit((x, 3 * x + 1), epochs=20, batch_size=16)
    >>> bool(history[-1]["train_loss"] < 1e-4)
    True
    """

    @fitting
    def __init__(
        self,
        model: Module,
        loss: Loss,
        optimizer: Optimizer,
        penalty: Penalty | None = None,
        *,
        schedule: Any = None,
        per: Literal["epoch", "iteration"] = "epoch",
        prepare: Prepare | None = None,
        augment: Sequence[Transform] = (),
        compile: bool = True,
    ) -> None:
        if per not in ("epoch", "iteration"):
            raise ArgumentError(f'Trainer: per must be "epoch" or "iteration", got {per!r}')
        check_parts(model, loss, optimizer, penalty, schedule)
        self.model, self.loss, self.optimizer, self.penalty = model, loss, optimizer, penalty
        self.schedule, self.per = schedule, per
        self.inference = Inference(model, prepare, compile)
        self.augment = transforms_of("Trainer: augment", augment)
        self._before, self._within = _parted(self.augment, self.inference.in_ops)
        self._stream = Stream()  # what augmentation draws from, set anew for each iteration
        self.history = History()
        self.epoch = self.iteration = self.iterations = 0
        self.tally = Tally()
        self.source: dict[str, Any] = {}
        self.monitor: Monitor | None = None
        self.compile = compile
        self._compiled, self._updated = compiled(self._gradients), compiled(optimizer.step)

    # ---- training ------------------------------------------------------------------------------
    @fitting
    def fit(
        self,
        train: Samples,
        validation: Samples | None = None,
        *,
        epochs: int = 1,
        batch_size: int = 32,
        seed: int = 0,
        checkpoint: str | Path | None = None,
        resume: bool = False,
        watchers: Sequence[Watcher] = (),
    ) -> History:
        """Train for `epochs` epochs on `train` and return the history of all epochs so far.

        `train` and `validation` are a Dataset or `(x, y)`; integer `y` are labels. The order of the
        batches depends on `seed` and the number of the epoch only. With `checkpoint` the state is
        kept in that file, after every epoch and in long ones every minute; with `resume` training
        goes on from it where it exists, and `epochs` counts from the start of that run. Raises
        NonFiniteError when the loss or a gradient stops being finite.
        """
        epochs = whole_number("fit", "epochs", epochs, least=0)
        check_trainable(self.optimizer)
        check_watchers(watchers)
        data = _samples(train, "train")
        batches = Batches(data.x, data.y, batch_size, seed=seed)
        held = None if validation is None else _samples(validation, "validation", measured=True)
        goal = self.epoch + epochs
        if resume and checkpoint is None:
            raise ArgumentError(
                "fit: resume needs to know the file", hint='fit(..., checkpoint="run.safetensors")'
            )
        if checkpoint is not None:
            watchers = (*watchers, Keeper(Path(checkpoint)))
            if resume and Path(checkpoint).exists():
                self.load_state(checkpoint_file.load(checkpoint))
                goal = epochs
        self._begin(data, batches)
        while self.epoch < goal:
            self._train_epoch(batches, held, watchers)
        return self.history

    def _train_epoch(self, batches: Batches, held: Dataset | None, watchers: Sequence[Watcher]) -> None:
        began = time.perf_counter()
        self.model.train()
        for x, y in batches.iterate(self.epoch, self.iteration):
            self._stream.state = batches.stream(self.epoch, self.iteration).state
            self._train_batch(x, y)
            for watcher in watchers:
                watcher.iteration(self)
        evaluated = None if held is None else self.evaluate(held)
        row = {"epoch": self.epoch + 1, **_prefixed("train", self.tally.means())}
        if evaluated is not None:
            row |= _prefixed("validation", evaluated.means())
        if "lr" in self.optimizer.param_groups[0]:  # a rule of the user's own may have none
            row["rate"] = float(self.optimizer.param_groups[0]["lr"])
        row["seconds"] = round(time.perf_counter() - began, 3)
        self._end_epoch(row)
        for watcher in watchers:
            watcher.epoch(self, evaluated)

    def _train_batch(self, x: Array, y: Array) -> None:
        for transform in self._before:
            x = transform(x, self._stream)
        # What overflows is found by the check, with the name of its layer.
        with np.errstate(all="ignore"):
            done = self._step(self.inference.arrived(x), self.inference.targets(y))
        data_loss = float(done.data_loss.data)
        self.tally.add(data_loss, done.scores.data, y, float(done.loss.data) - data_loss)
        self.iteration += 1
        if self.schedule is not None and self.per == "iteration":
            self.schedule.step()

    def _step(self, x: Tensor, y: Tensor) -> Step:
        """Make one training step; compiled, it gives the same bits as eager and takes less time."""
        if not self.compile or self.monitor is not None:
            done = self._gradients(x, y)
            self._check(done.loss)
            self.optimizer.step()
            return done
        streams = (random.default, self._stream)
        before = [each.state for each in streams]
        done = self._compiled(x, y)
        if not finite(done.loss, self.model):
            for stream, state in zip(streams, before, strict=True):
                stream.state = state  # the same views and masks again, now with a graph to search
            self._check(self._gradients(x, y).loss)
        self._updated()
        return done

    def _gradients(self, x: Tensor, y: Tensor) -> Step:
        for transform in self._within:
            x = transform(x, self._stream)
        x = self.inference.taken(x)
        return gradients(self.model, self.loss, self.optimizer, x, y, penalty=self.penalty)

    def _check(self, loss: Tensor) -> None:
        if self.monitor is not None:
            self.monitor.on_iteration(self.model, loss, self.optimizer)
        check_finite(loss, self.model, f" in epoch {self.epoch + 1}, iteration {self.iteration + 1}")

    def _end_epoch(self, row: Row) -> None:
        if self.schedule is not None and self.per == "epoch":
            watched = row.get("validation_loss", row["train_loss"])
            self.schedule.step(*([watched] if isinstance(self.schedule, ReduceLROnPlateau) else []))
        self.history.append(row)
        self.epoch, self.iteration, self.tally = self.epoch + 1, 0, Tally()

    # ---- using the model -----------------------------------------------------------------------
    def predict(self, x: Any, batch_size: int = 512) -> Array:
        """Return the model's scores (n, classes) for samples `x` (n, ...), in evaluation mode."""
        return self.inference.scores(x, batch_size)

    def evaluate(self, data: Samples, batch_size: int = 512) -> Evaluation:
        """Return loss, accuracy and confusion matrix (or the error of a regression) on `data`."""
        return self.inference.evaluate(_samples(data, "data", measured=True), self.loss, batch_size)

    # ---- its state -----------------------------------------------------------------------------
    def state(self) -> dict[str, Any]:
        """Return all that training depends on, as a nested dict for `checkpoint.save`."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": None if self.schedule is None else self.schedule.state_dict(),
            "random": list(random.get_state()),
            "epoch": self.epoch,
            "iteration": self.iteration,
            "tally": self.tally.state(),
            "history": self.history.rows,
            "source": self.source,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go back to a state that `state()` returned; CheckpointError, and no change, if it does not fit."""
        weights = {name: each.data.copy() for name, each in self.model.state_dict().items()}
        before = {**self.state(), "model": weights}
        try:
            self._go_back(state)
        except CheckpointError:
            self._go_back(before)
            raise

    def _go_back(self, state: dict[str, Any]) -> None:
        try:
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            if (self.schedule is None) != (state["schedule"] is None):
                raise CheckpointError(
                    "checkpoint: one of the run and the trainer has a schedule, the other has none"
                )
            if self.schedule is not None:
                self.schedule.load_state_dict(state["schedule"])
            random.set_state(tuple(state["random"]))
            self.epoch, self.iteration = int(state["epoch"]), int(state["iteration"])
            self.tally, self.history = Tally(**state["tally"]), History(state["history"])
            self.source = dict(state["source"])
        except (KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(f"checkpoint: not the state of a trainer ({error!r})") from error

    def _begin(self, data: Dataset, batches: Batches) -> None:
        """Note where the batches come from; go on in mid-epoch with the same ones only."""
        source = {"samples": len(data), "batch_size": batches.batch_size, "seed": batches.seed}
        if self.iteration and source != self.source:
            raise CheckpointError(
                f"fit: cannot go on after iteration {self.iteration} of an epoch with other batches",
                got=f"begun with {self.source}, now {source}",
            )
        self.source, self.iterations = source, len(batches)


class Keeper:
    """The watcher that keeps a trainer's state in a file: every epoch, in long ones every `seconds`."""

    def __init__(self, path: Path, seconds: float = 60.0) -> None:
        self.path, self.seconds = path, seconds
        self._saved = time.monotonic()

    def state(self, trainer: Trainer) -> dict[str, Any]:
        """Return what is kept."""
        return trainer.state()

    def save(self, trainer: Trainer) -> None:
        """Write the state now."""
        checkpoint_file.save(self.path, self.state(trainer))
        self._saved = time.monotonic()

    def iteration(self, trainer: Trainer) -> None:
        """Save when it is time."""
        if time.monotonic() - self._saved >= self.seconds:
            self.save(trainer)

    def epoch(self, trainer: Trainer, evaluated: Evaluation | None) -> None:
        """Save."""
        self.save(trainer)


def _samples(data: Samples, name: str, measured: bool = False) -> Dataset:
    """Return `data` as a Dataset, which checks it; `(x, y)` may be arrays, lists or tensors.

    Samples that are only `measured` may be all of one class.
    """
    if isinstance(data, Dataset):
        return data
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise DataError(
            f"{name}: must be a Dataset or a pair (x, y), got {type(data).__name__}",
            hint="splits.train, or (x, y): labels and targets come with their samples",
        )
    x, y = (as_array(f"{name}: {part}", each) for part, each in zip("xy", data, strict=True))
    single = measured and is_labels(y) and not y.any()
    return Dataset(x, y, ("0", "1") if single else ())


def _parted(
    transforms: Sequence[Transform], in_ops: bool
) -> tuple[Sequence[Transform], Sequence[TensorTransform]]:
    """Return the transforms to run on arrays, and those at the end that are a part of the step.

    `in_ops` tells whether all that follows them is written in ops, too.
    """
    first = len(transforms)
    while first and in_ops and isinstance(transforms[first - 1], TensorTransform):
        first -= 1
    return transforms[:first], [each for each in transforms[first:] if isinstance(each, TensorTransform)]


def _prefixed(prefix: str, numbers: dict[str, float]) -> dict[str, float]:
    return {f"{prefix}_{name}": value for name, value in numbers.items()}
