"""Tensor: a value, its gradient, and where it came from.

A tensor that an op made while recording keeps the op, its inputs and parameters: following
`inputs` back from a result is walking its computational graph. Operators and methods are found by
the names of their ops when they are called (`operators`), so this module knows no op.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from chainrule.core.calls import fitting
from chainrule.core.habits import TENSORS, habit
from chainrule.core.mode import Scope, mode, module_path
from chainrule.core.operators import equality, in_place, method, operator
from chainrule.core.registry import REGISTRY, named
from chainrule.core.spec import Array, Shape, is_float, known_dtype
from chainrule.core.stand_in import SEEN, is_stand_in, refuse_stand_in
from chainrule.errors import DTypeError, GraphError, ShapeError, missing_name

# One clock orders results and changes in place: a result older than a change of its input is stale.
tick = itertools.count(1).__next__
_new = object.__new__
NO_PARAMETERS: dict[str, Any] = {}
_PART = "assignment to a part of a tensor"


class Tensor:
    """An n-dimensional array that remembers how it was made.

    `data` is shared with the array given; `cr.tensor` copies. `requires_grad` asks for a gradient,
    which `backward()` on a result puts into `grad`.
    """

    __slots__ = (
        "__weakref__", "_data", "_grad", "inputs", "mutated", "name", "op", "params", "requires_grad",
        "scope", "serial",
    )  # fmt: skip

    _data: Array
    _grad: Any  # None, a tensor, or what gives it when it is read
    op: Any
    inputs: tuple[Any, ...]
    params: dict[str, Any]
    scope: Scope | None

    def __init__(self, data: Any, requires_grad: bool = False, name: str | None = None) -> None:
        if mode.trace is not None and isinstance(data, Tensor):
            mode.trace.seen(data)
        array = to_array(data)
        if requires_grad and not is_float(array.dtype):
            raise DTypeError(
                f"tensor: only floating-point tensors can require gradients, got {array.dtype}",
                hint="give floats, such as 2.0, or dtype=cr.float32",
            )
        self._data = array
        self.requires_grad = requires_grad
        self.name = name
        self._grad, self.op, self.scope = None, None, None
        self.inputs, self.params, self.serial, self.mutated = (), {}, tick(), 0

    @classmethod
    def _around(cls, array: Array) -> Tensor:
        """Return a leaf around an array of a known dtype: the quick way, which looks at nothing."""
        made = _new(cls)
        made._data, made.requires_grad, made.inputs, made.params = array, False, (), NO_PARAMETERS
        made.name = made._grad = made.op = made.scope = None
        made.serial, made.mutated = tick(), 0
        return made

    # ---- what it holds -------------------------------------------------------------------------
    @property
    def data(self) -> Array:
        """The values, as the NumPy array itself (no copy)."""
        array = self._data
        if mode.trace is not None or array.base is SEEN:  # as `read` asks, in half its time
            self.read("data")
        return array

    @data.setter
    def data(self, value: Any) -> None:
        self.read("assignment to data")
        array = to_array(value)
        if is_float(self._data.dtype) and not isinstance(value, (Tensor, np.ndarray, np.generic)):
            array = np.asarray(value, self._data.dtype)  # plain numbers take the tensor's dtype
        if self.requires_grad and not is_float(array.dtype):
            raise DTypeError(f"data: {describe(self)} has a gradient, so it cannot hold {array.dtype}")
        if self.op is not None:
            raise GraphError(
                f"data: the value of {describe(self)} was computed and cannot be assigned",
                hint="assign to a leaf, or use .detach() for a copy that stands alone",
            )
        self._data, self.mutated = array, tick()

    @property
    def grad(self) -> Tensor | None:
        """The gradient that `backward()` left here; None before there is one."""
        if mode.trace is not None:
            mode.trace.gradient_read(self)
        return self._gradient()

    @grad.setter
    def grad(self, gradient: Any) -> None:
        if gradient is not None and not isinstance(gradient, Tensor):
            gradient = Tensor(np.asarray(gradient, self._data.dtype))
        if gradient is not None and gradient._data.shape != self._data.shape:
            raise ShapeError(f"grad: shape {gradient.shape} is not that of {describe(self)}, {self.shape}")
        if mode.trace is not None:
            mode.trace.gradient_written(self, gradient)
        self._grad = gradient

    def _gradient(self) -> Tensor | None:
        """Return the gradient without telling a trace."""
        found = self._grad
        return found if found is None or isinstance(found, Tensor) else found.gradient(self)

    def read(self, what: str) -> Array:
        """Return the array for Python to look into, which a trace cannot write down."""
        if mode.trace is not None:
            mode.trace.refuse_read(self, what)
        elif is_stand_in(self._data):
            refuse_stand_in()
        return self._data

    @property
    def shape(self) -> Shape:
        """The size along each axis."""
        return self._data.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy dtype of the values."""
        return self._data.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self._data.ndim

    @property
    def size(self) -> int:
        """The number of values."""
        return self._data.size

    @property
    def is_leaf(self) -> bool:
        """Whether this tensor was given rather than computed by a recorded op."""
        return self.op is None

    @property
    def T(self) -> Tensor:
        """The tensor with its axes reversed."""
        return named("transpose")(self)

    def numpy(self) -> Array:
        """Return the values as a NumPy array (shared, no copy)."""
        return self.read("numpy")

    def item(self) -> Any:
        """Return the only value as a Python number; ShapeError when there are several."""
        if self._data.size != 1:
            raise ShapeError(f"item: the tensor holds {self._data.size} values, shape {self.shape}, not one")
        return self.read("item").item()

    def tolist(self) -> Any:
        """Return the values as nested Python lists."""
        return self.read("tolist").tolist()

    def detach(self) -> Tensor:
        """Return a tensor with the same values (shared) and no history."""
        return Tensor(self)

    @fitting
    def backward(self, gradient: Any = None) -> None:
        """Put d(this)/d(x) into `x.grad` of every tensor this one was computed from.

        `gradient` is the upstream gradient, of this tensor's shape; a single value needs none.
        Leaves add up over calls, as in PyTorch. Raises GraphError when nothing was recorded.
        """
        named("backward")(self, gradient)

    # ---- changing it in place ------------------------------------------------------------------
    def assign(self, value: Any) -> None:
        """Write `value` into the tensor's own array (same shape; converted to its dtype)."""
        array = value._data if isinstance(value, Tensor) else np.asarray(value)
        if array.shape not in (self._data.shape, ()):
            raise ShapeError(f"assign: value has shape {array.shape} but {describe(self)} has {self.shape}")
        if mode.trace is not None:
            value = mode.trace.fitted(self, value)
            mode.trace.assigned(self, value)
            return
        np.copyto(self._data, array, casting="same_kind")
        self.mutated = tick()

    def refuse_change(self, what: str) -> None:
        """Raise unless the values may be changed in place without corrupting a graph."""
        if self.op is not None or (self.requires_grad and mode.recording):
            raise GraphError(
                f"{what}: would change {describe(self)} behind the graph's back",
                hint="compute a new tensor (x = x + 1), or change a leaf inside `with cr.no_grad():`",
            )

    def __setitem__(self, key: Any, value: Any) -> None:
        self.refuse_change(_PART)
        array = self.read(_PART) if mode.trace is None else mode.trace.unused(self, _PART)
        parts = cast("tuple[Any, ...]", key) if isinstance(key, tuple) else (key,)
        *plain, given = (each.read(_PART) if isinstance(each, Tensor) else each for each in (*parts, value))
        array[tuple(plain)], self.mutated = given, tick()

    # ---- Python's own protocols ----------------------------------------------------------------
    def __len__(self) -> int:
        if not self._data.ndim:
            raise DTypeError("len: a 0-d tensor has no length")
        return len(self._data)

    def __iter__(self) -> Iterator[Tensor]:
        if not self._data.ndim:
            raise DTypeError("iteration: a 0-d tensor holds one value, use .item()")
        return (self[i] for i in range(len(self._data)))

    def __bool__(self) -> bool:
        return bool(self.read("bool"))

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        return self.read("index").__index__()

    def __contains__(self, value: Any) -> bool:
        return bool((self.read("in") == (value.read("in") if isinstance(value, Tensor) else value)).any())

    def __format__(self, form: str) -> str:
        return format(self.item(), form) if form else str(self)

    __hash__ = object.__hash__

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # Python and NumPy ask for protocols that tensors may lack
            raise AttributeError(name)
        of_values = f"x.numpy().{name}, of the values" if hasattr(np.ndarray, name) else ""
        raise missing_name("tensor", name, dir(type(self)), habit(TENSORS, name) or of_values)

    def __copy__(self) -> Tensor:
        return Tensor(self, self.requires_grad, self.name)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if self.op is not None:
            raise GraphError("deepcopy: only leaves can be copied deeply", hint="use .detach() first")
        made = memo[id(self)] = self.__class__.__new__(self.__class__)
        Tensor.__init__(made, self.read("deepcopy").copy(), self.requires_grad, self.name)
        return made

    def __getstate__(self) -> Any:
        plain, slots = cast("Any", object.__getstate__(self))  # what gives a gradient knows this very tensor
        return plain, slots | {"_grad": self._gradient()}

    def __repr__(self) -> str:
        known = not is_stand_in(self._data) and (mode.trace is None or mode.trace.is_constant(self))
        body = np.array2string(self._data, separator=", ", prefix="tensor(")
        parts = [body if known else f"of a function being compiled, shape {self.shape}"]
        if self._data.dtype not in (np.dtype(np.float32), np.dtype(np.int64), np.dtype(np.bool_)):
            parts.append(f"dtype={self._data.dtype}")
        if self.name is not None:
            parts.append(f"name={self.name!r}")
        if self.op is not None:
            parts.append(f"op={self.op.name}")
        elif self.requires_grad:
            parts.append("requires_grad=True")
        return f"tensor({', '.join(parts)})"

    # ---- protocols of NumPy and other libraries ------------------------------------------------
    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        return np.array(self.read("array"), dtype=dtype, copy=copy)

    def __dlpack__(self, **wanted: Any) -> Any:
        """Hand the array to another library, such as `torch.from_dlpack(x)` or `torch.tensor(x)`."""
        array = self.read("__dlpack__")
        backward = any(step < 0 for step in array.strides)  # which PyTorch ends the process at
        return (array.copy() if backward else array).__dlpack__(**wanted)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._data.__dlpack_device__()

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return named("numpy_ufunc")(ufunc, method, inputs, kwargs)

    def __array_function__(self, function: Any, _types: Any, args: Any, kwargs: Any) -> Any:
        return named("numpy_function")(function, args, kwargs)

    # ---- operators and methods, by the name of their op ----------------------------------------
    __add__, __radd__ = operator("add"), operator("add", True)
    __sub__, __rsub__ = operator("subtract"), operator("subtract", True)
    __mul__, __rmul__ = operator("multiply"), operator("multiply", True)
    __truediv__, __rtruediv__ = operator("divide"), operator("divide", True)
    __floordiv__, __rfloordiv__ = operator("floor_divide"), operator("floor_divide", True)
    __mod__, __rmod__ = operator("remainder"), operator("remainder", True)
    __pow__, __rpow__ = operator("power"), operator("power", True)
    __matmul__, __rmatmul__ = operator("matmul"), operator("matmul", True)
    __and__, __rand__ = operator("bitwise_and"), operator("bitwise_and", True)
    __or__, __ror__ = operator("bitwise_or"), operator("bitwise_or", True)
    __xor__, __rxor__ = operator("bitwise_xor"), operator("bitwise_xor", True)
    __iadd__, __isub__ = in_place("add"), in_place("subtract")
    __imul__, __itruediv__ = in_place("multiply"), in_place("divide")
    __neg__, __abs__, __invert__ = method("negative"), method("abs"), method("invert")
    __pos__ = method("positive")
    __lt__, __le__ = operator("less"), operator("less_equal")
    __gt__, __ge__ = operator("greater"), operator("greater_equal")
    __eq__, __ne__ = equality("equal"), equality("not_equal")  # pyright: ignore[reportAssignmentType]
    __getitem__ = operator("getitem")
    sum, prod, max, min = method("sum"), method("prod"), method("max"), method("min")
    mean, var, std = method("mean"), method("var"), method("std")
    any, all = method("any"), method("all")
    argmax, argmin, cumsum = method("argmax"), method("argmin"), method("cumsum")
    clip, round, dot = method("clip"), method("round"), method("dot")
    squeeze, swapaxes = method("squeeze"), method("swapaxes")
    flatten, ravel = method("ravel"), method("ravel")
    repeat, take, astype = method("repeat"), method("take"), method("astype")

    def reshape(self, *shape: Any) -> Tensor:
        """Return the values in another shape: `x.reshape(2, -1)` or `x.reshape((2, -1))`."""
        return REGISTRY["reshape"](self, shape=shape[0] if len(shape) == 1 else shape)

    def transpose(self, *axes: Any) -> Tensor:
        """Permute the axes: `x.transpose(1, 0)`, `x.transpose((1, 0))`, or reverse them."""
        return REGISTRY["transpose"](self, axes=(axes[0] if len(axes) == 1 else axes) or None)


