"""Elementwise ops: a scalar expression applied to every element, with broadcasting.

From the expression come the NumPy function, the shape rule, the formula, and for each input an
anonymous elementwise op for upstream x partial, which is differentiable again in the same way.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule import scalar
from chainrule.core.op import Op, Refused, declare
from chainrule.core.registry import named
from chainrule.core.sample import Real, Sample, Wrong
from chainrule.core.spec import Shape, Spec, broadcast
from chainrule.core.tensor import Tensor
from chainrule.errors import ArgumentError, ShapeError
from chainrule.scalar import numpy as scalar_numpy
from chainrule.scalar.derive import times
from chainrule.scalar.expr import Expr, expression, is_constant, walk


class Elementwise(Op):
    """An op whose body is a scalar expression of its inputs.

    Parameters annotated `float` enter the expression as variables (one kernel for all their values);
    others are static. `partial(*inputs, y, **params)` claims a better derivative than the derived
    one; `kinks` maps input values to words on the gradient there; `edges` are inputs where
    precision is at risk; `domain` is the interval on which the op is defined and smooth.
    """

    family = "elementwise"
    takes_numbers = True

    def __init__(
        self,
        body: Callable[..., Any],
        *,
        partial: Callable[..., Any] | None = None,
        domain: tuple[float, float] | list[tuple[float, float]] = (-2.0, 2.0),
        edges: Sequence[float] = (),
        kinks: Mapping[float, str] | None = None,
        samples: Sequence[Sample] | None = None,
        wrong: Sequence[Wrong] = (),
    ) -> None:
        super().__init__(body, (), wrong)
        self.partial, self.edges, self.kinks = partial, tuple(edges), dict(kinks or {})
        annotations = inspect.get_annotations(body)
        self.output = _unused("output", self.inputs)
        self.floats = tuple(name for name in self.parameters if annotations.get(name) in ("float", float))
        self.statics = tuple(name for name in self.parameters if name not in self.floats)
        self.domain: list[tuple[float, float]] = (
            [domain] * self.arity if isinstance(domain, tuple) else list(domain)
        )
        self.samples = tuple(self._default_samples() if samples is None else samples)
        self._meanings: dict[tuple[Any, ...], Expr] = {}
        self._dtypes: dict[Any, np.dtype[Any]] = {}
        self._functions: dict[tuple[Any, ...], Callable[..., Any]] = {}
        self._rules: dict[tuple[Any, ...], list[Rule]] = {}

    # ---- the meaning -----------------------------------------------------------------------------
    def bind(self, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        inputs, params = super().bind(args, kwargs)
        for name in self.floats:
            try:
                if float not in params[name].__class__.__mro__[:2]:  # a watched number stays itself
                    params[name] = float(params[name])
            except (TypeError, ValueError) as error:
                raise ArgumentError(
                    f"{self.heading}: {name} must be a number, got {params[name]!r}", signature=self.signature
                ) from error
        return inputs, params

    def meaning(self, **params: Any) -> Expr:
        """Return the expression, given the static parameters."""
        key = tuple(params.get(name, self.parameters[name]) for name in self.statics)
        if key not in self._meanings:
            found = self.body(*map(scalar.variable, self.inputs), **self._symbols(params))
            self._meanings[key] = expression(found)
        return self._meanings[key]

    def _symbols(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the body gets for parameters: variables for floats, static ones as they are."""
        free = {name: scalar.variable(name) for name in self.floats}
        return free | {name: params.get(name, self.parameters[name]) for name in self.statics}

    def derived_partials(self, **params: Any) -> tuple[Expr, ...]:
        """Return the partial of each input, derived from the meaning."""
        inputs = [scalar.variable(name) for name in self.inputs]
        return scalar.partials(self.meaning(**params), inputs, scalar.variable(self.output))

    def partials(self, **params: Any) -> tuple[Expr, ...]:
        """Return the partial of each input: the claimed ones where the op claims them."""
        if self.partial is None:
            return self.derived_partials(**params)
        inputs = [scalar.variable(name) for name in (*self.inputs, self.output)]
        claimed = self.partial(*inputs, **self._symbols(params))
        return tuple(map(expression, claimed if isinstance(claimed, tuple) else (claimed,)))  # pyright: ignore

    def formula(self) -> str:
        return f"{self.name}({', '.join(self.inputs)}) = {scalar.text(self.meaning())}"

    # ---- value and spec --------------------------------------------------------------------------
    def value(self, *arrays: Any, **params: Any) -> Any:
        key = tuple(params[name] for name in self.statics) if self.statics else ()
        function = self._functions.get(key)
        if function is None:
            names = (*self.inputs, *self.floats)
            function = self._functions[key] = scalar_numpy.function(self.name, names, self.meaning(**params))
            if not self.parameters:
                self.value = function  # from now on without this detour
        return function(*arrays, *(_number(params[name]) for name in self.floats))

    def spec(self, *specs: Spec, **params: Any) -> Spec:
        try:
            shape = broadcast(*(spec.shape for spec in specs))
        except ValueError:
            raise ShapeError(self._clash([spec.shape for spec in specs])) from None
        kinds = tuple((spec.dtype, spec.weak) for spec in specs)
        key = (kinds, *(params[name] for name in self.statics))
        if key not in self._dtypes:
            with np.errstate(all="ignore"):
                made = np.asarray(self.value(*(spec.sample() for spec in specs), **params))
            weak = all(spec.weak for spec in specs)
            single = weak and made.dtype == np.float64
            self._dtypes[key] = np.dtype(np.float32) if single else made.dtype
        return Spec(shape, self._dtypes[key])

    def _clash(self, shapes: Sequence[Shape]) -> str:
        shown = " and ".join(map(str, shapes))
        for back in range(1, max(map(len, shapes)) + 1):
            sizes = {name: s[-back] for name, s in zip(self.inputs, shapes, strict=True) if len(s) >= back}
            if len({size for size in sizes.values() if size != 1}) > 1:
                listed = " but ".join(f"{size} in {name}" for name, size in sizes.items() if size != 1)
                return f"{self.heading}: shapes {shown} do not broadcast: axis {-back} is {listed}"
        return f"{self.heading}: shapes {shown} do not broadcast"

    def refused(self, specs: Sequence[Spec], params: Mapping[str, Any]) -> list[Refused]:
        found: list[Refused] = []
        for node in walk(self.meaning(**params)):
            if node.function != "power":
                continue
            whole, below = self._part("whole", node), self._part("below", node.args[1] < 0.0)
            dtype = whole.op.spec(*[specs[i] for i in whole.inputs], **params).dtype
            if dtype.kind in "iu" and not all(specs[i].weak for i in below.inputs):
                found.append(below)
        return found

    def _part(self, name: str, expr: Expr) -> Refused:
        """Return a part of the meaning as an op of its own."""
        read = scalar.variables(expr)
        places = tuple(i for i, each in enumerate(self.inputs) if each in read)
        floats = [each for each in self.floats if each in read]
        made = _anonymous(f"{self.name}_{name}", "", [self.inputs[i] for i in places], floats, expr)
        return Refused(made, places, f"{self.heading}: integers to negative integer powers are not allowed")

    # ---- gradient --------------------------------------------------------------------------------
    def rules(self, **params: Any) -> list[Rule]:
        """Return how the gradient of each input is made."""
        key = tuple(params[name] for name in self.statics) if self.statics else ()
        rules = self._rules.get(key)
        if rules is None:
            found = enumerate(self.partials(**params))
            rules = self._rules[key] = [Rule(self, index, partial) for index, partial in found]
        return rules

    def vjp(self, g: Tensor, node: Tensor, needs: Sequence[bool]) -> Sequence[Tensor | None]:
        rules = self.rules(**node.params)
        return [rules[i].apply(g, node) if need else None for i, need in enumerate(needs)]

    def reads(self, node: Tensor) -> Sequence[bool]:
        read = {index for rule in self.rules(**node.params) for index in rule.reads}
        return [index in read for index in range(self.arity)]

    def _default_samples(self) -> list[Sample]:
        def real(*shapes: Shape) -> Sample:
            return Sample(tuple(Real(s, *d) for s, d in zip(shapes, self.domain, strict=True)))

        together = [real(*[shape] * self.arity) for shape in ((), (7,), (2, 3), (0, 3))]
        if self.arity == 2:
            together += [real((2, 1, 3), (4, 1)), real((), (3,)), real((3, 1), (0,))]
        if self.arity == 3:
            together += [real((2, 1), (3,), ()), real((1,), (2, 3), (2, 1))]
        return together


