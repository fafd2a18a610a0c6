"""Op: one operation, declared once, and the single point through which every operation passes.

An op is its declaration: a Python function whose body is its meaning, whose positional arguments are
the inputs and whose keyword-only arguments are static parameters. Its family (a subclass of Op)
derives the value, the spec (shape and dtype), the gradient and the formula from that meaning.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, cast

import numpy as np

from chainrule.core.calls import misfit
from chainrule.core.mode import mode, module_path
from chainrule.core.registry import register
from chainrule.core.sample import Sample, Wrong
from chainrule.core.spec import Array, Spec, spec_of
from chainrule.core.tensor import NO_PARAMETERS, Tensor, tick, to_array
from chainrule.core.weak import told
from chainrule.errors import ArgumentError, ChainruleError, DTypeError, GraphError, IndexRangeError

_new = Tensor.__new__


class Refused(NamedTuple):
    """An op that tells where others refuse values, the places of the inputs that it takes, and the error."""

    op: Any
    inputs: tuple[int, ...]
    text: str


class Op:
    """The record of one operation; call it with tensors, arrays or numbers.

    `inputs` are the names of the tensors it takes (`variadic`: any number of them; those that are
    `optional` may be None), `parameters` its static parameters with their defaults. `samples` and
    `wrong` are what the generic test runs.
    """

    family: ClassVar[str] = ""
    takes_numbers: ClassVar[bool] = False
    pure: bool = True  # the same inputs give the same value, whenever it is computed
    differentiable: bool = True

    def __init__(
        self, body: Callable[..., Any], samples: Sequence[Sample] = (), wrong: Sequence[Wrong] = ()
    ) -> None:
        self.body = body
        self.name = body.__name__
        self.__name__ = self.__qualname__ = body.__name__
        self.__module__ = body.__module__
        self.doc = inspect.getdoc(body) or ""
        self.samples, self.wrong = tuple(samples), tuple(wrong)
        self.inputs, self.optional, self.parameters, self.variadic = _read_signature(body)
        self.arity = len(self.inputs)

    def __call__(self, *args: Any, **kwargs: Any) -> Tensor:
        """Compute the op on tensors, arrays or numbers."""
        if kwargs or (len(args) != self.arity and not self.variadic):
            args, kwargs = self.bind(args, kwargs)
        return apply(self, args, kwargs or self.parameters)

    def __repr__(self) -> str:
        return f"<{self.family} op {self.signature}>"

    def __reduce__(self) -> str:
        return self.name

    @property
    def signature(self) -> str:
        """The op as it is called, such as `sum(x, axis=None, keepdims=False)`."""
        inputs = [("*" if self.variadic else "") + name for name in self.inputs]
        return f"{self.name}({', '.join([*inputs, *(f'{k}={v!r}' for k, v in self.parameters.items())])})"

    @property
    def __signature__(self) -> inspect.Signature:
        kind = inspect.Parameter.VAR_POSITIONAL if self.variadic else inspect.Parameter.POSITIONAL_OR_KEYWORD
        after = inspect.Parameter.KEYWORD_ONLY if self.variadic else inspect.Parameter.POSITIONAL_OR_KEYWORD
        none = dict.fromkeys(self.optional)
        given = [
            inspect.Parameter(n, kind, default=none.get(n, inspect.Parameter.empty)) for n in self.inputs
        ]
        return inspect.Signature(
            [*given, *(inspect.Parameter(n, after, default=v) for n, v in self.parameters.items())]
        )

    @property
    def heading(self) -> str:
        """The op with its inputs only, as messages begin."""
        return f"{self.name}({', '.join(self.inputs)})"

    def input_name(self, place: int) -> str:
        """Return what the op calls an input; those of a variadic op are numbered."""
        return f"{self.inputs[0]}[{place}]" if self.variadic else self.inputs[place]

    def bind(self, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Sort a call into inputs and parameters, in NumPy's manner: either may be given by name."""
        if len(args) == self.arity and kwargs.keys() <= self.parameters.keys():
            return tuple(args), {**self.parameters, **kwargs}  # the usual call, without the detour
        names = tuple(self.parameters) if self.variadic else (*self.inputs, *self.parameters)
        placed = () if self.variadic else args
        required = () if self.variadic else [each for each in self.inputs if each not in self.optional]
        wrong = misfit(self.name, names, required, len(placed), kwargs)
        if wrong is not None:
            raise DTypeError(f"{self.heading}: {wrong[0]}", signature=self.signature, hint=wrong[1])
        given = {**dict.fromkeys(self.optional), **dict(zip(names, placed, strict=False)), **kwargs}
        inputs = tuple(args) if self.variadic else tuple(given.pop(name) for name in self.inputs)
        return inputs, {**self.parameters, **given}

    # ---- what a family derives -----------------------------------------------------------------
    def value(self, *arrays: Any, **params: Any) -> Any:
        """Return the NumPy value: arrays and Python numbers in, an array or NumPy scalar out.

        It may be a view of an input, but never the very same array object.
        """
        raise NotImplementedError

    def spec(self, *specs: Spec, **params: Any) -> Spec:
        """Return the shape and dtype of the result, or raise ShapeError, without any values."""
        raise NotImplementedError

    def vjp(self, g: Tensor, node: Tensor, needs: Sequence[bool]) -> Sequence[Tensor | None]:
        """Return the gradient of each needed input, given the upstream gradient `g` of `node`.

        Written in ops, so that it is recorded and differentiates again.
        """
        raise NotImplementedError

    def reads(self, node: Tensor) -> Sequence[bool]:
        """Tell which inputs' values the gradient reads: those must not have changed meanwhile."""
        return [True] * len(node.inputs)

    def refused(self, specs: Sequence[Spec], params: Mapping[str, Any]) -> Sequence[Refused]:
        """Return for which values of inputs of these specs NumPy refuses the op."""
        return ()

    def formula(self) -> str:
        """Return the meaning in one line of plain text."""
        return self.signature


