"""Compiled functions: whole training steps, state, what makes a new program, and what is refused.

No layer here has a gradient that is 0 but for rounding (such as a bias before a batch norm): Adam
would divide noise by noise, and the two ways of computing it have noise of their own.
"""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest
from tests.compiler import programs

import chainrule as cr
from chainrule import nn, optim
from chainrule.errors import ArgumentError, TraceError, UnknownNameError
from chainrule.nn import functional as F

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 8, 6)).astype(np.float32)
Y = RNG.integers(0, 3, (12, 8))


def training(optimizer="SGD", seed=0, schedule=None, **options):
    """A net with dropout and batch norm, and its training step."""
    cr.random.seed(seed)
    model = nn.Sequential(
        nn.Linear(6, 16, bias=False), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 3)
    )
    rule = getattr(optim, optimizer)(model.parameters(), lr=0.05, **options)
    scheduler = schedule(rule) if schedule else None

    def step(x, y):
        rule.zero_grad()
        loss = F.cross_entropy(model(x), y) + optim.ElasticNet(1e-3, 0.5)(model)
        loss.backward()
        optim.clip_grad_norm_(model.parameters(), 0.5)
        rule.step()
        if scheduler:
            scheduler.step()
        return loss

    return model, rule, step


def history(compiled, **options):
    model, rule, step = training(**options)
    run = cr.compile(step) if compiled else step
    losses = [run(x, y).item() for x, y in zip(X, Y, strict=True)]
    arrays = [
        *(each.data for each in model.state_dict().values()),
        *(p.grad.data for p in model.parameters()),
    ]
    arrays += [each.data for slots in rule.state.values() for each in slots.values()]
    return losses, [np.copy(each) for each in arrays]


def close(one, two):
    """Compiled sums are added in another order, and fewer roundings are made on the way."""
    np.testing.assert_allclose(one, two, rtol=2e-5, atol=1e-5 * np.abs(two).max())


STEPS = [
    {"optimizer": "SGD"},
    {"optimizer": "SGD", "momentum": 0.9, "nesterov": True, "weight_decay": 1e-3},
    {"optimizer": "SGD", "momentum": 0.9, "dampening": 0.5},
    {"optimizer": "Adam"},
    {"optimizer": "Adam", "amsgrad": True, "maximize": True},
    {"optimizer": "AdamW", "schedule": lambda o: optim.lr_scheduler.OneCycleLR(o, 0.1, total_steps=20)},
    {"optimizer": "RMSprop", "centered": True, "momentum": 0.9},
    {"optimizer": "Adagrad", "lr_decay": 0.01, "schedule": lambda o: optim.lr_scheduler.StepLR(o, 3)},
]


@pytest.mark.parametrize("options", STEPS, ids=lambda o: "-".join(map(str, o)) + o["optimizer"])
def test_a_training_step_gives_the_same_numbers(options):
    eager, compiled = history(False, **options), history(True, **options)
    close(eager[0], compiled[0])
    for one, two in zip(eager[1], compiled[1], strict=True):
        close(one, two)


def test_parameters_stay_the_users_own_arrays():
    array = np.ones((3, 6), np.float32)
    weight = nn.Parameter(cr.Tensor(array))
    rule = optim.SGD([weight], lr=0.1)

    @cr.compile
    def step(x):
        rule.zero_grad()
        loss = ((x @ weight.T) ** 2).mean()
        loss.backward()
        rule.step()
        return loss

    first = [step(X[0]).item() for _ in range(3)]
    assert first[0] > first[1] > first[2] and not np.array_equal(array, np.ones((3, 6)))
    array[...] = 1
    assert step(X[0]).item() == first[0]
    weight.data = np.ones((3, 6), np.float32)
    assert step(X[0]).item() == first[0]
    assert step.traces == 1


def test_gradients_accumulate_over_calls():
    w = cr.tensor([1.0, 2.0], requires_grad=True)

    @cr.compile
    def accumulate(x):
        (w * x).sum().backward()

    for _ in range(4):
        accumulate(np.float32([1, 10]))
    np.testing.assert_array_equal(w.grad.data, [4, 40])
    assert accumulate.traces == 2  # without and with a gradient from before
    w.grad = None
    accumulate(np.float32([1, 10]))
    np.testing.assert_array_equal(w.grad.data, [1, 10])


