"""Random small programs, each made from a seed: chains of ops over arrays of awkward shapes and dtypes.

A program is built by running it: an op is drawn, tried on values that are there, and kept if it gives
something tame. Functions that jump, or whose gradients do (floor, comparisons, extremes), are only put on values
that are exact, since two correct ways of rounding would fall on different sides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import chainrule as cr
from chainrule.errors import ChainruleError
from chainrule.nn import functional as F

SIZES = (1, 1, 2, 3, 4, 5, 7, 8, 13, 16, 17, 19, 33)
DTYPES = ("float32",) * 6 + ("float64",) * 3 + ("int64", "int32", "uint8", "int8", "bool")
LARGEST = 3000  # elements of a value

Make = Callable[[np.random.Generator, list[Any]], tuple[Callable[..., Any], list[int]]]


class Unfit(Exception):
    """The values that are there do not suit an op."""


@dataclass(eq=False)
class Known:
    """A value of a program under construction: what it is, and whether no rounding was made on the way."""

    tensor: Any
    exact: bool


@dataclass(eq=False)
class RandomProgram:
    """`run(*arrays)` is the program; `arrays(k)` are inputs for it, `steps` what it does in words."""

    seed: int
    length: int = 6
    zeros: bool = False
    steps: list[tuple[str, Callable[..., Any], list[int]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        self.single = False  # whether float32 occurs, and with it its rounding
        self.specs = [(_shape(rng, self.zeros), str(rng.choice(DTYPES))) for _ in range(rng.integers(1, 4))]
        known = [Known(cr.tensor(each), True) for each in self.arrays(0)]
        for _ in range(self.length * 8):
            if len(self.steps) == self.length:
                break
            self._try(rng, known)
        used = {place for _, _, places in self.steps for place in places}
        self.wanted = [i for i in range(len(self.specs), len(known)) if i not in used or rng.random() < 0.2]
        self._ends_in_floats = any(known[i].tensor.dtype.kind == "f" for i in self.wanted)

    def _try(self, rng: np.random.Generator, known: list[Known]) -> None:
        name = str(rng.choice(list(OPS)))
        make, kind = OPS[name]
        usable = [k for k in known if k.exact or kind != "jumps"]
        if not usable:
            return
        try:
            function, places = make(rng, [k.tensor for k in usable])
            places = [known.index(usable[place]) for place in places]
            with np.errstate(all="ignore"):
                made = function(*(known[place].tensor for place in places))
        except (Unfit, ChainruleError, ValueError, TypeError, IndexError, np.exceptions.AxisError):
            return
        if made.size > LARGEST or (made.dtype.kind == "f" and not _tame(made.data)):
            return
        exact = kind != "rounds" and all(known[place].exact for place in places)
        self.single |= any(known[place].tensor.dtype == np.float32 for place in places)
        self.single |= made.dtype == np.float32
        known.append(Known(made, exact or made.dtype.kind in "biu"))
        self.steps.append((name, function, places))

    @property
    def differentiable(self) -> bool:
        """Tell whether there is a float to differentiate, and one to differentiate by."""
        return self._ends_in_floats and any(dtype.startswith("float") for _, dtype in self.specs)

    def arrays(self, which: int) -> list[np.ndarray]:
        """Return inputs: multiples of a quarter, so that sums of few of them are exact."""
        rng = np.random.default_rng((self.seed, which))
        return [_array(rng, shape, dtype) for shape, dtype in self.specs]

    def run(self, *inputs: Any) -> tuple[Any, ...]:
        """Run the program."""
        values = list(inputs)
        for _, function, places in self.steps:
            values.append(function(*(values[place] for place in places)))
        return tuple(values[place] for place in self.wanted)

    def gradients(self, *inputs: Any) -> tuple[Any, ...]:
        """Return the gradients of a number made of all results, for the inputs that have one."""
        floats = [i for i, (_, dtype) in enumerate(self.specs) if dtype.startswith("float")]

        def total(*chosen: Any) -> Any:
            given = list(inputs)
            for place, each in zip(floats, chosen, strict=True):
                given[place] = each
            parts = [(each * 0.5 * each).sum() for each in self.run(*given) if each.dtype.kind == "f"]
            return sum(parts[1:], parts[0])

        return cr.grad(total, argnums=tuple(range(len(floats))))(*(inputs[i] for i in floats))

    def __str__(self) -> str:
        lines = [f"seed {self.seed}: {self.specs}"]
        first = len(self.specs)
        lines += [f"  {first + i} = {name} {places}" for i, (name, _, places) in enumerate(self.steps)]
        return "\n".join([*lines, f"  return {self.wanted}"])


def _shape(rng: np.random.Generator, zeros: bool) -> tuple[int, ...]:
    shape = tuple(int(rng.choice(SIZES)) for _ in range(rng.integers(0, 5)))
    while np.prod(shape) > LARGEST // 2:
        shape = shape[1:]
    if zeros and shape and rng.random() < 0.5:
        place = int(rng.integers(len(shape)))
        shape = (*shape[:place], 0, *shape[place + 1 :])
    return shape


def _array(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    if dtype == "bool":
        return rng.random(shape) < 0.5
    low, high, step = (0, 9, 1) if dtype.startswith("u") else (-9, 9, 1 if dtype.startswith("i") else 0.25)
    return np.asarray(rng.integers(low, high, shape) * step).astype(dtype)


def _tame(array: np.ndarray) -> bool:
    return bool(np.isfinite(array).all()) and float(np.abs(array).max(initial=0)) < 1e4


# ---- what is drawn -------------------------------------------------------------------------------
def _one(rng: np.random.Generator, values: list[Any], least: int = 0, kinds: str = "biuf") -> int:
    """Return the place of a value with at least so many axes, and of these kinds of dtype; late ones often."""
    fit = [i for i, v in enumerate(values) if v.ndim >= least and v.dtype.kind in kinds]
    if not fit:
        raise Unfit
    return fit[-1] if rng.random() < 0.5 else int(rng.choice(fit))


def _axis(rng: np.random.Generator, count: int) -> int:
    return int(rng.integers(-count, count))


def _axes(rng: np.random.Generator, count: int) -> Any:
    drawn = rng.random()
    if drawn < 0.3 or not count:
        return None
    if drawn < 0.6:
        return _axis(rng, count)
    chosen = rng.permutation(count)[: rng.integers(1, count + 1)]
    return tuple(int(i) - count * int(rng.integers(2)) for i in chosen)


def _plain(*functions: Callable[..., Any], kinds: str = "biuf", inside: float = 0) -> Make:
    """Return a rule for functions of one value, which is brought into (-inside, inside) first."""

    def make(rng: np.random.Generator, values: list[Any]) -> Any:
        f = functions[rng.integers(len(functions))]
        place = _one(rng, values, kinds=kinds)
        return (f if not inside else lambda x: f(cr.clip(x, -inside, inside))), [place]

    return make


def _pair(*functions: Callable[..., Any], kinds: str = "biuf") -> Make:
    """Return a rule for functions of two values that broadcast, or of one and a number."""

    def make(rng: np.random.Generator, values: list[Any]) -> Any:
        f = functions[rng.integers(len(functions))]
        one = _one(rng, values, kinds=kinds)
        number = float(rng.integers(-4, 5)) * 0.5 if rng.random() < 0.5 else int(rng.integers(1, 4))
        drawn = rng.random()
        if drawn < 0.15:
            return (lambda x: f(x, number)), [one]
        if drawn < 0.3:
            return (lambda x: f(number, x)), [one]
        if drawn < 0.5:  # with itself, one axis gone: that broadcasts
            return (lambda x: f(x, x[:1] if x.ndim else x)), [one]
        fit = [i for i, v in enumerate(values) if _broadcast(v.shape, values[one].shape)]
        return f, [one, int(rng.choice(fit))]

    return make


def _broadcast(one: tuple[int, ...], two: tuple[int, ...]) -> bool:
    return all(a == b or 1 in (a, b) for a, b in zip(one[::-1], two[::-1], strict=False))


def _reducing(*names: str, kinds: str = "biuf") -> Make:
    def make(rng: np.random.Generator, values: list[Any]) -> Any:
        place = _one(rng, values, kinds=kinds)
        options: dict[str, Any] = {
            "axis": _axes(rng, values[place].ndim),
            "keepdims": bool(rng.integers(2)),
        }
        f = getattr(cr, names[rng.integers(len(names))])
        return (lambda x: f(x, **options)), [place]

    return make


def _sliced(rng: np.random.Generator, values: list[Any]) -> Any:
    place = _one(rng, values, 1)
    key: list[Any] = []
    for size in values[place].shape:
        drawn = rng.random()
        if drawn < 0.15 and size:
            key.append(int(rng.integers(-size, size)))
        elif drawn < 0.25:
            key += [None, slice(None)]
        else:
            start, stop = (
                None if rng.random() < 0.5 else int(rng.integers(-size - 1, size + 1)) for _ in "ab"
            )
            key.append(slice(start, stop, int(rng.choice([1, 1, 2, 3, -1, -2, -3]))))
    cut = tuple(key[: rng.integers(1, len(key) + 1)])
    return (lambda x: x[cut]), [place]


def _looked_up(rng: np.random.Generator, values: list[Any]) -> Any:
    place = _one(rng, values, 1)
    shape = values[place].shape
    first = int(rng.integers(len(shape)))
    if not shape[first]:
        raise Unfit
    places = rng.integers(-shape[first], shape[first], tuple(rng.integers(1, 6, rng.integers(1, 3))))
    key: tuple[Any, ...] = (*[slice(None)] * first, places)
    if first + 1 < len(shape) and shape[first + 1] and rng.random() < 0.4:
        key = (*key, rng.integers(0, shape[first + 1], places.shape[-1:]))
    return (lambda x: x[key]), [place]


def _reshaped(rng: np.random.Generator, values: list[Any]) -> Any:
    place = _one(rng, values, 1)
    rest, shape = values[place].size, []
    while rest > 1 and len(shape) < 3:
        factor = int(rng.choice([d for d in range(1, rest + 1) if rest % d == 0]))
        shape.append(factor)
        rest //= factor
    made = (*shape, rest)
    return (lambda x: cr.reshape(x, made)), [place]


def _turned(rng: np.random.Generator, values: list[Any]) -> Any:
    place = _one(rng, values, 1)
    count = values[place].ndim
    order = tuple(map(int, rng.permutation(count)))
    axis = _axis(rng, count)
    chosen: list[Callable[..., Any]] = [
        lambda x: cr.transpose(x, order),
        lambda x: cr.flip(x, axis),
        lambda x: cr.expand_dims(x, axis),
        lambda x: cr.tile(x, (2, 1)),
        lambda x: cr.repeat(x, 2, axis),
        lambda x: cr.broadcast_to(x, (3, *x.shape)),
        lambda x: cr.pad(x, [(i % 3, (i + 1) % 2) for i in range(x.ndim)]),
        lambda x: cr.swapaxes(x, axis, 0),
    ]
    return chosen[rng.integers(len(chosen))], [place]


def _joined(rng: np.random.Generator, values: list[Any]) -> Any:
    place = _one(rng, values, 1)
    axis = _axis(rng, values[place].ndim)
    other = [i for i, v in enumerate(values) if v.shape == values[place].shape]
    if rng.random() < 0.5:
        return (lambda x, y: cr.stack([x, y, x], axis)), [place, int(rng.choice(other))]
    return (lambda x, y: cr.concatenate([x, y[:1], x], axis if x.ndim == 1 else 0)), [
        place,
        int(rng.choice(other)),
    ]


def _product(rng: np.random.Generator, values: list[Any]) -> Any:
    one = _one(rng, values, 1)
    shape = values[one].shape
    two = [i for i, v in enumerate(values) if v.ndim and v.shape[-min(2, v.ndim)] == shape[-1]]
    chosen: list[tuple[Callable[..., Any], list[int]]] = [
        (lambda x: x @ cr.swapaxes(x, -1, -2) if x.ndim > 1 else x @ x, [one]),
        (lambda x: cr.einsum("...i,...i->...", x, x[..., ::-1]), [one]),
        (lambda x: cr.einsum("i...,j...->ij...", x, x[:2]), [one]),
        (lambda x: cr.tensordot(x, x, axes=([0], [0])), [one]),
        (lambda x: cr.outer(x, x[:1]), [one]),
        (lambda x: F.linear(x, cr.ones((3, x.shape[-1]), dtype=x.dtype) * 0.5), [one]),
    ]
    chosen += [(lambda x, y: x @ y, [one, int(rng.choice(two))])] * 3 if two else []
    return chosen[rng.integers(len(chosen))]


def _images(rng: np.random.Generator, values: list[Any]) -> Any:
    """Windows of all kinds over a value that is brought into the shape of images first."""
    place = _one(rng, values, 1, "f")
    size = values[place].size
    n = int(rng.choice([1, 3, 5, 16, 17]))
    groups = int(rng.choice([1, 1, 2]))
    c = groups * int(rng.choice([1, 2, 3]))
    h, w = int(rng.integers(3, 7)), int(rng.integers(3, 6))
    if not size:
        raise Unfit
    kh, kw, stride, dilation, pad = (int(rng.integers(1, k)) for k in (4, 4, 3, 3, 3))
    o = groups * int(rng.choice([1, 2, 5]))
    weights = np.random.default_rng(size).integers(-2, 3, (o, c // groups, kh, kw)) * 0.5
    options: Any = {"stride": stride, "padding": pad - 1, "dilation": dilation, "groups": groups}

    def shaped(x: Any, *shape: int) -> Any:
        count = int(np.prod(shape))
        flat = cr.reshape(x, (-1,))
        return cr.reshape(cr.tile(flat, -(-count // size))[:count], shape)

    def convolved(x: Any) -> Any:
        w_ = cr.tensor(weights.astype(x.dtype)) * (1 + x.ravel()[0] * 0)
        return F.conv2d(shaped(x, n, c, h, w), w_, **options)

    def convolved_row(x: Any) -> Any:
        return F.conv1d(shaped(x, n, c, h * w), cr.tensor(weights[..., 0].astype(x.dtype)), **options)

    chosen: list[Callable[..., Any]] = [
        convolved, convolved, convolved_row,
        lambda x: F.max_pool2d(shaped(x, n, c, h, w), min(kh, 3), stride),
        lambda x: F.avg_pool2d(shaped(x, n, c, h, w), (kh, kw), stride, padding=0),
        lambda x: F.max_pool1d(shaped(x, n, c, h * w), kh, stride),
        lambda x: F.adaptive_avg_pool2d(shaped(x, n, c, h, w), (2, 3)),
    ]  # fmt: skip
    return chosen[rng.integers(len(chosen))], [place]


def _chosen(rng: np.random.Generator, values: list[Any]) -> Any:
    one, two = _one(rng, values), _one(rng, values)
    return (lambda x, y: cr.where(x > 0, y, x)), [one, two]


def _rows(*functions: Callable[..., Any]) -> Make:
    def make(rng: np.random.Generator, values: list[Any]) -> Any:
        place = _one(rng, values, 1, "f")
        axis = _axis(rng, values[place].ndim)
        f = functions[rng.integers(len(functions))]
        return (lambda x: f(x, axis)), [place]

    return make


def _running(rng: np.random.Generator, values: list[Any]) -> Any:
    place = _one(rng, values)
    axis = _axis(rng, values[place].ndim) if values[place].ndim and rng.random() < 0.8 else None
    return (lambda x: cr.cumsum(x, axis=axis)), [place]


def _extreme(rng: np.random.Generator, values: list[Any]) -> Any:
    place = _one(rng, values)
    axis = _axis(rng, values[place].ndim) if values[place].ndim and rng.random() < 0.8 else None
    f = (cr.argmax, cr.argmin)[rng.integers(2)]
    return (lambda x: f(x, axis=axis)), [place]


def _cast(rng: np.random.Generator, values: list[Any]) -> Any:
    dtype = str(rng.choice(["float32", "float64", "int64", "int32"]))
    return (lambda x: x.astype(dtype)), [_one(rng, values)]


# name: how the op is made, and whether it "rounds", "jumps" or is exact (None)
OPS: dict[str, tuple[Make, str | None]] = {
    "arithmetic": (_pair(cr.add, cr.subtract, cr.multiply), None),
    "the larger": (_pair(cr.maximum, cr.minimum), "jumps"),
    "quotient": (_pair(lambda x, y: x / (cr.square(y) + 1)), "rounds"),
    "whole quotient": (_pair(lambda x, y: x // (cr.abs(y) + 1), lambda x, y: x % (cr.abs(y) + 1)), "jumps"),
    "comparison": (_pair(cr.less, cr.equal, cr.greater_equal, cr.logical_and, cr.logical_xor), "jumps"),
    "elementary": (
        _plain(cr.exp, cr.tanh, cr.sin, cr.cos, cr.expm1, cr.erf, F.sigmoid, F.gelu, F.silu, F.elu, kinds="f", inside=4),
        "rounds",
    ),
    "positive": (_plain(*(lambda x, f=f: f(cr.square(x) + 1) for f in (cr.log, cr.sqrt, cr.log1p, cr.reciprocal)), kinds="f"), "rounds"),
    "smooth": (_plain(cr.negative, cr.square, kinds="f"), None),
    "pieces": (_plain(cr.abs, F.relu, F.leaky_relu, lambda x: cr.clip(x, -1, 2), kinds="f"), "jumps"),
    "steps": (_plain(cr.floor, cr.ceil, cr.sign, lambda x: x.astype("int32")), "jumps"),
    "cast": (_cast, "jumps"),
    "sums": (_reducing("sum"), "rounds"),
    "means": (_reducing("mean", "var", "std", "logsumexp", kinds="f"), "rounds"),
    "extremes": (_reducing("max", "min"), "jumps"),
    "truths": (_reducing("any", "all"), "jumps"),
    "sliced": (_sliced, None),
    "looked up": (_looked_up, None),
    "reshaped": (_reshaped, None),
    "turned": (_turned, None),
    "joined": (_joined, None),
    "product": (_product, "rounds"),
    "images": (_images, "rounds"),
    "chosen": (_chosen, "jumps"),
    "rows": (_rows(F.softmax, F.log_softmax, lambda x, axis: x / (1 + cr.square(x).sum(axis, keepdims=True))), "rounds"),
    "running": (_running, "rounds"),
    "place": (_extreme, "jumps"),
}  # fmt: skip