def apply(op: Op, inputs: Sequence[Any], params: dict[str, Any]) -> Tensor:
    """Compute `op` on `inputs` and record where the result came from."""
    arrays: list[Any] = []
    record = mixed = False
    for each in inputs:
        if isinstance(each, Tensor):
            arrays.append(each._data)
            if each.requires_grad:
                record = True
        else:
            mixed = True
            arrays.append(each if each.__class__ is np.ndarray else _plain(op, each))
    trace = mode.trace
    try:
        if trace is None or op.family == "composite":
            value = op.value(*arrays, **params)
        else:
            if mixed and op.takes_numbers:
                arrays = told(op, arrays, params)
            value = trace.value(op, inputs, arrays, params)
    except ChainruleError as error:
        raise _located(op, inputs, error) from None
    except (TypeError, ValueError, IndexError, ArithmeticError) as error:
        raise _failure(op, arrays, inputs, params, error) from error
    if value.__class__ is not np.ndarray:
        value = _to_array(value, arrays)
    out = _new(Tensor)
    out._data = value
    out._grad = out.name = None
    out.mutated = 0
    if record and mode.recording and op.differentiable and value.dtype.kind == "f":
        value.setflags(write=False)
        if mixed:
            inputs = [each if isinstance(each, Tensor) else a for each, a in zip(inputs, arrays, strict=True)]
        out.requires_grad = True
        out.op = op
        out.inputs = tuple(inputs)
        out.params = params
        out.scope = mode.scope
    else:
        out.requires_grad = False
        out.op = out.scope = None
        out.inputs = ()
        out.params = NO_PARAMETERS
    out.serial = tick()
    if trace is not None:
        trace.record(op, inputs, arrays, params, out)
    return out


def declare(op: Op) -> Op:
    """Register an op and give it the face of a plain function for `help` and editors."""
    op.__doc__ = op.doc
    return register(op.name, op)


def _plain(op: Op, value: Any) -> Any:
    """In `2.0 * x` the number stays weak, so that x keeps its dtype; all else becomes an array."""
    if (op.takes_numbers and value.__class__ in (float, int, bool)) or (value is None and op.optional):
        return value
    if isinstance(value, float) and value.__class__.__base__ is float:  # a watched number is a plain one here
        return _plain(op, float(value))
    return taken(op, value)