def as_tensor(x: Any) -> Tensor:
    """Return arrays, nested lists and numbers as tensors, tensors as they are."""
    return x if isinstance(x, Tensor) else Tensor(x)


def to_array(data: Any, floats: Any = np.float32) -> Array:
    """Return `data` as an array; Python floats become `floats`, arrays keep their dtype."""
    if isinstance(data, Tensor):
        return data._data
    array = cast("Array", data) if isinstance(data, np.ndarray) else _converted(data, floats)
    known_dtype(array.dtype)
    return array


def _converted(data: Any, floats: Any) -> Array:
    if isinstance(data, (list, tuple)):
        items = cast("Sequence[Any]", data)
        data = [each.read("list of tensors") if isinstance(each, Tensor) else each for each in items]
    try:
        array: Array = np.asarray(data)
    except ValueError as error:
        raise ShapeError("tensor: nested lists of unequal length", got=str(error)) from error
    return array.astype(floats) if array.dtype == np.float64 and not _holds_numpy(data) else array


def _holds_numpy(data: Any) -> bool:
    """Tell whether nested lists hold NumPy's own numbers, whose dtype is to be kept."""
    while isinstance(data, (list, tuple)) and data:
        data = cast("Sequence[Any]", data)[0]
    return isinstance(data, (np.ndarray, np.generic))


def describe(tensor: Tensor) -> str:
    """Return a tensor's name, or where it came from, for messages."""
    path = module_path(tensor.scope)
    if tensor.op is not None:
        made = f"the result of {tensor.op.name}" + (f" in '{path}'" if path else "")
        return f"'{tensor.name}' ({made})" if tensor.name else made
    return f"'{tensor.name}'" if tensor.name else f"a {tensor._data.dtype} leaf of shape {tensor.shape}"
