"""The functions under NumPy's names do what NumPy does: values, shapes and dtypes."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import chainrule as cr

RNG = np.random.default_rng(0)
A = RNG.uniform(0.5, 2.0, (3, 4))
B = RNG.uniform(0.5, 2.0, (4,))
INTS = np.array([[1, -2, 3, 0], [4, 5, -6, 7], [0, 1, 2, 3]])
MASK = np.array([[True, False, True, False]] * 3)
DTYPES = (np.float32, np.float64, np.int64, np.int32, np.uint8, np.bool_)

UNARY = "negative abs sign square exp expm1 log1p sqrt sin cos tan tanh arctan floor ceil rint isnan isfinite isinf"
BINARY = (
    "add subtract multiply divide power floor_divide remainder maximum minimum less less_equal greater "
    "greater_equal equal not_equal logical_and logical_or logical_xor arctan2 logaddexp"
)


def as_dtype(array, dtype):
    return (np.abs(array) if dtype == np.uint8 else array).astype(dtype)


def compare(ours, theirs, exact_dtype=True):
    theirs = np.asarray(theirs)
    assert ours.shape == theirs.shape
    if exact_dtype:
        assert ours.dtype == theirs.dtype
    tolerance = 0 if theirs.dtype.kind != "f" else 1e-6 if theirs.dtype == np.float32 else 1e-13
    np.testing.assert_allclose(np.asarray(ours), theirs, rtol=max(tolerance, 1e-3 * (theirs.itemsize < 4)))


def numpy_or_none(f, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return f(*args, **kwargs)
        except TypeError:
            return None


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", UNARY.split())
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_unary(name, dtype):
    x = as_dtype(INTS, dtype)
    if name in ("sqrt", "log1p"):
        x = np.abs(x)
    theirs = numpy_or_none(getattr(np, name), x)
    if theirs is None:
        with pytest.raises(cr.errors.DTypeError):
            getattr(cr, name)(x)
        return
    if name == "square" and dtype == np.bool_:
        return  # NumPy squares bools to int8; ours multiplies them
    if np.asarray(theirs).dtype == np.float16 or name == "tan":
        return
    compare(getattr(cr, name)(x), theirs)


@pytest.mark.parametrize("right", DTYPES)
@pytest.mark.parametrize("left", DTYPES)
@pytest.mark.parametrize("name", BINARY.split())
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_binary(name, left, right):
    a, b = as_dtype(INTS, left), as_dtype(np.array([2, 3, 1, 2]), right)
    theirs = numpy_or_none(getattr(np, name), a, b)
    if theirs is None:
        with pytest.raises(cr.errors.DTypeError):
            getattr(cr, name)(a, b)
        return
    if np.asarray(theirs).dtype == np.float16 or name in ("power", "logaddexp"):
        return
    compare(getattr(cr, name)(a, b), theirs)


@pytest.mark.parametrize("number", [2, 2.5, True, np.float32(2.5), np.float64(2.5), np.int64(2)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_numbers_promote_as_in_numpy(dtype, number):
    x = as_dtype(INTS, dtype)
    compare(cr.tensor(x) * number, x * number)
    compare(number + cr.tensor(x), number + x)


AXES = [None, 0, 1, -1, (0, 1), (1, -2), ()]


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("name", "sum prod max min mean var std any all".split())
def test_reductions(name, axis, keepdims):
    for x in (A, A.astype(np.float32), INTS, MASK):
        if name in ("var", "std", "mean") and x.dtype.kind in "ib" and axis == ():
            continue
        theirs = getattr(np, name)(x, axis=axis, keepdims=keepdims)
        exact = not (name == "prod" and axis == () and x.dtype.kind != "f")
        compare(getattr(cr, name)(x, axis=axis, keepdims=keepdims), theirs, exact_dtype=exact)


@pytest.mark.parametrize("axis", [None, 0, -1])
def test_places_and_running_sums(axis):
    for x in (A, INTS, MASK):
        compare(cr.argmax(x, axis=axis), np.argmax(x, axis=axis))
        compare(cr.argmin(x, axis=axis), np.argmin(x, axis=axis))
        compare(cr.cumsum(x, axis=axis), np.cumsum(x, axis=axis))


def test_logsumexp_at_the_extremes():
    x = np.array([[-np.inf, -np.inf], [np.inf, 0.0], [1000.0, 1000.0], [-1000.0, -1000.0]])
    expected = [-np.inf, np.inf, 1000 + np.log(2), -1000 + np.log(2)]
    np.testing.assert_allclose(cr.logsumexp(x, axis=1).data, expected)
    _, pullback = cr.vjp(lambda x: cr.logsumexp(x, axis=1), x)
    (gradient,) = pullback(np.ones(4))
    np.testing.assert_allclose(gradient.data[1:], [[1, 0], [0.5, 0.5], [0.5, 0.5]])


def test_logaddexp_of_infinities_ties_and_integers():
    x, y = np.array([np.inf, -np.inf, np.inf, 2.0, 1e307]), np.array([np.inf, -np.inf, 3.0, 2.0, -1e307])
    np.testing.assert_array_equal(cr.logaddexp(x, y).data, np.logaddexp(x, y))
    ends = np.array([-(2**31), 0, 2**31 - 1], np.int32)
    for a, b in (
        (ends, ends[::-1]),
        (np.uint8([1, 200, 3]), np.uint8([200, 1, 3])),
        (MASK[0], MASK[0][::-1]),
    ):
        expected = np.logaddexp(a.astype(float), b.astype(float))
        np.testing.assert_allclose(cr.logaddexp(a, b).data, expected, rtol=1e-15)
    curvature = cr.hessian(lambda x: cr.logaddexp(x[0], x[1]))(np.array([2.0, 2.0]))
    np.testing.assert_array_equal(curvature.data, [[0.25, -0.25], [-0.25, 0.25]])


def test_reciprocals_of_integers_are_floats():
    for dtype in (np.int64, np.uint8, np.bool_):
        ours = cr.reciprocal(np.array([1, 1, 1], dtype) + np.array([0, 1, 3], np.uint8))
        assert ours.dtype == np.float64 and ours.tolist() == [1.0, 0.5, 0.25]


def test_integers_keep_their_dtype_and_do_not_wrap():
    for dtype in DTYPES[2:]:
        x = as_dtype(INTS, dtype)
        compare(cr.prod(x + np.ones((), dtype), axis=1), np.prod(x + np.ones((), dtype), axis=1))
        for subscripts in ("ij->", "ij,kl->ik", "ij,kl->jl", "ij,ij->i"):
            for y in (x, INTS.astype(np.int32), A):
                operands = (x, y)[: 1 + ("," in subscripts)]
                compare(cr.einsum(subscripts, *operands), np.einsum(subscripts, *operands))
    long = np.full(9, 2**61)
    assert cr.mean(long).item() == 2.0**61
    assert cr.var(long).item() == 0


def test_padding_of_nothing_by_copies_is_refused():
    for mode in ("edge", "reflect", "symmetric", "wrap"):
        with pytest.raises(cr.errors.ArgumentError, match="nothing to copy along axis 1, which is empty"):
            cr.pad(np.ones((2, 0)), 1, mode=mode)


INDICES = [
    0, -1, slice(None), slice(1, 3), slice(None, None, -1), slice(5, 2), slice(-2, None), None, Ellipsis,
    (0, 1), (slice(None), 2), (slice(None, None, 2), slice(3, None, -2)), (..., 0), (0, ...), (None, 1, None),
    (slice(None), None, slice(None)), [0, 2], np.array([0, 0, 1]), np.array([[0, 1], [2, 0]]),
    (slice(None), [3, 0]), ([0, 1], [1, 2]), (np.array([[0], [1]]), np.array([1, 2])), (np.array([0, 1]), None),
    (0, [1, 2]), ([0, 2], slice(1, 3)), (slice(0, 2), [1]), MASK, np.array([True, False, True]),
    (slice(None), np.array([True, False, True, True])), np.zeros((3, 4), bool), [], (np.int64(1), np.int32(2)),
    True, (0, False), (slice(None), True), (True, MASK), (True, np.array([True, False, True])),
]  # fmt: skip


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_indexing(index):
    t = cr.tensor(A, requires_grad=True)
    theirs = A[index]
    ours = t[index]
    compare(ours, theirs)
    ours.sum().backward()
    expected = np.zeros_like(A)
    np.add.at(expected, index, 1.0)
    np.testing.assert_array_equal(t.grad.data, expected)


def test_indexing_by_tensors_and_iteration():
    t = cr.tensor(A, requires_grad=True)
    compare(t[cr.tensor([0, 2])], A[[0, 2]])
    compare(t[t > 1.0], A[A > 1.0])
    assert [row.shape for row in t] == [(4,)] * 3
    first, *_ = t[0]
    assert first.item() == A[0, 0]


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (3, "index: 3 is out of bounds for axis 0 of size 3"),
        ((0, 0, 0), "index: 3 indices for a tensor of 2 axes, shape (3, 4)"),
        (np.array([True, False]), "index: a mask of shape (2,) does not fit axes 0 to 0 of (3, 4)"),
        (1.5, "index: float64 is no index; use slices, integers, None, ..., integer or bool arrays"),
        ([0, 7], "picked(x): index 7 is out of bounds for axis 0 with size 3"),
    ],
)
def test_wrong_indices(index, message):
    with pytest.raises((cr.errors.IndexRangeError, cr.errors.DTypeError)) as caught:
        cr.tensor(A)[index]
    assert caught.value.headline == message


C = RNG.normal(size=(2, 3, 4))
SHAPES = [
    ("reshape", (C, (4, -1)), {}), ("reshape", (C, -1), {}), ("transpose", (C,), {}),
    ("transpose", (C, (1, 0, 2)), {}), ("transpose", (C, (-1, 0, 1)), {}), ("swapaxes", (C, 0, -1), {}),
    ("moveaxis", (C, 0, -1), {}), ("moveaxis", (C, (0, 1), (-1, 0)), {}), ("expand_dims", (C, 1), {}),
    ("expand_dims", (C, (0, -1)), {}), ("squeeze", (C[:1],), {}), ("squeeze", (C[:1], 0), {}),
    ("broadcast_to", (B, (2, 3, 4)), {}), ("flip", (C,), {}), ("flip", (C, 1), {}), ("flip", (C, (0, 2)), {}),
    ("ravel", (C,), {}), ("repeat", (C, 2), {}), ("repeat", (C, 2), {"axis": 1}), ("repeat", (C, [1, 0, 2], 1), {}),
    ("tile", (C, 2), {}), ("tile", (B, (2, 3)), {}), ("tile", (C, (2, 1, 1, 2)), {}),
    ("take", (C, [0, 5]), {}), ("take", (C, [[0, 1]]), {"axis": 2}), ("take", (C, -1), {"axis": 1}),
    ("pad", (C, 1), {}), ("pad", (C, ((0, 0), (1, 2), (0, 3))), {}), ("pad", (C, (1, 2)), {"constant_values": 3.0}),
    ("pad", (C, 1), {"mode": "edge"}), ("pad", (C, ((0, 0), (2, 1), (1, 1))), {"mode": "reflect"}),
    ("pad", (C, 2), {"mode": "symmetric"}), ("pad", (C, 2), {"mode": "wrap"}),
    ("concatenate", ([C, C],), {}), ("concatenate", ([C, C[:, :1]],), {"axis": 1}), ("concatenate", ([C, B],), {"axis": None}),
    ("stack", ([C, C],), {}), ("stack", ([C, C],), {"axis": -1}),
    ("where", (A > 1, A, 0.0), {}), ("clip", (C, -0.5, 0.5), {}), ("clip", (C, None, 0.5), {}), ("clip", (C, B, None), {}),
    ("round", (C * 10,), {}), ("round", (C, 2), {}),
    ("matmul", (A, B), {}), ("matmul", (B, A.T), {}), ("matmul", (C, A.T), {}), ("matmul", (C, C.transpose(0, 2, 1)), {}),
    ("matmul", (B, B), {}), ("matmul", (C[:, None], A.T), {}), ("dot", (A, B), {}), ("dot", (B, B), {}), ("dot", (C, A.T), {}),
    ("dot", (A, 2.0), {}), ("outer", (B, A), {}), ("tensordot", (C, C), {"axes": 3}), ("tensordot", (A, B), {"axes": 1}),
    ("tensordot", (C, A), {"axes": (2, 1)}), ("tensordot", (C, C), {"axes": ((0, 2), (0, 2))}), ("tensordot", (A, B), {"axes": np.int64(0)}),
    ("einsum", ("ij,j->i", A, B), {}), ("einsum", ("ij,kj", A, A), {}), ("einsum", ("ii->i", A[:3, :3]), {}),
    ("einsum", ("ii", A[:3, :3]), {}), ("einsum", ("ij->ji", A), {}), ("einsum", ("ij->", A), {}), ("einsum", ("i,i,i->", B, B, B), {}),
    ("einsum", ("bij,bkj->bik", C, C), {}), ("einsum", ("...ij,kj->...ik", C, A), {}), ("einsum", ("ij,ij,j->i", A, A, B), {}),
    ("einsum", ("i,j->ij", B, A[:, 0]), {}), ("einsum", ("iij,j->i", RNG.normal(size=(3, 3, 4)), B), {}),
    ("einsum", ("ij,jk,kl->il", A, A.T, A), {}), ("einsum", ("a,b->", B, A[:, 0]), {}), ("einsum", ("...,...->...", C, A), {}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "args", "kwargs"), SHAPES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_shapes_and_products(name, args, kwargs):
    compare(getattr(cr, name)(*args, **kwargs), getattr(np, name)(*args, **kwargs))
    floats = [arg for arg in args if isinstance(arg, np.ndarray) and arg.dtype.kind == "f"]
    if floats and name != "round":
        others = list(args)
        place = next(i for i, arg in enumerate(args) if arg is floats[0])

        def f(x):
            others[place] = x
            return getattr(cr, name)(*others, **kwargs)

        cr.check_grads(f, (floats[0],))


def test_split():
    for cut in (2, np.int64(2), [1, 3], [0, 2, 9]):
        for ours, theirs in zip(cr.split(A, cut, axis=1), np.split(A, cut, axis=1), strict=True):
            compare(ours, theirs)
    with pytest.raises(cr.errors.ShapeError, match="has no 3 equal parts"):
        cr.split(A, 3, axis=1)


def test_a_wrong_axis_of_a_stack():
    with pytest.raises(cr.errors.ShapeError, match=r"stack\(x\): axis 5 is out of bounds"):
        cr.stack([A, A], axis=5)


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (2, 0, 3)])
def test_empty_and_0d(shape):
    x = np.ones(shape)
    t = cr.tensor(x, requires_grad=True)
    for f in (
        lambda m, x: m.exp(x) * 2 + x,
        lambda m, x: m.sum(x),
        lambda m, x: m.reshape(x, -1),
        lambda m, x: m.mean(x),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            compare(f(cr, t), f(np, x))
    (t * 3).sum().backward()
    np.testing.assert_array_equal(t.grad.data, np.full(shape, 3.0))


def test_numpy_functions_record():
    t = cr.tensor([0.5, 1.0], requires_grad=True)
    for result in (
        np.exp(t), np.add(t, 1), np.sum(t), np.mean(t, axis=0), np.where(t > 0, t, 0.0), np.concatenate([t, t]),
        np.ones(2) @ t, np.float64(2.0) * t, np.ones((2, 2)) + t, np.add.reduce(t), np.max(t), np.clip(t, 0, 1),
        np.einsum("i,i->", t, t), np.stack([t, t]), np.reshape(t, (2, 1)), np.absolute(t), np.std(t), np.transpose(t),
    ):  # fmt: skip
        assert isinstance(result, cr.Tensor)
        assert result.requires_grad
    np.testing.assert_allclose(cr.grad(lambda x: np.sum(np.sin(x) ** 2))(t), np.sin(2 * t.data), rtol=1e-6)


def test_numpy_functions_without_a_counterpart():
    t = cr.tensor([0.5, 1.0], requires_grad=True)
    assert np.allclose(t, [0.5, 1.0])
    assert np.array_equal(np.argsort(t), [0, 1])
    assert isinstance(np.median(t.detach()), np.float32)
    with pytest.raises(cr.errors.GraphError, match="np.median: is not an op of chainrule"):
        np.median(t)
    with pytest.raises(cr.errors.GraphError):
        np.add(t, 1, out=t)
    plain = cr.zeros(2)
    np.add(plain, 1, out=plain)
    assert plain.tolist() == [1.0, 1.0]


def test_creation():
    compare(cr.tensor([1.0, 2.0]), np.array([1, 2], np.float32))
    compare(cr.tensor([1, 2]), np.array([1, 2]))
    compare(cr.tensor([True]), np.array([True]))
    compare(cr.tensor(np.arange(3.0)), np.arange(3.0))
    compare(cr.tensor(np.float64(1.5)), np.float64(1.5))
    compare(cr.tensor([1, 2], dtype="float64"), np.array([1.0, 2.0]))
    compare(cr.tensor(0.1, dtype=np.float64), np.array(0.1))
    compare(cr.arange(3), np.arange(3))
    compare(cr.arange(0, 1, 0.25), np.arange(0, 1, 0.25, dtype=np.float32))
    compare(cr.linspace(0, 1, 5), np.linspace(0, 1, 5, dtype=np.float32))
    compare(cr.eye(3, 4, 1), np.eye(3, 4, 1, dtype=np.float32))
    compare(cr.full((2,), 3), np.full((2,), 3))
    compare(cr.zeros((2, 3)), np.zeros((2, 3), np.float32))
    for wrong in ([[1.0], [1.0, 2.0]], "text", object(), 1j, None, {"a": 1}):
        with pytest.raises((cr.errors.ShapeError, cr.errors.DTypeError)):
            cr.tensor(wrong)
    with pytest.raises(cr.errors.DTypeError, match="only floating-point tensors can require gradients"):
        cr.tensor([1, 2], requires_grad=True)


@pytest.mark.parametrize("axes", [(2, 3), (3,), (1, 3), (0, 3)])
def test_folding_rows_of_a_few_items(axes):
    x = RNG.normal(size=(3, 4, 64, 2) if axes == (1, 3) else (4, 300, 3, 4)).round(1)
    x[1, 1] = np.nan
    for name in ("sum", "max", "min"):
        np.testing.assert_allclose(
            getattr(cr, name)(x, axis=axes).data, getattr(np, name)(x, axis=axes), rtol=1e-12, atol=1e-12
        )
    order = [*(i for i in range(4) if i not in axes), *axes]
    rows = x.transpose(order).reshape([x.shape[i] for i in range(4) if i not in axes] + [-1])
    gradient = cr.grad(lambda x: cr.max(x, axis=axes).sum())(x).data.transpose(order).reshape(rows.shape)
    np.testing.assert_array_equal(gradient, np.eye(rows.shape[-1])[rows.argmax(axis=-1)])
