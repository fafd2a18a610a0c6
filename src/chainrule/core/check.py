"""The generic test of an op: everything its declaration promises, tried on its own samples.

It knows no op. The test suite runs `check_op` on the whole registry; whoever declares an op
elsewhere can run it on theirs. Every failure is a CheckError that names the op and the sample.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.core.families import Composite, Elementwise, Movement
from chainrule.core.families.movement import gather, scatter
from chainrule.core.numerical import check_grads
from chainrule.core.op import Op
from chainrule.core.sample import Sample, Wrong
from chainrule.core.spec import Array, is_float, spec_of
from chainrule.core.stream import Stream
from chainrule.core.tensor import Tensor
from chainrule.core.transform import vjp
from chainrule.errors import ChainruleError, CheckError

_FLOATS = (np.float32, np.float64)


def check_op(op: Op) -> None:
    """Raise CheckError unless `op` keeps what its declaration promises.

    Value in float32 against float64, spec against value, inputs unchanged, gradients against
    finite differences to second order, claims against derived rules, wrong calls against the
    texts of their errors.
    """
    if not op.doc or not op.formula():
        raise CheckError(f"{op.name}: has no docstring or no formula")
    if not op.samples:
        raise CheckError(f"{op.name}: declares no samples to try it on")
    for sample in op.samples:
        _checked(op, sample, _check_value)
        _checked(op, sample, _check_claims)
        if op.differentiable and not sample.skip_gradient:
            _checked(op, sample, _check_gradient)
    if isinstance(op, Elementwise):
        _check_edges(op)
    for wrong in op.wrong:
        _check_wrong(op, wrong)


def _checked(op: Op, sample: Sample, check: Callable[[Op, Sample], None]) -> None:
    """Run one check, adding the op and sample to whatever it finds."""
    try:
        check(op, sample)
    except (ChainruleError, AssertionError) as error:
        headline = error.headline if isinstance(error, ChainruleError) else str(error)
        raise CheckError(f"{op.name}: {headline}", got=f"{sample.inputs} {sample.params}") from error


def _call(op: Op, arrays: list[Any], params: dict[str, Any]) -> Array:
    return op(*arrays, **params).data


def _check_value(op: Op, sample: Sample) -> None:
    """The value in float32 is that of float64, rounded; the spec foretells it; inputs stay."""
    exact = _call(op, sample.arrays(np.float64), sample.params)
    for dtype in _FLOATS:
        arrays = sample.arrays(dtype)
        before = [np.copy(each) for each in arrays]
        value = _call(op, arrays, sample.params)
        for old, new in zip(before, arrays, strict=True):
            np.testing.assert_array_equal(old, new, "an input was changed")
        if any(value is each for each in arrays):
            raise CheckError("the result is the very array that went in")
        _, params = op.bind(arrays, sample.params)
        spec = op.spec(*(spec_of(each) for each in arrays if each is not None), **params)
        if (spec.shape, spec.dtype) != (value.shape, value.dtype):
            raise CheckError(f"spec says {spec} but the value is {value.shape} {value.dtype}")
        if value.dtype.kind == "f" and op.pure:
            scale = 64 * float(np.finfo(dtype).eps)
            np.testing.assert_allclose(value, exact, rtol=scale, atol=scale)


def _check_gradient(op: Op, sample: Sample) -> None:
    """Gradients to second order agree with finite differences; float32 agrees with float64."""
    arrays = sample.arrays(np.float64)
    if not any(map(_is_real, arrays)) or not is_float(_call(op, arrays, sample.params).dtype):
        return
    check_grads(lambda *inputs: op(*inputs, **sample.params), arrays)
    single, double = (_gradients(op, sample, dtype) for dtype in _FLOATS)
    for one, two in zip(single, double, strict=True):
        np.testing.assert_allclose(one, two, rtol=2e-4, atol=2e-4)


def _is_real(value: Any) -> bool:
    return spec_of(value).dtype.kind == "f" and not spec_of(value).weak


def _gradients(op: Op, sample: Sample, dtype: Any, of: Op | None = None) -> list[Array]:
    """Return the gradient of each float input for a fixed random upstream gradient."""
    arrays = sample.arrays(dtype)
    places = [i for i, x in enumerate(arrays) if _is_real(x)]

    def f(*floats: Any) -> Any:
        inputs = list(arrays)
        for place, each in zip(places, floats, strict=True):
            inputs[place] = each
        return (of or op)(*inputs, **sample.params)

    value, pullback = vjp(f, *(arrays[place] for place in places))
    upstream = Stream(1).normal(value.shape, dtype=np.float64).astype(value.dtype)
    return [gradient.data for gradient in pullback(upstream)]


def _check_claims(op: Op, sample: Sample) -> None:
    """What an op claims beside its meaning agrees with what the meaning gives."""
    if isinstance(op, Movement):
        _check_movement(op, sample)
    if isinstance(op, Elementwise) and op.partial is not None:
        plain = Elementwise(op.body, domain=op.domain)
        _same_gradients(op, sample, plain)
    if isinstance(op, Composite) and op.gradient is not None:
        _same_gradients(op, sample, Composite(op.body))


def _same_gradients(op: Op, sample: Sample, derived: Op) -> None:
    claimed = _gradients(op, sample, np.float64)
    for one, two in zip(claimed, _gradients(op, sample, np.float64, of=derived), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-9, err_msg="claimed and derived gradient")


def _check_movement(op: Movement, sample: Sample) -> None:
    """The quick view and the quick transpose do what the index map says."""
    (x,) = sample.arrays(np.float64)
    _, params = op.bind([x], sample.params)
    index_map = op.map(x.shape, **params)
    np.testing.assert_array_equal(op.value(x, **params), gather(x, index_map), "view and index map")
    g = Stream(2).normal(index_map.shape, dtype=np.float64)

    def moved(x: Tensor) -> Tensor:
        return op(x, **params)

    (claimed,) = vjp(moved, x)[1](g)
    np.testing.assert_allclose(claimed.data, scatter(g, index_map), err_msg="back and index map")


def _check_edges(op: Elementwise) -> None:
    """Where precision is at risk, float32 still agrees with float64, and no gradient is NaN."""
    for edge in op.edges:
        for dtype in _FLOATS:
            inputs = [np.full(1, edge, dtype) for _ in op.inputs]
            with np.errstate(all="ignore"):
                value = op(*inputs).data
                exact = op(*(each.astype(np.float64) for each in inputs)).data
            scale = 64 * float(np.finfo(dtype).eps)
            np.testing.assert_allclose(value, exact, rtol=scale, atol=1e-37, err_msg=f"{op.name} at {edge}")
            with np.errstate(all="ignore"):
                gradients = vjp(op, *inputs)[1](np.ones_like(value))
            if any(np.isnan(gradient.data).any() for gradient in gradients):
                raise CheckError(f"{op.name}: the gradient at {edge} is NaN in {np.dtype(dtype)}")


def _check_wrong(op: Op, wrong: Wrong) -> None:
    """A wrong call raises an error of the library with the declared first line."""
    arrays = Sample(wrong.inputs).arrays(np.float64)
    try:
        op(*arrays, **wrong.params)
    except ChainruleError as error:
        if error.headline != wrong.message:
            raise CheckError(
                f"{op.name}: error text", got=f"{error.headline!r}, not {wrong.message!r}"
            ) from error
    else:
        raise CheckError(f"{op.name}: a wrong call passed", got=f"{wrong.inputs} {wrong.params}")
