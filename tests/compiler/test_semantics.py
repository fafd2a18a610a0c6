"""What a compiled function means where meaning is easily lost: state, aliases, arguments, odd memory.

Each test was a wrong number, a crash or a silent change once, or is a promise of the documentation.
"""

from __future__ import annotations

import copy
import threading

import numpy as np
import pytest
from tests.compiler.guarded import run_guarded
from tests.compiler.programs import training

import chainrule as cr
from chainrule import nn, optim
from chainrule.errors import ArgumentError, DTypeError, TraceError
from chainrule.nn import functional as F

A = np.float32([1, 2, 3])
B = np.float32([10, 20, 30])
SPECIAL = np.float32([np.nan, np.inf, -np.inf, -0.0, 0.0, 1e-40, -1e-40, 3e38, 1, -1] * 2)


# ---- state -----------------------------------------------------------------------------------------
def rotated(w, v, x):
    first = w * 1
    w.assign(v)
    v.assign(first + x)
    return w * 2 + v, w + 0


def set_twice(w, v, x):
    w.assign(x * 3.0)
    seen = w * 2.0
    w.assign(x * 5.0)
    return seen + v


def copied_before(w, v, x):
    before, same = +w, w.astype("float32")
    w.assign(x)
    return before - same + before + v


def through_itself(w, v, x):
    w.assign(w[::-1] + x)
    seen = w[1:] * 2
    w.assign(w[::-1])
    v.assign(cr.outer(w, v).sum(axis=0))
    return seen, w * v


def returned_as_it_was(w, v, x):
    first = w + 0
    w.assign(v)
    v.assign(first)
    return w.detach() * 1, w + v


def descended(w, _v, x):
    w.assign(w - 0.5 * cr.grad(lambda t: (t * t * x).sum())(w))
    return w * 1


def through_a_twin(w, v, x):
    product = cr.Tensor(w, requires_grad=True) * copy.copy(v)
    w.assign(x)
    v.assign(product)
    return w + v


@pytest.mark.parametrize(
    "f",
    [rotated, set_twice, copied_before, through_itself, returned_as_it_was, descended, through_a_twin],
    ids=lambda f: f.__name__,
)
def test_changes_in_place_are_seen_in_order(f):
    found = []
    for compiled in (False, True):
        w, v = cr.tensor(A), cr.tensor(B)
        run = cr.compile(lambda x, w=w, v=v: f(w, v, x)) if compiled else lambda x, w=w, v=v: f(w, v, x)
        results = [run(cr.tensor(x)) for x in (A, B, A - B)]
        flat = [t for each in results for t in (each if isinstance(each, tuple) else (each,))]
        found.append([t.data.copy() for t in (*flat, w, v)])
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_view_taken_before_a_change_keeps_what_it_saw():
    """The one place where compiled code differs from eager: there a view would show the change."""
    w = cr.tensor(A)

    @cr.compile
    def f(x):
        view = w[::-1]
        w.assign(x)
        return view + 0

    assert f(B).tolist() == [3, 2, 1] and w.tolist() == B.tolist()


def test_a_gradient_from_before_may_be_changed_first():
    found = []
    for compile in (lambda f: f, cr.compile):
        w = cr.tensor(A, requires_grad=True)

        def step(x, w=w):
            if w.grad is not None:
                w.grad.assign(w.grad * 0.5)
            (w * x).sum().backward()

        step = compile(step)
        for x in (A, B, A):
            step(cr.tensor(x))
        found.append(w.grad.tolist())
    assert found[0] == found[1]


# ---- arguments -------------------------------------------------------------------------------------
def test_the_same_array_given_twice_is_two_arguments():
    f = cr.compile(lambda x, y: x * 2 + y)
    f(A, A)
    assert f(A, B).tolist() == [12, 24, 36] and f(B, A).tolist() == [21, 42, 63]
    assert f.traces == 1


def test_an_argument_may_be_the_array_of_a_parameter():
    w = nn.Parameter(cr.tensor(A))

    @cr.compile
    def f(x):
        with cr.no_grad():
            w.assign(w * 2)
        return x * 1

    assert f(w.data).tolist() == [1, 2, 3] and w.tolist() == [2, 4, 6]
    assert f(B).tolist() == [10, 20, 30] and w.tolist() == [4, 8, 12]
    assert f(w.data[::-1]).tolist() == [12, 8, 4] and w.tolist() == [8, 16, 24]


def test_an_argument_cannot_be_changed_in_place():
    with pytest.raises(TraceError, match="argument 0 of a compiled function is changed in place"):
        cr.compile(lambda x: x.assign(x * 2))(cr.tensor(A))


