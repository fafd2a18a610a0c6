"""The tape and the sweep: what is recorded, what backward leaves behind, and what it refuses."""

from __future__ import annotations

import copy
import gc
import threading
import weakref

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import GraphError


def leaf(value, **kwargs):
    return cr.tensor(value, requires_grad=True, **kwargs)


def test_every_intermediate_keeps_its_gradient():
    x, y, z = leaf(-2.0), leaf(5.0), leaf(-4.0)
    q = x + y
    f = q * z
    f.backward()
    assert (f.item(), q.grad.item(), f.grad.item()) == (-12.0, -4.0, 1.0)
    assert (x.grad.item(), y.grad.item(), z.grad.item()) == (-4.0, -4.0, 3.0)


def test_branches_add_and_leaves_accumulate():
    x = leaf([1.0, 2.0])
    (x * x + x).sum().backward()
    np.testing.assert_array_equal(x.grad.data, [3.0, 5.0])
    (x * 1.0).sum().backward()
    np.testing.assert_array_equal(x.grad.data, [4.0, 6.0])


def test_a_leaf_owns_its_gradient():
    x, b = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    y = x + b
    upstream = np.ones(2, np.float32)
    y.backward(upstream)
    x.grad.data[:] = 7
    np.testing.assert_array_equal(b.grad.data, [1, 1])
    np.testing.assert_array_equal(y.grad.data, [1, 1])
    np.testing.assert_array_equal(upstream, [1, 1])


def test_gradients_have_the_shape_and_dtype_of_their_tensors():
    x, w = leaf(np.ones((2, 1), np.float32)), leaf(np.ones(3, np.float64))
    y = x * w
    assert y.dtype == np.float64
    y.sum().backward()
    assert (x.grad.dtype, x.grad.shape) == (np.float32, (2, 1))
    assert (w.grad.dtype, w.grad.shape) == (np.float64, (3,))


def test_flat_functions_give_zero_not_none():
    x = leaf([0.3, 1.7])
    cr.floor(x).sum().backward()
    np.testing.assert_array_equal(x.grad.data, [0, 0])
    np.testing.assert_array_equal(cr.grad(lambda x: cr.sign(x).sum())(x).data, [0, 0])


@pytest.mark.slow
def test_a_chain_of_100_000_ops():
    x = leaf(1.0)
    y = x
    for _ in range(100_000):
        y = y + 1e-6
    y.backward()
    assert x.grad.item() == 1.0
    assert cr.grad(lambda x: _repeat(x, 20_000))(2.0).item() == 1.0
    alive = weakref.ref(y)
    del y
    gc.collect()
    assert alive() is None


def _repeat(x, count):
    for _ in range(count):
        x = x + 0.5
    return x


def test_nothing_is_recorded_under_no_grad_or_without_tracked_inputs():
    x = leaf([1.0])
    with cr.no_grad():
        assert (x * 2).op is None
        with cr.enable_grad():
            assert (x * 2).requires_grad
    assert (x * 2).requires_grad
    assert (cr.tensor([1.0]) * 2).op is None
    assert not (x > 0).requires_grad

    @cr.no_grad()
    def doubled(x):
        return x * 2

    assert not doubled(x).requires_grad


def test_a_decorated_function_in_two_threads_leaves_each_as_it_was():
    entered, second, left, records = threading.Event(), threading.Event(), threading.Event(), {}

    @cr.no_grad()
    def decorated(inside, wait_for) -> None:
        inside.set()
        wait_for.wait(10)

    def first() -> None:
        decorated(entered, second)
        records["first"] = (leaf(1.0) * 2).requires_grad
        left.set()

    thread = threading.Thread(target=first)
    thread.start()
    entered.wait(10)
    with cr.no_grad():
        decorated(second, left)
        records["second"] = (leaf(1.0) * 2).requires_grad
    thread.join()
    assert records == {"first": True, "second": False}
    assert (leaf(1.0) * 2).requires_grad


def test_backward_without_a_graph_or_with_a_wrong_gradient():
    with pytest.raises(GraphError, match="has no recorded graph"):
        cr.tensor(1.0).backward()
    with pytest.raises(GraphError, match="holds 2 values"):
        (leaf([1.0, 2.0]) * 2).backward()
    with pytest.raises(cr.errors.ShapeError, match=r"gradient has shape \(3,\)"):
        (leaf([1.0, 2.0]) * 2).backward(np.ones(3))


