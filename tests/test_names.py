"""Names that do not exist: every public namespace gives the nearest one, in the library's own error."""

from __future__ import annotations

import re
from operator import attrgetter

import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.core.habits import NAMES, RANDOM, TENSORS
from chainrule.errors import DTypeError, UnknownNameError
from chainrule.nn import functional as F


@pytest.mark.parametrize(
    ("namespace", "name", "hint"),
    [
        (cr, "concatenat", "did you mean 'concatenate'?"),
        (cr, "sigmoid", "chainrule.nn.functional.sigmoid"),
        (cr, "ComputationGraph", "did you mean 'ComputationalGraph'?"),
        (
            nn,
            "Dense",
            "here it is nn.Linear(in_features, out_features): the inputs come first, activations are layers",
        ),
        (nn, "Conv2", "did you mean 'Conv2d'?"),
        (F, "crossentropy", "did you mean 'cross_entropy'?"),
        (optim, "Adma", "did you mean 'Adam'?"),
        (optim.lr_scheduler, "CosineLR", "did you mean 'CosineAnnealingLR'?"),
        (cr.ones(2), "shap", "did you mean 'shape'?"),
        (cr.ones(2), "view", "here it is x.reshape(shape)"),
        (cr.ones(2), "exp", "here it is cr.exp(x, ...), a function"),
        (cr.ones(2), "cuda", "here it is not needed: everything runs on the CPU"),
        (cr, "cat", "here it is cr.concatenate([x, y], axis)"),
        (cr.random, "rand", "here it is cr.random.uniform(shape), whose shape is a tuple"),
        (cr.random, "unifrm", "did you mean 'uniform'?"),
    ],
)
def test_the_nearest_name(namespace, name, hint):
    with pytest.raises(UnknownNameError) as caught:
        getattr(namespace, name)
    assert caught.value.hint == hint
    assert isinstance(caught.value, AttributeError) and not hasattr(namespace, name)


def test_habits_name_what_exists_here_and_what_does_not():
    for namespace, known in ((cr.Tensor, TENSORS), (cr, NAMES), (cr.random, RANDOM)):
        assert not [name for name in known if name in dir(namespace)]
        for path in re.findall(r"\bcr\.([\w.]+)", " ".join(known.values())):
            attrgetter(path)(cr)


def test_parameters_of_pytorch_are_answered():
    for name, hint in (
        ("dim", "here it is axis"),
        ("keepdim", "here it is keepdims"),
        ("axsi", "did you mean 'axis'?"),
    ):
        with pytest.raises(DTypeError) as caught:
            cr.ones((2, 3)).sum(**{name: 1})
        assert caught.value.hint == hint


def test_the_version():
    assert re.fullmatch(r"\d+\.\d+\.\d+", cr.__version__)