def test_python_values_are_told_apart():
    scaled = cr.compile(lambda x, s: 1 / (x * s))
    assert scaled(A, 0.0).tolist() == [np.inf] * 3 and scaled(A, -0.0).tolist() == [-np.inf] * 3
    cut = cr.compile(lambda x, s: x[s] * 1)
    assert [cut(A, slice(i, i + 1)).tolist() for i in range(3)] == [[1], [2], [3]]
    counted = cr.compile(lambda x, s: x * len(s))
    assert [counted(A, set(range(i))).tolist()[0] for i in range(5)] == [0, 1, 2, 3, 4]
    kind = cr.compile(lambda x, s: (x * s).astype(type(s)))
    assert [kind(A, s).dtype for s in (1, 1.0, True)] == [np.int64, np.float64, np.bool_]


@pytest.mark.parametrize("dtype", [">f4", ">f8", ">i4", ">i8", ">u2"])
def test_swapped_bytes(dtype):
    assert cr.compile(lambda x: x * 2)(np.arange(4).astype(dtype)).tolist() == [0, 2, 4, 6]
    with pytest.raises(DTypeError, match="swapped bytes"):
        state = cr.Tensor(np.arange(4).astype(dtype))
        cr.compile(lambda x: x * state)(A[:1])


def test_inputs_in_any_memory():
    base = np.arange(400, dtype=np.float32)
    unaligned = np.ndarray((12,), np.float32, buffer=bytearray(64), offset=1)
    unaligned[:] = base[:12]
    fixed = base[:12].copy()
    fixed.flags.writeable = False
    views = [unaligned, fixed, base[:12], base[::-1][:12], base[:36:3], np.broadcast_to(base[:1], (12,))]
    f = cr.compile(lambda x: (x * 2 + 1, x[::-1] @ x))
    for x in views:
        np.testing.assert_array_equal(f(x)[0].data, x * 2 + 1)
        np.testing.assert_allclose(f(x)[1].data, x[::-1] @ x, rtol=1e-6)
    number = cr.compile(lambda x: x + 1)
    assert [number(np.float32(k)).item() for k in range(9)] == list(range(1, 10))


# ---- the memory of state ---------------------------------------------------------------------------
def test_parameters_in_any_order_of_memory():
    found = []
    for compile in (lambda f: f, cr.compile):
        base = np.arange(6, dtype=np.float32).reshape(2, 3).copy()
        w = nn.Parameter(cr.zeros((3, 2)))
        w.data = base.T
        rule = optim.SGD([w], lr=0.01)

        def step(x, w=w, rule=rule):
            rule.zero_grad()
            loss = ((x @ w) ** 2).sum()
            loss.backward()
            rule.step()
            return loss

        step = compile(step)
        losses = [step(cr.tensor(A[None])).item() for _ in range(3)]
        found.append([*losses, *base.ravel()])
    np.testing.assert_allclose(found[1], found[0], rtol=1e-5)


def test_state_that_cannot_be_written_is_refused_before_anything_happens():
    w = nn.Parameter(cr.tensor(A))

    @cr.compile
    def f(x):
        with cr.no_grad():
            w.assign(w + x)

    f(B)
    w.data.flags.writeable = False
    w.data = w.data.view()
    with pytest.raises(ArgumentError, match="read-only"):
        f(B)
    assert w.tolist() == [11, 22, 33]


def test_states_that_share_memory_are_refused():
    base = np.arange(9, dtype=np.float32).reshape(3, 3)
    w, v, other = (nn.Parameter(cr.zeros((3, 3))) for _ in range(3))
    w.data, v.data = base, base.T

    @cr.compile
    def f(x):
        with cr.no_grad():
            w.assign(w + v + other + x)

    with pytest.raises(ArgumentError, match="share memory"):
        f(A)
    with pytest.raises(ArgumentError, match="share memory"):
        f(A)
    assert base[0, 1] == 1
    v.data = base.T.copy()
    f(A)
    assert base[0].tolist() == [1, 1 + 3 + 2, 2 + 6 + 3]
    columns = np.zeros((3, 6), np.float32)
    w.data, v.data = columns[:, ::2], columns[:, 1::2]  # side by side, but apart
    f(A)
    assert columns[0].tolist() == [1, 0, 2, 0, 3, 0]


def test_results_are_the_callers_own():
    f = cr.compile(lambda x: x * 2)
    kept = [f(A + i).data[1:] for i in range(5)] + [memoryview(f(A).data), f(A).T]
    for _ in range(5):
        f(B)
    assert [each.tolist() for each in kept[:5]] == [[4 + 2 * i, 6 + 2 * i] for i in range(5)]
    assert [each.tolist() for each in kept[5:]] == [[2, 4, 6]] * 2


