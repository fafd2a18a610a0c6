"""Names that do not exist: every public namespace gives the nearest one, in the library's own error."""

from __future__ import annotations

import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.errors import UnknownNameError
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
    ],
)
def test_the_nearest_name(namespace, name, hint):
    with pytest.raises(UnknownNameError) as caught:
        getattr(namespace, name)
    assert caught.value.hint == hint
    assert isinstance(caught.value, AttributeError) and not hasattr(namespace, name)