def test_modes_shapes_dtypes_and_options_make_new_programs():
    model, rule, _ = training(momentum=0.9)
    scores = cr.compile(model)
    trained = scores(X[0])
    model.eval()
    assert not np.array_equal(scores(X[0]).data, trained.data)
    close(scores(X[0]).data, model(X[0]).data)
    assert scores.traces == 2
    assert scores(X[0][:3]).shape == (3, 3)
    assert scores(X[0].astype(np.float64)).dtype == np.float64
    assert scores.traces == 4
    model.train()
    scores(X[1])
    assert scores.traces == 4
    drop = nn.Dropout(0.5)
    left = cr.compile(drop)  # nothing is captured, still the mode is asked for
    left(X[0])
    drop.eval()
    np.testing.assert_array_equal(left(X[0]).data, X[0])

    w = model[0].weight
    step = cr.compile(lambda: (setattr(w, "grad", cr.ones(w.shape)), rule.step())[1])
    step()
    before = w.data.copy()
    rule.param_groups[0]["lr"] = 1.0  # a number: read anew
    step()
    assert step.traces == 1 and np.abs(w.data - before).max() > 1
    rule.param_groups[0]["nesterov"] = True  # another rule: traced anew
    step()
    assert step.traces == 2


def test_many_programs_warn():
    double = cr.compile(lambda x, factor: x * factor)
    with pytest.warns(UserWarning, match="was traced 8 times"):
        for factor in range(10):
            assert double(cr.ones(1), factor).item() == factor
    assert double.traces == 10


def test_random_draws_are_those_of_eager_mode():
    noisy = lambda x: x + cr.random.normal((3,)) + cr.random.uniform((3,)) * cr.random.integers(5, shape=(3,))
    compiled = cr.compile(noisy)
    cr.random.seed(3)
    eager = [noisy(cr.zeros(3)).data for _ in range(4)]
    cr.random.seed(3)
    np.testing.assert_array_equal([compiled(cr.zeros(3)).data for _ in range(4)], eager)
    assert compiled.traces == 1


def test_arguments_and_results_may_be_nested():
    @cr.compile
    def f(pair, *, scale, also=None):
        return {"sum": pair[0] + pair[0], "list": [pair[1] * scale, also], "n": 3}

    for k in (1.0, 2.0):
        found = f((cr.full((2,), k), np.ones(2, np.float32)), scale=2.0)
        assert found["sum"].tolist() == [2 * k, 2 * k] and found["list"][0].tolist() == [2.0, 2.0]
        assert found["list"][1] is None and found["n"] == 3
    assert f.traces == 1


def test_a_result_that_is_an_argument_or_a_constant():
    f = cr.compile(lambda x: (x, cr.zeros(2), x.detach()))
    for k in (1.0, 2.0):
        x, zero, again = f(cr.full((2,), k))
        assert (x.tolist(), zero.tolist(), again.tolist()) == ([k, k], [0, 0], [k, k])


VALUES = {
    "if": lambda x: x if x.sum() > 0 else -x,
    "item": lambda x: x * x.sum().item(),
    "float": lambda x: x * float(x[0]),
    "numpy": lambda x: cr.tensor(np.exp(x.numpy())),
    "data": lambda x: x * x.data.max(),
    "asarray": lambda x: x * np.asarray(x),
    "tolist": lambda x: x * x.tolist()[0],
    "range": lambda x: [x for _ in range(x.sum().astype("int64"))],
    "write": lambda x: x.__setitem__(0, 1.0),
}


@pytest.mark.parametrize("name", VALUES)
def test_reading_values_is_refused_with_the_line(name):
    with pytest.raises(TraceError) as caught:
        cr.compile(VALUES[name])(cr.ones(3))
    assert "is not known while a function is compiled" in caught.value.headline
    assert "test_compile.py" in caught.value.at


def test_a_failed_trace_leaves_everything_as_it_was():
    model, _, step = training("Adam")
    before = {name: each.data.copy() for name, each in model.state_dict().items()}

    def broken(x, y):
        loss = step(x, y)
        return loss if loss > 0 else None

    with pytest.raises(TraceError):
        cr.compile(broken)(X[0], Y[0])
    for name, each in model.state_dict().items():
        np.testing.assert_array_equal(each.data, before[name])
    assert all(p.grad is None for p in model.parameters())
    assert (cr.ones(1) * 2).item() == 2.0  # nothing is traced any more


def test_wrong_labels_at_the_first_call_and_errors_inside():
    _, _, step = training()
    with pytest.raises(cr.errors.ChainruleError):
        cr.compile(step)(X[0], np.full(8, 7))
    with pytest.raises(ZeroDivisionError):
        cr.compile(lambda x: 1 / 0)(1.0)