def test_one_function_in_several_threads():
    f = cr.compile(lambda x: (x @ x.T).sum(axis=0))
    inputs = [np.full((50 * k + 50, 3), k, np.float32) for k in range(4)]  # programs of their own
    wrong = []

    def run(k):
        wrong.extend(k for _ in range(100) if f(inputs[k]).data[0] != (50 * k + 50) * 3 * k * k)

    f(inputs[0])
    threads = [threading.Thread(target=run, args=(k,)) for k in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert not wrong


# ---- numbers ---------------------------------------------------------------------------------------
SPECIALS = {
    "extremes": lambda x: (x.max(), x.min(), x.argmax(), x.argmin(), cr.maximum(x, 0.0), cr.minimum(x, x[::-1])),
    "rows": lambda x: (x.reshape(4, 5).max(axis=1), x.reshape(5, 4).argmin(axis=0), F.softmax(x, dim=0)),
    "choices": lambda x: (cr.where(x > 0, x, -x), cr.clip(x, -1, 1), F.relu(x), cr.sign(x), cr.isnan(x)),
    "arithmetic": lambda x: (1 / x, x * 0, x // 2, x % 2, x - x, x + 1e-45, cr.cumsum(x), x.sum()),
    "powers": lambda x: (x**2, x**0.5, x**3, x**-1, x**2.5, x**0, 2**x, cr.sqrt(x)),
    "functions": lambda x: (cr.exp(x), cr.log(x), cr.tanh(x), F.sigmoid(x), F.softplus(x), F.gelu(x)),
}  # fmt: skip


@pytest.mark.parametrize("name", SPECIALS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nan_infinities_and_tiny_numbers(name, dtype):
    f, x = SPECIALS[name], SPECIAL.astype(dtype)
    with np.errstate(all="ignore"):
        found, expected = cr.compile(f)(x), f(cr.tensor(x))
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.data, two.data, rtol=2e-6)


# ---- epochs ----------------------------------------------------------------------------------------
def classifier():
    cr.random.seed(0)
    model = nn.Linear(3, 4)
    rule = optim.Adam(model.parameters(), lr=0.1)
    return model, training(lambda x: model(x.astype("float32") / 255), rule)


@pytest.mark.parametrize("size", [1, 8, 22, 42, 43, 100])
@pytest.mark.parametrize("shuffle", [True, False])
def test_epochs_of_bytes_with_a_last_smaller_batch(size, shuffle):
    from chainrule.data import Batches

    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (43, 3)).astype(np.uint8), rng.integers(0, 4, 43)
    (one, eager), (two, step) = classifier(), classifier()
    expected = [eager(cr.tensor(a), b).item() for a, b in Batches(x, y, size, shuffle, seed=5).iterate(0)]
    found = cr.compile(step).epoch(x, y, size, shuffle, seed=5)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    np.testing.assert_allclose(two.weight.data, one.weight.data, atol=2e-4)


def test_epochs_need_a_loss():
    for f in (lambda x, y: x, lambda x, y: {"loss": x.sum()}, lambda x, y: None):
        with pytest.raises(ArgumentError, match="needs its loss, one number"):
            cr.compile(f).epoch(np.ones((4, 2)), np.ones(4), 2)


@pytest.mark.parametrize("count", [1, 7, 16, 17])
def test_images_of_one_number(count):
    """Laid out side by side they have the addresses of a plain array, which has no spare lanes."""
    x = np.arange(count, dtype=np.float32).reshape(count, 1, 1, 1)
    f = cr.value_and_grad(lambda w, x: (F.conv2d(x, w) ** 2).sum())
    w = np.full((1, 1, 1, 1), 2, np.float32)
    compiled = cr.compile(f)
    for _ in range(3):
        np.testing.assert_allclose(compiled(w, x)[0].item(), (4 * x**2).sum(), rtol=1e-6)
        np.testing.assert_allclose(compiled(w, x)[1].item(), (4 * x**2).sum(), rtol=1e-6)
    run_guarded(compiled._latest.step, at_end=True)


def turned(x):
    for _ in range(60):
        x = x.T.reshape(5, 4)
    return x


def stepped(x):
    for _ in range(400):
        x = x + 0.001 * x
    return x


def gathered(x):
    out = x[:1]
    for i in range(60):
        out = cr.concatenate([out, x[i % 5 : i % 5 + 1] * i])
    return out


@pytest.mark.parametrize("f", [turned, stepped, gathered], ids=lambda f: f.__name__)
def test_long_chains(f):
    x = np.arange(20, dtype=np.float64).reshape(5, 4)
    np.testing.assert_allclose(cr.compile(f)(x).data, f(cr.tensor(x)).data, rtol=1e-12)


def test_an_array_that_the_function_changes_is_at_each_use_what_it_was():
    def f(x):
        mark, total = np.zeros(3, np.float32), x * 0
        places = np.arange(3)
        for i in range(3):
            mark[:] = 0
            mark[i] = i + 1
            places[:] = places[::-1]
            total = total + x[places] * mark
        places[:] = -1
        return total, cr.take(x, np.arange(3)[::-1])

    x = np.float32([1, 2, 3])
    for made, wanted in zip(cr.compile(f)(x), f(cr.tensor(x)), strict=True):
        assert made.tolist() == wanted.tolist()


@pytest.mark.parametrize("view", [False, True])
def test_an_array_from_outside_that_the_function_changes_after_its_use_is_refused(view):
    count = np.zeros(2)

    @cr.compile
    def f(x):
        part = count[:1] if view else count
        y = x * part
        count[0] += 1
        return y + part

    with pytest.raises(cr.errors.TraceError, match="a NumPy array is changed in place"):
        f(np.ones(1))
