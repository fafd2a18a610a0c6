"""Names that do not exist: every public namespace gives the nearest one, in the library's own error."""

from __future__ import annotations

import re
from operator import attrgetter

import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.core.calls import fitting
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
        (
            cr.random,
            "Tensr",
            "known: bernoulli, drawn, get_state, integers, normal, permutation, seed, set_state, uniform",
        ),
        (cr, "median", "np.median takes tensors, too: their values, without a gradient"),
        (cr, "pi", "np.pi"),
        (cr, "norm", "here it is cr.sqrt((x ** 2).sum(axis))"),
        (cr, "device", "here it is not needed: everything runs on the CPU"),
        (cr, "int64", "here it is the word 'int64', as in x.astype('int64')"),
        (cr.ones(2), "nonzero", "x.numpy().nonzero, of the values"),
        (nn, "GRU", "here it is a loop over time in forward, of nn.Linear layers"),
        (nn.init, "xavier_normal", "did you mean 'xavier_normal_'?"),
        (optim, "Sgd", "did you mean 'SGD'?"),
        (cr.data, "DataLoader", "here it is Batches(x, y, batch_size, shuffle=True, seed=0)"),
        (cr.features, "HoG", "did you mean 'HOG'?"),
        (cr.train, "trainer_", "did you mean 'Trainer'?"),
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


def test_only_what_is_for_the_user_is_listed():
    assert not {"Any", "import_module", "missing_name", "core", "ops", "scalar"} & set(dir(cr))
    assert {"errors", "nn", "random", "compile", "tensor"} <= set(dir(cr))


@pytest.mark.parametrize(
    ("call", "headline", "hint"),
    [
        (lambda x: x.sum(dim=1), "sum(x): there is no parameter 'dim'", "here it is axis"),
        (lambda x: x.sum(keepdim=1), "sum(x): there is no parameter 'keepdim'", "here it is keepdims"),
        (lambda x: x.sum(axsi=1), "sum(x): there is no parameter 'axsi'", "did you mean 'axis'?"),
        (lambda x: F.relu(input=x), "relu(x): there is no parameter 'input'", "here it is x"),
        (lambda x: F.relu(x, inplace=True), "relu(x): there is no parameter 'inplace'",
         "here it is not needed: ops give new tensors"),
        (lambda x: F.softmax(x, axis=1), "softmax(input): there is no parameter 'axis'", "here it is dim"),
        (lambda x: cr.stack([x], dim=1), "stack(arrays): there is no parameter 'dim'", "here it is axis"),
        (lambda x: cr.clip(x, min=0), "clip(a): there is no parameter 'min'", "here it is a_min"),
        (cr.matmul, "matmul(a, b): 'b' is missing", ""),
        (lambda x: cr.squeeze(x, 0, axis=1), "squeeze(a): 'axis' is given twice", ""),
        (lambda x: x.flatten(1), "ravel(a): takes 1 argument(s), got 2",
         "x.reshape(len(x), -1) keeps the first axis, as nn.Flatten() does"),
        (lambda x: cr.reshape(x, 3, 2), "reshape(x): takes 2 argument(s), got 3",
         "reshape(x, (2, 3)): several are a tuple"),
        (lambda x: x.backward(retain_graph=True), "backward(): there is no parameter 'retain_graph'",
         "here it is not needed: a graph is there as long as its result"),
        (lambda x: cr.random.integers(0, 5, size=3), "integers(low): there is no parameter 'size'",
         "here it is shape"),
        (lambda x: cr.random.uniform(0, 1, (3, 2)), "random.uniform: high must be a number, got (3, 2)",
         "cr.random.uniform(shape, low, high)"),
        (lambda x: cr.random.integers((3, 2)), "random.integers: low must be a number, got (3, 2)",
         "cr.random.integers(low, high, shape)"),
        (lambda x: cr.random.permutation([3, 2]), "random.permutation: n must be a number, got [3, 2]",
         "cr.random.permutation(len(x)), as places: x[places]"),
        (lambda x: optim.Adam([x], learning_rate=0.1), "Adam(params): there is no parameter 'learning_rate'",
         "here it is lr"),
        (lambda x: nn.Linear(3, 2).to("cuda"), "dtype: 'cuda' is not a dtype",
         "a device is not needed: everything runs on the CPU"),
    ],
)  # fmt: skip
def test_parameters_of_other_libraries_are_answered(call, headline, hint):
    with pytest.raises(DTypeError) as caught:
        call(cr.ones((2, 3)))
    assert (caught.value.headline, caught.value.hint) == (headline, hint)


def test_errors_inside_of_a_function_stay_what_they_are():
    @fitting
    def broken(x):
        return x + None

    with pytest.raises(TypeError, match="unsupported operand") as caught:
        broken(1)
    assert not isinstance(caught.value, DTypeError)


def test_the_version():
    assert re.fullmatch(r"\d+\.\d+\.\d+", cr.__version__)