def test_watching_changes_no_numbers():
    plain = history(False)[0]
    model, _, step = training()
    compiled = cr.compile(step)
    losses = [compiled(X[0], Y[0]).item()]
    for name in ("2", "2.grad", "0.weight.grad"):
        compiled.watch(name)
    seen = []
    for x, y in zip(X[1:], Y[1:], strict=True):
        losses.append(compiled(x, y).item())
        seen.append({name: each.data.copy() for name, each in compiled.watched.items()})
    close(losses, plain)

    model, _, step = training()
    model[2].register_forward_hook(lambda module, inputs, output: hidden.append(output))
    for place, (x, y) in enumerate(zip(X, Y, strict=True)):
        hidden = []
        step(x, y)
        if place:
            close(seen[place - 1]["2"], hidden[0].data)
            close(seen[place - 1]["2.grad"], hidden[0].grad.data)
            assert seen[place - 1]["0.weight.grad"].shape == (16, 6)
    with pytest.raises(UnknownNameError):
        compiled.watch("nothing")


def test_watching_tensors_by_the_names_that_they_are_given():
    w = cr.tensor([3.0, 4.0], requires_grad=True)

    @cr.compile
    def f(x):
        hidden = w * x
        hidden.name = "hidden"
        loss = (hidden * hidden).sum()
        loss.backward()
        return loss

    f(np.float32([1, 1]))
    f.watch("hidden")
    f.watch("hidden.grad")
    w.grad = None
    assert f(np.float32([1, 2])).item() == 73.0
    assert f.watched["hidden"].tolist() == [3.0, 8.0] and f.watched["hidden.grad"].tolist() == [6.0, 16.0]


def test_an_epoch_takes_every_row_once_in_the_order_of_batches():
    from chainrule.data import Batches

    x, y = X.reshape(96, 6), Y.reshape(96)
    one, two = training(), training()
    cr.random.seed(9)
    losses = cr.compile(one[2]).epoch(x, y, batch_size=20, seed=4, epoch=2)
    cr.random.seed(9)
    eager = [two[2](a, b).item() for a, b in Batches(x, y, 20, seed=4).iterate(2)]
    close(losses, eager)
    assert len(losses) == 5
    for wrong in (0, 5.0, "5", None):
        with pytest.raises(ArgumentError, match=f"epoch: batch_size must be .*, got {wrong!r}"):
            cr.compile(one[2]).epoch(x, y, batch_size=wrong)


def test_programs_can_be_read():
    @cr.compile
    def f(x):
        unused = x * 3  # noqa: F841
        return cr.exp(x) + cr.exp(x) * (cr.ones(2) + 1)

    with pytest.raises(TraceError, match="no program before the first call"):
        _ = f.program
    f(cr.ones(2))
    assert [" ".join(line.split()) for line in str(f.program).splitlines()] == [
        "program f(a0 argument 0 (2,) float32)",
        "%2 = exp(a0) (2,) float32",
        "%6 = multiply(%2, c5) (2,) float32",
        "%7 = add(%2, %6) (2,) float32",
        "return %7",
    ]
    assert len(list(f.stages["traced"].equations)) == 6
    assert f.program.flops() == 6 and f.program.bytes() == (2 + 3 + 3) * 8
    assert "exp" in f.source()
    matrices = cr.compile(lambda a, b: a @ b)
    matrices(np.ones((3, 4)), np.ones((4, 5)))
    assert matrices.program.flops() == 2 * 3 * 4 * 5


def test_two_threads_train_without_disturbing_each_other():
    found = {}

    def run(name):
        model = nn.Linear(6, 3)
        for p, q in zip(model.parameters(), reference.parameters(), strict=True):
            p.assign(q)
        rule = optim.Adam(model.parameters(), lr=0.05)

        step = cr.compile(programs.training(model, rule))
        found[name] = [step(x, y).item() for x, y in zip(X, Y, strict=True) for _ in range(10)]

    reference = nn.Linear(6, 3)
    threads = [threading.Thread(target=run, args=(k,)) for k in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] == found[1]


def test_a_program_keeps_no_arrays_of_its_first_run():
    kept = []

    def f(x):
        hidden = x * 2.0
        kept.append(weakref.ref(hidden.detach()._data))
        return cr.exp(hidden).sum()

    compiled = cr.compile(f)
    compiled(cr.ones(1000))
    gc.collect()
    assert kept[0]() is None


def test_several_results_are_freed_at_once():
    both = cr.compile(lambda x: (x + 1, {"twice": x * 2}))
    x = cr.ones(3)
    both(x)
    gc.disable()
    try:
        seen = weakref.ref(both(x)[1]["twice"].data)
        assert seen() is None
    finally:
        gc.enable()