CHANGES = {
    "assign": lambda w: w.assign(np.zeros(2)),
    "data": lambda w: setattr(w, "data", np.zeros(2, np.float32)),
    "item": lambda w: w.__setitem__(0, 5.0),
    "+=": lambda w: w.__iadd__(1.0),
    "out": lambda w: np.add(w, 1.0, out=w),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("view", [False, True])
def test_a_change_after_use_is_refused_at_backward(change, view):
    w = leaf([1.0, 2.0])
    used = w.reshape(2, 1).T if view else w
    loss = (used * used).sum()
    with cr.no_grad():
        CHANGES[change](w)
    with pytest.raises(GraphError, match="was changed in place after multiply used it"):
        loss.backward()
    (w * w).sum().backward()


def test_a_change_that_no_gradient_reads_is_harmless():
    w = leaf([1.0, 2.0])
    loss = (w + 1.0).sum()
    with cr.no_grad():
        w += 1.0
    loss.backward()
    np.testing.assert_array_equal(w.grad.data, [1, 1])


def test_changes_that_would_corrupt_a_graph_raise():
    w = leaf([1.0, 2.0])
    y = w * 2
    with pytest.raises(GraphError, match="in-place add"):
        w += 1
    with pytest.raises(GraphError, match="assignment to a part of a tensor"):
        w[0] = 1.0
    with pytest.raises(GraphError), cr.no_grad():
        y += 1
    with pytest.raises(GraphError, match="was computed and cannot be assigned"):
        y.data = np.zeros(2)
    with pytest.raises(ValueError, match="read-only"):
        y.data[0] = 1.0
    assert y.tolist() == [2.0, 4.0]


def test_plain_tensors_change_in_place():
    array = np.zeros(3, np.float32)
    x = cr.Tensor(array)
    x += 1
    x[0] = 5
    x[cr.tensor([1, 2])] *= 3
    np.testing.assert_array_equal(array, [5, 3, 3])
    assert cr.tensor(array).data is not array


def test_detach_cuts_and_deepcopy_copies():
    x = leaf([1.0, 2.0], name="x")
    assert not x.detach().requires_grad
    twin = copy.deepcopy(x)
    assert (twin.name, twin.requires_grad) == ("x", True)
    twin.data[0] = 9
    assert x.data[0] == 1
    with pytest.raises(GraphError, match="only leaves"):
        copy.deepcopy(x * 2)


def test_gradients_of_gradients():
    x = cr.tensor([0.5, -1.0], dtype="float64")
    third = cr.grad(lambda x: cr.grad(lambda x: cr.grad(lambda x: (x**4).sum())(x).sum())(x).sum())(x)
    np.testing.assert_allclose(third.data, 24 * x.data)
    np.testing.assert_allclose(cr.hessian(cr.prod)(x).data, [[0, 1], [1, 0]])
    inner = cr.grad(lambda x: x * cr.grad(lambda y: x * y)(1.0))(3.0)
    assert inner.item() == 6.0


def test_a_gradient_penalty_reaches_the_weights():
    w = cr.tensor([2.0, -1.0], requires_grad=True)
    slope = cr.grad(lambda x: (cr.tanh(x * w)).sum())(cr.tensor([0.3, 0.4]))
    (slope**2).sum().backward()
    x = np.array([0.3, 0.4])
    numerical = cr.numerical_gradient(lambda w: (((1 - cr.tanh(x * w) ** 2) * w) ** 2).sum(), w)
    np.testing.assert_allclose(w.grad.data, numerical.data, rtol=1e-4)


def test_transformations_leave_grad_alone_and_return_plain_tensors():
    w = leaf([1.0, 2.0])
    value, gradient = cr.value_and_grad(lambda w: (w * w).sum())(w.detach())
    assert (value.item(), gradient.tolist()) == (5.0, [2.0, 4.0])
    assert not value.requires_grad and not gradient.requires_grad
    cr.grad(lambda x: (x * w).sum())(np.ones(2))
    assert w.grad is None


def test_argnums_jacobian_vjp():
    f = lambda a, b: a @ b
    a, b = np.arange(6.0).reshape(2, 3), np.array([1.0, 0.0, 2.0])
    one, two = cr.jacobian(f, argnums=(0, 1))(a, b)
    assert one.shape == (2, 2, 3)
    np.testing.assert_array_equal(two.data, a)
    np.testing.assert_array_equal(cr.jacobian(f, argnums=np.int64(1))(a, b).data, a)
    value, pullback = cr.vjp(f, a, b)
    np.testing.assert_array_equal(value.data, a @ b)
    np.testing.assert_array_equal(pullback(np.array([1.0, 0.0]))[1].data, a[0])
    with pytest.raises(cr.errors.ArgumentError, match="argnums=2"):
        cr.grad(f, argnums=2)(a, b)
    with pytest.raises(cr.errors.DTypeError, match="gradients need floats"):
        cr.grad(lambda x: x * x)(3)
    with pytest.raises(GraphError, match="returned float"):
        cr.grad(lambda x: x.item())(3.0)


def test_check_grads_finds_a_wrong_rule_at_second_order_only():
    from chainrule.core.families import Composite

    def squared(x):
        """The square."""
        return x * x

    half_wrong = Composite(squared, gradient=lambda g, node, x: (g * 2.0 * x.detach(),))
    cr.check_grads(half_wrong, ([1.0, 2.0],), order=1)
    with pytest.raises(cr.errors.CheckError, match="order 2"):
        cr.check_grads(half_wrong, ([1.0, 2.0],), order=2)


def test_two_threads_have_their_own_mode():
    seen = []
    ready, done = threading.Event(), threading.Event()

    def other():
        with cr.no_grad():
            ready.set()
            done.wait(5)
        seen.append((leaf(1.0) * 2).requires_grad)

    thread = threading.Thread(target=other)
    thread.start()
    ready.wait(5)
    assert (leaf(1.0) * 2).requires_grad
    done.set()
    thread.join()
    assert seen == [True]


def test_an_error_names_the_clash_the_inputs_the_line_and_a_way_out():
    x, w = cr.ones((2, 3), name="x"), leaf(np.ones((4, 5), np.float32), name="w")
    with pytest.raises(cr.errors.ShapeError) as caught:
        x @ w  # the user's line
    lines = str(caught.value).splitlines()
    assert lines[0] == "matrix_product(a, b): axis 'k' is 3 in a (axis 1) but 4 in b (axis 0)"
    assert lines[1] == "  signature  ... m k, ... k n -> ... m n"
    assert lines[2] == "  got        a (2, 3) float32 named 'x'    b (4, 5) float32 parameter 'w'"
    assert lines[3].startswith("  at         test_engine.py:") and lines[3].endswith(
        "x @ w  # the user's line"
    )
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("call", "kind", "headline"),
    [
        (lambda: cr.sum(cr.ones(3), axsi=0), "DTypeError", "sum(x): there is no parameter 'axsi'"),
        (cr.exp, "DTypeError", "exp(x): 'x' is missing"),
        (lambda: cr.exp(input=1.0), "DTypeError", "exp(x): there is no parameter 'input'"),
        (lambda: cr.exp(1.0, 2.0), "DTypeError", "exp(x): takes 1 argument(s), got 2"),
        (lambda: cr.exp("a"), "DTypeError", "exp(x): cannot take str 'a'"),
        (lambda: cr.ones(2) + None, "DTypeError", "add(a, b): cannot take NoneType None"),
        (lambda: cr.mean(None), "DTypeError", "mean(x): cannot take NoneType None"),
        (lambda: cr.sum([leaf(1.0), 2.0]), "GraphError", "sum(x): a list of tensors that have gradients would cut the graph"),
        (lambda: cr.mean([[leaf(1.0)], [2.0]]), "GraphError", "mean(x): a list of tensors that have gradients would cut the graph"),
        (lambda: cr.tensor([[1.0], [2.0, 3.0]]), "ShapeError", "tensor: nested lists of unequal length"),
        (lambda: np.ones(2).__isub__(leaf([1.0, 2.0])), "GraphError",
         "np.subtract with out=: an array cannot hold a result with a gradient"),
        (lambda: np.linalg.norm(leaf([1.0, 2.0])), "GraphError",
         "np.linalg.norm: is not an op of chainrule, so its gradient would be lost"),
        (lambda: cr.ones(3).item(), "ShapeError", "item: the tensor holds 3 values, shape (3,), not one"),
        (lambda: cr.max(cr.zeros((0,))), "ArgumentError",
         "max(x): nothing to reduce, axis of size 0 in shape (0,) and no identity"),
        (lambda: cr.numerical_gradient(lambda x: x, 1.0, h=0), "ArgumentError",
         "numerical_gradient: h must be positive, got 0"),
    ],
)  # fmt: skip
def test_wrong_calls(call, kind, headline):
    with pytest.raises(getattr(cr.errors, kind)) as caught:
        call()
    assert caught.value.headline == headline


