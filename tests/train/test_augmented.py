"""What a network sees in training: the same pixels in every mode, whatever stopped the run before."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.core.stream import Stream
from chainrule.data import Batches, Cutout, HorizontalFlip, Normalizer, RandomCrop
from chainrule.nn import functional as F
from chainrule.train import Trainer
from chainrule.train.inference import Inference
from chainrule.train.tally import Tally

X = (Stream(5).uniform((23, 3, 6, 5)) * 255).astype(np.uint8)
Y = np.arange(23) % 3
VIEWS = [HorizontalFlip(), RandomCrop(2, fill=3), Cutout(2)]


class Pixels(nn.Module):
    """A network whose scores are what it sees."""

    def __init__(self):
        super().__init__()
        self.one = nn.Parameter(cr.ones(1))

    def forward(self, x):
        return x.reshape(len(x), -1) * self.one


def darker(x, stream):
    """A user's own transform, for arrays only."""
    return x // np.uint8(2) + stream.integers(0, 9, (len(x), 1, 1, 1)).astype(np.uint8)


def halved(x):
    return x.astype(np.float32) / 2


@pytest.fixture
def seen(monkeypatch):
    """Every batch that a network of `Pixels` saw."""
    found = []
    monkeypatch.setattr(Tally, "add", lambda self, loss, scores, *rest: found.append(scores.copy()))
    monkeypatch.setattr(Tally, "means", lambda self: {"loss": 0.0})
    return found


def trainer(augment, prepare, compile=True):
    model = Pixels()
    return Trainer(
        model, F.cross_entropy, optim.SGD(model.parameters(), lr=0.0),
        prepare=prepare, augment=augment, compile=compile,
    )  # fmt: skip


def expected(augment, prepare, epochs=2, x=X):
    batches = Batches(x, Y, 8, seed=4, transform=augment)
    dealt = [prepare(x) for epoch in range(epochs) for x, _ in batches.iterate(epoch)]
    return [each.reshape(len(each), -1) for each in dealt]


@pytest.mark.parametrize("compile", [True, False])
@pytest.mark.parametrize("prepare", [Normalizer().fit(X), halved], ids=["in ops", "of arrays"])
@pytest.mark.parametrize(
    "augment",
    [[], VIEWS, [darker], [darker, *VIEWS], [*VIEWS, darker], [VIEWS[0], darker, VIEWS[1]]],
    ids=["nothing", "ours", "theirs", "theirs first", "theirs last", "theirs between"],
)
def test_a_trainer_sees_what_batches_would_deal(augment, prepare, compile, seen):
    trainer(augment, prepare, compile).fit((X, Y), epochs=2, batch_size=8, seed=4)
    for one, two in itertools.zip_longest(seen, expected(augment, prepare)):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_images_of_any_precision_come_in_that_of_the_model(dtype, seen):
    x = (X / 255).astype(dtype)
    trainer(VIEWS, None).fit((x, Y), epochs=1, batch_size=8, seed=4)
    for one, two in itertools.zip_longest(seen, expected(VIEWS, lambda x: x.astype(np.float32), 1, x)):
        assert one.dtype == np.float32
        np.testing.assert_array_equal(one, two)


def test_an_augmented_step_is_traced_once_for_each_size_of_a_batch():
    made = trainer(VIEWS, Normalizer().fit(X))
    made.fit((X, Y), epochs=3, batch_size=8)
    made.fit((X, Y), epochs=1, batch_size=8, seed=1)
    assert made._compiled.traces == 2
    taken = [str(each.spec) for each in made._compiled.program.arguments]
    assert "uint8" in taken[0]  # bytes go to native code, floats are made there


class Stop(Exception):
    """Ends a training."""


class StopAt:
    """The watcher that ends it after some iterations."""

    def __init__(self, count):
        self.left = count

    def iteration(self, trainer):
        self.left -= 1
        if not self.left:
            raise Stop

    def epoch(self, trainer, evaluated):
        pass


@pytest.mark.parametrize("compile", [True, False])
def test_a_run_stopped_in_mid_epoch_goes_on_with_the_same_views(compile, seen):
    prepare = Normalizer().fit(X)
    first, second = trainer(VIEWS, prepare, compile), trainer(VIEWS, prepare, compile)
    with pytest.raises(Stop):
        first.fit((X, Y), epochs=2, batch_size=8, seed=4, watchers=[StopAt(4)])
    second.load_state(first.state() | {"tally": {}})
    second.fit((X, Y), epochs=1, batch_size=8, seed=4)
    for one, two in itertools.zip_longest(seen, expected(VIEWS, prepare)):
        np.testing.assert_array_equal(one, two)


def test_a_preparation_given_later_is_seen_by_compiled_scores():
    inference = Inference(Pixels())
    images = X.astype(np.float32)
    np.testing.assert_array_equal(inference.scores(images), images.reshape(23, -1))
    inference.prepare = Normalizer().fit(X)
    np.testing.assert_array_equal(inference.scores(images), inference.prepare(images).reshape(23, -1))