class Rule:
    """How one input's gradient is made: nothing, the upstream itself, or an anonymous op."""

    def __init__(self, op: Elementwise, index: int, partial: Expr) -> None:
        self.index = index
        self.passes = is_constant(partial, 1)
        self.vanishes = is_constant(partial, 0)
        read = scalar.variables(partial)
        self.reads = tuple(i for i, name in enumerate(op.inputs) if name in read)
        self.reads_output = op.output in read
        self.floats = tuple(name for name in op.floats if name in read)
        upstream = _unused("g", op.inputs)
        names = (upstream, *(op.inputs[i] for i in self.reads), *((op.output,) if self.reads_output else ()))
        expr = times(scalar.variable(upstream), partial)
        source = op.inputs[index]
        name, doc = f"{op.name}_gradient_{source}", f"Upstream times the partial of {op.name} by {source}."
        gone = self.passes or self.vanishes
        self.op = None if gone else _anonymous(name, doc, names, self.floats, expr)

    def apply(self, g: Tensor, node: Tensor) -> Tensor | None:
        """Return the gradient of this input, summed back over the axes that it was broadcast on."""
        if self.vanishes:
            return None
        if self.op is not None:
            inputs: list[Any] = [g, *[_as_operand(node.inputs[i], node) for i in self.reads]]
            if self.reads_output:
                inputs.append(node)
            g = self.op(*inputs, **{name: node.params[name] for name in self.floats})
        shape = node.inputs[self.index]._data.shape
        return g if g._data.shape == shape else named("sum_to")(g, shape=shape)


def _number(value: Any) -> float:
    """Return a parameter as a float; this does not count as Python asking for a watched number."""
    return value.real if isinstance(value, float) else float(value)


def _as_operand(value: Any, node: Tensor) -> Any:
    """Return a plain number in the node's dtype: 1 / 0 is infinite for NumPy, and an error for Python."""
    return np.asarray(value, node._data.dtype) if value.__class__ in (float, int, bool) else value


def _unused(name: str, taken: Sequence[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _anonymous(name: str, doc: str, names: Sequence[str], floats: Sequence[str], expr: Expr) -> Elementwise:
    """Return an op that is elementwise like any other, but not in the registry."""

    def body(*_: Any, **__: Any) -> Expr:
        return expr

    body.__name__, body.__doc__ = name, doc
    made = Elementwise(body, samples=())
    made.inputs, made.arity, made.variadic = tuple(names), len(names), False
    made.parameters, made.floats = dict.fromkeys(floats, 0.0), tuple(floats)
    made.output = _unused("output", made.inputs)
    return made


def elementwise(body: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Declare an elementwise op: the decorated function says what happens to one number.

    Used bare or with the options of `Elementwise`.
    """
    if body is not None:
        return declare(Elementwise(body))
    return lambda function: declare(Elementwise(function, **options))  # pyright: ignore