@pytest.mark.parametrize(
    ("call", "hint"),
    [
        (lambda: cr.mean(None), "end in a return?"),
        (lambda: cr.ones(2) + cr.exp, "give what it returns"),
        (lambda: cr.zeros(3, 4), "cr.zeros((2, 3))"),
        (lambda: cr.tensor(["a", "b"]), "np.unique(words, return_inverse=True)[1] numbers words"),
        (lambda: cr.sum([leaf(1.0), 2.0]), "cr.stack([...])"),
    ],
)
def test_hints_on_what_is_no_array(call, hint):
    with pytest.raises(cr.errors.ChainruleError) as caught:
        call()
    assert hint in caught.value.hint


def test_lists_of_tensors_are_plain_numbers_where_nothing_is_lost():
    with cr.no_grad():
        assert cr.sum([leaf(1.0), 2.0]).item() == 3
    assert cr.sum([cr.ones(2), cr.ones(2)]).item() == 4


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_dividing_by_a_plain_zero_is_numpy_business():
    x = leaf([1.0, -2.0])
    y = x / 0
    y.sum().backward()
    np.testing.assert_array_equal(y.data, [np.inf, -np.inf])
    assert np.isinf(x.grad.data).all() and x.grad.dtype == np.float32
    assert np.isinf(cr.divide(1.0, 0.0).item())


def test_comparison_with_none_is_python_own():
    assert (cr.ones(2) == None) is False and (cr.ones(2) != None) is True  # noqa: E711


def test_repr_says_where_a_tensor_came_from():
    assert repr(cr.tensor([1.0, 2.0])) == "tensor([1., 2.])"
    assert repr(leaf(1.0, name="w")) == "tensor(1., name='w', requires_grad=True)"
    assert repr(leaf([1.0]) * 2) == "tensor([2.], op=multiply)"
    assert f"{cr.tensor(1.23456):.2f}" == "1.23"