def taken(op: Op, value: Any) -> Array:
    """Return what is given to `op` in place of a tensor as an array, or raise saying what it is."""
    if mode.recording and holds(value, lambda each: each.requires_grad):
        raise GraphError(
            f"{op.heading}: a list of tensors that have gradients would cut the graph",
            signature=op.signature,
            hint="cr.stack([...]) makes one tensor of them; x.detach() is one without history",
        )
    try:
        return to_array(value)
    except DTypeError as error:
        given: Any = value
        shown, hint = f"{type(given).__name__} {given!r}"[:60], error.hint
        if value is None:
            hint = "a function whose result is missing gives None: does it, or `forward`, end in a return?"
        elif callable(given):
            hint = "it is something to call: give what it returns"
        raise DTypeError(f"{op.heading}: cannot take {shown}", signature=op.signature, hint=hint) from error


def holds(data: Any, wanted: Callable[[Tensor], bool]) -> bool:
    """Tell whether `data`, a tensor or nested lists that may have tensors in them, holds a wanted one."""
    if isinstance(data, (list, tuple)):
        return any(holds(each, wanted) for each in cast("Sequence[Any]", data))
    return isinstance(data, Tensor) and wanted(data)


def _to_array(value: Any, arrays: Sequence[Any]) -> Array:
    if value.__class__ is float or (
        isinstance(value, np.float64)
        and not any(isinstance(each, (np.ndarray, np.generic)) for each in arrays)
    ):
        return np.asarray(value, np.float32)  # only Python numbers went in: the default float
    return np.asarray(value)


def _failure(
    op: Op, arrays: Sequence[Any], inputs: Sequence[Any], params: dict[str, Any], error: Exception
) -> ChainruleError:
    """Turn what NumPy said into an error that names the clash."""
    got = describe_inputs(op, inputs)
    try:
        op.spec(*(spec_of(each) for each in arrays), **params)
    except ChainruleError as better:
        kind, headline, hint = type(better), better.headline, better.hint
    except Exception:
        kind, headline, hint = _kind(error), f"{op.heading}: {error}", ""
    else:
        kind, headline, hint = _kind(error), f"{op.heading}: {error}", ""
    return kind(headline, signature=op.signature, got=got, hint=hint)


def _located(op: Op, inputs: Sequence[Any], error: ChainruleError) -> ChainruleError:
    """Return the error with what the op got, unless it is already told."""
    if error.got:
        return error
    got = describe_inputs(op, inputs)
    return type(error)(error.headline, signature=error.signature or op.signature, got=got, hint=error.hint)


def _kind(error: Exception) -> type[ChainruleError]:
    if isinstance(error, IndexError):
        return IndexRangeError
    return DTypeError if isinstance(error, TypeError) else ArgumentError


def describe_inputs(op: Op, inputs: Sequence[Any]) -> str:
    """Return 'x (32, 784) float32 from relu    w (10, 512) float32 parameter 'head.weight''."""
    return "    ".join(f"{op.input_name(place)} {_origin(each)}" for place, each in enumerate(inputs))


def _origin(value: Any) -> str:
    if not isinstance(value, Tensor):
        return str(spec_of(value)) if isinstance(value, np.ndarray) else repr(value)[:60]  # pyright: ignore
    text = str(spec_of(value._data))
    if value.op is not None:
        path = module_path(value.scope)
        text += f" from {path or value.op.name!r}"
    elif value.name:
        path = module_path(mode.scope) if value.requires_grad else ""
        text += (
            f" {'parameter' if value.requires_grad else 'named'} '{path + '.' if path else ''}{value.name}'"
        )
    return text


def _read_signature(
    body: Callable[..., Any],
) -> tuple[tuple[str, ...], tuple[str, ...], dict[str, Any], bool]:
    """Return the names of inputs and of optional ones, the parameters, and whether inputs vary.

    Read off the code object: `inspect` would take a third of the time of `import chainrule`.
    """
    code, count = body.__code__, body.__code__.co_argcount
    variadic = bool(code.co_flags & inspect.CO_VARARGS)
    inputs = code.co_varnames[:count]
    names = code.co_varnames[count : count + code.co_kwonlyargcount]
    defaults = body.__defaults__ or ()
    optional = inputs[count - len(defaults) :] if defaults else ()
    if variadic:
        inputs += (code.co_varnames[count + code.co_kwonlyargcount],)
    known = body.__kwdefaults__ or {}
    return inputs, optional, {name: known.get(name, inspect.Parameter.empty) for name in names}, variadic
